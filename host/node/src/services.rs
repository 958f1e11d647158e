//! What this node does for its guests: checks, derives ids, tells the machine.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rayw_core::message::ToHead;
use rayw_core::ownership::{Event, Found, Output as Made, WaitFor, WaitResult, for_head};
use rayw_core::{
    ActorId, ActorOptions, ActorSpec, Arg, CallOptions, Error, ErrorKind, IdSet, JobId, NodeId, ObjectId, RefId,
    Retries, TaskId, TaskKind, TaskOptions, TaskSpec, TaskTerms, Value, check_arity, check_name, limits,
};
use rayw_engine::{Answer, Caller, LastCall, Output, Services, Submitted};

use crate::Node;
use crate::catalog::{Catalog, captured};
use crate::fetch::Missing;
use crate::held::HeldRefs;
use crate::output::Line;
use crate::room::Together;

/// The services of a node, for the guests of one job.
pub(crate) struct NodeServices {
    pub(crate) node: Arc<Node>,
    pub(crate) job: JobId,
    /// What the job's component offers.
    pub(crate) catalog: Arc<Catalog>,
}

impl NodeServices {
    pub(crate) fn next_child(caller: &Caller) -> TaskId {
        caller.children.lock().unwrap_or_else(PoisonError::into_inner).next_id()
    }

    pub(crate) fn next_put(caller: &Caller) -> ObjectId {
        caller.children.lock().unwrap_or_else(PoisonError::into_inner).next_put()
    }

    /// What the component of a job offers. An actor that outlives its job may be called in another one, to which
    /// all belongs that it submits then. This node may meet either first: then the guest waits on its thread.
    fn catalog(&self, caller: &Caller, job: JobId) -> Result<Arc<Catalog>, Error> {
        if let Some(known) = self.known_catalog(job) {
            return Ok(known);
        }
        // Who waits for what the guest did before is not to wait for this.
        self.node.take_in(&caller.backlog);
        Ok(Arc::clone(&self.node.wait_for_job(job)?.catalog))
    }

    /// The same for a guest that waits without its thread.
    async fn catalog_soon(&self, caller: &Caller, job: JobId) -> Result<Arc<Catalog>, Error> {
        if let Some(known) = self.known_catalog(job) {
            return Ok(known);
        }
        self.node.take_in(&caller.backlog);
        // In a box, because it is seldom needed and large.
        Ok(Arc::clone(&Box::pin(self.node.job_here(job)).await?.catalog))
    }

    fn known_catalog(&self, job: JobId) -> Option<Arc<Catalog>> {
        if job == self.job {
            return Some(Arc::clone(&self.catalog));
        }
        self.node.job(job).ok().map(|known| Arc::clone(&known.catalog))
    }

    /// Arguments that are too large to travel, or for which there is no room beside the store, become objects of
    /// their own.
    fn store_large(&self, caller: &Caller, args: &mut [Arg], terms: &TaskTerms) -> Result<Vec<Event>, Error> {
        if args.len() > limits::ARGS_MAX {
            let message = format!("{} arguments are too many, at most {} are allowed", args.len(), limits::ARGS_MAX);
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        self.node.admit(&caller.backlog, 1, terms.num_returns as usize + args.len())?;
        let (mut puts, mut together) = (Vec::new(), Together::here());
        for argument in args {
            let Arg::Value(value) = argument else { continue };
            if !self.node.keeps_inline(value, &mut together) {
                // It may need the room of what was dropped.
                self.node.take_in(&caller.backlog);
                let object = Self::next_put(caller);
                let output = self.node.stored(object, value.clone(), &caller.backlog);
                if let Made::Failed(error) = output {
                    self.unstore(puts);
                    return Err(error);
                }
                puts.push(Event::Put { object, output });
                *argument = Arg::Object(object);
            }
        }
        if together.are_heavy() {
            // What the guest did before is gathered where nobody counts its bytes: of such, only the last one is.
            self.node.take_in(&caller.backlog);
        }
        Ok(puts)
    }

    /// What was stored for a submission that is refused goes again.
    fn unstore(&self, puts: Vec<Event>) {
        for put in puts {
            if let Event::Put { object, .. } = put {
                self.node.store.forget(object);
            }
        }
    }

    /// Submits behind the objects that carry its large arguments.
    fn submit_spec(&self, caller: &Caller, spec: TaskSpec, puts: Vec<Event>) -> Result<Submitted, Error> {
        let submitted = Submitted { task: spec.id, num_returns: spec.num_returns };
        self.node.note(&caller.backlog, carrying(puts, Event::Submitted(Arc::new(spec))));
        Ok(submitted)
    }

    /// The same for a call of an actor that may only have so many: it has to be counted before the answer.
    fn submit_limited(
        &self,
        caller: &Caller,
        actor: ActorId,
        spec: TaskSpec,
        puts: Vec<Event>,
    ) -> Result<Submitted, Error> {
        let submitted = Submitted { task: spec.id, num_returns: spec.num_returns };
        let mut refused = None;
        let after = self.node.take_in_with(&caller.backlog, |state, after| {
            if state.ownership.admit_call(actor).is_err() {
                // Some may have ended, and nobody has said so yet.
                state.take_in_offered(&self.node, after);
            }
            match state.ownership.admit_call(actor) {
                Ok(_) => {
                    for event in carrying(puts, Event::Submitted(Arc::new(spec))) {
                        state.apply(event, &self.node, None, after);
                    }
                }
                Err(error) => refused = Some((error, puts)),
            }
        });
        self.node.finish_up(after);
        match refused {
            None => Ok(submitted),
            Some((error, puts)) => {
                self.unstore(puts);
                Err(error)
            }
        }
    }

    /// Takes a reference to an actor that was found by its name.
    async fn know(&self, spec: Arc<ActorSpec>, owner: NodeId) -> Result<ActorId, Error> {
        // Its methods are looked up in its own job's component.
        self.node.job_here(spec.creation.job).await?;
        let id = spec.id;
        self.node.handle(Event::ActorKnown { spec, owner });
        Ok(id)
    }

    /// An actor that the caller has a handle of.
    fn known_actor(&self, caller: &Caller, actor: ActorId) -> Result<Arc<ActorSpec>, Error> {
        if let Some(known) = caller.backlog.lock().actor(actor) {
            return Ok(Arc::clone(known));
        }
        let known = self.node.lock().ownership.actor(actor).cloned();
        let known = known.or_else(|| {
            // It may have been made a moment ago.
            self.node.take_in(&caller.backlog);
            self.node.lock().ownership.actor(actor).cloned()
        });
        let spec = known.ok_or_else(|| {
            Error::new(ErrorKind::ActorNotFound, format!("actor `{actor}` is not known on this node"))
        })?;
        caller.backlog.lock().remember(Arc::clone(&spec));
        Ok(spec)
    }

    /// The terms of a call of an actor, and whether the actor may only have so many.
    fn terms_of_call(
        &self,
        caller: &Caller,
        actor: ActorId,
        method: &str,
        arity: usize,
        options: CallOptions,
    ) -> Result<(Arc<TaskTerms>, bool), Error> {
        let is_plain = options.is_plain();
        if is_plain {
            let backlog = caller.backlog.lock();
            let again = backlog.terms_again(actor, method, arity, caller.job, options.num_returns);
            if let Some((terms, is_limited)) = again {
                return Ok((Arc::clone(terms), is_limited));
            }
        }
        let of = self.known_actor(caller, actor)?;
        let catalog = self.catalog(caller, of.creation.job)?;
        let class = catalog.class(&of.class)?;
        let entry = class.method(method)?;
        check_arity(&entry.name, &entry.parameters, arity)?;
        let num_returns = entry.options.num_returns.unwrap_or(1);
        let terms = entry.terms(caller.job, &of, options, catalog.of_calls())?;
        if is_plain {
            let call = LastCall { terms: Arc::clone(&terms), arity, num_returns };
            caller.backlog.lock().remember_call(actor, call);
        }
        Ok((terms, of.max_pending_calls.is_some()))
    }

    /// Brings ready objects to this node. What cannot be brought stays where it is: a `get` says why.
    async fn bring_here(&self, objects: &[ObjectId], ready: &[u32], timeout: Option<Duration>) {
        let is_far = |object: &ObjectId| !self.node.store.contains(*object);
        let wanted = ready.iter().filter_map(|index| objects.get(*index as usize)).filter(|object| is_far(object));
        let found: Vec<Found> = {
            let state = self.node.lock();
            wanted.filter_map(|object| state.ownership.found(*object)).collect()
        };
        let stored: Vec<&Found> = found.iter().filter(|found| matches!(found, Found::Stored(_))).collect();
        if stored.is_empty() {
            return;
        }
        let bringing = async {
            for found in stored {
                if let Found::Stored(stored) = found {
                    // Lost or not, the object has been made, which is what was asked.
                    let _ = self.node.bring(stored).await;
                }
            }
        };
        let limit = timeout.unwrap_or(limits::FETCH_TIMEOUT);
        tokio::select! {
            () = bringing => {}
            () = self.node.sleep(limit) => {}
        }
    }
}

/// Whether the arguments of an actor can be with the head, which knows detached ones.
fn are_small(args: &[Arg]) -> bool {
    args.iter().filter_map(Arg::value).map(|value| value.data.len()).sum::<usize>() <= limits::INLINE_BYTES_MAX
}

/// Objects that carry large arguments, then what takes them, then the end of the references that kept them
/// until then.
fn carrying(puts: Vec<Event>, taker: Event) -> impl Iterator<Item = Event> {
    let carried: Vec<RefId> = puts.iter().filter_map(put_of).collect();
    let released = (!carried.is_empty()).then_some(Event::Released(carried));
    puts.into_iter().chain([taker]).chain(released)
}

/// A creator that waits for the head to register its named actor. When it is gone before it has taken the
/// answer, the actor is ended: nobody would give it its constructor's arguments.
struct Unanswered<'a> {
    node: &'a Node,
    actor: Option<ActorId>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(actor) = self.actor {
            self.node.head.send(ToHead::ActorKill { actor, no_restart: true });
            self.node.head.flush();
        }
    }
}

fn put_of(event: &Event) -> Option<RefId> {
    match event {
        Event::Put { object, .. } => Some(RefId::Object(*object)),
        _ => None,
    }
}

impl Services for NodeServices {
    fn submit(
        &self,
        caller: &Caller,
        function: &str,
        mut args: Vec<Arg>,
        options: TaskOptions,
    ) -> Result<Submitted, Error> {
        let catalog = self.catalog(caller, caller.job)?;
        let entry = catalog.function(function)?;
        check_arity(function, &entry.parameters, args.len())?;
        let terms = entry.terms(options, caller.component, &caller.placement)?;
        let puts = self.store_large(caller, &mut args, &terms)?;
        let spec = TaskSpec {
            id: Self::next_child(caller),
            parent: caller.task,
            submitter: caller.submitter,
            kind: TaskKind::Normal,
            args,
            terms,
        };
        self.submit_spec(caller, spec, puts)
    }

    fn copied(&self, data: &[u8]) -> Bytes {
        self.node.store.buffers().copied(data)
    }

    fn put(&self, caller: &Caller, value: Value) -> Result<ObjectId, Error> {
        self.node.admit(&caller.backlog, 0, 1)?;
        let object = Self::next_put(caller);
        let output = self.node.output(object, value, &mut Together::here(), &caller.backlog);
        if let Made::Failed(error) = output {
            return Err(error);
        }
        self.node.note(&caller.backlog, [Event::Put { object, output }]);
        Ok(object)
    }

    fn get(
        &self,
        caller: Arc<Caller>,
        objects: Vec<ObjectId>,
        timeout: Option<Duration>,
    ) -> Answer<'_, Vec<Arc<Value>>> {
        Box::pin(async move {
            let since = timeout.map(|timeout| (timeout, Instant::now()));
            // Again whenever a copy was not where it was said to be: its owner says where it is now.
            loop {
                let left = since.map(|(timeout, since)| timeout.saturating_sub(since.elapsed()));
                match self.node.wait(objects.clone(), WaitFor::Values, &caller, left).await {
                    WaitResult::Values(found) => match self.node.found(found).await {
                        Ok(values) => return Ok(values),
                        Err(Missing::Failed(error)) => return Err(error),
                        Err(Missing::Lost(copies)) => self.node.handle(Event::CopiesMissing(copies)),
                    },
                    WaitResult::Failed(error) => return Err(error),
                    WaitResult::TimedOut { ready, of } => {
                        let asked = timeout.unwrap_or_default();
                        let message = format!("{ready} of {of} objects were ready after {asked:?}: wait longer");
                        return Err(Error::new(ErrorKind::GetTimeout, message));
                    }
                    WaitResult::Ready(_) => {
                        return Err(Error::new(ErrorKind::System, "a `get` was answered like a `wait`"));
                    }
                }
            }
        })
    }

    fn wait(
        &self,
        caller: Arc<Caller>,
        objects: Vec<ObjectId>,
        num_ready: u32,
        timeout: Option<Duration>,
        fetch_local: bool,
    ) -> Answer<'_, Vec<u32>> {
        Box::pin(async move {
            let mut seen = IdSet::with_capacity_and_hasher(objects.len(), std::hash::BuildHasherDefault::default());
            if let Some(twice) = objects.iter().find(|object| !seen.insert(**object)) {
                let message = format!("object `{twice}` is given twice to `wait`: give each once");
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
            if num_ready == 0 || num_ready as usize > objects.len() {
                let message =
                    format!("`num_ready` is {num_ready}, it must be 1 to {}, the number of refs", objects.len());
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
            let asked = fetch_local.then(|| objects.clone());
            match self.node.wait(objects, WaitFor::Ready(num_ready), &caller, timeout).await {
                WaitResult::Ready(ready) => {
                    if let Some(asked) = asked {
                        self.bring_here(&asked, &ready, timeout).await;
                    }
                    Ok(ready)
                }
                WaitResult::TimedOut { .. } => Ok(Vec::new()),
                WaitResult::Failed(error) => Err(error),
                WaitResult::Values(_) => Err(Error::new(ErrorKind::System, "a `wait` was answered like a `get`")),
            }
        })
    }

    fn cancel(&self, caller: &Caller, object: ObjectId, force: bool, recursive: bool) -> Result<(), Error> {
        self.node.take_in(&caller.backlog);
        self.node.admit_cancel(object)?;
        if force && self.node.lock().ownership.is_actor_call(object) {
            let message = "an actor's call cannot be cancelled by force: use `kill` on the actor";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        self.node.handle(Event::Cancelled { object, recursive });
        Ok(())
    }

    fn create_actor(
        &self,
        caller: Arc<Caller>,
        class: String,
        mut args: Vec<Arg>,
        options: ActorOptions,
    ) -> Answer<'_, ActorId> {
        Box::pin(async move {
            let catalog = self.catalog_soon(&caller, caller.job).await?;
            let entry = catalog.class(&class)?;
            check_arity(&entry.constructor, &entry.class.parameters, args.len())?;
            let mut options = options.or(&entry.class.options);
            options.strategy = options.strategy.or_else(|| captured(&caller.placement));
            if options.get_if_exists && options.name.is_none() {
                return Err(Error::new(ErrorKind::InvalidArgument, "`get_if_exists` needs a `name`"));
            }
            check_name("an actor", options.name.as_deref().unwrap_or_default())?;
            check_name("a namespace", options.namespace.as_deref().unwrap_or_default())?;
            let place = entry.place(&options)?;
            let max_restarts = Retries::from_count(options.max_restarts.unwrap_or(0), "max_restarts")?;
            let max_task_retries = Retries::from_count(options.max_task_retries.unwrap_or(0), "max_task_retries")?;
            // Behind all that can be wrong: what is stored here is to be used.
            let terms = entry.terms(caller.component, &place);
            // The head makes a detached actor anew when its owner is gone, from arguments that it has itself.
            let puts = if options.detached && are_small(&args) {
                self.node.admit(&caller.backlog, 1, 0)?;
                Vec::new()
            } else {
                self.store_large(&caller, &mut args, &terms)?
            };
            let id = Self::next_child(&caller);
            let creation = TaskSpec {
                id,
                parent: caller.task,
                submitter: caller.submitter,
                kind: TaskKind::ActorCreation,
                args,
                terms,
            };
            let pending = options.max_pending_calls.unwrap_or(-1);
            let namespace = options.namespace.as_deref().map_or_else(|| Arc::clone(&caller.namespace), Arc::from);
            let spec = Arc::new(ActorSpec {
                id: ActorId::from(id),
                class: Arc::clone(&entry.name),
                name: options.name.as_deref().map(Arc::from),
                namespace,
                detached: options.detached,
                placement: place.footprint,
                lifetime: place.lifetime,
                max_restarts,
                max_task_retries,
                max_pending_calls: u32::try_from(pending).ok().and_then(NonZeroU32::new),
                out_of_order: options.allow_out_of_order_execution.unwrap_or(false),
                creation: Arc::new(creation),
            });
            if spec.name.is_none() {
                let id = spec.id;
                caller.backlog.lock().remember(Arc::clone(&spec));
                self.node.note(&caller.backlog, carrying(puts, Event::ActorCreated(spec)));
                return Ok(id);
            }
            let (owner, get_if_exists) = (self.node.id, options.get_if_exists);
            // Its creator may be stopped while the head is asked.
            let carried = puts.iter().filter_map(put_of).collect();
            let _carried = HeldRefs::new(&self.node, &caller.backlog, carried);
            self.node.note(&caller.backlog, puts);
            self.node.take_in(&caller.backlog);
            let mut unanswered = Unanswered { node: &self.node, actor: Some(spec.id) };
            let asked = for_head(&spec);
            let found = self.node.ask(|request| ToHead::ActorRegister {
                owner,
                request: Some(request),
                spec: asked,
                get_if_exists,
            });
            let found: Result<(Arc<ActorSpec>, NodeId), Error> = found.await;
            unanswered.actor = None;
            let (found, owner) = found?;
            if found.id != spec.id {
                return self.know(found, owner).await;
            }
            let id = spec.id;
            self.node.handle(Event::ActorCreated(spec));
            Ok(id)
        })
    }

    fn call_actor(
        &self,
        caller: &Caller,
        actor: ActorId,
        method: &str,
        mut args: Vec<Arg>,
        options: CallOptions,
    ) -> Result<Submitted, Error> {
        let (terms, is_limited) = self.terms_of_call(caller, actor, method, args.len(), options)?;
        let puts = self.store_large(caller, &mut args, &terms)?;
        let spec = TaskSpec {
            id: Self::next_child(caller),
            parent: caller.task,
            submitter: caller.submitter,
            kind: TaskKind::ActorCall { actor },
            args,
            terms,
        };
        if is_limited { self.submit_limited(caller, actor, spec, puts) } else { self.submit_spec(caller, spec, puts) }
    }

    fn named_actor(&self, caller: Arc<Caller>, name: String, namespace: Option<String>) -> Answer<'_, ActorId> {
        Box::pin(async move {
            check_name("an actor", &name)?;
            check_name("a namespace", namespace.as_deref().unwrap_or_default())?;
            self.node.take_in(&caller.backlog);
            let owner = self.node.id;
            let namespace = namespace.unwrap_or_else(|| caller.namespace.to_string());
            let question = |request| ToHead::ActorLookup { owner, request, name, namespace };
            let (found, owner) = self.node.ask(question).await?;
            self.know(found, owner).await
        })
    }

    fn actor_class(&self, caller: &Caller, actor: ActorId) -> Arc<str> {
        self.known_actor(caller, actor).map_or_else(|_| Arc::from(""), |known| Arc::clone(&known.class))
    }

    fn kill_actor(&self, caller: &Caller, actor: ActorId, no_restart: bool) {
        self.node.take_in(&caller.backlog);
        self.node.wait_for_head();
        self.node.head.send(ToHead::ActorKill { actor, no_restart });
        self.node.head.flush();
    }

    fn terminate_actor(&self, caller: &Caller, actor: ActorId) {
        self.node.take_in(&caller.backlog);
        self.node.wait_for_head();
        self.node.note(&caller.backlog, [Event::ActorTerminated { actor, submitter: caller.submitter }]);
        self.node.take_in(&caller.backlog);
    }

    fn acquire(&self, caller: &Caller, refs: &[RefId]) {
        if !refs.is_empty() {
            self.node.note_behind(&caller.backlog, Event::Acquired(refs.to_vec()));
        }
    }

    fn release(&self, caller: &Caller, refs: &[RefId]) {
        if !refs.is_empty() {
            self.node.note_behind(&caller.backlog, Event::Released(refs.to_vec()));
        }
    }

    fn take_in(&self, caller: &Caller) {
        self.node.take_in(&caller.backlog);
    }

    fn print(&self, caller: &Caller, output: Output, line: &str, ends: bool) {
        (self.node.output)(Line {
            stderr: output == Output::Stderr,
            driver: caller.is_driver,
            name: Arc::clone(&caller.name),
            job: caller.job,
            task: caller.task,
            actor: caller.actor,
            node: caller.node,
            text: line.to_owned(),
            ends,
        });
    }
}
