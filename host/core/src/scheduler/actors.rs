//! The actor directory: names, placement, restarts, ends.

use std::sync::Arc;

use super::line::Who;
use super::rejoin::HAS_YET_TO_REPORT;
use super::spot::{Refusal, Wish};
use super::{Actor, DemandKind, Doom, FewActors, Outbox, Scheduler};
use crate::message::{ActorChange, ActorEnd, FromHead, RequestId};
use crate::{ActorId, ActorSpec, ActorState, Error, ErrorKind, JobId, NodeId, Value, limits};

impl Actor {
    /// How it is now, for who asks.
    fn change(&self, head: &Scheduler) -> ActorChange {
        let unknown = || Error::new(ErrorKind::ActorDied, format!("actor ({}) died", self.spec.id));
        let cause = || self.cause.clone().unwrap_or_else(unknown);
        match (self.state, self.spot) {
            (ActorState::Dead, _) => ActorChange::Dead { cause: cause() },
            (ActorState::Restarting, _) => ActorChange::Restarting { incarnation: self.incarnation, cause: cause() },
            // Once its node has said so, it is; that node's report may go on meanwhile.
            (ActorState::Alive, Some(spot)) if self.is_unseen => {
                ActorChange::Pending { why: format!("node {} {HAS_YET_TO_REPORT}", head.nodes[spot.node].id) }
            }
            (ActorState::Alive, Some(spot)) => {
                ActorChange::Alive { node: head.nodes[spot.node].id, incarnation: self.incarnation }
            }
            (ActorState::DependenciesUnready | ActorState::PendingCreation | ActorState::Alive, _) => {
                ActorChange::Pending { why: head.why_waits(self.spec.id).unwrap_or_default() }
            }
        }
    }
}

impl Scheduler {
    /// Why an actor waits for a node, when it does.
    pub(super) fn why_waits(&self, id: ActorId) -> Option<String> {
        let lane = self.demands.lane_of(&Who::Actor(id))?;
        self.demands.lane(lane).map(|lane| lane.why.clone())
    }

    pub(super) fn actor_register(
        &mut self,
        owner: NodeId,
        request: Option<RequestId>,
        spec: Arc<ActorSpec>,
        get_if_exists: bool,
        out: &mut Outbox,
    ) {
        let answer = |result, out: &mut Outbox| {
            if let Some(request) = request {
                out.push((owner, FromHead::ActorFound { request, result }));
            }
        };
        if self.is_dead(owner) {
            return;
        }
        if let Some(known) = self.actors.passing(&spec.id) {
            // Said again: the owner has joined again, and may have missed what became of it.
            known.is_unclaimed = false;
            answer(Ok((Arc::clone(&known.spec), known.owner)), out);
            let change = self.actors[&spec.id].change(self);
            return out.push((owner, FromHead::ActorChanged { actor: spec.id, change }));
        }
        let is_reported = get_if_exists && request.is_none();
        if let Some(name) = &spec.name {
            let key = (Arc::clone(&spec.namespace), Arc::clone(name));
            if let Some(holder) = self.names.get(&key).and_then(|id| self.actors.get(id)) {
                let result = if get_if_exists || holder.spec.id == spec.id {
                    Ok((Arc::clone(&holder.spec), holder.owner))
                } else {
                    Err(Error::new(
                        ErrorKind::ActorAlreadyExists,
                        format!(
                            "an actor named `{name}` exists in namespace `{}`: take another name, or set `get_if_exists`",
                            spec.namespace
                        ),
                    ))
                };
                return answer(result, out);
            }
        }
        let mut refused = None;
        if let Some(error) = self.too_many_detached(&spec).filter(|_| !is_reported) {
            if request.is_some() {
                return answer(Err(error), out);
            }
            refused =
                Some(Error::new(ErrorKind::ActorDied, format!("actor ({}) was not made", spec.id)).caused_by(error));
        }
        if let Some(name) = &spec.name {
            self.names.insert((Arc::clone(&spec.namespace), Arc::clone(name)), spec.id);
        }
        let watchers = self.early_watchers.remove(&spec.id).map(|(_, nodes)| nodes).unwrap_or_default();
        let actor = Actor {
            spec: Arc::clone(&spec),
            owner,
            few: FewActors::boxed(watchers, None),
            // Only a report takes the actor that there is without waiting for an answer.
            is_reported,
            state: ActorState::DependenciesUnready,
            spot: None,
            incarnation: 0,
            preempted: 0,
            doomed: None,
            cause: None,
            since: self.next_move(),
            is_unseen: false,
            is_unclaimed: false,
        };
        let (id, job, is_detached) = (spec.id, spec.creation.job, spec.detached);
        self.actors.insert(id, actor);
        if is_detached {
            self.detached_of.add(job, 1);
        }
        answer(Ok((spec, owner)), out);
        // Who has a handle is told.
        if let Some(cause) = refused {
            return self.bury(id, cause, out);
        }
        // Nothing ends it later: its job has ended before this was heard.
        if !is_detached && self.jobs.get(&job).is_some_and(|job| job.ended.is_some()) {
            let reason = Error::new(ErrorKind::ActorDied, format!("actor ({id}) ended with its job {job}"));
            self.stop_actor(id, false, reason, false, out);
        }
    }

    pub(super) fn actor_dependencies(
        &mut self,
        id: ActorId,
        inputs: Option<Vec<Value>>,
        failed: Option<Error>,
        out: &mut Outbox,
    ) {
        if self.actors.get(&id).is_none_or(|actor| actor.state == ActorState::Dead) {
            return;
        }
        let Some(actor) = self.actors.get_mut(&id) else { return };
        if actor.spec.detached && inputs.is_some() {
            actor.few.get_or_insert_default().inputs = inputs;
        }
        if actor.state != ActorState::DependenciesUnready {
            return;
        }
        if let Some(cause) = failed {
            return self.bury(id, cause, out);
        }
        actor.state = ActorState::PendingCreation;
        self.demand_actor(id);
    }

    pub(super) fn demand_actor(&mut self, id: ActorId) {
        let since = self.next_move();
        if let Some(actor) = self.actors.get_mut(&id) {
            (actor.since, actor.is_unseen) = (since, false);
        }
        self.demand(DemandKind::Actor(id), false);
    }

    /// Puts a waiting actor on a node.
    pub(super) fn place_actor(&mut self, id: ActorId, out: &mut Outbox) -> Result<bool, Refusal> {
        let Some(actor) = self.actors.get(&id) else { return Ok(true) };
        if !matches!(actor.state, ActorState::PendingCreation | ActorState::Restarting) || actor.spot.is_some() {
            return Ok(true);
        }
        if self.is_dead(actor.owner) && actor.inputs().is_none() {
            let message =
                format!("actor ({id}) cannot be made: its owner's node died with its constructor's arguments");
            return Err(Refusal::Never(Error::new(ErrorKind::OwnerDied, message)));
        }
        let (spec, owner) = (Arc::clone(&actor.spec), actor.owner);
        let wish = Wish {
            need: &spec.lifetime,
            footprint: &spec.placement,
            placement: &spec.creation.placement,
            near: None,
            by: owner,
        };
        let spot = self.find(&wish)?;
        self.take(spot, &spec.lifetime, 1);
        let to = self.nodes[spot.node].id;
        self.set_actor_spot(id, Some(spot));
        if let Some(actor) = self.actors.get(&id) {
            let (incarnation, inputs) = (actor.incarnation, actor.inputs().cloned());
            out.push((to, FromHead::ActorStart { spec, owner, incarnation, inputs }));
        }
        Ok(true)
    }

    /// An actor that nothing will ever be able to hold is dead.
    pub(super) fn actor_unschedulable(&mut self, id: ActorId, error: &Error, out: &mut Outbox) {
        let Some(actor) = self.actors.get(&id) else { return };
        let message = format!("actor `{}` ({id}) cannot be placed", actor.spec.class);
        self.bury(id, Error::new(error.kind, message).caused_by(error), out);
    }

    pub(super) fn actor_watch(&mut self, node: NodeId, id: ActorId, owner: NodeId, out: &mut Outbox) {
        if self.is_dead(node) {
            return;
        }
        // What its owner says of it can come later than what others say, as it goes another way.
        if !self.actors.contains_key(&id) && owner != node && self.node_index(owner).is_some() {
            let early = self.early_watchers.entry(id).or_insert_with(|| (owner, Vec::new()));
            if !early.1.contains(&node) {
                early.1.push(node);
            }
            return;
        }
        let change = match self.actors.passing(&id) {
            Some(actor) => {
                let is_told = actor.owner == node || actor.watchers().contains(&node);
                if !is_told && actor.state != ActorState::Dead {
                    actor.few.get_or_insert_default().watchers.push(node);
                }
                self.actors[&id].change(self)
            }
            None => {
                let message = format!("there is no actor {id} any more; `rayw list actors` shows all");
                ActorChange::Dead { cause: Error::new(ErrorKind::ActorDied, message) }
            }
        };
        out.push((node, FromHead::ActorChanged { actor: id, change }));
    }

    /// A node died: what it owned and never registered is dead, and it watches nothing any more.
    pub(super) fn forget_early_watchers(&mut self, node: NodeId, out: &mut Outbox) {
        let owned = self.early_watchers.iter().filter(|(_, (owner, _))| *owner == node);
        let mut orphans: Vec<ActorId> = owned.map(|(id, _)| *id).collect();
        orphans.sort_unstable();
        for id in orphans {
            let Some((_, watchers)) = self.early_watchers.remove(&id) else { continue };
            let message = format!("actor ({id}) ended with its owner's node {node}; a detached actor would go on");
            let cause = Error::new(ErrorKind::ActorDied, message);
            for watcher in watchers {
                let change = ActorChange::Dead { cause: cause.clone() };
                out.push((watcher, FromHead::ActorChanged { actor: id, change }));
            }
        }
        self.early_watchers.retain(|_, (_, watchers)| {
            watchers.retain(|watcher| *watcher != node);
            !watchers.is_empty()
        });
    }

    /// Tells all who refer to an actor.
    pub(super) fn tell_change(&self, id: ActorId, change: &ActorChange, out: &mut Outbox) {
        let Some(actor) = self.actors.get(&id) else { return };
        let owner = Some(actor.owner).filter(|owner| !self.is_dead(*owner));
        for node in owner.into_iter().chain(actor.watchers().iter().copied()) {
            out.push((node, FromHead::ActorChanged { actor: id, change: change.clone() }));
        }
    }

    pub(super) fn tell_actor_why(&self, id: ActorId, why: String, out: &mut Outbox) {
        self.tell_change(id, &ActorChange::Pending { why }, out);
    }

    pub(super) fn actor_lookup(
        &mut self,
        owner: NodeId,
        request: RequestId,
        name: &str,
        namespace: &str,
        out: &mut Outbox,
    ) {
        let key = (Arc::from(namespace), Arc::from(name));
        let found = self.names.get(&key).and_then(|id| self.actors.get(id));
        let result = found.map(|actor| (Arc::clone(&actor.spec), actor.owner)).ok_or_else(|| {
            Error::new(
                ErrorKind::ActorNotFound,
                format!("no actor named `{name}` in namespace `{namespace}`; `rayw list actors` shows all"),
            )
        });
        out.push((owner, FromHead::ActorFound { request, result }));
    }

    pub(super) fn actor_ready(&mut self, id: ActorId, incarnation: u32, out: &mut Outbox) {
        let Some(actor) = self.actors.get_mut(&id) else { return };
        let Some(spot) = actor.spot else { return };
        if actor.incarnation != incarnation || actor.state == ActorState::Dead {
            return;
        }
        actor.state = ActorState::Alive;
        let change = ActorChange::Alive { node: self.nodes[spot.node].id, incarnation };
        self.tell_change(id, &change, out);
    }

    pub(super) fn actor_ended(&mut self, id: ActorId, incarnation: u32, end: ActorEnd, out: &mut Outbox) {
        let Some(actor) = self.actors.get_mut(&id) else { return };
        if actor.incarnation != incarnation || actor.state == ActorState::Dead {
            return;
        }
        let (spec, spot, doomed) = (Arc::clone(&actor.spec), actor.spot, actor.doomed.take().map(|doom| *doom));
        let spent = incarnation.saturating_sub(actor.preempted);
        if let Some(spot) = spot {
            self.set_actor_spot(id, None);
            self.give(spot, &spec.lifetime, 1);
        }
        match (end, doomed) {
            (_, Some(Doom { reason: cause, .. }))
            | (ActorEnd::Intended(cause) | ActorEnd::ConstructorFailed(cause), None) => {
                self.bury(id, cause, out);
            }
            (ActorEnd::Crashed(cause), None) => {
                if !spec.max_restarts.allows(spent) {
                    return self.bury(id, cause, out);
                }
                let Some(actor) = self.actors.get_mut(&id) else { return };
                actor.incarnation += 1;
                actor.state = ActorState::Restarting;
                let change = ActorChange::Restarting { incarnation: actor.incarnation, cause: cause.clone() };
                actor.cause = Some(cause.cut_to(limits::ERROR_KEPT_BYTES_MAX));
                self.tell_change(id, &change, out);
                self.demand_actor(id);
            }
        }
    }

    pub(super) fn actor_kill(&mut self, id: ActorId, no_restart: bool, out: &mut Outbox) {
        let Some(actor) = self.actors.get(&id) else { return };
        let class = Arc::clone(&actor.spec.class);
        let reason = Error::new(ErrorKind::ActorDied, format!("actor `{class}` ({id}) was killed by `kill`"));
        self.stop_actor(id, false, reason, !no_restart, out);
    }

    pub(super) fn stop_actor(&mut self, id: ActorId, graceful: bool, reason: Error, restart: bool, out: &mut Outbox) {
        let Some(actor) = self.actors.get_mut(&id) else { return };
        if actor.state == ActorState::Dead {
            return;
        }
        if !restart {
            let doom =
                actor.doomed.get_or_insert_with(|| Box::new(Doom { reason: reason.clone(), is_graceful: graceful }));
            doom.is_graceful &= graceful;
        }
        let incarnation = actor.incarnation;
        match actor.spot {
            Some(spot) => {
                let message = FromHead::ActorStop { actor: id, incarnation, graceful, reason, restart };
                out.push((self.nodes[spot.node].id, message));
                if !restart {
                    self.free_name(id);
                }
            }
            None if !restart => self.bury(id, reason, out),
            // It is waiting to be made anyway.
            None => {}
        }
    }

    fn free_name(&mut self, id: ActorId) {
        let Some(actor) = self.actors.get(&id) else { return };
        if let Some(name) = &actor.spec.name {
            let key = (Arc::clone(&actor.spec.namespace), Arc::clone(name));
            if self.names.get(&key) == Some(&id) {
                self.names.remove(&key);
            }
        }
    }

    pub(super) fn bury(&mut self, id: ActorId, cause: Error, out: &mut Outbox) {
        self.free_name(id);
        let since = self.next_move();
        let Some(actor) = self.actors.get_mut(&id) else { return };
        (actor.since, actor.is_unseen) = (since, false);
        if actor.spec.detached && actor.state != ActorState::Dead {
            self.detached_of.remove(actor.spec.creation.job, 1);
        }
        actor.state = ActorState::Dead;
        actor.cause = Some(cause.clone().cut_to(limits::ERROR_KEPT_BYTES_MAX));
        actor.doomed = None;
        self.tell_change(id, &ActorChange::Dead { cause }, out);
        let mut is_detached = false;
        if let Some(actor) = self.actors.get_mut(&id) {
            actor.few = None;
            is_detached = actor.spec.detached;
        }
        if is_detached {
            self.remove_groups_by(id, out);
        }
        self.demands.remove(&Who::Actor(id));
        self.dead_actors.push_back(id);
        if self.dead_actors.len() > limits::DEAD_ACTORS_KEPT
            && let Some(oldest) = self.dead_actors.pop_front()
        {
            self.actors.remove(&oldest);
        }
    }

    pub(super) fn end_actors_of(&mut self, job: JobId, out: &mut Outbox) {
        let ids: Vec<ActorId> = self
            .actors
            .values()
            .filter(|actor| actor.spec.creation.job == job && !actor.spec.detached && actor.state != ActorState::Dead)
            .map(|actor| actor.spec.id)
            .collect();
        for id in ids {
            let reason = Error::new(ErrorKind::ActorDied, format!("actor ({id}) ended with its job {job}"));
            self.stop_actor(id, false, reason, false, out);
        }
    }
}
