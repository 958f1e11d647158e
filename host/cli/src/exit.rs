//! How the process ends.
//!
//! | code | means |
//! |---|---|
//! | 0 | done |
//! | 1 | the user's work failed: the program, its build, something that was asked for and is not there |
//! | 2 | rayw failed, or there was no rayw to ask |
//! | 64 | the command line or a setting is wrong (`EX_USAGE`) |
//! | 128 + n | signal n ended it: 130 ctrl-c, 143 SIGTERM, 129 SIGHUP |
//! | any | what the driver of `rayw run` said |

use std::process::ExitCode;

use rayw_core::ErrorKind;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// All went well.
    Done,
    /// The user's work failed.
    WorkFailed,
    /// rayw failed.
    RaywFailed,
    /// The command line or a setting is wrong.
    Usage,
    /// The driver's own exit code.
    Driver(u8),
    /// A signal ended it.
    Signal(Signal),
}

/// A signal that ends the process in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: the terminal went away.
    Hangup,
    /// SIGINT: ctrl-c.
    Interrupt,
    /// SIGTERM: somebody wants it to end.
    Terminate,
}

impl Signal {
    /// Its number, the same on every Unix.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

impl ExitStatus {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::WorkFailed => 1,
            Self::RaywFailed => 2,
            Self::Usage => 64,
            Self::Driver(code) => code,
            Self::Signal(signal) => 128 + signal.number(),
        }
    }

    /// Whose fault an error of this kind is, when nobody closer to it has said so.
    #[must_use]
    pub fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::System | ErrorKind::OutOfDisk => Self::RaywFailed,
            _ => Self::WorkFailed,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
