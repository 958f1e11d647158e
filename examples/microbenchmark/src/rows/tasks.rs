//! Rows about tasks.

use rayw::{Bytes, ObjectRef};

use crate::arguments::Arguments;
use crate::report::{self, Unit};
use crate::timing;
use crate::work::{Actor, small_value, small_value_again};

/// Tasks of one batch.
const BATCH: usize = 1000;
/// Clients at once, and the tasks of each.
const CLIENTS: usize = 4;
const TASKS_OF_CLIENT: usize = 10_000;

pub fn one_by_one(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let samples = timing::rate(arguments, 1.0, || small_value::remote().get().map(drop))?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

pub fn many(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    in_batches(name, arguments, true, small_value::remote)
}

pub fn many_with_reuse(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    in_batches(name, arguments, true, small_value_again::remote)
}

/// The same as many tasks, in whole batches.
pub fn batch(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    in_batches(name, arguments, false, small_value::remote)
}

fn in_batches(
    name: &'static str,
    arguments: &Arguments,
    count_tasks: bool,
    task: fn() -> ObjectRef<Bytes>,
) -> rayw::Result<()> {
    let count = arguments.scaled(BATCH);
    let per_turn = if count_tasks { count as f64 } else { 1.0 };
    let samples = timing::rate(arguments, per_turn, || rayw::get_all((0..count).map(|_| task())).map(drop))?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

/// Each client is an actor.
pub fn many_of_many(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(TASKS_OF_CLIENT);
    let clients = (0..CLIENTS).map(|_| Actor::remote()).collect::<rayw::Result<Vec<_>>>()?;
    let samples = timing::rate(arguments, (CLIENTS * count) as f64, || {
        rayw::get_all(clients.iter().map(|client| client.small_value_batch(count))).map(drop)
    })?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}
