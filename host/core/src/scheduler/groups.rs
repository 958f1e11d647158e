//! Placement groups: bundles that are reserved together, and what runs in them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::line::Who;
use super::reserve::Reserve;
use super::rooms::Room;
use super::spot::{Refusal, Spot, Wish};
use super::{Bundle, DemandKind, Group, NodeLife, Outbox, Scheduler};
use crate::message::{FromHead, RequestId};
use crate::{
    ActorId, ActorState, Error, ErrorKind, GroupId, GroupSpec, GroupState, JobId, LeaseId, NodeId, Resources, Strategy,
    TaskId, limits,
};

impl Scheduler {
    pub(super) fn group_create(&mut self, owner: NodeId, request: RequestId, spec: Arc<GroupSpec>, out: &mut Outbox) {
        if self.is_dead(owner) {
            return;
        }
        let result = self.register_group(spec);
        out.push((owner, FromHead::GroupFound { request, result }));
    }

    fn register_group(&mut self, spec: Arc<GroupSpec>) -> Result<Arc<GroupSpec>, Error> {
        let id = spec.id;
        if let Some(known) = self.groups.get(&id) {
            return Ok(Arc::clone(&known.spec));
        }
        check(&spec)?;
        if let Some(name) = &spec.name {
            let key = (Arc::clone(&spec.namespace), Arc::clone(name));
            if self.group_names.contains_key(&key) {
                let message = format!(
                    "a placement group named `{name}` exists in namespace `{}`: take another name, or remove that one",
                    spec.namespace
                );
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
            self.group_names.insert(key, id);
        }
        let bundles = spec.bundles.iter().map(|_| None).collect();
        let group = Group {
            spec: Arc::clone(&spec),
            state: GroupState::Pending,
            bundles,
            watchers: Vec::new(),
            why: String::new(),
            is_feasible: None,
        };
        self.groups.insert(id, group);
        self.demand(DemandKind::Group(id), false);
        Ok(spec)
    }

    pub(super) fn group_lookup(
        &self,
        owner: NodeId,
        request: RequestId,
        name: &str,
        namespace: &str,
        out: &mut Outbox,
    ) {
        let key = (Arc::from(namespace), Arc::from(name));
        let found = self.group_names.get(&key).and_then(|id| self.groups.get(id));
        let result = found.map(|group| Arc::clone(&group.spec)).ok_or_else(|| {
            let message = format!("no placement group named `{name}` in namespace `{namespace}`: create one first");
            Error::new(ErrorKind::InvalidArgument, message)
        });
        out.push((owner, FromHead::GroupFound { request, result }));
    }

    pub(super) fn group_watch(&mut self, node: NodeId, id: GroupId, out: &mut Outbox) {
        if self.is_dead(node) {
            return;
        }
        let message = match self.groups.get_mut(&id) {
            Some(group) => {
                if group.state != GroupState::Removed && !group.watchers.contains(&node) {
                    group.watchers.push(node);
                }
                self.group_change(id)
            }
            None => None,
        };
        let gone = || FromHead::GroupChanged {
            group: id,
            state: GroupState::Removed,
            nodes: Vec::new(),
            why: "there is no such placement group any more".to_owned(),
        };
        out.push((node, message.unwrap_or_else(gone)));
    }

    fn group_change(&self, id: GroupId) -> Option<FromHead> {
        let group = self.groups.get(&id)?;
        let nodes = group.bundles.iter().map(|bundle| bundle.as_ref().map(|bundle| self.nodes[bundle.node].id));
        Some(FromHead::GroupChanged { group: id, state: group.state, nodes: nodes.collect(), why: group.why.clone() })
    }

    fn tell_group(&self, id: GroupId, out: &mut Outbox) {
        let (Some(group), Some(change)) = (self.groups.get(&id), self.group_change(id)) else { return };
        out.extend(group.watchers.iter().map(|node| (*node, change.clone())));
    }

    pub(super) fn tell_group_why(&mut self, id: GroupId, why: String, out: &mut Outbox) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.why = why;
            self.tell_group(id, out);
        }
    }

    /// Reserves all bundles of a group that have no node, or none of them.
    pub(super) fn place_group(&mut self, id: GroupId, out: &mut Outbox) -> Result<bool, Refusal> {
        let Some(group) = self.groups.get(&id).filter(|group| group.state != GroupState::Removed) else {
            return Ok(true);
        };
        let spec = Arc::clone(&group.spec);
        let missing: Vec<usize> = (0..spec.bundles.len()).filter(|index| group.bundles[*index].is_none()).collect();
        let Some(plan) = self.plan_group(id, Room::Free) else {
            return Err(if self.is_group_feasible(id) { Refusal::Busy } else { Refusal::Infeasible });
        };
        for (bundle, node) in missing.into_iter().zip(plan) {
            let reserved = &spec.bundles[bundle];
            self.nodes.take(node, reserved, 1);
            if let Some(group) = self.groups.get_mut(&id) {
                group.bundles[bundle] = Some(Bundle { node, available: reserved.clone() });
            }
        }
        if let Some(group) = self.groups.get_mut(&id) {
            group.state = GroupState::Created;
            group.why.clear();
        }
        self.tell_group(id, out);
        Ok(true)
    }

    /// A node for each bundle of a group that has none.
    fn plan_group(&mut self, id: GroupId, room: Room) -> Option<Vec<usize>> {
        let group = self.groups.get(&id)?;
        let missing = group.spec.bundles.iter().zip(&group.bundles).filter(|(_, place)| place.is_none());
        let bundles: Vec<&Resources> = missing.map(|(bundle, _)| bundle).collect();
        let used = group.bundles.iter().flatten().map(|bundle| bundle.node).collect();
        let (strategy, selector) = (group.spec.strategy, &group.spec.selector);
        Reserve { strategy, bundles: &bundles, selector, used, room }.find(&mut self.nodes)
    }

    /// Whether the nodes could hold what a group lacks if nothing else ran there.
    fn is_group_feasible(&mut self, id: GroupId) -> bool {
        let generation = self.nodes.generation();
        let Some(group) = self.groups.get(&id) else { return false };
        if let Some((at, is_feasible)) = group.is_feasible
            && at == generation
        {
            return is_feasible;
        }
        let is_feasible = self.plan_group(id, Room::Total).is_some();
        if let Some(group) = self.groups.get_mut(&id) {
            group.is_feasible = Some((generation, is_feasible));
        }
        is_feasible
    }

    /// Why a group finds no room now, in words.
    pub(super) fn explain_group(&mut self, id: GroupId) -> String {
        let is_feasible = self.is_group_feasible(id);
        let Some(group) = self.groups.get(&id) else { return String::new() };
        let missing = group.spec.bundles.iter().zip(&group.bundles).filter(|(_, place)| place.is_none());
        let mut words: Vec<String> = missing.take(4).map(|(bundle, _)| bundle.to_string()).collect();
        let more = if words.len() > 3 { ", …" } else { "" };
        words.truncate(3);
        let wish = format!("{}{more} ({})", words.join(", "), group.spec.strategy.name());
        if is_feasible {
            format!("the nodes have not enough free for the bundles {wish}")
        } else {
            format!("infeasible: no nodes could hold the bundles {wish}")
        }
    }

    /// Why a piece of work waits for its group, in words.
    pub(super) fn explain_group_of(&self, wish: &Wish<'_>) -> String {
        let Strategy::Group { group: id, .. } = wish.placement.strategy else { return String::new() };
        let Some(group) = self.groups.get(&id) else { return removed(id).to_string() };
        format!("placement group `{id}` is {}: {}", group.state.name(), group.why)
    }

    /// What a group still wants: in all, and the different bundles.
    pub(super) fn group_need(&self, id: GroupId) -> (Resources, Vec<Resources>) {
        let Some(group) = self.groups.get(&id) else { return Default::default() };
        let mut need = Resources::default();
        let mut pieces: Vec<Resources> = Vec::new();
        let mut seen = HashSet::new();
        for (bundle, place) in group.spec.bundles.iter().zip(&group.bundles) {
            if place.is_none() {
                need.give(bundle, 1);
                if seen.insert(bundle) {
                    pieces.push(bundle.clone());
                }
            }
        }
        (need, pieces)
    }

    /// The bundles that could hold a piece of work.
    pub(super) fn group_spots(
        &self,
        id: GroupId,
        bundle: Option<u32>,
        wants: &[&Resources],
    ) -> Result<Vec<Spot>, Refusal> {
        let Some(group) = self.groups.get(&id).filter(|group| group.state != GroupState::Removed) else {
            return Err(Refusal::Never(removed(id)));
        };
        let mut large_enough = Vec::new();
        for (index, reserved) in group.spec.bundles.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            if bundle.is_none_or(|wanted| wanted == index) && wants.iter().all(|want| reserved.fits(want) > 0) {
                large_enough.push(index);
            }
        }
        if large_enough.is_empty() {
            let wanted = wants.first().map(|want| want.to_string()).unwrap_or_default();
            let which = bundle.map_or_else(|| "no bundle".to_owned(), |index| format!("not bundle {index}"));
            let message = format!("{which} of placement group `{id}` can hold {wanted}: ask for less, or reserve more");
            return Err(Refusal::Never(Error::new(ErrorKind::Unschedulable, message)));
        }
        let spots: Vec<Spot> = large_enough
            .into_iter()
            .filter_map(|index| {
                let node = group.bundles.get(index as usize)?.as_ref()?.node;
                (self.nodes[node].life == NodeLife::Alive).then_some(Spot { node, bundle: Some((id, index)) })
            })
            .collect();
        if spots.is_empty() {
            return Err(Refusal::Busy);
        }
        Ok(spots)
    }

    pub(super) fn bundle(&self, (group, index): (GroupId, u32)) -> Option<&Bundle> {
        self.groups.get(&group)?.bundles.get(index as usize)?.as_ref()
    }

    pub(super) fn bundle_mut(&mut self, (group, index): (GroupId, u32)) -> Option<&mut Bundle> {
        self.groups.get_mut(&group)?.bundles.get_mut(index as usize)?.as_mut()
    }

    /// Ends a group, and all that runs in it. Harmless when it is gone.
    pub(super) fn group_remove(&mut self, id: GroupId, why: &str, out: &mut Outbox) {
        let Some(group) = self.groups.get(&id).filter(|group| group.state != GroupState::Removed) else { return };
        if let Some(name) = &group.spec.name {
            self.group_names.remove(&(Arc::clone(&group.spec.namespace), Arc::clone(name)));
        }
        let is_in = |spot: Spot| spot.bundle.is_some_and(|(group, _)| group == id);
        let nodes: BTreeSet<usize> = group.bundles.iter().flatten().map(|bundle| bundle.node).collect();
        let leases = nodes.iter().flat_map(|node| self.leases.on_node(*node));
        let within = |lease: &LeaseId| self.leases.get(lease).is_some_and(|lease| is_in(lease.spot));
        let over: BTreeSet<LeaseId> = leases.filter(within).collect();
        let dropped: Vec<_> = over.into_iter().filter_map(|id| Some((id, self.drop_lease(id)?))).collect();
        let mut told = Vec::new();
        for (lease, known) in dropped {
            out.push((known.owner, FromHead::LeaseRevoked { lease, error: removed(id) }));
            // What waits for the shape would wait for ever: nobody asks for it while it has a lease.
            if !told.contains(&(known.owner, known.shape.clone())) {
                out.push((known.owner, FromHead::ShapeFailed { shape: known.shape.clone(), error: removed(id) }));
                told.push((known.owner, known.shape));
            }
        }
        let actors = nodes.iter().filter_map(|node| self.actors_on.get(node)).flatten();
        let within: BTreeSet<ActorId> =
            actors.filter(|id| self.actors.get(id).and_then(|actor| actor.spot).is_some_and(is_in)).copied().collect();
        for actor in within {
            self.stop_actor(actor, false, removed(id), false, out);
        }
        self.demands.remove(&Who::Group(id));
        self.release_bundles(id);
        if let Some(group) = self.groups.get_mut(&id) {
            group.state = GroupState::Removed;
            group.why = why.to_owned();
        }
        self.tell_group(id, out);
        // Demands that name the group are refused when the line is served next.
        self.wake_group(id);
        if let Some(group) = self.groups.get_mut(&id) {
            group.watchers.clear();
        }
        self.removed_groups.push_back(id);
        if self.removed_groups.len() > limits::REMOVED_GROUPS_KEPT
            && let Some(oldest) = self.removed_groups.pop_front()
        {
            self.groups.remove(&oldest);
        }
    }

    fn release_bundles(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        for (bundle, reserved) in group.bundles.iter_mut().zip(&group.spec.bundles) {
            if let Some(bundle) = bundle.take() {
                self.nodes.give(bundle.node, reserved, 1);
            }
        }
    }

    /// Groups live as long as the job that created them, unless they are detached or a detached actor did.
    pub(super) fn remove_groups_of(&mut self, job: JobId, out: &mut Outbox) {
        self.remove_groups(out, "its job ended", |head, group| {
            let creator = head.actors.get(&actor_of(group.creator));
            let outlives = creator.is_some_and(|actor| actor.spec.detached && actor.state != ActorState::Dead);
            group.job == job && !outlives
        });
    }

    /// What a detached actor created goes with it.
    pub(super) fn remove_groups_by(&mut self, actor: ActorId, out: &mut Outbox) {
        self.remove_groups(out, "the detached actor that created it died", |_, group| actor_of(group.creator) == actor);
    }

    fn remove_groups(&mut self, out: &mut Outbox, why: &str, is_over: impl Fn(&Self, &GroupSpec) -> bool) {
        let live = self.groups.values().filter(|group| group.state != GroupState::Removed && !group.spec.detached);
        let mut over: Vec<GroupId> =
            live.filter(|group| is_over(self, &group.spec)).map(|group| group.spec.id).collect();
        over.sort_unstable();
        for group in over {
            self.group_remove(group, why, out);
        }
    }

    /// The bundles on a dead node want another one; the others stay.
    pub(super) fn lose_bundles(&mut self, node: usize, out: &mut Outbox) {
        let mut hit = Vec::new();
        for (id, group) in &mut self.groups {
            let mut has_lost = false;
            for bundle in &mut group.bundles {
                if bundle.as_ref().is_some_and(|bundle| bundle.node == node) {
                    *bundle = None;
                    has_lost = true;
                }
            }
            if has_lost {
                group.state = GroupState::Rescheduling;
                group.why = "a node of it died".to_owned();
                hit.push(*id);
            }
        }
        hit.sort_unstable();
        for id in hit {
            self.tell_group(id, out);
            match self.demands.lane_of(&Who::Group(id)) {
                Some(lane) => {
                    let (need, pieces) = self.group_need(id);
                    self.demands.set_need(lane, Arc::new(need), pieces);
                }
                // Those that were there before go ahead of new ones.
                None => self.demand(DemandKind::Group(id), true),
            }
        }
    }
}

fn actor_of(creator: TaskId) -> ActorId {
    ActorId::from(creator)
}

fn removed(id: GroupId) -> Error {
    let message = format!("placement group `{id}` was removed: create another one");
    Error::new(ErrorKind::PlacementGroupRemoved, message)
}

fn check(spec: &GroupSpec) -> Result<(), Error> {
    let fail = |kind, why: String| Err(Error::new(kind, format!("placement group `{}`: {why}", spec.id)));
    if spec.bundles.is_empty() || spec.bundles.iter().any(Resources::is_empty) {
        return fail(ErrorKind::InvalidArgument, "a bundle is empty: give each at least one resource".to_owned());
    }
    if spec.bundles.len() > limits::BUNDLES_MAX {
        let why = format!("{} bundles; at most {} are allowed", spec.bundles.len(), limits::BUNDLES_MAX);
        return fail(ErrorKind::LimitExceeded, why);
    }
    Ok(())
}
