//! Tables and lists as large as what is in them. A table that grew under a flood and stays large has each of its entries
//! on memory of its own, out of the reach of the caches next to the cpus. Making a table smaller moves at most an eighth
//! of the entries that its last growth moved, under the same lock.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};

use super::Ownership;

/// Entries for which a table always keeps room, because to make it again costs more than it takes.
const ENTRIES_KEPT: usize = 1024;

/// Entries of a list below which it is not looked through for those that nobody needs.
const LOOKED_THROUGH_MIN: usize = 64;

/// A list in which some entries may be of no use any more, because what they stand for is over.
pub(super) trait List<T> {
    fn len(&self) -> usize;
    fn capacity(&self) -> usize;
    fn retain(&mut self, is_needed: impl FnMut(&T) -> bool);
    fn reserve(&mut self, more: usize);
}

/// What each of these has by itself.
macro_rules! lists {
    ($($list:ident),*) => {$(
        impl<T> List<T> for $list<T> {
            fn len(&self) -> usize {
                self.len()
            }

            fn capacity(&self) -> usize {
                self.capacity()
            }

            fn retain(&mut self, is_needed: impl FnMut(&T) -> bool) {
                self.retain(is_needed);
            }

            fn reserve(&mut self, more: usize) {
                self.reserve(more);
            }
        }
    )*};
}

lists!(Vec, VecDeque);

/// Has room in a list for another entry: before it grows, those go that nobody needs. Each entry is looked at about
/// once for each that comes, however many there are.
pub(super) fn make_room<T>(list: &mut impl List<T>, is_needed: impl FnMut(&T) -> bool) {
    if list.len() < list.capacity().max(LOOKED_THROUGH_MIN) {
        return;
    }
    list.retain(is_needed);
    // Where hardly any went, the next ones would look through all of it again.
    if list.len() > list.capacity() / 2 {
        list.reserve(list.len());
    }
}

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
    fn a_list_grows_only_with_what_is_needed() {
        let mut line = VecDeque::new();
        for n in 0..100_000_u32 {
            make_room(&mut line, |entry| *entry == 0 || *entry == n - 1);
            line.push_back(n);
        }
        assert!(line.capacity() < 4 * LOOKED_THROUGH_MIN, "{}", line.capacity());
        assert_eq!(line.front(), Some(&0));
    }

    #[test]
    fn a_list_of_which_all_is_needed_is_seldom_looked_through() {
        let (mut list, mut looks) = (Vec::new(), 0);
        for n in 0..100_000 {
            make_room(&mut list, |_| {
                looks += 1;
                true
            });
            list.push(n);
        }
        assert!(looks < 3 * 100_000, "{looks}");
    }

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
