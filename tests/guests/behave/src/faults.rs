//! Durable actors whose state cannot be written down, or not be read again.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rayw::ObjectRef;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::stage::{Log, LogHandle, kind, run_on};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    a_checkpoint_that_fails,
    a_checkpoint_that_crashes,
    a_state_that_cannot_be_restored,
    a_crash_while_a_state_is_restored,
    states_without_end,
    a_kill_in_a_checkpoint,
];

/// Calls that this very sandbox has served: it begins anew in a fresh one.
static SERVED: AtomicU32 = AtomicU32::new(0);

/// What goes wrong with a state.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Fault {
    Nothing,
    WriteFails,
    WriteCrashes,
    WriteNeverEnds,
    ReadFails,
    ReadCrashes,
    ReadNeverEnds,
}

/// Counts its calls, keeps an object, and has a fault. Its log hears when it is written down.
struct Fragile {
    log: LogHandle,
    fault: Fault,
    calls: u32,
    kept: ObjectRef<String>,
}

impl Serialize for Fragile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.log.tell("begun to write");
        match self.fault {
            Fault::WriteFails => return Err(S::Error::custom("the ink is dry")),
            Fault::WriteCrashes => std::process::abort(),
            Fault::WriteNeverEnds => run_for_ever(),
            Fault::Nothing | Fault::ReadFails | Fault::ReadCrashes | Fault::ReadNeverEnds => {}
        }
        self.log.tell("written");
        (&self.log, self.fault, self.calls, &self.kept).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (log, fault, calls, kept) = Deserialize::deserialize(deserializer)?;
        match fault {
            Fault::ReadFails => return Err(D::Error::custom("the ink has faded")),
            Fault::ReadCrashes => panic!("the glasses broke"),
            Fault::ReadNeverEnds => run_on(),
            Fault::Nothing | Fault::WriteFails | Fault::WriteCrashes | Fault::WriteNeverEnds => {}
        }
        Ok(Self { log, fault, calls, kept })
    }
}

#[rayw::actor(durable)]
impl Fragile {
    fn new(log: LogHandle, fault: Fault) -> rayw::Result<Self> {
        Ok(Self { log, fault, calls: 0, kept: rayw::put(&"treasure".to_owned())? })
    }

    /// Has no fault any more.
    fn heal(&mut self) {
        self.fault = Fault::Nothing;
    }

    /// How often this was called, how often in this very sandbox, and what it keeps.
    fn visit(&mut self) -> rayw::Result<String> {
        self.calls += 1;
        let here = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(format!("visit {}, {here} in this sandbox, {}", self.calls, self.kept.get()?))
    }
}

/// Never waits for anything, so that nothing but the host can end it.
fn run_for_ever() {
    loop {
        black_box(());
    }
}

/// One that was visited once, and may live again so often.
fn fragile(log: &LogHandle, fault: Fault, max_restarts: i32) -> rayw::Result<FragileHandle> {
    let options = Fragile::options().max_restarts(max_restarts);
    // A call that comes when one has just crashed and nobody knows yet is as one that was under way.
    let retries = i32::from(matches!(fault, Fault::WriteCrashes));
    let fragile = options.max_task_retries(retries).remote(log, fault)?;
    println!("{}", told_visit(&fragile));
    Ok(fragile)
}

fn told_visit(fragile: &FragileHandle) -> String {
    told(fragile, fragile.visit().get())
}

/// How a visit went, with all causes, and without the id of the actor, which is another one each time.
fn told(fragile: &FragileHandle, visit: rayw::Result<String>) -> String {
    let told = visit.unwrap_or_else(|error| format!("{}: {error}", error.kind()));
    told.replace(&format!(" ({})", fragile.id()), "")
}

fn a_checkpoint_that_fails() -> rayw::Result<()> {
    let log = Log::remote()?;
    let fragile = fragile(&log, Fault::WriteFails, 0)?;
    log.await_line("begun to write");
    println!("{}", told_visit(&fragile));
    fragile.heal().get()?;
    log.await_line("written");
    println!("{}", told_visit(&fragile));
    Ok(())
}

fn a_checkpoint_that_crashes() -> rayw::Result<()> {
    dies_in(Fault::WriteCrashes, "begun to write")
}

fn a_state_that_cannot_be_restored() -> rayw::Result<()> {
    dies_in(Fault::ReadFails, "written")
}

fn a_crash_while_a_state_is_restored() -> rayw::Result<()> {
    dies_in(Fault::ReadCrashes, "written")
}

/// One is written down without end, the other one read: they take as long as they may at the same time.
fn states_without_end() -> rayw::Result<()> {
    die(Fault::WriteNeverEnds, "begun to write", Fault::ReadNeverEnds, "written")
}

fn dies_in(fault: Fault, far: &str) -> rayw::Result<()> {
    die(fault, far, fault, far)
}

/// Calls one that lives once and one that lives twice when their states are that far; nobody calls them before.
fn die(of_mortal: Fault, far: &str, of_reborn: Fault, so_far: &str) -> rayw::Result<()> {
    let (log, other_log) = (Log::remote()?, Log::remote()?);
    let (mortal, reborn) = (fragile(&log, of_mortal, 0)?, fragile(&other_log, of_reborn, 1)?);
    log.await_line(far);
    other_log.await_line(so_far);
    let visit_of_reborn = reborn.visit();
    println!("mortal: {}", told_visit(&mortal));
    println!("again: {}", kind(mortal.visit().get()));
    println!("reborn: {}", told(&reborn, visit_of_reborn.get()));
    Ok(())
}

fn a_kill_in_a_checkpoint() -> rayw::Result<()> {
    let log = Log::remote()?;
    let fragile = fragile(&log, Fault::WriteNeverEnds, 0)?;
    log.await_line("begun to write");
    let visit = fragile.visit();
    println!("{}", told(&fragile, visit.get_timeout(Duration::from_millis(50))));
    fragile.kill()?;
    println!("{}", told(&fragile, visit.get()));
    Ok(())
}
