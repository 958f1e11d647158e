//! The README's second command: every test there is.
//!
//! Guests first (the end to end tests run them), then `rayw` and the test programs in one
//! build, then the tests, the documentation's examples and the guests' own tests.
//! Tests find what was built through two variables, [`GUESTS_VARIABLE`] and
//! [`PROGRAM_VARIABLE`].

use anyhow::{Context, Result};

use crate::{command, guests, printer, tree};

/// Names the folder with the components, as an absolute path.
pub(crate) const GUESTS_VARIABLE: &str = "RAYW_GUESTS";

/// Names the `rayw` program, as an absolute path.
pub(crate) const PROGRAM_VARIABLE: &str = "RAYW_BIN";

/// Builds everything and runs all tests, or those which `args` choose.
pub(crate) fn run(args: &[String]) -> Result<()> {
    guests::build(&[])?;
    // Tests and programs in one call: built apart, cargo would choose features twice and
    // compile the heavy dependencies twice.
    command::run(command::cargo().args(["build", "--workspace", "--bins", "--tests"]))
        .context("failed to build `rayw` and its tests")?;
    run_suite(args)?;
    if !args.is_empty() {
        return Ok(());
    }
    command::run(command::cargo().args(["test", "--doc", "--workspace"]))
        .context("the documentation's examples failed")?;
    guests::test_natively()
}

fn run_suite(args: &[String]) -> Result<()> {
    let mut cargo = command::cargo();
    if command::on_path("cargo-nextest") {
        cargo.args(["nextest", "run", "--workspace"]);
    } else {
        printer::say(
            "cargo-nextest is not installed, so plain `cargo test` runs the tests: slower, and \
             a test that hangs is not stopped (`cargo install cargo-nextest --locked` gets it)",
        );
        cargo.args(["test", "--workspace", "--lib", "--bins", "--tests"]);
    }
    cargo.args(args).env(GUESTS_VARIABLE, tree::guests_target()).env(PROGRAM_VARIABLE, tree::rayw_program());
    command::run(&mut cargo).context("the tests failed")
}
