//! rayw beside Ray on this machine: both in turns, one table, one plot.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::goals::{self, Reached};
use super::measured::{self, Bound, Samples, Table, shown};
use super::plot;
use super::ray::Ray;
use crate::{printer, tree};

/// Rows that take minutes in Ray and say nothing that others do not: its published numbers stand in the README.
const NOT_IN_RAY: [&str; 1] = ["1000000 tasks queued"];

/// How long rayw measures each row in one turn: as the script for Ray does.
const LENGTHS: [&str; 6] = ["--warmup", "500ms", "--seconds", "1s", "--rounds", "2"];

/// One line of the table.
struct Line {
    name: String,
    ray: Option<Samples>,
    rayw: Samples,
    /// How many times as fast.
    ratio: Option<f64>,
    /// What bounds it in the same hour, and how much of that is reached.
    bound: Option<Bound>,
    /// What it is to reach, and whether it does.
    goals: String,
}

/// The program that is measured.
pub(super) struct Built<'a> {
    pub(super) rayw: &'a Path,
    /// In words, with what bounds it.
    pub(super) how: &'a str,
}

/// Runs both in turns and writes the report.
pub(super) fn run(
    built: Built<'_>,
    component: &Path,
    ceiling: &Path,
    filters: &[String],
    rounds: u32,
    folder: &Path,
) -> Result<()> {
    let ray = Ray::install(folder)?;
    let Built { rayw, how } = built;
    let names: Vec<String> = names(rayw, component, filters)?;
    let (mut ours, mut theirs) = (Table::default(), Table::default());
    let mut versions = json!({});
    let in_ray = |name: &&String| !NOT_IN_RAY.iter().any(|part| name.starts_with(part));
    let rows: Vec<_> = names.iter().filter(in_ray).cloned().collect();
    for round in 0..rounds {
        printer::say(&format!("round {} of {rounds}: Ray", round + 1));
        let found = ray.measure(&rows, &folder.join("ray.json"))?;
        theirs.add(&found);
        versions = json!({ "ray": found["ray"], "python": found["python"] });
        printer::say(&format!("round {} of {rounds}: rayw", round + 1));
        // A million tasks say the same each time.
        let names = if round == 0 { &names } else { &rows };
        ours.add(&measure(rayw, component, names)?);
    }
    let bounds = measured::read(ceiling)?;
    let lines = lines(&ours, &theirs, &bounds);
    let mut machine = machine(&versions, how);
    machine["turns"] = json!(rounds);
    let markdown = markdown(&lines, &machine);
    #[expect(clippy::print_stdout, reason = "the report is the program's output")]
    {
        println!("{markdown}");
    }
    super::write(&folder.join("vs-ray.md"), &markdown)?;
    let bars: Vec<_> = lines.iter().filter_map(|line| Some((line.name.clone(), line.ratio?))).collect();
    super::write(&folder.join("vs-ray.svg"), &plot::ratios("times as fast as Ray, on one machine", &bars))?;
    super::write(&folder.join("vs-ray.json"), &format!("{:#}", document(&lines, &machine)))
}

/// The rows that there are, with these filters.
pub(super) fn names(rayw: &Path, component: &Path, filters: &[String]) -> Result<Vec<String>> {
    let mut list = Command::new(rayw);
    list.args(["microbenchmark", "--list", "--component"]).arg(component);
    let output = list.output().context("failed to start rayw")?;
    if !output.status.success() {
        bail!("`rayw microbenchmark --list` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let names: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let wanted = |name: &String| filters.is_empty() || filters.iter().any(|part| name.contains(part.as_str()));
    let chosen: Vec<_> = names.iter().filter(|name| wanted(name)).cloned().collect();
    if chosen.is_empty() {
        bail!("no row has that in its name; the rows are: {}", names.join(", "));
    }
    Ok(chosen)
}

fn measure(rayw: &Path, component: &Path, names: &[String]) -> Result<Value> {
    let mut run = Command::new(rayw);
    run.args(["microbenchmark", "--format", "json"]).args(LENGTHS).arg("--component").arg(component);
    run.args(names.iter().flat_map(|name| ["--filter", name.as_str()]));
    printer::show(&run);
    let output = run.stderr(std::process::Stdio::inherit()).output().context("failed to start rayw")?;
    if !output.status.success() {
        bail!("`rayw microbenchmark` failed with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("rayw's report is no JSON")
}

fn lines(ours: &Table, theirs: &Table, bounds: &Value) -> Vec<Line> {
    let line = |name: &String| {
        let rayw = ours.get(name)?.clone();
        let ray = theirs.get(name).cloned();
        let (own, unit_is_time) = (rayw.mean(), rayw.less_is_better());
        let ratio = ray.as_ref().map(Samples::mean).map(|ray| if unit_is_time { ray / own } else { own / ray });
        let bound = bounds["rows"].as_array().into_iter().flatten().find(|bound| bound["name"] == **name);
        let bound = bound.and_then(Bound::of);
        let (share, beyond) = (bound.as_ref().map(|bound| bound.share), bound.as_ref().map(|bound| bound.beyond));
        let reached = Reached { rayw: own, times: ratio, share, beyond };
        let goals = goals::verdicts(name, reached, |other| theirs.get(other).map(Samples::mean));
        Some(Line { name: name.clone(), ray, rayw, ratio, bound, goals })
    };
    ours.names.iter().filter_map(line).collect()
}

fn markdown(lines: &[Line], machine: &Value) -> String {
    let mut text = String::from(
        "| row | Ray | rayw | times as fast | ceiling | share of it | goal |\n|---|--:|--:|--:|--:|--:|---|\n",
    );
    for line in lines {
        let unit = unit(&line.name, &line.rayw.unit);
        let dash = || "–".to_owned();
        let ray = line.ray.as_ref().map_or_else(dash, |ray| ray.said(&unit));
        let ratio = line.ratio.map_or_else(dash, |ratio| format!("**{}**", shown(ratio)));
        let (ceiling, share) = measured::cells(line.bound.as_ref(), &unit);
        let (name, rayw, goals) = (&line.name, line.rayw.said(&unit), &line.goals);
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {ray} | {rayw} | {ratio} | {ceiling} | {share} | {goals} |");
    }
    let said = |key: &str| machine[key].as_str().unwrap_or("?").to_owned();
    let _ = writeln!(
        text,
        "\nPer second unless a unit is given; means of all rounds of {} turns of each, with the standard deviation where \
         there are several (a queue of a million is measured once); of ceilings and shares the median. {} cpus, {}. \
         rayw {} {}, wasmtime {}, Ray {} on Python {}. {}.",
        machine["turns"],
        machine["cpus"],
        said("cpu"),
        said("rayw"),
        said("build"),
        said("wasmtime"),
        said("ray"),
        said("python"),
        said("date")
    );
    text
}

/// What is written behind a number of that row.
fn unit(row: &str, unit: &str) -> String {
    match short(unit) {
        "per second" if row.contains("gigabytes") => " GB/s".to_owned(),
        "per second" => String::new(),
        other => format!(" {other}"),
    }
}

fn short(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "B",
        other => other,
    }
}

fn document(lines: &[Line], machine: &Value) -> Value {
    let rows: Vec<_> = lines
        .iter()
        .map(|line| {
            let ceiling =
                line.bound.as_ref().map(|bound| json!({ "median": bound.is, "share": bound.share, "is": bound.what }));
            json!({
                "name": line.name,
                "unit": line.rayw.unit,
                "ray": line.ray.as_ref().map(Samples::mean),
                "rayw": line.rayw.mean(),
                "deviation": line.rayw.deviation(),
                "ratio": line.ratio,
                "ceiling": ceiling,
                "goals": line.goals,
            })
        })
        .collect();
    json!({ "machine": machine, "rows": rows })
}

/// What the numbers of a report hold for that Ray has no part in, in words.
pub(super) fn setting(build: &str) -> String {
    let machine = machine(&Value::Null, build);
    let said = |key: &str| machine[key].as_str().unwrap_or("?");
    format!(
        "rayw {} {build}; wasmtime {}; {} cpus, {}. {}.",
        said("rayw"),
        said("wasmtime"),
        machine["cpus"],
        said("cpu"),
        said("date")
    )
}

/// What the numbers hold for.
fn machine(versions: &Value, build: &str) -> Value {
    let lock = std::fs::read_to_string(tree::root().join("Cargo.lock")).unwrap_or_default();
    let wasmtime = lock.split("name = \"wasmtime\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "cpus": std::thread::available_parallelism().map_or(1, usize::from),
        "cpu": cpu.map_or("unknown cpu", |(_, name)| name),
        "rayw": said(Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(tree::root())),
        "build": build,
        "wasmtime": wasmtime,
        "ray": versions["ray"],
        "python": versions["python"],
        "date": said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
    })
}

/// The one line that a program answers with.
fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    output.unwrap_or_default()
}
