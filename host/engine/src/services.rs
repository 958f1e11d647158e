//! What a node does for its guests: the trait that the host functions call.
//!
//! A host function checks a limit, calls one of these, converts the answer;
//! what is decided is decided behind this trait, where it can be tested
//! without Wasm.

mod group;

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rayw_core::{
    ActorId, ActorOptions, Arg, CallOptions, Children, Error, Execution, GroupId, NodeId, ObjectId, RefId, Strategy,
    TaskId, TaskOptions, TaskTerms, Value,
};

pub use group::GroupServices;

use crate::Backlog;

/// A boxed future: the slow answers of a node. One allocation beside a wait is nothing.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A task that was submitted, and how many objects it will make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// The task.
    pub task: TaskId,
    /// At most [`RETURNS_MAX`](rayw_core::limits::RETURNS_MAX).
    pub num_returns: u32,
}

impl Submitted {
    /// The objects, in order.
    pub fn objects(self) -> impl Iterator<Item = ObjectId> {
        (0..self.num_returns).map(move |index| self.task.output(index))
    }
}

/// Who is running, for every call that a guest makes. One for each attempt of a task. What all tasks of its function
/// have in common it derefs to: its job and component, its name, what it holds and how its node was chosen.
#[derive(Debug)]
pub struct Caller {
    /// The terms on which it runs; for a call, where its actor was placed.
    pub terms: Arc<TaskTerms>,
    /// The task: a driver, a task, a constructor or one call of an actor.
    pub task: TaskId,
    /// Who keeps the order of calls: the task, or for actors the creation task of the actor.
    pub submitter: TaskId,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// The node that runs it.
    pub node: NodeId,
    /// The instance that runs it, unique on its node.
    pub worker: u64,
    /// The actor, within one.
    pub actor: Option<ActorId>,
    /// Times that the actor was restarted.
    pub restarts: u32,
    /// Namespace of names.
    pub namespace: Arc<str>,
    /// Whether it is the driver of its job.
    pub is_driver: bool,
    /// Derives the ids of what it submits and puts.
    pub children: Mutex<Children>,
    /// Set when somebody wants it cancelled and its sandbox is not dropped for it.
    pub cancelled: AtomicBool,
    /// What it did that the node has not taken in yet. All calls of one life of an actor share one.
    pub backlog: Arc<Backlog>,
}

impl Deref for Caller {
    type Target = TaskTerms;

    fn deref(&self) -> &TaskTerms {
        &self.terms
    }
}

impl Caller {
    /// The first attempt of that task, which is no actor's; `worker` is 0.
    #[must_use]
    pub fn new(task: TaskId, terms: Arc<TaskTerms>, node: NodeId, namespace: Arc<str>, backlog: Arc<Backlog>) -> Self {
        Self {
            terms,
            task,
            submitter: task,
            attempt: 0,
            node,
            worker: 0,
            actor: None,
            restarts: 0,
            namespace,
            is_driver: false,
            children: Mutex::new(Children::new(task, Execution::default())),
            cancelled: AtomicBool::new(false),
            backlog,
        }
    }

    /// The placement group that it runs in.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        match self.placement.strategy {
            Strategy::Group { group, .. } => Some(group),
            Strategy::Default | Strategy::Spread | Strategy::NodeAffinity { .. } => None,
        }
    }
}

/// Which of a guest's outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a node does for its guests.
///
/// Every id that an answer carries comes with one reference counted for the
/// caller; the engine keeps it with the guest that got it, or in
/// [`Handles`](crate::Handles), whose drop gives it back through
/// [`release`](Self::release).
pub trait Services: GroupServices + Send + Sync + 'static {
    /// Submits a task; one id for each return.
    ///
    /// # Errors
    /// `UnknownFunction`, `InvalidArgument` or `LimitExceeded`.
    fn submit(&self, caller: &Caller, function: &str, args: Vec<Arg>, options: TaskOptions)
    -> Result<Submitted, Error>;

    /// The bytes of a value, copied out of a guest's memory. Those of a large one go where the node keeps memory for them.
    fn copied(&self, data: &[u8]) -> Bytes {
        Bytes::copy_from_slice(data)
    }

    /// Stores a value.
    ///
    /// # Errors
    /// `ObjectStoreFull` or `LimitExceeded`.
    fn put(&self, caller: &Caller, value: Value) -> Result<ObjectId, Error>;

    /// The values of all the objects, in order.
    ///
    /// # Errors
    /// The error of the first object that failed, or `GetTimeout`.
    fn get(
        &self,
        caller: Arc<Caller>,
        objects: Vec<ObjectId>,
        timeout: Option<Duration>,
    ) -> Answer<'_, Vec<Arc<Value>>>;

    /// The indices of at most `num_ready` ready objects, in order.
    ///
    /// # Errors
    /// `InvalidArgument` for duplicates and for a `num_ready` that cannot be.
    fn wait(
        &self,
        caller: Arc<Caller>,
        objects: Vec<ObjectId>,
        num_ready: u32,
        timeout: Option<Duration>,
        fetch_local: bool,
    ) -> Answer<'_, Vec<u32>>;

    /// Cancels the task that makes the object.
    ///
    /// # Errors
    /// `InvalidArgument` when an actor's call is to be cancelled by force.
    fn cancel(&self, caller: &Caller, object: ObjectId, force: bool, recursive: bool) -> Result<(), Error>;

    /// Creates an actor, or finds the one that has the name.
    ///
    /// # Errors
    /// `UnknownFunction`, `InvalidArgument`, `ActorAlreadyExists` or `LimitExceeded`.
    fn create_actor(
        &self,
        caller: Arc<Caller>,
        class: String,
        args: Vec<Arg>,
        options: ActorOptions,
    ) -> Answer<'_, ActorId>;

    /// Calls a method of an actor; one id for each return.
    ///
    /// # Errors
    /// `UnknownFunction`, `InvalidArgument`, `PendingCallsLimitExceeded` or `LimitExceeded`.
    fn call_actor(
        &self,
        caller: &Caller,
        actor: ActorId,
        method: &str,
        args: Vec<Arg>,
        options: CallOptions,
    ) -> Result<Submitted, Error>;

    /// The actor of that name, in the caller's namespace unless another is given.
    ///
    /// # Errors
    /// `ActorNotFound`.
    fn named_actor(&self, caller: Arc<Caller>, name: String, namespace: Option<String>) -> Answer<'_, ActorId>;

    /// The class of an actor, for people.
    fn actor_class(&self, caller: &Caller, actor: ActorId) -> Arc<str>;

    /// Ends an actor at once.
    fn kill_actor(&self, caller: &Caller, actor: ActorId, no_restart: bool);

    /// Ends an actor behind the calls that `caller` submitted so far.
    fn terminate_actor(&self, caller: &Caller, actor: ActorId);

    /// Counts one more reference to each, after all that `caller` did before; it makes sure that they are alive.
    fn acquire(&self, caller: &Caller, refs: &[RefId]);

    /// Counts one reference less to each, after all that `caller` did before.
    fn release(&self, caller: &Caller, refs: &[RefId]);

    /// Takes in what `caller` did so far.
    fn take_in(&self, caller: &Caller);

    /// A line of output, or with `ends` false a piece of one. What tasks print may be dropped and never
    /// blocks; what a driver prints is data: all of it arrives, and a reader that is slow slows it down.
    fn print(&self, caller: &Caller, output: Output, line: &str, ends: bool);
}
