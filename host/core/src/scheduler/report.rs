//! After a restart of the head: nodes join again and say what they hold.
//!
//! A report can name a node or an actor that another node has yet to speak of.
//! Until [`NODE_REJOIN_GRACE`](limits::NODE_REJOIN_GRACE) is over such messages
//! are kept, and taken as soon as they make sense, or else at its end.

use std::sync::Arc;

use super::line::Who;
use super::spot::Spot;
use super::{Lease, Outbox, Scheduler};
use crate::message::{FromHead, Shape, ToHead};
use crate::{ActorId, ActorState, Error, ErrorKind, LeaseId, Millis, NodeId, Strategy, limits};

/// Bits of a lease's number that count leases; the head's epoch is above them.
const LEASE_BITS: u32 = 40;

impl Scheduler {
    /// A head that was started before: each start has a number of its own, above 0, so that no lease
    /// has the number of one that an earlier start gave out. Only the lowest 24 bits count.
    #[must_use]
    pub fn with_epoch(epoch: u32) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// A number that no lease had before.
    pub(super) fn next_lease(&mut self) -> LeaseId {
        self.leases_made += 1;
        let count = self.leases_made & ((1 << LEASE_BITS) - 1);
        LeaseId((u64::from(self.epoch) << LEASE_BITS) | count)
    }

    /// Starts the grace of a head that was away, with its first message.
    pub(super) fn begin_grace(&mut self, now: Millis) {
        if self.epoch > 0 && self.grace_until.is_none() {
            let grace = limits::NODE_REJOIN_GRACE.as_millis().try_into().unwrap_or(Millis::MAX);
            self.grace_until = Some(now.saturating_add(grace));
        }
    }

    /// Whether a message speaks of what others have yet to report.
    pub(super) fn is_early(&self, message: &ToHead, now: Millis) -> bool {
        if self.grace_until.is_none_or(|end| now >= end) || self.early.len() >= limits::EARLY_REPORTS_MAX {
            return false;
        }
        // With a journal, nothing more can be said once all nodes have reported.
        if self.has_memory && !self.awaits_nodes() {
            return false;
        }
        match message {
            ToHead::JobsKnown { jobs, .. } => jobs.iter().any(|job| !self.jobs.contains_key(job)),
            ToHead::LeaseHeld { node, .. } => self.node_index(*node).is_none() && !self.is_dead(*node),
            ToHead::ActorLives { actor, .. } | ToHead::ActorWatch { actor, .. } => !self.actors.contains_key(actor),
            // Without a journal it may live already, on a node that has yet to say so.
            ToHead::ActorDependenciesReady { .. } if self.has_memory => false,
            ToHead::ActorDependenciesReady { actor, .. } => self
                .actors
                .get(actor)
                .is_some_and(|actor| actor.is_reported && actor.state == ActorState::DependenciesUnready),
            // Behind the report of the lease that it is about.
            ToHead::SlotsReturned { lease, .. }
            | ToHead::SlotsResumeWanted { lease, .. }
            | ToHead::ParkedEnded { lease, .. }
            | ToHead::ResumedInVain { lease, .. } => self.early_leases.contains(lease),
            _ => false,
        }
    }

    /// Keeps a message until it makes sense.
    pub(super) fn keep_early(&mut self, message: ToHead) {
        if let ToHead::LeaseHeld { lease, .. } = &message {
            self.early_leases.insert(*lease);
        }
        self.early.push(message);
    }

    /// Takes the early messages that make sense by now; all of them when the grace is over.
    pub(super) fn take_early(&mut self, now: Millis, out: &mut Outbox) {
        let early = std::mem::take(&mut self.early);
        self.early_leases.clear();
        for message in early {
            if self.is_early(&message, now) {
                self.keep_early(message);
            } else {
                self.apply(message, now, out);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(super) fn lease_held(
        &mut self,
        id: LeaseId,
        owner: NodeId,
        shape: Shape,
        (node, bundle): (NodeId, Option<u32>),
        slots: u32,
        parked: u32,
        now: Millis,
        out: &mut Outbox,
    ) {
        if self.leases.contains_key(&id) || self.is_dead(owner) {
            return;
        }
        let kept = shape.resources.without_cpu();
        let spot = self.spot_of_held(&shape, node, bundle).filter(|spot| {
            let mut room = self.room(*spot).clone();
            let has_slots = room.fits(&shape.resources) >= slots;
            if has_slots {
                room.take(&shape.resources, slots);
            }
            has_slots && room.fits(&kept) >= parked
        });
        let Some(spot) = spot else {
            let message = format!(
                "the lease {id} on node {node} is over: its room is taken since the head was started again; submit its \
                 tasks again"
            );
            let error = Error::new(ErrorKind::WorkerCrashed, message);
            return out.push((owner, FromHead::LeaseRevoked { lease: id, error }));
        };
        self.take(spot, &shape.resources, slots);
        self.take(spot, &kept, parked);
        let job = shape.job;
        self.leases
            .insert(id, Lease { owner, shape, spot, slots, parked, ended_early: 0, reclaiming: 0, granted_at: now });
        self.settle_share(job);
    }

    /// Where the slots of a lease were taken from. Whether its node takes new work does not matter: this is there.
    fn spot_of_held(&self, shape: &Shape, node: NodeId, bundle: Option<u32>) -> Option<Spot> {
        let index = self.node_index(node)?;
        let Strategy::Group { group, .. } = shape.placement.strategy else { return Some(Spot::on(index)) };
        let at = (group, bundle?);
        let is_there = self.bundle(at).is_some_and(|bundle| bundle.node == index);
        is_there.then_some(Spot { node: index, bundle: Some(at) })
    }

    pub(super) fn actor_lives(
        &mut self,
        id: ActorId,
        incarnation: u32,
        node: NodeId,
        is_ready: bool,
        out: &mut Outbox,
    ) {
        let Some(index) = self.node_index(node) else { return };
        let stop = |why: &str, restart: bool| {
            let reason = Error::new(ErrorKind::ActorDied, format!("actor ({id}) ended on node {node}: {why}"));
            (node, FromHead::ActorStop { actor: id, incarnation, graceful: false, reason, restart })
        };
        let Some(actor) = self.actors.passing(&id) else {
            return out.push(stop("nobody owns it any more", false));
        };
        if actor.state == ActorState::Dead {
            return out.push(stop("it is dead", false));
        }
        if let Some(spot) = actor.spot {
            if spot.node != index || actor.incarnation != incarnation {
                out.push(stop("another life of it has begun", false));
            } else if actor.is_unseen {
                self.actor_seen(id, is_ready, out);
            }
            return;
        }
        self.actors.touch(id);
        let Some(actor) = self.actors.passing(&id) else { return };
        actor.incarnation = incarnation;
        actor.state = if is_ready { ActorState::Alive } else { ActorState::PendingCreation };
        let spec = Arc::clone(&actor.spec);
        let spot = match spec.creation.placement.strategy {
            Strategy::Group { group, bundle, .. } => self.bundle_with_room(index, group, bundle, &spec.lifetime),
            _ => Some(Spot::on(index)),
        };
        self.demands.remove(&Who::Actor(id));
        let Some(spot) = spot.filter(|spot| self.room(*spot).fits(&spec.lifetime) > 0) else {
            // Its end counts as a crash: it is made again where there is room, if it may be.
            return out.push(stop("its room is taken since the head was started again", true));
        };
        self.take(spot, &spec.lifetime, 1);
        self.set_actor_spot(id, Some(spot));
        if is_ready {
            self.actor_ready(id, incarnation, out);
        }
    }
}
