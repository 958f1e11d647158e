//! Work: a task, or a call of an actor. Its attempts, and its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use super::context::{self, Abandoned, Frame};
use super::groups::Place;
use super::objects::{self, Cell};
use super::types::{Arg, Error, ErrorKind, ObjectRef, ResourceAmount, RetryExceptions, Value};
use super::world::{State, WORLD};
use crate::registry::{Function, Method};

pub(crate) struct Work {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) target: Target,
    arguments: Mutex<Vec<Argument>>,
    /// Arguments that are not there yet.
    missing: AtomicUsize,
    outputs: Mutex<Vec<Arc<Cell>>>,
    num_returns: u32,
    /// More attempts that may be made; -1 for no end.
    retries: i32,
    retry_exceptions: RetryExceptions,
    timeout_ms: Option<u64>,
    resources: Vec<ResourceAmount>,
    place: Option<Place>,
    /// Somebody wants it cancelled.
    pub(super) cancelled: AtomicBool,
    /// Its outputs are filled; whatever still runs of it should end.
    pub(super) abandoned: AtomicBool,
    finished: AtomicBool,
    /// What it submitted.
    pub(super) children: Mutex<Vec<Weak<Work>>>,
}

#[derive(Clone, Copy)]
pub(super) enum Target {
    Task(&'static Function),
    /// On the actor of this number.
    Call(u64, &'static Method),
}

/// How often, how long, and how many.
pub(super) struct Terms {
    pub(super) num_returns: u32,
    pub(super) retries: i32,
    pub(super) retry_exceptions: RetryExceptions,
    pub(super) timeout_ms: Option<u64>,
    pub(super) resources: Vec<ResourceAmount>,
    /// Where in a placement group.
    pub(super) place: Option<Place>,
}

/// An argument that is kept until the work is done.
pub(super) enum Argument {
    Value(Value),
    Object(Arc<Cell>),
}

/// How an attempt ended.
pub(super) enum Attempt {
    Returned(Vec<Value>),
    Failed(Error),
    Panicked(Error),
    /// It was over before: cancelled, killed or out of time.
    Abandoned,
}

impl Work {
    pub(super) fn new(name: String, target: Target, arguments: &[Arg<'_>], terms: Terms) -> Arc<Self> {
        let id = format!("{:032x}", WORLD.next_id());
        let outputs = (0..terms.num_returns).map(|index| Cell::new(format!("{id}{index:08x}"))).collect();
        let work = Arc::new(Self {
            id,
            name,
            target,
            arguments: Mutex::new(keep(arguments)),
            missing: AtomicUsize::new(0),
            outputs: Mutex::new(outputs),
            num_returns: terms.num_returns,
            retries: terms.retries,
            retry_exceptions: terms.retry_exceptions,
            timeout_ms: terms.timeout_ms,
            resources: terms.resources,
            place: terms.place,
            cancelled: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            children: Mutex::new(Vec::new()),
        });
        for cell in locked(&work.outputs).iter() {
            // The cell is new, so this is the first and only time.
            let _ = cell.producer.set(Arc::downgrade(&work));
        }
        if let Some(place) = &work.place {
            place.holds(&work);
        }
        if let Some(parent) = context::current_work() {
            locked(&parent.children).push(Arc::downgrade(&work));
        }
        work
    }

    /// References to what it will make. To be taken before it can finish.
    pub(super) fn refs(&self) -> Vec<ObjectRef> {
        locked(&self.outputs).iter().map(|cell| ObjectRef { cell: Arc::clone(cell) }).collect()
    }

    /// Under the lock: asks to be told of each argument that is not there yet.
    pub(super) fn await_arguments(self: &Arc<Self>) -> bool {
        let missing = locked(&self.arguments)
            .iter()
            .filter(|argument| matches!(argument, Argument::Object(cell) if cell.must_wait(self)))
            .count();
        self.missing.store(missing, Ordering::Relaxed);
        missing == 0
    }

    pub(super) fn has_arguments(&self) -> bool {
        self.missing.load(Ordering::Relaxed) == 0
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// `name (task id)`, as errors name their origin.
    fn origin(&self) -> String {
        format!("{} ({})", self.name, self.id)
    }

    /// Whether another attempt may follow this one.
    pub(super) fn may_retry(&self, attempt: u32) -> bool {
        self.retries < 0 || i64::from(attempt) < i64::from(self.retries)
    }

    fn is_worth_retrying(&self, error: &Error, attempt: u32) -> bool {
        !self.cancelled.load(Ordering::Relaxed) && self.may_retry(attempt) && self.retry_exceptions.covers(error)
    }
}

/// Runs a task to its end.
pub(super) fn run_task(work: &Arc<Work>) {
    let Target::Task(function) = work.target else { unreachable!("calls run on their actor's thread") };
    let mut attempt = 0;
    loop {
        let frame = Frame {
            work: Some(Arc::clone(work)),
            attempt,
            worker_id: format!("{:032x}", WORLD.next_id()),
            actor: None,
            resources: work.resources.clone(),
            place: work.place.clone(),
        };
        let ended = run_attempt(work, frame, |arguments, num_returns| (function.invoke)(arguments, num_returns));
        match ended {
            Attempt::Returned(values) => return finish(work, Ok(values)),
            Attempt::Abandoned => return,
            Attempt::Failed(error) | Attempt::Panicked(error) => {
                if !work.is_worth_retrying(&error, attempt) {
                    return finish(work, Err(error));
                }
            }
        }
        attempt += 1;
    }
}

/// Runs a call of an actor once, or as often as its errors are worth it.
pub(super) fn run_call(
    work: &Arc<Work>,
    mut frame: Frame,
    call: &mut dyn FnMut(Vec<Value>, u32) -> crate::Result<Vec<Value>>,
) -> Attempt {
    loop {
        let attempt = frame.attempt;
        match run_attempt(work, frame.clone(), &mut *call) {
            Attempt::Failed(error) if work.is_worth_retrying(&error, attempt) => frame.attempt += 1,
            ended => return ended,
        }
    }
}

fn run_attempt(
    work: &Arc<Work>,
    frame: Frame,
    body: impl FnOnce(Vec<Value>, u32) -> crate::Result<Vec<Value>>,
) -> Attempt {
    if work.is_finished() {
        return Attempt::Abandoned;
    }
    let resolved = resolve(&locked(&work.arguments));
    let arguments = match resolved {
        Ok(arguments) => arguments,
        // The body never runs, and no attempt would change that.
        Err(error) => {
            finish(work, Err(error));
            return Attempt::Abandoned;
        }
    };
    watch_time(work);
    let num_returns = work.num_returns;
    let ended = guarded(frame, || body(arguments, num_returns));
    crate::contents::end_call();
    match ended {
        Guarded::Returned(Ok(values)) => Attempt::Returned(values),
        Guarded::Returned(Err(error)) => Attempt::Failed(with_origin(error.into(), work.origin())),
        Guarded::Panicked(panic) => Attempt::Panicked(with_origin(panicked(&work.name, panic), work.origin())),
        Guarded::Abandoned => Attempt::Abandoned,
    }
}

/// How code of the user's ended.
pub(super) enum Guarded<T> {
    Returned(T),
    Panicked(context::Panic),
    Abandoned,
}

/// Runs code of the user's, whose panic is not ours.
pub(super) fn guarded<T>(frame: Frame, body: impl FnOnce() -> T) -> Guarded<T> {
    crate::driver::install_panic_hook();
    let ended = context::within(frame, || catch_unwind(AssertUnwindSafe(body)));
    match ended {
        Ok(value) => Guarded::Returned(value),
        Err(payload) if payload.is::<Abandoned>() => Guarded::Abandoned,
        Err(_) => Guarded::Panicked(
            context::take_panic()
                .unwrap_or_else(|| context::Panic { message: "a panic without a message".to_owned(), location: None }),
        ),
    }
}

pub(super) fn panicked(name: &str, panic: context::Panic) -> Error {
    let at = panic.location.map(|location| format!(" at {location}")).unwrap_or_default();
    Error::new(ErrorKind::TaskPanicked, format_args!("`{name}` panicked{at}: {}", panic.message))
}

pub(super) fn with_origin(mut error: Error, origin: String) -> Error {
    error.origin.get_or_insert(origin);
    error
}

/// Ends the work: fills its outputs, and sets what waited for them going.
pub(super) fn finish(work: &Arc<Work>, result: Result<Vec<Value>, Error>) {
    finish_locked(&mut WORLD.lock(), work, result);
    WORLD.notify();
}

/// As [`finish`], for those who hold the lock and notify later.
pub(super) fn finish_locked(state: &mut State, work: &Arc<Work>, result: Result<Vec<Value>, Error>) {
    if work.finished.swap(true, Ordering::Relaxed) {
        return;
    }
    let outputs = std::mem::take(&mut *locked(&work.outputs));
    locked(&work.arguments).clear();
    let contents: Vec<_> = match result {
        Ok(values) => values.into_iter().map(Ok).collect(),
        Err(error) => outputs.iter().map(|_| Err(error.clone())).collect(),
    };
    for (cell, content) in outputs.iter().zip(contents) {
        for waiting in cell.fill(content) {
            if waiting.missing.fetch_sub(1, Ordering::Relaxed) == 1
                && !waiting.is_finished()
                && matches!(waiting.target, Target::Task(_))
            {
                state.ready.push_back(waiting);
            }
        }
    }
    state.start_ready();
}

/// When the time of the attempt is over, the outputs fail; the thread ends
/// when it next asks rayw for something.
fn watch_time(work: &Arc<Work>) {
    let Some(timeout_ms) = work.timeout_ms else {
        return;
    };
    let Some(deadline) = objects::deadline(Some(timeout_ms)) else {
        return;
    };
    let work = Arc::clone(work);
    std::thread::spawn(move || {
        let mut guard = WORLD.lock();
        while !work.is_finished() && Instant::now() < deadline {
            guard = WORLD.wait(guard, Some(deadline));
        }
        drop(guard);
        if !work.is_finished() {
            work.abandoned.store(true, Ordering::Relaxed);
            let error = Error::new(
                ErrorKind::TaskTimeout,
                format_args!("`{}` ran longer than its timeout of {timeout_ms} ms", work.name),
            );
            finish(&work, Err(with_origin(error, work.origin())));
        }
    });
}

/// The arguments as values, or the error of the first one that failed.
pub(super) fn resolve(arguments: &[Argument]) -> Result<Vec<Value>, Error> {
    arguments
        .iter()
        .map(|argument| match argument {
            Argument::Value(value) => Ok(value.clone()),
            Argument::Object(cell) => match cell.content() {
                Some(content) => content.clone(),
                None => unreachable!("work starts when its arguments are there"),
            },
        })
        .collect()
}

pub(super) fn keep(arguments: &[Arg<'_>]) -> Vec<Argument> {
    arguments
        .iter()
        .map(|argument| match argument {
            Arg::Value(value) => Argument::Value(value.clone()),
            Arg::Object(object) => Argument::Object(Arc::clone(&object.cell)),
        })
        .collect()
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
