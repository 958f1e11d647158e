//! Tasks, actors and objects on nodes other than their driver's.

use std::collections::BTreeSet;

use super::support::Processes;

#[test]
fn a_job_runs_on_nodes_other_than_its_drivers() {
    let cluster = Processes::start(2);
    let output = cluster.submit("memo-tasks", &[]).output();
    assert!(output.stdout.contains("[1, 1, 1, 1]"), "{output}");
    assert_eq!(output.code, Some(0), "{output}");
    // What tasks print on other nodes comes to whoever submitted the job.
    assert!(output.stderr.contains("example_function was called."), "{output}");
    let head = cluster.rows("nodes").into_iter().find(|row| row["is_head_node"] == true).unwrap();
    let ran_on: BTreeSet<_> = cluster.rows("tasks").iter().map(|row| row["node_id"].to_string()).collect();
    assert!(!ran_on.is_empty() && !ran_on.contains(&head["node_id"].to_string()), "{ran_on:?}");
}

#[test]
fn actors_and_objects_cross_the_network() {
    let cluster = Processes::start(2);
    let actors = cluster.submit("memo-actors", &[]).output();
    assert!(actors.stdout.contains("[2, 3, 4, 5, 6]"), "{actors}");
    let objects = cluster.submit("memo-objects", &[]).output();
    assert_eq!(objects.code, Some(0), "{objects}");
    assert!(objects.stderr.contains("[1, 2, 3]"), "{objects}");
}
