//! The machine made again from its records, as it was when they were written.

use std::sync::Arc;

use super::record::{ActorRecord, GroupRecord, JobRecord, LifeRecord, NodeRecord, Place, Record};
use super::{Actor, Bundle, DemandKind, FewActors, Group, Job, Node, NodeLife, Outbox, Scheduler, Spot};
use crate::{ActorState, GroupState, IdMap, Millis, NodeId};

/// Of the head's epoch only so many bits are in the numbers of leases.
const EPOCH_BITS: u32 = 24;

const MILLIS_PER_MINUTE: Millis = 60_000;

impl Scheduler {
    /// The machine that wrote these records, as far as it is durable. Nodes that were there are away until
    /// they report. [`Scheduler::begin`] is to follow.
    #[must_use]
    pub fn restore(records: impl IntoIterator<Item = Record>) -> Self {
        let mut head = Self::default();
        let (mut nodes, mut groups, mut actors, mut jobs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for record in records {
            match record {
                Record::Head(record) => {
                    (head.epoch, head.jobs_numbered, head.has_memory) = (record.epoch, record.jobs_numbered, true);
                }
                Record::Node(node) => nodes.push(node),
                Record::Job(job) => jobs.push(job),
                Record::Group(group) => groups.push(group),
                Record::Actor(actor) => actors.push(*actor),
            }
        }
        // What was taken from a node can only be taken again when the node is there, and what was taken
        // from a bundle when its group is.
        let indices = head.restore_nodes(nodes);
        let mut waiting = Vec::new();
        groups.into_iter().for_each(|group| head.restore_group(group, &indices, &mut waiting));
        jobs.into_iter().for_each(|job| head.restore_job(job, &indices, &mut waiting));
        actors.into_iter().for_each(|actor| head.restore_actor(actor, &indices, &mut waiting));
        head.restore_orders();
        waiting.sort_by_key(|(since, _)| *since);
        waiting.into_iter().for_each(|(_, kind)| head.demand(kind, false));
        head
    }

    /// Begins a new life of the head: what changes from now on is to be journalled, leases get numbers
    /// that no earlier life gave out, and what lived in the head's own process is over. To be called once,
    /// before the first message.
    pub fn begin(&mut self, now: Millis, out: &mut Outbox) {
        self.is_journalled = true;
        self.is_touched = true;
        self.actors.journal();
        self.jobs.journal();
        self.groups.journal();
        // By the clock too, so that a head whose journal was thrown away gives out no number twice.
        let minutes = u32::try_from((now / MILLIS_PER_MINUTE) % (1 << EPOCH_BITS)).unwrap_or(0);
        self.epoch = (self.epoch + 1).max(minutes);
        self.begin_grace(now);
        let own: Vec<NodeId> =
            self.nodes.iter().filter(|node| node.at.is_head_node && !node.is_dead()).map(|node| node.id).collect();
        for id in own {
            self.lose_node(id, "it was in the process of the head, which was started again", now, out);
        }
    }

    fn restore_nodes(&mut self, mut records: Vec<NodeRecord>) -> IdMap<NodeId, usize> {
        let mut indices = IdMap::default();
        // Living ones in the order in which they came, as they were listed before.
        records.sort_by_key(|record| (record.died, record.about.as_ref().map(|about| about.joined), record.id));
        for NodeRecord { id, died, about } in records {
            if let Some(since) = died {
                self.dead_nodes.push_back((id, since));
                self.dead_node_ids.insert(id);
                self.moves = self.moves.max(since);
            }
            let Some(about) = about else { continue };
            let life = match about.life {
                LifeRecord::Alive => NodeLife::Away { has_joined: false, draining: None },
                LifeRecord::Draining { why, deadline } => {
                    NodeLife::Away { has_joined: false, draining: Some((why, deadline)) }
                }
                LifeRecord::Dead { why } => NodeLife::Dead { why, has_left: false },
                LifeRecord::Left { why } => NodeLife::Dead { why, has_left: true },
            };
            let is_dead = matches!(life, NodeLife::Dead { .. });
            self.away += usize::from(!is_dead);
            let node = Node {
                id,
                at: about.at,
                labels: about.labels,
                available: about.total.clone(),
                coming: crate::Resources::default(),
                has_grown: false,
                total: about.total,
                joined: about.joined,
                died: about.ended,
                life: life.clone(),
                store_bytes: 0,
                store_bytes_max: 0,
            };
            self.nodes.insert(node);
            if let Some(index) = self.nodes.index(id) {
                self.nodes.set_life(index, life);
                indices.insert(id, index);
            }
        }
        indices
    }

    fn restore_group(
        &mut self,
        record: GroupRecord,
        indices: &IdMap<NodeId, usize>,
        waiting: &mut Vec<(u64, DemandKind)>,
    ) {
        let GroupRecord { spec, state, bundles, why, since } = record;
        let id = spec.id;
        let places = spec.bundles.iter().zip(bundles).map(|(reserved, node)| {
            let node = *indices.get(&node?)?;
            Some(Bundle { node, available: reserved.resources.clone() })
        });
        let bundles: Vec<Option<Bundle>> = places.collect();
        for bundle in bundles.iter().flatten() {
            self.nodes.take(bundle.node, &bundle.available, 1);
        }
        if state != GroupState::Removed {
            self.bundles_of.add(spec.job, spec.bundles.len());
        }
        if let (Some(name), true) = (&spec.name, state != GroupState::Removed) {
            self.group_names.insert((Arc::clone(&spec.namespace), Arc::clone(name)), id);
        }
        if matches!(state, GroupState::Pending | GroupState::Rescheduling) {
            waiting.push((since, DemandKind::Group(id)));
        }
        self.moves = self.moves.max(since);
        let group = Group { spec, state, bundles, watchers: Vec::new(), why, since, is_feasible: None };
        self.groups.insert(id, group);
    }

    fn spot_of(&self, place: Option<Place>, indices: &IdMap<NodeId, usize>) -> Option<Spot> {
        let place = place?;
        let spot = Spot { node: *indices.get(&place.node)?, bundle: place.bundle };
        (!self.nodes[spot.node].is_dead()).then_some(spot)
    }

    fn restore_job(&mut self, record: JobRecord, indices: &IdMap<NodeId, usize>, waiting: &mut Vec<(u64, DemandKind)>) {
        let JobRecord { spec, state, place, node, is_stopping, started, ended, exit_code, failure, message, since } =
            record;
        let id = spec.id;
        let spot = self.spot_of(place, indices);
        if let Some(spot) = spot {
            self.take(spot, &spec.resources, 1);
        }
        if ended.is_none() && node.is_none() {
            waiting.push((since, DemandKind::Driver(id)));
        }
        let is_unseen = ended.is_none() && node.is_some();
        self.moves = self.moves.max(since);
        let job = Job {
            spec,
            state,
            spot: None,
            node,
            is_stopping,
            started,
            ended,
            exit_code,
            failure,
            message,
            since,
            is_unseen,
        };
        self.jobs.insert(id, job);
        self.set_driver_spot(id, spot);
    }

    fn restore_actor(
        &mut self,
        record: ActorRecord,
        indices: &IdMap<NodeId, usize>,
        waiting: &mut Vec<(u64, DemandKind)>,
    ) {
        let ActorRecord { spec, owner, state, place, incarnation, preempted, inputs, doomed, cause, since } = record;
        let id = spec.id;
        let spot = self.spot_of(place, indices);
        if let Some(spot) = spot {
            self.take(spot, &spec.lifetime, 1);
        }
        let is_dead = state == ActorState::Dead;
        if spec.detached && !is_dead {
            self.detached_of.add(spec.creation.job, 1);
        }
        // The name of one that is to end is free already.
        if let (Some(name), false) = (&spec.name, is_dead || doomed.is_some()) {
            self.names.insert((Arc::clone(&spec.namespace), Arc::clone(name)), id);
        }
        if matches!(state, ActorState::PendingCreation | ActorState::Restarting) && spot.is_none() {
            waiting.push((since, DemandKind::Actor(id)));
        }
        self.moves = self.moves.max(since);
        let actor = Actor {
            spec,
            owner,
            few: FewActors::boxed(Vec::new(), inputs),
            is_reported: false,
            state,
            spot: None,
            incarnation,
            preempted,
            doomed: doomed.map(Box::new),
            cause,
            since,
            is_unseen: spot.is_some(),
            is_unclaimed: !is_dead,
        };
        self.actors.insert(id, actor);
        self.set_actor_spot(id, spot);
    }

    /// Who is forgotten first.
    fn restore_orders(&mut self) {
        let mut ended: Vec<_> =
            self.jobs.iter().filter(|(_, job)| job.ended.is_some()).map(|(id, job)| (job.since, *id)).collect();
        ended.sort_unstable();
        self.ended_jobs = ended.into_iter().map(|(_, id)| id).collect();
        let dead = self.actors.iter().filter(|(_, actor)| actor.state == ActorState::Dead);
        let mut dead: Vec<_> = dead.map(|(id, actor)| (actor.since, *id)).collect();
        dead.sort_unstable();
        self.dead_actors = dead.into_iter().map(|(_, id)| id).collect();
        let removed = self.groups.iter().filter(|(_, group)| group.state == GroupState::Removed);
        let mut removed: Vec<_> = removed.map(|(id, group)| (group.since, *id)).collect();
        removed.sort_unstable();
        self.removed_groups = removed.into_iter().map(|(_, id)| id).collect();
    }
}
