//! In which order objects make room: a pure decision.
//!
//! Copies that other stores have too cost nothing to drop and go first; then
//! primary copies go to disk. Within each, who was not used for longest goes first.

use std::collections::BTreeMap;

use rayw_core::ObjectId;

/// The objects in memory, the least recently used first. Uses are counted, so no two are at once.
#[derive(Debug, Default)]
pub(crate) struct Order {
    copies: BTreeMap<u64, ObjectId>,
    primaries: BTreeMap<u64, ObjectId>,
}

impl Order {
    fn line(&mut self, is_copy: bool) -> &mut BTreeMap<u64, ObjectId> {
        if is_copy { &mut self.copies } else { &mut self.primaries }
    }

    /// An object was used last at this time.
    pub(crate) fn add(&mut self, used: u64, id: ObjectId, is_copy: bool) {
        self.line(is_copy).insert(used, id);
    }

    /// The object that was used last at this time is not in memory any more, or was used again.
    pub(crate) fn remove(&mut self, used: u64, is_copy: bool) {
        self.line(is_copy).remove(&used);
    }

    /// Copies, in the order in which they go.
    pub(crate) fn copies(&self) -> impl Iterator<Item = ObjectId> {
        self.copies.values().copied()
    }

    /// Primary copies, in the order in which they go.
    pub(crate) fn primaries(&self) -> impl Iterator<Item = ObjectId> {
        self.primaries.values().copied()
    }
}

/// The first of `candidates` whose sizes together are at least `bytes`, or all of them.
pub(crate) fn victims(candidates: impl Iterator<Item = (ObjectId, u64)>, bytes: u64) -> Vec<ObjectId> {
    let mut freed = 0;
    let needed = candidates.take_while(|(_, size)| {
        let goes = freed < bytes;
        freed += size;
        goes
    });
    needed.map(|(id, _)| id).collect()
}
