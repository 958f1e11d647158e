//! How fast one machine is, beside what bare wasmtime does with the same component in the same run.
//!
//! ```text
//! ROW/rayw   a driver in an embedded cluster times its own loop (tests/guests/bench)
//! ROW/bare   right after it, the same component and settings called by hand, or a plain copy
//! ```
//!
//! Run by `cargo xtask bench [FILTER]`; a table of both follows criterion's own report. Its ratios
//! are of time on the clock and of cpu time: the second one also holds on a machine with other work.

#![expect(clippy::print_stdout, reason = "a table for the person at the terminal is the point")]

use std::cell::Cell;
use std::fmt;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::{Barrier, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use bare::Ceiling;
use criterion::{Bencher, Criterion, SamplingMode, Throughput};
use rayw_tests::TestCluster;
use rustix::time::{ClockId, clock_gettime};

#[path = "single_node/bare.rs"]
mod bare;

/// The large object.
const LARGE: usize = 64 << 20;

/// One line of the table.
struct Row {
    name: &'static str,
    /// What the guest does.
    scenario: &'static str,
    /// The size of one round.
    size: usize,
    /// What one round counts for.
    per_round: u64,
    unit: &'static str,
    bare: Option<Bare>,
}

/// What a row is held against.
#[derive(Clone, Copy)]
enum Bare {
    /// A store, an instance and a call, on so many threads.
    Fresh(usize),
    /// Calls into a live instance, one for each thread.
    Live(usize),
    /// A copy of the large object into memory that is there already.
    Copy,
}

/// What a benchmark cost the process in all its samples.
#[derive(Default)]
struct Meter {
    cpu: Cell<Duration>,
    count: Cell<u64>,
}

impl Meter {
    /// Samples `work`, which does so many of what is counted.
    fn sample(&self, count: u64, work: impl FnOnce() -> Duration) -> Duration {
        let before = cpu_time();
        let elapsed = work();
        self.cpu.set(self.cpu.get() + cpu_time().saturating_sub(before));
        self.count.set(self.count.get() + count);
        elapsed
    }

    /// Microseconds of cpu for one.
    fn micros(&self) -> Option<f64> {
        let count = self.count.get();
        (count > 0).then(|| self.cpu.get().as_secs_f64() * 1e6 / count as f64)
    }
}

/// What all threads of this process have run so far.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

fn rows() -> Vec<Row> {
    let row = |name, scenario, size, per_round, unit, bare| Row { name, scenario, size, per_round, unit, bare };
    let batch = 10_000;
    vec![
        row("tasks-sync", "tasks-sync", 1, 1, "tasks", Some(Bare::Fresh(1))),
        row("tasks-batch", "tasks-batch", batch, batch as u64, "tasks", Some(Bare::Fresh(cpus()))),
        row("tasks-reuse", "tasks-reuse", batch, batch as u64, "tasks", Some(Bare::Live(cpus()))),
        row("actor-sync", "actor-sync", 1, 1, "calls", Some(Bare::Live(1))),
        row("actor-batch", "actor-batch", batch, batch as u64, "calls", Some(Bare::Live(1))),
        row("put-1kib", "put", 1 << 10, 1, "puts", None),
        row("get-1kib", "get", 1 << 10, 1, "gets", None),
        row("put-64mib", "put", LARGE, 1, "puts", Some(Bare::Copy)),
        row("get-64mib", "get", LARGE, 1, "gets", Some(Bare::Copy)),
        row("wait-1k-refs", "wait", 1_000, 1, "rounds", None),
        row("get-of-10k-refs", "get-of-refs", 10_000, 1, "gets", None),
    ]
}

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
    // Started by the first row that is not filtered out.
    let (cluster, ceiling) = (OnceLock::new(), OnceLock::new());
    let rows: Vec<_> = rows().into_iter().map(|row| (row, [Meter::default(), Meter::default()])).collect();
    for (row, [rayw, bare]) in &rows {
        let mut group = criterion.benchmark_group(row.name);
        // Rounds of some rows take long: no sample may take many times as long as another.
        group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(row.per_round));
        group.bench_function("rayw", |bencher| {
            let cluster = cluster.get_or_init(start);
            bencher.iter_custom(|rounds| rayw.sample(rounds * row.per_round, || drive(cluster, row, rounds)));
        });
        if let Some(what) = row.bare {
            group.throughput(Throughput::Elements(what.per_round()));
            group.bench_function("bare", |bencher| what.bench(&ceiling, bare, bencher));
        }
        group.finish();
    }
    criterion.final_summary();
    print_table(&rows, &saved, started);
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A cluster that has compiled the guest already.
fn start() -> TestCluster {
    let cluster = rayw_tests::cluster(cpus() as f64);
    drive(&cluster, &rows()[0], 1);
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

impl Bare {
    /// What one iteration counts for.
    fn per_round(self) -> u64 {
        match self {
            Self::Fresh(threads) | Self::Live(threads) => threads as u64,
            Self::Copy => 1,
        }
    }

    fn bench(self, ceiling: &OnceLock<Ceiling>, meter: &Meter, bencher: &mut Bencher<'_>) {
        let ceiling = || ceiling.get_or_init(|| Ceiling::new(&rayw_tests::guest("bench")));
        let counted = |calls| calls * self.per_round();
        match self {
            Self::Fresh(threads) => {
                let ceiling = ceiling();
                bencher.iter_custom(|calls| {
                    meter.sample(counted(calls), || on_threads(threads, || (), |()| ceiling.call_fresh(calls)))
                });
            }
            Self::Live(threads) => {
                let ceiling = ceiling();
                bencher.iter_custom(|calls| {
                    meter.sample(counted(calls), || on_threads(threads, || ceiling.start(), |live| live.call(calls)))
                });
            }
            Self::Copy => {
                let (from, mut to) = (vec![7_u8; LARGE], vec![0_u8; LARGE]);
                bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
            }
        }
    }
}

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh(threads) => write!(f, "fresh instances, {threads} thread(s)"),
            Self::Live(threads) => write!(f, "live instances, {threads} thread(s)"),
            Self::Copy => write!(f, "copy in memory"),
        }
    }
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

/// Both in one table; rows that did not run now are left out. A copy has no cpu time: what
/// surrounds it in the guest is not timed, and would be counted.
fn print_table(rows: &[(Row, [Meter; 2])], saved: &Path, since: SystemTime) {
    let line = |cells: [String; 8]| {
        let [name, rest @ .., what] = cells;
        let rest: Vec<_> = rest.iter().map(|cell| format!("{cell:>10}")).collect();
        println!("{name:<16}{}  {what}", rest.concat());
    };
    line(
        ["row", "rayw/s", "bare/s", "ratio", "rayw cpu", "bare cpu", "ratio", "of what, against what"]
            .map(str::to_owned),
    );
    for (row, [rayw, bare]) in rows {
        let rate = |name, count: u64| Some(count as f64 / seconds(saved, row.name, name, since)?);
        let Some(own) = rate("rayw", row.per_round) else { continue };
        let other = row.bare.and_then(|bare| rate("bare", bare.per_round()));
        let (own_cpu, other_cpu) = (bare.micros().and(rayw.micros()), bare.micros());
        line([
            row.name.to_owned(),
            number(Some(own), ""),
            number(other, ""),
            number(other.map(|other| own / other), ""),
            number(own_cpu, " µs"),
            number(other_cpu, " µs"),
            number(own_cpu.zip(other_cpu).map(|(own, other)| other / own), ""),
            row.bare.map_or(row.unit.to_owned(), |bare| format!("{}, {bare}", row.unit)),
        ]);
    }
    println!("(medians on {} cpus; the cpu time of one is a mean)", cpus());
}

fn number(number: Option<f64>, unit: &str) -> String {
    match number {
        Some(number) if number >= 100.0 => format!("{number:.0}{unit}"),
        Some(number) => format!("{number:.2}{unit}"),
        None => "-".to_owned(),
    }
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
