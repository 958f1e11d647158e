//! How fast one machine is, beside what bare wasmtime does with the same component in the same run.
//!
//! ```text
//! rayw/…   a driver in an embedded cluster times its own loop (tests/guests/bench)
//! bare/…   the same component and the same settings, called by hand without rayw
//! ```
//!
//! Run by `cargo xtask bench [FILTER]`; a table of both follows criterion's own report.

#![expect(clippy::print_stdout, reason = "a table for the person at the terminal is the point")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::{Barrier, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use rayw_tests::TestCluster;

#[path = "single_node/bare.rs"]
mod bare;

/// The large object.
const LARGE: usize = 64 << 20;

/// A row of rayw's: the scenario, the size of one round, what one round counts for, the unit, and
/// the bare rows that it is held against.
struct Row {
    name: &'static str,
    scenario: &'static str,
    size: usize,
    per_round: u64,
    unit: &'static str,
    bare: Option<&'static str>,
}

const fn row(
    name: &'static str,
    scenario: &'static str,
    size: usize,
    per_round: u64,
    unit: &'static str,
    bare: Option<&'static str>,
) -> Row {
    Row { name, scenario, size, per_round, unit, bare }
}

const ROWS: &[Row] = &[
    row("tasks-sync", "tasks-sync", 1, 1, "tasks", Some("fresh-1-thread")),
    row("tasks-batch", "tasks-batch", 10_000, 10_000, "tasks", Some("fresh-all-threads")),
    row("tasks-reuse", "tasks-reuse", 10_000, 10_000, "tasks", Some("live-all-threads")),
    row("actor-sync", "actor-sync", 1, 1, "calls", Some("live-1-thread")),
    row("actor-batch", "actor-batch", 10_000, 10_000, "calls", Some("live-1-thread")),
    row("put-1kib", "put", 1 << 10, 1, "puts", None),
    row("get-1kib", "get", 1 << 10, 1, "gets", None),
    row("put-64mib", "put", LARGE, 1, "puts", Some("memcpy-64mib")),
    row("get-64mib", "get", LARGE, 1, "gets", Some("memcpy-64mib")),
    row("wait-1k-refs", "wait", 1_000, 1, "rounds", None),
    row("get-of-10k-refs", "get-of-refs", 10_000, 1, "gets", None),
];

fn main() {
    let started = SystemTime::now();
    let saved = rayw_tests::workspace().join("target/criterion");
    let mut criterion = Criterion::default()
        .output_directory(&saved)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
        .configure_from_args();
    bench_rayw(&mut criterion);
    bench_bare(&mut criterion);
    criterion.final_summary();
    print_table(&saved, started);
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    // Rounds of some rows take seconds: no sample may take many times as long as another.
    group.sampling_mode(SamplingMode::Flat);
    group
}

fn bench_rayw(criterion: &mut Criterion) {
    // Started by the first row that is not filtered out.
    let cluster = OnceLock::new();
    let mut group = group(criterion, "rayw");
    for row in ROWS {
        group.throughput(Throughput::Elements(row.per_round));
        group.bench_function(row.name, |bencher| {
            let cluster = cluster.get_or_init(start);
            bencher.iter_custom(|rounds| drive(cluster, row, rounds));
        });
    }
    group.finish();
}

/// A cluster that has compiled the guest already.
fn start() -> TestCluster {
    let cluster = rayw_tests::cluster(cpus() as f64);
    drive(&cluster, &ROWS[0], 1);
    cluster
}

/// Runs a driver that goes so many rounds, and answers with the time that it measured.
fn drive(cluster: &TestCluster, row: &Row, rounds: u64) -> Duration {
    let (rounds, size) = (rounds.to_string(), row.size.to_string());
    let job = cluster.run("bench", &[row.scenario, &rounds, &size], None);
    let nanos = job.lines.iter().find_map(|line| line.strip_prefix("nanos ")?.parse().ok());
    match nanos {
        Some(nanos) if job.code == 0 => Duration::from_nanos(nanos),
        _ => panic!("`{}` ended with {}: {:?}", row.scenario, job.code, job.lines),
    }
}

fn bench_bare(criterion: &mut Criterion) {
    let bare = OnceLock::new();
    let bare = || bare.get_or_init(|| bare::Bare::new(&rayw_tests::guest("bench")));
    let mut group = group(criterion, "bare");
    for (threads, fresh, live) in
        [(1, "fresh-1-thread", "live-1-thread"), (cpus(), "fresh-all-threads", "live-all-threads")]
    {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(fresh, |bencher| {
            let bare = bare();
            bencher.iter_custom(|calls| on_threads(threads, || (), |()| bare.call_fresh(calls)));
        });
        group.bench_function(live, |bencher| {
            let bare = bare();
            bencher.iter_custom(|calls| on_threads(threads, || bare.start(), |live| live.call(calls)));
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("memcpy-64mib", |bencher| {
        let (from, mut to) = (vec![7_u8; LARGE], vec![0_u8; LARGE]);
        bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
    });
    group.finish();
}

/// How long `work` takes on all of so many threads; they begin together, after their preparation.
fn on_threads<P>(threads: usize, prepare: impl Fn() -> P + Sync, work: impl Fn(P) + Sync) -> Duration {
    let barrier = Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let prepared = prepare();
                barrier.wait();
                work(prepared);
                barrier.wait();
            });
        }
        barrier.wait();
        let started = Instant::now();
        barrier.wait();
        started.elapsed()
    })
}

/// Both in one table; rows that did not run now are left out.
fn print_table(saved: &Path, since: SystemTime) {
    let rayw = |row: &Row| Some(row.per_round as f64 / seconds(saved, "rayw", row.name, since)?);
    let bare = |name: &str| {
        let elements = if name.ends_with("all-threads") { cpus() } else { 1 };
        Some(elements as f64 / seconds(saved, "bare", name, since)?)
    };
    let number = |number: Option<f64>| match number {
        Some(number) if number >= 100.0 => format!("{number:.0}"),
        Some(number) => format!("{number:.2}"),
        None => "-".to_owned(),
    };
    println!("{:<16} {:>12} {:<7} {:>12}  {:<18} {:>6}", "row", "rayw/s", "of", "bare/s", "bare row", "ratio");
    for row in ROWS {
        let (own, other) = (rayw(row), row.bare.and_then(bare));
        if own.is_none() && other.is_none() {
            continue;
        }
        println!(
            "{:<16} {:>12} {:<7} {:>12}  {:<18} {:>6}",
            row.name,
            number(own),
            row.unit,
            number(other),
            row.bare.unwrap_or("-"),
            own.zip(other).map_or("-".to_owned(), |(own, other)| format!("{:.3}", own / other)),
        );
    }
    println!("medians on {} cpus", cpus());
}

/// The median of one iteration, if it was measured in this run.
fn seconds(saved: &Path, group: &str, name: &str, since: SystemTime) -> Option<f64> {
    let path: PathBuf = [saved, group.as_ref(), name.as_ref(), "new/estimates.json".as_ref()].iter().collect();
    if std::fs::metadata(&path).ok()?.modified().ok()? < since {
        return None;
    }
    let text = std::fs::read_to_string(&path).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(estimates["median"]["point_estimate"].as_f64()? / 1e9)
}
