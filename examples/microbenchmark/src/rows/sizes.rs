//! Rows about how much of something there may be: Ray's scalability envelope of one node.

use std::time::{Duration, Instant};

use rayw::ErrorKind;

use crate::arguments::Arguments;
use crate::report::{self, Unit};
use crate::timing::{self, Samples, timed};
use crate::work::{Sleeper, hold, many_returns, small_value, sum};

const ARGUMENTS: usize = 10_000;
const OBJECTS: usize = 10_000;
const QUEUED: usize = 1_000_000;
const SLEEPERS: usize = 100_000;
/// Actors that are made before any is asked for.
const SLEEPERS_AT_ONCE: usize = 1_000;
/// Actors that are made first and dropped: more than a node keeps awake, so that each of its places was used once.
const SLEEPERS_BEFORE: usize = 3_000;
/// How long after that their memory may take to be given back.
const UNTIL_GONE: Duration = Duration::from_secs(2);
/// How long the last ones are left alone: longer than a durable actor keeps its sandbox.
const UNTIL_ASLEEP: Duration = Duration::from_secs(7);
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
    report::mark(arguments, name, count);
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

/// Durable actors that nobody calls: they are asleep, and one of them is called again.
pub fn sleepers(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(SLEEPERS);
    let make = |count: usize| -> rayw::Result<Vec<_>> {
        let mut actors = Vec::with_capacity(count);
        while actors.len() < count {
            let at_once = SLEEPERS_AT_ONCE.min(count - actors.len());
            let made = (0..at_once).map(|_| Sleeper::remote(7)).collect::<rayw::Result<Vec<_>>>()?;
            rayw::get_all(made.iter().map(|actor| actor.number()))?;
            actors.extend(made);
        }
        Ok(actors)
    };
    // Sandboxes, their stacks and tables that the first ones need are no part of what a sleeper costs.
    drop(make(SLEEPERS_BEFORE.min(count))?);
    std::thread::sleep(UNTIL_GONE);
    report::mark(arguments, "empty", count);
    let started = Instant::now();
    let mut actors = make(count)?;
    let made = started.elapsed();
    std::thread::sleep(UNTIL_ASLEEP);
    report::mark(arguments, name, count);
    let woken = timing::seconds(arguments, || {
        let actor = actors.pop().ok_or_else(|| rayw::Error::new("there are no actors left to wake"))?;
        timed(|| actor.number().get().map(|number| assert_eq!(number, 7, "it knows its number")))
    })?;
    let rate = Samples { samples: vec![count as f64 / made.as_secs_f64()], total: count as f64 };
    report::result(arguments, &format!("{name}: made"), Unit::PerSecond, &rate);
    report::result(arguments, &format!("{name}: first call"), Unit::Seconds, &woken);
    Ok(())
}
