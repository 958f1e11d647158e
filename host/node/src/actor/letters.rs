//! What an actor has to do: filled under the node's lock, emptied by the life without it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::ownership::Order;
use rayw_core::{Error, IdSet, TaskId};
use rayw_engine::{Backlog, Caller};

use super::callers::Callers;

/// The letters of one life.
#[derive(Default)]
pub(super) struct Letters {
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    /// In a box, because an actor that sleeps has none, and there may be many.
    waiting: Option<Box<Waiting>>,
    /// The call that runs.
    current: Option<Arc<Caller>>,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<Letter>,
    /// Calls that are not wanted any more.
    unwanted: IdSet<TaskId>,
    callers: Callers,
}

impl Waiting {
    /// Starts at the front again when it is empty: a queue that runs round all of the room that it once had
    /// writes to memory that no cache has.
    fn rewind(&mut self) {
        if self.queue.is_empty() {
            self.queue.clear();
        }
    }
}

impl Inbox {
    fn waiting(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_default()
    }

    fn has_letters(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| !waiting.queue.is_empty())
    }
}

pub(super) enum Letter {
    Call(Order),
    /// End here.
    Stop(Error),
}

/// What the life took out.
pub(super) enum Taken {
    /// A call, which counts as begun.
    Call(Order, Arc<Caller>),
    /// A call that is not wanted any more.
    Unwanted(Order),
    /// It ends.
    Stop(Error),
}

impl Letters {
    /// Answers with how many wait then.
    pub(super) fn push(&self, letter: Letter) -> usize {
        let mut inbox = self.lock();
        let queue = &mut inbox.waiting().queue;
        queue.push_back(letter);
        queue.len()
    }

    /// Somebody who called here, if letters came by that.
    pub(super) fn remember(&self, backlog: &Arc<Backlog>) {
        if let Some(waiting) = &mut self.lock().waiting {
            waiting.callers.remember(backlog);
        }
    }

    /// The actor rests: callers are to leave nothing to it.
    pub(super) fn leave_no_more(&self) {
        if let Some(waiting) = &self.lock().waiting {
            waiting.callers.leave_no_more();
        }
    }

    /// A caller that has gathered events, but for the actor itself.
    pub(super) fn caller_with_events(&self, own: &Arc<Backlog>) -> Option<Arc<Backlog>> {
        self.lock().waiting.as_ref()?.callers.with_events(own)
    }

    /// Puts a call back that was taken out and did not run.
    pub(super) fn put_back(&self, order: Order) {
        let mut inbox = self.lock();
        inbox.current = None;
        inbox.waiting().queue.push_front(Letter::Call(order));
    }

    /// Takes the next one, after whatever call ran.
    pub(super) fn take(&self, caller: impl FnOnce(&Order) -> Arc<Caller>) -> Option<Taken> {
        let mut inbox = self.lock();
        inbox.current = None;
        let waiting = inbox.waiting.as_mut()?;
        let letter = waiting.queue.pop_front();
        waiting.rewind();
        match letter {
            Some(Letter::Call(order)) if waiting.unwanted.remove(&order.spec.id) => Some(Taken::Unwanted(order)),
            Some(Letter::Call(order)) => {
                let caller = caller(&order);
                inbox.current = Some(Arc::clone(&caller));
                Some(Taken::Call(order, caller))
            }
            Some(Letter::Stop(reason)) => Some(Taken::Stop(reason)),
            None => {
                // Those that came too late for their call.
                waiting.unwanted.clear();
                None
            }
        }
    }

    /// Takes the next one if it is a call that is wanted and that `may` follow; otherwise the one that ran runs on.
    pub(super) fn take_if(
        &self,
        may: impl FnOnce(&Order) -> bool,
        caller: impl FnOnce(&Order) -> Arc<Caller>,
    ) -> Option<(Order, Arc<Caller>)> {
        let mut inbox = self.lock();
        let waiting = inbox.waiting.as_mut()?;
        let taken = waiting.queue.pop_front_if(|letter| match letter {
            Letter::Call(order) => !waiting.unwanted.contains(&order.spec.id) && may(order),
            Letter::Stop(_) => false,
        });
        waiting.rewind();
        let Some(Letter::Call(order)) = taken else { return None };
        let caller = caller(&order);
        inbox.current = Some(Arc::clone(&caller));
        Some((order, caller))
    }

    /// Lets a call know that it is not wanted any more.
    pub(super) fn flag(&self, task: TaskId) {
        let mut inbox = self.lock();
        match &inbox.current {
            Some(current) if current.task == task => current.cancelled.store(true, Ordering::Relaxed),
            Some(_) | None => {
                inbox.waiting().unwanted.insert(task);
            }
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        !self.lock().has_letters()
    }

    /// Whether nothing waits and nothing runs.
    pub(super) fn is_idle(&self) -> bool {
        let inbox = self.lock();
        !inbox.has_letters() && inbox.current.is_none()
    }

    /// The call that runs, for a life that breaks down under it.
    pub(super) fn current(&self) -> Option<Arc<Caller>> {
        self.lock().current.clone()
    }

    /// Takes all calls that were not begun.
    pub(super) fn close(&self) -> Vec<TaskId> {
        let mut inbox = self.lock();
        inbox.current = None;
        let letters = inbox.waiting.as_mut().map(|waiting| std::mem::take(&mut waiting.queue)).unwrap_or_default();
        let calls = letters.into_iter().filter_map(|letter| match letter {
            Letter::Call(order) => Some(order.spec.id),
            Letter::Stop(_) => None,
        });
        calls.collect()
    }

    /// Gives memory back: nobody calls for a while.
    pub(super) fn shrink(&self) {
        let mut inbox = self.lock();
        if inbox.waiting.as_ref().is_some_and(|waiting| waiting.queue.is_empty() && waiting.unwanted.is_empty()) {
            inbox.waiting = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rayw_core::{ErrorKind, NodeId};

    use super::*;
    use crate::sample;

    fn call(number: u64) -> (Letter, TaskId) {
        let order = sample::order(sample::task(number));
        let id = order.spec.id;
        (Letter::Call(order), id)
    }

    fn caller(order: &Order) -> Arc<Caller> {
        let spec = &order.spec;
        Arc::new(Caller::new(spec.id, Arc::clone(&spec.terms), NodeId([1; 16]), "".into(), Arc::default()))
    }

    #[test]
    fn only_a_call_that_is_wanted_and_may_follow_is_taken_along() {
        let letters = Letters::default();
        let ((first, first_id), (second, second_id)) = (call(1), call(2));
        assert_eq!((letters.push(first), letters.push(second)), (1, 2));
        letters.push(Letter::Stop(Error::new(ErrorKind::ActorDied, "over")));
        assert!(letters.take_if(|_| false, caller).is_none(), "it may not follow");
        let taken = letters.take_if(|_| true, caller).map(|(order, _)| order.spec.id);
        assert_eq!((taken, letters.current().map(|current| current.task)), (Some(first_id), Some(first_id)));
        letters.flag(second_id);
        assert!(letters.take_if(|_| true, caller).is_none(), "it is not wanted");
        assert_eq!(letters.current().map(|current| current.task), Some(first_id), "it has not ended");
        assert!(matches!(letters.take(caller), Some(Taken::Unwanted(_))));
        assert!(letters.take_if(|_| true, caller).is_none(), "it is the end");
    }
}
