//! The benchmarks of `tests/benches`, on the guest that they measure, which is built first.

use anyhow::{Context, Result};

use crate::{command, guests, test, tree};

/// The guest whose scenarios are measured.
const GUEST: &str = "bench";

/// Builds the guest and runs the benchmarks; `args` go to the benchmark program.
pub(crate) fn run(args: &[String]) -> Result<()> {
    guests::build(&[GUEST.to_owned()])?;
    let mut cargo = command::cargo();
    cargo
        .args(["bench", "-p", "rayw-tests", "--benches", "--"])
        .args(args)
        .env(test::GUESTS_VARIABLE, tree::guests_target());
    command::run(&mut cargo).context("the benchmarks failed")
}
