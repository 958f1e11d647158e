//! What must hold between two messages, recounted from scratch: for tests and simulations.

use std::collections::BTreeMap;

use super::line::Who;
use super::{DemandKind, NodeLife, Scheduler};
use crate::{ActorState, GroupState, GroupStrategy, Resources};

impl Scheduler {
    /// What does not hold although it must, in words; empty when all is well.
    ///
    /// Its cost grows with all that the head knows, so nothing calls it while work is done.
    #[must_use]
    pub fn audit(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        self.audit_nodes(&mut wrong);
        self.audit_groups(&mut wrong);
        self.audit_leases(&mut wrong);
        self.audit_actors(&mut wrong);
        self.audit_quotas(&mut wrong);
        wrong
    }

    /// What is still held or waited for; empty when nothing runs and nothing waits.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let mut left: Vec<String> = Vec::new();
        left.extend(self.leases.iter().map(|(id, lease)| format!("lease {id} of {}: {:?}", lease.owner, lease.shape)));
        for (_, lane) in self.demands.lanes() {
            left.extend(lane.demands.values().map(|demand| format!("demand {:?}: {}", demand.kind, lane.why)));
        }
        left.extend((!self.resumes.is_empty()).then(|| format!("blocked tasks wait to go on: {:?}", self.resumes)));
        left.extend(self.early.iter().map(|message| format!("early message {message:?}")));
        for (id, actor) in self.actors.iter().filter(|(_, actor)| actor.state != ActorState::Dead) {
            left.push(format!("actor {id} is {}", actor.state.name()));
        }
        for (id, group) in self.groups.iter().filter(|(_, group)| group.state != GroupState::Removed) {
            left.push(format!("group {id} is {}", group.state.name()));
        }
        for node in self.nodes.iter().filter(|node| !node.is_dead() && node.available != node.total) {
            left.push(format!("node {} has {} of {}", node.id, node.available, node.total));
        }
        left
    }

    /// The slots of a lease that is known.
    #[must_use]
    pub fn slots_of(&self, lease: crate::LeaseId) -> Option<u32> {
        self.leases.get(&lease).map(|lease| lease.slots)
    }

    fn audit_nodes(&self, wrong: &mut Vec<String>) {
        let mut used = vec![Resources::default(); self.nodes.len()];
        for lease in self.leases.values().filter(|lease| lease.spot.bundle.is_none()) {
            used[lease.spot.node].give(&lease.shape.resources, lease.slots);
            used[lease.spot.node].give(&lease.shape.resources.without_cpu(), lease.parked);
        }
        for actor in self.actors.values() {
            if let Some(spot) = actor.spot.filter(|spot| spot.bundle.is_none()) {
                used[spot.node].give(&actor.spec.lifetime, 1);
            }
        }
        for job in self.jobs.values() {
            if let Some(spot) = job.spot.filter(|spot| spot.bundle.is_none()) {
                used[spot.node].give(&job.spec.resources, 1);
            }
        }
        for group in self.groups.values() {
            for (bundle, reserved) in group.bundles.iter().zip(&group.spec.bundles) {
                if let Some(bundle) = bundle {
                    used[bundle.node].give(&reserved.resources, 1);
                }
            }
        }
        for (node, mut used) in self.nodes.iter().zip(used).filter(|(node, _)| !node.is_dead()) {
            let without = used.clone();
            used.give(&node.available, 1);
            if used != node.total {
                wrong.push(format!(
                    "node {} has {} in all, {} is in use and {} said to be free",
                    node.id, node.total, without, node.available
                ));
            }
        }
    }

    fn audit_quotas(&self, wrong: &mut Vec<String>) {
        let (mut bundles, mut detached) = (BTreeMap::new(), BTreeMap::new());
        for group in self.groups.values().filter(|group| group.state != GroupState::Removed) {
            *bundles.entry(group.spec.job).or_insert(0) += group.spec.bundles.len();
        }
        for actor in self.actors.values().filter(|actor| actor.spec.detached && actor.state != ActorState::Dead) {
            *detached.entry(actor.spec.creation.job).or_insert(0) += 1;
        }
        for (what, tally, counted) in
            [("bundles", &self.bundles_of, bundles), ("detached actors", &self.detached_of, detached)]
        {
            let said: BTreeMap<_, usize> = tally.jobs().collect();
            if said != counted {
                wrong.push(format!("jobs are said to have {said:?} {what} and have {counted:?}"));
            }
        }
    }

    fn audit_groups(&self, wrong: &mut Vec<String>) {
        for (id, group) in &self.groups {
            let nodes: Vec<usize> = group.bundles.iter().flatten().map(|bundle| bundle.node).collect();
            let is_whole = nodes.len() == group.spec.bundles.len();
            let fits_state = match group.state {
                GroupState::Created => is_whole,
                GroupState::Pending | GroupState::Removed => nodes.is_empty(),
                GroupState::Rescheduling => !is_whole,
            };
            if !fits_state {
                wrong.push(format!("group {id} is {} with {} bundles", group.state.name(), nodes.len()));
            }
            if let Some(node) = nodes.iter().find(|node| self.nodes[**node].is_dead()) {
                wrong.push(format!("group {id} has a bundle on dead node {}", self.nodes[*node].id));
            }
            let doubled = (1..nodes.len()).any(|index| nodes[..index].contains(&nodes[index]));
            if group.spec.strategy == GroupStrategy::StrictSpread && doubled {
                wrong.push(format!("group {id} is STRICT_SPREAD and has two bundles on a node"));
            }
            if group.spec.strategy == GroupStrategy::StrictPack && nodes.windows(2).any(|pair| pair[0] != pair[1]) {
                wrong.push(format!("group {id} is STRICT_PACK and is split"));
            }
            self.audit_bundles(*id, wrong);
        }
    }

    fn audit_bundles(&self, id: crate::GroupId, wrong: &mut Vec<String>) {
        let Some(group) = self.groups.get(&id) else { return };
        for ((index, bundle), reserved) in (0..).zip(&group.bundles).zip(&group.spec.bundles) {
            let Some(bundle) = bundle else { continue };
            let is_in = |spot: &super::Spot| spot.bundle == Some((id, index)) && spot.node == bundle.node;
            let mut sum = bundle.available.clone();
            for lease in self.leases.values().filter(|lease| is_in(&lease.spot)) {
                sum.give(&lease.shape.resources, lease.slots);
                sum.give(&lease.shape.resources.without_cpu(), lease.parked);
            }
            for actor in self.actors.values().filter(|actor| actor.spot.as_ref().is_some_and(is_in)) {
                sum.give(&actor.spec.lifetime, 1);
            }
            let reserved = &reserved.resources;
            if sum != *reserved {
                wrong.push(format!("bundle {index} of group {id} has {reserved}, in use and free are {sum}"));
            }
        }
    }

    fn audit_leases(&self, wrong: &mut Vec<String>) {
        for (id, lease) in self.leases.iter() {
            if self.is_dead(lease.owner) || self.nodes[lease.spot.node].is_dead() {
                wrong.push(format!("lease {id} outlived a node of it"));
            }
            if lease.slots + lease.parked == 0 || lease.reclaiming > lease.slots {
                wrong.push(format!("lease {id}: {lease:?}"));
            }
        }
        for demand in self.demands.lanes().flat_map(|(_, lane)| lane.demands.values()) {
            if let DemandKind::Slots { owner, .. } = &demand.kind
                && self.node_index(*owner).is_none()
            {
                wrong.push(format!("{:?} waits for nobody", demand.kind));
            }
        }
    }

    fn audit_actors(&self, wrong: &mut Vec<String>) {
        for (id, actor) in &self.actors {
            let is_placed = actor.spot.is_some();
            let fits_state = match actor.state {
                ActorState::DependenciesUnready | ActorState::Dead => !is_placed,
                ActorState::Alive => is_placed,
                ActorState::PendingCreation | ActorState::Restarting => {
                    self.demands.lane_of(&Who::Actor(*id)).is_some() != is_placed
                }
            };
            if !fits_state {
                wrong.push(format!("actor {id} is {}, placed: {is_placed}", actor.state.name()));
            }
            if let Some(spot) = actor.spot
                && matches!(self.nodes[spot.node].life, NodeLife::Dead { .. })
            {
                wrong.push(format!("actor {id} is on a dead node"));
            }
        }
        for (name, id) in &self.names {
            if self.actors.get(id).is_none_or(|actor| actor.state == ActorState::Dead) {
                wrong.push(format!("the name {name:?} is held by actor {id}, which is dead"));
            }
        }
    }
}
