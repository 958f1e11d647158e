//! Who is running: made for each attempt, given to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

use rayw_core::{ActorId, TaskId, TaskKind, TaskSpec};
use rayw_engine::{Backlog, Caller};

use crate::Node;
use crate::job::JobRun;

/// What differs between the attempts and the lives of a task.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempt {
    pub(crate) number: u32,
    pub(crate) worker: u64,
    pub(crate) restarts: u32,
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
        Arc::new(Caller {
            job: spec.job,
            task: spec.id,
            submitter: actor.map_or(spec.id, TaskId::from),
            attempt: attempt.number,
            name: Arc::clone(&spec.name),
            component: spec.component,
            node: self.id,
            worker: attempt.worker,
            actor,
            restarts: attempt.restarts,
            namespace: Arc::clone(&job.spec.namespace),
            resources: Arc::clone(&spec.resources),
            placement: Arc::clone(&spec.placement),
            is_driver: spec.kind == TaskKind::Driver,
            children: AtomicU64::new(0),
            puts: AtomicU32::new(0),
            cancelled: AtomicBool::new(false),
            backlog: Arc::clone(backlog),
        })
    }
}
