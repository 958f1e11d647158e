//! Nodes as processes of their own on the loopback network: what crosses it, and what a death costs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::report::{Report, Row};
use super::tcp;
use crate::patience::eventually;
use crate::place;
use crate::run::command;
use crate::running::Running;

/// How large everything is.
#[derive(Debug, Clone)]
pub struct ProcessSizes {
    /// Bytes that go from one store to another.
    pub transfer: usize,
    /// Bytes that go from one store to all others, and how many these are.
    pub broadcast: usize,
    /// See [`Self::broadcast`].
    pub receivers: usize,
    /// Tasks of a node that is killed.
    pub tasks: usize,
    /// Turns of what is measured several times.
    pub turns: usize,
    /// How long and how large the rows of the microbenchmark are.
    pub seconds: Duration,
    /// See [`Self::seconds`].
    pub scale: f64,
}

type Measure = fn(&ProcessSizes) -> Row;

/// Measures all of it, or what has one of these words in its name.
///
/// # Panics
/// When a process cannot be started, or a job fails.
#[must_use]
pub fn processes(filters: &[String], sizes: &ProcessSizes) -> Report {
    let all: [(&str, Measure); 4] =
        [("tasks", tasks), ("transfer", transfer), ("broadcast", broadcast), ("killed", killed)];
    let is_wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let rows = all.iter().filter(|(name, _)| is_wanted(name)).map(|(_, measure)| measure(sizes)).collect();
    Report { rows, curves: Vec::new() }
}

/// One owner on the head's node, which has no cpus, and two nodes that run what it submits.
fn tasks(sizes: &ProcessSizes) -> Row {
    let processes = Processes::start(&[2.0, 2.0], |_| Vec::new());
    let seconds = format!("{}s", sizes.seconds.as_secs_f64());
    let component = place::guest("microbenchmark");
    let words = ["microbenchmark", "--format", "json", "--filter", "single client tasks async", "--num-cpus", "4"];
    let json = command(words)
        .flag("--address", &processes.address)
        .flag("--component", component)
        .flag("--warmup", &seconds)
        .flag("--seconds", &seconds)
        .flag("--rounds", sizes.turns.to_string())
        .flag("--scale", sizes.scale.to_string())
        .output()
        .succeeded();
    let report: Value = serde_json::from_str(&json).expect("the report is JSON");
    let samples = report["rows"][0]["samples"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    Row::new("two other nodes: single client tasks async", "per second", samples.collect())
}

/// A node makes an object, another one waits until it has it too.
fn transfer(sizes: &ProcessSizes) -> Row {
    let processes = Processes::start(&[1.0, 1.0], |index| vec![(format!("node-{index}"), 1.0)]);
    let gigabytes = sizes.transfer as f64 / 1e9;
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..sizes.turns {
        own.push(gigabytes / processes.seconds("broadcast", &[sizes.transfer, 1]));
        other.push(gigabytes / tcp::copy(sizes.transfer).as_secs_f64());
    }
    Row::new("two nodes: transfer of an object", "GB/s", own).held_against("raw TCP into fresh memory", other)
}

/// A node makes an object, all others wait until they have it too.
fn broadcast(sizes: &ProcessSizes) -> Row {
    let nodes = vec![1.0; sizes.receivers + 1];
    let processes = Processes::start(&nodes, |index| vec![(format!("node-{index}"), 1.0)]);
    let gigabytes = sizes.broadcast as f64 * sizes.receivers as f64 / 1e9;
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..sizes.turns {
        own.push(gigabytes / processes.seconds("broadcast", &[sizes.broadcast, sizes.receivers]));
        let one_by_one: Duration = (0..sizes.receivers).map(|_| tcp::copy(sizes.broadcast)).sum();
        other.push(gigabytes / one_by_one.as_secs_f64());
    }
    let name = format!("broadcast of {} MiB to {} nodes", sizes.broadcast >> 20, sizes.receivers);
    Row::new(&name, "GB/s, all together", own).held_against("raw TCP, one after another", other)
}

/// All tasks sleep on one node when it is killed; another one that came later runs them again.
fn killed(sizes: &ProcessSizes) -> Row {
    let name = format!("kill -9 of a node to the last of its {} tasks done elsewhere", sizes.tasks);
    let samples = (0..sizes.turns).map(|_| {
        let room = |_| vec![("room".to_owned(), sizes.tasks as f64)];
        let mut processes = Processes::start(&[1.0], room);
        let mut job = processes.submit("killed", &[sizes.tasks]);
        job.prints("all run");
        processes.add(1.0, &room(1));
        let started = Instant::now();
        processes.kill(0);
        job.prints("all done");
        let elapsed = started.elapsed().as_secs_f64();
        let _ = job.output().succeeded();
        elapsed
    });
    Row::new(&name, "seconds", samples.collect())
}

/// A head without cpus for tasks, and nodes with what they are given.
struct Processes {
    address: String,
    nodes: Vec<Running>,
    /// How many there were, killed ones too.
    started: usize,
    folder: TempDir,
    /// Held for its drop, which kills; behind the nodes, so that these need not learn of its end.
    _head: Running,
}

impl Processes {
    fn start(cpus: &[f64], resources: impl Fn(usize) -> Vec<(String, f64)>) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        // What must survive the nodes asks for the head's resource: the driver, and an actor of its own.
        let head =
            command(["start", "--head", "--block", "--port", "0", "--num-cpus", "0", "--resources", r#"{"head":2}"#]);
        let head = head.flag("--dir", folder.path().join("head")).start();
        let address = eventually("the head's address", || {
            let said = head.so_far().stdout;
            let (_, rest) = said.split_once("ready at ")?;
            Some(rest.split_whitespace().next()?.to_owned())
        });
        let mut processes = Self { address, nodes: Vec::new(), started: 0, folder, _head: head };
        for (index, cpus) in cpus.iter().enumerate() {
            processes.add(*cpus, &resources(index));
        }
        processes
    }

    /// Adds a node, and waits until the head knows it.
    fn add(&mut self, cpus: f64, resources: &[(String, f64)]) {
        let name = format!("node-{}", self.started);
        let resources: serde_json::Map<_, _> =
            resources.iter().map(|(name, amount)| (name.clone(), Value::from(*amount))).collect();
        let node = command(["start", "--block", "--address", &self.address, "--node-name", &name])
            .flag("--num-cpus", cpus.to_string())
            .flag("--object-store-memory", "4GiB")
            .flag("--resources", Value::from(resources).to_string())
            .flag("--dir", self.folder.path().join(&name));
        self.nodes.push(node.start());
        self.started += 1;
        eventually(&format!("the node `{name}`"), || self.alive().contains(&name).then_some(()));
    }

    fn alive(&self) -> HashSet<String> {
        let words = ["list", "nodes", "--detail", "--format", "json"];
        let json = command(words).flag("--address", &self.address).output().succeeded();
        let rows: Vec<Value> = serde_json::from_str(&json).expect("the answer is a JSON list");
        let alive = rows.into_iter().filter(|row| row["state"] == "ALIVE");
        alive.filter_map(|row| Some(row["node_name"].as_str()?.to_owned())).collect()
    }

    /// Kills a node as `kill -9` does.
    fn kill(&mut self, index: usize) {
        drop(self.nodes.remove(index));
    }

    fn submit(&self, scenario: &str, numbers: &[usize]) -> Running {
        let app = place::guest("bench");
        let submit = command(["submit".as_ref(), app.as_os_str()])
            .flag("--address", &self.address)
            .flag("--resources", r#"{"head":1}"#);
        let numbers = numbers.iter().map(usize::to_string);
        submit.args(std::iter::once(scenario.to_owned()).chain(numbers)).start()
    }

    /// What a scenario says that it took.
    fn seconds(&self, scenario: &str, numbers: &[usize]) -> f64 {
        let output = self.submit(scenario, numbers).output().succeeded();
        let seconds = output.lines().find_map(|line| line.strip_prefix("seconds ")?.parse().ok());
        seconds.unwrap_or_else(|| panic!("`{scenario}` did not say how long it took: {output}"))
    }
}
