//! What is to be done.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::{ToHead, ToPeer};
use crate::ownership::WaiterId;
use crate::{ActorId, Error, LeaseId, NodeId, ObjectId, TaskId, TaskSpec, Value};

/// An order leaves nothing to ask back: it carries inputs, limits and the attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The task.
    pub spec: Arc<TaskSpec>,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// Its arguments, resolved.
    pub inputs: Vec<Input>,
    /// The lease whose slot it uses; none for calls of actors.
    pub lease: Option<LeaseId>,
    /// The node that owns the task and is told how it ended.
    pub owner: NodeId,
    /// The owner has no room for more small values: what the task returns goes to the store where it runs, but for tiny
    /// values.
    pub stores_returns: bool,
}

/// A resolved argument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The value itself.
    Inline(Arc<Value>),
    /// An object in stores.
    Stored(Stored),
}

/// An object that is in stores, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The object.
    pub object: ObjectId,
    /// Bytes.
    pub size: u64,
    /// The node that owns it.
    pub owner: NodeId,
    /// The nodes that have a copy.
    pub at: Vec<NodeId>,
}

/// The value of an object, or where it is.
#[derive(Debug, Clone)]
pub enum Found {
    /// The value itself.
    Inline(Arc<Value>),
    /// The object in stores. Somewhere else, because there may be many small values in a list.
    Stored(Box<Stored>),
}

impl Found {
    /// Whether it is the value itself.
    pub(super) fn is_inline(&self) -> bool {
        matches!(self, Self::Inline(_))
    }
}

/// How a wait ended.
#[derive(Debug, Clone)]
pub enum WaitResult {
    /// All values, in the order of the question.
    Values(Vec<Found>),
    /// Indices of ready objects, in the order of the question.
    Ready(Vec<u32>),
    /// The first object that failed.
    Failed(Error),
    /// The time is over: how many of how many were ready.
    TimedOut {
        /// Objects that were ready.
        ready: usize,
        /// Objects in question.
        of: usize,
    },
}

/// Something to do. Each is a push to some queue and none calls back, so they
/// can be carried out in order under the lock that guards the machine.
#[derive(Debug)]
pub enum Command {
    /// Tell the head.
    ToHead(Box<ToHead>),
    /// Run a task here.
    Run(Order),
    /// Have the worker that has the task `behind` run this one after it: when that one ends or, by
    /// [`Command::Begin`], when it blocks.
    RunBehind {
        /// What is to be run.
        order: Order,
        /// Behind what.
        behind: TaskId,
    },
    /// The task before this one has blocked: it begins, and those behind it follow it.
    Begin(TaskId),
    /// Take orders out that were to run behind others, those left alone that have begun; then say which by
    /// [`Event::Recalled`](super::Event::Recalled), in this order.
    Recall(Vec<TaskId>),
    /// Drop the sandbox of a task; it then reports `TaskCancelled`.
    Stop {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
    },
    /// Put a call into the mailbox of an actor's instance.
    Call {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// The call.
        order: Order,
    },
    /// Let a call know that it is not wanted any more.
    FlagCancelled {
        /// The actor.
        actor: ActorId,
        /// The call.
        task: TaskId,
    },
    /// Put the end of an actor's instance into its mailbox.
    EndActor {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// Why, for those who call it later.
        reason: Error,
    },
    /// The constructor of an actor that is to be made here, or why there is none.
    Construct {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// The order.
        result: Box<Result<Order, Error>>,
    },
    /// Tell another node.
    ToPeer {
        /// Which.
        node: NodeId,
        /// What.
        message: Box<ToPeer>,
    },
    /// End a wait.
    Wake {
        /// The wait.
        waiter: WaiterId,
        /// How it ended.
        result: WaitResult,
    },
    /// Nobody refers to this object any more: drop it from the store.
    Forget(ObjectId),
    /// There is no other copy any more: this one must not be dropped when room is short.
    Keep(ObjectId),
    /// All places of this object are about to go: have it here, as a primary copy.
    Bring(Stored),
}

impl Command {
    pub(super) fn to_peer(node: NodeId, message: ToPeer) -> Self {
        Self::ToPeer { node, message: Box::new(message) }
    }

    pub(super) fn to_head(message: ToHead) -> Self {
        Self::ToHead(Box::new(message))
    }
}
