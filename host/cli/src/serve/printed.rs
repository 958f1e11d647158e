//! What guests print, on its way to the head: collected for a moment and sent together.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayw_core::message::{HeadLink, LogLine, ToHead};
use rayw_core::{JobId, limits};
use rayw_node::{Line, OutputSink};
use tokio_util::sync::CancellationToken;

use crate::printer::prefix_of;

/// How long lines are collected: nobody sees the delay, and a burst becomes a few messages.
const PERIOD: Duration = Duration::from_millis(20);

/// The link to the head with the lines that wait to be sent.
///
/// What a job prints goes out before the news that it ended.
pub(super) struct Printed {
    head: Arc<dyn HeadLink>,
    waiting: Mutex<Waiting>,
    room: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: HashMap<JobId, Vec<LogLine>>,
    count: usize,
    dropped: u64,
}

impl Printed {
    pub(super) fn new(head: Arc<dyn HeadLink>) -> Arc<Self> {
        Arc::new(Self { head, waiting: Mutex::default(), room: Condvar::new() })
    }

    /// Where the node's guests print.
    pub(super) fn sink(self: &Arc<Self>) -> OutputSink {
        let printed = Arc::clone(self);
        Arc::new(move |line| printed.push(&line))
    }

    /// Sends what was collected, until the end.
    pub(super) async fn keep_flushing(self: Arc<Self>, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            if self.send_waiting() {
                self.head.flush();
            }
        }
        self.send_waiting();
        self.head.flush();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &Line) {
        let mut waiting = self.lock();
        while waiting.count >= limits::LOG_QUEUE_LINES_MAX {
            if !line.driver {
                waiting.dropped += 1;
                return;
            }
            // What a driver prints is data: it waits until there is room.
            waiting = self.room.wait_timeout(waiting, PERIOD).unwrap_or_else(PoisonError::into_inner).0;
        }
        let prefix = if line.driver { String::new() } else { prefix_of(line) };
        let text = line.text.clone();
        let entry = LogLine { stderr: line.stderr, driver: line.driver, prefix, text, ends: line.ends };
        waiting.lines.entry(line.job).or_default().push(entry);
        waiting.count += 1;
    }

    fn send_waiting(&self) -> bool {
        // Sent under the lock, so that two who send at once keep the order of the lines.
        let mut waiting = self.lock();
        let dropped = std::mem::take(&mut waiting.dropped);
        waiting.count = 0;
        let lines = std::mem::take(&mut waiting.lines);
        let has_lines = !lines.is_empty();
        for (job, mut lines) in lines {
            if dropped > 0 {
                let text = format!("{dropped} lines were dropped because too many came at once");
                lines.push(LogLine { stderr: true, driver: false, prefix: "(rayw)".to_owned(), text, ends: true });
            }
            self.head.send(ToHead::Printed { job, lines });
        }
        self.room.notify_all();
        has_lines
    }
}

impl HeadLink for Printed {
    fn send(&self, message: ToHead) {
        if matches!(message, ToHead::JobEnded { .. }) {
            self.send_waiting();
        }
        self.head.send(message);
    }

    fn flush(&self) {
        self.head.flush();
    }
}
