//! What becomes of tasks, actors and objects of a node that is killed. The scenarios are in the guest
//! `behave`, file `nodes.rs`; their drivers run at the head.

use rayw_tests::Running;
use serde_json::Value;

use super::support::Processes;

/// Nodes that are killed, one after another; each offers the same.
const DOOMED: &str = r#"--num-cpus 2 --resources {"doomed":1}"#;
/// A node that stays.
const SAFE: &str = r#"--num-cpus 2 --resources {"safe":1}"#;

/// The scenario on a node that stays and one that is doomed.
fn scenario(name: &str) -> (Processes, Running) {
    let cluster = Processes::start_with(&[SAFE, DOOMED]);
    let job = cluster.submit("behave", &[name]);
    (cluster, job)
}

/// Kills the doomed node; another one takes its place.
fn replaced(cluster: &mut Processes) {
    cluster.kill(1);
    cluster.join(DOOMED);
}

/// What the driver printed between its pauses.
fn lines(job: Running) -> Vec<String> {
    let output = job.output();
    assert_eq!(output.code, Some(0), "{output}");
    output.stdout.lines().filter(|line| !line.starts_with("pause: ")).map(str::to_owned).collect()
}

/// The scenario as a job in the namespace that these share. Its folder stays as long as what it gives.
fn shared(cluster: &Processes, scenario: &str) -> Running {
    let app = rayw_tests::guest("behave");
    let submit = rayw_tests::command(["submit".as_ref(), app.as_os_str()]).flag("--address", &cluster.address);
    submit.flag("--namespace", "shared").args([scenario]).start()
}

#[test]
fn lost_results_are_made_again_with_what_they_were_made_of() {
    let (mut cluster, mut job) = scenario("lost_results_are_made_again");
    job.reaches("made");
    replaced(&mut cluster);
    job.passes("made");
    assert_eq!(lines(job), ["(300000, 3)", "2 4"]);
}

#[test]
fn a_result_that_is_lost_more_often_than_its_task_may_run_stays_lost() {
    let (mut cluster, mut job) = scenario("a_result_that_is_lost_too_often");
    job.reaches("made");
    replaced(&mut cluster);
    job.passes("made");
    job.reaches("made again");
    replaced(&mut cluster);
    job.passes("made again");
    let lines = lines(job);
    assert_eq!((lines[0].as_str(), lines[2].as_str()), ("300000", "2"));
    let said = &lines[1];
    assert!(said.starts_with("object lost: ") || said.starts_with("object-lost: "), "{said}");
    assert!(said.contains("cannot be made again: its task has used up its retries (`max_retries`"), "{said}");
}

#[test]
fn a_result_of_a_task_that_runs_once_only_stays_lost() {
    let (mut cluster, mut job) = scenario("a_result_that_may_not_be_made_again");
    job.reaches("made");
    replaced(&mut cluster);
    job.passes("made");
    let lines = lines(job);
    assert!(lines[0].contains("cannot be made again: its task may not be run again"), "{lines:?}");
    assert_eq!(lines[1], "1");
}

#[test]
fn a_result_that_its_owner_remembers_no_more_stays_lost_and_a_later_one_comes_back() {
    let mut cluster = Processes::start_where(&[SAFE, DOOMED], &[("RAYW_LINEAGE_BYTES", "4KiB")]);
    let mut job = cluster.submit("behave", &["a_result_whose_lineage_was_too_large"]);
    job.reaches("made");
    replaced(&mut cluster);
    job.passes("made");
    let lines = lines(job);
    assert!(lines[0].contains("RAYW_LINEAGE_BYTES"), "{lines:?}");
    assert_eq!(lines[1], "(300000, 1)");
}

#[test]
fn an_object_goes_with_its_owner() {
    let (mut cluster, mut job) = scenario("an_object_whose_owner_dies");
    job.reaches("put");
    replaced(&mut cluster);
    job.passes("put");
    let lines = lines(job);
    assert!(lines[1].contains("is lost because node") && lines[1].contains("which owned it, is gone"), "{lines:?}");
    assert_eq!((lines[0].as_str(), lines[2].split(' ').next()), ("300000", lines[1].split([':', ' ']).next()));
}

#[test]
fn what_a_dead_node_borrowed_is_freed() {
    let (mut cluster, mut job) = scenario("a_borrower_whose_node_dies");
    job.reaches("borrowed");
    let said = job.so_far().stdout;
    let id = said.lines().find_map(|line| line.strip_prefix("id ")).expect("the scenario says it").to_owned();
    let is_kept = |rows: &[Value]| rows.iter().any(|row| row["object_id"] == id.as_str());
    // The owner keeps it although its own references are gone.
    cluster.rows_become("objects", |rows| {
        rows.iter().any(|row| row["object_id"] == id.as_str() && row["reference_type"] == "BORROWED_BY_NODE")
    });
    cluster.kill(1);
    job.passes("borrowed");
    job.reaches("freed");
    cluster.rows_become("objects", |rows| !is_kept(rows));
    job.passes("freed");
    let lines = lines(job);
    assert!(lines[2].contains("actor"), "{lines:?}");
}

#[test]
fn a_reference_outlives_the_actor_that_lent_it() {
    let (mut cluster, mut job) = scenario("a_reference_that_outlives_its_lender");
    job.reaches("lent");
    cluster.kill(1);
    cluster.nodes_become_dead(1);
    job.passes("lent");
    assert_eq!(lines(job), ["(300000, 1)"]);
}

#[test]
fn an_actor_starts_again_elsewhere_as_often_as_it_may() {
    let (mut cluster, mut job) = scenario("an_actor_on_nodes_that_die");
    job.reaches("lives");
    replaced(&mut cluster);
    job.passes("lives");
    job.reaches("lives again");
    replaced(&mut cluster);
    cluster.nodes_become_dead(2);
    job.passes("lives again");
    let lines = lines(job);
    assert_eq!(lines[..3], ["(0, 1) (0, 2)", "(1, 1)", "false"]);
    assert!(lines[3].contains("died"), "{lines:?}");
}

#[test]
fn calls_end_with_their_actors_node_unless_they_may_be_tried_again() {
    let (mut cluster, mut job) = scenario("calls_of_an_actor_that_dies");
    job.reaches("held");
    replaced(&mut cluster);
    job.passes("held");
    let lines = lines(job);
    let kinds: Vec<Vec<&str>> = lines[1..3].iter().map(|line| line.split(' ').collect()).collect();
    // All are ready; those of the one that may try again have values.
    assert_eq!(lines[0], "3");
    for kinds in kinds {
        assert!(kinds[0].contains("died") && kinds[1].contains("actor") && kinds[2] == "ok", "{lines:?}");
    }
}

#[test]
fn a_detached_actor_whose_node_is_lost_lives_again_on_a_node_that_joins_later() {
    let mut cluster = Processes::start_with(&[SAFE, DOOMED]);
    // Its folder is given to the actor again, so it has to stay.
    let first = shared(&cluster, "a_detached_actor_on_a_node_that_dies");
    cluster.rows_become("jobs", |rows| rows.iter().any(|row| row["status"] == "SUCCEEDED"));
    cluster.kill(1);
    cluster.rows_become("actors", |rows| rows.iter().any(|row| row["state"] == "RESTARTING"));
    cluster.join(DOOMED);
    assert_eq!(lines(shared(&cluster, "find_the_detached_actor_again")), ["(1, 1)"]);
    assert_eq!(lines(first), ["(0, 1)"]);
    cluster.nothing_is_left();
}

#[test]
fn a_detached_actor_that_is_made_again_after_its_job_may_submit_in_its_constructor() {
    let mut cluster = Processes::start_with(&[SAFE, DOOMED]);
    let first = shared(&cluster, "a_detached_actor_whose_constructor_submits");
    cluster.rows_become("jobs", |rows| rows.iter().any(|row| row["status"] == "SUCCEEDED"));
    cluster.kill(1);
    cluster.rows_become("actors", |rows| rows.iter().any(|row| row["state"] == "RESTARTING"));
    cluster.join(DOOMED);
    assert_eq!(lines(shared(&cluster, "find_what_its_constructor_made")), [r#"(1, "7")"#]);
    assert_eq!(lines(first), [r#"(0, "7")"#]);
    cluster.nothing_is_left();
}

#[test]
fn a_detached_actor_is_called_from_where_nobody_knows_its_job() {
    let cluster = Processes::start_with(&[SAFE, DOOMED]);
    let first = shared(&cluster, "a_detached_actor_on_a_node_that_dies");
    cluster.rows_become("jobs", |rows| rows.iter().any(|row| row["status"] == "SUCCEEDED"));
    assert_eq!(lines(shared(&cluster, "the_detached_actor_from_another_node")), ["(0, 2)"]);
    assert_eq!(lines(first), ["(0, 1)"]);
    cluster.nothing_is_left();
}

#[test]
fn large_results_of_an_actor_are_made_again_where_its_calls_may_be() {
    let (mut cluster, mut job) = scenario("results_of_an_actor_that_dies");
    for round in 0..10 {
        job.reaches(&format!("made {round}"));
        replaced(&mut cluster);
        job.passes(&format!("made {round}"));
    }
    assert_eq!(lines(job), ["300000"; 10]);
}

#[test]
fn large_results_of_an_actor_are_lost_otherwise_and_it_goes_on() {
    let (mut cluster, mut job) = scenario("results_of_an_actor_that_are_not_made_again");
    job.reaches("made");
    replaced(&mut cluster);
    job.passes("made");
    let lines = lines(job);
    assert!(lines[0].contains("lost"), "{lines:?}");
    assert_eq!(lines[1], "(1, 1)");
}

#[test]
fn a_task_runs_again_elsewhere_if_it_may() {
    let (mut cluster, mut job) = scenario("a_task_whose_node_dies");
    job.reaches("held");
    replaced(&mut cluster);
    job.passes("held");
    let lines = lines(job);
    assert!(lines[0].contains("node") && lines[0].contains("died"), "{lines:?}");
    assert_eq!(lines[1], "1");
}
