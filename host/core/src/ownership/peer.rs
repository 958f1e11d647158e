//! What other nodes say.

use std::sync::Arc;

use super::foreign::refs_in;
use super::lease::Resumer;
use super::object::Place;
use super::{Command, Output, Ownership};
use crate::message::{RefOwner, ToPeer};
use crate::{Error, ErrorKind, Millis, NodeId, ObjectId, TaskId, TaskState};

impl Ownership {
    pub(super) fn peer_said(&mut self, from: NodeId, message: ToPeer, now: Millis, out: &mut Vec<Command>) {
        // Its work was given to others already.
        if self.dead.contains(&from) {
            return;
        }
        self.meet(from, out);
        match message {
            ToPeer::Run { order, refs, behind } => {
                self.foreign_order(&order, &refs, out);
                self.begin_or_hold(order, behind, from, out);
            }
            ToPeer::Recall { task, attempt } => self.hand_back(task, attempt, out),
            ToPeer::Recalled { task, attempt } => {
                if self.is_attempt(task, attempt) {
                    self.recalled(vec![task], now, out);
                }
            }
            ToPeer::Stop { task, attempt, recursive } => {
                if recursive {
                    self.cancel_children(vec![task], now, out);
                }
                if !self.cancel_held(task, attempt, out)
                    && let Some(foreign) = self.foreign.get_mut(&task)
                {
                    foreign.cancels_children |= recursive;
                    out.push(Command::Stop { task, attempt });
                }
            }
            ToPeer::Call { actor, incarnation, order, refs } => {
                self.foreign_order(&order, &refs, out);
                out.push(Command::Call { actor, incarnation, order });
            }
            ToPeer::FlagCancelled { actor, task, recursive } => {
                if recursive {
                    self.cancel_children(vec![task], now, out);
                }
                if let Some(foreign) = self.foreign.get_mut(&task) {
                    foreign.cancels_children |= recursive;
                }
                out.push(Command::FlagCancelled { actor, task });
            }
            ToPeer::EndActor { actor, incarnation, reason } => {
                out.push(Command::EndActor { actor, incarnation, reason });
            }
            ToPeer::Started { task, attempt, worker } => {
                if self.tasks.get(&task).is_some_and(|known| known.attempt == attempt) {
                    self.started(task, worker, now, out);
                }
            }
            ToPeer::Finished { task, attempt, outcome, refs } => {
                // Held meanwhile: of two values with one reference the first may go before the second is there.
                let taken = self.borrow_and_use(&refs, from, out);
                self.finished(task, attempt, outcome, now, out);
                self.settle_all(now, out);
                self.release_uses(taken, out);
            }
            ToPeer::CallsReturned { actor, tasks } => {
                // One that was taken for broken down when the end of its life was announced may run elsewhere by now.
                let meant = tasks.into_iter().filter(|(task, attempt)| self.is_attempt(*task, *attempt));
                let tasks = meant.map(|(task, _)| task).collect();
                self.calls_returned(actor, tasks, now, out);
            }
            ToPeer::Blocked { task, attempt, in_get } => {
                let state = if in_get { TaskState::RunningInRayGet } else { TaskState::RunningInRayWait };
                if self.is_attempt(task, attempt) {
                    self.block(task, state, out);
                }
            }
            ToPeer::ResumeWanted { task, attempt } => {
                if self.is_attempt(task, attempt) {
                    self.resume(task, Resumer::Peer { node: from, attempt }, out);
                }
            }
            ToPeer::Resumed { task, attempt } => self.foreign_resumed(task, attempt, out),
            ToPeer::Wanted { object, missing_at } => self.wanted(object, from, missing_at, now, out),
            ToPeer::Settled { object, output, refs } => self.settled_elsewhere(object, output, (from, &refs), now, out),
            ToPeer::Copied { object } => self.copied_to(object, from, out),
            ToPeer::Forget { object } => {
                self.hosted.remove(&object);
                out.push(Command::Forget(object));
            }
            ToPeer::Keep { object } => out.push(Command::Keep(object)),
            ToPeer::Dropped { object } => self.copy_missing(object, vec![from], out),
            ToPeer::Lent { id, to } => {
                self.meet(to, out);
                self.lent(id, from, to);
                // It may be back already, and who lent a detached actor has nothing to give back itself.
                self.drop_unused(vec![id], out);
            }
            ToPeer::Returned { id, tokens } => {
                tokens.iter().for_each(|(lender, _)| self.meet(*lender, out));
                self.returned(id, from, &tokens, out);
            }
            ToPeer::Inherited { id, lender, tokens } => self.inherited(id, from, lender, tokens, out),
            ToPeer::Recount { id, lender } => {
                self.meet(lender, out);
                self.recount(id, from, lender, out);
            }
            ToPeer::Cancel { object, recursive } => self.cancel(object, recursive, now, out),
            ToPeer::ConstructWanted { actor, incarnation, missing } => {
                self.construct_wanted(actor, incarnation, from, missing, now, out);
            }
            ToPeer::Construct { actor, incarnation, result, refs } => {
                self.constructor_came(actor, incarnation, result, (from, &refs), out);
            }
        }
    }

    fn is_attempt(&self, id: TaskId, attempt: u32) -> bool {
        self.tasks.get(&id).is_some_and(|task| task.attempt == attempt)
    }

    /// A borrower wants to know how an object of ours ends.
    fn wanted(&mut self, id: ObjectId, by: NodeId, missing_at: Vec<NodeId>, now: Millis, out: &mut Vec<Command>) {
        let Some(_) = self.objects.get(&id) else {
            let message = format!("object `{id}` is lost: its owner does not know it any more");
            let output = Output::Failed(Error::new(ErrorKind::ObjectLost, message));
            return out.push(Command::to_peer(by, ToPeer::Settled { object: id, output, refs: Vec::new() }));
        };
        self.copy_missing(id, missing_at, out);
        self.ensure(id, out);
        self.make_again(now, out);
        match self.objects.get_mut(&id) {
            Some(object) if object.is_pending() => {
                let far = object.far.get_or_insert_default();
                if !far.wanted_by.contains(&by) {
                    far.wanted_by.push(by);
                }
            }
            Some(_) | None => self.tell_settled(id, by, out),
        }
    }

    /// Tells a borrower how an object of ours ended.
    pub(super) fn tell_settled(&mut self, id: ObjectId, to: NodeId, out: &mut Vec<Command>) {
        let output = match self.objects.get(&id).map(|object| &object.place) {
            Some(Place::Inline(value)) => Output::Inline(Arc::clone(value)),
            Some(Place::Stored(copies)) => {
                Output::Stored { at: copies.at.clone(), size: copies.size, refs: copies.refs.clone() }
            }
            Some(Place::Failed(error)) => Output::Failed(error.as_ref().clone()),
            Some(Place::Pending | Place::Lost) | None => return,
        };
        let refs = self.lend_refs(refs_in(&output), to, out);
        out.push(Command::to_peer(to, ToPeer::Settled { object: id, output, refs }));
    }

    /// The owner of a borrowed object says how it ended, or where its copies are now.
    fn settled_elsewhere(
        &mut self,
        id: ObjectId,
        output: Output,
        (from, refs): (NodeId, &[RefOwner]),
        now: Millis,
        out: &mut Vec<Command>,
    ) {
        self.meet_places(&output, out);
        let taken = self.borrow_and_use(refs, from, out);
        if self.objects.get(&id).is_some_and(|object| object.is_borrowed()) {
            self.settle(id, output, out);
            self.settle_all(now, out);
        }
        self.release_uses(taken, out);
    }
}
