//! What is printed: a line for each result, for people as Ray prints it, or one JSON object.

use std::fmt::Write as _;

use crate::arguments::Arguments;
use crate::timing::Samples;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// More is better.
    PerSecond,
    /// Less is better.
    Seconds,
}

impl Unit {
    fn words(self) -> &'static str {
        match self {
            Self::PerSecond => "per second",
            Self::Seconds => "seconds",
        }
    }
}

/// Tells a result.
pub fn result(arguments: &Arguments, name: &str, unit: Unit, measured: &Samples) {
    if arguments.json {
        println!("{}", json(name, unit, measured));
    } else {
        let (mean, deviation) = mean_and_deviation(&measured.samples);
        println!("{name} {} {mean:.2} +- {deviation:.2}", unit.words());
    }
}

/// Tells whoever looks at the process from outside that this is the moment to do so.
pub fn mark(arguments: &Arguments, mark: &str, count: usize) {
    if arguments.json {
        println!(r#"{{"mark":"{mark}","count":{count}}}"#);
    }
}

/// Names are constants without anything that JSON would escape.
fn json(name: &str, unit: Unit, measured: &Samples) -> String {
    let mut line = format!(r#"{{"row":"{name}","unit":"{}","samples":["#, unit.words());
    for (index, sample) in measured.samples.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(line, "{comma}{sample}");
    }
    let _ = write!(line, r#"],"total":{}}}"#, measured.total);
    line
}

/// As numpy's `mean` and `std`, which Ray takes.
fn mean_and_deviation(samples: &[f64]) -> (f64, f64) {
    let count = samples.len().max(1) as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_one_json_object() {
        let measured = Samples { samples: vec![0.5, 2.0], total: 3.0 };
        let expected = r#"{"row":"a row","unit":"seconds","samples":[0.5,2],"total":3}"#;
        assert_eq!(json("a row", Unit::Seconds, &measured), expected);
    }

    #[test]
    fn the_deviation_is_that_of_the_rounds_and_not_an_estimate() {
        assert_eq!(mean_and_deviation(&[2.0, 4.0]), (3.0, 1.0));
    }
}
