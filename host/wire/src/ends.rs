//! Whom this process speaks for: a node, a head, or both; and who has spoken to them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::message::{NodeAddress, NodeLink};
use rayw_core::{NodeId, limits};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::inbox::{HeadInbox, HealthTiming, NodeInbox, ObjectSource};
use crate::queue::Queue;
use crate::route::{RemoteNode, ToNodeRoute};
use crate::sender::{self, Route};
use crate::source::{Connection, Source};

/// Both ends of a link must be of this version: messages carry no other description of themselves.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What all parts of an endpoint share.
pub(crate) struct Ends {
    pub(crate) runtime: Handle,
    /// Ends everything.
    pub(crate) stop: CancellationToken,
    /// Everything that was spawned.
    pub(crate) tasks: TaskTracker,
    node: Mutex<Option<Arc<LocalNode>>>,
    head: Mutex<Option<Arc<LocalHead>>>,
    gone: Mutex<Gone>,
}

/// The node of this process.
pub(crate) struct LocalNode {
    pub(crate) id: NodeId,
    pub(crate) inbox: Arc<dyn NodeInbox>,
    pub(crate) objects: Arc<dyn ObjectSource>,
    /// The head's session and what it has given us in it.
    head: Mutex<Option<(u64, Arc<Source>)>>,
    peers: Mutex<HashMap<NodeId, Arc<Source>>>,
}

/// The head of this process.
pub(crate) struct LocalHead {
    pub(crate) session: u64,
    pub(crate) inbox: Arc<dyn HeadInbox>,
    pub(crate) timing: HealthTiming,
    nodes: Mutex<HashMap<NodeId, Joined>>,
}

/// A node that has joined.
struct Joined {
    source: Arc<Source>,
    /// Ends the link to it.
    link: Option<CancellationToken>,
}

/// Nodes that are gone: the newest few, so that late words of them are refused.
#[derive(Default)]
struct Gone {
    nodes: HashSet<NodeId>,
    order: VecDeque<NodeId>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ends {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            node: Mutex::default(),
            head: Mutex::default(),
            gone: Mutex::default(),
        }
    }

    pub(crate) fn node(&self) -> Option<Arc<LocalNode>> {
        lock(&self.node).clone()
    }

    pub(crate) fn head(&self) -> Option<Arc<LocalHead>> {
        lock(&self.head).clone()
    }

    pub(crate) fn set_node(&self, id: NodeId, inbox: Arc<dyn NodeInbox>, objects: Arc<dyn ObjectSource>) {
        let (head, peers) = (Mutex::default(), Mutex::default());
        *lock(&self.node) = Some(Arc::new(LocalNode { id, inbox, objects, head, peers }));
    }

    pub(crate) fn set_head(&self, session: u64, inbox: Arc<dyn HeadInbox>, timing: HealthTiming) {
        *lock(&self.head) = Some(Arc::new(LocalHead { session, inbox, timing, nodes: Mutex::default() }));
    }

    /// Lets go of the node and the head, which may hold on to us.
    pub(crate) fn clear(&self) {
        *lock(&self.node) = None;
        *lock(&self.head) = None;
    }

    /// A node is gone: nothing of it is taken any more. May be called under any lock.
    pub(crate) fn forget(&self, node: NodeId) {
        let mut gone = lock(&self.gone);
        if gone.nodes.insert(node) {
            gone.order.push_back(node);
        }
        if gone.order.len() > limits::PEERS_MAX
            && let Some(oldest) = gone.order.pop_front()
        {
            gone.nodes.remove(&oldest);
        }
        drop(gone);
        let source = self.node().and_then(|local| lock(&local.peers).remove(&node));
        if let Some(source) = source {
            source.close();
        }
    }

    pub(crate) fn is_gone(&self, node: NodeId) -> bool {
        lock(&self.gone).nodes.contains(&node)
    }

    /// Starts the sending end of a link. What it returns ends it.
    pub(crate) fn start_sender(&self, route: Arc<dyn Route>, queue: Arc<Queue>) -> CancellationToken {
        let stop = self.stop.child_token();
        self.tasks.spawn_on(sender::run(route, queue, stop.clone()), &self.runtime);
        stop
    }

    /// A link from the head of this process to a node. Without a head the node refuses it.
    pub(crate) fn link_to_node(&self, head: Option<&Arc<LocalHead>>, node: NodeId, address: &str) -> RemoteNode {
        let queue = Arc::new(Queue::default());
        let (address, session) = (address.to_owned(), head.map_or(0, |head| head.session));
        let route =
            Arc::new(ToNodeRoute { head: head.map(Arc::downgrade).unwrap_or_default(), session, node, address });
        let stop = self.start_sender(route, queue.clone());
        RemoteNode { queue, stop }
    }
}

impl LocalNode {
    /// The head's session, as its answer to our greeting said.
    pub(crate) fn set_head_session(&self, session: u64) {
        let mut head = lock(&self.head);
        if head.as_ref().is_none_or(|(known, _)| *known != session)
            && let Some((_, former)) = head.replace((session, Arc::default()))
        {
            former.close();
        }
    }

    /// What the head has given us in this session; none if it is not the session that we know.
    pub(crate) fn head_source(&self, session: u64) -> Option<Arc<Source>> {
        lock(&self.head).as_ref().filter(|(known, _)| *known == session).map(|(_, source)| source.clone())
    }

    pub(crate) fn peer_source(&self, peer: NodeId) -> Arc<Source> {
        lock(&self.peers).entry(peer).or_default().clone()
    }
}

impl LocalHead {
    /// A node has connected.
    pub(crate) fn open(self: &Arc<Self>, ends: &Ends, node: NodeId, at: NodeAddress) -> (Arc<Source>, Connection) {
        let source = {
            let mut nodes = lock(&self.nodes);
            nodes.entry(node).or_insert_with(|| Joined { source: Arc::default(), link: None }).source.clone()
        };
        let connection = source.open(|| {
            let link = Arc::new(ends.link_to_node(Some(self), node, &at.address));
            if let Some(joined) = lock(&self.nodes).get_mut(&node) {
                joined.link = Some(link.stop.clone());
            }
            let link: Arc<dyn NodeLink> = link;
            self.inbox.joined(node, at, link);
        });
        (source, connection)
    }

    /// A node is gone. Says so once.
    pub(crate) fn lose(&self, node: NodeId, why: String) {
        let Some(joined) = lock(&self.nodes).remove(&node) else { return };
        joined.source.close();
        if let Some(link) = joined.link {
            link.cancel();
        }
        self.inbox.lost(node, why);
    }
}
