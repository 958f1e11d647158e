//! Memory that comes from the system in one piece.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use memmap2::MmapMut;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One of the mappings that a process may have for large values.
#[derive(Debug)]
pub(crate) struct Mapping {
    memory: MmapMut,
    /// Given back when the memory is.
    _place: OwnedSemaphorePermit,
}

impl Mapping {
    /// Fresh memory of that size, in huge pages as far as they are full and the system has them. `None` when there is
    /// no place for another mapping, or the system has no more.
    pub(crate) fn new(size: usize, places: &Arc<Semaphore>) -> Option<Self> {
        let place = Arc::clone(places).try_acquire_owned().ok()?;
        let memory = MmapMut::map_anon(size).ok()?;
        #[cfg(target_os = "linux")]
        {
            // Advice is all it is: without huge pages it is slower, not wrong.
            let _ = memory.advise_range(memmap2::Advice::HugePage, 0, size / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES);
        }
        Some(Self { memory, _place: place })
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

/// Of most machines; where they are larger, the kernel rounds for itself.
#[cfg(target_os = "linux")]
const HUGE_PAGE_BYTES: usize = 2 << 20;
