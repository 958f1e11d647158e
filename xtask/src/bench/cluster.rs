//! Nodes as processes: the table of what the suite found.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::compare;
use super::goals::{self, Reached};
use super::measured::{self, Bound, Samples};

/// What `--publish` copies.
pub(super) const REPORT: &str = "cluster.md";

/// Writes the report of what the suite found.
pub(super) fn run(found: &Path, how: &str, folder: &Path) -> Result<()> {
    let report = measured::read(found)?;
    let text = format!(
        "# Nodes as processes\n\nBy `cargo xtask bench --cluster`: a head without cpus for tasks and nodes, each a process \
         of its own, on the loopback network of one machine. What is sent goes into fresh memory, and so do the bytes of the \
         bare connection beside it, turn by turn. {}\n\n{}",
        compare::setting(how),
        table(&report)
    );
    #[expect(clippy::print_stdout, reason = "the report is the program's output")]
    {
        println!("{text}");
    }
    super::write(&folder.join(REPORT), &text)
}

fn table(report: &Value) -> String {
    let mut text = String::from("| what | rayw | ceiling | share of it | goal |\n|---|--:|--:|--:|---|\n");
    for row in report["rows"].as_array().into_iter().flatten() {
        let said = |key: &str| row[key].as_str().unwrap_or_default();
        let samples = row["rayw"]["samples"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        let rayw = Samples { unit: said("unit").to_owned(), samples };
        let bound = Bound::of(row);
        let reached =
            Reached { rayw: rayw.mean(), share: bound.as_ref().map(|bound| bound.share), ..Reached::default() };
        let goals = goals::verdicts(said("name"), reached, |_| None);
        let unit = format!(" {}", said("unit"));
        let (ceiling, share) = measured::cells(bound.as_ref(), &unit);
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} | {} | {ceiling} | {share} | {goals} |", said("name"), rayw.said(&unit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_bounds_it_and_whether_that_is_enough() {
        let report = serde_json::json!({ "rows": [
            {
                "name": "two nodes: transfer of an object", "unit": "GB/s", "ceiling_is": "raw TCP",
                "rayw": { "samples": [1.0, 1.0] }, "ceiling": { "samples": [2.0, 2.0] },
            },
            { "name": "kill -9", "unit": "seconds", "ceiling_is": "", "rayw": { "samples": [0.07] }, "ceiling": null },
        ] });
        let table = table(&report);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| two nodes: transfer of an object | 1.00 GB/s ± 0.000 | 2.00 GB/s (raw TCP) | 0.50 | share ≥ 0.6 ✗ |",
                "| kill -9 | 0.070 seconds | – | – |  |",
            ]
        );
    }
}
