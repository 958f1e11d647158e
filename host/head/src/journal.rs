//! The journal: what of the head outlives it, in one file.
//!
//! ```text
//!  machine ─changes─▶ queue (the newest of each key) ─▶ thread: one commit for all that waits ─▶ `safe`
//! ```
//!
//! Writing never waits on the way: whoever needs to know asks whether what was
//! queued is safe by now. A commit takes as long as the disk takes to sync;
//! what comes meanwhile goes into the next one together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rayw_core::scheduler::{Change, Key, Record};
use rayw_core::{Error, ErrorKind};
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageError, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

/// The form of keys and records. It is counted up whenever one of their types changes: they are written
/// in postcard, which carries no description of itself.
const FORMAT: u64 = 2;

const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// Takes changes and keeps them.
pub(crate) struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A journal that nobody writes to yet.
pub(crate) struct Opened {
    path: PathBuf,
    database: Database,
}

struct Shared {
    queue: Mutex<Queue>,
    more: Condvar,
    /// The number of the last batch that is on the disk.
    safe: watch::Sender<u64>,
    /// Why nothing is kept any more.
    broken: watch::Sender<Option<Error>>,
}

#[derive(Default)]
struct Queue {
    waiting: BTreeMap<Key, Option<Record>>,
    /// The number of the newest batch.
    last: u64,
    is_closing: bool,
}

fn failed(what: &str, path: &Path, cause: impl std::fmt::Display) -> Error {
    let message = format!("failed to {what} the head's journal `{}`", path.display());
    Error::new(ErrorKind::OutOfDisk, message).caused_by(cause)
}

fn damaged(path: &Path, cause: impl std::fmt::Display) -> Error {
    let message = format!(
        "the head's journal `{}` is damaged: put a copy of it in its place, or move it away to begin anew without the \
         jobs, actors and groups that it knew",
        path.display()
    );
    Error::new(ErrorKind::System, message).caused_by(cause)
}

fn not_opened(path: &Path, error: DatabaseError) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            let message = format!(
                "another head uses the journal `{}`: end that one, or give this one a `--dir` of its own",
                path.display()
            );
            Error::new(ErrorKind::System, message)
        }
        DatabaseError::Storage(StorageError::Io(cause))
            if !matches!(cause.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
        {
            failed("open", path, cause)
        }
        DatabaseError::UpgradeRequired(version) => damaged(path, format!("it has the old file format {version}")),
        other => damaged(path, other),
    }
}

impl Opened {
    /// Opens the journal at `path`, or makes one, and reads what is in it.
    ///
    /// # Errors
    /// When another head has it open, it is damaged, or it was written in another form.
    pub(crate) fn open(path: PathBuf) -> Result<(Self, Vec<Record>), Error> {
        let database = Database::create(&path).map_err(|error| not_opened(&path, error))?;
        check_format(&path, &database)?;
        let records = read(&path, &database)?;
        Ok((Self { path, database }, records))
    }

    /// Keeps changes; when this returns they are on the disk.
    pub(crate) fn write(&self, changes: impl IntoIterator<Item = (Key, Option<Record>)>) -> Result<(), Error> {
        self.try_write(changes).map_err(|cause| failed("write", &self.path, cause))
    }

    fn try_write(
        &self,
        changes: impl IntoIterator<Item = (Key, Option<Record>)>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for (key, record) in changes {
                let key = encode(&key)?;
                match record {
                    Some(record) => drop(table.insert(key.as_slice(), encode(&record)?.as_slice())?),
                    None => drop(table.remove(key.as_slice())?),
                }
            }
        }
        // Synced: what is answered after it is true after a power cut too.
        transaction.commit()?;
        Ok(())
    }

    /// Writes on a thread of its own from now on; `made_safe` is called there after each commit.
    pub(crate) fn start(self, made_safe: impl Fn() + Send + 'static) -> Result<Journal, Error> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            more: Condvar::new(),
            safe: watch::Sender::new(0),
            broken: watch::Sender::new(None),
        });
        let writing = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("rayw-journal".to_owned());
        let thread = thread.spawn(move || {
            while let Some((number, changes)) = writing.next() {
                if let Err(error) = self.write(changes) {
                    tracing::error!(%error, "the head can promise nothing any more and ends");
                    writing.broken.send_replace(Some(error));
                    return;
                }
                writing.safe.send_replace(number);
                made_safe();
            }
        });
        let thread =
            thread.map_err(|error| Error::new(ErrorKind::System, "failed to start a thread").caused_by(error))?;
        Ok(Journal { shared, thread: Some(thread) })
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that waits, as soon as there is something; none at the end.
    fn next(&self) -> Option<(u64, BTreeMap<Key, Option<Record>>)> {
        let mut queue = self.queue();
        loop {
            if !queue.waiting.is_empty() {
                return Some((queue.last, std::mem::take(&mut queue.waiting)));
            }
            if queue.is_closing {
                return None;
            }
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Journal {
    /// Takes changes to be kept. Of several of one key only the newest is written.
    pub(crate) fn push(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut queue = self.shared.queue();
        queue.last += 1;
        queue.waiting.extend(changes.into_iter().map(|change| (change.key, change.record)));
        drop(queue);
        self.shared.more.notify_one();
    }

    /// The number of the newest batch that was pushed.
    pub(crate) fn last(&self) -> u64 {
        self.shared.queue().last
    }

    /// The number of the newest batch that is on the disk.
    pub(crate) fn safe(&self) -> u64 {
        *self.shared.safe.borrow()
    }

    /// Waits until the journal cannot be written any more, and says why.
    pub(crate) fn broken(&self) -> impl Future<Output = Error> + Send + use<> {
        let mut broken = self.shared.broken.subscribe();
        async move {
            let error = broken.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
            error.unwrap_or_else(|| Error::new(ErrorKind::System, "the head's journal is closed"))
        }
    }

    /// Waits until the batch of that number is on the disk.
    pub(crate) fn reached(&self, number: u64) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let (mut safe, broken) = (self.shared.safe.subscribe(), self.broken());
        async move {
            tokio::select! {
                _ = safe.wait_for(|safe| *safe >= number) => Ok(()),
                error = broken => Err(error),
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.queue().is_closing = true;
        self.shared.more.notify_one();
        // The last one to hold the head may be the journal's own thread, which cannot wait for itself.
        let thread = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id());
        if let Some(thread) = thread {
            // It has said already why it broke down, if it did.
            let _ = thread.join();
        }
    }
}

fn check_format(path: &Path, database: &Database) -> Result<(), Error> {
    let transaction = database.begin_write().map_err(|error| failed("read", path, error))?;
    {
        let mut about = transaction.open_table(ABOUT).map_err(|error| damaged(path, error))?;
        let found = about.get("format").map_err(|error| damaged(path, error))?.map(|format| format.value());
        match found {
            Some(FORMAT) => {}
            Some(other) => {
                let message = format!(
                    "the head's journal `{}` has the form {other}, and this rayw reads the form {FORMAT}: start the head \
                     with the rayw that wrote it, or move the file away to begin anew",
                    path.display()
                );
                return Err(Error::new(ErrorKind::System, message));
            }
            None => drop(about.insert("format", FORMAT).map_err(|error| failed("write", path, error))?),
        }
        transaction.open_table(RECORDS).map_err(|error| damaged(path, error))?;
    }
    transaction.commit().map_err(|error| failed("write", path, error))
}

fn read(path: &Path, database: &Database) -> Result<Vec<Record>, Error> {
    let transaction = database.begin_read().map_err(|error| failed("read", path, error))?;
    let table = transaction.open_table(RECORDS).map_err(|error| damaged(path, error))?;
    let rows = table.iter().map_err(|error| damaged(path, error))?;
    let mut records = Vec::new();
    for row in rows {
        let (key, record) = row.map_err(|error| damaged(path, error))?;
        let key: Key = decode(key.value()).map_err(|error| damaged(path, error))?;
        let record: Record = decode(record.value()).map_err(|error| damaged(path, error))?;
        if record.key() != key {
            return Err(damaged(path, format!("the record of {key:?} is about {:?}", record.key())));
        }
        records.push(record);
    }
    Ok(records)
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_stdvec(value)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, postcard::Error> {
    postcard::from_bytes(bytes)
}

#[cfg(test)]
mod tests;
