//! Work on one thing that several ask for: who comes second waits for the first.

use std::hash::Hash;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::IdMap;

/// A lock for each thing that somebody works on now.
#[derive(Debug)]
pub(crate) struct Turns<K, T> {
    open: Mutex<IdMap<K, Arc<tokio::sync::Mutex<T>>>>,
}

impl<K, T> Default for Turns<K, T> {
    fn default() -> Self {
        Self { open: Mutex::default() }
    }
}

impl<K: Copy + Eq + Hash, T: Default> Turns<K, T> {
    /// The lock of that thing. It is forgotten with the last who holds it, also where that one gives up.
    pub(crate) fn of(&self, key: K) -> Turn<'_, K, T> {
        Turn { lock: Arc::clone(self.open().entry(key).or_default()), key, turns: self }
    }
}

impl<K, T> Turns<K, T> {
    fn open(&self) -> MutexGuard<'_, IdMap<K, Arc<tokio::sync::Mutex<T>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock of one thing.
pub(crate) struct Turn<'a, K: Eq + Hash, T> {
    turns: &'a Turns<K, T>,
    key: K,
    lock: Arc<tokio::sync::Mutex<T>>,
}

impl<K: Eq + Hash, T> Deref for Turn<'_, K, T> {
    type Target = tokio::sync::Mutex<T>;

    fn deref(&self) -> &Self::Target {
        &self.lock
    }
}

impl<K: Eq + Hash, T> Drop for Turn<'_, K, T> {
    fn drop(&mut self) {
        let mut open = self.turns.open();
        // The table has one, this is one: nobody else waits.
        if Arc::strong_count(&self.lock) <= 2 {
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
        *first.lock().await += 1;
        drop(first);
        assert_eq!(*second.lock().await, 1);
        drop(second);
        assert!(turns.open().is_empty());
    }
}
