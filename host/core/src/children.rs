//! The ids of what a task makes while it runs: of the tasks that it submits and of the objects that it puts. Each
//! execution derives them anew: a digest for each brood of children, and within it a step of its own for each.

use crate::id::derive;
use crate::{ObjectId, TaskId};

/// Children of one digest. Guests do nothing more often than to submit, and a digest for each was a thirtieth of a
/// call.
const BROOD: u64 = 256;

/// The first brood in whose name puts are made that are not the task's own; further ones count down from it. Apart
/// from all that children have.
const PUTS: u64 = u64::MAX;

/// Objects that are put in one name: their numbers have 31 bits.
const PUTS_IN_NAME: u64 = 1 << 31;

/// What ids within a brood differ by: 2¹²⁸ over the golden ratio, odd, so that no two of them are the same, and spread
/// over all bits (D. Knuth, The Art of Computer Programming, vol. 3, 6.4).
const STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// Which execution of a task's code it is. What two of them make may differ, so it never shares an id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Execution {
    /// Times that the actor, whose constructor or call it is, was restarted before; 0 elsewhere.
    pub restarts: u32,
    /// For a task or a call its attempt, from 0. For what an actor runs in the name of its constructor (that one itself,
    /// and each time it is written down or brought back) the number within its life, from 0.
    pub number: u32,
}

/// One brood of children of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Brood {
    number: u64,
    /// The digest of parent, execution and number.
    base: TaskId,
}

impl Brood {
    fn of(parent: TaskId, execution: Execution, number: u64) -> Self {
        let Execution { restarts, number: execution } = execution;
        let base = derive(&[&parent.0, &restarts.to_be_bytes(), &execution.to_be_bytes(), &number.to_be_bytes()]);
        Self { number, base }
    }

    /// The id of the child with that number, which is one of them.
    fn id(self, child: u64) -> TaskId {
        let steps = STEP.wrapping_mul(u128::from(child % BROOD));
        TaskId(u128::from_le_bytes(self.base.0).wrapping_add(steps).to_le_bytes())
    }
}

impl TaskId {
    /// The id of the child of that number that this task's first execution has.
    #[must_use]
    pub fn child(self, number: u64) -> Self {
        Brood::of(self, Execution::default(), number / BROOD).id(number)
    }
}

/// Gives what one execution of a task makes its ids, in order.
#[derive(Debug)]
pub struct Children {
    parent: TaskId,
    execution: Execution,
    /// Children so far.
    submitted: u64,
    /// Objects put so far.
    put: u64,
    /// The brood of the last child.
    brood: Option<Brood>,
}

impl Children {
    /// Those of that execution of the task, of which there are none yet.
    #[must_use]
    pub fn new(parent: TaskId, execution: Execution) -> Self {
        Self { parent, execution, submitted: 0, put: 0, brood: None }
    }

    /// The id of the next child.
    pub fn next_id(&mut self) -> TaskId {
        let child = self.submitted;
        self.submitted += 1;
        let known = self.brood.filter(|brood| brood.number == child / BROOD);
        let brood = known.unwrap_or_else(|| Brood::of(self.parent, self.execution, child / BROOD));
        self.brood = Some(brood);
        brood.id(child)
    }

    /// The id of the next object that is put.
    pub fn next_put(&mut self) -> ObjectId {
        let (name, number) = (self.put / PUTS_IN_NAME, (self.put % PUTS_IN_NAME) as u32);
        self.put += 1;
        let maker = match (self.execution, name) {
            (Execution { restarts: 0, number: 0 }, 0) => self.parent,
            (execution, name) => Brood::of(self.parent, execution, PUTS - name).id(0),
        };
        maker.put(number)
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
    fn the_first_execution_has_the_children_and_puts_of_the_task() {
        let driver = JobId::numbered(1).driver(7);
        let mut children = Children::new(driver, Execution::default());
        assert!((0..3 * BROOD).all(|number| children.next_id() == driver.child(number)));
        assert_eq!([children.next_put(), children.next_put()], [driver.put(0), driver.put(1)]);
    }

    #[test]
    fn puts_have_ids_of_their_own_however_many_there_are() {
        let driver = JobId::numbered(1).driver(7);
        let mut children = Children::new(driver, Execution::default());
        let mut ids = HashSet::new();
        for name in 0..3 {
            children.put = name * PUTS_IN_NAME;
            ids.insert(children.next_put());
            children.put = (name + 1) * PUTS_IN_NAME - 1;
            ids.insert(children.next_put());
        }
        assert_eq!(ids.len(), 6);
        assert!(ids.contains(&driver.put(0)) && ids.iter().all(|id| id.is_put()));
    }

    #[test]
    fn each_execution_gives_ids_of_its_own_and_the_same_ones_whenever_it_is_asked() {
        let driver = JobId::numbered(1).driver(7);
        let made = |restarts, number| {
            let mut children = Children::new(driver, Execution { restarts, number });
            let submitted: Vec<_> = (0..2 * BROOD).map(|_| children.next_id()).collect();
            let put: Vec<_> = (0..3).map(|_| children.next_put()).collect();
            (submitted, put)
        };
        let all = [made(0, 0), made(0, 1), made(1, 0), made(1, 1)];
        assert_eq!(all[3], made(1, 1));
        let submitted: HashSet<_> = all.iter().flat_map(|(submitted, _)| submitted).collect();
        let put: HashSet<_> = all.iter().flat_map(|(_, put)| put).collect();
        assert_eq!((submitted.len() as u64, put.len()), (4 * 2 * BROOD, 4 * 3));
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
        // Of those in one bucket, one in 128 has the tag of another by chance.
        let slots: HashSet<u64> = hashes().map(|hash| (hash & 0xfff) | (hash >> 57) << 12).collect();
        assert!(slots.len() > 9_850, "{} of 10 000 are told apart by bucket and tag", slots.len());
    }
}
