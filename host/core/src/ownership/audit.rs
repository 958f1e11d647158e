//! What must hold between two events, recounted from scratch: for tests and simulations.

use super::foreign::refs_in;
use super::object::Place;
use super::task::{Task, refs_of};
use super::{Output, Ownership};
use crate::{IdMap, NodeId, RefId, TaskId, TaskKind, TaskState};

/// The four counts of something that is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    handles: u32,
    uses: u32,
    captures: u32,
    lineage: u32,
}

impl Ownership {
    /// What does not hold although it must, in words; empty when all is well. `handles` is what the
    /// guests of the node hold.
    ///
    /// Its cost grows with all that the owner knows, so nothing calls it while work is done.
    #[must_use]
    pub fn audit(&self, handles: &IdMap<RefId, u32>) -> Vec<String> {
        let mut wrong = Vec::new();
        self.audit_counts(handles, &mut wrong);
        self.audit_lineage(&mut wrong);
        self.audit_small_bytes(&mut wrong);
        self.audit_leases(&mut wrong);
        for (id, object) in &self.objects {
            let is_kept = object.is_wanted() || object.lineage > 0 || (object.is_pending() && !object.is_borrowed());
            if !is_kept {
                wrong.push(format!("object {id} is kept for nobody: {object:?}"));
            }
        }
        self.audit_awaited(&mut wrong);
        wrong
    }

    /// Who waits is in the lists of objects that are not there, and nobody has yet to be told.
    fn audit_awaited(&self, wrong: &mut Vec<String>) {
        let mut awaited: IdMap<TaskId, u32> = IdMap::default();
        for object in self.objects.values().filter(|object| object.is_pending()) {
            object.dependents().for_each(|task| *awaited.entry(task).or_default() += 1);
        }
        // A constructor whose argument failed is over when the head says so.
        let waits =
            |task: &Task| task.state == TaskState::PendingArgsAvail && task.spec.kind != TaskKind::ActorCreation;
        for (id, task) in self.tasks.iter().filter(|(_, task)| waits(task)) {
            let found = awaited.get(id).copied().unwrap_or_default();
            if task.missing != found {
                wrong.push(format!("task {id} waits for {} objects and is told of {found}", task.missing));
            }
        }
        if !self.settled.is_empty() {
            wrong.push(format!("who waits for these has not been told: {:?}", self.settled));
        }
    }

    /// What is still there; empty when all work is over and nobody refers to anything.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let mut left: Vec<String> = Vec::new();
        left.extend(self.tasks.iter().map(|(id, task)| format!("task {id} is {}: {task:?}", task.state.name())));
        left.extend(self.objects.iter().map(|(id, object)| format!("object {id}: {object:?}")));
        left.extend(self.actors.iter().map(|(id, actor)| format!("actor {id}: {actor:?}")));
        left.extend(self.leases.iter().map(|(id, lease)| format!("lease {id}: {lease:?}")));
        left.extend(self.waiters.iter().map(|(id, waiter)| format!("wait {id:?}: {waiter:?}")));
        left.extend(self.foreign.iter().map(|(id, foreign)| format!("foreign task {id}: {foreign:?}")));
        left.extend(self.hosted.iter().map(|(id, owner)| format!("object {id} of {owner} is kept here")));
        left.extend(self.lent_early.iter().map(|(actor, far)| format!("actor {actor} is lent early: {far:?}")));
        left.extend(
            self.counted_early.iter().map(|(actor, early)| format!("actor {actor} is counted early: {early:?}")),
        );
        left.extend(self.constructs.iter().map(|construct| format!("{construct:?}")));
        left.extend(self.constructing.keys().map(|id| format!("arguments of actor {id} are awaited")));
        let is_over = |queue: &super::lease::ShapeQueue| self.has_ended(queue.shape.job);
        left.extend(self.shapes.iter().filter(|(_, queue)| is_over(queue)).map(|(_, queue)| format!("{queue:?}")));
        left.extend(self.lineage.tasks.keys().map(|id| format!("lineage of task {id}")));
        left
    }

    /// What other nodes own and this one refers to: what, whose, and how many tokens.
    pub fn borrowed(&self) -> impl Iterator<Item = (RefId, NodeId, u32)> {
        let objects = self.objects.iter().map(|(id, object)| (RefId::Object(*id), object.far.as_ref()));
        let actors = self.actors.iter().map(|(id, actor)| (RefId::Actor(*id), actor.far.as_ref()));
        objects.chain(actors).filter_map(|(id, far)| {
            far.and_then(|far| Some((id, far.owner?, far.tokens.iter().map(|(_, tokens)| tokens).sum())))
        })
    }

    /// What others borrow of this node: what, who, and how many tokens they have.
    pub fn lent_out(&self) -> impl Iterator<Item = (RefId, NodeId, i64)> {
        let objects = self.objects.iter().map(|(id, object)| (RefId::Object(*id), object.far.as_ref()));
        let actors = self.actors.iter().map(|(id, actor)| (RefId::Actor(*id), actor.far.as_ref()));
        let far = objects.chain(actors).filter_map(|(id, far)| Some((id, far?)));
        far.flat_map(|(id, far)| far.borrowers.iter().map(move |loan| (id, loan.borrower, loan.tokens)))
    }

    /// Whether there is an entry for what is referred to.
    #[must_use]
    pub fn knows(&self, id: RefId) -> bool {
        match id {
            RefId::Object(id) => self.objects.contains_key(&id),
            RefId::Actor(id) => self.actors.contains_key(&id),
            // The head knows it, and nobody counts it.
            RefId::Group(_) => true,
        }
    }

    fn audit_small_bytes(&self, wrong: &mut Vec<String>) {
        let objects = self.objects.values().map(|object| object.place.bytes_here());
        let tasks = self.tasks.values().map(|task| super::task::bytes_within(&task.spec));
        let small_bytes = objects.chain(tasks).sum::<u64>();
        if small_bytes != self.small_bytes {
            wrong.push(format!("{} bytes of small values are counted, and {small_bytes} are here", self.small_bytes));
        }
    }

    fn audit_counts(&self, handles: &IdMap<RefId, u32>, wrong: &mut Vec<String>) {
        let mut due: IdMap<RefId, Counts> = IdMap::default();
        for (id, count) in handles {
            due.entry(*id).or_default().handles = *count;
        }
        for task in self.tasks.values() {
            for id in refs_of(&task.spec) {
                due.entry(id).or_default().uses += 1;
            }
            if let TaskKind::ActorCall { actor } = task.spec.kind {
                due.entry(RefId::Actor(actor)).or_default().uses += 1;
            }
        }
        for id in self.foreign.values().flat_map(|foreign| &foreign.refs) {
            due.entry(*id).or_default().uses += 1;
        }
        for object in self.objects.values() {
            let inner = match &object.place {
                Place::Inline(value) => refs_in(&Output::Inline(std::sync::Arc::clone(value))),
                Place::Stored(copies) => copies.refs.clone(),
                Place::Pending | Place::Lost | Place::Failed(_) => Vec::new(),
            };
            for id in inner {
                due.entry(id).or_default().captures += 1;
            }
        }
        for id in self.lineage.tasks.values().flat_map(|kept| refs_of(&kept.spec)) {
            due.entry(id).or_default().lineage += 1;
        }
        let objects = self.objects.iter().map(|(id, object)| {
            let counts = [object.handles, object.uses, object.captures, object.lineage];
            (RefId::Object(*id), Counts::from(counts))
        });
        let actors = self.actors.iter().map(|(id, actor)| (RefId::Actor(*id), actor.counts().into()));
        for (id, counts) in objects.chain(actors) {
            let due = due.remove(&id).unwrap_or_default();
            if due != counts {
                wrong.push(format!("{id:?} has the counts {counts:?} and should have {due:?}"));
            }
        }
        for (id, due) in due.into_iter().filter(|(id, _)| matches!(id, RefId::Object(_))) {
            wrong.push(format!("{id:?} is not known and should have {due:?}"));
        }
    }

    fn audit_leases(&self, wrong: &mut Vec<String>) {
        for (id, lease) in &self.leases {
            let of_lease = |task: &&super::task::Task| task.lease == Some(*id) && task.is_sent();
            let busy = self.tasks.values().filter(of_lease).filter(|task| !task.is_blocked()).count();
            let blocked = self.tasks.values().filter(of_lease).filter(|task| task.is_blocked()).count();
            if let Some(why) = lease.audit(busy, blocked, self.shapes[lease.shape].shape.resources.is_cpu_only()) {
                wrong.push(format!("lease {id} {why}: {lease:?}"));
            }
            let has_slot = |task: &TaskId| {
                self.tasks.get(task).is_some_and(|task| task.lease == Some(*id) && task.is_sent() && !task.is_blocked())
            };
            if let Some(leader) = lease.ahead.leaders().find(|leader| !has_slot(leader)) {
                wrong.push(format!("lease {id} has tasks behind {leader}, which has no slot: {lease:?}"));
            }
        }
        for (index, queue) in &self.shapes {
            let tasks = self.tasks.values().filter(|task| task.shape == Some(index)).count();
            if let Some(why) = queue.audit(tasks) {
                wrong.push(format!("shape {index} {why}: {queue:?}"));
            }
        }
        for (id, task) in self.tasks.iter().filter(|(_, task)| task.spec.kind == TaskKind::Normal && task.is_sent()) {
            if task.lease.is_none_or(|lease| !self.leases.contains_key(&lease)) {
                wrong.push(format!("task {id} is {} without a lease", task.state.name()));
            }
        }
        let is_creation = |id: &TaskId| self.actors.contains_key(&crate::ActorId::from(*id));
        for (id, task) in self.tasks.iter().filter(|(_, task)| task.spec.kind == TaskKind::ActorCreation) {
            if !is_creation(id) {
                wrong.push(format!("the creation {id} is {} and its actor is gone", task.state.name()));
            }
        }
    }
}

impl From<[u32; 4]> for Counts {
    fn from([handles, uses, captures, lineage]: [u32; 4]) -> Self {
        Self { handles, uses, captures, lineage }
    }
}
