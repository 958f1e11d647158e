//! Calls and tasks that run one after another in one entry into an instance.

use rayw_tests::run;

/// What the scenario prints, without the words of panics, and without ids, which are other ones each time.
#[track_caller]
fn prints(scenario: &str, num_cpus: u32) -> String {
    let printed = run("behave").args([scenario]).num_cpus(num_cpus).output().succeeded();
    let lines = printed.lines().filter(|line| !line.starts_with("(Clerk.crash ") && !line.starts_with("(divide "));
    let told = lines.map(|line| match line.split_once(" actor=").zip(line.split_once(") ")) {
        Some(((whose, _), (_, words))) => format!("{whose}) {words}"),
        None => line.to_owned(),
    });
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_call_in_a_line_has_its_own_id_and_objects_and_lines_of_output() {
    insta::assert_snapshot!(prints("each_call_in_a_line_is_one_of_its_own", 2), @"
    (true, 1)
    (Clerk.mutter) one
    (Clerk.mutter) two
    ");
}

#[test]
fn an_error_in_a_line_of_calls_is_that_call_s_alone() {
    insta::assert_snapshot!(prints("what_goes_wrong_in_a_line_of_calls", 2), @"
    1
    task-error: no number 2
    3
    task-error: no number 4
    5
    ");
}

#[test]
fn a_crash_in_a_line_of_calls_leaves_the_answers_before_it_and_the_next_life_the_calls_behind() {
    insta::assert_snapshot!(prints("a_crash_in_a_line_of_calls", 2), @"
    1
    2
    task-panicked
    1
    2
    ");
}

#[test]
fn an_actor_that_ends_itself_in_a_line_of_calls_takes_no_more() {
    insta::assert_snapshot!(prints("the_end_of_an_actor_in_a_line_of_calls", 2), @"
    1
    2
    2
    actor-died
    ");
}

#[test]
fn a_timeout_in_a_line_of_calls_is_that_call_s_alone() {
    insta::assert_snapshot!(prints("a_call_out_of_time_in_a_line_of_calls", 2), @"
    1
    2
    task-timeout
    1
    ");
}

#[test]
fn each_task_in_a_line_has_its_own_id_and_objects() {
    insta::assert_snapshot!(prints("each_task_in_a_line_is_one_of_its_own", 1), @"true, in few instances");
}

#[test]
fn an_error_or_a_panic_in_a_line_of_tasks_is_that_task_s_alone() {
    insta::assert_snapshot!(prints("what_goes_wrong_in_a_line_of_tasks", 1), @r#"[("right", 50), ("task-error of 3", 10), ("task-panicked of 5", 10)]"#);
}

#[test]
fn a_line_of_tasks_does_not_outlast_max_calls() {
    insta::assert_snapshot!(prints("instances_that_serve_three_tasks", 1), @"at most Some(3), once at least true");
}

#[test]
fn a_task_that_wants_an_instance_of_its_own_has_one_whoever_stands_before_it() {
    insta::assert_snapshot!(prints("a_task_that_wants_its_own_instance_in_a_line", 1), @"own: true, reused: true");
}
