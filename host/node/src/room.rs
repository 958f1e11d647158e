//! How much of a node the work of its guests takes that no store and no sandbox counts, when last counted: unfinished
//! tasks, objects, and the small values that are with their owner. Guests ask before they add to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rayw_core::ownership::Ownership;
use rayw_core::{Error, ErrorKind, Value, limits};

use crate::Node;

/// Counted at each turn of the owner's lock, and read without it.
#[derive(Debug, Default)]
pub(crate) struct Room {
    unfinished: AtomicUsize,
    objects: AtomicUsize,
    small_bytes: AtomicU64,
}

impl Room {
    pub(crate) fn count(&self, ownership: &Ownership) {
        self.unfinished.store(ownership.unfinished(), Ordering::Relaxed);
        self.objects.store(ownership.objects(), Ordering::Relaxed);
        self.small_bytes.store(ownership.small_bytes(), Ordering::Relaxed);
    }
}

/// Whether a value stays with its owner instead of in the store, when the owner has so many bytes of such values and
/// the store may have so many in memory.
fn stays_small(value: &Value, small_bytes: u64, store_bytes_max: u64) -> bool {
    let bytes = value.data.len();
    bytes <= limits::ALWAYS_INLINE_BYTES_MAX || (bytes <= limits::INLINE_BYTES_MAX && small_bytes < store_bytes_max)
}

/// The small values of one message, of which all together have a limit, too.
#[derive(Debug, Default)]
pub(crate) struct Together {
    bytes: u64,
}

impl Together {
    /// Whether there is room for another value, which has it then.
    fn take(&mut self, value: &Value) -> bool {
        let bytes = self.bytes + value.size();
        let has_room =
            bytes <= limits::INLINE_TOGETHER_BYTES_MAX || value.data.len() <= limits::ALWAYS_INLINE_BYTES_MAX;
        if has_room {
            self.bytes = bytes;
        }
        has_room
    }
}

impl Node {
    /// Whether a value stays with its owner: small ones do, while all of them together have no more memory than
    /// the store. The rest goes to the store, which has files for it.
    pub(crate) fn keeps_inline(&self, value: &Value, together: &mut Together) -> bool {
        stays_small(value, self.room.small_bytes.load(Ordering::Relaxed), self.store.bytes_max())
            && together.take(value)
    }

    /// Whether one more task may be submitted.
    ///
    /// # Errors
    /// `LimitExceeded` when too many are unfinished.
    pub(crate) fn admit_task(self: &Arc<Self>) -> Result<(), Error> {
        self.admit(limits::TASKS_MAX, |room| &room.unfinished, "tasks are unfinished on this node: wait for some")
    }

    /// Whether one more object may be put.
    ///
    /// # Errors
    /// `LimitExceeded` when there are too many.
    pub(crate) fn admit_object(self: &Arc<Self>) -> Result<(), Error> {
        self.admit(limits::OBJECTS_MAX, |room| &room.objects, "objects are kept on this node: drop references to some")
    }

    fn admit(self: &Arc<Self>, most: usize, of: fn(&Room) -> &AtomicUsize, what: &str) -> Result<(), Error> {
        if of(&self.room).load(Ordering::Relaxed) < most {
            return Ok(());
        }
        // Some may have gone since they were last counted.
        self.take_in_offered();
        self.room.count(&self.lock().ownership);
        if of(&self.room).load(Ordering::Relaxed) < most {
            return Ok(());
        }
        Err(Error::new(ErrorKind::LimitExceeded, format!("{most} {what} of them first")))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rayw_core::Codec;

    use super::*;

    #[test]
    fn small_values_stay_while_all_of_them_have_less_than_the_store() {
        let value = |bytes| Value { codec: Codec::Raw, data: Bytes::from(vec![0; bytes]), refs: Vec::new() };
        assert!(stays_small(&value(limits::INLINE_BYTES_MAX), 99, 100));
        assert!(!stays_small(&value(limits::INLINE_BYTES_MAX), 100, 100));
        assert!(!stays_small(&value(limits::INLINE_BYTES_MAX + 1), 0, 100));
        assert!(stays_small(&value(limits::ALWAYS_INLINE_BYTES_MAX), 100, 100));
    }

    #[test]
    fn small_values_of_one_message_have_a_limit_together() {
        let value = |bytes| Value { codec: Codec::Raw, data: Bytes::from(vec![0; bytes]), refs: Vec::new() };
        let (small, tiny) = (value(limits::INLINE_BYTES_MAX), value(1));
        let mut together = Together::default();
        let taken = (0..200).filter(|_| together.take(&small)).count();
        assert_eq!(taken, 102, "100 KiB each, 10 MiB together");
        assert!(together.take(&tiny));
    }
}
