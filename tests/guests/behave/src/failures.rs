//! Failures: errors of the task's own code, retries, breakdowns.

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use rayw::ErrorKind;
use serde::{Deserialize, Serialize};

use crate::stage::{Log, LogHandle, kind, told, until};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    a_crash_that_is_retried,
    a_crash_without_retries,
    a_crash_that_passes,
    errors_are_not_retried,
    errors_are_retried_when_asked,
    only_listed_errors_are_retried,
    an_error_can_be_matched,
    an_error_of_a_nested_task,
    an_error_that_cannot_be_sent,
    a_result_that_cannot_be_sent,
    a_panic,
    an_unreachable,
    a_stack_overflow,
    an_endless_loop,
    loops_on_all_cpus,
    loops_on_all_cpus_for_ever,
    an_exit_of_a_task,
    memory_past_the_cap,
    ten_gibibytes,
    neighbours_of_a_crash,
];

/// Fails with these words.
#[rayw::task]
pub fn fail(words: String) -> Result<u64, String> {
    Err(words)
}

/// Crashes on its first `times` attempts.
#[rayw::task]
fn crash(log: LogHandle, times: u32) -> u32 {
    log.tell("run");
    if rayw::context().attempt < times {
        std::process::abort();
    }
    rayw::context().attempt
}

fn a_crash_that_is_retried() -> rayw::Result<()> {
    let log = Log::remote()?;
    println!("{}", told(crash::options().max_retries(2).remote(&log, 100).get()));
    println!("{} runs", log.times("run"));
    Ok(())
}

fn a_crash_without_retries() -> rayw::Result<()> {
    let log = Log::remote()?;
    println!("{}", kind(crash::options().max_retries(0).remote(&log, 100).get()));
    println!("{} runs", log.times("run"));
    println!("{}", kind(crash::remote(&log, 100).get()));
    println!("{} runs more", log.times("run") - 1);
    Ok(())
}

fn a_crash_that_passes() -> rayw::Result<()> {
    let log = Log::remote()?;
    println!("{}", told(crash::options().max_retries(-1).remote(&log, 5).get()));
    println!("{} runs", log.times("run"));
    Ok(())
}

/// An error that a caller may match on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Weather {
    Rain { millimetres: u32 },
    Storm,
}

impl fmt::Display for Weather {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rain { millimetres } => write!(formatter, "{millimetres} mm of rain"),
            Self::Storm => formatter.write_str("a storm"),
        }
    }
}

impl std::error::Error for Weather {}

/// Another error, with a source and nothing that could be serialised.
#[derive(Debug)]
struct Opaque {
    source: Weather,
}

impl fmt::Display for Opaque {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the picnic is off")
    }
}

impl std::error::Error for Opaque {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[rayw::task]
fn rain(log: LogHandle) -> Result<u32, Weather> {
    log.tell("rain");
    Err(Weather::Rain { millimetres: 12 })
}

#[rayw::task]
fn picnic(log: LogHandle) -> Result<u32, Opaque> {
    log.tell("picnic");
    Err(Opaque { source: Weather::Storm })
}

fn errors_are_not_retried() -> rayw::Result<()> {
    let log = Log::remote()?;
    println!("{}", told(rain::remote(&log).get()));
    println!("{} runs", log.times("rain"));
    Ok(())
}

fn errors_are_retried_when_asked() -> rayw::Result<()> {
    let log = Log::remote()?;
    println!("{}", told(rain::options().retry_exceptions(true).max_retries(2).remote(&log).get()));
    println!("{} runs", log.times("rain"));
    Ok(())
}

fn only_listed_errors_are_retried() -> rayw::Result<()> {
    let log = Log::remote()?;
    println!("{}", kind(rain::options().retry_only::<Weather>().max_retries(2).remote(&log).get()));
    println!("{} runs of the listed", log.times("rain"));
    println!("{}", kind(picnic::options().retry_only::<Weather>().max_retries(2).remote(&log).get()));
    println!("{} runs of the other", log.times("picnic"));
    Ok(())
}

fn an_error_can_be_matched() -> rayw::Result<()> {
    let log = Log::remote()?;
    let error = rain::remote(&log).get().expect_err("it rains");
    println!("{}", error.kind() == ErrorKind::TaskError);
    println!("{:?} {}", error.downcast::<Weather>(), error.is::<Opaque>());
    println!("{error}");
    Ok(())
}

#[rayw::task]
fn outer(log: LogHandle) -> rayw::Result<u32> {
    rain::remote(&log).get()
}

fn an_error_of_a_nested_task() -> rayw::Result<()> {
    let log = Log::remote()?;
    let error = outer::remote(&log).get().expect_err("it rains");
    println!("{} {:?}", error.kind(), error.downcast::<Weather>());
    println!("{}", error.origin().unwrap_or_default().split(' ').next().unwrap_or_default());
    Ok(())
}

fn an_error_that_cannot_be_sent() -> rayw::Result<()> {
    let log = Log::remote()?;
    let error = picnic::remote(&log).get().expect_err("there is a storm");
    println!("{}: {} because of {:?}", error.kind(), error.message(), error.causes());
    println!("{} {:?}", error.is::<Opaque>(), error.downcast::<Weather>());
    Ok(())
}

/// Refuses to be serialised.
struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it refuses to be sent"))
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: serde::Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[rayw::task]
fn stubborn() -> Stubborn {
    Stubborn
}

#[rayw::task]
fn takes_stubborn(_stubborn: Stubborn) {}

fn a_result_that_cannot_be_sent() -> rayw::Result<()> {
    let error = stubborn::remote().get().err().expect("it cannot be sent");
    println!("{}: {error}", error.kind());
    let error = takes_stubborn::remote(Stubborn).get().expect_err("it cannot be sent");
    println!("{}: {error}", error.kind());
    Ok(())
}

#[inline(never)]
fn lose_the_way(words: &str) -> u32 {
    panic!("{words}")
}

#[rayw::task]
fn panics(words: String) -> u32 {
    lose_the_way(&words)
}

fn a_panic() -> rayw::Result<()> {
    let error = panics::remote("the task lost its way").get().expect_err("it panics");
    println!("{}: {}", error.kind(), error.message());
    println!("{}", error.backtrace().is_some_and(|backtrace| backtrace.contains("lose_the_way")));
    println!("{}", error.origin().unwrap_or_default().split(' ').next().unwrap_or_default());
    Ok(())
}

#[rayw::task(max_retries = 0)]
fn unreachable_code() -> u32 {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    unreachable!()
}

fn an_unreachable() -> rayw::Result<()> {
    println!("{}", told(unreachable_code::remote().get()));
    Ok(())
}

#[expect(unconditional_recursion, reason = "that is what this is about")]
fn descend(depth: u64) -> u64 {
    black_box(descend(black_box(depth + 1)) + 1)
}

#[rayw::task(max_retries = 0)]
fn deep() -> u64 {
    descend(0)
}

fn a_stack_overflow() -> rayw::Result<()> {
    let error = deep::remote().get().expect_err("no stack is that deep");
    println!("{}: {}", error.kind(), error.message());
    println!("{}", error.backtrace().is_some_and(|backtrace| backtrace.contains("descend")));
    Ok(())
}

#[rayw::task]
fn spin() -> u64 {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn an_endless_loop() -> rayw::Result<()> {
    let spinning = spin::options().timeout(Duration::from_millis(200)).remote();
    println!("{}", told(spinning.get()));
    println!("{}", told(fail::remote("others go on").get()));
    Ok(())
}

/// Says that it is there, and never gives way.
#[rayw::task]
fn spin_on(log: LogHandle) -> u64 {
    log.tell("spinning");
    spin()
}

fn loops_on_all_cpus() -> rayw::Result<()> {
    let log = Log::remote()?;
    let spinning: Vec<_> = (0..8).map(|_| spin_on::options().num_cpus(0).remote(&log)).collect();
    until("eight loops", || log.times("spinning") == 8);
    let squares: Vec<_> = (1..=3).map(|number| crate::tasks::square::remote(number)).collect();
    println!("{:?}", rayw::get_all(&squares)?);
    for looping in &spinning {
        rayw::cancel(looping)?;
    }
    println!("{}", kind(rayw::get_all(&spinning)));
    Ok(())
}

fn loops_on_all_cpus_for_ever() -> rayw::Result<()> {
    let log = Log::remote()?;
    let spinning: Vec<_> = (0..8).map(|_| spin_on::options().num_cpus(0).remote(&log)).collect();
    until("eight loops", || log.times("spinning") == 8);
    println!("looping");
    // The driver does not give way either.
    spin();
    drop(spinning);
    Ok(())
}

#[rayw::task(max_retries = 0)]
fn exits() {
    rayw::exit(3);
}

#[rayw::task(max_retries = 0)]
fn exits_by_std() {
    std::process::exit(0);
}

fn an_exit_of_a_task() -> rayw::Result<()> {
    println!("{}", told(exits::remote().get()));
    println!("{}", told(exits_by_std::remote().get()));
    Ok(())
}

/// Asks for memory piece by piece and keeps it.
#[rayw::task]
fn hoard(mebibytes: usize) -> usize {
    let mut pieces = Vec::new();
    for _ in 0..mebibytes {
        pieces.push(black_box(vec![1_u8; 1 << 20]));
    }
    pieces.len()
}

/// Asks for pages behind the allocator's back; how many it got.
#[rayw::task]
fn grow() -> usize {
    #[cfg(target_family = "wasm")]
    {
        let mut pages = 0;
        while core::arch::wasm32::memory_grow::<0>(16) != usize::MAX {
            pages += 16;
        }
        pages
    }
    #[cfg(not(target_family = "wasm"))]
    0
}

fn memory_past_the_cap() -> rayw::Result<()> {
    println!("{}", told(hoard::options().memory("256MiB").remote(64).get()));
    println!("{}", kind(hoard::options().memory("64MiB").remote(128).get()));
    let error = hoard::options().memory("64MiB").remote(128).get().expect_err("there is not that much");
    println!("{}", error.message().contains("may have 64.0 MiB; ask for more with the `memory` option"));
    // A guest that can do without is not punished.
    let pages = grow::options().memory("64MiB").remote().get()?;
    println!("{}", pages * 65536 < 64 << 20 && pages * 65536 > 48 << 20);
    Ok(())
}

#[rayw::task]
fn ask_for(mebibytes: usize) -> usize {
    black_box(vec![[1_u8; 1 << 10]; mebibytes << 10]).len() >> 10
}

fn ten_gibibytes() -> rayw::Result<()> {
    // More than 32 bits can name: the guest's own library gives up first.
    let error = ask_for::remote(10 << 10).get().expect_err("there is not that much");
    println!("{} {}", error.kind(), error.message().ends_with("capacity overflow"));
    println!("{}", kind(ask_for::options().memory("1GiB").remote(1500).get()));
    println!("{}", told(ask_for::remote(10).get()));
    Ok(())
}

fn neighbours_of_a_crash() -> rayw::Result<()> {
    let log = Log::remote()?;
    let crashing: Vec<_> = (0..20).map(|_| unreachable_code::remote()).collect();
    let working: Vec<_> = (0..20).map(|_| crash::remote(&log, 0)).collect();
    println!("{}", crashing.iter().filter(|crash| crash.get().is_err()).count());
    println!("{}", rayw::get_all(&working)?.len());
    Ok(())
}
