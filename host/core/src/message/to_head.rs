//! From a node to the head.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{RequestId, Shape};
use crate::{
    ActorId, ActorSpec, Error, GroupId, GroupSpec, JobId, JobSpec, JobState, Labels, LeaseId, NodeId, Resources, Value,
};

/// How other processes reach a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeAddress {
    /// `host:port`; empty for a node that nobody can reach over the network.
    pub address: String,
    /// Its name, for people.
    pub name: String,
    /// Whether the head runs in the same process.
    pub is_head_node: bool,
}

/// From a node to the head. All but the questions can be said twice without harm: a node that joins
/// again says all of it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToHead {
    /// A node is there: for the first time, or again after the head was away. What it holds follows,
    /// and then [`ToHead::ReportEnded`].
    NodeJoined {
        /// The node.
        node: NodeId,
        /// How to reach it.
        at: NodeAddress,
        /// What it has.
        total: Resources,
        /// Its labels.
        labels: Labels,
    },
    /// Part of a report: this owner holds a lease.
    LeaseHeld {
        /// The lease.
        lease: LeaseId,
        /// Who holds it.
        owner: NodeId,
        /// What for.
        shape: Shape,
        /// Where.
        node: NodeId,
        /// The bundle that its slots are taken from, where the shape is one of a placement group.
        bundle: Option<u32>,
        /// Slots.
        slots: u32,
        /// Blocked tasks that gave a slot back and kept all but its cpus.
        parked: u32,
    },
    /// Part of a report: an instance of an actor lives on this node.
    ActorLives {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// Where.
        node: NodeId,
        /// Whether its constructor has run.
        is_ready: bool,
    },
    /// Part of a report: the node speaks to these others. It is told which of them died.
    PeersKnown {
        /// The node.
        node: NodeId,
        /// Nodes that it knows, those left out that it knows to be dead.
        peers: Vec<NodeId>,
    },
    /// Part of a report: the node has something of these jobs. It is told which of them are over.
    JobsKnown {
        /// The node.
        node: NodeId,
        /// Jobs of which it has not heard the end.
        jobs: Vec<JobId>,
    },
    /// The node has said all that it holds. What the head's journal says of it beyond that is over.
    ReportEnded {
        /// The node.
        node: NodeId,
    },
    /// The node is gone: its process ended, or it has not been heard for too long. Said by the transport.
    NodeLost {
        /// The node.
        node: NodeId,
        /// Why, in words.
        why: String,
    },
    /// The node shall take no new work and leave when it has none.
    NodeDrain {
        /// The node.
        node: NodeId,
        /// Why, in words.
        why: String,
        /// When it leaves all the same, in milliseconds from now; waits for ever when absent.
        deadline_ms: Option<u64>,
    },
    /// How full a node's object store is.
    NodeUsage {
        /// The node.
        node: NodeId,
        /// Bytes in memory.
        store_bytes: u64,
        /// Bytes that it may hold.
        store_bytes_max: u64,
    },
    /// An owner has `backlog` tasks of this shape that no slot serves. 0 takes the wish back.
    LeaseWanted {
        /// The owner.
        owner: NodeId,
        /// The shape.
        shape: Shape,
        /// Slots it could use now, beside those it has.
        backlog: u32,
        /// Slots that were granted to it for this shape and that it has heard of, counted from its first one
        /// and beginning anew after `u32::MAX`: what is on its way serves a part of the backlog.
        granted: u32,
    },
    /// An owner has no task and no lease of a shape any more. What is on its way to it comes back.
    ShapeOver {
        /// The owner.
        owner: NodeId,
        /// The shape.
        shape: Shape,
    },
    /// An owner gives slots back.
    SlotsReturned {
        /// The lease.
        lease: LeaseId,
        /// How many.
        slots: u32,
        /// How many of them belong to blocked tasks, which keep all but their cpus.
        parked: u32,
    },
    /// Blocked tasks of this lease could go on: they need slots on its node again, ahead of new work.
    SlotsResumeWanted {
        /// The lease.
        lease: LeaseId,
        /// How many.
        slots: u32,
    },
    /// Blocked tasks of this lease ended without going on.
    ParkedEnded {
        /// The lease.
        lease: LeaseId,
        /// How many.
        parked: u32,
    },
    /// Slots came back for blocked tasks that had ended by then: word of that crossed them.
    ResumedInVain {
        /// The lease.
        lease: LeaseId,
        /// How many.
        slots: u32,
    },
    /// Create an actor; its constructor's arguments are ready. Unnamed actors have no request.
    ActorRegister {
        /// The node that owns the actor: its creator's.
        owner: NodeId,
        /// Answered with [`super::FromHead::ActorFound`].
        request: Option<RequestId>,
        /// The actor.
        spec: Arc<ActorSpec>,
        /// With a name: take the actor that has it.
        get_if_exists: bool,
    },
    /// The arguments of a registered actor's constructor are ready, or failed.
    ActorDependenciesReady {
        /// The actor.
        actor: ActorId,
        /// The arguments themselves, for a detached actor: it must be able to live without its owner.
        inputs: Option<Vec<Value>>,
        /// Why it can never be constructed.
        failed: Option<Error>,
    },
    /// A node refers to an actor and wants to know where it is, now and whenever that changes.
    ActorWatch {
        /// The node.
        node: NodeId,
        /// The actor.
        actor: ActorId,
        /// Its owner.
        owner: NodeId,
    },
    /// Who has that name?
    ActorLookup {
        /// The asking node.
        owner: NodeId,
        /// Answered with [`super::FromHead::ActorFound`].
        request: RequestId,
        /// The name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// The constructor has run.
    ActorReady {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
    },
    /// An instance of the actor ended.
    ActorEnded {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// What became of it.
        end: ActorEnd,
    },
    /// The actor shall end after the calls that wait: its last handle is gone, or somebody asked for it.
    ActorReleased {
        /// The actor.
        actor: ActorId,
        /// Why, for those who call it later.
        reason: Error,
    },
    /// Somebody wants the actor dead now.
    ActorKill {
        /// The actor.
        actor: ActorId,
        /// Whether it stays dead.
        no_restart: bool,
    },
    /// Reserve a placement group.
    GroupCreate {
        /// The creator's node.
        owner: NodeId,
        /// Answered with [`super::FromHead::GroupFound`].
        request: RequestId,
        /// The group.
        spec: Arc<GroupSpec>,
    },
    /// Which group has that name?
    GroupLookup {
        /// The asking node.
        owner: NodeId,
        /// Answered with [`super::FromHead::GroupFound`].
        request: RequestId,
        /// The name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// How is that group, right now?
    GroupDescribe {
        /// The asking node.
        owner: NodeId,
        /// Answered with [`super::FromHead::GroupFound`].
        request: RequestId,
        /// The group.
        group: GroupId,
    },
    /// A node wants to know how a group is, now and whenever that changes.
    GroupWatch {
        /// The node.
        node: NodeId,
        /// The group.
        group: GroupId,
    },
    /// Remove a group, and end what runs in it.
    GroupRemove {
        /// The group.
        group: GroupId,
    },
    /// Somebody submitted a job: its driver waits for a node.
    JobSubmitted {
        /// The job.
        spec: Arc<JobSpec>,
    },
    /// A job's driver runs.
    JobStarted {
        /// The job.
        spec: Arc<JobSpec>,
        /// Where.
        node: NodeId,
    },
    /// A job's driver ended.
    JobEnded {
        /// The job.
        job: JobId,
        /// How.
        state: JobState,
        /// The driver's exit code, when it ended by itself.
        exit_code: Option<u8>,
        /// What failed; empty when nothing did.
        message: String,
    },
    /// Somebody wants a job stopped.
    JobStop {
        /// The job.
        job: JobId,
    },
    /// A node is to run work of a job that it does not know.
    JobWanted {
        /// The node.
        node: NodeId,
        /// The job.
        job: JobId,
    },
    /// What guests of a job printed, in order. The head's machine does not see it.
    Printed {
        /// The job.
        job: JobId,
        /// The lines.
        lines: Vec<LogLine>,
    },
}

impl ToHead {
    /// Whether it tells of something that no report contains. A node says it again, between the beginning
    /// and the end of its report, to a head that is new, unless the former one had it safe.
    #[must_use]
    pub fn is_said_once(&self) -> bool {
        match self {
            Self::ActorEnded { .. }
            | Self::ActorReleased { .. }
            | Self::ActorKill { .. }
            | Self::ActorDependenciesReady { failed: Some(_), .. }
            | Self::JobEnded { .. }
            | Self::GroupRemove { .. }
            | Self::Printed { .. } => true,
            Self::NodeJoined { .. }
            | Self::LeaseHeld { .. }
            | Self::ActorLives { .. }
            | Self::PeersKnown { .. }
            | Self::JobsKnown { .. }
            | Self::ReportEnded { .. }
            | Self::NodeLost { .. }
            | Self::NodeDrain { .. }
            | Self::NodeUsage { .. }
            | Self::LeaseWanted { .. }
            | Self::ShapeOver { .. }
            | Self::SlotsReturned { .. }
            | Self::SlotsResumeWanted { .. }
            | Self::ParkedEnded { .. }
            | Self::ResumedInVain { .. }
            | Self::ActorRegister { .. }
            | Self::ActorDependenciesReady { failed: None, .. }
            | Self::ActorWatch { .. }
            | Self::ActorLookup { .. }
            | Self::ActorReady { .. }
            | Self::GroupCreate { .. }
            | Self::GroupLookup { .. }
            | Self::GroupDescribe { .. }
            | Self::GroupWatch { .. }
            | Self::JobSubmitted { .. }
            | Self::JobStarted { .. }
            | Self::JobStop { .. }
            | Self::JobWanted { .. } => false,
        }
    }
}

/// A line that a guest printed, or a piece of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Whether it came from standard error.
    pub stderr: bool,
    /// Whether the driver printed it; then it has no prefix.
    pub driver: bool,
    /// `(name task=… node=…)`, for what tasks and actors print.
    pub prefix: String,
    /// The text, without the end of the line.
    pub text: String,
    /// Whether the line ends here; a driver's may go on.
    pub ends: bool,
}

/// How an instance of an actor ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ActorEnd {
    /// It was asked to end, or ended itself.
    Intended(Error),
    /// Its constructor failed.
    ConstructorFailed(Error),
    /// It failed.
    Crashed(Error),
}
