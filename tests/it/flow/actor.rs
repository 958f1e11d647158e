//! Actors: order, ends, restarts, names, handles, limits, and lives longer than a job's.

use rayw_tests::{Run, cluster, eventually, run};

/// What the scenario prints, with one custom `seat` to sit on.
#[track_caller]
fn prints(scenario: &str) -> String {
    started(scenario).output().succeeded()
}

fn started(scenario: &str) -> Run {
    run("behave").args([scenario]).num_cpus(2).flag("--resources", r#"{"seat": 1}"#)
}

#[test]
fn calls_of_one_caller_run_in_order() {
    insta::assert_snapshot!(prints("calls_in_order"), @"
    [1, 3, 6, 10, 15, 21, 28, 36, 45, 55]
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    [2, 3, 4, 5, 6]
    ");
}

#[test]
fn a_call_waits_for_the_slow_argument_of_the_one_before() {
    insta::assert_snapshot!(prints("calls_wait_for_slow_arguments"), @"
    get-timeout
    100 101
    ");
}

#[test]
fn out_of_order_a_call_overtakes_one_with_a_slow_argument() {
    insta::assert_snapshot!(prints("calls_out_of_order"), @"
    1
    101
    ");
}

#[test]
fn several_callers_each_keep_their_order() {
    insta::assert_snapshot!(prints("several_callers"), @"
    [true, true, true, true, true, true, true, true]
    400
    ");
}

#[test]
fn a_thousand_calls_finish_in_order() {
    insta::assert_snapshot!(prints("a_thousand_calls"), @"true 1000");
}

/// The node's clock ticks meanwhile, which looks at what actors have offered.
#[test]
fn an_actor_is_called_without_a_pause_for_many_ticks() {
    insta::assert_snapshot!(prints("calls_for_many_ticks"), @"20000");
}

/// It would wait for the clock's tick otherwise, while all its calls line up.
#[test]
fn whoever_is_ahead_of_an_actor_lets_it_have_the_cpu() {
    let run = run("behave").args(["calls_ahead_of_the_actor"]).num_cpus(1);
    insta::assert_snapshot!(run.output().succeeded(), @"
    1 of the first call is there
    Some(1000)
    ");
}

#[test]
fn an_actor_whose_constructor_fails_is_dead_with_the_cause() {
    insta::assert_snapshot!(prints("a_constructor_that_fails"), @"
    actor-died: actor `Stillborn` is dead: its constructor failed because of 13 is no good
    true
    actor-died
    ");
}

#[test]
fn an_actor_whose_constructor_panics_is_dead_with_the_panics_words() {
    insta::assert_snapshot!(prints("a_constructor_that_panics")
        .lines().filter(|line| !line.starts_with('(')).collect::<Vec<_>>().join("\n"), @"actor-died: true");
}

#[test]
fn an_actor_whose_argument_failed_never_lives() {
    insta::assert_snapshot!(
        prints("a_constructor_with_a_failed_argument"),
        @"actor-died: actor `Counter` is dead: its constructor's argument failed because of there is no number"
    );
}

#[test]
fn a_method_may_fail_and_the_actor_lives_on() {
    insta::assert_snapshot!(prints("a_method_that_fails"), @"
    task-error: not today
    2
    task-error: again
    5
    ");
}

#[test]
fn an_actor_that_breaks_under_a_call_is_dead_for_all_calls_after_it() {
    insta::assert_snapshot!(prints("a_call_under_which_the_actor_breaks"), @"
    1
    actor-died: actor `Counter` is dead: its instance broke down because of the guest crashed: it reached an `unreachable` instruction (an abort)
    actor-died
    actor-died
    ");
}

#[test]
fn an_actor_restarts_as_often_as_said_with_a_fresh_state() {
    insta::assert_snapshot!(prints("restarts_after_a_crash"), @"
    11
    actor-unavailable: actor `Counter` broke down under the call, which may or may not have run: set `max_task_retries` to have it tried again
    11 after 1 restart
    actor-unavailable
    actor-died
    ");
}

#[test]
fn a_call_with_retries_is_tried_again_after_the_restart_before_those_behind_it() {
    insta::assert_snapshot!(prints("restarts_with_retried_calls"), @"10 11 after 2 attempts");
}

#[test]
fn an_actor_that_nobody_calls_restarts_by_itself_and_takes_its_resources_again() {
    insta::assert_snapshot!(prints("restarts_by_itself"), @"
    1 restart
    get-timeout
    3 constructed, 0 restarts of the other
    actor-died
    ");
}

#[test]
fn what_a_constructor_made_in_a_former_life_is_not_what_it_makes_in_the_next() {
    insta::assert_snapshot!(prints("makes_the_same_in_each_life"), @"
    [0, 0] [1, 1]
    0 of 2 are the same objects
    ");
}

#[test]
fn a_killed_actor_is_dead_and_does_not_restart() {
    insta::assert_snapshot!(prints("killed_for_good"), @"
    1
    actor-died: actor `Counter` was killed by `kill`
    actor-died
    ");
}

#[test]
fn a_terminated_actor_does_the_calls_before_and_none_after() {
    insta::assert_snapshot!(prints("terminated_after_ten_calls"), @"
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    actor-died: actor `Counter` is dead: somebody asked for its end
    ");
}

#[test]
fn a_terminated_actor_waits_for_the_slow_argument_of_a_call_before() {
    insta::assert_snapshot!(prints("terminated_with_a_slow_argument"), @"
    100 actor-died
    100 actor-died
    ");
}

#[test]
fn an_actor_that_takes_too_much_memory_breaks_alone_and_may_restart() {
    let printed = prints("out_of_memory");
    let lines: Vec<_> = printed.lines().filter(|line| !line.starts_with('(')).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    10
    10
    out-of-memory
    10 20
    out-of-memory actor-died
    ");
}

#[test]
fn a_kill_fails_what_runs_and_what_waits_at_once() {
    insta::assert_snapshot!(prints("killed_with_calls_waiting"), @r#"
    actor-died
    ["actor-died", "actor-died", "actor-died"]
    "#);
}

#[test]
fn an_actor_may_end_itself() {
    insta::assert_snapshot!(prints("exits_by_itself"), @"
    7
    actor-died: actor `Counter` is dead: it ended itself by `exit_actor`
    invalid-argument: `exit` ends an actor, and this is not one: return instead
    ");
}

#[test]
fn a_call_that_runs_out_of_time_ends_the_actor() {
    insta::assert_snapshot!(prints("an_actor_too_slow"), @"
    task-timeout
    actor-died
    ");
}

#[test]
fn the_last_handle_ends_the_actor_after_its_calls_and_frees_its_resources() {
    insta::assert_snapshot!(prints("the_last_handle"), @"
    1
    get-timeout
    11 2
    ");
}

#[test]
fn a_handle_within_another_actor_keeps_the_actor_alive() {
    insta::assert_snapshot!(prints("a_handle_in_another_actor"), @"
    1 2
    get-timeout
    100
    ");
}

#[test]
fn a_handle_within_an_object_keeps_the_actor_alive() {
    insta::assert_snapshot!(prints("a_handle_in_an_object"), @"
    5
    10
    100
    ");
}

#[test]
fn actors_are_found_by_their_names() {
    insta::assert_snapshot!(prints("named_actors"), @"
    1
    2
    3 true
    1001
    actor-not-found
    invalid-argument: `get_if_exists` needs a `name`
    ");
}

#[test]
fn a_name_is_given_once() {
    insta::assert_snapshot!(prints("a_name_taken_twice"), @"
    actor-already-exists
    1
    ");
}

#[test]
fn the_name_of_a_killed_actor_is_free_again() {
    insta::assert_snapshot!(prints("a_name_free_again"), @"
    1
    51
    52
    ");
}

#[test]
fn a_name_is_seen_in_its_own_namespace_only() {
    insta::assert_snapshot!(prints("names_of_other_namespaces"), @"
    1 2
    2
    actor-not-found
    ");
}

#[test]
fn a_name_leads_to_its_own_class_only() {
    insta::assert_snapshot!(
        prints("a_name_of_another_class"),
        @"invalid-argument: the actor `mixed` is a `Counter`; ask for it by `Counter::get_actor`"
    );
}

#[test]
fn more_pending_calls_than_allowed_are_refused_until_some_are_done() {
    insta::assert_snapshot!(prints("pending_calls"), @"
    pending-calls-limit-exceeded: 2 calls of actor `Counter` wait or run, `max_pending_calls` is 2: wait for some of them first
    pending-calls-limit-exceeded
    0 1
    2
    ");
}

#[test]
fn a_queued_call_can_be_cancelled_and_a_running_one_sees_it() {
    insta::assert_snapshot!(prints("cancel_calls_of_an_actor"), @"
    invalid-argument: an actor's call cannot be cancelled by force: use `kill` on the actor
    task-cancelled
    true
    2
    ");
}

#[test]
fn an_actor_may_wait_for_tasks_on_the_cpu_that_it_holds() {
    let output = run("behave").args(["an_actor_waits_for_tasks"]).num_cpus(2).output();
    insta::assert_snapshot!(output.succeeded(), @"90");
}

#[test]
fn an_actor_lives_in_one_instance_and_is_listed() {
    let mut running = started("who_am_i").start();
    running.reaches("living");
    let actors = running.rows("actors");
    let counter = actors.iter().find(|row| row["class_name"] == "Counter").expect("the actor is listed");
    assert_eq!(counter["state"], "ALIVE");
    running.passes("living");
    insta::assert_snapshot!(running.output().succeeded(), @"
    true true
    pause: living
    1
    ");
}

#[test]
fn a_detached_actor_outlives_its_job_and_others_do_not() {
    let cluster = cluster(2.0);
    let first = cluster.run("behave", &["a_detached_actor"], Some("shared"));
    assert_eq!((first.code, first.lines.join("\n").as_str()), (0, "1 1"));
    let second = cluster.run("behave", &["find_the_detached_actor"], Some("shared"));
    assert_eq!(second.lines, ["2", "actor-not-found"]);
    let stranger = cluster.run("behave", &["find_the_detached_actor"], Some("elsewhere"));
    assert!(stranger.lines[0].starts_with("actor-not-found: no actor named `kept`"), "{stranger:?}");
    let last = cluster.run("behave", &["find_the_detached_actor", "kill"], Some("shared"));
    assert_eq!(last.lines, ["3", "actor-not-found", "actor-not-found"]);
    cluster.owns_nothing();
}

#[test]
fn durable_actors_sleep_while_nobody_calls_them_and_keep_their_state() {
    let cluster = cluster(2.0);
    let first = cluster.run("behave", &["sleepers"], Some("shared"));
    assert_eq!(first.lines, [r#"(1, ["a", "b", "c"])"#], "{first:?}");
    eventually("three actors asleep", || (cluster.cluster().node().actors_asleep() == 3).then_some(()));
    let second = cluster.run("behave", &["wake_the_sleepers"], Some("shared"));
    // A fresh sandbox has served nobody; the lines, the reference and the handle are there, and what was put when one
    // was brought back is not what its constructor had put.
    let expected =
        [r#"(0, ["a", "b", "c", "d"])"#, r#"("treasure", 2)"#, r#"(1, ["a", "b", "c", "d", "e"])"#, "[0, 1]"];
    assert_eq!(second.lines, expected, "{second:?}");
    cluster.owns_nothing();
}
