//! What one job may have at the head that outlives its tasks: each of these is kept in memory and in the journal, for
//! all jobs together.

use super::Scheduler;
use crate::{ActorSpec, Error, ErrorKind, GroupSpec, IdMap, JobId, limits};

/// How many of something each job has.
#[derive(Debug, Default)]
pub(super) struct Tally(IdMap<JobId, usize>);

impl Tally {
    pub(super) fn of(&self, job: JobId) -> usize {
        self.0.get(&job).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, job: JobId, count: usize) {
        *self.0.entry(job).or_default() += count;
    }

    pub(super) fn remove(&mut self, job: JobId, count: usize) {
        let left = self.of(job).saturating_sub(count);
        if left == 0 {
            self.0.remove(&job);
        } else {
            self.0.insert(job, left);
        }
    }

    /// All jobs that have any.
    pub(super) fn jobs(&self) -> impl Iterator<Item = (JobId, usize)> {
        self.0.iter().map(|(job, count)| (*job, *count))
    }
}

impl Scheduler {
    /// Why a job may have no further placement group like this.
    pub(super) fn too_many_bundles(&self, spec: &GroupSpec) -> Option<Error> {
        let (has, most) = (self.bundles_of.of(spec.job), limits::BUNDLES_OF_JOB_MAX);
        (has + spec.bundles.len() > most).then(|| {
            let message = format!(
                "job {} has {has} bundles in its placement groups, at most {most} are allowed: remove some of them first",
                spec.job
            );
            Error::new(ErrorKind::LimitExceeded, message)
        })
    }

    /// Why a job may have no further detached actor.
    pub(super) fn too_many_detached(&self, spec: &ActorSpec) -> Option<Error> {
        let (job, most) = (spec.creation.job, limits::DETACHED_OF_JOB_MAX);
        (spec.detached && self.detached_of.of(job) >= most).then(|| {
            let message =
                format!("job {job} has {most} detached actors, as many as are allowed: kill some of them first");
            Error::new(ErrorKind::LimitExceeded, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_has_nothing_is_forgotten() {
        let (job, other) = (JobId::numbered(1), JobId::numbered(2));
        let mut tally = Tally::default();
        tally.add(job, 3);
        tally.add(other, 1);
        tally.remove(job, 2);
        assert_eq!((tally.of(job), tally.of(other)), (1, 1));
        tally.remove(job, 1);
        assert_eq!(tally.jobs().collect::<Vec<_>>(), [(other, 1)]);
    }
}
