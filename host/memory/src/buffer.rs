//! Memory that is filled once and then never changes.

use std::sync::Arc;

use bytes::Bytes;
use rayw_core::limits;
use tokio::sync::Semaphore;

use crate::copy;
use crate::mapping::Mapping;
use crate::shelf::{Kept, Shelf};

/// Where the memory of values comes from. Clones are the same place.
///
/// What it keeps is limited by [`keep_at_most`](Self::keep_at_most), and ends when nobody wants it
/// ([`take_unused`](Self::take_unused)) or when the last clone and the last value are dropped.
#[derive(Debug, Clone)]
pub struct Buffers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    shelf: Shelf,
    /// For mappings, because the system has a limit for each process and sandboxes need theirs.
    places: Arc<Semaphore>,
    copy_permits: Semaphore,
}

/// Memory for one value of a known length, filled from its start. Only what was filled is ever seen: the rest may
/// hold what another value left.
#[derive(Debug)]
pub struct Buffer {
    memory: Memory,
    /// Bytes that it may hold.
    len: usize,
    /// Bytes that it holds.
    filled: usize,
}

#[derive(Debug)]
enum Memory {
    /// As long as the buffer.
    Small(Vec<u8>),
    /// At least as long.
    Large(Lent),
}

/// A mapping that goes back to the shelf.
#[derive(Debug)]
struct Lent {
    /// `None` only while it is dropped.
    memory: Option<Mapping>,
    home: Buffers,
}

impl Default for Buffers {
    /// One that keeps nothing yet.
    fn default() -> Self {
        Self::with(limits::BUFFERS_MAX)
    }
}

impl Buffers {
    /// With no more mappings than that.
    pub(crate) fn with(mappings_max: usize) -> Self {
        let (shelf, places) = (Shelf::default(), Arc::new(Semaphore::new(mappings_max)));
        Self(Arc::new(Shared { shelf, places, copy_permits: copy::permits() }))
    }

    /// The same bytes in memory of their own. Those that are [large](limits::LARGE_VALUE_BYTES_MIN) may be copied
    /// by several threads; the calling one is blocked until all is there.
    #[must_use]
    pub fn copied(&self, data: &[u8]) -> Bytes {
        if data.len() < limits::LARGE_VALUE_BYTES_MIN {
            return Bytes::copy_from_slice(data);
        }
        let mut buffer = self.empty(data.len());
        copy::copy(data, buffer.rest(), &self.0.copy_permits);
        buffer.fill(data.len());
        buffer.freeze()
    }

    /// Room for that many bytes, none of them filled.
    #[must_use]
    pub fn empty(&self, len: usize) -> Buffer {
        let memory = self.large(len).map_or_else(|| Memory::Small(vec![0; len]), Memory::Large);
        Buffer { memory, len, filled: 0 }
    }

    /// Keeps no more than this of what large values leave, in bytes, from now on. Answers with what is more.
    #[must_use = "to drop it may take its time: where that holds nobody up"]
    pub fn keep_at_most(&self, bytes: u64) -> Vec<Kept> {
        self.0.shelf.limit(bytes)
    }

    /// What was kept for [long](limits::BUFFERS_KEPT_FOR) and nobody wanted.
    #[must_use = "to drop it may take its time: where that holds nobody up"]
    pub fn take_unused(&self) -> Vec<Kept> {
        self.0.shelf.take_unused(limits::BUFFERS_KEPT_FOR)
    }

    /// Whether the memory of a value of so many bytes would be kept now: to drop it then takes no time.
    #[must_use]
    pub fn would_keep(&self, len: usize) -> bool {
        len >= limits::LARGE_VALUE_BYTES_MIN && self.0.shelf.has_room(size_of_mapping(len))
    }

    /// Bytes that are kept for values to come.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        self.0.shelf.kept_bytes()
    }

    /// A mapping for a large value. `None` for small ones and where there is none: memory from elsewhere is as good.
    fn large(&self, len: usize) -> Option<Lent> {
        if len < limits::LARGE_VALUE_BYTES_MIN {
            return None;
        }
        let size = size_of_mapping(len);
        let memory = self.0.shelf.take(size).or_else(|| {
            drop(self.0.shelf.make_way(size));
            Mapping::new(size, &self.0.places)
        })?;
        Some(Lent { memory: Some(memory), home: self.clone() })
    }
}

impl Buffer {
    /// Where the bytes come that are still missing. What is in there is nobody's business: it is to be written.
    #[must_use]
    pub fn rest(&mut self) -> &mut [u8] {
        let (filled, len) = (self.filled, self.len);
        self.memory.bytes_mut().get_mut(filled..len).unwrap_or_default()
    }

    /// So many more bytes of [`rest`](Self::rest) were written, at most all of it.
    pub fn fill(&mut self, count: usize) {
        self.filled = self.len.min(self.filled.saturating_add(count));
    }

    /// What was written so far.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        self.memory.bytes().get(..self.filled).unwrap_or_default()
    }

    /// Nothing more comes: what was written, for everybody to read.
    #[must_use]
    pub fn freeze(self) -> Bytes {
        match self.memory {
            Memory::Small(mut data) => {
                data.truncate(self.filled);
                Bytes::from(data)
            }
            Memory::Large(_) => Bytes::from_owner(self),
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.filled()
    }
}

impl Memory {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Small(data) => data,
            Self::Large(lent) => lent.memory.as_deref().unwrap_or_default(),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Small(data) => data,
            Self::Large(lent) => lent.memory.as_deref_mut().unwrap_or_default(),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            self.home.0.shelf.put(memory);
        }
    }
}

/// Bytes of the mapping for a value of that many: values of nearly the same length can follow one another, and no
/// more than an eighth of what was touched once is not used.
pub(crate) fn size_of_mapping(len: usize) -> usize {
    len.next_multiple_of((len.next_power_of_two() / 16).max(1))
}
