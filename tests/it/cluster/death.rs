//! Nodes that are killed.

use rayw_tests::{command, guest};
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

#[test]
fn a_job_whose_driver_is_on_a_killed_node_fails_and_leaves_nothing() {
    let mut cluster = Processes::start_with(&["", r#"--num-cpus 2 --resources {"home":1}"#]);
    let app = guest("monte-carlo-pi");
    let submit = command(["submit".as_ref(), app.as_os_str()])
        .flag("--address", &cluster.address)
        .flag("--submission-id", "homeless")
        .flag("--resources", r#"{"home":1}"#)
        .args(["--tasks", "1000", "--darts", "20000000"]);
    let job = submit.start();
    let (stays, doomed) = (cluster.id_of("node-0"), cluster.id_of("node-1"));
    // Its work is elsewhere too, and ends with it.
    cluster.rows_become("tasks", |rows| rows.iter().any(|row| row["state"] == "RUNNING" && row["node_id"] == stays));
    cluster.kill(1);
    let said = job.output().failed(1);
    assert!(said.contains(&format!("node {doomed}, which ran the job's driver, died (")), "{said}");
    assert!(said.trim_end().ends_with("): submit the job again"), "{said}");
    assert!(cluster.ask(&["job", "status", "homeless"]).succeeded().contains("FAILED"));
    cluster.nothing_is_left();
}
