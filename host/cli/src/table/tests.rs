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
    insta::assert_snapshot!(list(&records(&tasks(), false), Format::Table, &clock()).unwrap().trim(), @r"
    ======== List: 2026-11-22 18:05:01.250000 ========
    Stats:
    ------------------------------
    Total: 2

    Table:
    ------------------------------
       TASK_ID  ATTEMPT_NUMBER  NAME             STATE    JOB_ID    ACTOR_ID  TYPE         FUNC_OR_CLASS_NAME  PARENT_TASK_ID  NODE_ID  WORKER_ID  ERROR_TYPE
    0  6f1c                  0  square           RUNNING  00000001            NORMAL_TASK  square              d41d            01d4     77aa
    1  a0b1c2               13  \u{1b}[31mred\n  FAILED   00000001            NORMAL_TASK  square              d41d                                TASK_PANICKED
    ");
}

#[test]
fn a_detailed_list_of_tasks() {
    insta::assert_snapshot!(list(&records(&tasks(), true), Format::Yaml, &clock()).unwrap().trim(), @r#"
    ---
    - task_id: 6f1c
      attempt_number: 0
      name: square
      state: RUNNING
      job_id: '00000001'
      actor_id: null
      type: NORMAL_TASK
      func_or_class_name: square
      parent_task_id: d41d
      node_id: 01d4
      worker_id: 77aa
      error_type: null
      pending_reason: null
      required_resources: '{''CPU'': 1}'
      creation_time_ms: 1795370701250
      start_time_ms: 1795370702000
      end_time_ms: null
      error_message: null
    - task_id: a0b1c2
      attempt_number: 13
      name: "\e[31mred\n"
      state: FAILED
      job_id: '00000001'
      actor_id: null
      type: NORMAL_TASK
      func_or_class_name: square
      parent_task_id: d41d
      node_id: null
      worker_id: null
      error_type: TASK_PANICKED
      pending_reason: null
      required_resources: '{''CPU'': 1}'
      creation_time_ms: 1795370701250
      start_time_ms: null
      end_time_ms: 1795370703000
      error_message: |-
        task `square` panicked: first line
        second line
    ...
    "#);
}

#[test]
fn a_list_as_json() {
    insta::assert_snapshot!(list(&records(&tasks(), false), Format::Json, &clock()).unwrap().trim(), @r#"[{"task_id":"6f1c","attempt_number":0,"name":"square","state":"RUNNING","job_id":"00000001","actor_id":null,"type":"NORMAL_TASK","func_or_class_name":"square","parent_task_id":"d41d","node_id":"01d4","worker_id":"77aa","error_type":null},{"task_id":"a0b1c2","attempt_number":13,"name":"\u001b[31mred\n","state":"FAILED","job_id":"00000001","actor_id":null,"type":"NORMAL_TASK","func_or_class_name":"square","parent_task_id":"d41d","node_id":null,"worker_id":null,"error_type":"TASK_PANICKED"}]"#);
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
    insta::assert_snapshot!(list(&records(&rows, false), Format::Table, &clock()).unwrap().trim(), @r"
    ======== List: 2026-11-22 18:05:01.250000 ========
    Stats:
    ------------------------------
    Total: 2

    Table:
    ------------------------------
       ACTOR_ID  CLASS_NAME  STATE  JOB_ID    NAME     NODE_ID  RAY_NAMESPACE
    0  6f1c      Counter     ALIVE  00000001           01d4     default
    1  a0b1      Counter     ALIVE  00000001  the one  01d4     default
    ");
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
    insta::assert_snapshot!(list(&records(&rows, false), Format::Table, &clock()).unwrap().trim(), @r"
    ======== List: 2026-11-22 18:05:01.250000 ========
    Stats:
    ------------------------------
    Total: 2

    Table:
    ------------------------------
       OBJECT_ID     OBJECT_SIZE  TASK_STATUS  ATTEMPT_NUMBER  REFERENCE_TYPE   CALL_SITE  TYPE     PID  IP
    0  6f1c80000000           28  FINISHED                  0  LOCAL_REFERENCE  driver     DRIVER  4711  127.0.0.1
    1  a0b100000000               FINISHED                  0  LOCAL_REFERENCE  driver     DRIVER  4711  127.0.0.1
    ");
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
        labels: "{'zone': 'a'}".into(),
        start_time_ms: 1_795_370_701_250,
        ..NodeRow::default()
    };
    let rows = Rows::Nodes(vec![node]);
    insta::assert_snapshot!(list(&records(&rows, true), Format::Table, &clock()).unwrap().trim(), @r"
    ======== List: 2026-11-22 18:05:01.250000 ========
    Stats:
    ------------------------------
    Total: 1

    Table:
    ------------------------------
       NODE_ID  NODE_IP    IS_HEAD_NODE  STATE  NODE_NAME  STATE_MESSAGE  RESOURCES_TOTAL             RESOURCES_AVAILABLE  LABELS         START_TIME_MS            END_TIME_MS
    0  01d4     127.0.0.1  True          ALIVE  here                      {'CPU': 4, 'memory': 1024}  {'CPU': 3}           {'zone': 'a'}  2026-11-22 18:05:01.250
    ");
}

#[test]
fn a_list_of_jobs_shows_times_as_people_read_them() {
    let job = JobRow {
        job_id: "00000001".into(),
        status: "RUNNING".into(),
        entrypoint: "app.wasm".into(),
        start_time_ms: 1_795_370_701_250,
        end_time_ms: None,
        ..JobRow::default()
    };
    let rows = Rows::Jobs(vec![job]);
    insta::assert_snapshot!(list(&records(&rows, false), Format::Table, &clock()).unwrap().trim(), @r"
    ======== List: 2026-11-22 18:05:01.250000 ========
    Stats:
    ------------------------------
    Total: 1

    Table:
    ------------------------------
       JOB_ID    SUBMISSION_ID  TYPE  STATUS   ENTRYPOINT  MESSAGE  ERROR_TYPE  START_TIME_MS            END_TIME_MS
    0  00000001                       RUNNING  app.wasm                         2026-11-22 18:05:01.250
    ");
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
    insta::assert_snapshot!(summary(&of_tasks(), Format::Table, &clock()).unwrap().trim(), @r"
    ======== Tasks Summary: 2026-11-22 18:05:01.250000 ========
    Stats:
    ------------------------------------
    total_actor_scheduled: 1
    total_tasks: 5


    Table (group by func_name):
    ------------------------------------
       FUNC_OR_CLASS_NAME  STATE_COUNTS  TYPE
    0  square              FINISHED: 4   NORMAL_TASK
                           RUNNING: 1
    1  Counter.new         FINISHED: 1   ACTOR_CREATION_TASK
    ");
}

#[test]
fn a_summary_as_yaml() {
    insta::assert_snapshot!(summary(&of_tasks(), Format::Yaml, &clock()).unwrap().trim(), @r"
    ---
    total_actor_scheduled: 1
    total_tasks: 5
    summary:
    - func_or_class_name: square
      state_counts:
        FINISHED: 4
        RUNNING: 1
      type: NORMAL_TASK
    - func_or_class_name: Counter.new
      state_counts:
        FINISHED: 1
      type: ACTOR_CREATION_TASK
    ...
    ");
}

#[test]
fn control_characters_are_spelled_out() {
    assert_eq!(printable("plain ä"), "plain ä");
    assert_eq!(printable("\u{1b}[2J\t\u{9b}x"), "\\u{1b}[2J\\t\\u{9b}x");
}
