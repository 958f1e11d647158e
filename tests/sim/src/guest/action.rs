//! What a program wants done, and what comes of it.

use super::code::Code;

/// Something that a program can refer to: an object or an actor.
pub trait Reference: Clone {
    /// Whether it is an actor.
    fn is_actor(&self) -> bool;
}

/// A value: a number and references.
#[derive(Debug, Clone)]
pub struct Val<R> {
    /// What it says.
    pub num: u64,
    /// What it refers to.
    pub refs: Vec<R>,
    /// Whether it goes to a store.
    pub is_large: bool,
}

/// An argument of a task or a call.
#[derive(Debug, Clone)]
pub enum Argument<R> {
    /// The value of an object.
    Object(R),
    /// A value.
    Value(Val<R>),
}

/// Where a piece of work is to run. Numbers are machines, not nodes: who submits says which node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Anywhere.
    Default,
    /// Spread.
    Spread,
    /// On that machine.
    On(usize, bool),
    /// Where the label `zone` is this.
    Zone(usize),
    /// In the job's group, in that bundle.
    Group(Option<u32>),
}

/// How a task is submitted.
#[derive(Debug, Clone, Copy)]
pub struct TaskWish {
    /// Ten-thousandths of a cpu.
    pub cpu: u64,
    /// Memory, and a custom resource.
    pub memory: u64,
    /// A custom resource.
    pub gpu: bool,
    /// Where.
    pub place: Place,
    /// `max_retries`.
    pub retries: u32,
    /// Whether errors of its own are retried.
    pub retry_exceptions: bool,
    /// `num_returns`.
    pub returns: u32,
}

/// How an actor is created.
#[derive(Debug, Clone, Copy)]
pub struct ActorWish {
    /// `max_restarts`.
    pub restarts: u32,
    /// `max_task_retries`.
    pub task_retries: u32,
    /// Its name, for one that is taken if there is one.
    pub name: Option<usize>,
    /// Whether it outlives its job.
    pub detached: bool,
    /// Whether it holds a custom resource.
    pub holds: bool,
    /// Calls start when their arguments are there.
    pub out_of_order: bool,
    /// Where.
    pub place: Place,
}

/// What a program wants done.
#[derive(Debug, Clone)]
pub enum Action<R> {
    /// Time passes, in microseconds.
    Compute(u64),
    /// Make an object.
    Put(Val<R>),
    /// Submit a task.
    Submit(Code, Vec<Argument<R>>, TaskWish),
    /// Create an actor.
    Create(Code, Vec<Argument<R>>, ActorWish),
    /// Call an actor.
    Call(R, Code, Vec<Argument<R>>),
    /// The values of objects.
    Get(Vec<R>),
    /// Wait for so many of them, perhaps for no longer than this many milliseconds.
    Wait(Vec<R>, u32, Option<u64>),
    /// Drop a reference.
    Drop(R),
    /// Cancel the task of an object, with its children or without, and drop the reference.
    Cancel(R, bool),
    /// Kill an actor, for good or not, and drop the reference.
    Kill(R, bool),
    /// Let an actor end behind the calls so far, and drop the reference.
    Terminate(R),
    /// Reserve a placement group.
    Reserve(usize, u32),
    /// Remove it.
    Unreserve,
    /// Return these values; those of a method, which keeps references or gives them out, too.
    Return(Vec<Val<R>>),
    /// Fail with an error of that kind; `None` for the failure that the seed wants.
    Fail(Option<&'static str>),
}

/// What came of an action.
#[derive(Debug, Clone)]
pub enum Answer<R> {
    /// Nothing to say.
    Nothing,
    /// New references.
    Refs(Vec<R>),
    /// Values; their references are held now.
    Values(Vec<Val<R>>),
    /// An error of that kind.
    Failed(&'static str),
}
