//! `rayw summary`: tasks counted by the session; actors and objects counted here, from their rows.

use std::collections::{BTreeMap, BTreeSet};

use rayw_core::limits;
use rayw_core::view::{ActorRow, Answer, ObjectRow, Query, Resource, Rows, TaskSummaryRow};
use serde_json::{Map, Value, json};

use super::ask::ask;
use super::list::missing;
use crate::args::SummaryArg;
use crate::columns::Record;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::settings::SummarySettings;
use crate::table::{self, Clock, Summary};

pub(super) fn summary(
    settings: &SummarySettings,
    printer: &PrinterHandle,
    clock: &Clock,
) -> Result<ExitStatus, Failure> {
    let all = |resource| {
        let query = Query { resource, filters: Vec::new(), limit: limits::LIST_ROWS_MAX };
        ask(&settings.session, printer, |client| async move { client.list(query).await })
    };
    let (summary, counted, there, silent) = match settings.resource {
        SummaryArg::Tasks => {
            let tasks = ask(&settings.session, printer, |client| async move { client.summary().await })?;
            (of_tasks(&tasks.rows), 0, 0, tasks.unheard)
        }
        SummaryArg::Actors => match all(Resource::Actors)? {
            Answer { rows: Rows::Actors(rows), filtered, unheard, .. } => {
                (of_actors(&rows), rows.len(), filtered, unheard)
            }
            _ => {
                return Err(Failure::system("the session answered with rows of another kind"));
            }
        },
        SummaryArg::Objects => match all(Resource::Objects)? {
            Answer { rows: Rows::Objects(rows), filtered, unheard, .. } => {
                (of_objects(&rows), rows.len(), filtered, unheard)
            }
            _ => {
                return Err(Failure::system("the session answered with rows of another kind"));
            }
        },
    };
    printer.out(table::summary(&summary, settings.format, clock)?);
    if counted < there {
        printer.err(format!("only {counted} of {there} rows are counted: one answer has no more"));
    }
    if silent > 0 {
        printer.err(missing(silent));
    }
    Ok(ExitStatus::Done)
}

fn of_tasks(rows: &[TaskSummaryRow]) -> Summary {
    let total = |kind: &str| -> u64 {
        let rows = rows.iter().filter(|row| row.r#type == kind);
        rows.flat_map(|row| &row.state_counts).map(|(_, count)| count).sum()
    };
    let record = |row: &TaskSummaryRow| {
        let counts: Map<String, Value> =
            row.state_counts.iter().map(|(state, count)| (state.clone(), json!(count))).collect();
        Record(vec![
            ("func_or_class_name", json!(row.func_or_class_name)),
            ("state_counts", counts.into()),
            ("type", json!(row.r#type)),
        ])
    };
    Summary {
        what: "Tasks",
        group: "func_name",
        stats: Record(vec![
            ("total_actor_scheduled", json!(total("ACTOR_CREATION_TASK"))),
            ("total_actor_tasks", json!(total("ACTOR_TASK"))),
            ("total_tasks", json!(total("NORMAL_TASK"))),
        ]),
        summary: rows.iter().map(record).collect(),
    }
}

fn of_actors(rows: &[ActorRow]) -> Summary {
    let mut classes: BTreeMap<&str, Counts<'_>> = BTreeMap::new();
    for row in rows {
        classes.entry(&row.class_name).or_default().add(&row.state);
    }
    let record = |(name, counts): (&str, Counts<'_>)| {
        Record(vec![("class_name", json!(name)), ("state_counts", counts.into_value())])
    };
    Summary {
        what: "Actors",
        group: "class",
        stats: Record(vec![("total_actors", json!(rows.len()))]),
        summary: classes.into_iter().map(record).collect(),
    }
}

/// What is known of the objects that one place made. An object has a row for each reason to keep it,
/// but counts once.
#[derive(Default)]
struct Site<'a> {
    objects: BTreeMap<&'a str, u64>,
    states: Counts<'a>,
    reasons: Counts<'a>,
}

fn of_objects(rows: &[ObjectRow]) -> Summary {
    let mut sites: BTreeMap<&str, Site<'_>> = BTreeMap::new();
    for row in rows {
        let site = sites.entry(place(&row.call_site)).or_default();
        site.reasons.add(&row.reference_type);
        if site.objects.insert(&row.object_id, row.object_size.unwrap_or(0)).is_none() {
            site.states.add(&row.task_status);
        }
    }
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.object_id.as_str()).collect();
    let bytes: u64 = sites.values().flat_map(|site| site.objects.values()).sum();
    let record = |(name, site): (&str, Site<'_>)| {
        Record(vec![
            ("call_site", json!(name)),
            ("total_objects", json!(site.objects.len())),
            ("total_size_mb", megabytes(site.objects.values().sum())),
            ("task_state_counts", site.states.into_value()),
            ("ref_type_counts", site.reasons.into_value()),
        ])
    };
    Summary {
        what: "Objects",
        group: "call_site",
        stats: Record(vec![("total_objects", json!(ids.len())), ("total_size_mb", megabytes(bytes))]),
        summary: sites.into_iter().map(record).collect(),
    }
}

/// A call site without the id of the one task in it, as in `returned by square (6f1c…)`: what is counted
/// is what a function made.
fn place(call_site: &str) -> &str {
    match call_site.rsplit_once(" (") {
        Some((place, id)) if id.ends_with(')') => place,
        _ => call_site,
    }
}

/// Bytes in Ray's unit, which is MiB whatever its name says, with enough digits for small objects.
fn megabytes(bytes: u64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    let megabytes = bytes as f64 / (1024.0 * 1024.0);
    json!((megabytes * 1e6).round() / 1e6)
}

#[derive(Default)]
struct Counts<'a>(BTreeMap<&'a str, u64>);

impl<'a> Counts<'a> {
    fn add(&mut self, name: &'a str) {
        *self.0.entry(name).or_default() += 1;
    }

    fn into_value(self) -> Value {
        let counts: Map<String, Value> =
            self.0.into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect();
        counts.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(summary: &Summary) -> String {
        let clock = Clock { now: jiff::Timestamp::UNIX_EPOCH, zone: jiff::tz::TimeZone::UTC };
        table::summary(summary, crate::args::Format::Table, &clock).unwrap().trim().to_owned()
    }

    #[test]
    fn tasks_are_counted_by_kind() {
        let row = |name: &str, kind: &str, counts: &[(&str, u64)]| TaskSummaryRow {
            func_or_class_name: name.into(),
            r#type: kind.into(),
            state_counts: counts.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect(),
        };
        let rows = [
            row("square", "NORMAL_TASK", &[("FINISHED", 4), ("RUNNING", 1)]),
            row("Counter.new", "ACTOR_CREATION_TASK", &[("FINISHED", 10)]),
            row("Counter.add", "ACTOR_TASK", &[("FINISHED", 20)]),
        ];
        insta::assert_snapshot!(text(&of_tasks(&rows)), @r"
        ======== Tasks Summary: 1970-01-01 00:00:00.000000 ========
        Stats:
        ------------------------------------
        total_actor_scheduled: 10
        total_actor_tasks: 20
        total_tasks: 5


        Table (group by func_name):
        ------------------------------------
           FUNC_OR_CLASS_NAME  STATE_COUNTS  TYPE
        0  square              FINISHED: 4   NORMAL_TASK
                               RUNNING: 1
        1  Counter.new         FINISHED: 10  ACTOR_CREATION_TASK
        2  Counter.add         FINISHED: 20  ACTOR_TASK
        ");
    }

    #[test]
    fn actors_are_counted_by_class() {
        let row = |class: &str, state: &str| ActorRow {
            class_name: class.into(),
            state: state.into(),
            ..ActorRow::default()
        };
        let rows = [row("Counter", "ALIVE"), row("Counter", "DEAD"), row("Progress", "ALIVE"), row("Counter", "ALIVE")];
        insta::assert_snapshot!(text(&of_actors(&rows)), @r"
        ======== Actors Summary: 1970-01-01 00:00:00.000000 ========
        Stats:
        ------------------------------------
        total_actors: 4


        Table (group by class):
        ------------------------------------
           CLASS_NAME  STATE_COUNTS
        0  Counter     ALIVE: 2
                       DEAD: 1
        1  Progress    ALIVE: 1
        ");
    }

    #[test]
    fn an_object_with_two_reasons_counts_once() {
        let row = |id: &str, reason: &str| ObjectRow {
            object_id: id.into(),
            object_size: Some(1 << 20),
            call_site: format!("returned by square ({id})"),
            task_status: "FINISHED".into(),
            reference_type: reason.into(),
            ..ObjectRow::default()
        };
        let rows = [row("a", "LOCAL_REFERENCE"), row("a", "USED_BY_PENDING_TASK"), row("b", "LOCAL_REFERENCE")];
        insta::assert_snapshot!(text(&of_objects(&rows)), @r"
        ======== Objects Summary: 1970-01-01 00:00:00.000000 ========
        Stats:
        ------------------------------------
        total_objects: 2
        total_size_mb: 2.0


        Table (group by call_site):
        ------------------------------------
           CALL_SITE           TOTAL_OBJECTS  TOTAL_SIZE_MB  TASK_STATE_COUNTS  REF_TYPE_COUNTS
        0  returned by square              2              2  FINISHED: 2        LOCAL_REFERENCE: 2
                                                                                USED_BY_PENDING_TASK: 1
        ");
    }
}
