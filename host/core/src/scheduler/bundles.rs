//! Where the bundles of a group go: a pure function over dense slices, all or nothing.

use crate::{GroupStrategy, Resources};

/// A node that could take bundles.
#[derive(Debug, Clone)]
pub struct BundleNode {
    /// What it has for them.
    pub room: Resources,
    /// Whether it has a bundle of the group already.
    pub is_used: bool,
}

/// The node of each bundle, as indices into `nodes`, or `None` when not all of them fit.
#[must_use]
pub fn plan(strategy: GroupStrategy, bundles: &[&Resources], nodes: &[BundleNode]) -> Option<Vec<usize>> {
    let order = largest_first(bundles);
    let mut plan = vec![0; bundles.len()];
    match strategy {
        GroupStrategy::Pack => pack(&order, bundles, nodes, false, &mut plan)?,
        GroupStrategy::StrictPack => pack(&order, bundles, nodes, true, &mut plan)?,
        GroupStrategy::Spread => spread(&order, bundles, nodes, &mut plan)?,
        GroupStrategy::StrictSpread => match_nodes(&order, bundles, nodes, &mut plan)?,
    }
    Some(plan)
}

/// The largest first, as in Ray's `bundle_scheduling_policy.cc`: small ones fill the gaps.
pub(super) fn largest_first(bundles: &[&Resources]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bundles.len()).collect();
    let size = |bundle: &Resources| {
        let custom = bundle.custom().fold(0_u64, |sum, (_, amount)| sum.saturating_add(amount.0));
        std::cmp::Reverse((custom, bundle.memory, bundle.cpu))
    };
    order.sort_by_key(|index| size(bundles[*index]));
    order
}

/// The node that can take most of what is left takes it, and so on.
fn pack(order: &[usize], bundles: &[&Resources], nodes: &[BundleNode], on_one: bool, plan: &mut [usize]) -> Option<()> {
    let mut left = order.to_vec();
    let mut is_open = vec![true; nodes.len()];
    while !left.is_empty() {
        let open = (0..nodes.len()).filter(|node| is_open[*node]);
        let taken = open.map(|node| (node, fill(&left, bundles, &nodes[node].room)));
        // The first of those that take most; one in use already wins a tie.
        let (node, taken) =
            taken.max_by_key(|(node, taken)| (taken.len(), nodes[*node].is_used, std::cmp::Reverse(*node)))?;
        if taken.is_empty() || (on_one && taken.len() < left.len()) {
            return None;
        }
        is_open[node] = false;
        taken.iter().for_each(|bundle| plan[*bundle] = node);
        left.retain(|bundle| !taken.contains(bundle));
    }
    Some(())
}

/// Those of the bundles that fit into the room together, taken in order.
pub(super) fn fill(order: &[usize], bundles: &[&Resources], room: &Resources) -> Vec<usize> {
    let mut room = room.clone();
    let mut taken = Vec::new();
    for bundle in order {
        if room.fits(bundles[*bundle]) > 0 {
            room.take(bundles[*bundle], 1);
            taken.push(*bundle);
        }
    }
    taken
}

/// Each on the roomiest node that has none yet; where there is no such node, on one that has.
fn spread(order: &[usize], bundles: &[&Resources], nodes: &[BundleNode], plan: &mut [usize]) -> Option<()> {
    let mut rooms: Vec<Resources> = nodes.iter().map(|node| node.room.clone()).collect();
    let mut counts: Vec<usize> = nodes.iter().map(|node| usize::from(node.is_used)).collect();
    for bundle in order {
        let fitting = (0..nodes.len()).filter(|node| rooms[*node].fits(bundles[*bundle]) > 0);
        let roomiest = |node: &usize| std::cmp::Reverse((rooms[*node].cpu, rooms[*node].memory));
        let node = fitting.min_by_key(|node| (counts[*node], roomiest(node)))?;
        rooms[node].take(bundles[*bundle], 1);
        counts[node] += 1;
        plan[*bundle] = node;
    }
    Some(())
}

/// Each on a node of its own: a matching by augmenting paths (Kuhn 1955), so that it is found when there is one.
fn match_nodes(order: &[usize], bundles: &[&Resources], nodes: &[BundleNode], plan: &mut [usize]) -> Option<()> {
    let mut holder: Vec<Option<usize>> = vec![None; nodes.len()];
    for bundle in order {
        let mut seen = vec![false; nodes.len()];
        if !augment(*bundle, bundles, nodes, &mut holder, &mut seen) {
            return None;
        }
    }
    for (node, bundle) in holder.iter().enumerate() {
        if let Some(bundle) = bundle {
            plan[*bundle] = node;
        }
    }
    Some(())
}

/// Finds a node for a bundle, moving others if need be. As deep as there are nodes at most.
fn augment(
    bundle: usize,
    bundles: &[&Resources],
    nodes: &[BundleNode],
    holder: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for node in 0..nodes.len() {
        if seen[node] || nodes[node].is_used || nodes[node].room.fits(bundles[bundle]) == 0 {
            continue;
        }
        seen[node] = true;
        let is_free = match holder[node] {
            Some(other) => augment(other, bundles, nodes, holder, seen),
            None => true,
        };
        if is_free {
            holder[node] = Some(bundle);
            return true;
        }
    }
    false
}
