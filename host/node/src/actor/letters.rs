//! What an actor has to do: filled under the node's lock, emptied by the life without it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::ownership::Order;
use rayw_core::{Error, IdSet, TaskId};
use rayw_engine::Caller;

/// The letters of one life.
#[derive(Default)]
pub(super) struct Letters {
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    queue: VecDeque<Letter>,
    /// Calls that are not wanted any more.
    unwanted: IdSet<TaskId>,
    /// The call that runs.
    current: Option<Arc<Caller>>,
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
    pub(super) fn push(&self, letter: Letter) {
        self.lock().queue.push_back(letter);
    }

    /// Puts a call back that was taken out and did not run.
    pub(super) fn put_back(&self, order: Order) {
        let mut inbox = self.lock();
        inbox.current = None;
        inbox.queue.push_front(Letter::Call(order));
    }

    /// Takes the next one, after whatever call ran.
    pub(super) fn take(&self, caller: impl FnOnce(&Order) -> Arc<Caller>) -> Option<Taken> {
        let mut inbox = self.lock();
        inbox.current = None;
        match inbox.queue.pop_front() {
            Some(Letter::Call(order)) if inbox.unwanted.remove(&order.spec.id) => Some(Taken::Unwanted(order)),
            Some(Letter::Call(order)) => {
                let caller = caller(&order);
                inbox.current = Some(Arc::clone(&caller));
                Some(Taken::Call(order, caller))
            }
            Some(Letter::Stop(reason)) => Some(Taken::Stop(reason)),
            None => {
                // Those that came too late for their call.
                inbox.unwanted.clear();
                None
            }
        }
    }

    /// Lets a call know that it is not wanted any more.
    pub(super) fn flag(&self, task: TaskId) {
        let mut inbox = self.lock();
        match &inbox.current {
            Some(current) if current.task == task => current.cancelled.store(true, Ordering::Relaxed),
            Some(_) | None => {
                inbox.unwanted.insert(task);
            }
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    /// Whether nothing waits and nothing runs.
    pub(super) fn is_idle(&self) -> bool {
        let inbox = self.lock();
        inbox.queue.is_empty() && inbox.current.is_none()
    }

    /// Takes all calls that were not begun.
    pub(super) fn close(&self) -> Vec<TaskId> {
        let mut inbox = self.lock();
        inbox.current = None;
        let calls = inbox.queue.drain(..).filter_map(|letter| match letter {
            Letter::Call(order) => Some(order.spec.id),
            Letter::Stop(_) => None,
        });
        calls.collect()
    }

    /// Gives memory back: nobody calls for a while.
    pub(super) fn shrink(&self) {
        let mut inbox = self.lock();
        inbox.queue.shrink_to_fit();
        inbox.unwanted.shrink_to_fit();
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
