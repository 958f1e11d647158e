//! The programs that are measured: as cargo builds them in one go, or twice, the second time guided by how the first
//! ones ran.
//!
//! ```text
//! counting build ──runs every row for a moment──▶ counts ──llvm-profdata──▶ the build that uses them
//! ```

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::emptied;
use crate::toolchain::{self, detect};
use crate::{command, printer, test, tree};

/// How long each row runs while it is counted. Counting is exact, so that a moment is enough.
const COUNTED: [&str; 8] = ["--warmup", "200ms", "--seconds", "500ms", "--rounds", "1", "--scale", "0.05"];

/// The names of the programs.
const RAYW: &str = "rayw";
const SUITES: &str = "suites";

/// Sends the counts elsewhere when it is set.
const ELSEWHERE: &str = "LLVM_PROFILE_FILE";

/// Both programs.
pub(super) struct Programs {
    pub(super) rayw: PathBuf,
    /// `tests/benches/suites.rs`.
    suites: PathBuf,
}

impl Programs {
    /// Builds both in one call with the profile of the benchmarks: built apart, cargo would choose features twice and
    /// compile the heavy dependencies twice.
    pub(super) fn build() -> Result<Self> {
        let mut cargo = command::cargo();
        cargo.args(["build", "--profile", "bench"]);
        Self::built(cargo)
    }

    /// Builds both as they are best installed: the compiler lays out and inlines by how often what was run. Bare
    /// wasmtime, which bounds the rows, is in `suites` and gains by it alike.
    pub(super) fn guided(component: &Path) -> Result<Self> {
        let guide = Guide::made(component)?;
        Self::built(guide.cargo(&[]))
    }

    fn built(mut cargo: Command) -> Result<Self> {
        let messages = built(cargo.args(["--bench", SUITES]))?;
        Ok(Self { rayw: program(&messages, RAYW)?, suites: program(&messages, SUITES)? })
    }

    /// Runs one suite.
    pub(super) fn suite<'a>(&self, args: impl IntoIterator<Item = &'a str>, report: &Path) -> Result<()> {
        command::run(&mut self.suite_command(args, report)).context("the benchmarks failed")?;
        printer::say(&format!("the numbers are in {}", tree::shown(report)));
        Ok(())
    }

    fn suite_command<'a>(&self, args: impl IntoIterator<Item = &'a str>, report: &Path) -> Command {
        let mut suite = Command::new(&self.suites);
        suite.args(args).arg("--report").arg(report);
        suite.env(test::GUESTS_VARIABLE, tree::guests_target()).env(test::PROGRAM_VARIABLE, &self.rayw);
        suite
    }

    /// When the youngest of them and of the component was built.
    fn age(&self, component: &Path) -> Result<Duration> {
        let built = |program: &Path| std::fs::metadata(program).and_then(|found| found.modified());
        let times = [&self.rayw, &self.suites, component].map(built).into_iter().collect::<Result<Vec<_>, _>>();
        let youngest = times.context("failed to look at the programs that were built")?.into_iter().max();
        let youngest = youngest.unwrap_or(SystemTime::UNIX_EPOCH);
        youngest.duration_since(SystemTime::UNIX_EPOCH).context("a program is older than time")
    }

    /// Runs every row, and brings the counts together.
    fn count(&self, component: &Path, counts: &Path, profdata: &Path, merged: &Path) -> Result<()> {
        printer::say("running every row once to see what is run how often");
        emptied(counts)?;
        let mut rows = Command::new(&self.rayw);
        rows.arg("microbenchmark").args(COUNTED).arg("--component").arg(component);
        command::run(rows.env_remove(ELSEWHERE)).context("rayw's rows failed")?;
        // Among the counts, a report would be taken for some.
        let report = counts.with_extension("json");
        let mut suite = self.suite_command(["ceiling", "--turns", "1", "--seconds", "0.3"], &report);
        command::run(suite.env_remove(ELSEWHERE)).context("the benchmarks failed")?;
        // Under another name until it is whole.
        let unfinished = merged.with_extension("new");
        let mut merge = Command::new(profdata);
        merge.args(["merge", "-o"]).arg(&unfinished).arg(counts);
        command::run(&mut merge).context("the counts could not be brought together")?;
        std::fs::rename(&unfinished, merged).with_context(|| format!("failed to write `{}`", tree::shown(merged)))
    }
}

/// How often what ran, for the compiler.
struct Guide {
    host: String,
    /// Where the programs are built.
    folder: PathBuf,
    counts: PathBuf,
}

impl Guide {
    /// What a counting build counts. Made once for each such build.
    fn made(component: &Path) -> Result<Self> {
        // Looked for first: everything else takes its time.
        let profdata = toolchain::profdata()?;
        let host = detect::host().context("failed to ask rustc what machine this is")?;
        let all = tree::root().join("target/guided");
        let [counting, counts, folder] = ["counting", "counts", "used"].map(|name| all.join(name));
        let mut cargo = release(&counting, &host, &["-Cprofile-generate"], &counts);
        // Counts are taken before programs are optimised as a whole, so the long link would change none of them.
        cargo.env("CARGO_PROFILE_RELEASE_LTO", "off");
        let programs = Programs::built(cargo)?;
        let merged = folder.join(format!("{}.profdata", programs.age(component)?.as_secs()));
        if !merged.is_file() {
            // What was built by former counts is of no use any more, and is gigabytes.
            emptied(&folder)?;
            programs.count(component, &counts, &profdata, &merged)?;
        }
        Ok(Self { host, folder, counts: merged })
    }

    fn cargo(&self, flags: &[&str]) -> Command {
        let flags: Vec<_> = flags.iter().copied().chain(["-Cprofile-use"]).collect();
        release(&self.folder, &self.host, &flags, &self.counts)
    }
}

/// rayw as it is best installed, but for frame pointers, by which `perf` finds whole stacks cheaply.
pub(super) fn guided_with_frames(component: &Path) -> Result<PathBuf> {
    let guide = Guide::made(component)?;
    program(&built(&mut guide.cargo(&["-Cforce-frame-pointers=yes"]))?, RAYW)
}

/// The same in one build, without the long link: for who wants to see at once what a change did.
pub(super) fn plain_with_frames() -> Result<PathBuf> {
    let mut cargo = command::cargo();
    cargo.args(["build", "--profile", "bench", "--target-dir"]).arg(tree::root().join("target/frames"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Cforce-frame-pointers=yes");
    program(&built(&mut cargo)?, RAYW)
}

/// A release build with these flags of the compiler, the last of which is given the path. For a named target, so that
/// build scripts and macros, which run while it is built, are left alone.
fn release(folder: &Path, host: &str, flags: &[&str], path: &Path) -> Command {
    let mut cargo = command::cargo();
    cargo.args(["build", "--release", "--target", host, "--target-dir"]).arg(folder);
    // In this form a path may have spaces.
    let mut encoded = OsString::from(flags.join("\u{1f}"));
    encoded.push("=");
    encoded.push(path);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", encoded);
    cargo
}

/// Builds rayw, and what else is asked for; answers with cargo's messages.
fn built(cargo: &mut Command) -> Result<String> {
    cargo.args(["-p", "rayw-cli", "-p", "rayw-tests", "--bin", RAYW, "--message-format=json-render-diagnostics"]);
    printer::show(cargo);
    let output = cargo.stderr(Stdio::inherit()).output().context("failed to start cargo")?;
    if !output.status.success() {
        bail!("failed to build the benchmarks");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn program(messages: &str, name: &str) -> Result<PathBuf> {
    executable(messages, name).with_context(|| format!("cargo built no program `{name}`"))
}

/// The program of that name among cargo's messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let named = message["target"]["name"] == name;
        message["executable"].as_str().filter(|_| named).map(PathBuf::from)
    })
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
