//! The benchmarks at a tiny size: their loops run, so that the benchmarks measure something.

use std::time::Duration;

use rayw_tests::bench::{self, ProcessSizes, Report, Sizes, Turns};
use rayw_tests::{Output, command, guest, run};
use serde_json::Value;

/// So short and small that nothing is measured but that there is something to measure.
const TINY: [&str; 10] =
    ["--warmup", "1ms", "--seconds", "1ms", "--rounds", "1", "--scale", "0.001", "--num-cpus", "2"];

fn microbenchmark(words: &[&str]) -> Output {
    command([&["microbenchmark"], words].concat()).flag("--component", guest("microbenchmark")).output()
}

#[test]
fn every_row_of_the_microbenchmark_is_measured() {
    let listed = microbenchmark(&["--list"]).succeeded();
    let json = microbenchmark(&[&TINY[..], &["--format", "json"]].concat()).succeeded();
    let report: Value = serde_json::from_str(&json).expect("the report is JSON");
    let rows = report["rows"].as_array().expect("the report has rows");
    for row in rows {
        // So few things need no more memory than the process has already.
        let is_memory = row["unit"] == "bytes";
        assert!(row["mean"].as_f64().is_some_and(|mean| mean > 0.0 || (is_memory && mean == 0.0)), "{row}");
        assert!(row["sd"].as_f64().is_some_and(|sd| sd >= 0.0), "{row}");
    }
    let measured: Vec<_> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    for name in listed.lines() {
        assert!(measured.iter().any(|row| row.starts_with(name)), "`{name}` is not in {measured:?}");
    }
}

#[test]
fn rows_are_chosen_by_a_part_of_their_name() {
    let table = microbenchmark(&[&TINY[..], &["--filter", "1:1 actor calls"]].concat()).succeeded();
    let names: Vec<_> = table.lines().map(|line| line.split("  ").next().unwrap_or_default()).collect();
    assert_eq!(names, ["row", "1:1 actor calls sync", "1:1 actor calls async"]);
    let refused = microbenchmark(&[&TINY[..], &["--filter", "nothing of the kind"]].concat()).failed(64);
    insta::assert_snapshot!(refused, @r"
    error: no row has that in its name
      hint: `rayw microbenchmark --list` shows all
    ");
}

#[test]
fn the_microbenchmark_is_a_program_of_its_own_too() {
    let args = ["--filter", "single client put calls", "--warmup", "0", "--seconds", "0.001", "--rounds", "1"];
    let said = run("microbenchmark").args(args).output().succeeded();
    assert!(said.starts_with("single client put calls (Plasma Store) per second "), "{said}");
}

#[test]
fn rows_stand_beside_what_bounds_them() {
    let turns = Turns { count: 1, length: Duration::from_millis(1), scale: 0.001 };
    let report = bench::ceiling(turns, &[]);
    is_measured(&report);
    let alone: Vec<_> = report.rows.iter().filter(|row| row.share().is_none()).map(|row| &row.name).collect();
    assert!(alone.iter().all(|name| name.starts_with("baseline: ")), "{alone:?}");
}

#[test]
fn the_costs_of_the_machines_are_measured_at_each_size() {
    let sizes = vec![2, 4];
    let report = bench::growth(&Sizes {
        nodes: sizes.clone(),
        waiting: sizes.clone(),
        shapes: sizes.clone(),
        tasks: sizes.clone(),
        waiters: sizes.clone(),
        objects: sizes,
        decisions: 3,
    });
    is_measured(&report);
    assert!(report.curves.iter().all(|curve| curve.points.len() == 2), "{report:?}");
}

#[test]
fn what_crosses_the_network_is_measured_between_processes() {
    is_measured(&bench::processes(
        &[],
        &ProcessSizes {
            transfer: 1 << 20,
            broadcast: 1 << 20,
            receivers: 2,
            tasks: 4,
            turns: 1,
            seconds: Duration::from_millis(1),
            scale: 0.01,
        },
    ));
}

#[track_caller]
fn is_measured(report: &Report) {
    assert!(!report.rows.is_empty() || !report.curves.is_empty());
    for row in &report.rows {
        assert!(row.rayw.mean() > 0.0, "{row:?}");
    }
    for point in report.curves.iter().flat_map(|curve| &curve.points) {
        assert!(point.1 > 0.0, "{report:?}");
    }
}
