//! Estimates pi by throwing darts at a square: the share that hits the circle inside is pi / 4.
//!
//! Each task throws its own darts and tells an actor how far it is; the
//! driver asks the actor from time to time while it waits for the tasks.

mod random;

use std::time::Duration;

use random::Random;

/// How often a task reports.
const REPORTS_PER_TASK: u64 = 10;
/// How often the driver looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Gathers how many darts have been thrown.
#[derive(Default)]
struct Progress {
    thrown: u64,
}

#[rayw::actor]
impl Progress {
    #[rayw(num_returns = 0)]
    fn add(&mut self, thrown: u64) {
        self.thrown += thrown;
    }

    fn thrown(&self) -> u64 {
        self.thrown
    }
}

/// Throws the darts and answers how many hit. The same seed throws the same darts.
#[rayw::task]
fn throw(darts: u64, seed: u64, progress: ProgressHandle) -> u64 {
    let mut random = Random::new(seed);
    let mut hits = 0;
    for report in 0..REPORTS_PER_TASK {
        // Shares that add up to all the darts, whatever their number.
        let share = darts * (report + 1) / REPORTS_PER_TASK - darts * report / REPORTS_PER_TASK;
        for _ in 0..share {
            let (x, y) = (random.next_fraction(), random.next_fraction());
            hits += u64::from(x * x + y * y <= 1.0);
        }
        progress.add(share);
    }
    hits
}

#[rayw::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = pico_args::Arguments::from_env();
    let tasks: u64 = arguments.opt_value_from_str("--tasks")?.unwrap_or(8);
    let darts: u64 = arguments.opt_value_from_str("--darts")?.unwrap_or(20_000_000);
    if let Some(unknown) = arguments.finish().first() {
        return Err(format!("unknown argument `{}`; there are --tasks and --darts", unknown.display()).into());
    }
    // Percents must fit into a number as well.
    if !matches!(tasks.checked_mul(darts).and_then(|all| all.checked_mul(100)), Some(1..)) {
        return Err("give at least one task and one dart, and fewer than 10^17 darts together".into());
    }

    let (pi, error) = estimate(tasks, darts, |percent| println!("{percent:3} %"))?;
    println!("pi = {pi:.6} ± {error:.6}, off by {:+.6}", pi - std::f64::consts::PI);
    Ok(())
}

/// Pi and its standard error, from `darts` darts in each of the tasks.
fn estimate(tasks: u64, darts: u64, mut show: impl FnMut(u64)) -> rayw::Result<(f64, f64)> {
    let progress = Progress::remote()?;
    let hits: Vec<_> = (0..tasks).map(|seed| throw::remote(darts, seed, &progress)).collect();
    let all = tasks * darts;
    loop {
        let (_, running) = rayw::wait(&hits, hits.len(), Some(LOOK_EVERY))?;
        show(progress.thrown().get()? * 100 / all);
        if running.is_empty() {
            break;
        }
    }
    let hits: u64 = rayw::get_all(hits)?.iter().sum();
    let share = hits as f64 / all as f64;
    let error = 4.0 * (share * (1.0 - share) / all as f64).sqrt();
    Ok((4.0 * share, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_near_and_says_how_near() {
        let mut shown = Vec::new();
        let (pi, error) = estimate(4, 100_003, |percent| shown.push(percent)).unwrap();
        assert!((pi - std::f64::consts::PI).abs() < 4.0 * error, "{pi} ± {error}");
        assert!(error < 0.01, "{error}");
        assert_eq!(shown.last(), Some(&100));
        assert!(shown.is_sorted(), "{shown:?}");
    }

    #[test]
    fn the_same_seeds_give_the_same_estimate() {
        let [one, other] = [(); 2].map(|()| estimate(3, 1000, |_| {}).unwrap());
        assert_eq!(one, other);
    }
}
