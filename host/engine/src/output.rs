//! What a guest prints: split into lines and handed to the node.
//!
//! What a task prints is for people: lines that are too long are cut into
//! lines, bytes above a task's limit are dropped with a word, and neither ever
//! blocks or fails the guest. What a driver prints is data: it passes as it is.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use rayw_core::limits;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::{Caller, Output, Services};

/// Bytes that a guest may write at once; WASI asks for about this.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Both outputs of one instance.
pub(crate) struct Printer {
    services: Arc<dyn Services>,
    caller: Arc<Caller>,
    /// Unfinished lines of stdout and stderr.
    partial: [Vec<u8>; 2],
    /// What the task may still write.
    bytes_left: u64,
}

/// A printer as its streams share it.
pub(crate) type SharedPrinter = Arc<Mutex<Printer>>;

impl Printer {
    pub(crate) fn new(services: Arc<dyn Services>, caller: Arc<Caller>) -> Self {
        Self { services, caller, partial: [Vec::new(), Vec::new()], bytes_left: limits::LOG_BYTES_PER_TASK_MAX }
    }

    /// From here on another task prints.
    pub(crate) fn set_caller(&mut self, caller: Arc<Caller>) {
        self.flush();
        self.caller = caller;
        self.bytes_left = limits::LOG_BYTES_PER_TASK_MAX;
    }

    /// Prints what has no end of line yet.
    pub(crate) fn flush(&mut self) {
        for output in [Output::Stdout, Output::Stderr] {
            let line = std::mem::take(&mut self.partial[slot(output)]);
            if !line.is_empty() {
                self.print(output, &line, !self.caller.is_driver);
            }
        }
    }

    fn write(&mut self, output: Output, bytes: &[u8]) {
        if self.caller.is_driver {
            return self.split(output, bytes);
        }
        if self.bytes_left == 0 {
            return;
        }
        let allowed = usize::try_from(self.bytes_left).unwrap_or(usize::MAX).min(bytes.len());
        self.bytes_left -= allowed as u64;
        self.split(output, &bytes[..allowed]);
        if self.bytes_left == 0 {
            self.flush();
            let word = format!(
                "[rayw: more than {} MiB printed, the rest of this task's output is dropped]",
                limits::LOG_BYTES_PER_TASK_MAX >> 20
            );
            self.services.print(&self.caller, output, &word, true);
        }
    }

    fn split(&mut self, output: Output, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            if self.partial[slot(output)].is_empty() {
                self.print(output, line, true);
            } else {
                let mut whole = std::mem::take(&mut self.partial[slot(output)]);
                whole.extend_from_slice(line);
                self.print(output, &whole, true);
                whole.clear();
                self.partial[slot(output)] = whole;
            }
            bytes = &rest[1..];
        }
        let partial = &mut self.partial[slot(output)];
        partial.extend_from_slice(bytes);
        if partial.len() >= limits::LOG_LINE_BYTES_MAX {
            let long = std::mem::take(partial);
            let mut rest = long.as_slice();
            while rest.len() >= limits::LOG_LINE_BYTES_MAX {
                rest = self.print_piece(output, rest);
            }
            self.partial[slot(output)] = rest.to_vec();
        }
    }

    fn print(&self, output: Output, line: &[u8], ends: bool) {
        let is_driver = self.caller.is_driver;
        let mut rest = line.strip_suffix(b"\r").filter(|_| !is_driver).unwrap_or(line);
        while rest.len() > limits::LOG_LINE_BYTES_MAX {
            rest = self.print_piece(output, rest);
        }
        self.services.print(&self.caller, output, &String::from_utf8_lossy(rest), ends);
    }

    /// Prints as much as one line may hold, without cutting a character; answers with the rest.
    fn print_piece<'a>(&self, output: Output, line: &'a [u8]) -> &'a [u8] {
        let is_inside = |at: usize| line.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
        let most = limits::LOG_LINE_BYTES_MAX.min(line.len());
        let end = (most.saturating_sub(3)..=most).rev().find(|at| !is_inside(*at)).unwrap_or(most);
        let (piece, rest) = line.split_at(end);
        self.services.print(&self.caller, output, &String::from_utf8_lossy(piece), !self.caller.is_driver);
        rest
    }
}

fn slot(output: Output) -> usize {
    match output {
        Output::Stdout => 0,
        Output::Stderr => 1,
    }
}

/// One of the outputs of a guest, as WASI wants it.
#[derive(Clone)]
pub(crate) struct GuestOutput {
    pub(crate) printer: SharedPrinter,
    pub(crate) output: Output,
}

impl GuestOutput {
    fn print(&self, bytes: &[u8]) {
        self.printer.lock().unwrap_or_else(PoisonError::into_inner).write(self.output, bytes);
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.print(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
