//! Local mode: the host in one process, for `cargo test` on a machine without
//! Wasm or a cluster.
//!
//! It has the same modules, types and functions as the generated imports of
//! the guest contract, so that the rest of the crate does not know which of
//! the two it stands on. Values really are encoded and decoded.
//!
//! ```text
//! types.rs                                     the records of the contract, as Rust types
//! objects.rs tasks.rs actors.rs groups.rs context.rs   one per interface
//! world.rs                                     the one lock, slots for running tasks
//! work.rs                                      a task or call: its attempts and its end
//! ```
//!
//! What it is not: there are no sandboxes, so `memory` and resources are not
//! enforced, a task that is cancelled or over its time ends only when it next
//! asks rayw for something, and nodes never fail.

pub(crate) mod actors;
pub(crate) mod context;
pub(crate) mod groups;
pub(crate) mod objects;
pub(crate) mod tasks;
pub(crate) mod types;
mod work;
mod world;
