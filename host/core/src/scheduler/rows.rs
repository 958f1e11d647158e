//! What people see of the head's state.

use super::{DemandKind, Group, Job, Scheduler};
use crate::view::{ActorRow, GroupRow, JobRow, LeaseRow, NodeRow};
use crate::{ActorState, JobId, JobState, Labels};

/// Reasons that are told in one row: a person reads a few.
const REASONS_SHOWN: usize = 3;

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
            labels: in_rays_form(&node.labels),
            state_message: node.why(),
            start_time_ms: node.joined,
            end_time_ms: node.died,
        });
        rows.collect()
    }

    /// All leases, in the order in which they were made.
    #[must_use]
    pub fn lease_rows(&self) -> Vec<LeaseRow> {
        let mut leases: Vec<_> = self.leases.iter().collect();
        leases.sort_unstable_by_key(|(id, _)| **id);
        let rows = leases.into_iter().map(|(id, lease)| LeaseRow {
            lease_id: id.to_string(),
            job_id: lease.shape.job.to_string(),
            node_id: self.nodes[lease.spot.node].id.to_string(),
            owner_node_id: lease.owner.to_string(),
            required_resources: lease.shape.resources.to_string(),
            slots: lease.slots,
            parked: lease.parked,
            reclaiming: lease.reclaiming,
            placement_group_id: lease.spot.bundle.map(|(group, _)| group.to_string()),
            bundle_index: lease.spot.bundle.map(|(_, index)| index),
            grant_time_ms: lease.granted_at,
        });
        rows.collect()
    }

    /// All placement groups, those included that were removed lately.
    #[must_use]
    pub fn group_rows(&self) -> Vec<GroupRow> {
        let mut rows: Vec<GroupRow> = self.groups.values().map(|group| self.group_row(group)).collect();
        rows.sort_by(|left, right| left.placement_group_id.cmp(&right.placement_group_id));
        rows
    }

    fn group_row(&self, group: &Group) -> GroupRow {
        let bundles = group.spec.bundles.iter().zip(&group.bundles).map(|(spec, bundle)| match bundle {
            Some(bundle) => format!("{} on node {}", spec.resources, self.nodes[bundle.node].id),
            None => format!("{} nowhere", spec.resources),
        });
        GroupRow {
            placement_group_id: group.spec.id.to_string(),
            name: group.spec.name.as_deref().unwrap_or("").to_owned(),
            creator_job_id: group.spec.job.to_string(),
            state: group.state.name().to_owned(),
            strategy: group.spec.strategy.name().to_owned(),
            bundles: bundles.collect(),
            is_detached: group.spec.detached,
            ray_namespace: group.spec.namespace.to_string(),
            pending_reason: Some(group.why.clone()).filter(|why| !why.is_empty()),
        }
    }

    /// All jobs, in the order of their numbers.
    #[must_use]
    pub fn job_rows(&self) -> Vec<JobRow> {
        let mut rows: Vec<JobRow> = self.jobs.values().map(|job| self.row_of(job)).collect();
        rows.sort_by(|left, right| left.job_id.cmp(&right.job_id));
        rows
    }

    /// The job of that id or submission id.
    #[must_use]
    pub fn job_row(&self, id: &str) -> Option<JobRow> {
        self.job_id(id).and_then(|id| self.jobs.get(&id)).map(|job| self.row_of(job))
    }

    fn row_of(&self, job: &Job) -> JobRow {
        let mut row = job.row();
        if job.state == JobState::Running && row.message.is_empty() {
            row.message = self.waits_in_vain(job.spec.id);
        }
        row
    }

    /// What work of a job waits for a node that there is not, such as `4 tasks wait: infeasible: needs 1 CPU (0 here)`.
    fn waits_in_vain(&self, job: JobId) -> String {
        let words = self.demands.infeasible_of(job).take(REASONS_SHOWN).filter_map(|lane| {
            let (mut count, mut kind) = (0, ("task", "tasks"));
            for demand in lane.demands.values() {
                let (more, of) = match demand.kind {
                    DemandKind::Slots { backlog, .. } => (u64::from(backlog), ("task", "tasks")),
                    DemandKind::Actor(_) => (1, ("actor", "actors")),
                    DemandKind::Driver(_) => (1, ("driver", "drivers")),
                    DemandKind::Group(_) => (1, ("placement group", "placement groups")),
                };
                (count, kind) = (count + more, of);
            }
            let (what, wait) = if count == 1 { (kind.0, "waits") } else { (kind.1, "wait") };
            (count > 0 && !lane.why.is_empty()).then(|| format!("{count} {what} {wait}: {}", lane.why))
        });
        words.collect::<Vec<_>>().join("; ")
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
            r#type: if self.spec.submission_id.is_empty() { "DRIVER" } else { "SUBMISSION" }.to_owned(),
            error_type: self.failure.map(|failure| failure.name().to_owned()),
            name: self.spec.name.to_string(),
            message: self.message.clone(),
            driver_node_id: self.node.map(|node| node.to_string()),
            exit_code: self.exit_code.map(u32::from),
        }
    }
}

/// Ray's form, such as `{'zone': 'a'}`.
fn in_rays_form(labels: &Labels) -> String {
    let words: Vec<String> = labels.iter().map(|(key, value)| format!("'{key}': '{value}'")).collect();
    format!("{{{}}}", words.join(", "))
}
