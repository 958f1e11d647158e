//! What nodes and the head say to each other.
//!
//! On one machine these travel through channels, between machines through
//! gRPC; the two state machines cannot tell the difference. Every message can
//! arrive late or twice: leases and actors carry generations, and an old one
//! is ignored.

use std::sync::Arc;

use crate::{ActorId, ActorSpec, Error, JobId, JobSpec, LeaseId, NodeId, Resources};

/// What an owner wants leases for. Two tasks of one shape can use the same lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The job.
    pub job: JobId,
    /// What one slot needs.
    pub resources: Arc<Resources>,
}

/// A question that wants an answer. Numbered by the asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// From a node to the head.
#[derive(Debug, Clone)]
pub enum ToHead {
    /// A node is there.
    NodeJoined {
        /// The node.
        node: NodeId,
        /// Its name, for people.
        name: String,
        /// What it has.
        total: Resources,
    },
    /// An owner has `backlog` tasks of this shape that no slot serves. 0 takes the wish back.
    LeaseWanted {
        /// The owner.
        owner: NodeId,
        /// The shape.
        shape: Shape,
        /// Slots it could use now, beside those it has.
        backlog: u32,
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
    /// Create an actor; its constructor's arguments are ready. Unnamed actors have no request.
    ActorRegister {
        /// The node that owns the actor: its creator's.
        owner: NodeId,
        /// Answered with [`FromHead::ActorFound`].
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
        /// Why it can never be constructed.
        failed: Option<Error>,
    },
    /// Who has that name?
    ActorLookup {
        /// The asking node.
        owner: NodeId,
        /// Answered with [`FromHead::ActorFound`].
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
    /// A job starts.
    JobStarted {
        /// The job.
        spec: JobSpec,
    },
    /// A job's driver ended.
    JobEnded {
        /// The job.
        job: JobId,
        /// How.
        state: crate::JobState,
    },
}

/// How an instance of an actor ended.
#[derive(Debug, Clone)]
pub enum ActorEnd {
    /// It was asked to end, or ended itself.
    Intended(Error),
    /// Its constructor failed.
    ConstructorFailed(Error),
    /// It failed.
    Crashed(Error),
}

/// From the head to a node.
#[derive(Debug, Clone)]
pub enum FromHead {
    /// Slots for a shape.
    SlotsGranted {
        /// The lease; a new one, or one that grows.
        lease: LeaseId,
        /// What for.
        shape: Shape,
        /// Where.
        node: NodeId,
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
    /// Why a shape waits.
    LeasePending {
        /// What was wanted.
        shape: Shape,
        /// In words.
        why: String,
    },
    /// The answer to a named registration or a look-up.
    ActorFound {
        /// The question.
        request: RequestId,
        /// The actor, or why there is none.
        result: Result<Arc<ActorSpec>, Error>,
    },
    /// Make an instance of the actor here.
    ActorStart {
        /// The actor.
        spec: Arc<ActorSpec>,
        /// Which life of it.
        incarnation: u32,
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
}

/// What became of an actor.
#[derive(Debug, Clone)]
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

/// How a node reaches the head.
pub trait HeadLink: Send + Sync {
    /// Takes a message in order. Only queues it: may be called under any lock.
    fn send(&self, message: ToHead);

    /// Has what is queued carried on. Must not be called under a lock of the node's.
    fn flush(&self);
}

/// How the head reaches a node.
pub trait NodeLink: Send + Sync {
    /// Takes a message in order.
    fn deliver(&self, message: FromHead);

    /// Rows of the node's own: tasks or objects. Empty for other resources.
    fn rows(&self, resource: crate::view::Resource) -> crate::view::Rows;

    /// The node's tasks, counted.
    fn summary(&self) -> Vec<crate::view::TaskSummaryRow>;
}
