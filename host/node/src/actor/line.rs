//! Calls that follow one another in one entry into an actor's instance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::ownership::{Event, Order};
use rayw_core::{Error, limits};
use rayw_engine::{Backlog, Caller, Line, Next, Returned};

use super::{Life, Reach, method_of};
use crate::Node;
use crate::caller::Attempt;
use crate::job::JobRun;
use crate::line::{inline_values, may_follow};

/// The line of one actor while it is awake.
pub(super) struct CallLine {
    node: Arc<Node>,
    job: Arc<JobRun>,
    reach: Arc<Reach>,
    backlog: Arc<Backlog>,
    worker: u64,
    incarnation: u32,
    runs: Mutex<Runs>,
}

/// What runs in the entry.
#[derive(Default)]
struct Runs {
    /// The call that began last, until the node hears of its end.
    order: Option<Order>,
    /// What it returned, where that is not for the line to tell.
    answer: Option<Result<Returned, Error>>,
    /// How many may follow it.
    left: u32,
}

/// How an entry ended.
pub(super) struct Over {
    /// The call whose end was not told, if there is one.
    pub(super) last: Option<Order>,
    /// What it returned, where it did.
    pub(super) answer: Option<Result<Returned, Error>>,
    /// No more calls were allowed in it.
    pub(super) is_used_up: bool,
}

impl CallLine {
    pub(super) fn new(life: &Life, job: &Arc<JobRun>) -> Self {
        Self {
            node: Arc::clone(&life.node),
            job: Arc::clone(job),
            reach: Arc::clone(&life.reach),
            backlog: Arc::clone(&life.backlog),
            worker: life.worker,
            incarnation: life.incarnation,
            runs: Mutex::default(),
        }
    }

    /// An entry begins with that call.
    pub(super) fn begin(&self, order: Order) {
        *self.runs() = Runs { order: Some(order), answer: None, left: limits::CALLS_IN_ENTRY_MAX - 1 };
    }

    /// The entry is over.
    pub(super) fn end(&self) -> Over {
        let Runs { order: last, answer, left } = std::mem::take(&mut *self.runs());
        Over { last, answer, is_used_up: left == 0 }
    }

    /// Takes the next call out of the mailbox if it can follow in the same entry.
    fn take(&self) -> Option<(Order, Arc<Caller>)> {
        if self.reach.stopper.is_stopped() {
            return None;
        }
        self.reach.letters.take_if(may_follow, |order| {
            let attempt = Attempt::of_call(order.attempt, self.incarnation, self.worker);
            self.node.caller(&order.spec, &self.job, attempt, &self.backlog)
        })
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line for CallLine {
    fn next(&self, answer: Result<Returned, Error>, exits: bool) -> Option<Next> {
        let mut runs = self.runs();
        if exits {
            // Its end is the end of the actor.
            runs.answer = Some(answer);
            return None;
        }
        let former = runs.order.take()?;
        let (outcome, handles) = self.node.outcome(&former, answer, &self.backlog);
        let (task, attempt) = (former.spec.id, former.attempt);
        self.backlog.lock().push(Event::Finished { task, attempt, outcome });
        drop(handles);
        runs.left = runs.left.checked_sub(1)?;
        let (order, caller) = self.take()?;
        self.node.note_of_actor(&self.backlog, Event::Started { task: order.spec.id, worker: self.worker });
        let next = Next {
            caller,
            function: Arc::from(method_of(&order.spec)),
            args: inline_values(&order),
            num_returns: order.spec.num_returns,
        };
        runs.order = Some(order);
        Some(next)
    }
}
