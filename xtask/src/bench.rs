//! The benchmarks: builds what they need, runs them, keeps what they find below `target/bench`.
//!
//! ```text
//! cargo xtask bench [ROW…]     rows of the microbenchmark beside what bounds them (the same as --ceiling)
//! cargo xtask bench --vs-ray   the same rows in Ray, installed into an environment of its own, and in rayw
//! cargo xtask bench --growth   how costs grow with sizes
//! cargo xtask bench --cluster  nodes as processes on the loopback network
//! cargo xtask bench --publish  copies the last --vs-ray into README.md
//! ```

mod compare;
mod growth;
mod measured;
mod plot;
mod publish;
mod ray;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{command, guests, printer, test, tree};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Ceiling,
    VsRay,
    Growth,
    Cluster,
    Publish,
}

/// The guests whose loops are measured.
const GUESTS: [&str; 2] = ["bench", "microbenchmark"];

/// Runs one of them. `rows` are parts of the names of rows; all when there is none.
pub(crate) fn run(suite: Suite, rows: &[String], rounds: u32) -> Result<()> {
    let folder = folder()?;
    if suite == Suite::Publish {
        return publish::run(&folder);
    }
    guests::build(&GUESTS.map(str::to_owned))?;
    let programs = Programs::build()?;
    let component = tree::guests_target().join("microbenchmark.wasm");
    let rows_of = |turns| ["ceiling", "--turns", turns].into_iter().chain(rows.iter().map(String::as_str));
    match suite {
        Suite::Ceiling => programs.suite(rows_of("5"), &folder.join("ceiling.json")),
        Suite::Cluster => {
            programs.suite(["cluster"].into_iter().chain(rows.iter().map(String::as_str)), &folder.join("cluster.json"))
        }
        Suite::Growth => {
            let report = folder.join("growth.json");
            programs.suite(["growth"], &report)?;
            growth::run(&programs.rayw, &component, &report, &folder)
        }
        Suite::VsRay => {
            let ceiling = folder.join("ceiling.json");
            programs.suite(rows_of("3"), &ceiling)?;
            compare::run(&programs.rayw, &component, &ceiling, rows, rounds, &folder)
        }
        Suite::Publish => Ok(()),
    }
}

/// Where reports lie.
fn folder() -> Result<PathBuf> {
    let folder = tree::root().join("target/bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("failed to make `{}`", tree::shown(&folder)))?;
    Ok(folder)
}

/// What is built with the profile of the benchmarks.
struct Programs {
    rayw: PathBuf,
    /// `tests/benches/suites.rs`.
    suites: PathBuf,
}

impl Programs {
    /// Builds both in one call: built apart, cargo would choose features twice and compile the heavy
    /// dependencies twice.
    fn build() -> Result<Self> {
        let mut cargo = command::cargo();
        cargo.args(["build", "--profile", "bench", "-p", "rayw-cli", "-p", "rayw-tests", "--bin", "rayw"]);
        cargo.args(["--bench", "suites", "--message-format=json-render-diagnostics"]);
        printer::show(&cargo);
        let output = cargo.stderr(Stdio::inherit()).output().context("failed to start cargo")?;
        if !output.status.success() {
            bail!("failed to build the benchmarks");
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let program =
            |name: &str| executable(&messages, name).with_context(|| format!("cargo built no program `{name}`"));
        Ok(Self { rayw: program("rayw")?, suites: program("suites")? })
    }

    /// Runs one suite.
    fn suite<'a>(&self, args: impl IntoIterator<Item = &'a str>, report: &Path) -> Result<()> {
        let mut suite = Command::new(&self.suites);
        suite.args(args).arg("--report").arg(report);
        suite.env(test::GUESTS_VARIABLE, tree::guests_target()).env(test::PROGRAM_VARIABLE, &self.rayw);
        command::run(&mut suite).context("the benchmarks failed")?;
        printer::say(&format!("the numbers are in {}", tree::shown(report)));
        Ok(())
    }
}

/// The program of that name among cargo's messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let named = message["target"]["name"] == name;
        message["executable"].as_str().filter(|_| named).map(PathBuf::from)
    })
}

/// Writes what somebody is to read.
fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write `{}`", tree::shown(path)))?;
    printer::say(&format!("wrote {}", tree::shown(path)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name() {
        let message = |name: &str, file: Option<&str>| {
            serde_json::json!({ "reason": "compiler-artifact", "target": { "name": name }, "executable": file })
                .to_string()
        };
        let messages =
            [message("rayw", None), message("suites", Some("/t/suites-1")), message("rayw", Some("/t/rayw"))]
                .join("\n");
        assert_eq!(executable(&messages, "rayw"), Some("/t/rayw".into()));
        assert_eq!(executable(&messages, "other"), None);
    }
}
