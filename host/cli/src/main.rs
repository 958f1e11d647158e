//! The process: from words to an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use rayw_cli::args::{Args, Command};
use rayw_cli::env::Environment;
use rayw_cli::exit::ExitStatus;
use rayw_cli::failure::Failure;
use rayw_cli::printer::{Printer, PrinterHandle};
use rayw_cli::settings::Settings;
use rayw_cli::{commands, logging};

/// Small pieces that are made on one thread and freed on another are what a node's work consists of.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let environment = Environment::read();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return said(&error),
    };
    let Ok(printer) = Printer::start(environment.terminal) else {
        // Without a thread to write there is nobody to tell it to.
        return ExitStatus::RaywFailed.into();
    };
    let handle = printer.handle();
    let status = run(args, &environment, &handle).unwrap_or_else(|failure| {
        handle.err(failure.render());
        failure.status
    });
    printer.close();
    status.into()
}

fn run(args: Args, environment: &Environment, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    logging::start(environment, matches!(args.command, Command::Start(_)), printer)?;
    commands::dispatch(Settings::resolve(args, environment)?, printer)
}

/// clap's own words: help goes to stdout and is no failure, all else is bad usage.
fn said(error: &clap::Error) -> ExitCode {
    // A reader that went away has seen what it wanted.
    let _ = error.print();
    let status = if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Done };
    status.into()
}
