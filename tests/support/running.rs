//! A run in the background: its output so far, its sessions, its pauses.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::patience::eventually;
use crate::run::{Output, Run, command};

/// A process that runs. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
    runtime: TempDir,
    steps: TempDir,
}

impl Running {
    pub(crate) fn start(mut command: Command, runtime: TempDir, steps: TempDir) -> Self {
        let mut child = command.spawn().expect("the program can be started");
        let stdout = Stream::read(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Stream::read(child.stderr.take().expect("stderr is a pipe"));
        Self { child, stdout, stderr, runtime, steps }
    }

    /// Waits until the driver stops at this step.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn reaches(&mut self, step: &str) {
        let line = format!("pause: {step}");
        self.prints(&line);
    }

    /// Waits until this line is on stdout.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn prints(&mut self, line: &str) {
        eventually(&format!("the line `{line}`"), || {
            let is_there = self.stdout.text().lines().any(|printed| printed == line);
            if !is_there && let Ok(Some(_)) = self.child.try_wait() {
                panic!("it ended before it printed `{line}`:\n{}", self.so_far());
            }
            is_there.then_some(())
        });
    }

    /// Lets the driver go on behind this step.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn passes(&self, step: &str) {
        std::fs::write(self.steps.path().join(step), "").expect("the folder of steps can be written to");
    }

    /// Asks from outside, as from a second terminal.
    #[must_use]
    pub fn ask<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Output {
        self.outside(command(words))
    }

    /// The rows that `rayw list` shows, with all their columns.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    #[must_use]
    pub fn rows(&self, resource: &str) -> Vec<Value> {
        let json = self.ask(["list", resource, "--detail", "--format", "json", "--limit", "10000"]).succeeded();
        serde_json::from_str(&json).expect("the answer is a JSON list")
    }

    /// Waits until the rows of `rayw list` fulfil this.
    ///
    /// # Panics
    /// When they never do, showing the last ones.
    #[track_caller]
    pub fn rows_become(&self, resource: &str, fulfils: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let last = std::cell::RefCell::new(Vec::new());
        let what = format!("rows of {resource}");
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(&what, || {
                let rows = self.rows(resource);
                let is_so = fulfils(&rows);
                *last.borrow_mut() = rows.clone();
                is_so.then_some(rows)
            })
        }));
        waited.unwrap_or_else(|_| panic!("{what} never became what they should; the last ones: {:#?}", last.borrow()))
    }

    /// The folder in which its sessions are.
    #[must_use]
    pub fn runtime(&self) -> &Path {
        self.runtime.path()
    }

    /// Everything that its sessions left.
    #[must_use]
    pub fn left_behind(&self) -> Vec<PathBuf> {
        let below = |folder: &Path| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect()
        };
        below(self.runtime.path()).iter().flat_map(|ours| below(ours)).collect()
    }

    /// Closes the other end of its stdout, as `| head` does.
    pub fn stops_reading(&mut self) {
        self.stdout.gone.store(true, Ordering::Relaxed);
    }

    /// What ctrl-c does.
    ///
    /// # Panics
    /// When the process is not there any more.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// What `kill` does.
    ///
    /// # Panics
    /// When the process is not there any more.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    #[must_use]
    pub fn output(mut self) -> Output {
        self.ended()
    }

    /// Waits for its end, and keeps its folders.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    #[must_use]
    pub fn ended(&mut self) -> Output {
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("the end of the process", || self.child.try_wait().expect("the process can be waited for"))
        }));
        let Ok(status) = waited else { panic!("it did not end in time; so far:\n{}", self.so_far()) };
        Output { stdout: self.stdout.finish(), stderr: self.stderr.finish(), code: status.code() }
    }

    /// What it has printed up to now.
    #[must_use]
    pub fn so_far(&self) -> Output {
        Output { stdout: self.stdout.text(), stderr: self.stderr.text(), code: None }
    }

    fn outside(&self, run: Run) -> Output {
        run.output_in(self.runtime.path())
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process runs");
    }
}

/// Ends a process as `kill -9` does.
///
/// # Panics
/// When there is none of that id.
pub fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("it is the id of a process");
    kill_process(pid, Signal::KILL).expect("the process runs");
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already in most cases.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process writes, read by a thread so that it never blocks.
#[derive(Debug)]
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Nobody wants to read on.
    gone: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&bytes);
        let gone = Arc::new(AtomicBool::new(false));
        let is_gone = Arc::clone(&gone);
        let thread = std::thread::spawn(move || {
            let mut piece = vec![0; 64 << 10];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..count]);
                if is_gone.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        Self { bytes, gone, thread: Some(thread) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn finish(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            // It cannot panic.
            let _ = thread.join();
        }
        self.text()
    }
}
