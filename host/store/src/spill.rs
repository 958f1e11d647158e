//! Files of spilled objects, all in one directory that nothing leads out of.
//!
//! Each store has a directory of its own below the one it is given, with a lock
//! on it. What processes that were killed left there is removed by the next one.
//! A disk that fails now and then is asked again, a few times.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rayw_core::{Error, ErrorKind, ObjectId, limits};
use rayw_memory::Buffer;

/// The file in each store's directory whose lock says that the store lives.
const LOCK: &str = "lock";

/// Tells the stores of one process apart.
static STORES: AtomicU64 = AtomicU64::new(0);

/// What keeps the files. Each call may take as long as the disk does.
pub(crate) trait Disk: std::fmt::Debug + Send + Sync {
    /// Writes a file; what half a one there is, the caller removes.
    fn write(&self, name: &str, data: &[u8]) -> io::Result<()>;
    /// How long a file is. One that fits is read into `room`, all of it.
    fn read(&self, name: &str, room: &mut [u8]) -> io::Result<u64>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Bytes in all and bytes that are free, both without those that are kept for others; `None` where nothing can be
    /// learned about that.
    fn room(&self) -> Option<(u64, u64)>;
}

impl Disk for Dir {
    fn write(&self, name: &str, data: &[u8]) -> io::Result<()> {
        self.create(name)?.write_all(data)
    }

    fn read(&self, name: &str, room: &mut [u8]) -> io::Result<u64> {
        let mut file = self.open(name)?;
        let size = file.metadata()?.len();
        if size == room.len() as u64 {
            file.read_exact(room)?;
        }
        Ok(size)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.remove_file(name)
    }

    fn room(&self) -> Option<(u64, u64)> {
        let disk = rustix::fs::fstatvfs(self).ok()?;
        let (total, free) = room(disk.f_blocks, disk.f_bfree, disk.f_bavail);
        Some((total.saturating_mul(disk.f_frsize), free.saturating_mul(disk.f_frsize)))
    }
}

/// Blocks in all and free ones, as `df` counts: what is kept for others (root's five percent, say) is neither used
/// nor free.
pub(crate) fn room(blocks: u64, free: u64, free_for_us: u64) -> (u64, u64) {
    (blocks.saturating_sub(free).saturating_add(free_for_us), free_for_us)
}

/// The directory of spilled objects; one file an object, holding its bytes.
#[derive(Debug)]
pub(crate) struct SpillDir {
    parent: Dir,
    name: String,
    disk: Box<dyn Disk>,
    shown: String,
    files: AtomicU64,
    /// Part of the disk that may be full, in percent.
    percent_max: u64,
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
    pub(crate) fn open(path: &Path, percent_max: u64) -> Result<Self, Error> {
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
        Ok(Self { parent, name, disk: Box::new(dir), shown, files: AtomicU64::new(0), percent_max, _lock: lock })
    }

    /// Puts something between itself and its disk.
    #[cfg(test)]
    pub(crate) fn over(&mut self, wrap: impl FnOnce(Box<dyn Disk>) -> Box<dyn Disk>) {
        let here: Box<dyn Disk> = Box::new(self.parent.open_dir(&self.name).unwrap());
        self.disk = wrap(here);
    }

    pub(crate) fn write(&self, id: ObjectId, data: &[u8]) -> Result<SpillFile, Error> {
        self.check_room(id, data.len() as u64)?;
        let file = SpillFile { id, number: self.files.fetch_add(1, Ordering::Relaxed) };
        let name = file.name();
        let written = patiently(|| {
            // Half a file is worse than none, and a full disk is no place for it.
            self.disk.write(&name, data).inspect_err(|_| drop(self.disk.remove(&name)))
        });
        written.map_err(|error| {
            let hint = "free some space, or give the object store more memory by `--object-store-memory`";
            let message = format!("cannot write spilled object `{id}` to `{}`: {hint}", self.shown);
            Error::new(ErrorKind::OutOfDisk, message).caused_by(error)
        })?;
        Ok(file)
    }

    /// A disk that objects fill to the brim is of no use to anybody.
    fn check_room(&self, id: ObjectId, bytes: u64) -> Result<(), Error> {
        // Where nothing can be learned about the disk, writing will tell.
        let Some((total, free)) = self.disk.room() else { return Ok(()) };
        let kept_free = total / 100 * 100_u64.saturating_sub(self.percent_max);
        if total == 0 || free >= bytes.saturating_add(kept_free) {
            return Ok(());
        }
        let message = format!(
            "object `{id}` of {bytes} bytes cannot be spilled to `{}`: its disk would be more than {} % full; free \
             some space, give the object store more memory by `--object-store-memory`, or see \
             `RAYW_LOCAL_FS_CAPACITY_THRESHOLD`",
            self.shown, self.percent_max
        );
        Err(Error::new(ErrorKind::OutOfDisk, message))
    }

    /// Reads an object into a buffer that is as long and empty.
    pub(crate) fn read(&self, file: SpillFile, mut buffer: Buffer) -> Result<Bytes, Error> {
        let (name, id) = (file.name(), file.id);
        let size = buffer.rest().len();
        let found = patiently(|| self.disk.read(&name, buffer.rest())).map_err(|error| {
            let message = format!("object `{id}` was spilled to `{}` and cannot be read again", self.shown);
            Error::new(ErrorKind::ObjectLost, message).caused_by(error)
        })?;
        if found == size as u64 {
            buffer.fill(size);
            return Ok(buffer.freeze());
        }
        let message = format!("spilled object `{id}` in `{}` has {found} bytes, not {size}", self.shown);
        Err(Error::new(ErrorKind::ObjectLost, message))
    }

    pub(crate) fn remove(&self, file: SpillFile) {
        // It may be gone with the session's directory already; then there is nothing to do.
        let _ = self.disk.remove(&file.name());
    }
}

impl Drop for SpillDir {
    fn drop(&mut self) {
        // The session may have removed it already; what cannot be removed, the next process removes.
        let _ = self.parent.remove_dir_all(&self.name);
    }
}

/// Does something on a disk, again where that may help. Blocks for a moment in between.
fn patiently<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut pause = limits::SPILL_PAUSE;
    for _ in 1..limits::SPILL_TRIES {
        match act() {
            Err(error) if may_pass(error.kind()) => thread::sleep(pause),
            answer => return answer,
        }
        pause *= 2;
    }
    act()
}

/// Whether what a disk said may be otherwise in a moment: a full disk stays full, and what is not there
/// does not come.
const fn may_pass(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    !matches!(
        kind,
        Kind::NotFound
            | Kind::PermissionDenied
            | Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::ReadOnlyFilesystem
            | Kind::FileTooLarge
            | Kind::InvalidInput
    )
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
