//! `rayw status`: the cluster at a glance.

use crate::args::Format;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::overview::{self, document};
use crate::printer::PrinterHandle;
use crate::settings::StatusSettings;
use crate::table::{self, Clock};

use super::ask::ask;

pub(super) fn status(settings: &StatusSettings, printer: &PrinterHandle, clock: &Clock) -> Result<ExitStatus, Failure> {
    let status = ask(&settings.session, printer, |client| async move { client.status().await })?;
    printer.out(match settings.format {
        Format::Json => table::json(&document(&status))?,
        Format::Yaml => table::yaml(&document(&status))?,
        Format::Default | Format::Table => overview::text(&status, settings.verbose, clock),
    });
    Ok(ExitStatus::Done)
}
