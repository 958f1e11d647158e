//! Guests that break down, take too much or lie: each ends with a clear error, and all others go on.

use rayw_tests::run;

/// What the scenario's driver prints: the lines of tasks, which say whose they are, left out.
#[track_caller]
fn prints(scenario: &str) -> String {
    let stdout = run("behave").args([scenario]).num_cpus(2).output().succeeded();
    let lines: Vec<_> = stdout.lines().filter(|line| !line.starts_with('(')).collect();
    lines.join("\n")
}

#[test]
fn a_panic_is_told_in_the_guests_own_words_with_its_place_and_frames() {
    insta::assert_snapshot!(mask_line(&prints("a_panic")), @"
    task-panicked: task panicked at src/failures.rs:…: the task lost its way
    true
    panics
    ");
}

/// Takes out where in a file a panic was.
fn mask_line(text: &str) -> String {
    let Some((before, rest)) = text.split_once(".rs:") else {
        return text.to_owned();
    };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    format!("{before}.rs:…: {}", after.trim_start())
}

#[test]
fn an_unreachable_is_a_crash() {
    insta::assert_snapshot!(
        prints("an_unreachable"),
        @"worker-crashed: the guest crashed: it reached an `unreachable` instruction (an abort)"
    );
}

#[test]
fn a_stack_overflow_is_a_crash_with_its_frames() {
    insta::assert_snapshot!(prints("a_stack_overflow"), @"
    worker-crashed: the guest crashed: stack overflow (call stack exhausted)
    true
    ");
}

#[test]
fn an_endless_loop_ends_with_its_time_out() {
    insta::assert_snapshot!(prints("an_endless_loop"), @"
    task-timeout: task `spin` ran longer than its timeout of 200ms: give it more, or make it smaller
    task-error: others go on
    ");
}

#[test]
fn endless_loops_on_all_cpus_hold_up_nobody() {
    insta::assert_snapshot!(prints("loops_on_all_cpus"), @"
    [1, 4, 9]
    task-cancelled
    ");
}

#[test]
fn an_exit_of_a_task_is_a_crash_even_with_code_0() {
    insta::assert_snapshot!(prints("an_exit_of_a_task"), @"
    worker-crashed: the guest exited with code 3
    worker-crashed: the guest exited with code 0
    ");
}

#[test]
fn memory_past_the_cap_is_out_of_memory_and_a_refused_growth_alone_is_not() {
    insta::assert_snapshot!(prints("memory_past_the_cap"), @"
    64
    out-of-memory
    true
    true
    ");
}

#[test]
fn ten_gibibytes_at_once_are_refused() {
    insta::assert_snapshot!(prints("ten_gibibytes"), @"
    task-panicked true
    out-of-memory
    10
    ");
}

#[test]
fn the_neighbours_of_a_crash_go_on() {
    insta::assert_snapshot!(prints("neighbours_of_a_crash"), @"
    20
    20
    ");
}

#[test]
fn a_handle_that_is_dropped_twice_crashes_only_who_does_it() {
    insta::assert_snapshot!(prints("a_handle_dropped_twice"), @"worker-crashed, others: 16");
}

#[test]
fn a_forged_handle_crashes_only_who_forged_it() {
    insta::assert_snapshot!(prints("a_forged_handle"), @"
    worker-crashed, others: 16
    worker-crashed, others: 16
    worker-crashed, others: 16
    worker-crashed, others: 16
    worker-crashed, others: 16
    ");
}

#[test]
fn a_reference_that_a_value_does_not_have_crashes_only_who_wants_it() {
    insta::assert_snapshot!(prints("a_reference_that_a_value_does_not_have"), @r"
    103
    worker-crashed, others: 16
    worker-crashed, others: 16
    worker-crashed, others: 16
    ");
}

#[test]
fn a_guest_that_asks_for_more_than_it_has_room_for_is_refused_before_it_is_copied() {
    insta::assert_snapshot!(prints("more_than_a_guest_has_room_for"), @r"
    out-of-memory, others: 16
    worker-crashed, others: 16
    worker-crashed, others: 16
    ");
}

#[test]
fn a_forged_handle_within_a_value_crashes_only_who_forged_it() {
    insta::assert_snapshot!(prints("a_handle_of_a_neighbour"), @"
    worker-crashed, others: 16
    worker-crashed, others: 16
    ");
}

#[test]
fn the_bytes_of_a_reference_are_no_reference() {
    insta::assert_snapshot!(prints("ids_are_no_capabilities"), @"InvalidArgument");
}

#[test]
fn an_unknown_function_is_answered_with_the_nearest_names() {
    let printed = prints("unknown_functions");
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[0], "[[9]]");
    assert!(lines[1].starts_with("UnknownFunction: no function `sqare`; did you mean `square`"), "{printed}");
    assert_eq!(lines[2..], ["UnknownFunction: no function ``", "true"], "{printed}");
}

#[test]
fn too_few_and_too_many_arguments_are_refused_with_the_parameters() {
    insta::assert_snapshot!(prints("too_few_and_too_many_arguments"), @"
    InvalidArgument: `square` takes 1 argument (number: u64), 0 given
    InvalidArgument: `square` takes 1 argument (number: u64), 2 given
    ");
}

#[test]
fn an_argument_of_another_type_is_named_with_its_parameter() {
    insta::assert_snapshot!(prints("arguments_of_another_type"), @"
    InvalidArgument: argument `number` of `square` is not a `u64` because of found a text, where something else was expected
    InvalidArgument: argument `number` of `square` is not a `u64` because of invalid type: byte array, expected u64
    ");
}

#[test]
fn bytes_that_are_no_value_are_an_invalid_argument() {
    insta::assert_snapshot!(prints("values_that_are_none"), @"
    InvalidArgument
    InvalidArgument
    InvalidArgument
    InvalidArgument
    ");
}

#[test]
fn more_results_than_allowed_are_refused_and_three_thousand_are_not() {
    insta::assert_snapshot!(prints("more_returns_than_allowed"), @"
    limit-exceeded: `num_returns` is 10001, at most 10000 are allowed
    4498500
    ");
}

#[test]
fn a_flood_of_lines_is_cut_and_blocks_nobody() {
    let output = run("behave").args(["a_flood_of_lines"]).num_cpus(2).output();
    let stdout = output.succeeded();
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines.contains(&"others: 16"), "the other task was held up");
    assert_eq!(lines.last(), Some(&"the driver's last line"));
    let of_flood = lines.iter().filter(|line| line.starts_with("(flood ")).count();
    let text: usize = lines.iter().filter_map(|line| line.split_once(") ")).map(|(_, text)| text.len() + 1).sum();
    assert!(of_flood > 0 && text <= 3 * (17 << 20), "{of_flood} lines with {text} bytes");
    let cut = lines.iter().filter(|line| line.contains("more than 16 MiB printed")).count();
    // When the terminal is too slow the word itself may be among the lines that are dropped.
    assert!(cut <= 3, "said {cut} times");
}

#[test]
fn a_line_without_an_end_is_cut_into_pieces() {
    let stdout = run("behave").args(["a_line_without_an_end"]).output().succeeded();
    let (last, pieces) = {
        let mut lines: Vec<_> = stdout.lines().collect();
        (lines.pop(), lines)
    };
    assert_eq!(last, Some("the driver's last line"));
    assert_eq!(pieces.len(), 1_000_000_usize.div_ceil(16 << 10), "pieces");
    assert!(pieces.iter().all(|piece| piece.starts_with("(long task=") && piece.len() < 17 << 10));
    let letters: usize = pieces.iter().map(|piece| piece.matches('y').count()).sum();
    assert_eq!(letters, 1_000_000);
}

#[test]
fn a_flood_of_the_driver_is_data_and_arrives_whole_with_the_exit_code() {
    let output = run("behave").args(["a_flood_of_the_driver"]).output();
    assert_eq!(output.code, Some(5), "{}", output.stderr);
    assert_eq!(output.stdout.len(), 250_000 * 100 + "16\n".len());
    assert!(output.stdout.ends_with("x\n16\n"));
    assert_eq!(output.stderr, "");
}

#[test]
fn a_bomb_of_tasks_ends_with_its_driver() {
    insta::assert_snapshot!(prints("a_task_that_submits_itself"), @"16");
}
