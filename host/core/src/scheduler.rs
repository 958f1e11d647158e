//! The head's machine: who may run what where, and which actors live.
//!
//! It knows nodes and what they have, leases, actors, names and jobs. It does
//! not know single tasks or objects: its load grows with leases and nodes.
//!
//! Demands (leases wanted, actors to be placed) stand in one line. The first
//! that fits is served; one that was served in part goes to the end, so shapes
//! take turns; one that was passed [`DEMAND_PASSED_MAX`](crate::limits::DEMAND_PASSED_MAX) times holds up
//! those behind it, so large shapes do not starve.

mod actors;
mod lease;
mod placement;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::message::{FromHead, Shape, ToHead};
use crate::{
    ActorId, ActorSpec, ActorState, Error, IdMap, JobId, JobSpec, JobState, LeaseId, Millis, NodeId, Resources,
};

pub use placement::{NodeLoad, place};

/// Messages that the machine wants sent, in order.
pub type Outbox = Vec<(NodeId, FromHead)>;

/// The head's machine.
#[derive(Debug, Default)]
pub struct Scheduler {
    nodes: Vec<Node>,
    leases: HashMap<LeaseId, Lease>,
    leases_made: u64,
    demands: VecDeque<Demand>,
    /// Leases whose blocked tasks want to go on, with how many; served before all demands.
    resumes: VecDeque<(LeaseId, u32)>,
    actors: IdMap<ActorId, Actor>,
    /// Dead actors in the order of their death, to forget the oldest.
    dead_actors: VecDeque<ActorId>,
    names: HashMap<(Arc<str>, Arc<str>), ActorId>,
    jobs: IdMap<JobId, Job>,
}

#[derive(Debug)]
struct Node {
    id: NodeId,
    name: String,
    total: Resources,
    available: Resources,
    joined: Millis,
}

#[derive(Debug)]
struct Lease {
    owner: NodeId,
    shape: Shape,
    node: usize,
    slots: u32,
    /// Blocked tasks that kept all but their cpus.
    parked: u32,
    /// Slots asked back and not yet returned.
    reclaiming: u32,
    granted_at: Millis,
}

#[derive(Debug)]
struct Demand {
    kind: DemandKind,
    /// How often a later one was served first.
    passed: u32,
    why: String,
}

#[derive(Debug)]
enum DemandKind {
    Slots { owner: NodeId, shape: Shape, backlog: u32 },
    Actor(ActorId),
}

#[derive(Debug)]
struct Actor {
    spec: Arc<ActorSpec>,
    owner: NodeId,
    state: ActorState,
    /// Where it lives, from its placement on.
    node: Option<usize>,
    incarnation: u32,
    /// It must not be restarted any more.
    doomed: Option<Error>,
    cause: Option<Error>,
}

#[derive(Debug)]
struct Job {
    spec: Arc<JobSpec>,
    state: JobState,
    started: Millis,
    ended: Option<Millis>,
}

impl Scheduler {
    /// Takes what a node said.
    pub fn handle(&mut self, message: ToHead, now: Millis, out: &mut Outbox) {
        match message {
            ToHead::NodeJoined { node, at, total, .. } => self.node_joined(node, at.name, total, now),
            ToHead::LeaseWanted { owner, shape, backlog } => self.lease_wanted(owner, shape, backlog),
            ToHead::SlotsReturned { lease, slots, parked } => self.slots_returned(lease, slots, parked),
            ToHead::SlotsResumeWanted { lease, slots } => self.resumes.push_back((lease, slots)),
            ToHead::ParkedEnded { lease, parked } => self.parked_ended(lease, parked),
            ToHead::ActorRegister { owner, request, spec, get_if_exists } => {
                self.actor_register(owner, request, spec, get_if_exists, out);
            }
            ToHead::ActorDependenciesReady { actor, failed, .. } => self.actor_dependencies(actor, failed, out),
            ToHead::ActorLookup { owner, request, name, namespace } => {
                self.actor_lookup(owner, request, &name, &namespace, out);
            }
            ToHead::ActorReady { actor, incarnation } => self.actor_ready(actor, incarnation, out),
            ToHead::ActorEnded { actor, incarnation, end } => self.actor_ended(actor, incarnation, end, out),
            ToHead::ActorReleased { actor, reason } => self.stop_actor(actor, true, reason, false, out),
            ToHead::ActorKill { actor, no_restart } => self.actor_kill(actor, no_restart, out),
            ToHead::JobStarted { spec, .. } => self.job_started(spec, now),
            ToHead::JobEnded { job, state, .. } => self.job_ended(job, state, now, out),
            _ => {}
        }
        self.serve(now, out);
    }

    /// Looks again at what waits. To be called every [`LEASE_QUANTUM`](crate::limits::LEASE_QUANTUM) while [`Self::is_waiting`].
    pub fn tick(&mut self, now: Millis, out: &mut Outbox) {
        self.serve(now, out);
    }

    /// Whether something waits that time can change.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.demands.is_empty() || !self.resumes.is_empty()
    }

    fn node_joined(&mut self, node: NodeId, name: String, total: Resources, now: Millis) {
        if self.nodes.iter().all(|known| known.id != node) {
            let available = total.clone();
            self.nodes.push(Node { id: node, name, total, available, joined: now });
        }
    }

    fn job_started(&mut self, spec: Arc<JobSpec>, now: Millis) {
        self.jobs.insert(spec.id, Job { spec, state: JobState::Running, started: now, ended: None });
    }

    fn job_ended(&mut self, job: JobId, state: JobState, now: Millis, out: &mut Outbox) {
        if let Some(known) = self.jobs.get_mut(&job) {
            known.state = state;
            known.ended = Some(now);
        }
        self.demands.retain(|demand| match &demand.kind {
            DemandKind::Slots { shape, .. } => shape.job != job,
            DemandKind::Actor(_) => true,
        });
        self.end_actors_of(job, out);
    }
}
