//! The README's first command: builds `rayw` and runs the three programs of the memo.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{command, guests, tree};

/// The folders below `examples/` that the demo runs, in this order.
const PROGRAMS: [&str; 3] = ["memo-tasks", "memo-actors", "memo-objects"];

/// Builds and runs the demo; the first program that fails ends it.
pub(crate) fn run() -> Result<()> {
    let programs: Vec<String> = PROGRAMS.iter().map(|name| (*name).to_owned()).collect();
    guests::build(&programs)?;
    // `--workspace` makes cargo choose the same features as the tests do, so nothing heavy
    // is compiled a second time by `cargo xtask test`.
    command::run(command::cargo().args(["build", "--workspace", "--bin", "rayw"])).context("failed to build `rayw`")?;
    for name in PROGRAMS {
        let component = tree::guests_target().join(format!("{name}.wasm"));
        let mut rayw = Command::new(tree::rayw_program());
        rayw.current_dir(tree::root()).arg("run").arg(tree::shown(&component));
        command::run(&mut rayw).with_context(|| format!("the example `{name}` failed; what it said is above"))?;
    }
    Ok(())
}
