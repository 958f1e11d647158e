//! After a restart with a journal: what it says is held against what nodes report.
//!
//! ```text
//! journal ─▶ Away ──NodeJoined──▶ (its report) ──ReportEnded──▶ Alive | Draining
//!              └───── NODE_REJOIN_GRACE is over: Dead ◀── never joined
//! ```
//!
//! Whatever a node knows of actors, drivers and deaths was in the journal
//! before it was told ([`FromHead::is_promise`]), and what it said of their
//! ends it says again until it was heard ([`ToHead::is_said_once`]). So what
//! the journal says of a node beyond its report never began there, or is over.
//!
//! Nothing is placed while a node is away: what is free is known only when all
//! have said what they hold.

use super::line::{LaneId, Who};
use super::{NodeLife, Outbox, Scheduler};
#[cfg(doc)]
use crate::message::ToHead;
use crate::message::{ActorEnd, FromHead, NodeAddress};
use crate::{ActorId, ActorState, Error, ErrorKind, JobId, JobState, Labels, Millis, NodeId, limits};

/// Why what is on a node is not known.
pub(super) const HAS_YET_TO_REPORT: &str = "has yet to report to the head, which was started again";

impl Scheduler {
    /// Whether a node that others know has yet to come back.
    pub(super) fn awaits_nodes(&self) -> bool {
        !self.is_grace_over && self.grace_until.is_some() && (self.away > 0 || !self.rumoured.is_empty())
    }

    /// Gives up the nodes that did not come back in time.
    pub(super) fn end_grace(&mut self, now: Millis, out: &mut Outbox) {
        if self.is_grace_over || self.grace_until.is_none_or(|end| now < end) {
            return;
        }
        self.is_grace_over = true;
        let is_missing = |life: &NodeLife| matches!(life, NodeLife::Away { has_joined: false, .. });
        let mut missing: Vec<NodeId> =
            self.nodes.iter().filter(|node| is_missing(&node.life)).map(|node| node.id).collect();
        missing.extend(std::mem::take(&mut self.rumoured));
        for id in missing {
            let grace = limits::NODE_REJOIN_GRACE;
            self.lose_node(
                id,
                &format!("it did not come back within {grace:?} after the head was started again"),
                now,
                out,
            );
        }
    }

    /// Those who wait are told why nothing is placed.
    pub(super) fn tell_all_wait(&mut self, now: Millis, out: &mut Outbox) {
        let away = self.nodes.iter().find(|node| matches!(node.life, NodeLife::Away { .. }));
        let Some(why) = away.map(|node| format!("node {} {HAS_YET_TO_REPORT}", node.id)) else { return };
        let lanes: Vec<LaneId> = self.demands.lanes().map(|(id, _)| id).collect();
        for id in lanes {
            self.demands.set_why(id, why.clone(), now);
            for kind in self.demands.take_untold_of(id) {
                self.tell_why(&kind, why.clone(), out);
            }
        }
    }

    /// A node that the journal knows is there again. Its report follows.
    pub(super) fn node_returned(&mut self, index: usize, at: NodeAddress, labels: Labels, out: &mut Outbox) {
        let id = self.nodes[index].id;
        self.nodes.set_address(index, at.clone());
        self.nodes.set_labels(index, labels);
        if let NodeLife::Away { draining, .. } = &self.nodes[index].life {
            let draining = draining.clone();
            self.nodes.set_life(index, NodeLife::Away { has_joined: true, draining });
        }
        self.touch_node(id);
        self.introduce(id, &at, out);
    }

    /// A node speaks to these others: it is told which of them died.
    pub(super) fn peers_known(&mut self, id: NodeId, peers: Vec<NodeId>, now: Millis, out: &mut Outbox) {
        for peer in peers {
            if self.is_dead(peer) {
                let why = self.nodes.iter().find(|node| node.id == peer).map(|node| node.life.clone());
                let why = match why {
                    Some(NodeLife::Dead { why, .. }) => why,
                    Some(_) | None => "it died while the head was away".to_owned(),
                };
                out.push((id, FromHead::NodeDied { node: peer, why }));
            } else if self.node_index(peer).is_none() {
                if self.is_grace_over || self.grace_until.is_none() {
                    self.lose_node(peer, "the head, which was started again, never heard of it", now, out);
                } else {
                    self.rumoured.insert(peer);
                }
            }
        }
    }

    /// A node has work of these jobs: it is told which of them are over.
    pub(super) fn jobs_known(&self, node: NodeId, jobs: &[JobId], out: &mut Outbox) {
        let is_over = |job: &&JobId| self.jobs.get(job).is_none_or(|job| job.ended.is_some());
        out.extend(jobs.iter().filter(is_over).map(|job| (node, FromHead::JobEnded { job: *job })));
    }

    /// A node has said all that it holds.
    pub(super) fn report_ended(&mut self, id: NodeId, now: Millis, out: &mut Outbox) {
        self.rumoured.remove(&id);
        let Some(index) = self.node_index(id) else { return };
        let NodeLife::Away { draining, .. } = &self.nodes[index].life else { return };
        let life = match draining.clone() {
            None => NodeLife::Alive,
            Some((why, deadline)) => NodeLife::Draining { why, deadline, may_leave: false, must_leave: false },
        };
        self.nodes.set_life(index, life);
        self.away -= 1;
        self.settle_drivers_on(id, now, out);
        self.settle_actors_on(index, out);
        self.settle_actors_of(id, out);
    }

    fn settle_drivers_on(&mut self, id: NodeId, now: Millis, out: &mut Outbox) {
        let unseen = self.jobs.values().filter(|job| job.is_unseen && job.node == Some(id));
        let mut unseen: Vec<JobId> = unseen.map(|job| job.spec.id).collect();
        unseen.sort_unstable();
        for job_id in unseen {
            let Some(job) = self.jobs.passing(&job_id) else { continue };
            job.is_unseen = false;
            if job.state == JobState::Pending && !job.is_stopping {
                // The word that it is to start was lost with the former head.
                out.push((id, FromHead::DriverStart { spec: std::sync::Arc::clone(&job.spec) }));
                continue;
            }
            let message = format!(
                "node {id} does not run the job's driver any more and did not say how it ended: submit the job again"
            );
            self.job_ended(job_id, JobState::Failed, None, message, now, out);
        }
    }

    fn settle_actors_on(&mut self, index: usize, out: &mut Outbox) {
        let is_here = |actor: &&super::Actor| actor.is_unseen && actor.spot.is_some_and(|spot| spot.node == index);
        let mut unseen: Vec<ActorId> = self.actors.values().filter(is_here).map(|actor| actor.spec.id).collect();
        unseen.sort_unstable();
        for id in unseen {
            let Some(actor) = self.actors.get_mut(&id) else { continue };
            actor.is_unseen = false;
            if actor.state == ActorState::Alive || actor.doomed.is_some() {
                let (class, incarnation) = (std::sync::Arc::clone(&actor.spec.class), actor.incarnation);
                let node = self.nodes[index].id;
                let message =
                    format!("actor `{class}` ({id}) does not live on node {node} any more, which did not say why");
                let end = ActorEnd::Crashed(Error::new(ErrorKind::ActorDied, message));
                self.actor_ended(id, incarnation, end, out);
                continue;
            }
            // It never began there: the word that it is to start was lost with the former head.
            let (spec, spot) = (std::sync::Arc::clone(&actor.spec), actor.spot);
            self.set_actor_spot(id, None);
            if let Some(spot) = spot {
                self.give(spot, &spec.lifetime, 1);
            }
            self.demand_actor(id);
        }
    }

    /// Actors that the node owns by the journal and does not know: whoever wanted them is gone.
    fn settle_actors_of(&mut self, owner: NodeId, out: &mut Outbox) {
        let is_lost = |actor: &&super::Actor| {
            let can_go_on = actor.spec.detached && actor.state != ActorState::DependenciesUnready;
            actor.is_unclaimed && actor.owner == owner && actor.state != ActorState::Dead && !can_go_on
        };
        let mut lost: Vec<ActorId> = self.actors.values().filter(is_lost).map(|actor| actor.spec.id).collect();
        lost.sort_unstable();
        for id in lost {
            let message = format!("actor ({id}) ended: its owner's node {owner} does not know it any more");
            self.stop_actor(id, false, Error::new(ErrorKind::ActorDied, message), false, out);
        }
    }

    /// A node says that an actor lives there which the journal has there too.
    pub(super) fn actor_seen(&mut self, id: ActorId, is_ready: bool, out: &mut Outbox) {
        let Some(actor) = self.actors.passing(&id) else { return };
        actor.is_unseen = false;
        let (incarnation, spot) = (actor.incarnation, actor.spot);
        if let (Some(doom), Some(spot)) = (actor.doomed.clone(), spot) {
            let (reason, graceful) = (doom.reason, doom.is_graceful);
            let message = FromHead::ActorStop { actor: id, incarnation, graceful, reason, restart: false };
            out.push((self.nodes[spot.node].id, message));
        }
        if is_ready {
            self.actor_ready(id, incarnation, out);
        }
        self.demands.remove(&Who::Actor(id));
    }
}
