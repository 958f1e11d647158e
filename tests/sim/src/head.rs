//! The head's process and the journal that outlives it: as in `host/head`, without the threads.
//!
//! ```text
//!  message ─▶ Scheduler ─▶ changes ─▶ waiting ──commit, a while later──▶ records ─▶ (another start)
//!                 └─▶ messages ─▶ Promises ┐               │
//!             acknowledgements ────────────┴── held until ─┘
//! ```
//!
//! A head that is killed loses what it decided since the last commit, and whatever waited for the next one.

use std::collections::{BTreeMap, VecDeque};

use rayw_core::message::ToHead;
use rayw_core::scheduler::{Key, Outbox, Promises, Record, Scheduler};
use rayw_core::{JobId, NodeId};

use crate::network::{Addr, Message, Packet};
use crate::scenario::MILLI;
use crate::world::{HEARTBEAT, Happening, QUANTUM, World};

/// How long a commit takes: mostly, and where the disk is slow.
const COMMIT: u64 = 8 * MILLI;
const COMMIT_SLOW: u64 = 150 * MILLI;

/// Records to be kept, or to be dropped.
type Changes = BTreeMap<Key, Option<Record>>;

/// The head's process.
#[derive(Debug)]
pub(crate) struct SimHead {
    pub(crate) session: u64,
    pub(crate) machine: Scheduler,
    /// When each node that is attached was heard.
    pub(crate) heard: BTreeMap<NodeId, u64>,
    promises: Promises,
    /// What changed since the commit under way began.
    waiting: Changes,
    /// The commit under way: how far the journal is when it is done.
    commit: Option<(u64, Changes)>,
    /// How far the journal was asked to be.
    last: u64,
    /// How far it is.
    safe: u64,
    /// Confirmations of what is not safe yet, in order.
    unsafe_acks: VecDeque<(u64, Packet)>,
}

impl SimHead {
    /// Whether all that was decided is safe.
    pub(crate) fn is_safe(&self) -> bool {
        self.safe == self.last
    }

    /// Begins a commit of all that waits, unless one is under way.
    fn begin_commit(&mut self) -> bool {
        if self.commit.is_some() || self.waiting.is_empty() {
            return false;
        }
        self.commit = Some((self.last, std::mem::take(&mut self.waiting)));
        true
    }
}

fn write(journal: &mut BTreeMap<Key, Record>, changes: Changes) {
    for (key, record) in changes {
        match record {
            Some(record) => drop(journal.insert(key, record)),
            None => drop(journal.remove(&key)),
        }
    }
}

impl World {
    /// Another start of the head, from what the journal has.
    pub(crate) fn start_head(&mut self) {
        self.heads_made += 1;
        let session = self.heads_made;
        let mut machine = Scheduler::restore(self.journal.values().cloned());
        // Nobody is there to be told; nodes ask when they report.
        machine.begin(self.millis(), &mut Outbox::new());
        let changes = machine.take_changes();
        write(&mut self.journal, changes.into_iter().map(|change| (change.key, change.record)).collect());
        self.head = Some(SimHead {
            session,
            machine,
            heard: BTreeMap::new(),
            promises: Promises::default(),
            waiting: BTreeMap::new(),
            commit: None,
            last: 0,
            safe: 0,
            unsafe_acks: VecDeque::new(),
        });
        self.after(QUANTUM, Happening::HeadTick(session));
        self.after(HEARTBEAT, Happening::Health(session));
        if self.scenario.has_head_node {
            self.start_node(0);
        }
    }

    /// The head's process is gone, and with it what was not in the journal. Whether a commit that was
    /// under way is whole, nobody knows before the journal is read.
    pub(crate) fn end_head(&mut self, pause: u64) {
        let Some(head) = self.head.take() else { return };
        if let Some((_, changes)) = head.commit
            && self.random.chance(50)
        {
            write(&mut self.journal, changes);
        }
        self.links.process_gone(Addr::Head);
        if self.scenario.has_head_node
            && let Some(node) = self.machines[0]
        {
            self.end_process(node);
        }
        self.after(pause, Happening::StartHead);
    }

    /// Lets the head's machine decide something, and does what it said.
    fn decide(&mut self, decide: impl FnOnce(&mut Scheduler, &mut Outbox)) {
        let Some(head) = &mut self.head else { return };
        let mut out = Outbox::new();
        decide(&mut head.machine, &mut out);
        let changes = head.machine.take_changes();
        if !changes.is_empty() {
            head.last += 1;
            head.waiting.extend(changes.into_iter().map(|change| (change.key, change.record)));
        }
        let session = head.session;
        let begins = head.begin_commit();
        let mut going = Vec::new();
        for (to, message) in out {
            if !head.heard.contains_key(&to) {
                continue;
            }
            going.push(match head.promises.unless_held(to, message.clone(), head.last, head.safe) {
                Some(message) => (to, message, true),
                None => (to, message, false),
            });
        }
        if begins {
            self.time_commit(session);
        }
        for (to, message, goes) in going {
            self.say(|| format!("head to {to}{}: {message:?}", if goes { "" } else { " once it is safe" }));
            if goes {
                self.links.push(Addr::Head, Addr::Node(to), Message::FromHead(message));
            }
        }
    }

    fn time_commit(&mut self, session: u64) {
        let longest = if self.random.chance(5) { COMMIT_SLOW } else { COMMIT };
        let long = self.random.between(MILLI / 10, longest);
        self.after(long, Happening::Committed(session));
    }

    /// The journal is further: what waited for that goes out.
    pub(crate) fn committed(&mut self, session: u64) {
        let Some(head) = self.head.as_mut().filter(|head| head.session == session) else { return };
        let Some((safe, changes)) = head.commit.take() else { return };
        write(&mut self.journal, changes);
        head.safe = safe;
        let begins = head.begin_commit();
        let mut released = head.promises.release(safe);
        released.retain(|(to, _)| head.heard.contains_key(to));
        let mut acks = Vec::new();
        while let Some((_, ack)) = head.unsafe_acks.pop_front_if(|(needs, _)| *needs <= safe) {
            acks.push(ack);
        }
        self.say(|| format!("the journal is at {safe}"));
        if begins {
            self.time_commit(session);
        }
        for (to, message) in released {
            self.say(|| format!("head to {to}, now safe: {message:?}"));
            self.links.push(Addr::Head, Addr::Node(to), Message::FromHead(message));
        }
        for ack in acks {
            self.links.confirmed(&ack);
            self.send(ack);
        }
    }

    /// Confirms what a node said, when what it changed is safe.
    pub(crate) fn confirm(&mut self, ack: Packet) {
        let Some(head) = &mut self.head else { return };
        if head.is_safe() {
            self.links.confirmed(&ack);
            return self.send(ack);
        }
        head.unsafe_acks.push_back((head.last, ack));
    }

    /// Tells the head's machine.
    pub(crate) fn tell_head(&mut self, message: ToHead) {
        let millis = self.millis();
        self.decide(|machine, out| machine.handle(message, millis, out));
    }

    /// The head looks whether time has changed something.
    pub(crate) fn tick_head(&mut self, session: u64) {
        let millis = self.millis();
        let Some(head) = self.head.as_ref().filter(|head| head.session == session) else { return };
        if head.machine.is_waiting() {
            self.decide(|machine, out| machine.tick(millis, out));
        }
        self.after(QUANTUM, Happening::HeadTick(session));
    }

    /// The head takes a node for dead.
    pub(crate) fn lose(&mut self, node: NodeId) {
        self.say(|| format!("the head takes {node} for dead"));
        crate::check::permit_death(&mut self.permitted);
        self.tell_head(ToHead::NodeLost { node, why: "it was not heard".to_owned() });
        if let Some(head) = &mut self.head {
            head.heard.remove(&node);
        }
        self.links.forget(Addr::Head, Addr::Node(node));
    }

    /// How the head's table has a job, when that is safe.
    pub(crate) fn safe_status(&self, job: JobId) -> Option<String> {
        let head = self.head.as_ref().filter(|head| head.is_safe())?;
        Some(head.machine.job_row(&job.to_string()).map_or_else(|| "UNKNOWN".to_owned(), |row| row.status))
    }
}
