//! Numbers by the names of their rows, as the programs that measure them write them down.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::tree;

/// The samples of one row, from as many runs as there were.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Samples {
    pub(super) unit: String,
    pub(super) samples: Vec<f64>,
}

impl Samples {
    pub(super) fn mean(&self) -> f64 {
        self.samples.iter().sum::<f64>() / self.samples.len().max(1) as f64
    }

    pub(super) fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>();
        (squares / self.samples.len().max(1) as f64).sqrt()
    }

    /// Whether a small number is a good one.
    pub(super) fn less_is_better(&self) -> bool {
        self.unit != "per second"
    }
}

/// Rows by name. The order of the rows is that of their first file.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) names: Vec<String>,
    rows: BTreeMap<String, Samples>,
}

impl Table {
    pub(super) fn get(&self, name: &str) -> Option<&Samples> {
        self.rows.get(name)
    }

    /// Adds what `rayw microbenchmark --format json`, or the script for Ray, has found.
    pub(super) fn add(&mut self, report: &Value) {
        for row in report["rows"].as_array().into_iter().flatten() {
            let (Some(name), Some(unit)) = (row["name"].as_str(), row["unit"].as_str()) else { continue };
            if !self.rows.contains_key(name) {
                self.names.push(name.to_owned());
            }
            let known = self.rows.entry(name.to_owned()).or_default();
            unit.clone_into(&mut known.unit);
            known.samples.extend(row["samples"].as_array().into_iter().flatten().filter_map(Value::as_f64));
        }
    }
}

/// Reads a JSON document.
pub(super) fn read(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read `{}`", tree::shown(path)))?;
    serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", tree::shown(path)))
}

/// A number with the digits that say something.
pub(super) fn shown(number: f64) -> String {
    match number.abs() {
        size if size >= 1000.0 => grouped(number.round()),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// Thousands apart from each other.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_several_runs_come_together() {
        let run =
            |sample: f64| serde_json::json!({ "rows": [{ "name": "a", "unit": "per second", "samples": [sample] }] });
        let mut table = Table::default();
        table.add(&run(2.0));
        table.add(&run(4.0));
        let row = table.get("a").unwrap();
        assert_eq!((row.mean(), row.deviation(), row.less_is_better()), (3.0, 1.0, false));
        assert_eq!(table.names, ["a"]);
    }

    #[test]
    fn numbers_are_as_long_as_they_must() {
        let cases = [(1_234_567.8, "1 234 568"), (999.4, "999"), (12.34, "12.3"), (1.234, "1.23"), (0.012, "0.012")];
        for (number, text) in cases {
            assert_eq!(shown(number), text);
        }
    }
}
