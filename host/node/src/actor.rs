//! Actors that live here: a mailbox, and one tokio task that owns the instance.
//!
//! The mailbox is filled under the lock that guards the machine, so calls of
//! one caller arrive in order. The life ends by a message (graceful), by the
//! stopper (at once), by a failed constructor or by a breakdown; what it did
//! not begin goes back to the owner. A durable actor that nobody calls is put
//! away (`passive.rs`).

mod callers;
mod letters;
mod line;
mod passive;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rayw_core::message::{ActorEnd, ToHead};
use rayw_core::ownership::{Event, Input, Order, Outcome};
use rayw_core::{
    ActorId, ActorSpec, Details, Error, ErrorKind, Execution, JobId, NodeId, TaskId, TaskSpec, Value, limits,
};
use rayw_engine::{Backlog, Caller, Checkpoint, Instance, Line, Returned, Sandbox};
use tokio::sync::{Notify, oneshot};

use crate::Node;
use crate::caller::Attempt;
use crate::fetch::Missing;
use crate::job::JobRun;
use crate::line::{CallLine, Over, inline_values, may_follow, no_answer};
use crate::node::{After, State};
use crate::worker::{Ended, Stopper, cancelled, timed_out};

use letters::{Letter, Letters, Taken};
use line::Mail;
pub(crate) use passive::{IdleActors, Passive};

/// What a living actor has to do, and how its life is reached.
pub(crate) struct Mailbox {
    incarnation: u32,
    job: JobId,
    reach: Arc<Reach>,
    /// Why it is stopped, and whether it may live again.
    stop: Option<Box<(Error, bool)>>,
    /// Its constructor has run.
    is_ready: bool,
    /// What only actors have that can be written down.
    durable: Option<passive::Durable>,
}

/// How a life is reached: one allocation, as there may be many actors that sleep.
#[derive(Default)]
struct Reach {
    letters: Letters,
    /// Tells the life that there are letters.
    arrived: Notify,
    stopper: Stopper,
}

impl Mailbox {
    pub(crate) fn incarnation(&self) -> u32 {
        self.incarnation
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }
}

impl State {
    /// Puts a call into a mailbox. One for another life goes nowhere: its owner is told of the end of that life.
    /// Answers with the call then.
    pub(crate) fn post(&mut self, actor: ActorId, incarnation: u32, order: Order, after: &mut After) -> Option<TaskId> {
        let mailbox = self.mailboxes.get_mut(&actor).filter(|mailbox| mailbox.incarnation == incarnation);
        let Some(mailbox) = mailbox else { return Some(order.spec.id) };
        after.called = Some(actor);
        after.is_ahead |= mailbox.reach.letters.push(Letter::Call(order)) > limits::ACTOR_LINE_LONG;
        mailbox.wake(after);
        None
    }

    /// Puts the end of an actor behind the calls in its mailbox.
    pub(crate) fn post_end(&mut self, actor: ActorId, incarnation: u32, reason: Error, after: &mut After) {
        if let Some(mailbox) = self.mailboxes.get_mut(&actor).filter(|mailbox| mailbox.incarnation == incarnation) {
            mailbox.reach.letters.push(Letter::Stop(reason));
            mailbox.wake(after);
        }
    }

    /// Lets a call know that it is not wanted any more.
    pub(crate) fn flag(&mut self, actor: ActorId, task: TaskId) {
        if let Some(mailbox) = self.mailboxes.get(&actor) {
            mailbox.reach.letters.flag(task);
        }
    }
}

/// What an actor does next.
enum Next {
    /// This call, which counts as begun.
    Call(Order, Arc<Caller>),
    /// It ends.
    Stop(Error),
}

/// One life of an actor.
struct Life {
    node: Arc<Node>,
    spec: Arc<ActorSpec>,
    incarnation: u32,
    /// The node that has the constructor's arguments.
    owner: NodeId,
    /// The arguments themselves, for a detached actor.
    inputs: Option<Box<[Value]>>,
    reach: Arc<Reach>,
    worker: u64,
    /// Callers in the constructor's name so far.
    made: AtomicU32,
    /// What its calls did and how they ended, as far as the node has not taken it in.
    backlog: Arc<Backlog>,
}

impl Drop for Life {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (actor, incarnation) = (self.spec.id, self.incarnation);
            let error = broke_down(&self.spec.class, actor);
            self.take_in();
            // What it was at has an owner who waits, and references that were lent for it.
            if let Some(call) = self.reach.letters.current() {
                let outcome = Outcome::ActorCrashed(error.clone());
                self.node.handle(Event::Finished { task: call.task, attempt: call.attempt, outcome });
            }
            self.node.lock().constructors.remove(&(actor, incarnation));
            self.node.handle(Event::ConstructEnded(actor));
            self.end(ActorEnd::Crashed(error));
        }
    }
}

impl Node {
    pub(crate) fn start_actor(
        self: &Arc<Self>,
        spec: Arc<ActorSpec>,
        owner: NodeId,
        incarnation: u32,
        inputs: Option<Vec<Value>>,
    ) {
        let reach = Arc::<Reach>::default();
        let mailbox = Mailbox {
            incarnation,
            job: spec.creation.job,
            reach: Arc::clone(&reach),
            stop: None,
            is_ready: false,
            durable: None,
        };
        // What was there, if anything, may hold references, whose drop takes the lock.
        let former = self.lock().mailboxes.insert(spec.id, mailbox);
        drop(former);
        let worker = self.engine.next_worker();
        let node = Arc::clone(self);
        let (inputs, backlog) = (inputs.map(Vec::into_boxed_slice), Arc::default());
        let life = Life { node, spec, incarnation, owner, inputs, reach, worker, made: AtomicU32::new(0), backlog };
        self.tracker.spawn_on(life.live(), &self.guests);
    }

    pub(crate) fn stop_actor(
        self: &Arc<Self>,
        actor: ActorId,
        incarnation: u32,
        graceful: bool,
        reason: Error,
        restart: bool,
    ) {
        let mut after = After::default();
        {
            let mut state = self.lock();
            let mailbox = state.mailboxes.get_mut(&actor).filter(|mailbox| mailbox.incarnation == incarnation);
            match mailbox {
                Some(mailbox) if !graceful => mailbox.stop(reason, restart, &mut after),
                Some(_) => state.post_end(actor, incarnation, reason, &mut after),
                None => {}
            }
        }
        self.finish_up(after);
    }

    /// Ends all actors at once: the node goes.
    pub(crate) fn stop_actors(self: &Arc<Self>) {
        let mut after = After::default();
        for mailbox in self.lock().mailboxes.values_mut() {
            let reason = Error::new(ErrorKind::ActorDied, "the actor ended because its node shuts down");
            mailbox.stop(reason, false, &mut after);
        }
        self.finish_up(after);
    }

    pub(crate) fn has_actor_of(&self, job: JobId) -> bool {
        self.lock().mailboxes.values().any(|mailbox| mailbox.job == job)
    }

    fn tell_head(&self, message: ToHead) {
        self.head.send(message);
        self.head.flush();
    }
}

impl Mailbox {
    /// Tells the life that there is something to do; one that was put away is brought back.
    fn wake(&mut self, after: &mut After) {
        match self.durable.as_mut().and_then(|durable| durable.away.take()) {
            Some(passive) => after.revive.push(*passive),
            None => self.reach.arrived.notify_one(),
        }
        after.rouses = true;
    }

    /// Ends the life at once.
    fn stop(&mut self, reason: Error, restart: bool, after: &mut After) {
        self.stop.get_or_insert_with(|| Box::new((reason, restart)));
        self.reach.stopper.stop();
        self.wake(after);
    }
}

/// What an actor is while it lives.
enum Body {
    /// An instance.
    Awake(Box<Instance>),
    /// What it was written down as.
    Asleep(Checkpoint),
}

/// Why an actor stopped serving.
enum Pause {
    Ended(ActorEnd),
    /// Nobody calls it, and it has been written down.
    Idle(Checkpoint),
}

impl Life {
    async fn live(self) {
        match self.construct().await {
            Ok((instance, job)) => {
                self.node.tell_head(ToHead::ActorReady { actor: self.spec.id, incarnation: self.incarnation });
                self.go_on(Body::Awake(Box::new(instance)), job).await;
            }
            Err(end) => self.end(end),
        }
    }

    async fn go_on(self, body: Body, job: Arc<JobRun>) {
        match self.serve(body, &job).await {
            Pause::Ended(end) => self.end(end),
            Pause::Idle(state) => Node::put_away(Box::new(Passive { life: self, state, job })),
        }
    }

    fn end(&self, end: ActorEnd) {
        let (actor, incarnation) = (self.spec.id, self.incarnation);
        self.node.take_in_last_with(&self.backlog, |state, after| {
            let tasks = self.close(state);
            state.apply(Event::CallsReturned { actor, tasks }, &self.node, None, after);
            // A report speaks of the life until its end is told, and never after.
            state.ending.remove(&actor);
            self.node.head.send(ToHead::ActorEnded { actor, incarnation, end });
        });
        self.node.head.flush();
        // It may have been the last that its job was kept for.
        let job = self.spec.creation.job;
        if self.node.job(job).is_ok_and(|job| job.is_over.load(Ordering::Relaxed)) {
            self.node.forget_job(job);
        }
    }

    /// The constructor's arguments: from the head for a detached actor, otherwise from its owner.
    async fn arguments(&self) -> Result<Vec<Arc<Value>>, Error> {
        if let Some(values) = &self.inputs {
            return Ok(values.iter().cloned().map(Arc::new).collect());
        }
        let gone = || Error::new(ErrorKind::ObjectLost, "an argument of the actor's constructor is gone");
        let (actor, incarnation, owner) = (self.spec.id, self.incarnation, self.owner);
        let mut missing = Vec::new();
        // Again whenever a copy was not where it was said to be: the owner says where it is now.
        loop {
            let (sender, receiver) = oneshot::channel();
            let wanted = Event::ConstructWanted { actor, incarnation, owner, missing };
            self.node.take_in_last_with(&self.backlog, |state, after| {
                state.constructors.insert((actor, incarnation), sender);
                state.apply(wanted, &self.node, None, after);
            });
            let order = receiver.await.unwrap_or_else(|_| Err(gone()))?;
            match self.node.inputs(&order.inputs).await {
                Ok(values) => return Ok(values),
                Err(Missing::Failed(error)) => return Err(error),
                Err(Missing::Lost(copies)) => missing = copies,
            }
        }
    }

    /// A fresh instance, in which nothing has run.
    async fn start(&self, caller: &Arc<Caller>, job: &JobRun) -> Result<Instance, Error> {
        self.node.make_room();
        let memory_bytes_max = self.spec.creation.memory_cap();
        let sandbox = Sandbox { memory_bytes_max, grants: Arc::clone(&job.grants), args: Vec::new() };
        let services = Arc::clone(&job.services);
        self.node.engine.start(&job.program, services, Arc::clone(caller), &sandbox).await
    }

    async fn construct(&self) -> Result<(Instance, Arc<JobRun>), ActorEnd> {
        let creation = &self.spec.creation;
        // Told with the question for its arguments.
        self.backlog.lock().push(Event::Started { task: creation.id, worker: self.worker });
        let known = self.node.job(creation.job).ok();
        if known.is_none() || self.inputs.is_some() {
            // There is no such question, or not soon.
            self.take_in();
        }
        let ended = {
            // Pinned here: a future of this size is not to be moved about with each actor.
            let constructing = pin!(async {
                let job = match known {
                    Some(job) => job,
                    None => self.node.job_here(creation.job).await?,
                };
                let inputs = self.arguments().await?;
                let caller = self.maker(&job);
                let mut instance = self.start(&caller, &job).await?;
                instance.construct(caller, &self.spec.class, &inputs).await?;
                Ok::<_, Error>((instance, job))
            });
            self.node.until_stopped(&self.reach.stopper, creation.timeout, constructing).await
        };
        let is_durable = match &ended {
            Ended::Done(Ok((_, job))) => {
                Some(job.catalog.class(&self.spec.class).is_ok_and(|class| class.class.durable))
            }
            Ended::Done(Err(_)) | Ended::Stopped | Ended::TimedOut(_) => None,
        };
        self.constructed(is_durable);
        match ended {
            Ended::Done(Ok(constructed)) => Ok(constructed),
            Ended::Done(Err(error)) => {
                let error = Details::from(error.from_task(&creation.name, creation.id));
                let message = format!("actor `{}` ({}) is dead: its constructor failed", self.spec.class, self.spec.id);
                let mut death = Error::new(ErrorKind::ActorDied, message).caused_by(&error.message);
                death.causes.extend(error.causes);
                (death.backtrace, death.origin) = (error.backtrace, error.origin);
                Err(ActorEnd::ConstructorFailed(death))
            }
            Ended::TimedOut(timeout) => Err(ActorEnd::ConstructorFailed(timed_out(creation, timeout))),
            Ended::Stopped => Err(self.stopped_end()),
        }
    }

    /// The constructor is over. The actor is ready when it is said whether it can be written down.
    fn constructed(&self, is_durable: Option<bool>) {
        let actor = self.spec.id;
        self.node.take_in_last_with(&self.backlog, |state, after| {
            state.constructors.remove(&(actor, self.incarnation));
            state.apply(Event::ConstructEnded(actor), &self.node, None, after);
            if let (Some(is_durable), Some(mailbox)) = (is_durable, state.mailboxes.get_mut(&actor)) {
                mailbox.is_ready = true;
                mailbox.durable = is_durable.then(passive::Durable::default);
            }
        });
    }

    async fn serve(&self, mut body: Body, job: &Arc<JobRun>) -> Pause {
        let line = Arc::new(Mail::line(self, job));
        let mut next = self.next(job);
        loop {
            next = match next {
                Some(Next::Call(order, caller)) => {
                    // In a box, because it is seldom needed and large.
                    let woken = match &body {
                        Body::Awake(_) => Ok(()),
                        Body::Asleep(_) => Box::pin(self.awaken(&mut body, job)).await,
                    };
                    let called = match (woken, &mut body) {
                        (Ok(()), Body::Awake(instance)) => self.call(instance, order, caller, job, &line).await,
                        (Ok(()), Body::Asleep(_)) => unreachable!("it was brought back just now"),
                        (Err(end), _) => {
                            self.reach.letters.put_back(order);
                            Err(end)
                        }
                    };
                    match called {
                        Ok(next) => next,
                        Err(end) => return Pause::Ended(end),
                    }
                }
                Some(Next::Stop(reason)) => return Pause::Ended(ActorEnd::Intended(reason)),
                None => {
                    self.node.until_stopped(&self.reach.stopper, None, self.reach.arrived.notified()).await;
                    // A letter may have come, too.
                    if self.reach.stopper.is_stopped() {
                        return Pause::Ended(self.stopped_end());
                    }
                    if let Body::Awake(instance) = &mut body
                        && self.is_to_sleep()
                    {
                        match Box::pin(self.write_down(instance, job)).await {
                            Ok(Some(state)) => return Pause::Idle(state),
                            Ok(None) => {}
                            Err(end) => return Pause::Ended(end),
                        }
                    }
                    self.next(job)
                }
            };
            // A long line of short calls must not keep the thread from everybody else.
            if !tokio::task::coop::has_budget_remaining() {
                self.take_in();
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Runs a call, and those behind it that can follow in the same entry into the instance; answers with what comes
    /// next, or with the end of the actor when it ended by one of them.
    async fn call(
        &self,
        instance: &mut Instance,
        order: Order,
        caller: Arc<Caller>,
        job: &JobRun,
        line: &Arc<CallLine<Mail>>,
    ) -> Result<Option<Next>, ActorEnd> {
        if self.reach.stopper.is_stopped() {
            self.reach.letters.put_back(order);
            return Err(self.stopped_end());
        }
        if !instance.has_line() || !may_follow(&order) || self.reach.letters.is_empty() {
            let ended = self.call_alone(instance, &order, caller).await;
            return self.conclude(instance, &order, ended, job);
        }
        let args = inline_values(&order);
        let first = line.begin(order, caller, args, limits::CALLS_IN_ENTRY_MAX);
        let calling = instance.call_line(first, Arc::clone(line) as Arc<dyn Line>);
        let ended = self.node.until_stopped(&self.reach.stopper, None, pin!(calling)).await;
        let Over { last, answer, is_used_up, .. } = line.end();
        let Some(last) = last else { return Ok(self.next(job)) };
        let ended = match ended {
            Ended::Done(Ok(())) => {
                Ended::Done(answer.unwrap_or_else(|| Err(no_answer(&last))).map_err(Missing::Failed))
            }
            Ended::Done(Err(error)) => Ended::Done(Err(Missing::Failed(error))),
            Ended::Stopped => Ended::Stopped,
            Ended::TimedOut(timeout) => Ended::TimedOut(timeout),
        };
        let concluded = self.conclude(instance, &last, ended, job);
        if is_used_up {
            // A long line of short calls must not keep the thread from everybody else.
            self.take_in();
            tokio::task::yield_now().await;
        }
        concluded
    }

    /// Runs one call in an entry of its own.
    async fn call_alone(
        &self,
        instance: &mut Instance,
        order: &Order,
        caller: Arc<Caller>,
    ) -> Ended<Result<Returned, Missing>> {
        if order.inputs.iter().any(|input| matches!(input, Input::Stored(_))) {
            // To bring them here may take its time: who waits for the calls before is not to wait for that.
            self.take_in();
        }
        let spec = &order.spec;
        // Pinned here: a future of this size is not to be moved about with each call.
        let calling = pin!(async {
            let inputs = self.node.inputs(&order.inputs).await?;
            instance.call(caller, method_of(spec), &inputs, spec.num_returns).await.map_err(Missing::Failed)
        });
        self.node.until_stopped(&self.reach.stopper, spec.timeout, calling).await
    }

    /// Tells how a call ended; answers with what comes next, or with the end of the actor when it ended by it.
    fn conclude(
        &self,
        instance: &Instance,
        order: &Order,
        ended: Ended<Result<Returned, Missing>>,
        job: &JobRun,
    ) -> Result<Option<Next>, ActorEnd> {
        let spec = &order.spec;
        let (outcome, handles, end) = match ended {
            Ended::Done(Ok(returned)) => {
                let outputs = self.node.outputs(order, returned.values, &self.backlog);
                let end = instance.exit_requested().then(|| self.exited());
                (Outcome::Returned(outputs), Some(returned.handles), end)
            }
            Ended::Done(Err(Missing::Lost(copies))) => (Outcome::ArgumentsLost(copies), None, None),
            Ended::Done(Err(Missing::Failed(error))) => {
                let error = error.from_task(&spec.name, spec.id);
                if instance.is_usable() {
                    let end = instance.exit_requested().then(|| self.exited());
                    (Outcome::Failed(error), None, end)
                } else {
                    let end = ActorEnd::Crashed(error.clone());
                    (Outcome::ActorCrashed(error), None, Some(end))
                }
            }
            Ended::TimedOut(timeout) => {
                let error = timed_out(spec, timeout).from_task(&spec.name, spec.id);
                (Outcome::ActorCrashed(error.clone()), None, Some(ActorEnd::Crashed(error)))
            }
            Ended::Stopped => {
                let end = self.stopped_end();
                let outcome = match &end {
                    ActorEnd::Crashed(error) => Outcome::ActorCrashed(error.clone()),
                    // It was meant to end for good: nothing to try again.
                    ActorEnd::Intended(error) | ActorEnd::ConstructorFailed(error) => Outcome::Failed(error.clone()),
                };
                (outcome, None, Some(end))
            }
        };
        let finished = Event::Finished { task: spec.id, attempt: order.attempt, outcome };
        if let Some(end) = end {
            self.take_in();
            // What follows goes back first, so that this call stands before it in line again.
            let tasks = self.close(&mut self.node.lock());
            let returned = Event::CallsReturned { actor: self.spec.id, tasks };
            self.node.handle_all([returned, finished]);
            return Err(end);
        }
        // Whether it is time to tell is looked at when it is known whether there is more to do.
        self.backlog.lock().push(finished);
        // Behind the outputs, which are counted by then.
        drop(handles);
        Ok(self.next(job))
    }

    /// Takes the next letter, if there is one; a call in it counts as begun.
    fn next(&self, job: &JobRun) -> Option<Next> {
        loop {
            return match self.reach.letters.take(|order| self.caller(&order.spec, order.attempt, job)) {
                Some(Taken::Call(order, caller)) => {
                    self.node.note_of_actor(&self.backlog, Event::Started { task: order.spec.id, worker: self.worker });
                    Some(Next::Call(order, caller))
                }
                Some(Taken::Unwanted(order)) => {
                    let outcome = Outcome::Failed(cancelled(&order.spec));
                    let (task, attempt) = (order.spec.id, order.attempt);
                    self.node.note_of_actor(&self.backlog, Event::Finished { task, attempt, outcome });
                    continue;
                }
                Some(Taken::Stop(reason)) => Some(Next::Stop(reason)),
                None if self.reach.hear_callers(&self.node, &self.backlog) => continue,
                None => {
                    self.rest();
                    None
                }
            };
        }
    }

    /// There is nothing to do: the node hears of all that was done.
    fn rest(&self) {
        self.reach.letters.leave_no_more();
        self.node.take_in_last_with(&self.backlog, |state, _| {
            if let Some(durable) = state.mailboxes.get_mut(&self.spec.id).and_then(|mailbox| mailbox.durable.as_mut()) {
                state.idle_actors.idles(self.spec.id, durable);
            }
        });
    }

    /// Has the node hear of all that was done.
    fn take_in(&self) {
        self.node.take_in_last(&self.backlog);
    }

    /// Takes the mailbox down; answers with the calls that were not begun.
    fn close(&self, state: &mut State) -> Vec<TaskId> {
        let is_mine = state.mailboxes.get(&self.spec.id).is_some_and(|mailbox| mailbox.incarnation == self.incarnation);
        if !is_mine {
            return Vec::new();
        }
        state.mailboxes.remove(&self.spec.id);
        state.ending.insert(self.spec.id, self.incarnation);
        // Nobody can put one in any more.
        self.reach.letters.close()
    }

    fn stopped_end(&self) -> ActorEnd {
        let stop = self.node.lock().mailboxes.get_mut(&self.spec.id).and_then(|mailbox| mailbox.stop.take());
        match stop.map(|stop| *stop) {
            Some((reason, true)) => ActorEnd::Crashed(reason),
            Some((reason, false)) => ActorEnd::Intended(reason),
            None => ActorEnd::Intended(Error::new(ErrorKind::ActorDied, "the actor was stopped")),
        }
    }

    fn exited(&self) -> ActorEnd {
        let message =
            format!("actor `{}` ({}) is dead: it ended itself by `exit_actor`", self.spec.class, self.spec.id);
        ActorEnd::Intended(Error::new(ErrorKind::ActorDied, message))
    }

    /// Who runs that attempt of a call.
    fn caller(&self, spec: &TaskSpec, attempt: u32, job: &JobRun) -> Arc<Caller> {
        self.node.caller(spec, job, Attempt::of_call(attempt, self.incarnation, self.worker), &self.backlog)
    }

    /// Who runs what is run in the name of the constructor: this one, or writing the actor down, or bringing it back.
    fn maker(&self, job: &JobRun) -> Arc<Caller> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let execution = Execution { restarts: self.incarnation, number };
        let attempt = Attempt { number: 0, worker: self.worker, execution };
        self.node.caller(&self.spec.creation, job, attempt, &self.backlog)
    }
}

/// What is said of an actor under which this host broke down.
fn broke_down(class: &str, actor: ActorId) -> Error {
    Error::new(ErrorKind::ActorDied, format!("actor `{class}` ({actor}) is dead: its host broke down"))
}

/// A method as the guest knows it.
fn method_of(spec: &TaskSpec) -> &str {
    spec.function.rsplit('.').next().unwrap_or(&spec.function)
}
