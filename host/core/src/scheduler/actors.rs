//! The actor directory: names, placement, restarts, ends.

use std::sync::Arc;

use super::{Actor, Demand, DemandKind, Outbox, Scheduler};
use crate::message::{ActorChange, ActorEnd, FromHead, RequestId};
use crate::{ActorId, ActorSpec, ActorState, Error, ErrorKind, JobId, NodeId, limits};

impl Scheduler {
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
            self.names.insert(key, spec.id);
        }
        let actor = Actor {
            spec: Arc::clone(&spec),
            owner,
            state: ActorState::DependenciesUnready,
            node: None,
            incarnation: 0,
            doomed: None,
            cause: None,
        };
        self.actors.entry(spec.id).or_insert(actor);
        answer(Ok((spec, owner)), out);
    }

    pub(super) fn actor_dependencies(&mut self, id: ActorId, failed: Option<Error>, out: &mut Outbox) {
        let Some(actor) = self.actors.get_mut(&id) else { return };
        if actor.state != ActorState::DependenciesUnready {
            return;
        }
        if let Some(cause) = failed {
            return self.bury(id, cause, out);
        }
        actor.state = ActorState::PendingCreation;
        self.demand_actor(id);
    }

    fn demand_actor(&mut self, id: ActorId) {
        self.demands.push_back(Demand { kind: DemandKind::Actor(id), passed: 0, why: String::new() });
    }

    /// Puts a waiting actor on a node. `Err` says why it cannot be done now.
    pub(super) fn place_actor(&mut self, id: ActorId, out: &mut Outbox) -> Result<bool, String> {
        let Some(actor) = self.actors.get(&id) else { return Ok(true) };
        if !matches!(actor.state, ActorState::PendingCreation | ActorState::Restarting) || actor.node.is_some() {
            return Ok(true);
        }
        let spec = Arc::clone(&actor.spec);
        let node = self.find_node(&spec.lifetime, &spec.placement, actor.owner)?;
        self.nodes[node].available.take(&spec.lifetime, 1);
        let to = self.nodes[node].id;
        if let Some(actor) = self.actors.get_mut(&id) {
            actor.node = Some(node);
            out.push((
                to,
                FromHead::ActorStart { spec, owner: actor.owner, incarnation: actor.incarnation, inputs: None },
            ));
        }
        Ok(true)
    }

    pub(super) fn tell_actor_why(&self, id: ActorId, why: String, out: &mut Outbox) {
        if let Some(actor) = self.actors.get(&id) {
            out.push((actor.owner, FromHead::ActorChanged { actor: id, change: ActorChange::Pending { why } }));
        }
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
        let Some(node) = actor.node else { return };
        if actor.incarnation != incarnation || actor.state == ActorState::Dead {
            return;
        }
        actor.state = ActorState::Alive;
        let change = ActorChange::Alive { node: self.nodes[node].id, incarnation };
        out.push((actor.owner, FromHead::ActorChanged { actor: id, change }));
    }

    pub(super) fn actor_ended(&mut self, id: ActorId, incarnation: u32, end: ActorEnd, out: &mut Outbox) {
        let Some(actor) = self.actors.get_mut(&id) else { return };
        if actor.incarnation != incarnation || actor.state == ActorState::Dead {
            return;
        }
        if let Some(node) = actor.node.take() {
            self.nodes[node].available.give(&actor.spec.lifetime, 1);
        }
        match (end, actor.doomed.take()) {
            (_, Some(cause)) | (ActorEnd::Intended(cause) | ActorEnd::ConstructorFailed(cause), None) => {
                self.bury(id, cause, out);
            }
            (ActorEnd::Crashed(cause), None) => {
                if !actor.spec.max_restarts.allows(incarnation) {
                    return self.bury(id, cause, out);
                }
                actor.incarnation += 1;
                actor.state = ActorState::Restarting;
                let change = ActorChange::Restarting { incarnation: actor.incarnation, cause: cause.clone() };
                actor.cause = Some(cause);
                out.push((actor.owner, FromHead::ActorChanged { actor: id, change }));
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
            actor.doomed.get_or_insert_with(|| reason.clone());
        }
        let incarnation = actor.incarnation;
        match actor.node {
            Some(node) => {
                let message = FromHead::ActorStop { actor: id, incarnation, graceful, reason, restart };
                out.push((self.nodes[node].id, message));
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

    fn bury(&mut self, id: ActorId, cause: Error, out: &mut Outbox) {
        self.free_name(id);
        let Some(actor) = self.actors.get_mut(&id) else { return };
        actor.state = ActorState::Dead;
        actor.cause = Some(cause.clone());
        out.push((actor.owner, FromHead::ActorChanged { actor: id, change: ActorChange::Dead { cause } }));
        self.demands.retain(|demand| !matches!(demand.kind, DemandKind::Actor(waiting) if waiting == id));
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
