//! Rows: what people see of the state, with the columns of Ray's state API
//! (`ray list …`), as far as they apply.

mod cluster;
mod found;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Millis};
pub use cluster::{GroupRow, LeaseRow};

/// A row of `rayw list tasks`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TaskRow {
    /// The task.
    pub task_id: String,
    /// 0 for the first attempt.
    pub attempt_number: u32,
    /// Name for people.
    pub name: String,
    /// Ray's name of the state.
    pub state: String,
    /// The job.
    pub job_id: String,
    /// The actor, for creations and calls.
    pub actor_id: Option<String>,
    /// Ray's name of the kind.
    pub r#type: String,
    /// The function, or `Class.method`.
    pub func_or_class_name: String,
    /// The task that submitted it.
    pub parent_task_id: String,
    /// The node that runs or ran it.
    pub node_id: Option<String>,
    /// The instance that runs or ran it.
    pub worker_id: Option<String>,
    /// The kind of its error, once it failed.
    pub error_type: Option<String>,
    /// Why it waits, while it does (`--detail`).
    pub pending_reason: Option<String>,
    /// What it asks for (`--detail`).
    pub required_resources: String,
    /// When it was submitted (`--detail`).
    pub creation_time_ms: Millis,
    /// When its last attempt started (`--detail`).
    pub start_time_ms: Option<Millis>,
    /// When it ended (`--detail`).
    pub end_time_ms: Option<Millis>,
    /// Its error in words (`--detail`).
    pub error_message: Option<String>,
}

/// A row of `rayw list actors`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ActorRow {
    /// The actor.
    pub actor_id: String,
    /// Its class.
    pub class_name: String,
    /// Ray's name of the state.
    pub state: String,
    /// The job that created it.
    pub job_id: String,
    /// Its name, empty for most.
    pub name: String,
    /// Where it lives.
    pub node_id: Option<String>,
    /// The namespace of its name.
    pub ray_namespace: String,
    /// What it holds (`--detail`).
    pub required_resources: String,
    /// Why it is dead, or why it waits (`--detail`).
    pub death_cause: Option<String>,
    /// Whether it outlives its job (`--detail`).
    pub is_detached: bool,
    /// Times it was restarted (`--detail`).
    pub num_restarts: u32,
    /// Why it waits, while it does (`--detail`).
    pub pending_reason: Option<String>,
}

/// A row of `rayw list objects`: one object and one reason why it is kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ObjectRow {
    /// The object.
    pub object_id: String,
    /// Bytes; absent while it is not made yet.
    pub object_size: Option<u64>,
    /// The state of the task that makes it, or `FINISHED` for one that was put.
    pub task_status: String,
    /// Attempts of that task so far.
    pub attempt_number: u32,
    /// Ray's reason: `LOCAL_REFERENCE`, `USED_BY_PENDING_TASK`, `CAPTURED_IN_OBJECT`, …
    pub reference_type: String,
    /// The task that made it or put it.
    pub call_site: String,
    /// `WORKER` or `DRIVER`: who put it or asked for it.
    pub r#type: String,
    /// The owner's process.
    pub pid: u32,
    /// The owner's address.
    pub ip: String,
}

/// A row of `rayw list nodes`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NodeRow {
    /// The node.
    pub node_id: String,
    /// Its address.
    pub node_ip: String,
    /// Whether the head runs beside it.
    pub is_head_node: bool,
    /// `ALIVE`, `DRAINING` or `DEAD`.
    pub state: String,
    /// Its name.
    pub node_name: String,
    /// What it has.
    pub resources_total: String,
    /// What of that is free.
    pub resources_available: String,
    /// Its labels, in Ray's form.
    pub labels: String,
    /// Why it is draining or dead; empty otherwise.
    pub state_message: String,
    /// When it joined (`--detail`).
    pub start_time_ms: Millis,
    /// When it died (`--detail`).
    pub end_time_ms: Option<Millis>,
}

/// A row of `rayw list jobs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JobRow {
    /// The job.
    pub job_id: String,
    /// Ray's name of the state.
    pub status: String,
    /// What was started.
    pub entrypoint: String,
    /// When it started.
    pub start_time_ms: Millis,
    /// When it ended.
    pub end_time_ms: Option<Millis>,
    /// The name that whoever submitted it knows it by; empty for `rayw run`.
    #[serde(default)]
    pub submission_id: String,
    /// `SUBMISSION`, or `DRIVER` for `rayw run`.
    #[serde(default)]
    pub r#type: String,
    /// Ray's name of what failed.
    #[serde(default)]
    pub error_type: Option<String>,
    /// Name for people; may be empty.
    #[serde(default)]
    pub name: String,
    /// What failed, or why it waits; empty otherwise.
    #[serde(default)]
    pub message: String,
    /// Where its driver runs or ran (`--detail`).
    #[serde(default)]
    pub driver_node_id: Option<String>,
    /// The driver's exit code, when it ended by itself (`--detail`).
    #[serde(default)]
    pub exit_code: Option<u32>,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Tasks.
    Tasks,
    /// Actors.
    Actors,
    /// Objects.
    Objects,
    /// Nodes.
    Nodes,
    /// Jobs.
    Jobs,
    /// Leases.
    Leases,
    /// Placement groups.
    PlacementGroups,
}

/// Rows of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rows {
    /// Tasks.
    Tasks(Vec<TaskRow>),
    /// Actors.
    Actors(Vec<ActorRow>),
    /// Objects.
    Objects(Vec<ObjectRow>),
    /// Nodes.
    Nodes(Vec<NodeRow>),
    /// Jobs.
    Jobs(Vec<JobRow>),
    /// Leases.
    Leases(Vec<LeaseRow>),
    /// Placement groups.
    PlacementGroups(Vec<GroupRow>),
}

/// `key=value` or `key!=value`; keys and values are compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The column.
    pub key: String,
    /// Whether the value must differ.
    pub negated: bool,
    /// The value.
    pub value: String,
}

impl std::str::FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, negated, value) = match (text.split_once("!="), text.split_once('=')) {
            (Some((key, value)), _) => (key, true, value),
            (None, Some((key, value))) => (key, false, value),
            (None, None) => return Err(format!("`{text}` is not a filter: write `key=value` or `key!=value`")),
        };
        Ok(Self { key: key.trim().to_lowercase(), negated, value: value.trim().to_owned() })
    }
}

/// What is asked: which rows, and how many at most. Filters are applied before the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What is listed.
    pub resource: Resource,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Rows at most.
    pub limit: usize,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The rows.
    pub rows: Rows,
    /// How many there were before filters and limit.
    pub total: usize,
    /// How many passed the filters.
    pub filtered: usize,
    /// Nodes that were asked and did not answer in time: their rows are missing.
    pub unheard: usize,
}

/// Tasks counted by function and state.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskSummary {
    /// The counts.
    pub rows: Vec<TaskSummaryRow>,
    /// Nodes that were asked and did not answer in time: their tasks are not counted.
    pub unheard: usize,
}

/// The words for nodes that did not answer in time.
#[must_use]
pub fn unheard(nodes: usize) -> String {
    let (asked, time) = (if nodes == 1 { "node" } else { "nodes" }, crate::limits::STATE_OF_NODE_TIMEOUT);
    format!("{nodes} {asked} did not answer within {time:?}")
}

impl Answer {
    /// The rows that pass the query's filters, as many as it wants.
    ///
    /// # Errors
    /// `InvalidArgument` when a filter names a column that there is not.
    pub fn of(rows: Rows, query: &Query) -> Result<Self, Error> {
        let (rows, total, filtered) = match rows {
            Rows::Tasks(rows) => narrow(rows, query, Rows::Tasks)?,
            Rows::Actors(rows) => narrow(rows, query, Rows::Actors)?,
            Rows::Objects(rows) => narrow(rows, query, Rows::Objects)?,
            Rows::Nodes(rows) => narrow(rows, query, Rows::Nodes)?,
            Rows::Jobs(rows) => narrow(rows, query, Rows::Jobs)?,
            Rows::Leases(rows) => narrow(rows, query, Rows::Leases)?,
            Rows::PlacementGroups(rows) => narrow(rows, query, Rows::PlacementGroups)?,
        };
        Ok(Self { rows, total, filtered, unheard: 0 })
    }
}

fn narrow<T: Serialize + Default>(
    rows: Vec<T>,
    query: &Query,
    wrap: fn(Vec<T>) -> Rows,
) -> Result<(Rows, usize, usize), Error> {
    let columns = fields(&T::default());
    for filter in &query.filters {
        if !columns.contains_key(&filter.key) {
            let known: Vec<&str> = columns.keys().map(String::as_str).collect();
            let message = format!("no column `{}` to filter by; there is {}", filter.key, known.join(", "));
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
    }
    let total = rows.len();
    let passes = |row: &T| {
        query.filters.is_empty() || {
            let fields = fields(row);
            query.filters.iter().all(|filter| {
                let is_equal = fields.get(&filter.key).is_some_and(|value| says(value, &filter.value));
                is_equal != filter.negated
            })
        }
    };
    let mut filtered = 0;
    let mut kept = Vec::new();
    for row in rows.into_iter().filter(passes) {
        filtered += 1;
        if kept.len() < query.limit.min(crate::limits::LIST_ROWS_MAX) {
            kept.push(row);
        }
    }
    Ok((wrap(kept), total, filtered))
}

fn fields<T: Serialize>(row: &T) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(row) {
        Ok(serde_json::Value::Object(fields)) => fields,
        Ok(_) | Err(_) => serde_json::Map::new(),
    }
}

fn says(value: &serde_json::Value, text: &str) -> bool {
    match value {
        serde_json::Value::Null => text.is_empty() || text.eq_ignore_ascii_case("null"),
        serde_json::Value::String(value) => value.eq_ignore_ascii_case(text),
        other => other.to_string().eq_ignore_ascii_case(text),
    }
}

/// Counts of tasks by function and state, of `rayw summary tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskSummaryRow {
    /// The function, or `Class.method`.
    pub func_or_class_name: String,
    /// Ray's name of the kind.
    pub r#type: String,
    /// How many are in which state, sorted by state.
    pub state_counts: Vec<(String, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(filter: &str) -> Result<Answer, Error> {
        let row = |name: &str, state: &str| TaskRow { name: name.into(), state: state.into(), ..TaskRow::default() };
        let rows = Rows::Tasks(vec![row("a", "RUNNING"), row("b", "FINISHED"), row("a", "FINISHED")]);
        let query = Query { resource: Resource::Tasks, filters: vec![filter.parse().unwrap()], limit: 1 };
        Answer::of(rows, &query)
    }

    #[test]
    fn filters_compare_without_case_and_come_before_the_limit() {
        let answer = answer("State=finished").unwrap();
        assert_eq!((answer.total, answer.filtered), (3, 2));
        assert!(matches!(answer.rows, Rows::Tasks(rows) if rows.len() == 1 && rows[0].name == "b"));
    }

    #[test]
    fn a_filter_can_be_turned_around() {
        assert_eq!(answer("name!=a").unwrap().filtered, 1);
    }

    #[test]
    fn an_unknown_column_is_answered_with_the_known_ones() {
        let error = answer("stat=x").unwrap_err();
        assert!(error.message.contains("no column `stat`") && error.message.contains("state"), "{error}");
    }
}
