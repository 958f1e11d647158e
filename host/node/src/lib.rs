//! A node: runs leased work, and owns the work that its guests submit.
//!
//! ```text
//!   guest ──▶ services ──▶ Ownership (core) ──▶ commands ─┬─▶ worker: fresh instance, call, outputs
//!              (engine)        under one lock             ├─▶ actors: one mailbox and one task each
//!                                                         ├─▶ waiters wake
//!                                                         └─▶ head (leases, actors, names)
//! ```
//!
//! Every command is a push to some queue and is carried out under the lock
//! that guards the machine, so order is kept and nothing re-enters.

mod actor;
mod backlog;
mod caller;
mod catalog;
mod fetch;
mod group;
mod held;
mod idle;
mod job;
mod line;
mod link;
mod lock;
mod network;
mod node;
mod output;
mod postponed;
mod question;
mod ready;
mod report;
mod reuse;
mod room;
#[cfg(test)]
mod sample;
mod services;
mod state;
mod turns;
mod worker;

pub use job::{CallRequest, JobRequest};
pub use network::{Alone, FetchError, Network};
pub use node::{Node, NodeSettings};
pub use output::{Line, OutputSink};
pub use rayw_core::ownership::Tally;
pub use rayw_engine::{DirGrant, Engine, EngineSettings, Grants, Program};
pub use rayw_store::{Store, StoreSettings, Usage};
pub use turns::{Turn, Turns};
