//! Tasks: what is asked for, and the states that one goes through.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    ActorId, Amount, Arg, ComponentDigest, Error, ErrorKind, JobId, Placement, Resources, Strategy, TaskId, limits,
};

/// Another attempt: how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retries {
    /// At most that often.
    AtMost(u32),
    /// For ever.
    Unlimited,
}

impl Retries {
    /// From Ray's convention: -1 has no end, other negative numbers are wrong.
    ///
    /// # Errors
    /// `InvalidArgument` naming `option` when `count` is below -1.
    pub fn from_count(count: i32, option: &str) -> Result<Self, Error> {
        match u32::try_from(count) {
            Ok(count) => Ok(Self::AtMost(count)),
            Err(_) if count == -1 => Ok(Self::Unlimited),
            Err(_) => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("`{option}` is {count}: give 0 or more, or -1 for no end"),
            )),
        }
    }

    /// Whether one more is allowed after `used`.
    #[must_use]
    pub fn allows(self, used: u32) -> bool {
        match self {
            Self::AtMost(count) => used < count,
            Self::Unlimited => true,
        }
    }
}

/// Which errors of the task's own code are worth another attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RetryExceptions {
    /// None.
    #[default]
    No,
    /// All.
    All,
    /// Those whose type is listed.
    Only(Vec<String>),
}

impl RetryExceptions {
    /// Whether this error is one of them.
    #[must_use]
    pub fn covers(&self, error: &Error) -> bool {
        match self {
            Self::No => false,
            Self::All => true,
            Self::Only(types) => error.type_name.as_ref().is_some_and(|name| types.contains(name)),
        }
    }
}

/// Options of a task as somebody wrote them; what is absent comes from elsewhere.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskOptions {
    /// Name for people.
    pub name: Option<String>,
    /// Logical cpus.
    pub num_cpus: Option<f64>,
    /// Bytes, reserved and capped.
    pub memory: Option<u64>,
    /// Custom resources.
    pub resources: Vec<(String, f64)>,
    /// How many objects it returns.
    pub num_returns: Option<u32>,
    /// Attempts after a failure of the system; -1 for no end.
    pub max_retries: Option<i32>,
    /// Which errors of its own code are retried.
    pub retry_exceptions: Option<RetryExceptions>,
    /// Tasks that one instance may run; 0 for no end.
    pub max_calls: Option<u32>,
    /// Milliseconds that one attempt may run.
    pub timeout_ms: Option<u64>,
    /// How the node is chosen; the placement group of the submitter, where that captures, by default.
    pub strategy: Option<Strategy>,
    /// Labels that the node must have: key and Ray's selector, such as `in(a,b)`.
    pub label_selector: Vec<(String, String)>,
}

impl TaskOptions {
    /// These options, and `defaults` where they say nothing.
    #[must_use]
    pub fn or(self, defaults: &Self) -> Self {
        Self {
            name: self.name.or_else(|| defaults.name.clone()),
            num_cpus: self.num_cpus.or(defaults.num_cpus),
            memory: self.memory.or(defaults.memory),
            resources: or_list(self.resources, &defaults.resources),
            num_returns: self.num_returns.or(defaults.num_returns),
            max_retries: self.max_retries.or(defaults.max_retries),
            retry_exceptions: self.retry_exceptions.or_else(|| defaults.retry_exceptions.clone()),
            max_calls: self.max_calls.or(defaults.max_calls),
            timeout_ms: self.timeout_ms.or(defaults.timeout_ms),
            strategy: self.strategy.or_else(|| defaults.strategy.clone()),
            label_selector: or_list(self.label_selector, &defaults.label_selector),
        }
    }

    /// Nothing said at all: the common case, told apart cheaply.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

pub(crate) fn or_list<T: Clone>(list: Vec<T>, default: &[T]) -> Vec<T> {
    if list.is_empty() { default.to_vec() } else { list }
}

/// Options of one call of an actor's method.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallOptions {
    /// Name for people.
    pub name: Option<String>,
    /// How many objects it returns.
    pub num_returns: Option<u32>,
    /// Attempts after the actor failed under the call; -1 for no end.
    pub max_task_retries: Option<i32>,
    /// Which errors of its own code are retried.
    pub retry_exceptions: Option<RetryExceptions>,
    /// Milliseconds that one attempt may run.
    pub timeout_ms: Option<u64>,
}

impl CallOptions {
    /// Nothing said but how many objects it returns: the common case.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Self { name, num_returns: _, max_task_retries, retry_exceptions, timeout_ms } = self;
        name.is_none() && max_task_retries.is_none() && retry_exceptions.is_none() && timeout_ms.is_none()
    }

    /// These options, and `defaults` where they say nothing.
    #[must_use]
    pub fn or(self, defaults: &Self) -> Self {
        Self {
            name: self.name.or_else(|| defaults.name.clone()),
            num_returns: self.num_returns.or(defaults.num_returns),
            max_task_retries: self.max_task_retries.or(defaults.max_task_retries),
            retry_exceptions: self.retry_exceptions.or_else(|| defaults.retry_exceptions.clone()),
            timeout_ms: self.timeout_ms.or(defaults.timeout_ms),
        }
    }
}

/// Turns what was written into what is asked of a node.
///
/// # Errors
/// `InvalidArgument` when an amount is negative, not a number, smaller than a
/// ten-thousandth, or named like a resource that has an option of its own;
/// `LimitExceeded` for more than [`limits::CUSTOM_RESOURCES_MAX`] custom ones.
pub fn resources_of(
    num_cpus: Option<f64>,
    default_cpus: Amount,
    memory: Option<u64>,
    custom: &[(String, f64)],
) -> Result<Resources, Error> {
    if custom.len() > limits::CUSTOM_RESOURCES_MAX {
        let (count, max) = (custom.len(), limits::CUSTOM_RESOURCES_MAX);
        let message = format!("{count} custom resources are asked for, at most {max} are allowed");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let amount = |name: &str, units: f64| {
        Amount::from_units(units).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("`{name}` is {units}: give 0, or 0.0001 and more, in steps of 0.0001"),
            )
        })
    };
    let cpu = num_cpus.map_or(Ok(default_cpus), |units| amount("num_cpus", units))?;
    let mut resources = Resources::cpus(cpu).with_memory(memory.unwrap_or(0));
    for (name, units) in custom {
        check_name("a custom resource", name)?;
        if matches!(name.as_str(), "CPU" | "memory" | "object_store_memory") {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("`{name}` is not a custom resource: use `num_cpus` or `memory`"),
            ));
        }
        resources = resources.with_custom(name, amount(name, *units)?);
    }
    Ok(resources)
}

/// Refuses names that are longer than anybody reads.
///
/// # Errors
/// `LimitExceeded` for one of more than [`limits::NAME_BYTES_MAX`] bytes.
pub fn check_name(of: &str, name: &str) -> Result<(), Error> {
    if name.len() <= limits::NAME_BYTES_MAX {
        return Ok(());
    }
    let (bytes, max) = (name.len(), limits::NAME_BYTES_MAX);
    Err(Error::new(ErrorKind::LimitExceeded, format!("the name of {of} has {bytes} bytes, at most {max} are allowed")))
}

/// What kind of work a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskKind {
    /// A function, in an instance of its own.
    Normal,
    /// The driver of a job.
    Driver,
    /// The constructor of an actor.
    ActorCreation,
    /// A method of an actor.
    ActorCall {
        /// The actor.
        actor: ActorId,
    },
}

impl TaskKind {
    /// Ray's name of the kind.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Normal => "NORMAL_TASK",
            Self::Driver => "DRIVER_TASK",
            Self::ActorCreation => "ACTOR_CREATION_TASK",
            Self::ActorCall { .. } => "ACTOR_TASK",
        }
    }
}

/// A task, all settled: nothing is left to ask back. What it shares with others reads as its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Its id.
    pub id: TaskId,
    /// The task that submitted it.
    pub parent: TaskId,
    /// Who keeps the order of its actor calls: the parent, or for actors their creation task.
    pub submitter: TaskId,
    /// What kind of work it is.
    pub kind: TaskKind,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// What it has in common with others of its function.
    pub terms: Arc<TaskTerms>,
}

/// What all tasks of one function have in common that one job submits with the same options. There may be a million
/// tasks of it: it is settled once, and each has a pointer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskTerms {
    /// The job.
    pub job: JobId,
    /// The component that holds the code.
    pub component: ComponentDigest,
    /// The function, or `Class.method`, or `Class.new`.
    pub function: Arc<str>,
    /// Name for people.
    pub name: Arc<str>,
    /// How many objects it returns.
    pub num_returns: u32,
    /// What it needs to run.
    pub resources: Arc<Resources>,
    /// Where it may run.
    pub placement: Arc<Placement>,
    /// Attempts after failures of the system.
    pub max_retries: Retries,
    /// Errors of its own code that use up these attempts too.
    pub retry_exceptions: RetryExceptions,
    /// Tasks that one instance may run; 0 for no end.
    pub max_calls: u32,
    /// How long one attempt may run.
    pub timeout: Option<Duration>,
}

impl TaskTerms {
    /// Terms without anything out of the ordinary: one return, no resources, any node, no attempt after the first,
    /// one task an instance, no limit in time.
    #[must_use]
    pub fn new(job: JobId, component: ComponentDigest, function: Arc<str>) -> Self {
        Self {
            job,
            component,
            name: Arc::clone(&function),
            function,
            num_returns: 1,
            resources: Arc::default(),
            placement: Arc::default(),
            max_retries: Retries::AtMost(0),
            retry_exceptions: RetryExceptions::No,
            max_calls: 1,
            timeout: None,
        }
    }

    /// The same for who only remembers: lists that a guest may make long, and nobody looks at when the task is over,
    /// are left out.
    pub(crate) fn without_extras(self: &Arc<Self>) -> Arc<Self> {
        let has_extras =
            matches!(self.retry_exceptions, RetryExceptions::Only(_)) || !self.placement.selector.is_empty();
        if !has_extras {
            return Arc::clone(self);
        }
        let (retry_exceptions, placement) = (RetryExceptions::No, Arc::default());
        Arc::new(Self { retry_exceptions, placement, ..self.as_ref().clone() })
    }
}

impl Deref for TaskSpec {
    type Target = TaskTerms;

    fn deref(&self) -> &TaskTerms {
        &self.terms
    }
}

/// The most memory that the instance of something that holds these may have, in bytes.
#[must_use]
pub fn memory_cap(resources: &Resources) -> u64 {
    if resources.memory > 0 { resources.memory } else { limits::INSTANCE_MEMORY_BYTES_DEFAULT }
}

impl TaskSpec {
    /// The same task on other terms.
    #[must_use]
    pub fn with_terms(mut self, change: impl FnOnce(&mut TaskTerms)) -> Self {
        change(Arc::make_mut(&mut self.terms));
        self
    }

    /// The most memory that its instance may have, in bytes.
    #[must_use]
    pub fn memory_cap(&self) -> u64 {
        memory_cap(&self.resources)
    }

    /// Name and id, as an error's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{} ({})", self.name, self.id)
    }
}

/// Where a task is. The names are Ray's.
///
/// ```text
/// PENDING_ARGS_AVAIL → PENDING_NODE_ASSIGNMENT → SUBMITTED_TO_WORKER → RUNNING ⇄ RUNNING_IN_RAY_GET
///         ↑                                                               │        RUNNING_IN_RAY_WAIT
///         └──────────────────────────── another attempt ──────────────────┴→ FINISHED | FAILED
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskState {
    /// An argument is not there yet.
    PendingArgsAvail,
    /// Waits for a slot on a node.
    PendingNodeAssignment,
    /// Sent to a worker or waiting in an actor's mailbox.
    SubmittedToWorker,
    /// Runs.
    Running,
    /// Blocked in `get`; its cpu is free for others.
    RunningInRayGet,
    /// Blocked in `wait`; its cpu is free for others.
    RunningInRayWait,
    /// Done.
    Finished,
    /// Failed for good.
    Failed,
}

impl TaskState {
    /// Ray's name of the state.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PendingArgsAvail => "PENDING_ARGS_AVAIL",
            Self::PendingNodeAssignment => "PENDING_NODE_ASSIGNMENT",
            Self::SubmittedToWorker => "SUBMITTED_TO_WORKER",
            Self::Running => "RUNNING",
            Self::RunningInRayGet => "RUNNING_IN_RAY_GET",
            Self::RunningInRayWait => "RUNNING_IN_RAY_WAIT",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
        }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_limit() {
        let name = "n".repeat(limits::NAME_BYTES_MAX);
        assert!(check_name("an actor", &name).is_ok());
        let error = check_name("an actor", &format!("{name}n")).unwrap_err();
        assert_eq!(error.message, "the name of an actor has 1025 bytes, at most 1024 are allowed");
        assert!(resources_of(None, Amount::ZERO, None, &[(format!("{name}n"), 1.0)]).is_err());
    }
}
