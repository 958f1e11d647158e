//! The benchmarks: `cargo xtask bench` runs them, builds what they need and keeps what they find.
//!
//! ```text
//! suites ceiling [NAME…]   rows of the microbenchmark, each beside what bounds it
//! suites growth            costs of the pure machines against sizes
//! suites cluster [NAME…]   nodes as processes on the loopback network
//! ```
//!
//! What is measured is in `tests/support/bench`; here is how large, and what becomes of it.

#![expect(clippy::print_stdout, reason = "a table for the person at the terminal is the point")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use rayw_tests::bench::{self, Curve, ProcessSizes, Report, Row, Sizes, Turns};

/// The allocator that `rayw` has: what a node in this process does must cost what it costs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs one suite.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    suite: Suite,
    /// Where the numbers go, as JSON.
    #[arg(long, global = true)]
    report: Option<PathBuf>,
    /// What cargo says to every benchmark.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Suite {
    /// Rows of the microbenchmark, each beside what bounds it.
    Ceiling {
        /// Only rows with one of these in their name.
        filters: Vec<String>,
        /// Turns of each row and of its bound.
        #[arg(long, default_value_t = 5)]
        turns: u32,
        /// Seconds of each turn.
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
    },
    /// Costs of the pure machines against sizes.
    Growth,
    /// Nodes as processes on the loopback network.
    Cluster {
        /// Only rows with one of these in their name.
        filters: Vec<String>,
    },
}

fn main() {
    let args = Args::parse();
    let report = match args.suite {
        Suite::Ceiling { filters, turns, seconds } => {
            let turns = Turns { count: turns, length: Duration::from_secs_f64(seconds), scale: 1.0 };
            bench::ceiling(turns, &filters)
        }
        Suite::Growth => bench::growth(&Sizes {
            nodes: vec![10, 100, 1_000, 10_000],
            waiting: vec![10, 100, 1_000, 10_000],
            shapes: vec![10, 30, 100, 300],
            tasks: vec![1_000, 10_000, 100_000, 1_000_000],
            waiters: vec![10, 100, 1_000, 10_000, 100_000],
            objects: vec![1_000, 10_000, 100_000, 1_000_000],
            decisions: 500,
        }),
        Suite::Cluster { filters } => bench::processes(
            &filters,
            &ProcessSizes {
                transfer: 1 << 30,
                broadcast: 256 << 20,
                receivers: 8,
                tasks: 1_000,
                turns: 3,
                seconds: Duration::from_secs(2),
                scale: 1.0,
            },
        ),
    };
    print(&report);
    if let Some(path) = args.report {
        let json = serde_json::to_string_pretty(&report).expect("a report is plain numbers and words");
        std::fs::write(&path, json).unwrap_or_else(|error| panic!("failed to write `{}`: {error}", path.display()));
    }
}

fn print(report: &Report) {
    if !report.rows.is_empty() {
        let heading = ["rayw", "+-", "ceiling", "share", "rayw cpu", "its cpu"].map(|cell| format!("{cell:>11}"));
        println!("{:<52}{}  unit, ceiling", "row", heading.concat());
    }
    for row in &report.rows {
        print_row(row);
    }
    for curve in &report.curves {
        print_curve(curve);
    }
}

fn print_row(row: &Row) {
    let cpu = |micros: f64| if micros > 0.0 { format!("{micros:.2} µs") } else { "-".to_owned() };
    let ceiling = row.ceiling.as_ref();
    let cells = [
        number(row.rayw.mean()),
        number(row.rayw.deviation()),
        ceiling.map_or("-".to_owned(), |ceiling| number(ceiling.mean())),
        row.share().map_or("-".to_owned(), number),
        cpu(row.rayw.cpu_micros),
        ceiling.map_or("-".to_owned(), |ceiling| cpu(ceiling.cpu_micros)),
    ];
    let cells = cells.map(|cell| format!("{cell:>11}")).concat();
    let comma = if row.ceiling_is.is_empty() { "" } else { ", " };
    println!("{:<52}{cells}  {}{comma}{}{}", row.name, row.unit, row.ceiling_is, latency(row));
}

/// What one takes, for rows that go one by one.
fn latency(row: &Row) -> String {
    let micros = |mean: f64| 1e6 / mean;
    match &row.ceiling {
        Some(ceiling) if row.name.ends_with(" sync") => {
            format!(": one takes {:.1} µs against {:.1} µs", micros(row.rayw.mean()), micros(ceiling.mean()))
        }
        _ => String::new(),
    }
}

fn print_curve(curve: &Curve) {
    let verdict = if curve.is_too_steep { format!("  WORSE THAN n log n  {}", curve.why) } else { String::new() };
    println!("{} ({}), against {}{verdict}", curve.name, curve.y, curve.x);
    for (size, cost) in &curve.points {
        println!("{size:>12}{:>12}", number(*cost));
    }
}

fn number(number: f64) -> String {
    if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.3}") }
}
