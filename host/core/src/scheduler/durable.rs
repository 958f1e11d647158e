//! A table whose rows outlive the head: who changes one leaves its key behind.
//!
//! So no place that changes a row has to think of the journal. What is not
//! durable of a row is changed by [`Durable::passing`], which leaves nothing.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::ops::Deref;

use crate::IdMap;

/// Rows by their keys. Reading goes through the map itself.
#[derive(Debug)]
pub(super) struct Durable<K, V> {
    rows: IdMap<K, V>,
    /// Keys of rows that were changed since they were last taken.
    touched: BTreeSet<K>,
    /// Whether anybody takes them.
    is_journalled: bool,
}

impl<K, V> Default for Durable<K, V> {
    fn default() -> Self {
        Self { rows: IdMap::default(), touched: BTreeSet::new(), is_journalled: false }
    }
}

impl<K, V> Deref for Durable<K, V> {
    type Target = IdMap<K, V>;

    fn deref(&self) -> &IdMap<K, V> {
        &self.rows
    }
}

impl<'a, K, V> IntoIterator for &'a Durable<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::collections::hash_map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

impl<K: Copy + Eq + Hash + Ord, V> Durable<K, V> {
    /// From now on somebody takes the keys of what changes.
    pub(super) fn journal(&mut self) {
        self.is_journalled = true;
    }

    /// Leaves a key behind.
    pub(super) fn touch(&mut self, key: K) {
        if self.is_journalled {
            self.touched.insert(key);
        }
    }

    /// A row that is about to be changed.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let row = self.rows.get_mut(key);
        if row.is_some() && self.is_journalled {
            self.touched.insert(*key);
        }
        row
    }

    /// A row of which only what is not durable is about to be changed.
    pub(super) fn passing(&mut self, key: &K) -> Option<&mut V> {
        self.rows.get_mut(key)
    }

    /// All rows, to change what is not durable of them.
    pub(super) fn passing_all(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.rows.iter_mut()
    }

    pub(super) fn insert(&mut self, key: K, row: V) {
        self.touch(key);
        self.rows.insert(key, row);
    }

    pub(super) fn remove(&mut self, key: &K) {
        if self.rows.remove(key).is_some() {
            self.touch(*key);
        }
    }

    /// What was changed since this was last asked.
    pub(super) fn take_touched(&mut self) -> BTreeSet<K> {
        std::mem::take(&mut self.touched)
    }
}
