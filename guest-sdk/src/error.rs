//! What went wrong: one error type, sorted by who can do something about it.
//!
//! An error travels: from the task that failed, through the objects it should
//! have made, to everybody who asks for them. So it is plain data, and what
//! the task's own error type knew is kept in words, and in MessagePack where
//! the type can be serialised.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::runtime::types;

/// A result whose error is a rayw [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! error_kinds {
    ($($(#[$doc:meta])* $kind:ident = $text:literal,)*) => {
        /// What sort of failure an [`Error`] tells of.
        ///
        /// Each kind names the exception a Ray user would catch in its place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $kind,)*
        }

        impl ErrorKind {
            /// The kind in words with hyphens, as the guest contract spells it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $text,)*
                }
            }
        }

        impl From<types::ErrorKind> for ErrorKind {
            fn from(kind: types::ErrorKind) -> Self {
                match kind {
                    $(types::ErrorKind::$kind => Self::$kind,)*
                }
            }
        }

        impl From<ErrorKind> for types::ErrorKind {
            fn from(kind: ErrorKind) -> Self {
                match kind {
                    $(ErrorKind::$kind => Self::$kind,)*
                }
            }
        }
    };
}

error_kinds! {
    /// The task's own code returned an error. Ray: `RayTaskError`.
    TaskError = "task-error",
    /// The task's own code panicked. Ray: `RayTaskError`.
    TaskPanicked = "task-panicked",
    /// The task was cancelled. Ray: `TaskCancelledError`.
    TaskCancelled = "task-cancelled",
    /// The task ran longer than its `timeout`. Ray has no such limit.
    TaskTimeout = "task-timeout",
    /// `get` or `wait` ran out of time; the task goes on. Ray: `GetTimeoutError`.
    GetTimeout = "get-timeout",
    /// The sandbox of the task broke down: a trap, a stack overflow, an exit. Ray: `WorkerCrashedError`.
    WorkerCrashed = "worker-crashed",
    /// The node that ran the task is gone. Ray: `NodeDiedError`.
    NodeDied = "node-died",
    /// The task wanted more memory than it may have. Ray: `OutOfMemoryError`.
    OutOfMemory = "out-of-memory",
    /// The object store is full. Ray: `ObjectStoreFullError`.
    ObjectStoreFull = "object-store-full",
    /// The disk is full. Ray: `OutOfDiskError`.
    OutOfDisk = "out-of-disk",
    /// The actor is gone for good. Ray: `ActorDiedError`.
    ActorDied = "actor-died",
    /// The actor cannot be reached now; the call may or may not have run. Ray: `ActorUnavailableError`.
    ActorUnavailable = "actor-unavailable",
    /// An actor of that name exists already. Ray: `ActorAlreadyExistsError`.
    ActorAlreadyExists = "actor-already-exists",
    /// There is no actor of that name. Ray: `ValueError` of `get_actor`.
    ActorNotFound = "actor-not-found",
    /// Too many calls wait for the actor. Ray: `PendingCallsLimitExceeded`.
    PendingCallsLimitExceeded = "pending-calls-limit-exceeded",
    /// The object is lost. Ray: `ObjectLostError` and its children.
    ObjectLost = "object-lost",
    /// The owner of the object is gone. Ray: `OwnerDiedError`.
    OwnerDied = "owner-died",
    /// No node will ever be able to run it. Ray: `TaskUnschedulableError`, `ActorUnschedulableError`.
    Unschedulable = "unschedulable",
    /// The placement group it was to run in has been removed.
    /// Ray: `TaskPlacementGroupRemoved`, `ActorPlacementGroupRemoved`.
    PlacementGroupRemoved = "placement-group-removed",
    /// There is no function, class or method of that name. Ray: an `AttributeError` of Python.
    UnknownFunction = "unknown-function",
    /// An argument or option is wrong. Ray: a `ValueError` or `TypeError` of Python.
    InvalidArgument = "invalid-argument",
    /// A value could not be encoded or decoded.
    /// Ray: `UnserializableException`, `OufOfBandObjectRefSerializationException`.
    Serialization = "serialization",
    /// A limit of the system was reached. Ray has no class of its own for it.
    LimitExceeded = "limit-exceeded",
    /// rayw itself failed. Ray: `RaySystemError`.
    System = "system",
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a task, a call or a request failed.
///
/// It can be sent on, stored in place of a value, and matched by
/// [`kind`](Error::kind):
///
/// ```
/// use rayw::ErrorKind;
///
/// #[rayw::task]
/// fn halve(number: u32) -> Result<u32, String> {
///     if number % 2 == 0 { Ok(number / 2) } else { Err(format!("{number} is odd")) }
/// }
///
/// let error = halve::remote(7).get().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::TaskError);
/// assert_eq!(error.message(), "7 is odd");
/// assert_eq!(error.downcast::<String>(), Some("7 is odd".to_owned()));
/// ```
///
/// Printed, it is the message and its causes as one sentence.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error {
    record: Box<Record>,
}

/// Boxed, so that a `Result` stays as small as a pointer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    kind: ErrorKind,
    message: String,
    causes: Vec<String>,
    type_name: Option<String>,
    #[serde(with = "serde_bytes")]
    payload: Option<Vec<u8>>,
    backtrace: Option<String>,
    origin: Option<String>,
}

impl Error {
    /// An error of the task's own code, in words: lowercase, without a final period.
    pub fn new(message: impl fmt::Display) -> Self {
        Self::of_kind(ErrorKind::TaskError, message.to_string())
    }

    /// An error of the task's own code that keeps what an error of another library says.
    pub fn from_std(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut own = Self::new(error);
        own.add_sources(error.source());
        own
    }

    /// The same error below another message, which says what was tried.
    pub fn context(mut self, message: impl fmt::Display) -> Self {
        let inner = std::mem::replace(&mut self.record.message, message.to_string());
        self.record.causes.insert(0, inner);
        self
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.record.kind
    }

    /// What failed, on which thing, what to do next.
    pub fn message(&self) -> &str {
        &self.record.message
    }

    /// The causes, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.record.causes
    }

    /// For panics and traps: the frames of the guest, innermost first, one a line.
    pub fn backtrace(&self) -> Option<&str> {
        self.record.backtrace.as_deref()
    }

    /// The task that failed first, as `name (task id)`.
    pub fn origin(&self) -> Option<&str> {
        self.record.origin.as_deref()
    }

    /// For [`ErrorKind::TaskError`]: the Rust type of the error that the task returned.
    pub fn type_name(&self) -> Option<&str> {
        self.record.type_name.as_deref()
    }

    /// Whether the task returned an error of type `E`.
    pub fn is<E>(&self) -> bool {
        self.type_name() == Some(std::any::type_name::<E>())
    }

    /// The error that the task returned, if it is an `E` and `E` can be serialised. On a node, one that has more than
    /// 100 KiB then is left out.
    pub fn downcast<E: DeserializeOwned>(&self) -> Option<E> {
        if !self.is::<E>() {
            return None;
        }
        rmp_serde::from_slice(self.record.payload.as_deref()?).ok()
    }

    pub(crate) fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            record: Box::new(Record {
                kind,
                message: message.into(),
                causes: Vec::new(),
                type_name: None,
                payload: None,
                backtrace: None,
                origin: None,
            }),
        }
    }

    /// Adds an innermost cause.
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.record.causes.push(cause.into());
        self
    }

    pub(crate) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::InvalidArgument, message)
    }

    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Serialization, message)
    }

    /// Keeps what the sources say; the first rayw error among them also gives
    /// its backtrace and origin.
    pub(crate) fn add_sources(&mut self, source: Option<&(dyn std::error::Error + 'static)>) {
        let mut next = source;
        while let Some(error) = next {
            if let Some(inner) = error.downcast_ref::<Error>() {
                self.record.causes.push(inner.record.message.clone());
                self.record.causes.extend_from_slice(&inner.record.causes);
                self.record.backtrace.clone_from(&inner.record.backtrace);
                self.record.origin.clone_from(&inner.record.origin);
                return;
            }
            self.record.causes.push(error.to_string());
            next = error.source();
        }
    }

    pub(crate) fn with_type(mut self, type_name: &str, payload: Option<Vec<u8>>) -> Self {
        self.record.type_name = Some(type_name.to_owned());
        self.record.payload = payload;
        self
    }

    /// What the task that returned this error fails with.
    ///
    /// An error of the task's own code stays as it is, so that the type a
    /// nested task returned is seen all the way up. Any other kind becomes a
    /// cause: the caller's task did not run out of time, a `get` within it did.
    pub(crate) fn into_task_error(self) -> Self {
        if self.kind() == ErrorKind::TaskError {
            return self;
        }
        let payload = rmp_serde::to_vec_named(&self).ok();
        let record = *self.record;
        let mut causes = Vec::with_capacity(record.causes.len() + 1);
        causes.push(format!("{}: {}", record.kind, record.message));
        causes.extend(record.causes);
        Self {
            record: Box::new(Record {
                kind: ErrorKind::TaskError,
                message: "a request of the task failed".to_owned(),
                causes,
                type_name: Some(std::any::type_name::<Error>().to_owned()),
                payload,
                backtrace: record.backtrace,
                origin: record.origin,
            }),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.record.message)?;
        for cause in &self.record.causes {
            write!(formatter, ": {cause}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = &self.record;
        let mut shown = formatter.debug_struct("Error");
        shown.field("kind", &record.kind);
        shown.field("message", &record.message);
        if !record.causes.is_empty() {
            shown.field("causes", &record.causes);
        }
        for (name, value) in
            [("type_name", &record.type_name), ("origin", &record.origin), ("backtrace", &record.backtrace)]
        {
            if let Some(value) = value {
                shown.field(name, value);
            }
        }
        shown.finish()
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::from_std(&error)
    }
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        Self {
            record: Box::new(Record {
                kind: error.kind.into(),
                message: error.message,
                causes: error.causes,
                type_name: error.type_name,
                payload: error.payload,
                backtrace: error.backtrace,
                origin: error.origin,
            }),
        }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        let record = *error.record;
        Self {
            kind: record.kind.into(),
            message: record.message,
            causes: record.causes,
            type_name: record.type_name,
            payload: record.payload,
            backtrace: record.backtrace,
            origin: record.origin,
        }
    }
}
