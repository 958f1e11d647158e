//! Between nodes: work and its results, objects, references.
//!
//! References are counted by tokens. Each distinct reference in a message is
//! one token for the node that gets it. The owner of an object keeps for each
//! borrower the number of tokens it was given; a borrower that has no use for
//! the object any more gives all that it got back at once. Who passes on what
//! is not its own tells the owner ([`ToPeer::Lent`]) before it lets go of its
//! own tokens, and messages between two nodes keep their order: so the owner's
//! sum is never 0 while somebody holds the reference, although one borrower's
//! number can be below 0 for a moment. Tokens are told apart by who gave them: when a node dies, those
//! that it passed on are counted again (`ownership/inherit.rs`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ownership::{LostCopy, Order, Outcome, Output};
use crate::{ActorId, ActorSpec, Error, NodeId, ObjectId, RefId, TaskId};

/// A reference in a message and who owns what it refers to. One token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RefOwner {
    /// An object.
    Object {
        /// The object.
        id: ObjectId,
        /// Its owner.
        owner: NodeId,
    },
    /// An actor.
    Actor {
        /// The actor, its constructor's arguments left out.
        spec: Arc<ActorSpec>,
        /// Its owner.
        owner: NodeId,
    },
}

/// From one node to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToPeer {
    /// Owner to worker: run this in a slot of my lease. The specification's arguments are left out, the
    /// inputs are there.
    Run {
        /// The order.
        order: Order,
        /// The references in its inputs.
        refs: Vec<RefOwner>,
        /// It begins when this task of mine ends or blocks, and at once when it has or was never here.
        behind: Option<TaskId>,
    },
    /// Owner to worker: let it go, if it has not begun; it then says `Recalled`, and nothing otherwise.
    Recall {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
    },
    /// Worker to owner: it never began, and will not here.
    Recalled {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
    },
    /// Owner to worker: end it; it then reports `TaskCancelled`.
    Stop {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// And what it submitted.
        recursive: bool,
    },
    /// Caller to the actor's node: a call.
    Call {
        /// The actor.
        actor: ActorId,
        /// Which life of it. A call for another one is dropped: the head tells of the end of that life.
        incarnation: u32,
        /// The call.
        order: Order,
        /// The references in its inputs.
        refs: Vec<RefOwner>,
    },
    /// Caller to the actor's node: this call is not wanted any more.
    FlagCancelled {
        /// The actor.
        actor: ActorId,
        /// The call.
        task: TaskId,
        /// And what it submitted.
        recursive: bool,
    },
    /// Caller to the actor's node: the actor ends behind the calls that I have sent.
    EndActor {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// Why, for those who call it later.
        reason: Error,
    },
    /// Worker to owner: it has begun.
    Started {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// The instance.
        worker: u64,
    },
    /// Worker to owner: an attempt ended.
    Finished {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// The references in its values.
        refs: Vec<RefOwner>,
    },
    /// The actor's node to a caller: its instance ended before it began these calls, in mailbox order.
    CallsReturned {
        /// The actor.
        actor: ActorId,
        /// The calls, each with its attempt: one that was sent elsewhere meanwhile is not meant.
        tasks: Vec<(TaskId, u32)>,
    },
    /// Worker to owner: the task waits for objects and needs no cpu meanwhile.
    Blocked {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// Whether it is in `get`, rather than in `wait`.
        in_get: bool,
    },
    /// Worker to owner: the task could go on.
    ResumeWanted {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
    },
    /// Owner to worker: the task has a slot again.
    Resumed {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
    },
    /// Borrower to owner: tell me how this object ends. Also where its copies are now.
    Wanted {
        /// The object.
        object: ObjectId,
        /// Nodes that said that they have no copy.
        missing_at: Vec<NodeId>,
    },
    /// Owner to borrower: here it is, or where it is, or why not.
    Settled {
        /// The object.
        object: ObjectId,
        /// Its value, or where it is.
        output: Output,
        /// The references in its value.
        refs: Vec<RefOwner>,
    },
    /// Borrower to owner: there is a copy here now.
    Copied {
        /// The object.
        object: ObjectId,
    },
    /// Owner to a node with a copy: nobody refers to it any more.
    Forget {
        /// The object.
        object: ObjectId,
    },
    /// Owner to a node with a copy: the other copies are gone, so do not drop yours when room is short.
    Keep {
        /// The object.
        object: ObjectId,
    },
    /// A node that was told to keep a copy to the owner: it had been dropped already.
    Dropped {
        /// The object.
        object: ObjectId,
    },
    /// Borrower to owner: I have passed a reference on.
    Lent {
        /// To what.
        id: RefId,
        /// To whom.
        to: NodeId,
    },
    /// Borrower to owner: I have no use for it any more.
    Returned {
        /// For what.
        id: RefId,
        /// All tokens that I was given for it, by who gave them.
        tokens: Vec<(NodeId, u32)>,
    },
    /// Borrower to owner: of a node that died I have so many tokens, whatever it said. Count them as yours.
    Inherited {
        /// For what.
        id: RefId,
        /// Who gave them.
        lender: NodeId,
        /// How many; 0 in answer to [`ToPeer::Recount`], behind what I have said before.
        tokens: u32,
    },
    /// Owner to borrower: a node died that said it had passed this on to you.
    Recount {
        /// What.
        id: RefId,
        /// Who died.
        lender: NodeId,
    },
    /// Borrower to owner: cancel the task that makes this object.
    Cancel {
        /// The object.
        object: ObjectId,
        /// And what it submitted.
        recursive: bool,
    },
    /// The actor's node to its owner: I am to construct it.
    ConstructWanted {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// Arguments that were not where an earlier answer said they were.
        missing: Vec<LostCopy>,
    },
    /// Owner to the actor's node: the constructor and its arguments, or why there are none.
    Construct {
        /// The actor.
        actor: ActorId,
        /// Which life of it.
        incarnation: u32,
        /// The order.
        result: Result<Order, Error>,
        /// The references in its inputs.
        refs: Vec<RefOwner>,
    },
}
