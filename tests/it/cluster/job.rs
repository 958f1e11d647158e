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
fn what_outlives_its_job_goes_by_somebodys_word() {
    let cluster = Processes::start(1);
    let submit = |scenario: &str| {
        let app = guest("behave");
        let submit = command(["submit".as_ref(), app.as_os_str()]).flag("--address", &cluster.address);
        submit.flag("--namespace", "shared").flag("--submission-id", scenario).args([scenario]).output().succeeded()
    };
    submit("a_detached_actor");
    submit("groups_that_outlive_their_job");
    let said = cluster.ask(&["job", "delete", "a_detached_actor"]).failed(1);
    assert!(said.contains("lives: end it with `rayw kill-actor "), "{said}");
    let said = cluster.ask(&["kill-actor", "kept", "--namespace", "other"]).failed(1);
    assert!(said.contains("no actor that lives is called `kept` in namespace `other`"), "{said}");
    let actors = cluster.rows("actors");
    let founder = actors.iter().find(|row| row["name"] == "founder").expect("it is listed")["actor_id"].clone();
    let founder = founder.as_str().expect("an id is text");
    assert_eq!(cluster.ask(&["kill-actor", "kept"]).succeeded().split(' ').next(), Some("actor"));
    let killed = cluster.ask(&["kill-actor", &founder[..12]]).succeeded();
    assert_eq!(killed, format!("actor {founder} ends\n"));
    cluster.rows_become("actors", |rows| rows.iter().all(|row| row["state"] == "DEAD"));
    assert!(cluster.ask(&["remove-placement-group", "kept"]).succeeded().ends_with("is removed\n"));
    cluster.rows_become("placement-groups", |rows| rows.iter().all(|row| row["state"] == "REMOVED"));
    let said = cluster.ask(&["remove-placement-group", "kept"]).failed(1);
    assert!(said.contains("no placement group that lives is called `kept`"), "{said}");
    assert!(cluster.ask(&["job", "delete", "a_detached_actor"]).succeeded().contains("deleted"));
    cluster.nothing_is_left();
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

#[test]
fn what_a_job_leaves_in_its_sandboxes_no_other_job_finds() {
    let cluster = Processes::start(1);
    let mut first = cluster.submit("behave", &["sandboxes_that_remember", "first", "signed"]);
    first.reaches("signed");
    // One whose sandboxes are there all the time, and one that begins when that one has just ended.
    let second = cluster.submit("behave", &["sandboxes_that_remember", "second"]).output().succeeded();
    first.passes("signed");
    let first = first.output().succeeded();
    let third = cluster.submit("behave", &["sandboxes_that_remember", "third"]).output().succeeded();
    assert_eq!(second, "in the sandboxes of second: [\"second\"]\n");
    assert_eq!(first, "pause: signed\nin the sandboxes of first: [\"first\"]\n");
    assert_eq!(third, "in the sandboxes of third: [\"third\"]\n");
}

#[test]
fn the_log_of_a_job_is_data_wherever_its_lines_went() {
    let cluster = Processes::start(1);
    let job = cluster.submit("behave", &["printing"]).output();
    assert_eq!(job.code, Some(0), "{job}");
    assert!(job.stdout.contains("the driver's line") && !job.stdout.contains("on stdout"), "{job}");
    assert!(job.stderr.contains("the driver's other line") && job.stderr.contains("on stdout"), "{job}");
    let rows = cluster.rows("jobs");
    let id = rows[0]["submission_id"].as_str().expect("it has a name");
    for words in [&["job", "logs", id][..], &["job", "logs", "-f", id]] {
        let log = cluster.ask(words);
        assert_eq!(log.code, Some(0), "{log}");
        for line in ["the driver's line", "the driver's other line", "on stdout", "on stderr"] {
            assert!(log.stdout.contains(line), "{line}: {log}");
        }
        let ended = if words.contains(&"-f") { format!("job `{id}` succeeded\n") } else { String::new() };
        assert_eq!(log.stderr, ended);
    }
}

#[test]
fn whoever_follows_a_job_outlives_its_head_and_is_told_how_the_job_ended() {
    let mut cluster = Processes::start(1);
    let app = guest("behave");
    let submit = command(["submit".as_ref(), app.as_os_str()]).flag("--address", &cluster.address);
    let submit = submit.flag("--num-cpus", "1").flag("--submission-id", "long");
    let mut job = submit.args(["a_resource_nobody_has"]).start();
    job.reaches("pending");
    let mut follower = command(["job", "logs", "-f", "long", "--address", &cluster.address]).start();
    follower.reaches("pending");
    cluster.restart_head();
    job.passes("pending");
    assert_eq!(job.output().code, Some(0));
    let followed = follower.output();
    assert_eq!(followed.code, Some(0), "{followed}");
    assert_eq!(followed.stdout.matches("pause: pending").count(), 1, "no line is shown twice: {followed}");
    let head = format!("the head at {} went away", cluster.address);
    assert!(followed.stderr.starts_with(&head), "{followed}");
    assert!(followed.stderr.ends_with("job `long` succeeded\n"), "{followed}");
}
