//! Rows of the microbenchmark on a cluster inside this process, each beside what bounds it: the same
//! component and settings called by hand, or a plain copy. Both go in turns, so that a machine with
//! other work slows both; the share that is reached is taken turn by turn.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use super::bare::{Ceiling, Live};
use super::report::{Report, Row, Series};
use super::tcp;
use crate::cluster::{TestCluster, cluster};
use crate::place;

const HUNDRED_MEBIBYTES: usize = 100 << 20;

/// How long and how often rows are measured.
#[derive(Debug, Clone, Copy)]
pub struct Turns {
    /// Turns of each row and of what bounds it.
    pub count: u32,
    /// How long each is.
    pub length: Duration,
    /// What the sizes of the rows are multiplied by.
    pub scale: f64,
}

/// What a row is held against.
#[derive(Clone, Copy)]
enum Bound {
    /// A store, an instance and a call, on so many threads.
    Fresh(usize),
    /// Calls into a live instance, one for each thread.
    Live(usize),
    /// A store and an instance, on so many threads.
    Start(usize),
    /// A copy of so many bytes into memory that was not there before, and what it counts for.
    Copy { size: usize, gigabytes: f64 },
}

/// The rows that something bounds.
fn rows() -> Vec<(&'static str, Bound)> {
    let cpus = cpus();
    vec![
        ("single client tasks sync", Bound::Fresh(1)),
        ("single client tasks async", Bound::Fresh(cpus)),
        ("multi client tasks async", Bound::Fresh(cpus)),
        ("single client tasks async with reuse", Bound::Live(cpus)),
        ("1:1 actor calls sync", Bound::Live(1)),
        ("1:1 actor calls async", Bound::Live(1)),
        ("n:n actor calls async", Bound::Live(cpus)),
        ("actors created and ready", Bound::Start(cpus)),
        // Ray counts 800 MiB as 0.8 GB, and so does the row.
        ("single client put gigabytes", Bound::Copy { size: 800 << 20, gigabytes: 0.8 }),
        (
            "single client put gigabytes of 100 MiB values",
            Bound::Copy { size: HUNDRED_MEBIBYTES, gigabytes: HUNDRED_MEBIBYTES as f64 / 1e9 },
        ),
    ]
}

/// Measures the rows that have one of the filters in their name, all when there is none.
///
/// # Panics
/// When the cluster or the guest fails.
#[must_use]
pub fn ceiling(turns: Turns, filters: &[String]) -> Report {
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|part| name.contains(part.as_str()));
    let rows: Vec<_> = rows().into_iter().filter(|(name, _)| wanted(name)).collect();
    let cluster = cluster(cpus() as f64);
    let bare = Ceiling::new(&place::guest("microbenchmark"));
    let mut rows: Vec<_> = rows.into_iter().map(|(name, bound)| row(&cluster, &bare, name, bound, turns)).collect();
    if wanted(COPY_AGAIN) {
        rows.push(copy_again(turns));
    }
    if wanted(TCP) {
        rows.push(network(turns));
    }
    Report { rows, curves: Vec::new() }
}

/// A baseline of its own: what memory that is not fresh makes of a copy.
const COPY_AGAIN: &str = "baseline: copy of 100 MiB into memory that is there";

fn copy_again(turns: Turns) -> Row {
    let size = ((HUNDRED_MEBIBYTES as f64 * turns.scale) as usize).max(1);
    let (from, mut to) = (vec![7_u8; size], vec![0_u8; size]);
    let gigabytes = size as f64 / 1e9;
    let turn = |_| copies(gigabytes, turns.length, || black_box(&mut to).copy_from_slice(black_box(&from))).0;
    Row::new(COPY_AGAIN, "GB/s", (0..turns.count).map(turn).collect())
}

/// And one for what crosses the network; nodes stand beside it in the suite `cluster`.
const TCP: &str = "baseline: 1 GiB over TCP on the loopback network into fresh memory";

fn network(turns: Turns) -> Row {
    let size = (((1_u64 << 30) as f64 * turns.scale) as usize).max(1);
    let turn = |_| size as f64 / 1e9 / tcp::copy(size).as_secs_f64();
    Row::new(TCP, "GB/s", (0..turns.count).map(turn).collect())
}

fn row(cluster: &TestCluster, bare: &Ceiling, name: &str, bound: Bound, turns: Turns) -> Row {
    let bound = bound.scaled(turns.scale);
    let (mut own, mut other) = (Meter::default(), Meter::default());
    let mut prepared = bound.prepare(bare);
    // The first turn of each finds everything cold and does not count.
    for turn in 0..=turns.count {
        let counted = turn > 0;
        own.sample(counted, || ours(cluster, name, turns));
        other.sample(counted, || bound.measure(bare, &mut prepared, turns.length));
    }
    let unit = if name.contains("gigabytes") { "GB/s" } else { "per second" };
    Row {
        name: name.to_owned(),
        unit: unit.to_owned(),
        rayw: own.series(),
        // What surrounds a copy in the guest is not timed, and its cpu time would be counted.
        ceiling: Some(if unit == "GB/s" { other.series().without_cpu() } else { other.series() }),
        ceiling_is: bound.words(),
    }
}

/// One turn of the guest: its rate, and how many that was.
fn ours(cluster: &TestCluster, name: &str, turns: Turns) -> (f64, f64) {
    let seconds = turns.length.as_secs_f64().to_string();
    let (scale, cpus) = (turns.scale.to_string(), cpus().to_string());
    let args = ["--json", "--row", name, "--rounds", "1", "--warmup", "0"];
    let args = [&args[..], &["--seconds", &seconds, "--scale", &scale, "--cpus", &cpus]].concat();
    let job = cluster.run("microbenchmark", &args, None);
    let rows: Vec<Value> = job.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    match rows.as_slice() {
        [row] if job.code == 0 => {
            let rate = row["samples"][0].as_f64().unwrap_or_default();
            (rate, row["total"].as_f64().unwrap_or_default())
        }
        _ => panic!("the row `{name}` ended with {}: {:?}", job.code, job.lines),
    }
}

/// Samples and what they cost the process.
#[derive(Default)]
struct Meter {
    samples: Vec<f64>,
    cpu: Duration,
    total: f64,
}

impl Meter {
    fn sample(&mut self, counted: bool, work: impl FnOnce() -> (f64, f64)) {
        let before = cpu_time();
        let (rate, total) = work();
        if counted {
            self.samples.push(rate);
            self.cpu += cpu_time().saturating_sub(before);
            self.total += total;
        }
    }

    fn series(self) -> Series {
        let cpu_micros = if self.total > 0.0 { self.cpu.as_secs_f64() * 1e6 / self.total } else { 0.0 };
        Series { samples: self.samples, cpu_micros }
    }
}

impl Series {
    fn without_cpu(self) -> Self {
        Self { cpu_micros: 0.0, ..self }
    }
}

/// What all threads of this process have run so far.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What a bound needs and keeps between its turns.
enum Prepared {
    Nothing,
    Live(Vec<Live>),
    Bytes(Vec<u8>),
}

impl Bound {
    /// Copies shrink as the rows do.
    fn scaled(self, scale: f64) -> Self {
        match self {
            Self::Copy { size, gigabytes } => {
                Self::Copy { size: ((size as f64 * scale) as usize).max(1), gigabytes: gigabytes * scale }
            }
            Self::Fresh(_) | Self::Live(_) | Self::Start(_) => self,
        }
    }

    fn prepare(self, bare: &Ceiling) -> Prepared {
        match self {
            Self::Fresh(_) | Self::Start(_) => Prepared::Nothing,
            Self::Live(threads) => Prepared::Live((0..threads).map(|_| bare.start()).collect()),
            Self::Copy { size, .. } => Prepared::Bytes(vec![7; size]),
        }
    }

    /// One turn: the rate, and how many that was.
    fn measure(self, bare: &Ceiling, prepared: &mut Prepared, length: Duration) -> (f64, f64) {
        match (self, prepared) {
            (Self::Fresh(threads), _) => {
                let mut nothing = vec![(); threads];
                on_threads(&mut nothing, length, |()| bare.call_fresh(STEP))
            }
            (Self::Start(threads), _) => {
                let mut nothing = vec![(); threads];
                on_threads(&mut nothing, length, |()| bare.start_only(STEP))
            }
            (Self::Live(_), Prepared::Live(live)) => on_threads(live, length, |live| live.call(STEP)),
            (Self::Copy { gigabytes, .. }, Prepared::Bytes(from)) => {
                copies(gigabytes, length, || drop(black_box(black_box(&*from).to_vec())))
            }
            _ => unreachable!("each bound is measured with what it prepared"),
        }
    }

    fn words(self) -> String {
        match self {
            Self::Fresh(threads) => format!("fresh instance and call, {}", plural(threads)),
            Self::Live(threads) => format!("call into a live instance, {}", plural(threads)),
            Self::Start(threads) => format!("fresh instance, {}", plural(threads)),
            Self::Copy { .. } => "copy into fresh memory".to_owned(),
        }
    }
}

/// Calls between two looks at the clock.
const STEP: u64 = 64;

fn plural(threads: usize) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

/// Gigabytes per second, and gigabytes.
fn copies(gigabytes: f64, length: Duration, mut copy: impl FnMut()) -> (f64, f64) {
    let started = Instant::now();
    let mut count = 0_u32;
    while count == 0 || started.elapsed() < length {
        copy();
        count += 1;
    }
    let total = gigabytes * f64::from(count);
    (total / started.elapsed().as_secs_f64(), total)
}

/// What each of the threads does again and again, [`STEP`] at a time: the rate of all, and how many that was.
fn on_threads<P: Send>(each: &mut [P], length: Duration, step: impl Fn(&mut P) + Sync) -> (f64, f64) {
    let barrier = Barrier::new(each.len());
    let rates: Vec<(f64, f64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = each
            .iter_mut()
            .map(|prepared| {
                scope.spawn(|| {
                    barrier.wait();
                    let started = Instant::now();
                    let mut count = 0_u64;
                    while count == 0 || started.elapsed() < length {
                        step(prepared);
                        count += STEP;
                    }
                    (count as f64 / started.elapsed().as_secs_f64(), count as f64)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no call fails")).collect()
    });
    rates.into_iter().fold((0.0, 0.0), |(rate, total), (more, count)| (rate + more, total + count))
}
