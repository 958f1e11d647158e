//! Fairness between jobs: who has least, for its weight, goes first.

use super::{Demand, Scheduler};
use crate::{ActorState, Amount, IdMap, JobId, limits};

impl Demand {
    /// Somebody later was served first. One round of service counts once, however much it gave away.
    pub(super) fn count_passed(&mut self) {
        if !self.is_counted {
            self.is_counted = true;
            self.passed += 1;
        }
    }
}

impl Scheduler {
    /// Puts the demands of the job that holds the least cpu for its weight first; those of one job keep
    /// their order, and one that was passed too often stays ahead. Whether several jobs wait.
    pub(super) fn order_by_share(&mut self) -> bool {
        let jobs: Vec<Option<JobId>> = self.demands.iter().map(|demand| self.job_of(&demand.kind)).collect();
        if jobs.windows(2).all(|pair| pair[0] == pair[1]) {
            return false;
        }
        let held = self.held_by_jobs();
        let share = |job: Option<JobId>| {
            let weight = job.and_then(|job| self.jobs.get(&job)).map_or(1, |job| job.spec.weight.max(1));
            let held = job.and_then(|job| held.get(&job)).copied().unwrap_or(0);
            held.saturating_mul(1_000) / u64::from(weight)
        };
        let mut keyed: Vec<((bool, u64), Demand)> = Vec::with_capacity(jobs.len());
        let shares: Vec<u64> = jobs.into_iter().map(share).collect();
        for (share, demand) in shares.into_iter().zip(self.demands.drain(..)) {
            keyed.push(((demand.passed < limits::DEMAND_PASSED_MAX, share), demand));
        }
        keyed.sort_by_key(|(key, _)| *key);
        self.demands.extend(keyed.into_iter().map(|(_, demand)| demand));
        true
    }

    /// The cpu that each job holds.
    fn held_by_jobs(&self) -> IdMap<JobId, u64> {
        let mut held: IdMap<JobId, u64> = IdMap::default();
        let mut add = |job: JobId, cpu: Amount, times: u32| {
            let sum = held.entry(job).or_default();
            *sum = sum.saturating_add(cpu.0.saturating_mul(u64::from(times)));
        };
        for lease in self.leases.values() {
            add(lease.shape.job, lease.shape.resources.cpu, lease.slots);
        }
        for actor in self.actors.values().filter(|actor| actor.state != ActorState::Dead && actor.spot.is_some()) {
            add(actor.spec.creation.job, actor.spec.lifetime.cpu, 1);
        }
        for job in self.jobs.values().filter(|job| job.spot.is_some()) {
            add(job.spec.id, job.spec.resources.cpu, 1);
        }
        held
    }
}
