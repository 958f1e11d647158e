//! Nodes that are killed.

use serde_json::Value;

use super::support::Processes;

#[test]
fn the_tasks_of_a_killed_node_run_elsewhere() {
    let mut cluster = Processes::start(2);
    let job = cluster.submit("monte-carlo-pi", &["--tasks", "12", "--darts", "20000000"]);
    // The example counts its progress in an actor that may not be restarted: that one's node stays.
    let actors = cluster.rows_become("actors", |rows| rows.iter().any(|row| row["state"] == "ALIVE"));
    let doomed_index = usize::from(actors[0]["node_id"] == cluster.id_of("node-0"));
    let doomed = cluster.id_of(&format!("node-{doomed_index}"));
    cluster.rows_become("tasks", |rows| rows.iter().any(|row| row["state"] == "RUNNING" && row["node_id"] == doomed));
    let name = cluster.kill(doomed_index);
    let output = job.output();
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stdout.contains("pi = 3.14"), "{output}");
    let dead = cluster.rows_become("nodes", |rows| rows.iter().any(|row| row["state"] == "DEAD"));
    let dead: Vec<_> = dead.iter().filter(|row| row["state"] == "DEAD").map(|row| &row["node_name"]).collect();
    assert_eq!(dead, [&Value::from(name)]);
}
