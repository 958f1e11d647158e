//! The guest of the benchmarks: its loops run, so that the benchmarks measure something.

use rayw_tests::run;

#[test]
fn every_loop_of_the_benchmarks_runs_and_tells_its_time() {
    for scenario in
        ["tasks-sync", "tasks-batch", "tasks-reuse", "actor-sync", "actor-batch", "put", "get", "wait", "get-of-refs"]
    {
        let output = run("bench").args([scenario, "1", "8"]).output();
        let nanos = output.stdout.trim().strip_prefix("nanos ").map(str::parse::<u64>);
        assert!(matches!(nanos, Some(Ok(1..))), "{scenario}: {output}");
    }
}
