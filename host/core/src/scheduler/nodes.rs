//! Nodes: who is there, and what the death of one ends.

use super::{DemandKind, Node, NodeLife, Outbox, Scheduler};
use crate::message::{ActorEnd, FromHead, NodeAddress};
use crate::{
    ActorId, ActorState, Error, ErrorKind, JobFailure, JobId, JobState, Labels, LeaseId, Millis, NodeId, Resources,
    limits,
};

impl Node {
    pub(super) fn is_draining(&self) -> bool {
        matches!(self.life, NodeLife::Draining { .. } | NodeLife::Away { draining: Some(_), .. })
    }

    /// Why it is draining or dead; empty while it is neither.
    pub(super) fn why(&self) -> String {
        match &self.life {
            NodeLife::Alive => String::new(),
            NodeLife::Away { .. } => "the head was started again and it has yet to report".to_owned(),
            NodeLife::Draining { why, .. } | NodeLife::Dead { why, .. } => why.clone(),
        }
    }

    /// Ray's name of its state, `DRAINING` aside, which Ray shows as alive.
    pub(super) fn state(&self) -> &'static str {
        match self.life {
            NodeLife::Alive => "ALIVE",
            NodeLife::Away { .. } => "REJOINING",
            NodeLife::Draining { .. } => "DRAINING",
            NodeLife::Dead { .. } => "DEAD",
        }
    }
}

impl Scheduler {
    /// Whether a node of that id died: it is never heard again, and one that calls itself so is to be
    /// refused.
    #[must_use]
    pub fn is_dead(&self, node: NodeId) -> bool {
        self.dead_node_ids.contains(&node)
    }

    /// Takes a node for dead, and ends all that was on it. Harmless when said twice.
    pub fn node_lost(&mut self, node: NodeId, why: &str, now: Millis, out: &mut Outbox) {
        self.lose_node(node, why, now, out);
        self.serve(now, out);
    }

    pub(super) fn node_joined(
        &mut self,
        id: NodeId,
        at: NodeAddress,
        total: Resources,
        labels: Labels,
        now: Millis,
        out: &mut Outbox,
    ) {
        if self.is_dead(id) {
            return;
        }
        if let Some(index) = self.node_index(id) {
            if matches!(self.nodes[index].life, NodeLife::Away { .. }) {
                return self.node_returned(index, at, labels, out);
            }
            let has_moved = self.nodes[index].at != at;
            self.nodes.set_address(index, at.clone());
            self.nodes.set_labels(index, labels);
            self.touch_node(id);
            if has_moved {
                self.broadcast_except(id, &FromHead::NodeFound { node: id, at }, out);
            }
            return;
        }
        self.introduce(id, &at, out);
        let node = Node {
            id,
            at,
            labels,
            available: total.clone(),
            coming: Resources::default(),
            has_grown: false,
            total,
            joined: now,
            died: None,
            life: NodeLife::Alive,
            store_bytes: 0,
            store_bytes_max: 0,
        };
        self.touch_node(id);
        if let Some(forgotten) = self.nodes.insert(node) {
            self.touch_node(forgotten);
        }
    }

    /// A node and the others learn of each other.
    pub(super) fn introduce(&self, id: NodeId, at: &NodeAddress, out: &mut Outbox) {
        for other in self.nodes.iter().filter(|node| !node.is_dead() && node.id != id) {
            out.push((id, FromHead::NodeFound { node: other.id, at: other.at.clone() }));
            if other.is_draining() {
                out.push((id, FromHead::NodeDraining { node: other.id }));
            }
        }
        self.broadcast_except(id, &FromHead::NodeFound { node: id, at: at.clone() }, out);
    }

    pub(super) fn broadcast(&self, message: &FromHead, out: &mut Outbox) {
        out.extend(self.nodes.iter().filter(|node| !node.is_dead()).map(|node| (node.id, message.clone())));
    }

    fn broadcast_except(&self, id: NodeId, message: &FromHead, out: &mut Outbox) {
        let others = self.nodes.iter().filter(|node| !node.is_dead() && node.id != id);
        out.extend(others.map(|node| (node.id, message.clone())));
    }

    pub(super) fn node_usage(&mut self, id: NodeId, store_bytes: u64, store_bytes_max: u64) {
        if let Some(index) = self.node_index(id) {
            self.nodes.set_store(index, store_bytes, store_bytes_max);
        }
    }

    pub(super) fn lose_node(&mut self, id: NodeId, why: &str, now: Millis, out: &mut Outbox) {
        if !self.dead_node_ids.insert(id) {
            return;
        }
        let since = self.next_move();
        self.dead_nodes.push_back((id, since));
        if self.dead_nodes.len() > limits::DEAD_NODES_KEPT
            && let Some((oldest, _)) = self.dead_nodes.pop_front()
        {
            self.dead_node_ids.remove(&oldest);
            self.touch_node(oldest);
        }
        self.touch_node(id);
        self.rumoured.remove(&id);
        // A node that this head never saw can be dead too: others may have known it before the head
        // was started again.
        let index = self.node_index(id);
        let was_draining = index.is_some_and(|index| self.nodes[index].is_draining());
        if let Some(index) = index {
            if matches!(self.nodes[index].life, NodeLife::Away { .. }) {
                self.away -= 1;
            }
            let has_left = matches!(
                self.nodes[index].life,
                NodeLife::Draining { may_leave: true, .. } | NodeLife::Draining { must_leave: true, .. }
            );
            self.nodes.set_life(index, NodeLife::Dead { why: why.to_owned(), has_left });
            self.nodes.set_died(index, now);
        }
        self.broadcast(&FromHead::NodeDied { node: id, why: why.to_owned() }, out);
        let mut over: Vec<LeaseId> = self.leases.of_owner(id).collect();
        over.extend(index.into_iter().flat_map(|index| self.leases.on_node(index)));
        over.iter().for_each(|lease| drop(self.drop_lease(*lease)));
        self.demands.remove_all(|demand| matches!(demand, DemandKind::Slots { owner, .. } if *owner == id));
        self.grants.forget_owner(id);
        for (_, actor) in self.actors.passing_all() {
            if let Some(few) = &mut actor.few {
                few.watchers.retain(|watcher| *watcher != id);
            }
        }
        for (_, group) in self.groups.passing_all() {
            group.watchers.retain(|watcher| *watcher != id);
        }
        let lost = self.displace_actors(index, was_draining);
        if let Some(index) = index {
            self.lose_bundles(index, out);
        }
        self.forget_early_watchers(id, out);
        self.fail_jobs_on(id, why, now, out);
        self.end_actors_owned_by(id, why, out);
        self.restart_displaced(lost, id, why, out);
    }

    /// Takes the actors off a dead node, and says which they are. A node that was to leave costs none of
    /// them a restart, as long as it may be restarted at all.
    fn displace_actors(&mut self, index: Option<usize>, was_draining: bool) -> Vec<ActorId> {
        let here = index.and_then(|index| self.actors_on.get(&index));
        let lost: Vec<ActorId> = here.into_iter().flatten().copied().collect();
        for id in &lost {
            self.set_actor_spot(*id, None);
            if let Some(actor) = self.actors.get_mut(id).filter(|actor| actor.spec.max_restarts.allows(0)) {
                actor.preempted += u32::from(was_draining);
            }
        }
        lost
    }

    fn fail_jobs_on(&mut self, id: NodeId, why: &str, now: Millis, out: &mut Outbox) {
        let running = |state| matches!(state, JobState::Pending | JobState::Running);
        let mut failed: Vec<JobId> = self
            .jobs
            .values()
            .filter(|job| job.node == Some(id) && running(job.state))
            .map(|job| job.spec.id)
            .collect();
        failed.sort_unstable();
        for job in failed {
            let message = format!("node {id}, which ran the job's driver, died ({why}): submit the job again");
            self.fail_job(job, JobFailure::NodeDied, message, now, out);
        }
    }

    /// Nobody will say any more that the constructor's arguments of one that waits for them are there, so a
    /// detached one ends too.
    fn end_actors_owned_by(&mut self, id: NodeId, why: &str, out: &mut Outbox) {
        let mut orphans: Vec<(ActorId, bool)> = self
            .actors
            .values()
            .filter(|actor| actor.owner == id && actor.state != ActorState::Dead)
            .filter(|actor| !actor.spec.detached || actor.state == ActorState::DependenciesUnready)
            .map(|actor| (actor.spec.id, actor.spec.detached))
            .collect();
        orphans.sort_unstable();
        for (actor, is_detached) in orphans {
            let message = if is_detached {
                format!(
                    "actor ({actor}) cannot be made: its owner's node {id} died before its constructor's arguments \
                     were there"
                )
            } else {
                format!("actor ({actor}) ended with its owner's node {id}; a detached actor would go on")
            };
            let reason = Error::new(ErrorKind::ActorDied, message).caused_by(why);
            self.stop_actor(actor, false, reason, false, out);
        }
    }

    fn restart_displaced(&mut self, lost: Vec<ActorId>, id: NodeId, why: &str, out: &mut Outbox) {
        for actor in lost {
            let Some(known) = self.actors.get(&actor) else { continue };
            let message = format!(
                "actor `{}` ({actor}) died with its node {id}; `max_restarts` lets it start again",
                known.spec.class
            );
            let cause = Error::new(ErrorKind::ActorDied, message).caused_by(why);
            let incarnation = known.incarnation;
            self.actor_ended(actor, incarnation, ActorEnd::Crashed(cause), out);
        }
    }
}
