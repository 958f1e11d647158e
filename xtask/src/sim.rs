//! Simulated clusters from seeds: more of them than the tests run, or one of them told in full.

use anyhow::{Context, Result};

use crate::command;

/// Runs the simulation with these arguments; `--help` says which there are.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut cargo = command::cargo();
    cargo.args(["run", "--quiet", "--package", "rayw-sim", "--"]).args(args);
    command::run(&mut cargo)
        .context("a seed failed: it stays as a regression in tests/sim/tests/sim.rs once it is mended")
}
