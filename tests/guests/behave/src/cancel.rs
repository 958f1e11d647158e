//! Cancelling: what waits, what runs, what others submitted, what actors do.

use std::time::Duration;

use rayw::{CancelOptions, ObjectRef};

use crate::stage::{Log, LogHandle, kind, run_on, told};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    cancel_what_waits,
    cancel_what_runs,
    cancel_what_another_task_submitted,
    cancel_with_children,
    cancel_without_children,
    cancel_what_is_over,
    cancel_what_waits_for_an_argument,
    cancel_calls_of_an_actor,
];

/// Says that it runs and goes on until it is stopped.
#[rayw::task]
fn run_until_stopped(log: LogHandle, name: String) -> u32 {
    log.tell(&format!("{name} runs"));
    run_on();
    0
}

#[rayw::task]
fn say(log: LogHandle, name: String) -> String {
    log.tell(&format!("{name} runs"));
    name
}

/// Runs and holds its cpu until the gate opens.
#[rayw::task]
fn until_gate(log: LogHandle, name: String, gate: String) -> String {
    log.tell(&format!("{name} runs"));
    log.pass(&gate);
    name
}

fn cancel_what_waits() -> rayw::Result<()> {
    let log = Log::remote()?;
    // A whole cpu each, and there is one: what follows the first waits for it.
    let blocking = run_until_stopped::remote(&log, "first");
    log.await_line("first runs");
    let unwanted = say::remote(&log, "unwanted");
    let wanted = say::remote(&log, "wanted");
    rayw::cancel(&unwanted)?;
    println!("{}", told(unwanted.get()));
    rayw::cancel(&blocking)?;
    println!("{}", told(wanted.get()));
    println!("{} {}", log.times("unwanted runs"), log.times("wanted runs"));
    Ok(())
}

fn cancel_what_runs() -> rayw::Result<()> {
    let log = Log::remote()?;
    let running = run_until_stopped::options().name("long").remote(&log, "it");
    log.await_line("it runs");
    rayw::cancel(&running)?;
    println!("{}", told(running.get()));
    let forced = run_until_stopped::options().name("forced").remote(&log, "forced");
    log.await_line("forced runs");
    rayw::cancel_with(&forced, CancelOptions::default().force(true))?;
    println!("{}", told(forced.get()));
    println!("{} {}", log.times("it runs"), log.times("forced runs"));
    Ok(())
}

/// Submits a task and answers with the reference to its result.
#[rayw::task]
fn submit_for_others(log: LogHandle) -> ObjectRef<u32> {
    run_until_stopped::options().name("inner").remote(&log, "inner")
}

fn cancel_what_another_task_submitted() -> rayw::Result<()> {
    let log = Log::remote()?;
    let inner = submit_for_others::remote(&log).get()?;
    log.await_line("inner runs");
    rayw::cancel(&inner)?;
    println!("{}", told(inner.get()));
    Ok(())
}

#[rayw::task]
fn parent(log: LogHandle) -> String {
    let children = [until_gate::remote(&log, "one", "children"), until_gate::remote(&log, "two", "children")];
    log.tell("parent runs");
    let results = children.map(|child| kind(child.get()));
    log.tell("parent ends");
    results.join(" ")
}

#[rayw::task]
fn child_that_ends(log: LogHandle, gate: String) {
    log.tell("child runs");
    log.pass(&gate);
    log.tell("child ends");
}

/// Keeps its child's result alive beyond its own end, by not waiting for it.
#[rayw::task]
fn parent_of_one(log: LogHandle) {
    let child = child_that_ends::remote(&log, "child");
    log.await_line("child runs");
    log.tell("parent runs");
    run_on();
    drop(child);
}

fn cancel_with_children() -> rayw::Result<()> {
    let log = Log::remote()?;
    let family = parent_of_one::options().name("parent").remote(&log);
    log.await_line("parent runs");
    rayw::cancel(&family)?;
    println!("{}", told(family.get()));
    log.open("child").get()?;
    // Had the child lived, it would have come before this one, which takes its cpu.
    say::options().num_cpus(2).remote(&log, "last").get()?;
    println!("{} children ended", log.times("child ends"));
    let family = parent::options().name("parent").remote(&log);
    log.await_line("one runs");
    log.await_line("two runs");
    rayw::cancel_with(&family, CancelOptions::default().recursive(true))?;
    println!("{}", kind(family.get()));
    println!("{}", log.times("parent ends"));
    Ok(())
}

fn cancel_without_children() -> rayw::Result<()> {
    let log = Log::remote()?;
    let family = parent_of_one::options().name("parent").remote(&log);
    log.await_line("parent runs");
    rayw::cancel_with(&family, CancelOptions::default().recursive(false))?;
    println!("{}", told(family.get()));
    log.open("child").get()?;
    log.await_line("child ends");
    println!("{} children ended", log.times("child ends"));
    Ok(())
}

fn cancel_what_is_over() -> rayw::Result<()> {
    let log = Log::remote()?;
    let done = say::remote(&log, "done");
    done.get()?;
    rayw::cancel(&done)?;
    println!("{}", told(done.get()));
    println!("{}", kind(rayw::cancel(&rayw::put(&1)?)));
    Ok(())
}

fn cancel_what_waits_for_an_argument() -> rayw::Result<()> {
    let log = Log::remote()?;
    let slow = until_gate::remote(&log, "slow", "slow");
    let waiting = say::options().name("waiting").remote(&log, &slow);
    rayw::cancel(&waiting)?;
    println!("{}", told(waiting.get_timeout(Duration::from_secs(20))));
    log.open("slow").get()?;
    println!("{}", told(slow.get()));
    Ok(())
}

/// An actor whose calls can take long.
#[derive(Default)]
struct Patient {
    calls: u32,
}

#[rayw::actor]
impl Patient {
    fn look_around(&mut self, log: LogHandle) -> bool {
        self.calls += 1;
        log.tell("looking");
        crate::stage::until("a cancellation", rayw::is_cancelled);
        true
    }

    fn calls(&mut self) -> u32 {
        self.calls += 1;
        self.calls
    }
}

fn cancel_calls_of_an_actor() -> rayw::Result<()> {
    let log = Log::remote()?;
    let patient = Patient::remote()?;
    let running = patient.look_around(&log);
    log.await_line("looking");
    let queued = patient.calls();
    let last = patient.calls();
    println!("{}", told(rayw::cancel_with(&running, CancelOptions::default().force(true))));
    rayw::cancel(&queued)?;
    rayw::cancel(&running)?;
    println!("{}", kind(queued.get()));
    // The running call saw it and went on to its end; the queued one never ran.
    println!("{}", told(running.get()));
    println!("{}", told(last.get()));
    Ok(())
}
