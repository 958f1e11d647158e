//! The ids of a task's children, which every attempt derives anew: a digest for each run of them, and within a run a
//! step of its own for each.

use crate::TaskId;

/// Bits of a child's number that count children; those above hold the attempt, so that the children of two attempts,
/// which may differ, never share an id.
const CHILD_BITS: u32 = 40;

/// The child whose puts are those of an attempt after the first. Apart from all numbers that children have.
const PUT_CHILD: u64 = (1 << CHILD_BITS) - 1;

/// Children of one run, whose numbers differ in the last bits only. Guests do nothing more often than to submit, and a
/// digest for each was a thirtieth of a call.
const RUN: u64 = 256;

/// What ids within a run differ by: 2¹²⁸ over the golden ratio, odd, so that no two of them are the same, and spread over
/// all bits (D. Knuth, The Art of Computer Programming, vol. 3, 6.4).
const STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// One run of children of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Siblings {
    /// The run that they are of.
    run: u64,
    /// The digest of parent and run.
    base: [u8; 16],
}

impl Siblings {
    /// Those of that parent among whom this one is.
    fn of(parent: TaskId, number: u64) -> Self {
        let run = number / RUN;
        let mut input = [0; 24];
        input[..16].copy_from_slice(&parent.0);
        input[16..].copy_from_slice(&run.to_be_bytes());
        let mut base = [0; 16];
        base.copy_from_slice(&blake3::hash(&input).as_bytes()[..16]);
        Self { run, base }
    }

    /// The id of the one with that number, which is of the run.
    fn id(self, number: u64) -> TaskId {
        let steps = STEP.wrapping_mul(u128::from(number % RUN));
        TaskId(u128::from_le_bytes(self.base).wrapping_add(steps).to_le_bytes())
    }
}

impl TaskId {
    /// The id of this task's child of that number.
    #[must_use]
    pub fn child(self, number: u64) -> Self {
        Siblings::of(self, number).id(number)
    }

    /// The child in whose name an attempt after the first puts its objects, which may differ from those of the one before.
    #[must_use]
    pub fn putting_child(self, attempt: u32) -> Self {
        self.child(numbered(attempt, PUT_CHILD))
    }
}

/// The number of an attempt's child.
fn numbered(attempt: u32, child: u64) -> u64 {
    (u64::from(attempt) << CHILD_BITS) | child
}

/// Gives the children of one attempt of a task their ids, in order.
#[derive(Debug, Default)]
pub struct Children {
    given: u64,
    /// The run of the last one.
    siblings: Option<Siblings>,
}

impl Children {
    /// The id of the next child. Parent and attempt are always the same ones.
    pub fn next_id(&mut self, parent: TaskId, attempt: u32) -> TaskId {
        let number = numbered(attempt, self.given);
        self.given += 1;
        let known = self.siblings.filter(|siblings| siblings.run == number / RUN);
        let siblings = known.unwrap_or_else(|| Siblings::of(parent, number));
        self.siblings = Some(siblings);
        siblings.id(number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::JobId;

    #[test]
    fn children_have_ids_of_their_own() {
        let driver = JobId::numbered(1).driver(7);
        let ids: HashSet<TaskId> = (0..10_000).map(|number| driver.child(number)).collect();
        assert_eq!(ids.len(), 10_000);
        assert_eq!(driver.child(3), JobId::numbered(1).driver(7).child(3));
        assert_ne!(driver.child(3), JobId::numbered(2).driver(7).child(3));
    }

    #[test]
    fn each_attempt_gives_ids_of_its_own_and_the_same_ones_whenever_it_is_asked() {
        let driver = JobId::numbered(1).driver(7);
        for attempt in [0, 1] {
            let mut children = Children::default();
            for number in 0..3 * RUN {
                let id = children.next_id(driver, attempt);
                assert_eq!(id, driver.child((u64::from(attempt) << CHILD_BITS) | number));
            }
        }
        assert_ne!(driver.child(0), driver.child(1 << CHILD_BITS));
    }

    #[test]
    fn children_spread_over_a_table() {
        use std::hash::{BuildHasher, BuildHasherDefault};
        let driver = JobId::numbered(1).driver(7);
        let build = BuildHasherDefault::<crate::id::IdHasher>::default();
        let hashes = || (0..10_000).map(|number| build.hash_one(driver.child(number)));
        let buckets: HashSet<u64> = hashes().map(|hash| hash & 0xfff).collect();
        // 3 740 of them is what chance would give.
        assert!(buckets.len() > 3_600, "{} of 4096 buckets", buckets.len());
        let tags: HashSet<u64> = hashes().map(|hash| hash >> 57).collect();
        assert_eq!(tags.len(), 128, "the tags tell them apart");
    }
}
