//! A lock whose turns are short: who finds it taken looks again for a moment before it sleeps.
//!
//! To sleep and to be woken costs more than most turns of it take, twice over in a virtual machine, where a cpu that
//! has nothing to do is given back. A turn that its holder's cpu was taken away from may take long: so there is an
//! end to looking.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rayw_core::limits;

/// Pauses of the cpu between two looks, a microsecond or so: who looks takes a line of the cache from who has the lock.
const PAUSES: u32 = 24;

pub(crate) struct Lock<T> {
    inside: Mutex<T>,
    patience: Duration,
}

impl<T> Lock<T> {
    pub(crate) fn new(inside: T) -> Self {
        // On one cpu nobody can give it back while somebody looks.
        let has_cpus = std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1);
        Self { inside: Mutex::new(inside), patience: if has_cpus { limits::LOCK_PATIENCE } else { Duration::ZERO } }
    }

    /// What it guards, however long that takes.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.lock_soon().unwrap_or_else(|| self.inside.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, unless somebody has it for longer than is worth looking.
    pub(crate) fn lock_soon(&self) -> Option<MutexGuard<'_, T>> {
        let free = self.try_lock();
        if free.is_some() || self.patience.is_zero() {
            return free;
        }
        let since = Instant::now();
        while since.elapsed() < self.patience {
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
            if let Some(free) = self.try_lock() {
                return Some(free);
            }
        }
        None
    }

    /// The same, unless somebody has it now.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.inside.try_lock() {
            Ok(inside) => Some(inside),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_time_goes_without_and_who_has_it_waits() {
        let lock = Lock::new(0);
        std::thread::scope(|scope| {
            let mut held = lock.lock();
            assert!(lock.try_lock().is_none() && lock.lock_soon().is_none(), "its holder does not give it back");
            let waits = scope.spawn(|| *lock.lock());
            *held = 7;
            drop(held);
            assert_eq!(waits.join().unwrap(), 7);
        });
        assert_eq!(lock.lock_soon().map(|inside| *inside), Some(7));
    }
}
