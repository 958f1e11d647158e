//! The leases, and the indexes by which they are found: by owner and shape, by node, by size.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Deref;

use super::{Lease, Spot};
use crate::message::Shape;
use crate::{IdMap, JobId, LeaseId, NodeId};

/// All leases; read like a map, changed by its methods.
#[derive(Debug, Default)]
pub(super) struct Leases {
    all: IdMap<LeaseId, Lease>,
    by_owner: IdMap<NodeId, HashMap<Shape, Claim>>,
    by_node: HashMap<usize, BTreeSet<LeaseId>>,
    /// Those that could give slots back, the largest first.
    givers: BTreeSet<Giver>,
    /// The cpu in slots of each job, in ten-thousandths.
    cpu_of: BTreeMap<JobId, u64>,
}

/// A lease by what it could give back, the largest first.
pub(super) type Giver = (Reverse<u64>, Reverse<LeaseId>);

/// What an owner holds for one shape.
#[derive(Debug, Default)]
struct Claim {
    /// The sum of [`Lease::could_give`].
    could_give: u64,
    by_spot: HashMap<Spot, LeaseId>,
}

impl Deref for Leases {
    type Target = IdMap<LeaseId, Lease>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Lease {
    /// The cpu in slots that are not asked back yet; a slot without cpus counts as the least there is.
    pub(super) fn could_give(&self) -> u64 {
        u64::from(self.slots - self.reclaiming).saturating_mul(self.shape.resources.cpu.0.max(1))
    }

    fn cpu(&self) -> u64 {
        u64::from(self.slots).saturating_mul(self.shape.resources.cpu.0)
    }
}

fn giver(id: LeaseId, lease: &Lease) -> Giver {
    (Reverse(lease.could_give()), Reverse(id))
}

impl Leases {
    /// The lease of an owner for a shape at one place.
    pub(super) fn at(&self, owner: NodeId, shape: &Shape, spot: Spot) -> Option<LeaseId> {
        self.by_owner.get(&owner)?.get(shape)?.by_spot.get(&spot).copied()
    }

    /// What an owner could give back of all its leases for a shape.
    pub(super) fn could_give(&self, owner: NodeId, shape: &Shape) -> u64 {
        self.by_owner.get(&owner).and_then(|shapes| shapes.get(shape)).map_or(0, |claim| claim.could_give)
    }

    pub(super) fn of_owner(&self, owner: NodeId) -> impl Iterator<Item = LeaseId> + '_ {
        self.by_owner
            .get(&owner)
            .into_iter()
            .flat_map(HashMap::values)
            .flat_map(|claim| claim.by_spot.values().copied())
    }

    /// Those on a node, in its bundles too.
    pub(super) fn on_node(&self, node: usize) -> impl Iterator<Item = LeaseId> + '_ {
        self.by_node.get(&node).into_iter().flatten().copied()
    }

    /// Those that could give slots back, the largest first, after `last`.
    pub(super) fn givers(&self, last: Option<Giver>) -> impl Iterator<Item = Giver> + '_ {
        let from = last.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.givers.range((from, std::ops::Bound::Unbounded)).copied()
    }

    /// The cpu that a job holds in slots.
    pub(super) fn cpu_of(&self, job: JobId) -> u64 {
        self.cpu_of.get(&job).copied().unwrap_or(0)
    }

    pub(super) fn insert(&mut self, id: LeaseId, lease: Lease) {
        self.remove(id);
        self.count(id, &lease);
        let shapes = self.by_owner.entry(lease.owner).or_default();
        shapes.entry(lease.shape.clone()).or_default().by_spot.insert(lease.spot, id);
        self.by_node.entry(lease.spot.node).or_default().insert(id);
        self.all.insert(id, lease);
    }

    pub(super) fn remove(&mut self, id: LeaseId) -> Option<Lease> {
        let lease = self.all.remove(&id)?;
        self.discount(id, &lease);
        if let Some(shapes) = self.by_owner.get_mut(&lease.owner) {
            if let Some(claim) = shapes.get_mut(&lease.shape) {
                claim.by_spot.retain(|_, known| *known != id);
                if claim.by_spot.is_empty() {
                    shapes.remove(&lease.shape);
                }
            }
            if shapes.is_empty() {
                self.by_owner.remove(&lease.owner);
            }
        }
        if let Some(here) = self.by_node.get_mut(&lease.spot.node) {
            here.remove(&id);
            if here.is_empty() {
                self.by_node.remove(&lease.spot.node);
            }
        }
        Some(lease)
    }

    /// Changes the numbers of a lease; whose it is and where stays.
    pub(super) fn change<R>(&mut self, id: LeaseId, change: impl FnOnce(&mut Lease) -> R) -> Option<R> {
        let mut lease = self.all.remove(&id)?;
        self.discount(id, &lease);
        let result = change(&mut lease);
        self.count(id, &lease);
        self.all.insert(id, lease);
        Some(result)
    }

    fn count(&mut self, id: LeaseId, lease: &Lease) {
        let could_give = lease.could_give();
        if could_give > 0 {
            self.givers.insert(giver(id, lease));
        }
        let shapes = self.by_owner.entry(lease.owner).or_default();
        match shapes.get_mut(&lease.shape) {
            Some(claim) => claim.could_give += could_give,
            None => {
                shapes.insert(lease.shape.clone(), Claim { could_give, by_spot: HashMap::new() });
            }
        }
        if lease.cpu() > 0 {
            *self.cpu_of.entry(lease.shape.job).or_default() += lease.cpu();
        }
    }

    fn discount(&mut self, id: LeaseId, lease: &Lease) {
        self.givers.remove(&giver(id, lease));
        if let Some(claim) = self.by_owner.get_mut(&lease.owner).and_then(|shapes| shapes.get_mut(&lease.shape)) {
            claim.could_give -= lease.could_give();
        }
        if let Some(cpu) = self.cpu_of.get_mut(&lease.shape.job) {
            *cpu -= lease.cpu();
            if *cpu == 0 {
                self.cpu_of.remove(&lease.shape.job);
            }
        }
    }

    /// Whether the indexes say what the leases say.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let mut fresh = Self::default();
        for (id, lease) in &self.all {
            let Lease { owner, shape, spot, slots, parked, ended_early, reclaiming, granted_at } = lease;
            let (shape, spot) = (shape.clone(), *spot);
            let copy = Lease {
                owner: *owner,
                shape,
                spot,
                slots: *slots,
                parked: *parked,
                ended_early: *ended_early,
                reclaiming: *reclaiming,
                granted_at: *granted_at,
            };
            fresh.insert(*id, copy);
        }
        assert_eq!((&self.givers, &self.cpu_of), (&fresh.givers, &fresh.cpu_of));
        assert_eq!(self.by_node, fresh.by_node);
        let sums = |leases: &Self| {
            let claims = leases.by_owner.iter().flat_map(|(owner, shapes)| shapes.iter().map(move |s| (*owner, s)));
            let sums = claims
                .map(|(owner, (shape, claim))| (format!("{owner} {shape:?}"), (claim.could_give, claim.by_spot.len())));
            sums.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(sums(self), sums(&fresh));
    }
}
