//! Into the background: this process starts another one and waits for its word.
//!
//! ```text
//!  rayw start ──spawn──▶ rayw start --detached      a session of its own, stderr is the log
//!      │◀── stdout: one line of JSON, when it is bound and has joined ──┤
//!      └─ greets, exits 0                                               └─ goes on
//!      │◀── end of stdout: it failed; its log says why
//!      └─ shows that, exits with its code
//! ```

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rayw_core::NodeId;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::{End, greeting, log_of};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::printer::PrinterHandle;
use crate::serve::{Ready, Role};
use crate::settings::StartSettings;

/// After how long somebody who waits is told what for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of a log from former starts above which it is put aside: some days of words, a moment to read.
const LOG_BYTES_KEPT: u64 = 64 << 20;

/// Bytes of a failed start's log that are shown.
const LOG_BYTES_SHOWN: u64 = 16 << 10;

/// What the process in the background says when it is ready.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Word {
    address: String,
    node: NodeId,
}

/// Says that this process is ready, to the one that started it.
pub(super) fn tell(ready: &Ready, printer: &PrinterHandle) {
    let Ready { address, node } = ready.clone();
    match serde_json::to_string(&Word { address, node }) {
        // Whoever waited may have gone away; then nobody needs to know.
        Ok(line) => printer.out(line),
        Err(error) => tracing::error!(%error, "the word that this process is ready cannot be written"),
    }
    printer.flush();
    tracing::info!(address = ready.address, node = %ready.node, pid = std::process::id(), "ready");
}

/// Leaves the terminal: what happens to it does not concern this process any more.
pub(super) fn detach() -> Result<(), Failure> {
    let left = rustix::process::setsid();
    left.map(drop).map_err(|error| Failure::system("failed to leave the terminal").caused_by(error))
}

pub(super) fn start(settings: &StartSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    let log = log_of(settings);
    let file = open_log(&log)?;
    let before = file.metadata().map_or(0, |about| about.len());
    let interrupts = Interrupts::listen()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::system("failed to start a runtime").caused_by(error))?;
    runtime.block_on(async {
        let mut child = spawn(settings, file)?;
        tokio::select! {
            signal = interrupts.first() => {
                // It may have ended by itself.
                let _ = child.start_kill();
                let _ = child.wait().await;
                Ok(ExitStatus::Signal(signal))
            }
            word = word_of(&mut child, settings, printer) => match word {
                Some(Word { address, node }) => {
                    let (ready, pid) = (Ready { address, node }, child.id().unwrap_or_default());
                    printer.out(greeting(&settings.serve.role, &ready, End::Stop { pid, log: &log }));
                    Ok(ExitStatus::Done)
                }
                None => Ok(failed(&mut child, &log, before, printer).await),
            },
        }
    })
}

/// Opens the log to add to it. One that has become large is put aside first.
fn open_log(log: &Path) -> Result<File, Failure> {
    let fail = |error| Failure::system(format!("failed to open the log `{}`", log.display())).caused_by(error);
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    if std::fs::metadata(log).is_ok_and(|about| about.len() > LOG_BYTES_KEPT) {
        std::fs::rename(log, log.with_extension("log.1")).map_err(fail)?;
    }
    OpenOptions::new().create(true).append(true).open(log).map_err(fail)
}

fn spawn(settings: &StartSettings, log: File) -> Result<Child, Failure> {
    let fail = |error| Failure::system("failed to start a process in the background").caused_by(error);
    let mut command = Command::new(std::env::current_exe().map_err(fail)?);
    command.args(std::env::args_os().skip(1)).arg("--detached");
    if !settings.is_dir_named {
        // Its own default would have its own process id in it.
        command.arg("--dir").arg(&settings.serve.dir);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    command.spawn().map_err(fail)
}

/// The word of the process, or nothing when it ended without one.
async fn word_of(child: &mut Child, settings: &StartSettings, printer: &PrinterHandle) -> Option<Word> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let line = match tokio::time::timeout(PATIENCE, lines.next_line()).await {
        Ok(line) => line,
        Err(_) => {
            if let Role::Node(head) = &settings.serve.role {
                printer.err(format!("waiting for the head at {head}"));
            }
            lines.next_line().await
        }
    };
    serde_json::from_str(&line.ok()??).ok()
}

/// Shows what the process wrote before it ended, and ends as it did.
async fn failed(child: &mut Child, log: &Path, before: u64, printer: &PrinterHandle) -> ExitStatus {
    let code = child.wait().await.ok().and_then(|status| status.code());
    let said = said_since(log, before).unwrap_or_default();
    let words = words_of(&said);
    if words.is_empty() {
        printer.err("error: the process in the background ended without a word");
    } else {
        printer.err(words);
    }
    printer.err(format!("its log is {}", log.display()));
    match code {
        Some(64) => ExitStatus::Usage,
        _ => ExitStatus::RaywFailed,
    }
}

fn said_since(log: &Path, before: u64) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(before.max(end.saturating_sub(LOG_BYTES_SHOWN))))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The error in a log; all of it when there is none, as after a panic.
fn words_of(said: &str) -> &str {
    let error = said.match_indices("error: ").find(|(at, _)| *at == 0 || said[..*at].ends_with('\n'));
    error.map_or(said, |(at, _)| &said[at..]).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_log_the_error_is_shown() {
        assert_eq!(words_of("2026 WARN slow, error: no\nerror: a\n  caused by: b\n"), "error: a\n  caused by: b");
        assert_eq!(words_of("thread 'main' panicked\n"), "thread 'main' panicked");
    }

    #[test]
    fn only_what_is_new_in_a_log_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("below/rayw.log");
        drop(open_log(&log).unwrap());
        std::fs::write(&log, "old\nnew\n").unwrap();
        assert_eq!(said_since(&log, 4).unwrap(), "new\n");
    }

    #[test]
    fn a_large_log_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("rayw.log");
        File::create(&log).unwrap().set_len(LOG_BYTES_KEPT + 1).unwrap();
        assert_eq!(open_log(&log).unwrap().metadata().unwrap().len(), 0);
        assert!(folder.path().join("rayw.log.1").exists());
    }
}
