//! Jobs that come from elsewhere: asked for once, their component and working directory fetched once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rayw_core::message::ToHead;
use rayw_core::{ComponentDigest, Error, ErrorKind, IdMap, JobId, JobSpec};
use rayw_engine::{DirGrant, Grants};
use tokio::sync::oneshot;

use super::JobRun;
use crate::Node;

type Asker = oneshot::Sender<Result<Arc<JobSpec>, Error>>;

/// Jobs that the head was asked for, and jobs that are being made ready.
#[derive(Debug, Default)]
pub(crate) struct JobArrivals {
    asked: Mutex<IdMap<JobId, Vec<Asker>>>,
    turns: Mutex<IdMap<JobId, Arc<tokio::sync::Mutex<()>>>>,
    /// Working directories are unpacked one after another: two jobs may bring the same one.
    unpacking: tokio::sync::Mutex<()>,
}

impl Node {
    /// The job, known or not: where this node meets it first, the head is asked.
    pub(crate) async fn job_here(self: &Arc<Self>, id: JobId) -> Result<Arc<JobRun>, Error> {
        if let Ok(job) = self.job(id) {
            return Ok(job);
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut asked = self.arrivals.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.entry(id).or_default().push(sender);
        }
        // Asked by each who waits: the question is small, and an answer that got lost with a head comes again.
        self.head.send(ToHead::JobWanted { node: self.id, job: id });
        self.head.flush();
        let spec = receiver
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::System, format!("nobody knows job {id} any more"))))?;
        self.arrive(spec).await
    }

    pub(crate) fn job_found(&self, id: JobId, result: Result<Arc<JobSpec>, Error>) {
        let askers = self.arrivals.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        for asker in askers.into_iter().flatten() {
            // Its task may be gone meanwhile.
            let _ = asker.send(result.clone());
        }
    }

    /// Questions that are open, for a head that is new.
    pub(crate) fn jobs_asked(&self) -> Vec<ToHead> {
        let asked = self.arrivals.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.keys().map(|job| ToHead::JobWanted { node: self.id, job: *job }).collect()
    }

    /// Makes a job ready to run here: its component, its working directory, what it is granted.
    pub(crate) async fn arrive(self: &Arc<Self>, spec: Arc<JobSpec>) -> Result<Arc<JobRun>, Error> {
        let id = spec.id;
        let turn = {
            let mut turns = self.arrivals.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(id).or_default())
        };
        let result = {
            let _turn = turn.lock().await;
            match self.job(id) {
                Ok(job) => Ok(job),
                Err(_) => self.prepare(spec).await,
            }
        };
        let mut turns = self.arrivals.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&turn) <= 2 {
            turns.remove(&id);
        }
        result
    }

    async fn prepare(self: &Arc<Self>, spec: Arc<JobSpec>) -> Result<Arc<JobRun>, Error> {
        let bytes = self.network.blob(spec.component).await?;
        let program = self.engine.load(bytes, &spec.entrypoint).await?;
        let mut dirs: Vec<DirGrant> = spec
            .dirs
            .iter()
            .map(|dir| DirGrant { host: PathBuf::from(&dir.host), guest: dir.guest.clone(), read_only: dir.read_only })
            .collect();
        if let Some(digest) = spec.working_dir {
            dirs.push(DirGrant { host: self.working_dir(digest).await?, guest: ".".to_owned(), read_only: true });
        }
        let grants = Grants { dirs, env: spec.env.clone() };
        grants.check()?;
        self.adopt(spec, program, grants)
    }

    /// The folder that holds an unpacked working directory; unpacked once for each digest.
    async fn working_dir(&self, digest: ComponentDigest) -> Result<PathBuf, Error> {
        let Some(root) = self.network.working_dirs() else {
            return Err(Error::new(ErrorKind::System, "this node has no place for working directories"));
        };
        let folder = root.join(digest.to_string());
        if folder.is_dir() {
            return Ok(folder);
        }
        let archive = self.network.blob(digest).await?;
        let _turn = self.arrivals.unpacking.lock().await;
        if folder.is_dir() {
            return Ok(folder);
        }
        let unpacked = folder.clone();
        let result = tokio::task::spawn_blocking(move || unpack(&archive, &unpacked)).await;
        result
            .map_err(|error| {
                Error::new(ErrorKind::System, "the working directory could not be unpacked").caused_by(error)
            })?
            .map_err(|error| {
                let message = format!("the working directory could not be unpacked to `{}`", folder.display());
                Error::new(ErrorKind::System, message).caused_by(error)
            })?;
        Ok(folder)
    }
}

/// Unpacks an archive beside its place and moves it there, so that a folder that is there is whole.
/// `tar` itself refuses names that lead out of the folder.
fn unpack(archive: &Bytes, folder: &Path) -> std::io::Result<()> {
    let parent = folder.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent)?;
    let beside = folder.with_extension(format!("part-{}", std::process::id()));
    tar::Archive::new(archive.as_ref()).unpack(&beside)?;
    match std::fs::rename(&beside, folder) {
        Ok(()) => Ok(()),
        // Somebody else was quicker.
        Err(_) if folder.is_dir() => std::fs::remove_dir_all(&beside),
        Err(error) => Err(error),
    }
}
