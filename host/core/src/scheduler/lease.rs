//! Leases: granting slots, taking them back, letting blocked tasks go on.

use super::{Demand, DemandKind, Lease, NodeLoad, Outbox, Scheduler, place};
use crate::message::{FromHead, Shape};
use crate::{LeaseId, Millis, NodeId, Resources, limits};

impl Scheduler {
    pub(super) fn lease_wanted(&mut self, owner: NodeId, shape: Shape, backlog: u32) {
        let known = self.demands.iter_mut().find_map(|demand| match &mut demand.kind {
            DemandKind::Slots { owner: by, shape: of, backlog } if *by == owner && *of == shape => Some(backlog),
            DemandKind::Slots { .. } | DemandKind::Actor(_) => None,
        });
        match known {
            Some(known) => *known = backlog,
            None if backlog > 0 => self.demands.push_back(Demand {
                kind: DemandKind::Slots { owner, shape, backlog },
                passed: 0,
                why: String::new(),
            }),
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
        let available = &mut self.nodes[known.node].available;
        available.give(&known.shape.resources, slots - parked);
        available.give(&Resources::cpus(known.shape.resources.cpu), parked);
        self.forget_if_empty(lease);
    }

    pub(super) fn parked_ended(&mut self, lease: LeaseId, parked: u32) {
        let Some(known) = self.leases.get_mut(&lease) else { return };
        let parked = parked.min(known.parked);
        known.parked -= parked;
        self.nodes[known.node].available.give(&known.shape.resources.without_cpu(), parked);
        self.resumes.retain_mut(|(waiting, slots)| {
            *slots = if *waiting == lease { (*slots).min(known.parked) } else { *slots };
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
        self.serve_resumes(now, out);
        let mut served_in_part = Vec::new();
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
                    let granted = self.grant(owner, &shape, backlog, now, out);
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
            };
            match full {
                Ok(true) => {
                    self.demands.remove(index);
                    waiting.iter().for_each(|passed: &usize| self.demands[*passed].passed += 1);
                }
                Ok(false) => {
                    if let Some(demand) = self.demands.remove(index) {
                        served_in_part.push(demand);
                    }
                    waiting.iter().for_each(|passed: &usize| self.demands[*passed].passed += 1);
                }
                Err(why) => {
                    let demand = &mut self.demands[index];
                    if demand.passed >= limits::DEMAND_PASSED_MAX && !why.starts_with(INFEASIBLE) {
                        held_up.push(need);
                    }
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
        for index in 0..self.demands.len() {
            self.reclaim_for(index, now, out);
        }
    }

    fn need_of(&self, demand: &DemandKind) -> Resources {
        match demand {
            DemandKind::Slots { shape, .. } => shape.resources.as_ref().clone(),
            DemandKind::Actor(actor) => {
                self.actors.get(actor).map(|actor| actor.spec.lifetime.clone()).unwrap_or_default()
            }
        }
    }

    fn serve_resumes(&mut self, now: Millis, out: &mut Outbox) {
        let mut still_waiting = std::collections::VecDeque::new();
        while let Some((id, wanted)) = self.resumes.pop_front() {
            let Some(lease) = self.leases.get_mut(&id) else { continue };
            let cpu = Resources::cpus(lease.shape.resources.cpu);
            let node = lease.node;
            let wanted = wanted.min(lease.parked);
            let slots = self.nodes[node].available.fits(&cpu).min(wanted);
            if slots > 0 {
                self.nodes[node].available.take(&cpu, slots);
                lease.slots += slots;
                lease.parked -= slots;
                lease.granted_at = now;
                out.push((lease.owner, FromHead::SlotsResumed { lease: id, slots }));
            }
            if slots < wanted {
                still_waiting.push_back((id, wanted - slots));
                // A blocked task goes ahead of new work, so it does not wait for a quantum to pass.
                self.reclaim(&cpu, Some(node), None, now, true, out);
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
    ) -> Result<u32, String> {
        let node = self.find_node(&shape.resources, &shape.resources, owner)?;
        let available = &mut self.nodes[node].available;
        let slots = available.fits(&shape.resources).min(backlog).min(limits::LEASE_SLOTS_MAX);
        available.take(&shape.resources, slots);
        let known = self
            .leases
            .iter_mut()
            .find(|(_, lease)| lease.owner == owner && lease.node == node && lease.shape == *shape);
        let id = if let Some((id, lease)) = known {
            lease.slots += slots;
            lease.reclaiming = 0;
            lease.granted_at = now;
            *id
        } else {
            self.leases_made += 1;
            let id = LeaseId(self.leases_made);
            let shape = shape.clone();
            self.leases.insert(id, Lease { owner, shape, node, slots, parked: 0, reclaiming: 0, granted_at: now });
            id
        };
        let node = self.nodes[node].id;
        out.push((owner, FromHead::SlotsGranted { lease: id, shape: shape.clone(), node, slots }));
        // Zero-resource shapes are bounded by the lease, not by the node.
        if shape.resources.is_empty() { Ok(backlog) } else { Ok(slots) }
    }

    /// The node for `need`, whose total holds `footprint`.
    pub(super) fn find_node(&self, need: &Resources, footprint: &Resources, near: NodeId) -> Result<usize, String> {
        let loads: Vec<NodeLoad<'_>> = self
            .nodes
            .iter()
            .map(|node| NodeLoad { total: &node.total, available: &node.available, is_near: node.id == near })
            .collect();
        if let Some(node) = place(need, footprint, &loads) {
            return Ok(node);
        }
        let feasible = self.nodes.iter().filter(|node| node.total.fits(footprint) > 0 && node.total.fits(need) > 0);
        let best = feasible.max_by_key(|node| (node.available.cpu, node.available.memory));
        Err(match (best, self.nodes.iter().max_by_key(|node| (node.total.cpu, node.total.memory))) {
            (Some(node), _) => {
                format!("needs {}; most is free on node {}", node.available.shortage(need), node.id)
            }
            (None, Some(node)) => format!(
                "{INFEASIBLE}: needs {}; the largest node {} has {}",
                node.total.shortage(if node.total.fits(need) > 0 { footprint } else { need }),
                node.id,
                node.total
            ),
            (None, None) => "there is no node yet".to_owned(),
        })
    }

    fn tell_why(&self, index: usize, why: String, out: &mut Outbox) {
        match &self.demands[index].kind {
            DemandKind::Slots { owner, shape, .. } => {
                out.push((*owner, FromHead::LeasePending { shape: shape.clone(), why }));
            }
            DemandKind::Actor(actor) => self.tell_actor_why(*actor, why, out),
        }
    }

    /// Asks those who hold slots to make room for a demand that does not fit.
    fn reclaim_for(&mut self, index: usize, now: Millis, out: &mut Outbox) {
        let need = self.need_of(&self.demands[index].kind);
        let own = match &self.demands[index].kind {
            DemandKind::Slots { owner, shape, .. } => Some((*owner, shape.clone())),
            DemandKind::Actor(_) => None,
        };
        self.reclaim(&need, None, own, now, false, out);
    }

    fn reclaim(
        &mut self,
        need: &Resources,
        node: Option<usize>,
        own: Option<(NodeId, Shape)>,
        now: Millis,
        at_once: bool,
        out: &mut Outbox,
    ) {
        let held = |lease: &Lease| u64::from(lease.slots - lease.reclaiming) * lease.shape.resources.cpu.0.max(1);
        let own_held: u64 = own.as_ref().map_or(0, |(owner, shape)| {
            self.leases.values().filter(|l| l.owner == *owner && l.shape == *shape).map(held).sum()
        });
        let feasible =
            |index: usize| node.map_or_else(|| self.nodes[index].total.fits(need) > 0, |wanted| wanted == index);
        // Room that is on its way already.
        let mut coming: Resources = Resources::default();
        for lease in self.leases.values().filter(|lease| feasible(lease.node)) {
            coming.give(&lease.shape.resources, lease.reclaiming);
        }
        for known in self.nodes.iter().enumerate().filter(|(index, _)| feasible(*index)) {
            coming.give(&known.1.available, 1);
        }
        let mut victims: Vec<LeaseId> = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.slots > lease.reclaiming && feasible(lease.node))
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

/// How the reason of a demand starts that no node will ever meet.
pub(super) const INFEASIBLE: &str = "infeasible";
