//! The queue in front of the printer: many senders, one reader, a limit.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rayw_core::limits;

use crate::embedded::Line;

/// Bytes of guests' lines that may wait: a terminal shows that much in seconds, and a flood must not
/// take the machine's memory. Lines are limited too, by [`limits::LOG_QUEUE_LINES_MAX`].
pub(super) const BYTES_MAX: usize = 64 << 20;

/// One thing to write.
#[derive(Debug)]
pub(super) enum Entry {
    /// Whole lines for stdout.
    Out(String),
    /// Whole lines for stderr.
    Err(String),
    /// A guest's line.
    Line(Line),
}

impl Entry {
    fn bytes(&self) -> usize {
        let text = match self {
            Self::Out(text) | Self::Err(text) => text,
            Self::Line(line) => &line.text,
        };
        text.len() + size_of::<Self>()
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something is there, or the queue was closed.
    filled: Condvar,
    /// What was taken is written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    bytes: usize,
    dropped: u64,
    /// Whether a batch was taken and is not written yet.
    writing: bool,
    closed: bool,
}

impl State {
    /// The word on dropped lines stands where they are missing.
    fn tell_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let lines = if dropped == 1 { "line" } else { "lines" };
            let words = format!("rayw: {dropped} {lines} of output dropped: they came faster than they can be shown\n");
            self.entries.push_back(Entry::Err(words));
        }
    }

    fn is_full(&self, entry: &Entry) -> bool {
        self.entries.len() >= limits::LOG_QUEUE_LINES_MAX || self.bytes + entry.bytes() > BYTES_MAX
    }

    fn add(&mut self, entry: Entry) {
        self.tell_dropped();
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that runs under the lock can panic half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what must be written.
    pub(super) fn push(&self, entry: Entry) {
        self.lock().add(entry);
        self.filled.notify_one();
    }

    /// Adds what must be written as soon as there is room for it.
    pub(super) fn push_with_room(&self, entry: Entry) {
        let mut state = self.lock();
        while state.is_full(&entry) && !state.closed {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.add(entry);
        drop(state);
        self.filled.notify_one();
    }

    /// Adds what may be dropped when there is too much already.
    pub(super) fn offer(&self, entry: Entry) {
        let mut state = self.lock();
        // The reader sleeps only when there is nothing at all.
        let first = state.entries.is_empty();
        if state.is_full(&entry) {
            state.dropped += 1;
        } else {
            state.add(entry);
        }
        drop(state);
        if first {
            self.filled.notify_one();
        }
    }

    /// Waits for something to write; `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<Entry>> {
        let mut state = self.lock();
        while state.entries.is_empty() {
            if state.dropped > 0 {
                state.tell_dropped();
            } else if state.closed {
                return None;
            } else {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        state.bytes = 0;
        state.writing = true;
        let batch = std::mem::take(&mut state.entries);
        // There is room again for those who wait for it.
        self.emptied.notify_all();
        Some(batch.into())
    }

    /// What was taken last is written.
    pub(super) fn written(&self) {
        self.lock().writing = false;
        self.emptied.notify_all();
    }

    /// Waits until nothing is left to write.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        while state.writing || !state.entries.is_empty() || state.dropped > 0 {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing will be added; the reader ends once it has taken all.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// Whether a batch is being written.
    #[cfg(test)]
    pub(super) fn is_writing(&self) -> bool {
        self.lock().writing
    }
}
