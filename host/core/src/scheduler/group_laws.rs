//! What holds of placement groups whatever happens: properties, tried with made-up histories.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::cluster_tests::{A, join, live, lose, on, placed_actor, tell, want};
use super::group_tests::{bundle, create, group, remove, within};
use super::tests::{cpus, shape};
use super::{BundleNode, Outbox, Scheduler, plan};
use crate::message::{ActorEnd, FromHead, ToHead};
use crate::{BundleSpec, GroupId, GroupSpec, GroupState, GroupStrategy, LeaseId, NodeId, Resources, Strategy as Where};

const STRATEGIES: [GroupStrategy; 4] =
    [GroupStrategy::Pack, GroupStrategy::Spread, GroupStrategy::StrictPack, GroupStrategy::StrictSpread];

proptest! {
    /// A plan never puts more on a node than it has, and keeps what its strategy promises.
    #[test]
    fn a_plan_fits_and_keeps_its_promise(
        which in 0..4_usize,
        bundles in proptest::collection::vec(1..5_u64, 1..6),
        rooms in proptest::collection::vec(0..9_u64, 0..5),
    ) {
        let bundles: Vec<BundleSpec> = bundles.into_iter().map(bundle).collect();
        let wanted: Vec<&Resources> = bundles.iter().map(|bundle| &bundle.resources).collect();
        let nodes: Vec<BundleNode> =
            rooms.iter().map(|units| BundleNode { room: cpus(*units), ..BundleNode::default() }).collect();
        if let Some(found) = plan(STRATEGIES[which], &wanted, &nodes) {
            prop_assert_eq!(found.len(), bundles.len());
            let mut used: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (bundle, node) in found.iter().enumerate() {
                used.entry(*node).or_default().push(bundle);
            }
            for (node, held) in &used {
                let sum: u64 = held.iter().map(|bundle| bundles[*bundle].resources.cpu.0).sum();
                prop_assert!(sum <= nodes[*node].room.cpu.0);
            }
            if STRATEGIES[which] == GroupStrategy::StrictPack {
                prop_assert_eq!(used.len(), 1);
            }
            if STRATEGIES[which] == GroupStrategy::StrictSpread {
                prop_assert_eq!(used.len(), bundles.len());
            }
        }
    }

    /// What a plan found is found again: placing twice changes nothing.
    #[test]
    fn a_plan_is_the_same_twice_and_holds_for_what_it_reserved(
        which in 0..4_usize,
        bundles in proptest::collection::vec(1..5_u64, 1..6),
        rooms in proptest::collection::vec(0..9_u64, 1..5),
    ) {
        let mut head = cluster(&rooms);
        let spec = group(1, STRATEGIES[which], &bundles);
        create(&mut head, &spec);
        let before = (places(&head, &spec), head.status(0));
        let again = create(&mut head, &spec);
        let refused = again.iter().any(|(_, said)| matches!(said, FromHead::GroupFound { result: Err(_), .. }));
        prop_assert!(!refused);
        let mut out = Outbox::new();
        head.tick(1_000, &mut out);
        prop_assert_eq!((places(&head, &spec), head.status(0)), before);
    }

    /// Whatever happens to groups, leases, actors and nodes: no node and no bundle is over its capacity, a
    /// group is whole or nothing unless it lost a node, strict strategies keep their promise, and in the end
    /// all is given back.
    #[test]
    fn groups_keep_their_promises_and_give_all_of_it_back(
        steps in proptest::collection::vec(
            (0..9_u8, 0..4_usize, proptest::collection::vec(1..4_u64, 1..4)), 1..40),
    ) {
        let mut head = cluster(&[2, 2, 3]);
        let mut groups: Vec<GroupSpec> = Vec::new();
        let mut has_died = 0;
        for (number, (what, which, bundles)) in steps.into_iter().enumerate() {
            let known = groups.get(number % groups.len().max(1)).cloned();
            match (what, known) {
                (0..=2, _) => {
                    let spec = group(number as u64, STRATEGIES[which], &bundles);
                    create(&mut head, &spec);
                    groups.push(spec);
                }
                (3, Some(spec)) => {
                    let bundle = (which > 0).then(|| which as u32 - 1);
                    want(&mut head, A, within(&spec, bundle, bundles[0]), 3);
                }
                (4, Some(spec)) => {
                    let strategy = Where::Group { group: spec.id, bundle: None, capture: false };
                    live(&mut head, A, &placed_actor(number as u64, on(strategy), 1, which == 0));
                }
                (5, _) => { want(&mut head, A, shape(bundles[0]), 2); }
                (6, Some(spec)) => {
                    groups.retain(|group| group.id != spec.id);
                    remove(&mut head, &spec);
                }
                (7, _) if has_died < 4 => {
                    // The first node stays: it owns what is asked for here.
                    let alive = head.nodes.iter().filter(|node| !node.is_dead() && node.id != A).map(|node| node.id);
                    if let Some(node) = alive.max_by_key(|node| node.0[0] as usize * which % 7) {
                        lose(&mut head, node);
                        has_died += 1;
                    }
                }
                (8, _) if has_died > 0 => {
                    join(&mut head, NodeId([100 + number as u8; 16]), bundles[0], "new");
                }
                _ => {}
            }
            keeps_its_promises(&head)?;
        }
        for spec in groups {
            remove(&mut head, &spec);
        }
        let actors: Vec<_> = head.actors.keys().copied().collect();
        for actor in actors {
            let end = ActorEnd::Intended(crate::Error::new(crate::ErrorKind::ActorDied, "over"));
            for incarnation in 0..3 {
                tell(&mut head, ToHead::ActorEnded { actor, incarnation, end: end.clone() });
            }
        }
        head.demands.clear();
        let leases: Vec<(LeaseId, u32)> = head.leases.iter().map(|(id, lease)| (*id, lease.slots)).collect();
        for (lease, slots) in leases {
            tell(&mut head, ToHead::SlotsReturned { lease, slots, parked: 0 });
        }
        for node in head.status(0).nodes {
            prop_assert!(node.used.is_empty(), "{:?}", node);
        }
    }
}

/// Nodes of these sizes.
fn cluster(units: &[u64]) -> Scheduler {
    let mut head = Scheduler::default();
    for (index, units) in (1_u8..).zip(units) {
        join(&mut head, NodeId([index; 16]), *units, "zone");
    }
    head
}

/// The nodes of a group's bundles, as far as they have one.
fn places(head: &Scheduler, spec: &GroupSpec) -> Vec<Option<usize>> {
    head.groups[&spec.id].bundles.iter().map(|bundle| bundle.as_ref().map(|bundle| bundle.node)).collect()
}

fn keeps_its_promises(head: &Scheduler) -> Result<(), TestCaseError> {
    let mut reserved: BTreeMap<usize, u64> = BTreeMap::new();
    for group in head.groups.values() {
        let placed: Vec<usize> = group.bundles.iter().flatten().map(|bundle| bundle.node).collect();
        let is_whole = placed.is_empty() || placed.len() == group.bundles.len();
        prop_assert!(is_whole || group.state == GroupState::Rescheduling, "{:?}", group);
        let nodes: BTreeSet<usize> = placed.iter().copied().collect();
        match group.spec.strategy {
            GroupStrategy::StrictSpread => prop_assert_eq!(nodes.len(), placed.len(), "a node is doubled"),
            GroupStrategy::StrictPack => prop_assert!(nodes.len() <= 1, "it is split"),
            GroupStrategy::Pack | GroupStrategy::Spread => {}
        }
        prop_assert!(group.state != GroupState::Removed || placed.is_empty(), "removed and still placed");
        for (spec, bundle) in group.spec.bundles.iter().zip(&group.bundles) {
            let Some(bundle) = bundle else { continue };
            prop_assert!(!head.nodes[bundle.node].is_dead(), "a bundle on a dead node");
            prop_assert!(bundle.available.cpu <= spec.resources.cpu, "more is free in a bundle than it has");
            *reserved.entry(bundle.node).or_default() += spec.resources.cpu.0;
        }
    }
    // What leases and actors hold, of nodes and of bundles.
    let mut held: BTreeMap<(usize, Option<(GroupId, u32)>), u64> = BTreeMap::new();
    for lease in head.leases.values() {
        let of = (lease.spot.node, lease.spot.bundle);
        *held.entry(of).or_default() += lease.shape.resources.cpu.0 * u64::from(lease.slots);
    }
    for actor in head.actors.values() {
        if let Some(spot) = actor.spot {
            *held.entry((spot.node, spot.bundle)).or_default() += actor.spec.lifetime.cpu.0;
        }
    }
    for (index, node) in head.nodes.iter().enumerate().filter(|(_, node)| !node.is_dead()) {
        let used = held.get(&(index, None)).copied().unwrap_or(0) + reserved.get(&index).copied().unwrap_or(0);
        prop_assert_eq!(used + node.available.cpu.0, node.total.cpu.0, "node {} does not add up", node.id);
    }
    for group in head.groups.values() {
        for (number, (spec, bundle)) in (0_u32..).zip(group.spec.bundles.iter().zip(&group.bundles)) {
            let Some(bundle) = bundle else { continue };
            let used = held.get(&(bundle.node, Some((group.spec.id, number)))).copied().unwrap_or(0);
            prop_assert_eq!(used + bundle.available.cpu.0, spec.resources.cpu.0, "a bundle does not add up");
        }
    }
    Ok(())
}
