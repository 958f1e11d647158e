//! How a row is timed: Ray's way, so that both can be compared.
//!
//! A row warms up while its turns are counted. Each round then goes in steps of a tenth of that
//! count, so that looking at the clock costs nothing, until its time is over.

use std::time::{Duration, Instant};

use crate::arguments::Arguments;

/// What came of a row's rounds.
pub struct Samples {
    /// One number a round.
    pub samples: Vec<f64>,
    /// How many there were, those of the warm-up too.
    pub total: f64,
}

/// Rounds of `turn`, in what counts `per_turn`, per second.
pub fn rate(arguments: &Arguments, per_turn: f64, mut turn: impl FnMut() -> rayw::Result<()>) -> rayw::Result<Samples> {
    let started = Instant::now();
    let mut warm = 0_u64;
    // A turn that is longer than the warm-up is one.
    while started.elapsed() < arguments.warmup {
        turn()?;
        warm += 1;
    }
    let step = warm / 10 + 1;
    let mut total = warm;
    let round = |_| {
        let started = Instant::now();
        let mut count = 0_u64;
        while count == 0 || started.elapsed() < arguments.seconds {
            for _ in 0..step {
                turn()?;
            }
            count += step;
        }
        total += count;
        Ok(per_turn * count as f64 / started.elapsed().as_secs_f64())
    };
    let samples = (0..arguments.rounds).map(round).collect::<rayw::Result<_>>()?;
    Ok(Samples { samples, total: per_turn * total as f64 })
}

/// The same for turns that tell how long they took: what they prepare does not count.
pub fn rate_of(
    arguments: &Arguments,
    per_turn: f64,
    mut turn: impl FnMut() -> rayw::Result<Duration>,
) -> rayw::Result<Samples> {
    let mut total = 0_u32;
    let mut until = |least: Duration| {
        let (mut elapsed, mut count) = (Duration::ZERO, 0_u32);
        while count == 0 || elapsed < least {
            elapsed += turn()?;
            count += 1;
        }
        total += count;
        Ok(per_turn * f64::from(count) / elapsed.as_secs_f64())
    };
    if !arguments.warmup.is_zero() {
        until(arguments.warmup)?;
    }
    let samples = (0..arguments.rounds).map(|_| until(arguments.seconds)).collect::<rayw::Result<_>>()?;
    Ok(Samples { samples, total: per_turn * f64::from(total) })
}

/// How long each of the rounds took, in seconds, after one that does not count.
pub fn seconds(arguments: &Arguments, mut round: impl FnMut() -> rayw::Result<Duration>) -> rayw::Result<Samples> {
    round()?;
    let samples = (0..arguments.rounds).map(|_| Ok(round()?.as_secs_f64())).collect::<rayw::Result<_>>()?;
    Ok(Samples { samples, total: f64::from(arguments.rounds) + 1.0 })
}

/// How long something takes.
pub fn timed(work: impl FnOnce() -> rayw::Result<()>) -> rayw::Result<Duration> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}
