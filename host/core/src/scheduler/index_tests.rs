//! The indexes against the plain truth: random clusters, random events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::cluster_tests::on;
use super::line::{Rest, Want};
use super::places::Look;
use super::reserve::Reserve;
use super::rooms::Room;
use super::spot::{Refusal, Wish};
use super::tests::cpus;
use super::{BundleNode, NodeLife, NodeLoad, Outbox, Scheduler, place, plan};
use crate::message::{ActorEnd, FromHead, NodeAddress, RequestId, Shape, ToHead};
use crate::{
    Amount, BundleSpec, Error, ErrorKind, GroupId, GroupSpec, GroupStrategy, JobId, LabelSelector, Labels, LeaseId,
    NodeId, Placement, Resources, Strategy as Where,
};

impl Scheduler {
    /// Panics when an index does not say what is true, or somebody rests who could be served.
    pub(super) fn check(&mut self) {
        self.nodes.check();
        self.leases.check();
        self.demands.check();
        self.check_sums();
        let resting: Vec<_> = self
            .demands
            .lanes()
            .filter(|(_, lane)| lane.rest != Rest::Awake)
            .map(|(_, lane)| (lane.want.clone(), lane.rest))
            .collect();
        for (want, rest) in resting {
            let Want::Work { need, footprint, placement } = want else { continue };
            let (near, by) = (None, NodeId([0; 16]));
            let wish = Wish { need: &need, footprint: &footprint, placement: &placement, near, by };
            match self.reference(&wish) {
                Ok(node) => panic!("{need} rests, and node {node} has room"),
                Err(is_feasible) => assert_eq!(is_feasible, rest == Rest::Busy, "{need} rests as {rest:?}"),
            }
        }
    }

    /// What nodes have free is what nobody holds.
    fn check_sums(&self) {
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.is_dead()) {
            let mut sum = node.available.clone();
            let mut coming = Resources::default();
            for lease in self.leases.values().filter(|lease| lease.spot.node == index && lease.spot.bundle.is_none()) {
                sum.give(&lease.shape.resources, lease.slots);
                sum.give(&lease.shape.resources.without_cpu(), lease.parked);
                coming.give(&lease.shape.resources, lease.reclaiming);
            }
            for actor in self.actors.values() {
                if actor.spot.is_some_and(|spot| spot.node == index && spot.bundle.is_none()) {
                    sum.give(&actor.spec.lifetime, 1);
                }
            }
            for group in self.groups.values() {
                for (bundle, reserved) in group.bundles.iter().zip(&group.spec.bundles) {
                    if bundle.as_ref().is_some_and(|bundle| bundle.node == index) {
                        sum.give(&reserved.resources, 1);
                    }
                }
            }
            assert_eq!((&sum, &coming), (&node.total, &node.coming), "node {}", node.id);
        }
        for (id, actor) in &self.actors {
            let is_listed = |node: &usize| self.actors_on.get(node).is_some_and(|here| here.contains(id));
            assert!(actor.spot.is_none_or(|spot| is_listed(&spot.node)), "actor {id} is listed where it is");
        }
    }

    /// The node by the plain rule, over all nodes; or whether one could hold it if nothing else ran there.
    fn reference(&self, wish: &Wish<'_>) -> Result<usize, bool> {
        let open = |index: &usize| {
            let node = &self.nodes[*index];
            node.life == NodeLife::Alive && wish.placement.selector.matches(&node.labels)
        };
        let large = |index: &usize| {
            let total = &self.nodes[*index].total;
            total.fits(wish.footprint) > 0 && total.fits(wish.need) > 0
        };
        let named = match &wish.placement.strategy {
            Where::NodeAffinity { node, .. } => self.nodes.iter().position(|known| known.id == *node),
            Where::Group { .. } => return Err(true),
            Where::Default | Where::Spread => None,
        };
        let mut fitting: Vec<usize> = (0..self.nodes.len()).filter(open).filter(large).collect();
        if let Some(named) = named.filter(|named| fitting.contains(named)) {
            fitting = vec![named];
        }
        let is_free = |index: &&usize| self.nodes[**index].available.fits(wish.need) > 0;
        if let Where::Spread = wish.placement.strategy {
            let next = fitting.iter().filter(is_free).find(|index| **index >= self.spread_next);
            let next = next.or(fitting.iter().find(is_free)).copied();
            return next.ok_or(!fitting.is_empty() || !self.nodes.iter().any(super::Node::is_open));
        }
        if let Some(near) = fitting.iter().filter(is_free).find(|index| wish.near == Some(self.nodes[**index].id)) {
            return Ok(*near);
        }
        let loads: Vec<NodeLoad<'_>> = fitting
            .iter()
            .map(|index| NodeLoad {
                total: &self.nodes[*index].total,
                available: &self.nodes[*index].available,
                is_near: self.nodes[*index].id == wish.by,
            })
            .collect();
        let found = place(wish.need, wish.footprint, &loads).map(|place| fitting[place]);
        found.ok_or(!fitting.is_empty() || !self.nodes.iter().any(super::Node::is_open))
    }
}

fn node(number: u8) -> NodeId {
    NodeId([number + 1; 16])
}

/// Sizes that meet: small and large, with and without memory and custom resources.
fn amounts(which: u8) -> Resources {
    let base = cpus(u64::from(which % 4));
    match which / 4 % 4 {
        0 => base,
        1 => base.with_memory(u64::from(which % 3) * 50),
        2 => base.with_custom("disk", Amount(u64::from(which % 3) * 10_000)),
        _ => base.with_custom("gpu", Amount(10_000)).with_memory(100),
    }
}

fn labels(which: u8) -> Labels {
    [("zone".to_owned(), ["a", "b", "c"][usize::from(which % 3)].to_owned())].into_iter().collect()
}

fn placement(which: u8) -> Arc<Placement> {
    let strategy = match which % 5 {
        0 | 1 => Where::Default,
        2 => Where::Spread,
        3 => Where::NodeAffinity { node: node(which / 5 % 8), soft: true },
        _ => Where::NodeAffinity { node: node(which / 5 % 8), soft: false },
    };
    let pairs = [("zone", ["a", "!b", "in(a,c)"][usize::from(which / 7 % 3)])];
    let selector =
        if which.is_multiple_of(3) { LabelSelector::parse(pairs).unwrap() } else { LabelSelector::default() };
    Arc::new(Placement { strategy, selector })
}

fn join(number: u8, size: u8) -> ToHead {
    let mut total = amounts(size);
    total.give(&cpus(2).with_memory(100), 1);
    ToHead::NodeJoined { node: node(number), at: NodeAddress::default(), total, labels: labels(size) }
}

/// What happens, from four dice.
fn event(head: &Scheduler, held: &BTreeMap<LeaseId, (u32, u32)>, what: u8, a: u8, b: u8, c: u8) -> Option<ToHead> {
    let job = JobId::numbered(1 + u32::from(c % 3));
    let nth_lease = held.iter().nth(usize::from(a) % held.len().max(1)).map(|(id, slots)| (*id, *slots));
    Some(match what {
        0..=5 => {
            let near = (c > 200).then(|| node(c % 8));
            let shape = Shape { job, resources: Arc::new(amounts(a)), placement: placement(b), near };
            ToHead::LeaseWanted { owner: node(c % 8), shape, backlog: u32::from(b % 7), granted: 0 }
        }
        6..=9 => {
            let (lease, (slots, _)) = nth_lease?;
            let slots = 1 + u32::from(b) % slots.max(1);
            ToHead::SlotsReturned { lease, slots, parked: if c.is_multiple_of(4) { slots } else { 0 } }
        }
        10 => ToHead::SlotsResumeWanted { lease: nth_lease?.0, slots: 1 + u32::from(b % 2) },
        11 => ToHead::ParkedEnded { lease: nth_lease?.0, parked: 1 },
        12 => {
            let spec = super::cluster_tests::placed_actor(u64::from(a % 16), placement(b), 1, c.is_multiple_of(3));
            ToHead::ActorRegister { owner: node(c % 8), request: None, spec, get_if_exists: false }
        }
        13 => {
            let spec = super::cluster_tests::placed_actor(u64::from(a % 16), placement(b), 1, false);
            ToHead::ActorDependenciesReady { actor: spec.id, inputs: Some(Vec::new()), failed: None }
        }
        14 => {
            let mut ids: Vec<_> = head.actors.values().map(|actor| (actor.spec.id, actor.incarnation)).collect();
            ids.sort_unstable();
            let (actor, incarnation) = *ids.get(usize::from(a) % ids.len().max(1))?;
            let end = ActorEnd::Crashed(Error::new(ErrorKind::WorkerCrashed, "it trapped"));
            ToHead::ActorEnded { actor, incarnation, end }
        }
        15 => join(a % 8, b),
        16 if c.is_multiple_of(3) => ToHead::NodeLost { node: node(a % 8), why: "it was not heard".to_owned() },
        16 | 17 if c % 3 == 1 => ToHead::NodeDrain { node: node(a % 8), why: "spot".to_owned(), deadline_ms: None },
        16..=18 => {
            let creator = JobId::numbered(1).driver(0);
            let strategies =
                [GroupStrategy::Pack, GroupStrategy::Spread, GroupStrategy::StrictPack, GroupStrategy::StrictSpread];
            let bundles = (0..=a % 3).map(|more| BundleSpec {
                resources: amounts(b.wrapping_add(more)),
                selector: placement(a).selector.clone(),
            });
            let bundles = bundles.filter(|bundle| !bundle.resources.is_empty()).collect();
            let spec = GroupSpec {
                id: GroupId::from(creator.child(1_000 + u64::from(c % 6))),
                name: None,
                namespace: Arc::from("n"),
                strategy: strategies[usize::from(b % 4)],
                bundles,
                detached: false,
                job,
                creator,
            };
            ToHead::GroupCreate { owner: node(0), request: RequestId(1), spec: Arc::new(spec) }
        }
        19 => {
            let mut ids: Vec<GroupId> = head.groups.keys().copied().collect();
            ids.sort_unstable();
            let group = *ids.get(usize::from(a) % ids.len().max(1))?;
            if c.is_multiple_of(3) {
                return Some(ToHead::GroupRemove { group });
            }
            let placement = on(Where::Group { group, bundle: None, capture: false });
            let shape = Shape { job, resources: Arc::new(amounts(b)), placement, near: None };
            ToHead::LeaseWanted { owner: node(c % 8), shape, backlog: 2, granted: 0 }
        }
        _ => return None,
    })
}

proptest! {
    /// After whatever happened every index is true, nobody rests who could be served, and the tree
    /// names the node that the plain rule names.
    #[test]
    fn indexes_and_truth_agree_whatever_happens(
        nodes in proptest::collection::vec(any::<u8>(), 1..8),
        steps in proptest::collection::vec((0..22_u8, any::<u8>(), any::<u8>(), any::<u8>()), 1..60),
    ) {
        let mut head = Scheduler::default();
        let mut now = 0;
        let mut out = Outbox::new();
        for (number, size) in nodes.iter().enumerate() {
            head.handle(join(u8::try_from(number).unwrap(), *size), now, &mut out);
        }
        for (what, a, b, c) in steps {
            let held: BTreeMap<LeaseId, (u32, u32)> =
                head.leases.iter().map(|(id, lease)| (*id, (lease.slots, lease.parked))).collect();
            out.clear();
            match event(&head, &held, what, a, b, c) {
                Some(event) => head.handle(event, now, &mut out),
                None => {
                    now += u64::from(a) * 5;
                    head.tick(now, &mut out);
                }
            }
            for (_, message) in &out {
                if let FromHead::SlotsReclaimed { lease, slots, .. } = message {
                    let known = head.leases.get(lease).map_or(0, |lease| lease.slots);
                    prop_assert!(*slots <= known, "{slots} of {known} slots are asked back");
                }
            }
            head.check();
            let (need, placement) = (amounts(a), placement(b));
            let footprint = amounts(c);
            let near = (c > 128).then(|| node(c % 8));
            let wish = Wish { need: &need, footprint: &footprint, placement: &placement, near, by: node(a % 8) };
            let expected = head.reference(&wish);
            match (head.find(&wish), expected) {
                (Ok(found), Ok(expected)) => prop_assert_eq!(found.node, expected),
                (Err(Refusal::Busy), Err(true)) | (Err(Refusal::Infeasible), Err(false)) => {}
                (Err(Refusal::Never(_)), _) if placement_is_hard(&placement) => {}
                (found, expected) => prop_assert!(false, "{:?} instead of {:?}", found, expected),
            }
        }
    }

    /// The plan for a group that the indexes find is the one of the plain rule over all nodes, or, where
    /// each bundle has a node of its own, one as good.
    #[test]
    fn groups_are_planned_as_by_the_plain_rule(
        nodes in proptest::collection::vec((any::<u8>(), any::<u8>()), 1..12),
        bundles in proptest::collection::vec(any::<u8>(), 1..6),
        is_used in proptest::collection::vec(any::<bool>(), 12),
        which in 0..16_u8,
    ) {
        let mut head = Scheduler::default();
        let mut out = Outbox::new();
        for (number, (size, used)) in nodes.iter().enumerate() {
            head.handle(join(u8::try_from(number).unwrap(), *size), 0, &mut out);
            let used = amounts(*used);
            if head.nodes[number].available.fits(&used) > 0 {
                head.nodes.take(number, &used, 1);
            }
        }
        let strategies =
            [GroupStrategy::Pack, GroupStrategy::Spread, GroupStrategy::StrictPack, GroupStrategy::StrictSpread];
        let (strategy, selector) = (strategies[usize::from(which % 4)], placement(which).selector.clone());
        let mut bundles: Vec<Resources> = bundles.into_iter().map(amounts).collect();
        bundles.retain(|bundle| !bundle.is_empty());
        let bundles: Vec<&Resources> = bundles.iter().collect();
        let used: BTreeSet<usize> = (0..nodes.len()).filter(|index| which > 7 && is_used[*index]).collect();
        for room in [Room::Free, Room::Total] {
            let indices: Vec<usize> = head.nodes.chosen(&selector).collect();
            let rooms: Vec<BundleNode> = indices
                .iter()
                .map(|index| {
                    let node = &head.nodes[*index];
                    let amount = if room == Room::Total { &node.total } else { &node.available };
                    BundleNode { room: amount.clone(), is_used: used.contains(index), ..BundleNode::default() }
                })
                .collect();
            let plain = plan(strategy, &bundles, &rooms);
            let expected: Option<Vec<usize>> = plain.map(|plan| plan.into_iter().map(|node| indices[node]).collect());
            let reserve = Reserve { strategy, bundles: &bundles, selector: &selector, used: used.clone(), room };
            let found = reserve.find(&mut head.nodes);
            if strategy != GroupStrategy::StrictSpread {
                prop_assert_eq!(found, expected);
                continue;
            }
            prop_assert_eq!(found.is_some(), expected.is_some());
            let found = found.unwrap_or_default();
            let different: BTreeSet<usize> = found.iter().copied().collect();
            prop_assert!(different.len() == found.len() && different.is_disjoint(&used));
            for (bundle, node) in bundles.iter().zip(&found) {
                let at = indices.binary_search(node).unwrap();
                prop_assert!(rooms[at].room.fits(bundle) > 0);
            }
        }
    }

    /// The searches of the tree find what a walk over all nodes finds.
    #[test]
    fn searches_find_what_a_walk_finds(
        nodes in proptest::collection::vec((any::<u8>(), any::<u8>()), 1..40),
        need in any::<u8>(),
        footprint in any::<u8>(),
        which in any::<u8>(),
        from in 0..40_usize,
    ) {
        let mut head = Scheduler::default();
        let mut out = Outbox::new();
        for (number, (size, used)) in nodes.iter().enumerate() {
            head.handle(join(u8::try_from(number).unwrap(), *size), 0, &mut out);
            let used = amounts(*used);
            if head.nodes[number].available.fits(&used) > 0 {
                head.nodes.take(number, &used, 1);
            }
        }
        let (need, footprint, placement) = (amounts(need), amounts(footprint), placement(which));
        for room in [Room::Free, Room::Promised, Room::Total] {
            let look = Look { room, need: &need, footprint: &footprint, selector: &placement.selector };
            let fits = |index: &usize| {
                head.nodes[*index].holds(&look) && placement.selector.matches(&head.nodes[*index].labels)
            };
            let fitting: Vec<usize> = (0..nodes.len()).filter(fits).collect();
            let first = fitting.iter().find(|index| **index >= from).copied();
            let size = |index: &usize| {
                let node = &head.nodes[*index];
                let room = if room == Room::Total { &node.total } else { &node.available };
                ((room.cpu, room.memory), std::cmp::Reverse(*index))
            };
            let roomiest = fitting.iter().copied().max_by_key(size);
            prop_assert_eq!(head.nodes.first(&look, from), first);
            prop_assert_eq!(head.nodes.roomiest(&look, &|_| false), roomiest);
        }
        head.nodes.check();
    }
}

fn placement_is_hard(placement: &Placement) -> bool {
    matches!(placement.strategy, Where::NodeAffinity { soft: false, .. })
}
