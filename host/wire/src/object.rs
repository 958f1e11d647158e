//! Large objects, from store to store, over streams of their own.
//!
//! ```text
//!  fetcher                                             source
//!     │ magic, node, object, patience ────────────────▶  │  is it here, is a place free?
//!     │ ◀────── not here | busy | header(codec, refs, total)
//!     │ ◀────── blake3(chunk) chunk, … ──────────────────│  the next hash while a chunk is on its way
//!     └ each chunk checked while the next one comes, in one buffer
//! ```

mod fetch;
mod serve;

use bytes::BytesMut;
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
/// The first byte of an answer: others are being served; they will have it soon.
const BUSY: u8 = 1;
/// The first byte of an answer: a header follows.
const HEADER: u8 = 2;

/// The longest header: a reference takes 22 bytes at most.
const HEADER_BYTES_MAX: usize = 64 + 22 * limits::VALUE_REFS_MAX;

/// Chunks below this are hashed at once: it takes less than handing them to another thread and back.
const HASHED_AT_ONCE_BYTES: usize = 128 << 10;

/// What is known about an object before its bytes come.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    codec: Codec,
    refs: Vec<RefId>,
    total: u64,
}

/// Hashes bytes and gives them back, on a thread that may be busy when they are many.
async fn hash<B: AsRef<[u8]> + Send + 'static>(bytes: B) -> std::io::Result<(blake3::Hash, B)> {
    let digest = |bytes: B| (blake3::hash(bytes.as_ref()), bytes);
    if bytes.as_ref().len() <= HASHED_AT_ONCE_BYTES {
        return Ok(digest(bytes));
    }
    Ok(tokio::task::spawn_blocking(move || digest(bytes)).await?)
}

/// Puts two neighbouring pieces of one buffer together; nothing is copied.
fn joined(mut front: BytesMut, back: BytesMut) -> BytesMut {
    front.unsplit(back);
    front
}
