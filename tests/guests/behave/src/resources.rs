//! Resources: what tasks hold, what waits for them, what nobody has.

use std::time::Duration;

use crate::stage::{Log, LogHandle, kind, pause, told};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    custom_resources,
    a_resource_nobody_has,
    small_parts_of_a_cpu,
    more_cpus_than_there_are,
    amounts_that_are_none,
    no_cpus_at_all,
    memory_is_reserved,
];

#[rayw::task]
fn held() -> String {
    format!("{:?}", rayw::context().assigned_resources)
}

#[rayw::task]
fn hold(log: LogHandle, name: String) -> String {
    log.tell(&format!("{name} holds"));
    log.pass("release");
    name
}

/// Needs `--resources '{"A": 1}'`.
fn custom_resources() -> rayw::Result<()> {
    println!("{}", held::options().resource("A", 0.5).num_cpus(0.0).remote().get()?);
    let log = Log::remote()?;
    let first = hold::options().resource("A", 1.0).num_cpus(0.0).remote(&log, "first");
    log.await_line("first holds");
    let second = hold::options().resource("A", 1.0).num_cpus(0.0).remote(&log, "second");
    // Others that ask for no A are not held up.
    println!("{}", held::remote().get()?);
    println!("second waits: {}", kind(second.get_timeout(Duration::from_millis(100))) == "get-timeout");
    println!("second began: {}", log.times("second holds"));
    log.open("release").get()?;
    println!("{} {}", first.get()?, second.get()?);
    Ok(())
}

fn a_resource_nobody_has() -> rayw::Result<()> {
    let waiting = held::options().name("unplaced").resource("unobtainium", 1.0).remote();
    println!("{}", kind(waiting.get_timeout(Duration::from_millis(200))));
    pause("pending");
    rayw::cancel(&waiting)?;
    println!("{}", kind(waiting.get()));
    println!("{}", held::remote().get()?);
    Ok(())
}

fn small_parts_of_a_cpu() -> rayw::Result<()> {
    let log = Log::remote()?;
    let holders: Vec<_> =
        (0..20).map(|number| hold::options().num_cpus(0.0001).remote(&log, format!("{number}"))).collect();
    // All of them at once on one cpu, and there is room for another half.
    for number in 0..20 {
        log.await_line(&format!("{number} holds"));
    }
    println!("{}", held::options().num_cpus(0.5).remote().get()?);
    log.open("release").get()?;
    println!("{}", rayw::get_all(&holders)?.len());
    Ok(())
}

fn more_cpus_than_there_are() -> rayw::Result<()> {
    let waiting = held::options().num_cpus(1000).remote();
    println!("{}", kind(waiting.get_timeout(Duration::from_millis(200))));
    println!("{}", held::remote().get()?);
    Ok(())
}

fn amounts_that_are_none() -> rayw::Result<()> {
    for amount in [-1.0, 0.00001, f64::NAN, f64::INFINITY] {
        println!("{}", told(held::options().num_cpus(amount).remote().get()));
    }
    println!("{}", told(held::options().resource("CPU", 1.0).remote().get()));
    println!("{}", told(held::options().memory("much").remote().get()));
    println!("{}", told(held::options().max_retries(-2).remote().get()));
    Ok(())
}

/// With `--num-cpus 0`: what asks for none runs, all else waits.
fn no_cpus_at_all() -> rayw::Result<()> {
    println!("{}", held::options().num_cpus(0).remote().get()?);
    println!("{}", kind(held::remote().get_timeout(Duration::from_millis(200))));
    Ok(())
}

/// With `--memory 1GiB`: two tasks of 600 MiB do not run at once.
fn memory_is_reserved() -> rayw::Result<()> {
    let log = Log::remote()?;
    let first = hold::options().num_cpus(0).memory("600MiB").remote(&log, "first");
    log.await_line("first holds");
    let second = hold::options().num_cpus(0).memory("600MiB").remote(&log, "second");
    println!("{}", kind(second.get_timeout(Duration::from_millis(200))));
    println!("second began: {}", log.times("second holds"));
    log.open("release").get()?;
    println!("{} {}", first.get()?, second.get()?);
    Ok(())
}
