//! Objects: where they are, who refers to them, when they may go.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::borrow::Far;
use super::wait::settled_place;
use super::{Command, Found, Input, Output, Ownership, Stored, WaiterId};
use crate::message::ToPeer;
use crate::{Error, Millis, NodeId, ObjectId, RefId, TaskId, Value};

/// An object and why it is kept.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) place: Place,
    /// Handles that guests hold.
    pub(super) handles: u32,
    /// Unfinished tasks that it is an argument of, or that have it in an argument.
    pub(super) uses: u32,
    /// Objects whose values contain it.
    pub(super) captures: u32,
    /// Finished tasks that may have to run again and take it as an argument.
    pub(super) lineage: u32,
    /// Who is told when it settles. One list for both kinds, because a million objects may be waited for.
    pub(super) watchers: Vec<Watcher>,
    /// What only objects have that more than one node knows.
    pub(super) far: Option<Box<Far>>,
}

/// Who is told when an object settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watcher {
    /// A `get` or a `wait`, and the object's place among those that it waits for.
    Waiter(WaiterId, u32),
    /// A task that takes it as an argument.
    Dependent(TaskId),
}

/// An object that settled, and who has not been told yet.
#[derive(Debug)]
pub(super) struct Settled {
    watchers: Vec<Watcher>,
    how: Settlement,
}

/// What became of an object.
#[derive(Debug)]
pub(super) enum Settlement {
    /// It is here.
    Value(Arc<Value>),
    /// It is in stores.
    Stored,
    /// It will never be.
    Failed(Arc<Error>),
}

/// Where an object is.
#[derive(Debug)]
pub(super) enum Place {
    /// Its task is not over.
    Pending,
    /// Here.
    Inline(Arc<Value>),
    /// In the store.
    Stored(Box<Copies>),
    /// Nowhere any more, and nobody has asked for it since: its task can perhaps run again.
    Lost,
    /// Nowhere: its task failed.
    Failed(Arc<Error>),
}

/// An object in stores.
#[derive(Debug)]
pub(super) struct Copies {
    /// The nodes that have it, the primary copy first.
    pub(super) at: Vec<NodeId>,
    pub(super) size: u64,
    /// What its value refers to.
    pub(super) refs: Vec<RefId>,
}

/// What references in a value take of its owner.
fn ref_bytes(refs: &[RefId]) -> u64 {
    size_of_val(refs) as u64
}

impl Place {
    /// Bytes that it takes of its owner: a small value, or the references in a large one.
    pub(super) fn bytes_here(&self) -> u64 {
        match self {
            Self::Inline(value) => value.size(),
            Self::Stored(copies) => ref_bytes(&copies.refs),
            Self::Pending | Self::Lost | Self::Failed(_) => 0,
        }
    }

    /// What became of the object; `None` while that is open.
    fn settlement(&self) -> Option<Settlement> {
        match self {
            Self::Inline(value) => Some(Settlement::Value(Arc::clone(value))),
            Self::Stored(_) => Some(Settlement::Stored),
            Self::Failed(error) => Some(Settlement::Failed(Arc::clone(error))),
            Self::Pending | Self::Lost => None,
        }
    }

    /// The nodes whose stores have it.
    pub(super) fn copies(&self) -> &[NodeId] {
        match self {
            Self::Stored(copies) => &copies.at,
            Self::Pending | Self::Inline(_) | Self::Lost | Self::Failed(_) => &[],
        }
    }
}

impl Object {
    pub(super) fn pending() -> Self {
        Self { place: Place::Pending, handles: 0, uses: 0, captures: 0, lineage: 0, watchers: Vec::new(), far: None }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.handles + self.uses + self.captures > 0 || self.far.as_ref().is_some_and(|far| far.is_borrowed_by_others())
    }

    /// How many other nodes refer to it.
    pub(super) fn borrowers(&self) -> u32 {
        self.far.as_ref().map_or(0, |far| far.borrowers_count())
    }

    pub(super) fn is_borrowed(&self) -> bool {
        self.far.as_ref().is_some_and(|far| far.owner.is_some())
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(self.place, Place::Pending)
    }

    /// The tasks that take it as an argument and wait for it.
    pub(super) fn dependents(&self) -> impl Iterator<Item = TaskId> {
        self.watchers.iter().filter_map(|watcher| match watcher {
            Watcher::Dependent(task) => Some(*task),
            Watcher::Waiter(..) => None,
        })
    }

    pub(super) fn size(&self) -> Option<u64> {
        match &self.place {
            Place::Pending | Place::Lost | Place::Failed(_) => None,
            Place::Inline(value) => Some(value.size()),
            Place::Stored(copies) => Some(copies.size),
        }
    }
}

/// Which of an object's counts a reference belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    Handle,
    Use,
    Capture,
    Lineage,
}

impl Ownership {
    pub(super) fn expect_object(&mut self, id: ObjectId) {
        self.objects.entry(id).or_insert_with(Object::pending).handles += 1;
    }

    pub(super) fn put(&mut self, id: ObjectId, output: Output, out: &mut Vec<Command>) {
        self.expect_object(id);
        self.settle(id, output, out);
    }

    pub(super) fn acquire(&mut self, refs: Vec<RefId>) {
        for id in refs {
            self.count_up(id, Count::Handle);
        }
    }

    pub(super) fn release(&mut self, refs: Vec<RefId>, out: &mut Vec<Command>) {
        for id in refs {
            self.count_down(id, Count::Handle, out);
        }
    }

    pub(super) fn count_up(&mut self, id: RefId, which: Count) {
        match id {
            RefId::Object(id) => {
                let object = self.objects.entry(id).or_insert_with(|| lost(id));
                *count_of(object, which) += 1;
            }
            RefId::Actor(id) => {
                if let Some(actor) = self.actors.get_mut(&id) {
                    *actor.count_of(which) += 1;
                } else {
                    // Found by its name before this node has heard that it may have the name.
                    let early = self.counted_early.entry(id).or_default();
                    match early.iter_mut().find(|(of, _)| *of == which) {
                        Some((_, count)) => *count += 1,
                        None => early.push((which, 1)),
                    }
                }
            }
            RefId::Group(_) => {}
        }
    }

    /// Counts one reference less; what nobody refers to any more goes, and what it referred to in turn.
    pub(super) fn count_down(&mut self, id: RefId, which: Count, out: &mut Vec<Command>) {
        // Most references are not the last one, and most objects refer to nothing: no list is made then.
        let mut work = self.count_one_down(id, which, out);
        while let Some((id, which)) = work.pop() {
            work.extend(self.count_one_down(id, which, out));
        }
    }

    /// Answers with what is referred to less by that.
    fn count_one_down(&mut self, id: RefId, which: Count, out: &mut Vec<Command>) -> Vec<(RefId, Count)> {
        match id {
            RefId::Group(_) => {}
            RefId::Actor(id) => {
                if let Some(actor) = self.actors.get_mut(&id) {
                    let count = actor.count_of(which);
                    debug_assert!(*count > 0, "actor {id} was released more often than acquired");
                    *count = count.saturating_sub(1);
                    self.release_actor_if_unused(id, out);
                } else if let Some(early) = self.counted_early.get_mut(&id) {
                    if let Some((_, count)) = early.iter_mut().find(|(of, _)| *of == which) {
                        *count -= 1;
                    }
                    early.retain(|(_, count)| *count > 0);
                    if early.is_empty() {
                        self.counted_early.remove(&id);
                    }
                }
            }
            RefId::Object(id) => {
                let Entry::Occupied(mut entry) = self.objects.entry(id) else {
                    debug_assert!(false, "object {id} was released after it was freed");
                    return Vec::new();
                };
                let object = entry.get_mut();
                let count = count_of(object, which);
                debug_assert!(*count > 0, "object {id} was released more often than acquired");
                *count = count.saturating_sub(1);
                if object.is_wanted() {
                    return Vec::new();
                }
                // Most are small values that only this node knows and nobody can make again: these just go.
                if object.lineage == 0
                    && object.far.is_none()
                    && let Place::Inline(value) = &object.place
                {
                    let refs = value.refs.iter().map(|inner| (*inner, Count::Capture)).collect();
                    self.small_bytes -= object.place.bytes_here();
                    entry.remove();
                    return refs;
                }
                return self.forget_if_unused(id, out);
            }
        }
        Vec::new()
    }

    /// Drops an object if nobody has a use for it.
    pub(super) fn let_go(&mut self, id: ObjectId, out: &mut Vec<Command>) {
        for (inner, count) in self.forget_if_unused(id, out) {
            self.count_down(inner, count, out);
        }
    }

    /// Drops an object that nobody wants; answers with what is referred to less by that.
    fn forget_if_unused(&mut self, id: ObjectId, out: &mut Vec<Command>) -> Vec<(RefId, Count)> {
        let Some(object) = self.objects.get_mut(&id) else { return Vec::new() };
        if object.is_wanted() {
            return Vec::new();
        }
        let is_borrowed = object.is_borrowed();
        if object.lineage > 0 {
            // Small values stay for the sake of those who may run again; large ones are made again.
            return match (&mut object.place, is_borrowed) {
                (Place::Stored(copies), false) => {
                    self.small_bytes -= ref_bytes(&copies.refs);
                    let (at, refs) = (std::mem::take(&mut copies.at), std::mem::take(&mut copies.refs));
                    object.place = Place::Lost;
                    self.forget_copies(id, at, out);
                    refs.into_iter().map(|inner| (inner, Count::Capture)).collect()
                }
                _ => Vec::new(),
            };
        }
        if object.is_pending() && !is_borrowed {
            if !id.is_put() {
                return Vec::new();
            }
            // No task makes it: it waits for a placement group, and nobody waits for it any more.
            self.group_not_awaited(id);
        }
        let Some(mut object) = self.objects.remove(&id) else { return Vec::new() };
        let far = object.far.take();
        let is_orphan = far.as_ref().and_then(|far| far.owner).is_some_and(|owner| self.dead.contains(&owner));
        let was_borrowed = self.give_back(RefId::Object(id), far, out);
        if is_orphan && self.hosted.remove(&id).is_some() {
            // Its owner, who would have said so, is dead.
            out.push(Command::Forget(id));
        }
        self.small_bytes -= object.place.bytes_here();
        // A small value never counted: its task is not kept for its sake.
        let was_kept_for = matches!(object.place, Place::Stored(_) | Place::Lost);
        let refs = match object.place {
            Place::Inline(value) => value.refs.clone(),
            Place::Stored(copies) => {
                if !was_borrowed {
                    self.forget_copies(id, copies.at, out);
                }
                copies.refs
            }
            Place::Pending | Place::Lost | Place::Failed(_) => Vec::new(),
        };
        let mut less: Vec<(RefId, Count)> = refs.into_iter().map(|inner| (inner, Count::Capture)).collect();
        if was_kept_for && !was_borrowed && !id.is_put() {
            less.extend(self.output_gone(id.task()));
        }
        less
    }

    /// Has all copies of an object of ours dropped.
    pub(super) fn forget_copies(&self, id: ObjectId, at: Vec<NodeId>, out: &mut Vec<Command>) {
        for node in at {
            out.push(if node == self.node {
                Command::Forget(id)
            } else {
                Command::to_peer(node, ToPeer::Forget { object: id })
            });
        }
    }

    /// Gives an object its value, or its failure.
    pub(super) fn settle(&mut self, id: ObjectId, output: Output, out: &mut Vec<Command>) {
        let Some(object) = self.objects.get_mut(&id) else {
            if let Output::Stored { at, .. } = output {
                self.forget_copies(id, at, out);
            }
            return;
        };
        // What is lost and was not asked for is made beside the task's other objects, and as good as they are.
        let is_made_too = matches!(object.place, Place::Lost) && !matches!(output, Output::Failed(_));
        if !object.is_pending() && !is_made_too {
            // Made again although it was there: one copy is enough.
            if let Output::Stored { at, .. } = output {
                let known = object.place.copies();
                let surplus = at.into_iter().filter(|node| !known.contains(node)).collect();
                self.forget_copies(id, surplus, out);
            }
            return;
        }
        let refs = match &output {
            Output::Inline(value) => value.refs.clone(),
            Output::Stored { refs, .. } => refs.clone(),
            Output::Failed(_) => Vec::new(),
        };
        object.place = settled_place(output);
        self.small_bytes += object.place.bytes_here();
        let (is_wanted, has_lineage) = (object.is_wanted(), object.lineage > 0);
        let watchers = std::mem::take(&mut object.watchers);
        let is_heard_of = !watchers.is_empty() && (is_wanted || has_lineage);
        let how = if is_heard_of { object.place.settlement() } else { None };
        let wanted_by = object.far.as_mut().map(|far| std::mem::take(&mut far.wanted_by)).unwrap_or_default();
        self.move_if_leaving(id, out);
        for inner in refs {
            self.count_up(inner, Count::Capture);
        }
        for node in wanted_by {
            self.tell_settled(id, node, out);
        }
        if let Some(how) = how {
            self.settled.push_back(Settled { watchers, how });
        }
        if !is_wanted {
            self.let_go(id, out);
        }
    }

    /// Tells those who wait for settled objects, until nothing new settles.
    pub(super) fn settle_all(&mut self, now: Millis, out: &mut Vec<Command>) {
        // A failure settles further objects; these queue up here, so that a long chain costs no stack.
        if std::mem::replace(&mut self.is_settling, true) {
            return;
        }
        while let Some(Settled { watchers, how }) = self.settled.pop_front() {
            // Who waited goes on first, in a slot that new work would take otherwise.
            for watcher in &watchers {
                if let Watcher::Waiter(waiter, index) = watcher {
                    self.waiter_progressed(*waiter, *index, &how, out);
                }
            }
            for watcher in watchers {
                match (watcher, &how) {
                    (Watcher::Waiter(..), _) => {}
                    (Watcher::Dependent(task), Settlement::Failed(error)) => {
                        self.dependency_failed(task, error, now, out);
                    }
                    (Watcher::Dependent(task), Settlement::Value(_) | Settlement::Stored) => {
                        self.dependency_ready(task, now, out);
                    }
                }
            }
        }
        self.is_settling = false;
    }

    pub(super) fn input(&self, id: ObjectId) -> Option<Input> {
        match self.found(id)? {
            Found::Inline(value) => Some(Input::Inline(value)),
            Found::Stored(stored) => Some(Input::Stored(*stored)),
        }
    }

    /// The value of an object, or where it is; `None` while it is not made, or when it failed.
    #[must_use]
    pub fn found(&self, id: ObjectId) -> Option<Found> {
        self.found_in(id, self.objects.get(&id)?)
    }

    pub(super) fn found_in(&self, id: ObjectId, object: &Object) -> Option<Found> {
        match &object.place {
            Place::Inline(value) => Some(Found::Inline(Arc::clone(value))),
            Place::Stored(copies) => Some(Found::Stored(Box::new(Stored {
                object: id,
                size: copies.size,
                owner: self.owner_of(RefId::Object(id)),
                at: copies.at.clone(),
            }))),
            Place::Pending | Place::Lost | Place::Failed(_) => None,
        }
    }

    /// The references in the value of an object in stores.
    pub(super) fn refs_within(&self, id: ObjectId) -> Vec<RefId> {
        match self.objects.get(&id).map(|object| &object.place) {
            Some(Place::Stored(copies)) => copies.refs.clone(),
            Some(Place::Pending | Place::Lost | Place::Inline(_) | Place::Failed(_)) | None => Vec::new(),
        }
    }

    pub(super) fn failure(&self, id: ObjectId) -> Option<&Error> {
        match &self.objects.get(&id)?.place {
            Place::Failed(error) => Some(error),
            Place::Pending | Place::Lost | Place::Inline(_) | Place::Stored(_) => None,
        }
    }
}

fn count_of(object: &mut Object, which: Count) -> &mut u32 {
    match which {
        Count::Handle => &mut object.handles,
        Count::Use => &mut object.uses,
        Count::Capture => &mut object.captures,
        Count::Lineage => &mut object.lineage,
    }
}

/// Stands in for an object that a reference names and nobody knows, so that no wait for it hangs.
fn lost(id: ObjectId) -> Object {
    let message = format!("object `{id}` is lost: its owner does not know it");
    let error = Error::new(crate::ErrorKind::ObjectLost, message);
    Object { place: Place::Failed(Arc::new(error)), ..Object::pending() }
}
