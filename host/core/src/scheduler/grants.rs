//! How many slots each owner was granted for each shape, to know which of them it has not heard of yet.
//!
//! An owner says how many slots it could use while others are on their way to it. Both count what was
//! granted, and the difference is taken off its wish: nobody is served twice because messages crossed.

use std::collections::HashMap;

use crate::message::Shape;
use crate::{IdMap, JobId, NodeId};

/// The counts of jobs that run; each begins with what its owner says first.
#[derive(Debug, Default)]
pub(super) struct Grants {
    by_job: IdMap<JobId, HashMap<Shape, IdMap<NodeId, u32>>>,
}

impl Grants {
    /// Slots of which the owner, which has heard of `heard` in all, has not heard yet.
    pub(super) fn on_their_way(&mut self, owner: NodeId, shape: &Shape, heard: u32) -> u32 {
        let shapes = self.by_job.entry(shape.job).or_default();
        if !shapes.contains_key(shape) {
            shapes.insert(shape.clone(), IdMap::default());
        }
        let Some(granted) = shapes.get_mut(shape).map(|owners| owners.entry(owner).or_insert(heard)) else { return 0 };
        let ahead = granted.wrapping_sub(heard);
        // An earlier head granted some that it did not live to count.
        if ahead > u32::MAX / 2 {
            *granted = heard;
            return 0;
        }
        ahead
    }

    pub(super) fn count(&mut self, owner: NodeId, shape: &Shape, slots: u32) {
        let owners = self.by_job.get_mut(&shape.job).and_then(|shapes| shapes.get_mut(shape));
        if let Some(granted) = owners.and_then(|owners| owners.get_mut(&owner)) {
            *granted = granted.wrapping_add(slots);
        }
    }

    /// An owner has nothing of a shape any more, and begins anew when it wants some again.
    pub(super) fn forget(&mut self, owner: NodeId, shape: &Shape) {
        let Some(shapes) = self.by_job.get_mut(&shape.job) else { return };
        if let Some(owners) = shapes.get_mut(shape) {
            owners.remove(&owner);
            if owners.is_empty() {
                shapes.remove(shape);
            }
        }
        if shapes.is_empty() {
            self.by_job.remove(&shape.job);
        }
    }

    pub(super) fn forget_job(&mut self, job: JobId) {
        self.by_job.remove(&job);
    }

    pub(super) fn forget_owner(&mut self, owner: NodeId) {
        for owners in self.by_job.values_mut().flat_map(HashMap::values_mut) {
            owners.remove(&owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Resources;

    const OWNER: NodeId = NodeId([1; 16]);

    fn shape() -> Shape {
        let resources = Arc::new(Resources::default());
        Shape { job: JobId::numbered(1), resources, placement: Arc::default(), near: None }
    }

    #[test]
    fn what_the_owner_has_not_heard_of_is_on_its_way() {
        let mut grants = Grants::default();
        assert_eq!(grants.on_their_way(OWNER, &shape(), 5), 0);
        grants.count(OWNER, &shape(), 3);
        assert_eq!(grants.on_their_way(OWNER, &shape(), 5), 3);
        assert_eq!(grants.on_their_way(OWNER, &shape(), 7), 1);
        assert_eq!(grants.on_their_way(OWNER, &shape(), 8), 0);
    }

    #[test]
    fn the_count_goes_on_beyond_its_end() {
        let mut grants = Grants::default();
        assert_eq!(grants.on_their_way(OWNER, &shape(), u32::MAX), 0);
        grants.count(OWNER, &shape(), 2);
        assert_eq!(grants.on_their_way(OWNER, &shape(), 0), 1);
    }

    #[test]
    fn an_owner_that_heard_of_more_knows_better() {
        let mut grants = Grants::default();
        assert_eq!(grants.on_their_way(OWNER, &shape(), 1), 0);
        assert_eq!(grants.on_their_way(OWNER, &shape(), 4), 0);
        grants.count(OWNER, &shape(), 1);
        assert_eq!(grants.on_their_way(OWNER, &shape(), 4), 1);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut grants = Grants::default();
        assert_eq!(grants.on_their_way(OWNER, &shape(), 0), 0);
        grants.count(OWNER, &shape(), 1);
        grants.forget_owner(OWNER);
        assert_eq!(grants.on_their_way(OWNER, &shape(), 0), 0);
        grants.count(OWNER, &shape(), 0);
        grants.on_their_way(OWNER, &shape(), 2);
        grants.forget(OWNER, &shape());
        assert!(grants.by_job.is_empty());
        grants.forget_job(shape().job);
        assert!(grants.by_job.is_empty());
    }
}
