//! The records of the guest contract as Rust types, spelled like the
//! generated bindings; the words on what they mean are in `wit/types.wit`.
//! What is `pub` here is named by the macros' expansions.

use std::fmt;
use std::sync::Arc;

use super::actors::Life;
use super::groups::Group;
use super::objects::Cell;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Raw,
    Msgpack,
    #[allow(dead_code, reason = "nothing local writes it")]
    Wave,
}

/// A counted reference to an object.
#[derive(Clone)]
pub(crate) struct ObjectRef {
    pub(super) cell: Arc<Cell>,
}

impl ObjectRef {
    pub(crate) fn id(&self) -> String {
        self.cell.id.clone()
    }

    /// How many references to the object there are.
    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.cell)
    }
}

/// A counted handle to an actor.
#[derive(Clone)]
pub(crate) struct ActorHandle {
    pub(super) life: Arc<Life>,
}

impl ActorHandle {
    pub(crate) fn id(&self) -> String {
        self.life.actor.id.clone()
    }

    pub(crate) fn class(&self) -> String {
        self.life.actor.class.name.to_owned()
    }
}

/// A handle to a placement group.
#[derive(Clone)]
pub(crate) struct PlacementGroup {
    pub(super) group: Arc<Group>,
}

impl PlacementGroup {
    pub(crate) fn id(&self) -> String {
        self.group.id.clone()
    }
}

#[derive(Clone)]
pub(crate) enum Handle {
    Object(ObjectRef),
    Actor(ActorHandle),
    Group(PlacementGroup),
}

impl Handle {
    pub(super) fn object(&self) -> Option<&ObjectRef> {
        match self {
            Self::Object(object) => Some(object),
            Self::Actor(_) | Self::Group(_) => None,
        }
    }
}

/// An encoded value.
#[derive(Clone)]
pub struct Value {
    pub(crate) codec: Codec,
    pub(crate) data: Vec<u8>,
    pub(crate) handles: Vec<Handle>,
}

/// The references in a value, before they are taken out.
pub(crate) struct Contents {
    pub(crate) objects: Vec<ObjectRef>,
}

impl Contents {
    pub(crate) fn take(&self, indices: &[u32]) -> Vec<ObjectRef> {
        indices.iter().map(|index| self.objects[*index as usize].clone()).collect()
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.objects.len()).unwrap_or(u32::MAX)
    }
}

pub(crate) struct Reading {
    pub(crate) value: Value,
    pub(crate) contents: Option<Contents>,
}

pub(crate) struct PackedValue {
    pub(crate) codec: Codec,
    pub(crate) data_len: u32,
    pub(crate) handles_len: u32,
}

pub(crate) struct Packed {
    pub(crate) data: Vec<u8>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) values: Vec<PackedValue>,
}

pub(crate) enum Readings {
    Each(Vec<Reading>),
    Packed(Packed),
}

pub(crate) enum Arg<'a> {
    Value(Value),
    Object(&'a ObjectRef),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "the contract has kinds that a single process never meets")]
pub(crate) enum ErrorKind {
    TaskError,
    TaskPanicked,
    TaskCancelled,
    TaskTimeout,
    GetTimeout,
    WorkerCrashed,
    NodeDied,
    OutOfMemory,
    ObjectStoreFull,
    OutOfDisk,
    ActorDied,
    ActorUnavailable,
    ActorAlreadyExists,
    ActorNotFound,
    PendingCallsLimitExceeded,
    ObjectLost,
    OwnerDied,
    Unschedulable,
    PlacementGroupRemoved,
    UnknownFunction,
    InvalidArgument,
    Serialization,
    LimitExceeded,
    System,
}

#[derive(Clone, Debug)]
pub(crate) struct Error {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) type_name: Option<String>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) backtrace: Option<String>,
    pub(crate) origin: Option<String>,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            causes: Vec::new(),
            type_name: None,
            payload: None,
            backtrace: None,
            origin: None,
        }
    }

    /// The error of an actor that is gone for this reason.
    pub(super) fn caused(mut self, cause: &Error) -> Self {
        self.causes.push(cause.message.clone());
        self.causes.extend_from_slice(&cause.causes);
        self.origin = cause.origin.clone();
        self
    }
}

#[derive(Clone, Debug)]
pub(crate) enum RetryExceptions {
    None,
    All,
    Only(Vec<String>),
}

impl RetryExceptions {
    pub(super) fn covers(&self, error: &Error) -> bool {
        match self {
            Self::None => false,
            Self::All => matches!(error.kind, ErrorKind::TaskError | ErrorKind::TaskPanicked),
            Self::Only(names) => error.type_name.as_ref().is_some_and(|name| names.contains(name)),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ResourceAmount {
    pub(crate) name: String,
    pub(crate) amount: f64,
}

#[derive(Clone, Debug)]
#[allow(dead_code, reason = "the one node here has no labels")]
pub(crate) struct Label {
    pub(crate) key: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug)]
pub(crate) struct NodeAffinity {
    pub(crate) node_id: String,
    pub(crate) soft: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum SchedulingStrategy {
    Default,
    Spread,
    NodeAffinity(NodeAffinity),
}

pub(crate) struct GroupPlace<'a> {
    pub(crate) group: &'a PlacementGroup,
    pub(crate) bundle_index: Option<u32>,
    pub(crate) capture_child_tasks: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct TaskOptions {
    pub(crate) name: Option<String>,
    pub(crate) num_cpus: Option<f64>,
    pub(crate) memory: Option<u64>,
    pub(crate) resources: Vec<ResourceAmount>,
    pub(crate) num_returns: Option<u32>,
    pub(crate) max_retries: Option<i32>,
    pub(crate) retry_exceptions: Option<RetryExceptions>,
    #[allow(dead_code, reason = "there are no instances to use again")]
    pub(crate) max_calls: Option<u32>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) strategy: Option<SchedulingStrategy>,
    pub(crate) label_selector: Vec<Label>,
}

#[derive(Clone, Debug)]
pub(crate) struct ActorOptions {
    pub(crate) name: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) get_if_exists: bool,
    pub(crate) detached: bool,
    pub(crate) num_cpus: Option<f64>,
    pub(crate) memory: Option<u64>,
    pub(crate) resources: Vec<ResourceAmount>,
    pub(crate) max_restarts: Option<i32>,
    pub(crate) max_task_retries: Option<i32>,
    pub(crate) max_pending_calls: Option<i32>,
    pub(crate) allow_out_of_order_execution: Option<bool>,
    pub(crate) strategy: Option<SchedulingStrategy>,
    #[allow(dead_code, reason = "the one node here has no labels")]
    pub(crate) label_selector: Vec<Label>,
}

#[derive(Clone, Debug)]
pub(crate) struct CallOptions {
    pub(crate) name: Option<String>,
    pub(crate) num_returns: Option<u32>,
    pub(crate) max_task_retries: Option<i32>,
    pub(crate) retry_exceptions: Option<RetryExceptions>,
    pub(crate) timeout_ms: Option<u64>,
}
