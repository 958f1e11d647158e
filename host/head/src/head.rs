//! The head: an inbox, the machine, and links to the nodes.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rayw_core::message::{FromHead, HeadLink, NodeLink, ToHead};
use rayw_core::scheduler::{Outbox, Scheduler};
use rayw_core::{Error, IdMap, JobId, Millis, NodeId, limits};
use rayw_proto::StateSource;
use tokio_util::sync::CancellationToken;

use crate::blobs::Blobs;
use crate::logs::Logs;

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
    /// Components and working directories; none in an embedded cluster.
    pub(crate) blobs: Option<Blobs>,
    /// What jobs printed; none in an embedded cluster, whose jobs print to its terminal.
    pub(crate) logs: Option<Arc<Logs>>,
    /// Names that jobs were submitted under.
    pub(crate) submissions: Mutex<HashSet<String>>,
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

    /// A head that keeps components and logs in `folder`.
    ///
    /// # Errors
    /// `OutOfDisk` when the folder cannot be used.
    pub fn open(folder: &Path) -> Result<Arc<Self>, Error> {
        let blobs = Some(Blobs::open(folder.join("blobs"))?);
        let logs = Some(Arc::new(Logs::open(folder.join("logs"))?));
        Ok(Arc::new(Self { blobs, logs, ..Self::default() }))
    }

    /// Whether a node was declared dead: nothing of it is heard any more.
    #[must_use]
    pub fn is_dead(&self, node: NodeId) -> bool {
        self.machine().is_dead(node)
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
            // A job whose driver's node died ends here, not by a word of its node.
            if let (FromHead::JobEnded { job }, Some(logs)) = (&message, &self.logs) {
                logs.end(*job);
            }
            if let Some(node) = nodes.get(&to) {
                node.link.deliver(message);
            }
        }
    }
}

impl HeadLink for Head {
    fn send(&self, message: ToHead) {
        if let ToHead::Printed { job, lines } = &message {
            if let Some(logs) = &self.logs {
                logs.append(*job, lines);
            }
            return;
        }
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
                    let lost = match &message {
                        ToHead::NodeLost { node, .. } => Some(*node),
                        _ => None,
                    };
                    let ended = match &message {
                        ToHead::JobEnded { job, .. } => Some(*job),
                        _ => None,
                    };
                    let mut out = Outbox::new();
                    machine.handle(message, now(), &mut out);
                    self.deliver(out);
                    if let Some(node) = lost {
                        self.nodes.write().unwrap_or_else(PoisonError::into_inner).remove(&node);
                    }
                    if let (Some(job), Some(logs)) = (ended, &self.logs) {
                        logs.end(job);
                    }
                }
            }
            drop(machine);
            if self.inbox.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
        }
    }
}

pub(crate) fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(elapsed.as_millis()).unwrap_or(Millis::MAX)
}
