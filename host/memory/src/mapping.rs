//! Memory that comes from the system in one piece.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::MmapMut;

/// Counts the mappings that are alive, because the system has a limit for each process and sandboxes need theirs.
#[derive(Debug, Clone)]
pub(crate) struct Mappings {
    alive: Arc<AtomicUsize>,
    most: usize,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Mapping {
    memory: MmapMut,
    /// Dropped with it, and after it.
    _counted: Counted,
}

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Mappings {
    pub(crate) fn at_most(most: usize) -> Self {
        Self { alive: Arc::default(), most }
    }

    /// Fresh memory of that size, in huge pages as far as they are full and the system has them. `None` when there are
    /// as many mappings as there may be, or the system has no more.
    pub(crate) fn map(&self, size: usize) -> Option<Mapping> {
        let more = |alive| (alive < self.most).then_some(alive + 1);
        self.alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let counted = Counted(Arc::clone(&self.alive));
        let memory = MmapMut::map_anon(size).ok()?;
        #[cfg(target_os = "linux")]
        {
            // Advice is all it is: without huge pages it is slower, not wrong.
            let _ = memory.advise_range(memmap2::Advice::HugePage, 0, size / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES);
        }
        Some(Mapping { memory, _counted: counted })
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory
    }
}

impl DerefMut for Mapping {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Of most machines; where they are larger, the kernel rounds for itself.
#[cfg(target_os = "linux")]
const HUGE_PAGE_BYTES: usize = 2 << 20;
