//! Where the bundles of a group go among many nodes: what [`plan`](super::plan) would say of all of
//! them, found by the indexes.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::bundles::{BundleNode, fill, largest_first, plan};
use super::places::{Look, Places};
use super::rooms::Room;
use crate::{GroupStrategy, LabelSelector, Resources};

/// What is to be reserved.
#[derive(Debug)]
pub(super) struct Reserve<'a> {
    pub(super) strategy: GroupStrategy,
    pub(super) bundles: &'a [&'a Resources],
    pub(super) selector: &'a LabelSelector,
    /// Nodes that have bundles of the group already.
    pub(super) used: BTreeSet<usize>,
    /// [`Room::Free`] for a place now, [`Room::Total`] for whether there could be one.
    pub(super) room: Room,
}

impl Reserve<'_> {
    /// The node of each bundle, or `None` when not all of them fit.
    pub(super) fn find(&self, nodes: &mut Places) -> Option<Vec<usize>> {
        if self.bundles.is_empty() {
            return Some(Vec::new());
        }
        let mut sum = Resources::default();
        self.bundles.iter().for_each(|bundle| sum.give(bundle, 1));
        if self.room == Room::Free && nodes.free_sum().fits(&sum) == 0 {
            return None;
        }
        match self.strategy {
            GroupStrategy::StrictPack => self.on_one(nodes, &sum),
            GroupStrategy::Pack => self.on_one(nodes, &sum).or_else(|| self.on_few(nodes)),
            GroupStrategy::Spread => self.on_many(nodes),
            GroupStrategy::StrictSpread => self.on_different(nodes),
        }
    }

    fn look<'a>(&'a self, need: &'a Resources) -> Look<'a> {
        Look { room: self.room, need, footprint: need, selector: self.selector }
    }

    fn has_room(&self, nodes: &Places, index: usize, need: &Resources) -> bool {
        nodes[index].holds(&self.look(need)) && self.selector.matches(&nodes[index].labels)
    }

    fn room_of<'a>(&self, nodes: &'a Places, index: usize) -> &'a Resources {
        if self.room == Room::Total { &nodes[index].total } else { &nodes[index].available }
    }

    /// All on one node: one that is used already, or else the first.
    fn on_one(&self, nodes: &mut Places, sum: &Resources) -> Option<Vec<usize>> {
        let used = self.used.iter().copied().find(|index| self.has_room(nodes, *index, sum));
        let node = used.or_else(|| nodes.first(&self.look(sum), 0))?;
        Some(vec![node; self.bundles.len()])
    }

    /// The node that can take most of what is left takes it, and so on. Nodes with equal room take
    /// equally much, so only one of them is tried; to sort them so is a walk over all nodes.
    fn on_few(&self, nodes: &mut Places) -> Option<Vec<usize>> {
        let different: HashSet<&Resources> = self.bundles.iter().copied().collect();
        if !different.iter().all(|bundle| nodes.first(&self.look(bundle), 0).is_some()) {
            return None;
        }
        let mut alike: HashMap<&Resources, BTreeSet<(bool, usize)>> = HashMap::new();
        for index in nodes.chosen(self.selector) {
            let room = self.room_of(nodes, index);
            if different.iter().any(|bundle| room.fits(bundle) > 0) {
                alike.entry(room).or_default().insert((!self.used.contains(&index), index));
            }
        }
        let mut plan = vec![0; self.bundles.len()];
        let mut left = largest_first(self.bundles);
        while !left.is_empty() {
            let first = alike.iter().filter_map(|(room, nodes)| Some((*room, *nodes.first()?)));
            let taken = first.map(|(room, node)| (fill(&left, self.bundles, room), node, room));
            let (taken, node, room) = taken.max_by_key(|(taken, node, _)| (taken.len(), std::cmp::Reverse(*node)))?;
            if taken.is_empty() {
                return None;
            }
            taken.iter().for_each(|bundle| plan[*bundle] = node.1);
            left.retain(|bundle| !taken.contains(bundle));
            alike.entry(room).or_default().remove(&node);
        }
        Some(plan)
    }

    /// Each on the roomiest node that has none yet; where there is no such node, on one that has.
    fn on_many(&self, nodes: &mut Places) -> Option<Vec<usize>> {
        let mut plan = vec![0; self.bundles.len()];
        let mut touched: HashMap<usize, (usize, Resources)> = HashMap::new();
        for index in self.used.iter().filter(|index| self.has_room(nodes, **index, &Resources::default())) {
            touched.insert(*index, (1, self.room_of(nodes, *index).clone()));
        }
        for bundle in largest_first(self.bundles) {
            let need = self.bundles[bundle];
            let fresh = nodes.roomiest(&self.look(need), &|index| touched.contains_key(&index));
            let node = fresh.or_else(|| {
                let fitting = touched.iter().filter(|(_, (_, room))| room.fits(need) > 0);
                let best = fitting
                    .min_by_key(|(index, (count, room))| (*count, std::cmp::Reverse((room.cpu, room.memory)), **index));
                best.map(|(index, _)| *index)
            })?;
            let (count, room) = touched.entry(node).or_insert_with(|| (0, self.room_of(nodes, node).clone()));
            room.take(need, 1);
            *count += 1;
            plan[bundle] = node;
        }
        Some(plan)
    }

    /// Each on a node of its own: the first that fits, or else a matching, for which each bundle needs
    /// no more nodes to choose from than there are bundles.
    fn on_different(&self, nodes: &mut Places) -> Option<Vec<usize>> {
        let order = largest_first(self.bundles);
        let mut found = vec![0; self.bundles.len()];
        let mut taken = self.used.clone();
        let mut last: Option<(&Resources, usize)> = None;
        let mut is_complete = true;
        for bundle in &order {
            let need = self.bundles[*bundle];
            // Before the node of an equal bundle there is none left.
            let from = last.filter(|(known, _)| *known == need).map_or(0, |(_, node)| node + 1);
            let Some(node) = self.first_but(nodes, need, from, &taken) else {
                is_complete = false;
                break;
            };
            taken.insert(node);
            found[*bundle] = node;
            last = Some((need, node));
        }
        if is_complete {
            return Some(found);
        }
        let different: HashSet<&Resources> = self.bundles.iter().copied().collect();
        if different.len() == 1 {
            return None;
        }
        let mut indices: BTreeSet<usize> = BTreeSet::new();
        for need in different {
            let mut from = 0;
            for _ in 0..self.bundles.len() {
                let Some(node) = self.first_but(nodes, need, from, &self.used) else { break };
                indices.insert(node);
                from = node + 1;
            }
        }
        let indices: Vec<usize> = indices.into_iter().collect();
        let rooms =
            indices.iter().map(|index| BundleNode { room: self.room_of(nodes, *index).clone(), is_used: false });
        let found = plan(self.strategy, self.bundles, &rooms.collect::<Vec<_>>())?;
        Some(found.into_iter().map(|node| indices[node]).collect())
    }

    fn first_but(&self, nodes: &mut Places, need: &Resources, from: usize, but: &BTreeSet<usize>) -> Option<usize> {
        let mut from = from;
        loop {
            let node = nodes.first(&self.look(need), from)?;
            if !but.contains(&node) {
                return Some(node);
            }
            from = node + 1;
        }
    }
}
