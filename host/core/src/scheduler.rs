//! The head's machine: who may run what where, and which actors, jobs and groups there are.
//!
//! It knows nodes and what they have, leases, actors, names, jobs and placement
//! groups. It does not know single tasks or objects: its load grows with leases
//! and nodes.
//!
//! Demands (leases wanted, actors, drivers and groups to be placed) stand in one
//! line. The first that fits is served; one that was served in part goes to the
//! end, so shapes take turns; one that was passed
//! [`DEMAND_PASSED_MAX`](crate::limits::DEMAND_PASSED_MAX) times holds up those behind it that could take
//! what it lacks, so large shapes do not starve (`held`).
//!
//! A decision costs about the same with ten nodes and with ten thousand, and with one shape that
//! waits or a thousand: `places` and `rooms` find a node without looking at all, `line` knows whom
//! something that became free could help, `holdings` finds leases by owner, node and size.
//!
//! What must outlive the head is a set of [`Record`]s: [`Scheduler::take_changes`] says which of them
//! changed, and [`Scheduler::restore`] makes the machine again from them.

mod actors;
mod audit;
mod bundles;
#[cfg(test)]
mod cluster_tests;
mod drain;
mod durable;
mod fair;
mod grants;
#[cfg(test)]
mod group_laws;
mod group_rooms;
#[cfg(test)]
mod group_tests;
mod groups;
mod held;
#[cfg(test)]
mod held_tests;
mod holdings;
#[cfg(test)]
mod index_tests;
mod jobs;
mod lease;
mod line;
mod nodes;
mod placement;
mod places;
mod promises;
mod quota;
mod reclaim;
mod record;
mod rejoin;
#[cfg(test)]
mod rejoin_tests;
mod report;
mod reserve;
mod restore;
mod resume;
mod rooms;
#[cfg(test)]
mod row_tests;
mod rows;
mod serve;
mod spot;
mod status;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::{FromHead, NodeAddress, Shape, ToHead};
use crate::{
    ActorId, ActorSpec, ActorState, Error, GroupId, GroupSpec, GroupState, IdMap, IdSet, JobFailure, JobId, JobSpec,
    JobState, Labels, LeaseId, Millis, NodeId, Resources, Value,
};

pub use bundles::{BundleNode, plan};
use durable::Durable;
use grants::Grants;
use holdings::Leases;
use line::Line;
pub use placement::{NodeLoad, place};
use places::Places;
pub use promises::Promises;
pub use record::{Change, Key, Record};
use resume::Resumes;
use spot::Spot;

/// Messages that the machine wants sent, in order.
pub type Outbox = Vec<(NodeId, FromHead)>;

/// The head's machine.
#[derive(Debug, Default)]
pub struct Scheduler {
    nodes: Places,
    /// Ids of nodes that died, in the order of their death, by its move: none of them lives again.
    dead_nodes: VecDeque<(NodeId, u64)>,
    dead_node_ids: IdSet<NodeId>,
    leases: Leases,
    leases_made: u64,
    grants: Grants,
    demands: Line,
    /// Blocked tasks that could go on; served before all demands.
    resumes: Resumes,
    /// Where in the outbox it was said last that a lease has more slots.
    granted: IdMap<LeaseId, usize>,
    /// The state of the nodes when the line was served last; see [`Places::generation`].
    served_generation: u64,
    actors: Durable<ActorId, Actor>,
    /// Actors that have a place, by its node.
    actors_on: BTreeMap<usize, BTreeSet<ActorId>>,
    /// The cpu of each job's actors and driver, in ten-thousandths.
    cpu_beside_leases: IdMap<JobId, u64>,
    /// Who watches actors that their owners have yet to register.
    early_watchers: IdMap<ActorId, (NodeId, Vec<NodeId>)>,
    /// Dead actors in the order of their death, to forget the oldest.
    dead_actors: VecDeque<ActorId>,
    names: HashMap<(Arc<str>, Arc<str>), ActorId>,
    jobs: Durable<JobId, Job>,
    /// Numbers given to jobs so far.
    jobs_numbered: u32,
    /// Jobs that are over in the order of their ends, to forget the oldest.
    ended_jobs: VecDeque<JobId>,
    groups: Durable<GroupId, Group>,
    group_names: HashMap<(Arc<str>, Arc<str>), GroupId>,
    /// Removed groups in the order of their ends, to forget the oldest.
    removed_groups: VecDeque<GroupId>,
    /// Bundles of the groups that each job has.
    bundles_of: quota::Tally,
    /// Detached actors that each job has made and that live.
    detached_of: quota::Tally,
    /// Which start of the head this is; 0 for one that never was before.
    epoch: u32,
    /// Until when what others have yet to report is waited for.
    grace_until: Option<Millis>,
    /// Messages that speak of it, in order.
    early: Vec<ToHead>,
    /// Whether what was missing at its end was given up.
    is_grace_over: bool,
    /// Nodes that the journal knows and that have yet to report.
    away: usize,
    /// Nodes that others speak to and that this head has never seen.
    rumoured: BTreeSet<NodeId>,
    /// Whether it was made again from the journal of an earlier life.
    has_memory: bool,
    /// Whether somebody takes what changes.
    is_journalled: bool,
    /// Nodes whose records changed.
    nodes_touched: BTreeSet<NodeId>,
    /// Whether the record of the head itself changed.
    is_touched: bool,
    /// Counts what is to be told apart by its order after a restart: who waits for how long, who ended first.
    moves: u64,
    /// The leases whose reports are among them.
    early_leases: IdSet<LeaseId>,
    /// What is free where there is nothing.
    nothing: Resources,
    /// Where the next piece of work goes that is to be spread.
    spread_next: usize,
}

#[derive(Debug)]
struct Node {
    id: NodeId,
    at: NodeAddress,
    labels: Labels,
    total: Resources,
    available: Resources,
    /// What is asked back of leases, beside that.
    coming: Resources,
    /// Whether it has more room than when the line was served last.
    has_grown: bool,
    joined: Millis,
    died: Option<Millis>,
    life: NodeLife,
    store_bytes: u64,
    store_bytes_max: u64,
}

/// ```text
/// Alive → Draining → Dead
///   ↑ ↗                ↑
/// Away ────────────────┘
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
enum NodeLife {
    Alive,
    /// The head's journal knows it, and it has yet to say what it holds.
    Away {
        /// Whether it speaks already.
        has_joined: bool,
        /// Why it drains and until when, if it does.
        draining: Option<(String, Option<Millis>)>,
    },
    /// It takes no new work.
    Draining {
        why: String,
        /// When it leaves all the same.
        deadline: Option<Millis>,
        /// Whether it was told that it may go when nobody would miss what it keeps.
        may_leave: bool,
        /// Whether it was told to go at once.
        must_leave: bool,
    },
    Dead {
        why: String,
        /// Whether it was let go before: nothing failed.
        has_left: bool,
    },
}

#[derive(Debug)]
struct Lease {
    owner: NodeId,
    shape: Shape,
    spot: Spot,
    slots: u32,
    /// Blocked tasks that kept all but their cpus.
    parked: u32,
    /// Parked tasks whose ends were told after slots had been sent for them.
    ended_early: u32,
    /// Slots asked back and not yet returned.
    reclaiming: u32,
    granted_at: Millis,
}

#[derive(Debug)]
struct Demand {
    kind: DemandKind,
}

#[derive(Debug, Clone, PartialEq)]
enum DemandKind {
    Slots { owner: NodeId, shape: Shape, backlog: u32 },
    Actor(ActorId),
    Driver(JobId),
    Group(GroupId),
}

#[derive(Debug)]
struct Actor {
    spec: Arc<ActorSpec>,
    owner: NodeId,
    /// In a box, because there may be many actors that have none of it.
    few: Option<Box<FewActors>>,
    /// Whether its owner registered it in a report: it may live already.
    is_reported: bool,
    state: ActorState,
    /// Where it lives, from its placement on.
    spot: Option<Spot>,
    incarnation: u32,
    /// Restarts that its node's drain was the reason for: they count for nothing.
    preempted: u32,
    /// It must not be restarted any more.
    doomed: Option<Box<Doom>>,
    cause: Option<Error>,
    /// The move by which it came into its state.
    since: u64,
    /// The journal says where it lives, and that node has yet to say so.
    is_unseen: bool,
    /// The journal says who owns it, and that node has yet to say so.
    is_unclaimed: bool,
}

/// What few actors have.
#[derive(Debug, Default)]
struct FewActors {
    /// Nodes that refer to the actor, beside its owner.
    watchers: Vec<NodeId>,
    /// Its constructor's arguments, for a detached one.
    inputs: Option<Vec<Value>>,
}

impl Actor {
    fn watchers(&self) -> &[NodeId] {
        self.few.as_ref().map_or(&[], |few| &few.watchers)
    }

    fn inputs(&self) -> Option<&Vec<Value>> {
        self.few.as_ref()?.inputs.as_ref()
    }
}

impl FewActors {
    /// A box where there is something to keep.
    fn boxed(watchers: Vec<NodeId>, inputs: Option<Vec<Value>>) -> Option<Box<Self>> {
        (!watchers.is_empty() || inputs.is_some()).then(|| Box::new(Self { watchers, inputs }))
    }
}

/// Why an actor has to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Doom {
    reason: Error,
    /// Whether the calls that it has run first.
    is_graceful: bool,
}

#[derive(Debug)]
struct Job {
    spec: Arc<JobSpec>,
    state: JobState,
    /// What its driver holds, from its placement on.
    spot: Option<Spot>,
    /// Where its driver runs or ran.
    node: Option<NodeId>,
    /// Somebody wants it stopped.
    is_stopping: bool,
    started: Millis,
    ended: Option<Millis>,
    exit_code: Option<u8>,
    /// What failed, once it did.
    failure: Option<JobFailure>,
    message: String,
    /// The move by which it came into its state.
    since: u64,
    /// The journal says where its driver is, and that node has yet to say so.
    is_unseen: bool,
}

#[derive(Debug)]
struct Group {
    spec: Arc<GroupSpec>,
    state: GroupState,
    /// As many as the specification has, as far as they have a node.
    bundles: Vec<Option<Bundle>>,
    watchers: Vec<NodeId>,
    /// Why it is not created.
    why: String,
    /// The move by which it came into its state.
    since: u64,
    /// Whether the nodes could hold it if nothing else ran there, for a state of the nodes.
    is_feasible: Option<(u64, bool)>,
}

/// What a group reserves on a node.
#[derive(Debug)]
struct Bundle {
    node: usize,
    available: Resources,
}

impl Scheduler {
    /// Takes what a node said.
    pub fn handle(&mut self, message: ToHead, now: Millis, out: &mut Outbox) {
        self.begin_grace(now);
        self.end_grace(now, out);
        if self.is_early(&message, now) {
            self.keep_early(message);
            return;
        }
        let explains =
            matches!(message, ToHead::NodeJoined { .. } | ToHead::ActorRegister { .. } | ToHead::ReportEnded { .. });
        self.apply(message, now, out);
        if explains && !self.early.is_empty() {
            self.take_early(now, out);
        }
        self.serve(now, out);
    }

    fn apply(&mut self, message: ToHead, now: Millis, out: &mut Outbox) {
        match message {
            ToHead::NodeJoined { node, at, total, labels } => self.node_joined(node, at, total, labels, now, out),
            ToHead::NodeLost { node, why } => self.lose_node(node, &why, now, out),
            ToHead::NodeDrain { node, why, deadline_ms } => self.node_drain(node, why, deadline_ms, now, out),
            ToHead::NodeUsage { node, store_bytes, store_bytes_max } => {
                self.node_usage(node, store_bytes, store_bytes_max);
            }
            ToHead::ShapeOver { owner, shape } => {
                self.grants.forget(owner, &shape);
                self.demands.remove(&line::Who::Slots(owner, shape));
            }
            ToHead::LeaseWanted { owner, shape, backlog, granted } => {
                self.lease_wanted(owner, shape, backlog, granted);
            }
            ToHead::SlotsReturned { lease, slots, parked } => self.slots_returned(lease, slots, parked),
            ToHead::SlotsResumeWanted { lease, slots } => self.resume_wanted(lease, slots),
            ToHead::ParkedEnded { lease, parked } => self.parked_ended(lease, parked),
            ToHead::ResumedInVain { lease, slots } => self.resumed_in_vain(lease, slots),
            ToHead::ActorRegister { owner, request, spec, get_if_exists } => {
                self.actor_register(owner, request, spec, get_if_exists, out);
            }
            ToHead::ActorDependenciesReady { actor, inputs, failed } => {
                self.actor_dependencies(actor, inputs, failed, out);
            }
            ToHead::ActorWatch { node, actor, owner } => self.actor_watch(node, actor, owner, out),
            ToHead::ActorLookup { owner, request, name, namespace } => {
                self.actor_lookup(owner, request, &name, &namespace, out);
            }
            ToHead::ActorReady { actor, incarnation } => self.actor_ready(actor, incarnation, out),
            ToHead::ActorEnded { actor, incarnation, end } => self.actor_ended(actor, incarnation, end, out),
            ToHead::ActorReleased { actor, reason } => self.stop_actor(actor, true, reason, false, out),
            ToHead::ActorKill { actor, no_restart } => self.actor_kill(actor, no_restart, out),
            ToHead::JobSubmitted { spec } => self.job_submitted(spec, now),
            ToHead::JobStarted { spec, node } => self.job_started(spec, node, now, out),
            ToHead::JobEnded { job, state, exit_code, message } => {
                self.job_ended(job, state, exit_code, message, now, out);
            }
            ToHead::JobStop { job } => self.job_stop(job, now, out),
            ToHead::JobWanted { node, job } => self.job_wanted(node, job, out),
            ToHead::GroupCreate { owner, request, spec } => self.group_create(owner, request, spec, out),
            ToHead::GroupLookup { owner, request, name, namespace } => {
                self.group_lookup(owner, request, &name, &namespace, out);
            }
            ToHead::GroupDescribe { owner, request, group } => self.group_describe(owner, request, group, out),
            ToHead::GroupWatch { node, group } => self.group_watch(node, group, out),
            ToHead::GroupRemove { group } => self.group_remove(group, "it was removed", out),
            ToHead::LeaseHeld { lease, owner, shape, node, bundle, slots, parked } => {
                self.lease_held(lease, owner, shape, (node, bundle), slots, parked, now, out);
            }
            ToHead::ActorLives { actor, incarnation, node, is_ready } => {
                self.actor_lives(actor, incarnation, node, is_ready, out);
            }
            ToHead::PeersKnown { node, peers } => self.peers_known(node, peers, now, out),
            ToHead::JobsKnown { node, jobs } => self.jobs_known(node, &jobs, out),
            ToHead::ReportEnded { node } => self.report_ended(node, now, out),
            // What guests print goes past this machine.
            ToHead::Printed { .. } => {}
        }
    }

    /// Looks again at what waits. To be called every [`LEASE_QUANTUM`](crate::limits::LEASE_QUANTUM) while [`Self::is_waiting`].
    pub fn tick(&mut self, now: Millis, out: &mut Outbox) {
        self.end_grace(now, out);
        if !self.early.is_empty() {
            self.take_early(now, out);
        }
        self.resumes.look_at_all();
        self.demands.ask_all();
        self.explain_again(now, out);
        self.serve(now, out);
    }

    /// Whether something waits that time can change.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.demands.is_empty()
            || !self.resumes.is_empty()
            || !self.early.is_empty()
            || self.awaits_nodes()
            || self.awaits_deadline()
    }
}
