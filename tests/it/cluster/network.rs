//! Clusters on networks of their own: slow ones, and one that is cut and heals.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rayw_tests::{Running, command};
use serde_json::Value;
use tempfile::TempDir;

use super::namespaces::{Network, SlowWay};
use super::support::{Processes, word_after};

const HEAD_PORT: u16 = 6379;

/// A head in the first namespace and a node in each other one. Declared before the network, so that the
/// processes end first.
struct Cluster {
    processes: Processes,
    folder: TempDir,
}

/// A process in a namespace, with these flags.
fn process(network: &Network, member: u8, folder: &TempDir, flags: &str, ways: &[SlowWay]) -> Running {
    let host = network.address(member).to_string();
    let mut process = command(["start", "--block"].into_iter().chain(flags.split_whitespace())).flag("--host", host);
    if let Some(way) = ways.get(usize::from(member)) {
        process = process.flag("--advertise", way.address.to_string());
    }
    let folder = folder.path().join(format!("member-{member}"));
    process.flag("--dir", folder).within(&network.namespace(member)).start()
}

impl Cluster {
    fn start(network: &Network, nodes: &[&str], ways: &[SlowWay], ends: &[Arc<OnceLock<SocketAddr>>]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let head_at = SocketAddr::new(network.address(0), HEAD_PORT);
        if let Some(end) = ends.first() {
            end.set(head_at).expect("it is set once");
        }
        let head = process(network, 0, &folder, "--head --num-cpus 0", ways);
        word_after(&head, "ready at ");
        let dialled = ways.first().map_or(head_at, |way| way.address);
        let nodes = nodes.iter().zip(1..).map(|(flags, member)| {
            let name = format!("node-{}", member - 1);
            // The port has to be known before the node says it: a slow way must lead there.
            let port = HEAD_PORT + u16::from(member);
            if let Some(end) = ends.get(usize::from(member)) {
                end.set(SocketAddr::new(network.address(member), port)).expect("it is set once");
            }
            let flags = format!("--address {dialled} --port {port} --node-name {name} {flags}");
            (name, process(network, member, &folder, &flags, ways))
        });
        let nodes = nodes.collect();
        Self { processes: Processes::of(head, head_at.to_string(), nodes), folder }
    }
}

#[test]
fn a_slow_network_that_breaks_connections_changes_no_answer() {
    let Some(network) = Network::make(3) else { return };
    let ends: Vec<Arc<OnceLock<SocketAddr>>> = (0..3).map(|_| Arc::default()).collect();
    let delay = Duration::from_millis(5);
    let ways: Vec<SlowWay> = ends.iter().map(|end| SlowWay::open(network.here(), Arc::clone(end), delay)).collect();
    let nodes = [r#"--num-cpus 2 --resources {"node0":1}"#, r#"--num-cpus 2 --resources {"node1":1}"#];
    let cluster = Cluster::start(&network, &nodes, &ways, &ends);
    let output = cluster.processes.submit("memo-tasks", &[]).output();
    assert!(output.code == Some(0) && output.stdout.contains("[1, 1, 1, 1]"), "{output}");
    let output = cluster.processes.submit("memo-actors", &[]).output();
    assert!(output.code == Some(0) && output.stdout.contains("[2, 3, 4, 5, 6]"), "{output}");
    let output = cluster.processes.submit("behave", &["large_results"]).output();
    assert!(output.code == Some(0) && output.stdout.contains("true"), "{output}");
    let broken: u64 = ways.iter().map(SlowWay::broken).sum();
    assert!(broken > 0, "connections broke meanwhile");
}

#[test]
fn a_node_that_was_cut_off_is_heard_by_nobody_and_comes_back_as_a_new_one() {
    let Some(network) = Network::make(4) else { return };
    let safe = r#"--num-cpus 2 --resources {"safe":1}"#;
    let doomed = r#"--num-cpus 2 --resources {"doomed":1}"#;
    let cluster = Cluster::start(&network, &[safe, doomed], &[], &[]);
    let mut job = cluster.processes.submit("behave", &["a_partition"]);
    job.reaches("held");
    let cut_off = cluster.processes.id_of("node-1");
    network.cut(2);
    cluster.processes.nodes_become_dead(1);
    // Only now there is another place for the work: nothing of it could have begun before.
    let flags = format!("--address {} --node-name other {doomed}", SocketAddr::new(network.address(0), HEAD_PORT));
    let other = process(&network, 3, &cluster.folder, &flags, &[]);
    job.passes("held");
    job.reaches("held again");
    network.heal(2);
    let rows = cluster.processes.rows_become("nodes", |rows| alive(rows, "node-1").is_some());
    assert_ne!(alive(&rows, "node-1").as_deref(), Some(cut_off.as_str()));
    let dead = rows.iter().find(|row| row["node_id"] == cut_off.as_str()).expect("it is still listed");
    assert_eq!(dead["state"], "DEAD");
    job.passes("held again");
    let output = job.output();
    assert_eq!(output.code, Some(0), "{output}");
    let lines: Vec<&str> = output.stdout.lines().filter(|line| !line.starts_with("pause: ")).collect();
    // Each task ran once on either node, and the actor has one life at a time.
    assert_eq!(lines, ["(0, 1)", "(1, 1)", "[1, 1]", "(1, 2)", "4"]);
    drop(other);
}

/// The id of the living node of that name.
fn alive(rows: &[Value], name: &str) -> Option<String> {
    let row = rows.iter().find(|row| row["node_name"] == name && row["state"] == "ALIVE")?;
    row["node_id"].as_str().map(str::to_owned)
}
