//! Durable actors whose state cannot be written down, or not be read again: callers are told why, nobody waits for
//! ever, and nothing that the actor kept stays behind.

use rayw_tests::cluster;

/// What the scenario's driver prints; the node owns nothing afterwards.
#[track_caller]
fn prints(scenario: &str) -> String {
    let cluster = cluster(2.0);
    let job = cluster.run("behave", &[scenario], None);
    assert_eq!(job.code, 0, "{job:?}");
    cluster.owns_nothing();
    job.lines.join("\n")
}

#[test]
fn an_actor_that_cannot_be_written_down_goes_on_in_its_sandbox_until_it_can() {
    insta::assert_snapshot!(prints("a_checkpoint_that_fails"), @"
    visit 1, 1 in this sandbox, treasure
    visit 2, 2 in this sandbox, treasure
    visit 3, 1 in this sandbox, treasure
    ");
}

#[test]
fn an_actor_that_crashes_while_it_is_written_down_is_dead_with_the_cause_or_lives_anew() {
    insta::assert_snapshot!(prints("a_checkpoint_that_crashes"), @"
    visit 1, 1 in this sandbox, treasure
    visit 1, 1 in this sandbox, treasure
    mortal: actor-died: actor `Fragile` is dead: its instance broke down: actor `Fragile` could not be written down: the guest crashed: it reached an `unreachable` instruction (an abort)
    again: actor-died
    reborn: visit 1, 1 in this sandbox, treasure
    ");
}

/// The call that would have brought it back never began, so that it costs none of its retries: the next life has it.
#[test]
fn an_actor_whose_state_cannot_be_read_again_is_dead_with_the_cause_or_lives_anew() {
    insta::assert_snapshot!(prints("a_state_that_cannot_be_restored"), @"
    visit 1, 1 in this sandbox, treasure
    visit 1, 1 in this sandbox, treasure
    mortal: actor-died: actor `Fragile` is dead: its instance broke down: actor `Fragile` could not be brought back: the value cannot be read as `behave::faults::Fragile`: the ink has faded
    again: actor-died
    reborn: visit 1, 1 in this sandbox, treasure
    ");
}

#[test]
fn an_actor_that_panics_while_it_is_brought_back_is_dead_with_the_panics_words() {
    let printed = prints("a_crash_while_a_state_is_restored");
    let lines: Vec<_> = printed.lines().skip(2).collect();
    let told = "mortal: actor-died: actor `Fragile` is dead: its instance broke down: \
                actor `Fragile` could not be brought back: task panicked at src/faults.rs:";
    assert!(lines[0].starts_with(told) && lines[0].ends_with(": the glasses broke"), "{printed}");
    assert_eq!(lines[1..], ["again: actor-died", "reborn: visit 1, 1 in this sandbox, treasure"]);
}

/// Nobody who calls it could end it otherwise: its call has not begun, and so has no timeout of its own yet.
#[test]
fn an_actor_that_takes_for_ever_to_be_written_down_or_brought_back_is_ended() {
    insta::assert_snapshot!(prints("states_without_end"), @"
    visit 1, 1 in this sandbox, treasure
    visit 1, 1 in this sandbox, treasure
    mortal: actor-died: actor `Fragile` is dead: its instance broke down: actor `Fragile` could not be written down: it took longer than 30s: make the state smaller
    again: actor-died
    reborn: visit 1, 1 in this sandbox, treasure
    ");
}

#[test]
fn a_kill_ends_an_actor_that_is_being_written_down_at_once() {
    insta::assert_snapshot!(prints("a_kill_in_a_checkpoint"), @"
    visit 1, 1 in this sandbox, treasure
    get-timeout: 0 of 1 objects were ready after 50ms: wait longer
    actor-died: actor `Fragile` was killed by `kill`
    ");
}
