//! Starting other programs: what they inherit, how their failure reads.
//!
//! `cargo xtask` is itself a child of cargo, so its environment holds variables that describe
//! the crate `xtask`. A child that sees them may rebuild things for nothing (build scripts
//! watch some of them), therefore every command made here is cleaned first.

use std::ffi::OsString;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{printer, toolchain::detect, tree};

/// How often a command with a time limit is looked at.
const POLL: Duration = Duration::from_millis(50);

/// The host's cargo (the one that runs this program), at the root of the checkout.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(tree::root());
    detect::scrub_crate(&mut command);
    command
}

/// Shows a command, runs it to its end and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    printer::show(command);
    let status = command.status().with_context(|| format!("failed to start `{}`", printer::spelled(command)))?;
    succeeded(command, status)
}

/// Like [`run`], for commands that may hang: after `limit` they are killed and have failed.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    printer::show(command);
    let child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("failed to start `{}`", printer::spelled(command)))?;
    match wait_within(child, limit)? {
        Some(status) => succeeded(command, status),
        None => bail!("`{}` was stopped after {} s without an end", printer::spelled(command), limit.as_secs()),
    }
}

/// Whether a program of this name can be found on `PATH`.
pub(crate) fn on_path(program: &str) -> bool {
    detect::find_on_path(program).is_some()
}

fn wait_within(mut child: Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().context("failed to wait for a child process")? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill().context("failed to kill a child process")?;
            child.wait().context("failed to wait for a child process")?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed with {status}", printer::spelled(command));
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_an_end_is_stopped() {
        let mut command = Command::new("sleep");
        let started = Instant::now();
        let error =
            run_within(command.arg("60"), Duration::from_millis(100)).expect_err("a minute is longer than the limit");
        assert!(error.to_string().contains("was stopped after"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_failing_command_is_named() {
        let error = run(&mut Command::new("false")).expect_err("`false` fails");
        assert!(error.to_string().starts_with("`false` failed"), "{error}");
    }
}
