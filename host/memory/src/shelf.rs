//! What large values leave, kept for those that follow.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::mapping::Mapping;

/// Mappings that nobody uses; what was kept last is taken first, as the cpu's caches know it best.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    by_size: BTreeMap<usize, Vec<Kept>>,
    /// Bytes of all of them.
    bytes: u64,
    /// Bytes that may be kept.
    room: u64,
}

/// Memory that is kept. To drop it gives it back to the system, which takes a third of a millisecond for 100 MiB of
/// huge pages.
#[derive(Debug)]
pub struct Kept {
    pub(crate) memory: Mapping,
    since: Instant,
}

impl Inside {
    fn has_room(&self, size: usize) -> bool {
        self.bytes + size as u64 <= self.room
    }

    /// Takes one out of that size.
    fn take(&mut self, size: usize) -> Option<Kept> {
        let of_size = self.by_size.get_mut(&size)?;
        let found = of_size.pop()?;
        if of_size.is_empty() {
            self.by_size.remove(&size);
        }
        self.bytes -= size as u64;
        Some(found)
    }

    /// Takes out what is more than that, largest first.
    fn surplus(&mut self, room: u64) -> Vec<Kept> {
        let mut surplus = Vec::new();
        while self.bytes > room
            && let Some(largest) = self.by_size.keys().next_back().copied()
        {
            surplus.extend(self.take(largest));
        }
        surplus
    }
}

impl Shelf {
    /// One of exactly that size, as its last user left it.
    pub(crate) fn take(&self, size: usize) -> Option<Mapping> {
        self.lock().take(size).map(|kept| kept.memory)
    }

    /// Keeps one, if there is room; else it goes back to the system.
    pub(crate) fn put(&self, memory: Mapping) {
        let size = memory.len();
        let mut inside = self.lock();
        if inside.has_room(size) {
            inside.bytes += size as u64;
            inside.by_size.entry(size).or_default().push(Kept { memory, since: Instant::now() });
        }
    }

    /// Whether one of that size would be kept now.
    pub(crate) fn has_room(&self, size: usize) -> bool {
        self.lock().has_room(size)
    }

    /// From now on this much may be kept. What is more is answered, to be dropped.
    pub(crate) fn limit(&self, room: u64) -> Vec<Kept> {
        let mut inside = self.lock();
        inside.room = room;
        inside.surplus(room)
    }

    /// What has to go for one of that size, which is about to come from the system.
    pub(crate) fn make_way(&self, size: usize) -> Vec<Kept> {
        let mut inside = self.lock();
        let room = inside.room.saturating_sub(size as u64);
        inside.surplus(room)
    }

    /// What nobody has wanted for that long.
    pub(crate) fn take_unused(&self, for_long: Duration) -> Vec<Kept> {
        let now = Instant::now();
        let mut unused = Vec::new();
        let mut inside = self.lock();
        inside.by_size.retain(|_, of_size| {
            unused.extend(of_size.extract_if(.., |kept| now.duration_since(kept.since) >= for_long));
            !of_size.is_empty()
        });
        inside.bytes -= unused.iter().map(|kept| kept.memory.len() as u64).sum::<u64>();
        unused
    }

    /// Bytes that are kept.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
