//! What nodes and the head say to each other, and nodes among themselves.
//!
//! On one machine these travel through function calls, between machines
//! through reliable links (the room `wire`); the state machines cannot tell
//! the difference. Between two processes messages arrive in order and once,
//! until one of the two is declared dead. Nothing is promised about the order
//! of messages that come different ways: leases and actors carry generations,
//! and an old one is ignored.

mod from_head;
mod peer;
mod to_head;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use from_head::{ActorChange, FromHead};
pub use peer::{RefOwner, ToPeer};
pub use to_head::{ActorEnd, LogLine, NodeAddress, ToHead};

use crate::{JobId, NodeId, Placement, Resources};

/// What an owner wants leases for. Two tasks of one shape can use the same lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// The job.
    pub job: JobId,
    /// What one slot needs.
    pub resources: Arc<Resources>,
    /// Where it may be.
    pub placement: Arc<Placement>,
    /// The node that holds most of the bytes of the tasks' arguments, when these are large.
    pub near: Option<NodeId>,
}

/// A question that wants an answer. Numbered by the asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// How a node reaches the head.
pub trait HeadLink: Send + Sync {
    /// Takes a message in order. Only queues it: may be called under any lock.
    fn send(&self, message: ToHead);

    /// Has what is queued carried on. Must not be called under a lock of the node's.
    fn flush(&self);

    /// Bytes that are queued and that the head has not confirmed.
    fn unconfirmed_bytes(&self) -> usize {
        0
    }
}

/// How a node reaches the other nodes.
pub trait PeerLink: Send + Sync {
    /// Takes a message in order. Only queues it: may be called under any lock. What is meant for a node
    /// that is gone, or never was, is dropped: the head tells who is gone.
    fn send(&self, to: NodeId, message: ToPeer);
}

/// How the head reaches a node.
pub trait NodeLink: Send + Sync {
    /// Takes a message in order.
    fn deliver(&self, message: FromHead);
}
