//! Everything that the process writes goes through one thread, in order.
//!
//! ```text
//!  guests' lines ──▶ ┌───────┐
//!  results, errors ─▶│ queue │──▶ printer thread ──▶ stdout, stderr
//!  log ─────────────▶└───────┘      (pauses the progress bars while it writes)
//! ```
//!
//! * Nobody waits for the terminal. When it is slower than the guests, lines are
//!   dropped and their number is told; results and errors are never dropped.
//! * A reader that goes away (`rayw … | head`) is no error: what would go there is discarded.
//! * The queue has a limit in lines and in bytes; the thread ends with [`Printer::close`],
//!   once everything is written.

mod prefix;
pub(crate) use prefix::prefix_of;
mod queue;

use std::io::{self, Write};
use std::sync::Arc;
use std::thread::JoinHandle;

use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::embedded::OutputSink;
use crate::env::Terminal;
use queue::{Entry, Queue};

/// The thread that writes. Close it before the process ends.
#[derive(Debug)]
pub struct Printer {
    handle: PrinterHandle,
    thread: Option<JoinHandle<()>>,
}

/// What the rest of the process holds. Clones lead to the same thread.
#[derive(Debug, Clone)]
pub struct PrinterHandle {
    queue: Arc<Queue>,
    bars: MultiProgress,
}

impl Printer {
    /// Starts the thread, which writes to stdout and stderr.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(terminal: Terminal) -> io::Result<Self> {
        Self::start_with(terminal, Box::new(io::stdout()), Box::new(io::stderr()))
    }

    pub(crate) fn start_with(
        terminal: Terminal,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
    ) -> io::Result<Self> {
        let target = if terminal.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let handle = PrinterHandle { queue: Arc::new(Queue::default()), bars };
        let mut writer = Writer {
            out: Stream { to: out, colour: terminal.stdout_colour, open: true },
            err: Stream { to: err, colour: terminal.stderr_colour, open: true },
        };
        let queue = Arc::clone(&handle.queue);
        let bars = handle.bars.clone();
        let thread = std::thread::Builder::new().name("rayw-printer".to_owned()).spawn(move || {
            while let Some(batch) = queue.take() {
                bars.suspend(|| writer.write(&batch));
                queue.written();
            }
        })?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// What the rest of the process holds.
    #[must_use]
    pub fn handle(&self) -> PrinterHandle {
        self.handle.clone()
    }

    /// Writes all that was said and ends the thread.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.handle.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.end();
    }
}

impl PrinterHandle {
    /// Data, for stdout. Ends with a line end or gets one.
    pub fn out(&self, text: impl Into<String>) {
        self.queue.push(Entry::Out(whole_lines(text.into())));
    }

    /// Words for people, for stderr. Ends with a line end or gets one.
    pub fn err(&self, text: impl Into<String>) {
        self.queue.push(Entry::Err(whole_lines(text.into())));
    }

    /// A piece of a job's output as it came: waits for its reader, like what a driver prints here.
    pub fn piece(&self, text: String, to_stderr: bool) {
        self.queue.push_with_room(if to_stderr { Entry::Err(text) } else { Entry::Out(text) });
    }

    /// What takes the lines of guests, from any thread. What tasks print is dropped rather than waited
    /// for; what a driver prints is data and waits for its reader.
    #[must_use]
    pub fn sink(&self) -> OutputSink {
        let queue = Arc::clone(&self.queue);
        Arc::new(
            move |line: crate::embedded::Line| {
                if line.driver { queue.push_with_room(Entry::Line(line)) } else { queue.offer(Entry::Line(line)) }
            },
        )
    }

    /// A line of the log, dropped like a guest's when there are too many.
    pub(crate) fn log(&self, text: String) {
        self.queue.offer(Entry::Err(text));
    }

    /// Waits until all that was said so far is written.
    pub fn flush(&self) {
        self.queue.flush();
    }

    /// Where progress bars are drawn.
    #[must_use]
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }
}

fn whole_lines(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

struct Stream {
    to: Box<dyn Write + Send>,
    colour: bool,
    open: bool,
}

impl Stream {
    fn write(&mut self, bytes: &[u8]) {
        if self.open && !bytes.is_empty() && self.to.write_all(bytes).and_then(|()| self.to.flush()).is_err() {
            self.open = false;
        }
    }
}

struct Writer {
    out: Stream,
    err: Stream,
}

impl Writer {
    /// Writes a batch: neighbours for the same stream in one go, in order otherwise.
    fn write(&mut self, batch: &[Entry]) {
        let mut pending = Vec::new();
        let mut to_err = false;
        for entry in batch {
            let (err, line) = match entry {
                Entry::Out(text) => (false, Ok(text)),
                Entry::Err(text) => (true, Ok(text)),
                Entry::Line(line) => (line.stderr, Err(line)),
            };
            if err != to_err {
                self.stream(to_err).write(&pending);
                pending.clear();
                to_err = err;
            }
            match line {
                Ok(text) => pending.extend_from_slice(text.as_bytes()),
                Err(line) => prefix::push(&mut pending, line, self.stream(err).colour),
            }
        }
        self.stream(to_err).write(&pending);
    }

    fn stream(&mut self, err: bool) -> &mut Stream {
        if err { &mut self.err } else { &mut self.out }
    }
}

#[cfg(test)]
mod tests;
