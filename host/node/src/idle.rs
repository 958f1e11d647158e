//! Instances that wait for work, each for one job and one kind of call, and not for long.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayw_core::JobId;

/// How long an instance waits: waiting only pays while calls follow each other. Ray's workers wait 1 s above
/// their soft limit, too.
const IDLE: Duration = Duration::from_secs(1);

/// Instances of type `T` that wait, by their job and the kind of call they are good for.
///
/// An instance is never given to another job than the one it waits for.
pub(crate) struct IdleInstances<K, T> {
    waiting: Mutex<Waiting<K, T>>,
}

type Waiting<K, T> = HashMap<(JobId, K), Vec<Waiter<T>>>;

struct Waiter<T> {
    instance: T,
    since: Instant,
}

impl<K, T> Default for IdleInstances<K, T> {
    fn default() -> Self {
        Self { waiting: Mutex::default() }
    }
}

impl<K: Hash + Eq, T> IdleInstances<K, T> {
    /// The one that has waited least: its memory is the warmest.
    pub(crate) fn take(&self, job: JobId, kind: K) -> Option<T> {
        Some(self.lock().get_mut(&(job, kind))?.pop()?.instance)
    }

    /// Keeps an instance, unless so many of its kind wait already; then it is dropped.
    pub(crate) fn keep(&self, job: JobId, kind: K, instance: T, most: usize) {
        let mut all = self.lock();
        let waiting = all.entry((job, kind)).or_default();
        let surplus = if waiting.len() < most {
            waiting.push(Waiter { instance, since: Instant::now() });
            None
        } else {
            Some(instance)
        };
        drop(all);
        drop(surplus);
    }

    /// How many of this kind wait.
    pub(crate) fn count(&self, job: JobId, kind: K) -> usize {
        self.lock().get(&(job, kind)).map_or(0, Vec::len)
    }

    /// Takes out those that have waited too long.
    pub(crate) fn take_idle(&self) -> Vec<T> {
        self.take_where(|_, since| since.elapsed() > IDLE)
    }

    /// Takes out those that wait for a job.
    pub(crate) fn take_job(&self, job: JobId) -> Vec<T> {
        self.take_where(|of, _| of == job)
    }

    /// Takes all out.
    pub(crate) fn take_all(&self) -> Vec<T> {
        self.take_where(|_, _| true)
    }

    /// Not dropped here: taking an instance down takes its time, and gives references back, which takes other
    /// locks.
    fn take_where(&self, goes: impl Fn(JobId, Instant) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        let mut all = self.lock();
        for ((job, _), waiting) in all.iter_mut() {
            let going = waiting.extract_if(.., |waiter| goes(*job, waiter.since));
            taken.extend(going.map(|waiter| waiter.instance));
        }
        all.retain(|_, waiting| !waiting.is_empty());
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<K, T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u32) -> JobId {
        JobId::numbered(number)
    }

    #[test]
    fn an_instance_serves_its_job_and_kind_only_and_the_last_one_goes_first() {
        let idle = IdleInstances::default();
        idle.keep(job(1), "a", 10, 2);
        idle.keep(job(1), "a", 11, 2);
        assert_eq!((idle.take(job(2), "a"), idle.take(job(1), "b")), (None, None));
        assert_eq!(
            (idle.take(job(1), "a"), idle.take(job(1), "a"), idle.take(job(1), "a")),
            (Some(11), Some(10), None)
        );
    }

    #[test]
    fn no_more_wait_than_are_allowed_and_none_for_a_job_that_is_gone() {
        let idle = IdleInstances::default();
        (0..3).for_each(|number| idle.keep(job(1), (), number, 2));
        idle.keep(job(2), (), 9, 2);
        assert_eq!(idle.count(job(1), ()), 2);
        idle.take_job(job(1));
        assert_eq!((idle.count(job(1), ()), idle.count(job(2), ())), (0, 1));
        idle.take_all();
        assert_eq!(idle.take(job(2), ()), None);
    }
}
