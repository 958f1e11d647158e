//! What guests print, on its way to the head: collected for a moment and sent together.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayw_core::message::{HeadLink, LogLine, ToHead};
use rayw_core::{JobId, limits};
use rayw_node::{Line, OutputSink};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_util::sync::CancellationToken;

use crate::printer::prefix_of;

/// How long lines are collected: nobody sees the delay, and a burst becomes a few messages.
const PERIOD: Duration = Duration::from_millis(20);

/// What a line takes in a message beside its texts, at most: their lengths and what it is.
const LINE_BYTES: usize = 16;

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
    /// Bytes that they take in messages.
    bytes: usize,
    dropped: u64,
    /// Nobody sends them any more.
    is_over: bool,
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.count >= limits::LOG_QUEUE_LINES_MAX || self.bytes >= limits::LOG_QUEUE_BYTES_MAX
    }
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
        // Whoever has waited for room until then has some once more.
        self.lock().is_over = true;
        self.send_waiting();
        self.head.flush();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &Line) {
        let mut waiting = self.lock();
        if waiting.is_full() {
            if !line.driver {
                waiting.dropped += 1;
                return;
            }
            // What a driver prints is data: it waits until there is room.
            waiting = self.wait_for_room(waiting);
            if waiting.is_full() {
                return;
            }
        }
        let prefix = if line.driver { String::new() } else { prefix_of(line) };
        let text = line.text.clone();
        let entry = LogLine { stderr: line.stderr, driver: line.driver, prefix, text, ends: line.ends };
        waiting.count += 1;
        waiting.bytes += bytes_of(&entry);
        waiting.lines.entry(line.job).or_default().push(entry);
    }

    /// Waits until there is room, or nobody sends any more. As many drivers as there are cpus may do so at once, so others
    /// go on elsewhere with what this thread has to do.
    fn wait_for_room<'a>(&'a self, waiting: MutexGuard<'a, Waiting>) -> MutexGuard<'a, Waiting> {
        let wait = || {
            let has_none = |waiting: &mut Waiting| waiting.is_full() && !waiting.is_over;
            self.room.wait_while(waiting, has_none).unwrap_or_else(PoisonError::into_inner)
        };
        let runtime = Handle::try_current().map(|handle| handle.runtime_flavor());
        let is_of_many = matches!(runtime, Ok(RuntimeFlavor::MultiThread));
        if is_of_many { tokio::task::block_in_place(wait) } else { wait() }
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
            for lines in messages(lines) {
                self.head.send(ToHead::Printed { job, lines });
            }
        }
        self.room.notify_all();
        has_lines
    }
}

/// Cuts lines into messages that fit into one packet each. A packet that has come is a sign of life, and none overtakes
/// it: a large one would take longer on a slow network than the head waits for a sign. A line that is larger stays whole.
fn messages(lines: Vec<LogLine>) -> Vec<Vec<LogLine>> {
    let (mut messages, mut bytes) = (Vec::<Vec<LogLine>>::new(), 0);
    for line in lines {
        bytes += bytes_of(&line);
        match messages.last_mut() {
            Some(message) if bytes <= limits::LINK_BATCH_BYTES => message.push(line),
            Some(_) | None => {
                bytes = bytes_of(&line);
                messages.push(vec![line]);
            }
        }
    }
    messages
}

/// What a line takes in a message.
fn bytes_of(line: &LogLine) -> usize {
    line.prefix.len() + line.text.len() + LINE_BYTES
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

    fn printed(head: &Arc<Slow>) -> Arc<Printed> {
        Printed::new(Arc::clone(head) as Arc<dyn HeadLink>)
    }

    fn log_line(bytes: usize) -> LogLine {
        LogLine { stderr: false, driver: true, prefix: String::new(), text: "x".repeat(bytes - LINE_BYTES), ends: true }
    }

    #[test]
    fn lines_go_in_messages_of_a_packet_each() {
        let most = limits::LINK_BATCH_BYTES;
        let cut = |bytes: &[usize]| -> Vec<usize> {
            messages(bytes.iter().map(|bytes| log_line(*bytes)).collect()).iter().map(Vec::len).collect()
        };
        assert!(cut(&[]).is_empty());
        assert_eq!(cut(&[most / 2, most / 2, most / 2, 100]), [2, 2]);
        assert_eq!(cut(&[100, most + 1, 100, most - 100, 100]), [1, 1, 2, 1], "a line is never cut");
        let lines = vec![log_line(17); 3 * most / 17];
        assert_eq!(messages(lines.clone()).concat(), lines);
    }

    #[test]
    fn what_waits_goes_in_order_and_in_messages_of_a_packet_each() {
        let head = Arc::new(Slow::default());
        let printed = printed(&head);
        let texts: Vec<String> = ["a", "b", "c"].iter().map(|text| text.repeat(limits::LINK_BATCH_BYTES)).collect();
        for text in &texts {
            printed.push(&Line { text: text.clone(), ..line() });
        }
        assert!(printed.send_waiting() && !printed.send_waiting());
        let messages = head.sent.lock().unwrap();
        let sent = messages.iter().map(|message| match message {
            ToHead::Printed { lines, .. } => (lines.len(), &lines[0].text),
            other => panic!("{other:?}"),
        });
        assert!(sent.eq(texts.iter().map(|text| (1, text))));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_driver_that_waits_for_room_keeps_the_thread_from_nobody() {
        let printed = printed(&Arc::default());
        printed.lock().count = limits::LOG_QUEUE_LINES_MAX;
        let (sender, prints) = tokio::sync::oneshot::channel();
        let mut tasks = tokio::task::JoinSet::new();
        let waits = Arc::clone(&printed);
        tasks.spawn(async move {
            sender.send(()).unwrap();
            waits.push(&line());
        });
        prints.await.unwrap();
        // There is one thread for both.
        let mut others = tokio::task::JoinSet::new();
        others.spawn(async {});
        others.join_all().await;
        assert!(tasks.try_join_next().is_none(), "there is no room yet");
        printed.send_waiting();
        tasks.join_all().await;
        assert_eq!(printed.lock().count, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_room_when_nothing_is_sent_any_more() {
        let printed = printed(&Arc::default());
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        Arc::clone(&printed).keep_flushing(shutdown).await;
        printed.lock().count = limits::LOG_QUEUE_LINES_MAX;
        printed.push(&line());
        assert!(printed.lock().lines.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn lines_wait_while_the_head_is_behind() {
        let head = Arc::new(Slow::default());
        head.unconfirmed.store(limits::LOG_UNCONFIRMED_BYTES_MAX + 1, Ordering::Relaxed);
        let printed = printed(&head);
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
