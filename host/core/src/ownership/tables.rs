//! Tables as large as what is in them: one that grew under a flood and stays large has each of its entries on memory
//! of its own, out of the reach of the caches next to the cpus. Making a table smaller moves at most an eighth of the
//! entries that its last growth moved, under the same lock.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use super::Ownership;

/// Entries for which a table always keeps room, because to make it again costs more than it takes.
const ENTRIES_KEPT: usize = 1024;

/// How many entries a table had at most, as far as that still says something.
#[derive(Debug, Default)]
struct Peak(usize);

impl Peak {
    /// Gives back what a table has much too much of. Looked at with each tick: an eighth of the peak is forgotten
    /// then, so that a table that is filled and emptied many times a second is left alone.
    fn fit<K: Eq + Hash, V, S: BuildHasher>(&mut self, table: &mut HashMap<K, V, S>) {
        self.0 = (self.0 - self.0 / 8).max(table.len()).max(ENTRIES_KEPT);
        if table.capacity() / 8 >= self.0 {
            table.shrink_to(self.0 * 2);
        }
    }
}

/// The peaks of the tables that floods fill.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    tasks: Peak,
    objects: Peak,
}

impl Ownership {
    /// Gives the room back that floods of tasks and objects left.
    pub(super) fn fit_tables(&mut self) {
        self.peaks.tasks.fit(&mut self.tasks);
        self.peaks.objects.fit(&mut self.objects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gets_small_again_after_a_flood_and_stays_as_it_is_between_waves() {
        let (mut peak, mut table) = (Peak::default(), HashMap::<u32, u32>::new());
        table.extend((0..100_000).map(|n| (n, n)));
        peak.fit(&mut table);
        table.retain(|n, _| n % 1000 == 0);
        let flooded = table.capacity();
        let mut fit = |table: &mut HashMap<u32, u32>| {
            peak.fit(table);
            table.capacity()
        };
        assert_eq!(fit(&mut table), flooded, "the next wave may come");
        let after: Vec<usize> = (0..60).map(|_| fit(&mut table)).collect();
        assert!(after.is_sorted_by(|before, then| before >= then), "{after:?}");
        assert!((ENTRIES_KEPT..ENTRIES_KEPT * 8).contains(after.last().unwrap()), "{after:?}");
    }
}
