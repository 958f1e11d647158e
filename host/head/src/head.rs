//! The head: an inbox, the machine, and links to the nodes.

use std::collections::{HashSet, VecDeque};
use std::future::ready;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use rayw_core::message::{FromHead, HeadLink, NodeLink, ToHead};
use rayw_core::scheduler::{Key, Outbox, Promises, Scheduler};
use rayw_core::{Error, ErrorKind, IdMap, JobId, Millis, NodeId, limits};
use rayw_proto::{BoxFuture, StateSource};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::blobs::Blobs;
use crate::journal::{Journal, Opened};
use crate::logs::Logs;

/// The head of a cluster.
///
/// Messages are queued by [`HeadLink::send`] and handled, in order, by
/// whoever calls [`HeadLink::flush`] first: on one machine a node's own thread
/// carries its wish through the machine and back without changing threads.
#[derive(Default)]
pub struct Head {
    inbox: Mutex<Inbox>,
    machine: Mutex<Scheduler>,
    nodes: RwLock<IdMap<NodeId, Attached>>,
    /// What outlives the head; none in an embedded cluster.
    journal: Option<Journal>,
    /// Messages that wait for the journal. Only touched under the machine's lock.
    promises: Mutex<Promises>,
    /// How many of the messages that came in are handled, and what they changed is safe.
    settled: watch::Sender<u64>,
    /// Components and working directories; none in an embedded cluster.
    pub(crate) blobs: Option<Blobs>,
    /// What jobs printed; none in an embedded cluster, whose jobs print to its terminal.
    pub(crate) logs: Option<Arc<Logs>>,
}

/// Messages that came in and wait to be handled.
#[derive(Default)]
struct Inbox {
    messages: VecDeque<ToHead>,
    /// How many came in so far.
    count: u64,
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

    /// A head that keeps its journal, components and logs in `folder`, and goes on with what an earlier
    /// one left there.
    ///
    /// # Errors
    /// When the folder cannot be used, another head uses it, or its journal cannot be read.
    pub fn open(folder: &Path) -> Result<Arc<Self>, Error> {
        std::fs::create_dir_all(folder).map_err(|error| {
            let message = format!("failed to make the head's folder `{}`", folder.display());
            Error::new(ErrorKind::OutOfDisk, message).caused_by(error)
        })?;
        let (opened, records) = Opened::open(folder.join("journal.redb"))?;
        let mut machine = Scheduler::restore(records);
        // Nobody is there to be told; nodes ask when they report.
        machine.begin(now(), &mut Outbox::new());
        // Before anything leaves: no lease of this life has the number of an earlier one's.
        opened.write(machine.take_changes().into_iter().map(|change| (change.key, change.record)))?;
        let logs = Arc::new(Logs::open(folder.join("logs"))?);
        machine.ended_jobs().for_each(|job| logs.end(job));
        let blobs = Blobs::open(folder.join("blobs"))?;
        let mut started = Ok(());
        let head = Arc::new_cyclic(|head: &Weak<Self>| {
            let head = Weak::clone(head);
            let made_safe = move || head.upgrade().iter().for_each(|head| head.keep_promises());
            let journal = opened.start(made_safe).map_err(|error| started = Err(error)).ok();
            Self { journal, blobs: Some(blobs), logs: Some(logs), machine: Mutex::new(machine), ..Self::default() }
        });
        started.map(|()| head)
    }

    /// Waits until the journal cannot be written any more, and says why: the head can promise nothing and
    /// has to end.
    pub async fn broken(&self) -> Error {
        match &self.journal {
            Some(journal) => journal.broken().await,
            None => std::future::pending().await,
        }
    }

    /// Whether a node was declared dead: nothing of it is heard any more.
    #[must_use]
    pub fn is_dead(&self, node: NodeId) -> bool {
        self.look(|machine| machine.is_dead(node))
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
        self.decide(|machine, _| machine.next_job())
    }

    /// Answers when all that came in so far is handled and what it changed is safe; at once where nothing
    /// is kept.
    pub fn settle(&self) -> BoxFuture<Result<(), Error>> {
        let Some(journal) = &self.journal else { return Box::pin(ready(Ok(()))) };
        let count = self.inbox().count;
        let (mut settled, broken) = (self.settled.subscribe(), journal.broken());
        Box::pin(async move {
            tokio::select! {
                _ = settled.wait_for(|settled| *settled >= count) => Ok(()),
                error = broken => Err(error),
            }
        })
    }

    /// Answers when all that was decided so far is safe.
    pub(crate) fn safe(&self) -> BoxFuture<Result<(), Error>> {
        match &self.journal {
            Some(journal) => Box::pin(journal.reached(journal.last())),
            None => Box::pin(ready(Ok(()))),
        }
    }

    /// Looks every [`limits::LEASE_QUANTUM`] whether time has changed something for those who wait.
    pub async fn keep_time(self: Arc<Self>, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(limits::LEASE_QUANTUM);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            self.decide(|machine, out| {
                if machine.is_waiting() {
                    machine.tick(now(), out);
                }
            });
        }
    }

    /// Removes components and working directories that no job needs any more, every [`limits::BLOB_SWEEP`].
    /// Apart from [`Self::keep_time`], whose ticks are not to wait for a disk.
    pub async fn keep_blobs(self: Arc<Self>, shutdown: CancellationToken) {
        let first = tokio::time::Instant::now() + limits::BLOB_SWEEP;
        let mut ticks = tokio::time::interval_at(first, limits::BLOB_SWEEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            self.sweep_blobs().await;
        }
    }

    async fn sweep_blobs(&self) {
        let Some(blobs) = self.blobs.clone() else { return };
        let named: HashSet<String> = self.look(|machine| machine.blobs().map(|digest| digest.to_string()).collect());
        let swept = tokio::task::spawn_blocking(move || blobs.sweep(&named, SystemTime::now())).await;
        match swept {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(removed)) => tracing::debug!("{removed} components and working directories of no job were removed"),
            Ok(Err(error)) => tracing::warn!(%error, "components of no job could not be removed"),
        }
    }

    fn machine(&self) -> MutexGuard<'_, Scheduler> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the machine.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Scheduler) -> T) -> T {
        let answer = look(&self.machine());
        // Whoever wanted to have a message handled meanwhile found the machine taken.
        self.flush();
        answer
    }

    /// Lets the machine decide something that no message asks for.
    pub(crate) fn decide<T>(&self, decide: impl FnOnce(&mut Scheduler, &mut Outbox) -> T) -> T {
        let mut machine = self.machine();
        let mut out = Outbox::new();
        let answer = decide(&mut machine, &mut out);
        self.carry_out(&mut machine, out);
        drop(machine);
        self.flush();
        answer
    }

    pub(crate) fn states(&self) -> Vec<Arc<dyn StateSource>> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.values().map(|node| Arc::clone(&node.state)).collect()
    }

    /// Takes what came in into an empty list; says how many messages came in so far. The inbox has the list's room from
    /// then on, or keeps its own when nothing came and that is larger.
    fn take_inbox(&self, messages: &mut VecDeque<ToHead>) -> u64 {
        let mut inbox = self.inbox();
        if !inbox.messages.is_empty() || inbox.messages.capacity() < messages.capacity() {
            std::mem::swap(&mut inbox.messages, messages);
        }
        inbox.count
    }

    /// Does what the machine said. Under its lock, so that no message overtakes another.
    fn carry_out(&self, machine: &mut Scheduler, out: Outbox) {
        let mut last = 0;
        if let Some(journal) = &self.journal {
            let changes = machine.take_changes();
            let forgotten = changes.iter().filter(|change| change.record.is_none());
            for change in forgotten {
                if let (Key::Job(job), Some(logs)) = (change.key, &self.logs) {
                    logs.delete(job);
                }
            }
            journal.push(changes);
            last = journal.last();
        }
        let safe = self.journal.as_ref().map_or(last, Journal::safe);
        let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        for (to, message) in out {
            // A job whose driver's node died ends here, not by a word of its node.
            if let (FromHead::JobEnded { job }, Some(logs)) = (&message, &self.logs) {
                logs.end(*job);
            }
            let Some(node) = nodes.get(&to) else { continue };
            if let Some(message) = promises.unless_held(to, message, last, safe) {
                node.link.deliver(message);
            }
        }
    }

    /// More of the journal is safe: what waited for it goes out.
    fn keep_promises(&self) {
        let machine = self.machine();
        if let Some(journal) = &self.journal {
            let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
            let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
            for (to, message) in promises.release(journal.safe()) {
                if let Some(node) = nodes.get(&to) {
                    node.link.deliver(message);
                }
            }
            self.settle_up_to(&mut promises, journal.safe());
        }
        drop(machine);
        self.flush();
    }

    /// So many messages are handled. Under the machine's lock.
    fn handled(&self, count: u64) {
        if let Some(journal) = &self.journal {
            let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
            promises.handled(count, journal.last());
            self.settle_up_to(&mut promises, journal.safe());
        }
    }

    fn settle_up_to(&self, promises: &mut Promises, safe: u64) {
        if let Some(count) = promises.settled(safe) {
            self.settled.send_replace(count);
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
        let mut inbox = self.inbox();
        inbox.messages.push_back(message);
        inbox.count += 1;
    }

    fn flush(&self) {
        // A node that is told something answers by `send` and `flush`; the inner `flush` finds the
        // machine taken and leaves its messages to this loop. The inbox is looked at again after the
        // machine is free, because somebody may have left a message in between.
        loop {
            let mut machine = match self.machine.try_lock() {
                Ok(machine) => machine,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            let mut messages = VecDeque::new();
            loop {
                let count = self.take_inbox(&mut messages);
                if messages.is_empty() {
                    break;
                }
                for message in messages.drain(..) {
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
                    self.carry_out(&mut machine, out);
                    if let Some(node) = lost {
                        self.nodes.write().unwrap_or_else(PoisonError::into_inner).remove(&node);
                    }
                    if let (Some(job), Some(logs)) = (ended, &self.logs) {
                        logs.end(job);
                    }
                }
                self.handled(count);
                messages.shrink_to(limits::INBOX_KEPT);
            }
            drop(machine);
            if self.inbox().messages.is_empty() {
                return;
            }
        }
    }
}

pub(crate) fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(elapsed.as_millis()).unwrap_or(Millis::MAX)
}
