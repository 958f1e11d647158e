//! Rows about what a cluster has given away: leases and placement groups.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A row of `rayw list leases`: slots of one shape that one owner may use on one node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeaseRow {
    /// The lease.
    pub lease_id: String,
    /// The job whose tasks it serves.
    pub job_id: String,
    /// Where its slots are.
    pub node_id: String,
    /// Who uses them.
    pub owner_node_id: String,
    /// What one slot takes.
    pub required_resources: String,
    /// How many tasks it may run at once.
    pub slots: u32,
    /// Blocked tasks that kept all but their cpus.
    pub parked: u32,
    /// Slots that were asked back and are not returned yet (`--detail`).
    pub reclaiming: u32,
    /// The placement group that the slots are taken from (`--detail`).
    pub placement_group_id: Option<String>,
    /// The bundle of that group (`--detail`).
    pub bundle_index: Option<u32>,
    /// When slots were granted last (`--detail`).
    pub grant_time_ms: Millis,
}

/// A row of `rayw list placement-groups`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupRow {
    /// The group.
    pub placement_group_id: String,
    /// Its name, empty for most.
    pub name: String,
    /// The job that created it.
    pub creator_job_id: String,
    /// Ray's name of the state.
    pub state: String,
    /// Ray's name of how its bundles lie (`--detail`).
    pub strategy: String,
    /// What each bundle reserves, and where (`--detail`).
    pub bundles: Vec<String>,
    /// Whether it outlives its job (`--detail`).
    pub is_detached: bool,
    /// The namespace of its name (`--detail`).
    pub ray_namespace: String,
    /// Why it is not created, or why it was removed (`--detail`).
    pub pending_reason: Option<String>,
}
