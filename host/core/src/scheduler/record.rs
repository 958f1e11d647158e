//! What outlives the head: one record for each thing that must be known after a restart.
//!
//! Durable are the head itself (its epoch, how many jobs it has numbered),
//! nodes (the dead ones too: none may come back), jobs, actors, groups, and
//! with them names, submission ids, restarts, and where everything is. Not
//! durable are leases, demands, watchers and what is free: nodes report them,
//! or they follow from the rest.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Actor, Doom, Group, Job, Node, NodeLife, Scheduler, Spot};
use crate::message::NodeAddress;
use crate::{
    ActorId, ActorSpec, ActorState, Error, GroupId, GroupSpec, GroupState, JobFailure, JobId, JobSpec, JobState,
    Labels, Millis, NodeId, Resources, Value,
};

/// What a record is about. A new record takes the place of the former one of the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// The head itself.
    Head,
    /// A node.
    Node(NodeId),
    /// A job.
    Job(JobId),
    /// A group.
    Group(GroupId),
    /// An actor.
    Actor(ActorId),
}

/// What must be known of one thing after a restart. Only the scheduler reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The head itself.
    Head(HeadRecord),
    /// A node.
    Node(NodeRecord),
    /// A job.
    Job(JobRecord),
    /// A group.
    Group(GroupRecord),
    /// An actor.
    Actor(Box<ActorRecord>),
}

/// A record to be kept, or to be dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it is about.
    pub key: Key,
    /// The record; `None` when nothing of it must be known any more.
    pub record: Option<Record>,
}

impl Record {
    /// What it is about.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Head(_) => Key::Head,
            Self::Node(node) => Key::Node(node.id),
            Self::Job(job) => Key::Job(job.spec.id),
            Self::Group(group) => Key::Group(group.spec.id),
            Self::Actor(actor) => Key::Actor(actor.spec.id),
        }
    }
}

/// Of the head itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadRecord {
    pub(super) epoch: u32,
    pub(super) jobs_numbered: u32,
}

/// Of a node; of one that died long ago only that it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    pub(super) id: NodeId,
    /// Its place in the order of deaths, if it died.
    pub(super) died: Option<u64>,
    pub(super) about: Option<NodeAbout>,
}

/// What is listed of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct NodeAbout {
    pub(super) at: NodeAddress,
    pub(super) labels: Labels,
    pub(super) total: Resources,
    pub(super) joined: Millis,
    pub(super) ended: Option<Millis>,
    pub(super) life: LifeRecord,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum LifeRecord {
    Alive,
    Draining {
        why: String,
        deadline: Option<Millis>,
    },
    Dead {
        why: String,
    },
    /// Dead because it was let go.
    Left {
        why: String,
    },
}

/// Where resources were taken from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) node: NodeId,
    pub(super) bundle: Option<(GroupId, u32)>,
}

/// Of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    pub(super) spec: Arc<JobSpec>,
    pub(super) state: JobState,
    pub(super) place: Option<Place>,
    pub(super) node: Option<NodeId>,
    pub(super) is_stopping: bool,
    pub(super) started: Millis,
    pub(super) ended: Option<Millis>,
    pub(super) exit_code: Option<u8>,
    pub(super) failure: Option<JobFailure>,
    /// Only of one that is over: before, it says why the job waits, which is found out again.
    pub(super) message: String,
    pub(super) since: u64,
}

/// Of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRecord {
    pub(super) spec: Arc<GroupSpec>,
    pub(super) state: GroupState,
    pub(super) bundles: Vec<Option<NodeId>>,
    /// Only of one that is removed.
    pub(super) why: String,
    pub(super) since: u64,
}

/// Of an actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorRecord {
    pub(super) spec: Arc<ActorSpec>,
    pub(super) owner: NodeId,
    pub(super) state: ActorState,
    pub(super) place: Option<Place>,
    pub(super) incarnation: u32,
    pub(super) preempted: u32,
    pub(super) inputs: Option<Vec<Value>>,
    pub(super) doomed: Option<Doom>,
    pub(super) cause: Option<Error>,
    pub(super) since: u64,
}

impl Scheduler {
    /// The records that changed since this was last asked; those of things that are forgotten are to be
    /// dropped. Nothing before [`Scheduler::begin`].
    pub fn take_changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        if !self.is_journalled {
            return changes;
        }
        let mut add = |key: Key, record: Option<Record>| changes.push(Change { key, record });
        if std::mem::take(&mut self.is_touched) {
            add(Key::Head, Some(self.head_record()));
        }
        for id in std::mem::take(&mut self.nodes_touched) {
            add(Key::Node(id), self.node_record(id));
        }
        for id in self.jobs.take_touched() {
            add(Key::Job(id), self.jobs.get(&id).map(|job| self.job_record(job)));
        }
        for id in self.groups.take_touched() {
            add(Key::Group(id), self.groups.get(&id).map(|group| self.group_record(group)));
        }
        for id in self.actors.take_touched() {
            add(Key::Actor(id), self.actors.get(&id).map(|actor| self.actor_record(actor)));
        }
        changes
    }

    /// All records, in the order of their keys.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let mut records = vec![self.head_record()];
        let listed = self.nodes.iter().map(|node| node.id).filter(|id| !self.is_dead(*id));
        records.extend(listed.chain(self.dead_nodes.iter().map(|(id, _)| *id)).filter_map(|id| self.node_record(id)));
        records.extend(self.jobs.values().map(|job| self.job_record(job)));
        records.extend(self.groups.values().map(|group| self.group_record(group)));
        records.extend(self.actors.values().map(|actor| self.actor_record(actor)));
        records.sort_by_key(Record::key);
        records
    }

    pub(super) fn touch_node(&mut self, id: NodeId) {
        if self.is_journalled {
            self.nodes_touched.insert(id);
        }
    }

    /// The next number in the order of what happens.
    pub(super) fn next_move(&mut self) -> u64 {
        self.moves += 1;
        self.moves
    }

    fn head_record(&self) -> Record {
        Record::Head(HeadRecord { epoch: self.epoch, jobs_numbered: self.jobs_numbered })
    }

    fn node_record(&self, id: NodeId) -> Option<Record> {
        let node = self.nodes.iter().find(|node| node.id == id);
        let died = self.dead_nodes.iter().rev().find(|(dead, _)| *dead == id).map(|(_, since)| *since);
        if died.is_none() && node.is_none_or(Node::is_dead) {
            return None;
        }
        let about = node.map(|node| NodeAbout {
            at: node.at.clone(),
            labels: node.labels.clone(),
            total: node.total.clone(),
            joined: node.joined,
            ended: node.died,
            life: life_record(&node.life),
        });
        Some(Record::Node(NodeRecord { id, died, about }))
    }

    fn place(&self, spot: Option<Spot>) -> Option<Place> {
        spot.map(|spot| Place { node: self.nodes[spot.node].id, bundle: spot.bundle })
    }

    fn job_record(&self, job: &Job) -> Record {
        Record::Job(JobRecord {
            spec: Arc::clone(&job.spec),
            state: job.state,
            place: self.place(job.spot),
            node: job.node,
            is_stopping: job.is_stopping,
            started: job.started,
            ended: job.ended,
            exit_code: job.exit_code,
            failure: job.failure,
            message: if job.ended.is_some() { job.message.clone() } else { String::new() },
            since: job.since,
        })
    }

    fn group_record(&self, group: &Group) -> Record {
        let bundles = group.bundles.iter().map(|bundle| bundle.as_ref().map(|bundle| self.nodes[bundle.node].id));
        Record::Group(GroupRecord {
            spec: Arc::clone(&group.spec),
            state: group.state,
            bundles: bundles.collect(),
            why: if group.state == GroupState::Removed { group.why.clone() } else { String::new() },
            since: group.since,
        })
    }

    fn actor_record(&self, actor: &Actor) -> Record {
        Record::Actor(Box::new(ActorRecord {
            spec: Arc::clone(&actor.spec),
            owner: actor.owner,
            state: actor.state,
            place: self.place(actor.spot),
            incarnation: actor.incarnation,
            preempted: actor.preempted,
            inputs: actor.inputs().cloned(),
            doomed: actor.doomed.as_deref().cloned(),
            cause: actor.cause.clone(),
            since: actor.since,
        }))
    }
}

fn life_record(life: &NodeLife) -> LifeRecord {
    let draining =
        |why: &String, deadline: &Option<Millis>| LifeRecord::Draining { why: why.clone(), deadline: *deadline };
    match life {
        NodeLife::Alive | NodeLife::Away { draining: None, .. } => LifeRecord::Alive,
        NodeLife::Away { draining: Some((why, deadline)), .. } | NodeLife::Draining { why, deadline, .. } => {
            draining(why, deadline)
        }
        NodeLife::Dead { why, has_left: false } => LifeRecord::Dead { why: why.clone() },
        NodeLife::Dead { why, has_left: true } => LifeRecord::Left { why: why.clone() },
    }
}
