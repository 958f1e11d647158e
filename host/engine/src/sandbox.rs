//! What a guest is given beside its code: memory, and by grants only, folders
//! and environment variables. Its network stays off.

use std::path::PathBuf;
use std::sync::Arc;

use rayw_core::{Error, ErrorKind};
use wasmtime_wasi::{FsPerms, WasiCtx};

use crate::Output;
use crate::output::{GuestOutput, SharedPrinter};

/// A folder of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirGrant {
    /// Where it is on the host.
    pub host: PathBuf,
    /// Where the guest sees it.
    pub guest: String,
    /// The guest may not change it.
    pub read_only: bool,
}

/// What a job was given by the person who started it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Folders.
    pub dirs: Vec<DirGrant>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
}

impl Grants {
    /// Checks that every folder can be opened.
    ///
    /// # Errors
    /// `InvalidArgument` naming the folder.
    pub fn check(&self) -> Result<(), Error> {
        for dir in &self.dirs {
            let unusable = |cause: String| {
                let message = format!("cannot give the folder `{}` as `{}`", dir.host.display(), dir.guest);
                Error::new(ErrorKind::InvalidArgument, message).caused_by(cause)
            };
            if dir.guest.is_empty() {
                return Err(unusable("the guest's name of it is empty".to_owned()));
            }
            let metadata = std::fs::metadata(&dir.host).map_err(|error| unusable(error.to_string()))?;
            if !metadata.is_dir() {
                return Err(unusable("it is a file, and only folders can be given".to_owned()));
            }
            std::fs::read_dir(&dir.host).map_err(|error| unusable(error.to_string()))?;
        }
        Ok(())
    }
}

/// What one instance may have.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// Bytes that all its memories and tables may take together.
    pub memory_bytes_max: u64,
    /// Folders and environment.
    pub grants: Arc<Grants>,
    /// Arguments, for a driver.
    pub args: Vec<String>,
}

/// The WASI side of a sandbox.
pub(crate) fn wasi(grants: &Grants, args: &[String], printer: &SharedPrinter) -> Result<WasiCtx, Error> {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(GuestOutput { printer: Arc::clone(printer), output: Output::Stdout })
        .stderr(GuestOutput { printer: Arc::clone(printer), output: Output::Stderr })
        .args(args)
        .envs(&grants.env);
    for dir in &grants.dirs {
        let perms = if dir.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        builder.preopened_dir(&dir.host, &dir.guest, perms).map_err(|error| {
            let message = format!("cannot give the folder `{}` as `{}`", dir.host.display(), dir.guest);
            Error::new(ErrorKind::System, message).caused_by(format!("{error:#}"))
        })?;
    }
    Ok(builder.build())
}
