//! Copies much with more than one thread.

use std::sync::{Mutex, PoisonError};
use std::thread;

use rayw_core::limits;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Permits for the threads that all copies together may start: one for each cpu but one, because one cpu does not get
/// all that the memory of a machine gives.
pub(crate) fn permits() -> Semaphore {
    Semaphore::new(thread::available_parallelism().map_or(1, usize::from).saturating_sub(1))
}

/// Copies all of `from` to `to`, which is as long, with more threads than this one as far as there are permits.
pub(crate) fn copy(from: &[u8], to: &mut [u8], permits: &Semaphore) {
    let wanted = (from.len() / limits::COPY_BYTES_OF_THREAD_MIN).min(limits::COPY_THREADS_MAX);
    let more: Vec<SemaphorePermit<'_>> = (0..wanted).map_while(|_| permits.try_acquire().ok()).collect();
    if more.is_empty() {
        return to.copy_from_slice(from);
    }
    // Whoever is free takes the next piece, so that a thread that could not be started, or that others push off its
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
        for _ in &more {
            // Without it, those that are there do it all.
            let _ = thread::Builder::new().name("rayw-copy".to_owned()).spawn_scoped(scope, work);
        }
        work();
    });
}
