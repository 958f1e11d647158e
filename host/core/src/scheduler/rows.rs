//! What people see of the head's state.

use super::{Job, Scheduler};
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
                node_id: actor.spot.map(|spot| self.nodes[spot.node].id.to_string()),
                ray_namespace: actor.spec.namespace.to_string(),
                required_resources: actor.spec.lifetime.to_string(),
                death_cause: actor.cause.as_ref().filter(|_| actor.state == ActorState::Dead).map(ToString::to_string),
                is_detached: actor.spec.detached,
                num_restarts: actor.incarnation,
                pending_reason: self.why_waits(actor.spec.id),
            })
            .collect();
        rows.sort_by(|left, right| left.actor_id.cmp(&right.actor_id));
        rows
    }

    /// All nodes, those included that died lately.
    #[must_use]
    pub fn node_rows(&self) -> Vec<NodeRow> {
        let rows = self.nodes.iter().map(|node| NodeRow {
            node_id: node.id.to_string(),
            node_ip: if node.at.address.is_empty() { "127.0.0.1".to_owned() } else { node.at.address.clone() },
            is_head_node: node.at.is_head_node || self.nodes.len() == 1,
            state: node.state().to_owned(),
            node_name: node.at.name.clone(),
            resources_total: node.total.to_string(),
            resources_available: node.available.to_string(),
            start_time_ms: node.joined,
        });
        rows.collect()
    }

    /// All jobs, in the order of their numbers.
    #[must_use]
    pub fn job_rows(&self) -> Vec<JobRow> {
        let mut rows: Vec<JobRow> = self.jobs.values().map(Job::row).collect();
        rows.sort_by(|left, right| left.job_id.cmp(&right.job_id));
        rows
    }

    /// The job of that id or submission id.
    #[must_use]
    pub fn job_row(&self, id: &str) -> Option<JobRow> {
        self.job_id(id).and_then(|id| self.jobs.get(&id)).map(Job::row)
    }
}

impl Job {
    pub(super) fn row(&self) -> JobRow {
        JobRow {
            job_id: self.spec.id.to_string(),
            status: self.state.name().to_owned(),
            entrypoint: self.spec.entrypoint.to_string(),
            start_time_ms: self.started,
            end_time_ms: self.ended,
            submission_id: self.spec.submission_id.to_string(),
            name: self.spec.name.to_string(),
            message: self.message.clone(),
            driver_node_id: self.node.map(|node| node.to_string()),
            exit_code: self.exit_code.map(u32::from),
        }
    }
}
