//! Rows about actors.

use crate::arguments::Arguments;
use crate::report::{self, Unit};
use crate::timing;
use crate::work::{Actor, Client, call_in_turn};

/// Calls of one batch.
const BATCH: usize = 1000;
/// Calls of one client.
const CALLS: usize = 5000;
/// Calls of one client, with an argument.
const CALLS_WITH_ARGUMENT: usize = 1000;
/// Tasks that call at once.
const CALLERS: usize = 4;
/// Actors that are made at once.
const CREATED: usize = 100;

pub fn one_by_one(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let actor = Actor::remote()?;
    let samples = timing::rate(arguments, 1.0, || actor.small_value().get().map(drop))?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

pub fn many(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let actor = Actor::remote()?;
    let count = arguments.scaled(BATCH);
    let samples =
        timing::rate(arguments, count as f64, || rayw::get_all((0..count).map(|_| actor.small_value())).map(drop))?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

pub fn one_to_many(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let servers = (0..arguments.half_of_cpus()).map(|_| Actor::remote()).collect::<rayw::Result<Vec<_>>>()?;
    let count = arguments.scaled(CALLS);
    let per_turn = (count * servers.len()) as f64;
    let client = Client::remote(servers)?;
    let samples = timing::rate(arguments, per_turn, || client.small_value_batch(count).get())?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

pub fn many_to_many(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let servers = (0..arguments.half_of_cpus()).map(|_| Actor::remote()).collect::<rayw::Result<Vec<_>>>()?;
    let count = arguments.scaled(CALLS);
    let samples = timing::rate(arguments, (CALLERS * count) as f64, || {
        rayw::get_all((0..CALLERS).map(|_| call_in_turn::remote(servers.clone(), count))).map(drop)
    })?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

/// Each client calls a server of its own.
pub fn many_to_many_with_argument(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(CALLS_WITH_ARGUMENT);
    let clients = (0..arguments.half_of_cpus())
        .map(|_| Client::remote(vec![Actor::remote()?]))
        .collect::<rayw::Result<Vec<_>>>()?;
    let samples = timing::rate(arguments, (clients.len() * count) as f64, || {
        rayw::get_all(clients.iter().map(|client| client.small_value_batch_arg(count))).map(drop)
    })?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}

/// An actor is ready when it has answered once.
pub fn created(name: &'static str, arguments: &Arguments) -> rayw::Result<()> {
    let count = arguments.scaled(CREATED);
    let samples = timing::rate(arguments, count as f64, || {
        let actors = (0..count).map(|_| Actor::remote()).collect::<rayw::Result<Vec<_>>>()?;
        rayw::get_all(actors.iter().map(|actor| actor.small_value())).map(drop)
    })?;
    report::result(arguments, name, Unit::PerSecond, &samples);
    Ok(())
}
