//! The error that takes the place of a value, travels between nodes and is
//! shown to people.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use crate::GroupId;

/// What went wrong, sorted so that a caller can decide what to do.
///
/// Each kind but the last few is the counterpart of a Ray exception, named beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorKind {
    /// The task's own code returned an error (`RayTaskError`).
    TaskError,
    /// The task's own code panicked (`RayTaskError`).
    TaskPanicked,
    /// `TaskCancelledError`.
    TaskCancelled,
    /// The task ran longer than its time-out.
    TaskTimeout,
    /// `GetTimeoutError`.
    GetTimeout,
    /// The sandbox broke down: a trap, a stack overflow, an exit (`WorkerCrashedError`).
    WorkerCrashed,
    /// `NodeDiedError`.
    NodeDied,
    /// `OutOfMemoryError`.
    OutOfMemory,
    /// `ObjectStoreFullError`.
    ObjectStoreFull,
    /// `OutOfDiskError`.
    OutOfDisk,
    /// `ActorDiedError`.
    ActorDied,
    /// `ActorUnavailableError`.
    ActorUnavailable,
    /// `ActorAlreadyExistsError`.
    ActorAlreadyExists,
    /// The `ValueError` of `ray.get_actor`.
    ActorNotFound,
    /// `PendingCallsLimitExceeded`.
    PendingCallsLimitExceeded,
    /// `ObjectLostError`.
    ObjectLost,
    /// `OwnerDiedError`.
    OwnerDied,
    /// `TaskUnschedulableError`, `ActorUnschedulableError`.
    Unschedulable,
    /// `TaskPlacementGroupRemoved`, `ActorPlacementGroupRemoved`.
    PlacementGroupRemoved,
    /// No function, class or method of that name.
    UnknownFunction,
    /// An argument or option is wrong.
    InvalidArgument,
    /// A value cannot be encoded or decoded.
    Serialization,
    /// A limit of rayw was reached.
    LimitExceeded,
    /// rayw itself failed (`RaySystemError`).
    System,
}

impl ErrorKind {
    /// The name in lists and logs, such as `OUT_OF_MEMORY`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TaskError => "TASK_ERROR",
            Self::TaskPanicked => "TASK_PANICKED",
            Self::TaskCancelled => "TASK_CANCELLED",
            Self::TaskTimeout => "TASK_TIMEOUT",
            Self::GetTimeout => "GET_TIMEOUT",
            Self::WorkerCrashed => "WORKER_CRASHED",
            Self::NodeDied => "NODE_DIED",
            Self::OutOfMemory => "OUT_OF_MEMORY",
            Self::ObjectStoreFull => "OBJECT_STORE_FULL",
            Self::OutOfDisk => "OUT_OF_DISK",
            Self::ActorDied => "ACTOR_DIED",
            Self::ActorUnavailable => "ACTOR_UNAVAILABLE",
            Self::ActorAlreadyExists => "ACTOR_ALREADY_EXISTS",
            Self::ActorNotFound => "ACTOR_NOT_FOUND",
            Self::PendingCallsLimitExceeded => "PENDING_CALLS_LIMIT_EXCEEDED",
            Self::ObjectLost => "OBJECT_LOST",
            Self::OwnerDied => "OWNER_DIED",
            Self::Unschedulable => "UNSCHEDULABLE",
            Self::PlacementGroupRemoved => "PLACEMENT_GROUP_REMOVED",
            Self::UnknownFunction => "UNKNOWN_FUNCTION",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::Serialization => "SERIALIZATION",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::System => "SYSTEM",
        }
    }
}

/// An error: what failed, on which thing, what to do next.
///
/// One word large, as results that hardly ever carry one are moved about with every task. What it says are its
/// [`Details`], which it derefs to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(Box<Details>);

/// What an [`Error`] says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "Error")]
pub struct Details {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// Lower case, no final period, the thing in backticks, remedy last.
    pub message: String,
    /// The causes, outermost first.
    pub causes: Vec<String>,
    /// For [`ErrorKind::TaskError`]: the error's type in the guest's language.
    pub type_name: Option<String>,
    /// For [`ErrorKind::TaskError`]: the error itself in MessagePack.
    pub payload: Option<Vec<u8>>,
    /// The guest's frames, innermost first, one a line.
    pub backtrace: Option<String>,
    /// The task that failed first, as `name (task id)`.
    pub origin: Option<String>,
}

impl Deref for Error {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl From<Details> for Error {
    fn from(details: Details) -> Self {
        Self(Box::new(details))
    }
}

impl From<Error> for Details {
    fn from(error: Error) -> Self {
        *error.0
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error {
    /// An error of that kind with those words.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (causes, message) = (Vec::new(), message.into());
        Details { kind, message, causes, type_name: None, payload: None, backtrace: None, origin: None }.into()
    }

    /// The placement group that something was to run in, or that somebody waits for, is gone.
    #[must_use]
    pub fn group_removed(group: GroupId, why: &str) -> Self {
        let message = format!("placement group `{group}` is gone: {why}; create another one");
        Self::new(ErrorKind::PlacementGroupRemoved, message)
    }

    /// The same error with one more cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// The same error, its origin set unless it is known already.
    #[must_use]
    pub fn from_task(mut self, name: &str, task: impl fmt::Display) -> Self {
        if self.origin.is_none() {
            self.origin = Some(format!("{name} ({task})"));
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_one_sentence() {
        let error = Error::new(ErrorKind::ActorDied, "actor `Counter` died").caused_by("its constructor failed");
        assert_eq!(error.to_string(), "actor `Counter` died: its constructor failed");
    }

    /// Results are moved about with every call, and hardly ever carry one.
    #[test]
    fn an_error_is_one_word_large() {
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn the_first_origin_stays() {
        let error = Error::new(ErrorKind::TaskError, "x").from_task("f", 1).from_task("g", 2);
        assert_eq!(error.origin.as_deref(), Some("f (1)"));
    }
}
