//! Orders that are sent before a slot is free for them: a short task of another node, or of a worker here,
//! ends and the next begins there, without a word from here in between.
//!
//! ```text
//!   owner                            node
//!   Run A              ───────────▶  A runs
//!   Run B, behind A    ───────────▶  B is held
//!                      ◀───────────  Finished A, and B runs
//! ```
//!
//! Both sides keep one rule, so that neither has to ask: what is held begins at the moment at which the
//! task before it ends or blocks, or at once when it has done so already. Messages keep their order, so
//! whoever reads of that end, or of that block, knows that the next has the slot. A worker here goes from one
//! to the next in the same way, and what it did is heard in order, too; only where one of its tasks blocks it
//! is told that the next may begin, as another worker's.

use std::collections::VecDeque;

use super::foreign::{Foreign, Held};
use super::{Command, Order, Outcome, Ownership};
use crate::message::ToPeer;
use crate::{LeaseId, Millis, NodeId, Strategy, TaskId, TaskState, limits};

/// The tasks of one lease that were sent ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    chains: Vec<Chain>,
    /// When tasks of the lease ended last: one more than it has slots.
    ends: VecDeque<Millis>,
    /// Whether the first of these is but a moment ago.
    is_quick: bool,
}

/// What was sent ahead for one slot.
#[derive(Debug)]
struct Chain {
    /// The task that has the slot.
    running: TaskId,
    /// Those behind it, in order; never none.
    line: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    task: TaskId,
    /// It was here at the last tick already.
    is_old: bool,
    /// The node was asked to let it go, so nothing more is sent behind it.
    is_in_doubt: bool,
}

impl Ahead {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.chains.iter().map(|chain| chain.line.len()).sum()
    }

    /// The tasks that have slots which others wait for.
    pub(super) fn leaders(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.chains.iter().map(|chain| chain.running)
    }

    /// A task that used a slot is over.
    fn note_end(&mut self, now: Millis, slots: u32, pause_max: Millis) {
        let slots = slots.max(1) as usize;
        self.ends.push_back(now);
        while self.ends.len() > slots + 1 {
            self.ends.pop_front();
        }
        let first = self.ends.front().filter(|_| self.ends.len() > slots);
        self.is_quick = first.is_some_and(|first| now.saturating_sub(*first) <= pause_max);
    }

    /// The task gave its slot up: who is next has it.
    fn promote(&mut self, left: TaskId) -> Option<TaskId> {
        let index = self.chains.iter().position(|chain| chain.running == left)?;
        let chain = self.chains.get_mut(index)?;
        let next = chain.line.pop_front().map(|waiting| waiting.task);
        chain.running = next.unwrap_or(left);
        if chain.line.is_empty() {
            self.chains.swap_remove(index);
        }
        next
    }

    /// Takes out a task that was never begun. Answers whether there was such a one.
    pub(super) fn take_out(&mut self, task: TaskId) -> bool {
        if self.chains.iter().any(|chain| chain.running == task) {
            return false;
        }
        let before = self.count();
        for chain in &mut self.chains {
            chain.line.retain(|waiting| waiting.task != task);
        }
        self.chains.retain(|chain| !chain.line.is_empty());
        self.count() < before
    }

    /// How many orders are behind that of the task that has the slot.
    fn held(&self, running: TaskId) -> usize {
        self.chains.iter().find(|chain| chain.running == running).map_or(0, |chain| chain.line.len())
    }

    /// Behind whom the next order of this slot goes; none when one of those that are there may be gone.
    fn end_of_line(&self, running: TaskId) -> Option<TaskId> {
        let Some(chain) = self.chains.iter().find(|chain| chain.running == running) else { return Some(running) };
        let is_certain = chain.line.iter().all(|waiting| !waiting.is_in_doubt);
        let last = chain.line.back().filter(|_| is_certain);
        last.map(|waiting| waiting.task)
    }

    fn add(&mut self, running: TaskId, task: TaskId) {
        let waiting = Waiting { task, is_old: false, is_in_doubt: false };
        match self.chains.iter_mut().find(|chain| chain.running == running) {
            Some(chain) => chain.line.push_back(waiting),
            None => self.chains.push(Chain { running, line: VecDeque::from([waiting]) }),
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.chains.iter_mut().flat_map(|chain| &mut chain.line)
    }

    /// The node is asked to let a task go that it may hold.
    pub(super) fn doubt(&mut self, task: TaskId) {
        self.all().filter(|waiting| waiting.task == task).for_each(|waiting| waiting.is_in_doubt = true);
    }

    /// Those that are to be asked back, of which the node was not asked before.
    fn recall(&mut self, only_old: bool) -> Vec<TaskId> {
        let asked = self.all().filter(|waiting| !waiting.is_in_doubt && (waiting.is_old || !only_old));
        let asked = asked.map(|waiting| {
            waiting.is_in_doubt = true;
            waiting.task
        });
        let mut asked: Vec<TaskId> = asked.collect();
        // Each that comes back is put in front of those that came before it.
        asked.reverse();
        asked
    }
}

/// The owner.
impl Ownership {
    /// A task of a lease is over. Answers whether it never had a slot.
    pub(super) fn was_ahead(&mut self, lease: LeaseId, task: TaskId) -> bool {
        self.leases.get_mut(&lease).is_some_and(|lease| lease.ahead.take_out(task))
    }

    /// A task gave its slot up, by its end at that time or because it blocked: the one behind it has the
    /// slot. Answers with that.
    pub(super) fn pass_slot(
        &mut self,
        id: LeaseId,
        left: TaskId,
        ended: Option<Millis>,
        out: &mut Vec<Command>,
    ) -> Option<TaskId> {
        let lease = self.leases.get_mut(&id)?;
        if let Some(now) = ended
            && lease.slots <= limits::AHEAD_SLOTS_MAX
        {
            let (there, here) = self.ahead_pause_max;
            lease.ahead.note_end(now, lease.slots, if lease.node == self.node { here } else { there });
        }
        let next = lease.ahead.promote(left)?;
        lease.busy += 1;
        self.send_ahead(id, next, out);
        Some(next)
    }

    /// Sends the next tasks of the shape ahead, behind the one that has a slot now. Only where nothing
    /// hangs on which slot it is, where tasks are short, and where more wait than there are nodes that
    /// could begin with one now.
    pub(super) fn send_ahead(&mut self, id: LeaseId, running: TaskId, out: &mut Vec<Command>) {
        let Some(lease) = self.leases.get(&id) else { return };
        let (shape, is_here) = (lease.shape, lease.node == self.node);
        let is_wanted = lease.reclaim == 0 && lease.resuming.is_empty() && lease.ahead.is_quick;
        let is_small = lease.slots <= limits::AHEAD_SLOTS_MAX;
        if !is_wanted || !is_small || self.draining.contains(&lease.node) {
            return;
        }
        let Some(queue) = self.shapes.get(shape) else { return };
        if !queue.shape.resources.is_cpu_only() || queue.shape.placement.strategy != Strategy::Default {
            return;
        }
        let (most, least) = if is_here {
            // Several at a time, but at most half of what there is for each slot; other leases have one at least.
            let slots = queue.leases.len() + lease.slots.saturating_sub(1) as usize;
            let share = queue.queue.len() / (2 * slots.max(1));
            let most = limits::AHEAD_HERE_MAX.min(share);
            (most, most.div_ceil(2))
        } else {
            (limits::AHEAD_MAX, limits::AHEAD_MAX)
        };
        let held = lease.ahead.held(running);
        if held >= least {
            return;
        }
        let Some(mut behind) = lease.ahead.end_of_line(running) else { return };
        for _ in held..most {
            if self.shapes.get(shape).is_none_or(|queue| queue.queue.len() <= queue.leases.len()) {
                return;
            }
            let Some(next) = self.next_in_line(shape) else { return };
            // One that may run once only is not sent to where it may never begin.
            if !is_here && self.tasks.get(&next).is_some_and(|task| !task.spec.max_retries.allows(task.attempt)) {
                self.shapes[shape].queue.push_front(next);
                return;
            }
            if self.hand_out(id, next, Some(behind), out) {
                let Some(lease) = self.leases.get_mut(&id) else { return };
                lease.ahead.add(running, next);
                behind = next;
            }
        }
    }

    /// Asks back what was sent ahead and has waited for a whole tick: the task before it is not as short
    /// as it was thought to be.
    pub(super) fn recall_old(&mut self, out: &mut Vec<Command>) {
        let with_some = self.leases.iter().filter(|(_, lease)| lease.ahead.count() > 0);
        for id in with_some.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.recall(id, true, out);
            if let Some(lease) = self.leases.get_mut(&id) {
                lease.ahead.all().for_each(|waiting| waiting.is_old = true);
            }
        }
    }

    /// Asks back what was sent ahead for a lease.
    pub(super) fn recall(&mut self, id: LeaseId, only_old: bool, out: &mut Vec<Command>) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        let (node, tasks) = (lease.node, lease.ahead.recall(only_old));
        if node == self.node {
            return out.extend((!tasks.is_empty()).then_some(Command::Recall(tasks)));
        }
        for task in tasks {
            let Some(attempt) = self.tasks.get(&task).map(|task| task.attempt) else { continue };
            out.push(Command::to_peer(node, ToPeer::Recall { task, attempt }));
        }
    }

    /// The node, another one or this, let tasks go that it had not begun, the last in line first: they are first in
    /// line again.
    pub(super) fn recalled(&mut self, tasks: Vec<TaskId>, now: Millis, out: &mut Vec<Command>) {
        let mut shapes = Vec::new();
        for id in tasks {
            shapes.extend(self.take_back(id, now, out).filter(|shape| shapes.last() != Some(shape)));
        }
        for shape in shapes {
            self.dispatch(shape, now, out);
        }
    }

    /// Puts a task back in line. Answers with its shape.
    fn take_back(&mut self, id: TaskId, now: Millis, out: &mut Vec<Command>) -> Option<usize> {
        let lease = self.tasks.get(&id).and_then(|task| task.lease)?;
        // The one before it may have ended in the turn in which it was asked back: then it has a slot here.
        let is_here = self.leases.get(&lease).is_some_and(|lease| lease.node == self.node);
        let had_slot = !self.was_ahead(lease, id);
        if had_slot && !is_here {
            return None;
        }
        let task = self.tasks.get_mut(&id)?;
        self.tally.running = self.tally.running.saturating_sub(1);
        (task.lease, task.state) = (None, TaskState::PendingNodeAssignment);
        let shape = task.shape?;
        if task.cancelled {
            let error = super::task::cancelled_error(&task.spec);
            self.fail(id, error, now, out);
        } else {
            self.shapes[shape].queue.push_front(id);
        }
        if had_slot {
            self.give_slot_up(lease, id, None, now, out);
            self.forget_lease_if_empty(lease);
        }
        Some(shape)
    }
}

/// The node.
impl Ownership {
    /// Has an order run that another node sent: at once, or when the task before it gives its slot up.
    pub(super) fn begin_or_hold(&mut self, order: Order, behind: Option<TaskId>, from: NodeId, out: &mut Vec<Command>) {
        let id = order.spec.id;
        let may_wait = |leader: &&mut Foreign| leader.owner == from && leader.has_slot() && leader.next.is_none();
        let leader = behind.and_then(|behind| self.foreign.get_mut(&behind).filter(may_wait).zip(Some(behind)));
        let Some((leader, behind)) = leader else { return out.push(Command::Run(order)) };
        leader.next = Some(id);
        if let Some(foreign) = self.foreign.get_mut(&id) {
            foreign.held = Some(Box::new(Held { order, behind }));
        }
    }

    /// A task gave its slot up: what was held for it begins.
    pub(super) fn begin_next(&mut self, next: Option<TaskId>, out: &mut Vec<Command>) {
        let held = next.and_then(|next| self.foreign.get_mut(&next)).and_then(|foreign| foreign.held.take());
        out.extend(held.map(|held| Command::Run(held.order)));
    }

    /// Takes an order out that is held and never began. Answers with its owner, if there was such a one.
    fn take_held(&mut self, id: TaskId, out: &mut Vec<Command>) -> Option<NodeId> {
        let behind = self.foreign.get(&id)?.held.as_ref()?.behind;
        let foreign = self.foreign.remove(&id)?;
        if let Some(leader) = self.foreign.get_mut(&behind) {
            leader.next = foreign.next;
        }
        let next = foreign.next.and_then(|next| self.foreign.get_mut(&next));
        if let Some(held) = next.and_then(|next| next.held.as_mut()) {
            held.behind = behind;
        }
        self.release_uses(foreign.refs, out);
        Some(foreign.owner)
    }

    /// The owner asks an order back. One that has begun goes on.
    pub(super) fn hand_back(&mut self, task: TaskId, attempt: u32, out: &mut Vec<Command>) {
        if let Some(owner) = self.take_held(task, out) {
            out.push(Command::to_peer(owner, ToPeer::Recalled { task, attempt }));
        }
    }

    /// Ends an order that never began, if it is one.
    pub(super) fn cancel_held(&mut self, task: TaskId, attempt: u32, out: &mut Vec<Command>) -> bool {
        let Some(foreign) = self.foreign.get(&task).filter(|foreign| foreign.held.is_some()) else { return false };
        let error = super::task::cancelled_error(&foreign.spec).from_task(&foreign.spec.name, task);
        let Some(owner) = self.take_held(task, out) else { return false };
        if !self.dead.contains(&owner) {
            let outcome = Outcome::Failed(error);
            out.push(Command::to_peer(owner, ToPeer::Finished { task, attempt, outcome, refs: Vec::new() }));
        }
        true
    }
}
