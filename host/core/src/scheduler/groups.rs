//! Placement groups: bundles that are reserved together, and what runs in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::line::Who;
use super::spot::Spot;
use super::{DemandKind, Group, Outbox, Scheduler};
use crate::message::{FromHead, RequestId};
use crate::{
    ActorId, ActorState, Error, ErrorKind, GroupId, GroupSpec, GroupState, GroupStatus, JobId, LeaseId, NodeId, TaskId,
    limits,
};

impl Group {
    fn status(&self, head: &Scheduler) -> GroupStatus {
        GroupStatus { spec: Arc::clone(&self.spec), state: self.state, nodes: self.nodes(head), why: self.why.clone() }
    }

    fn nodes(&self, head: &Scheduler) -> Vec<Option<NodeId>> {
        self.bundles.iter().map(|bundle| bundle.as_ref().map(|bundle| head.nodes[bundle.node].id)).collect()
    }
}

impl Scheduler {
    pub(super) fn group_create(&mut self, owner: NodeId, request: RequestId, spec: Arc<GroupSpec>, out: &mut Outbox) {
        if self.is_dead(owner) {
            return;
        }
        let result = self.register_group(spec);
        out.push((owner, FromHead::GroupFound { request, result }));
    }

    fn register_group(&mut self, spec: Arc<GroupSpec>) -> Result<GroupStatus, Error> {
        let id = spec.id;
        if let Some(known) = self.groups.get(&id) {
            return Ok(known.status(self));
        }
        spec.check()?;
        // Nothing removes it later: its job has ended before this was heard.
        let is_job_over = self.jobs.get(&spec.job).is_some_and(|job| job.ended.is_some());
        if is_job_over && !spec.detached && !self.outlives_its_job(&spec) {
            return Err(Error::group_removed(id, ITS_JOB_ENDED));
        }
        if let Some(error) = self.too_many_bundles(&spec) {
            return Err(error);
        }
        if let Some(name) = &spec.name {
            let key = (Arc::clone(&spec.namespace), Arc::clone(name));
            if self.group_names.contains_key(&key) {
                let message = format!(
                    "a placement group named `{name}` exists in namespace `{}`: take another name, or remove that one",
                    spec.namespace
                );
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
            self.group_names.insert(key, id);
        }
        self.bundles_of.add(spec.job, spec.bundles.len());
        let bundles = spec.bundles.iter().map(|_| None).collect();
        let group = Group {
            spec,
            state: GroupState::Pending,
            bundles,
            watchers: Vec::new(),
            why: String::new(),
            since: self.next_move(),
            is_feasible: None,
        };
        let status = group.status(self);
        self.groups.insert(id, group);
        self.demand(DemandKind::Group(id), false);
        Ok(status)
    }

    pub(super) fn group_lookup(
        &self,
        owner: NodeId,
        request: RequestId,
        name: &str,
        namespace: &str,
        out: &mut Outbox,
    ) {
        let key = (Arc::from(namespace), Arc::from(name));
        let found = self.group_names.get(&key).and_then(|id| self.groups.get(id));
        let result = found.map(|group| group.status(self)).ok_or_else(|| {
            let message = format!("no placement group named `{name}` in namespace `{namespace}`: create one first");
            Error::new(ErrorKind::InvalidArgument, message)
        });
        out.push((owner, FromHead::GroupFound { request, result }));
    }

    pub(super) fn group_describe(&self, owner: NodeId, request: RequestId, id: GroupId, out: &mut Outbox) {
        let result = self.groups.get(&id).map(|group| group.status(self)).ok_or_else(|| self.removed(id));
        out.push((owner, FromHead::GroupFound { request, result }));
    }

    pub(super) fn group_watch(&mut self, node: NodeId, id: GroupId, out: &mut Outbox) {
        if self.is_dead(node) {
            return;
        }
        let message = match self.groups.passing(&id) {
            Some(group) => {
                if group.state != GroupState::Removed && !group.watchers.contains(&node) {
                    group.watchers.push(node);
                }
                self.group_change(id)
            }
            None => None,
        };
        let gone = || FromHead::GroupChanged {
            group: id,
            state: GroupState::Removed,
            nodes: Vec::new(),
            why: NO_SUCH_GROUP.to_owned(),
        };
        out.push((node, message.unwrap_or_else(gone)));
    }

    fn group_change(&self, id: GroupId) -> Option<FromHead> {
        let group = self.groups.get(&id)?;
        Some(FromHead::GroupChanged { group: id, state: group.state, nodes: group.nodes(self), why: group.why.clone() })
    }

    pub(super) fn tell_group(&self, id: GroupId, out: &mut Outbox) {
        let (Some(group), Some(change)) = (self.groups.get(&id), self.group_change(id)) else { return };
        out.extend(group.watchers.iter().map(|node| (*node, change.clone())));
    }

    pub(super) fn tell_group_why(&mut self, id: GroupId, why: String, out: &mut Outbox) {
        if let Some(group) = self.groups.passing(&id) {
            group.why = why;
            self.tell_group(id, out);
        }
    }

    /// Ends a group, and all that runs in it. Harmless when it is gone.
    pub(super) fn group_remove(&mut self, id: GroupId, why: &str, out: &mut Outbox) {
        let Some(group) = self.groups.get(&id).filter(|group| group.state != GroupState::Removed) else { return };
        if let Some(name) = &group.spec.name {
            self.group_names.remove(&(Arc::clone(&group.spec.namespace), Arc::clone(name)));
        }
        self.bundles_of.remove(group.spec.job, group.spec.bundles.len());
        let nodes: BTreeSet<usize> = group.bundles.iter().flatten().map(|bundle| bundle.node).collect();
        let since = self.next_move();
        if let Some(group) = self.groups.get_mut(&id) {
            group.since = since;
            group.state = GroupState::Removed;
            group.why = why.to_owned();
        }
        let removed = Error::group_removed(id, why);
        let is_in = |spot: Spot| spot.bundle.is_some_and(|(group, _)| group == id);
        let leases = nodes.iter().flat_map(|node| self.leases.on_node(*node));
        let within = |lease: &LeaseId| self.leases.get(lease).is_some_and(|lease| is_in(lease.spot));
        let over: BTreeSet<LeaseId> = leases.filter(within).collect();
        let dropped: Vec<_> = over.into_iter().filter_map(|id| Some((id, self.drop_lease(id)?))).collect();
        let mut told = Vec::new();
        for (lease, known) in dropped {
            out.push((known.owner, FromHead::LeaseRevoked { lease, error: removed.clone() }));
            // What waits for the shape would wait for ever: nobody asks for it while it has a lease.
            if !told.contains(&(known.owner, known.shape.clone())) {
                out.push((known.owner, FromHead::ShapeFailed { shape: known.shape.clone(), error: removed.clone() }));
                told.push((known.owner, known.shape));
            }
        }
        let actors = nodes.iter().filter_map(|node| self.actors_on.get(node)).flatten();
        let within: BTreeSet<ActorId> =
            actors.filter(|id| self.actors.get(id).and_then(|actor| actor.spot).is_some_and(is_in)).copied().collect();
        for actor in within {
            self.stop_actor(actor, false, removed.clone(), false, out);
        }
        self.demands.remove(&Who::Group(id));
        self.release_bundles(id);
        self.tell_group(id, out);
        // Demands that name the group are refused when the line is served next.
        self.wake_group(id);
        if let Some(group) = self.groups.passing(&id) {
            group.watchers.clear();
        }
        self.removed_groups.push_back(id);
        if self.removed_groups.len() > limits::REMOVED_GROUPS_KEPT
            && let Some(oldest) = self.removed_groups.pop_front()
        {
            self.groups.remove(&oldest);
        }
    }

    pub(super) fn removed(&self, id: GroupId) -> Error {
        Error::group_removed(id, self.groups.get(&id).map_or(NO_SUCH_GROUP, |group| &group.why))
    }

    fn release_bundles(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        for (bundle, reserved) in group.bundles.iter_mut().zip(&group.spec.bundles) {
            if let Some(bundle) = bundle.take() {
                self.nodes.give(bundle.node, &reserved.resources, 1);
            }
        }
    }

    /// Groups live as long as the job that created them, unless they are detached or a detached actor did.
    pub(super) fn remove_groups_of(&mut self, job: JobId, out: &mut Outbox) {
        self.remove_groups(out, ITS_JOB_ENDED, |head, group| group.job == job && !head.outlives_its_job(group));
    }

    /// Whether a detached actor created it, with which it goes.
    fn outlives_its_job(&self, group: &GroupSpec) -> bool {
        let creator = self.actors.get(&actor_of(group.creator));
        creator.is_some_and(|actor| actor.spec.detached && actor.state != ActorState::Dead)
    }

    /// What a detached actor created goes with it.
    pub(super) fn remove_groups_by(&mut self, actor: ActorId, out: &mut Outbox) {
        self.remove_groups(out, "the detached actor that created it died", |_, group| actor_of(group.creator) == actor);
    }

    fn remove_groups(&mut self, out: &mut Outbox, why: &str, is_over: impl Fn(&Self, &GroupSpec) -> bool) {
        let live = self.groups.values().filter(|group| group.state != GroupState::Removed && !group.spec.detached);
        let mut over: Vec<GroupId> =
            live.filter(|group| is_over(self, &group.spec)).map(|group| group.spec.id).collect();
        over.sort_unstable();
        for group in over {
            self.group_remove(group, why, out);
        }
    }

    /// The bundles on a dead node want another one; the others stay.
    pub(super) fn lose_bundles(&mut self, node: usize, out: &mut Outbox) {
        let mut hit = Vec::new();
        let since = self.next_move();
        for (id, group) in self.groups.passing_all() {
            let mut has_lost = false;
            for bundle in &mut group.bundles {
                if bundle.as_ref().is_some_and(|bundle| bundle.node == node) {
                    *bundle = None;
                    has_lost = true;
                }
            }
            if has_lost {
                group.state = GroupState::Rescheduling;
                group.why = "a node of it died".to_owned();
                group.since = since;
                hit.push(*id);
            }
        }
        hit.sort_unstable();
        for id in hit {
            self.groups.touch(id);
            self.tell_group(id, out);
            match self.demands.lane_of(&Who::Group(id)) {
                Some(lane) => {
                    let (need, pieces) = self.group_need(id);
                    self.demands.set_need(lane, Arc::new(need), pieces);
                }
                // Those that were there before go ahead of new ones.
                None => self.demand(DemandKind::Group(id), true),
            }
        }
    }
}

/// Said of a group that was asked for after the end of its job.
const ITS_JOB_ENDED: &str = "its job ended";

/// Said of a group that was forgotten long after its end, and of one that never was.
const NO_SUCH_GROUP: &str = "there is no such placement group any more";

fn actor_of(creator: TaskId) -> ActorId {
    ActorId::from(creator)
}
