//! Instances that may serve again, because their function said so (`max_calls`).
//!
//! An instance waits only for the same function of the same job: nothing ever
//! leaks between jobs, and none is kept that failed.

use std::sync::Arc;

use rayw_core::{JobId, TaskSpec};
use rayw_engine::Instance;

use crate::idle::IdleInstances;

/// Instances kept for one function; more than the slots of a node are never needed at once.
const IDLE_PER_FUNCTION_MAX: usize = 64;

/// The function, and the memory cap.
type Kind = (Arc<str>, u64);

/// The instances that wait.
#[derive(Default)]
pub(crate) struct ReusePool {
    idle: IdleInstances<Kind, Reused>,
}

/// An instance that serves more than once.
pub(crate) struct Reused {
    pub(crate) instance: Instance,
    /// Names it.
    pub(crate) worker: u64,
    /// How often it has served.
    pub(crate) calls: u32,
}

impl ReusePool {
    /// An instance that has served this function before.
    pub(crate) fn take(&self, spec: &TaskSpec) -> Option<Reused> {
        if spec.max_calls == 1 { None } else { self.idle.take(spec.job, kind(spec)) }
    }

    /// Keeps an instance that may serve again.
    pub(crate) fn keep(&self, spec: &TaskSpec, reused: Reused) {
        self.idle.keep(spec.job, kind(spec), reused, IDLE_PER_FUNCTION_MAX);
    }

    /// Takes out what has waited too long.
    pub(crate) fn take_idle(&self) -> Vec<Reused> {
        self.idle.take_idle()
    }

    /// Takes out what a job left behind.
    pub(crate) fn take_job(&self, job: JobId) -> Vec<Reused> {
        self.idle.take_job(job)
    }

    /// Takes all out.
    pub(crate) fn take_all(&self) -> Vec<Reused> {
        self.idle.take_all()
    }
}

impl Reused {
    /// Whether it may serve a task like this one again.
    pub(crate) fn may_serve_again(&self, spec: &TaskSpec) -> bool {
        (spec.max_calls == 0 || self.calls < spec.max_calls) && self.instance.is_usable()
    }
}

/// Whether an instance that served one of them may serve the other one.
pub(crate) fn are_alike(one: &TaskSpec, other: &TaskSpec) -> bool {
    let is_same = Arc::ptr_eq(&one.function, &other.function) || one.function == other.function;
    is_same && one.job == other.job && one.memory_cap() == other.memory_cap()
}

fn kind(spec: &TaskSpec) -> Kind {
    (Arc::clone(&spec.function), spec.memory_cap())
}
