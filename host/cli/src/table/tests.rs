//! The screens of `rayw list`, `rayw get` and `rayw summary`.

use rayw_core::view::{ActorRow, JobRow, NodeRow, ObjectRow, Rows, TaskRow};
use serde_json::json;

use super::*;
use crate::columns::records;

fn clock() -> Clock {
    Clock { now: "2026-11-22T18:05:01.25Z".parse().unwrap(), zone: TimeZone::UTC }
}

fn task(id: &str, state: &str) -> TaskRow {
    TaskRow {
        task_id: id.into(),
        name: "square".into(),
        state: state.into(),
        job_id: "00000001".into(),
        r#type: "NORMAL_TASK".into(),
        func_or_class_name: "square".into(),
        parent_task_id: "d41d".into(),
        required_resources: "{'CPU': 1}".into(),
        creation_time_ms: 1_795_370_701_250,
        ..TaskRow::default()
    }
}

fn tasks() -> Rows {
    let running = TaskRow {
        node_id: Some("01d4".into()),
        worker_id: Some("77aa".into()),
        start_time_ms: Some(1_795_370_702_000),
        ..task("6f1c", "RUNNING")
    };
    let failed = TaskRow {
        attempt_number: 13,
        name: "\u{1b}[31mred\n".into(),
        error_type: Some("TASK_PANICKED".into()),
        error_message: Some("task `square` panicked: first line\nsecond line".into()),
        end_time_ms: Some(1_795_370_703_000),
        ..task("a0b1c2", "FAILED")
    };
    Rows::Tasks(vec![running, failed])
}

#[test]
fn a_list_of_tasks() {
    insta::assert_snapshot!(list(&records(&tasks(), false), Format::Table, &clock()).unwrap());
}

#[test]
fn a_detailed_list_of_tasks() {
    insta::assert_snapshot!(list(&records(&tasks(), true), Format::Yaml, &clock()).unwrap());
}

#[test]
fn a_list_as_json() {
    insta::assert_snapshot!(list(&records(&tasks(), false), Format::Json, &clock()).unwrap());
}

#[test]
fn a_list_of_actors() {
    let counter = ActorRow {
        actor_id: "6f1c".into(),
        class_name: "Counter".into(),
        state: "ALIVE".into(),
        job_id: "00000001".into(),
        node_id: Some("01d4".into()),
        ray_namespace: "default".into(),
        ..ActorRow::default()
    };
    let named = ActorRow { actor_id: "a0b1".into(), name: "the one".into(), is_detached: true, ..counter.clone() };
    let rows = Rows::Actors(vec![counter, named]);
    insta::assert_snapshot!(list(&records(&rows, false), Format::Table, &clock()).unwrap());
}

#[test]
fn a_list_of_objects() {
    let object = ObjectRow {
        object_id: "6f1c80000000".into(),
        object_size: Some(28),
        task_status: "FINISHED".into(),
        reference_type: "LOCAL_REFERENCE".into(),
        call_site: "driver".into(),
        r#type: "DRIVER".into(),
        pid: 4711,
        ip: "127.0.0.1".into(),
        ..ObjectRow::default()
    };
    let unmade = ObjectRow { object_id: "a0b100000000".into(), object_size: None, ..object.clone() };
    let rows = Rows::Objects(vec![object, unmade]);
    insta::assert_snapshot!(list(&records(&rows, false), Format::Table, &clock()).unwrap());
}

#[test]
fn a_list_of_nodes() {
    let node = NodeRow {
        node_id: "01d4".into(),
        node_ip: "127.0.0.1".into(),
        is_head_node: true,
        state: "ALIVE".into(),
        node_name: "here".into(),
        resources_total: "{'CPU': 4, 'memory': 1024}".into(),
        resources_available: "{'CPU': 3}".into(),
        start_time_ms: 1_795_370_701_250,
    };
    let rows = Rows::Nodes(vec![node]);
    insta::assert_snapshot!(list(&records(&rows, true), Format::Table, &clock()).unwrap());
}

#[test]
fn a_list_of_jobs_shows_times_as_people_read_them() {
    let job = JobRow {
        job_id: "00000001".into(),
        status: "RUNNING".into(),
        entrypoint: "app.wasm".into(),
        start_time_ms: 1_795_370_701_250,
        end_time_ms: None,
    };
    let rows = Rows::Jobs(vec![job]);
    insta::assert_snapshot!(list(&records(&rows, false), Format::Table, &clock()).unwrap());
}

#[test]
fn nothing_is_said_in_words_or_as_an_empty_list() {
    let rows = records(&Rows::Actors(Vec::new()), false);
    let said = |format| list(&rows, format, &clock()).unwrap();
    assert_eq!(said(Format::Table), "No resource in the cluster\n");
    assert_eq!(said(Format::Json), "[]\n");
    assert_eq!(said(Format::Yaml), "---\n[]\n...\n");
}

fn of_tasks() -> Summary {
    let row = |name: &str, counts: Value, kind: &str| {
        Record(vec![("func_or_class_name", json!(name)), ("state_counts", counts), ("type", json!(kind))])
    };
    Summary {
        what: "Tasks",
        group: "func_name",
        stats: Record(vec![("total_actor_scheduled", json!(1)), ("total_tasks", json!(5))]),
        summary: vec![
            row("square", json!({"FINISHED": 4, "RUNNING": 1}), "NORMAL_TASK"),
            row("Counter.new", json!({"FINISHED": 1}), "ACTOR_CREATION_TASK"),
        ],
    }
}

#[test]
fn a_summary_of_tasks() {
    insta::assert_snapshot!(summary(&of_tasks(), Format::Table, &clock()).unwrap());
}

#[test]
fn a_summary_as_yaml() {
    insta::assert_snapshot!(summary(&of_tasks(), Format::Yaml, &clock()).unwrap());
}

#[test]
fn control_characters_are_spelled_out() {
    assert_eq!(printable("plain ä"), "plain ä");
    assert_eq!(printable("\u{1b}[2J\t\u{9b}x"), "\\u{1b}[2J\\t\\u{9b}x");
}
