//! Jobs: one run of a driver and all that it starts.

use std::sync::Arc;

use serde::Serialize;

use crate::{ComponentDigest, JobId};

/// A job as it was submitted.
#[derive(Debug, Clone)]
pub struct JobSpec {
    /// Its id.
    pub id: JobId,
    /// The component that holds driver, tasks and actors.
    pub component: ComponentDigest,
    /// What was started, for people: the file's name.
    pub entrypoint: Arc<str>,
    /// The namespace of its named actors.
    pub namespace: Arc<str>,
}

/// Where a job is. The names are Ray's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Not started yet.
    Pending,
    /// Its driver runs.
    Running,
    /// Its driver ended with exit code 0.
    Succeeded,
    /// Its driver failed.
    Failed,
    /// Somebody stopped it.
    Stopped,
}

impl JobState {
    /// Ray's name of the state.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
        }
    }
}
