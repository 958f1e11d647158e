//! Runs WebAssembly: the only room of rayw that knows wasmtime.
//!
//! ```text
//!  file ──▶ componentize ──▶ shim ──▶ compile (cache) ──▶ link ──▶ describe ──▶ Program      once per digest
//!                                                                                 │ Engine::start
//!                                                                                 ▼
//!  node ◀── Services ◀── host functions ◀── guest ◀── invoke/call ───────────── Instance     one sandbox
//! ```
//!
//! An [`Engine`] loads [`Program`]s and starts [`Instance`]s of them; what a
//! guest asks for comes out at [`Services`], which a node implements. Whatever
//! happens inside a guest ends in a `rayw_core::Error`: a trap, an endless
//! loop and too much memory harm nobody else.

mod backlog;
mod cache;
mod componentize;
mod config;
mod describe;
mod engine;
mod epoch;
mod export;
mod host;
mod instance;
mod limit;
mod literal;
mod loaded;
mod output;
mod program;
mod reference;
#[cfg(test)]
mod sample;
mod sandbox;
mod services;
mod shim;
mod state;
mod text;
mod trap;
mod typed;
mod types;

pub use backlog::{Backlog, Due, Gathered, LastCall};
pub use engine::{Engine, EngineSettings};
pub use instance::{Checkpoint, Instance, Line, Next, Returned};
pub use literal::parse_call;
pub use program::Program;
pub use reference::Handles;
pub use sandbox::{DirGrant, Grants, Sandbox};
pub use services::{Answer, Caller, GroupServices, Output, Services, Submitted};
