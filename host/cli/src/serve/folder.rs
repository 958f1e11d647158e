//! The folder of a process of a cluster: nobody else's as long as it lives.

use std::fs::{File, TryLockError};
use std::path::Path;

use rayw_core::{Error, ErrorKind};

/// The file that is locked. The system lets go of the lock however the process ends.
const LOCK: &str = "lock";

/// Makes the folder and takes it.
pub(super) fn take(folder: &Path) -> Result<File, Error> {
    let fail = |cause: std::io::Error| {
        let message = format!("failed to use the folder `{}`: name another one with `--dir`", folder.display());
        Error::new(ErrorKind::OutOfDisk, message).caused_by(cause)
    };
    std::fs::create_dir_all(folder).map_err(fail)?;
    let file = File::create(folder.join(LOCK)).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
