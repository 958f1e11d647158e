//! The folder of a process of a cluster: nobody else's as long as it lives.
//!
//! A node whose folder and port nobody named makes one to which nobody ever comes back. At an orderly end it
//! removes itself what it leaves there; after any other end the next process of a cluster that starts on this
//! machine does. Logs stay for a while.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rayw_core::{Error, ErrorKind};

/// The file that is locked. The system lets go of the lock however the process ends.
const LOCK: &str = "lock";

/// The log of a process in the background.
pub(crate) const LOG: &str = "rayw.log";

/// A log that became large and was put aside.
const LOG_ASIDE: &str = "rayw.log.1";

/// How the name of a folder begins to which nobody comes back; the id of a process follows.
pub(crate) const PASSING_NODE: &str = "node-pid-";

/// What stays in such a folder: what people may want to read, and what says that nobody is there.
const KEPT: [&str; 3] = [LOG, LOG_ASIDE, LOCK];

/// How old a lock is before its folder counts as left: the owner of a younger one may be about to take it.
const LOCK_AGE_MIN: Duration = Duration::from_secs(60);

/// How long a log stays after its last line: a week, in which people look for what went wrong.
const LOG_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Makes the folder and takes it.
pub(super) fn take(folder: &Path) -> Result<File, Error> {
    let fail = |cause: std::io::Error| {
        let message = format!("failed to use the folder `{}`: name another one with `--dir`", folder.display());
        Error::new(ErrorKind::OutOfDisk, message).caused_by(cause)
    };
    fs::create_dir_all(folder).map_err(fail)?;
    // Somebody else's name may be in it, which stays where they live.
    let lock = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK));
    let mut file = lock.map_err(fail)?;
    // For who looks how old it is before this process has the lock.
    file.set_modified(SystemTime::now()).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).and_then(|()| file.write_all(machine().as_bytes())).map_err(fail)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let message = format!(
                "another rayw process uses the folder `{}`: end that one with `rayw stop`, or name another folder \
                 with `--dir`",
                folder.display()
            );
            Err(Error::new(ErrorKind::System, message))
        }
        // Where locks do not work there is nothing to be known about others.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Removes what this process leaves in its folder, if that is one in `place` to which nobody comes back. To be
/// called while the folder is taken.
pub(super) fn leave(folder: &Path, place: Option<&Path>, now: SystemTime) {
    if folder.parent() == place && is_passing(folder) {
        empty(folder, now);
    }
}

/// Removes what nodes that have ended left in their folders in `place`.
pub(super) fn remove_leftovers(place: &Path, now: SystemTime) {
    // Where there is no such place nobody has left anything.
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    for folder in entries.map(|entry| entry.path()).filter(|folder| is_passing(folder)) {
        // Never made here: a folder without a lock is one in the making.
        let Ok(mut lock) = File::options().read(true).write(true).open(folder.join(LOCK)) else { continue };
        // Of one on another machine, with which this one shares its disk, the lock may say nothing here.
        let mut owner = String::new();
        if lock.read_to_string(&mut owner).is_err() || owner != machine() {
            continue;
        }
        let taken = lock.metadata().and_then(|about| about.modified());
        // Where locks do not work nobody knows who lives, and nothing is removed.
        if taken.is_ok_and(|taken| is_older(taken, LOCK_AGE_MIN, now)) && matches!(lock.try_lock(), Ok(())) {
            tracing::debug!(folder = %folder.display(), "removing what a node left");
            empty(&folder, now);
        }
    }
}

/// The name of this machine.
fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Whether nobody comes back to that folder: it has the process id of a node in its name, and is no link.
fn is_passing(folder: &Path) -> bool {
    let name = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.starts_with(PASSING_NODE) && fs::symlink_metadata(folder).is_ok_and(|about| about.is_dir())
}

/// Removes all but the logs, and these with their folder when they are old. Whoever calls it has the lock.
fn empty(folder: &Path, now: SystemTime) {
    let is_kept = |entry: &DirEntry| entry.file_name().to_str().is_some_and(|name| KEPT.contains(&name));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| !is_kept(entry)).for_each(|entry| remove(&entry.path()));
    let written = fs::symlink_metadata(folder.join(LOG)).and_then(|about| about.modified());
    let is_read = written.is_ok_and(|written| !is_older(written, LOG_AGE_MAX, now));
    if !is_read {
        remove(folder);
    }
}

/// Removes a file, or a folder with all that is in it. Links are removed, never followed.
fn remove(path: &Path) {
    let is_dir = fs::symlink_metadata(path).is_ok_and(|about| about.is_dir());
    let removed = if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if let Err(error) = removed {
        // The next process that starts tries again.
        tracing::debug!(path = %path.display(), %error, "failed to remove what a node left");
    }
}

fn is_older(time: SystemTime, age: Duration, now: SystemTime) -> bool {
    now.duration_since(time).is_ok_and(|since| since > age)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// Makes a folder with what a node leaves in it when it is killed.
    fn left(place: &Path, name: &str) -> PathBuf {
        let folder = place.join(name);
        fs::create_dir_all(folder.join("objects")).unwrap();
        for file in [LOG, LOG_ASIDE, "objects/spilled"] {
            fs::write(folder.join(file), "x").unwrap();
        }
        fs::write(folder.join(LOCK), machine()).unwrap();
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A moment at which what is new now is older than that.
    fn after(age: Duration) -> SystemTime {
        SystemTime::now() + age + Duration::from_secs(1)
    }

    #[test]
    fn a_folder_is_used_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("head");
        let taken = take(&folder).unwrap();
        let error = take(&folder).unwrap_err();
        assert!(error.message.starts_with("another rayw process uses the folder"), "{error}");
        drop(taken);
        take(&folder).unwrap();
    }

    #[test]
    fn what_a_killed_node_left_goes_at_once_and_its_logs_after_a_week() {
        let place = tempfile::tempdir().unwrap();
        let folder = left(place.path(), "node-pid-7");
        remove_leftovers(place.path(), SystemTime::now());
        assert_eq!(names(&folder), ["lock", "objects", "rayw.log", "rayw.log.1"]);
        remove_leftovers(place.path(), after(LOCK_AGE_MIN));
        assert_eq!(names(&folder), ["lock", "rayw.log", "rayw.log.1"]);
        remove_leftovers(place.path(), after(LOG_AGE_MAX));
        assert!(!folder.exists());
    }

    #[test]
    fn what_is_of_another_machine_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = left(place.path(), "node-pid-7");
        fs::write(folder.join(LOCK), "another").unwrap();
        remove_leftovers(place.path(), after(LOG_AGE_MAX));
        assert_eq!(names(&folder).len(), 4);
    }

    #[test]
    fn a_folder_without_a_log_goes_at_once() {
        let place = tempfile::tempdir().unwrap();
        let folder = left(place.path(), "node-pid-7");
        fs::remove_file(folder.join(LOG)).unwrap();
        remove_leftovers(place.path(), after(LOCK_AGE_MIN));
        assert!(!folder.exists());
    }

    #[test]
    fn what_somebody_may_come_back_to_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let others = ["node-port-7", "head-pid-7", "head-port-7"].map(|name| left(place.path(), name));
        let alive = left(place.path(), "node-pid-7");
        let taken = take(&alive).unwrap();
        let making = left(place.path(), "node-pid-8");
        fs::remove_file(making.join(LOCK)).unwrap();
        remove_leftovers(place.path(), after(LOG_AGE_MAX));
        others.iter().chain([&alive]).for_each(|folder| assert_eq!(names(folder).len(), 4, "{}", folder.display()));
        assert_eq!(names(&making), ["objects", "rayw.log", "rayw.log.1"]);
        drop(taken);
    }

    #[test]
    fn links_are_never_followed() {
        let (place, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let elsewhere = left(outside.path(), "node-pid-9");
        symlink(&elsewhere, place.path().join("node-pid-9")).unwrap();
        let folder = left(place.path(), "node-pid-7");
        symlink(&elsewhere, folder.join("working")).unwrap();
        remove_leftovers(place.path(), after(LOCK_AGE_MIN));
        assert_eq!(names(&folder), ["lock", "rayw.log", "rayw.log.1"]);
        assert_eq!(names(&elsewhere).len(), 4);
        assert_eq!(names(place.path()), ["node-pid-7", "node-pid-9"]);
    }

    #[test]
    fn a_node_that_ends_in_order_removes_what_it_leaves_where_nobody_comes_back() {
        let place = tempfile::tempdir().unwrap();
        let [passing, named] = ["node-pid-7", "node-port-7"].map(|name| left(place.path(), name));
        let taken = [&passing, &named].map(|folder| take(folder).unwrap());
        leave(&passing, None, SystemTime::now());
        leave(&passing, Some(Path::new("/elsewhere")), SystemTime::now());
        leave(&named, Some(place.path()), SystemTime::now());
        assert_eq!((names(&passing).len(), names(&named).len()), (4, 4));
        leave(&passing, Some(place.path()), SystemTime::now());
        assert_eq!(names(&passing), ["lock", "rayw.log", "rayw.log.1"]);
        // One in the foreground logs to stderr: nothing of it is to be read.
        fs::remove_file(passing.join(LOG)).unwrap();
        leave(&passing, Some(place.path()), SystemTime::now());
        assert!(!passing.exists());
        drop(taken);
    }
}
