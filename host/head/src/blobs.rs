//! Components and working directories by their digests, on disk.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use rayw_core::{ComponentDigest, Error, ErrorKind, limits};

/// The folder that holds them.
#[derive(Debug, Clone)]
pub(crate) struct Blobs(PathBuf);

impl Blobs {
    /// Makes the folder.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, Error> {
        std::fs::create_dir_all(&folder).map_err(|error| {
            let message = format!("failed to make the folder `{}` for components", folder.display());
            Error::new(ErrorKind::OutOfDisk, message).caused_by(error)
        })?;
        Ok(Self(folder))
    }

    fn path(&self, digest: ComponentDigest) -> PathBuf {
        self.0.join(digest.to_string())
    }

    pub(crate) fn has(&self, digest: ComponentDigest) -> bool {
        self.path(digest).is_file()
    }

    /// Whether it is there; it stays for at least [`limits::BLOB_KEPT`] then.
    pub(crate) fn keeps(&self, digest: ComponentDigest) -> bool {
        let asked = File::open(self.path(digest)).and_then(|file| file.set_modified(SystemTime::now()));
        // Where the time cannot be set it is only there for now, and comes again.
        asked.is_ok()
    }

    /// Removes what none of these names and nobody asked for lately. Says how many.
    pub(crate) fn sweep(&self, named: &HashSet<String>, now: SystemTime) -> std::io::Result<usize> {
        let (mut removed, mut result) = (0, Ok(()));
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok()).unwrap_or_default();
            let is_named = entry.file_name().to_str().is_some_and(|name| named.contains(name));
            if !is_named && age >= limits::BLOB_KEPT {
                // One that cannot be removed keeps none of the others.
                match std::fs::remove_file(entry.path()) {
                    Ok(()) => removed += 1,
                    Err(error) => result = Err(error),
                }
            }
        }
        result.map(|()| removed)
    }

    /// Writes beside its place and moves it there, so that what is there is whole.
    pub(crate) fn put(&self, digest: ComponentDigest, bytes: &Bytes) -> Result<(), Error> {
        if bytes.len() > limits::BLOB_BYTES_MAX {
            let message = format!("{} bytes are too many, at most {} are kept", bytes.len(), limits::BLOB_BYTES_MAX);
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let real = ComponentDigest::of(bytes);
        if real != digest {
            let message =
                format!("what came for `{digest}` has the digest `{real}`: it was changed on the way, try again");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        if self.has(digest) {
            return Ok(());
        }
        let beside = self.0.join(format!(".{digest}-{:?}", std::thread::current().id()));
        let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, self.path(digest)));
        written.map_err(|error| {
            // What cannot be removed either is written over by the next try.
            let _ = std::fs::remove_file(&beside);
            let message = format!("failed to keep `{digest}` in `{}`", self.0.display());
            Error::new(ErrorKind::OutOfDisk, message).caused_by(error)
        })
    }

    pub(crate) fn get(&self, digest: ComponentDigest) -> Result<Bytes, Error> {
        let bytes = std::fs::read(self.path(digest)).map_err(|error| {
            let message = format!("the head does not have `{digest}`: submit it again");
            Error::new(ErrorKind::System, message).caused_by(error)
        })?;
        if ComponentDigest::of(&bytes) != digest {
            // It comes again with the next submission.
            let _ = std::fs::remove_file(self.path(digest));
            let message = format!("`{digest}` was changed on the head's disk and is dropped: submit it again");
            return Err(Error::new(ErrorKind::System, message));
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_another_digest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path().to_owned()).unwrap();
        let error = blobs.put(ComponentDigest([1; 32]), &Bytes::from_static(b"x")).unwrap_err();
        assert!(error.message.contains("changed on the way"), "{error}");
    }

    #[test]
    fn what_no_job_names_goes_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path().to_owned()).unwrap();
        let [named, unnamed] = [b"x", b"y"].map(|bytes| {
            let digest = ComponentDigest::of(bytes);
            blobs.put(digest, &Bytes::from_static(bytes)).unwrap();
            digest
        });
        let sweep = |now| blobs.sweep(&HashSet::from([named.to_string()]), now).unwrap();
        assert_eq!(sweep(SystemTime::now()), 0);
        assert_eq!(sweep(SystemTime::now() + limits::BLOB_KEPT * 2), 1);
        assert_eq!((blobs.keeps(named), blobs.keeps(unnamed)), (true, false));
    }

    #[test]
    fn what_was_kept_comes_back_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path().to_owned()).unwrap();
        let digest = ComponentDigest::of(b"x");
        blobs.put(digest, &Bytes::from_static(b"x")).unwrap();
        assert_eq!(blobs.get(digest).unwrap(), Bytes::from_static(b"x"));
        std::fs::write(folder.path().join(digest.to_string()), b"y").unwrap();
        assert!(blobs.get(digest).unwrap_err().message.contains("submit it again"));
        assert!(!blobs.has(digest));
    }
}
