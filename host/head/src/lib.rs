//! The control plane: membership, leases, the actor directory, jobs.
//!
//! ```text
//!   node ──send──▶ inbox ──flush──▶ Scheduler (core) ──▶ node.deliver
//!                                       ▲
//!                                     ticks while something waits
//! ```
//!
//! What is decided is decided in `rayw_core::scheduler`; this room carries
//! messages to it and back, keeps the time and answers what people ask. It
//! knows nothing of Wasm.

mod blobs;
mod control;
mod head;
mod logs;
mod state;

pub use head::Head;
