//! What people ask of a cluster beyond looking at it: jobs to run, nodes to drain, actors and groups to end.

use serde::{Deserialize, Serialize};

use crate::view::JobRow;
use crate::{ComponentDigest, DirMount, JobId, Millis, Resources};

/// A job that somebody submits. Its component and its working directory are uploaded before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JobSubmission {
    /// The name that it is to be known by; drawn by the head when empty.
    pub submission_id: String,
    /// Name for people.
    pub name: String,
    /// The component's digest.
    pub component: Option<ComponentDigest>,
    /// What was started, for people; the driver's first argument.
    pub entrypoint: String,
    /// The driver's further arguments.
    pub args: Vec<String>,
    /// Variables that its guests see.
    pub env: Vec<(String, String)>,
    /// Folders of the nodes that its guests see.
    pub dirs: Vec<DirMount>,
    /// A tar archive that its guests see unpacked as `.`.
    pub working_dir: Option<ComponentDigest>,
    /// The namespace of its named actors; one of its own by default.
    pub namespace: Option<String>,
    /// What its driver holds.
    pub resources: Resources,
    /// Labels that the driver's node must have.
    pub label_selector: Vec<(String, String)>,
    /// Whether work that no node will ever be able to run fails at once.
    pub fail_if_infeasible: bool,
    /// Its share of the cluster relative to other jobs'; 0 counts as 1.
    pub weight: u32,
}

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The job.
    pub job: JobId,
    /// The name that it is known by.
    pub submission_id: String,
}

/// The cluster as `rayw status` shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// When it was looked at.
    pub time_ms: Millis,
    /// Its nodes, those included that died lately.
    pub nodes: Vec<NodeStatus>,
    /// What waits, and why.
    pub demands: Vec<DemandStatus>,
    /// Reserved by placement groups, in all.
    pub reserved: Resources,
    /// Of that, in use.
    pub reserved_used: Resources,
    /// Jobs that are not over.
    pub jobs: Vec<JobRow>,
}

/// A node as `rayw status` shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The node.
    pub node_id: String,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// `ALIVE`, `DRAINING` or `DEAD`.
    pub state: String,
    /// Why it is not alive.
    pub why: String,
    /// When it died.
    pub died_ms: Option<Millis>,
    /// Whether nothing runs on it.
    pub is_idle: bool,
    /// Whether it is dead because it was drained: nothing failed.
    pub has_left: bool,
    /// What it has.
    pub total: Resources,
    /// What of that is in use or reserved.
    pub used: Resources,
    /// Bytes in its object store.
    pub store_bytes: u64,
    /// Bytes that its object store may hold.
    pub store_bytes_max: u64,
}

/// A node that is to leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainRequest {
    /// Its id, the beginning of it, or its name.
    pub node: String,
    /// Which kind of reason there is.
    pub reason: DrainReason,
    /// The reason for people; when empty, the kind says it.
    pub message: String,
    /// When it leaves even if it has work, in milliseconds from now.
    pub deadline_ms: Option<u64>,
}

/// Why a node is to leave; Ray's `DrainNodeReason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DrainReason {
    /// It has nothing to do: a node that has, is not drained.
    IdleTermination,
    /// Its machine goes, whatever it does.
    Preemption,
}

impl std::fmt::Display for DrainReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::IdleTermination => "idle termination",
            Self::Preemption => "preemption",
        })
    }
}

/// An actor that is to end, or a placement group that is to go. Only those that live are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRequest {
    /// What it is.
    pub what: Ended,
    /// Its id, the beginning of it, or its name.
    pub called: String,
    /// The namespace that its name is in; any when absent.
    pub namespace: Option<String>,
}

/// What somebody can end from outside of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// An actor.
    Actor {
        /// Whether it is made again as after a crash, where its `max_restarts` allows that.
        restart: bool,
    },
    /// A placement group, with all that runs in it.
    Group,
}

/// Something that waits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DemandStatus {
    /// What it asks for, in Ray's form, such as `{'CPU': 1.0}` or `{'CPU': 1.0} * 4 (SPREAD)`.
    pub wanted: String,
    /// `tasks`, `actors`, `drivers` or `placement groups`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// Why it waits.
    pub why: String,
    /// The job.
    pub job_id: String,
}
