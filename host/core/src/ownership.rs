//! The node's machine: it owns the work that its guests submitted.
//!
//! It knows task specs, attempts, dependencies, who waits, references, where
//! objects are, and which leases it may use. Events go in, commands come out;
//! the node carries these out in order.
//!
//! ```text
//!  Submitted ─▶ arguments missing? ─▶ queue of its shape ─▶ slot of a lease ─▶ Run(order)
//!                     ▲                     │ none free: LeaseWanted               │
//!                     └── object settled ◀──┴──────────── Finished ◀───────────────┘
//! ```

mod actor;
mod ahead;
#[cfg(test)]
mod ahead_tests;
mod audit;
mod borrow;
mod cancel;
mod command;
mod compact;
mod construct;
mod copies;
#[cfg(test)]
mod copies_tests;
mod death;
mod event;
mod finished;
mod foreign;
mod group;
#[cfg(test)]
mod group_tests;
mod inherit;
mod lease;
mod lineage;
mod object;
mod peer;
#[cfg(test)]
mod peer_tests;
mod peers;
mod report;
mod rows;
mod tables;
mod task;
#[cfg(test)]
mod tests;
mod wait;
#[cfg(test)]
mod wait_tests;

use std::collections::{HashMap, VecDeque};

pub use borrow::for_head;
pub use command::{Command, Found, Input, Order, Stored, WaitResult};
pub use event::{Event, LostCopy, Outcome, Output, WaitFor, WaiterId};

pub use rows::TaskSnapshot;

use finished::Finished;
use slab::Slab;

use crate::message::Shape;
use crate::{ActorId, IdMap, IdSet, JobId, LeaseId, Millis, NodeId, ObjectId, TaskId};

/// The owner's machine of one node.
#[derive(Debug)]
pub struct Ownership {
    node: NodeId,
    /// What the ids of drivers here are made with.
    cluster: u64,
    tasks: IdMap<TaskId, task::Task>,
    objects: IdMap<ObjectId, object::Object>,
    /// How full the tables of tasks and objects were.
    peaks: tables::Peaks,
    /// Bytes of the values that are here: those of small objects, and arguments of unfinished tasks.
    small_bytes: u64,
    /// From how many of them on there is no room for more.
    small_bytes_max: u64,
    actors: IdMap<ActorId, actor::ActorEntry>,
    shapes: Slab<lease::ShapeQueue>,
    shape_index: HashMap<Shape, usize>,
    /// The shape that was looked for last.
    last_shape: usize,
    leases: IdMap<LeaseId, lease::Lease>,
    waiters: IdMap<WaiterId, wait::Waiter>,
    /// Tasks that failed by the head's word while they ran here, until they have ended.
    outlived: IdSet<TaskId>,
    /// Jobs that ended lately.
    ended_jobs: IdSet<JobId>,
    ended_in_order: VecDeque<JobId>,
    /// Objects that became ready or failed and whose waiters do not know yet.
    settled: VecDeque<object::Settled>,
    is_settling: bool,
    finished: Finished<rows::Past>,
    tally: Tally,
    /// Tasks taken in so far.
    turns: u64,
    /// Work that other nodes own and this one runs.
    foreign: IdMap<TaskId, foreign::Foreign>,
    /// Lives of actors whose constructor's arguments another node was asked for.
    constructing: IdMap<ActorId, (u32, NodeId)>,
    lineage: lineage::Lineage,
    groups: group::Groups,
    /// The other nodes, those left out that are dead.
    known: IdSet<NodeId>,
    /// Nodes that will never be heard again.
    dead: IdSet<NodeId>,
    /// Dead nodes whose tokens are void from then on, in the order of their death.
    void: VecDeque<(Millis, NodeId)>,
    /// Tokens of actors that are about to be created here, or that ended here a moment ago.
    lent_early: IdMap<ActorId, borrow::Far>,
    /// References to actors that are about to be created here.
    counted_early: IdMap<ActorId, Vec<(object::Count, u32)>>,
    /// Questions of owners about nodes that this one takes for alive.
    questions: Vec<inherit::Question>,
    /// Nodes that are to leave.
    draining: IdSet<NodeId>,
    /// Objects in this node's store that other nodes own.
    hosted: IdMap<ObjectId, NodeId>,
    /// Constructors that were asked for and whose arguments are not there.
    constructs: Vec<construct::Construct>,
    /// Tasks of a lease that end within so long of one another are short: on another node, and here.
    ahead_pause_max: (Millis, Millis),
}

/// How many tasks there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Submitted so far.
    pub submitted: u64,
    /// Of those, done.
    pub finished: u64,
    /// Of those, failed for good.
    pub failed: u64,
    /// Of those, sent to a worker and not over.
    pub running: u64,
}

impl Ownership {
    /// The machine of that node.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            cluster: 0,
            tasks: IdMap::default(),
            objects: IdMap::default(),
            peaks: tables::Peaks::default(),
            small_bytes: 0,
            small_bytes_max: u64::MAX,
            actors: IdMap::default(),
            shapes: Slab::new(),
            shape_index: HashMap::new(),
            last_shape: 0,
            leases: IdMap::default(),
            waiters: IdMap::default(),
            outlived: IdSet::default(),
            ended_jobs: IdSet::default(),
            ended_in_order: VecDeque::new(),
            settled: VecDeque::new(),
            is_settling: false,
            finished: Finished::new(),
            tally: Tally::default(),
            turns: 0,
            foreign: IdMap::default(),
            constructing: IdMap::default(),
            lineage: lineage::Lineage::default(),
            groups: group::Groups::default(),
            known: IdSet::default(),
            dead: IdSet::default(),
            void: VecDeque::new(),
            lent_early: IdMap::default(),
            counted_early: IdMap::default(),
            questions: Vec::new(),
            draining: IdSet::default(),
            hosted: IdMap::default(),
            constructs: Vec::new(),
            ahead_pause_max: (crate::limits::AHEAD_PAUSE_MAX_MS, crate::limits::AHEAD_HERE_PAUSE_MAX_MS),
        }
    }

    /// The same machine on a node where the ids of drivers are made with that number.
    #[must_use]
    pub const fn with_cluster(mut self, cluster: u64) -> Self {
        self.cluster = cluster;
        self
    }

    /// The same machine with so many bytes to remember finished tasks in that may have to run again.
    #[must_use]
    pub fn with_lineage(mut self, bytes_max: u64) -> Self {
        self.lineage.bytes_max = bytes_max;
        self
    }

    /// The same machine, which wants small values, arguments and references to have so many bytes here: with more of
    /// them, what tasks return that begin then goes to stores.
    #[must_use]
    pub const fn with_small(mut self, bytes_max: u64) -> Self {
        self.small_bytes_max = bytes_max;
        self
    }

    /// The same machine, which takes tasks for short that end within so many milliseconds of one another.
    #[must_use]
    pub const fn with_pause(mut self, pause_max: Millis) -> Self {
        self.ahead_pause_max = (pause_max, pause_max);
        self
    }

    /// Takes an event; what is to be done about it is appended to `out`, in order.
    pub fn handle(&mut self, event: Event, now: Millis, out: &mut Vec<Command>) {
        match event {
            Event::Submitted(spec) => self.submitted(spec, now, out),
            Event::Started { task, worker } => self.started(task, worker, now, out),
            Event::Finished { task, attempt, outcome } => self.finished(task, attempt, outcome, now, out),
            Event::Ran { task, attempt, worker, outcome } => self.ran(task, attempt, worker, outcome, now, out),
            Event::Put { object, output } => self.put(object, output, out),
            Event::Acquired(refs) => self.acquire(refs),
            Event::Released(refs) => self.release(refs, out),
            Event::WaitStarted { waiter, objects, wait, caller, poll } => {
                self.wait_started(waiter, objects, wait, caller, poll, out);
            }
            Event::WaitTimedOut(waiter) => self.wait_timed_out(waiter, out),
            Event::WaitAbandoned(waiter) => self.wait_abandoned(waiter),
            Event::GroupReady { group, object } => self.group_ready(group, object, out),
            Event::CopiesMissing(lost) => self.copies_missing(lost, now, out),
            Event::Copied { object, owner } => self.copied(object, owner, out),
            Event::Moved(object) => self.moved(object, out),
            Event::CopyDropped(object) => self.copy_dropped(object, out),
            Event::Recalled(tasks) => self.recalled(tasks, now, out),
            Event::CallDropped(task) => self.forget_foreign(task, out),
            Event::ConstructWanted { actor, incarnation, owner, missing } if owner == self.node => {
                self.construct_wanted(actor, incarnation, owner, missing, now, out);
            }
            Event::ConstructWanted { actor, incarnation, owner, missing } => {
                self.want_constructor(actor, incarnation, owner, missing, out);
            }
            Event::ConstructEnded(actor) => self.constructor_ended(actor, out),
            Event::FromPeer { from, message } => self.peer_said(from, *message, now, out),
            Event::Cancelled { object, recursive } => self.cancel(object, recursive, now, out),
            Event::JobEnded(job) => self.job_ended(job, now, out),
            Event::ActorCreated(spec) => self.actor_created(spec, now, out),
            Event::ActorKnown { spec, owner } => {
                self.meet(owner, out);
                self.actor_known(spec, owner, out);
            }
            Event::ActorTerminated { actor, submitter } => self.actor_terminated(actor, submitter, out),
            Event::CallsReturned { actor, tasks } => self.calls_returned(actor, tasks, now, out),
            Event::FromHead(message) => self.head_said(*message, now, out),
            Event::Tick => {
                self.return_idle(now, out);
                self.forget_empty_shapes(out);
                self.recall_old(out);
                self.void_dead(now, out);
                self.fit_tables();
            }
        }
        self.make_again(now, out);
        self.settle_all(now, out);
        self.answer_constructs(out);
    }

    /// How many tasks there were.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Tasks that are not over.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.tasks.len()
    }

    /// Bytes of the values that are here and in no store: those of small objects, and arguments of unfinished tasks.
    #[must_use]
    pub fn small_bytes(&self) -> u64 {
        self.small_bytes
    }

    /// Objects that are kept.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.objects.len()
    }
}
