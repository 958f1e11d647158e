//! The calls that follow one another in one entry into an actor's instance: its letters.

use std::sync::Arc;

use rayw_core::ActorId;
use rayw_core::ownership::{Event, Order, Outcome};
use rayw_engine::{Backlog, Caller};

use super::{Life, Reach, broke_down, method_of};
use crate::Node;
use crate::caller::Attempt;
use crate::job::JobRun;
use crate::line::{CallLine, Source, may_follow};

/// The letters of one life, while it is awake.
pub(super) struct Mail {
    node: Arc<Node>,
    job: Arc<JobRun>,
    reach: Arc<Reach>,
    backlog: Arc<Backlog>,
    worker: u64,
    actor: ActorId,
    incarnation: u32,
}

impl Mail {
    pub(super) fn line(life: &Life, job: &Arc<JobRun>) -> CallLine<Self> {
        let mail = Self {
            node: Arc::clone(&life.node),
            job: Arc::clone(job),
            reach: Arc::clone(&life.reach),
            backlog: Arc::clone(&life.backlog),
            worker: life.worker,
            actor: life.spec.id,
            incarnation: life.incarnation,
        };
        CallLine::new(mail, &life.node, &life.backlog, life.worker)
    }
}

impl Source for Mail {
    fn take(&self, _: &Order) -> Option<(Order, Arc<Caller>)> {
        if self.reach.stopper.is_stopped() {
            return None;
        }
        self.reach.letters.take_if(may_follow, |order| {
            let attempt = Attempt::of_call(order.attempt, self.incarnation, self.worker);
            self.node.caller(&order.spec, &self.job, attempt, &self.backlog)
        })
    }

    fn tell(&self, finished: Event, started: Event) {
        self.backlog.lock().push(finished);
        self.node.note_of_actor(&self.backlog, started);
    }

    fn function(&self, order: &Order) -> Arc<str> {
        Arc::from(method_of(&order.spec))
    }

    fn broken(&self, order: &Order) -> Outcome {
        let class = order.spec.function.split('.').next().unwrap_or_default();
        Outcome::ActorCrashed(broke_down(class, self.actor))
    }
}
