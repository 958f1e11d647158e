//! The benchmarks of `tests/benches`, on guests that are built first.

use anyhow::{Context, Result};

use crate::{command, guests, test, tree};

/// Builds the guests and runs the benchmarks; `args` go to the benchmark program.
pub(crate) fn run(args: &[String]) -> Result<()> {
    guests::build(&[])?;
    let mut cargo = command::cargo();
    cargo
        .args(["bench", "-p", "rayw-tests", "--benches", "--"])
        .args(args)
        .env(test::GUESTS_VARIABLE, tree::guests_target());
    command::run(&mut cargo).context("the benchmarks failed")
}
