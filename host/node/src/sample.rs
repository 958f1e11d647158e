//! A task as tests want one.

use std::sync::Arc;

use rayw_core::{ComponentDigest, JobId, TaskKind, TaskSpec, TaskTerms};

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
