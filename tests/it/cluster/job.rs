//! Submitted jobs: names, stops, logs.

use rayw_tests::{command, guest};

use super::support::Processes;

#[test]
fn a_job_can_be_looked_at_stopped_and_deleted() {
    let cluster = Processes::start(1);
    let app = guest("monte-carlo-pi");
    let submit = command(["submit".as_ref(), app.as_os_str()]).flag("--address", &cluster.address);
    let submit = submit.flag("--submission-id", "long").args(["--tasks", "1000", "--darts", "100000000"]);
    let job = submit.start();
    cluster.rows_become("tasks", |rows| rows.iter().any(|row| row["state"] == "RUNNING"));
    assert!(cluster.ask(&["job", "status", "long"]).succeeded().contains("RUNNING"));
    let said = cluster.ask(&["job", "delete", "long"]).failed(1);
    assert!(said.contains("long") || said.contains("job"), "{said}");
    assert!(cluster.ask(&["job", "stop", "long"]).succeeded().contains("was stopped"));
    assert!(job.output().failed(1).contains("job `long` was stopped"));
    assert!(cluster.ask(&["job", "status", "long"]).succeeded().contains("STOPPED"));
    assert_eq!(cluster.ask(&["job", "logs", "long"]).code, Some(0));
    assert!(cluster.ask(&["job", "delete", "long"]).succeeded().contains("deleted"));
}

#[test]
fn a_name_is_given_to_one_job_only() {
    let cluster = Processes::start(1);
    let app = guest("memo-tasks");
    let submit = || {
        let submit = command(["submit".as_ref(), app.as_os_str()]).flag("--address", &cluster.address);
        submit.flag("--submission-id", "once").output()
    };
    assert_eq!(submit().code, Some(0));
    let said = submit().failed(1);
    assert!(said.contains("a job was submitted as `once` already: take another name"), "{said}");
}
