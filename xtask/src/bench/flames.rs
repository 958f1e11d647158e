//! Stacks that were seen, together: how often each function was at work, and the picture of it.
//!
//! A flame graph (Brendan Gregg, <https://www.brendangregg.com/flamegraphs.html>): a box is a function, its width how
//! many of the stacks had it there, and what it called stands on it. The order from left to right says nothing.

use std::collections::BTreeMap;

use super::plot;
use super::stacks::{self, Frame, Sample};

/// Boxes narrower than this part of the picture are left out: nobody could read them.
const NARROWEST: f64 = 0.003;

/// Stacks, by their outermost frame.
#[derive(Default)]
pub(super) struct Flames {
    root: Flame,
    parts: BTreeMap<&'static str, u64>,
    functions: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Flame {
    samples: u64,
    part: &'static str,
    above: BTreeMap<String, Flame>,
}

impl Flames {
    /// Adds a stack, innermost frame first.
    pub(super) fn add(&mut self, sample: Sample) {
        let Some(innermost) = sample.first() else { return };
        // Generic code of libraries works for whoever called it.
        let part = sample.iter().map(|frame| frame.part).find(|part| *part != stacks::OTHER).unwrap_or(stacks::OTHER);
        *self.parts.entry(part).or_default() += 1;
        *self.functions.entry(innermost.function.clone()).or_default() += 1;
        self.root.samples += 1;
        let mut at = &mut self.root;
        let mut below: Option<String> = None;
        for Frame { function, part } in sample.into_iter().rev() {
            // Compiled code has one name for all its functions, and recursion says nothing either.
            if below.as_ref() == Some(&function) {
                continue;
            }
            at = at.above.entry(function.clone()).or_default();
            at.samples += 1;
            at.part = part;
            below = Some(function);
        }
    }

    /// How many stacks there are.
    pub(super) fn samples(&self) -> u64 {
        self.root.samples
    }

    /// How often each part of the program was at work, the busiest first.
    pub(super) fn parts(&self) -> Vec<(&str, u64)> {
        busiest(self.parts.iter().map(|(part, samples)| (*part, *samples)))
    }

    /// How often each function was at work itself, the busiest first.
    pub(super) fn functions(&self) -> Vec<(&str, u64)> {
        busiest(self.functions.iter().map(|(function, samples)| (function.as_str(), *samples)))
    }

    /// The picture.
    pub(super) fn picture(&self, title: &str) -> String {
        let mut boxes = Vec::new();
        self.root.lay(0.0, 0, self.root.samples as f64, &mut boxes);
        plot::flames(title, &stacks::PARTS, &boxes)
    }
}

impl Flame {
    /// Puts what is above this box, from `left` on, with all being 1 wide.
    fn lay(&self, mut left: f64, level: usize, all: f64, boxes: &mut Vec<plot::Flame>) {
        for (function, flame) in &self.above {
            let width = flame.samples as f64 / all;
            if width >= NARROWEST {
                let name = function.clone();
                boxes.push(plot::Flame { name, part: flame.part, left, width, level });
                flame.lay(left, level + 1, all, boxes);
            }
            left += width;
        }
    }
}

fn busiest<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Vec<(&'a str, u64)> {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by_key(|(name, samples)| (std::cmp::Reverse(*samples), *name));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(functions: &[&str]) -> Sample {
        functions.iter().map(|name| Frame { function: (*name).to_owned(), part: "p" }).collect()
    }

    #[test]
    fn what_was_called_stands_on_its_caller() {
        let mut flames = Flames::default();
        for stack in [&["leaf", "main"][..], &["main"], &["other", "main"], &["leaf", "leaf", "main"], &[]] {
            flames.add(sample(stack));
        }
        assert_eq!((flames.samples(), flames.parts()), (4, vec![("p", 4)]));
        assert_eq!(flames.functions(), [("leaf", 2), ("main", 1), ("other", 1)]);
        let mut of_a_library = sample(&["push", "main"]);
        of_a_library[0].part = stacks::OTHER;
        let mut libraries = Flames::default();
        libraries.add(of_a_library);
        assert_eq!(libraries.parts(), [("p", 1)]);
        let mut boxes = Vec::new();
        flames.root.lay(0.0, 0, 4.0, &mut boxes);
        let laid: Vec<_> =
            boxes.iter().map(|flame| (flame.name.as_str(), flame.left, flame.width, flame.level)).collect();
        assert_eq!(laid, [("main", 0.0, 1.0, 0), ("leaf", 0.0, 0.5, 1), ("other", 0.5, 0.25, 1)]);
    }
}
