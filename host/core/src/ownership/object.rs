//! Objects: where they are, who refers to them, when they may go.

use std::sync::Arc;

use super::wait::settled_place;
use super::{Command, Found, Input, Output, Ownership, Stored, WaiterId};
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
    pub(super) waiters: Vec<WaiterId>,
    pub(super) dependents: Vec<TaskId>,
}

/// Where an object is.
#[derive(Debug)]
pub(super) enum Place {
    /// Its task is not over.
    Pending,
    /// Here.
    Inline(Arc<Value>),
    /// In the store.
    Stored { at: Vec<NodeId>, size: u64, refs: Vec<RefId> },
    /// Nowhere: its task failed.
    Failed(Arc<Error>),
}

impl Object {
    fn pending() -> Self {
        Self { place: Place::Pending, handles: 0, uses: 0, captures: 0, waiters: Vec::new(), dependents: Vec::new() }
    }

    fn is_wanted(&self) -> bool {
        self.handles + self.uses + self.captures > 0
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(self.place, Place::Pending)
    }

    pub(super) fn size(&self) -> Option<u64> {
        match &self.place {
            Place::Pending | Place::Failed(_) => None,
            Place::Inline(value) => Some(value.size()),
            Place::Stored { size, .. } => Some(*size),
        }
    }
}

/// Which of an object's counts a reference belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    Handle,
    Use,
    Capture,
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
                }
            }
        }
    }

    /// Counts one reference less; what nobody refers to any more goes, and what it referred to in turn.
    pub(super) fn count_down(&mut self, id: RefId, which: Count, out: &mut Vec<Command>) {
        let mut work = vec![(id, which)];
        while let Some((id, which)) = work.pop() {
            match id {
                RefId::Actor(id) => {
                    if let Some(actor) = self.actors.get_mut(&id) {
                        let count = actor.count_of(which);
                        debug_assert!(*count > 0, "actor {id} was released more often than acquired");
                        *count = count.saturating_sub(1);
                        self.release_actor_if_unused(id, out);
                    }
                }
                RefId::Object(id) => {
                    let Some(object) = self.objects.get_mut(&id) else {
                        debug_assert!(false, "object {id} was released after it was freed");
                        continue;
                    };
                    let count = count_of(object, which);
                    debug_assert!(*count > 0, "object {id} was released more often than acquired");
                    *count = count.saturating_sub(1);
                    if object.is_wanted() || object.is_pending() {
                        continue;
                    }
                    let refs = self.forget(id, out);
                    work.extend(refs.into_iter().map(|inner| (inner, Count::Capture)));
                }
            }
        }
    }

    /// Drops an object that nobody wants; answers with what its value referred to.
    fn forget(&mut self, id: ObjectId, out: &mut Vec<Command>) -> Vec<RefId> {
        let Some(object) = self.objects.remove(&id) else { return Vec::new() };
        match object.place {
            Place::Inline(value) => value.refs.clone(),
            Place::Stored { refs, .. } => {
                out.push(Command::Forget(id));
                refs
            }
            Place::Pending | Place::Failed(_) => Vec::new(),
        }
    }

    /// Gives an object its value, or its failure.
    pub(super) fn settle(&mut self, id: ObjectId, output: Output, out: &mut Vec<Command>) {
        let Some(object) = self.objects.get_mut(&id) else {
            if matches!(output, Output::Stored { .. }) {
                out.push(Command::Forget(id));
            }
            return;
        };
        if !object.is_pending() {
            return;
        }
        let refs = match &output {
            Output::Inline(value) => value.refs.clone(),
            Output::Stored { refs, .. } => refs.clone(),
            Output::Failed(_) => Vec::new(),
        };
        object.place = settled_place(output);
        let wanted = object.is_wanted();
        for inner in refs {
            self.count_up(inner, Count::Capture);
        }
        if wanted {
            self.settled.push_back(id);
        } else {
            for inner in self.forget(id, out) {
                self.count_down(inner, Count::Capture, out);
            }
        }
    }

    /// Tells those who wait for settled objects, until nothing new settles.
    pub(super) fn settle_all(&mut self, now: Millis, out: &mut Vec<Command>) {
        // A failure settles further objects; these queue up here, so that a long chain costs no stack.
        if std::mem::replace(&mut self.is_settling, true) {
            return;
        }
        while let Some(id) = self.settled.pop_front() {
            let Some(object) = self.objects.get_mut(&id) else { continue };
            let waiters = std::mem::take(&mut object.waiters);
            let dependents = std::mem::take(&mut object.dependents);
            let failure = match &object.place {
                Place::Failed(error) => Some(Arc::clone(error)),
                Place::Pending | Place::Inline(_) | Place::Stored { .. } => None,
            };
            for waiter in waiters {
                self.waiter_progressed(waiter, failure.as_deref(), out);
            }
            for task in dependents {
                match &failure {
                    Some(error) => self.dependency_failed(task, error, now, out),
                    None => self.dependency_ready(task, now, out),
                }
            }
        }
        self.is_settling = false;
    }

    pub(super) fn input(&self, id: ObjectId) -> Option<Input> {
        match self.found(id)? {
            Found::Inline(value) => Some(Input::Inline(value)),
            Found::Stored(id) => Some(Input::Stored(id)),
        }
    }

    pub(super) fn found(&self, id: ObjectId) -> Option<Found> {
        match &self.objects.get(&id)?.place {
            Place::Inline(value) => Some(Found::Inline(Arc::clone(value))),
            Place::Stored { at, size, .. } => {
                Some(Found::Stored(Stored { object: id, size: *size, owner: self.node, at: at.clone() }))
            }
            Place::Pending | Place::Failed(_) => None,
        }
    }

    pub(super) fn failure(&self, id: ObjectId) -> Option<&Error> {
        match &self.objects.get(&id)?.place {
            Place::Failed(error) => Some(error),
            Place::Pending | Place::Inline(_) | Place::Stored { .. } => None,
        }
    }
}

fn count_of(object: &mut Object, which: Count) -> &mut u32 {
    match which {
        Count::Handle => &mut object.handles,
        Count::Use => &mut object.uses,
        Count::Capture => &mut object.captures,
    }
}

/// Stands in for an object that a reference names and nobody knows, so that no wait for it hangs.
fn lost(id: ObjectId) -> Object {
    let message = format!("object `{id}` is lost: its owner does not know it");
    let error = Error::new(crate::ErrorKind::ObjectLost, message);
    Object { place: Place::Failed(Arc::new(error)), ..Object::pending() }
}
