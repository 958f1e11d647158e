//! What scenarios share: a log that all tasks write to, gates, pauses, and words for results.

use std::collections::HashSet;
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How long anything here may take before the scenario gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that tasks tell each other, in the order of telling.
#[derive(Default)]
pub struct Log {
    entries: Vec<String>,
    open: HashSet<String>,
}

#[rayw::actor]
impl Log {
    /// Writes a line.
    pub fn add(&mut self, entry: String) {
        self.entries.push(entry);
    }

    /// Every line so far.
    pub fn entries(&self) -> Vec<String> {
        self.entries.clone()
    }

    /// How often this very line was written.
    pub fn count(&self, entry: String) -> usize {
        self.entries.iter().filter(|known| **known == entry).count()
    }

    /// Opens a gate.
    pub fn open(&mut self, gate: String) {
        self.open.insert(gate);
    }

    /// Whether a gate is open.
    pub fn is_open(&self, gate: String) -> bool {
        self.open.contains(&gate)
    }
}

impl LogHandle {
    /// Writes a line and waits until it is written.
    pub fn tell(&self, entry: &str) {
        self.add(entry).get().expect("the log lives as long as somebody writes");
    }

    /// How often this very line was written.
    pub fn times(&self, entry: &str) -> usize {
        self.count(entry).get().expect("the log lives as long as somebody reads")
    }

    /// Waits until this line was written.
    pub fn await_line(&self, entry: &str) {
        until(&format!("`{entry}` in the log"), || self.times(entry) > 0);
    }

    /// Waits until the gate is open.
    pub fn pass(&self, gate: &str) {
        until(&format!("the gate `{gate}`"), || self.is_open(gate).get().unwrap_or(true));
    }
}

/// Asks until it is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs and holds its cpu until it is stopped, or far too long.
pub fn run_on() {
    until("somebody to stop this task", || false);
}

/// Stops here until the test puts a file of that name into the folder `/steps`.
pub fn pause(step: &str) {
    pause_over(step, || {});
}

/// The same, with something to do again and again meanwhile.
pub fn pause_over(step: &str, mut work: impl FnMut()) {
    println!("pause: {step}");
    let file = std::path::Path::new("/steps").join(step);
    until(&format!("the file `{}`", file.display()), || {
        work();
        file.exists()
    });
}

/// A result in one line: the value, or the kind of the error and its message.
pub fn told<T: Debug>(result: rayw::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{}: {}", error.kind(), error.message()),
    }
}

/// Only what sort of result it is.
pub fn kind<T>(result: rayw::Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.kind().to_string(),
    }
}
