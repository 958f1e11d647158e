//! What the benchmarks measure: each scenario times its own loop and prints `nanos N`.
//!
//! Arguments: the name of a scenario, how many rounds it goes, and the size of one round. What a
//! loop needs beforehand is made before its clock starts.

use std::time::{Duration, Instant};

use rayw::{Bytes, ObjectRef};

/// A scenario: its name, and what it does for so many rounds of that size.
type Scenario = (&'static str, fn(u64, usize) -> rayw::Result<Duration>);

const SCENARIOS: &[Scenario] = &[
    ("tasks-sync", tasks_sync),
    ("tasks-batch", tasks_batch),
    ("tasks-reuse", tasks_reuse),
    ("actor-sync", actor_sync),
    ("actor-batch", actor_batch),
    ("put", put),
    ("get", get),
    ("wait", wait),
    ("get-of-refs", get_of_refs),
];

#[rayw::task]
fn noop() -> u32 {
    1
}

#[rayw::task(max_calls = 0)]
fn noop_again() -> u32 {
    1
}

/// An object that holds so many references.
#[rayw::task]
fn many_refs(count: usize) -> rayw::Result<Vec<ObjectRef<u32>>> {
    (0..count).map(|_| rayw::put(&1)).collect()
}

#[derive(Default)]
struct Nobody;

#[rayw::actor]
impl Nobody {
    fn noop(&self) -> u32 {
        1
    }
}

#[rayw::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let rounds = args.next().unwrap_or_default().parse()?;
    let size = args.next().unwrap_or_default().parse()?;
    let scenario = SCENARIOS.iter().find(|(known, _)| *known == name);
    let (_, run) = scenario.ok_or_else(|| format!("there is no scenario `{name}`"))?;
    println!("nanos {}", run(rounds, size)?.as_nanos());
    Ok(())
}

/// One task at a time.
fn tasks_sync(rounds: u64, size: usize) -> rayw::Result<Duration> {
    timed(rounds, || (0..size).try_for_each(|_| noop::remote().get().map(drop)))
}

/// A batch of tasks, each in a sandbox of its own.
fn tasks_batch(rounds: u64, size: usize) -> rayw::Result<Duration> {
    timed(rounds, || collect((0..size).map(|_| noop::remote())))
}

/// A batch of tasks in sandboxes that serve again.
fn tasks_reuse(rounds: u64, size: usize) -> rayw::Result<Duration> {
    timed(rounds, || collect((0..size).map(|_| noop_again::remote())))
}

/// One call of an actor at a time.
fn actor_sync(rounds: u64, size: usize) -> rayw::Result<Duration> {
    let actor = Nobody::remote()?;
    actor.noop().get()?;
    timed(rounds, || (0..size).try_for_each(|_| actor.noop().get().map(drop)))
}

/// A batch of calls of one actor.
fn actor_batch(rounds: u64, size: usize) -> rayw::Result<Duration> {
    let actor = Nobody::remote()?;
    actor.noop().get()?;
    timed(rounds, || collect((0..size).map(|_| actor.noop())))
}

/// Bytes that are put, and freed again.
fn put(rounds: u64, size: usize) -> rayw::Result<Duration> {
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let bytes = Bytes::from(vec![7; size]);
        let started = Instant::now();
        drop(rayw::put_bytes(bytes)?);
        total += started.elapsed();
    }
    Ok(total)
}

/// Bytes that somebody has put.
fn get(rounds: u64, size: usize) -> rayw::Result<Duration> {
    let object = rayw::put_bytes(vec![7; size])?;
    timed(rounds, || object.get().map(drop))
}

/// A batch of tasks, awaited one by one among all that are left.
fn wait(rounds: u64, size: usize) -> rayw::Result<Duration> {
    timed(rounds, || {
        let mut left: Vec<_> = (0..size).map(|_| noop::remote()).collect();
        while !left.is_empty() {
            left = rayw::wait(&left, 1, None)?.1;
        }
        Ok(())
    })
}

/// An object that holds references to others.
fn get_of_refs(rounds: u64, size: usize) -> rayw::Result<Duration> {
    let object = many_refs::remote(size);
    object.get()?;
    timed(rounds, || object.get().map(drop))
}

fn collect(refs: impl Iterator<Item = ObjectRef<u32>>) -> rayw::Result<()> {
    let refs: Vec<_> = refs.collect();
    let count = refs.len();
    let sum: u32 = rayw::get_all(refs)?.into_iter().sum();
    assert_eq!(sum as usize, count, "every call answers with one");
    Ok(())
}

fn timed(rounds: u64, mut round: impl FnMut() -> rayw::Result<()>) -> rayw::Result<Duration> {
    let started = Instant::now();
    for _ in 0..rounds {
        round()?;
    }
    Ok(started.elapsed())
}
