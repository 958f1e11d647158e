//! Sandboxes made ahead: while nobody waits, the used one of a task is taken down and a fresh one is made
//! for the next.
//!
//! ```text
//!  worker: take ─▶ call ─▶ result told ─▶ used sandbox ──▶ spare thread: drop it, make a fresh one ─┐
//!            ▲                                                                                     │
//!            └───────────────────────────── ready, never used ◀────────────────────────────────────┘
//! ```
//!
//! Isolation stays as it is: each sandbox runs one task. Only a worker that has nothing else to do hands
//! its used sandbox over; one with a queue takes it down and makes the next itself, because then all
//! cpus are busy with just that.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rayw_core::{Error, ErrorKind, JobId, limits};
use rayw_engine::{Caller, Engine, Instance, Sandbox};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::idle::IdleInstances;
use crate::job::JobRun;

/// Sandboxes that wait for one kind of task: as many as a few tasks at a time take.
const READY_PER_KIND_MAX: usize = 2;

/// Used sandboxes that wait for the spare thread; when it is behind, workers take theirs down themselves.
const SPENT_MAX: usize = 8;

/// Sandboxes that are ready, by the memory cap they have.
type Pool = IdleInstances<u64, Instance>;

/// A sandbox that has run its task.
pub(crate) struct Spent {
    pub(crate) instance: Instance,
    pub(crate) job: Arc<JobRun>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) memory_bytes_max: u64,
}

/// Gives ready sandboxes out, and has used ones replaced.
pub(crate) struct ReadyPool {
    pool: Arc<Pool>,
    spare: SyncSender<Spent>,
    /// Whether no more are made. Held while one is made, which needs the guests' runtime.
    has_ended: Arc<Mutex<bool>>,
}

impl ReadyPool {
    /// Starts the spare thread, which ends when this is dropped.
    ///
    /// # Errors
    /// `System` when there is no thread to be had.
    pub(crate) fn start(engine: Arc<Engine>, guests: Handle) -> Result<Self, Error> {
        let pool = Arc::new(Pool::default());
        let (spare, spent) = sync_channel(SPENT_MAX);
        let has_ended = Arc::<Mutex<bool>>::default();
        let (of_thread, is_over) = (Arc::clone(&pool), Arc::clone(&has_ended));
        std::thread::Builder::new()
            .name("rayw-spare".to_owned())
            .spawn(move || replace(&spent, &of_thread, &engine, &guests, &is_over))
            .map_err(|error| {
                Error::new(ErrorKind::System, "cannot start the thread that makes sandboxes ahead").caused_by(error)
            })?;
        Ok(Self { pool, spare, has_ended })
    }

    /// A sandbox that is ready.
    pub(crate) fn take(&self, job: JobId, memory_bytes_max: u64) -> Option<Instance> {
        self.pool.take(job, memory_bytes_max)
    }

    /// Has a used sandbox taken down and a fresh one made in its place. Takes it down here when the spare
    /// thread has too much to do.
    pub(crate) fn replace(&self, spent: Spent) {
        // What comes back is dropped, which is what was to be done.
        let _ = self.spare.try_send(spent);
    }

    /// Takes out what has waited too long.
    pub(crate) fn take_idle(&self) -> Vec<Instance> {
        self.pool.take_idle()
    }

    /// Takes out what was made for a job.
    pub(crate) fn take_job(&self, job: JobId) -> Vec<Instance> {
        self.pool.take_job(job)
    }

    /// Drops all. None is made afterwards: the guests' runtime may go.
    pub(crate) async fn end(&self) {
        // A start is over by then, unless the guests' threads are blocked and its time is not kept.
        if let Ok(mut has_ended) = tokio::time::timeout(limits::READY_START_MAX, self.has_ended.lock()).await {
            *has_ended = true;
        }
        drop(self.pool.take_all());
    }
}

/// The spare thread.
fn replace(spent: &Receiver<Spent>, pool: &Pool, engine: &Arc<Engine>, guests: &Handle, has_ended: &Mutex<bool>) {
    while let Ok(Spent { instance, job, caller, memory_bytes_max }) = spent.recv() {
        drop(instance);
        let of = caller.job;
        if pool.count(of, memory_bytes_max) >= READY_PER_KIND_MAX || engine.is_crowded() {
            continue;
        }
        let is_over = has_ended.blocking_lock();
        if *is_over {
            continue;
        }
        let sandbox = Sandbox { memory_bytes_max, grants: Arc::clone(&job.grants), args: Vec::new() };
        let starting = engine.start(&job.program, Arc::clone(&job.services), Arc::clone(&caller), &sandbox);
        // The next task makes its own then, and tells what is wrong. What takes its time in there must not
        // keep this thread from all others.
        let started = guests.block_on(async { tokio::time::timeout(limits::READY_START_MAX, starting).await });
        if let Ok(Ok(instance)) = started {
            job.services.take_in(&caller);
            pool.keep(of, memory_bytes_max, instance, READY_PER_KIND_MAX);
        }
    }
}
