//! Placement groups: bundles that are reserved together, and what runs in them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::bundles::{BundleNode, BundleWish, plan};
use super::line::Who;
use super::spot::{Refusal, Spot, Wish};
use super::{Bundle, DemandKind, Group, NodeLife, Outbox, Scheduler};
use crate::message::{FromHead, RequestId};
use crate::{
    ActorId, ActorState, Error, ErrorKind, GroupId, GroupSpec, GroupState, GroupStatus, GroupStrategy, JobId,
    LabelSelector, LeaseId, NodeId, Resources, Strategy, TaskId, limits,
};

impl Group {
    fn status(&self, head: &Scheduler) -> GroupStatus {
        GroupStatus { spec: Arc::clone(&self.spec), state: self.state, nodes: self.nodes(head), why: self.why.clone() }
    }

    fn nodes(&self, head: &Scheduler) -> Vec<Option<NodeId>> {
        self.bundles.iter().map(|bundle| bundle.as_ref().map(|bundle| head.nodes[bundle.node].id)).collect()
    }

    /// Its bundles without a node: their indices, and what they want.
    fn missing(&self) -> (Vec<usize>, Vec<BundleWish<'_>>) {
        let places = self.spec.bundles.iter().zip(&self.bundles).enumerate();
        places
            .filter(|(_, (_, place))| place.is_none())
            .map(|(index, (wanted, _))| {
                (index, BundleWish { resources: &wanted.resources, selector: &wanted.selector })
            })
            .unzip()
    }
}

impl Scheduler {
    pub(super) fn group_create(&mut self, owner: NodeId, request: RequestId, spec: Arc<GroupSpec>, out: &mut Outbox) {
        if self.is_dead(owner) {
            return;
        }
        let result = self.register_group(spec);
        out.push((owner, FromHead::GroupFound { request, result }));
    }

    fn register_group(&mut self, spec: Arc<GroupSpec>) -> Result<GroupStatus, Error> {
        let id = spec.id;
        if let Some(known) = self.groups.get(&id) {
            return Ok(known.status(self));
        }
        spec.check()?;
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
            spec,
            state: GroupState::Pending,
            bundles,
            watchers: Vec::new(),
            why: String::new(),
            is_feasible: None,
        };
        let status = group.status(self);
        self.groups.insert(id, group);
        self.demand(DemandKind::Group(id), false);
        Ok(status)
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
        let result = found.map(|group| group.status(self)).ok_or_else(|| {
            let message = format!("no placement group named `{name}` in namespace `{namespace}`: create one first");
            Error::new(ErrorKind::InvalidArgument, message)
        });
        out.push((owner, FromHead::GroupFound { request, result }));
    }

    pub(super) fn group_describe(&self, owner: NodeId, request: RequestId, id: GroupId, out: &mut Outbox) {
        let result = self.groups.get(&id).map(|group| group.status(self)).ok_or_else(|| self.removed(id));
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
            why: NO_SUCH_GROUP.to_owned(),
        };
        out.push((node, message.unwrap_or_else(gone)));
    }

    fn group_change(&self, id: GroupId) -> Option<FromHead> {
        let group = self.groups.get(&id)?;
        Some(FromHead::GroupChanged { group: id, state: group.state, nodes: group.nodes(self), why: group.why.clone() })
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
        let (missing, wanted) = group.missing();
        let (indices, nodes) = self.bundle_nodes(group, |node| node.available.clone());
        let Some(plan) = plan(spec.strategy, &wanted, &nodes) else {
            return Err(if self.is_group_feasible(id) { Refusal::Busy } else { Refusal::Infeasible });
        };
        for (bundle, node) in missing.into_iter().zip(plan) {
            let node = indices[node];
            let reserved = &spec.bundles[bundle].resources;
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

    /// Nodes that may take bundles of a group: their indices, and what `room` says that they have.
    fn bundle_nodes(
        &self,
        group: &Group,
        room: impl Fn(&super::Node) -> Resources,
    ) -> (Vec<usize>, Vec<BundleNode<'_>>) {
        let open = self.nodes.iter().enumerate().filter(|(_, node)| node.life == NodeLife::Alive);
        open.map(|(index, node)| {
            let is_used = group.bundles.iter().flatten().any(|bundle| bundle.node == index);
            (index, BundleNode { labels: &node.labels, room: room(node), is_used })
        })
        .unzip()
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
        let (_, wanted) = group.missing();
        let (_, nodes) = self.bundle_nodes(group, |node| node.total.clone());
        let is_feasible = plan(group.spec.strategy, &wanted, &nodes).is_some();
        if let Some(group) = self.groups.get_mut(&id) {
            group.is_feasible = Some((generation, is_feasible));
        }
        is_feasible
    }

    /// Why a group finds no room now, in words.
    pub(super) fn explain_group(&mut self, id: GroupId) -> String {
        let is_feasible = self.is_group_feasible(id);
        let Some(group) = self.groups.get(&id) else { return String::new() };
        let (_, wanted) = group.missing();
        let wish = in_words(group, &wanted);
        if is_feasible {
            return format!("the nodes have not enough free for the bundles {wish}");
        }
        let (_, nodes) = self.bundle_nodes(group, |_| Resources::default());
        let free = nodes.iter().filter(|node| !node.is_used).count();
        match group.spec.strategy {
            GroupStrategy::StrictSpread if free < wanted.len() => {
                let (all, more) = (wanted.len(), wanted.len() - free);
                format!(
                    "infeasible: each of the {all} bundles {wish} wants a node of its own, and the cluster has {free}: \
                     start {more} more"
                )
            }
            GroupStrategy::StrictPack => format!("infeasible: no node could hold all of the bundles {wish} together"),
            GroupStrategy::Pack | GroupStrategy::Spread | GroupStrategy::StrictSpread => {
                format!("infeasible: no nodes could hold the bundles {wish}")
            }
        }
    }

    /// Why a piece of work waits for its group, in words.
    pub(super) fn explain_group_of(&self, wish: &Wish<'_>) -> String {
        let Strategy::Group { group: id, .. } = wish.placement.strategy else { return String::new() };
        let Some(group) = self.groups.get(&id) else { return self.removed(id).to_string() };
        let (spec, selector) = (&group.spec, &wish.placement.selector);
        match group.why.as_str() {
            "" if !selector.is_empty() => {
                format!("infeasible: no bundle of {spec} is on a node with the labels {selector}")
            }
            "" => format!("{spec} is {}: the nodes of its bundles take no new work", group.state.name()),
            why => format!("{spec} is {}: {why}", group.state.name()),
        }
    }

    /// Labels that all bundles of a group want; none when they differ.
    pub(super) fn group_selector(&self, id: GroupId) -> LabelSelector {
        let bundles = self.groups.get(&id).map(|group| group.spec.bundles.as_slice()).unwrap_or_default();
        match bundles {
            [first, rest @ ..] if rest.iter().all(|bundle| bundle.selector == first.selector) => first.selector.clone(),
            _ => LabelSelector::default(),
        }
    }

    /// What a group still wants: in all, and the different bundles.
    pub(super) fn group_need(&self, id: GroupId) -> (Resources, Vec<Resources>) {
        let Some(group) = self.groups.get(&id) else { return Default::default() };
        let mut need = Resources::default();
        let mut pieces: Vec<Resources> = Vec::new();
        let mut seen = HashSet::new();
        for (bundle, place) in group.spec.bundles.iter().zip(&group.bundles) {
            if place.is_none() {
                need.give(&bundle.resources, 1);
                if seen.insert(&bundle.resources) {
                    pieces.push(bundle.resources.clone());
                }
            }
        }
        (need, pieces)
    }

    /// The bundles that could hold a piece of work.
    pub(super) fn group_spots(&self, id: GroupId, bundle: Option<u32>, wish: &Wish<'_>) -> Result<Vec<Spot>, Refusal> {
        let Some(group) = self.groups.get(&id).filter(|group| group.state != GroupState::Removed) else {
            return Err(Refusal::Never(self.removed(id)));
        };
        let count = group.spec.bundles.len();
        if let Some(index) = bundle.filter(|index| *index as usize >= count) {
            let message = format!("{} has no bundle {index}: its bundles are 0 to {}", group.spec, count - 1);
            return Err(Refusal::Never(Error::new(ErrorKind::InvalidArgument, message)));
        }
        let holds = |reserved: &Resources| reserved.fits(wish.footprint) > 0 && reserved.fits(wish.need) > 0;
        let large_enough: Vec<(u32, Option<usize>)> = (0_u32..)
            .zip(group.spec.bundles.iter().zip(&group.bundles))
            .filter(|(index, (spec, _))| bundle.is_none_or(|wanted| wanted == *index) && holds(&spec.resources))
            .map(|(index, (_, place))| (index, place.as_ref().map(|place| place.node)))
            .collect();
        if large_enough.is_empty() {
            let which = bundle.map_or_else(|| "no bundle".to_owned(), |index| format!("not bundle {index}"));
            let wanted = wish.footprint;
            let message =
                format!("{which} of {} can hold {wanted}: ask for less, or reserve more in one bundle", group.spec);
            return Err(Refusal::Never(Error::new(ErrorKind::Unschedulable, message)));
        }
        let placed: Vec<Spot> = large_enough
            .into_iter()
            .filter_map(|(index, node)| Some(Spot { node: node?, bundle: Some((id, index)) }))
            .filter(|spot| self.nodes[spot.node].life == NodeLife::Alive)
            .collect();
        if placed.is_empty() {
            return Err(Refusal::Busy);
        }
        let selector = &wish.placement.selector;
        let labelled: Vec<Spot> =
            placed.into_iter().filter(|spot| selector.matches(&self.nodes[spot.node].labels)).collect();
        if labelled.is_empty() {
            return Err(Refusal::Infeasible);
        }
        Ok(labelled)
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
        let nodes: BTreeSet<usize> = group.bundles.iter().flatten().map(|bundle| bundle.node).collect();
        if let Some(group) = self.groups.get_mut(&id) {
            group.state = GroupState::Removed;
            group.why = why.to_owned();
        }
        let removed = Error::group_removed(id, why);
        let is_in = |spot: Spot| spot.bundle.is_some_and(|(group, _)| group == id);
        let leases = nodes.iter().flat_map(|node| self.leases.on_node(*node));
        let within = |lease: &LeaseId| self.leases.get(lease).is_some_and(|lease| is_in(lease.spot));
        let over: BTreeSet<LeaseId> = leases.filter(within).collect();
        let dropped: Vec<_> = over.into_iter().filter_map(|id| Some((id, self.drop_lease(id)?))).collect();
        let mut told = Vec::new();
        for (lease, known) in dropped {
            out.push((known.owner, FromHead::LeaseRevoked { lease, error: removed.clone() }));
            // What waits for the shape would wait for ever: nobody asks for it while it has a lease.
            if !told.contains(&(known.owner, known.shape.clone())) {
                out.push((known.owner, FromHead::ShapeFailed { shape: known.shape.clone(), error: removed.clone() }));
                told.push((known.owner, known.shape));
            }
        }
        let actors = nodes.iter().filter_map(|node| self.actors_on.get(node)).flatten();
        let within: BTreeSet<ActorId> =
            actors.filter(|id| self.actors.get(id).and_then(|actor| actor.spot).is_some_and(is_in)).copied().collect();
        for actor in within {
            self.stop_actor(actor, false, removed.clone(), false, out);
        }
        self.demands.remove(&Who::Group(id));
        self.release_bundles(id);
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

    fn removed(&self, id: GroupId) -> Error {
        Error::group_removed(id, self.groups.get(&id).map_or(NO_SUCH_GROUP, |group| &group.why))
    }

    fn release_bundles(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        for (bundle, reserved) in group.bundles.iter_mut().zip(&group.spec.bundles) {
            if let Some(bundle) = bundle.take() {
                self.nodes.give(bundle.node, &reserved.resources, 1);
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

/// Said of a group that was forgotten long after its end, and of one that never was.
const NO_SUCH_GROUP: &str = "there is no such placement group any more";

fn actor_of(creator: TaskId) -> ActorId {
    ActorId::from(creator)
}

/// What is wanted, in words: `{'CPU': 1}, {'CPU': 2}, … (PACK)`.
fn in_words(group: &Group, wanted: &[BundleWish<'_>]) -> String {
    const SHOWN: usize = 3;
    let words: Vec<String> = wanted
        .iter()
        .take(SHOWN)
        .map(|bundle| match bundle.selector.is_empty() {
            true => bundle.resources.to_string(),
            false => format!("{} with the labels {}", bundle.resources, bundle.selector),
        })
        .collect();
    let more = if wanted.len() > SHOWN { ", …" } else { "" };
    format!("{}{more} ({})", words.join(", "), group.spec.strategy.name())
}
