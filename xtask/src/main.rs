//! `cargo xtask …`: everything that is done to rayw rather than by it.
//!
//! ```text
//! cargo xtask guests [NAME…]     build the guest programs (installs their tool chain once)
//! cargo xtask demo               run the three programs of the memo
//! cargo xtask test [-- ARGS]     every test there is
//! cargo xtask bench [--vs-ray …]  the benchmarks
//! cargo xtask dist                rayw as it is best installed
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

use bench::Suite;
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
    /// Run the benchmarks; rows beside what bounds them, unless another suite is named.
    #[command(group = clap::ArgGroup::new("suite"))]
    Bench {
        /// Rows of the microbenchmark beside bare wasmtime and plain copies, in one process.
        #[arg(long, group = "suite")]
        ceiling: bool,
        /// Rows of the microbenchmark in Ray and in rayw, in turns.
        #[arg(long, group = "suite")]
        vs_ray: bool,
        /// Build the programs once, and not a second time guided by how the first ones ran, as --vs-ray and --profile do.
        #[arg(long, requires = "suite", conflicts_with_all = ["guided", "ceiling", "growth", "cluster", "publish"])]
        plain: bool,
        /// Build the programs twice also for another suite than these two.
        #[arg(long)]
        guided: bool,
        /// How costs grow with sizes.
        #[arg(long, group = "suite")]
        growth: bool,
        /// Nodes as processes on the loopback network.
        #[arg(long, group = "suite")]
        cluster: bool,
        /// Where the time of rows goes, seen by `perf`: parts, functions and flame graphs.
        #[arg(long, group = "suite")]
        profile: bool,
        /// Copy the last --vs-ray into README.md, and growth, cluster and profiles into tests/benches.
        #[arg(long, group = "suite")]
        publish: bool,
        /// Turns of Ray and rayw.
        #[arg(long, default_value_t = 2)]
        rounds: u32,
        /// Only rows with one of these in their name.
        rows: Vec<String>,
    },
    /// Build rayw twice, the second time guided by how the first one ran, into target/dist.
    Dist,
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
        Action::Bench { vs_ray, plain, guided, growth, cluster, profile, publish, rounds, rows, ceiling: _ } => {
            let suite = match (vs_ray, growth, cluster, profile, publish) {
                (true, ..) => Suite::VsRay,
                (_, true, ..) => Suite::Growth,
                (_, _, true, ..) => Suite::Cluster,
                (.., true, _) => Suite::Profile,
                (.., true) => Suite::Publish,
                _ => Suite::Ceiling,
            };
            bench::run(suite, &rows, rounds, guided || ((vs_ray || profile) && !plain))
        }
        Action::Dist => bench::dist(),
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
