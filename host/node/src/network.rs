//! What a node needs of the network, and the node that is alone.

use std::path::PathBuf;

use bytes::Bytes;
use rayw_core::message::{NodeAddress, ToPeer};
use rayw_core::{ComponentDigest, Error, ErrorKind, NodeId, ObjectId, Value};
use rayw_proto::BoxFuture;

/// Why an object could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    /// These nodes have no copy; none of the others could be asked.
    NotHere(Vec<NodeId>),
    /// All that have it served others, and one of them has a place free now.
    Busy,
    /// No node that should have it can be reached; in words.
    Unreachable(String),
}

/// The other nodes, as one node reaches them.
pub trait Network: Send + Sync + 'static {
    /// Takes a message in order. Only queues it: is called under the node's lock.
    fn send(&self, to: NodeId, message: ToPeer);

    /// Bytes on their way to another node that it has not confirmed.
    fn unconfirmed_bytes(&self, to: NodeId) -> usize;

    /// Fetches an object from one of these nodes.
    fn fetch(&self, from: Vec<NodeId>, object: ObjectId) -> BoxFuture<Result<Value, FetchError>>;

    /// Fetches a component or a working directory; its digest is checked.
    fn blob(&self, digest: ComponentDigest) -> BoxFuture<Result<Bytes, Error>>;

    /// Another node is there.
    fn found(&self, node: NodeId, at: &NodeAddress);

    /// Another node is gone.
    fn died(&self, node: NodeId);

    /// Where working directories may be unpacked; `None` where jobs bring none.
    fn working_dirs(&self) -> Option<PathBuf>;

    /// The head lets this node go: it drained, or its time is over.
    fn leave(&self);
}

/// The network of a node that is alone.
#[derive(Debug, Default)]
pub struct Alone;

impl Network for Alone {
    fn send(&self, to: NodeId, message: ToPeer) {
        tracing::error!(%to, ?message, "a node that is alone wants to speak to another one");
    }

    fn unconfirmed_bytes(&self, _to: NodeId) -> usize {
        0
    }

    fn fetch(&self, from: Vec<NodeId>, _object: ObjectId) -> BoxFuture<Result<Value, FetchError>> {
        Box::pin(std::future::ready(Err(FetchError::NotHere(from))))
    }

    fn blob(&self, digest: ComponentDigest) -> BoxFuture<Result<Bytes, Error>> {
        let message = format!("nothing with the digest {digest} was given to this cluster");
        Box::pin(std::future::ready(Err(Error::new(ErrorKind::System, message))))
    }

    fn found(&self, _node: NodeId, _at: &NodeAddress) {}

    fn died(&self, _node: NodeId) {}

    fn working_dirs(&self) -> Option<PathBuf> {
        None
    }

    fn leave(&self) {}
}
