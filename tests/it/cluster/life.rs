//! The life of a cluster as people lead it: into the background, found again, looked at, stopped.

use std::net::TcpListener;

use rayw_tests::{Home, command, eventually, guest};
use serde_json::Value;

fn submit(name: &str, flags: &[&str]) -> rayw_tests::Run {
    let app = guest(name);
    command(["submit".as_ref(), app.as_os_str()].into_iter().chain(flags.iter().map(|flag| flag.as_ref())))
}

/// The text without what differs each time.
fn settled(text: &str, changing: &[&str]) -> String {
    changing.iter().fold(text.to_owned(), |text, word| text.replace(word, "…"))
}

#[test]
fn a_cluster_goes_to_the_background_is_found_by_its_session_and_is_stopped() {
    let home = Home::new();
    let nothing = home.call(["job", "status", "x"]).failed(2);
    insta::assert_snapshot!(nothing, @r"
    error: nothing of rayw is running here, and no cluster is named
      hint: `rayw start --head` starts a cluster, `rayw run APP` runs one program; `--address HOST:PORT` or RAYW_ADDRESS names a cluster elsewhere
    ");
    for words in [&["status"][..], &["job", "list"], &["drain", "x"]] {
        assert_eq!(home.call(words.iter().copied()).failed(2), nothing);
    }
    let address = home.head(&["--num-cpus", "0"]);
    home.node(&address, "left", &["--num-cpus", "2", "--labels", "zone=a,disk=ssd"]);
    eventually("the node's word in its log", || home.log("left").contains("ready").then_some(()));

    let rows = home.rows("nodes");
    let left = rows.iter().find(|row| row["node_name"] == "left").expect("the node is listed");
    assert_eq!((&left["state"], &left["labels"]), (&"ALIVE".into(), &"{'disk': 'ssd', 'zone': 'a'}".into()));
    let id = left["node_id"].as_str().expect("it has an id");
    assert!(home.call(["get", "nodes", id]).succeeded().contains("zone"));

    // Nobody says where the cluster is.
    let job = home.run(submit("memo-tasks", &[]));
    assert!(job.stdout.contains("[1, 1, 1, 1]"), "{job}");
    assert_eq!(job.code, Some(0), "{job}");

    let stopped = home.call(["stop"]).succeeded();
    assert!(stopped.contains(&format!("stopped the head at {address}")), "{stopped}");
    assert!(stopped.contains(&format!("stopped node `left` of {address}")), "{stopped}");
    assert!(stopped.ends_with("stopped 2 processes\n"), "{stopped}");
    assert_eq!(home.call(["stop"]).succeeded(), "no head or node of a cluster runs here\n");
    assert!(std::net::TcpStream::connect(&address).is_err(), "the port is free again");
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    let start = command(["start", "--head", "--port", &port]).flag("--dir", home.folder("head"));
    let said = home.run(start).failed(2);
    assert!(said.contains("is the port taken by another process?"), "{said}");
    assert!(said.contains("rayw.log"), "{said}");

    let address = format!("127.0.0.1:{port}");
    let start = command(["start", "--address", &address, "--join-timeout", "300ms"]);
    let said = home.run(start.flag("--dir", home.folder("left"))).failed(2);
    let unanswered = |address: &str| {
        format!("error: no head answered at `{address}` within 300ms: start it, or correct `--address`")
    };
    assert!(said.contains(&unanswered(&address)), "{said}");
    // One that no other test's head is given meanwhile, as it might be one that was free a moment ago.
    let closed = "127.0.0.1:1";
    let start = command(["start", "--address", closed, "--join-timeout", "300ms", "--block"]);
    let said = home.run(start.flag("--dir", home.folder("left"))).failed(2);
    assert!(said.contains(&unanswered(closed)) && said.contains("refused"), "{said}");

    let address = home.head(&[]);
    let start = command(["start", "--head", "--port", "0"]).flag("--dir", home.folder("head"));
    let said = home.run(start).failed(2);
    assert!(said.contains("another rayw process uses the folder"), "{said}");
    let stopped = home.call(["stop", "--force"]).succeeded();
    assert_eq!(settled(&stopped, &[&address]).lines().last(), Some("killed 1 process"), "{stopped}");
    insta::assert_snapshot!(home.call(["start", "--head", "--node-timeout", "600ms"]).failed(64), @r"
    error: `--node-timeout` is 600ms and `--heartbeat-period` 500ms: one lost heartbeat would be a death
      hint: make the time-out at least twice the period
    ");
}

#[test]
fn the_status_tells_what_is_there_and_why_something_waits() {
    let home = Home::new();
    let address = home.head(&["--num-cpus", "0", "--memory", "1GiB", "--object-store-memory", "1GiB"]);
    home.node(&address, "left", &["--num-cpus", "2", "--memory", "1GiB", "--object-store-memory", "1GiB"]);
    let id = home.run(submit("memo-tasks", &["--no-wait", "--num-cpus", "99"])).succeeded();
    let id = id.trim();
    let status = eventually("a driver that waits", || {
        let status = home.call(["status"]).succeeded();
        status.contains("pending driver").then_some(status)
    });
    for words in [
        "0/2 CPU",
        "0B/2.00GiB memory",
        "{'CPU': 99}: 1 pending driver of job 00000001",
        "infeasible: needs 99 CPU (2 here)",
        &format!("{id}: PENDING memo-tasks.wasm"),
    ] {
        assert!(status.contains(words), "{words}: {status}");
    }
    // The node tells how large its store is a moment after it has joined.
    eventually("the stores of both nodes", || {
        home.call(["status"]).succeeded().contains("0B/2.00GiB object_store_memory").then_some(())
    });
    let document: Value =
        serde_json::from_str(&home.call(["status", "--format", "json"]).succeeded()).expect("it is JSON");
    assert_eq!(document["nodes"].as_array().map(Vec::len), Some(2), "{document}");
    assert_eq!(document["demands"][0]["kind"], "drivers", "{document}");
    let verbose = home.call(["status", "-v"]).succeeded();
    assert!(verbose.contains("Node: left (ALIVE)") && verbose.contains("(no activity)"), "{verbose}");
    assert!(home.call(["job", "status", id]).succeeded().contains("infeasible"));
    assert_eq!(home.call(["list", "placement-groups"]).succeeded(), "No resource in the cluster\n");
    // It waits for a node that is large enough; one that comes is taken.
    home.node(&address, "large", &["--num-cpus", "100"]);
    home.rows_become("jobs", |rows| rows.iter().all(|row| row["status"] == "SUCCEEDED"));
}

#[test]
fn a_node_goes_on_without_its_head_says_so_and_is_there_when_it_is_back() {
    let home = Home::new();
    let address = home.head(&["--num-cpus", "0"]);
    home.node(&address, "left", &["--num-cpus", "1"]);
    let port = address.rsplit_once(':').map_or("", |(_, port)| port);
    // The node has the newer session: all but the head's is left alone by a signal to the head alone.
    let head = session_of(&home, "head");
    rayw_tests::kill(head);
    eventually("a word on the lost head", || home.log("left").contains("is lost").then_some(()));
    assert!(home.log("left").contains("work here goes on"), "{}", home.log("left"));
    let start = command(["start", "--head", "--num-cpus", "0", "--port", port]).flag("--dir", home.folder("head"));
    assert!(home.run(start).succeeded().contains(&address));
    home.rows_become("nodes", |rows| rows.iter().any(|row| row["node_name"] == "left" && row["state"] == "ALIVE"));
    eventually("a word on the head that is back", || home.log("left").contains("answers again").then_some(()));
    let job = home.run(submit("memo-tasks", &[]));
    assert_eq!(job.code, Some(0), "{job}");
}

/// The process of a session of that part.
fn session_of(home: &Home, part: &str) -> u32 {
    let ours = std::fs::read_dir(home.runtime()).expect("there are sessions").flatten();
    let sessions = ours.flat_map(|ours| std::fs::read_dir(ours.path()).into_iter().flatten().flatten());
    let mut files = sessions.filter_map(|session| {
        let text = std::fs::read_to_string(session.path().join("session.json")).ok()?;
        serde_json::from_str::<Value>(&text).ok().filter(|file| file["part"] == part)
    });
    let file = files.next().expect("there is one");
    file["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("it names its process")
}
