//! What rayw wants to reach, row by row, so that a table says by itself what falls short.

use super::measured::{exact, shown};

/// One thing that a row is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// At least so many times what Ray makes in the same row.
    Times(f64),
    /// At least so many times what Ray makes in that row.
    TimesOf(f64, &'static str),
    /// At least this share of what bounds it.
    Share(f64),
    /// One takes at most so many microseconds more than one of what bounds it.
    Beyond(f64),
    /// One takes at most so many microseconds.
    Micros(f64),
    /// At most that, and its unit, which is that of the row.
    AtMost(f64, &'static str),
    /// At least so many a second.
    Rate(f64),
}

use Goal::{AtMost, Beyond, Micros, Rate, Share, Times, TimesOf};

/// They hold within one run on two cpus, with a sandbox of its own for each task unless the row says otherwise.
const GOALS: [(&str, &[Goal]); 23] = [
    ("single client get calls (Plasma Store)", &[Times(80.0)]),
    ("single client put calls (Plasma Store)", &[Times(300.0)]),
    ("single client get object containing 10k refs", &[Times(100.0)]),
    ("single client wait 1k refs", &[Times(1000.0)]),
    ("single client tasks sync", &[Times(80.0), Beyond(10.0)]),
    ("single client tasks async", &[Times(60.0), Share(0.75)]),
    ("multi client tasks async", &[Times(40.0), Share(0.75)]),
    ("1:1 actor calls sync", &[Times(60.0), Micros(15.0)]),
    ("1:1 actor calls async", &[Times(120.0), Share(0.4)]),
    ("n:n actor calls async", &[Times(100.0)]),
    ("n:n actor calls with arg async", &[Times(100.0)]),
    ("placement group create/removal", &[Times(100.0)]),
    ("single client tasks async with reuse", &[TimesOf(300.0, "single client tasks async")]),
    ("single client put gigabytes of 100 MiB values", &[Times(4.0), Share(0.8)]),
    ("actors created and ready", &[Times(500.0), Share(0.5)]),
    ("10000 args to one task", &[AtMost(0.5, "s")]),
    ("3000 returns of one task", &[AtMost(0.5, "s")]),
    ("get of 10000 objects", &[AtMost(0.5, "s")]),
    ("1000000 tasks queued: memory of each", &[AtMost(1024.0, "B")]),
    ("100000 actors asleep: memory of each", &[AtMost(2048.0, "B")]),
    ("start of rayw run to first task", &[AtMost(0.03, "s")]),
    ("two other nodes: single client tasks async", &[Rate(20_000.0)]),
    ("two nodes: transfer of an object", &[Share(0.6)]),
];

/// What a row has reached, of which goals are about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reached {
    /// In the row's unit.
    pub(super) rayw: f64,
    /// How many times what Ray makes.
    pub(super) times: Option<f64>,
    /// How much of what bounds it.
    pub(super) share: Option<f64>,
    /// Microseconds that one takes more than one of what bounds it, beside which it was measured.
    pub(super) beyond: Option<f64>,
}

/// The goals of a row in words, each with whether it is reached; nothing for rows that have none. `ray` says what Ray
/// makes in a row.
pub(super) fn verdicts(row: &str, reached: Reached, ray: impl Fn(&str) -> Option<f64>) -> String {
    let goals = GOALS.iter().find(|(name, _)| *name == row).map_or(&[][..], |(_, goals)| goals);
    goals.iter().map(|goal| verdict(*goal, reached, &ray)).collect::<Vec<_>>().join("; ")
}

fn verdict(goal: Goal, reached: Reached, ray: impl Fn(&str) -> Option<f64>) -> String {
    let at_least = |least: f64, found: Option<f64>| found.map(|found| found >= least);
    let at_most = |most: f64, found: Option<f64>| found.map(|found| found <= most);
    let micros = 1e6 / reached.rayw;
    let (words, is_reached) = match goal {
        Times(least) => (format!("≥ {} ×", exact(least)), at_least(least, reached.times)),
        TimesOf(least, other) => {
            let times = ray(other).map(|other| reached.rayw / other);
            let found = times.map_or_else(String::new, |times| format!(": {} ×", shown(times)));
            (format!("≥ {} × Ray's {other}{found}", exact(least)), at_least(least, times))
        }
        Share(least) => (format!("share ≥ {}", exact(least)), at_least(least, reached.share)),
        Beyond(most) => {
            let found = reached.beyond.map_or_else(String::new, |beyond| format!(": {} µs", shown(beyond)));
            (format!("ceiling + ≤ {} µs{found}", exact(most)), at_most(most, reached.beyond))
        }
        Micros(most) => (format!("≤ {} µs: {} µs", exact(most), shown(micros)), at_most(most, Some(micros))),
        AtMost(most, unit) => (format!("≤ {} {unit}", exact(most)), at_most(most, Some(reached.rayw))),
        Rate(least) => (format!("≥ {}", shown(least)), at_least(least, Some(reached.rayw))),
    };
    match is_reached {
        Some(true) => format!("{words} ✓"),
        Some(false) => format!("{words} ✗"),
        None => format!("{words} (not measured)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_or_missed_or_nobody_knows() {
        let reached = Reached { rayw: 50_000.0, times: Some(90.0), share: Some(0.7499), beyond: Some(6.9) };
        let said = |row| verdicts(row, reached, |_| Some(200.0));
        assert_eq!(said("single client tasks async"), "≥ 60 × ✓; share ≥ 0.75 ✗");
        assert_eq!(said("single client tasks sync"), "≥ 80 × ✓; ceiling + ≤ 10 µs: 6.90 µs ✓");
        assert_eq!(said("1:1 actor calls sync"), "≥ 60 × ✓; ≤ 15 µs: 20.0 µs ✗");
        assert_eq!(said("single client tasks async with reuse"), "≥ 300 × Ray's single client tasks async: 250 × ✗");
        assert_eq!(said("100000 actors asleep: memory of each"), "≤ 2 048 B ✗");
        assert_eq!(said("single client put gigabytes"), "", "it has none");
        let nothing = Reached { times: None, ..reached };
        assert_eq!(verdicts("n:n actor calls async", nothing, |_| None), "≥ 100 × (not measured)");
    }
}
