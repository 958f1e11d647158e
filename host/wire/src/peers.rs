//! The other nodes, seen from this one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::message::{PeerLink, ToPeer};
use rayw_core::{NodeId, limits};
use tokio_util::sync::CancellationToken;

use crate::ends::Ends;
use crate::queue::Queue;
use crate::route::ToPeerRoute;

/// How this node reaches the others. What is said to a node before its address is known waits for it.
pub struct Peers {
    ends: Arc<Ends>,
    table: Mutex<HashMap<NodeId, Peer>>,
}

#[derive(Default)]
struct Peer {
    queue: Arc<Queue>,
    /// Ends the link; none while the address is not known.
    stop: Option<CancellationToken>,
}

impl Peers {
    pub(crate) fn new(ends: Arc<Ends>) -> Self {
        Self { ends, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<NodeId, Peer>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node's address is known: what waits for it is sent. A node keeps its address as long as it
    /// lives, so a second one is ignored; so is one of a node that is gone.
    pub fn set(&self, node: NodeId, address: &str) {
        if self.ends.is_gone(node) {
            return;
        }
        let mut table = self.table();
        let peer = table.entry(node).or_default();
        if peer.stop.is_none() {
            let route = ToPeerRoute { ends: self.ends.clone(), node, address: address.to_owned() };
            peer.stop = Some(self.ends.start_sender(Arc::new(route), peer.queue.clone()));
        }
    }

    /// Bytes of messages to a node that it has not confirmed, those included that wait for its address.
    #[must_use]
    pub fn unconfirmed_bytes(&self, node: NodeId) -> usize {
        let queue = self.table().get(&node).map(|peer| peer.queue.clone());
        queue.map_or(0, |queue| queue.unconfirmed_bytes())
    }

    /// A node is gone for good: what waits for it is dropped, and nothing is heard from it any more. May be
    /// called under any lock.
    pub fn remove(&self, node: NodeId) {
        self.ends.forget(node);
        let peer = self.table().remove(&node);
        if let Some(stop) = peer.and_then(|peer| peer.stop) {
            stop.cancel();
        }
    }
}

impl PeerLink for Peers {
    fn send(&self, to: NodeId, message: ToPeer) {
        let queue = {
            let mut table = self.table();
            if !table.contains_key(&to) {
                if self.ends.is_gone(to) {
                    return;
                }
                if table.len() >= limits::PEERS_MAX {
                    let max = limits::PEERS_MAX;
                    tracing::error!(%to, "a message was dropped: this node speaks to {max} others already");
                    return;
                }
            }
            table.entry(to).or_default().queue.clone()
        };
        queue.push(&message);
    }
}
