//! What people see of the head's state.

use super::{DemandKind, Scheduler};
use crate::ActorState;
use crate::view::{ActorRow, JobRow, NodeRow};

impl Scheduler {
    /// All actors that are known, the dead ones too.
    #[must_use]
    pub fn actor_rows(&self) -> Vec<ActorRow> {
        let mut rows: Vec<ActorRow> = self
            .actors
            .values()
            .map(|actor| ActorRow {
                actor_id: actor.spec.id.to_string(),
                class_name: actor.spec.class.to_string(),
                state: actor.state.name().to_owned(),
                job_id: actor.spec.creation.job.to_string(),
                name: actor.spec.name.as_deref().unwrap_or("").to_owned(),
                node_id: actor.node.map(|node| self.nodes[node].id.to_string()),
                ray_namespace: actor.spec.namespace.to_string(),
                required_resources: actor.spec.lifetime.to_string(),
                death_cause: actor.cause.as_ref().filter(|_| actor.state == ActorState::Dead).map(ToString::to_string),
                is_detached: actor.spec.detached,
                num_restarts: actor.incarnation,
                pending_reason: self.demands.iter().find_map(|demand| match &demand.kind {
                    DemandKind::Actor(id) if *id == actor.spec.id => Some(demand.why.clone()),
                    DemandKind::Actor(_) | DemandKind::Slots { .. } => None,
                }),
            })
            .collect();
        rows.sort_by(|left, right| left.actor_id.cmp(&right.actor_id));
        rows
    }

    /// All nodes.
    #[must_use]
    pub fn node_rows(&self) -> Vec<NodeRow> {
        self.nodes
            .iter()
            .enumerate()
            .map(|(index, node)| NodeRow {
                node_id: node.id.to_string(),
                node_ip: "127.0.0.1".to_owned(),
                is_head_node: index == 0,
                state: "ALIVE".to_owned(),
                node_name: node.name.clone(),
                resources_total: node.total.to_string(),
                resources_available: node.available.to_string(),
                start_time_ms: node.joined,
            })
            .collect()
    }

    /// All jobs, in the order of their numbers.
    #[must_use]
    pub fn job_rows(&self) -> Vec<JobRow> {
        let mut rows: Vec<JobRow> = self
            .jobs
            .values()
            .map(|job| JobRow {
                job_id: job.spec.id.to_string(),
                status: job.state.name().to_owned(),
                entrypoint: job.spec.entrypoint.to_string(),
                start_time_ms: job.started,
                end_time_ms: job.ended,
            })
            .collect();
        rows.sort_by(|left, right| left.job_id.cmp(&right.job_id));
        rows
    }
}
