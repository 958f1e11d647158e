//! Actors: a thread each, with an ordered mailbox.
//!
//! ```text
//! create ─▶ starting ─▶ alive ─┬─ terminate, exit, last handle ─▶ dead
//!               ▲              ├─ kill(no restart) ────────────▶ dead
//!               └── restarts ──┴─ panic, kill(restart) ── none left ─▶ dead
//! ```

use std::any::Any;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, Weak};

use super::context::{self, ActorFrame, Frame};
use super::groups::{self, Place};
use super::tasks::held;
use super::types::{
    ActorHandle, ActorOptions, Arg, CallOptions, Error, ErrorKind, GroupPlace, ObjectRef, ResourceAmount,
    RetryExceptions, Value,
};
use super::work::{self, Argument, Attempt, Guarded, Target, Terms, Work, locked};
use super::world::{State, WORLD};
use crate::options::CallSettings;
use crate::registry::{self, Class};

/// Namespace and name.
pub(super) type Name = (String, String);

/// What a name leads to: an actor that ends with its last handle, or a detached one.
pub(super) enum Named {
    Counted(Weak<Life>),
    Detached(Arc<Life>),
}

impl Named {
    fn is(&self, actor: &Arc<Actor>) -> bool {
        match self {
            Self::Counted(life) => life.upgrade().is_none_or(|life| Arc::ptr_eq(&life.actor, actor)),
            Self::Detached(life) => Arc::ptr_eq(&life.actor, actor),
        }
    }
}

/// What never changes of an actor.
pub(crate) struct Actor {
    number: u64,
    pub(super) id: String,
    pub(super) class: &'static Class,
    name: Option<Name>,
    /// Kept for restarts, and given up when it is gone.
    arguments: Mutex<Vec<Argument>>,
    resources: Vec<ResourceAmount>,
    place: Option<Place>,
    max_restarts: i32,
    max_task_retries: Option<i32>,
    max_pending_calls: i32,
    out_of_order: bool,
}

/// What all handles to an actor share; when the last one goes, so does it.
pub(crate) struct Life {
    pub(super) actor: Arc<Actor>,
}

impl Drop for Life {
    /// A handle may be dropped anywhere, also under the lock, so another
    /// thread does what follows.
    fn drop(&mut self) {
        static LAST_HANDLES: LazyLock<Sender<u64>> = LazyLock::new(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "at most one entry per actor; a full queue would block a drop under the lock"
            )]
            let (sender, receiver) = channel();
            std::thread::spawn(move || {
                for number in receiver {
                    end_after_calls(number);
                }
            });
            sender
        });
        // It only fails at the end of the process.
        let _ = LAST_HANDLES.send(self.actor.number);
    }
}

/// What changes of an actor, under the lock.
pub(super) struct ActorState {
    actor: Arc<Actor>,
    calls: VecDeque<(String, Arc<Work>, u32)>,
    running: Option<Arc<Work>>,
    /// A thread of an earlier incarnation ends when it sees a later one.
    restarts: u32,
    /// It ends when there are no calls left, and takes no new ones.
    ending: bool,
    dead: Option<Error>,
}

pub(crate) fn create(
    class: &str,
    args: &[Arg<'_>],
    options: &ActorOptions,
    within: Option<&GroupPlace<'_>>,
) -> Result<ActorHandle, Error> {
    context::end_if_abandoned();
    registry::assert_unique();
    let class = registry::class(class)?;
    let declared = (class.options)().options;
    let name = options.name.clone().map(|name| (namespace(options.namespace.as_deref()), name));
    if name.is_none() && (options.get_if_exists || options.detached) {
        let option = if options.get_if_exists { "get_if_exists" } else { "detached" };
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format_args!("an actor without a name cannot be found again: `{option}` needs a `name`"),
        ));
    }
    let number = WORLD.next_id();
    let resources = if options.resources.is_empty() { declared.resources } else { options.resources.clone() };
    let actor = Arc::new(Actor {
        number,
        id: format!("{number:032x}"),
        class,
        name: name.clone(),
        arguments: Mutex::new(work::keep(args)),
        resources: held(
            options.num_cpus.or(declared.num_cpus).unwrap_or(0.0),
            options.memory.or(declared.memory),
            resources,
        )?,
        place: groups::place(within, options.strategy.as_ref().or(declared.strategy.as_ref()))?,
        max_restarts: options.max_restarts.or(declared.max_restarts).unwrap_or(0),
        max_task_retries: options.max_task_retries.or(declared.max_task_retries),
        max_pending_calls: options.max_pending_calls.or(declared.max_pending_calls).unwrap_or(-1),
        out_of_order: options.allow_out_of_order_execution.or(declared.allow_out_of_order_execution).unwrap_or(false),
    });
    let life = Arc::new(Life { actor: Arc::clone(&actor) });
    let mut guard = WORLD.lock();
    if let Some(name) = name {
        if let Some(existing) = find(&guard, &name) {
            if options.get_if_exists {
                return Ok(existing);
            }
            return Err(Error::new(
                ErrorKind::ActorAlreadyExists,
                format_args!(
                    "there is an actor `{}` in the namespace `{}` already; \
                     take it by `get_if_exists`, or another name",
                    name.1, name.0
                ),
            ));
        }
        let named =
            if options.detached { Named::Detached(Arc::clone(&life)) } else { Named::Counted(Arc::downgrade(&life)) };
        guard.names.insert(name, named);
    }
    guard.actors.insert(
        number,
        ActorState {
            actor: Arc::clone(&actor),
            calls: VecDeque::new(),
            running: None,
            restarts: 0,
            ending: false,
            dead: None,
        },
    );
    if let Some(place) = &actor.place {
        place.holds_actor(number);
    }
    drop(guard);
    start(actor, 0);
    Ok(ActorHandle { life })
}

pub(crate) fn call_one(
    actor: &ActorHandle,
    method: &str,
    args: &[Arg<'_>],
    options: Option<&CallOptions>,
) -> Result<ObjectRef, Error> {
    let options = options.cloned().unwrap_or_else(|| CallSettings::new().options);
    super::tasks::one(call(actor, method, args, &CallOptions { num_returns: Some(1), ..options })?)
}

pub(crate) fn call(
    actor: &ActorHandle,
    method: &str,
    args: &[Arg<'_>],
    options: &CallOptions,
) -> Result<Vec<ObjectRef>, Error> {
    context::end_if_abandoned();
    let actor = &actor.life.actor;
    let method = actor.class.method(method)?;
    let declared = (method.options)().options;
    let terms = Terms {
        num_returns: options.num_returns.or(declared.num_returns).unwrap_or(1),
        retries: options.max_task_retries.or(declared.max_task_retries).or(actor.max_task_retries).unwrap_or(0),
        retry_exceptions: options
            .retry_exceptions
            .clone()
            .or(declared.retry_exceptions)
            .unwrap_or(RetryExceptions::None),
        timeout_ms: options.timeout_ms.or(declared.timeout_ms),
        resources: actor.resources.clone(),
        // Its actor ends with the group, and the call with its actor.
        place: None,
    };
    let name =
        options.name.clone().or(declared.name).unwrap_or_else(|| format!("{}::{}", actor.class.name, method.name));
    let work = Work::new(name, Target::Call(actor.number, method), args, terms);
    let refs = work.refs();
    let submitter = context::submitter();
    let mut guard = WORLD.lock();
    let state = state_of(&mut guard, actor.number);
    if let Some(error) = &state.dead {
        return Err(error.clone());
    }
    if state.ending {
        return Err(died(actor, "it is ending"));
    }
    let pending = state.calls.len() + usize::from(state.running.is_some());
    if usize::try_from(actor.max_pending_calls).is_ok_and(|max| pending >= max) {
        return Err(Error::new(
            ErrorKind::PendingCallsLimitExceeded,
            format_args!(
                "{pending} calls wait for the actor {} of class `{}`, whose `max_pending_calls` is {}; \
                 wait for some of them first",
                actor.id, actor.class.name, actor.max_pending_calls
            ),
        ));
    }
    work.await_arguments();
    state.calls.push_back((submitter, work, 0));
    drop(guard);
    WORLD.notify();
    Ok(refs)
}

pub(crate) fn get_named(name: &str, of: Option<&str>) -> Result<ActorHandle, Error> {
    context::end_if_abandoned();
    let name = (namespace(of), name.to_owned());
    find(&WORLD.lock(), &name).ok_or_else(|| {
        Error::new(
            ErrorKind::ActorNotFound,
            format_args!("there is no actor `{}` in the namespace `{}`", name.1, name.0),
        )
    })
}

pub(crate) fn kill(actor: &ActorHandle, no_restart: bool) -> Result<(), Error> {
    context::end_if_abandoned();
    let actor = &actor.life.actor;
    let mut guard = WORLD.lock();
    let state = state_of(&mut guard, actor.number);
    if state.dead.is_some() {
        return Ok(());
    }
    let running = state.running.take();
    let error = if no_restart || !restarts_left(state) {
        died(actor, "it was killed")
    } else {
        Error::new(
            ErrorKind::ActorUnavailable,
            format_args!(
                "the actor {} of class `{}` was killed under the call, and starts again",
                actor.id, actor.class.name
            ),
        )
    };
    if let Some(running) = running {
        running.abandoned.store(true, Ordering::Relaxed);
        work::finish_locked(&mut guard, &running, Err(error));
    }
    crash(&mut guard, actor, no_restart, died(actor, "it was killed"));
    drop(guard);
    WORLD.notify();
    Ok(())
}

/// The placement group of an actor was removed.
pub(super) fn end_with_group(state: &mut State, number: u64, error: &Error) {
    let own = state_of(state, number);
    if own.dead.is_some() {
        return;
    }
    let (actor, running) = (Arc::clone(&own.actor), own.running.take());
    if let Some(running) = running {
        running.abandoned.store(true, Ordering::Relaxed);
        work::finish_locked(state, &running, Err(error.clone()));
    }
    crash(state, &actor, true, error.clone());
}

pub(crate) fn terminate(actor: &ActorHandle) -> Result<(), Error> {
    context::end_if_abandoned();
    end_after_calls(actor.life.actor.number);
    Ok(())
}

pub(crate) fn exit() -> Result<(), Error> {
    context::end_if_abandoned();
    if context::called_actor().is_none() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "`exit_actor` ends the actor whose call is running, and here none is",
        ));
    }
    context::request_exit();
    Ok(())
}

/// Whether the actor is in the middle of this call.
pub(super) fn is_running(number: u64, work: &Arc<Work>) -> bool {
    let guard = WORLD.lock();
    guard.actors.get(&number).and_then(|state| state.running.as_ref()).is_some_and(|running| Arc::ptr_eq(running, work))
}

fn end_after_calls(number: u64) {
    if let Some(state) = WORLD.lock().actors.get_mut(&number) {
        state.ending = true;
    }
    WORLD.notify();
}

fn start(actor: Arc<Actor>, restarts: u32) {
    std::thread::spawn(move || live(&actor, restarts));
}

/// The life of an incarnation.
fn live(actor: &Arc<Actor>, restarts: u32) {
    let Some(mut instance) = construct(actor, restarts) else {
        return;
    };
    while let Some((work, attempt)) = next_call(actor, restarts) {
        let Target::Call(_, method) = work.target else { unreachable!("tasks run on other threads") };
        let frame = Frame { work: Some(Arc::clone(&work)), attempt, ..frame(actor, restarts) };
        let ended = work::run_call(&work, frame, &mut |arguments, num_returns| {
            (method.call)(instance.as_mut(), arguments, num_returns)
        });
        let exits = context::take_exit_request();
        match ended {
            Attempt::Returned(values) => work::finish(&work, Ok(values)),
            Attempt::Failed(error) => work::finish(&work, Err(error)),
            Attempt::Panicked(error) => return crash_under(actor, restarts, &work, attempt, error),
            Attempt::Abandoned => {}
        }
        if exits {
            return end(actor, restarts, died(actor, "it left by `exit_actor`"));
        }
    }
}

fn construct(actor: &Arc<Actor>, restarts: u32) -> Option<Box<dyn Any>> {
    let arguments = await_arguments(actor, restarts)?;
    let made = arguments.map(|arguments| {
        work::guarded(frame(actor, restarts), || (actor.class.construct)(arguments).map_err(Error::from))
    });
    let name = format!("{}::new", actor.class.name);
    let error = match made {
        Ok(Guarded::Returned(Ok(instance))) => return Some(instance),
        Ok(Guarded::Returned(Err(error))) | Err(error) => error,
        Ok(Guarded::Panicked(panic)) => work::panicked(&name, panic),
        Ok(Guarded::Abandoned) => return None,
    };
    let error = work::with_origin(error, format!("{name} ({})", actor.id));
    end(actor, restarts, died(actor, "it could not be made").caused(&error));
    None
}

/// The constructor's arguments, when they are there; none if nobody wants them any more.
fn await_arguments(actor: &Actor, restarts: u32) -> Option<Result<Vec<Value>, Error>> {
    let are_there = || {
        locked(&actor.arguments).iter().all(|argument| match argument {
            Argument::Value(_) => true,
            Argument::Object(cell) => cell.content().is_some(),
        })
    };
    let mut guard = WORLD.lock();
    loop {
        if !is_current(&guard, actor, restarts) {
            return None;
        }
        if are_there() {
            return Some(work::resolve(&locked(&actor.arguments)));
        }
        guard = WORLD.wait(guard, None);
    }
}

/// The next call to run, or none if this incarnation is over.
fn next_call(actor: &Arc<Actor>, restarts: u32) -> Option<(Arc<Work>, u32)> {
    let mut guard = WORLD.lock();
    loop {
        if !is_current(&guard, actor, restarts) {
            return None;
        }
        let state = state_of(&mut guard, actor.number);
        state.running = None;
        state.calls.retain(|(_, work, _)| !work.is_finished());
        if let Some(index) = runnable(state) {
            let (_, work, attempt) = state.calls.remove(index)?;
            state.running = Some(Arc::clone(&work));
            return Some((work, attempt));
        }
        if state.ending && state.calls.is_empty() {
            bury(&mut guard, actor, died(actor, "it has ended"));
            drop(guard);
            WORLD.notify();
            return None;
        }
        guard = WORLD.wait(guard, None);
    }
}

/// The first call whose arguments are there, and before which its submitter
/// has none that waits.
fn runnable(state: &ActorState) -> Option<usize> {
    let mut waiting = HashSet::new();
    state.calls.iter().position(|(submitter, work, _)| {
        if work.has_arguments() && !waiting.contains(submitter) {
            return true;
        }
        if !state.actor.out_of_order {
            waiting.insert(submitter);
        }
        false
    })
}

/// A panic ends the instance, as a trap ends a sandbox.
fn crash_under(actor: &Arc<Actor>, restarts: u32, call: &Arc<Work>, attempt: u32, error: Error) {
    let mut guard = WORLD.lock();
    if is_current(&guard, actor, restarts) {
        let state = state_of(&mut guard, actor.number);
        state.running = None;
        if restarts_left(state) && call.may_retry(attempt) {
            state.calls.push_front((String::new(), Arc::clone(call), attempt + 1));
        } else {
            work::finish_locked(&mut guard, call, Err(error.clone()));
        }
        let gone = died(actor, "it crashed").caused(&error);
        crash(&mut guard, actor, false, gone);
    }
    drop(guard);
    WORLD.notify();
}

/// Restarts the actor if it may be, else buries it.
fn crash(state: &mut State, actor: &Arc<Actor>, no_restart: bool, gone: Error) {
    let own = state_of(state, actor.number);
    if no_restart || !restarts_left(own) {
        bury(state, actor, gone);
        return;
    }
    own.restarts += 1;
    start(Arc::clone(actor), own.restarts);
}

fn end(actor: &Arc<Actor>, restarts: u32, error: Error) {
    let mut guard = WORLD.lock();
    if is_current(&guard, actor, restarts) {
        bury(&mut guard, actor, error);
    }
    drop(guard);
    WORLD.notify();
}

/// The actor is gone for good: its name is free, and its calls fail.
fn bury(state: &mut State, actor: &Arc<Actor>, error: Error) {
    let own = state_of(state, actor.number);
    own.dead = Some(error.clone());
    own.running = None;
    locked(&actor.arguments).clear();
    let calls = std::mem::take(&mut own.calls);
    for (_, work, _) in calls {
        work::finish_locked(state, &work, Err(error.clone()));
    }
    // Another actor may have taken the name since the last handle was dropped.
    if let Some(name) = &actor.name
        && state.names.get(name).is_some_and(|named| named.is(actor))
    {
        state.names.remove(name);
    }
}

fn find(state: &State, name: &Name) -> Option<ActorHandle> {
    let life = match state.names.get(name)? {
        Named::Counted(life) => life.upgrade()?,
        Named::Detached(life) => Arc::clone(life),
    };
    Some(ActorHandle { life })
}

fn is_current(state: &State, actor: &Actor, restarts: u32) -> bool {
    state.actors.get(&actor.number).is_some_and(|state| state.dead.is_none() && state.restarts == restarts)
}

fn restarts_left(state: &ActorState) -> bool {
    let max = state.actor.max_restarts;
    !state.ending && (max < 0 || i64::from(state.restarts) < i64::from(max))
}

fn state_of(state: &mut State, number: u64) -> &mut ActorState {
    match state.actors.get_mut(&number) {
        Some(state) => state,
        None => unreachable!("an actor's state outlives its handles"),
    }
}

fn frame(actor: &Actor, restarts: u32) -> Frame {
    Frame {
        work: None,
        attempt: 0,
        worker_id: format!("{}-{restarts}", actor.id),
        actor: Some(ActorFrame { number: actor.number, id: actor.id.clone(), class: actor.class.name, restarts }),
        resources: actor.resources.clone(),
        place: actor.place.clone(),
    }
}

fn died(actor: &Actor, how: &str) -> Error {
    Error::new(
        ErrorKind::ActorDied,
        format_args!("the actor {} of class `{}` is gone: {how}", actor.id, actor.class.name),
    )
}

pub(super) fn namespace(given: Option<&str>) -> String {
    given.unwrap_or(context::NAMESPACE).to_owned()
}
