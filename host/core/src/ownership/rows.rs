//! What people see of an owner's state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Ownership;
use super::compact::Compact;
use super::task::Task;
use crate::view::{ObjectRow, TaskRow, TaskSummaryRow};
use crate::{ActorId, Error, ErrorKind, Millis, NodeId, TaskId, TaskKind, TaskState, TaskTerms, limits};

/// What is remembered of a task that is over. Its arguments are not: they may be large, and whoever
/// lists tasks does not see them. As small as can be, because there are
/// [`FINISHED_TASKS_KEPT`](crate::limits::FINISHED_TASKS_KEPT) of them.
#[derive(Debug, Clone)]
pub(super) struct Past {
    id: TaskId,
    parent: TaskId,
    kind: TaskKind,
    terms: Arc<TaskTerms>,
    attempt: u32,
    worker: Option<Compact>,
    node: Option<NodeId>,
    created: Millis,
    started: Option<Compact>,
    ended: Option<Compact>,
    error: Option<Box<(ErrorKind, String)>>,
}

impl Past {
    fn state(&self) -> TaskState {
        if self.error.is_some() { TaskState::Failed } else { TaskState::Finished }
    }

    fn actor(&self) -> Option<ActorId> {
        actor_of(self.id, &self.kind)
    }

    fn row(&self, state: TaskState) -> TaskRow {
        TaskRow {
            task_id: self.id.to_string(),
            attempt_number: self.attempt,
            name: self.terms.name.to_string(),
            state: state.name().to_owned(),
            job_id: self.terms.job.to_string(),
            actor_id: self.actor().map(|actor| actor.to_string()),
            r#type: self.kind.name().to_owned(),
            func_or_class_name: self.terms.function.to_string(),
            parent_task_id: self.parent.to_string(),
            node_id: self.node.map(|node| node.to_string()),
            worker_id: self.worker.map(|worker| worker.get().to_string()),
            error_type: self.error.as_ref().map(|error| error.0.name().to_owned()),
            pending_reason: None,
            required_resources: self.terms.resources.to_string(),
            creation_time_ms: self.created,
            start_time_ms: self.started.map(Compact::get),
            end_time_ms: self.ended.map(Compact::get),
            error_message: self.error.as_ref().map(|error| error.1.clone()),
        }
    }
}

impl Ownership {
    pub(super) fn past_of(&self, task: &Task, error: Option<&Error>, ended: Option<Compact>) -> Past {
        let spec = &task.spec;
        let actor = actor_of(spec.id, &spec.kind);
        let node = self.node_of(task).or_else(|| actor.and_then(|actor| self.actor_node(actor)));
        Past {
            id: spec.id,
            parent: spec.parent,
            kind: spec.kind.clone(),
            terms: spec.terms.without_extras(),
            attempt: task.attempt,
            worker: task.worker,
            node: node.or(task.worker.is_some().then_some(self.node)),
            created: task.created,
            started: task.started,
            ended,
            error: error
                .map(|error| Box::new((error.kind, error.clone().cut_to(limits::ERROR_LISTED_BYTES_MAX).to_string()))),
        }
    }

    fn pending_reason(&self, task: &Task, actor: Option<ActorId>, state: TaskState) -> Option<String> {
        match (state, actor) {
            (TaskState::PendingArgsAvail, _) => Some(format!("waits for {} of its arguments", task.missing)),
            (TaskState::PendingNodeAssignment, Some(actor)) => {
                Some(self.actor_why(actor).unwrap_or("waits for its actor").to_owned())
            }
            (TaskState::PendingNodeAssignment, None) => {
                let why = task.shape.and_then(|shape| self.shapes.get(shape)).map_or("", |queue| &queue.why);
                Some(if why.is_empty() { "waits for a slot".to_owned() } else { why.to_owned() })
            }
            _ => None,
        }
    }

    /// All tasks: those that are not over, then those that ended, the oldest first. Cheap to take under
    /// a lock; the rows are made of it afterwards.
    #[must_use]
    pub fn task_snapshot(&self) -> TaskSnapshot {
        let live = self.tasks.values().map(|task| {
            let past = self.past_of(task, None, None);
            let why = self.pending_reason(task, past.actor(), task.state);
            (past, task.state, why)
        });
        let over = self.finished.iter().map(|past| (past.clone(), past.state(), None));
        TaskSnapshot(live.chain(over).collect())
    }

    /// All objects, with a row for each reason why one is kept.
    #[must_use]
    pub fn object_rows(&self, pid: u32, ip: &str) -> Vec<ObjectRow> {
        let mut rows = Vec::new();
        for (id, object) in &self.objects {
            let task = self.tasks.get(&id.task());
            let is_driver = task.is_none_or(|task| task.spec.kind == TaskKind::Driver);
            let row = ObjectRow {
                object_id: id.to_string(),
                object_size: object.size(),
                task_status: match (task, object.is_pending()) {
                    (Some(task), true) => task.state.name().to_owned(),
                    (_, _) if object.size().is_none() => TaskState::Failed.name().to_owned(),
                    (_, _) => TaskState::Finished.name().to_owned(),
                },
                attempt_number: task.map_or(0, |task| task.attempt),
                reference_type: String::new(),
                call_site: call_site(id.task(), task, id.is_put()),
                r#type: if is_driver { "DRIVER" } else { "WORKER" }.to_owned(),
                pid,
                ip: ip.to_owned(),
            };
            let reasons = [
                (object.handles, "LOCAL_REFERENCE"),
                (object.uses, "USED_BY_PENDING_TASK"),
                (object.captures, "CAPTURED_IN_OBJECT"),
                (object.borrowers(), "BORROWED_BY_NODE"),
            ];
            for (_, reason) in reasons.into_iter().filter(|(count, _)| *count > 0) {
                rows.push(ObjectRow { reference_type: reason.to_owned(), ..row.clone() });
            }
        }
        rows.sort_by(|left, right| left.object_id.cmp(&right.object_id));
        rows
    }

    /// Tasks counted by function and state.
    #[must_use]
    pub fn summary(&self) -> Vec<TaskSummaryRow> {
        let mut counts: BTreeMap<(String, String), BTreeMap<String, u64>> = BTreeMap::new();
        let mut count = |function: &str, kind: &str, state: &str| {
            let states = counts.entry((function.to_owned(), kind.to_owned())).or_default();
            *states.entry(state.to_owned()).or_default() += 1;
        };
        for task in self.tasks.values() {
            count(&task.spec.function, task.spec.kind.name(), task.state.name());
        }
        for past in self.finished.iter() {
            count(&past.terms.function, past.kind.name(), past.state().name());
        }
        let rows = counts.into_iter().map(|((function, kind), states)| TaskSummaryRow {
            func_or_class_name: function,
            r#type: kind,
            state_counts: states.into_iter().collect(),
        });
        rows.collect()
    }
}

/// The tasks of an owner at one moment.
#[derive(Debug)]
pub struct TaskSnapshot(Vec<(Past, TaskState, Option<String>)>);

impl TaskSnapshot {
    /// A row for each task.
    #[must_use]
    pub fn into_rows(self) -> Vec<TaskRow> {
        let rows = self.0.into_iter().map(|(past, state, why)| TaskRow { pending_reason: why, ..past.row(state) });
        rows.collect()
    }
}

/// The actor that a task makes or calls.
fn actor_of(id: TaskId, kind: &TaskKind) -> Option<ActorId> {
    match kind {
        TaskKind::ActorCall { actor } => Some(*actor),
        TaskKind::ActorCreation => Some(ActorId::from(id)),
        TaskKind::Normal | TaskKind::Driver => None,
    }
}

fn call_site(id: TaskId, task: Option<&Task>, is_put: bool) -> String {
    let what = if is_put { "put by" } else { "returned by" };
    match task {
        Some(task) => format!("{what} {} ({id})", task.spec.name),
        None => format!("{what} {id}"),
    }
}
