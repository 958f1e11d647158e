//! A task as tests want one.

use std::sync::Arc;

use rayw_core::{ComponentDigest, JobId, Retries, RetryExceptions, TaskKind, TaskSpec};

/// The task of that number of a job's driver, with nothing out of the ordinary.
pub(crate) fn task(number: u64) -> TaskSpec {
    let driver = JobId::numbered(1).driver(0);
    TaskSpec {
        id: driver.child(number),
        parent: driver,
        submitter: driver,
        job: JobId::numbered(1),
        component: ComponentDigest([0; 32]),
        kind: TaskKind::Normal,
        function: Arc::from("f"),
        name: Arc::from("f"),
        args: Vec::new(),
        num_returns: 1,
        resources: Arc::default(),
        placement: Arc::default(),
        max_retries: Retries::AtMost(0),
        retry_exceptions: RetryExceptions::No,
        max_calls: 1,
        timeout: None,
    }
}
