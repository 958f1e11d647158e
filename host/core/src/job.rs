//! Jobs: one run of a driver and all that it starts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ComponentDigest, JobId, Placement, Resources};

/// A job as it was submitted: all that a node needs to run its driver and its tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Its id.
    pub id: JobId,
    /// The component that holds driver, tasks and actors.
    pub component: ComponentDigest,
    /// What was started, for people: the file's name. The driver's first argument.
    pub entrypoint: Arc<str>,
    /// The namespace of its named actors.
    pub namespace: Arc<str>,
    /// The name that whoever submitted it knows it by, unique in its cluster; empty for `rayw run`.
    pub submission_id: Arc<str>,
    /// Name for people; may be empty.
    pub name: Arc<str>,
    /// The driver's further arguments.
    pub args: Vec<String>,
    /// Variables that its guests see.
    pub env: Vec<(String, String)>,
    /// Folders of the nodes that its guests see.
    pub dirs: Vec<DirMount>,
    /// The archive (tar) that is unpacked on each node and seen by its guests as `.`.
    pub working_dir: Option<ComponentDigest>,
    /// What its driver holds; nothing by default.
    pub resources: Arc<Resources>,
    /// Where its driver may run.
    pub placement: Arc<Placement>,
    /// Whether work that no node will ever be able to run fails at once instead of waiting.
    pub fail_if_infeasible: bool,
    /// Its share of the cluster while others want it too, relative to theirs; at least 1.
    pub weight: u32,
}

impl JobSpec {
    /// A job of which nothing more is known: no arguments, no grants, a weight of 1.
    #[must_use]
    pub fn new(id: JobId, component: ComponentDigest, entrypoint: &str, namespace: &str) -> Self {
        Self {
            id,
            component,
            entrypoint: Arc::from(entrypoint),
            namespace: Arc::from(namespace),
            submission_id: Arc::from(""),
            name: Arc::from(""),
            args: Vec::new(),
            env: Vec::new(),
            dirs: Vec::new(),
            working_dir: None,
            resources: Arc::default(),
            placement: Arc::default(),
            fail_if_infeasible: false,
            weight: 1,
        }
    }
}

/// A folder that a job's guests see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirMount {
    /// The folder on the node.
    pub host: String,
    /// Its name inside.
    pub guest: String,
    /// Whether nothing may be changed in it.
    pub read_only: bool,
}

/// What failed when a job did. The names are Ray's, where a job has a supervisor as well as an entrypoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JobFailure {
    /// What it needs could not be made ready: its component, its working directory, its grants.
    SetUp,
    /// No node could ever hold its driver.
    Unschedulable,
    /// The node of its driver died.
    NodeDied,
    /// Its driver failed.
    Driver,
}

impl JobFailure {
    /// Ray's name of the failure.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SetUp => "RUNTIME_ENV_SETUP_FAILURE",
            Self::Unschedulable => "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE",
            Self::NodeDied => "JOB_SUPERVISOR_ACTOR_DIED",
            Self::Driver => "JOB_ENTRYPOINT_COMMAND_ERROR",
        }
    }
}

/// Where a job is. The names are Ray's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
