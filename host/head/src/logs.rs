//! What jobs printed: a file for each, one line of JSON for each line.
//!
//! Kept by the head so that it can be read after the end, whatever became of
//! the nodes.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rayw_core::message::LogLine;
use rayw_core::{Error, ErrorKind, IdSet, JobId, limits};
use rayw_proto::LogStream;
use tokio::sync::watch;
use tokio::time::Instant;

/// Bytes read at once: bounds what a reader of a long log holds.
const BATCH_BYTES_MAX: u64 = 1 << 20;

/// How long after the end of a job its followers wait for lines: what tasks on other nodes printed comes
/// another way than the news of the end, and nodes collect lines for some hundredths of a second.
const SETTLE: Duration = Duration::from_millis(150);

/// The logs of all jobs.
#[derive(Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
    files: Mutex<HashMap<JobId, Log>>,
    /// Counts what was written: followers look again when it changes.
    written: watch::Sender<u64>,
    over: Mutex<IdSet<JobId>>,
}

#[derive(Debug)]
struct Log {
    file: File,
    bytes: u64,
    is_full: bool,
}

fn failed(what: &str, path: &std::path::Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::OutOfDisk, format!("failed to {what} `{}`", path.display())).caused_by(error)
}

/// Cuts off a line that a head which was killed did not write to its end. Says how long the file is then.
fn mend(mut file: &File) -> std::io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let bytes = file.metadata()?.len();
    let mut end = bytes;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut piece)?;
        if let Some(newline) = piece.iter().rposition(|byte| *byte == b'\n') {
            end = start + newline as u64 + 1;
            break;
        }
        end = start;
    }
    if end < bytes {
        file.set_len(end)?;
    }
    Ok(end)
}

impl Logs {
    /// Makes the folder, or goes on with what an earlier head wrote there.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, Error> {
        std::fs::create_dir_all(&folder).map_err(|error| failed("make the folder", &folder, error))?;
        Ok(Self { folder, files: Mutex::default(), written: watch::Sender::new(0), over: Mutex::default() })
    }

    fn path(&self, job: JobId) -> PathBuf {
        self.folder.join(format!("job-{job}.log"))
    }

    /// Adds lines to a job's log. What does not fit is dropped with a word.
    pub(crate) fn append(&self, job: JobId, lines: &[LogLine]) {
        if let Err(error) = self.try_append(job, lines) {
            tracing::error!(%job, %error, "lines of a job are lost");
        }
        self.written.send_modify(|count| *count += 1);
    }

    fn try_append(&self, job: JobId, lines: &[LogLine]) -> Result<(), Error> {
        let path = self.path(job);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let log = match files.entry(job) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let file = OpenOptions::new().create(true).read(true).append(true).open(&path);
                let file = file.map_err(|error| failed("open", &path, error))?;
                let bytes = mend(&file).map_err(|error| failed("read", &path, error))?;
                entry.insert(Log { file, bytes, is_full: false })
            }
        };
        let mut text = Vec::new();
        for line in lines {
            if log.is_full {
                break;
            }
            let mut line = std::borrow::Cow::Borrowed(line);
            if log.bytes + text.len() as u64 > limits::JOB_LOG_BYTES_MAX {
                log.is_full = true;
                let said = format!("what follows is dropped: a job may print {} bytes", limits::JOB_LOG_BYTES_MAX);
                line.to_mut().text = said;
            }
            serde_json::to_writer(&mut text, &line)
                .map_err(|error| Error::new(ErrorKind::System, "a line cannot be written as JSON").caused_by(error))?;
            text.push(b'\n');
        }
        log.file.write_all(&text).map_err(|error| failed("write to", &path, error))?;
        log.bytes += text.len() as u64;
        // What comes late is little, and no reason to keep a file open for it.
        if self.over.lock().unwrap_or_else(PoisonError::into_inner).contains(&job) {
            files.remove(&job);
        }
        Ok(())
    }

    /// A job is over: its followers end when they have read all.
    pub(crate) fn end(&self, job: JobId) {
        self.over.lock().unwrap_or_else(PoisonError::into_inner).insert(job);
        self.files.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
        self.written.send_modify(|count| *count += 1);
    }

    pub(crate) fn delete(&self, job: JobId) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
        self.over.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
        // A job that printed nothing has none.
        let _ = std::fs::remove_file(self.path(job));
    }

    /// The lines of a job from the first on; with `follow` until it is over.
    pub(crate) fn read(self: &Arc<Self>, job: JobId, follow: bool) -> LogStream {
        let reader =
            Reader { logs: Arc::clone(self), job, follow, offset: 0, until: None, written: self.written.subscribe() };
        Box::pin(futures_util::stream::unfold(reader, |mut reader| async move {
            reader.next().await.map(|lines| (lines, reader))
        }))
    }
}

struct Reader {
    logs: Arc<Logs>,
    job: JobId,
    follow: bool,
    offset: u64,
    /// When it stops to wait for more, once the job is over.
    until: Option<Instant>,
    written: watch::Receiver<u64>,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Vec<LogLine>, Error>> {
        loop {
            self.written.mark_unchanged();
            let is_over = self.logs.over.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.job);
            match self.batch() {
                Ok(lines) if lines.is_empty() => {
                    if !self.follow {
                        return None;
                    }
                    let more = if is_over {
                        let until = *self.until.get_or_insert_with(|| Instant::now() + SETTLE);
                        tokio::time::timeout_at(until, self.written.changed()).await
                    } else {
                        Ok(self.written.changed().await)
                    };
                    if !matches!(more, Ok(Ok(()))) {
                        return None;
                    }
                }
                lines => return Some(lines),
            }
        }
    }

    fn batch(&mut self) -> Result<Vec<LogLine>, Error> {
        let path = self.logs.path(self.job);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            // It was deleted while it was read: nothing follows.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.offset > 0 => {
                self.follow = false;
                return Ok(Vec::new());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("open", &path, error)),
        };
        file.seek(SeekFrom::Start(self.offset)).map_err(|error| failed("read", &path, error))?;
        let mut reader = BufReader::new(file);
        let mut lines = Vec::new();
        let mut read = 0;
        while read < BATCH_BYTES_MAX {
            let mut text = String::new();
            let bytes = reader.read_line(&mut text).map_err(|error| failed("read", &path, error))?;
            // A line without its end is still being written.
            if bytes == 0 || !text.ends_with('\n') {
                break;
            }
            read += bytes as u64;
            let line = serde_json::from_str(&text).map_err(|error| {
                Error::new(ErrorKind::System, format!("`{}` is damaged", path.display())).caused_by(error)
            })?;
            lines.push(line);
        }
        self.offset += read;
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine { stderr: false, driver: true, prefix: String::new(), text: text.into(), ends: true }
    }

    #[tokio::test]
    async fn a_follower_sees_what_is_written_until_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Arc::new(Logs::open(folder.path().to_owned()).unwrap());
        let job = JobId::numbered(1);
        logs.append(job, &[line("one")]);
        let mut follower = logs.read(job, true);
        assert_eq!(follower.next().await.unwrap().unwrap(), [line("one")]);
        logs.append(job, &[line("two")]);
        logs.end(job);
        assert_eq!(follower.next().await.unwrap().unwrap(), [line("two")]);
        assert!(follower.next().await.is_none());
    }

    #[tokio::test]
    async fn a_new_head_goes_on_with_the_logs_of_the_former_one() {
        let folder = tempfile::tempdir().unwrap();
        let job = JobId::numbered(1);
        let open = || Arc::new(Logs::open(folder.path().join("logs")).unwrap());
        let former = open();
        former.append(job, &[line("one")]);
        // Killed in the middle of a line.
        let mut file = OpenOptions::new().append(true).open(former.path(job)).unwrap();
        file.write_all(br#"{"stderr":fal"#).unwrap();
        let new = open();
        new.append(job, &[line("two")]);
        assert_eq!(new.read(job, false).next().await.unwrap().unwrap(), [line("one"), line("two")]);
    }

    #[tokio::test]
    async fn who_follows_a_log_that_is_deleted_comes_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Arc::new(Logs::open(folder.path().to_owned()).unwrap());
        let job = JobId::numbered(1);
        logs.append(job, &[line("one")]);
        let mut follower = logs.read(job, true);
        assert_eq!(follower.next().await.unwrap().unwrap(), [line("one")]);
        logs.delete(job);
        assert!(follower.next().await.is_none());
    }

    #[tokio::test]
    async fn a_line_that_comes_late_keeps_no_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Arc::new(Logs::open(folder.path().to_owned()).unwrap());
        let job = JobId::numbered(1);
        logs.end(job);
        logs.append(job, &[line("late")]);
        assert!(logs.files.lock().unwrap().is_empty());
        assert_eq!(logs.read(job, true).next().await.unwrap().unwrap(), [line("late")]);
    }

    #[tokio::test]
    async fn a_deleted_log_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Arc::new(Logs::open(folder.path().to_owned()).unwrap());
        let job = JobId::numbered(1);
        logs.append(job, &[line("one")]);
        logs.delete(job);
        assert!(logs.read(job, false).next().await.is_none());
    }
}
