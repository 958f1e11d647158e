//! `cargo xtask …`: everything that is done to rayw rather than by it.
//!
//! ```text
//! cargo xtask guests [NAME…]     build the guest programs (installs their tool chain once)
//! cargo xtask demo               run the three programs of the memo
//! cargo xtask test [-- ARGS]     every test there is
//! cargo xtask bench [ARGS]       the benchmarks
//! cargo xtask sim [--seeds N]     simulated clusters from seeds
//! cargo xtask check              formatting, lints, documentation, licences
//! ```
//!
//! One file per noun. Nothing here is part of the product: `rayw` runs without it.

mod bench;
mod check;
mod command;
mod demo;
mod guests;
mod printer;
mod sim;
mod test;
mod toolchain;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, demonstrates, tests and measures rayw.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Build the guest programs into target/guests, installing their tool chain where it is missing.
    Guests {
        /// Folder names below examples/ and tests/guests/; all of them when none is given.
        names: Vec<String>,
    },
    /// Build rayw and run the three programs of the memo.
    Demo,
    /// Build everything and run every test.
    Test {
        /// Passed on to the test runner; with them only the runner's own tests run.
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Run the benchmarks.
    Bench {
        /// Passed on to the benchmark program: a filter, or its own flags.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run simulated clusters from seeds: `--seeds N`, `--from S`, `--trace` to tell what happens under one.
    Sim {
        /// Passed on to the simulation.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Check formatting, lints, documentation and dependencies.
    Check,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.action {
        Action::Guests { names } => guests::build(&names).map(drop),
        Action::Demo => demo::run(),
        Action::Test { args } => test::run(&args),
        Action::Bench { args } => bench::run(&args),
        Action::Sim { args } => sim::run(&args),
        Action::Check => check::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
