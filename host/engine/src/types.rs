//! The types of `rayw:core/types` and `rayw:core/guest` as they cross the
//! border, and their conversions. The fields mirror `wit/` word by word;
//! wasmtime checks them against each component when it is loaded.
//!
//! Written by hand because generated bindings would copy every value once more:
//! here the bytes of a value are [`Bytes`], copied once on their way in or out.

mod group;
mod place;

use std::sync::Arc;

use bytes::Bytes;
use rayw_core::limits;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Lower, Resource, WasmList};

pub(crate) use self::group::{GroupOptions, GroupTable};
pub(crate) use self::place::{GroupPlace, Label};
use self::place::{SchedulingStrategy, labels, strategy};
use crate::reference::{ActorHandle, Contents, GroupHandle, ObjectRef};
use crate::state::Guest;

/// The result of a function that can fail.
pub(crate) type Answer<T> = (Result<T, Error>,);

#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Codec {
    #[component(name = "raw")]
    Raw,
    #[component(name = "msgpack")]
    Msgpack,
    #[component(name = "wave")]
    Wave,
}

impl From<Codec> for rayw_core::Codec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Raw => Self::Raw,
            Codec::Msgpack => Self::Msgpack,
            Codec::Wave => Self::Wave,
        }
    }
}

impl From<rayw_core::Codec> for Codec {
    fn from(codec: rayw_core::Codec) -> Self {
        match codec {
            rayw_core::Codec::Raw => Self::Raw,
            rayw_core::Codec::Msgpack => Self::Msgpack,
            rayw_core::Codec::Wave => Self::Wave,
        }
    }
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum Handle {
    #[component(name = "object")]
    Object(Resource<ObjectRef>),
    #[component(name = "actor")]
    Actor(Resource<ActorHandle>),
    #[component(name = "group")]
    Group(Resource<GroupHandle>),
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Value {
    pub(crate) codec: Codec,
    pub(crate) data: Bytes,
    pub(crate) handles: Vec<Handle>,
}

/// A value whose bytes are still in the guest's memory. wasmtime copies a list of bytes number by number, which on some
/// cpus is half as fast as a plain copy of memory: with large values that is most of what a `put` costs.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct ValueThere {
    codec: Codec,
    data: WasmList<u8>,
    handles: Vec<Handle>,
}

impl ValueThere {
    /// Bytes as they are.
    pub(crate) fn raw(data: WasmList<u8>) -> Self {
        Self { codec: Codec::Raw, data, handles: Vec::new() }
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// The value, with its bytes copied out of the guest that it came from.
    pub(crate) fn copied(self, store: &StoreContextMut<'_, Guest>) -> Value {
        let Self { codec, data, handles } = self;
        Value { codec, data: store.data().services.copied(data.as_le_slice(store)), handles }
    }
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Reading {
    pub(crate) value: Value,
    pub(crate) contents: Option<Resource<Contents>>,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct PackedValue {
    pub(crate) codec: Codec,
    #[component(name = "data-len")]
    pub(crate) data_len: u32,
    #[component(name = "handles-len")]
    pub(crate) handles_len: u32,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Packed {
    pub(crate) data: Vec<u8>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) values: Vec<PackedValue>,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum Readings {
    #[component(name = "each")]
    Each(Vec<Reading>),
    #[component(name = "packed")]
    Packed(Packed),
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Arg {
    #[component(name = "value")]
    Value(ValueThere),
    #[component(name = "object")]
    Object(Resource<ObjectRef>),
}

/// One list of all kinds, for the type that crosses the border and for both conversions.
macro_rules! error_kinds {
    ($($wit:literal $name:ident,)*) => {
        #[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq, Eq)]
        #[component(enum)]
        #[repr(u8)]
        pub(crate) enum ErrorKind {
            $(#[component(name = $wit)] $name,)*
        }

        impl From<ErrorKind> for rayw_core::ErrorKind {
            fn from(kind: ErrorKind) -> Self {
                match kind {
                    $(ErrorKind::$name => Self::$name,)*
                }
            }
        }

        impl From<rayw_core::ErrorKind> for ErrorKind {
            fn from(kind: rayw_core::ErrorKind) -> Self {
                match kind {
                    $(rayw_core::ErrorKind::$name => Self::$name,)*
                }
            }
        }
    };
}

error_kinds! {
    "task-error" TaskError,
    "task-panicked" TaskPanicked,
    "task-cancelled" TaskCancelled,
    "task-timeout" TaskTimeout,
    "get-timeout" GetTimeout,
    "worker-crashed" WorkerCrashed,
    "node-died" NodeDied,
    "out-of-memory" OutOfMemory,
    "object-store-full" ObjectStoreFull,
    "out-of-disk" OutOfDisk,
    "actor-died" ActorDied,
    "actor-unavailable" ActorUnavailable,
    "actor-already-exists" ActorAlreadyExists,
    "actor-not-found" ActorNotFound,
    "pending-calls-limit-exceeded" PendingCallsLimitExceeded,
    "object-lost" ObjectLost,
    "owner-died" OwnerDied,
    "unschedulable" Unschedulable,
    "placement-group-removed" PlacementGroupRemoved,
    "unknown-function" UnknownFunction,
    "invalid-argument" InvalidArgument,
    "serialization" Serialization,
    "limit-exceeded" LimitExceeded,
    "system" System,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct Error {
    kind: ErrorKind,
    message: Box<str>,
    causes: Box<[Box<str>]>,
    #[component(name = "type-name")]
    type_name: Option<Box<str>>,
    payload: Option<Box<[u8]>>,
    backtrace: Option<Box<str>>,
    origin: Option<Box<str>>,
}

/// Text of an error that travels on, all of it together. Errors are sent to every waiter and kept for people.
pub(crate) const ERROR_TEXT_BYTES_MAX: usize = 64 << 10;

/// Causes of an error that travel on.
const ERROR_CAUSES_MAX: usize = 32;

/// The serialised error itself; a larger one is left out. It stays where small values do: in messages, and in the
/// tables of owners.
const ERROR_PAYLOAD_BYTES_MAX: usize = limits::INLINE_BYTES_MAX;

impl From<Error> for rayw_core::Error {
    fn from(error: Error) -> Self {
        let words = rayw_core::Details {
            kind: error.kind.into(),
            message: error.message.into(),
            causes: error.causes.into_iter().take(ERROR_CAUSES_MAX).map(Into::into).collect(),
            type_name: error.type_name.map(Into::into),
            payload: None,
            backtrace: error.backtrace.map(Into::into),
            origin: error.origin.map(Into::into),
        };
        let mut cut = Self::from(words).cut_to(ERROR_TEXT_BYTES_MAX);
        cut.payload = error.payload.filter(|bytes| bytes.len() <= ERROR_PAYLOAD_BYTES_MAX).map(<[u8]>::into_vec);
        cut
    }
}

impl From<rayw_core::Error> for Error {
    fn from(error: rayw_core::Error) -> Self {
        let error = rayw_core::Details::from(error);
        Self {
            kind: error.kind.into(),
            message: error.message.into(),
            causes: error.causes.into_iter().map(Into::into).collect(),
            type_name: error.type_name.map(Into::into),
            payload: error.payload.map(Into::into),
            backtrace: error.backtrace.map(Into::into),
            origin: error.origin.map(Into::into),
        }
    }
}

/// What a call returned that others may follow.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Returned {
    #[component(name = "value")]
    Value(ValueThere),
    #[component(name = "values")]
    Values(Vec<Value>),
    #[component(name = "error")]
    Error(Error),
}

/// A call that follows another one in the same entry.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Call {
    pub(crate) function: Option<Arc<str>>,
    pub(crate) args: Option<Vec<Value>>,
    #[component(name = "num-returns")]
    pub(crate) num_returns: u32,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum RetryExceptions {
    #[component(name = "none")]
    No,
    #[component(name = "all")]
    All,
    #[component(name = "only")]
    Only(Vec<String>),
}

impl From<RetryExceptions> for rayw_core::RetryExceptions {
    fn from(retry: RetryExceptions) -> Self {
        match retry {
            RetryExceptions::No => Self::No,
            RetryExceptions::All => Self::All,
            RetryExceptions::Only(types) => Self::Only(types),
        }
    }
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct ResourceAmount {
    pub(crate) name: String,
    pub(crate) amount: f64,
}

/// `CPU`, `memory` and custom resources, as guests read them.
pub(crate) fn resource_amounts(resources: &rayw_core::Resources) -> Vec<ResourceAmount> {
    let amount = |name: &str, amount: f64| ResourceAmount { name: name.to_owned(), amount };
    let mut amounts = vec![amount("CPU", resources.cpu.units())];
    if resources.memory > 0 {
        // Exact up to 2^53 bytes, eight petabytes.
        amounts.push(amount("memory", resources.memory as f64));
    }
    amounts.extend(resources.custom().map(|(name, units)| amount(name, units.units())));
    amounts
}

fn amounts(resources: Vec<ResourceAmount>) -> Vec<(String, f64)> {
    resources.into_iter().map(|resource| (resource.name, resource.amount)).collect()
}

#[derive(ComponentType, Lift, Default)]
#[component(record)]
pub(crate) struct TaskOptions {
    name: Option<String>,
    #[component(name = "num-cpus")]
    num_cpus: Option<f64>,
    memory: Option<u64>,
    resources: Vec<ResourceAmount>,
    #[component(name = "num-returns")]
    num_returns: Option<u32>,
    #[component(name = "max-retries")]
    max_retries: Option<i32>,
    #[component(name = "retry-exceptions")]
    retry_exceptions: Option<RetryExceptions>,
    #[component(name = "max-calls")]
    max_calls: Option<u32>,
    #[component(name = "timeout-ms")]
    timeout_ms: Option<u64>,
    strategy: Option<SchedulingStrategy>,
    #[component(name = "label-selector")]
    label_selector: Vec<Label>,
}

impl TaskOptions {
    pub(crate) fn with_one_return(said: Option<Self>) -> Self {
        Self { num_returns: Some(1), ..said.unwrap_or_default() }
    }
}

impl TryFrom<TaskOptions> for rayw_core::TaskOptions {
    type Error = rayw_core::Error;

    fn try_from(options: TaskOptions) -> Result<Self, Self::Error> {
        Ok(Self {
            name: options.name,
            num_cpus: options.num_cpus,
            memory: options.memory,
            resources: amounts(options.resources),
            num_returns: options.num_returns,
            max_retries: options.max_retries,
            retry_exceptions: options.retry_exceptions.map(Into::into),
            max_calls: options.max_calls,
            timeout_ms: options.timeout_ms,
            strategy: strategy(options.strategy)?,
            label_selector: labels(options.label_selector),
        })
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct ActorOptions {
    name: Option<String>,
    namespace: Option<String>,
    #[component(name = "get-if-exists")]
    get_if_exists: bool,
    detached: bool,
    #[component(name = "num-cpus")]
    num_cpus: Option<f64>,
    memory: Option<u64>,
    resources: Vec<ResourceAmount>,
    #[component(name = "max-restarts")]
    max_restarts: Option<i32>,
    #[component(name = "max-task-retries")]
    max_task_retries: Option<i32>,
    #[component(name = "max-pending-calls")]
    max_pending_calls: Option<i32>,
    #[component(name = "allow-out-of-order-execution")]
    allow_out_of_order_execution: Option<bool>,
    strategy: Option<SchedulingStrategy>,
    #[component(name = "label-selector")]
    label_selector: Vec<Label>,
}

impl TryFrom<ActorOptions> for rayw_core::ActorOptions {
    type Error = rayw_core::Error;

    fn try_from(options: ActorOptions) -> Result<Self, Self::Error> {
        Ok(Self {
            name: options.name,
            namespace: options.namespace,
            get_if_exists: options.get_if_exists,
            detached: options.detached,
            num_cpus: options.num_cpus,
            memory: options.memory,
            resources: amounts(options.resources),
            max_restarts: options.max_restarts,
            max_task_retries: options.max_task_retries,
            max_pending_calls: options.max_pending_calls,
            allow_out_of_order_execution: options.allow_out_of_order_execution,
            strategy: strategy(options.strategy)?,
            label_selector: labels(options.label_selector),
        })
    }
}

#[derive(ComponentType, Lift, Default)]
#[component(record)]
pub(crate) struct CallOptions {
    name: Option<String>,
    #[component(name = "num-returns")]
    num_returns: Option<u32>,
    #[component(name = "max-task-retries")]
    max_task_retries: Option<i32>,
    #[component(name = "retry-exceptions")]
    retry_exceptions: Option<RetryExceptions>,
    #[component(name = "timeout-ms")]
    timeout_ms: Option<u64>,
}

impl CallOptions {
    pub(crate) fn with_one_return(said: Option<Self>) -> Self {
        Self { num_returns: Some(1), ..said.unwrap_or_default() }
    }
}

impl From<CallOptions> for rayw_core::CallOptions {
    fn from(options: CallOptions) -> Self {
        Self {
            name: options.name,
            num_returns: options.num_returns,
            max_task_retries: options.max_task_retries,
            retry_exceptions: options.retry_exceptions.map(Into::into),
            timeout_ms: options.timeout_ms,
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct RuntimeContext {
    #[component(name = "job-id")]
    pub(crate) job_id: String,
    #[component(name = "task-id")]
    pub(crate) task_id: String,
    #[component(name = "task-name")]
    pub(crate) task_name: String,
    pub(crate) attempt: u32,
    #[component(name = "node-id")]
    pub(crate) node_id: String,
    #[component(name = "worker-id")]
    pub(crate) worker_id: String,
    #[component(name = "actor-id")]
    pub(crate) actor_id: Option<String>,
    pub(crate) restarts: u32,
    pub(crate) namespace: String,
    #[component(name = "assigned-resources")]
    pub(crate) assigned_resources: Vec<ResourceAmount>,
    #[component(name = "placement-group-id")]
    pub(crate) placement_group_id: Option<String>,
    #[component(name = "node-labels")]
    pub(crate) node_labels: Vec<Label>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Parameter {
    name: String,
    #[component(name = "type-name")]
    type_name: String,
}

fn parameters(parameters: Vec<Parameter>) -> Vec<rayw_core::Parameter> {
    let convert = |parameter: Parameter| rayw_core::Parameter { name: parameter.name, type_name: parameter.type_name };
    parameters.into_iter().map(convert).collect()
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Function {
    name: String,
    parameters: Vec<Parameter>,
    returns: String,
    options: TaskOptions,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Method {
    name: String,
    parameters: Vec<Parameter>,
    returns: String,
    options: CallOptions,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct ActorClass {
    name: String,
    parameters: Vec<Parameter>,
    methods: Vec<Method>,
    options: ActorOptions,
    durable: bool,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Description {
    functions: Vec<Function>,
    actors: Vec<ActorClass>,
}

impl TryFrom<Description> for rayw_core::Description {
    type Error = rayw_core::Error;

    fn try_from(description: Description) -> Result<Self, Self::Error> {
        let function = |function: Function| {
            Ok(rayw_core::Function {
                name: function.name,
                parameters: parameters(function.parameters),
                returns: function.returns,
                options: function.options.try_into()?,
            })
        };
        let method = |method: Method| rayw_core::Method {
            name: method.name,
            parameters: parameters(method.parameters),
            returns: method.returns,
            options: method.options.into(),
        };
        let class = |class: ActorClass| {
            Ok(rayw_core::ActorClass {
                name: class.name,
                parameters: parameters(class.parameters),
                methods: class.methods.into_iter().map(method).collect(),
                options: class.options.try_into()?,
                durable: class.durable,
            })
        };
        Ok(Self {
            functions: description.functions.into_iter().map(function).collect::<Result<_, Self::Error>>()?,
            actors: description.actors.into_iter().map(class).collect::<Result<_, Self::Error>>()?,
        })
    }
}
