//! Leases: granting slots, taking them back, letting blocked tasks go on.

use super::spot::{Refusal, Wish};
use super::{DemandKind, Lease, Outbox, Scheduler, Spot};
use crate::message::{FromHead, Shape};
use crate::{Error, ErrorKind, JobId, JobState, LeaseId, Millis, NodeId, Resources, Strategy, limits};

impl Scheduler {
    pub(super) fn lease_wanted(&mut self, owner: NodeId, shape: Shape, backlog: u32) {
        if self.node_index(owner).is_none() {
            return;
        }
        let known = self.demands.iter_mut().find_map(|demand| match &mut demand.kind {
            DemandKind::Slots { owner: by, shape: of, backlog } if *by == owner && *of == shape => Some(backlog),
            _ => None,
        });
        match known {
            Some(known) => *known = backlog,
            None if backlog > 0 => self.demands.push_back(DemandKind::Slots { owner, shape, backlog }.waits()),
            None => {}
        }
    }

    pub(super) fn slots_returned(&mut self, lease: LeaseId, slots: u32, parked: u32) {
        let Some(known) = self.leases.get_mut(&lease) else { return };
        let slots = slots.min(known.slots);
        let parked = parked.min(slots);
        known.slots -= slots;
        known.parked += parked;
        known.reclaiming = known.reclaiming.saturating_sub(slots);
        let (spot, need) = (known.spot, std::sync::Arc::clone(&known.shape.resources));
        self.give(spot, &need, slots - parked);
        self.give(spot, &Resources::cpus(need.cpu), parked);
        self.forget_if_empty(lease);
    }

    pub(super) fn parked_ended(&mut self, lease: LeaseId, parked: u32) {
        let Some(known) = self.leases.get_mut(&lease) else { return };
        let parked = parked.min(known.parked);
        known.parked -= parked;
        let (spot, left, kept) = (known.spot, known.parked, known.shape.resources.without_cpu());
        self.give(spot, &kept, parked);
        self.resumes.retain_mut(|(waiting, slots)| {
            *slots = if *waiting == lease { (*slots).min(left) } else { *slots };
            *slots > 0
        });
        self.forget_if_empty(lease);
    }

    fn forget_if_empty(&mut self, lease: LeaseId) {
        if self.leases.get(&lease).is_some_and(|known| known.slots == 0 && known.parked == 0) {
            self.leases.remove(&lease);
        }
    }

    /// Gives what is free to those who wait: first to blocked tasks, then along the line.
    pub(super) fn serve(&mut self, now: Millis, out: &mut Outbox) {
        if self.away > 0 {
            return self.tell_all_wait(out);
        }
        self.serve_resumes(now, out);
        self.serve_draining(now, out);
        self.demands.iter_mut().for_each(|demand| demand.is_counted = false);
        // Serving one may make room on another node for what is left of it, or another job's turn.
        while self.serve_line(now, out) {}
        for index in 0..self.demands.len() {
            self.reclaim_for(index, now, out);
        }
    }

    /// Goes along the line once. Whether it is worth to go again.
    fn serve_line(&mut self, now: Millis, out: &mut Outbox) -> bool {
        let is_contested = self.order_by_share();
        let mut again = false;
        let mut served_in_part = Vec::new();
        let mut refused = Vec::new();
        let mut index = 0;
        let mut waiting = Vec::new();
        let mut held_up: Vec<Resources> = Vec::new();
        while index < self.demands.len() {
            let demand = &self.demands[index];
            let need = self.need_of(&demand.kind);
            if held_up.iter().any(|held| held.overlaps(&need)) {
                waiting.push(index);
                index += 1;
                continue;
            }
            let full = match &demand.kind {
                DemandKind::Slots { owner, shape, backlog } => {
                    let (owner, shape, backlog) = (*owner, shape.clone(), *backlog);
                    if backlog == 0 {
                        self.demands.remove(index);
                        continue;
                    }
                    let wanted = if is_contested && !shape.resources.is_empty() { 1 } else { backlog };
                    let granted = self.grant(owner, &shape, wanted, now, out);
                    if let (Ok(granted), Some(demand)) = (&granted, self.demands.get_mut(index))
                        && let DemandKind::Slots { backlog, .. } = &mut demand.kind
                    {
                        *backlog -= granted;
                    }
                    granted.map(|granted| granted == backlog)
                }
                DemandKind::Actor(actor) => {
                    let actor = *actor;
                    self.place_actor(actor, out)
                }
                DemandKind::Driver(job) => {
                    let job = *job;
                    self.place_driver(job, out)
                }
                DemandKind::Group(group) => {
                    let group = *group;
                    // Those who wait for its bundles may stand before it.
                    self.place_group(group, out).inspect(|_| again = true)
                }
            };
            let full = full.map_err(|refusal| match refusal {
                Refusal::Infeasible(why) if self.fails_if_infeasible(index) => {
                    Refusal::Never(Error::new(ErrorKind::Unschedulable, why))
                }
                other => other,
            });
            match full {
                Ok(is_done) => {
                    if let Some(mut demand) = self.demands.remove(index)
                        && !is_done
                    {
                        demand.passed = 0;
                        served_in_part.push(demand);
                        again = true;
                    }
                    waiting.iter().for_each(|passed: &usize| self.demands[*passed].count_passed());
                    if is_contested {
                        again = true;
                        break;
                    }
                }
                Err(Refusal::Never(error)) => {
                    if let Some(demand) = self.demands.remove(index) {
                        refused.push((demand.kind, error));
                    }
                }
                Err(refusal @ (Refusal::Busy(_) | Refusal::Infeasible(_))) => {
                    let demand = &mut self.demands[index];
                    if demand.passed >= limits::DEMAND_PASSED_MAX && matches!(refusal, Refusal::Busy(_)) {
                        held_up.push(need);
                    }
                    let (Refusal::Busy(why) | Refusal::Infeasible(why)) = refusal else { continue };
                    let changed = demand.why != why;
                    demand.why.clone_from(&why);
                    if changed {
                        self.tell_why(index, why, out);
                    }
                    waiting.push(index);
                    index += 1;
                }
            }
        }
        self.demands.extend(served_in_part);
        for (demand, error) in refused {
            self.refuse(demand, error, now, out);
        }
        again
    }

    fn need_of(&self, demand: &DemandKind) -> Resources {
        match demand {
            DemandKind::Slots { shape, .. } => shape.resources.as_ref().clone(),
            DemandKind::Actor(actor) => {
                self.actors.get(actor).map(|actor| actor.spec.lifetime.clone()).unwrap_or_default()
            }
            DemandKind::Driver(job) => {
                self.jobs.get(job).map(|job| job.spec.resources.as_ref().clone()).unwrap_or_default()
            }
            DemandKind::Group(group) => self.group_need(*group).0,
        }
    }

    pub(super) fn job_of(&self, demand: &DemandKind) -> Option<JobId> {
        match demand {
            DemandKind::Slots { shape, .. } => Some(shape.job),
            DemandKind::Actor(actor) => self.actors.get(actor).map(|actor| actor.spec.creation.job),
            DemandKind::Driver(job) => Some(*job),
            DemandKind::Group(group) => self.groups.get(group).map(|group| group.spec.job),
        }
    }

    fn fails_if_infeasible(&self, index: usize) -> bool {
        let job = self.job_of(&self.demands[index].kind).and_then(|job| self.jobs.get(&job));
        job.is_some_and(|job| job.spec.fail_if_infeasible)
    }

    /// A demand that will never be met: who wants it is told.
    fn refuse(&mut self, demand: DemandKind, error: Error, now: Millis, out: &mut Outbox) {
        match demand {
            DemandKind::Slots { owner, shape, .. } => out.push((owner, FromHead::ShapeFailed { shape, error })),
            DemandKind::Actor(actor) => self.actor_unschedulable(actor, &error, out),
            DemandKind::Driver(job) => {
                let message = format!("the driver cannot be placed: {error}");
                self.job_ended(job, JobState::Failed, None, message, now, out);
            }
            DemandKind::Group(group) => self.group_remove(group, &error.message, out),
        }
    }

    fn serve_resumes(&mut self, now: Millis, out: &mut Outbox) {
        let mut still_waiting = std::collections::VecDeque::new();
        while let Some((id, wanted)) = self.resumes.pop_front() {
            let Some(lease) = self.leases.get(&id) else { continue };
            let cpu = Resources::cpus(lease.shape.resources.cpu);
            let (spot, wanted) = (lease.spot, wanted.min(lease.parked));
            let slots = self.room(spot).fits(&cpu).min(wanted);
            if slots > 0 {
                self.take(spot, &cpu, slots);
                let Some(lease) = self.leases.get_mut(&id) else { continue };
                lease.slots += slots;
                lease.parked -= slots;
                lease.granted_at = now;
                out.push((lease.owner, FromHead::SlotsResumed { lease: id, slots }));
            }
            if slots < wanted {
                still_waiting.push_back((id, wanted - slots));
                // A blocked task goes ahead of new work, so it does not wait for a quantum to pass.
                self.reclaim(&cpu, &[spot], None, now, true, out);
            }
        }
        self.resumes = still_waiting;
    }

    /// Grants up to `backlog` slots on one node, or says why none.
    fn grant(
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
        let known = self.leases.values().find(|l| l.owner == owner && l.spot == spot && l.shape == *shape);
        let left = limits::LEASE_SLOTS_MAX.saturating_sub(known.map_or(0, |lease| lease.slots));
        if is_for_nothing && left == 0 {
            return Ok(backlog);
        }
        let at_once = if is_for_nothing { at_once.min(left) } else { at_once.min(limits::LEASE_SLOTS_MAX) };
        let slots = self.room(spot).fits(&shape.resources).min(backlog).min(at_once);
        self.take(spot, &shape.resources, slots);
        let known = self
            .leases
            .iter_mut()
            .find(|(_, lease)| lease.owner == owner && lease.spot == spot && lease.shape == *shape);
        let id = if let Some((id, lease)) = known {
            lease.slots += slots;
            lease.reclaiming = 0;
            lease.granted_at = now;
            *id
        } else {
            let id = self.next_lease();
            let shape = shape.clone();
            self.leases.insert(id, Lease { owner, shape, spot, slots, parked: 0, reclaiming: 0, granted_at: now });
            id
        };
        let node = self.nodes[spot.node].id;
        tell_granted(owner, FromHead::SlotsGranted { lease: id, shape: shape.clone(), node, slots }, out);
        Ok(slots)
    }

    pub(super) fn tell_why(&mut self, index: usize, why: String, out: &mut Outbox) {
        match &self.demands[index].kind.clone() {
            DemandKind::Slots { owner, shape, .. } => {
                out.push((*owner, FromHead::LeasePending { shape: shape.clone(), why }));
            }
            DemandKind::Actor(actor) => self.tell_actor_why(*actor, why, out),
            DemandKind::Group(group) => self.tell_group_why(*group, why, out),
            DemandKind::Driver(job) => {
                if let Some(job) = self.jobs.passing(job) {
                    job.message = why;
                }
            }
        }
    }

    /// Asks those who hold slots to make room for a demand that does not fit.
    fn reclaim_for(&mut self, index: usize, now: Millis, out: &mut Outbox) {
        let need = self.need_of(&self.demands[index].kind);
        let (places, own) = match &self.demands[index].kind {
            DemandKind::Slots { owner, shape, .. } => {
                (self.candidates(&wish_of(*owner, shape)), Some((*owner, shape.clone())))
            }
            DemandKind::Actor(actor) => {
                let Some(actor) = self.actors.get(actor) else { return };
                let spec = &actor.spec;
                let placement = &spec.creation.placement;
                let (footprint, by) = (&spec.placement, actor.owner);
                (self.candidates(&Wish { need: &need, footprint, placement, near: None, by }), None)
            }
            DemandKind::Driver(job) => {
                let Some(job) = self.jobs.get(job) else { return };
                let (placement, by) = (&job.spec.placement, NodeId([0; 16]));
                (self.candidates(&Wish { need: &need, footprint: &need, placement, near: None, by }), None)
            }
            DemandKind::Group(group) => (Ok(self.group_need(*group).1), None),
        };
        if let Ok(places) = places {
            self.reclaim(&need, &places, own, now, false, out);
        }
    }

    fn reclaim(
        &mut self,
        need: &Resources,
        places: &[Spot],
        own: Option<(NodeId, Shape)>,
        now: Millis,
        at_once: bool,
        out: &mut Outbox,
    ) {
        let held = |lease: &Lease| u64::from(lease.slots - lease.reclaiming) * lease.shape.resources.cpu.0.max(1);
        let own_held: u64 = own.as_ref().map_or(0, |(owner, shape)| {
            self.leases.values().filter(|l| l.owner == *owner && l.shape == *shape).map(held).sum()
        });
        let feasible = |spot: Spot| places.contains(&spot);
        // Room that is on its way already.
        let mut coming: Resources = Resources::default();
        for lease in self.leases.values().filter(|lease| feasible(lease.spot)) {
            coming.give(&lease.shape.resources, lease.reclaiming);
        }
        for place in places {
            coming.give(self.room(*place), 1);
        }
        let mut victims: Vec<LeaseId> = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.slots > lease.reclaiming && feasible(lease.spot))
            .filter(|(_, lease)| {
                own.as_ref().is_none_or(|(owner, shape)| lease.owner != *owner || lease.shape != *shape)
            })
            .map(|(id, _)| *id)
            .collect();
        victims.sort_by_key(|id| std::cmp::Reverse((held(&self.leases[id]), id.0)));
        for id in victims {
            if coming.fits(need) > 0 {
                return;
            }
            let Some(lease) = self.leases.get_mut(&id) else { continue };
            let slot = lease.shape.resources.cpu.0.max(1);
            let keeps = held(lease).saturating_sub(slot);
            // Somebody with nothing may take from anybody; otherwise only who has more gives.
            let fair = own_held == 0 || keeps >= own_held + need.cpu.0.max(1);
            let busy_too = at_once || (fair && now.saturating_sub(lease.granted_at) >= quantum());
            let mut slots = 0;
            while lease.slots > lease.reclaiming + slots && coming.fits(need) == 0 {
                coming.give(&lease.shape.resources, 1);
                slots += 1;
            }
            if busy_too {
                lease.reclaiming += slots;
            }
            out.push((lease.owner, FromHead::SlotsReclaimed { lease: id, slots, busy_too }));
        }
    }
}

fn quantum() -> Millis {
    limits::LEASE_QUANTUM.as_millis().try_into().unwrap_or(Millis::MAX)
}

/// What one slot of a shape asks of its place.
fn wish_of(owner: NodeId, shape: &Shape) -> Wish<'_> {
    Wish {
        need: &shape.resources,
        footprint: &shape.resources,
        placement: &shape.placement,
        near: shape.near,
        by: owner,
    }
}

/// Says that slots are granted; in one message with those of the same lease that are about to be said.
fn tell_granted(owner: NodeId, message: FromHead, out: &mut Outbox) {
    let FromHead::SlotsGranted { lease, slots: more, .. } = &message else { return };
    let last = out.iter_mut().rev().find_map(|(_, said)| match said {
        FromHead::SlotsGranted { lease: of, slots, .. } if of == lease => Some(Some(slots)),
        FromHead::SlotsReclaimed { lease: of, .. } if of == lease => Some(None),
        _ => None,
    });
    match last {
        Some(Some(slots)) => *slots += more,
        Some(None) | None => out.push((owner, message)),
    }
}
