//! Objects on their way between nodes: fetched or not, drawn to, moved before a node leaves.

use rayw_tests::eventually;
use serde_json::Value;

use super::support::Processes;

const DOOMED: &str = r#"--num-cpus 2 --resources {"doomed":1}"#;
const SAFE: &str = r#"--num-cpus 2 --resources {"safe":1}"#;

/// Transfers are logged.
const LOGGING: &[(&str, &str)] = &[("RAYW_LOG", "rayw_node=debug")];

fn printed(output: &rayw_tests::Output) -> Vec<String> {
    assert_eq!(output.code, Some(0), "{output}");
    output.stdout.lines().filter(|line| !line.starts_with("pause: ")).map(str::to_owned).collect()
}

#[test]
fn a_wait_brings_an_object_here_unless_it_is_told_not_to() {
    let cluster = Processes::start_where(&[SAFE, DOOMED], LOGGING);
    let mut job = cluster.submit("behave", &["ready_wherever_it_is"]);
    job.reaches("ready");
    assert!(!cluster.head_logged("an object came"));
    job.passes("ready");
    job.reaches("here");
    eventually("a copy at the driver's node", || cluster.head_logged("an object came").then_some(()));
    job.passes("here");
    assert_eq!(printed(&job.output()), ["1", "1"]);
}

#[test]
fn a_task_runs_where_its_large_argument_is() {
    let cluster = Processes::start_with(&[SAFE, DOOMED]);
    let output = cluster.submit("behave", &["an_argument_draws_its_task"]).output();
    assert_eq!(printed(&output), ["true", "true"]);
}

#[test]
fn small_results_for_which_their_owner_has_no_room_stay_in_the_store_of_the_node_that_made_them() {
    let cluster = Processes::start_where(&[DOOMED], &[("RAYW_OBJECT_STORE_MEMORY", "1MiB")]);
    let mut job = cluster.submit("behave", &["more_small_results_from_elsewhere"]);
    job.reaches("full");
    eventually("the store of the other node has some", || {
        let status: Value = serde_json::from_str(&cluster.ask(&["status", "--format", "json"]).succeeded()).ok()?;
        let mut nodes = status["nodes"].as_array()?.iter();
        let other = nodes.find(|node| node["node_name"] == "node-0")?;
        other["used"]["object_store_memory"].as_u64().filter(|bytes| *bytes > 0)
    });
    job.passes("full");
    assert_eq!(printed(&job.output()), [format!("{} true", cluster.id_of("head"))]);
    cluster.nothing_is_left();
}

#[test]
fn a_draining_node_leaves_when_nobody_would_miss_its_objects() {
    let mut cluster = Processes::start_where(&[SAFE, DOOMED], LOGGING);
    let mut job = cluster.submit("behave", &["what_a_draining_node_keeps"]);
    job.reaches("made");
    let _ = cluster.ask(&["drain", "node-1"]).succeeded();
    // It owns an object that the driver refers to.
    cluster.rows_become("nodes", |rows| state_of(rows, "node-1") == "DRAINING");
    eventually("the object is moved", || cluster.head_logged("an object moved here").then_some(()));
    assert_eq!(state_of(&cluster.rows("nodes"), "node-1"), "DRAINING");
    job.passes("made");
    cluster.rows_become("nodes", |rows| state_of(rows, "node-1") == "DEAD");
    cluster.ends(1);
    job.reaches("left");
    job.passes("left");
    assert_eq!(printed(&job.output()), ["300000", "(300000, 1)", "1"]);
}

#[test]
fn a_busy_node_is_not_drained_as_an_idle_one() {
    let mut cluster = Processes::start_with(&[SAFE, DOOMED]);
    let mut job = cluster.submit("behave", &["what_a_draining_node_keeps"]);
    job.reaches("made");
    let as_idle = ["drain", "node-1", "--reason", "idle-termination"];
    // How much its store holds, the head hears with its next word.
    eventually("the node is busy", || {
        let said = cluster.ask(&as_idle).failed(1);
        assert!(said.starts_with("error: node `node-1` is not idle, it has "), "{said}");
        said.contains("bytes of objects").then_some(())
    });
    assert_eq!(state_of(&cluster.rows("nodes"), "node-1"), "ALIVE");
    job.passes("made");
    job.reaches("left");
    job.passes("left");
    assert_eq!(printed(&job.output()), ["300000", "(300000, 1)", "1"]);
    // Its leases go back and its objects are dropped a moment after the end of the job.
    eventually("the node is idle", || (cluster.ask(&as_idle).code == Some(0)).then_some(()));
    cluster.rows_become("nodes", |rows| state_of(rows, "node-1") == "DEAD");
    cluster.ends(1);
    let status = cluster.ask(&["status"]).succeeded();
    assert!(status.contains("Recent failures:\n (no failures)"), "{status}");
}

#[test]
fn an_actor_that_leaves_with_its_node_spends_no_restart() {
    let mut cluster = Processes::start_with(&[SAFE, DOOMED, DOOMED]);
    let mut job = cluster.submit("behave", &["an_actor_that_is_preempted"]);
    job.reaches("lives");
    let actors = cluster.rows("actors");
    let on_first = actors[0]["node_id"] == cluster.id_of("node-1").as_str();
    let (draining, index) = if on_first { ("node-1", 1) } else { ("node-2", 2) };
    let _ = cluster.ask(&["drain", draining, "--deadline", "0.2s"]).succeeded();
    job.passes("lives");
    job.reaches("preempted");
    cluster.ends(index);
    cluster.kill(1);
    cluster.join(DOOMED);
    job.passes("preempted");
    assert_eq!(printed(&job.output()), ["(0, 1)", "(1, 1)", "(2, 1)"]);
}

#[test]
fn one_large_object_comes_to_every_node() {
    let flags: Vec<String> = (0..4).map(|node| format!(r#"--num-cpus 1 --resources {{"node{node}":1}}"#)).collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let cluster = Processes::start_with(&flags);
    let output = cluster.submit("behave", &["one_object_for_all", "4"]).output();
    assert_eq!(printed(&output), ["4 of 4"]);
}

fn state_of<'a>(rows: &'a [Value], name: &str) -> &'a str {
    rows.iter().find(|row| row["node_name"] == name).and_then(|row| row["state"].as_str()).unwrap_or_default()
}

#[test]
fn large_arguments_of_what_was_refused_do_not_stay() {
    let cluster = Processes::start(1);
    let output = cluster.submit("behave", &["refused_with_a_large_argument"]).output();
    insta::assert_snapshot!(printed(&output).join("\n"), @"
    invalid-argument: `max_restarts` is -2: give 0 or more, or -1 for no end
    invalid-argument: the label selector `zone=in(` has no closing bracket: write `v`, `!v`, `in(a,b)` or `!in(a,b)`
    invalid-argument: `max_task_retries` is -2: give 0 or more, or -1 for no end
    ");
    cluster.nothing_is_left();
}
