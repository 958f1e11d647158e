//! Placement groups: bundles of resources that are reserved together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{GroupId, JobId, LabelSelector, Resources, TaskId};

/// How the bundles of a group lie on the nodes; the names and the meaning are Ray's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GroupStrategy {
    /// On as few nodes as can be.
    #[default]
    Pack,
    /// On as many nodes as can be.
    Spread,
    /// On one node.
    StrictPack,
    /// Each on a node of its own.
    StrictSpread,
}

impl GroupStrategy {
    /// Ray's name of the strategy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pack => "PACK",
            Self::Spread => "SPREAD",
            Self::StrictPack => "STRICT_PACK",
            Self::StrictSpread => "STRICT_SPREAD",
        }
    }
}

/// A placement group, all settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its id.
    pub id: GroupId,
    /// Its name, unique in its namespace.
    pub name: Option<Arc<str>>,
    /// The namespace that `name` lives in.
    pub namespace: Arc<str>,
    /// How its bundles lie.
    pub strategy: GroupStrategy,
    /// What each bundle reserves; none is empty. At most [`crate::limits::BUNDLES_MAX`].
    pub bundles: Vec<Resources>,
    /// Labels that the nodes of all bundles must have.
    pub selector: LabelSelector,
    /// Whether it outlives its job.
    pub detached: bool,
    /// The job that created it.
    pub job: JobId,
    /// The task that created it: a driver, a task, or an actor's creation.
    pub creator: TaskId,
}

/// Where a group is. The names are Ray's.
///
/// ```text
/// PENDING → CREATED → (RESCHEDULING → CREATED)* → REMOVED
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GroupState {
    /// Nothing is reserved: not all of it fits.
    Pending,
    /// All bundles are reserved.
    Created,
    /// A node was lost: its bundles wait for another one, the others stay.
    Rescheduling,
    /// Gone.
    Removed,
}

impl GroupState {
    /// Ray's name of the state.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Created => "CREATED",
            Self::Rescheduling => "RESCHEDULING",
            Self::Removed => "REMOVED",
        }
    }
}
