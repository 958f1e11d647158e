//! The room that decides and does nothing.
//!
//! ```text
//!  guests ──▶ node ──▶ Ownership (tasks, objects, references, waiters)   one per node
//!                         │  ToHead / FromHead
//!                         ▼
//!                      Scheduler (nodes, leases, actors, names, jobs)     one per cluster
//! ```
//!
//! Both machines take events and the time, and answer with commands; somebody
//! else carries these out. There is no IO, no clock, no randomness and no
//! async code in this crate, so a test needs neither a runtime nor a sleep.

mod actor;
mod children;
pub mod control;
mod description;
mod error;
mod eviction;
mod group;
mod id;
mod job;
pub mod limits;
pub mod message;
pub mod ownership;
mod resources;
pub mod scheduler;
mod strategy;
mod task;
mod value;
pub mod view;

pub use actor::{ActorOptions, ActorSpec, ActorState};
pub use children::{Children, Execution};
pub use description::{ActorClass, Description, Function, Method, Parameter, check_arity, unknown};
pub use error::{Details, Error, ErrorKind};
pub use eviction::oldest_beyond;
pub use group::{
    BundleOptions, BundleSpec, GroupCreator, GroupOptions, GroupSpec, GroupState, GroupStatus, GroupStrategy,
};
pub use id::{ActorId, ComponentDigest, GroupId, IdMap, IdSet, JobId, LeaseId, NodeId, ObjectId, TaskId};
pub use job::{DirMount, JobFailure, JobSpec, JobState};
pub use resources::{Amount, ParseResourcesError, Resources, parse_bytes};
pub use strategy::{LabelMatch, LabelSelector, Labels, Placement, Strategy};
pub use task::{
    CallOptions, Retries, RetryExceptions, TaskKind, TaskOptions, TaskSpec, TaskState, TaskTerms, check_name,
    memory_cap, resources_of,
};
pub use value::{Arg, Codec, RefId, Value};

/// Milliseconds since the Unix epoch, told by the caller: this crate never reads a clock.
pub type Millis = u64;
