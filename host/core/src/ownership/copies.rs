//! Copies of objects: which one must stay, and what happens to those on nodes that leave.
//!
//! The first place of an object is its primary copy; all others may be dropped by their stores without
//! a word. Where the primary goes, the next one takes its place. What only leaving nodes have is
//! brought to its owner's node.

use super::object::Place;
use super::{Command, Ownership, Stored};
use crate::message::ToPeer;
use crate::{NodeId, ObjectId, RefId};

impl Ownership {
    /// A copy becomes the primary one: its store must not drop it.
    pub(super) fn keep_copy(&self, id: ObjectId, at: NodeId, out: &mut Vec<Command>) {
        out.push(if at == self.node { Command::Keep(id) } else { Command::to_peer(at, ToPeer::Keep { object: id }) });
    }

    /// The copy that this node was to keep had been dropped.
    pub(super) fn copy_dropped(&mut self, id: ObjectId, out: &mut Vec<Command>) {
        match self.hosted.remove(&id) {
            Some(owner) => out.push(Command::to_peer(owner, ToPeer::Dropped { object: id })),
            None => self.copy_missing(id, vec![self.node], out),
        }
    }

    /// A node is to leave: what it has of ours must be elsewhere before.
    pub(super) fn node_draining(&mut self, node: NodeId, out: &mut Vec<Command>) {
        if !self.draining.insert(node) || node == self.node {
            return;
        }
        let there: Vec<ObjectId> = self
            .objects
            .iter()
            .filter(|(_, object)| !object.is_borrowed())
            .filter(|(_, object)| object.place.copies().contains(&node))
            .map(|(id, _)| *id)
            .collect();
        for id in there {
            self.move_if_leaving(id, out);
        }
    }

    /// Takes the copies of an object of ours off nodes that are to leave. Where there is no other one,
    /// it is brought here first.
    pub(super) fn move_if_leaving(&mut self, id: ObjectId, out: &mut Vec<Command>) {
        // What this node owns ends with it, so that bringing it here is of no use.
        if self.draining.is_empty() || self.draining.contains(&self.node) {
            return;
        }
        let Some(object) = self.objects.get_mut(&id).filter(|object| !object.is_borrowed()) else { return };
        let Place::Stored(copies) = &mut object.place else { return };
        let (at, size) = (&mut copies.at, copies.size);
        if !at.iter().any(|node| self.draining.contains(node)) {
            return;
        }
        if at.iter().all(|node| self.draining.contains(node)) {
            let stored = Stored { object: id, size, owner: self.node, at: at.clone() };
            return out.push(Command::Bring(stored));
        }
        let primary = at.first().copied();
        let (leaving, staying): (Vec<_>, Vec<_>) = at.iter().partition(|node| self.draining.contains(node));
        let first = staying[0];
        *at = staying;
        if primary != Some(first) {
            self.keep_copy(id, first, out);
        }
        self.forget_copies(id, leaving, out);
    }

    /// An object of ours is here now, as a primary copy.
    pub(super) fn moved(&mut self, id: ObjectId, out: &mut Vec<Command>) {
        let node = self.node;
        match self.objects.get_mut(&id).map(|object| &mut object.place) {
            Some(Place::Stored(copies)) => {
                copies.at.retain(|place| *place != node);
                copies.at.insert(0, node);
                self.move_if_leaving(id, out);
            }
            Some(_) | None => out.push(Command::Forget(id)),
        }
    }

    /// Whether nobody would miss this node: it has nothing to do, keeps nothing for others, and others
    /// hold no references to what it owns.
    #[must_use]
    pub fn may_leave(&self) -> bool {
        let is_lent = |id: RefId| {
            let far = match id {
                RefId::Object(id) => self.objects.get(&id).and_then(|object| object.far.as_ref()),
                RefId::Actor(id) => self.actors.get(&id).and_then(|actor| actor.far.as_ref()),
                RefId::Group(_) => None,
            };
            far.is_some_and(|far| far.is_borrowed_by_others())
        };
        self.hosted.values().all(|owner| self.dead.contains(owner))
            && self.tasks.values().all(|task| task.is_living_actor())
            && self.foreign.is_empty()
            && !self.objects.keys().any(|id| is_lent(RefId::Object(*id)))
            && !self.actors.keys().any(|id| is_lent(RefId::Actor(*id)))
    }
}
