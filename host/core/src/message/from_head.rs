//! From the head to a node.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{NodeAddress, RequestId, Shape};
use crate::{ActorId, ActorSpec, Error, GroupId, GroupState, GroupStatus, JobId, JobSpec, LeaseId, NodeId, Value};

/// From the head to a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromHead {
    /// Another node is there.
    NodeFound {
        /// The node.
        node: NodeId,
        /// How to reach it.
        at: NodeAddress,
    },
    /// Another node is gone for good: nothing of it will ever be heard again.
    NodeDied {
        /// The node.
        node: NodeId,
        /// Why, in words.
        why: String,
    },
    /// A node, perhaps this one, takes no new work and leaves when it has none.
    NodeDraining {
        /// The node.
        node: NodeId,
    },
    /// This node has no work any more: it goes when nobody would miss what it keeps, or at once when its
    /// deadline is over.
    NodeLeave {
        /// Whether to wait for nothing.
        at_once: bool,
    },
    /// Slots for a shape.
    SlotsGranted {
        /// The lease; a new one, or one that grows.
        lease: LeaseId,
        /// What for.
        shape: Shape,
        /// Where.
        node: NodeId,
        /// The bundle that they are taken from, where the shape is one of a placement group.
        bundle: Option<u32>,
        /// How many more.
        slots: u32,
    },
    /// Blocked tasks of the lease may go on.
    SlotsResumed {
        /// The lease.
        lease: LeaseId,
        /// How many.
        slots: u32,
    },
    /// Others wait: give slots back.
    SlotsReclaimed {
        /// The lease.
        lease: LeaseId,
        /// How many.
        slots: u32,
        /// Whether slots whose tasks still run are meant too: they go back when these end.
        busy_too: bool,
    },
    /// A lease is over: its tasks are to be ended and fail with this. The head has forgotten it already.
    LeaseRevoked {
        /// The lease.
        lease: LeaseId,
        /// Why.
        error: Error,
    },
    /// Why a shape waits.
    LeasePending {
        /// What was wanted.
        shape: Shape,
        /// In words.
        why: String,
    },
    /// A shape will never be served: what waits for it fails with this.
    ShapeFailed {
        /// What was wanted.
        shape: Shape,
        /// Why.
        error: Error,
    },
    /// The answer to a named registration or a look-up.
    ActorFound {
        /// The question.
        request: RequestId,
        /// The actor and the node that owns it, or why there is none.
        result: Result<(Arc<ActorSpec>, NodeId), Error>,
    },
    /// Make an instance of the actor here.
    ActorStart {
        /// The actor.
        spec: Arc<ActorSpec>,
        /// The node that has the constructor's arguments.
        owner: NodeId,
        /// Which life of it.
        incarnation: u32,
        /// The arguments themselves, for a detached actor.
        inputs: Option<Vec<Value>>,
    },
    /// End the instance here.
    ActorStop {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// Whether the calls in its mailbox run first.
        graceful: bool,
        /// Why, for those who wait.
        reason: Error,
        /// Whether it counts as a crash, so that it may be restarted.
        restart: bool,
    },
    /// What became of an actor, for those who call it.
    ActorChanged {
        /// The actor.
        actor: ActorId,
        /// Where it is.
        change: ActorChange,
    },
    /// The answer to a creation, a look-up or a description of a group.
    GroupFound {
        /// The question.
        request: RequestId,
        /// The group, or why there is none.
        result: Result<GroupStatus, Error>,
    },
    /// How a group is, for those who watch it.
    GroupChanged {
        /// The group.
        group: GroupId,
        /// How it is.
        state: GroupState,
        /// The nodes of its bundles, as far as they have one.
        nodes: Vec<Option<NodeId>>,
        /// Why it is not created; empty otherwise.
        why: String,
    },
    /// Run the driver of this job here.
    DriverStart {
        /// The job.
        spec: Arc<JobSpec>,
    },
    /// Stop the driver of this job, which runs here.
    DriverStop {
        /// The job.
        job: JobId,
    },
    /// A job is over: nothing of it is to run any more, detached actors excepted.
    JobEnded {
        /// The job.
        job: JobId,
    },
    /// The answer to [`super::ToHead::JobWanted`].
    JobFound {
        /// The job.
        job: JobId,
        /// The job, or why there is none.
        result: Result<Arc<JobSpec>, Error>,
        /// Whether it is over: nobody tells of its end any more.
        is_over: bool,
    },
}

impl FromHead {
    /// Whether a node may rely on it after the head was started again: it leaves the head when what it
    /// tells of is in the journal, and what follows to the same node waits behind it.
    #[must_use]
    pub fn is_promise(&self) -> bool {
        match self {
            Self::NodeFound { .. }
            | Self::NodeDied { .. }
            | Self::ActorFound { .. }
            | Self::ActorStart { .. }
            | Self::ActorChanged { change: ActorChange::Restarting { .. } | ActorChange::Dead { .. }, .. }
            | Self::GroupFound { .. }
            | Self::GroupChanged { state: GroupState::Created | GroupState::Removed, .. }
            | Self::DriverStart { .. }
            | Self::JobEnded { .. }
            | Self::JobFound { .. } => true,
            Self::NodeDraining { .. }
            | Self::NodeLeave { .. }
            | Self::SlotsGranted { .. }
            | Self::SlotsResumed { .. }
            | Self::SlotsReclaimed { .. }
            | Self::LeaseRevoked { .. }
            | Self::LeasePending { .. }
            | Self::ShapeFailed { .. }
            | Self::ActorStop { .. }
            | Self::ActorChanged { change: ActorChange::Pending { .. } | ActorChange::Alive { .. }, .. }
            | Self::GroupChanged { state: GroupState::Pending | GroupState::Rescheduling, .. }
            | Self::DriverStop { .. } => false,
        }
    }
}

/// What became of an actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ActorChange {
    /// It waits for a node.
    Pending {
        /// Why, in words.
        why: String,
    },
    /// It takes calls.
    Alive {
        /// Where.
        node: NodeId,
        /// Which life of it.
        incarnation: u32,
    },
    /// It failed and is being made again.
    Restarting {
        /// Which life it will be.
        incarnation: u32,
        /// What the last life died of.
        cause: Error,
    },
    /// It is gone for good.
    Dead {
        /// Why.
        cause: Error,
    },
}
