//! Results: what the guest says, and how it is shown.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::settings::MicrobenchmarkSettings;

/// A row that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Measured {
    name: String,
    unit: String,
    mean: f64,
    /// The standard deviation of the samples, as numpy's `std`.
    sd: f64,
    samples: Vec<f64>,
}

/// A line of the guest.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Row(Measured),
    /// Now is the time to look at its memory: before so many things are there, or while they are.
    Mark {
        /// The row; none before the things are there.
        of: Option<String>,
        count: u64,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Row { row: String, unit: String, samples: Vec<f64> },
    Mark { mark: String, count: u64 },
}

/// Reads a line of the guest; none when it is of another kind.
pub(super) fn parse(line: &str) -> Option<Said> {
    Some(match serde_json::from_str(line).ok()? {
        Line::Row { row, unit, samples } => Said::Row(Measured::new(&row, &unit, samples)),
        Line::Mark { mark, count } => Said::Mark { of: (mark != "empty").then_some(mark), count },
    })
}

/// What each of `count` things of a row takes. The name is the same at every scale, as those of the other rows.
pub(super) fn memory_of_each(row: &str, empty: u64, full: u64, count: u64) -> Measured {
    let bytes = full.saturating_sub(empty) as f64 / count.max(1) as f64;
    Measured::new(&format!("{row}: memory of each"), "bytes", vec![bytes])
}

impl Measured {
    pub(super) fn new(name: &str, unit: &str, samples: Vec<f64>) -> Self {
        let count = samples.len().max(1) as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / count;
        Self { name: name.to_owned(), unit: unit.to_owned(), mean, sd: variance.sqrt(), samples }
    }

    pub(super) fn line(&self) -> String {
        line(&self.name, &number(self.mean), &number(self.sd), &self.unit)
    }
}

pub(super) fn heading() -> String {
    line("row", "mean", "+-", "unit")
}

fn line(name: &str, mean: &str, deviation: &str, unit: &str) -> String {
    format!("{name:<46}{mean:>12}{deviation:>12}  {unit}")
}

/// Three digits that say something, whatever the size.
fn number(number: f64) -> String {
    let digits = match number.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 1.0 => 2,
        _ => 4,
    };
    format!("{number:.digits$}")
}

/// All of it for a program.
pub(super) fn json(results: &[Measured], settings: &MicrobenchmarkSettings, left_out: &[(&str, &str)]) -> String {
    let left_out: Vec<_> = left_out.iter().map(|(name, why)| json!({ "name": name, "why": why })).collect();
    let document = json!({
        "rayw": env!("CARGO_PKG_VERSION"),
        "num_cpus": settings.whole_cpus(),
        "address": settings.address,
        "scale": settings.scale,
        "rows": results,
        "left_out": left_out,
    });
    format!("{document:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_guest_are_results_or_marks_or_somebody_elses() {
        let row = parse(r#"{"row":"1:1 actor calls sync","unit":"per second","samples":[2,4]}"#);
        let expected = Measured::new("1:1 actor calls sync", "per second", vec![2.0, 4.0]);
        assert_eq!((expected.mean, expected.sd), (3.0, 1.0));
        assert_eq!(row, Some(Said::Row(expected)));
        let mark = Said::Mark { of: Some("7 things".to_owned()), count: 7 };
        assert_eq!(parse(r#"{"mark":"7 things","count":7}"#), Some(mark));
        assert_eq!(parse(r#"{"mark":"empty","count":7}"#), Some(Said::Mark { of: None, count: 7 }));
        assert_eq!(parse("a program's own words"), None);
    }

    #[test]
    fn numbers_of_all_sizes_stand_below_each_other() {
        let rows = [
            Measured::new("single client tasks async", "per second", vec![89_806.2, 91_000.0]),
            Measured::new("single client put gigabytes", "per second", vec![2.0, 2.1]),
            Measured::new("get of 10000 objects", "seconds", vec![0.003, 0.004]),
            memory_of_each("1000000 tasks queued", 1000, 901_000, 1000),
        ];
        let lines: Vec<_> = std::iter::once(heading()).chain(rows.iter().map(Measured::line)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        row                                                   mean          +-  unit
        single client tasks async                            90403         597  per second
        single client put gigabytes                           2.05      0.0500  per second
        get of 10000 objects                                0.0035      0.0005  seconds
        1000000 tasks queued: memory of each                   900           0  bytes
        ");
    }
}
