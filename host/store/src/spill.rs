//! Files of spilled objects, all in one directory that nothing leads out of.
//!
//! Each store has a directory of its own below the one it is given, with a lock
//! on it. What processes that were killed left there is removed by the next one.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rayw_core::{Error, ErrorKind, ObjectId, limits};

/// The file in each store's directory whose lock says that the store lives.
const LOCK: &str = "lock";

/// Tells the stores of one process apart.
static STORES: AtomicU64 = AtomicU64::new(0);

/// The directory of spilled objects; one file an object, holding its bytes.
#[derive(Debug)]
pub(crate) struct SpillDir {
    parent: Dir,
    name: String,
    dir: Dir,
    shown: String,
    files: AtomicU64,
    /// Held as long as the store lives.
    _lock: File,
}

/// Names one file. An object that goes to disk again gets a new one, so that removing the old file can
/// never hit the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpillFile {
    id: ObjectId,
    number: u64,
}

impl SpillFile {
    fn name(self) -> String {
        format!("{}.{}", self.id, self.number)
    }
}

impl SpillDir {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let fail = |error: io::Error| {
            let shown = path.display();
            Error::new(ErrorKind::OutOfDisk, format!("cannot use `{shown}` for spilled objects: make it writable"))
                .caused_by(error)
        };
        std::fs::create_dir_all(path).map_err(fail)?;
        let parent = Dir::open_ambient_dir(path, ambient_authority()).map_err(fail)?;
        // Others may begin in the same directory at the same moment.
        let turn = parent.create(LOCK).map_err(fail)?.into_std();
        turn.lock().map_err(fail)?;
        remove_leftovers(&parent);
        let name = format!("{}-{}", std::process::id(), STORES.fetch_add(1, Ordering::Relaxed));
        parent.create_dir_all(&name).map_err(fail)?;
        let dir = parent.open_dir(&name).map_err(fail)?;
        let lock = dir.create(LOCK).map_err(fail)?.into_std();
        lock.lock().map_err(fail)?;
        let shown = path.join(&name).display().to_string();
        Ok(Self { parent, name, dir, shown, files: AtomicU64::new(0), _lock: lock })
    }

    pub(crate) fn write(&self, id: ObjectId, data: &[u8]) -> Result<SpillFile, Error> {
        self.check_room(id, data.len() as u64)?;
        let file = SpillFile { id, number: self.files.fetch_add(1, Ordering::Relaxed) };
        let name = file.name();
        let written = self.dir.create(&name).and_then(|mut file| file.write_all(data));
        written.map_err(|error| {
            // Half a file is worse than none, and a full disk is no place for it.
            let _ = self.dir.remove_file(&name);
            let hint = "free some space, or give the object store more memory by `--object-store-memory`";
            let message = format!("cannot write spilled object `{id}` to `{}`: {hint}", self.shown);
            Error::new(ErrorKind::OutOfDisk, message).caused_by(error)
        })?;
        Ok(file)
    }

    /// A disk that objects fill to the brim is of no use to anybody.
    fn check_room(&self, id: ObjectId, bytes: u64) -> Result<(), Error> {
        // Where nothing can be learned about the disk, writing will tell.
        let Ok(disk) = rustix::fs::fstatvfs(&self.dir) else { return Ok(()) };
        let (total, free) = (disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize);
        let kept_free = total / 100 * (100 - limits::STORE_DISK_PERCENT_MAX);
        if total == 0 || free >= bytes.saturating_add(kept_free) {
            return Ok(());
        }
        let message = format!(
            "object `{id}` of {bytes} bytes cannot be spilled to `{}`: its disk would be more than {} % full; free \
             some space, or give the object store more memory by `--object-store-memory`",
            self.shown,
            limits::STORE_DISK_PERCENT_MAX
        );
        Err(Error::new(ErrorKind::OutOfDisk, message))
    }

    pub(crate) fn read(&self, file: SpillFile, size: usize) -> Result<Bytes, Error> {
        let mut data = Vec::with_capacity(size);
        let read = self.dir.open(file.name()).and_then(|mut file| file.read_to_end(&mut data));
        let id = file.id;
        read.map_err(|error| {
            let message = format!("object `{id}` was spilled to `{}` and cannot be read again", self.shown);
            Error::new(ErrorKind::ObjectLost, message).caused_by(error)
        })?;
        if data.len() == size {
            return Ok(Bytes::from(data));
        }
        let message = format!("spilled object `{id}` in `{}` has {} bytes, not {size}", self.shown, data.len());
        Err(Error::new(ErrorKind::ObjectLost, message))
    }

    pub(crate) fn remove(&self, file: SpillFile) {
        // It may be gone with the session's directory already; then there is nothing to do.
        let _ = self.dir.remove_file(file.name());
    }
}

impl Drop for SpillDir {
    fn drop(&mut self) {
        // The session may have removed it already; what cannot be removed, the next process removes.
        let _ = self.parent.remove_dir_all(&self.name);
    }
}

/// Removes the directories of stores that are not there any more: nobody holds their locks.
fn remove_leftovers(parent: &Dir) {
    let Ok(entries) = parent.entries() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(lock) = parent.open_dir(&name).and_then(|dir| dir.open(LOCK)) else { continue };
        match lock.into_std().try_lock() {
            // What cannot be removed now is tried again by the next process.
            Ok(()) => drop(parent.remove_dir_all(&name)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}
