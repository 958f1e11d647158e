//! What is remembered of the tasks that ended last.
//!
//! In pieces: a single list of a hundred thousand would be copied as a whole, twelve megabytes of it, each time that it
//! has to grow, while the node waits.

use std::collections::VecDeque;

use crate::limits;

/// Tasks in a piece.
const PIECE: usize = 500;

/// Pieces of which the oldest is forgotten when another one is needed.
const PIECES_MAX: usize = limits::FINISHED_TASKS_KEPT / PIECE;

/// One for each of the last [`FINISHED_TASKS_KEPT`](limits::FINISHED_TASKS_KEPT) tasks, less up to a piece.
#[derive(Debug)]
pub(super) struct Finished<Past>(VecDeque<Vec<Past>>);

impl<Past> Finished<Past> {
    pub(super) fn new() -> Self {
        Self(VecDeque::new())
    }

    /// One more has ended.
    pub(super) fn push(&mut self, past: Past) {
        match self.0.back_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(past),
            _ => {
                let mut piece = self.oldest_if_full().unwrap_or_default();
                piece.clear();
                piece.push(past);
                self.0.push_back(piece);
            }
        }
    }

    /// The oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Past> {
        self.0.iter().flatten()
    }

    fn oldest_if_full(&mut self) -> Option<Vec<Past>> {
        if self.0.len() < PIECES_MAX { None } else { self.0.pop_front() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut finished = Finished::new();
        (0..=limits::FINISHED_TASKS_KEPT).for_each(|task| finished.push(task));
        assert!(finished.iter().copied().eq(PIECE..=limits::FINISHED_TASKS_KEPT));
    }
}
