//! The objects of one node that are too large for their owner's tables.
//!
//! Objects are immutable. Memory has a limit; above [`STORE_SPILL_PERCENT`](rayw_core::limits::STORE_SPILL_PERCENT)
//! of it the least recently used objects that nobody reads go to files, and
//! come back when they are asked for. A crash loses everything: what matters
//! is made again by its task.
//!
//! The store never sees an object that is inlined, knows no reference counts
//! and decides nothing about lifetimes: its node says `forget`.

mod evict;
mod remains;
mod spill;
mod store;
#[cfg(test)]
mod tests;

pub use remains::Remains;
pub use store::{Store, StoreSettings, Usage};
