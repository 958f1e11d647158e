//! Lineage: what is kept of finished tasks so that their objects can be made again.
//!
//! Only tasks with an object in a store are kept: what is small is with its
//! owner and cannot be lost alone. A kept task counts its arguments
//! ([`Count::Lineage`]); their large values may go all the same, because they
//! can be made again in turn.

use std::collections::VecDeque;
use std::sync::Arc;

use super::borrow::owner_died;
use super::object::{Count, Place};
use super::task::{Task, bytes_within, refs_of};
use super::{Command, LostCopy, Output, Ownership};
use crate::message::ToPeer;
use crate::{Error, ErrorKind, IdMap, Millis, NodeId, ObjectId, RefId, TaskId, TaskKind, TaskSpec, limits};

/// Finished tasks that may run again.
#[derive(Debug)]
pub(super) struct Lineage {
    pub(super) tasks: IdMap<TaskId, Kept>,
    bytes: u64,
    pub(super) bytes_max: u64,
    order: VecDeque<TaskId>,
    /// Objects that were lost and are to be made again.
    pub(super) lost: VecDeque<ObjectId>,
}

impl Default for Lineage {
    fn default() -> Self {
        Self {
            tasks: IdMap::default(),
            bytes: 0,
            bytes_max: limits::LINEAGE_BYTES_MAX,
            order: VecDeque::new(),
            lost: VecDeque::new(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) spec: Arc<TaskSpec>,
    attempt: u32,
    /// Its objects in stores that still are, or are lost and can be made again.
    outputs: u32,
    bytes: u64,
}

/// What a kept task takes beside the bytes of its arguments.
const KEPT_BYTES: u64 = 512;

impl Ownership {
    /// Keeps what is needed to run a task again whose outputs went to a store.
    pub(super) fn keep_lineage(&mut self, task: &Task, out: &mut Vec<Command>) {
        let spec = &task.spec;
        if !spec.max_retries.allows(0) {
            return;
        }
        if self.lineage.tasks.contains_key(&spec.id) {
            return self.keep_attempt(spec.id, task.attempt, out);
        }
        let outputs = self.outputs_in_stores(spec);
        if outputs == 0 {
            return;
        }
        let bytes = KEPT_BYTES + bytes_within(spec);
        for used in refs_of(spec) {
            self.count_up(used, Count::Lineage);
        }
        let kept = Kept { spec: Arc::clone(spec), attempt: task.attempt, outputs, bytes };
        self.lineage.tasks.insert(spec.id, kept);
        self.lineage.order.push_back(spec.id);
        self.lineage.bytes += bytes;
        while self.lineage.bytes > self.lineage.bytes_max
            && let Some(oldest) = self.lineage.order.pop_front()
        {
            for (used, count) in self.forget_lineage(oldest) {
                self.count_down(used, count, out);
            }
        }
    }

    /// A task that ran again is over, whether or not it failed: no attempt has the number of one before.
    pub(super) fn keep_attempt(&mut self, id: TaskId, attempt: u32, out: &mut Vec<Command>) {
        if let Some(kept) = self.lineage.tasks.get_mut(&id) {
            kept.attempt = attempt;
        }
        self.recount_lineage(id, out);
    }

    /// Objects of a task may be smaller than they were, or have failed: it ran again, or cannot.
    fn recount_lineage(&mut self, id: TaskId, out: &mut Vec<Command>) {
        let Some(kept) = self.lineage.tasks.get(&id) else { return };
        let outputs = self.outputs_in_stores(&kept.spec);
        if outputs == 0 {
            for (used, count) in self.forget_lineage(id) {
                self.count_down(used, count, out);
            }
        } else if let Some(kept) = self.lineage.tasks.get_mut(&id) {
            kept.outputs = outputs;
        }
    }

    /// A task is kept for the sake of just those of its objects that are in stores, or were.
    pub(super) fn audit_lineage(&self, wrong: &mut Vec<String>) {
        for (id, kept) in self.lineage.tasks.iter().filter(|(id, _)| !self.tasks.contains_key(*id)) {
            let outputs = self.outputs_in_stores(&kept.spec);
            if outputs != kept.outputs {
                wrong.push(format!("task {id} is kept for {} objects, and {outputs} are in stores", kept.outputs));
            }
        }
    }

    /// How many of a task's objects are too large to be with their owner.
    fn outputs_in_stores(&self, spec: &TaskSpec) -> u32 {
        let stored = (0..spec.num_returns).filter(|index| {
            let object = self.objects.get(&spec.id.output(*index));
            object.is_some_and(|object| matches!(object.place, Place::Stored(_) | Place::Lost))
        });
        u32::try_from(stored.count()).unwrap_or(u32::MAX)
    }

    /// One of a task's objects that were in stores has gone for good. Answers with what its lineage referred to, when
    /// that goes too.
    pub(super) fn output_gone(&mut self, id: TaskId) -> Vec<(RefId, Count)> {
        let Some(kept) = self.lineage.tasks.get_mut(&id) else { return Vec::new() };
        kept.outputs = kept.outputs.saturating_sub(1);
        if kept.outputs > 0 { Vec::new() } else { self.forget_lineage(id) }
    }

    fn forget_lineage(&mut self, id: TaskId) -> Vec<(RefId, Count)> {
        let Some(kept) = self.lineage.tasks.remove(&id) else { return Vec::new() };
        self.lineage.bytes -= kept.bytes;
        if self.lineage.order.len() > 2 * self.lineage.tasks.len() + 64 {
            let tasks = &self.lineage.tasks;
            self.lineage.order.retain(|id| tasks.contains_key(id));
        }
        refs_of(&kept.spec).into_iter().map(|used| (used, Count::Lineage)).collect()
    }

    /// Sees to it that an object is there some day: asks its owner, or has its task run again.
    pub(super) fn ensure(&mut self, id: ObjectId, out: &mut Vec<Command>) {
        let Some(object) = self.objects.get_mut(&id) else { return };
        match &object.place {
            Place::Lost => {
                object.place = Place::Pending;
                self.lineage.lost.push_back(id);
            }
            Place::Pending => {
                if let Some(far) = object.far.as_mut()
                    && let Some(owner) = far.owner
                    && !std::mem::replace(&mut far.asked, true)
                {
                    out.push(Command::to_peer(owner, ToPeer::Wanted { object: id, missing_at: Vec::new() }));
                }
            }
            Place::Inline(_) | Place::Stored(_) | Place::Failed(_) => {}
        }
    }

    /// Has the tasks of lost objects run again, and those of their arguments.
    pub(super) fn make_again(&mut self, now: Millis, out: &mut Vec<Command>) {
        // A queue and no recursion: a chain of lost objects can be long.
        let mut failed = Vec::new();
        while let Some(id) = self.lineage.lost.pop_front() {
            let task = id.task();
            let message = if id.is_put() {
                // Another attempt of the task that put it would put other objects.
                format!(
                    "object `{id}` was put and is gone, with its node or with its last reference, so no task can make \
                     it again: put it again"
                )
            } else if self.tasks.contains_key(&task) {
                continue;
            } else if let Err(why) = self.run_again(task, now, out) {
                format!("object `{id}` is lost with its node and cannot be made again: {why}")
            } else {
                continue;
            };
            self.settle(id, Output::Failed(Error::new(ErrorKind::ObjectLost, message)), out);
            failed.push(task);
        }
        for task in failed {
            if !self.tasks.contains_key(&task) {
                self.recount_lineage(task, out);
            }
        }
    }

    fn run_again(&mut self, id: TaskId, now: Millis, out: &mut Vec<Command>) -> Result<(), &'static str> {
        let kept = self.lineage.tasks.get_mut(&id);
        let kept = kept.ok_or("its task may not be run again (`max_retries`), or more tasks were finished since than its owner remembers (`RAYW_LINEAGE_BYTES`)")?;
        if !kept.spec.max_retries.allows(kept.attempt) {
            return Err("its task has used up its retries (`max_retries`, for actors `max_task_retries`)");
        }
        if let TaskKind::ActorCall { actor } = kept.spec.kind
            && !self.actors.contains_key(&actor)
        {
            return Err("the actor whose call made it has ended");
        }
        kept.attempt += 1;
        let (spec, attempt) = (Arc::clone(&kept.spec), kept.attempt);
        if let TaskKind::ActorCall { actor } = spec.kind {
            self.count_call(actor);
        }
        self.admit(spec, attempt, now, out);
        Ok(())
    }

    /// Copies were not where they were said to be.
    pub(super) fn copies_missing(&mut self, lost: Vec<LostCopy>, now: Millis, out: &mut Vec<Command>) {
        for copy in lost {
            self.copy_missing(copy.object, copy.missing_at, out);
        }
        self.make_again(now, out);
    }

    pub(super) fn copy_missing(&mut self, id: ObjectId, missing_at: Vec<NodeId>, out: &mut Vec<Command>) {
        let Some(object) = self.objects.get_mut(&id) else { return };
        let Place::Stored(copies) = &mut object.place else { return };
        let at = &mut copies.at;
        let primary = at.first().copied();
        let gone: Vec<NodeId> = at.extract_if(.., |node| missing_at.contains(node)).collect();
        let (first, is_new) = (at.first().copied(), at.first().copied() != primary);
        if let Some(owner) = object.far.as_mut().and_then(|far| {
            far.asked = far.owner.is_some();
            far.owner
        }) {
            self.lose(id, Place::Pending, out);
            if self.dead.contains(&owner) {
                return self.settle(id, Output::Failed(owner_died(id, owner)), out);
            }
            out.push(Command::to_peer(owner, ToPeer::Wanted { object: id, missing_at }));
            return;
        }
        match first {
            Some(first) if is_new => self.keep_copy(id, first, out),
            Some(_) => {}
            None => self.lose(id, Place::Lost, out),
        }
        // One may have come there since somebody looked: nobody would have it dropped later.
        let gone = gone.into_iter().filter(|node| !self.dead.contains(node)).collect();
        self.forget_copies(id, gone, out);
    }

    /// Forgets where an object is, and what it contained.
    pub(super) fn lose(&mut self, id: ObjectId, place: Place, out: &mut Vec<Command>) {
        let Some(object) = self.objects.get_mut(&id) else { return };
        let lost = std::mem::replace(&mut object.place, place);
        self.small_bytes += object.place.bytes_here();
        self.small_bytes -= lost.bytes_here();
        if let Place::Stored(copies) = lost {
            for inner in copies.refs {
                self.count_down(inner, Count::Capture, out);
            }
        }
    }

    /// There is a copy here now.
    pub(super) fn copied(&mut self, id: ObjectId, owner: NodeId, out: &mut Vec<Command>) {
        let node = self.node;
        let is_known = match self.objects.get_mut(&id).map(|object| &mut object.place) {
            Some(Place::Stored(copies)) => {
                if !copies.at.contains(&node) {
                    copies.at.push(node);
                }
                true
            }
            Some(_) | None => false,
        };
        if owner != node && !self.dead.contains(&owner) {
            self.hosted.insert(id, owner);
            out.push(Command::to_peer(owner, ToPeer::Copied { object: id }));
        } else if !is_known {
            out.push(Command::Forget(id));
        } else if owner != node {
            self.hosted.insert(id, owner);
        }
    }

    /// Another node has a copy of an object of ours.
    pub(super) fn copied_to(&mut self, id: ObjectId, node: NodeId, out: &mut Vec<Command>) {
        match self.objects.get_mut(&id).map(|object| &mut object.place) {
            Some(Place::Stored(copies)) => {
                if !copies.at.contains(&node) {
                    copies.at.push(node);
                }
            }
            _ => out.push(Command::to_peer(node, ToPeer::Forget { object: id })),
        }
    }
}
