//! The calls that follow one another in one entry into an actor's instance: its letters.

use std::sync::Arc;

use rayw_core::ActorId;
use rayw_core::ownership::{Event, Order, Outcome};
use rayw_engine::Caller;

use super::{Life, Reach, broke_down, method_of};
use crate::caller::Attempt;
use crate::job::JobRun;
use crate::line::{CallLine, Runner, Source, may_follow};

/// The letters of one life, while it is awake.
pub(super) struct Mail {
    reach: Arc<Reach>,
    actor: ActorId,
    incarnation: u32,
}

impl Mail {
    pub(super) fn line(life: &Life, job: &Arc<JobRun>) -> CallLine<Self> {
        let (reach, actor, incarnation) = (Arc::clone(&life.reach), life.spec.id, life.incarnation);
        let (node, job, backlog) = (Arc::clone(&life.node), Arc::clone(job), Arc::clone(&life.backlog));
        CallLine::new(Self { reach, actor, incarnation }, Runner { node, job, backlog, worker: life.worker })
    }
}

impl Source for Mail {
    fn take(&self, runner: &Runner, _: &Order) -> Option<(Order, Arc<Caller>)> {
        if self.reach.stopper.is_stopped() {
            return None;
        }
        let attempt = |order: &Order| Attempt::of_call(order.attempt, self.incarnation, runner.worker);
        self.reach.letters.take_if(may_follow, |order| runner.caller(order, attempt(order)))
    }

    fn tell(&self, runner: &Runner, finished: Event, started: Event) {
        runner.backlog.lock().push(finished);
        runner.node.note_of_actor(&runner.backlog, started);
    }

    fn function(&self, order: &Order) -> Arc<str> {
        Arc::from(method_of(&order.spec))
    }

    fn broken(&self, order: &Order) -> Outcome {
        let class = order.spec.function.split('.').next().unwrap_or_default();
        Outcome::ActorCrashed(broke_down(class, self.actor))
    }
}
