//! Which columns people see, in which order: Ray's base columns, and the others with `--detail`.

use rayw_core::view::{Resource, Rows};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The columns of one resource.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// Always shown.
    pub base: &'static [&'static str],
    /// Shown with `--detail`.
    pub detail: &'static [&'static str],
}

impl Columns {
    /// The names to show, in order.
    #[must_use]
    pub fn names(self, detail: bool) -> Vec<&'static str> {
        let more = if detail { self.detail } else { &[] };
        self.base.iter().chain(more).copied().collect()
    }
}

/// The columns of `resource`.
#[must_use]
pub fn of(resource: Resource) -> Columns {
    match resource {
        Resource::Tasks => Columns {
            base: &[
                "task_id",
                "attempt_number",
                "name",
                "state",
                "job_id",
                "actor_id",
                "type",
                "func_or_class_name",
                "parent_task_id",
                "node_id",
                "worker_id",
                "error_type",
            ],
            detail: &[
                "pending_reason",
                "required_resources",
                "creation_time_ms",
                "start_time_ms",
                "end_time_ms",
                "error_message",
            ],
        },
        Resource::Actors => Columns {
            base: &["actor_id", "class_name", "state", "job_id", "name", "node_id", "ray_namespace"],
            detail: &["required_resources", "death_cause", "is_detached", "num_restarts", "pending_reason"],
        },
        Resource::Objects => Columns {
            base: &[
                "object_id",
                "object_size",
                "task_status",
                "attempt_number",
                "reference_type",
                "call_site",
                "type",
                "pid",
                "ip",
            ],
            detail: &[],
        },
        Resource::Nodes => Columns {
            base: &[
                "node_id",
                "node_ip",
                "is_head_node",
                "state",
                "node_name",
                "state_message",
                "resources_total",
                "resources_available",
                "labels",
            ],
            detail: &["start_time_ms", "end_time_ms"],
        },
        Resource::Jobs => Columns {
            base: &[
                "job_id",
                "submission_id",
                "type",
                "status",
                "entrypoint",
                "message",
                "error_type",
                "start_time_ms",
                "end_time_ms",
            ],
            detail: &["name", "driver_node_id", "exit_code"],
        },
        Resource::Leases => Columns {
            base: &["lease_id", "job_id", "node_id", "owner_node_id", "required_resources", "slots", "parked"],
            detail: &["reclaiming", "placement_group_id", "bundle_index", "grant_time_ms"],
        },
        Resource::PlacementGroups => Columns {
            base: &["placement_group_id", "name", "creator_job_id", "state"],
            detail: &["strategy", "bundles", "is_detached", "ray_namespace", "pending_reason"],
        },
    }
}

/// The resource that these rows are about.
#[must_use]
pub fn resource_of(rows: &Rows) -> Resource {
    match rows {
        Rows::Tasks(_) => Resource::Tasks,
        Rows::Actors(_) => Resource::Actors,
        Rows::Objects(_) => Resource::Objects,
        Rows::Nodes(_) => Resource::Nodes,
        Rows::Jobs(_) => Resource::Jobs,
        Rows::Leases(_) => Resource::Leases,
        Rows::PlacementGroups(_) => Resource::PlacementGroups,
    }
}

/// One row: names and values, in the order of the columns. Serializes as a map in that order.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(pub Vec<(&'static str, Value)>);

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The rows with their columns picked and put in order.
#[must_use]
pub fn records(rows: &Rows, detail: bool) -> Vec<Record> {
    let names = of(resource_of(rows)).names(detail);
    match rows {
        Rows::Tasks(rows) => pick(rows, &names),
        Rows::Actors(rows) => pick(rows, &names),
        Rows::Objects(rows) => pick(rows, &names),
        Rows::Nodes(rows) => pick(rows, &names),
        Rows::Jobs(rows) => pick(rows, &names),
        Rows::Leases(rows) => pick(rows, &names),
        Rows::PlacementGroups(rows) => pick(rows, &names),
    }
}

fn pick<R: Serialize>(rows: &[R], names: &[&'static str]) -> Vec<Record> {
    rows.iter()
        .map(|row| {
            let mut fields = fields(row);
            Record(names.iter().map(|name| (*name, fields.remove(*name).unwrap_or_default())).collect())
        })
        .collect()
}

fn fields<R: Serialize>(row: &R) -> Map<String, Value> {
    match serde_json::to_value(row) {
        Ok(Value::Object(fields)) => fields,
        // Rows are plain structs of text and numbers.
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayw_core::view::{ActorRow, GroupRow, JobRow, LeaseRow, NodeRow, ObjectRow, TaskRow};

    #[test]
    fn every_field_of_a_row_is_a_column_and_the_other_way_round() {
        let check = |resource: Resource, fields: Map<String, Value>| {
            let mut names = of(resource).names(true);
            names.sort_unstable();
            let fields: Vec<&str> = fields.keys().map(String::as_str).collect();
            assert_eq!(names, fields, "{resource:?}");
        };
        check(Resource::Tasks, fields(&TaskRow::default()));
        check(Resource::Actors, fields(&ActorRow::default()));
        check(Resource::Objects, fields(&ObjectRow::default()));
        check(Resource::Nodes, fields(&NodeRow::default()));
        check(Resource::Jobs, fields(&JobRow::default()));
        check(Resource::Leases, fields(&LeaseRow::default()));
        check(Resource::PlacementGroups, fields(&GroupRow::default()));
    }

    #[test]
    fn numbers_stay_numbers_and_the_order_is_that_of_the_columns() {
        let rows = Rows::Jobs(vec![JobRow { job_id: "01".into(), start_time_ms: 5, ..JobRow::default() }]);
        let json = serde_json::to_string(&records(&rows, false)).unwrap();
        assert_eq!(
            json,
            r#"[{"job_id":"01","submission_id":"","type":"","status":"","entrypoint":"","message":"","error_type":null,"start_time_ms":5,"end_time_ms":null}]"#
        );
    }
}
