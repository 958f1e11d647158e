//! A node is gone for good: its leases, its copies, what it borrowed and what it owned.

use super::borrow::owner_died;
use super::object::Place;
use super::{Command, Outcome, Output, Ownership};
use crate::{Error, ErrorKind, LeaseId, Millis, NodeId, ObjectId, TaskId};

impl Ownership {
    pub(super) fn node_died(&mut self, node: NodeId, why: &str, now: Millis, out: &mut Vec<Command>) {
        if node == self.node || !self.dead.insert(node) {
            return;
        }
        self.stop_foreign(|owner, _| owner == node, now, out);
        self.inherit(node, now, out);
        self.lose_copies(node, out);
        self.lose_owner(node, out);
        self.drop_hosted(node, out);
        self.end_constructors_of(node, out);
        let leases: Vec<LeaseId> =
            self.leases.iter().filter(|(_, lease)| lease.node == node).map(|(id, _)| *id).collect();
        for lease in leases {
            let error = Error::new(
                ErrorKind::NodeDied,
                format!(
                    "node {node} died while the task ran on it ({why}); `max_retries` says how often it is tried again"
                ),
            );
            self.lease_lost(lease, &error, now, out);
        }
        self.make_again(now, out);
    }

    /// A lease is over without being given back: its tasks ended with this error.
    fn lease_lost(&mut self, id: LeaseId, error: &Error, now: Millis, out: &mut Vec<Command>) {
        for (task, attempt) in self.drop_lease(id) {
            self.finished(task, attempt, Outcome::Failed(error.clone()), now, out);
        }
    }

    /// The head ended a lease: its tasks end and fail with its reason. They are not tried again, because the attempt that
    /// is stopped may go on for a moment.
    pub(super) fn lease_revoked(&mut self, id: LeaseId, error: &Error, now: Millis, out: &mut Vec<Command>) {
        let node = self.leases.get(&id).map_or(self.node, |lease| lease.node);
        for (task, attempt) in self.drop_lease(id) {
            self.stop(task, attempt, node, false, out);
            self.tally.running = self.tally.running.saturating_sub(1);
            if node == self.node {
                self.outlived.insert(task);
            }
            self.fail(task, error.clone(), now, out);
        }
    }

    fn drop_lease(&mut self, id: LeaseId) -> Vec<(TaskId, u32)> {
        self.remove_lease(id);
        let of_lease = self.tasks.values_mut().filter(|task| task.lease == Some(id));
        let tasks = of_lease.map(|task| {
            task.lease = None;
            (task.spec.id, task.attempt)
        });
        tasks.collect()
    }

    fn lose_copies(&mut self, node: NodeId, out: &mut Vec<Command>) {
        let (mut lost, mut kept) = (Vec::new(), Vec::new());
        for (id, object) in &mut self.objects {
            let is_borrowed = object.is_borrowed();
            if let Place::Stored(copies) = &mut object.place {
                let at = &mut copies.at;
                let was_primary = at.first() == Some(&node);
                at.retain(|place| *place != node);
                match at.first() {
                    _ if is_borrowed => {}
                    Some(first) if was_primary => kept.push((*id, *first)),
                    Some(_) => {}
                    None => lost.push(*id),
                }
            }
        }
        for (id, first) in kept {
            self.keep_copy(id, first, out);
        }
        for id in lost {
            // Its task runs again when somebody asks for it.
            self.lose(id, Place::Lost, out);
        }
    }

    fn lose_owner(&mut self, node: NodeId, out: &mut Vec<Command>) {
        let here = self.node;
        let orphans: Vec<ObjectId> = self
            .objects
            .iter()
            .filter(|(_, object)| object.far.as_ref().is_some_and(|far| far.owner == Some(node)))
            .filter(|(_, object)| match &object.place {
                Place::Pending | Place::Lost => true,
                // What is here can still be read.
                Place::Stored(copies) => !copies.at.contains(&here),
                Place::Inline(_) | Place::Failed(_) => false,
            })
            .map(|(id, _)| *id)
            .collect();
        for id in orphans {
            self.lose(id, Place::Pending, out);
            self.settle(id, Output::Failed(owner_died(id, node)), out);
        }
    }

    /// Nobody will say any more that what this node keeps for a dead owner may go. What somebody here can
    /// still read stays until its last reference goes.
    pub(super) fn drop_hosted(&mut self, owner: NodeId, out: &mut Vec<Command>) {
        let is_read =
            |id: &ObjectId| self.objects.get(id).is_some_and(|object| matches!(object.place, Place::Stored(_)));
        let orphans: Vec<ObjectId> =
            self.hosted.iter().filter(|(id, of)| **of == owner && !is_read(id)).map(|(id, _)| *id).collect();
        for id in orphans {
            self.hosted.remove(&id);
            out.push(Command::Forget(id));
        }
    }
}
