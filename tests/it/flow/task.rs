//! Tasks: results, waiting, references as arguments, nesting, retries, cancelling, instances.

use rayw_tests::run;

/// What the scenario prints on this many cpus.
#[track_caller]
fn prints(scenario: &str, num_cpus: u32) -> String {
    run("behave").args([scenario]).num_cpus(num_cpus).output().succeeded()
}

#[test]
fn a_task_on_one_cpu_gives_its_result() {
    insta::assert_snapshot!(prints("a_result", 1), @"49");
}
