//! A task, its order and a node as tests want them.

mod node;

use std::sync::Arc;

use rayw_core::ownership::Order;
use rayw_core::{ComponentDigest, JobId, NodeId, TaskKind, TaskSpec, TaskTerms};

pub(crate) use node::{Elsewhere, Heard, node};

/// The task of that number of a job's driver, with nothing out of the ordinary.
pub(crate) fn task(number: u64) -> TaskSpec {
    let driver = JobId::numbered(1).driver(0);
    TaskSpec {
        id: driver.child(number),
        parent: driver,
        submitter: driver,
        kind: TaskKind::Normal,
        args: Vec::new(),
        terms: Arc::new(TaskTerms::new(JobId::numbered(1), ComponentDigest([0; 32]), Arc::from("f"))),
    }
}

/// The order of a task without arguments.
pub(crate) fn order(spec: TaskSpec) -> Order {
    let (spec, owner) = (Arc::new(spec), NodeId([1; 16]));
    Order { spec, attempt: 0, inputs: Vec::new(), lease: None, owner, stores_returns: false }
}
