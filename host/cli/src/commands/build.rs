//! `rayw build`.

use crate::cargo::{self, BuildEnd};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::printer::PrinterHandle;
use crate::settings::BuildSettings;

pub(super) fn build(settings: &BuildSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    match cargo::build(settings, &Interrupts::listen()?) {
        Ok(component) => {
            printer.out(component.to_string_lossy());
            Ok(ExitStatus::Done)
        }
        Err(end) => ended(end),
    }
}

/// How the process ends when no component came out.
pub(super) fn ended(end: BuildEnd) -> Result<ExitStatus, Failure> {
    match end {
        // cargo has said what is wrong; one more line would only push it out of sight.
        BuildEnd::Refused => Ok(ExitStatus::WorkFailed),
        BuildEnd::Interrupted(status) => Ok(status),
        BuildEnd::Failed(failure) => Err(failure),
    }
}
