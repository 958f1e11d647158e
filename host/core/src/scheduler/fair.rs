//! Fairness between jobs: who has least, for its weight, goes first.

use super::line::Share;
use super::{Scheduler, Spot};
use crate::{ActorId, JobId};

impl Scheduler {
    /// The cpu that a job holds, for its weight.
    pub(super) fn share(&self, job: JobId) -> Share {
        let weight = self.jobs.get(&job).map_or(1, |job| job.spec.weight.max(1));
        let beside = self.cpu_beside_leases.get(&job).copied().unwrap_or(0);
        (Share::from(self.leases.cpu_of(job)) + Share::from(beside)) * 1_000 / Share::from(weight)
    }

    /// Has the line know what a job holds now. To be called when that has changed, or the job's weight.
    pub(super) fn settle_share(&mut self, job: JobId) {
        self.demands.set_share(job, self.share(job));
    }

    /// Counts what an actor or a driver of a job holds beside the leases.
    fn count_beside(&mut self, job: JobId, cpu: u64, is_taken: bool) {
        let held = self.cpu_beside_leases.entry(job).or_default();
        *held = if is_taken { held.saturating_add(cpu) } else { held.saturating_sub(cpu) };
        if *held == 0 {
            self.cpu_beside_leases.remove(&job);
        }
        self.settle_share(job);
    }

    /// Says where an actor is; what it takes there is taken by the caller.
    pub(super) fn set_actor_spot(&mut self, id: ActorId, spot: Option<Spot>) {
        let Some(actor) = self.actors.get_mut(&id) else { return };
        let (job, cpu) = (actor.spec.creation.job, actor.spec.lifetime.cpu.0);
        if let Some(before) = std::mem::replace(&mut actor.spot, spot) {
            if let Some(here) = self.actors_on.get_mut(&before.node) {
                here.remove(&id);
                if here.is_empty() {
                    self.actors_on.remove(&before.node);
                }
            }
            self.count_beside(job, cpu, false);
        }
        if let Some(after) = spot {
            self.actors_on.entry(after.node).or_default().insert(id);
            self.count_beside(job, cpu, true);
        }
    }

    /// Says what a job's driver holds; it is taken by the caller.
    pub(super) fn set_driver_spot(&mut self, id: JobId, spot: Option<Spot>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let cpu = job.spec.resources.cpu.0;
        if std::mem::replace(&mut job.spot, spot).is_some() {
            self.count_beside(id, cpu, false);
        }
        if spot.is_some() {
            self.count_beside(id, cpu, true);
        }
    }
}
