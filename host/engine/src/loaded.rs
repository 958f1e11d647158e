//! What is loaded: what somebody uses, and some of what was used last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::ComponentDigest;
use tokio::sync::OnceCell;

/// One cell for each digest: whoever comes second waits for the first.
type Cell<T> = Arc<OnceCell<Arc<T>>>;

/// Programs by the digests of their components.
pub(crate) struct Loaded<T> {
    cells: Mutex<Cells<T>>,
    /// How many may be there that nobody uses.
    unused_max: usize,
}

struct Cells<T> {
    by_digest: HashMap<ComponentDigest, Entry<T>>,
    /// How often somebody has asked.
    asked: u64,
}

impl<T> Cells<T> {
    fn ask(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }
}

struct Entry<T> {
    cell: Cell<T>,
    /// When somebody asked for it last, by the count of all who asked.
    asked: u64,
}

impl<T> Entry<T> {
    /// It could not be loaded, and nobody is trying.
    fn has_failed(&self) -> bool {
        self.cell.get().is_none() && Arc::strong_count(&self.cell) == 1
    }

    /// It is known to nobody but this table.
    fn is_unused(&self) -> bool {
        Arc::strong_count(&self.cell) == 1 && self.cell.get().is_some_and(|program| Arc::strong_count(program) == 1)
    }
}

impl<T> Loaded<T> {
    pub(crate) fn new(unused_max: usize) -> Self {
        Self { cells: Mutex::new(Cells { by_digest: HashMap::new(), asked: 0 }), unused_max }
    }

    /// What has that digest, if it is loaded.
    pub(crate) fn get(&self, digest: &ComponentDigest) -> Option<Arc<T>> {
        let mut cells = self.lock();
        let asked = cells.ask();
        let entry = cells.by_digest.get_mut(digest)?;
        entry.asked = asked;
        entry.cell.get().cloned()
    }

    /// The cell in which it is, or is to be.
    pub(crate) fn cell(&self, digest: ComponentDigest) -> Cell<T> {
        let mut cells = self.lock();
        let asked = cells.ask();
        let entry = cells.by_digest.entry(digest).or_insert_with(|| Entry { cell: Cell::default(), asked });
        entry.asked = asked;
        Arc::clone(&entry.cell)
    }

    /// A load is over: if it failed, the next one begins anew.
    pub(crate) fn forget_failed(&self, digest: &ComponentDigest) {
        let mut cells = self.lock();
        if cells.by_digest.get(digest).is_some_and(Entry::has_failed) {
            cells.by_digest.remove(digest);
        }
    }

    /// Takes out what was asked for longest ago of what nobody uses, when there is too much of it.
    pub(crate) fn take_unused(&self) -> Vec<Arc<T>> {
        let mut cells = self.lock();
        if cells.by_digest.len() <= self.unused_max {
            return Vec::new();
        }
        let unused = cells.by_digest.iter().filter(|(_, entry)| entry.is_unused());
        let mut unused: Vec<_> = unused.map(|(digest, entry)| (entry.asked, *digest)).collect();
        unused.sort_unstable_by_key(|(asked, _)| *asked);
        let too_many = unused.len().saturating_sub(self.unused_max);
        let gone = unused.iter().take(too_many).filter_map(|(_, old)| cells.by_digest.remove(old));
        gone.filter_map(|entry| entry.cell.get().cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Cells<T>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> ComponentDigest {
        ComponentDigest::of(&[number])
    }

    fn load(loaded: &Loaded<u8>, number: u8) -> Arc<u8> {
        let cell = loaded.cell(digest(number));
        cell.set(Arc::new(number)).unwrap();
        cell.get().cloned().unwrap()
    }

    fn there(loaded: &Loaded<u8>) -> Vec<u8> {
        (0..8).filter(|number| loaded.lock().by_digest.contains_key(&digest(*number))).collect()
    }

    #[test]
    fn what_nobody_uses_goes_when_there_is_too_much_of_it_the_oldest_first() {
        let loaded = Loaded::new(2);
        let used = load(&loaded, 0);
        (1..=3).for_each(|number| drop(load(&loaded, number)));
        assert!(loaded.get(&digest(1)).is_some());
        assert_eq!(loaded.take_unused(), [Arc::new(2)], "1 was asked for after it");
        assert_eq!(there(&loaded), [0, 1, 3]);
        drop(used);
        assert_eq!(loaded.take_unused(), [Arc::new(0)]);
        assert!(loaded.take_unused().is_empty() && there(&loaded) == [1, 3]);
    }

    #[test]
    fn what_could_not_be_loaded_is_tried_anew() {
        let loaded = Loaded::<u8>::new(2);
        let tries = loaded.cell(digest(1));
        loaded.forget_failed(&digest(1));
        assert!(Arc::ptr_eq(&tries, &loaded.cell(digest(1))), "somebody is trying");
        drop(tries);
        loaded.forget_failed(&digest(1));
        assert!(there(&loaded).is_empty() && loaded.get(&digest(1)).is_none());
    }
}
