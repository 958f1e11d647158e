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

    /// The mean, and how far samples are from it where there are several.
    pub(super) fn said(&self, unit: &str) -> String {
        let mean = shown(self.mean());
        match self.samples.len() {
            0 | 1 => format!("{mean}{unit}"),
            _ => format!("{mean}{unit} ± {}", shown(self.deviation())),
        }
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

/// A bound, and how much of it a row reached beside it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bound {
    /// What the bound made: the median of its turns.
    pub(super) is: f64,
    /// The median of the shares turn by turn: a turn in which the machine did something else says nothing.
    pub(super) share: f64,
    /// Microseconds that one of the row took more than one of the bound, by the means of both.
    pub(super) beyond: f64,
    /// What it is, in words.
    pub(super) what: String,
}

impl Bound {
    /// The bound of a row of a suite's report, if it has one.
    pub(super) fn of(row: &Value) -> Option<Self> {
        let series = |of: &Value| -> Vec<f64> {
            of["samples"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
        };
        let (own, other) = (series(&row["rayw"]), series(&row["ceiling"]));
        let shares = own.iter().zip(&other).map(|(own, other)| own / other).collect();
        let micros = |rates: &[f64]| 1e6 * rates.len() as f64 / rates.iter().sum::<f64>();
        let what = row["ceiling_is"].as_str().unwrap_or_default().to_owned();
        Some(Self { beyond: micros(&own) - micros(&other), is: median(other)?, share: median(shares)?, what })
    }
}

/// Two cells of a table: the bound of a row in that unit, and the share of it.
pub(super) fn cells(bound: Option<&Bound>, unit: &str) -> (String, String) {
    match bound {
        Some(bound) => (format!("{}{unit} ({})", shown(bound.is), bound.what), format!("{:.2}", bound.share)),
        None => ("–".to_owned(), "–".to_owned()),
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let (low, high) = (numbers.get(numbers.len().checked_sub(1)? / 2)?, numbers.get(numbers.len() / 2)?);
    Some(f64::midpoint(*low, *high))
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

/// A number that a person chose, as that person would say it.
pub(super) fn exact(number: f64) -> String {
    if number >= 1000.0 { shown(number) } else { number.to_string() }
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
    fn a_turn_that_went_wrong_does_not_make_the_share() {
        let row = serde_json::json!({
            "rayw": { "samples": [10.0, 10.0, 10.0] },
            "ceiling": { "samples": [0.5, 8.0, 10.0] },
            "ceiling_is": "a copy",
        });
        let bound = Bound::of(&row).unwrap();
        assert_eq!((bound.is, bound.share, bound.what.as_str()), (8.0, 1.25, "a copy"));
        assert_eq!(Bound::of(&serde_json::json!({ "rayw": { "samples": [1.0] } })), None);
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn numbers_are_as_long_as_they_must() {
        let cases = [(1_234_567.8, "1 234 568"), (999.4, "999"), (12.34, "12.3"), (1.234, "1.23"), (0.012, "0.012")];
        for (number, text) in cases {
            assert_eq!(shown(number), text);
        }
        for (number, text) in [(10.0, "10"), (0.75, "0.75"), (10_000.0, "10 000")] {
            assert_eq!(exact(number), text);
        }
    }
}
