//! Where the time of rows goes: `perf` looks on while they run, and what it saw is told by the part of the program and
//! drawn as a flame graph.
//!
//! ```text
//! rayw, guided and with frame pointers ──perf record──▶ stacks ──perf script──▶ Flames ──┬─▶ flames/ROW.svg
//!                                                                                        └─▶ profile.md
//! ```

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::compare;
use super::flames::Flames;
use super::programs;
use super::stacks::{self, Sample};
use crate::{command, printer, tree};

/// The rows that are looked at when nobody names one: those that cpus bound, and large puts.
const ROWS: [&str; 8] = [
    "single client tasks async",
    "multi client tasks async",
    "single client tasks async with reuse",
    "1:1 actor calls async",
    "n:n actor calls async",
    "actors created and ready",
    "single client wait 1k refs",
    "single client put gigabytes of 100 MiB values",
];

/// Samples a second of each cpu: not a divisor of any timer's rate, so that what a timer starts is not seen each time.
const HERTZ: &str = "997";

/// How long each row runs: at two cpus some 8 000 samples, whose shares are then good to half a percent.
const LENGTHS: [&str; 6] = ["--warmup", "0.5", "--seconds", "2", "--rounds", "2"];

/// How long before, so that the component is compiled and in the cache.
const MOMENT: [&str; 6] = ["--warmup", "0", "--seconds", "0.1", "--rounds", "1"];

/// The report, beside which the pictures have a folder.
pub(super) const REPORT: &str = "profile.md";

/// Functions that are named for each row.
const NAMED: usize = 14;

/// Builds rayw, runs each row under `perf` and writes the report.
pub(super) fn run(component: &Path, rows: &[String], folder: &Path, is_guided: bool) -> Result<()> {
    if !command::on_path("perf") {
        bail!("there is no `perf` on PATH: Debian has it as linux-perf, Ubuntu as linux-tools-generic");
    }
    let (rayw, how) = if is_guided {
        (programs::guided_with_frames(component)?, "as `cargo xtask dist` builds it, but for")
    } else {
        (programs::plain_with_frames()?, "in one build that is not guided, with")
    };
    let names =
        if rows.is_empty() { ROWS.map(str::to_owned).to_vec() } else { compare::names(&rayw, component, rows)? };
    // Only all of them are what `--publish` copies.
    let report = if rows.is_empty() { REPORT } else { "profile-of-some.md" };
    let pictures = folder.join("flames");
    std::fs::create_dir_all(&pictures).with_context(|| format!("failed to make `{}`", tree::shown(&pictures)))?;
    let mut markdown = format!(
        "# Where the time of rows goes\n\nBy `cargo xtask bench --profile`: samples of `perf`, by the part of the program \
         that was at work, by function, and as flame graphs. {}\n\n",
        compare::setting(&format!("{how} frame pointers"))
    );
    for row in names {
        let flames = look(&rayw, component, &row, folder)?;
        let file = format!("{}.svg", file_name(&row));
        super::write(&pictures.join(&file), &flames.picture(&row))?;
        markdown += &section(&row, &flames, &file);
    }
    #[expect(clippy::print_stdout, reason = "the report is the program's output")]
    {
        println!("{markdown}");
    }
    super::write(&folder.join(report), &markdown)
}

/// Runs a row under `perf` and reads what it saw.
fn look(rayw: &Path, component: &Path, row: &str, folder: &Path) -> Result<Flames> {
    let data = folder.join("perf.data");
    let running = |mut command: Command, lengths: [&str; 6]| {
        command.arg("run").arg(component).args(["--", "--row", row]).args(lengths);
        command
    };
    command::run(&mut running(Command::new(rayw), MOMENT)).with_context(|| format!("`{row}` failed"))?;
    let mut record = Command::new("perf");
    record.args(["record", "--quiet", "-F", HERTZ, "--call-graph", "fp", "-o"]).arg(&data).arg("--").arg(rayw);
    command::run(&mut running(record, LENGTHS)).with_context(|| {
        format!("`perf` could not look at `{row}` (where it may not: `sysctl kernel.perf_event_paranoid=1`)")
    })?;
    let flames = read(&data, row);
    std::fs::remove_file(&data).with_context(|| format!("failed to remove `{}`", tree::shown(&data)))?;
    flames
}

/// The stacks that `perf` saw.
fn read(data: &Path, row: &str) -> Result<Flames> {
    let mut script = Command::new("perf");
    script.args(["script", "--no-inline", "-F", "ip,sym,dso", "-i"]).arg(data);
    let mut reading = script
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to start `{}`", printer::spelled(&script)))?;
    let lines = BufReader::new(reading.stdout.take().context("perf has no output")?).lines();
    let mut flames = Flames::default();
    let mut sample = Sample::default();
    for line in lines {
        let line = line.context("failed to read what perf saw")?;
        match stacks::frame(&line) {
            Some(frame) => sample.push(frame),
            None => flames.add(std::mem::take(&mut sample)),
        }
    }
    flames.add(sample);
    if !reading.wait().context("failed to wait for perf")?.success() {
        bail!("`{}` failed", printer::spelled(&script));
    }
    if flames.samples() == 0 {
        bail!("perf saw nothing of `{row}`: does `perf record --call-graph fp -- true` work?");
    }
    Ok(flames)
}

fn section(row: &str, flames: &Flames, picture: &str) -> String {
    let total = flames.samples() as f64;
    let percent = |samples: u64| format!("{:.1} %", 100.0 * samples as f64 / total);
    let mut text = format!("## {row}\n\n{} samples, [flame graph](flames/{picture}).\n\n", flames.samples());
    text += "| part | of all |\n|---|--:|\n";
    for (part, samples) in flames.parts() {
        text += &format!("| {part} | {} |\n", percent(samples));
    }
    text += "\n| function, by itself | of all |\n|---|--:|\n";
    for (function, samples) in flames.functions().into_iter().take(NAMED) {
        text += &format!("| `{function}` | {} |\n", percent(samples));
    }
    text + "\n"
}

/// A row's name as that of a file.
fn file_name(row: &str) -> String {
    let words = row.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_a_file_its_name() {
        assert_eq!(file_name("1:1 actor calls async"), "1-1-actor-calls-async");
    }
}
