//! `rayw list`, `get` and `summary` while a run goes on: Ray's columns, filters, formats.

use rayw_tests::{Running, command, run};
use serde_json::Value;

/// A run with a finished, a failed and a running task, an actor and objects, stopped for a look.
fn stage() -> Running {
    let mut running = run("behave").args(["something_to_look_at"]).num_cpus(4).start();
    running.reaches("look");
    running
}

fn json(running: &Running, words: &[&str]) -> Vec<Value> {
    let all = words.iter().copied().chain(["--format", "json"]);
    serde_json::from_str(&running.ask(all).succeeded()).expect("the answer is a JSON list")
}

/// The names above a table.
fn columns(table: &str) -> Vec<String> {
    let line = table.lines().find(|line| line.to_lowercase().contains("_id")).unwrap_or_default();
    line.split_whitespace().map(str::to_lowercase).collect()
}

#[test]
fn tasks_are_listed_with_the_columns_of_ray() {
    let running = stage();
    let table = running.ask(["list", "tasks"]).succeeded();
    let expected = [
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
    ];
    assert_eq!(columns(&table), expected, "{table}");
    let rows = json(&running, &["list", "tasks"]);
    let state = |name: &str| rows.iter().find(|row| row["name"] == name).map(|row| row["state"].clone());
    assert_eq!(state("done"), Some("FINISHED".into()), "{rows:#?}");
    assert_eq!(state("failed"), Some("FAILED".into()), "{rows:#?}");
    assert_eq!(state("running"), Some("RUNNING".into()), "{rows:#?}");
    assert_eq!(state("waiting"), Some("PENDING_ARGS_AVAIL".into()), "{rows:#?}");
    let failed = rows.iter().find(|row| row["name"] == "failed").expect("it is listed");
    assert_eq!(failed["error_type"], "TASK_ERROR");
    assert_eq!(failed["type"], "NORMAL_TASK");
    assert_eq!(failed["func_or_class_name"], "fail");
}

#[test]
fn rows_can_be_filtered_and_limited() {
    let running = stage();
    let failed = json(&running, &["list", "tasks", "--filter", "state=failed"]);
    assert!(!failed.is_empty() && failed.iter().all(|row| row["state"] == "FAILED"), "{failed:#?}");
    let others = json(&running, &["list", "tasks", "--filter", "state!=FAILED", "--filter", "name=done"]);
    assert_eq!(others.len(), 1, "{others:#?}");
    assert_eq!(json(&running, &["list", "tasks", "--limit", "2"]).len(), 2);
    let output = running.ask(["list", "tasks", "--filter", "colour=red"]);
    assert_ne!(output.code, Some(0), "{output}");
    assert!(output.stderr.contains("colour"), "{output}");
}

#[test]
fn actors_and_nodes_are_listed() {
    let running = stage();
    let actors = json(&running, &["list", "actors"]);
    let log = actors.iter().find(|row| row["class_name"] == "Log").expect("the log is listed");
    assert_eq!(log["state"], "ALIVE", "{log:#?}");
    let table = running.ask(["list", "actors"]).succeeded();
    let expected = ["actor_id", "class_name", "state", "job_id", "name", "node_id", "ray_namespace"];
    assert_eq!(columns(&table), expected, "{table}");
    let nodes = json(&running, &["list", "nodes"]);
    assert_eq!((nodes.len(), &nodes[0]["state"], &nodes[0]["is_head_node"]), (1, &"ALIVE".into(), &true.into()));
    let jobs = json(&running, &["list", "jobs"]);
    assert_eq!((jobs.len(), &jobs[0]["status"]), (1, &"RUNNING".into()));
}

#[test]
fn one_thing_can_be_looked_at_closely() {
    let running = stage();
    let rows = json(&running, &["list", "tasks", "--filter", "name=failed"]);
    let id = rows[0]["task_id"].as_str().expect("it has an id");
    let yaml = running.ask(["get", "tasks", id]).succeeded();
    assert!(yaml.contains("error_message:") && yaml.contains("it was bound to fail"), "{yaml}");
    assert_eq!(running.ask(["get", "tasks", &id[..8]]).succeeded(), yaml, "as lines of tasks show it");
    let all = running.ask(["get", "tasks", ""]);
    assert_ne!(all.code, Some(0), "{all}");
    let nobody = "0".repeat(32);
    let output = running.ask(["get", "tasks", nobody.as_str()]);
    assert_ne!(output.code, Some(0), "{output}");
}

#[test]
fn tasks_are_counted_by_function_and_state() {
    let running = stage();
    let summary = running.ask(["summary", "tasks"]).succeeded();
    let line = |name: &str| summary.lines().find(|line| line.contains(name)).map(str::to_owned);
    assert!(line("square").is_some_and(|line| line.contains("FINISHED: 1")), "{summary}");
    assert!(line("fail").is_some_and(|line| line.contains("FAILED: 1")), "{summary}");
}

#[test]
fn yaml_is_spoken_too() {
    let running = stage();
    let yaml = running.ask(["list", "tasks", "--format", "yaml", "--filter", "name=done"]).succeeded();
    assert!(yaml.contains("state: FINISHED"), "{yaml}");
    let detail = running.ask(["list", "tasks", "--detail", "--filter", "name=waiting"]).succeeded();
    assert!(detail.contains("pending_reason: waits for 1 of its arguments"), "{detail}");
}

#[test]
fn without_a_session_there_is_nothing_to_list() {
    insta::assert_snapshot!(command(["list", "tasks"]).output().failed(2), @"
    error: nothing of rayw is running here, and no cluster is named
      hint: `rayw start --head` starts a cluster, `rayw run APP` runs one program; `--address HOST:PORT` or RAYW_ADDRESS names a cluster elsewhere
    ");
}
