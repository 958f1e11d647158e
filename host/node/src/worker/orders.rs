//! What one worker has to do: filled under the node's lock, emptied by the worker without it, and by the node
//! where others are to have it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayw_core::TaskId;
use rayw_core::ownership::Order;

use super::Stopper;

/// The orders of one worker: one that it runs, and those that follow it.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    known: Mutex<Known>,
    /// Ends the task that runs.
    stopper: Stopper,
}

#[derive(Debug, Default)]
struct Known {
    /// Not begun, in order.
    line: VecDeque<Order>,
    /// The one that began last; it may be over.
    current: Option<TaskId>,
}

impl Known {
    fn take_out(&mut self, task: TaskId) -> Option<Order> {
        let index = self.line.iter().position(|order| order.spec.id == task)?;
        self.line.remove(index)
    }
}

impl Orders {
    /// These, none of which has begun.
    pub(crate) fn of(line: VecDeque<Order>) -> Self {
        Self { known: Mutex::new(Known { line, current: None }), stopper: Stopper::default() }
    }

    /// Looks at each that has not begun.
    pub(crate) fn each(&self, look: impl FnMut(TaskId)) {
        self.lock().line.iter().map(|order| order.spec.id).for_each(look);
    }

    /// One more, behind all others.
    pub(crate) fn push(&self, order: Order) {
        self.lock().line.push_back(order);
    }

    /// Begins with the next one.
    pub(crate) fn begin(&self) -> Option<Order> {
        self.begin_if(|_| true)
    }

    /// The same, if it is such a one.
    pub(crate) fn begin_if(&self, is_such: impl FnOnce(&Order) -> bool) -> Option<Order> {
        let mut known = self.lock();
        let order = known.line.pop_front_if(|order| is_such(order))?;
        known.current = Some(order.spec.id);
        // Whoever wanted the one before it to end was too late.
        self.stopper.reset();
        Some(order)
    }

    /// Whether there is one that has not begun.
    pub(crate) fn has_more(&self) -> bool {
        !self.lock().line.is_empty()
    }

    /// Takes out one that has not begun.
    pub(crate) fn take_out(&self, task: TaskId) -> Option<Order> {
        self.lock().take_out(task)
    }

    /// Ends a task: answers with its order where it has not begun, and stops it where it runs.
    pub(crate) fn stop(&self, task: TaskId) -> Option<Order> {
        let mut known = self.lock();
        let unbegun = known.take_out(task);
        if unbegun.is_none() && known.current == Some(task) {
            self.stopper.stop();
        }
        unbegun
    }

    /// Takes out all that have not begun.
    pub(crate) fn take_line(&self) -> VecDeque<Order> {
        std::mem::take(&mut self.lock().line)
    }

    /// What ends the task that runs.
    pub(crate) fn stopper(&self) -> &Stopper {
        &self.stopper
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn order(number: u64) -> Order {
        sample::order(sample::task(number))
    }

    fn two() -> (Orders, TaskId, TaskId) {
        let (first, second) = (order(1), order(2));
        let ids = (first.spec.id, second.spec.id);
        (Orders::of(VecDeque::from([first, second])), ids.0, ids.1)
    }

    #[test]
    fn the_end_that_is_meant_for_one_task_does_not_meet_the_next() {
        let (orders, first, second) = two();
        assert_eq!(orders.begin().map(|order| order.spec.id), Some(first));
        assert!(orders.stop(first).is_none() && orders.stopper().is_stopped());
        assert_eq!(orders.begin().map(|order| order.spec.id), Some(second));
        assert!(!orders.stopper().is_stopped());
        assert!(orders.stop(first).is_none() && !orders.stopper().is_stopped(), "it is over");
    }

    #[test]
    fn only_such_an_order_follows_as_may_follow() {
        let (orders, first, second) = two();
        assert!(orders.begin_if(|order| order.spec.id == second).is_none());
        assert_eq!(orders.begin_if(|order| order.spec.id == first).map(|order| order.spec.id), Some(first));
        assert!(orders.stop(first).is_none() && orders.stopper().is_stopped(), "it has begun");
        assert!(orders.begin_if(|_| true).is_some() && !orders.stopper().is_stopped());
    }

    #[test]
    fn one_that_has_not_begun_is_taken_out_instead() {
        let (orders, _, second) = two();
        orders.begin();
        assert_eq!(orders.stop(second).map(|order| order.spec.id), Some(second));
        assert!(!orders.stopper().is_stopped() && !orders.has_more());
    }
}
