//! Finding a session from another terminal.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{SESSION_FILE, SESSION_PREFIX, STATE_SOCKET, SessionFile, is_ours, our_directory};
use crate::failure::Failure;

/// A directory without its file is one in the making, but not for that long.
const MAKING_MAX: Duration = Duration::from_secs(60);

/// A session of some process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its directory.
    pub directory: PathBuf,
    /// Who and what.
    pub about: SessionFile,
    /// How many others live.
    pub others: usize,
}

impl Found {
    /// Where its state service listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join(STATE_SOCKET)
    }
}

/// Finds the newest session that lives, and removes what dead ones left.
///
/// # Errors
/// When there is none.
pub fn find(roots: &[PathBuf]) -> Result<Found, Failure> {
    let mut alive: Vec<_> = roots.iter().flat_map(|root| sessions(&our_directory(root))).collect();
    alive.sort_by_key(|found| found.about.start_time_ms);
    let others = alive.len().saturating_sub(1);
    match alive.pop() {
        Some(newest) => Ok(Found { others, ..newest }),
        None => Err(Failure::system("no rayw session is running here: start one with `rayw run APP`")),
    }
}

/// The socket for an address that was named: a session's directory or the socket itself.
///
/// # Errors
/// When there is none.
pub fn socket_of(address: &Path) -> Result<PathBuf, Failure> {
    let socket = if address.is_dir() { address.join(STATE_SOCKET) } else { address.to_owned() };
    if socket.exists() {
        return Ok(socket);
    }
    Err(Failure::system(format!("no rayw session is at `{}`", address.display()))
        .hint("it may have ended; without an address the newest session is asked"))
}

/// The sessions below `directory` that live; what dead ones left is removed on the way.
fn sessions(directory: &Path) -> Vec<Found> {
    // A directory that somebody else prepared is nobody's to read or to clean.
    if is_ours(directory).is_err() {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(SESSION_PREFIX));
    named.filter_map(|entry| alive(entry.path())).collect()
}

fn alive(directory: PathBuf) -> Option<Found> {
    let path = directory.join(SESSION_FILE);
    let stale = match File::open(&path) {
        // A lock that can be had belongs to nobody any more. When locks do not work here at all, nothing is removed.
        Ok(file) => matches!(file.try_lock_shared(), Ok(())),
        Err(_) => is_old(&directory),
    };
    if stale {
        tracing::debug!(directory = %directory.display(), "removing what a dead session left");
        // Two that clean up at once may be in each other's way: the work gets done.
        let _ = fs::remove_dir_all(&directory);
        return None;
    }
    let about = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    Some(Found { directory, about, others: 0 })
}

fn is_old(directory: &Path) -> bool {
    let made = fs::metadata(directory).and_then(|about| about.modified());
    made.is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age > MAKING_MAX))
}
