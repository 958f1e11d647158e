//! The error that takes the place of a value, travels between nodes and is
//! shown to people.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

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
/// One word large, as results that hardly ever carry one are moved about with every task; clones share what it says, as
/// the thousand returns of one task that failed do. What it says are its [`Details`], which it derefs to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(Arc<Details>);

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
        Arc::make_mut(&mut self.0)
    }
}

impl From<Details> for Error {
    fn from(details: Details) -> Self {
        Self(Arc::new(details))
    }
}

impl From<Error> for Details {
    fn from(error: Error) -> Self {
        Arc::unwrap_or_clone(error.0)
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

    /// The same error with at most so many bytes, for where many are kept: what is longer ends with `…`, the message
    /// goes before the causes and these before the backtrace, and a payload that has no room is left out.
    #[must_use]
    pub fn cut_to(self, bytes_max: usize) -> Self {
        if self.bytes() <= bytes_max {
            return self;
        }
        let Details { kind, mut message, mut causes, mut type_name, payload, mut backtrace, mut origin } = self.into();
        let mut room = bytes_max;
        let words = [&mut type_name, &mut origin].into_iter().flatten().chain([&mut message]);
        words.chain(&mut causes).chain(&mut backtrace).for_each(|text| room -= cut(text, room));
        causes.retain(|cause| !cause.is_empty());
        let backtrace = backtrace.filter(|frames| !frames.is_empty());
        let payload = payload.filter(|payload| payload.len() <= room);
        Details { kind, message, causes, type_name, payload, backtrace, origin }.into()
    }

    /// Bytes of all that it says.
    fn bytes(&self) -> usize {
        let Details { kind: _, message, causes, type_name, payload, backtrace, origin } = &**self;
        let words = [type_name, backtrace, origin].into_iter().flatten().chain([message]).chain(causes);
        words.map(String::len).sum::<usize>() + payload.as_ref().map_or(0, Vec::len)
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

/// Cuts a text to so many bytes, the sign that something is missing left out. Answers how many of them it fills: all,
/// when it was longer.
pub(crate) fn cut(text: &mut String, bytes_max: usize) -> usize {
    if text.len() <= bytes_max {
        return text.len();
    }
    text.truncate(text.floor_char_boundary(bytes_max));
    if !text.is_empty() {
        text.push('…');
    }
    bytes_max
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
    fn what_is_kept_of_an_error_has_a_limit() {
        let mut error = Error::new(ErrorKind::TaskError, "é".repeat(10)).caused_by("first").caused_by("second");
        error.backtrace = Some("0: f".to_owned());
        error.payload = Some(vec![0; 8]);
        assert_eq!(error.clone().cut_to(100), error);
        let cut = error.clone().cut_to(23);
        assert_eq!(cut.to_string(), format!("{}: fir…", error.message));
        assert_eq!((&cut.backtrace, &cut.payload), (&None, &None));
        assert_eq!(error.cut_to(3).to_string(), "é…");
    }

    #[test]
    fn clones_share_what_an_error_says_until_one_changes() {
        let error = Error::new(ErrorKind::TaskError, "x");
        let changed = error.clone().from_task("f", 1);
        assert_eq!((error.origin.as_deref(), changed.origin.as_deref()), (None, Some("f (1)")));
    }

    #[test]
    fn the_first_origin_stays() {
        let error = Error::new(ErrorKind::TaskError, "x").from_task("f", 1).from_task("g", 2);
        assert_eq!(error.origin.as_deref(), Some("f (1)"));
    }
}
