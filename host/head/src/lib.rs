//! The control plane: membership, leases, the actor directory, jobs.
//!
//! ```text
//!   node ──send──▶ inbox ──flush──▶ Scheduler (core) ──▶ node.deliver
//!                                       ▲
//!                                     ticks while something waits
//! ```
//!
//! What must outlive the head goes to the journal on the way, and what a node or
//! a person may rely on leaves only when it is there.
//!
//! What is decided is decided in `rayw_core::scheduler`; this room carries
//! messages to it and back, keeps the time and answers what people ask. It
//! knows nothing of Wasm.

mod blobs;
mod control;
mod head;
mod journal;
mod logs;
mod state;

pub use head::Head;
