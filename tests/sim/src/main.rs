//! `cargo xtask sim`: runs seeds until one fails, and shows what happened then.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use rayw_sim::{Scenario, World};

/// Lines of the story of a failed run that are shown.
const LINES: usize = 120;

/// Runs simulated clusters.
#[derive(Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim")]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Look at all references after every event, not after every 16th.
    #[arg(long)]
    strict: bool,
    /// Tell all that happens under the first seed.
    #[arg(long)]
    trace: bool,
    /// The scenario of the test that loses this packet: nothing else befalls it. With `--trace`.
    #[arg(long)]
    lose: Option<u64>,
    /// Go on after a seed has failed, and tell only which ones did.
    #[arg(long)]
    all: bool,
}

#[expect(clippy::print_stdout, reason = "the program's output")]
fn main() -> ExitCode {
    let args = Args::parse();
    if args.trace {
        let scenario = match args.lose {
            Some(packet) => Scenario::fixed(args.from, Some(packet)),
            None => Scenario::of(args.from),
        };
        let report = World::new(scenario, true, args.strict).run();
        report.trace.iter().for_each(|line| println!("{line}"));
        return if report.wrong.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (begun, next, failed) = (Instant::now(), AtomicU64::new(args.from), Mutex::new(Vec::new()));
    let totals = [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)];
    let end = args.from.saturating_add(args.seeds);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = !args.all && failed.lock().map_or(true, |failed| !failed.is_empty());
                    if seed >= end || is_over {
                        return;
                    }
                    let run = || World::new(Scenario::of(seed), false, args.strict).run();
                    let wrong = match std::panic::catch_unwind(run) {
                        Ok(report) => {
                            totals[0].fetch_add(report.events, Ordering::Relaxed);
                            totals[1].fetch_add(report.packets, Ordering::Relaxed);
                            totals[2].fetch_add(report.returned, Ordering::Relaxed);
                            report.wrong
                        }
                        Err(_) => Some("it panicked".to_owned()),
                    };
                    if let (Some(wrong), Ok(mut failed)) = (wrong, failed.lock()) {
                        failed.push((seed, wrong));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    let [events, packets, returned] = totals.map(AtomicU64::into_inner);
    println!(
        "{} seeds in {:.1} s: {events} events, {packets} packets, {returned} tasks and calls returned",
        args.seeds,
        begun.elapsed().as_secs_f64()
    );
    for (seed, wrong) in &failed {
        let wrong: Vec<&str> = wrong.lines().take(if args.all { 2 } else { LINES }).collect();
        println!("seed {seed}: {}", wrong.join("\n"));
    }
    match failed.first() {
        Some((seed, _)) => {
            println!("`cargo xtask sim --from {seed} --trace` tells what happened ({} seeds failed)", failed.len());
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}
