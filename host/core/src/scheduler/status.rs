//! The cluster as `rayw status` shows it.

use std::collections::BTreeMap;

use super::{DemandKind, Job, Node, NodeLife, Scheduler};
use crate::control::{ClusterStatus, DemandStatus, NodeStatus};
use crate::{BundleSpec, GroupState, Millis, Resources};

impl Scheduler {
    /// Nodes and what they use, what waits and why, jobs that are not over.
    #[must_use]
    pub fn status(&self, now: Millis) -> ClusterStatus {
        let (reserved, reserved_used) = self.reserved();
        let mut jobs: Vec<_> = self.jobs.values().filter(|job| job.ended.is_none()).map(Job::row).collect();
        jobs.sort_by(|left, right| left.job_id.cmp(&right.job_id));
        ClusterStatus {
            time_ms: now,
            nodes: self.nodes.iter().enumerate().map(|(index, node)| self.node_status(index, node)).collect(),
            demands: self.demand_statuses(),
            reserved,
            reserved_used,
            jobs,
        }
    }

    fn node_status(&self, index: usize, node: &Node) -> NodeStatus {
        NodeStatus {
            node_id: node.id.to_string(),
            name: node.at.name.clone(),
            address: node.at.address.clone(),
            state: node.state().to_owned(),
            why: node.why(),
            died_ms: node.died,
            is_idle: !node.is_dead() && !self.is_in_use(index) && node.available == node.total,
            has_left: matches!(node.life, NodeLife::Dead { has_left: true, .. }),
            used: if node.is_dead() { Resources::default() } else { difference(&node.total, &node.available) },
            total: node.total.clone(),
            store_bytes: node.store_bytes,
            store_bytes_max: node.store_bytes_max,
        }
    }

    /// What groups reserve, and what of it is in use.
    fn reserved(&self) -> (Resources, Resources) {
        let (mut reserved, mut free) = (Resources::default(), Resources::default());
        for group in self.groups.values().filter(|group| group.state != GroupState::Removed) {
            for (wanted, bundle) in group.spec.bundles.iter().zip(&group.bundles) {
                if let Some(bundle) = bundle {
                    reserved.give(&wanted.resources, 1);
                    free.give(&bundle.available, 1);
                }
            }
        }
        let used = difference(&reserved, &free);
        (reserved, used)
    }

    fn demand_statuses(&self) -> Vec<DemandStatus> {
        let mut alike: BTreeMap<(&'static str, String, String, String), u64> = BTreeMap::new();
        let waiting = self.demands.lanes();
        for (demand, job, why) in
            waiting.flat_map(|(_, lane)| lane.demands.values().map(|demand| (demand, lane.job, &lane.why)))
        {
            let (kind, wanted, count) = match &demand.kind {
                DemandKind::Slots { shape, backlog, .. } => ("tasks", shape.resources.to_string(), u64::from(*backlog)),
                DemandKind::Actor(id) => {
                    let spec = self.actors.get(id).map(|actor| &actor.spec.placement);
                    ("actors", spec.cloned().unwrap_or_default().to_string(), 1)
                }
                DemandKind::Driver(id) => {
                    let spec = self.jobs.get(id).map(|job| job.spec.resources.to_string());
                    ("drivers", spec.unwrap_or_default(), 1)
                }
                DemandKind::Group(id) => {
                    let spec = self.groups.get(id).map(|group| &group.spec);
                    let wanted = spec.map(|spec| in_groups_of_alike(&spec.bundles, spec.strategy.name()));
                    ("placement groups", wanted.unwrap_or_default(), 1)
                }
            };
            *alike.entry((kind, wanted, why.clone(), job.to_string())).or_default() += count;
        }
        let rows = alike.into_iter().filter(|(_, count)| *count > 0);
        rows.map(|((kind, wanted, why, job_id), count)| DemandStatus {
            wanted,
            kind: kind.to_owned(),
            count,
            why,
            job_id,
        })
        .collect()
    }
}

/// Ray's form, such as `{'CPU': 1} * 4 (SPREAD)`.
fn in_groups_of_alike(bundles: &[BundleSpec], strategy: &str) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for bundle in bundles {
        *counts.entry(bundle.resources.to_string()).or_default() += 1;
    }
    let words: Vec<String> = counts.into_iter().map(|(bundle, count)| format!("{bundle} * {count}")).collect();
    format!("{} ({strategy})", words.join(", "))
}

fn difference(whole: &Resources, part: &Resources) -> Resources {
    let mut left = whole.clone();
    if left.fits(part) > 0 {
        left.take(part, 1);
    }
    left
}
