//! The command line.

use std::str::FromStr;
use std::time::Duration;

use crate::rows::Row;

/// What was asked for.
pub struct Arguments {
    /// Only rows whose name contains one of these; all when there is none.
    pub filters: Vec<String>,
    /// Only the row of this name.
    pub row: Option<String>,
    /// Only rows that want a cluster of their own, or only the others.
    pub alone: Option<bool>,
    /// How long a row runs before it is measured.
    pub warmup: Duration,
    /// How long a round is, at least.
    pub seconds: Duration,
    /// How many rounds are measured.
    pub rounds: u32,
    /// What the sizes of all rounds are multiplied by: for trying, other numbers cannot be compared.
    pub scale: f64,
    /// Logical cpus of the cluster: some rows have an actor for each two of them, as in Ray.
    pub cpus: usize,
    /// Whether a program reads what is printed.
    pub json: bool,
    /// Only print the names of the rows.
    pub list: bool,
    /// Only run one task, for those who time how soon that is.
    pub first_task: bool,
    /// No row at all is fine too.
    pub may_be_nothing: bool,
}

impl Arguments {
    pub fn parse() -> Result<Self, Box<dyn std::error::Error>> {
        let mut given = pico_args::Arguments::from_env();
        let alone = given.contains("--alone");
        let together = given.contains("--together");
        let arguments = Self {
            filters: given.values_from_str("--filter")?,
            row: given.opt_value_from_str("--row")?,
            alone: (alone != together).then_some(alone),
            warmup: given.opt_value_from_fn("--warmup", seconds)?.unwrap_or(Duration::from_secs(1)),
            seconds: given.opt_value_from_fn("--seconds", seconds)?.unwrap_or(Duration::from_secs(2)),
            rounds: given.opt_value_from_fn("--rounds", positive)?.unwrap_or(4),
            scale: given.opt_value_from_fn("--scale", positive)?.unwrap_or(1.0),
            cpus: given.opt_value_from_fn("--cpus", positive)?.unwrap_or(2),
            json: given.contains("--json"),
            list: given.contains("--list"),
            first_task: given.contains("--first-task"),
            may_be_nothing: alone != together,
        };
        match given.finish().first() {
            None => Ok(arguments),
            Some(unknown) => Err(format!(
                "unknown argument `{}`; there are --filter, --row, --alone, --together, --warmup, --seconds, --rounds, \
                 --scale, --cpus, --json, --list and --first-task",
                unknown.display()
            )
            .into()),
        }
    }

    pub fn wants(&self, row: &Row) -> bool {
        let named = self.filters.is_empty() || self.filters.iter().any(|part| row.name.contains(part.as_str()));
        let named = named && self.row.as_ref().is_none_or(|name| name == row.name);
        named && self.alone.is_none_or(|alone| alone == row.alone)
    }

    /// So many, at this scale; never none.
    pub fn scaled(&self, count: usize) -> usize {
        ((count as f64 * self.scale) as usize).max(1)
    }

    /// Actors of the rows that have one for each two cpus.
    pub fn half_of_cpus(&self) -> usize {
        (self.cpus / 2).max(1)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| format!("`{text}` is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("`{text}` is not a number of seconds: {error}"))
}

fn positive<N: FromStr + PartialOrd + Default>(text: &str) -> Result<N, String> {
    match text.parse() {
        Ok(number) if number > N::default() => Ok(number),
        _ => Err(format!("`{text}` is not a number above zero")),
    }
}
