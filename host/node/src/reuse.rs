//! Instances that may serve again, because their function said so (`max_calls`).
//!
//! An instance waits only for the same function of the same job: nothing ever
//! leaks between jobs, and none is kept that failed.

use std::sync::Arc;

use rayw_core::{JobId, TaskSpec};
use rayw_engine::{Backlog, Instance};

use crate::Node;
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
    fn take(&self, spec: &TaskSpec) -> Option<Reused> {
        self.idle.take(spec.job, kind(spec))
    }

    /// Keeps an instance that may serve again.
    fn keep(&self, spec: &TaskSpec, reused: Reused) {
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

/// The instance that a worker used last, with what it served: the next task in its line may be of the same kind.
#[derive(Default)]
pub(crate) struct Kept(Option<(Arc<TaskSpec>, Reused)>);

impl Kept {
    /// Keeps an instance that has served, if it may do so again.
    pub(crate) fn keep(&mut self, served: Arc<TaskSpec>, reused: Reused) {
        let may_serve = served.max_calls == 0 || reused.calls < served.max_calls;
        if may_serve && reused.instance.is_usable() {
            self.0 = Some((served, reused));
        }
    }

    /// An instance that has served this function before: the one that is kept, or one that waits.
    pub(crate) fn take(&mut self, spec: &TaskSpec, node: &Arc<Node>, backlog: &Arc<Backlog>) -> Option<Reused> {
        match self.0.take() {
            Some((served, reused)) if are_alike(&served, spec) => return Some(reused),
            Some(other) => {
                self.0 = Some(other);
                self.give_away(node, backlog);
            }
            None => {}
        }
        node.reuse.take(spec)
    }

    /// The worker has no use for it.
    pub(crate) fn give_away(&mut self, node: &Arc<Node>, backlog: &Arc<Backlog>) {
        if self.0.is_some() {
            node.take_in(backlog);
            self.let_others_have(node);
        }
    }

    /// All that was done in the instance is known: it may serve whoever needs it next.
    pub(crate) fn let_others_have(&mut self, node: &Node) {
        if let Some((served, reused)) = self.0.take() {
            node.reuse.keep(&served, reused);
        }
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

#[cfg(test)]
mod tests {
    use rayw_core::TaskTerms;

    use super::*;
    use crate::sample;

    fn task(number: u64, change: impl FnOnce(&mut TaskTerms)) -> TaskSpec {
        sample::task(number).with_terms(change)
    }

    /// Whether an instance is good for both, for the worker that has it and for those that look where it waits.
    fn may_share(one: &TaskSpec, other: &TaskSpec) -> bool {
        let idle = IdleInstances::default();
        idle.keep(one.job, kind(one), (), 1);
        let is_found = idle.take(other.job, kind(other)).is_some();
        assert_eq!(are_alike(one, other), is_found, "there are two rules");
        is_found
    }

    #[test]
    fn an_instance_serves_tasks_of_one_function_however_they_differ_otherwise() {
        let named = task(2, |terms| terms.function = Arc::from(String::from("f")));
        let other_terms = task(3, |terms| (terms.name, terms.num_returns) = (Arc::from("another name"), 2));
        assert!(may_share(&sample::task(1), &named) && may_share(&sample::task(1), &other_terms));
    }

    /// A job has one component, so that whoever is of another component is of another job.
    #[test]
    fn an_instance_never_serves_another_job_function_or_memory_cap() {
        let one = sample::task(1);
        assert!(!may_share(&one, &task(1, |terms| terms.job = JobId::numbered(2))));
        assert!(!may_share(&one, &task(1, |terms| terms.function = Arc::from("g"))));
        assert!(!may_share(&one, &task(1, |terms| Arc::make_mut(&mut terms.resources).memory = 1 << 20)));
    }
}
