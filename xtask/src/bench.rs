//! The benchmarks: builds what they need, runs them, keeps what they find below `target/bench`.
//!
//! ```text
//! cargo xtask bench [ROW…]     rows of the microbenchmark beside what bounds them (the same as --ceiling)
//! cargo xtask bench --vs-ray   the same rows in Ray, installed into an environment of its own, and in rayw
//! cargo xtask bench --growth   how costs grow with sizes
//! cargo xtask bench --cluster  nodes as processes on the loopback network
//! cargo xtask bench --profile  where the time of rows goes, by `perf`: parts, functions and flame graphs
//! cargo xtask bench --publish  copies the last --vs-ray into README.md, and the reports of the others into tests/benches
//! ```

mod cluster;
mod compare;
mod flames;
mod goals;
mod growth;
mod measured;
mod plot;
mod profile;
mod programs;
mod publish;
mod ray;
mod stacks;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{guests, printer, tree};
use programs::Programs;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Ceiling,
    VsRay,
    Growth,
    Cluster,
    Profile,
    Publish,
}

/// The guests whose loops are measured.
const GUESTS: [&str; 2] = ["bench", "microbenchmark"];

/// Runs one of them. `rows` are parts of the names of rows; all when there is none. Guided are programs that are built
/// twice, the second time by how the first ones ran.
pub(crate) fn run(suite: Suite, rows: &[String], rounds: u32, is_guided: bool) -> Result<()> {
    let folder = folder()?;
    if suite == Suite::Publish {
        return publish::run(&folder);
    }
    let component = component()?;
    if suite == Suite::Profile {
        return profile::run(&component, rows, &folder, is_guided);
    }
    let programs = if is_guided { Programs::guided(&component)? } else { Programs::build()? };
    let how = if is_guided { "as `cargo xtask dist` builds it (and so the bare loops)" } else { "in one build" };
    let rows_of = |turns| ["ceiling", "--turns", turns].into_iter().chain(rows.iter().map(String::as_str));
    match suite {
        Suite::Ceiling => programs.suite(rows_of("5"), &folder.join("ceiling.json")),
        Suite::Cluster => {
            let report = folder.join("cluster.json");
            programs.suite(["cluster"].into_iter().chain(rows.iter().map(String::as_str)), &report)?;
            cluster::run(&report, how, &folder)
        }
        Suite::Growth => {
            let report = folder.join("growth.json");
            programs.suite(["growth"], &report)?;
            growth::run(&programs.rayw, how, &component, &report, &folder)
        }
        Suite::VsRay => {
            let ceiling = folder.join("ceiling.json");
            programs.suite(rows_of("3"), &ceiling)?;
            compare::run(compare::Built { rayw: &programs.rayw, how }, &component, &ceiling, rows, rounds, &folder)
        }
        Suite::Profile | Suite::Publish => Ok(()),
    }
}

/// Builds rayw as it is best installed, and says where it is.
pub(crate) fn dist() -> Result<()> {
    let programs = Programs::guided(&component()?)?;
    let folder = tree::root().join("target/dist");
    std::fs::create_dir_all(&folder).with_context(|| format!("failed to make `{}`", tree::shown(&folder)))?;
    let place = folder.join(programs.rayw.file_name().context("rayw has no name")?);
    // One that runs cannot be written to, but another one can take its name.
    let fresh = place.with_extension("new");
    let copied = std::fs::copy(&programs.rayw, &fresh).and_then(|_| std::fs::rename(&fresh, &place));
    copied.with_context(|| format!("failed to write `{}`", tree::shown(&place)))?;
    printer::say(&format!("rayw is {}: put it on your PATH", tree::shown(&place)));
    Ok(())
}

/// Builds the guests; answers with the one that has the rows.
fn component() -> Result<PathBuf> {
    guests::build(&GUESTS.map(str::to_owned))?;
    Ok(tree::guests_target().join("microbenchmark.wasm"))
}

/// Where reports lie.
fn folder() -> Result<PathBuf> {
    let folder = tree::root().join("target/bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("failed to make `{}`", tree::shown(&folder)))?;
    Ok(folder)
}

/// Makes a folder in which nothing is.
fn emptied(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("failed to empty `{}`", tree::shown(folder)))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("failed to make `{}`", tree::shown(folder)))
}

/// Writes what somebody is to read.
fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write `{}`", tree::shown(path)))?;
    printer::say(&format!("wrote {}", tree::shown(path)));
    Ok(())
}
