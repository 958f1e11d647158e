//! Placement groups on one node: what is reserved, what runs in it, and what ends with it.

use rayw_tests::{cluster, run};

/// What the scenario prints on two cpus.
#[track_caller]
fn prints(scenario: &str) -> String {
    run("behave").args([scenario]).num_cpus(2).output().succeeded()
}

#[test]
fn tasks_run_in_the_bundles_of_their_group() {
    insta::assert_snapshot!(prints("a_group"), @r#"
    Created Pack {"CPU": 1.0}
    true
    10
    "#);
}

#[test]
fn a_group_that_does_not_fit_reserves_nothing_and_says_why_it_waits() {
    insta::assert_snapshot!(prints("a_group_that_does_not_fit"), @"
    false
    Pending: infeasible: no nodes could hold the bundles {'CPU': 1}, {'CPU': 100} (SPREAD)
    [None, None]
    ok
    get-timeout
    Removed placement-group-removed
    false infeasible: each of the 3 bundles {'CPU': 1}, {'CPU': 1}, {'CPU': 1} (STRICT_SPREAD) wants a node of its own, and the cluster has 1: start 2 more
    ");
}

#[test]
fn what_runs_in_a_removed_group_ends_and_gives_its_resources_back() {
    insta::assert_snapshot!(prints("a_group_that_is_removed"), @"
    true
    running placement-group-removed
    queued placement-group-removed
    late placement-group-removed
    actor placement-group-removed
    ready placement-group-removed
    wait placement-group-removed
    ok
    ");
}

#[test]
fn a_group_is_ready_although_its_bundles_are_full() {
    insta::assert_snapshot!(prints("a_full_group"), @"
    ready ok
    second get-timeout
    true
    ");
}

#[test]
fn a_group_captures_the_children_of_its_tasks_when_it_is_told_to() {
    insta::assert_snapshot!(prints("a_group_that_captures"), @"
    capture false: [false, false]
    capture true: [true, false]
    unsaid: [false, false]
    grandchildren: [true, false]
    of an actor: [true, true]
    ");
}

#[test]
fn a_group_travels_in_values() {
    insta::assert_snapshot!(prints("a_group_in_a_value"), @"
    true
    true
    ");
}

#[test]
fn groups_and_places_that_cannot_be_are_refused_with_a_reason() {
    let printed = prints("groups_that_are_refused");
    let is_id = |word: &str| word.len() == 32 && word.bytes().all(|digit| digit.is_ascii_hexdigit());
    let without_ids = |line: &str| -> String {
        let words = line.split(' ').map(|word| match word.trim_matches(['(', ')']) {
            id if is_id(id) => word.replace(id, "ID"),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = printed.lines().map(without_ids).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    invalid-argument: placement group ID cannot be: it has no bundle: give it at least one
    invalid-argument: placement group ID cannot be: its bundle 1 is empty: give each at least one resource
    invalid-argument: bundle 0 of the placement group: `CPU` is not a custom resource: use `num_cpus` or `memory`
    invalid-argument: bundle 0 of the placement group: the label selector `zone=in(a` has no closing bracket: write `v`, `!v`, `in(a,b)` or `!in(a,b)`
    invalid-argument: no placement group named `nobody` in namespace `job-00000001`: create one first
    invalid-argument: a placement group named `one` exists in namespace `job-00000001`: take another name, or remove that one
    true
    invalid-argument: placement group `one` (ID) has no bundle 3: its bundles are 0 to 0
    unschedulable: no bundle of placement group `one` (ID) can hold {'CPU': 2}: ask for less, or reserve more in one bundle
    invalid-argument: the label selector `zone=!` asks for an empty value: write `v`, `!v`, `in(a,b)` or `!in(a,b)`
    invalid-argument: `node_affinity`: `here` is not a node id: 32 hexadecimal digits are needed
    ");
}

#[test]
fn groups_end_with_their_job_or_their_detached_creator_unless_they_are_detached() {
    let cluster = cluster(2.0);
    let run = |scenario| cluster.run("behave", &[scenario], Some("shared")).lines;
    assert_eq!(run("groups_that_outlive_their_job"), ["true"]);
    let left = ["own: invalid-argument", "kept: ok", "of the founder: ok", "ok"];
    assert_eq!(run("groups_that_were_left"), left);
    let gone = ["own: invalid-argument", "kept: invalid-argument", "of the founder: invalid-argument"];
    assert_eq!(run("groups_of_a_dead_actor"), gone);
}

#[test]
fn a_gang_that_cannot_be_spread_says_so_and_a_packed_one_runs() {
    let output = run("gang").num_cpus(2).args(["1"]).output();
    insta::assert_snapshot!(output.stdout, @"
    StrictPack: 4 workers on 1 node(s)
      worker 0 met [0, 1, 2, 3]
      worker 1 met [0, 1, 2, 3]
      worker 2 met [0, 1, 2, 3]
      worker 3 met [0, 1, 2, 3]
    ");
    let said = output.failed(1);
    assert!(said.contains("wants a node of its own, and the cluster has 1: start 3 more"), "{said}");
}
