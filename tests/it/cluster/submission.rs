//! Jobs as people submit them: many at once, with folders, interrupted, stopped, broken.

use rayw_tests::{Home, command, eventually, guest};

fn submit(name: &str, flags: &[&str]) -> rayw_tests::Run {
    let app = guest(name);
    command(["submit".as_ref(), app.as_os_str()].into_iter().chain(flags.iter().map(|flag| flag.as_ref())))
}

/// How often a node got something from the head.
fn fetched(home: &Home, node: &str) -> usize {
    home.log(node).lines().filter(|line| line.contains("got from the head")).count()
}

#[test]
fn many_jobs_at_once_all_succeed_and_their_component_travels_once() {
    const JOBS: usize = 40;
    let home = Home::new();
    let address = home.head(&["--num-cpus", "0"]);
    home.node(&address, "left", &["--num-cpus", "2"]);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let submits: Vec<_> =
            (0..JOBS).map(|_| scope.spawn(|| home.run(submit("memo-tasks", &["--no-wait"])).succeeded())).collect();
        submits.into_iter().map(|submit| submit.join().expect("it ends").trim().to_owned()).collect()
    });
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), JOBS, "{ids:?}");
    let rows = home.rows_become("jobs", |rows| rows.iter().all(|row| row["status"] == "SUCCEEDED"));
    assert_eq!(rows.len(), JOBS);
    assert!(rows.iter().all(|row| row["type"] == "SUBMISSION" && row["error_type"].is_null()), "{rows:#?}");
    assert_eq!(fetched(&home, "left"), 1, "{}", home.log("left"));
    let table = home.call(["job", "list", "--limit", "3", "--filter", "status=SUCCEEDED"]).succeeded();
    assert!(table.contains("SUBMISSION_ID") && table.contains("Total: 3"), "{table}");
    // What they printed can be read long after.
    let log = home.call(["job", "logs", &ids[0]]).succeeded();
    assert!(log.contains("[1, 1, 1, 1]"), "{log}");
    assert!(home.call(["get", "jobs", &ids[1]]).succeeded().contains("exit_code: 0"));
}

#[test]
fn a_folder_travels_with_its_job_once() {
    let home = Home::new();
    let address = home.head(&["--num-cpus", "0"]);
    home.node(&address, "left", &["--num-cpus", "2"]);
    let text = rayw_tests::workspace().join("examples/wordcount/text");
    let count = || {
        let job = submit("wordcount", &["--num-cpus", "1"]).flag("--working-dir", &text).args(["--top", "3", "."]);
        let output = home.run(job);
        assert_eq!(output.code, Some(0), "{output}");
        assert!(!output.stderr.contains("left out"), "{output}");
        output.stdout
    };
    assert_eq!(count(), count());
    // The component and the folder.
    assert_eq!(fetched(&home, "left"), 2, "{}", home.log("left"));
}

#[test]
fn stopping_a_job_reaches_all_that_it_started() {
    let home = Home::new();
    let address = home.head(&["--num-cpus", "0"]);
    home.node(&address, "left", &["--num-cpus", "2"]);
    home.node(&address, "right", &["--num-cpus", "2"]);
    let job = submit("monte-carlo-pi", &["--no-wait", "--submission-id", "long", "--num-cpus", "1"]);
    let job = job.args(["--tasks", "1000", "--darts", "100000000"]);
    assert_eq!(home.run(job).succeeded(), "long\n");
    home.rows_become("tasks", |rows| rows.iter().filter(|row| row["state"] == "RUNNING").count() >= 2);
    home.rows_become("actors", |rows| rows.iter().any(|row| row["state"] == "ALIVE"));
    home.rows_become("leases", |rows| rows.iter().any(|row| row["slots"].as_u64() > Some(0)));
    let stopped = home.call(["job", "stop", "long"]).succeeded();
    assert_eq!(stopped, "Job 'long' was stopped\n");
    home.rows_become("tasks", |rows| rows.iter().all(|row| row["state"] == "FINISHED" || row["state"] == "FAILED"));
    home.rows_become("actors", |rows| rows.iter().all(|row| row["state"] == "DEAD"));
    home.rows_become("leases", |rows| rows.is_empty());
    eventually("idle nodes", || home.call(["status"]).succeeded().contains("(no active nodes)").then_some(()));
    assert!(home.call(["job", "status", "long"]).succeeded().contains("STOPPED"));
    assert_eq!(home.call(["job", "logs", "long"]).code, Some(0));
    assert_eq!(home.call(["job", "stop", "long"]).succeeded(), "Job 'long' was over already\n");
}

#[test]
fn a_submitter_that_is_interrupted_leaves_its_job_running() {
    let home = Home::new();
    let address = home.head(&["--num-cpus", "2"]);
    let job = submit("monte-carlo-pi", &["--submission-id", "long", "--address", &address]);
    let mut job = job.args(["--tasks", "1000", "--darts", "100000000"]).start();
    home.rows_become("tasks", |rows| rows.iter().any(|row| row["state"] == "RUNNING"));
    eventually("the submitter knows of it", || job.so_far().stderr.contains("was submitted").then_some(()));
    job.interrupt();
    // Its folder stays: the job goes on with it.
    let said = job.ended().failed(130);
    insta::assert_snapshot!(said.lines().filter(|line| line.contains("job")).collect::<Vec<_>>().join("\n"), @r"
    job `long` was submitted; ctrl-c leaves it running, `rayw job stop long` stops it
    job `long` goes on: `rayw job logs -f long` follows it, `rayw job stop long` stops it
    ");
    // The head may hear later than we that its driver runs.
    home.rows_become("jobs", |rows| rows.iter().all(|row| row["status"] == "RUNNING"));
    assert!(home.call(["job", "status", "long"]).succeeded().contains("RUNNING"));
    // Somebody else can follow it, until it is stopped.
    let follower = command(["job", "logs", "-f", "long", "--address", &address]).start();
    assert!(home.call(["job", "stop", "long", "--no-wait"]).succeeded().contains("is being stopped"));
    let followed = follower.output();
    assert_eq!(followed.code, Some(0), "{followed}");
    assert!(followed.stderr.ends_with("job `long` was stopped\n"), "{followed}");
}

#[test]
fn a_submitter_that_is_interrupted_before_the_head_answers_says_so() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = silent.local_addr().expect("it has an address").to_string();
    let job = submit("memo-tasks", &["--address", &address]).start();
    let _asked = silent.accept().expect("the submitter comes");
    job.interrupt();
    let said = job.output().failed(130);
    insta::assert_snapshot!(said, @"interrupted before the head answered: `rayw job list` shows whether it has the job");
}

#[test]
fn a_submitter_is_told_why_its_job_waits() {
    let home = Home::new();
    let address = home.head(&["--num-cpus", "1"]);
    let job = submit("memo-tasks", &["--submission-id", "waits", "--address", &address]);
    let job = job.flag("--resources", r#"{"antenna": 1}"#).start();
    eventually("a word on why it waits", || job.so_far().stderr.contains("rayw: job `waits` waits: ").then_some(()));
    assert!(home.call(["job", "stop", "waits"]).succeeded().contains("was stopped"));
    let said = job.output().failed(1);
    let why: Vec<_> = said.lines().filter(|line| line.starts_with("rayw: ")).collect();
    assert_eq!(why.len(), 1, "{said}");
    assert!(why[0].contains("infeasible: needs 1 antenna"), "{said}");
}

#[test]
fn a_submitter_is_told_why_tasks_of_its_job_wait() {
    let home = Home::new();
    let address = home.head(&["--num-cpus", "0"]);
    let job = submit("memo-tasks", &["--submission-id", "works", "--address", &address]).start();
    eventually("a word on why they wait", || {
        job.so_far().stderr.contains("rayw: job `works`: 4 tasks wait: ").then_some(())
    });
    assert!(home.call(["job", "stop", "works"]).succeeded().contains("was stopped"));
    let said = job.output().failed(1);
    let why: Vec<_> = said.lines().filter(|line| line.starts_with("rayw: ")).collect();
    assert_eq!(why.len(), 1, "{said}");
    assert!(why[0].contains("infeasible: needs 1 CPU (0 here)"), "{said}");
    assert!(said.contains("`--fail-if-infeasible`"), "{said}");
}

#[test]
fn a_folder_of_the_nodes_is_named_by_its_whole_path() {
    let home = Home::new();
    let address = home.head(&["--num-cpus", "1"]);
    let said = submit("memo-tasks", &["--address", &address, "--dir", "text::/text"]).output().failed(64);
    insta::assert_snapshot!(said, @r"
    error: `text` of `--dir` is relative: it is a folder of the nodes, so give its whole path
      hint: `--working-dir` sends a folder from here
    ");
}

#[test]
fn a_job_that_cannot_be_set_up_says_what_failed() {
    let home = Home::new();
    let _address = home.head(&["--num-cpus", "1"]);
    let broken = home.folder("broken.wasm");
    std::fs::write(&broken, "this is no component").expect("a file can be written");
    let said = home.run(command(["submit".as_ref(), broken.as_os_str()]).flag("--submission-id", "broken")).failed(1);
    assert!(said.contains("job `broken` failed") && said.contains("broken.wasm"), "{said}");
    let missing = submit("memo-tasks", &["--submission-id", "missing", "--dir", "/nowhere/at/all::/data"]);
    let said = home.run(missing).failed(1);
    assert!(said.contains("/nowhere/at/all"), "{said}");
    let rows = home.rows("jobs");
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!((&row["status"], &row["error_type"]), (&"FAILED".into(), &"RUNTIME_ENV_SETUP_FAILURE".into()));
        assert_ne!(row["message"], "", "{row}");
    }
    let status = home.call(["job", "status", "broken"]).succeeded();
    assert!(status.contains("FAILED\nError type: RUNTIME_ENV_SETUP_FAILURE\nStatus message: "), "{status}");
}
