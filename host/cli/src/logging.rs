//! The log: for those who look into rayw itself, on stderr, by `RAYW_LOG`.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::env;
use crate::env::Environment;
use crate::failure::Failure;
use crate::printer::PrinterHandle;

/// What is logged when nobody says: what somebody should look at.
const DEFAULT: &str = "warn";

/// The same for a head or a node: also who comes and goes, which the log of a process that runs for weeks
/// must show.
const DEFAULT_OF_MEMBER: &str = "warn,rayw_cli=info,rayw_wire=info,rayw_head=info,rayw_node=info";

/// Starts the log of this process, once; `is_member` for a head or a node.
///
/// # Errors
/// Usage, when `RAYW_LOG` cannot be read.
pub fn start(environment: &Environment, is_member: bool, printer: &PrinterHandle) -> Result<(), Failure> {
    let default = if is_member { DEFAULT_OF_MEMBER } else { DEFAULT };
    let said = environment.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(said).map_err(|error| {
        Failure::usage(format!("invalid value '{said}' of the variable {}: {error}", env::RAYW_LOG))
            .hint("write a level such as `info`, or crates with levels such as `rayw_node=debug,warn`")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(ToPrinter(printer.clone()))
        .with_ansi(environment.terminal.stderr_colour)
        .finish();
    // A process that has a log already, such as a test, keeps it.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

struct ToPrinter(PrinterHandle);

impl<'a> MakeWriter<'a> for ToPrinter {
    type Writer = Event<'a>;

    fn make_writer(&'a self) -> Event<'a> {
        Event { printer: &self.0, text: Vec::new() }
    }
}

/// Gathers one event, however many writes it comes in, and hands it on whole.
struct Event<'a> {
    printer: &'a PrinterHandle,
    text: Vec<u8>,
}

impl io::Write for Event<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        self.printer.log(String::from_utf8_lossy(&self.text).into_owned());
    }
}
