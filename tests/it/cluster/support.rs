//! Starting a cluster of processes, and asking it.

use rayw_tests::{Output, Running, command, eventually, guest};
use serde_json::Value;

/// A head without cpus for tasks, and nodes with two each unless they say otherwise.
pub(super) struct Processes {
    /// None while it is killed.
    head: Option<Running>,
    pub(super) nodes: Vec<(String, Running)>,
    pub(super) address: String,
    folder: tempfile::TempDir,
    /// Nodes that were ever started; their names are numbered by it.
    started: usize,
    /// Variables that the head has.
    environment: Vec<(String, String)>,
}

impl Processes {
    /// A cluster of that many nodes beside the head, once all of them are there.
    pub(super) fn start(nodes: usize) -> Self {
        Self::start_with(&vec![""; nodes])
    }

    /// A cluster of nodes that are started with these flags, such as `--num-cpus 4 --labels zone=a`.
    pub(super) fn start_with(nodes: &[&str]) -> Self {
        Self::start_where(nodes, &[])
    }

    /// The same, where all processes have these variables.
    pub(super) fn start_where(nodes: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Vec<_> = environment.iter().map(owned).collect();
        let head = start_head(folder.path(), "0", &environment);
        let address = word_after(&head, "ready at ");
        let mut processes = Self { nodes: Vec::new(), address, head: Some(head), folder, started: 0, environment };
        for flags in nodes {
            processes.spawn(flags);
        }
        processes.all_are_there();
        processes
    }

    /// Processes that were started somehow, once all are there.
    pub(super) fn of(head: Running, address: String, nodes: Vec<(String, Running)>) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let started = nodes.len();
        let processes = Self { nodes, address, head: Some(head), folder, started, environment: Vec::new() };
        processes.all_are_there();
        processes
    }

    fn spawn(&mut self, flags: &str) {
        let name = format!("node-{}", self.started);
        self.started += 1;
        let cpus = if flags.contains("--num-cpus") { "" } else { "--num-cpus 2" };
        let words = ["start", "--block", "--address", &self.address, "--node-name", &name].into_iter();
        let node = command(words.chain(cpus.split_whitespace()).chain(flags.split_whitespace()));
        let node = node.flag("--dir", self.folder.path().join(&name)).start();
        self.nodes.push((name, node));
    }

    /// Waits until each of the nodes is alive, and none that was killed still counts as it.
    fn all_are_there(&self) {
        let wanted = self.nodes.len() + 1;
        self.rows_become("nodes", |rows| {
            let alive: Vec<&Value> = rows.iter().filter(|row| row["state"] == "ALIVE").collect();
            let is_alive = |name: &str| alive.iter().any(|row| row["node_name"] == name);
            alive.len() == wanted && self.nodes.iter().all(|(name, _)| is_alive(name))
        });
    }

    /// One more node, once it is there.
    pub(super) fn join(&mut self, flags: &str) {
        self.spawn(flags);
        self.all_are_there();
    }

    /// Kills the head as `kill -9` does.
    pub(super) fn kill_head(&mut self) {
        drop(self.head.take());
    }

    /// Starts the head again where it was: the same port, the same folder.
    pub(super) fn start_head_again(&mut self) {
        let port = self.address.rsplit_once(':').expect("an address has a port").1;
        let head = start_head(self.folder.path(), port, &self.environment);
        word_after(&head, "ready at ");
        self.head = Some(head);
    }

    /// Kills the head, starts it again and waits until the nodes are back.
    pub(super) fn restart_head(&mut self) {
        self.kill_head();
        self.start_head_again();
        self.all_are_there();
    }

    /// The folder of the head.
    pub(super) fn head_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("head")
    }

    /// What `rayw WORDS… --address …` says.
    pub(super) fn ask(&self, words: &[&str]) -> Output {
        command(words.iter().copied()).flag("--address", &self.address).output()
    }

    /// The rows of `rayw list`.
    pub(super) fn rows(&self, resource: &str) -> Vec<Value> {
        let json = self.ask(&["list", resource, "--detail", "--format", "json", "--limit", "10000"]).succeeded();
        serde_json::from_str(&json).expect("the answer is a JSON list")
    }

    /// The rows once they are as wanted.
    pub(super) fn rows_become(&self, resource: &str, fulfils: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        eventually(&format!("rows of {resource}"), || {
            let rows = self.rows(resource);
            fulfils(&rows).then_some(rows)
        })
    }

    /// Submits a guest and follows it.
    pub(super) fn submit(&self, name: &str, args: &[&str]) -> Running {
        let app = guest(name);
        let submit = command(["submit".as_ref(), app.as_os_str()]).flag("--address", &self.address);
        submit.args(args).start()
    }

    /// Waits until no job has left anything: no lease, no object, nothing in use.
    pub(super) fn nothing_is_left(&self) {
        self.rows_become("leases", <[Value]>::is_empty);
        self.rows_become("objects", <[Value]>::is_empty);
        self.rows_become("actors", |rows| rows.iter().all(|row| row["state"] == "DEAD"));
        self.rows_become("nodes", |rows| {
            let mut alive = rows.iter().filter(|row| row["state"] == "ALIVE");
            alive.all(|row| row["resources_available"] == row["resources_total"])
        });
        eventually("empty stores", || {
            let status = self.ask(&["status", "-v"]).succeeded();
            let used = |line: &str| line.contains("object_store_memory") && !line.trim_start().starts_with("0B/");
            (!status.lines().any(used)).then_some(())
        });
    }

    /// The id of the node of that name.
    pub(super) fn id_of(&self, name: &str) -> String {
        let rows = self.rows("nodes");
        let row = rows.iter().find(|row| row["node_name"] == name);
        row.and_then(|row| row["node_id"].as_str()).expect("the node is listed").to_owned()
    }

    /// Waits until that many nodes are known to be dead.
    pub(super) fn nodes_become_dead(&self, number: usize) {
        self.rows_become("nodes", |rows| rows.iter().filter(|row| row["state"] == "DEAD").count() == number);
    }

    /// Waits until a node's process has ended by itself.
    pub(super) fn ends(&mut self, index: usize) {
        let (name, node) = self.nodes.remove(index);
        let output = node.output();
        assert_eq!(output.code, Some(0), "{name}: {output}");
    }

    /// Whether the head's process has logged these words.
    pub(super) fn head_logged(&self, words: &str) -> bool {
        self.head.as_ref().is_some_and(|head| head.so_far().stderr.contains(words))
    }

    /// Kills a node as `kill -9` does.
    pub(super) fn kill(&mut self, index: usize) -> String {
        self.nodes.remove(index).0
    }
}

fn start_head(folder: &std::path::Path, port: &str, environment: &[(String, String)]) -> Running {
    let mut head = command(["start", "--head", "--block", "--port", port, "--num-cpus", "0"]);
    for (name, value) in environment {
        head = head.environment(name, value);
    }
    head.flag("--dir", folder.join("head")).start()
}

/// The word behind these, once the process has said it.
pub(super) fn word_after(process: &Running, words: &str) -> String {
    eventually(words, || {
        let said = process.so_far().stdout;
        let (word, _) = said.split_once(words)?.1.split_once(char::is_whitespace)?;
        Some(word.to_owned())
    })
}
