//! Actors as their owner sees them: lines of calls, one for each submitter, and who still refers to them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::borrow::{Far, for_head};
use super::object::{Count, Object};
use super::task::{End, Task};
use super::{Command, Input, Order, Ownership, tables};
use crate::message::{ActorChange, FromHead, ToHead, ToPeer};
use crate::{
    ActorId, ActorSpec, Arg, Error, ErrorKind, IdMap, Millis, NodeId, ObjectId, RefId, TaskId, TaskKind, TaskSpec,
    TaskState, Value, limits,
};

#[derive(Debug)]
pub(super) struct ActorEntry {
    spec: Arc<ActorSpec>,
    state: View,
    pub(super) handles: u32,
    uses: u32,
    captures: u32,
    lineage: u32,
    /// The last life that took calls, as far as this node was told.
    life: Option<u32>,
    unfinished: u32,
    /// The head was asked to end it.
    released: bool,
    /// In a box, because most actors are idle most of the time, and there may be many.
    calls: Option<Box<Calls>>,
    /// What only actors have that more than one node knows.
    pub(super) far: Option<Box<Far>>,
}

/// What only actors have that somebody calls, ends, or waits for.
#[derive(Debug, Default)]
struct Calls {
    /// Calls that are not sent yet, by submitter, in the order of submission.
    lines: Vec<(TaskId, VecDeque<Call>)>,
    /// Calls that the actor's life has, in the order in which they went there. Nearly all end in that order, and
    /// those that come back do so from the last one on.
    sent: VecDeque<Sent>,
    /// Bytes of their arguments, where the life is on another node.
    away_bytes: u64,
    /// Somebody asked for its end: no further call is sent to that life.
    ending: Option<Ending>,
    /// Why it waits for a node.
    why: String,
}

/// A call that the actor's life has.
#[derive(Debug)]
struct Sent {
    id: TaskId,
    /// Bytes of its arguments that went to another node.
    away_bytes: u32,
}

#[derive(Debug)]
enum View {
    Pending,
    Alive { node: NodeId, incarnation: u32 },
    Restarting,
    Dead(Error),
}

#[derive(Debug, PartialEq, Eq)]
enum Call {
    Task(TaskId),
    /// The actor ends here. With its place in the order of submission.
    Terminate(u64),
}

/// The end that a life was asked for.
#[derive(Debug, Clone, Copy)]
struct Ending {
    submitter: TaskId,
    turn: u64,
}

impl Calls {
    /// The life does not have that call any more.
    fn forget_sent(&mut self, id: TaskId) {
        let is_it = |sent: &Sent| sent.id == id;
        let forgotten = if self.sent.front().is_some_and(is_it) {
            self.sent.pop_front()
        } else if self.sent.back().is_some_and(is_it) {
            self.sent.pop_back()
        } else {
            self.sent.iter().position(is_it).and_then(|index| self.sent.remove(index))
        };
        self.away_bytes -= forgotten.map_or(0, |sent| u64::from(sent.away_bytes));
    }

    /// Whether another call may go to a life on another node.
    fn has_room_away(&self, more_bytes: u64) -> bool {
        self.away_bytes + more_bytes < limits::CALLS_AWAY_BYTES_MAX
    }
}

/// Bytes that a call takes along to another node: its arguments, and of the objects that it names the small values and
/// the references in large ones.
fn bytes_along(objects: &IdMap<ObjectId, Object>, spec: &TaskSpec) -> u64 {
    let bytes = spec.args.iter().map(|argument| match argument {
        Arg::Value(value) => value.size(),
        Arg::Object(id) => objects.get(id).map_or(0, |object| object.place.bytes_here()),
    });
    bytes.sum()
}

impl ActorEntry {
    pub(super) fn new(spec: Arc<ActorSpec>) -> Self {
        Self {
            spec,
            state: View::Pending,
            handles: 0,
            uses: 0,
            captures: 0,
            lineage: 0,
            life: None,
            unfinished: 0,
            released: false,
            calls: None,
            far: None,
        }
    }

    pub(super) fn spec(&self) -> &Arc<ActorSpec> {
        &self.spec
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, View::Dead(_))
    }

    /// Whether somebody here asked for its end.
    fn is_to_end(&self) -> bool {
        self.calls.as_ref().is_some_and(|calls| {
            let mut waiting = calls.lines.iter().flat_map(|(_, line)| line);
            calls.ending.is_some() || waiting.any(|call| matches!(call, Call::Terminate(_)))
        })
    }

    pub(super) fn count_of(&mut self, which: Count) -> &mut u32 {
        match which {
            Count::Handle => &mut self.handles,
            Count::Use => &mut self.uses,
            Count::Capture => &mut self.captures,
            Count::Lineage => &mut self.lineage,
        }
    }

    /// Why it shall end, when the head was asked to end it.
    pub(super) fn release(&self) -> Option<Error> {
        self.released.then(|| death_of(self, RELEASED))
    }

    /// Handles, uses, captures and uses by lineage.
    pub(super) fn counts(&self) -> [u32; 4] {
        [self.handles, self.uses, self.captures, self.lineage]
    }

    fn calls(&mut self) -> &mut Calls {
        self.calls.get_or_insert_default()
    }

    /// Calls that its life has.
    fn sent(&self) -> Vec<TaskId> {
        self.calls.iter().flat_map(|calls| calls.sent.iter().map(|sent| sent.id)).collect()
    }

    fn line(&mut self, submitter: TaskId) -> &mut VecDeque<Call> {
        let lines = &mut self.calls().lines;
        let index = lines.iter().position(|(of, _)| *of == submitter).unwrap_or_else(|| {
            lines.push((submitter, VecDeque::new()));
            lines.len() - 1
        });
        &mut lines[index].1
    }

    /// Whether it has no room for calls.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        self.calls.is_none()
    }

    /// Gives memory back when nobody calls it.
    fn rest(&mut self) {
        let Some(calls) = self.calls.as_ref().filter(|_| self.unfinished == 0) else { return };
        if calls.lines.is_empty() && calls.ending.is_none() && calls.why.is_empty() {
            self.calls = None;
        }
    }
}

impl Ownership {
    /// Whether one more call of this actor is allowed.
    ///
    /// # Errors
    /// `ActorNotFound` when nobody knows the actor, `PendingCallsLimitExceeded` when too many calls wait or run.
    pub fn admit_call(&self, actor: ActorId) -> Result<&Arc<ActorSpec>, Error> {
        let Some(entry) = self.actors.get(&actor) else {
            let message = format!("actor `{actor}` is not known here: its handle outlived its cluster");
            return Err(Error::new(ErrorKind::ActorNotFound, message));
        };
        match entry.spec.max_pending_calls {
            Some(limit) if entry.unfinished >= limit.get() => Err(Error::new(
                ErrorKind::PendingCallsLimitExceeded,
                format!(
                    "{} calls of actor `{}` wait or run, `max_pending_calls` is {limit}: wait for some of them first",
                    entry.unfinished, entry.spec.class
                ),
            )),
            Some(_) | None => Ok(&entry.spec),
        }
    }

    /// The specification of an actor.
    #[must_use]
    pub fn actor(&self, actor: ActorId) -> Option<&Arc<ActorSpec>> {
        self.actors.get(&actor).map(|entry| &entry.spec)
    }

    /// The order that constructs an actor.
    #[must_use]
    pub fn creation_order(&self, actor: ActorId) -> Option<Order> {
        self.order(self.tasks.get(&TaskId::from(actor))?, None)
    }

    /// Whether the object is made by a call of an actor.
    #[must_use]
    pub fn is_actor_call(&self, object: ObjectId) -> bool {
        let task = self.tasks.get(&object.task());
        task.is_some_and(|task| matches!(task.spec.kind, TaskKind::ActorCall { .. }))
    }

    pub(super) fn actor_created(&mut self, spec: Arc<ActorSpec>, now: Millis, out: &mut Vec<Command>) {
        let id = spec.id;
        let early = self.counted_early.remove(&id).unwrap_or_default();
        let lent = self.lent_early.remove(&id);
        let is_begun = self.tasks.contains_key(&TaskId::from(id)) || self.is_borrowed_actor(id);
        // Another guest here may have found it by its name already.
        let entry = self.actors.entry(id).or_insert_with(|| ActorEntry::new(Arc::clone(&spec)));
        entry.handles += 1;
        if is_begun || !matches!(entry.state, View::Pending) {
            return;
        }
        for (which, count) in early {
            *entry.count_of(which) += count;
        }
        entry.far = entry.far.take().or(lent.map(Box::new));
        if spec.name.is_none() {
            let spec = for_head(&spec);
            out.push(Command::to_head(ToHead::ActorRegister {
                owner: self.node,
                request: None,
                spec,
                get_if_exists: false,
            }));
        }
        self.admit(Arc::clone(&spec.creation), 0, now, out);
    }

    pub(super) fn actor_dependencies_ready(&mut self, actor: ActorId, failed: Option<Error>, out: &mut Vec<Command>) {
        let failed = failed.map(|cause| self.death(actor, "its constructor's argument failed", &cause));
        let inputs = self.detached_inputs(actor);
        out.push(Command::to_head(ToHead::ActorDependenciesReady { actor, inputs, failed }));
    }

    /// The arguments of a detached actor's constructor, when they are small and refer to nothing: with
    /// them it can be made again when its owner is gone.
    pub(super) fn detached_inputs(&self, actor: ActorId) -> Option<Vec<Value>> {
        if !self.actors.get(&actor)?.spec.detached {
            return None;
        }
        let order = self.creation_order(actor)?;
        let inputs = order.inputs.iter().map(|input| match input {
            Input::Inline(value) if value.refs.is_empty() => Some(value.as_ref().clone()),
            Input::Inline(_) | Input::Stored(_) => None,
        });
        inputs
            .collect::<Option<Vec<Value>>>()
            .filter(|values| values.iter().map(|value| value.data.len()).sum::<usize>() <= limits::INLINE_BYTES_MAX)
    }

    /// There is one more call: it needs the actor until it [is over](Self::call_over).
    pub(super) fn count_call(&mut self, actor: ActorId) {
        match self.actors.get_mut(&actor) {
            Some(entry) => {
                entry.uses += 1;
                entry.unfinished += 1;
            }
            None => self.count_up(RefId::Actor(actor), Count::Use),
        }
    }

    /// Sends a call that is about to be taken in and whose arguments are there, if nothing is to be sent before it.
    /// Answers whether it did.
    pub(super) fn send_at_once(&mut self, actor: ActorId, task: &mut Task, out: &mut Vec<Command>) -> bool {
        let Some(entry) = self.actors.get(&actor) else { return false };
        let View::Alive { node, incarnation } = entry.state else { return false };
        let is_next = entry.calls.as_ref().is_none_or(|calls| {
            let has_room = node == self.node || calls.has_room_away(0);
            calls.lines.is_empty() && calls.ending.is_none() && has_room
        });
        // A node may have died and taken an argument with it: then it has a line to wait in.
        let Some(order) = is_next.then(|| self.order(task, None)).flatten() else { return false };
        task.state = TaskState::SubmittedToWorker;
        self.send_order(actor, node, incarnation, order, out);
        true
    }

    pub(super) fn line_up(&mut self, actor: ActorId, id: TaskId) {
        let Some(submitter) = self.tasks.get(&id).map(|task| task.spec.submitter) else { return };
        if let Some(entry) = self.actors.get_mut(&actor) {
            let line = entry.line(submitter);
            // Calls that were cancelled stand in it until their turn comes, which may be never.
            tables::make_room(line, |call| match call {
                Call::Task(waiting) => *waiting == id || self.tasks.contains_key(waiting),
                Call::Terminate(_) => true,
            });
            line.push_back(Call::Task(id));
        }
    }

    /// Sends what can be sent: in order, and only while the actor lives.
    pub(super) fn pump(&mut self, actor: ActorId, now: Millis, out: &mut Vec<Command>) {
        let Some(entry) = self.actors.get_mut(&actor) else { return };
        let (node, incarnation) = match &entry.state {
            // What was submitted after its end fails when the end is announced.
            View::Alive { .. } if entry.calls.as_ref().is_some_and(|calls| calls.ending.is_some()) => return,
            View::Alive { node, incarnation } => (*node, *incarnation),
            View::Dead(cause) => {
                let cause = cause.clone();
                return self.fail_lines(actor, &cause, now, out);
            }
            View::Pending | View::Restarting => return,
        };
        let Some(calls) = entry.calls.as_mut().filter(|calls| !calls.lines.is_empty()) else { return };
        let is_away = node != self.node;
        if is_away && !calls.has_room_away(0) {
            return;
        }
        let mut lines = std::mem::take(&mut calls.lines);
        let (mut has_room, mut more_bytes) = (true, 0);
        let out_of_order = entry.spec.out_of_order;
        let mut sent = Vec::new();
        let mut ends = Vec::new();
        let mut served = 0;
        for (_, line) in &mut lines {
            if !has_room {
                break;
            }
            let mut index = 0;
            while has_room && let Some(call) = line.get(index) {
                let id = match call {
                    Call::Task(id) => id,
                    // Calls before it in line come first, even where others may overtake them.
                    Call::Terminate(turn) => {
                        if index == 0 {
                            ends.push((served, *turn));
                        }
                        break;
                    }
                };
                match self.tasks.get(id) {
                    None => {
                        line.remove(index);
                    }
                    Some(task) if task.missing == 0 => {
                        if is_away {
                            more_bytes += bytes_along(&self.objects, &task.spec);
                            has_room = calls.has_room_away(more_bytes);
                        }
                        sent.push(*id);
                        line.remove(index);
                    }
                    Some(_) if out_of_order => index += 1,
                    Some(_) => break,
                }
            }
            served += 1;
        }
        let mut ending = None;
        for (line, turn) in ends {
            // What was submitted before it and has no room yet is to run, too.
            let is_earlier = |call: &Call| match call {
                Call::Task(id) => self.tasks.get(id).is_some_and(|task| task.missing == 0 && task.turn < turn),
                Call::Terminate(_) => false,
            };
            if has_room || !lines.iter().any(|(_, line)| line.front().is_some_and(is_earlier)) {
                let (submitter, line) = &mut lines[line];
                ending = Some(Ending { submitter: *submitter, turn });
                line.pop_front();
            }
        }
        if !has_room {
            // Others first the next time, or who always has the next call ready would leave no room for them.
            lines.rotate_left(served);
        }
        lines.retain(|(_, line)| !line.is_empty());
        if let Some(calls) = self.actors.get_mut(&actor).and_then(|entry| entry.calls.as_mut()) {
            calls.lines = lines;
        }
        for id in sent {
            self.send_call(actor, node, incarnation, id, now, out);
        }
        if ending.is_some() {
            let Some(entry) = self.actors.get_mut(&actor) else { return };
            entry.calls().ending = ending;
            if node == self.node {
                return self.release_actor(actor, ASKED_TO_END, out);
            }
            // Behind the calls that went the same way.
            let reason = death_of(entry, ASKED_TO_END);
            out.push(Command::to_peer(node, ToPeer::EndActor { actor, incarnation, reason }));
        }
    }

    fn send_call(
        &mut self,
        actor: ActorId,
        node: NodeId,
        incarnation: u32,
        id: TaskId,
        now: Millis,
        out: &mut Vec<Command>,
    ) {
        let Some(order) = self.tasks.get(&id).and_then(|task| self.order(task, None)) else {
            // A node died and took an argument with it.
            return self.await_again(id, now, out);
        };
        if let Some(task) = self.tasks.get_mut(&id) {
            task.state = TaskState::SubmittedToWorker;
        }
        self.send_order(actor, node, incarnation, order, out);
    }

    fn send_order(&mut self, actor: ActorId, node: NodeId, incarnation: u32, order: Order, out: &mut Vec<Command>) {
        let is_away = node != self.node;
        let away_bytes =
            if is_away { u32::try_from(bytes_along(&self.objects, &order.spec)).unwrap_or(u32::MAX) } else { 0 };
        if let Some(entry) = self.actors.get_mut(&actor) {
            let calls = entry.calls();
            calls.sent.push_back(Sent { id: order.spec.id, away_bytes });
            calls.away_bytes += u64::from(away_bytes);
        }
        self.tally.running += 1;
        if is_away {
            let (order, refs) = self.travelling(order, node, out);
            out.push(Command::to_peer(node, ToPeer::Call { actor, incarnation, order, refs }));
        } else {
            out.push(Command::Call { actor, incarnation, order });
        }
    }

    fn fail_lines(&mut self, actor: ActorId, cause: &Error, now: Millis, out: &mut Vec<Command>) {
        let Some(entry) = self.actors.get_mut(&actor) else { return };
        let Some(calls) = &mut entry.calls else { return };
        let lines = std::mem::take(&mut calls.lines);
        let waiting = lines.into_iter().flat_map(|(_, line)| line);
        for call in waiting {
            if let Call::Task(id) = call {
                self.fail(id, cause.clone(), now, out);
            }
        }
    }

    /// A call is over, whether or not it was sent: the life does not have it any more, it does not need the actor, and
    /// others may follow it.
    pub(super) fn call_over(
        &mut self,
        actor: ActorId,
        id: TaskId,
        was_sent: bool,
        now: Millis,
        out: &mut Vec<Command>,
    ) {
        let Some(entry) = self.actors.get_mut(&actor) else {
            return self.count_down(RefId::Actor(actor), Count::Use, out);
        };
        if let Some(calls) = entry.calls.as_mut().filter(|_| was_sent) {
            calls.forget_sent(id);
        }
        entry.unfinished = entry.unfinished.saturating_sub(1);
        let has_line = entry.calls.as_ref().is_some_and(|calls| !calls.lines.is_empty());
        entry.rest();
        debug_assert!(entry.uses > 0, "actor {actor} was released more often than acquired");
        entry.uses = entry.uses.saturating_sub(1);
        if entry.counts() == [0; 4] {
            self.release_actor_if_unused(actor, out);
        }
        if has_line {
            self.pump(actor, now, out);
        }
    }

    /// Puts a call at the head of its line again, for another attempt.
    pub(super) fn retry_call(&mut self, actor: ActorId, id: TaskId, now: Millis, out: &mut Vec<Command>) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.attempt += 1;
        }
        self.put_in_front(actor, id);
        self.pump(actor, now, out);
    }

    /// Puts a call that was sent back into its line: ahead of those that were submitted after it.
    pub(super) fn put_in_front(&mut self, actor: ActorId, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.state = if task.missing == 0 { TaskState::PendingNodeAssignment } else { TaskState::PendingArgsAvail };
        task.worker = None;
        let (submitter, turn) = (task.spec.submitter, task.turn);
        if let Some(calls) = self.actors.get_mut(&actor).and_then(|entry| entry.calls.as_mut()) {
            calls.forget_sent(id);
        }
        self.put_in_line(actor, submitter, turn, Call::Task(id));
    }

    /// Puts something at its place in the order of submission. Several can come back, in no order: those that an
    /// instance had, and those on their way to it.
    fn put_in_line(&mut self, actor: ActorId, submitter: TaskId, turn: u64, call: Call) {
        let Some(entry) = self.actors.get_mut(&actor) else { return };
        let line = entry.line(submitter);
        let is_later = |call: &Call| match call {
            Call::Task(other) => self.tasks.get(other).is_some_and(|other| other.turn > turn),
            Call::Terminate(other) => *other > turn,
        };
        let place = line.iter().position(is_later).unwrap_or(line.len());
        line.insert(place, call);
    }

    /// A life is over that another one follows: what it had and did not report broke down under it, and if it
    /// was asked to end, the next one is.
    fn life_ended(&mut self, actor: ActorId, cause: &Error, now: Millis, out: &mut Vec<Command>) {
        let Some(entry) = self.actors.get_mut(&actor) else { return };
        entry.state = View::Restarting;
        let unreported = entry.sent();
        if let Some(ending) = entry.calls.as_mut().and_then(|calls| calls.ending.take()) {
            self.put_in_line(actor, ending.submitter, ending.turn, Call::Terminate(ending.turn));
        }
        // The last one first, so that each finds its place at the head of its line.
        for id in unreported.into_iter().rev() {
            self.call_crashed(id, cause.clone(), now, out);
        }
    }

    /// Calls that the instance had and never began: they wait for the next life, without a charge.
    pub(super) fn calls_returned(&mut self, actor: ActorId, tasks: Vec<TaskId>, now: Millis, out: &mut Vec<Command>) {
        self.foreign_calls_returned(actor, &tasks, out);
        let mut cancelled = Vec::new();
        for id in tasks.into_iter().rev() {
            let Some(task) = self.tasks.get(&id).filter(|task| task.is_sent()) else { continue };
            if task.cancelled {
                cancelled.push((id, task.spec.name.to_string()));
            }
            self.tally.running = self.tally.running.saturating_sub(1);
            self.put_in_front(actor, id);
        }
        for (id, name) in cancelled {
            let error = Error::new(ErrorKind::TaskCancelled, format!("task `{name}` was cancelled"));
            self.fail(id, error, now, out);
        }
    }

    /// The instance broke down under this call.
    pub(super) fn call_crashed(&mut self, id: TaskId, error: Error, now: Millis, out: &mut Vec<Command>) {
        let Some(task) = self.tasks.get(&id) else { return };
        let TaskKind::ActorCall { actor } = task.spec.kind else {
            return self.fail(id, error, now, out);
        };
        // Here the news of its end cannot be late: what is called from now on waits for the next life.
        if let Some(entry) = self.actors.get_mut(&actor)
            && matches!(entry.state, View::Alive { node, .. } if node == self.node)
        {
            entry.state = View::Restarting;
        }
        if !task.cancelled && task.spec.max_retries.allows(task.attempt) {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.attempt += 1;
            }
            // It goes out with the next life of the actor, which the head is about to announce.
            if let Some(entry) = self.actors.get_mut(&actor)
                && matches!(entry.state, View::Alive { .. })
            {
                entry.state = View::Restarting;
            }
            return self.put_in_front(actor, id);
        }
        let error = match error.kind {
            // The caller's own code failed in words of its own: these say more than that the actor is gone.
            ErrorKind::TaskPanicked | ErrorKind::TaskTimeout | ErrorKind::OutOfMemory => error,
            _ => self.crash(actor, &error),
        };
        self.fail(id, error, now, out);
    }

    fn crash(&self, actor: ActorId, cause: &Error) -> Error {
        match self.actors.get(&actor) {
            Some(entry) if matches!(entry.spec.max_restarts, crate::Retries::AtMost(0)) => {
                self.death(actor, "its instance broke down", cause)
            }
            Some(_) | None => {
                let class = self.actors.get(&actor).map_or("", |entry| &entry.spec.class);
                let message = format!(
                    "actor `{class}` ({actor}) broke down under the call, which may or may not have run: \
                     set `max_task_retries` to have it tried again"
                );
                wrap(ErrorKind::ActorUnavailable, message, cause)
            }
        }
    }

    /// What callers of a dead actor read.
    pub(super) fn death(&self, actor: ActorId, why: &str, cause: &Error) -> Error {
        let class = self.actors.get(&actor).map_or("", |entry| &entry.spec.class);
        wrap(ErrorKind::ActorDied, format!("actor `{class}` ({actor}) is dead: {why}"), cause)
    }

    pub(super) fn actor_terminated(&mut self, actor: ActorId, submitter: TaskId, out: &mut Vec<Command>) {
        let Some(entry) = self.actors.get_mut(&actor) else { return };
        self.turns += 1;
        let line = entry.line(submitter);
        // Once is enough, however often it is said.
        if !matches!(line.back(), Some(Call::Terminate(_))) {
            line.push_back(Call::Terminate(self.turns));
        }
        self.pump(actor, 0, out);
    }

    pub(super) fn release_actor_if_unused(&mut self, actor: ActorId, out: &mut Vec<Command>) {
        let Some(entry) = self.actors.get(&actor) else { return };
        let is_lent = entry.far.as_ref().is_some_and(|far| far.is_borrowed_by_others());
        if entry.handles + entry.uses + entry.captures + entry.lineage > 0 || is_lent {
            return;
        }
        if self.is_borrowed_actor(actor) {
            // Nobody else knows of the end that was asked for here, so it is seen to until there is one.
            if !entry.is_dead() && entry.is_to_end() {
                return;
            }
            let entry = self.actors.remove(&actor);
            self.give_back(RefId::Actor(actor), entry.and_then(|entry| entry.far), out);
            return;
        }
        if matches!(entry.state, View::Dead(_)) {
            self.actors.remove(&actor);
        } else if !entry.spec.detached {
            self.release_actor(actor, RELEASED, out);
        }
    }

    fn release_actor(&mut self, actor: ActorId, why: &str, out: &mut Vec<Command>) {
        let Some(entry) = self.actors.get_mut(&actor).filter(|entry| !entry.released) else { return };
        entry.released = true;
        let reason = death_of(entry, why);
        out.push(Command::to_head(ToHead::ActorReleased { actor, reason }));
    }

    pub(super) fn head_said(&mut self, message: FromHead, now: Millis, out: &mut Vec<Command>) {
        match message {
            FromHead::SlotsGranted { lease, shape, node, bundle, slots } => {
                self.slots_granted(lease, &shape, (node, bundle), slots, now, out);
            }
            FromHead::SlotsResumed { lease, slots } => self.slots_resumed(lease, slots, now, out),
            FromHead::SlotsReclaimed { lease, slots, busy_too } => self.slots_reclaimed(lease, slots, busy_too, out),
            FromHead::LeasePending { shape, why } => self.lease_pending(&shape, why),
            FromHead::ActorChanged { actor, change } => self.actor_changed(actor, change, now, out),
            FromHead::NodeDraining { node } => self.node_draining(node, out),
            FromHead::NodeFound { node, .. } => self.node_found(node),
            FromHead::NodeDied { node, why } => {
                self.known.remove(&node);
                self.node_died(node, &why, now, out);
            }
            FromHead::LeaseRevoked { lease, error } => self.lease_revoked(lease, &error, now, out),
            FromHead::ShapeFailed { shape, error } => self.shape_failed(&shape, &error, now, out),
            FromHead::GroupChanged { group, state, why, .. } => self.group_changed(group, state, &why, out),
            FromHead::JobEnded { job } => self.job_ended(job, now, out),
            // These are for the node itself.
            FromHead::ActorFound { .. }
            | FromHead::ActorStart { .. }
            | FromHead::ActorStop { .. }
            | FromHead::GroupFound { .. }
            | FromHead::NodeLeave { .. }
            | FromHead::DriverStart { .. }
            | FromHead::DriverStop { .. }
            | FromHead::JobFound { .. } => {}
        }
    }

    fn actor_changed(&mut self, actor: ActorId, change: ActorChange, now: Millis, out: &mut Vec<Command>) {
        let Some(entry) = self.actors.get_mut(&actor) else { return };
        match change {
            ActorChange::Pending { why } => {
                if entry.calls.is_some() || !why.is_empty() {
                    entry.calls().why = why;
                }
            }
            ActorChange::Alive { node, incarnation } => {
                if entry.life.replace(incarnation).is_some_and(|life| life != incarnation) {
                    // The word that the life before is over may have been lost with a former head. Where it was
                    // heard, nothing is left to do.
                    let message = format!("the instance of actor ({actor}) that had the call is gone");
                    self.life_ended(actor, &Error::new(ErrorKind::ActorDied, message), now, out);
                }
                let Some(entry) = self.actors.get_mut(&actor) else { return };
                entry.state = View::Alive { node, incarnation };
                if let Some(calls) = &mut entry.calls {
                    calls.why = String::new();
                    entry.rest();
                }
                if let Some(creation) = self.tasks.get_mut(&TaskId::from(actor)) {
                    creation.state = TaskState::Finished;
                }
                self.pump(actor, now, out);
            }
            ActorChange::Restarting { cause, .. } => self.life_ended(actor, &cause, now, out),
            ActorChange::Dead { cause } => {
                let cause = match cause.kind {
                    // Ray's `ActorPlacementGroupRemoved` and `ActorUnschedulableError` say more than that it died.
                    ErrorKind::ActorDied | ErrorKind::PlacementGroupRemoved | ErrorKind::Unschedulable => cause,
                    _ => self.death(actor, "its instance broke down", &cause),
                };
                let Some(entry) = self.actors.get_mut(&actor) else { return };
                entry.state = View::Dead(cause.clone());
                let unreported = entry.sent();
                for id in unreported {
                    self.fail(id, cause.clone(), now, out);
                }
                self.fail_lines(actor, &cause, now, out);
                let creation = self.tasks.get(&TaskId::from(actor));
                let never_lived = creation.is_some_and(|creation| creation.state != TaskState::Finished);
                let end = if never_lived { End::Failed(cause) } else { End::Returned };
                self.end(TaskId::from(actor), end, now, out);
                self.release_actor_if_unused(actor, out);
            }
        }
    }

    pub(super) fn actor_why(&self, actor: ActorId) -> Option<&str> {
        self.actors.get(&actor)?.calls.as_ref().map(|calls| calls.why.as_str()).filter(|why| !why.is_empty())
    }

    pub(super) fn actor_node(&self, actor: ActorId) -> Option<NodeId> {
        match self.actors.get(&actor)?.state {
            View::Alive { node, .. } => Some(node),
            View::Pending | View::Restarting | View::Dead(_) => None,
        }
    }

    pub(super) fn is_sent_to(&self, actor: ActorId, id: TaskId) -> bool {
        let calls = self.actors.get(&actor).and_then(|entry| entry.calls.as_ref());
        calls.is_some_and(|calls| calls.sent.iter().any(|sent| sent.id == id))
    }
}

const RELEASED: &str = "its last handle was dropped: keep a handle, or make it detached";

const ASKED_TO_END: &str = "somebody asked for its end";

fn death_of(entry: &ActorEntry, why: &str) -> Error {
    Error::new(ErrorKind::ActorDied, format!("actor `{}` ({}) is dead: {why}", entry.spec.class, entry.spec.id))
}

fn wrap(kind: ErrorKind, message: String, cause: &Error) -> Error {
    let mut error = Error::new(kind, message).caused_by(&cause.message);
    error.causes.extend(cause.causes.iter().cloned());
    error.backtrace.clone_from(&cause.backtrace);
    error.origin.clone_from(&cause.origin);
    error
}
