//! Leases as the owner sees them: which slots it has, who uses them, when they go back.
//!
//! A blocked task has no slot. Where its shape is cpus alone, the next task of
//! the shape takes the slot over; otherwise the slot goes back to the head as
//! *parked*, because the blocked task keeps its memory and its custom resources.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ahead::Ahead;
use super::object::Place;
use super::task::Task;
use super::{Command, Ownership, WaitResult, WaiterId, tables};
use crate::message::{Shape, ToHead, ToPeer};
use crate::{Arg, Error, IdMap, LeaseId, Millis, NodeId, TaskId, TaskSpec, TaskState, limits};

/// The tasks of one shape that wait for a slot.
#[derive(Debug)]
pub(super) struct ShapeQueue {
    pub(super) shape: Shape,
    pub(super) queue: VecDeque<TaskId>,
    pub(super) leases: Vec<LeaseId>,
    /// The backlog that the head knows of.
    told: u32,
    /// Slots granted for it so far; see [`ToHead::LeaseWanted`].
    granted: u32,
    /// Why the head has no slots for it.
    pub(super) why: String,
    /// Tasks that are of this shape and not over.
    tasks: u32,
}

impl ShapeQueue {
    /// Whether no task and no lease is of this shape.
    fn is_unused(&self) -> bool {
        self.tasks == 0 && self.leases.is_empty()
    }

    /// What does not fit to so many tasks that are of this shape.
    pub(super) fn audit(&self, tasks: usize) -> Option<&'static str> {
        (self.tasks as usize != tasks).then_some("counts other tasks than there are")
    }
}

#[derive(Debug)]
pub(super) struct Lease {
    pub(super) shape: usize,
    pub(super) node: NodeId,
    /// The bundle of the placement group that its slots are taken from.
    bundle: Option<u32>,
    pub(super) slots: u32,
    /// Tasks that use a slot.
    pub(super) busy: u32,
    /// Blocked tasks, those included that wait to go on.
    blocked: u32,
    /// Blocked tasks that the head counts as parked.
    parked: u32,
    /// Slots that the head wants back when their tasks end.
    pub(super) reclaim: u32,
    pub(super) resuming: VecDeque<(TaskId, Resumer)>,
    /// Tasks that have no slot yet and are at the node already.
    pub(super) ahead: Ahead,
    idle_since: Millis,
}

impl Lease {
    /// What does not fit to so many tasks that run and so many that are blocked.
    pub(super) fn audit(&self, sent: usize, blocked: usize, is_cpu_only: bool) -> Option<&'static str> {
        let busy = sent.saturating_sub(self.ahead.count());
        if (self.busy as usize, self.blocked as usize) != (busy, blocked) {
            return Some("counts other tasks than there are");
        }
        if self.busy > self.slots {
            return Some("has more tasks than slots");
        }
        if !is_cpu_only && self.parked < self.blocked {
            return Some("has a blocked task that is not parked");
        }
        (self.parked > self.blocked).then_some("has more parked tasks than blocked ones")
    }
}

/// Who is told that a blocked task may go on.
#[derive(Debug)]
pub(super) enum Resumer {
    /// The guest that waits here.
    Guest { waiter: WaiterId, result: WaitResult },
    /// The node that runs it.
    Peer { node: NodeId, attempt: u32 },
}

fn waits_for_slot(tasks: &IdMap<TaskId, Task>, id: TaskId) -> bool {
    tasks.get(&id).is_some_and(|task| task.state == TaskState::PendingNodeAssignment)
}

impl Ownership {
    fn shape_of(&mut self, spec: &TaskSpec) -> usize {
        let near = self.near(spec);
        // Most tasks are of the shape of the one before, and share what that one asked for.
        let is_same = |shape: &Shape| {
            Arc::ptr_eq(&shape.resources, &spec.resources)
                && Arc::ptr_eq(&shape.placement, &spec.placement)
                && (shape.job, shape.near) == (spec.job, near)
        };
        if self.shapes.get(self.last_shape).is_some_and(|queue| is_same(&queue.shape)) {
            return self.last_shape;
        }
        self.last_shape = self.find_shape(spec, near);
        self.last_shape
    }

    fn find_shape(&mut self, spec: &TaskSpec, near: Option<NodeId>) -> usize {
        let (resources, placement) = (Arc::clone(&spec.resources), Arc::clone(&spec.placement));
        let shape = Shape { job: spec.job, resources, placement, near };
        if let Some(index) = self.shape_index.get(&shape) {
            return *index;
        }
        let index = self.shapes.insert(ShapeQueue {
            shape: shape.clone(),
            queue: VecDeque::new(),
            leases: Vec::new(),
            told: 0,
            granted: 0,
            why: String::new(),
            tasks: 0,
        });
        self.shape_index.insert(shape, index);
        index
    }

    /// A task is of its shape from now on. Answers with that.
    pub(super) fn count_in(&mut self, spec: &TaskSpec) -> usize {
        let shape = self.shape_of(spec);
        self.shapes[shape].tasks += 1;
        shape
    }

    /// A task is over, or of another shape.
    pub(super) fn count_out(&mut self, shape: usize) {
        let queue = &mut self.shapes[shape];
        queue.tasks = queue.tasks.saturating_sub(1);
        self.forget_shape_if_over(shape);
    }

    /// A shape of a job that has ended goes with the last task and the last lease that are of it.
    pub(super) fn forget_shape_if_over(&mut self, index: usize) {
        let Some(queue) = self.shapes.get(index) else { return };
        if queue.is_unused() && self.has_ended(queue.shape.job) {
            self.forget_shape(index);
        }
    }

    fn forget_shape(&mut self, index: usize) -> Shape {
        let ShapeQueue { shape, .. } = self.shapes.remove(index);
        self.shape_index.remove(&shape);
        shape
    }

    /// The same for all shapes of a job.
    pub(super) fn forget_shapes_of(&mut self, job: crate::JobId) {
        let of_job = self.shapes.iter().filter(|(_, queue)| queue.shape.job == job);
        let of_job: Vec<usize> = of_job.map(|(index, _)| index).collect();
        of_job.into_iter().for_each(|index| self.forget_shape_if_over(index));
    }

    /// The node that has most of the bytes of a task's large arguments.
    fn near(&self, spec: &TaskSpec) -> Option<NodeId> {
        let mut bytes: Vec<(NodeId, u64)> = Vec::new();
        for argument in &spec.args {
            let Arg::Object(id) = argument else { continue };
            let Some(Place::Stored(copies)) = self.objects.get(id).map(|object| &object.place) else { continue };
            let size = copies.size;
            for node in &copies.at {
                match bytes.iter_mut().find(|(known, _)| known == node) {
                    Some((_, sum)) => *sum += size,
                    None => bytes.push((*node, size)),
                }
            }
        }
        // The node that has it for the longest wins a tie, which is where it was made.
        bytes.iter().rev().max_by_key(|(_, sum)| *sum).map(|(node, _)| *node)
    }

    fn is_cpu_only(&self, shape: usize) -> bool {
        self.shapes[shape].shape.resources.is_cpu_only()
    }

    pub(super) fn enqueue(&mut self, shape: usize, id: TaskId, now: Millis, out: &mut Vec<Command>) {
        let line = &mut self.shapes[shape].queue;
        tables::make_room(line, |id| waits_for_slot(&self.tasks, *id));
        line.push_back(id);
        self.dispatch(shape, now, out);
    }

    /// Has free slots of a shape used.
    pub(super) fn dispatch(&mut self, shape: usize, now: Millis, out: &mut Vec<Command>) {
        for index in 0.. {
            let queue = self.shapes.get(shape).filter(|queue| !queue.queue.is_empty());
            let Some(id) = queue.and_then(|queue| queue.leases.get(index)).copied() else { break };
            self.use_slots(id, now, out);
        }
        self.tell_backlog(shape, out);
    }

    /// Tells the head how many slots could be used, when that has changed enough to matter: a queue
    /// that grows one by one makes a message for each doubling.
    fn tell_backlog(&mut self, shape: usize, out: &mut Vec<Command>) {
        let Some(queue) = self.shapes.get_mut(shape) else { return };
        let backlog = u32::try_from(queue.queue.len()).unwrap_or(u32::MAX);
        let has_grown = backlog > 0 && (queue.told == 0 || backlog >= queue.told.saturating_mul(2));
        if has_grown || (backlog == 0 && queue.told > 0) {
            queue.told = backlog;
            let (shape, granted) = (queue.shape.clone(), queue.granted);
            out.push(Command::to_head(ToHead::LeaseWanted { owner: self.node, shape, backlog, granted }));
        }
    }

    /// Fills the free slots of a lease: first with blocked tasks that can go on, then what the head
    /// wants back goes back, then the queue. Answers with the last of the queue that has a slot now.
    fn use_slots(&mut self, id: LeaseId, now: Millis, out: &mut Vec<Command>) -> Option<TaskId> {
        let mut last = None;
        loop {
            let lease = self.leases.get_mut(&id)?;
            if lease.busy >= lease.slots {
                return last;
            }
            let shape = lease.shape;
            if self.shapes[shape].shape.resources.is_cpu_only()
                && let Some((task, resumer)) = lease.resuming.pop_front()
            {
                self.go_on(id, task, resumer, out);
            } else if lease.reclaim > 0 {
                lease.reclaim -= 1;
                self.return_slots(id, 1, out);
            } else if let Some(next) = self.next_in_line(shape) {
                // Where an argument has gone the task waits again, and others may have the slot by then.
                if self.hand_out(id, next, None, out) {
                    last = Some(next);
                }
            } else {
                if let Some(lease) = self.leases.get_mut(&id) {
                    lease.idle_since = now;
                    // What waits behind others here can begin at once.
                    if lease.node == self.node && lease.ahead.count() > 0 {
                        self.recall(id, false, out);
                    }
                }
                return last;
            }
        }
    }

    /// The next task of a shape that still waits for a slot, which it is to be given.
    pub(super) fn next_in_line(&mut self, shape: usize) -> Option<TaskId> {
        while let Some(next) = self.shapes.get_mut(shape).and_then(|queue| queue.queue.pop_front()) {
            if waits_for_slot(&self.tasks, next) {
                return Some(next);
            }
        }
        None
    }

    /// A task of a shape ended before it had a slot. When no other one waits, the head is told: what nobody wants any
    /// more holds up others there.
    pub(super) fn leave_line(&mut self, shape: usize, out: &mut Vec<Command>) {
        let Some(line) = self.shapes.get_mut(shape).map(|queue| &mut queue.queue) else { return };
        while line.front().is_some_and(|id| !waits_for_slot(&self.tasks, *id)) {
            line.pop_front();
        }
        while line.back().is_some_and(|id| !waits_for_slot(&self.tasks, *id)) {
            line.pop_back();
        }
        self.tell_backlog(shape, out);
    }

    /// Sends a task to the node of a lease, for a slot that is free or for the one that another task there
    /// will leave to it. Answers whether its arguments are there.
    pub(super) fn hand_out(
        &mut self,
        id: LeaseId,
        next: TaskId,
        behind: Option<TaskId>,
        out: &mut Vec<Command>,
    ) -> bool {
        let Some(order) = self.tasks.get(&next).and_then(|task| self.order(task, Some(id))) else {
            // A node died and took an argument with it.
            self.await_again(next, 0, out);
            return false;
        };
        if let Some(task) = self.tasks.get_mut(&next) {
            (task.lease, task.state) = (Some(id), TaskState::SubmittedToWorker);
        }
        let mut node = self.node;
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.busy += u32::from(behind.is_none());
            node = lease.node;
        }
        self.tally.running += 1;
        if node != self.node {
            let (order, refs) = self.travelling(order, node, out);
            out.push(Command::to_peer(node, ToPeer::Run { order, refs, behind }));
        } else if let Some(behind) = behind {
            out.push(Command::RunBehind { order, behind });
        } else {
            out.push(Command::Run(order));
        }
        true
    }

    fn go_on(&mut self, id: LeaseId, task: TaskId, resumer: Resumer, out: &mut Vec<Command>) {
        if let Resumer::Guest { waiter, .. } = &resumer
            && !self.waiters.contains_key(waiter)
        {
            return;
        }
        let Some(blocked) = self.tasks.get_mut(&task).filter(|task| task.is_blocked()) else { return };
        blocked.state = TaskState::Running;
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.busy += 1;
            lease.blocked = lease.blocked.saturating_sub(1);
            // It found a slot that the head did not give back for it.
            if lease.parked > lease.blocked {
                lease.parked -= 1;
                out.push(Command::to_head(ToHead::ParkedEnded { lease: id, parked: 1 }));
            }
        }
        self.wake_resumer(task, resumer, out);
    }

    fn wake_resumer(&mut self, task: TaskId, resumer: Resumer, out: &mut Vec<Command>) {
        match resumer {
            Resumer::Guest { waiter, result } => self.wake(waiter, result, out),
            Resumer::Peer { node, attempt } => out.push(Command::to_peer(node, ToPeer::Resumed { task, attempt })),
        }
    }

    /// Marks a task as blocked and frees its slot, which it must have again to go on. Answers whether
    /// the task is known here: drivers are not.
    pub(super) fn block(&mut self, id: TaskId, state: TaskState, out: &mut Vec<Command>) -> bool {
        let Some(task) = self.tasks.get_mut(&id).filter(|task| task.is_sent()) else {
            return self.foreign_blocked(id, state == TaskState::RunningInRayGet, out);
        };
        task.state = state;
        let Some(lease_id) = task.lease else { return true };
        // Its node may have begun it before its turn: when the end of the job took away who was before it.
        let had_slot = !self.was_ahead(lease_id, id);
        let Some(lease) = self.leases.get_mut(&lease_id) else { return true };
        lease.busy -= u32::from(had_slot);
        lease.blocked += 1;
        let now = lease.idle_since;
        let (next, node) = (self.pass_slot(lease_id, id, None, out), self.leases[&lease_id].node);
        if node == self.node {
            out.extend(next.map(Command::Begin));
        }
        if !self.is_cpu_only(self.leases[&lease_id].shape) {
            self.return_slots(lease_id, 1, out);
        }
        self.use_slots(lease_id, now, out);
        true
    }

    /// Lets a blocked task go on as soon as it has a slot.
    pub(super) fn resume(&mut self, id: TaskId, resumer: Resumer, out: &mut Vec<Command>) {
        let resumer = match resumer {
            Resumer::Guest { waiter, result } if self.foreign.contains_key(&id) => {
                match self.foreign_resumes(id, waiter, result, out) {
                    Some(result) => Resumer::Guest { waiter, result },
                    None => return,
                }
            }
            other => other,
        };
        let lease_id = self.tasks.get(&id).and_then(|task| task.lease);
        let Some((lease_id, lease)) = lease_id.and_then(|id| self.leases.get_mut(&id).map(|lease| (id, lease))) else {
            // Calls of actors hold no slot: they go on at once.
            if let Some(task) = self.tasks.get_mut(&id) {
                task.state = TaskState::Running;
            }
            return self.wake_resumer(id, resumer, out);
        };
        let is_cpu_only = self.shapes[lease.shape].shape.resources.is_cpu_only();
        if is_cpu_only && lease.busy < lease.slots {
            return self.go_on(lease_id, id, resumer, out);
        }
        lease.resuming.push_back((id, resumer));
        if !is_cpu_only || lease.slots == 0 {
            out.push(Command::to_head(ToHead::SlotsResumeWanted { lease: lease_id, slots: 1 }));
        }
        // It goes on before what has not begun.
        self.recall(lease_id, false, out);
    }

    /// A task that used a slot of this lease, or was blocked, is over.
    pub(super) fn leave_slot(
        &mut self,
        task: TaskId,
        lease: Option<LeaseId>,
        was_blocked: bool,
        now: Millis,
        out: &mut Vec<Command>,
    ) {
        let Some((id, lease)) = lease.and_then(|id| Some((id, self.leases.get_mut(&id)?))) else { return };
        if lease.ahead.take_out(task) {
            return;
        }
        if was_blocked {
            lease.blocked = lease.blocked.saturating_sub(1);
            if lease.parked > lease.blocked {
                lease.parked -= 1;
                out.push(Command::to_head(ToHead::ParkedEnded { lease: id, parked: 1 }));
            }
        } else {
            self.give_slot_up(id, task, Some(now), now, out);
        }
        self.forget_lease_if_empty(id);
    }

    /// A task does not use its slot any more, because it ended at that time or before it began.
    pub(super) fn give_slot_up(
        &mut self,
        id: LeaseId,
        task: TaskId,
        ended: Option<Millis>,
        now: Millis,
        out: &mut Vec<Command>,
    ) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        lease.busy = lease.busy.saturating_sub(1);
        let shape = lease.shape;
        if self.pass_slot(id, task, ended, out).is_none()
            && let Some(running) = self.use_slots(id, now, out)
        {
            self.send_ahead(id, running, out);
        }
        self.tell_backlog(shape, out);
    }

    fn return_slots(&mut self, id: LeaseId, slots: u32, out: &mut Vec<Command>) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        let parked = slots.min(lease.blocked - lease.parked);
        lease.slots -= slots;
        lease.parked += parked;
        out.push(Command::to_head(ToHead::SlotsReturned { lease: id, slots, parked }));
        self.forget_lease_if_empty(id);
    }

    pub(super) fn forget_lease_if_empty(&mut self, id: LeaseId) {
        let is_empty = |lease: &Lease| lease.slots == 0 && lease.blocked == 0 && lease.busy == 0;
        if self.leases.get(&id).is_some_and(is_empty) {
            self.remove_lease(id);
        }
    }

    /// Forgets a lease that is over.
    pub(super) fn remove_lease(&mut self, id: LeaseId) {
        if let Some(lease) = self.leases.remove(&id) {
            self.shapes[lease.shape].leases.retain(|known| *known != id);
            self.forget_shape_if_over(lease.shape);
        }
    }

    /// What waits for a shape fails: no node will ever serve it.
    pub(super) fn shape_failed(&mut self, shape: &Shape, error: &Error, now: Millis, out: &mut Vec<Command>) {
        let Some(index) = self.shape_index.get(shape).copied() else { return };
        self.shapes[index].told = 0;
        for id in std::mem::take(&mut self.shapes[index].queue) {
            if self.tasks.get(&id).is_some_and(|task| task.state == TaskState::PendingNodeAssignment) {
                self.fail(id, error.clone(), now, out);
            }
        }
    }

    /// All leases, and all that waits for one, as the head is told after it was away.
    pub(super) fn report_leases(&mut self) -> Vec<ToHead> {
        let held = self.leases.iter().map(|(id, lease)| ToHead::LeaseHeld {
            lease: *id,
            owner: self.node,
            shape: self.shapes[lease.shape].shape.clone(),
            node: lease.node,
            bundle: lease.bundle,
            slots: lease.slots,
            parked: lease.parked,
        });
        let mut report: Vec<ToHead> = held.collect();
        for (id, lease) in &self.leases {
            let slots = u32::try_from(lease.resuming.len()).unwrap_or(u32::MAX);
            if slots > 0 && (lease.slots == 0 || !self.shapes[lease.shape].shape.resources.is_cpu_only()) {
                report.push(ToHead::SlotsResumeWanted { lease: *id, slots });
            }
        }
        for (_, queue) in &mut self.shapes {
            queue.told = u32::try_from(queue.queue.len()).unwrap_or(u32::MAX);
            if queue.told > 0 {
                let (shape, granted) = (queue.shape.clone(), queue.granted);
                report.push(ToHead::LeaseWanted { owner: self.node, shape, backlog: queue.told, granted });
            }
        }
        report
    }

    pub(super) fn slots_granted(
        &mut self,
        id: LeaseId,
        shape: &Shape,
        (node, bundle): (NodeId, Option<u32>),
        slots: u32,
        now: Millis,
        out: &mut Vec<Command>,
    ) {
        let give_back = Command::to_head(ToHead::SlotsReturned { lease: id, slots, parked: 0 });
        let Some(index) = self.shape_index.get(shape).copied() else { return out.push(give_back) };
        let queue = &mut self.shapes[index];
        queue.granted = queue.granted.wrapping_add(slots);
        queue.told = queue.told.saturating_sub(slots);
        if self.dead.contains(&node) {
            out.push(give_back);
            return self.tell_backlog(index, out);
        }
        queue.why.clear();
        if !queue.leases.contains(&id) {
            queue.leases.push(id);
        }
        let lease = self.leases.entry(id).or_insert_with(|| Lease {
            shape: index,
            node,
            bundle,
            slots: 0,
            busy: 0,
            blocked: 0,
            parked: 0,
            reclaim: 0,
            resuming: VecDeque::new(),
            ahead: Ahead::default(),
            idle_since: now,
        });
        lease.slots += slots;
        // Who gives wants nothing back any more.
        lease.reclaim = 0;
        self.use_slots(id, now, out);
        self.tell_backlog(index, out);
    }

    pub(super) fn slots_resumed(&mut self, id: LeaseId, slots: u32, now: Millis, out: &mut Vec<Command>) {
        let Some(lease) = self.leases.get_mut(&id) else {
            // Its last blocked task ended meanwhile, and the head was told of that.
            out.push(Command::to_head(ToHead::ResumedInVain { lease: id, slots }));
            return out.push(Command::to_head(ToHead::SlotsReturned { lease: id, slots, parked: 0 }));
        };
        lease.slots += slots;
        let in_vain = slots.saturating_sub(lease.parked);
        lease.parked = lease.parked.saturating_sub(slots);
        if in_vain > 0 {
            out.push(Command::to_head(ToHead::ResumedInVain { lease: id, slots: in_vain }));
        }
        for _ in 0..slots {
            let Some(lease) = self.leases.get_mut(&id) else { break };
            let Some((task, resumer)) = lease.resuming.pop_front() else { break };
            self.go_on(id, task, resumer, out);
        }
        self.park_again(id, out);
        self.use_slots(id, now, out);
    }

    /// A slot came back for a task that has ended, while another one of the lease blocked, which the head
    /// took for the same: it is parked now, as all are whose shape asks for more than cpus.
    fn park_again(&mut self, id: LeaseId, out: &mut Vec<Command>) {
        let Some(lease) = self.leases.get(&id) else { return };
        let unparked = (lease.slots - lease.busy).min(lease.blocked - lease.parked);
        if unparked == 0 || self.is_cpu_only(lease.shape) {
            return;
        }
        let waiting = u32::try_from(lease.resuming.len()).unwrap_or(u32::MAX).min(unparked);
        self.return_slots(id, unparked, out);
        if waiting > 0 {
            out.push(Command::to_head(ToHead::SlotsResumeWanted { lease: id, slots: waiting }));
        }
    }

    pub(super) fn slots_reclaimed(&mut self, id: LeaseId, slots: u32, busy_too: bool, out: &mut Vec<Command>) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        let idle = (lease.slots - lease.busy).min(slots);
        if busy_too {
            lease.reclaim = (lease.reclaim + slots - idle).min(lease.busy);
            self.recall(id, false, out);
        }
        if idle > 0 {
            self.return_slots(id, idle, out);
        }
    }

    pub(super) fn lease_pending(&mut self, shape: &Shape, why: String) {
        if let Some(index) = self.shape_index.get(shape) {
            self.shapes[*index].why = why;
        }
    }

    /// Gives back slots that nothing has used for [`limits::LEASE_IDLE`].
    /// Forgets the shapes of which nothing is left: a job that runs for long may have had any number of them. With the
    /// ticks, because the next task of a shape comes soon most of the time.
    pub(super) fn forget_empty_shapes(&mut self, out: &mut Vec<Command>) {
        let is_empty = |queue: &ShapeQueue| queue.is_unused() && queue.queue.is_empty() && queue.told == 0;
        let empty: Vec<usize> =
            self.shapes.iter().filter(|(_, queue)| is_empty(queue)).map(|(index, _)| index).collect();
        for index in empty {
            let shape = self.forget_shape(index);
            out.push(Command::to_head(ToHead::ShapeOver { owner: self.node, shape }));
        }
    }

    pub(super) fn return_idle(&mut self, now: Millis, out: &mut Vec<Command>) {
        let idle = limits::LEASE_IDLE.as_millis();
        let due: Vec<(LeaseId, u32)> = self
            .leases
            .iter()
            .filter(|(_, lease)| u128::from(now.saturating_sub(lease.idle_since)) >= idle)
            .map(|(id, lease)| (*id, lease.slots - lease.busy))
            .filter(|(_, free)| *free > 0)
            .collect();
        for (id, free) in due {
            self.return_slots(id, free, out);
        }
    }

    /// Gives back all that a job's shapes do not use. The head has forgotten what they asked for, so who comes
    /// later, of an actor that outlives the job, asks anew.
    pub(super) fn return_leases_of(&mut self, job: crate::JobId, out: &mut Vec<Command>) {
        for (_, queue) in self.shapes.iter_mut().filter(|(_, queue)| queue.shape.job == job) {
            if std::mem::take(&mut queue.told) > 0 {
                // A wish that was on its way when the job ended was taken in after the others were forgotten.
                let (shape, granted) = (queue.shape.clone(), queue.granted);
                out.push(Command::to_head(ToHead::LeaseWanted { owner: self.node, shape, backlog: 0, granted }));
            }
            queue.queue.retain(|id| self.tasks.contains_key(id));
        }
        let of_job = |lease: &Lease| self.shapes[lease.shape].shape.job == job;
        let free: Vec<(LeaseId, u32)> = self
            .leases
            .iter()
            .filter(|(_, lease)| of_job(lease) && lease.slots > lease.busy)
            .map(|(id, lease)| (*id, lease.slots - lease.busy))
            .collect();
        for (id, slots) in free {
            self.return_slots(id, slots, out);
        }
    }

    /// Where a task runs, or ran last.
    pub(super) fn node_of(&self, task: &Task) -> Option<NodeId> {
        task.lease.and_then(|id| self.leases.get(&id)).map(|lease| lease.node)
    }
}
