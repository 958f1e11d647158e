//! Why a command ended badly, and the one place where an error becomes text.
//!
//! ```text
//! error: task `square` failed
//!   caused by: attempt to divide by zero
//!   backtrace:
//!     0: square
//!   origin: square (6f1c…)
//!   hint: …
//! ```

use std::fmt::{self, Write as _};

use rayw_core::{Error, ErrorKind};

use crate::exit::ExitStatus;
use crate::table::printable;

/// An error, how the process ends because of it, and what may help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How the process ends.
    pub status: ExitStatus,
    /// What failed.
    pub error: Error,
    /// What may help, when the error itself cannot know.
    pub hint: Option<String>,
}

impl Failure {
    /// The command line or a setting is wrong.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, Error::new(ErrorKind::InvalidArgument, message))
    }

    /// The user's work failed.
    #[must_use]
    pub fn work(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::WorkFailed, Error::new(ErrorKind::InvalidArgument, message))
    }

    /// rayw could not do what it should.
    #[must_use]
    pub fn system(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::RaywFailed, Error::new(ErrorKind::System, message))
    }

    /// That error, with that end of the process.
    #[must_use]
    pub fn new(status: ExitStatus, error: Error) -> Self {
        Self { status, error, hint: None }
    }

    /// The same failure with one more cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.error = self.error.caused_by(cause);
        self
    }

    /// The same failure with a word on what may help.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The whole text for the terminal, with a line end.
    #[must_use]
    pub fn render(&self) -> String {
        render(&self.error, self.hint.as_deref())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { status: ExitStatus::of(error.kind), hint: hint_for(error.kind).map(str::to_owned), error }
    }
}

/// What may help with an error of that kind, where the command line has a remedy that core cannot know.
fn hint_for(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Unschedulable => {
            Some("`rayw run` offers what this machine has; `--num-cpus`, `--memory` and `--resources` change that")
        }
        ErrorKind::ObjectStoreFull => Some("give the object store more room with `--object-store-memory`"),
        ErrorKind::System => Some("this is a failure of rayw, not of your program: `RAYW_LOG=debug` shows more"),
        _ => None,
    }
}

/// An error as people read it. What a guest wrote into it cannot steer the terminal.
#[must_use]
pub fn render(error: &Error, hint: Option<&str>) -> String {
    let mut text = String::new();
    push(&mut text, "error: ", &error.message);
    for cause in &error.causes {
        push(&mut text, "  caused by: ", cause);
    }
    if let Some(backtrace) = &error.backtrace {
        text.push_str("  backtrace:\n");
        for line in dedent(backtrace) {
            push(&mut text, "    ", line);
        }
    }
    if let Some(origin) = &error.origin {
        push(&mut text, "  origin: ", origin);
    }
    if let Some(hint) = hint {
        push(&mut text, "  hint: ", hint);
    }
    text
}

/// The lines without the space that all of them start with.
fn dedent(text: &str) -> impl Iterator<Item = &str> {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let common = lines().map(|line| line.len() - line.trim_start_matches(' ').len()).min().unwrap_or(0);
    lines().map(move |line| line.get(common..).unwrap_or(line))
}

/// One part of an error; further lines of it stand under the first.
fn push(text: &mut String, label: &str, words: &str) {
    let mut lines = words.lines();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{label}{}", printable(lines.next().unwrap_or_default()));
    for line in lines {
        let _ = writeln!(text, "    {}", printable(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_everything_that_is_known() {
        let mut error = Error::new(ErrorKind::TaskPanicked, "task `divide` panicked: attempt to divide by zero")
            .caused_by("wasm trap: unreachable\nin function 7")
            .caused_by("second cause")
            .from_task("divide", "6f1c2a90");
        error.backtrace = Some("  0: divide\n      at src/main.rs:3\n  1: main\n".into());
        insta::assert_snapshot!(render(&error, Some("write another program")), @r"
        error: task `divide` panicked: attempt to divide by zero
          caused by: wasm trap: unreachable
            in function 7
          caused by: second cause
          backtrace:
            0: divide
                at src/main.rs:3
            1: main
          origin: divide (6f1c2a90)
          hint: write another program
        ");
    }

    #[test]
    fn a_short_error_is_one_line() {
        insta::assert_snapshot!(Failure::usage("no folder `x`").render(), @"error: no folder `x`");
    }

    #[test]
    fn a_guest_cannot_steer_the_terminal() {
        let error = Error::new(ErrorKind::TaskError, "red \u{1b}[31m and \r back");
        insta::assert_snapshot!(render(&error, None), @r"error: red \u{1b}[31m and \r back");
    }

    #[test]
    fn the_kind_says_whose_fault_it_is() {
        let status = |kind| Failure::from(Error::new(kind, "x")).status;
        assert_eq!(status(ErrorKind::TaskPanicked), ExitStatus::WorkFailed);
        assert_eq!(status(ErrorKind::System), ExitStatus::RaywFailed);
        assert_eq!(Failure::usage("x").status.code(), 64);
    }
}
