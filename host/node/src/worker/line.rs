//! Tasks of one function that follow one another in one entry into an instance that serves more than one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::ownership::{Event, Order};
use rayw_core::{Error, Execution, limits};
use rayw_engine::{Backlog, Line, Next, Returned};

use super::Orders;
use crate::Node;
use crate::caller::Attempt;
use crate::job::JobRun;
use crate::line::{inline_values, may_follow};
use crate::reuse::are_alike;

/// The line of one entry.
pub(super) struct TaskLine {
    node: Arc<Node>,
    job: Arc<JobRun>,
    orders: Arc<Orders>,
    backlog: Arc<Backlog>,
    worker: u64,
    runs: Mutex<Runs>,
}

/// What runs in the entry.
struct Runs {
    /// The task that began last, until its end is told.
    order: Option<Order>,
    /// Tasks that have begun.
    begun: u32,
    /// How many may follow.
    left: u32,
}

/// How an entry ended.
pub(super) struct Over {
    /// The task whose end was not told, if there is one.
    pub(super) last: Option<Order>,
    /// Tasks that have begun in it.
    pub(super) begun: u32,
}

impl TaskLine {
    /// A line that begins with `order`, in an instance that may serve so many tasks more, if that has a limit.
    pub(super) fn new(
        node: &Arc<Node>,
        job: &Arc<JobRun>,
        orders: &Arc<Orders>,
        backlog: &Arc<Backlog>,
        worker: u64,
        order: Order,
        serves: Option<u32>,
    ) -> Self {
        let left = serves.unwrap_or(u32::MAX).min(limits::CALLS_IN_ENTRY_MAX).saturating_sub(1);
        Self {
            node: Arc::clone(node),
            job: Arc::clone(job),
            orders: Arc::clone(orders),
            backlog: Arc::clone(backlog),
            worker,
            runs: Mutex::new(Runs { order: Some(order), begun: 1, left }),
        }
    }

    /// The entry is over.
    pub(super) fn end(&self) -> Over {
        let mut runs = self.runs();
        Over { last: runs.order.take(), begun: runs.begun }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line for TaskLine {
    fn next(&self, answer: Result<Returned, Error>, _exits: bool) -> Option<Next> {
        let mut runs = self.runs();
        let former = runs.order.take()?;
        let (outcome, handles) = self.node.outcome(&former, answer, &self.backlog);
        let (task, attempt) = (former.spec.id, former.attempt);
        self.node.note(&self.backlog, [Event::Finished { task, attempt, outcome }]);
        drop(handles);
        // Whoever was woken may be queued behind this very worker.
        if self.backlog.lock().woke() {
            return None;
        }
        runs.left = runs.left.checked_sub(1)?;
        let is_next = |order: &Order| may_follow(order) && are_alike(&former.spec, &order.spec);
        let order = self.orders.begin_if(is_next)?;
        let spec = &order.spec;
        self.backlog.lock().push(Event::Started { task: spec.id, worker: self.worker });
        let execution = Execution { restarts: 0, number: order.attempt };
        let attempt = Attempt { number: order.attempt, worker: self.worker, execution };
        let next = Next {
            caller: self.node.caller(spec, &self.job, attempt, &self.backlog),
            function: Arc::clone(&spec.function),
            args: inline_values(&order),
            num_returns: spec.num_returns,
        };
        runs.begun += 1;
        runs.order = Some(order);
        Some(next)
    }
}
