//! Copies much with more than one thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rayw_core::limits;

/// Threads that may help with copying: one cpu does not get all that the memory of a machine gives.
#[derive(Debug)]
pub(crate) struct Helpers {
    /// How many more may be started now.
    free: AtomicUsize,
}

/// Helpers that one copy has, until it is dropped.
struct Taken<'a> {
    from: &'a Helpers,
    count: usize,
}

impl Helpers {
    /// All copies together have one for each cpu but one.
    pub(crate) fn new() -> Self {
        Self::at_most(thread::available_parallelism().map_or(1, usize::from).saturating_sub(1))
    }

    pub(crate) fn at_most(threads: usize) -> Self {
        Self { free: AtomicUsize::new(threads) }
    }

    /// Copies all of `from` to `to`, which is as long.
    pub(crate) fn copy(&self, from: &[u8], to: &mut [u8]) {
        let wanted = (from.len() / limits::COPY_HELPED_BYTES_MIN).min(limits::COPY_HELPERS_MAX);
        let helpers = self.take(wanted);
        if helpers.count == 0 {
            return to.copy_from_slice(from);
        }
        // Whoever is free takes the next piece, so that a helper that could not be started, or that others push off its
        // cpu, holds up no more than its piece. One that gets no cpu at all is waited for, as short as its start is.
        let pieces = to.chunks_mut(limits::COPY_PIECE_BYTES).zip(from.chunks(limits::COPY_PIECE_BYTES));
        let pieces = Mutex::new(pieces);
        let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            while let Some((to, from)) = next() {
                to.copy_from_slice(from);
            }
        };
        thread::scope(|scope| {
            for _ in 0..helpers.count {
                // Without it, those that are there do it all.
                let _ = thread::Builder::new().name("rayw-copy".to_owned()).spawn_scoped(scope, work);
            }
            work();
        });
    }

    fn take(&self, wanted: usize) -> Taken<'_> {
        let mut count = 0;
        let _ = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
            count = wanted.min(free);
            (count > 0).then(|| free - count)
        });
        Taken { from: self, count }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.from.free.fetch_add(self.count, Ordering::Relaxed);
        }
    }
}
