//! Waits: `get` and `wait`, time-outs, and giving the cpu back meanwhile.

use std::sync::Arc;

use super::lease::Resumer;
use super::object::{Copies, Place, Watcher};
use super::{Command, Output, Ownership, WaitFor, WaitResult, WaiterId};
use crate::{Error, ObjectId, TaskId, TaskState};

#[derive(Debug)]
pub(super) struct Waiter {
    objects: Vec<ObjectId>,
    wait: WaitFor,
    /// Objects that must still settle.
    remaining: u32,
    /// The blocked task, when it holds a slot.
    caller: Option<TaskId>,
    /// Settled, and waiting for a slot to go on.
    is_resuming: bool,
}

/// How the objects of a wait are.
struct Look<'a> {
    /// How many are neither there nor failed; those that are lost left out.
    pending: usize,
    /// The first one that failed.
    failure: Option<&'a Arc<Error>>,
    /// Whether somebody must be asked for some, or they must be made again.
    are_absent: bool,
}

impl Ownership {
    pub(super) fn wait_started(
        &mut self,
        id: WaiterId,
        objects: Vec<ObjectId>,
        wait: WaitFor,
        caller: Option<TaskId>,
        poll: bool,
        out: &mut Vec<Command>,
    ) {
        let mut look = self.look(&objects);
        if look.are_absent {
            for object in &objects {
                self.ensure(*object, out);
            }
            self.make_again(0, out);
            look = self.look(&objects);
        }
        if wait == WaitFor::Values
            && let Some(error) = look.failure
        {
            return out.push(Command::Wake { waiter: id, result: WaitResult::Failed(Error::clone(error)) });
        }
        let pending = look.pending;
        let ready = objects.len() - pending;
        let remaining = match wait {
            WaitFor::Values => pending,
            WaitFor::Ready(wanted) => (wanted as usize).saturating_sub(ready),
        };
        let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
        let mut waiter = Waiter { objects, wait, remaining, caller, is_resuming: false };
        if remaining == 0 || poll {
            return out.push(Command::Wake { waiter: id, result: self.result_of(&waiter) });
        }
        for object in &waiter.objects {
            if let Some(object) = self.objects.get_mut(object).filter(|object| object.is_pending()) {
                object.watchers.push(Watcher::Waiter(id));
            }
        }
        let state = match wait {
            WaitFor::Values => TaskState::RunningInRayGet,
            WaitFor::Ready(_) => TaskState::RunningInRayWait,
        };
        waiter.caller = caller.filter(|task| self.block(*task, state, out));
        self.waiters.insert(id, waiter);
    }

    /// How objects are, in one pass over what may be a long list.
    fn look(&self, objects: &[ObjectId]) -> Look<'_> {
        let mut look = Look { pending: 0, failure: None, are_absent: false };
        for id in objects {
            let object = self.objects.get(id);
            match object.map(|object| &object.place) {
                Some(Place::Inline(_) | Place::Stored(_)) => {}
                Some(Place::Failed(error)) => look.failure = look.failure.or(Some(error)),
                Some(Place::Lost) => look.are_absent = true,
                Some(Place::Pending) => {
                    look.pending += 1;
                    look.are_absent |= object.is_some_and(super::object::Object::is_borrowed);
                }
                None => look.pending += 1,
            }
        }
        look
    }

    fn is_unsettled(&self, id: ObjectId) -> bool {
        self.objects.get(&id).is_none_or(super::object::Object::is_pending)
    }

    /// One of the objects settled; `failure` tells how, if it failed.
    pub(super) fn waiter_progressed(&mut self, id: WaiterId, failure: Option<&Error>, out: &mut Vec<Command>) {
        let Some(waiter) = self.waiters.get_mut(&id).filter(|waiter| !waiter.is_resuming) else { return };
        waiter.remaining = waiter.remaining.saturating_sub(1);
        match failure {
            Some(error) if waiter.wait == WaitFor::Values => {
                let result = WaitResult::Failed(error.clone());
                self.end_wait(id, result, out);
            }
            Some(_) | None => {
                if waiter.remaining > 0 {
                    return;
                }
                let Some(result) = self.waiters.get(&id).map(|waiter| self.result_of(waiter)) else { return };
                if matches!(result, WaitResult::TimedOut { .. }) && self.waits_again(id, out) {
                    return;
                }
                self.end_wait(id, result, out);
            }
        }
    }

    /// Values that were there may have been lost while others were waited for: they are made again.
    fn waits_again(&mut self, id: WaiterId, out: &mut Vec<Command>) -> bool {
        let Some(waiter) = self.waiters.get(&id).filter(|waiter| waiter.wait == WaitFor::Values) else { return false };
        let is_lost = |object: &&ObjectId| {
            self.objects.get(*object).is_some_and(|object| matches!(object.place, Place::Lost | Place::Pending))
        };
        let lost: Vec<ObjectId> = waiter.objects.iter().filter(is_lost).copied().collect();
        for object in &lost {
            self.ensure(*object, out);
            if let Some(object) = self.objects.get_mut(object) {
                object.watchers.push(Watcher::Waiter(id));
            }
        }
        if let Some(waiter) = self.waiters.get_mut(&id) {
            waiter.remaining = u32::try_from(lost.len()).unwrap_or(u32::MAX);
        }
        self.make_again(0, out);
        !lost.is_empty()
    }

    pub(super) fn wait_timed_out(&mut self, id: WaiterId, out: &mut Vec<Command>) {
        let Some(waiter) = self.waiters.get(&id).filter(|waiter| !waiter.is_resuming) else { return };
        let result = self.result_of(waiter);
        self.end_wait(id, result, out);
    }

    pub(super) fn wait_abandoned(&mut self, id: WaiterId) {
        // The task that waited is gone, or going; its slot is settled when it finishes.
        if let Some(waiter) = self.waiters.remove(&id) {
            self.leave(id, &waiter.objects);
        }
    }

    /// Ends a wait: at once, or when its task has a slot again.
    fn end_wait(&mut self, id: WaiterId, result: WaitResult, out: &mut Vec<Command>) {
        let Some(waiter) = self.waiters.get_mut(&id) else { return };
        let objects = std::mem::take(&mut waiter.objects);
        waiter.is_resuming = true;
        let caller = waiter.caller;
        if waiter.remaining > 0 || waiter.wait != WaitFor::Values {
            self.leave(id, &objects);
        }
        match caller {
            Some(task) => self.resume(task, Resumer::Guest { waiter: id, result }, out),
            None => self.wake(id, result, out),
        }
    }

    pub(super) fn wake(&mut self, id: WaiterId, result: WaitResult, out: &mut Vec<Command>) {
        self.waiters.remove(&id);
        out.push(Command::Wake { waiter: id, result });
    }

    /// Takes a wait out of the lists of the objects that are still pending.
    fn leave(&mut self, id: WaiterId, objects: &[ObjectId]) {
        for object in objects {
            if let Some(object) = self.objects.get_mut(object) {
                object.watchers.retain(|watcher| *watcher != Watcher::Waiter(id));
            }
        }
    }

    fn result_of(&self, waiter: &Waiter) -> WaitResult {
        match waiter.wait {
            WaitFor::Values => {
                let mut values = Vec::with_capacity(waiter.objects.len());
                for id in &waiter.objects {
                    let Some(object) = self.objects.get(id) else { continue };
                    // One that was there may have been lost for good while others were waited for.
                    if let Place::Failed(error) = &object.place {
                        return WaitResult::Failed(Error::clone(error));
                    }
                    values.extend(self.found_in(*id, object));
                }
                if values.len() == waiter.objects.len() {
                    WaitResult::Values(values)
                } else {
                    WaitResult::TimedOut { ready: values.len(), of: waiter.objects.len() }
                }
            }
            WaitFor::Ready(wanted) => {
                let ready = waiter.objects.iter().zip(0..).filter(|(object, _)| !self.is_unsettled(**object));
                WaitResult::Ready(ready.map(|(_, index)| index).take(wanted as usize).collect())
            }
        }
    }
}

pub(super) fn settled_place(output: Output) -> Place {
    match output {
        Output::Inline(value) => Place::Inline(value),
        Output::Stored { at, size, refs } => Place::Stored(Box::new(Copies { at, size, refs })),
        Output::Failed(error) => Place::Failed(Arc::new(error)),
    }
}
