//! The three ways that messages go: node to head, head to node, node to node.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rayw_core::NodeId;
use rayw_core::message::{FromHead, HeadLink, NodeAddress, NodeLink, ToHead};
use rayw_proto::wire;
use rayw_proto::wire::hello::From;
use tokio_util::sync::CancellationToken;

use crate::ends::{Ends, LocalHead, VERSION};
use crate::queue::Queue;
use crate::sender::Route;

/// The head, seen from a node in another process.
///
/// Dropping it ends the link.
#[derive(Debug)]
pub struct RemoteHead {
    pub(crate) queue: Arc<Queue>,
    pub(crate) stop: CancellationToken,
}

impl RemoteHead {
    /// Drops what waits. In [`crate::NodeInbox::head_is_new`] a node can call it under its lock, before it
    /// joins again: then nothing that it said to the former head goes ahead of that.
    pub fn discard(&self) {
        self.queue.discard();
    }

    /// Waits until the head has confirmed everything that it was sent. It may never come.
    pub async fn all_confirmed(&self) {
        self.queue.all_confirmed().await;
    }
}

impl HeadLink for RemoteHead {
    fn send(&self, message: ToHead) {
        self.queue.push(&message);
    }

    fn flush(&self) {}

    fn unconfirmed_bytes(&self) -> usize {
        self.queue.unconfirmed_bytes()
    }
}

impl Drop for RemoteHead {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A node, seen from the head in another process. Dropping it ends the link.
#[derive(Debug)]
pub(crate) struct RemoteNode {
    pub(crate) queue: Arc<Queue>,
    pub(crate) stop: CancellationToken,
}

impl NodeLink for RemoteNode {
    fn deliver(&self, message: FromHead) {
        self.queue.push(&message);
    }
}

impl Drop for RemoteNode {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// From a node to the head.
pub(crate) struct ToHeadRoute {
    pub(crate) ends: Arc<Ends>,
    pub(crate) node: NodeId,
    pub(crate) at: NodeAddress,
    pub(crate) address: String,
    /// The head's session, once known.
    pub(crate) session: Mutex<Option<u64>>,
    /// Whether the head was lost and has not answered since.
    pub(crate) is_lost: AtomicBool,
}

impl Route for ToHeadRoute {
    fn name(&self) -> String {
        "the head".to_owned()
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn hello(&self) -> Option<wire::Hello> {
        // Answers of the head need somebody to give them to.
        self.ends.node().filter(|local| local.id == self.node)?;
        let NodeAddress { address, name, is_head_node } = self.at.clone();
        Some(wire::Hello {
            version: VERSION.to_owned(),
            from: Some(From::Node(self.node.0.to_vec())),
            to: Vec::new(),
            session: self.session.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(0),
            at: Some(wire::LinkAddress { address, name, is_head_node }),
        })
    }

    fn lost(&self, why: &str) {
        // A head that takes a connection and drops it again is lost once.
        if !self.is_lost.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the head at `{}` is lost ({why}): work here goes on, and it is dialled again",
                self.address
            );
        }
    }

    fn welcomed(&self, session: u64, queue: &Queue) {
        if self.is_lost.swap(false, Ordering::Relaxed) {
            tracing::info!("the head at `{}` answers again", self.address);
        }
        let before = self.session.lock().unwrap_or_else(PoisonError::into_inner).replace(session);
        let Some(local) = self.ends.node().filter(|local| local.id == self.node) else { return };
        if before.is_some_and(|before| before != session) {
            tracing::info!("the head is there again, as a new one: this node reports to it");
            let unheard = queue.take_unconfirmed();
            let unheard = unheard.iter().filter_map(|payload| postcard::from_bytes::<ToHead>(payload).ok());
            local.inbox.head_is_new(unheard.filter(ToHead::is_said_once).collect());
        }
        // Only now: what the new head says must not come before the word that it is new.
        local.set_head_session(session);
    }

    fn ended(&self, why: &str) {
        if let Some(local) = self.ends.node().filter(|local| local.id == self.node) {
            local.inbox.fenced(why);
        }
    }
}

/// From the head to a node.
pub(crate) struct ToNodeRoute {
    pub(crate) head: Weak<LocalHead>,
    pub(crate) session: u64,
    pub(crate) node: NodeId,
    pub(crate) address: String,
}

impl Route for ToNodeRoute {
    fn name(&self) -> String {
        format!("node {}", self.node)
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn hello(&self) -> Option<wire::Hello> {
        Some(wire::Hello {
            version: VERSION.to_owned(),
            from: Some(From::Head(self.session)),
            to: self.node.0.to_vec(),
            session: 0,
            at: None,
        })
    }

    fn welcomed(&self, _: u64, _: &Queue) {}

    fn ended(&self, why: &str) {
        if let Some(head) = self.head.upgrade() {
            head.lose(self.node, format!("the link to it is broken: {why}"));
        }
    }
}

/// From a node to another.
pub(crate) struct ToPeerRoute {
    pub(crate) ends: Arc<Ends>,
    pub(crate) node: NodeId,
    pub(crate) address: String,
}

impl Route for ToPeerRoute {
    fn name(&self) -> String {
        format!("node {}", self.node)
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn hello(&self) -> Option<wire::Hello> {
        let own = self.ends.node()?.id;
        Some(wire::Hello {
            version: VERSION.to_owned(),
            from: Some(From::Node(own.0.to_vec())),
            to: self.node.0.to_vec(),
            session: 0,
            at: None,
        })
    }

    fn welcomed(&self, _: u64, _: &Queue) {}

    /// Work that both nodes share would never go on: one of them has to be given up. That is this node,
    /// whose fault it is, unless it is the head's own.
    fn overflowed(&self, why: &str) {
        let why = format!("the link to node {} is broken: {why}", self.node);
        if let Some(head) = self.ends.head() {
            head.lose(self.node, why);
        } else if let Some(local) = self.ends.node() {
            local.inbox.fenced(&why);
        }
    }

    fn ended(&self, _: &str) {}
}
