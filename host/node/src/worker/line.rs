//! The tasks of one function that follow one another in one entry into an instance that serves more than one: the
//! worker's orders.

use std::sync::Arc;

use rayw_core::ownership::{Event, Order, Outcome};
use rayw_engine::Caller;

use super::{Orders, broke_down};
use crate::caller::Attempt;
use crate::line::{Runner, Source, may_follow};
use crate::reuse::are_alike;

/// What stands in a worker's line.
pub(super) struct OrderLine(pub(super) Arc<Orders>);

impl Source for OrderLine {
    fn take(&self, runner: &Runner, former: &Order) -> Option<(Order, Arc<Caller>)> {
        // Whoever was woken may be queued behind this very worker. Who is woken by the end of `former` waits for a
        // task more, or for a tick where the account was taken, unless another thread takes them meanwhile.
        if runner.backlog.lock().woke() {
            return None;
        }
        let order = self.0.begin_if(|order| may_follow(order) && serve_alike(former, order))?;
        let caller = runner.caller(&order, Attempt::of_task(order.attempt, runner.worker));
        Some((order, caller))
    }

    fn tell(&self, runner: &Runner, finished: Event, started: Event) {
        runner.node.note_between(&runner.backlog, finished);
        runner.backlog.lock().push(started);
    }

    fn function(&self, order: &Order) -> Arc<str> {
        Arc::clone(&order.spec.function)
    }

    fn broken(&self, order: &Order) -> Outcome {
        Outcome::Failed(broke_down(&order.spec))
    }
}

/// Whether one instance may serve both tasks, one after the other: each submission may say how many an instance serves.
fn serve_alike(one: &Order, other: &Order) -> bool {
    one.spec.max_calls == other.spec.max_calls && are_alike(&one.spec, &other.spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_task_that_wants_an_instance_of_its_own_follows_nobody() {
        let order = |max_calls| {
            let mut spec = sample::task(1);
            Arc::make_mut(&mut spec.terms).max_calls = max_calls;
            sample::order(spec)
        };
        assert!(serve_alike(&order(0), &order(0)) && serve_alike(&order(3), &order(3)));
        assert!(!serve_alike(&order(0), &order(1)) && !serve_alike(&order(0), &order(3)));
    }
}
