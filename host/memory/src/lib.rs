//! Memory of large values.
//!
//! ```text
//!   copied, empty ──▶ Buffer ── freeze ──▶ Bytes ── the last of them is dropped ──▶ Shelf
//!         ▲                                                                          │
//!         └────────────── one of the same size is there ─────────────────────────────┤
//!                                 to the system: no room, or nobody wants it ◀───────┘
//! ```
//!
//! Memory that is fresh from the system costs several times what it costs to copy a value into it: the kernel
//! clears it page by page, as it is touched. So large values lie in mappings of their own with huge pages, what
//! they leave is kept for a while for those that follow, and much is copied by more than one thread.
//!
//! Everything here is about time and room; what is in a value, who has it and how long it lives is decided
//! elsewhere.

mod buffer;
mod copy;
mod mapping;
mod shelf;
#[cfg(test)]
mod tests;

pub use buffer::{Buffer, Buffers};
pub use shelf::Kept;
