//! Work that other nodes own and this one runs: for each task who wants to know how it ends.

use std::sync::Arc;

use super::object::Count;
use super::{Command, LostCopy, Order, Outcome, Output, Ownership, WaitResult, WaiterId};
use crate::message::{RefOwner, ToPeer};
use crate::{ActorId, Error, ErrorKind, IdMap, JobId, Millis, NodeId, RefId, TaskId, TaskKind, TaskSpec};

/// A task of another node.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) owner: NodeId,
    pub(super) spec: Arc<TaskSpec>,
    pub(super) attempt: u32,
    /// The references in its inputs, counted as used.
    pub(super) refs: Vec<RefId>,
    /// It was cancelled with all that it submits.
    pub(super) cancels_children: bool,
    /// It waits, and its owner knows.
    is_blocked: bool,
    /// It could go on when its owner has a slot for it.
    resuming: Option<(WaiterId, WaitResult)>,
    /// The order that begins when this one gives its slot up.
    pub(super) next: Option<TaskId>,
    /// It has no slot yet.
    pub(super) held: Option<Box<Held>>,
}

/// An order that begins when another one gives its slot up.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) order: Order,
    pub(super) behind: TaskId,
}

impl Foreign {
    /// Whether somebody may wait for its slot: it is not blocked. One that is held will have one.
    pub(super) const fn has_slot(&self) -> bool {
        !self.is_blocked
    }
}

impl Ownership {
    /// Takes an order of another node in.
    pub(super) fn foreign_order(&mut self, order: &Order, refs: &[RefOwner], out: &mut Vec<Command>) {
        self.meet_inputs(order, out);
        let taken = self.borrow_and_use(refs, order.owner, out);
        let foreign = Foreign {
            owner: order.owner,
            spec: Arc::clone(&order.spec),
            attempt: order.attempt,
            refs: taken,
            cancels_children: false,
            is_blocked: false,
            resuming: None,
            next: None,
            held: None,
        };
        if let Some(before) = self.foreign.insert(order.spec.id, foreign) {
            self.release_uses(before.refs, out);
        }
    }

    /// A life that begins here asks another node for the arguments of its constructor.
    pub(super) fn want_constructor(
        &mut self,
        actor: ActorId,
        incarnation: u32,
        owner: NodeId,
        missing: Vec<LostCopy>,
        out: &mut Vec<Command>,
    ) {
        if self.dead.contains(&owner) {
            return out.push(Command::Construct {
                actor,
                incarnation,
                result: Box::new(Err(arguments_died(actor, owner))),
            });
        }
        self.meet(owner, out);
        self.constructing.insert(actor, (incarnation, owner));
        out.push(Command::to_peer(owner, ToPeer::ConstructWanted { actor, incarnation, missing }));
    }

    /// The arguments come; for a life that is over by now they go back.
    pub(super) fn constructor_came(
        &mut self,
        actor: ActorId,
        incarnation: u32,
        result: Result<Order, Error>,
        (from, refs): (NodeId, &[RefOwner]),
        out: &mut Vec<Command>,
    ) {
        if self.constructing.get(&actor).is_none_or(|(wanted, _)| *wanted != incarnation) {
            let taken = self.borrow_and_use(refs, from, out);
            return self.release_uses(taken, out);
        }
        self.constructing.remove(&actor);
        if let Ok(order) = &result {
            self.foreign_order(order, refs, out);
        }
        out.push(Command::Construct { actor, incarnation, result: Box::new(result) });
    }

    /// The constructor has run, or its life ended before.
    pub(super) fn constructor_ended(&mut self, actor: ActorId, out: &mut Vec<Command>) {
        self.constructing.remove(&actor);
        self.forget_foreign(TaskId::from(actor), out);
    }

    /// A node is dead: it will not send the arguments that it was asked for.
    pub(super) fn end_constructors_of(&mut self, node: NodeId, out: &mut Vec<Command>) {
        let asked = self.constructing.iter().filter(|(_, (_, owner))| *owner == node);
        let asked: Vec<(ActorId, u32)> = asked.map(|(actor, (incarnation, _))| (*actor, *incarnation)).collect();
        for (actor, incarnation) in asked {
            self.constructing.remove(&actor);
            out.push(Command::Construct { actor, incarnation, result: Box::new(Err(arguments_died(actor, node))) });
        }
    }

    /// Takes references in and holds them until [`Self::release_uses`].
    pub(super) fn borrow_and_use(&mut self, refs: &[RefOwner], from: NodeId, out: &mut Vec<Command>) -> Vec<RefId> {
        for reference in refs {
            let (RefOwner::Object { owner, .. } | RefOwner::Actor { owner, .. }) = reference;
            self.meet(*owner, out);
        }
        let taken = self.borrow(refs, from, out);
        for id in &taken {
            self.count_up(*id, Count::Use);
        }
        taken
    }

    pub(super) fn release_uses(&mut self, refs: Vec<RefId>, out: &mut Vec<Command>) {
        for id in refs {
            self.count_down(id, Count::Use, out);
        }
    }

    pub(super) fn forget_foreign(&mut self, id: TaskId, out: &mut Vec<Command>) {
        if let Some(foreign) = self.foreign.remove(&id) {
            self.release_uses(foreign.refs, out);
        }
    }

    /// An attempt that ran here for another node ended: that node is told.
    pub(super) fn foreign_finished(&mut self, id: TaskId, outcome: Outcome, out: &mut Vec<Command>) {
        let Some(foreign) = self.foreign.remove(&id) else { return };
        let refs = match &outcome {
            Outcome::Returned(outputs) => outputs.iter().flat_map(refs_in).collect(),
            Outcome::Failed(_) | Outcome::ActorCrashed(_) | Outcome::ArgumentsLost(_) => Vec::new(),
        };
        if let Outcome::Returned(outputs) = &outcome {
            for (output, index) in outputs.iter().zip(0..) {
                if matches!(output, Output::Stored { .. }) {
                    self.hosted.insert(id.output(index), foreign.owner);
                }
            }
        }
        if self.dead.contains(&foreign.owner) {
            // Its order came after the news of its death: nobody will say that what it made may go.
            self.drop_hosted(foreign.owner, out);
            return self.release_uses(foreign.refs, out);
        }
        let refs = self.lend_refs(refs, foreign.owner, out);
        let message = ToPeer::Finished { task: id, attempt: foreign.attempt, outcome, refs };
        out.push(Command::to_peer(foreign.owner, message));
        self.begin_next(foreign.next, out);
        self.release_uses(foreign.refs, out);
    }

    pub(super) fn foreign_started(&self, id: TaskId, worker: u64, out: &mut Vec<Command>) {
        if let Some(foreign) = self.foreign.get(&id) {
            let message = ToPeer::Started { task: id, attempt: foreign.attempt, worker };
            out.push(Command::to_peer(foreign.owner, message));
        }
    }

    /// A task of another node waits. Answers whether it needs a slot of its owner's to go on.
    pub(super) fn foreign_blocked(&mut self, id: TaskId, in_get: bool, out: &mut Vec<Command>) -> bool {
        let Some(foreign) = self.foreign.get_mut(&id).filter(|foreign| foreign.spec.kind == TaskKind::Normal) else {
            return false;
        };
        foreign.is_blocked = true;
        let message = ToPeer::Blocked { task: id, attempt: foreign.attempt, in_get };
        out.push(Command::to_peer(foreign.owner, message));
        let next = foreign.next.take();
        self.begin_next(next, out);
        true
    }

    /// What a task of another node waited for is there. Answers with the result if it can go on at once.
    pub(super) fn foreign_resumes(
        &mut self,
        id: TaskId,
        waiter: WaiterId,
        result: WaitResult,
        out: &mut Vec<Command>,
    ) -> Option<WaitResult> {
        match self.foreign.get_mut(&id).filter(|foreign| foreign.is_blocked) {
            Some(foreign) => {
                foreign.resuming = Some((waiter, result));
                let message = ToPeer::ResumeWanted { task: id, attempt: foreign.attempt };
                out.push(Command::to_peer(foreign.owner, message));
                None
            }
            None => Some(result),
        }
    }

    /// The owner has a slot again for a task that runs here.
    pub(super) fn foreign_resumed(&mut self, id: TaskId, attempt: u32, out: &mut Vec<Command>) {
        let Some(foreign) = self.foreign.get_mut(&id).filter(|foreign| foreign.attempt == attempt) else { return };
        foreign.is_blocked = false;
        if let Some((waiter, result)) = foreign.resuming.take() {
            self.wake(waiter, result, out);
        }
    }

    /// Calls of other nodes that an instance here never began.
    pub(super) fn foreign_calls_returned(&mut self, actor: ActorId, tasks: &[TaskId], out: &mut Vec<Command>) {
        let mut by_owner: IdMap<NodeId, Vec<(TaskId, u32)>> = IdMap::default();
        for id in tasks {
            if let Some(foreign) = self.foreign.get(id) {
                by_owner.entry(foreign.owner).or_default().push((*id, foreign.attempt));
            }
        }
        for (owner, tasks) in by_owner {
            tasks.iter().for_each(|(id, _)| self.forget_foreign(*id, out));
            out.push(Command::to_peer(owner, ToPeer::CallsReturned { actor, tasks }));
        }
    }

    /// Ends all work here that a node wanted which is gone, or that belongs to a job which is over. It stays known until
    /// it has ended: what its guest did last may be heard of later.
    pub(super) fn stop_foreign(&mut self, of: impl Fn(NodeId, JobId) -> bool, now: Millis, out: &mut Vec<Command>) {
        let of_those = self.foreign.iter().filter(|(_, foreign)| of(foreign.owner, foreign.spec.job));
        let ids: Vec<TaskId> = of_those.map(|(id, _)| *id).collect();
        let mut parents = Vec::new();
        for task in ids {
            let Some(foreign) = self.foreign.get_mut(&task) else { continue };
            let (attempt, is_orphan) = (foreign.attempt, self.dead.contains(&foreign.owner));
            match foreign.spec.kind {
                TaskKind::Normal => {
                    foreign.cancels_children = true;
                    if !self.cancel_held(task, attempt, out) {
                        out.push(Command::Stop { task, attempt });
                        parents.push(task);
                    }
                }
                // An owner that lives is told how it ended, when it has; otherwise its task would run for ever.
                TaskKind::ActorCreation if is_orphan => self.forget_foreign(task, out),
                TaskKind::ActorCreation | TaskKind::ActorCall { .. } | TaskKind::Driver => {}
            }
        }
        self.cancel_children(parents, now, out);
    }

    /// A job is over: calls of actors that outlive it go on, without what they submit for it.
    pub(super) fn leave_calls_of(&mut self, job: JobId) {
        let is_call = |foreign: &&mut Foreign| matches!(foreign.spec.kind, TaskKind::ActorCall { .. });
        let of_job = self.foreign.values_mut().filter(|foreign| foreign.spec.job == job);
        of_job.filter(is_call).for_each(|foreign| foreign.cancels_children = true);
    }

    /// An order as another node gets it: its arguments are the inputs.
    pub(super) fn travelling(
        &mut self,
        mut order: Order,
        to: NodeId,
        out: &mut Vec<Command>,
    ) -> (Order, Vec<RefOwner>) {
        // The references in values that are fetched travel with the order too: whoever reads them holds them.
        let within: Vec<RefId> = order
            .inputs
            .iter()
            .flat_map(|input| match input {
                super::Input::Inline(value) => value.refs.clone(),
                super::Input::Stored(stored) => self.refs_within(stored.object),
            })
            .collect();
        let refs = self.lend_refs(within, to, out);
        if !order.spec.args.is_empty() {
            order.spec = Arc::new(TaskSpec { args: Vec::new(), ..order.spec.as_ref().clone() });
        }
        (order, refs)
    }
}

fn arguments_died(actor: ActorId, owner: NodeId) -> Error {
    let message =
        format!("the arguments of the constructor of actor `{actor}` are gone with node {owner}, their owner");
    Error::new(ErrorKind::OwnerDied, message)
}

/// The references in a value that was made.
pub(super) fn refs_in(output: &Output) -> Vec<RefId> {
    match output {
        Output::Inline(value) => value.refs.clone(),
        Output::Stored { refs, .. } => refs.clone(),
        Output::Failed(_) => Vec::new(),
    }
}
