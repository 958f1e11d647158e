//! Tasks: dependencies, attempts, ends.

use std::sync::Arc;

use super::compact::Compact;
use super::object::{Count, Watcher};
use super::{Command, Input, Order, Outcome, Output, Ownership, tables};
use crate::{ActorId, Arg, Error, ErrorKind, LeaseId, Millis, RefId, TaskId, TaskKind, TaskSpec, TaskState, Value};

#[derive(Debug)]
pub(super) struct Task {
    pub(super) spec: Arc<TaskSpec>,
    pub(super) state: TaskState,
    pub(super) attempt: u32,
    /// Its place in the order of submission.
    pub(super) turn: u64,
    /// Arguments that are not there yet.
    pub(super) missing: u32,
    /// The shape it queues under.
    pub(super) shape: Option<usize>,
    /// The lease whose slot it has, or had before it blocked.
    pub(super) lease: Option<LeaseId>,
    pub(super) worker: Option<Compact>,
    pub(super) created: Millis,
    /// When its last attempt began.
    pub(super) started: Option<Compact>,
    /// Somebody cancelled it while it ran.
    pub(super) cancelled: bool,
    /// With all that it submits: what it submitted is heard of late.
    pub(super) cancels_children: bool,
}

impl Task {
    pub(super) fn is_blocked(&self) -> bool {
        matches!(self.state, TaskState::RunningInRayGet | TaskState::RunningInRayWait)
    }

    /// Whether it stands for an actor that has been made: the actor may go on without this node.
    pub(super) fn is_living_actor(&self) -> bool {
        self.spec.kind == TaskKind::ActorCreation && self.state == TaskState::Finished
    }

    /// A worker begins with it.
    fn begin(&mut self, worker: u64, now: Millis) {
        self.state = TaskState::Running;
        self.worker = Some(Compact::new(worker));
        self.started = Some(Compact::new(now));
    }

    /// Whether a worker has it.
    pub(super) fn is_sent(&self) -> bool {
        self.is_blocked() || matches!(self.state, TaskState::SubmittedToWorker | TaskState::Running)
    }
}

impl Ownership {
    pub(super) fn submitted(&mut self, spec: Arc<TaskSpec>, now: Millis, out: &mut Vec<Command>) {
        for index in 0..spec.num_returns {
            self.expect_object(spec.id.output(index));
        }
        if self.tasks.contains_key(&spec.id) {
            return;
        }
        self.tally.submitted += 1;
        if let TaskKind::ActorCall { actor } = spec.kind {
            self.count_call(actor);
        }
        let (id, parent, job) = (spec.id, spec.parent, spec.job);
        self.admit(spec, 0, now, out);
        if self.is_of_ended_driver(job, parent) {
            self.cancel_one(id, true, "was cancelled because its job ended", now, out);
        } else if self.cancels_children(parent) {
            self.cancel_one(id, true, "was cancelled with the task that submitted it", now, out);
        }
    }

    /// Takes a task in: counts what its arguments refer to, and queues it when they are there.
    pub(super) fn admit(&mut self, spec: Arc<TaskSpec>, attempt: u32, now: Millis, out: &mut Vec<Command>) {
        let id = spec.id;
        for used in refs_of(&spec) {
            self.count_up(used, Count::Use);
        }
        let (missing, failure) = self.await_arguments(&spec, out);
        self.turns += 1;
        let mut task = Task {
            spec,
            state: TaskState::PendingArgsAvail,
            attempt,
            turn: self.turns,
            missing,
            shape: None,
            lease: None,
            worker: None,
            created: now,
            started: None,
            cancelled: false,
            cancels_children: false,
        };
        let kind = task.spec.kind.clone();
        self.small_bytes += bytes_within(&task.spec);
        let may_go = missing == 0 && failure.is_none();
        if may_go && kind == TaskKind::Normal {
            // What becomes of most tasks is settled before they are taken in, so that they are not looked up again.
            let shape = self.count_in(&task.spec);
            (task.state, task.shape) = (TaskState::PendingNodeAssignment, Some(shape));
            self.tasks.insert(id, task);
            return self.enqueue(shape, id, now, out);
        }
        let is_sent = match kind {
            TaskKind::ActorCall { actor } if may_go => self.send_at_once(actor, &mut task, out),
            _ => false,
        };
        self.tasks.insert(id, task);
        if is_sent {
            return;
        }
        if let TaskKind::ActorCall { actor } = kind {
            self.line_up(actor, id);
        }
        match failure {
            Some(error) => self.fail(id, error, now, out),
            None if missing == 0 => self.arguments_ready(id, now, out),
            None => {}
        }
        if let TaskKind::ActorCall { actor } = kind {
            self.pump(actor, now, out);
        }
    }

    /// Lines a task up behind its arguments. Answers how many are missing, and the first that failed.
    fn await_arguments(&mut self, spec: &TaskSpec, out: &mut Vec<Command>) -> (u32, Option<Error>) {
        let mut missing = 0;
        let mut failure = None;
        for argument in &spec.args {
            let Arg::Object(object) = argument else { continue };
            self.ensure(*object, out);
            if let Some(error) = self.failure(*object) {
                failure.get_or_insert_with(|| error.clone());
            } else if let Some(object) = self.objects.get_mut(object).filter(|object| object.is_pending()) {
                // Tasks that were cancelled stand among them until the object settles, which may be never.
                tables::make_room(&mut object.watchers, |watcher| match watcher {
                    Watcher::Dependent(task) => *task == spec.id || self.tasks.contains_key(task),
                    Watcher::Waiter(..) => true,
                });
                object.watchers.push(Watcher::Dependent(spec.id));
                missing += 1;
            }
        }
        (missing, failure)
    }

    /// Arguments of a task that were there have gone: it waits for them again.
    pub(super) fn await_again(&mut self, id: TaskId, now: Millis, out: &mut Vec<Command>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.state = TaskState::PendingArgsAvail;
        task.worker = None;
        let was_blocked = false;
        let lease = task.lease.take();
        let spec = Arc::clone(&task.spec);
        let (missing, failure) = self.await_arguments(&spec, out);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.missing = missing;
        }
        self.leave_slot(id, lease, was_blocked, now, out);
        if let TaskKind::ActorCall { actor } = spec.kind {
            self.put_in_front(actor, id);
        }
        match failure {
            Some(error) => self.fail(id, error, now, out),
            None if missing == 0 => self.arguments_ready(id, now, out),
            None => {}
        }
        self.make_again(now, out);
        if let TaskKind::ActorCall { actor } = spec.kind {
            self.pump(actor, now, out);
        }
    }

    pub(super) fn dependency_ready(&mut self, id: TaskId, now: Millis, out: &mut Vec<Command>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.missing = task.missing.saturating_sub(1);
        if task.missing == 0 && task.state == TaskState::PendingArgsAvail {
            self.arguments_ready(id, now, out);
            if let Some(TaskKind::ActorCall { actor }) = self.tasks.get(&id).map(|task| task.spec.kind.clone()) {
                self.pump(actor, now, out);
            }
        }
    }

    /// A failed argument fails the task with the same error; its body never runs.
    pub(super) fn dependency_failed(&mut self, id: TaskId, error: &Error, now: Millis, out: &mut Vec<Command>) {
        if self.tasks.contains_key(&id) {
            self.fail(id, error.clone(), now, out);
        }
    }

    fn arguments_ready(&mut self, id: TaskId, now: Millis, out: &mut Vec<Command>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.state = TaskState::PendingNodeAssignment;
        match task.spec.kind {
            TaskKind::Normal => {
                let spec = Arc::clone(&task.spec);
                let shape = self.count_in(&spec);
                let former = self.tasks.get_mut(&id).and_then(|task| task.shape.replace(shape));
                former.into_iter().for_each(|former| self.count_out(former));
                self.enqueue(shape, id, now, out);
            }
            TaskKind::ActorCreation => self.actor_dependencies_ready(ActorId::from(id), None, out),
            TaskKind::ActorCall { .. } | TaskKind::Driver => {}
        }
    }

    pub(super) fn started(&mut self, id: TaskId, worker: u64, now: Millis, out: &mut Vec<Command>) {
        match self.tasks.get_mut(&id) {
            Some(task) => task.begin(worker, now),
            None => self.foreign_started(id, worker, out),
        }
    }

    /// A task began and is over.
    pub(super) fn ran(
        &mut self,
        id: TaskId,
        attempt: u32,
        worker: u64,
        outcome: Outcome,
        now: Millis,
        out: &mut Vec<Command>,
    ) {
        let Some(task) = self.tasks.get_mut(&id) else {
            self.foreign_started(id, worker, out);
            return self.finished(id, attempt, outcome, now, out);
        };
        task.begin(worker, now);
        match outcome {
            // Nearly all are of this kind, so that the task is not looked up again.
            Outcome::Returned(outputs) if task.attempt == attempt && are_all(&task.spec, &outputs) => {
                self.tally.running = self.tally.running.saturating_sub(1);
                self.succeed(id, outputs, now, out);
            }
            outcome => self.finished(id, attempt, outcome, now, out),
        }
    }

    /// The order for a task whose arguments are there. `None` when one has gone, which must not be.
    pub(super) fn order(&self, task: &Task, lease: Option<LeaseId>) -> Option<Order> {
        let inputs = task.spec.args.iter().map(|argument| match argument {
            Arg::Value(value) => Some(Input::Inline(Arc::new(value.clone()))),
            Arg::Object(object) => self.input(*object),
        });
        let inputs = inputs.collect::<Option<Vec<_>>>()?;
        let (spec, stores_returns) = (Arc::clone(&task.spec), self.small_bytes >= self.small_bytes_max);
        Some(Order { spec, attempt: task.attempt, inputs, lease, owner: self.node, stores_returns })
    }

    pub(super) fn finished(&mut self, id: TaskId, attempt: u32, outcome: Outcome, now: Millis, out: &mut Vec<Command>) {
        let Some(task) = self.tasks.get(&id).filter(|task| task.attempt == attempt) else {
            if self.foreign.get(&id).is_some_and(|foreign| foreign.attempt == attempt) {
                return self.foreign_finished(id, outcome, out);
            }
            self.outlived.remove(&id);
            return self.discard(id, outcome, out);
        };
        let spec = Arc::clone(&task.spec);
        let cancelled = task.cancelled;
        self.tally.running = self.tally.running.saturating_sub(1);
        match outcome {
            Outcome::Returned(outputs) if are_all(&spec, &outputs) => {
                self.succeed(id, outputs, now, out);
            }
            Outcome::Returned(outputs) => {
                let error = Error::new(
                    ErrorKind::TaskError,
                    format!(
                        "`{}` returned {} values, `num_returns` is {}: return as many",
                        spec.function,
                        outputs.len(),
                        spec.num_returns
                    ),
                );
                self.fail(id, error, now, out);
                self.discard(id, Outcome::Returned(outputs), out);
            }
            Outcome::Failed(error) => {
                let retry = may_retry(&spec, attempt, &error);
                match (retry, &spec.kind) {
                    (true, _) if cancelled => {
                        // It would be tried again, were it not for that.
                        let error = cancelled_error(&spec).caused_by(&error.message);
                        self.fail(id, error, now, out);
                    }
                    (true, TaskKind::Normal) => self.retry(id, now, out),
                    (true, TaskKind::ActorCall { actor }) => self.retry_call(*actor, id, now, out),
                    (_, TaskKind::Normal | TaskKind::ActorCall { .. } | TaskKind::ActorCreation | TaskKind::Driver) => {
                        self.fail(id, error, now, out);
                    }
                }
            }
            Outcome::ActorCrashed(error) => self.call_crashed(id, error, now, out),
            Outcome::ArgumentsLost(_) if cancelled => {
                self.fail(id, cancelled_error(&spec), now, out);
            }
            Outcome::ArgumentsLost(lost) => {
                for copy in lost {
                    self.copy_missing(copy.object, copy.missing_at, out);
                }
                self.await_again(id, now, out);
            }
        }
    }

    /// An attempt that nobody waits for any more: what it stored must go.
    fn discard(&mut self, id: TaskId, outcome: Outcome, out: &mut Vec<Command>) {
        let Outcome::Returned(outputs) = outcome else { return };
        for (output, index) in outputs.into_iter().zip(0..) {
            let object = id.output(index);
            let Output::Stored { at, .. } = output else { continue };
            // Another attempt's value may be in the same place; one that failed or is small is in none.
            let known = self.objects.get(&object).map_or(&[][..], |object| object.place.copies());
            let surplus = at.into_iter().filter(|node| !known.contains(node)).collect();
            self.forget_copies(object, surplus, out);
        }
    }

    fn retry(&mut self, id: TaskId, now: Millis, out: &mut Vec<Command>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let was_blocked = task.is_blocked();
        task.attempt += 1;
        task.state = TaskState::PendingNodeAssignment;
        task.worker = None;
        let shape = task.shape;
        let lease = task.lease.take();
        self.leave_slot(id, lease, was_blocked, now, out);
        if let Some(shape) = shape {
            self.enqueue(shape, id, now, out);
        }
    }

    fn succeed(&mut self, id: TaskId, outputs: Vec<Output>, now: Millis, out: &mut Vec<Command>) {
        let failed = outputs.iter().find_map(|output| match output {
            Output::Failed(error) => Some(error.clone()),
            Output::Inline(_) | Output::Stored { .. } => None,
        });
        if let Some(error) = failed {
            for (output, index) in outputs.into_iter().zip(0..) {
                if let Output::Stored { at, .. } = output {
                    self.forget_copies(id.output(index), at, out);
                }
            }
            return self.fail(id, error, now, out);
        }
        let are_here = outputs.iter().all(|output| matches!(output, Output::Inline(_)));
        for (output, index) in outputs.into_iter().zip(0..) {
            self.settle(id.output(index), output, out);
        }
        // Who waited for it goes on in its slot, ahead of new work.
        self.settle_all(now, out);
        self.end(id, if are_here { End::AllHere } else { End::Returned }, now, out);
    }

    /// Ends a task for good with an error, which its returns take on.
    pub(super) fn fail(&mut self, id: TaskId, error: Error, now: Millis, out: &mut Vec<Command>) {
        let Some(task) = self.tasks.get(&id) else { return };
        let spec = Arc::clone(&task.spec);
        let error = error.from_task(&spec.name, spec.id);
        if spec.kind == TaskKind::ActorCreation {
            return self.actor_dependencies_ready(ActorId::from(id), Some(error), out);
        }
        for index in 0..spec.num_returns {
            self.settle(id.output(index), Output::Failed(error.clone()), out);
        }
        self.settle_all(now, out);
        self.end(id, End::Failed(error), now, out);
    }

    /// Takes a task out: its slot, its place in line, the references of its arguments.
    pub(super) fn end(&mut self, id: TaskId, end: End, now: Millis, out: &mut Vec<Command>) {
        let Some(task) = self.tasks.remove(&id) else { return };
        self.small_bytes -= bytes_within(&task.spec);
        match (&task.spec.kind, &end) {
            (TaskKind::ActorCreation, _) => {}
            (_, End::Failed(_)) => self.tally.failed += 1,
            (_, End::AllHere | End::Returned) => self.tally.finished += 1,
        }
        self.remember(&task, end.error(), now);
        let may_run_again = matches!(task.spec.kind, TaskKind::Normal | TaskKind::ActorCall { .. });
        match end {
            // Nobody has to make again what is here, and nothing of it was kept before.
            End::AllHere if task.attempt == 0 => {}
            End::AllHere | End::Returned if may_run_again => self.keep_lineage(&task, out),
            End::AllHere | End::Returned | End::Failed(_) => self.keep_attempt(id, task.attempt, out),
        }
        let (was_blocked, was_sent) = (task.is_blocked(), task.is_sent());
        self.leave_slot(id, task.lease, was_blocked, now, out);
        if let Some(shape) = task.shape {
            if task.state == TaskState::PendingNodeAssignment {
                self.leave_line(shape, out);
            }
            self.count_out(shape);
        }
        for used in refs_of(&task.spec) {
            self.count_down(used, Count::Use, out);
        }
        if let TaskKind::ActorCall { actor } = task.spec.kind {
            self.call_over(actor, id, was_sent, now, out);
        }
    }

    fn remember(&mut self, task: &Task, error: Option<&Error>, now: Millis) {
        let past = self.past_of(task, error, Some(Compact::new(now)));
        self.finished.push(past);
    }
}

/// How a task ended.
pub(super) enum End {
    /// All that it returned is small, and here.
    AllHere,
    /// With values.
    Returned,
    /// With an error.
    Failed(Error),
}

impl End {
    fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            Self::AllHere | Self::Returned => None,
        }
    }
}

/// Whether these are as many as the task is to return.
fn are_all(spec: &TaskSpec, outputs: &[Output]) -> bool {
    outputs.len() == spec.num_returns as usize
}

/// Bytes of the arguments that come with a task.
pub(super) fn bytes_within(spec: &TaskSpec) -> u64 {
    spec.args.iter().filter_map(Arg::value).map(Value::size).sum()
}

/// All references of a task's arguments: those at the top and those inside values.
pub(super) fn refs_of(spec: &TaskSpec) -> Vec<RefId> {
    let mut refs = Vec::new();
    for argument in &spec.args {
        match argument {
            Arg::Value(value) => refs.extend(&value.refs),
            Arg::Object(object) => refs.push(RefId::Object(*object)),
        }
    }
    refs
}

pub(super) fn cancelled_error(spec: &TaskSpec) -> Error {
    Error::new(ErrorKind::TaskCancelled, format!("task `{}` was cancelled", spec.name))
}

/// Whether a failure is worth another attempt: breakdowns of the system are, while there are
/// attempts left; errors of the task's own code only where the task says so.
fn may_retry(spec: &TaskSpec, attempt: u32, error: &Error) -> bool {
    let is_worth_it = match error.kind {
        ErrorKind::WorkerCrashed | ErrorKind::NodeDied => spec.kind == TaskKind::Normal,
        ErrorKind::TaskError | ErrorKind::TaskPanicked => spec.retry_exceptions.covers(error),
        ErrorKind::TaskCancelled
        | ErrorKind::TaskTimeout
        | ErrorKind::GetTimeout
        | ErrorKind::OutOfMemory
        | ErrorKind::ObjectStoreFull
        | ErrorKind::OutOfDisk
        | ErrorKind::ActorDied
        | ErrorKind::ActorUnavailable
        | ErrorKind::ActorAlreadyExists
        | ErrorKind::ActorNotFound
        | ErrorKind::PendingCallsLimitExceeded
        | ErrorKind::ObjectLost
        | ErrorKind::OwnerDied
        | ErrorKind::Unschedulable
        | ErrorKind::PlacementGroupRemoved
        | ErrorKind::UnknownFunction
        | ErrorKind::InvalidArgument
        | ErrorKind::Serialization
        | ErrorKind::LimitExceeded
        | ErrorKind::System => false,
    };
    is_worth_it && spec.max_retries.allows(attempt)
}
