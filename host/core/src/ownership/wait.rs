//! Waits: `get` and `wait`, time-outs, and giving the cpu back meanwhile.

use std::sync::Arc;

use super::lease::Resumer;
use super::object::{Copies, Place, Settlement, Watcher};
use super::{Command, Found, Output, Ownership, WaitFor, WaitResult, WaiterId};
use crate::{Error, IdSet, ObjectId, TaskId, TaskState};

#[derive(Debug)]
pub(super) struct Waiter {
    objects: Vec<ObjectId>,
    wait: WaitFor,
    /// For a `get`, the small values that are there, each in its object's place: so they need not be looked for at the
    /// end, when nobody else may have anything to do.
    values: Vec<Option<Found>>,
    /// Objects that must still settle.
    remaining: u32,
    /// The blocked task, when it holds a slot.
    caller: Option<TaskId>,
    /// Settled, and waiting for a slot to go on.
    is_resuming: bool,
}

/// How the objects of a wait are.
struct Look {
    /// How many are neither there nor failed; those that are lost left out.
    pending: usize,
    /// The first one that failed.
    failure: Option<Arc<Error>>,
    /// Of values that are asked for, the small ones that are there.
    values: Vec<Option<Found>>,
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
        let mut look = self.look(&objects, wait);
        if look.are_absent {
            for object in &objects {
                self.ensure(*object, out);
            }
            self.make_again(0, out);
            look = self.look(&objects, wait);
        }
        let Look { pending, failure, values, .. } = look;
        if wait == WaitFor::Values
            && let Some(error) = failure
        {
            return out.push(Command::Wake { waiter: id, result: WaitResult::Failed(Error::clone(&error)) });
        }
        let ready = objects.len() - pending;
        let remaining = match wait {
            WaitFor::Values => pending,
            WaitFor::Ready(wanted) => (wanted as usize).saturating_sub(ready),
        };
        let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
        let mut waiter = Waiter { objects, wait, values, remaining, caller, is_resuming: false };
        if remaining == 0 || poll {
            return out.push(Command::Wake { waiter: id, result: self.result_of(&mut waiter) });
        }
        for (object, index) in waiter.objects.iter().zip(0..) {
            if let Some(object) = self.objects.get_mut(object).filter(|object| object.is_pending()) {
                object.watchers.push(Watcher::Waiter(id, index));
            }
        }
        let state = match wait {
            WaitFor::Values => TaskState::RunningInRayGet,
            WaitFor::Ready(_) => TaskState::RunningInRayWait,
        };
        // Its slot may go to a task whose argument was lost meanwhile, and which fails by that: this waiter is told of it
        // at the end of the event, when it is known.
        let was_settling = std::mem::replace(&mut self.is_settling, true);
        waiter.caller = caller.filter(|task| self.block(*task, state, out));
        self.is_settling = was_settling;
        self.waiters.insert(id, waiter);
    }

    /// How objects are, in one pass over what may be a long list.
    fn look(&self, objects: &[ObjectId], wait: WaitFor) -> Look {
        let values = if wait == WaitFor::Values { vec![None; objects.len()] } else { Vec::new() };
        let mut look = Look { pending: 0, failure: None, values, are_absent: false };
        for (index, id) in objects.iter().enumerate() {
            let object = self.objects.get(id);
            match object.map(|object| &object.place) {
                Some(Place::Inline(value)) => {
                    if let Some(place) = look.values.get_mut(index) {
                        *place = Some(Found::Inline(Arc::clone(value)));
                    }
                }
                Some(Place::Stored(_)) => {}
                Some(Place::Failed(error)) => look.failure = look.failure.or_else(|| Some(Arc::clone(error))),
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

    /// The object in that place of those that are waited for has settled.
    pub(super) fn waiter_progressed(&mut self, id: WaiterId, index: u32, how: &Settlement, out: &mut Vec<Command>) {
        let Some(waiter) = self.waiters.get_mut(&id).filter(|waiter| !waiter.is_resuming) else { return };
        waiter.remaining = waiter.remaining.saturating_sub(1);
        match how {
            Settlement::Failed(error) if waiter.wait == WaitFor::Values => {
                return self.end_wait(id, WaitResult::Failed(Error::clone(error)), out);
            }
            Settlement::Value(value) => {
                if let Some(place) = waiter.values.get_mut(index as usize) {
                    *place = Some(Found::Inline(Arc::clone(value)));
                }
            }
            Settlement::Failed(_) | Settlement::Stored => {}
        }
        if waiter.remaining > 0 {
            return;
        }
        let Some(result) = self.result_for(id) else { return };
        if matches!(result, WaitResult::TimedOut { .. }) && self.waits_again(id, out) {
            return;
        }
        self.end_wait(id, result, out);
    }

    /// Values that were there may have been lost while others were waited for: they are made again.
    fn waits_again(&mut self, id: WaiterId, out: &mut Vec<Command>) -> bool {
        let Some(waiter) = self.waiters.get(&id).filter(|waiter| waiter.wait == WaitFor::Values) else { return false };
        let is_lost = |(object, _): &(ObjectId, u32)| {
            self.objects.get(object).is_some_and(|object| matches!(object.place, Place::Lost | Place::Pending))
        };
        let lost: Vec<(ObjectId, u32)> = waiter.objects.iter().copied().zip(0..).filter(is_lost).collect();
        for (object, index) in &lost {
            self.ensure(*object, out);
            if let Some(object) = self.objects.get_mut(object) {
                object.watchers.push(Watcher::Waiter(id, *index));
            }
        }
        if let Some(waiter) = self.waiters.get_mut(&id) {
            waiter.remaining = u32::try_from(lost.len()).unwrap_or(u32::MAX);
        }
        self.make_again(0, out);
        !lost.is_empty()
    }

    pub(super) fn wait_timed_out(&mut self, id: WaiterId, out: &mut Vec<Command>) {
        if self.waiters.get(&id).is_none_or(|waiter| waiter.is_resuming) {
            return;
        }
        let Some(result) = self.result_for(id) else { return };
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
        // It may wait for a slot for long.
        waiter.values = Vec::new();
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
        // A list may name an object any number of times, and to look through all who wait for it once is enough.
        let mut seen = IdSet::with_capacity_and_hasher(objects.len(), std::hash::BuildHasherDefault::default());
        for object in objects.iter().filter(|object| seen.insert(**object)) {
            if let Some(object) = self.objects.get_mut(object).filter(|object| !object.watchers.is_empty()) {
                object.watchers.retain(|watcher| !matches!(watcher, Watcher::Waiter(waiter, _) if *waiter == id));
            }
        }
    }

    /// How that wait would end now; it stays.
    fn result_for(&mut self, id: WaiterId) -> Option<WaitResult> {
        let mut waiter = self.waiters.remove(&id)?;
        let result = self.result_of(&mut waiter);
        self.waiters.insert(id, waiter);
        Some(result)
    }

    /// How a wait would end now. Takes its values, when all are there.
    fn result_of(&self, waiter: &mut Waiter) -> WaitResult {
        match waiter.wait {
            WaitFor::Values => {
                let mut ready = 0;
                for (id, value) in waiter.objects.iter().zip(&mut waiter.values) {
                    if value.is_none()
                        && let Some(object) = self.objects.get(id)
                    {
                        // One that was there may have been lost for good while others were waited for.
                        if let Place::Failed(error) = &object.place {
                            return WaitResult::Failed(Error::clone(error));
                        }
                        *value = self.found_in(*id, object);
                    }
                    ready += usize::from(value.is_some());
                }
                let of = waiter.objects.len();
                if ready < of {
                    // What is in stores may be elsewhere when this is asked again.
                    waiter.values.iter_mut().for_each(|value| *value = value.take().filter(Found::is_inline));
                    return WaitResult::TimedOut { ready, of };
                }
                let values: Option<Vec<Found>> = std::mem::take(&mut waiter.values).into_iter().collect();
                values.map_or(WaitResult::TimedOut { ready, of }, WaitResult::Values)
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
