//! Files of spilled objects, all in one directory that nothing leads out of.

use std::io::{self, Read, Write};
use std::path::Path;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rayw_core::{Error, ErrorKind, ObjectId};

/// The directory of spilled objects; one file an object, named by its id, holding its bytes.
#[derive(Debug)]
pub(crate) struct SpillDir {
    dir: Dir,
    shown: String,
}

impl SpillDir {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let fail = |error: io::Error| {
            Error::new(ErrorKind::OutOfDisk, format!("cannot use `{shown}` for spilled objects: make it writable"))
                .caused_by(error)
        };
        std::fs::create_dir_all(path).map_err(fail)?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(fail)?;
        Ok(Self { dir, shown })
    }

    pub(crate) fn write(&self, id: ObjectId, data: &[u8]) -> Result<(), Error> {
        let name = id.to_string();
        let written = self.dir.create(&name).and_then(|mut file| file.write_all(data));
        written.map_err(|error| {
            // Half a file is worse than none, and a full disk is no place for it.
            let _ = self.dir.remove_file(&name);
            self.error("write", id, &error)
        })
    }

    pub(crate) fn read(&self, id: ObjectId, size: usize) -> Result<Bytes, Error> {
        let mut data = Vec::with_capacity(size);
        let read = self.dir.open(id.to_string()).and_then(|mut file| file.read_to_end(&mut data));
        read.map_err(|error| self.error("read", id, &error))?;
        if data.len() == size {
            return Ok(Bytes::from(data));
        }
        let message = format!("spilled object `{id}` in `{}` has {} bytes, not {size}", self.shown, data.len());
        Err(Error::new(ErrorKind::ObjectLost, message))
    }

    pub(crate) fn remove(&self, id: ObjectId) {
        // It may be gone with the session's directory already; then there is nothing to do.
        let _ = self.dir.remove_file(id.to_string());
    }

    fn error(&self, what: &str, id: ObjectId, error: &io::Error) -> Error {
        let kind = if what == "read" { ErrorKind::ObjectLost } else { ErrorKind::OutOfDisk };
        let hint = "free some space, or give the object store more memory";
        Error::new(kind, format!("cannot {what} spilled object `{id}` in `{}`: {hint}", self.shown)).caused_by(error)
    }
}
