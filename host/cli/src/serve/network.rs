//! How a node of a cluster reaches the others.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rayw_core::message::{NodeAddress, PeerLink as _, ToPeer};
use rayw_core::{ComponentDigest, Error, IdMap, NodeId, ObjectId, Value, limits};
use rayw_node::{FetchError, Network};
use rayw_proto::{BoxFuture, ControlSource};
use rayw_wire::Endpoint;
use tokio_util::sync::CancellationToken;

use super::head_at;
use super::kept::Kept;

/// The network of a node in a cluster.
pub(super) struct ClusterNetwork {
    pub(super) endpoint: Arc<Endpoint>,
    /// Where the others are.
    pub(super) addresses: Mutex<IdMap<NodeId, String>>,
    /// Where the head is.
    pub(super) head: String,
    /// The head itself, in its own process.
    pub(super) head_here: Option<Arc<dyn ControlSource>>,
    pub(super) working_dirs: PathBuf,
    /// What the head gave this node.
    pub(super) kept: Arc<Kept>,
    /// Ends this process.
    pub(super) leave: CancellationToken,
}

impl Network for ClusterNetwork {
    fn send(&self, to: NodeId, message: ToPeer) {
        self.endpoint.peers().send(to, message);
    }

    fn unconfirmed_bytes(&self, to: NodeId) -> usize {
        self.endpoint.peers().unconfirmed_bytes(to)
    }

    fn fetch(&self, from: Vec<NodeId>, object: ObjectId) -> BoxFuture<Result<Value, FetchError>> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let sources: Vec<(NodeId, String)> =
            from.iter().filter_map(|node| Some((*node, addresses.get(node)?.clone()))).collect();
        let endpoint = Arc::clone(&self.endpoint);
        Box::pin(async move {
            if sources.is_empty() {
                return Err(FetchError::Unreachable("the head has not told where the nodes are".to_owned()));
            }
            endpoint.fetch(sources, object).await.map_err(|error| match error {
                rayw_wire::FetchError::NotHere { at } => FetchError::NotHere(at),
                rayw_wire::FetchError::Busy => FetchError::Busy,
                rayw_wire::FetchError::Unreachable { why } => FetchError::Unreachable(why),
                rayw_wire::FetchError::Corrupt => FetchError::Unreachable("what came was not what was sent".to_owned()),
            })
        })
    }

    fn blob(&self, digest: ComponentDigest) -> BoxFuture<Result<Bytes, Error>> {
        if let Some(head) = &self.head_here {
            return head.get_blob(digest);
        }
        let (head, kept) = (self.head.clone(), Arc::clone(&self.kept));
        let fetching = async move {
            let mut tries = 0;
            loop {
                // A head that is away is waited for, as everywhere; one that is there and does not answer is
                // asked a few times more.
                let Ok(client) = head_at(&head).await else {
                    tokio::time::sleep(limits::LINK_RETRY_MAX).await;
                    continue;
                };
                tries += 1;
                match client.get_blob(digest).await {
                    Err(_) if tries < limits::BLOB_TRIES_MAX => tokio::time::sleep(limits::LINK_RETRY_MAX).await,
                    result => return result,
                }
            }
        };
        Box::pin(kept.get(digest, fetching))
    }

    fn found(&self, node: NodeId, at: &NodeAddress) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).insert(node, at.address.clone());
        self.endpoint.peers().set(node, &at.address);
    }

    fn died(&self, node: NodeId) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).remove(&node);
        self.endpoint.peers().remove(node);
    }

    fn working_dirs(&self) -> Option<PathBuf> {
        Some(self.working_dirs.clone())
    }

    fn leave(&self) {
        self.leave.cancel();
    }
}
