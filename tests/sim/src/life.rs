//! Lives of actors: as in `host/node/src/actor.rs`, without the threads.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use rayw_core::message::{ActorEnd, ToHead};
use rayw_core::ownership::{Event, Input, LostCopy, Order, Outcome};
use rayw_core::{ActorId, ActorSpec, Error, ErrorKind, NodeId, TaskId, Value};

use crate::guest::{Code, Kind};
use crate::node::{Letter, Mailbox, Role, Stage, WorkId};
use crate::world::World;

impl World {
    pub(crate) fn start_life(
        &mut self,
        id: NodeId,
        spec: Arc<ActorSpec>,
        owner: NodeId,
        incarnation: u32,
        inputs: Option<Vec<Value>>,
    ) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if let Some(known) = node.mailboxes.get(&spec.id) {
            let before = known.incarnation;
            return self.fail(|| format!("life {incarnation} of actor {} begins beside life {before}", spec.id));
        }
        let (actor, job) = (spec.id, spec.creation.job);
        let work = node.begin(Role::Life { spec, incarnation, owner, inputs, call: None });
        let mailbox = Mailbox {
            incarnation,
            job,
            letters: VecDeque::new(),
            work,
            stop: None,
            is_ready: false,
            unwanted: BTreeSet::new(),
        };
        node.mailboxes.insert(actor, mailbox);
        self.wake(id, work);
    }

    pub(crate) fn stop_life(
        &mut self,
        id: NodeId,
        actor: ActorId,
        incarnation: u32,
        graceful: bool,
        reason: Error,
        restart: bool,
    ) {
        if graceful {
            return self.post_end(id, actor, incarnation, reason);
        }
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let mailbox = node.mailboxes.get_mut(&actor).filter(|mailbox| mailbox.incarnation == incarnation);
        if let Some(mailbox) = mailbox {
            mailbox.stop.get_or_insert((reason, restart));
            let work = mailbox.work;
            self.stop(id, work);
        }
    }

    /// Puts a call into a mailbox; one for another life goes nowhere, and is answered with.
    pub(crate) fn post_call(&mut self, id: NodeId, actor: ActorId, incarnation: u32, order: Order) -> Option<TaskId> {
        let node = self.nodes.get_mut(&id)?;
        let mailbox = node.mailboxes.get_mut(&actor).filter(|mailbox| mailbox.incarnation == incarnation);
        let Some(mailbox) = mailbox else { return Some(order.spec.id) };
        mailbox.letters.push_back(Letter::Call(order));
        let work = mailbox.work;
        self.wake(id, work);
        None
    }

    pub(crate) fn post_end(&mut self, id: NodeId, actor: ActorId, incarnation: u32, reason: Error) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if let Some(mailbox) = node.mailboxes.get_mut(&actor).filter(|mailbox| mailbox.incarnation == incarnation) {
            mailbox.letters.push_back(Letter::Stop(reason));
            let work = mailbox.work;
            self.wake(id, work);
        }
    }

    /// The constructor's arguments.
    pub(crate) fn gather_constructor(&mut self, id: NodeId, work: WorkId) {
        let Some(Role::Life { spec, incarnation, owner, inputs, .. }) =
            self.work(id, work).map(|known| known.role.clone())
        else {
            return;
        };
        if let Some(values) = inputs {
            let inputs = values.into_iter().map(|value| Input::Inline(Arc::new(value))).collect();
            return self.inputs_of(id, work, inputs);
        }
        self.ask_for_constructor(id, work, (spec.id, incarnation, owner), Vec::new());
    }

    /// Asks the owner of an actor for its constructor; copies may not have been where it said.
    fn ask_for_constructor(
        &mut self,
        id: NodeId,
        work: WorkId,
        (actor, incarnation, owner): (ActorId, u32, NodeId),
        missing: Vec<LostCopy>,
    ) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.constructors.insert((actor, incarnation), work);
        }
        if let Some(known) = self.work(id, work) {
            known.stage = Stage::Arguments;
        }
        self.tell(id, Event::ConstructWanted { actor, incarnation, owner, missing });
    }

    /// Arguments of a constructor were not where they were said to be.
    pub(crate) fn constructor_lost(&mut self, id: NodeId, work: WorkId, missing: Vec<LostCopy>) {
        let Some(Role::Life { spec, incarnation, owner, .. }) = self.work(id, work).map(|known| known.role.clone())
        else {
            return;
        };
        self.ask_for_constructor(id, work, (spec.id, incarnation, owner), missing);
    }

    pub(crate) fn arguments_came(
        &mut self,
        id: NodeId,
        actor: ActorId,
        incarnation: u32,
        result: Result<Order, Error>,
    ) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(work) = node.constructors.remove(&(actor, incarnation)) else { return };
        match result {
            Ok(order) => self.inputs_of(id, work, order.inputs.into()),
            Err(error) => self.constructor_failed(id, work, error),
        }
    }

    fn inputs_of(&mut self, id: NodeId, work: WorkId, inputs: VecDeque<Input>) {
        if let Some(known) = self.work(id, work) {
            known.stage = Stage::Inputs(inputs, Vec::new(), Vec::new());
        }
        self.wake(id, work);
    }

    pub(crate) fn constructed(&mut self, id: NodeId, work: WorkId) {
        self.drop_program(id, work);
        let Some((spec, incarnation)) = self.life(id, work) else { return };
        let actor = spec.id;
        self.tell(id, Event::ConstructEnded(actor));
        if let Some(mailbox) = self.nodes.get_mut(&id).and_then(|node| node.mailboxes.get_mut(&actor)) {
            mailbox.is_ready = true;
        }
        if let Some(known) = self.work(id, work) {
            known.stage = Stage::Idle;
        }
        self.say_to_head(id, ToHead::ActorReady { actor, incarnation });
        self.wake(id, work);
    }

    fn life(&mut self, id: NodeId, work: WorkId) -> Option<(Arc<ActorSpec>, u32)> {
        match &self.work(id, work)?.role {
            Role::Life { spec, incarnation, .. } => Some((Arc::clone(spec), *incarnation)),
            Role::Task(_) | Role::Driver(_) => None,
        }
    }

    pub(crate) fn constructor_failed(&mut self, id: NodeId, work: WorkId, error: Error) {
        let Some((spec, _)) = self.life(id, work) else { return };
        if !self.is_job_over(id, work) && !self.permitted.contains(crate::work::root(&error)) {
            self.fail(|| format!("the constructor of actor {} failed and nothing explains it: {error:?}", spec.id));
        }
        let message = format!("actor ({}) is dead: its constructor failed", spec.id);
        let death = Error::new(ErrorKind::ActorDied, message).caused_by(&error.message);
        self.end_of_constructor(id, work, ActorEnd::ConstructorFailed(death));
    }

    fn end_of_constructor(&mut self, id: NodeId, work: WorkId, end: ActorEnd) {
        let Some((spec, incarnation)) = self.life(id, work) else { return };
        self.drop_program(id, work);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.constructors.remove(&(spec.id, incarnation));
        }
        self.tell(id, Event::ConstructEnded(spec.id));
        self.end_life(id, work, end);
    }

    /// An idle actor looks into its mailbox.
    pub(crate) fn next_letter(&mut self, id: NodeId, work: WorkId) {
        let Some((spec, _)) = self.life(id, work) else { return };
        let Some(mailbox) = self.nodes.get_mut(&id).and_then(|node| node.mailboxes.get_mut(&spec.id)) else { return };
        if !mailbox.is_ready {
            return;
        }
        match mailbox.letters.pop_front() {
            None => {}
            Some(Letter::Stop(reason)) => self.end_life(id, work, ActorEnd::Intended(reason)),
            Some(Letter::Call(order)) => {
                let is_unwanted = mailbox.unwanted.remove(&order.spec.id);
                let (task, attempt) = (order.spec.id, order.attempt);
                if is_unwanted {
                    let message = format!("task `{}` was cancelled", order.spec.name);
                    let error = Error::new(ErrorKind::TaskCancelled, message);
                    self.tell(id, Event::Finished { task, attempt, outcome: Outcome::Failed(error) });
                    return self.wake(id, work);
                }
                self.tell(id, Event::Started { task, worker: work });
                let inputs = order.inputs.clone().into();
                if let Some(known) = self.work(id, work)
                    && let Role::Life { call, .. } = &mut known.role
                {
                    *call = Some(order);
                }
                self.inputs_of(id, work, inputs);
            }
        }
    }

    /// Calls of one submitter begin in their order, and each attempt once.
    pub(crate) fn call_begins(&mut self, spec: &ActorSpec, incarnation: u32, order: &Order) {
        let (task, attempt) = (order.spec.id, order.attempt);
        let begun = self.begun.entry((task, attempt)).or_default();
        *begun += 1;
        let times = *begun;
        let all: u32 = self.begun.range((task, 0)..=(task, u32::MAX)).map(|(_, times)| *times).sum();
        if times > 1 || all > 1 && !order.spec.max_retries.allows(all - 2) {
            self.fail(|| format!("call {task} begins {all} times, attempt {attempt} {times} times"));
        }
        let Some(number) = self.submitted.get(&task).copied() else { return };
        let last = self.last_call.entry((spec.id, incarnation, order.spec.submitter, order.owner)).or_default();
        let before = *last;
        *last = number.max(before);
        // A call whose arguments got lost on the way is tried again after those that came behind it.
        if number < before && attempt == 0 && !spec.out_of_order && !self.permitted.contains("OBJECT_LOST") {
            self.fail(|| format!("call {task} of actor {} begins after a later one", spec.id));
        }
    }

    /// A call is over; with an end the actor is too.
    pub(crate) fn call_ended(&mut self, id: NodeId, work: WorkId, outcome: Outcome, end: Option<ActorEnd>) {
        let Some((spec, _)) = self.life(id, work) else { return };
        let keeps = self.keeps(id, work);
        let Some(known) = self.work(id, work) else { return };
        let Role::Life { call, .. } = &mut known.role else { return };
        let Some(order) = call.take() else { return };
        if matches!(outcome, Outcome::Returned(_)) && !keeps.is_empty() {
            known.kept.extend(&keeps);
            if let Some(node) = self.nodes.get_mut(&id) {
                keeps.iter().for_each(|kept| node.hold(*kept));
            }
            self.tell(id, Event::Acquired(keeps));
        }
        let is_returned = matches!(outcome, Outcome::Returned(_));
        if !is_returned {
            self.drop_program(id, work);
        }
        if end.is_some() {
            let returned = self.close(id, spec.id, work);
            self.tell(id, Event::CallsReturned { actor: spec.id, tasks: returned });
        }
        self.tell(id, Event::Finished { task: order.spec.id, attempt: order.attempt, outcome });
        self.drop_program(id, work);
        match end {
            Some(end) => self.end_life(id, work, end),
            None => {
                if let Some(known) = self.work(id, work) {
                    known.stage = Stage::Idle;
                }
                self.wake(id, work);
            }
        }
    }

    /// What the call that ends leaves with its actor.
    fn keeps(&mut self, id: NodeId, work: WorkId) -> Vec<rayw_core::RefId> {
        let Some(known) = self.work(id, work) else { return Vec::new() };
        let Role::Life { call: Some(order), .. } = &known.role else { return Vec::new() };
        let is_keep = Code::parse(&order.spec.function).is_some_and(|code| code.kind == Kind::Keep);
        if is_keep { known.held.clone() } else { Vec::new() }
    }

    pub(crate) fn life_crashed(&mut self, id: NodeId, work: WorkId, error: Error) {
        let end = ActorEnd::Crashed(error.clone());
        self.call_ended(id, work, Outcome::ActorCrashed(error), Some(end));
    }

    pub(crate) fn life_stopped(&mut self, id: NodeId, work: WorkId) {
        let Some((spec, _)) = self.life(id, work) else { return };
        let mailbox = self.nodes.get_mut(&id).and_then(|node| node.mailboxes.get_mut(&spec.id));
        let (stop, is_ready) = mailbox.map_or((None, false), |mailbox| (mailbox.stop.take(), mailbox.is_ready));
        let end = match stop {
            Some((reason, true)) => ActorEnd::Crashed(reason),
            Some((reason, false)) => ActorEnd::Intended(reason),
            None => ActorEnd::Intended(Error::new(ErrorKind::ActorDied, "the actor was stopped")),
        };
        let in_call = matches!(self.work(id, work).map(|known| &known.role), Some(Role::Life { call: Some(_), .. }));
        if in_call {
            let outcome = match &end {
                ActorEnd::Crashed(error) => Outcome::ActorCrashed(error.clone()),
                ActorEnd::Intended(error) | ActorEnd::ConstructorFailed(error) => Outcome::Failed(error.clone()),
            };
            return self.call_ended(id, work, outcome, Some(end));
        }
        if is_ready { self.end_life(id, work, end) } else { self.end_of_constructor(id, work, end) }
    }

    /// Takes the mailbox down; answers with the calls that were not begun.
    fn close(&mut self, id: NodeId, actor: ActorId, work: WorkId) -> Vec<TaskId> {
        let Some(node) = self.nodes.get_mut(&id) else { return Vec::new() };
        if node.mailboxes.get(&actor).is_none_or(|mailbox| mailbox.work != work) {
            return Vec::new();
        }
        let letters = node.mailboxes.remove(&actor).into_iter().flat_map(|mailbox| mailbox.letters);
        let calls = letters.filter_map(|letter| match letter {
            Letter::Call(order) => Some(order.spec.id),
            Letter::Stop(_) => None,
        });
        calls.collect()
    }

    fn end_life(&mut self, id: NodeId, work: WorkId, end: ActorEnd) {
        let Some((spec, incarnation)) = self.life(id, work) else { return };
        self.drop_program(id, work);
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let kept = node.work.get_mut(&work).map(|known| std::mem::take(&mut known.kept)).unwrap_or_default();
        kept.iter().for_each(|kept| node.unhold(*kept));
        if !kept.is_empty() {
            self.tell(id, Event::Released(kept));
        }
        let returned = self.close(id, spec.id, work);
        self.forget_work(id, work);
        self.tell(id, Event::CallsReturned { actor: spec.id, tasks: returned });
        self.say_to_head(id, ToHead::ActorEnded { actor: spec.id, incarnation, end });
    }
}
