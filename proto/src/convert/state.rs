//! Rows, queries and answers.

use rayw_core::control::{ClusterStatus, DemandStatus, NodeStatus};
use rayw_core::view::{
    ActorRow, Answer, Filter, GroupRow, JobRow, LeaseRow, NodeRow, ObjectRow, Query, Resource, Rows, TaskRow,
    TaskSummary, TaskSummaryRow,
};

use super::ConvertError;
use crate::wire;

/// Both directions for a struct whose fields have the same names and types on both sides.
macro_rules! same_fields {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl From<$name> for wire::$name {
            fn from(core: $name) -> Self {
                let $name { $($field),* } = core;
                Self { $($field),* }
            }
        }

        impl From<wire::$name> for $name {
            fn from(wire: wire::$name) -> Self {
                let wire::$name { $($field),* } = wire;
                Self { $($field),* }
            }
        }
    };
}

same_fields!(Filter { key, negated, value });
same_fields!(TaskRow {
    task_id,
    attempt_number,
    name,
    state,
    job_id,
    actor_id,
    r#type,
    func_or_class_name,
    parent_task_id,
    node_id,
    worker_id,
    error_type,
    pending_reason,
    required_resources,
    creation_time_ms,
    start_time_ms,
    end_time_ms,
    error_message,
});
same_fields!(ActorRow {
    actor_id,
    class_name,
    state,
    job_id,
    name,
    node_id,
    ray_namespace,
    required_resources,
    death_cause,
    is_detached,
    num_restarts,
    pending_reason,
});
same_fields!(ObjectRow {
    object_id,
    object_size,
    task_status,
    attempt_number,
    reference_type,
    call_site,
    r#type,
    pid,
    ip,
});
same_fields!(NodeRow {
    node_id,
    node_ip,
    is_head_node,
    state,
    node_name,
    resources_total,
    resources_available,
    labels,
    state_message,
    start_time_ms,
    end_time_ms,
});
same_fields!(JobRow {
    job_id,
    status,
    entrypoint,
    start_time_ms,
    end_time_ms,
    submission_id,
    name,
    message,
    driver_node_id,
    exit_code,
    r#type,
    error_type,
});
same_fields!(LeaseRow {
    lease_id,
    job_id,
    node_id,
    owner_node_id,
    required_resources,
    slots,
    parked,
    reclaiming,
    placement_group_id,
    bundle_index,
    grant_time_ms,
});
same_fields!(GroupRow {
    placement_group_id,
    name,
    creator_job_id,
    state,
    strategy,
    bundles,
    is_detached,
    ray_namespace,
    pending_reason,
});
same_fields!(DemandStatus { wanted, kind, count, why, job_id });

impl From<Resource> for wire::Resource {
    fn from(resource: Resource) -> Self {
        match resource {
            Resource::Tasks => Self::Tasks,
            Resource::Actors => Self::Actors,
            Resource::Objects => Self::Objects,
            Resource::Nodes => Self::Nodes,
            Resource::Jobs => Self::Jobs,
            Resource::Leases => Self::Leases,
            Resource::PlacementGroups => Self::PlacementGroups,
        }
    }
}

/// The resource that `number`, found in `field`, stands for.
pub(crate) fn resource(number: i32, field: &'static str) -> Result<Resource, ConvertError> {
    match wire::Resource::try_from(number) {
        Ok(wire::Resource::Tasks) => Ok(Resource::Tasks),
        Ok(wire::Resource::Actors) => Ok(Resource::Actors),
        Ok(wire::Resource::Objects) => Ok(Resource::Objects),
        Ok(wire::Resource::Nodes) => Ok(Resource::Nodes),
        Ok(wire::Resource::Jobs) => Ok(Resource::Jobs),
        Ok(wire::Resource::Leases) => Ok(Resource::Leases),
        Ok(wire::Resource::PlacementGroups) => Ok(Resource::PlacementGroups),
        Ok(wire::Resource::Unspecified) => Err(ConvertError::Missing(field)),
        Err(_) => Err(ConvertError::Unknown { field, value: number.into() }),
    }
}

impl From<Query> for wire::Query {
    fn from(query: Query) -> Self {
        let Query { resource, filters, limit } = query;
        Self {
            resource: wire::Resource::from(resource).into(),
            filters: filters.into_iter().map(Into::into).collect(),
            limit: count_to_wire(limit),
        }
    }
}

impl TryFrom<wire::Query> for Query {
    type Error = ConvertError;

    fn try_from(query: wire::Query) -> Result<Self, ConvertError> {
        let wire::Query { resource: number, filters, limit } = query;
        Ok(Self {
            resource: resource(number, "Query.resource")?,
            filters: filters.into_iter().map(Into::into).collect(),
            limit: count_from_wire(limit),
        })
    }
}

impl From<Rows> for wire::Rows {
    fn from(rows: Rows) -> Self {
        use wire::rows::Kind;
        let kind = match rows {
            Rows::Tasks(rows) => Kind::Tasks(wire::TaskRows { rows: all(rows) }),
            Rows::Actors(rows) => Kind::Actors(wire::ActorRows { rows: all(rows) }),
            Rows::Objects(rows) => Kind::Objects(wire::ObjectRows { rows: all(rows) }),
            Rows::Nodes(rows) => Kind::Nodes(wire::NodeRows { rows: all(rows) }),
            Rows::Jobs(rows) => Kind::Jobs(wire::JobRows { rows: all(rows) }),
            Rows::Leases(rows) => Kind::Leases(wire::LeaseRows { rows: all(rows) }),
            Rows::PlacementGroups(rows) => Kind::PlacementGroups(wire::GroupRows { rows: all(rows) }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<wire::Rows> for Rows {
    type Error = ConvertError;

    fn try_from(rows: wire::Rows) -> Result<Self, ConvertError> {
        use wire::rows::Kind;
        Ok(match rows.kind.ok_or(ConvertError::Missing("Rows.kind"))? {
            Kind::Tasks(wire::TaskRows { rows }) => Self::Tasks(all(rows)),
            Kind::Actors(wire::ActorRows { rows }) => Self::Actors(all(rows)),
            Kind::Objects(wire::ObjectRows { rows }) => Self::Objects(all(rows)),
            Kind::Nodes(wire::NodeRows { rows }) => Self::Nodes(all(rows)),
            Kind::Jobs(wire::JobRows { rows }) => Self::Jobs(all(rows)),
            Kind::Leases(wire::LeaseRows { rows }) => Self::Leases(all(rows)),
            Kind::PlacementGroups(wire::GroupRows { rows }) => Self::PlacementGroups(all(rows)),
        })
    }
}

impl From<Answer> for wire::Answer {
    fn from(answer: Answer) -> Self {
        let Answer { rows, total, filtered, unheard } = answer;
        let [total, filtered, unheard] = [total, filtered, unheard].map(count_to_wire);
        Self { rows: Some(rows.into()), total, filtered, unheard }
    }
}

impl TryFrom<wire::Answer> for Answer {
    type Error = ConvertError;

    fn try_from(answer: wire::Answer) -> Result<Self, ConvertError> {
        let wire::Answer { rows, total, filtered, unheard } = answer;
        Ok(Self {
            rows: rows.ok_or(ConvertError::Missing("Answer.rows"))?.try_into()?,
            total: count_from_wire(total),
            filtered: count_from_wire(filtered),
            unheard: count_from_wire(unheard),
        })
    }
}

impl From<TaskSummary> for wire::TaskSummary {
    fn from(summary: TaskSummary) -> Self {
        let TaskSummary { rows, unheard } = summary;
        Self { rows: rows.into_iter().map(Into::into).collect(), unheard: count_to_wire(unheard) }
    }
}

impl From<wire::TaskSummary> for TaskSummary {
    fn from(summary: wire::TaskSummary) -> Self {
        let wire::TaskSummary { rows, unheard } = summary;
        Self { rows: rows.into_iter().map(Into::into).collect(), unheard: count_from_wire(unheard) }
    }
}

impl From<TaskSummaryRow> for wire::TaskSummaryRow {
    fn from(row: TaskSummaryRow) -> Self {
        let TaskSummaryRow { func_or_class_name, r#type, state_counts } = row;
        let state_counts = state_counts.into_iter().map(|(state, count)| wire::StateCount { state, count }).collect();
        Self { func_or_class_name, r#type, state_counts }
    }
}

impl From<wire::TaskSummaryRow> for TaskSummaryRow {
    fn from(row: wire::TaskSummaryRow) -> Self {
        let wire::TaskSummaryRow { func_or_class_name, r#type, state_counts } = row;
        let state_counts = state_counts.into_iter().map(|wire::StateCount { state, count }| (state, count)).collect();
        Self { func_or_class_name, r#type, state_counts }
    }
}

impl From<NodeStatus> for wire::NodeStatus {
    fn from(core: NodeStatus) -> Self {
        let NodeStatus {
            node_id,
            name,
            address,
            state,
            why,
            died_ms,
            is_idle,
            has_left,
            total,
            used,
            store_bytes,
            store_bytes_max,
        } = core;
        let (total, used) = (Some(total.into()), Some(used.into()));
        Self {
            node_id,
            name,
            address,
            state,
            why,
            died_ms,
            is_idle,
            has_left,
            total,
            used,
            store_bytes,
            store_bytes_max,
        }
    }
}

impl From<wire::NodeStatus> for NodeStatus {
    fn from(wire: wire::NodeStatus) -> Self {
        let wire::NodeStatus {
            node_id,
            name,
            address,
            state,
            why,
            died_ms,
            is_idle,
            has_left,
            total,
            used,
            store_bytes,
            store_bytes_max,
        } = wire;
        let (total, used) = (total.unwrap_or_default().into(), used.unwrap_or_default().into());
        Self {
            node_id,
            name,
            address,
            state,
            why,
            died_ms,
            is_idle,
            has_left,
            total,
            used,
            store_bytes,
            store_bytes_max,
        }
    }
}

impl From<ClusterStatus> for wire::ClusterStatus {
    fn from(core: ClusterStatus) -> Self {
        let ClusterStatus { time_ms, nodes, demands, reserved, reserved_used, jobs } = core;
        let (reserved, reserved_used) = (Some(reserved.into()), Some(reserved_used.into()));
        Self { time_ms, nodes: all(nodes), demands: all(demands), reserved, reserved_used, jobs: all(jobs) }
    }
}

impl From<wire::ClusterStatus> for ClusterStatus {
    fn from(wire: wire::ClusterStatus) -> Self {
        let wire::ClusterStatus { time_ms, nodes, demands, reserved, reserved_used, jobs } = wire;
        let (reserved, reserved_used) = (reserved.unwrap_or_default(), reserved_used.unwrap_or_default());
        let (reserved, reserved_used) = (reserved.into(), reserved_used.into());
        Self { time_ms, nodes: all(nodes), demands: all(demands), reserved, reserved_used, jobs: all(jobs) }
    }
}

/// Converts row by row.
fn all<A, B: From<A>>(rows: Vec<A>) -> Vec<B> {
    rows.into_iter().map(B::from).collect()
}

/// Counts are `usize` in core; on every machine that runs rayw they fit.
fn count_to_wire(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The inverse; what does not fit is more than there can be.
fn count_from_wire(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
