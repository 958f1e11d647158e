//! Finding sessions from another terminal.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Part, SESSION_FILE, SESSION_PREFIX, STATE_SOCKET, SessionFile, is_ours, our_directory};
use crate::failure::Failure;

/// A directory without its file is one in the making, but not for that long.
const MAKING_MAX: Duration = Duration::from_secs(60);

/// Where somebody answers questions about the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A socket on this machine.
    Socket(PathBuf),
    /// `host:port` of a head.
    Cluster(String),
}

/// A session of some process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its directory.
    pub directory: PathBuf,
    /// Who and what.
    pub file: SessionFile,
    /// How many others could have been meant.
    pub others: usize,
}

impl Found {
    /// Where its state service listens.
    #[must_use]
    pub fn place(&self) -> Place {
        match &self.file.about.address {
            Some(address) => Place::Cluster(address.clone()),
            None => Place::Socket(self.directory.join(STATE_SOCKET)),
        }
    }

    /// Whether its process still runs; removes what a dead one left.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        alive(self.directory.clone()).is_some()
    }

    /// Whether the process of that id holds the session's lock, as far as the system tells. A session in a
    /// folder that containers share may have been made by a process of another one, which has another id
    /// there: what has the id here is then a stranger.
    #[must_use]
    pub fn is_held_by(&self, pid: u32) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(held) = fs::metadata(self.directory.join(SESSION_FILE)) else { return false };
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            // Without `/proc` the lock is all there is to go by.
            return !Path::new("/proc/self").exists();
        };
        let is_same = |about: fs::Metadata| (about.dev(), about.ino()) == (held.dev(), held.ino());
        open.flatten().any(|entry| fs::metadata(entry.path()).is_ok_and(is_same))
    }
}

/// All sessions that live, the newest last; what dead ones left is removed.
fn living(roots: &[PathBuf]) -> Vec<Found> {
    let mut living: Vec<_> = roots.iter().flat_map(|root| sessions(&our_directory(root))).collect();
    living.sort_by_key(|found| found.file.start_time_ms);
    living
}

/// Finds whom to ask when nobody is named: the cluster that [`cluster`] finds, and where there is none the newest
/// `rayw run`.
///
/// # Errors
/// When there is neither.
pub fn find(roots: &[PathBuf]) -> Result<Found, Failure> {
    // Nodes are asked about through their head, so that they are nobody else to choose.
    let (nodes, mut others): (Vec<_>, Vec<_>) =
        living(roots).into_iter().partition(|found| found.file.about.part == Part::Node);
    others.sort_by_key(|found| found.file.about.part == Part::Head);
    let head = others.pop_if(|newest| newest.file.about.part == Part::Head);
    let chosen = head.or_else(|| nodes.into_iter().next_back()).or_else(|| others.pop()).ok_or_else(nothing_runs)?;
    Ok(Found { others: others.len(), ..chosen })
}

/// The address of the head that was started last on this machine, or of the head of a node here, and how many
/// others could have been meant.
///
/// # Errors
/// When neither runs.
pub fn cluster(roots: &[PathBuf]) -> Result<(String, usize), Failure> {
    let found = find(roots)?;
    match found.place() {
        Place::Cluster(address) => Ok((address, found.others)),
        Place::Socket(_) => {
            Err(Failure::system("no cluster is running here, only a `rayw run`, which takes no other jobs")
                .hint(HOW_TO_START))
        }
    }
}

/// What may help whoever found nothing to ask.
const HOW_TO_START: &str = "`rayw start --head` starts a cluster, `rayw run APP` runs one program; `--address HOST:PORT` \
                            or RAYW_ADDRESS names a cluster elsewhere";

fn nothing_runs() -> Failure {
    Failure::system("nothing of rayw is running here, and no cluster is named").hint(HOW_TO_START)
}

/// The heads and nodes that run here, the newest last.
#[must_use]
pub fn members(roots: &[PathBuf]) -> Vec<Found> {
    living(roots).into_iter().filter(|found| found.file.about.part != Part::Run).collect()
}

/// Where somebody answers for an address that was named: a session's directory or its socket.
///
/// # Errors
/// When there is none.
pub fn place_of(address: &Path) -> Result<Place, Failure> {
    let socket = if address.is_dir() { address.join(STATE_SOCKET) } else { address.to_owned() };
    if socket.exists() {
        return Ok(Place::Socket(socket));
    }
    if let Some(found) = read(address)
        && let Some(cluster) = found.about.address
    {
        return Ok(Place::Cluster(cluster));
    }
    Err(Failure::system(format!("no rayw session is at `{}`", address.display()))
        .hint("it may have ended; without an address the cluster here is asked, or the newest `rayw run`"))
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
    let stale = match File::open(directory.join(SESSION_FILE)) {
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
    let file = read(&directory)?;
    Some(Found { directory, file, others: 0 })
}

fn read(directory: &Path) -> Option<SessionFile> {
    serde_json::from_slice(&fs::read(directory.join(SESSION_FILE)).ok()?).ok()
}

fn is_old(directory: &Path) -> bool {
    let made = fs::metadata(directory).and_then(|about| about.modified());
    made.is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age > MAKING_MAX))
}
