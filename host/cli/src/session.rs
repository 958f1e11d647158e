//! A session: the directory by which other terminals find a running cluster.
//!
//! ```text
//! <runtime dir or tmp>/rayw-<uid>/          0700, ours
//!   session-20261122-180501-4711/           0700, removed at the end
//!     session.json                          who and what; locked as long as the process lives
//!     state.sock                            the state service
//! ```
//!
//! Whether a session lives is decided by the lock, not by its process id: the
//! system lets go of the lock however the process ends, and ids come again.

mod lookup;

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
pub use lookup::{Found, find, socket_of};

const STATE_SOCKET: &str = "state.sock";
const SESSION_FILE: &str = "session.json";
const SESSION_PREFIX: &str = "session-";

/// Bytes of a unix socket's path, the terminating zero not counted; less on macOS than on Linux.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// What `session.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFile {
    /// The process.
    pub pid: u32,
    /// When it started.
    pub start_time_ms: i64,
    /// What it runs.
    pub app: String,
}

/// A session of this process. Its directory goes away with it.
#[derive(Debug)]
pub struct Session {
    directory: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl Session {
    /// Makes the directory in the first of `roots` that can hold it.
    ///
    /// # Errors
    /// When none can.
    pub fn create(roots: &[PathBuf], app: &str) -> Result<Self, Failure> {
        let mut why = Vec::new();
        for root in roots {
            match Self::create_in(root, app) {
                Ok(session) => return Ok(session),
                Err(reason) => why.push(format!("`{}`: {reason}", root.display())),
            }
        }
        let failure = Failure::system("failed to make a directory for the session")
            .hint("name a folder that you can write to with the variable RAYW_RUNTIME_DIR");
        Err(why.into_iter().fold(failure, Failure::caused_by))
    }

    fn create_in(root: &Path, app: &str) -> Result<Self, String> {
        let ours = our_directory(root);
        make_ours(&ours)?;
        let pid = std::process::id();
        let now = Timestamp::now();
        let directory = ours.join(format!("{SESSION_PREFIX}{}-{pid}", now.strftime("%Y%m%d-%H%M%S")));
        if directory.join(STATE_SOCKET).as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err("its path is too long for a unix socket".to_owned());
        }
        DirBuilder::new().mode(0o700).create(&directory).map_err(|error| error.to_string())?;
        let about = SessionFile { pid, start_time_ms: now.as_millisecond(), app: app.to_owned() };
        match locked_file(&directory, &about) {
            Ok(file) => Ok(Self { directory, _file: file }),
            Err(error) => {
                // What cannot be removed now is found stale later.
                let _ = fs::remove_dir_all(&directory);
                Err(error.to_string())
            }
        }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the state service listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.join(STATE_SOCKET)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(directory = %self.directory.display(), %error, "failed to remove the session directory");
        }
    }
}

/// Writes the file and locks it before it gets its name, so that nobody ever sees it unlocked.
fn locked_file(directory: &Path, about: &SessionFile) -> std::io::Result<File> {
    let unnamed = directory.join(format!(".{SESSION_FILE}"));
    let mut file = File::create_new(&unnamed)?;
    file.lock()?;
    file.write_all(&serde_json::to_vec_pretty(about)?)?;
    fs::rename(unnamed, directory.join(SESSION_FILE))?;
    Ok(file)
}

/// The directory of this user's sessions below `root`.
fn our_directory(root: &Path) -> PathBuf {
    root.join(format!("rayw-{}", rustix::process::getuid().as_raw()))
}

/// Makes the directory, or makes sure that the one that is there is ours alone: in a folder like /tmp
/// anybody could have made it.
fn make_ours(directory: &Path) -> Result<(), String> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(directory);
    made.map_err(|error| error.to_string())?;
    is_ours(directory)
}

fn is_ours(directory: &Path) -> Result<(), String> {
    let about = fs::symlink_metadata(directory).map_err(|error| error.to_string())?;
    if !about.is_dir() || about.uid() != rustix::process::getuid().as_raw() {
        return Err(format!("`{}` is not a directory of yours: have it removed", directory.display()));
    }
    if about.mode() & 0o077 != 0 {
        let path = directory.display();
        return Err(format!("`{path}` is open to other users: close it with `chmod 700 {path}`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
