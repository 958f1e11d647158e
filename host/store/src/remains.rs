//! What is left of an object that nobody wants any more.

use std::sync::Arc;

use rayw_core::Value;

use crate::spill::{SpillDir, SpillFile};

/// An object that was taken out of its store. To drop it gives its memory back, when its last reader is done,
/// or removes its file: either takes its time when it is large, unless its memory is kept for the next.
#[derive(Debug)]
pub struct Remains {
    slow_bytes: u64,
    /// Held for its drop.
    _kept: Kept,
}

/// Where it was.
#[derive(Debug)]
enum Kept {
    Memory { _value: Arc<Value> },
    File(Arc<SpillDir>, SpillFile),
}

impl Remains {
    pub(crate) fn in_memory(slow_bytes: u64, value: Arc<Value>) -> Self {
        Self { slow_bytes, _kept: Kept::Memory { _value: value } }
    }

    pub(crate) fn on_disk(slow_bytes: u64, dir: Arc<SpillDir>, file: SpillFile) -> Self {
        Self { slow_bytes, _kept: Kept::File(dir, file) }
    }

    /// Bytes, in memory or on disk, that it takes its time to give back.
    #[must_use]
    pub fn slow_bytes(&self) -> u64 {
        self.slow_bytes
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Self::File(dir, file) = self {
            dir.remove(*file);
        }
    }
}
