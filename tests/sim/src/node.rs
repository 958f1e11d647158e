//! A node around its owner's machine: what it keeps, and the work that runs on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use rayw_core::message::{RequestId, ToHead};
use rayw_core::ownership::{Event, Input, LostCopy, Order, Ownership, Stored, WaitResult, WaiterId};
use rayw_core::{
    ActorId, ActorSpec, Children, Codec, Error, Execution, IdMap, JobId, JobSpec, Labels, NodeId, ObjectId, RefId,
    Resources, TaskId, TaskKind, Value,
};

use crate::guest::{Guest, Reference, Val};

impl Reference for RefId {
    fn is_actor(&self) -> bool {
        matches!(self, Self::Actor(_))
    }
}

/// Values with more bytes go to a store. Small, so that nothing is copied for nothing.
pub const INLINE_BYTES: usize = 8;

/// Names a piece of work on its node.
pub type WorkId = u64;

/// A process of a node.
#[derive(Debug)]
pub struct SimNode {
    /// Its id: that of one life of a machine.
    pub id: NodeId,
    /// Which machine.
    pub machine: usize,
    /// What it has.
    pub total: Resources,
    /// Its labels.
    pub labels: Labels,
    /// The machine under test.
    pub ownership: Ownership,
    /// Large objects.
    pub store: BTreeMap<ObjectId, Arc<Value>>,
    /// Tasks that a worker has.
    pub running: BTreeMap<TaskId, Run>,
    /// The orders of those that follow others.
    pub behind: BTreeMap<TaskId, Order>,
    /// What the machine was not told yet of a worker's tasks, by the work that the worker is at: it goes from one
    /// to the next before it says so. With the work that is over by that.
    pub untold: BTreeMap<WorkId, Vec<(Event, Option<WorkId>)>>,
    /// Actors that live here.
    pub mailboxes: BTreeMap<ActorId, Mailbox>,
    /// All that runs.
    pub work: BTreeMap<WorkId, Work>,
    /// The number of the next piece of work.
    pub next_work: WorkId,
    /// Who waits.
    pub waiters: BTreeMap<u64, WorkId>,
    /// The number of the next wait.
    pub next_waiter: u64,
    /// Open questions to the head, and who asked while they are there: a question outlives its asker, as the head
    /// may have done by then what it asks for.
    pub asked: BTreeMap<RequestId, (ToHead, Option<WorkId>)>,
    /// The number of the next question.
    pub next_request: u64,
    /// Constructors that another node was asked for.
    pub constructors: BTreeMap<(ActorId, u32), WorkId>,
    /// Jobs that are known here, and whether the head has said that they are over.
    pub jobs: BTreeMap<JobId, bool>,
    /// Who waits for a job to become known.
    pub jobs_asked: BTreeMap<JobId, Vec<WorkId>>,
    /// Drivers that run here.
    pub drivers: BTreeMap<JobId, (Arc<JobSpec>, WorkId)>,
    /// Nodes that will never be heard again.
    pub dead: BTreeSet<NodeId>,
    /// What guests hold.
    pub handles: IdMap<RefId, u32>,
    /// The start of the head that it has greeted.
    pub head: Option<u64>,
}

/// A task that a worker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Not begun.
    Queued,
    /// Not begun, and it shall not.
    Unwanted,
    /// Not begun: it follows that task.
    Behind(TaskId),
    /// Begun.
    Begun(WorkId),
}

/// What an actor has to do.
#[derive(Debug)]
pub struct Mailbox {
    /// Which life.
    pub incarnation: u32,
    /// Its job.
    pub job: JobId,
    /// What waits.
    pub letters: VecDeque<Letter>,
    /// The life.
    pub work: WorkId,
    /// Why it is stopped, and whether it may live again.
    pub stop: Option<(Error, bool)>,
    /// Its constructor has run.
    pub is_ready: bool,
    /// Calls that are not wanted any more.
    pub unwanted: BTreeSet<TaskId>,
}

/// Something in a mailbox.
#[derive(Debug)]
pub enum Letter {
    /// A call.
    Call(Order),
    /// The end.
    Stop(Error),
}

/// A piece of work: a task, the life of an actor, or a driver.
#[derive(Debug)]
pub struct Work {
    /// What it is.
    pub role: Role,
    /// Where it is.
    pub stage: Stage,
    /// The program that runs.
    pub guest: Option<Guest<RefId>>,
    /// What the program holds.
    pub held: Vec<RefId>,
    /// What the actor holds.
    pub kept: Vec<RefId>,
    /// Derives the ids of what the running task submits and puts.
    pub children: Children,
    /// Somebody stopped it.
    pub is_stopped: bool,
    /// The job's group.
    pub group: Option<rayw_core::GroupId>,
}

/// What a piece of work is.
#[derive(Debug, Clone)]
pub enum Role {
    /// A task.
    Task(Order),
    /// An actor's life, and the call that runs.
    Life {
        /// The actor.
        spec: Arc<ActorSpec>,
        /// Which life.
        incarnation: u32,
        /// Who has the constructor's arguments.
        owner: NodeId,
        /// The arguments, for a detached actor.
        inputs: Option<Vec<Value>>,
        /// The call.
        call: Option<Order>,
    },
    /// A driver.
    Driver(Arc<JobSpec>),
}

/// Where a piece of work is.
#[derive(Debug)]
pub enum Stage {
    /// Not begun.
    Begin,
    /// Waits for the head to say what its job is.
    Job,
    /// Waits for the constructor's arguments.
    Arguments,
    /// Arguments are brought here: what is left, what there is, what could not be had.
    Inputs(VecDeque<Input>, Vec<Arc<Value>>, Vec<LostCopy>),
    /// The program goes on, with values or with an error or with new references.
    Ready(Ready),
    /// Waits for objects.
    Waiting(WaiterId, Vec<ObjectId>, bool),
    /// A wait is over.
    Woken(Vec<ObjectId>, bool, WaitResult),
    /// Found objects are brought here: all of them, the next one, what there is, what could not be had.
    Found(Vec<ObjectId>, VecDeque<Input>, Vec<Arc<Value>>, Vec<LostCopy>),
    /// Waits for an answer of the head.
    Asked,
    /// An actor without a call.
    Idle,
    /// A task that has ended, of which the machine does not know yet.
    Over,
}

/// How a program goes on.
#[derive(Debug, Clone)]
pub enum Ready {
    /// Nothing to say.
    Nothing,
    /// New references, held already.
    Refs(Vec<RefId>),
    /// Values.
    Values(Vec<Arc<Value>>),
    /// An error.
    Failed(Error),
    /// The first step of a program with these inputs.
    Start(Vec<Arc<Value>>),
}

impl Role {
    /// The task that runs, and its attempt.
    fn task(&self) -> (TaskId, u32) {
        match self {
            Self::Task(order) | Self::Life { call: Some(order), .. } => (order.spec.id, order.attempt),
            Self::Life { spec, .. } => (spec.creation.id, 0),
            Self::Driver(spec) => (spec.id.driver(1), 0),
        }
    }

    /// What it makes, before it makes anything.
    pub(crate) fn children(&self) -> Children {
        let (task, number) = self.task();
        let restarts = if let Self::Life { incarnation, .. } = self { *incarnation } else { 0 };
        Children::new(task, Execution { restarts, number })
    }
}

impl Work {
    /// The task that runs.
    pub(crate) fn task(&self) -> TaskId {
        self.role.task().0
    }

    /// Who keeps the order of its calls.
    pub(crate) fn submitter(&self) -> TaskId {
        match &self.role {
            Role::Life { spec, .. } => spec.creation.id,
            Role::Task(_) | Role::Driver(_) => self.task(),
        }
    }

    /// Its job.
    pub(crate) fn job(&self) -> JobId {
        match &self.role {
            Role::Task(order) => order.spec.job,
            Role::Life { call: Some(order), .. } if matches!(order.spec.kind, TaskKind::ActorCall { .. }) => {
                order.spec.job
            }
            Role::Life { spec, .. } => spec.creation.job,
            Role::Driver(spec) => spec.id,
        }
    }
}

/// In the simulation, whose tasks take milliseconds, all but the longest count as short, so that orders are
/// sent ahead as often as can be.
const EAGER_PAUSE: u64 = 200;

impl SimNode {
    /// A node that begins.
    #[must_use]
    pub fn new(id: NodeId, machine: usize, total: Resources, labels: Labels) -> Self {
        Self {
            id,
            machine,
            total,
            labels,
            ownership: Ownership::new(id).with_pause(EAGER_PAUSE),
            store: BTreeMap::new(),
            running: BTreeMap::new(),
            behind: BTreeMap::new(),
            untold: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            work: BTreeMap::new(),
            next_work: 0,
            waiters: BTreeMap::new(),
            next_waiter: 0,
            asked: BTreeMap::new(),
            next_request: 0,
            constructors: BTreeMap::new(),
            jobs: BTreeMap::new(),
            jobs_asked: BTreeMap::new(),
            drivers: BTreeMap::new(),
            dead: BTreeSet::new(),
            handles: IdMap::default(),
            head: None,
        }
    }

    /// Takes a piece of work in.
    pub fn begin(&mut self, role: Role) -> WorkId {
        self.next_work += 1;
        let work = Work {
            children: role.children(),
            role,
            stage: Stage::Begin,
            guest: None,
            held: Vec::new(),
            kept: Vec::new(),
            is_stopped: false,
            group: None,
        };
        self.work.insert(self.next_work, work);
        self.next_work
    }

    /// Takes an order out that was to run behind another one; those behind it close up.
    pub fn take_behind(&mut self, task: TaskId) -> Option<Order> {
        let order = self.behind.remove(&task)?;
        if let Some(Run::Behind(before)) = self.running.remove(&task) {
            let next = self.running.values_mut().filter(|run| **run == Run::Behind(task));
            next.for_each(|run| *run = Run::Behind(before));
        }
        Some(order)
    }

    /// The task that follows one that has ended or blocked.
    #[must_use]
    pub fn next_behind(&self, task: TaskId) -> Option<TaskId> {
        let next = self.running.iter().find(|(_, run)| **run == Run::Behind(task));
        next.map(|(next, _)| *next)
    }

    /// A guest holds one reference more.
    pub fn hold(&mut self, id: RefId) {
        *self.handles.entry(id).or_default() += 1;
    }

    /// A guest holds one reference less.
    pub fn unhold(&mut self, id: RefId) {
        if let Some(count) = self.handles.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.handles.remove(&id);
            }
        }
    }

    /// What is left of it, when nothing should be.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let mut left = self.ownership.leftovers();
        left.extend(self.store.keys().map(|object| format!("object {object} in the store")));
        left.extend(self.running.iter().map(|(task, run)| format!("task {task} at a worker: {run:?}")));
        left.extend(self.untold.values().flatten().map(|(event, _)| format!("the machine was not told of {event:?}")));
        left.extend(self.mailboxes.keys().map(|actor| format!("actor {actor} lives")));
        left.extend(self.work.values().map(|work| format!("work {:?} at {:?}", work.role, work.stage)));
        left.extend(self.asked.values().map(|(question, _)| format!("question {question:?}")));
        left
    }
}

/// A value of a program as bytes.
#[must_use]
pub fn encode(value: &Val<RefId>) -> Value {
    let repeat = if value.is_large { 3 } else { 1 };
    let data: Vec<u8> = value.num.to_be_bytes().repeat(repeat);
    Value { codec: Codec::Raw, data: Bytes::from(data), refs: value.refs.clone() }
}

/// And back.
#[must_use]
pub fn decode(value: &Value) -> Val<RefId> {
    let num = value.data.iter().take(8).fold(0_u64, |num, byte| (num << 8) | u64::from(*byte));
    Val { num, refs: value.refs.clone(), is_large: value.data.len() > INLINE_BYTES }
}

/// The object of an input that is in stores.
#[must_use]
pub fn stored_of(input: &Input) -> Option<&Stored> {
    match input {
        Input::Stored(stored) => Some(stored),
        Input::Inline(_) => None,
    }
}
