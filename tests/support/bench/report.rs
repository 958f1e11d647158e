//! What a benchmark gives: rows with samples, curves with points, and what they say.

use serde::Serialize;

/// All that one run of a suite measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Numbers that stand for themselves or beside another.
    pub rows: Vec<Row>,
    /// Numbers that depend on a size.
    pub curves: Vec<Curve>,
}

/// One thing that was measured, and what it is held against.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What the numbers count, such as `per second`.
    pub unit: String,
    /// Of rayw.
    pub rayw: Series,
    /// Of what bounds it, in the same process and turn by turn.
    pub ceiling: Option<Series>,
    /// What that is.
    pub ceiling_is: String,
}

/// Samples of one thing.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Series {
    /// One number a turn.
    pub samples: Vec<f64>,
    /// Microseconds of cpu time that one took in the mean; 0 where that says nothing.
    pub cpu_micros: f64,
}

/// A cost that depends on a size.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// What is shown.
    pub name: String,
    /// What the sizes count.
    pub x: String,
    /// What the costs are.
    pub y: String,
    /// Sizes and costs, smallest first.
    pub points: Vec<(f64, f64)>,
    /// Whether the cost of one grows faster than the logarithm of the size.
    pub is_too_steep: bool,
    /// Why it may, where that is known and on purpose; otherwise empty.
    pub why: String,
}

/// Costs may be this many times what the logarithm allows: a machine with cold caches is slower at
/// large sizes without any more work.
const SLACK: f64 = 3.0;

impl Series {
    /// The mean of the samples.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.samples.iter().sum::<f64>() / self.samples.len().max(1) as f64
    }

    /// Their standard deviation.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>();
        (squares / self.samples.len().max(1) as f64).sqrt()
    }
}

impl Row {
    /// A row that nothing bounds.
    #[must_use]
    pub fn new(name: &str, unit: &str, samples: Vec<f64>) -> Self {
        let rayw = Series { samples, cpu_micros: 0.0 };
        Self { name: name.to_owned(), unit: unit.to_owned(), rayw, ceiling: None, ceiling_is: String::new() }
    }

    /// The same with what bounds it.
    #[must_use]
    pub fn held_against(mut self, what: &str, samples: Vec<f64>) -> Self {
        self.ceiling = Some(Series { samples, cpu_micros: 0.0 });
        what.clone_into(&mut self.ceiling_is);
        self
    }

    /// How much of the ceiling is reached: the median of the turns, as one in which the machine did something else
    /// says nothing.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let ceiling = self.ceiling.as_ref()?;
        let mut shares: Vec<_> =
            self.rayw.samples.iter().zip(&ceiling.samples).map(|(own, other)| own / other).collect();
        shares.sort_by(f64::total_cmp);
        let (low, high) = (shares.get(shares.len().checked_sub(1)? / 2)?, shares.get(shares.len() / 2)?);
        Some(f64::midpoint(*low, *high))
    }
}

impl Curve {
    /// The curve through these points: costs of one thing each, against sizes above 1.
    #[must_use]
    pub fn new(name: &str, x: &str, y: &str, points: Vec<(f64, f64)>) -> Self {
        let is_too_steep = is_too_steep(&points);
        let [name, x, y] = [name, x, y].map(str::to_owned);
        Self { name, x, y, points, is_too_steep, why: String::new() }
    }

    /// The same with why it may be steep.
    #[must_use]
    pub fn explained(self, why: &str) -> Self {
        Self { why: why.to_owned(), ..self }
    }
}

/// All together worse than n log n: one costs more than some constant times log n.
fn is_too_steep(points: &[(f64, f64)]) -> bool {
    let (Some((small, cheap)), Some((large, dear))) = (points.first(), points.last()) else { return false };
    dear / cheap > SLACK * large.ln() / small.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(cost: impl Fn(f64) -> f64) -> Curve {
        Curve::new("", "", "", [1e3, 1e4, 1e5, 1e6].map(|size| (size, cost(size))).to_vec())
    }

    #[test]
    fn only_what_grows_faster_than_a_logarithm_is_too_steep() {
        assert!(!curve(|_| 2.0).is_too_steep);
        assert!(!curve(f64::ln).is_too_steep);
        assert!(curve(f64::sqrt).is_too_steep);
        assert!(curve(|size| size).is_too_steep);
    }

    #[test]
    fn the_share_is_that_of_most_turns() {
        let row = Row::new("", "", vec![1.0, 4.0]).held_against("", vec![2.0, 4.0]);
        assert_eq!(row.share(), Some(0.75));
        let row = Row::new("", "", vec![1.0, 4.0, 9.0]).held_against("", vec![2.0, 4.0, 0.5]);
        assert_eq!(row.share(), Some(1.0));
        assert_eq!(Row::new("", "", vec![1.0]).share(), None);
    }
}
