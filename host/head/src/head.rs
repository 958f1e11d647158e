//! The head: an inbox, the machine, and links to the nodes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rayw_core::message::{HeadLink, NodeLink, ToHead};
use rayw_core::scheduler::{Outbox, Scheduler};
use rayw_core::{IdMap, JobId, Millis, NodeId, limits};
use rayw_proto::StateSource;
use tokio_util::sync::CancellationToken;

/// The head of a cluster.
///
/// Messages are queued by [`HeadLink::send`] and handled, in order, by
/// whoever calls [`HeadLink::flush`] first: on one machine a node's own thread
/// carries its wish through the machine and back without changing threads.
#[derive(Default)]
pub struct Head {
    inbox: Mutex<VecDeque<ToHead>>,
    machine: Mutex<Scheduler>,
    nodes: RwLock<IdMap<NodeId, Attached>>,
    jobs: AtomicU32,
}

/// A node as the head reaches it.
#[derive(Clone)]
struct Attached {
    link: Arc<dyn NodeLink>,
    state: Arc<dyn StateSource>,
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head").finish_non_exhaustive()
    }
}

impl Head {
    /// A head without nodes.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Takes a node in.
    ///
    /// What it has comes as a message of its own ([`ToHead::NodeJoined`]).
    pub fn attach(&self, node: NodeId, link: Arc<dyn NodeLink>, state: Arc<dyn StateSource>) {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).insert(node, Attached { link, state });
    }

    /// Lets all nodes go; what they still send is taken in and answered by nobody.
    pub fn detach_all(&self) {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A number for a new job.
    pub fn next_job(&self) -> JobId {
        JobId::numbered(self.jobs.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Looks every [`limits::LEASE_QUANTUM`] whether time has changed something for those who wait.
    pub async fn keep_time(self: Arc<Self>, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(limits::LEASE_QUANTUM);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let mut machine = self.machine();
            if machine.is_waiting() {
                let mut out = Outbox::new();
                machine.tick(now(), &mut out);
                self.deliver(out);
                drop(machine);
                self.flush();
            }
        }
    }

    pub(crate) fn machine(&self) -> MutexGuard<'_, Scheduler> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn states(&self) -> Vec<Arc<dyn StateSource>> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.values().map(|node| Arc::clone(&node.state)).collect()
    }

    fn take_inbox(&self) -> VecDeque<ToHead> {
        std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Delivers under the machine's lock, so that no message overtakes another.
    fn deliver(&self, out: Outbox) {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        for (to, message) in out {
            if let Some(node) = nodes.get(&to) {
                node.link.deliver(message);
            }
        }
    }
}

impl HeadLink for Head {
    fn send(&self, message: ToHead) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).push_back(message);
    }

    fn flush(&self) {
        // A node that is told something answers by `send` and `flush`; the inner `flush` finds the
        // machine taken and leaves its messages to this loop. The inbox is looked at again after the
        // machine is free, because somebody may have left a message in between.
        loop {
            let Ok(mut machine) = self.machine.try_lock() else { return };
            loop {
                let messages = self.take_inbox();
                if messages.is_empty() {
                    break;
                }
                for message in messages {
                    let mut out = Outbox::new();
                    machine.handle(message, now(), &mut out);
                    self.deliver(out);
                }
            }
            drop(machine);
            if self.inbox.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
        }
    }
}

fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(elapsed.as_millis()).unwrap_or(Millis::MAX)
}
