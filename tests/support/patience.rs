//! Waiting: until something is so, or a deadline.

use std::time::{Duration, Instant};

/// How long anything may take. Much longer than it ever does, so that a loaded machine fails no test.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Asks until the answer is there, and gives it.
///
/// # Panics
/// When [`PATIENCE`] is over, saying what was waited for.
#[track_caller]
pub fn eventually<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    const BETWEEN: Duration = Duration::from_millis(10);
    let start = Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(BETWEEN);
    }
}
