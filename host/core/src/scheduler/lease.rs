//! Leases: granting slots, and what their owners say of them.

use super::line::Who;
use super::spot::{Refusal, Wish};
use super::{DemandKind, Lease, Outbox, Scheduler};
use crate::message::{FromHead, Shape};
use crate::{LeaseId, Millis, NodeId, Resources, Strategy, limits};

impl Scheduler {
    pub(super) fn lease_wanted(&mut self, owner: NodeId, shape: Shape, backlog: u32, granted: u32) {
        if self.node_index(owner).is_none() {
            return;
        }
        let is_running = self.jobs.get(&shape.job).is_some_and(|job| job.ended.is_none());
        // The count ends with its job, so it does not begin without one.
        let on_their_way = if is_running { self.grants.on_their_way(owner, &shape, granted) } else { 0 };
        let backlog = backlog.saturating_sub(on_their_way);
        let who = Who::Slots(owner, shape.clone());
        if backlog == 0 {
            self.demands.remove(&who);
        } else if let Some(demand) = self.demands.demand_mut(&who) {
            demand.kind = DemandKind::Slots { owner, shape, backlog };
        } else {
            self.demand(DemandKind::Slots { owner, shape, backlog }, false);
        }
    }

    pub(super) fn slots_returned(&mut self, lease: LeaseId, slots: u32, parked: u32) {
        let returned = self.change_lease(lease, |known| {
            let slots = slots.min(known.slots);
            let parked = parked.min(slots);
            let early = parked.min(known.ended_early);
            known.ended_early -= early;
            let parked = parked - early;
            known.slots -= slots;
            known.parked += parked;
            known.reclaiming = known.reclaiming.saturating_sub(slots);
            (known.spot, std::sync::Arc::clone(&known.shape.resources), slots, parked)
        });
        let Some((spot, need, slots, parked)) = returned else { return };
        self.give(spot, &need, slots - parked);
        if parked > 0 {
            self.give(spot, &Resources::cpus(need.cpu), parked);
        }
        self.forget_if_empty(lease);
    }

    pub(super) fn parked_ended(&mut self, lease: LeaseId, parked: u32) {
        let ended = self.change_lease(lease, |known| {
            let asked = parked;
            let parked = asked.min(known.parked);
            known.parked -= parked;
            known.ended_early += asked - parked;
            (known.spot, known.parked, known.shape.resources.without_cpu(), parked)
        });
        let Some((spot, left, kept, parked)) = ended else { return };
        self.give(spot, &kept, parked);
        self.resumes.at_most(spot.node, lease, left);
        self.forget_if_empty(lease);
    }

    pub(super) fn resumed_in_vain(&mut self, lease: LeaseId, slots: u32) {
        self.change_lease(lease, |known| known.ended_early = known.ended_early.saturating_sub(slots));
    }

    fn forget_if_empty(&mut self, lease: LeaseId) {
        if self.leases.get(&lease).is_some_and(|known| known.slots == 0 && known.parked == 0) {
            let gone = self.leases.remove(lease);
            gone.iter().for_each(|lease| self.settle_share(lease.shape.job));
        }
    }

    /// Changes a lease's numbers, and what follows from them.
    pub(super) fn change_lease<R>(&mut self, id: LeaseId, change: impl FnOnce(&mut Lease) -> R) -> Option<R> {
        let known = self.leases.get(&id)?;
        let (spot, before, job) = (known.spot, known.reclaiming, known.shape.job);
        let result = self.leases.change(id, change)?;
        let known = self.leases.get(&id)?;
        if spot.bundle.is_none() {
            self.nodes.promise(spot.node, &known.shape.resources, before, known.reclaiming);
        }
        self.settle_share(job);
        Some(result)
    }

    /// Takes a lease out, with all that it held.
    pub(super) fn drop_lease(&mut self, id: LeaseId) -> Option<Lease> {
        let lease = self.leases.remove(id)?;
        if lease.spot.bundle.is_none() {
            self.nodes.promise(lease.spot.node, &lease.shape.resources, lease.reclaiming, 0);
        }
        self.give(lease.spot, &lease.shape.resources, lease.slots);
        self.give(lease.spot, &lease.shape.resources.without_cpu(), lease.parked);
        self.resumes.at_most(lease.spot.node, id, 0);
        self.settle_share(lease.shape.job);
        Some(lease)
    }

    /// Grants up to `backlog` slots on one node, or says why none.
    pub(super) fn grant(
        &mut self,
        owner: NodeId,
        shape: &Shape,
        backlog: u32,
        now: Millis,
        out: &mut Outbox,
    ) -> Result<u32, Refusal> {
        let spot = self.find(&wish_of(owner, shape))?;
        let is_for_nothing = shape.resources.is_empty();
        let nodes = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let at_once = match (&shape.placement.strategy, is_for_nothing) {
            // What is to be spread goes out one by one; what asks for nothing in equal parts.
            (Strategy::Spread, false) => 1,
            (Strategy::Spread, true) => backlog.div_ceil(nodes.max(1)),
            _ => limits::LEASE_SLOTS_MAX,
        };
        let known = self.leases.at(owner, shape, spot);
        let held = known.and_then(|id| self.leases.get(&id)).map_or(0, |lease| lease.slots);
        let left = limits::LEASE_SLOTS_MAX.saturating_sub(held);
        if is_for_nothing && left == 0 {
            return Ok(backlog);
        }
        let at_once = if is_for_nothing { at_once.min(left) } else { at_once.min(limits::LEASE_SLOTS_MAX) };
        let slots = self.room(spot).fits(&shape.resources).min(backlog).min(at_once);
        self.take(spot, &shape.resources, slots);
        let id = if let Some(id) = known {
            self.change_lease(id, |lease| {
                lease.slots += slots;
                lease.reclaiming = 0;
                lease.granted_at = now;
            });
            id
        } else {
            let id = self.next_lease();
            let lease = Lease {
                owner,
                shape: shape.clone(),
                spot,
                slots,
                parked: 0,
                ended_early: 0,
                reclaiming: 0,
                granted_at: now,
            };
            self.leases.insert(id, lease);
            self.settle_share(shape.job);
            id
        };
        self.grants.count(owner, shape, slots);
        let (node, bundle) = (self.nodes[spot.node].id, spot.bundle.map(|(_, index)| index));
        self.tell_granted(owner, FromHead::SlotsGranted { lease: id, shape: shape.clone(), node, bundle, slots }, out);
        Ok(slots)
    }

    /// Says that slots are granted; in one message with those of the same lease that are about to be said.
    fn tell_granted(&mut self, owner: NodeId, message: FromHead, out: &mut Outbox) {
        let FromHead::SlotsGranted { lease, slots: more, .. } = &message else { return };
        let said = self.granted.get(lease).and_then(|place| out.get_mut(*place));
        if let Some((_, FromHead::SlotsGranted { lease: of, slots, .. })) = said
            && of == lease
        {
            *slots += more;
            return;
        }
        self.granted.insert(*lease, out.len());
        out.push((owner, message));
    }
}

/// What one slot of a shape asks of its place.
pub(super) fn wish_of(owner: NodeId, shape: &Shape) -> Wish<'_> {
    Wish {
        need: &shape.resources,
        footprint: &shape.resources,
        placement: &shape.placement,
        near: shape.near,
        by: owner,
    }
}
