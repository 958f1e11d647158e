//! Clusters of several processes on one machine: a head and nodes over the loopback network.

mod job;
mod life;

use std::collections::BTreeSet;

use rayw_tests::{Output, Running, command, eventually, guest};
use serde_json::Value;

/// A head without cpus for tasks, and nodes with two each.
struct Processes {
    /// Held for their drop, which kills.
    _head: Running,
    nodes: Vec<(String, Running)>,
    address: String,
    _folder: tempfile::TempDir,
}

impl Processes {
    fn start(nodes: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let head = command(["start", "--head", "--block", "--port", "0", "--num-cpus", "0"]);
        let head = head.flag("--dir", folder.path().join("head")).start();
        let address = word_after(&head, "ready at ");
        let nodes = (0..nodes).map(|index| {
            let name = format!("node-{index}");
            let node = command(["start", "--address", &address, "--block", "--num-cpus", "2", "--node-name", &name]);
            (name.clone(), node.flag("--dir", folder.path().join(&name)).start())
        });
        let processes = Self { nodes: nodes.collect(), address, _head: head, _folder: folder };
        let wanted = processes.nodes.len() + 1;
        processes.rows_become("nodes", |rows| rows.iter().filter(|row| row["state"] == "ALIVE").count() == wanted);
        processes
    }

    fn ask(&self, words: &[&str]) -> Output {
        command(words.iter().copied()).flag("--address", &self.address).output()
    }

    fn rows(&self, resource: &str) -> Vec<Value> {
        let json = self.ask(&["list", resource, "--detail", "--format", "json", "--limit", "10000"]).succeeded();
        serde_json::from_str(&json).expect("the answer is a JSON list")
    }

    fn rows_become(&self, resource: &str, fulfils: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        eventually(&format!("rows of {resource}"), || {
            let rows = self.rows(resource);
            fulfils(&rows).then_some(rows)
        })
    }

    fn submit(&self, name: &str, args: &[&str]) -> Running {
        let app = guest(name);
        let submit = command(["submit".as_ref(), app.as_os_str()]).flag("--address", &self.address);
        submit.args(args).start()
    }

    /// Kills a node as `kill -9` does.
    fn kill(&mut self, index: usize) -> String {
        self.nodes.remove(index).0
    }
}

fn word_after(process: &Running, words: &str) -> String {
    eventually(words, || {
        let said = process.so_far().stdout;
        let rest = said.split_once(words)?.1;
        Some(rest.split_whitespace().next()?.to_owned())
    })
}

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

#[test]
fn the_tasks_of_a_killed_node_run_elsewhere() {
    let mut cluster = Processes::start(2);
    let job = cluster.submit("monte-carlo-pi", &["--tasks", "12", "--darts", "20000000"]);
    let nodes = cluster.rows("nodes");
    let id = |name: &str| nodes.iter().find(|row| row["node_name"] == name).unwrap()["node_id"].clone();
    // The example counts its progress in an actor that may not be restarted: that one's node stays.
    let actors = cluster.rows_become("actors", |rows| rows.iter().any(|row| row["state"] == "ALIVE"));
    let doomed_index = usize::from(actors[0]["node_id"] == id("node-0"));
    let doomed = id(&format!("node-{doomed_index}"));
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
