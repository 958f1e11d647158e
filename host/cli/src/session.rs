//! A session: the directory by which other terminals find what runs here: a `rayw run`, a head, a node.
//!
//! ```text
//! <runtime dir or tmp>/rayw-<uid>/          0700, ours
//!   session-20261122-180501-4711/           0700, removed at the end
//!     session.json                          who and what; locked as long as the process lives
//!     state.sock                            the state service of a `rayw run`; others have a port
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
pub use lookup::{Found, Place, cluster, find, members, place_of};

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
    /// What it is.
    #[serde(flatten)]
    pub about: About,
}

/// What a process with a session is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct About {
    /// What it runs, for people: the program's name, or that of the node.
    pub app: String,
    /// Its part.
    #[serde(default)]
    pub part: Part,
    /// `host:port` of the head of its cluster, for heads and nodes.
    #[serde(default)]
    pub address: Option<String>,
    /// Where a process in the background writes its log.
    #[serde(default)]
    pub log: Option<PathBuf>,
}

impl About {
    /// A `rayw run` of a program.
    #[must_use]
    pub fn run(app: &str) -> Self {
        Self { app: app.to_owned(), ..Self::default() }
    }
}

/// The part of a process with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// `rayw run`: a cluster of its own.
    #[default]
    Run,
    /// `rayw start --head`.
    Head,
    /// `rayw start --address`.
    Node,
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
    pub fn create(roots: &[PathBuf], about: &About) -> Result<Self, Failure> {
        let mut why = Vec::new();
        for root in roots {
            match Self::create_in(root, about) {
                Ok(session) => return Ok(session),
                Err(reason) => why.push(format!("`{}`: {reason}", root.display())),
            }
        }
        let failure = Failure::system("failed to make a directory for the session")
            .hint("name a folder that you can write to with the variable RAYW_RUNTIME_DIR");
        Err(why.into_iter().fold(failure, Failure::caused_by))
    }

    fn create_in(root: &Path, about: &About) -> Result<Self, String> {
        let ours = our_directory(root);
        make_ours(&ours)?;
        let pid = std::process::id();
        let now = Timestamp::now();
        let directory = new_directory(&ours.join(format!("{SESSION_PREFIX}{}-{pid}", now.strftime("%Y%m%d-%H%M%S"))))?;
        let about = SessionFile { pid, start_time_ms: now.as_millisecond(), about: about.clone() };
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

/// Makes a directory of that name, or of the next one that is free: a process may begin two sessions in one second.
fn new_directory(name: &Path) -> Result<PathBuf, String> {
    for number in 1.. {
        let directory =
            if number == 1 { name.to_owned() } else { PathBuf::from(format!("{}-{number}", name.display())) };
        if directory.join(STATE_SOCKET).as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            break;
        }
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("its path is too long for a unix socket".to_owned())
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
