//! Cancelling tasks, and ending jobs.

use std::collections::HashMap;

use super::{Command, Ownership};
use crate::message::ToPeer;
use crate::{Error, ErrorKind, JobId, Millis, NodeId, ObjectId, RefId, TaskId, TaskKind, limits};

impl Ownership {
    pub(super) fn cancel(&mut self, object: ObjectId, recursive: bool, now: Millis, out: &mut Vec<Command>) {
        let id = object.task();
        // Something that was put is made already, and its task is somebody else's.
        if object.is_put() {
            return;
        }
        let owner = self.owner_of(RefId::Object(object));
        if owner != self.node {
            return out.push(Command::to_peer(owner, ToPeer::Cancel { object, recursive }));
        }
        // What a task left behind that is over goes on, and one that never began has none.
        let Some(task) = self.tasks.get(&id) else { return };
        let has_begun = task.is_sent() || task.attempt > 0;
        let descendants = if recursive && has_begun { self.descendants(vec![id]) } else { Vec::new() };
        for id in std::iter::once(id).chain(descendants) {
            self.cancel_one(id, recursive, "was cancelled", now, out);
        }
    }

    /// Cancels what tasks submitted here that other nodes own. For all of them at once, because it looks at
    /// every task that there is.
    pub(super) fn cancel_children(&mut self, parents: Vec<TaskId>, now: Millis, out: &mut Vec<Command>) {
        for id in self.descendants(parents) {
            self.cancel_one(id, true, "was cancelled with the task that submitted it", now, out);
        }
    }

    /// Has a task stopped where it runs.
    pub(super) fn stop(&self, task: TaskId, attempt: u32, node: NodeId, recursive: bool, out: &mut Vec<Command>) {
        out.push(if node == self.node {
            Command::Stop { task, attempt }
        } else {
            Command::to_peer(node, ToPeer::Stop { task, attempt, recursive })
        });
    }

    fn descendants(&self, roots: Vec<TaskId>) -> Vec<TaskId> {
        if roots.is_empty() {
            return roots;
        }
        let mut children: HashMap<TaskId, Vec<TaskId>> = HashMap::new();
        for task in self.tasks.values() {
            children.entry(task.spec.parent).or_default().push(task.spec.id);
        }
        let mut found = Vec::new();
        let mut work = roots;
        while let Some(parent) = work.pop() {
            for child in children.remove(&parent).unwrap_or_default() {
                found.push(child);
                work.push(child);
            }
        }
        found
    }

    /// Whether what this task submits is cancelled with it.
    pub(super) fn cancels_children(&self, id: TaskId) -> bool {
        self.tasks.get(&id).is_some_and(|task| task.cancels_children)
            || self.foreign.get(&id).is_some_and(|foreign| foreign.cancels_children)
            || self.outlived.contains(&id)
    }

    /// Whether this is the driver of a job that ended lately, which may still say what it did before. What actors
    /// submit that outlive their job, a constructor's work included, is not meant.
    pub(super) fn is_of_ended_driver(&self, job: JobId, parent: TaskId) -> bool {
        self.has_ended(job) && parent == job.driver(self.cluster)
    }

    pub(super) fn cancel_one(&mut self, id: TaskId, recursive: bool, why: &str, now: Millis, out: &mut Vec<Command>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let attempt = task.attempt;
        let is_sent = task.is_sent();
        let error = Error::new(ErrorKind::TaskCancelled, format!("task `{}` {why}", task.spec.name));
        match task.spec.kind {
            TaskKind::Normal if is_sent => {
                task.cancelled = true;
                task.cancels_children |= recursive;
                let lease = task.lease.and_then(|lease| self.leases.get_mut(&lease));
                let node = lease.map_or(self.node, |lease| {
                    lease.ahead.doubt(id);
                    lease.node
                });
                self.stop(id, attempt, node, recursive, out);
            }
            TaskKind::ActorCall { actor } if is_sent => {
                task.cancelled = true;
                task.cancels_children |= recursive;
                debug_assert!(self.is_sent_to(actor, id), "a call that is sent is in its actor's list");
                match self.actor_node(actor) {
                    Some(node) if node != self.node => {
                        out.push(Command::to_peer(node, ToPeer::FlagCancelled { actor, task: id, recursive }));
                    }
                    _ => out.push(Command::FlagCancelled { actor, task: id }),
                }
            }
            TaskKind::Normal | TaskKind::ActorCall { .. } => self.fail(id, error, now, out),
            TaskKind::ActorCreation | TaskKind::Driver => {}
        }
    }

    /// Whether a job is over, as far as this machine heard of it lately.
    #[must_use]
    pub fn has_ended(&self, job: JobId) -> bool {
        self.ended_jobs.contains(&job)
    }

    pub(super) fn job_ended(&mut self, job: JobId, now: Millis, out: &mut Vec<Command>) {
        if self.ended_jobs.insert(job) {
            self.ended_in_order.push_back(job);
            if self.ended_in_order.len() > limits::ENDED_JOBS_REMEMBERED
                && let Some(oldest) = self.ended_in_order.pop_front()
            {
                self.ended_jobs.remove(&oldest);
            }
        }
        let tasks: Vec<TaskId> = self.tasks.values().filter(|task| task.spec.job == job).map(|t| t.spec.id).collect();
        for id in tasks {
            self.cancel_one(id, true, "was cancelled because its job ended", now, out);
        }
        self.stop_foreign(|_, of| of == job, now, out);
        self.leave_calls_of(job);
        self.return_leases_of(job, out);
        self.forget_shapes_of(job);
    }
}
