//! Jobs: a place for the driver, and the end of all that a job started.

use std::sync::Arc;

use super::line::Who;
use super::spot::{Refusal, Wish};
use super::{DemandKind, Job, NodeLife, Outbox, Scheduler};
use crate::error::cut;
use crate::message::FromHead;
use crate::{
    ActorState, ComponentDigest, Error, ErrorKind, IdSet, JobFailure, JobId, JobSpec, JobState, Millis, NodeId, limits,
};

impl Job {
    fn new(spec: Arc<JobSpec>, now: Millis, since: u64) -> Self {
        Self {
            spec,
            state: JobState::Pending,
            spot: None,
            node: None,
            is_stopping: false,
            started: now,
            ended: None,
            exit_code: None,
            failure: None,
            message: String::new(),
            since,
            is_unseen: false,
        }
    }
}

impl Scheduler {
    /// A number that no job had before.
    pub fn next_job(&mut self) -> JobId {
        self.jobs_numbered += 1;
        self.is_touched = true;
        JobId::numbered(self.jobs_numbered)
    }

    /// The job of that id or submission id.
    #[must_use]
    pub fn job_id(&self, id: &str) -> Option<JobId> {
        let by_id = id.parse::<JobId>().ok().filter(|job| self.jobs.contains_key(job));
        by_id.or_else(|| {
            let mut named = self.jobs.values().filter(|job| !id.is_empty() && *job.spec.submission_id == *id);
            named.next().map(|job| job.spec.id)
        })
    }

    /// Jobs that are over.
    pub fn ended_jobs(&self) -> impl Iterator<Item = JobId> {
        self.ended_jobs.iter().copied()
    }

    /// The components and working directories of all jobs that are known.
    pub fn blobs(&self) -> impl Iterator<Item = ComponentDigest> {
        self.jobs.values().flat_map(|job| std::iter::once(job.spec.component).chain(job.spec.working_dir))
    }

    /// An actor of a job that lives; of one that is over only a detached one can. It is made again from the
    /// job's component, so the job must not be forgotten.
    fn living_actor_of(&self, job: JobId) -> Option<&super::Actor> {
        self.actors.values().find(|actor| actor.spec.creation.job == job && actor.state != ActorState::Dead)
    }

    /// Forgets a job that is over.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such job, when it is not over, or when a detached actor of it lives.
    pub fn forget_job(&mut self, id: JobId) -> Result<(), Error> {
        let Some(job) = self.jobs.get(&id) else { return Err(unknown_job(id)) };
        if job.ended.is_none() {
            let message = format!("job {id} is {}: stop it before it is deleted", job.state.name());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        if let Some(actor) = self.living_actor_of(id) {
            let (class, actor) = (&actor.spec.class, actor.spec.id);
            let message = format!(
                "the detached actor `{class}` of job {id} lives: end it with `rayw kill-actor {actor}` before the job is \
                 deleted"
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        self.jobs.remove(&id);
        self.ended_jobs.retain(|ended| *ended != id);
        Ok(())
    }

    pub(super) fn job_submitted(&mut self, spec: Arc<JobSpec>, now: Millis) {
        let id = spec.id;
        if self.jobs.contains_key(&id) {
            return;
        }
        let since = self.next_move();
        self.jobs.insert(id, Job::new(spec, now, since));
        self.demand(DemandKind::Driver(id), false);
    }

    /// Puts a job's driver on a node.
    pub(super) fn place_driver(&mut self, id: JobId, out: &mut Outbox) -> Result<bool, Refusal> {
        let Some(job) = self.jobs.get(&id).filter(|job| job.ended.is_none() && job.node.is_none()) else {
            return Ok(true);
        };
        let spec = Arc::clone(&job.spec);
        let head = self.nodes.iter().find(|node| node.at.is_head_node && node.life == NodeLife::Alive);
        // The head's node is there as long as the cluster is, so a driver that asks for nothing is safest there.
        let head = head.or(self.nodes.iter().find(|node| node.life == NodeLife::Alive)).map(|node| node.id);
        let near = head.filter(|_| spec.resources.is_empty());
        let wish = Wish {
            need: &spec.resources,
            footprint: &spec.resources,
            placement: &spec.placement,
            near,
            by: head.unwrap_or(NodeId([0; 16])),
        };
        let spot = self.find(&wish)?;
        self.take(spot, &spec.resources, 1);
        let node = self.nodes[spot.node].id;
        self.set_driver_spot(id, Some(spot));
        if let Some(job) = self.jobs.get_mut(&id) {
            job.node = Some(node);
            job.message.clear();
        }
        out.push((node, FromHead::DriverStart { spec }));
        Ok(true)
    }

    pub(super) fn job_started(&mut self, spec: Arc<JobSpec>, node: NodeId, now: Millis, out: &mut Outbox) {
        if self.is_dead(node) {
            return;
        }
        let id = spec.id;
        if !self.jobs.contains_key(&id) {
            let since = self.next_move();
            self.jobs.insert(id, Job::new(Arc::clone(&spec), now, since));
        }
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.ended.is_some() {
            // It was given up before its driver could say that it runs.
            return out.push((node, FromHead::DriverStop { job: id }));
        }
        if job.state == JobState::Pending {
            job.started = now;
        }
        job.state = JobState::Running;
        job.node = Some(node);
        job.is_unseen = false;
        if job.is_stopping {
            out.push((node, FromHead::DriverStop { job: id }));
        }
        let elsewhere = job.spot.filter(|spot| self.nodes[spot.node].id != node);
        if let Some(spot) = elsewhere {
            self.set_driver_spot(id, None);
            self.give(spot, &spec.resources, 1);
        }
        let holds_nothing = self.jobs.get(&id).is_some_and(|job| job.spot.is_none());
        self.demands.remove(&Who::Driver(id));
        self.settle_share(id);
        // It may not want its work to wait for ever.
        self.demands.wake_job(id);
        // A driver that was there before this head runs already: it takes what it holds, as far as it is free.
        if holds_nothing && let Some(index) = self.node_index(node) {
            let spot = super::Spot::on(index);
            if self.room(spot).fits(&spec.resources) > 0 {
                self.take(spot, &spec.resources, 1);
                self.set_driver_spot(id, Some(spot));
            }
        }
    }

    /// Ends a job that failed by no word of its driver's node.
    pub(super) fn fail_job(&mut self, id: JobId, failure: JobFailure, message: String, now: Millis, out: &mut Outbox) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.failure.get_or_insert(failure);
        }
        self.job_ended(id, JobState::Failed, None, message, now, out);
    }

    pub(super) fn job_ended(
        &mut self,
        id: JobId,
        state: JobState,
        exit_code: Option<u8>,
        mut message: String,
        now: Millis,
        out: &mut Outbox,
    ) {
        let since = self.next_move();
        if let Some(job) = self.jobs.get_mut(&id) {
            if job.ended.is_some() {
                return;
            }
            (job.since, job.is_unseen) = (since, false);
            // A job that failed before its driver ran could not be set up.
            let failure = if job.state == JobState::Pending { JobFailure::SetUp } else { JobFailure::Driver };
            job.state = if job.is_stopping { JobState::Stopped } else { state };
            job.failure = (job.state == JobState::Failed).then(|| job.failure.unwrap_or(failure));
            job.ended = Some(now);
            job.exit_code = exit_code;
            cut(&mut message, limits::ERROR_KEPT_BYTES_MAX);
            job.message = message;
            let held = Arc::clone(&job.spec.resources);
            if let Some(spot) = job.spot {
                self.set_driver_spot(id, None);
                self.give(spot, &held, 1);
            }
            self.ended_jobs.push_back(id);
            if self.ended_jobs.len() > limits::ENDED_JOBS_KEPT {
                let living = self.actors.values().filter(|actor| actor.state != ActorState::Dead);
                let living: IdSet<JobId> = living.map(|actor| actor.spec.creation.job).collect();
                let oldest = self.ended_jobs.iter().position(|job| !living.contains(job));
                if let Some(oldest) = oldest.and_then(|index| self.ended_jobs.remove(index)) {
                    self.jobs.remove(&oldest);
                }
            }
        }
        self.demands.remove(&Who::Driver(id));
        self.grants.forget_job(id);
        self.demands.remove_of_job(id, |demand| matches!(demand, DemandKind::Slots { .. }));
        self.end_actors_of(id, out);
        self.remove_groups_of(id, out);
        self.broadcast(&FromHead::JobEnded { job: id }, out);
    }

    pub(super) fn job_stop(&mut self, id: JobId, now: Millis, out: &mut Outbox) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.ended.is_none()) else { return };
        job.is_stopping = true;
        match job.node {
            Some(node) => out.push((node, FromHead::DriverStop { job: id })),
            None => {
                let message = "the job was stopped before its driver started".to_owned();
                self.job_ended(id, JobState::Stopped, None, message, now, out);
            }
        }
    }

    pub(super) fn job_wanted(&self, node: NodeId, id: JobId, out: &mut Outbox) {
        let job = self.jobs.get(&id);
        let is_over = job.is_some_and(|job| job.ended.is_some());
        let result = job.map(|job| Arc::clone(&job.spec)).ok_or_else(|| unknown_job(id));
        out.push((node, FromHead::JobFound { job: id, result, is_over }));
    }
}

fn unknown_job(id: JobId) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("there is no job {id}; `rayw list jobs` shows all"))
}
