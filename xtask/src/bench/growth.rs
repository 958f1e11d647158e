//! How costs grow: the curves of the pure machines, and those of whole queues, which a process of its
//! own drains for each size.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::compare;
use super::measured::{self, exact, shown};
use super::plot::{self, Curve};

/// Parts of the million tasks that the row queues.
const SCALES: [f64; 4] = [0.001, 0.01, 0.1, 1.0];

/// Queues of real tasks, and what of them is shown: the end of a row's name, a title, and whether the
/// cost of one is what is measured, or how many a second.
const QUEUES: [(&str, &str, bool); 3] = [
    (": submitted", "one task submitted (µs)", false),
    (": drained", "one waiting task run, in a sandbox of its own (µs)", false),
    ("memory of each", "memory of a waiting task (bytes)", true),
];

/// A queue with less memory than this finds most of it in what the process has already, so that its growth says
/// nothing of what a task costs.
const SEEN_BYTES: f64 = 16e6;

/// Costs may be this many times what the logarithm allows, as in the suite.
const SLACK: f64 = 3.0;

/// Adds the queues to what the suite found, and writes the report.
pub(super) fn run(rayw: &Path, how: &str, component: &Path, pure: &Path, folder: &Path) -> Result<()> {
    let mut report = measured::read(pure)?;
    let mut curves = report["curves"].as_array().cloned().unwrap_or_default();
    let runs = SCALES.map(|scale| queue(rayw, component, scale));
    let runs: Vec<(f64, Value)> =
        SCALES.into_iter().zip(runs).map(|(scale, run)| Ok((scale, run?))).collect::<Result<_>>()?;
    for (end, title, is_cost) in QUEUES {
        let points: Vec<_> = runs
            .iter()
            .filter_map(|(scale, run)| {
                let rows = run["rows"].as_array()?;
                let row = rows.iter().find(|row| row["name"].as_str().is_some_and(|name| name.ends_with(end)))?;
                let mean = row["mean"].as_f64()?;
                Some((scale * 1e6, if is_cost { mean } else { 1e6 / mean }))
            })
            .filter(|(size, cost)| !is_cost || size * cost >= SEEN_BYTES)
            .collect();
        let is_too_steep = is_too_steep(&points);
        curves.push(json!({ "name": title, "x": "tasks in the queue", "y": "", "points": points, "is_too_steep": is_too_steep }));
    }
    let markdown = heading(&compare::setting(how)) + &markdown(&curves);
    #[expect(clippy::print_stdout, reason = "the report is the program's output")]
    {
        println!("{markdown}");
    }
    super::write(&folder.join("growth.md"), &markdown)?;
    super::write(&folder.join("growth.svg"), &picture(&curves))?;
    report["curves"] = Value::from(curves);
    super::write(pure, &format!("{report:#}"))
}

fn queue(rayw: &Path, component: &Path, scale: f64) -> Result<Value> {
    let mut run = Command::new(rayw);
    run.args(["microbenchmark", "--format", "json", "--filter", "1000000 tasks queued", "--scale"]);
    run.arg(scale.to_string()).arg("--component").arg(component);
    let output = run.stderr(std::process::Stdio::inherit()).output().context("failed to start rayw")?;
    if !output.status.success() {
        bail!("`rayw microbenchmark` failed with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("rayw's report is no JSON")
}

fn is_too_steep(points: &[(f64, f64)]) -> bool {
    let (Some((small, cheap)), Some((large, dear))) = (points.first(), points.last()) else { return false };
    dear / cheap > SLACK * large.ln() / small.ln()
}

fn points(curve: &Value) -> Vec<(f64, f64)> {
    let pair = |point: &Value| Some((point[0].as_f64()?, point[1].as_f64()?));
    curve["points"].as_array().into_iter().flatten().filter_map(pair).collect()
}

fn title(curve: &Value) -> String {
    let said = |key: &str| curve[key].as_str().unwrap_or_default().to_owned();
    let unit = said("y");
    if unit.is_empty() { said("name") } else { format!("{} ({unit})", said("name")) }
}

fn heading(setting: &str) -> String {
    format!(
        "# How costs grow\n\nBy `cargo xtask bench --growth`: what one costs, against how many there are, with \
         [plots](growth.svg). Scheduler and owner are the pure machines of head and node, with simulated nodes; \
         queues are real tasks in a process of its own for each size, where memory is shown from {} MB on (what is less \
         finds room in what the process has already). A cost is called worse than n log n when the largest size costs more \
         than {} times what a logarithm would make of the smallest: caches get cold, too. {setting}\n\n",
        exact(SEEN_BYTES / 1e6),
        exact(SLACK),
    )
}

fn markdown(curves: &[Value]) -> String {
    let mut text = String::from("| cost of | against | at each size | |\n|---|---|---|---|\n");
    for curve in curves {
        let costs: Vec<_> =
            points(curve).iter().map(|(size, cost)| format!("{}: {}", exact(*size), shown(*cost))).collect();
        let verdict = match (curve["is_too_steep"] == true, curve["why"].as_str().unwrap_or_default()) {
            (false, _) => String::new(),
            (true, "") => "**worse than n log n**".to_owned(),
            (true, why) => format!("**worse than n log n**: {why}"),
        };
        let x = curve["x"].as_str().unwrap_or_default();
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} | {x} | {} | {verdict} |", title(curve), costs.join(", "));
    }
    text
}

fn picture(curves: &[Value]) -> String {
    let drawn: Vec<_> = curves.iter().map(|curve| (title(curve), points(curve))).collect();
    let x = |index: usize| curves[index]["x"].as_str().unwrap_or_default();
    let panels: Vec<_> =
        drawn.iter().enumerate().map(|(index, (title, points))| Curve { title, x: x(index), points }).collect();
    plot::curves("what one costs, against how many there are", &panels)
}
