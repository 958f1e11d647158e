//! Instances that may serve again, because their function said so (`max_calls`).
//!
//! An instance waits only for the same function of the same job: nothing ever
//! leaks between jobs, and none is kept that failed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayw_core::{JobId, TaskSpec};
use rayw_engine::Instance;

/// Instances kept for one function; more than the slots of a node are never needed at once.
const IDLE_PER_FUNCTION_MAX: usize = 64;

/// How long an instance waits for another call. Ray's workers wait 1 s above their soft limit.
const IDLE: Duration = Duration::from_secs(1);

type Key = (JobId, Arc<str>, u64);

/// The instances that wait.
#[derive(Default)]
pub(crate) struct ReusePool {
    idle: Mutex<HashMap<Key, Vec<Waiting>>>,
}

/// An instance that serves more than once.
pub(crate) struct Reused {
    pub(crate) instance: Instance,
    /// Names it.
    pub(crate) worker: u64,
    /// How often it has served.
    pub(crate) calls: u32,
}

struct Waiting {
    reused: Reused,
    since: Instant,
}

impl ReusePool {
    /// An instance that has served this function before.
    pub(crate) fn take(&self, spec: &TaskSpec) -> Option<Reused> {
        if spec.max_calls == 1 {
            return None;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        Some(idle.get_mut(&key(spec))?.pop()?.reused)
    }

    /// Keeps an instance, if it may serve again.
    pub(crate) fn keep(&self, spec: &TaskSpec, reused: Reused) {
        let may_serve = spec.max_calls == 0 || reused.calls < spec.max_calls;
        if !may_serve || !reused.instance.is_usable() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.entry(key(spec)).or_default();
        if waiting.len() < IDLE_PER_FUNCTION_MAX {
            waiting.push(Waiting { reused, since: Instant::now() });
        }
    }

    /// Drops what has waited too long.
    pub(crate) fn drop_idle(&self) {
        self.drop_where(|_, waiting| waiting.since.elapsed() > IDLE);
    }

    /// Drops what a job left behind.
    pub(crate) fn drop_job(&self, job: JobId) {
        self.drop_where(|(of, _, _), _| *of == job);
    }

    /// Drops all.
    pub(crate) fn clear(&self) {
        self.drop_where(|_, _| true);
    }

    fn drop_where(&self, goes: impl Fn(&Key, &Waiting) -> bool) {
        let mut dropped = Vec::new();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, waiting) in idle.iter_mut() {
            let (gone, kept) = std::mem::take(waiting).into_iter().partition(|waiting| goes(key, waiting));
            *waiting = kept;
            let gone: Vec<Waiting> = gone;
            dropped.extend(gone);
        }
        idle.retain(|_, waiting| !waiting.is_empty());
        // An instance's drop gives references back, which takes other locks.
        drop(idle);
        drop(dropped);
    }
}

fn key(spec: &TaskSpec) -> Key {
    (spec.job, Arc::clone(&spec.function), spec.memory_cap())
}
