//! Waits of programs for objects: `get` and `wait`, and what came of them.

use rayw_core::ownership::{Event, Found, Input, WaitFor, WaitResult, WaiterId};
use rayw_core::{NodeId, ObjectId};

use crate::node::{Ready, Stage, WorkId};
use crate::scenario::MILLI;
use crate::world::{Happening, World};

impl World {
    /// Begins to wait for objects.
    pub(crate) fn start_wait(
        &mut self,
        id: NodeId,
        work: WorkId,
        objects: Vec<ObjectId>,
        wait: WaitFor,
        timeout: Option<u64>,
    ) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.next_waiter += 1;
        let number = node.next_waiter;
        node.waiters.insert(number, work);
        let Some(known) = node.work.get_mut(&work) else { return };
        let is_wait = wait != WaitFor::Values;
        known.stage = Stage::Waiting(WaiterId(number), objects.clone(), is_wait);
        let caller = Some(known.task());
        let poll = timeout == Some(0);
        if let Some(millis) = timeout.filter(|millis| *millis > 0) {
            self.after(millis * MILLI, Happening::TimedOut(id, work, number));
        }
        self.tell(id, Event::WaitStarted { waiter: WaiterId(number), objects, wait, caller, poll });
    }

    pub(crate) fn woken(&mut self, id: NodeId, waiter: u64, result: WaitResult) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(work) = node.waiters.remove(&waiter) else { return };
        let Some(known) = node.work.get_mut(&work) else { return };
        match std::mem::replace(&mut known.stage, Stage::Idle) {
            Stage::Waiting(waits, objects, is_wait) if waits.0 == waiter => {
                known.stage = Stage::Woken(objects, is_wait, result);
                self.wake(id, work);
            }
            other => known.stage = other,
        }
    }

    pub(crate) fn timed_out(&mut self, id: NodeId, work: WorkId, waiter: u64) {
        let waits = self.nodes.get(&id).and_then(|node| node.waiters.get(&waiter)) == Some(&work);
        if waits {
            self.tell(id, Event::WaitTimedOut(WaiterId(waiter)));
        }
    }

    pub(crate) fn wait_over(
        &mut self,
        id: NodeId,
        work: WorkId,
        objects: Vec<ObjectId>,
        is_wait: bool,
        result: WaitResult,
    ) {
        if is_wait {
            if let WaitResult::Ready(ready) = &result
                && ready.iter().any(|index| *index as usize >= objects.len())
            {
                self.fail(|| format!("a wait for {objects:?} was answered with {ready:?}"));
            }
            self.stage(id, work, Stage::Ready(Ready::Nothing));
            return self.wake(id, work);
        }
        match result {
            WaitResult::Values(found) => {
                let left = found.into_iter().map(|found| match found {
                    Found::Inline(value) => Input::Inline(value),
                    Found::Stored(stored) => Input::Stored(*stored),
                });
                self.stage(id, work, Stage::Found(objects, left.collect(), Vec::new(), Vec::new()));
            }
            WaitResult::Failed(error) => {
                self.check_failure(id, work, &objects, &error);
                self.stage(id, work, Stage::Ready(Ready::Failed(error)));
            }
            WaitResult::TimedOut { .. } | WaitResult::Ready(_) => {
                self.fail(|| format!("a `get` of {objects:?} without a time-out ended with {result:?}"));
            }
        }
        self.wake(id, work);
    }
}
