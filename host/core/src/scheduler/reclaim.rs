//! Slots asked back for those who wait.

use std::cmp::Reverse;

use super::holdings::Giver;
use super::line::{LaneId, Rest, Want};
use super::places::Look;
use super::rooms::Room;
use super::{DemandKind, Outbox, Scheduler, Spot};
use crate::message::{FromHead, Shape};
use crate::{LabelSelector, LeaseId, Millis, NodeId, Resources, limits};

/// Who asks: an owner for a shape, whose own leases for it are left alone.
type Own<'a> = Option<(NodeId, &'a Shape)>;

impl Scheduler {
    /// Has those ask for room who found none since this was done last.
    pub(super) fn ask_for_room(&mut self, now: Millis, out: &mut Outbox) {
        for lane in self.demands.take_asking() {
            self.ask_for_lane(lane, now, out);
        }
    }

    fn ask_for_lane(&mut self, id: LaneId, now: Millis, out: &mut Outbox) {
        let Some(lane) = self.demands.lane(id).filter(|lane| lane.rest != Rest::Infeasible) else { return };
        let (want, need, selector) = (lane.want.clone(), lane.need.clone(), lane.selector.clone());
        let Want::Work { footprint, placement, .. } = want else {
            return self.reclaim_in_all(&need, &selector, now, out);
        };
        let first = lane.demands.values().take(limits::RECLAIM_ASKERS_MAX);
        let askers: Vec<DemandKind> = first.map(|demand| demand.kind.clone()).collect();
        let wish = super::spot::Wish {
            need: &need,
            footprint: &footprint,
            placement: &placement,
            near: None,
            by: NodeId([0; 16]),
        };
        let Ok(named) = self.named_spots(&wish) else { return };
        let look = Look { room: Room::Promised, need: &need, footprint: &footprint, selector: &selector };
        for asker in &askers {
            let own = match asker {
                DemandKind::Slots { owner, shape, .. } => Some((*owner, shape)),
                _ => None,
            };
            match &named {
                Some(spots) => self.reclaim_at(spots, &need, own, now, false, out),
                None => self.reclaim_anywhere(id, &look, own, now, out),
            }
            if own.is_none_or(|(owner, shape)| self.leases.could_give(owner, shape) == 0) {
                // Nobody behind it may ask for more.
                break;
            }
        }
    }

    /// Asks for room at one of a few places.
    pub(super) fn reclaim_at(
        &mut self,
        spots: &[Spot],
        need: &Resources,
        own: Own<'_>,
        now: Millis,
        at_once: bool,
        out: &mut Outbox,
    ) {
        let mut best: Option<(u64, Vec<(LeaseId, u32)>)> = None;
        for spot in spots {
            match self.victims_at(*spot, need, own) {
                // Room is on its way already.
                Some(victims) if victims.is_empty() => return,
                Some(victims) => {
                    let largest = victims.first().and_then(|(id, _)| self.leases.get(id)).map_or(0, |l| l.could_give());
                    if best.as_ref().is_none_or(|(known, _)| largest > *known) {
                        best = Some((largest, victims));
                    }
                }
                None => {}
            }
        }
        if let Some((_, victims)) = best {
            self.ask_back(&victims, need, own, now, at_once, out);
        }
    }

    /// Asks for room on one node of all that could hold a wish: where the largest lease is that can make it.
    fn reclaim_anywhere(&mut self, lane: LaneId, look: &Look<'_>, own: Own<'_>, now: Millis, out: &mut Outbox) {
        if self.nodes.first(look, 0).is_some() {
            // Room is on its way already.
            return;
        }
        let from = self.demands.lane(lane).and_then(|lane| lane.looked_until);
        let mut seen: Vec<usize> = Vec::new();
        let mut until: Option<Giver> = None;
        let mut found = None;
        for (looks, giver) in self.leases.givers(from).enumerate() {
            if looks >= limits::RECLAIM_LOOKS_MAX {
                until = Some(giver);
                break;
            }
            let (_, Reverse(id)) = giver;
            let Some(lease) = self.leases.get(&id) else { continue };
            let (node, is_own) = (lease.spot.node, is_own(lease, own));
            if lease.spot.bundle.is_some() || is_own || seen.contains(&node) {
                continue;
            }
            seen.push(node);
            let whole = Look { room: Room::Total, ..*look };
            if self.nodes[node].holds(&whole) && look.selector.matches(&self.nodes[node].labels) {
                found = self.victims_at(Spot::on(node), look.need, own);
                if found.is_some() {
                    break;
                }
            }
        }
        if let Some(lane) = self.demands.lane_mut(lane) {
            lane.looked_until = until;
        }
        if let Some(victims) = found {
            self.ask_back(&victims, look.need, own, now, false, out);
        }
    }

    /// Asks for room for a group, wherever it is.
    fn reclaim_in_all(&mut self, need: &Resources, selector: &LabelSelector, now: Millis, out: &mut Outbox) {
        let mut coming = Resources::default();
        if selector.is_empty() {
            coming.give(self.nodes.free_sum(), 1);
            coming.give(self.nodes.coming_sum(), 1);
        } else {
            for index in self.nodes.chosen(selector) {
                coming.give(&self.nodes[index].available, 1);
                coming.give(&self.nodes[index].coming, 1);
            }
        }
        let mut victims: Vec<(LeaseId, u32)> = Vec::new();
        for (_, Reverse(id)) in self.leases.givers(None) {
            if coming.fits(need) > 0 {
                break;
            }
            let Some(lease) = self.leases.get(&id) else { continue };
            let node = &self.nodes[lease.spot.node];
            if lease.spot.bundle.is_none() && node.is_open() && selector.matches(&node.labels) {
                victims.extend(take_from(id, lease, need, &mut coming));
            }
        }
        self.ask_back(&victims, need, None, now, false, out);
    }

    /// Leases at one place, and slots of each, that would make room for a need, the largest first. None
    /// of them when it is there or on its way; `None` when there is not enough to be given.
    fn victims_at(&self, spot: Spot, need: &Resources, own: Own<'_>) -> Option<Vec<(LeaseId, u32)>> {
        let here = || self.leases.on_node(spot.node).filter_map(|id| Some((id, self.leases.get(&id)?)));
        let mut coming = self.room(spot).clone();
        if spot.bundle.is_none() {
            coming.give(&self.nodes[spot.node].coming, 1);
        } else {
            let within = here().filter(|(_, lease)| lease.spot == spot);
            within.for_each(|(_, lease)| coming.give(&lease.shape.resources, lease.reclaiming));
        }
        let mut victims: Vec<Giver> = here()
            .filter(|(_, lease)| lease.spot == spot && lease.slots > lease.reclaiming && !is_own(lease, own))
            .map(|(id, lease)| (Reverse(lease.could_give()), Reverse(id)))
            .collect();
        victims.sort_unstable();
        let mut asked = Vec::new();
        for (_, Reverse(id)) in victims {
            if coming.fits(need) > 0 {
                break;
            }
            asked.extend(self.leases.get(&id).and_then(|lease| take_from(id, lease, need, &mut coming)));
        }
        (coming.fits(need) > 0).then_some(asked)
    }

    fn ask_back(
        &mut self,
        victims: &[(LeaseId, u32)],
        need: &Resources,
        own: Own<'_>,
        now: Millis,
        at_once: bool,
        out: &mut Outbox,
    ) {
        let own_held = own.map_or(0, |(owner, shape)| self.leases.could_give(owner, shape));
        for (id, slots) in victims {
            let Some(lease) = self.leases.get(id) else { continue };
            let owner = lease.owner;
            let keeps = lease.could_give().saturating_sub(lease.shape.resources.cpu.0.max(1));
            // Somebody with nothing may take from anybody; otherwise only who has more gives.
            let is_fair = own_held == 0 || keeps >= own_held + need.cpu.0.max(1);
            let busy_too = at_once || (is_fair && now.saturating_sub(lease.granted_at) >= quantum());
            if busy_too {
                self.change_lease(*id, |lease| lease.reclaiming += slots);
            }
            self.granted.remove(id);
            out.push((owner, FromHead::SlotsReclaimed { lease: *id, slots: *slots, busy_too }));
        }
    }
}

fn is_own(lease: &super::Lease, own: Own<'_>) -> bool {
    own.is_some_and(|(owner, shape)| lease.owner == owner && lease.shape == *shape)
}

/// As many slots of a lease as are wanted to make room for a need.
fn take_from(id: LeaseId, lease: &super::Lease, need: &Resources, coming: &mut Resources) -> Option<(LeaseId, u32)> {
    let mut slots = 0;
    while lease.slots > lease.reclaiming + slots && coming.fits(need) == 0 {
        coming.give(&lease.shape.resources, 1);
        slots += 1;
    }
    (slots > 0).then_some((id, slots))
}

fn quantum() -> Millis {
    limits::LEASE_QUANTUM.as_millis().try_into().unwrap_or(Millis::MAX)
}
