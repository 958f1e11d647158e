//! Work on one thing that several ask for: who comes second waits for the first.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use rayw_core::IdMap;
use tokio::sync::MutexGuard;

/// A lock for each thing that somebody works on now.
#[derive(Debug)]
pub struct Turns<K, T> {
    open: Mutex<IdMap<K, Arc<tokio::sync::Mutex<T>>>>,
}

impl<K, T> Default for Turns<K, T> {
    fn default() -> Self {
        Self { open: Mutex::default() }
    }
}

impl<K: Copy + Eq + Hash, T: Default> Turns<K, T> {
    /// The lock of that thing. It is forgotten with the last who holds it, also where that one gives up.
    pub fn of(&self, key: K) -> Turn<'_, K, T> {
        Turn { lock: Some(Arc::clone(self.open().entry(key).or_default())), key, turns: self }
    }
}

impl<K, T> Turns<K, T> {
    /// Whether nobody works on anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open().is_empty()
    }

    fn open(&self) -> std::sync::MutexGuard<'_, IdMap<K, Arc<tokio::sync::Mutex<T>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock of one thing.
pub struct Turn<'a, K: Eq + Hash, T> {
    turns: &'a Turns<K, T>,
    key: K,
    /// There until the drop.
    lock: Option<Arc<tokio::sync::Mutex<T>>>,
}

impl<K: Eq + Hash, T> Turn<'_, K, T> {
    /// Waits until it is free.
    pub async fn take(&self) -> MutexGuard<'_, T> {
        match &self.lock {
            Some(lock) => lock.lock().await,
            None => std::future::pending().await,
        }
    }
}

impl<K: Eq + Hash, T> Drop for Turn<'_, K, T> {
    fn drop(&mut self) {
        let mut open = self.turns.open();
        // Under the lock of the table, so that of two who go at once the second one is the last.
        self.lock = None;
        if open.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use rayw_core::JobId;

    use super::*;

    #[tokio::test]
    async fn who_gives_up_leaves_nothing_behind() {
        let turns = Turns::<JobId, u32>::default();
        let (first, second) = (turns.of(JobId::numbered(1)), turns.of(JobId::numbered(1)));
        *first.take().await += 1;
        drop(first);
        assert_eq!(*second.take().await, 1);
        drop(second);
        assert!(turns.is_empty());
    }
}
