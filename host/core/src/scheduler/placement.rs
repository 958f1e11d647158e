//! Which node: a pure function over dense slices.

use crate::Resources;

/// Above this part of its busiest resource a node counts as loaded, in percent. Below it all nodes
/// are alike, so work packs; Ray's `scheduler_spread_threshold`.
const SPREAD_PERCENT: u64 = 50;

/// What placement needs to know of a node.
#[derive(Debug, Clone, Copy)]
pub struct NodeLoad<'a> {
    /// What it has.
    pub total: &'a Resources,
    /// What of that is free.
    pub available: &'a Resources,
    /// Whether it is the one that asks; it wins a tie.
    pub is_near: bool,
}

/// The node for one `need`: Ray's hybrid policy (`hybrid_scheduling_policy.h`).
///
/// Only nodes whose total holds `footprint` (what must fit to be placed at all)
/// and that have `need` free come into question. The one with the lowest score
/// wins; the score is the use of its busiest resource, or 0 below
/// one half. Ties go to the near node, then to the first.
#[must_use]
pub fn place(need: &Resources, footprint: &Resources, nodes: &[NodeLoad<'_>]) -> Option<usize> {
    nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.total.fits(footprint) > 0 && node.available.fits(need) > 0)
        .min_by_key(|(index, node)| (score(node.total, node.available), !node.is_near, *index))
        .map(|(index, _)| index)
}

/// The use of the busiest resource in percent, 0 below [`SPREAD_PERCENT`].
pub(super) fn score(total: &Resources, available: &Resources) -> u64 {
    let used = |total: u64, available: u64| ((total - available.min(total)) * 100).checked_div(total).unwrap_or(0);
    let mut busiest = used(total.cpu.0, available.cpu.0);
    busiest = busiest.max(used(total.memory / 100, available.memory / 100));
    for (name, amount) in total.custom() {
        busiest = busiest.max(used(amount.0, available.custom_amount(name).0));
    }
    if busiest < SPREAD_PERCENT { 0 } else { busiest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Amount;

    fn cpus(units: u64) -> Resources {
        Resources::cpus(Amount(units * 10_000))
    }

    fn placed(need: u64, nodes: &[(u64, u64)]) -> Option<usize> {
        let bundles: Vec<_> = nodes.iter().map(|(total, free)| (cpus(*total), cpus(*free))).collect();
        let loads: Vec<_> =
            bundles.iter().map(|(total, available)| NodeLoad { total, available, is_near: false }).collect();
        place(&cpus(need), &cpus(need), &loads)
    }

    #[test]
    fn work_packs_until_half_and_spreads_after() {
        assert_eq!(placed(1, &[(4, 4), (4, 4)]), Some(0));
        assert_eq!(placed(1, &[(4, 3), (4, 4)]), Some(0));
        assert_eq!(placed(1, &[(4, 2), (4, 4)]), Some(1));
    }

    #[test]
    fn what_does_not_fit_is_not_placed() {
        assert_eq!(placed(3, &[(4, 2), (2, 2)]), None);
    }
}
