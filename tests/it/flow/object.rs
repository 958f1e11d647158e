//! Objects: how long they are kept, and values of every size.

use rayw_tests::{Running, cluster, eventually, run};
use serde_json::Value;

/// Objects larger than this are what the scenarios are about; the others belong to their log.
const LARGE: u64 = 100_000;

fn started(scenario: &str) -> Running {
    run("behave").args([scenario]).num_cpus(2).start()
}

#[track_caller]
fn prints(scenario: &str) -> String {
    run("behave").args([scenario]).num_cpus(2).output().succeeded()
}

/// Why the large objects are kept, in alphabetical order.
fn reasons(rows: &[Value]) -> Vec<&str> {
    let large = rows.iter().filter(|row| row["object_size"].as_u64().is_some_and(|size| size > LARGE));
    let mut reasons: Vec<_> = large.filter_map(|row| row["reference_type"].as_str()).collect();
    reasons.sort_unstable();
    reasons
}

/// Waits until the large objects are kept for just these reasons.
#[track_caller]
fn kept_for(running: &Running, expected: &[&str]) {
    running.rows_become("objects", |rows| reasons(rows) == expected);
}

/// Stops at the step, looks, and goes on.
#[track_caller]
fn at(running: &mut Running, step: &str, expected: &[&str]) {
    running.reaches(step);
    kept_for(running, expected);
    running.passes(step);
}

#[test]
fn an_object_is_kept_until_its_last_reference_is_dropped() {
    let mut running = started("a_reference_copied_and_dropped");
    at(&mut running, "one", &["LOCAL_REFERENCE"]);
    at(&mut running, "two", &["LOCAL_REFERENCE"]);
    at(&mut running, "one again", &["LOCAL_REFERENCE"]);
    at(&mut running, "none", &[]);
    assert!(running.output().succeeded().contains("true 200000"));
}

#[test]
fn an_argument_is_kept_until_its_task_is_finished() {
    let mut running = started("an_argument_of_a_waiting_task");
    // The task's own code holds bytes, not a reference.
    at(&mut running, "used", &["USED_BY_PENDING_TASK"]);
    at(&mut running, "finished", &[]);
    let _ = running.output().succeeded();
}

#[test]
fn an_argument_is_kept_until_its_task_has_failed() {
    let mut running = started("an_argument_of_a_failing_task");
    at(&mut running, "used", &["USED_BY_PENDING_TASK"]);
    at(&mut running, "finished", &[]);
    assert!(running.output().succeeded().contains("worker-crashed"));
}

#[test]
fn a_borrower_that_breaks_gives_its_references_back() {
    let mut running = started("a_borrower_that_breaks");
    at(&mut running, "borrowed", &["LOCAL_REFERENCE", "USED_BY_PENDING_TASK"]);
    at(&mut running, "broken", &[]);
    assert!(running.output().succeeded().contains("worker-crashed"));
}

#[test]
fn a_borrower_that_is_cancelled_gives_its_references_back() {
    let mut running = started("a_borrower_that_is_cancelled");
    at(&mut running, "borrowed", &["LOCAL_REFERENCE", "USED_BY_PENDING_TASK"]);
    at(&mut running, "cancelled", &[]);
    assert!(running.output().succeeded().contains("task-cancelled"));
}

#[test]
fn what_an_actor_keeps_goes_with_the_actor() {
    let mut running = started("an_actor_that_keeps_and_breaks");
    at(&mut running, "kept", &["LOCAL_REFERENCE"]);
    at(&mut running, "broken", &[]);
    assert!(running.output().succeeded().contains("actor-died"));
}

#[test]
fn an_argument_is_kept_for_another_attempt() {
    let mut running = started("an_argument_of_a_task_that_is_retried");
    at(&mut running, "finished", &[]);
    assert!(running.output().succeeded().starts_with("200000"));
}

#[test]
fn an_argument_of_a_constructor_is_kept_for_a_restart() {
    let mut running = started("an_argument_of_a_constructor_that_runs_again");
    at(&mut running, "living", &["USED_BY_PENDING_TASK"]);
    at(&mut running, "gone", &[]);
    insta::assert_snapshot!(running.output().succeeded(), @"
    200000
    pause: living
    actor-unavailable
    200000
    pause: gone
    ");
}

#[test]
fn a_reference_within_a_result_lives_as_long_as_the_result() {
    let mut running = started("a_reference_in_a_result");
    at(&mut running, "captured", &["CAPTURED_IN_OBJECT"]);
    at(&mut running, "gone", &[]);
    assert!(running.output().succeeded().contains("200000"));
}

#[test]
fn a_reference_within_objects_lives_as_long_as_the_outermost() {
    let mut running = started("a_reference_in_an_object");
    at(&mut running, "captured", &["CAPTURED_IN_OBJECT"]);
    at(&mut running, "gone", &[]);
    assert!(running.output().succeeded().contains("200000"));
}

#[test]
fn a_result_that_nobody_wants_is_not_kept() {
    let mut running = started("a_result_nobody_wants");
    at(&mut running, "gone", &[]);
    assert!(running.output().succeeded().contains("200000"));
}

#[test]
fn what_was_read_at_once_is_let_go_of_at_once() {
    // Those of a log are smaller.
    let count = |rows: &[Value]| rows.iter().filter(|row| row["object_size"].as_u64() > Some(1_000)).count();
    let mut running = started("many_read_at_once");
    for (step, kept) in [("borrowed", 100), ("small", 0), ("large", 0), ("holders", 0), ("of an actor", 0)] {
        running.reaches(step);
        running.rows_become("objects", |rows| count(rows) == kept);
        running.passes(step);
    }
    assert_eq!(running.output().succeeded().matches("100").count(), 5);
}

#[test]
fn nothing_is_kept_after_a_job() {
    let cluster = cluster(2.0);
    for scenario in [
        "references_as_arguments",
        "a_failed_argument",
        "a_wait_that_times_out",
        "cancel_with_children",
        "a_crash_that_is_retried",
        "a_call_under_which_the_actor_breaks",
        "restarts_after_a_crash",
        "killed_with_calls_waiting",
        "a_handle_without_seats",
        "a_large_argument",
        "an_error_of_the_driver",
        "a_handle_dropped_twice",
        "a_reference_that_a_value_does_not_have",
        "more_than_a_guest_has_room_for",
    ] {
        let _ = cluster.run("behave", &[scenario], None);
        cluster.owns_nothing();
    }
}

#[test]
fn references_in_a_long_list_are_counted_one_by_one() {
    let mut running = started("some_of_a_long_list");
    at(&mut running, "read", &["CAPTURED_IN_OBJECT"; 100]);
    at(&mut running, "one left", &["LOCAL_REFERENCE"]);
    at(&mut running, "inside", &["CAPTURED_IN_OBJECT"]);
    at(&mut running, "none left", &[]);
    assert!(running.output().succeeded().contains("200000 true"));
}

#[test]
fn values_are_read_together_whatever_their_sizes() {
    insta::assert_snapshot!(prints("many_values_of_every_size"), @"
    [0, 1, 4096] [0, 1, 4096, 4097, 200000]
    [0, 2, 1, 63] 462
    [0, 2, 1, 63, 64] 910
    serialization: the value cannot be read as `alloc::string::String`
    ");
}

#[test]
fn ten_thousand_references_fit_into_one_value() {
    insta::assert_snapshot!(prints("ten_thousand_references"), @"
    49995000
    49995000
    10000 true
    ");
}

#[test]
fn fifty_thousand_references_fit_into_one_guest() {
    insta::assert_snapshot!(prints("many_handles"), @"
    50000
    16
    ");
}

#[test]
fn a_value_of_two_hundred_mebibytes_is_put_and_returned() {
    insta::assert_snapshot!(prints("a_large_value"), @"
    209715200 true
    true
    ");
}

#[test]
fn an_argument_of_two_hundred_mebibytes_arrives() {
    insta::assert_snapshot!(prints("a_large_argument"), @"
    (209715200, true)
    (52428800, true)
    ");
}

#[test]
fn several_large_results_keep_apart() {
    insta::assert_snapshot!(prints("large_results"), @"true");
}

#[test]
fn what_does_not_fit_into_the_store_comes_back_from_files() {
    let output =
        run("behave").args(["more_than_the_store_holds"]).num_cpus(2).flag("--object-store-memory", "64MiB").output();
    insta::assert_snapshot!(output.succeeded(), @"20 objects came back");
}

#[test]
fn small_values_go_to_the_store_when_they_are_too_many() {
    let scenario = "more_small_values_than_there_is_room_for";
    let mut running = run("behave").args([scenario]).num_cpus(2).flag("--object-store-memory", "1MiB").start();
    running.reaches("full");
    let in_store = || {
        let status = running.ask(["status", "--format", "json"]).succeeded();
        let status: Value = serde_json::from_str(&status).expect("it is JSON");
        status["nodes"][0]["used"]["object_store_memory"].as_u64().filter(|bytes| *bytes > 0)
    };
    eventually("the store has some", in_store);
    running.passes("full");
    assert!(running.output().succeeded().contains("\ntrue\n"));
}

#[test]
fn every_kind_of_value_comes_back_as_it_was() {
    insta::assert_snapshot!(prints("every_kind_of_value"), @r#"
    true
    ([], "", Bytes(0 B: b""), (), (0, '\0'))
    "#);
}

#[test]
fn a_value_read_as_another_type_is_an_error_and_no_crash() {
    insta::assert_snapshot!(prints("a_value_of_another_type"), @"serialization");
}
