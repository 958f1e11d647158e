//! What happened.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::{FromHead, ToPeer};
use crate::{ActorId, ActorSpec, Error, GroupId, JobId, NodeId, ObjectId, RefId, TaskId, TaskSpec, Value};

/// Names one wait; numbered by the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WaiterId(pub u64);

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// All of the values.
    Values,
    /// That many of the objects.
    Ready(u32),
}

/// Something that happened. Events are moved a few times each: what is large and rare is boxed.
#[derive(Debug)]
pub enum Event {
    /// A guest submitted a task or called an actor. One reference is counted for each return.
    Submitted(Arc<TaskSpec>),
    /// A worker has begun a task.
    Started {
        /// The task.
        task: TaskId,
        /// The instance.
        worker: u64,
    },
    /// An attempt of a task ended.
    Finished {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
    /// Both at once, of a task whose begin nobody was told of.
    Ran {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// The instance.
        worker: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// A guest put an object. One reference is counted.
    Put {
        /// The object.
        object: ObjectId,
        /// Its value, or where it is.
        output: Output,
    },
    /// References were copied.
    Acquired(Vec<RefId>),
    /// References were dropped.
    Released(Vec<RefId>),
    /// A guest waits.
    WaitStarted {
        /// The wait.
        waiter: WaiterId,
        /// For what; no duplicates when it is for a number of them.
        objects: Vec<ObjectId>,
        /// For how much of it.
        wait: WaitFor,
        /// The task that blocks, when it holds a slot.
        caller: Option<TaskId>,
        /// Whether it only looks and never blocks.
        poll: bool,
    },
    /// A wait took too long.
    WaitTimedOut(WaiterId),
    /// Nobody waits any more: the waiting guest is gone.
    WaitAbandoned(WaiterId),
    /// Somebody wants the task cancelled that makes this object.
    Cancelled {
        /// The object.
        object: ObjectId,
        /// And the tasks that it submitted.
        recursive: bool,
    },
    /// A job's driver ended.
    JobEnded(JobId),
    /// A guest created an actor. One reference is counted.
    ActorCreated(Arc<ActorSpec>),
    /// A guest got an actor by its name. One reference is counted.
    ActorKnown {
        /// The actor.
        spec: Arc<ActorSpec>,
        /// The node that owns it.
        owner: NodeId,
    },
    /// A guest wants the actor to end behind the calls that it submitted so far.
    ActorTerminated {
        /// The actor.
        actor: ActorId,
        /// Who wants it.
        submitter: TaskId,
    },
    /// A guest wants an object that is ready when a placement group is created. One reference is counted.
    GroupReady {
        /// The group.
        group: GroupId,
        /// The object.
        object: ObjectId,
    },
    /// Copies of objects were not where they were said to be, or all of these places are busy.
    CopiesMissing(Vec<LostCopy>),
    /// There is a copy of an object here now.
    Copied {
        /// The object.
        object: ObjectId,
        /// Its owner.
        owner: NodeId,
    },
    /// An object whose other places are about to go is in this node's store now, as a primary copy.
    Moved(ObjectId),
    /// The copy that this node was to keep is not here any more.
    CopyDropped(ObjectId),
    /// Workers here gave orders back that they had not begun.
    Recalled(Vec<TaskId>),
    /// A call came for a life of an actor that is over here.
    CallDropped(TaskId),
    /// This node is to construct an actor.
    ConstructWanted {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// Who has the constructor's arguments.
        owner: NodeId,
        /// Arguments that were not where an earlier answer said they were.
        missing: Vec<LostCopy>,
    },
    /// The constructor of an actor that another node owns has ended here.
    ConstructEnded(ActorId),
    /// Another node spoke.
    FromPeer {
        /// Which.
        from: NodeId,
        /// What it said.
        message: Box<ToPeer>,
    },
    /// An actor's instance ended before it began these calls, in mailbox order.
    CallsReturned {
        /// The actor.
        actor: ActorId,
        /// The calls.
        tasks: Vec<TaskId>,
    },
    /// The head spoke.
    FromHead(Box<FromHead>),
    /// Time passed.
    Tick,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// With these values, one for each return.
    Returned(Vec<Output>),
    /// It failed.
    Failed(Error),
    /// The actor's instance broke down under it.
    ActorCrashed(Error),
    /// It never began: these arguments could not be had from where they were said to be.
    ArgumentsLost(Vec<LostCopy>),
}

/// A copy of an object that was not where it was said to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostCopy {
    /// The object.
    pub object: ObjectId,
    /// The nodes that were asked and do not have it.
    pub missing_at: Vec<NodeId>,
}

/// A value that was made: small ones themselves, large ones by what is known of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Output {
    /// Here it is.
    Inline(Arc<Value>),
    /// It is in stores under the object's id.
    Stored {
        /// The nodes whose stores have it, the one that made it first.
        at: Vec<NodeId>,
        /// Bytes.
        size: u64,
        /// The references in it.
        refs: Vec<RefId>,
    },
    /// It could not be stored.
    Failed(Error),
}
