//! Rows about how much of something there may be: Ray's scalability envelope of one node.

use std::time::{Duration, Instant};

use rayw::ErrorKind;

use crate::arguments::Arguments;
use crate::report::{self, Unit};
use crate::timing::{self, Samples, timed};
use crate::work::{hold, many_returns, small_value, sum};

const ARGUMENTS: usize = 10_000;
const OBJECTS: usize = 10_000;
const QUEUED: usize = 1_000_000;
/// Results that are asked for at once: what a guest holds of them stays small.
const GET: usize = 10_000;

/// One list of references, all of which the task reads: a Rust function has no variable number of arguments.
pub fn arguments(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(ARGUMENTS);
    let samples = timing::seconds(arguments, || {
        let numbers = (0..count).map(|_| rayw::put(&1_u32)).collect::<rayw::Result<Vec<_>>>()?;
        timed(|| {
            let sum = sum::remote(numbers).get()?;
            assert_eq!(sum as usize, count, "the task reads them all");
            Ok(())
        })
    })?;
    report::result(arguments, name, Unit::Seconds, &samples);
    Ok(())
}

pub fn returns(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let samples = timing::seconds(arguments, || timed(|| rayw::get_all(many_returns::remote()).map(drop)))?;
    report::result(arguments, name, Unit::Seconds, &samples);
    Ok(())
}

pub fn get(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(OBJECTS);
    let samples = timing::seconds(arguments, || {
        let objects = (0..count).map(|_| rayw::put(&1_u32)).collect::<rayw::Result<Vec<_>>>()?;
        timed(|| rayw::get_all(objects).map(drop))
    })?;
    report::result(arguments, name, Unit::Seconds, &samples);
    Ok(())
}

/// All cpus are held while the tasks are submitted, so that all of them wait at once.
pub fn queue(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(QUEUED);
    // Sandboxes and tables that the first tasks need are no part of what a queued one costs.
    rayw::get_all((0..GET.min(count)).map(|_| small_value::remote()))?;
    let held: Vec<_> = (0..arguments.cpus).map(|_| hold::remote()).collect();
    report::mark(arguments, "empty", count);
    let started = Instant::now();
    let mut tasks: Vec<_> = (0..count).map(|_| small_value::remote()).collect();
    let submitted = started.elapsed();
    report::mark(arguments, "queued", count);
    let drain = Instant::now();
    for task in &held {
        rayw::cancel(task)?;
    }
    while !tasks.is_empty() {
        rayw::get_all(tasks.drain(..GET.min(tasks.len())))?;
    }
    let drained = drain.elapsed();
    for task in held {
        assert_eq!(task.get().map_err(|error| error.kind()).err(), Some(ErrorKind::TaskCancelled), "it was cancelled");
    }
    let rate = |elapsed: Duration| count as f64 / elapsed.as_secs_f64();
    let tell = |what: &str, unit, sample: f64| {
        let measured = Samples { samples: vec![sample], total: count as f64 };
        report::result(arguments, &format!("{name}{what}"), unit, &measured);
    };
    tell(" and drained", Unit::Seconds, (submitted + drained).as_secs_f64());
    tell(": submitted", Unit::PerSecond, rate(submitted));
    tell(": drained", Unit::PerSecond, rate(drained));
    Ok(())
}
