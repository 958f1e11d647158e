//! What holds of placement groups whatever happens: properties, tried with made-up histories.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::cluster_tests::{A, C, join, pair, tell, want};
use super::group_tests::{bundle, create, group, remove, within};
use super::tests::{cpus, shape};
use super::{BundleNode, BundleWish, plan};
use crate::message::ToHead;
use crate::{BundleSpec, GroupSpec, GroupStrategy, Labels, LeaseId};

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
        let wanted: Vec<BundleWish<'_>> =
            bundles.iter().map(|b| BundleWish { resources: &b.resources, selector: &b.selector }).collect();
        let labels = Labels::default();
        let nodes: Vec<BundleNode<'_>> =
            rooms.iter().map(|units| BundleNode { labels: &labels, room: cpus(*units), is_used: false }).collect();
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

    /// Groups are whole or nothing, never take more than there is, and give all of it back.
    #[test]
    fn groups_take_what_there_is_and_give_it_back(
        steps in proptest::collection::vec(
            (0..5_u8, 0..4_usize, proptest::collection::vec(1..4_u64, 1..4)), 1..30),
    ) {
        let mut head = pair();
        join(&mut head, C, 3, "c");
        let mut groups: Vec<GroupSpec> = Vec::new();
        for (number, (what, which, bundles)) in steps.into_iter().enumerate() {
            match what {
                0 | 1 => {
                    let spec = group(number as u64, STRATEGIES[which], &bundles);
                    create(&mut head, &spec);
                    groups.push(spec);
                }
                2 => {
                    if let Some(spec) = groups.get(number % groups.len().max(1)) {
                        want(&mut head, A, within(&spec.clone(), None, bundles[0]), 3);
                    }
                }
                3 => { want(&mut head, A, shape(bundles[0]), 2); }
                _ => {
                    if !groups.is_empty() {
                        let spec = groups.swap_remove(number % groups.len());
                        remove(&mut head, &spec);
                    }
                }
            }
            for group in head.groups.values() {
                let placed = group.bundles.iter().flatten().count();
                prop_assert!(placed == 0 || placed == group.bundles.len(), "all or nothing");
            }
            let status = head.status(0);
            for node in &status.nodes {
                prop_assert!(node.total.fits(&node.used) > 0 || node.used.is_empty());
            }
        }
        for spec in groups {
            remove(&mut head, &spec);
        }
        want(&mut head, A, shape(1), 0);
        let leases: Vec<(LeaseId, u32)> = head.leases.iter().map(|(id, lease)| (*id, lease.slots)).collect();
        head.demands.clear();
        for (lease, slots) in leases {
            tell(&mut head, ToHead::SlotsReturned { lease, slots, parked: 0 });
        }
        for node in head.status(0).nodes {
            prop_assert!(node.used.is_empty() && node.is_idle, "{:?}", node);
        }
    }
}
