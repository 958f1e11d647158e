//! What large values leave, kept for those that follow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::mapping::Mapping;

/// Mappings that nobody uses, by their size; what was kept last is taken first, as the cpu's caches know it best.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    kept: Mutex<BTreeMap<usize, Vec<Kept>>>,
    /// Bytes of all of `kept`. Written under its lock.
    kept_bytes: AtomicU64,
    /// Bytes that may be kept. Written under the lock, too.
    room: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    memory: Mapping,
    since: Instant,
}

impl Shelf {
    /// One of exactly that size, as its last user left it.
    pub(crate) fn take(&self, size: usize) -> Option<Mapping> {
        if self.kept_bytes() == 0 {
            return None;
        }
        let mut kept = self.lock();
        let of_size = kept.get_mut(&size)?;
        let found = of_size.pop()?;
        if of_size.is_empty() {
            kept.remove(&size);
        }
        Some(self.out(found))
    }

    /// Keeps one, if there is room; else it goes back to the system.
    pub(crate) fn put(&self, memory: Mapping) {
        let mut kept = self.lock();
        if self.has_room(memory.len()) {
            self.kept_bytes.fetch_add(memory.len() as u64, Ordering::Relaxed);
            kept.entry(memory.len()).or_default().push(Kept { memory, since: Instant::now() });
        }
    }

    /// Whether one of that size would be kept now.
    pub(crate) fn has_room(&self, size: usize) -> bool {
        self.kept_bytes() + size as u64 <= self.room.load(Ordering::Relaxed)
    }

    /// From now on this much may be kept. What is more is answered, largest first, to be dropped.
    pub(crate) fn limit(&self, room: u64) -> Vec<Mapping> {
        // Under the lock, so that nobody keeps one by the room that there was before.
        let mut kept = self.lock();
        self.room.store(room, Ordering::Relaxed);
        self.surplus(&mut kept, room)
    }

    /// What has to go for one of that size, which is about to come from the system.
    pub(crate) fn make_way(&self, size: usize) -> Vec<Mapping> {
        if self.kept_bytes() == 0 {
            return Vec::new();
        }
        let mut kept = self.lock();
        let room = self.room.load(Ordering::Relaxed).saturating_sub(size as u64);
        self.surplus(&mut kept, room)
    }

    fn surplus(&self, kept: &mut BTreeMap<usize, Vec<Kept>>, room: u64) -> Vec<Mapping> {
        let mut surplus = Vec::new();
        while self.kept_bytes() > room
            && let Some(mut largest) = kept.last_entry()
        {
            let found = largest.get_mut().pop();
            if largest.get().is_empty() {
                largest.remove();
            }
            surplus.extend(found.map(|found| self.out(found)));
        }
        surplus
    }

    /// What nobody has wanted for that long.
    pub(crate) fn take_unused(&self, for_long: Duration) -> Vec<Mapping> {
        if self.kept_bytes() == 0 {
            return Vec::new();
        }
        let now = Instant::now();
        let mut unused = Vec::new();
        self.lock().retain(|_, of_size| {
            let is_old = |kept: &mut Kept| now.duration_since(kept.since) >= for_long;
            unused.extend(of_size.extract_if(.., is_old).map(|found| self.out(found)));
            !of_size.is_empty()
        });
        unused
    }

    /// Bytes that are kept.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes.load(Ordering::Relaxed)
    }

    /// It is not kept any more.
    fn out(&self, found: Kept) -> Mapping {
        self.kept_bytes.fetch_sub(found.memory.len() as u64, Ordering::Relaxed);
        found.memory
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
