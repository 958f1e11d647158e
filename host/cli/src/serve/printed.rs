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
    /// Bytes of their texts.
    bytes: usize,
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
            // A head that is away or slow gets the rest later; guests that print on are held up by then.
            let is_behind = self.head.unconfirmed_bytes() > limits::LOG_UNCONFIRMED_BYTES_MAX;
            if !is_behind && self.send_waiting() {
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
        while waiting.count >= limits::LOG_QUEUE_LINES_MAX || waiting.bytes >= limits::LOG_QUEUE_BYTES_MAX {
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
        waiting.bytes += line.text.len();
    }

    fn send_waiting(&self) -> bool {
        // Sent under the lock, so that two who send at once keep the order of the lines.
        let mut waiting = self.lock();
        let dropped = std::mem::take(&mut waiting.dropped);
        (waiting.count, waiting.bytes) = (0, 0);
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

    fn unconfirmed_bytes(&self) -> usize {
        self.head.unconfirmed_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A head that has yet to confirm so many bytes.
    #[derive(Default)]
    struct Slow {
        unconfirmed: AtomicUsize,
        sent: Mutex<Vec<ToHead>>,
    }

    impl HeadLink for Slow {
        fn send(&self, message: ToHead) {
            self.sent.lock().unwrap().push(message);
        }

        fn flush(&self) {}

        fn unconfirmed_bytes(&self) -> usize {
            self.unconfirmed.load(Ordering::Relaxed)
        }
    }

    fn line() -> Line {
        Line {
            stderr: false,
            driver: true,
            name: Arc::from("driver"),
            text: "one".to_owned(),
            ends: true,
            job: JobId::numbered(1),
            task: JobId::numbered(1).driver(0),
            actor: None,
            node: rayw_core::NodeId([1; 16]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lines_wait_while_the_head_is_behind() {
        let head = Arc::new(Slow::default());
        head.unconfirmed.store(limits::LOG_UNCONFIRMED_BYTES_MAX + 1, Ordering::Relaxed);
        let printed = Printed::new(Arc::clone(&head) as Arc<dyn HeadLink>);
        let shutdown = CancellationToken::new();
        let mut flushing = tokio::task::JoinSet::new();
        flushing.spawn(Arc::clone(&printed).keep_flushing(shutdown.clone()));
        printed.push(&line());
        tokio::time::advance(PERIOD * 10).await;
        tokio::task::yield_now().await;
        assert!(head.sent.lock().unwrap().is_empty());
        head.unconfirmed.store(0, Ordering::Relaxed);
        tokio::time::advance(PERIOD * 2).await;
        while head.sent.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
        flushing.join_all().await;
    }
}
