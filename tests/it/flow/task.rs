//! Tasks: results, waiting, references as arguments, nesting, retries, cancelling, instances.

use rayw_tests::{Run, run};

/// What the scenario prints on this many cpus.
#[track_caller]
fn prints(scenario: &str, num_cpus: u32) -> String {
    scenario_on(scenario, num_cpus).output().succeeded()
}

fn scenario_on(scenario: &str, num_cpus: u32) -> Run {
    run("behave").args([scenario]).num_cpus(num_cpus)
}

#[test]
fn a_task_on_one_cpu_gives_its_result() {
    insta::assert_snapshot!(prints("a_result", 1), @"49");
}

#[test]
fn values_come_in_the_order_in_which_they_are_asked_for() {
    insta::assert_snapshot!(prints("results_in_order", 2), @r#"
    ["same", "same"] true
    [81, 64, 49, 36, 25, 16, 9, 4, 1, 0]
    [9, 9, 1]
    "#);
}

#[test]
fn a_task_may_return_several_objects_or_none() {
    insta::assert_snapshot!(prints("several_results", 2), @r#"
    [3] "two" 1
    [1, 2, 3]
    [1, 2, 3]
    ()
    "#);
}

#[test]
fn fewer_results_than_declared_fail_all_of_them_and_name_the_mismatch() {
    insta::assert_snapshot!(prints("fewer_results_than_declared", 2), @"
    task-error: `count_to` returned 2 values, but its `num_returns` is 3
    task-error: `count_to` returned 2 values, but its `num_returns` is 3
    task-error: `count_to` returned 2 values, but its `num_returns` is 3
    ");
}

#[test]
fn a_get_that_times_out_leaves_the_task_alone() {
    insta::assert_snapshot!(prints("a_get_that_times_out", 2), @r#"
    get-timeout: 0 of 1 objects were ready after 100ms: wait longer
    get-timeout: 0 of 1 objects were ready after 0ns: wait longer
    "gate"
    "#);
}

#[test]
fn wait_answers_with_just_as_many_as_asked_for_in_the_order_of_the_question() {
    insta::assert_snapshot!(prints("a_wait_for_two_of_four", 4), @r#"
    ready ["one", "three"]
    rest true
    ready ["zero", "one", "three"], rest 1
    ready ["zero", "one"], rest 2
    "#);
}

#[test]
fn wait_refuses_the_same_object_twice_and_more_than_there_are() {
    insta::assert_snapshot!(prints("a_wait_that_is_wrong", 2), @"
    invalid-argument
    invalid-argument: `num_ready` is 3, it must be 1 to 2, the number of refs
    invalid-argument: `num_ready` is 0, it must be 1 to 2, the number of refs
    ");
}

#[test]
fn a_wait_that_times_out_tells_what_is_ready_and_a_failed_object_is() {
    insta::assert_snapshot!(prints("a_wait_that_times_out", 2), @"
    ready 1 rest 1
    ready 1
    ");
}

#[test]
fn a_top_level_reference_arrives_as_its_value_and_a_nested_one_as_a_reference() {
    insta::assert_snapshot!(prints("references_as_arguments", 2), @"
    value 1, 2 references to [1, 2]
    81
    ");
}

#[test]
fn a_failed_argument_fails_its_dependents_with_the_same_error_and_no_body_runs() {
    insta::assert_snapshot!(prints("a_failed_argument", 2), @"
    task-error: the root of it from root
    task-error: the root of it from root
    task-error: the root of it from root
    0 bodies ran
    ");
}

#[test]
fn gets_nested_fifty_deep_finish_on_two_cpus() {
    insta::assert_snapshot!(prints("nested_gets", 2), @"50");
}

#[test]
fn gets_nested_fifty_deep_finish_on_one_cpu() {
    insta::assert_snapshot!(prints("nested_gets", 1), @"50");
}

#[test]
fn a_tree_of_tasks_that_wait_for_their_children_finishes() {
    insta::assert_snapshot!(prints("nested_fan_out", 2), @"243");
}

#[test]
fn each_task_has_an_instance_of_its_own() {
    insta::assert_snapshot!(prints("fresh_instances", 2), @"another instance: true, calls 1 1");
}

#[test]
fn an_instance_serves_as_often_as_its_function_allows() {
    insta::assert_snapshot!(prints("reused_instances", 2), @"
    second in the first's: true, calls 1 2
    third in the first's: false, calls 1
    ");
}

#[test]
fn a_thousand_tasks_finish() {
    insta::assert_snapshot!(prints("a_thousand_tasks", 4), @"332833500");
}

#[test]
fn short_tasks_do_not_wait_for_a_long_one_among_them() {
    insta::assert_snapshot!(prints("long_tasks_among_short_ones", 2), @"
    332833500
    task-cancelled
    ");
}

#[test]
fn tasks_that_panic_among_many_fail_alone() {
    insta::assert_snapshot!(prints("failures_among_short_tasks", 2), @"
    980 20
    true
    ");
}

#[test]
fn tasks_that_are_cancelled_among_many_leave_the_others_alone() {
    insta::assert_snapshot!(prints("some_of_many_cancelled", 2), @"true");
}

#[test]
fn a_chain_of_five_hundred_tasks_finishes() {
    insta::assert_snapshot!(prints("a_chain", 2), @"501");
}

#[test]
fn code_knows_who_it_is_and_what_it_holds() {
    insta::assert_snapshot!(prints("the_context", 2), @r#"
    driver None
    8 32 32
    where_am_i 0 None {"CPU": 1.0}
    small 0 None {"CPU": 0.5, "memory": 67108864.0}
    "#);
}

#[test]
fn a_crash_is_retried_as_often_as_said() {
    insta::assert_snapshot!(prints("a_crash_that_is_retried", 2), @"
    worker-crashed: the guest crashed: it reached an `unreachable` instruction (an abort)
    3 runs
    ");
}

#[test]
fn a_crash_is_retried_three_times_unless_said_otherwise() {
    insta::assert_snapshot!(prints("a_crash_without_retries", 2), @"
    worker-crashed
    1 runs
    worker-crashed
    4 runs more
    ");
}

#[test]
fn retries_without_end_go_on_until_it_works() {
    insta::assert_snapshot!(prints("a_crash_that_passes", 2), @"
    5
    6 runs
    ");
}

#[test]
fn errors_of_the_task_are_not_retried_by_themselves() {
    insta::assert_snapshot!(prints("errors_are_not_retried", 2), @"
    task-error: 12 mm of rain
    1 runs
    ");
}

#[test]
fn errors_of_the_task_are_retried_when_asked() {
    insta::assert_snapshot!(prints("errors_are_retried_when_asked", 2), @"
    task-error: 12 mm of rain
    3 runs
    ");
}

#[test]
fn only_listed_errors_are_retried() {
    insta::assert_snapshot!(prints("only_listed_errors_are_retried", 2), @"
    task-error
    3 runs of the listed
    task-error
    1 runs of the other
    ");
}

#[test]
fn a_caller_matches_the_task_error_and_the_error_in_it() {
    insta::assert_snapshot!(prints("an_error_can_be_matched", 2), @"
    true
    Some(Rain { millimetres: 12 }) false
    12 mm of rain
    ");
}

#[test]
fn an_error_of_a_nested_task_keeps_its_type_and_origin() {
    insta::assert_snapshot!(prints("an_error_of_a_nested_task", 2), @"
    task-error Some(Rain { millimetres: 12 })
    rain
    ");
}

#[test]
fn an_error_that_cannot_be_sent_keeps_its_words_and_causes() {
    insta::assert_snapshot!(prints("an_error_that_cannot_be_sent", 2), @r#"
    task-error: the picnic is off because of ["a storm"]
    true None
    "#);
}

#[test]
fn a_value_that_cannot_be_sent_says_so_with_its_own_words() {
    insta::assert_snapshot!(prints("a_result_that_cannot_be_sent", 2), @"
    serialization: the result of `stubborn` cannot be sent: the value of type `behave::failures::Stubborn` cannot be written: it refuses to be sent
    serialization: argument 1 of `takes_stubborn` cannot be sent: the value of type `behave::failures::Stubborn` cannot be written: it refuses to be sent
    ");
}

#[test]
fn a_queued_task_that_is_cancelled_never_runs_and_the_next_one_does() {
    insta::assert_snapshot!(prints("cancel_what_waits", 1), @r#"
    task-cancelled: task `say` was cancelled
    "wanted"
    0 1
    "#);
}

#[test]
fn a_running_task_that_is_cancelled_ends_and_is_not_retried() {
    insta::assert_snapshot!(prints("cancel_what_runs", 1), @"
    task-cancelled: task `long` was cancelled
    task-cancelled: task `forced` was cancelled
    1 1
    ");
}

#[test]
fn who_holds_the_reference_may_cancel_what_another_submitted() {
    insta::assert_snapshot!(prints("cancel_what_another_task_submitted", 2), @"task-cancelled: task `inner` was cancelled");
}

#[test]
fn cancelling_a_parent_cancels_its_children() {
    insta::assert_snapshot!(prints("cancel_with_children", 2), @"
    task-cancelled: task `parent` was cancelled
    0 children ended
    task-cancelled
    0
    ");
}

#[test]
fn cancelling_only_the_parent_leaves_its_children_alone() {
    insta::assert_snapshot!(prints("cancel_without_children", 2), @"
    task-cancelled: task `parent` was cancelled
    1 children ended
    ");
}

#[test]
fn cancelling_what_is_over_does_nothing() {
    insta::assert_snapshot!(prints("cancel_what_is_over", 2), @r#"
    "done"
    ok
    "#);
}

#[test]
fn a_task_that_waits_for_an_argument_can_be_cancelled() {
    insta::assert_snapshot!(prints("cancel_what_waits_for_an_argument", 2), @r#"
    task-cancelled: task `waiting` was cancelled
    "slow"
    "#);
}

#[test]
fn a_custom_resource_is_held_by_one_at_a_time() {
    let output = scenario_on("custom_resources", 2).flag("--resources", r#"{"A": 1}"#).output();
    insta::assert_snapshot!(output.succeeded(), @r#"
    {"A": 0.5, "CPU": 0.0}
    {"CPU": 1.0}
    second waits: true
    second began: 0
    first second
    "#);
}

#[test]
fn what_asks_for_a_resource_that_nobody_has_waits_and_says_why() {
    let mut running = scenario_on("a_resource_nobody_has", 2).start();
    running.reaches("pending");
    let rows = running.rows("tasks");
    let row = rows.iter().find(|row| row["name"] == "unplaced").expect("the task is listed");
    assert_eq!(row["state"], "PENDING_NODE_ASSIGNMENT");
    let why = row["pending_reason"].as_str().unwrap_or_default();
    assert!(why.contains("unobtainium"), "{why}");
    running.passes("pending");
    insta::assert_snapshot!(running.output().succeeded(), @r#"
    get-timeout
    pause: pending
    task-cancelled
    {"CPU": 1.0}
    "#);
}

#[test]
fn a_cpu_can_be_shared_in_ten_thousandths() {
    insta::assert_snapshot!(prints("small_parts_of_a_cpu", 1), @r#"
    {"CPU": 0.5}
    20
    "#);
}

#[test]
fn what_asks_for_more_cpus_than_there_are_holds_up_nobody() {
    insta::assert_snapshot!(prints("more_cpus_than_there_are", 2), @r#"
    get-timeout
    {"CPU": 1.0}
    "#);
}

#[test]
fn without_cpus_only_what_asks_for_none_runs() {
    insta::assert_snapshot!(prints("no_cpus_at_all", 0), @r#"
    {"CPU": 0.0}
    get-timeout
    "#);
}

#[test]
fn memory_is_reserved_before_a_task_runs() {
    let output = scenario_on("memory_is_reserved", 2).flag("--memory", "1GiB").output();
    insta::assert_snapshot!(output.succeeded(), @"
    get-timeout
    second began: 0
    first second
    ");
}

#[test]
fn options_that_make_no_sense_are_refused_with_a_remedy() {
    insta::assert_snapshot!(prints("amounts_that_are_none", 2), @"
    invalid-argument: `num_cpus` is -1: give 0, or 0.0001 and more, in steps of 0.0001
    invalid-argument: `num_cpus` is 0.00001: give 0, or 0.0001 and more, in steps of 0.0001
    invalid-argument: `num_cpus` is NaN: give 0, or 0.0001 and more, in steps of 0.0001
    invalid-argument: `num_cpus` is inf: give 0, or 0.0001 and more, in steps of 0.0001
    invalid-argument: `CPU` is not a custom resource: use `num_cpus` or `memory`
    invalid-argument: `much` is not an amount of memory; write it like `64MiB`
    invalid-argument: `max_retries` is -2: give 0 or more, or -1 for no end
    ");
}
