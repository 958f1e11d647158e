//! Every example while nodes are killed: it gives the right answer or says what died, ends in time, and
//! leaves nothing behind. The drivers run at the head, which stays.

use std::fmt::Write as _;
use std::path::Path;

use rayw_tests::{Output, Running, command, eventually, guest};
use serde_json::Value;

use super::support::Processes;

/// Looks without work after which there is none to come.
const IDLE_LOOKS: u32 = 50;

impl Processes {
    /// Submits an example that may use this folder of the host.
    fn submit_with_folder(&self, name: &str, folder: &Path, flag: &str, args: &[&str]) -> Running {
        let mut grant = folder.as_os_str().to_owned();
        grant.push(flag);
        let app = guest(name);
        let submit = command(["submit".as_ref(), app.as_os_str()]).flag("--address", &self.address);
        submit.flag("--dir", grant).args(args).start()
    }

    /// Where among the living nodes one is that has such a row now; none when all work was done before.
    fn node_with(&self, resource: &str, fits: impl Fn(&Value) -> bool) -> Option<usize> {
        let ids: Vec<String> = self.nodes.iter().map(|(name, _)| self.id_of(name)).collect();
        let place = |row: &Value| ids.iter().position(|id| row["node_id"] == id.as_str());
        // A job that was submitted just now may not be listed yet.
        let mut idle = 0;
        eventually(&format!("{resource} on a node"), || {
            let is_over = self.rows("jobs").iter().all(|row| row["status"] != "RUNNING" && row["status"] != "PENDING");
            idle = if is_over { idle + 1 } else { 0 };
            let found = self.rows(resource).iter().filter(|row| fits(row)).find_map(place);
            (found.is_some() || idle > IDLE_LOOKS).then_some(found)
        })
    }

    /// Kills a node that has such a row now, and starts another in its place.
    fn one_with_is_replaced(&mut self, resource: &str, fits: impl Fn(&Value) -> bool) {
        if let Some(doomed) = self.node_with(resource, fits) {
            self.kill(doomed);
            self.join("");
        }
    }
}

fn is_running(row: &Value) -> bool {
    row["state"] == "RUNNING"
}

fn is_alive(row: &Value) -> bool {
    row["state"] == "ALIVE"
}

/// Whether it failed as one does whose actor died with its node.
#[track_caller]
fn lost_an_actor(output: &Output) -> bool {
    let said = output.stderr.lines().find(|line| line.starts_with("Error: actor `")).unwrap_or_default();
    let says_so = said.contains(" died with its node ") || said.contains(" is unavailable");
    assert!(output.code == Some(0) || (output.code == Some(1) && says_so), "{output}");
    output.code == Some(1)
}

#[test]
fn memo_tasks_give_their_answers_while_nodes_are_killed() {
    let mut cluster = Processes::start(3);
    let jobs: Vec<_> = (0..4).map(|_| cluster.submit("memo-tasks", &["1500"])).collect();
    for round in 0..2 {
        // Once some have run there: the node is known to the jobs, and keeps room for their next tasks.
        let known = cluster.rows("tasks").len();
        cluster.rows_become("tasks", |rows| rows.len() > known || rows.len() == 4 * jobs.len());
        cluster.kill(round);
        cluster.join("");
    }
    for job in jobs {
        let said = job.output().succeeded();
        assert!(said.contains("[1, 1, 1, 1]"), "{said}");
    }
    cluster.nothing_is_left();
}

#[test]
fn memo_actors_answer_or_their_deaths_are_told_while_nodes_are_killed() {
    let mut cluster = Processes::start(3);
    for _ in 0..3 {
        let job = cluster.submit("memo-actors", &["1000"]);
        cluster.one_with_is_replaced("actors", is_alive);
        let output = job.output();
        if !lost_an_actor(&output) {
            assert!(output.stdout.contains("[6, 1, 1, 1, 1, 1, 1, 1, 1, 1]"), "{output}");
        }
    }
    // The nodes that are left serve the next ones as ever.
    let said = cluster.submit("memo-actors", &[]).output().succeeded();
    assert!(said.contains("[2, 3, 4, 5, 6]"), "{said}");
    cluster.nothing_is_left();
}

#[test]
fn memo_objects_reach_the_task_wherever_it_runs_at_last() {
    let mut cluster = Processes::start(3);
    let job = cluster.submit("memo-objects", &["3000"]);
    cluster.one_with_is_replaced("tasks", is_running);
    cluster.one_with_is_replaced("tasks", is_running);
    let output = job.output();
    assert_eq!(output.code, Some(0), "{output}");
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(all.contains("[1, 2, 3]"), "{output}");
    cluster.nothing_is_left();
}

/// Texts of so many words that counts of a part are objects of their own; what the top of all is.
fn texts(folder: &Path, files: usize, words: u32) -> String {
    let letters = |number: u32| -> String {
        (0..5).rev().map(|place| char::from(b'a' + (number / 26_u32.pow(place) % 26) as u8)).collect()
    };
    let mut text = String::from("often often often twice twice\n");
    for number in 0..words {
        let _ = writeln!(text, "{}", letters(number));
    }
    for file in 0..files {
        std::fs::write(folder.join(format!("{file}.txt")), &text).expect("the file can be written");
    }
    format!("{} often\n{} twice\n{files} aaaaa\n", 3 * files, 2 * files)
}

#[test]
fn words_are_counted_right_while_nodes_are_killed() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let top = texts(folder.path(), 16, 60_000);
    let mut cluster = Processes::start(3);
    let job = cluster.submit_with_folder("wordcount", folder.path(), "::/text:ro", &["--top", "3", "/text"]);
    // With counts that are only there, so that they must be made again.
    cluster.one_with_is_replaced("tasks", |row| row["state"] == "FINISHED");
    cluster.one_with_is_replaced("tasks", is_running);
    let said = job.output().succeeded();
    assert_eq!(said, top);
    cluster.nothing_is_left();
}

#[test]
fn the_picture_is_the_same_while_nodes_are_killed() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut cluster = Processes::start(3);
    let draw = |cluster: &Processes, file: &str| {
        let file = format!("/out/{file}");
        let args = ["--size", "600x400", "--tile", "50", "--iterations", "16000", "--output", &file];
        cluster.submit_with_folder("mandelbrot", folder.path(), "::/out", &args)
    };
    let said = draw(&cluster, "undisturbed.png").output().succeeded();
    assert!(said.contains("wrote 600 x 400 points"), "{said}");
    let finished = cluster.rows("tasks").len();
    let job = draw(&cluster, "disturbed.png");
    cluster.rows_become("tasks", |rows| rows.len() > finished);
    cluster.one_with_is_replaced("tasks", is_running);
    cluster.one_with_is_replaced("tasks", is_running);
    let said = job.output().succeeded();
    assert!(said.contains("wrote 600 x 400 points"), "{said}");
    let picture = |file: &str| std::fs::read(folder.path().join(file)).expect("the picture is written");
    assert!(picture("disturbed.png") == picture("undisturbed.png"), "the pictures differ");
    cluster.nothing_is_left();
}

const DARTS: [&str; 4] = ["--tasks", "16", "--darts", "20000000"];

#[test]
fn pi_survives_two_nodes_that_throw() {
    let mut cluster = Processes::start(3);
    let job = cluster.submit("monte-carlo-pi", &DARTS);
    // That one may not restart, so its node stays.
    let actors = cluster.rows_become("actors", |rows| rows.iter().any(is_alive));
    let safe = actors[0]["node_id"].clone();
    for _ in 0..2 {
        cluster.one_with_is_replaced("tasks", |row| is_running(row) && row["node_id"] != safe);
    }
    let said = job.output().succeeded();
    assert!(said.contains("pi = 3.14"), "{said}");
    cluster.nothing_is_left();
}

#[test]
fn pi_says_that_its_actor_died_with_its_node() {
    let mut cluster = Processes::start(3);
    let job = cluster.submit("monte-carlo-pi", &DARTS);
    cluster.rows_become("tasks", |rows| rows.iter().any(is_running));
    cluster.one_with_is_replaced("actors", is_alive);
    let output = job.output();
    assert!(lost_an_actor(&output), "{output}");
    cluster.nothing_is_left();
}

#[test]
fn a_gang_that_waits_for_its_nodes_starts_although_one_of_them_is_killed() {
    let mut cluster = Processes::start(3);
    let job = cluster.submit("gang", &["80"]);
    // The first gang is done; the second one wants a node more than there are.
    eventually("the packed gang", || job.so_far().stdout.contains("worker 3 met [0, 1, 2, 3]").then_some(()));
    cluster.rows_become("placement-groups", |rows| rows.iter().any(|row| row["state"] == "PENDING"));
    cluster.kill(0);
    cluster.nodes_become_dead(1);
    cluster.join("");
    cluster.join("");
    let said = job.output().succeeded();
    assert!(said.contains("StrictSpread: 4 workers on 4 node(s)"), "{said}");
    cluster.nothing_is_left();
}

#[test]
fn a_gang_whose_nodes_are_killed_says_so_or_starts() {
    let mut cluster = Processes::start(4);
    for _ in 0..3 {
        let known = cluster.rows("tasks").len();
        let job = cluster.submit("gang", &["30"]);
        cluster.rows_become("tasks", |rows| rows.len() > known);
        cluster.kill(0);
        cluster.join("");
        let output = job.output();
        // Its workers may not be tried again, and its desk may not restart.
        let says_why = ["died", "crashed", "unavailable", "removed"].iter().any(|word| output.stderr.contains(word));
        assert!(output.code == Some(0) || (output.code == Some(1) && says_why), "{output}");
    }
    cluster.nothing_is_left();
}

#[test]
fn a_node_that_is_told_to_end_leaves_its_tasks_to_the_others() {
    let mut cluster = Processes::start(3);
    let job = cluster.submit("monte-carlo-pi", &DARTS);
    let actors = cluster.rows_become("actors", |rows| rows.iter().any(is_alive));
    let safe = actors[0]["node_id"].clone();
    let leaving = cluster.node_with("tasks", |row| is_running(row) && row["node_id"] != safe);
    let leaving = leaving.expect("the darts take longer than a look");
    let id = cluster.id_of(&cluster.nodes[leaving].0);
    cluster.nodes[leaving].1.terminate();
    cluster.ends(leaving);
    let said = job.output().succeeded();
    assert!(said.contains("pi = 3.14"), "{said}");
    // The head was told, and had not to find out.
    let nodes = cluster.rows("nodes");
    let left = nodes.iter().find(|row| row["node_id"] == id.as_str()).expect("it is still listed");
    assert_eq!((&left["state"], &left["state_message"]), (&Value::from("DEAD"), &Value::from("it was stopped")));
    cluster.nothing_is_left();
}
