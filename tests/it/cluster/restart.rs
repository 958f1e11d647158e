//! The head is killed and started again on the same folder: what it knew, it knows again, and work goes on.

use rayw_tests::{Running, command, eventually, guest};

use super::support::Processes;

impl Processes {
    /// Submits a guest whose driver does not run beside the head.
    fn submit_away(&self, flags: &[&str], name: &str, args: &[&str]) -> Running {
        let app = guest(name);
        let submit = command(["submit".as_ref(), app.as_os_str()]).flag("--address", &self.address);
        let submit = submit.flag("--num-cpus", "1");
        flags.chunks(2).fold(submit, |submit, flag| submit.flag(flag[0], flag[1])).args(args).start()
    }

    fn status(&self, id: &str) -> String {
        self.ask(&["job", "status", id]).stdout
    }
}

#[test]
fn work_goes_on_while_the_head_is_killed_again_and_again() {
    let mut cluster = Processes::start(2);
    let args = ["--tasks", "24", "--darts", "20000000"];
    let job = cluster.submit_away(&["--submission-id", "pi"], "monte-carlo-pi", &args);
    cluster.rows_become("tasks", |rows| rows.iter().any(|row| row["state"] == "RUNNING"));
    for _ in 0..3 {
        let finished = |rows: &[serde_json::Value]| rows.iter().filter(|row| row["state"] == "FINISHED").count();
        let before = finished(&cluster.rows("tasks"));
        cluster.restart_head();
        assert!(!cluster.status("pi").contains("FAILED"), "{}", cluster.status("pi"));
        // Or all of it was done while the head was away.
        cluster.rows_become("tasks", |rows| finished(rows) > before || finished(rows) == rows.len());
    }
    let output = job.output();
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stdout.contains("pi = 3.14"), "{output}");
    // No task was tried twice: nothing was lost with the head.
    let again = cluster.rows("tasks").iter().filter(|row| row["attempt_number"].as_u64().unwrap_or(0) > 0).count();
    assert_eq!(again, 0);
}

#[test]
fn ended_jobs_their_logs_and_their_names_are_known_again() {
    let mut cluster = Processes::start(1);
    let first = cluster.submit_away(&["--submission-id", "once"], "memo-tasks", &[]).output();
    assert_eq!(first.code, Some(0), "{first}");
    let logs = cluster.ask(&["job", "logs", "once"]).succeeded();
    assert!(logs.contains("[1, 1, 1, 1]"), "{logs}");
    cluster.restart_head();
    assert!(cluster.status("once").contains("SUCCEEDED"), "{}", cluster.status("once"));
    assert_eq!(cluster.ask(&["job", "logs", "once"]).succeeded(), logs);
    let said = cluster.submit_away(&["--submission-id", "once"], "memo-tasks", &[]).output().failed(1);
    assert!(said.contains("a job was submitted as `once` already: take another name"), "{said}");
    let second = cluster.submit_away(&["--submission-id", "twice"], "memo-tasks", &[]).output();
    assert_eq!(second.code, Some(0), "{second}");
    let numbers: Vec<_> = cluster.rows("jobs").iter().map(|row| row["job_id"].clone()).collect();
    assert_eq!(numbers, ["00000001", "00000002"]);
    assert!(cluster.ask(&["job", "delete", "once"]).succeeded().contains("deleted"));
    cluster.restart_head();
    assert_eq!(cluster.ask(&["job", "status", "once"]).code, Some(1), "it was deleted for good");
}

#[test]
fn a_job_whose_driver_was_beside_the_head_has_failed() {
    let mut cluster = Processes::start(1);
    let args = ["--tasks", "200", "--darts", "50000000"];
    let app = guest("monte-carlo-pi");
    let submit = command(["submit".as_ref(), app.as_os_str()]).flag("--address", &cluster.address);
    let job = submit.flag("--submission-id", "beside").args(args).start();
    cluster.rows_become("tasks", |rows| rows.iter().any(|row| row["state"] == "RUNNING"));
    cluster.restart_head();
    let said = job.output().failed(1);
    assert!(said.contains("it was in the process of the head, which was started again"), "{said}");
    assert!(said.contains("submit the job again"), "{said}");
    cluster.rows_become("actors", |rows| rows.iter().all(|row| row["state"] == "DEAD"));
    // What it used is free for others.
    let next = cluster.submit_away(&[], "memo-tasks", &[]).output();
    assert_eq!(next.code, Some(0), "{next}");
}

#[test]
fn a_detached_actor_keeps_its_name_and_its_state() {
    let mut cluster = Processes::start(1);
    let first = cluster.submit_away(&["--namespace", "shared"], "behave", &["a_detached_actor"]).output();
    assert!(first.stdout.contains("1 1"), "{first}");
    cluster.restart_head();
    let second = cluster.submit_away(&["--namespace", "shared"], "behave", &["find_the_detached_actor"]).output();
    assert!(second.stdout.lines().any(|line| line == "2"), "{second}");
}

#[test]
fn what_is_wanted_while_the_head_is_away_is_there_when_it_is_back() {
    let mut cluster = Processes::start(2);
    let args = ["--tasks", "4", "--darts", "20000000"];
    let job = cluster.submit_away(&["--submission-id", "waits"], "monte-carlo-pi", &args);
    eventually("a running job", || cluster.status("waits").contains("RUNNING").then_some(()));
    // Most likely before the actor of the example is there; whatever it wants by then is not lost.
    cluster.restart_head();
    let output = job.output();
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stdout.contains("pi = 3.14"), "{output}");
}

#[test]
fn a_second_head_is_kept_off_the_folder_of_the_first() {
    let cluster = Processes::start(0);
    let second = command(["start", "--head", "--block", "--port", "0", "--num-cpus", "0"]);
    let output = second.flag("--dir", cluster.head_folder()).output();
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.stderr.contains("another rayw process uses the folder"), "{output}");
    assert!(output.stderr.contains("name another folder with `--dir`"), "{output}");
    assert_eq!(cluster.rows("nodes").len(), 1);
}

#[test]
fn a_damaged_journal_is_said_to_be_one() {
    let mut cluster = Processes::start(0);
    cluster.kill_head();
    let journal = cluster.head_folder().join("head/journal.redb");
    std::fs::write(&journal, "these are not the bytes of a journal").expect("the file can be written");
    let head = command(["start", "--head", "--block", "--port", "0", "--num-cpus", "0"]);
    let output = head.flag("--dir", cluster.head_folder()).output();
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.stderr.contains("is damaged"), "{output}");
}
