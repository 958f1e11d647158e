//! Jobs that come from elsewhere: asked for once, their component and working directory fetched once.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use rayw_core::message::ToHead;
use rayw_core::{ComponentDigest, Error, ErrorKind, IdMap, JobId, JobSpec, limits};
use rayw_engine::{DirGrant, Grants};
use tokio::sync::oneshot;

use super::JobRun;
use crate::Node;
use crate::turns::Turns;

/// Tells the unpackings of one process apart.
static UNPACKINGS: AtomicU64 = AtomicU64::new(0);

/// Whoever waits for a job, which may be over.
type Asker = oneshot::Sender<Result<(Arc<JobSpec>, bool), Error>>;

/// Jobs that the head was asked for, and jobs that are being made ready.
#[derive(Debug, Default)]
pub(crate) struct JobArrivals {
    asked: Mutex<IdMap<JobId, Vec<Asker>>>,
    turns: Turns<JobId, ()>,
    /// Working directories that jobs have. They are unpacked one after another: two jobs may bring the same one. Whatever
    /// works on the folders takes the lock along, as it goes on where nobody waits for it any more.
    unpacked: Arc<tokio::sync::Mutex<HashMap<ComponentDigest, Weak<WorkingDir>>>>,
}

/// The folder that a working directory is unpacked in. It stays for as long as somebody holds this.
#[derive(Debug)]
pub(crate) struct WorkingDir(PathBuf);

impl Node {
    /// The job, known or not: where this node meets it first, the head is asked.
    pub(crate) async fn job_here(self: &Arc<Self>, id: JobId) -> Result<Arc<JobRun>, Error> {
        self.job_within(id, None).await
    }

    /// The same, where the head is waited for only so long.
    async fn job_within(self: &Arc<Self>, id: JobId, patience: Option<Duration>) -> Result<Arc<JobRun>, Error> {
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
        let found = match patience {
            None => receiver.await,
            Some(patience) => tokio::time::timeout(patience, receiver).await.map_err(|_| {
                let why =
                    format!("job {id} is not known here, and the head did not answer within {patience:?}: try again");
                Error::new(ErrorKind::System, why)
            })?,
        };
        let (spec, is_over) =
            found.unwrap_or_else(|_| Err(Error::new(ErrorKind::System, format!("nobody knows job {id} any more"))))?;
        let job = self.arrive(spec).await?;
        // It may have ended while it came, when nobody here knew it.
        let is_over = is_over || self.lock().ownership.has_ended(id);
        job.is_over.fetch_or(is_over, Ordering::Relaxed);
        Ok(job)
    }

    /// The same for a guest that waits on its thread, because it asks for what is answered at once otherwise. Its thread
    /// must be one of several, where the other work of this one goes on meanwhile.
    ///
    /// # Errors
    /// Why the job cannot be had, or that this node is taken down.
    pub(crate) fn wait_for_job(self: &Arc<Self>, id: JobId) -> Result<Arc<JobRun>, Error> {
        // In a box: the guest's stack is no place for a future of this size.
        let coming = Box::pin(self.job_within(id, Some(limits::HEAD_RECONNECT_TIMEOUT)));
        let coming = self.ending.run_until_cancelled(coming);
        let came = tokio::task::block_in_place(|| self.control.block_on(coming));
        came.unwrap_or_else(|| {
            let message = format!("job {id} was not brought here, because this node shuts down: ask on another node");
            Err(Error::new(ErrorKind::System, message))
        })
    }

    pub(crate) fn job_found(&self, id: JobId, result: Result<Arc<JobSpec>, Error>, is_over: bool) {
        let askers = self.arrivals.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        for asker in askers.into_iter().flatten() {
            // Its task may be gone meanwhile.
            let _ = asker.send(result.clone().map(|spec| (spec, is_over)));
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
        let turn = self.arrivals.turns.of(id);
        let _turn = turn.take().await;
        match self.job(id) {
            Ok(job) => Ok(job),
            Err(_) => self.prepare(spec).await,
        }
    }

    async fn prepare(self: &Arc<Self>, spec: Arc<JobSpec>) -> Result<Arc<JobRun>, Error> {
        let bytes = self.network.blob(spec.component).await?;
        let program = self.engine.load(bytes, &spec.entrypoint).await?;
        let mut dirs: Vec<DirGrant> = spec
            .dirs
            .iter()
            .map(|dir| DirGrant { host: PathBuf::from(&dir.host), guest: dir.guest.clone(), read_only: dir.read_only })
            .collect();
        let working_dir = match spec.working_dir {
            Some(digest) => Some(self.working_dir(digest).await?),
            None => None,
        };
        if let Some(dir) = &working_dir {
            dirs.push(DirGrant { host: dir.0.clone(), guest: ".".to_owned(), read_only: true });
        }
        let grants = Grants { dirs, env: spec.env.clone() };
        grants.check()?;
        self.adopt(spec, program, grants, working_dir)
    }

    /// The folder that holds an unpacked working directory; unpacked once for each digest.
    async fn working_dir(&self, digest: ComponentDigest) -> Result<Arc<WorkingDir>, Error> {
        let Some(root) = self.network.working_dirs() else {
            return Err(Error::new(ErrorKind::System, "this node has no place for working directories"));
        };
        let folder = root.join(digest.to_string());
        let mut archive = None;
        let (mut unpacked, dir) = loop {
            let unpacked = Arc::clone(&self.arrivals.unpacked).lock_owned().await;
            if let Some(dir) = unpacked.get(&digest).and_then(Weak::upgrade) {
                return Ok(dir);
            }
            if archive.is_some() || folder.is_dir() {
                break (unpacked, Arc::new(WorkingDir(folder)));
            }
            // It may come from far; others have theirs meanwhile.
            drop(unpacked);
            archive = Some(self.network.blob(digest).await?);
        };
        if let Some(archive) = archive.filter(|_| !dir.0.is_dir()) {
            let folder = dir.0.clone();
            let unpacking = tokio::task::spawn_blocking(move || (unpack(&archive, &folder), unpacked));
            let (result, lock) = unpacking.await.map_err(|error| {
                Error::new(ErrorKind::System, "the working directory could not be unpacked").caused_by(error)
            })?;
            unpacked = lock;
            result.map_err(|error| {
                let message = format!("the working directory could not be unpacked to `{}`", dir.0.display());
                Error::new(ErrorKind::System, message).caused_by(error)
            })?;
        }
        unpacked.retain(|_, dir| dir.strong_count() > 0);
        unpacked.insert(digest, Arc::downgrade(&dir));
        let held: HashSet<String> = unpacked.keys().map(ToString::to_string).collect();
        // Under the lock: none of these is taken meanwhile.
        let sweeping = tokio::task::spawn_blocking(move || {
            let swept = sweep(&root, &held);
            drop(unpacked);
            swept
        });
        let swept = sweeping.await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "working directories of jobs that are over could not be removed");
        }
        Ok(dir)
    }
}

/// Removes the oldest folders that nobody holds, but for so many.
fn sweep(root: &Path, held: &HashSet<String>) -> std::io::Result<()> {
    let mut surplus = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name().to_str().is_none_or(|name| !held.contains(name)) {
            surplus.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    surplus.sort_unstable_by(|left, right| right.cmp(left));
    let mut result = Ok(());
    for (_, folder) in surplus.into_iter().skip(limits::WORKING_DIRS_KEPT) {
        // One that cannot be removed keeps none of the others.
        result = result.and(std::fs::remove_dir_all(folder));
    }
    result
}

/// Where something is unpacked that is to be that folder: another place each time, because one that was given up goes on.
/// What a process leaves there that was killed is swept like a folder that nobody holds.
fn part_of(folder: &Path) -> PathBuf {
    let number = UNPACKINGS.fetch_add(1, Ordering::Relaxed);
    folder.with_extension(format!("part-{}-{number}", std::process::id()))
}

/// Unpacks an archive beside its place and moves it there, so that a folder that is there is whole.
/// `tar` itself refuses names that lead out of the folder.
fn unpack(archive: &Bytes, folder: &Path) -> std::io::Result<()> {
    let parent = folder.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent)?;
    let beside = part_of(folder);
    if let Err(error) = tar::Archive::new(archive.as_ref()).unpack(&beside) {
        // A full disk, most likely: what is there of it must not stay.
        let _ = std::fs::remove_dir_all(&beside);
        return Err(error);
    }
    match std::fs::rename(&beside, folder) {
        Ok(()) => Ok(()),
        // Somebody else was quicker.
        Err(_) if folder.is_dir() => std::fs::remove_dir_all(&beside),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_folders_that_nobody_holds_go() {
        let root = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..limits::WORKING_DIRS_KEPT + 3).map(|number| format!("{number:02}")).collect();
        let start = std::time::SystemTime::UNIX_EPOCH;
        for (name, age) in names.iter().zip(1..) {
            let folder = root.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let made = start + std::time::Duration::from_secs(age);
            std::fs::File::open(&folder).unwrap().set_modified(made).unwrap();
        }
        sweep(root.path(), &HashSet::from([names[1].clone()])).unwrap();
        let left: Vec<bool> = names.iter().map(|name| root.path().join(name).is_dir()).collect();
        assert_eq!(left[..4], [false, true, false, true]);
        assert!(left[3..].iter().all(|is_left| *is_left), "{left:?}");
    }

    fn archive() -> Bytes {
        let mut archive = tar::Builder::new(Vec::new());
        for name in ["a", "b/c"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(4);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, "text".as_bytes()).unwrap();
        }
        archive.into_inner().unwrap().into()
    }

    #[test]
    fn two_that_unpack_the_same_do_not_meet() {
        let root = tempfile::tempdir().unwrap();
        let (folder, archive) = (root.path().join("digest"), archive());
        std::thread::scope(|scope| {
            let unpacking = [(); 4].map(|()| scope.spawn(|| unpack(&archive, &folder)));
            unpacking.into_iter().for_each(|one| one.join().unwrap().unwrap());
        });
        assert_eq!(std::fs::read_to_string(folder.join("b/c")).unwrap(), "text");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1, "what came second is not left behind");
    }

    #[test]
    fn what_was_left_half_unpacked_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("digest");
        let parts = [part_of(&folder), part_of(&folder)];
        assert_ne!(parts[0], parts[1]);
        let others: Vec<PathBuf> =
            (0..limits::WORKING_DIRS_KEPT).map(|number| root.path().join(number.to_string())).collect();
        for (path, age) in parts.iter().chain(&others).zip(1..) {
            std::fs::create_dir(path).unwrap();
            let made = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age);
            std::fs::File::open(path).unwrap().set_modified(made).unwrap();
        }
        sweep(root.path(), &HashSet::from(["digest".to_owned()])).unwrap();
        assert!(!parts.iter().any(|part| part.exists()) && others.iter().all(|other| other.exists()));
    }
}
