//! Who is running: made for each attempt, given to the engine.

use std::sync::{Arc, Mutex};

use rayw_core::{ActorId, Children, Execution, TaskId, TaskKind, TaskSpec};
use rayw_engine::{Backlog, Caller};

use crate::Node;
use crate::job::JobRun;

/// What differs between the attempts and the lives of a task.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempt {
    /// As the task itself is told it.
    pub(crate) number: u32,
    pub(crate) worker: u64,
    /// By which what it makes is told apart from what other ones make.
    pub(crate) execution: Execution,
}

impl Attempt {
    /// An attempt of a task.
    pub(crate) fn of_task(number: u32, worker: u64) -> Self {
        Self { number, worker, execution: Execution { restarts: 0, number } }
    }

    /// An attempt of a call in that life of an actor.
    pub(crate) fn of_call(number: u32, incarnation: u32, worker: u64) -> Self {
        Self { number, worker, execution: Execution { restarts: incarnation, number } }
    }
}

impl Node {
    pub(crate) fn caller(
        &self,
        spec: &TaskSpec,
        job: &JobRun,
        attempt: Attempt,
        backlog: &Arc<Backlog>,
    ) -> Arc<Caller> {
        let actor = match spec.kind {
            TaskKind::ActorCreation => Some(ActorId::from(spec.id)),
            TaskKind::ActorCall { actor } => Some(actor),
            TaskKind::Normal | TaskKind::Driver => None,
        };
        let (terms, namespace) = (Arc::clone(&spec.terms), Arc::clone(&job.spec.namespace));
        Arc::new(Caller {
            submitter: actor.map_or(spec.id, TaskId::from),
            attempt: attempt.number,
            worker: attempt.worker,
            actor,
            restarts: attempt.execution.restarts,
            children: Mutex::new(Children::new(spec.id, attempt.execution)),
            is_driver: spec.kind == TaskKind::Driver,
            ..Caller::new(spec.id, terms, self.id, namespace, Arc::clone(backlog))
        })
    }
}
