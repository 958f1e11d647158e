//! Large objects, from store to store, over streams of their own.
//!
//! ```text
//!  fetcher                                             source
//!     │ magic, node, object, patience ────────────────▶  │  is it here, is a place free?
//!     │ ◀────── not here | busy | header(codec, refs, total)
//!     │ ◀────── chunk blake3(chunk), … ──────────────────│  each piece hashed right before it is sent first
//!     └ each piece hashed right after it came, in one buffer
//! ```
//!
//! Pieces are small enough to be in the cpu's cache still when they are sent, and when they are checked:
//! reading them from memory again would cost more than the hash, and so would another thread.

mod digests;
mod fetch;
mod serve;

use rayw_core::{Codec, RefId, limits};
use serde::{Deserialize, Serialize};

pub use fetch::FetchError;
pub(crate) use fetch::Fetching;
pub(crate) use serve::{Serving, serve};

/// How an object stream begins. gRPC's first byte is a `P`.
pub(crate) const MAGIC: [u8; 8] = *b"rayw-obj";

/// The magic, the node meant, the object wanted and the patience.
const REQUEST_BYTES: usize = 8 + 16 + 20 + 1;

/// The patience of one who asks others next when the source is busy.
const AT_ONCE: u8 = 0;
/// The patience of one who has nobody else to ask: a busy source answers when a place is free, or after
/// [`limits::BUSY_WAIT_MAX`].
const WAITS: u8 = 1;

/// The first byte of an answer: there is no such object here.
const NOT_HERE: u8 = 0;
/// The first byte of an answer: others are being served; they will have it soon, or leave memory for it.
const BUSY: u8 = 1;
/// The first byte of an answer: a header follows.
const HEADER: u8 = 2;

/// The longest header: a reference takes 22 bytes at most.
const HEADER_BYTES_MAX: usize = 64 + 22 * limits::VALUE_REFS_MAX;

/// Bytes that are hashed in one go.
const PIECE_BYTES: usize = 256 << 10;

/// Bytes as places of a semaphore are counted.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX)
}

/// What is known about an object before its bytes come.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    codec: Codec,
    refs: Vec<RefId>,
    total: u64,
}
