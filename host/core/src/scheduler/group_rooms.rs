//! Where groups and what runs in them have room, or why they have none.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::bundles::{BundleNode, plan};
use super::reserve::Reserve;
use super::rooms::Room;
use super::spot::{Refusal, Spot, Wish};
use super::{Bundle, Group, NodeLife, Outbox, Scheduler};
use crate::{BundleSpec, Error, ErrorKind, GroupId, GroupState, GroupStrategy, LabelSelector, Resources, Strategy};

impl Group {
    /// Its bundles without a node: their indices, and what they want.
    fn missing(&self) -> (Vec<usize>, Vec<&BundleSpec>) {
        let places = self.spec.bundles.iter().zip(&self.bundles).enumerate();
        places.filter(|(_, (_, place))| place.is_none()).map(|(index, (wanted, _))| (index, wanted)).unzip()
    }
}

impl Scheduler {
    /// Reserves all bundles of a group that have no node, or none of them.
    pub(super) fn place_group(&mut self, id: GroupId, out: &mut Outbox) -> Result<bool, Refusal> {
        let Some(group) = self.groups.get(&id).filter(|group| group.state != GroupState::Removed) else {
            return Ok(true);
        };
        let (spec, (missing, _)) = (Arc::clone(&group.spec), group.missing());
        let Some(plan) = self.plan_group(id, Room::Free) else {
            return Err(if self.is_group_feasible(id) { Refusal::Busy } else { Refusal::Infeasible });
        };
        for (bundle, node) in missing.into_iter().zip(plan) {
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

    /// A node for each bundle of a group that has none.
    fn plan_group(&mut self, id: GroupId, room: Room) -> Option<Vec<usize>> {
        let group = self.groups.get(&id)?;
        let (_, missing) = group.missing();
        let bundles: Vec<&Resources> = missing.iter().map(|bundle| &bundle.resources).collect();
        let used: BTreeSet<usize> = group.bundles.iter().flatten().map(|bundle| bundle.node).collect();
        let Some(first) = missing.first() else { return Some(Vec::new()) };
        let (strategy, selector) = (group.spec.strategy, &first.selector);
        if missing.iter().all(|bundle| bundle.selector == *selector) {
            return Reserve { strategy, bundles: &bundles, selector, used, room }.find(&mut self.nodes);
        }
        // Bundles with labels of their own are rare, and the indexes know one selector at a time.
        let open = self.nodes.iter().enumerate().filter(|(_, node)| node.life == NodeLife::Alive);
        let (indices, nodes): (Vec<usize>, Vec<BundleNode>) = open
            .map(|(index, node)| {
                let room = if room == Room::Total { &node.total } else { &node.available };
                let refuses = missing.iter().map(|bundle| !bundle.selector.matches(&node.labels)).collect();
                (index, BundleNode { room: room.clone(), is_used: used.contains(&index), refuses })
            })
            .unzip();
        Some(plan(strategy, &bundles, &nodes)?.into_iter().map(|node| indices[node]).collect())
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
        let (_, wanted) = group.missing();
        let wish = in_words(group, &wanted);
        if is_feasible {
            return format!("the nodes have not enough free for the bundles {wish}");
        }
        let used: BTreeSet<usize> = group.bundles.iter().flatten().map(|bundle| bundle.node).collect();
        let open = self.nodes.iter().enumerate().filter(|(_, node)| node.life == NodeLife::Alive);
        // A node that could hold none of them, such as a head without cpus, is none to count on.
        let fits = open.filter(|(index, node)| {
            let holds =
                |wish: &&BundleSpec| wish.selector.matches(&node.labels) && node.total.fits(&wish.resources) > 0;
            !used.contains(index) && wanted.iter().any(holds)
        });
        let free = fits.count();
        match group.spec.strategy {
            GroupStrategy::StrictSpread if (1..wanted.len()).contains(&free) => {
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

    /// A bundle of a group on that node that has room, or the one of that number when it has.
    pub(super) fn bundle_with_room(
        &self,
        node: usize,
        id: GroupId,
        bundle: Option<u32>,
        need: &Resources,
    ) -> Option<Spot> {
        let bundles = (0_u32..).zip(&self.groups.get(&id)?.bundles);
        let named = bundles.filter(|(index, _)| bundle.is_none_or(|wanted| wanted == *index));
        let has_room = |place: &Bundle| place.node == node && place.available.fits(need) > 0;
        let (index, _) = named.into_iter().find(|(_, place)| place.as_ref().is_some_and(has_room))?;
        Some(Spot { node, bundle: Some((id, index)) })
    }

    pub(super) fn bundle(&self, (group, index): (GroupId, u32)) -> Option<&Bundle> {
        self.groups.get(&group)?.bundles.get(index as usize)?.as_ref()
    }

    pub(super) fn bundle_mut(&mut self, (group, index): (GroupId, u32)) -> Option<&mut Bundle> {
        self.groups.passing(&group)?.bundles.get_mut(index as usize)?.as_mut()
    }
}

/// What is wanted, in words: `{'CPU': 1}, {'CPU': 2}, … (PACK)`.
fn in_words(group: &Group, wanted: &[&BundleSpec]) -> String {
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
