//! What a process does with what comes in: the traits that a node and a head fill in.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rayw_core::message::{FromHead, NodeAddress, NodeLink, ToHead, ToPeer};
use rayw_core::{NodeId, ObjectId, Value};

/// A future behind a pointer.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a node does with what comes in. Called on the runtime of the network, one sender's messages in
/// order; must not wait for long.
#[expect(clippy::wrong_self_convention, reason = "`from` says who speaks, nothing is converted")]
pub trait NodeInbox: Send + Sync {
    /// The head says something.
    fn from_head(&self, message: FromHead);

    /// Another node says something.
    fn from_peer(&self, from: NodeId, message: ToPeer);

    /// The head was started again and knows nothing of what this node holds. What was queued for the former
    /// one is dropped, what is sent from within this call goes first. `unheard` is what the former one did
    /// not confirm of what is said only once.
    fn head_is_new(&self, unheard: Vec<ToHead>);

    /// The head took this node for dead, or the link to it is broken for good: its work runs elsewhere by
    /// now, and the node is to end. Nothing is sent to the head any more.
    fn fenced(&self, why: &str);
}

/// What a head does with what comes in. Called on the runtime of the network; must not wait for long.
pub trait HeadInbox: Send + Sync {
    /// A node says something. One node's messages come in order.
    fn message(&self, message: ToHead);

    /// Some messages were given; they can be acted on together now.
    fn flush(&self);

    /// Ends when what was given so far is safe: only then is it confirmed to its sender. Answers `false`
    /// when it never will be.
    fn settled(&self) -> BoxFuture<bool> {
        Box::pin(std::future::ready(true))
    }

    /// A node has connected for the first time. Comes before its first message.
    fn joined(&self, node: NodeId, at: NodeAddress, link: Arc<dyn NodeLink>);

    /// Whether a node was declared dead. It is refused then, so that it ends.
    fn is_dead(&self, node: NodeId) -> bool;

    /// A node is gone. Comes once for each that joined, and nothing of it comes afterwards.
    fn lost(&self, node: NodeId, why: String);
}

/// Where the objects are that others fetch.
pub trait ObjectSource: Send + Sync {
    /// Bytes that have to be read from a file to open an object, which takes so much memory for as long as it is served;
    /// 0 when it is in memory, or not here.
    fn spilled_bytes(&self, _object: ObjectId) -> u64 {
        0
    }

    /// The object, if there is a copy here.
    fn open(&self, object: ObjectId) -> BoxFuture<Option<Arc<Value>>>;
}

/// When a head takes a node for dead.
#[derive(Debug, Clone, Copy)]
pub struct HealthTiming {
    /// How often a node is to say that it is there.
    pub period: Duration,
    /// How long it may say nothing.
    pub timeout: Duration,
}
