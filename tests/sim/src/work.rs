//! What runs on a node, from its first step to its last: as in `host/node`, without the threads.
//!
//! ```text
//!  Begin ─▶ Job ─▶ (Arguments) ─▶ Inputs ─▶ Ready ⇄ Waiting ─▶ Woken ─▶ Found
//!                                             └▶ end of a task, a call, a driver
//! ```

use std::sync::Arc;

use rayw_core::message::ToHead;
use rayw_core::ownership::{Event, Outcome, Output};
use rayw_core::{Error, ErrorKind, JobId, JobState, NodeId, ObjectId, RefId, TaskId, TaskSpec, Value};

use crate::guest::{Answer, Code, Guest, Kind, Val};
use crate::node::{INLINE_BYTES, Ready, Role, Run, Stage, Work, WorkId, decode};
use crate::world::World;

impl World {
    pub(crate) fn work(&mut self, id: NodeId, work: WorkId) -> Option<&mut Work> {
        self.nodes.get_mut(&id)?.work.get_mut(&work)
    }

    pub(crate) fn stage(&mut self, id: NodeId, work: WorkId, stage: Stage) {
        if let Some(known) = self.work(id, work) {
            known.stage = stage;
        }
    }

    /// A piece of work goes on.
    pub(crate) fn poll(&mut self, id: NodeId, work: WorkId) {
        let Some(known) = self.work(id, work) else { return };
        if matches!(known.stage, Stage::Over) {
            return;
        }
        if known.is_stopped {
            self.tell_untold(id, work);
            return self.stopped(id, work);
        }
        let is_told = match &known.stage {
            Stage::Begin => false,
            Stage::Inputs(left, ..) => left.iter().any(|input| crate::node::stored_of(input).is_some()),
            _ => true,
        };
        if is_told {
            self.tell_untold(id, work);
        }
        let Some(known) = self.work(id, work) else { return };
        match std::mem::replace(&mut known.stage, Stage::Idle) {
            Stage::Begin => self.begin_work(id, work),
            Stage::Inputs(left, values, lost) => self.bring_inputs(id, work, left, values, lost),
            Stage::Ready(ready) => self.go_on(id, work, ready),
            Stage::Woken(objects, is_wait, result) => self.wait_over(id, work, objects, is_wait, result),
            Stage::Found(objects, left, values, lost) => self.bring_found(id, work, objects, left, values, lost),
            Stage::Idle => self.next_letter(id, work),
            // Woken by something that was for an earlier stage.
            waiting @ (Stage::Job | Stage::Arguments | Stage::Waiting(..) | Stage::Asked | Stage::Over) => {
                self.stage(id, work, waiting);
            }
        }
    }

    fn begin_work(&mut self, id: NodeId, work: WorkId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(known) = node.work.get(&work) else { return };
        let job = match &known.role {
            Role::Task(order) => {
                let order = order.clone();
                let task = order.spec.id;
                if node.running.get(&task) == Some(&Run::Unwanted) {
                    let error = cancelled(&order.spec);
                    return self.task_failed(id, work, error);
                }
                if node.running.get(&task) == Some(&Run::Queued) {
                    node.running.insert(task, Run::Begun(work));
                    let started = Event::Started { task, worker: work };
                    match node.untold.get_mut(&work) {
                        Some(untold) => untold.push((started, None)),
                        None => self.tell(id, started),
                    }
                }
                order.spec.job
            }
            Role::Life { spec, .. } => {
                let (creation, job) = (spec.creation.id, spec.creation.job);
                self.tell(id, Event::Started { task: creation, worker: work });
                job
            }
            Role::Driver(spec) => {
                let spec = Arc::clone(spec);
                let code = Code::parse(&spec.entrypoint).unwrap_or(Code { kind: Kind::Driver, seed: 0, depth: 0 });
                return self.start_program(id, work, code, Vec::new(), 1);
            }
        };
        if !self.knows_job(id, work, job) {
            return;
        }
        self.gather(id, work);
    }

    /// Whether the job is known here; the head is asked when it is not.
    fn knows_job(&mut self, id: NodeId, work: WorkId, job: JobId) -> bool {
        let Some(node) = self.nodes.get_mut(&id) else { return false };
        if node.jobs.contains_key(&job) {
            return true;
        }
        node.jobs_asked.entry(job).or_default().push(work);
        self.stage(id, work, Stage::Job);
        self.say_to_head(id, ToHead::JobWanted { node: id, job });
        false
    }

    /// Finds out what the inputs are.
    fn gather(&mut self, id: NodeId, work: WorkId) {
        let Some(known) = self.work(id, work) else { return };
        match known.role.clone() {
            Role::Task(order) => {
                let inputs = order.inputs.into();
                self.stage(id, work, Stage::Inputs(inputs, Vec::new(), Vec::new()));
                self.wake(id, work);
            }
            Role::Life { .. } => self.gather_constructor(id, work),
            Role::Driver(_) => {}
        }
    }

    fn attempt_begins(&mut self, id: NodeId, task: TaskId, attempt: u32) {
        let begun = self.begun.entry((task, attempt)).or_default();
        *begun += 1;
        if *begun > 1 {
            self.fail(|| format!("attempt {attempt} of task {task} begins twice, now on node {id}"));
        }
    }

    pub(crate) fn inputs_here(&mut self, id: NodeId, work: WorkId, values: Vec<Arc<Value>>) {
        let features = self.scenario.features;
        let Some(known) = self.work(id, work) else { return };
        // One whose arguments were lost on the way is sent again as the same attempt: it has not begun.
        let attempt = match &known.role {
            Role::Task(order) => Some((order.spec.id, order.attempt)),
            Role::Life { .. } | Role::Driver(_) => None,
        };
        let (name, returns, crashes) = match &known.role {
            Role::Task(order) | Role::Life { call: Some(order), .. } => {
                let crashes = Code::parse(&order.spec.function).map_or(0, |code| code.crashes(&features));
                (Arc::clone(&order.spec.function), order.spec.num_returns, crashes > order.attempt)
            }
            Role::Life { spec, .. } => (Arc::clone(&spec.creation.function), 0, false),
            Role::Driver(_) => return,
        };
        if let Role::Life { spec, incarnation, call: Some(order), .. } = known.role.clone() {
            self.call_begins(&spec, incarnation, &order);
        }
        if crashes {
            let error = Error::new(ErrorKind::WorkerCrashed, "the sandbox broke down");
            return self.broke_down(id, work, error);
        }
        let code = Code::parse(&name).unwrap_or(Code { kind: Kind::Task, seed: 0, depth: 0 });
        if let Some((task, attempt)) = attempt {
            self.attempt_begins(id, task, attempt);
        }
        self.start_program(id, work, code, values, returns);
    }

    fn start_program(&mut self, id: NodeId, work: WorkId, code: Code, values: Vec<Arc<Value>>, returns: u32) {
        let features = self.scenario.features;
        self.give(id, work, &values);
        let args = values.iter().map(|value| decode(value)).collect();
        if let Some(known) = self.work(id, work) {
            known.guest = Some(Guest::new(code, args, returns, features));
            known.children = known.role.children();
            known.stage = Stage::Ready(Ready::Nothing);
        }
        let busy = self.random.between(0, 3_000);
        self.wake_after(id, work, busy);
    }

    /// A program gets values: it holds what they refer to.
    fn give(&mut self, id: NodeId, work: WorkId, values: &[Arc<Value>]) {
        let refs: Vec<RefId> = values.iter().flat_map(|value| value.refs.iter().copied()).collect();
        if refs.is_empty() {
            return;
        }
        let Some(node) = self.nodes.get_mut(&id) else { return };
        refs.iter().for_each(|held| node.hold(*held));
        if let Some(known) = node.work.get_mut(&work) {
            known.held.extend(&refs);
        }
        self.tell(id, Event::Acquired(refs));
    }

    /// A program's answer, and the next action.
    fn go_on(&mut self, id: NodeId, work: WorkId, ready: Ready) {
        let answer = match ready {
            Ready::Nothing => Answer::Nothing,
            Ready::Refs(refs) => Answer::Refs(refs),
            Ready::Values(values) => {
                self.give(id, work, &values);
                Answer::Values(values.iter().map(|value| decode(value)).collect())
            }
            Ready::Failed(error) => Answer::Failed(root(&error)),
            Ready::Start(values) => return self.inputs_here(id, work, values),
        };
        let Some(known) = self.work(id, work) else { return };
        let Some(mut guest) = known.guest.take() else {
            // What waits for its job and cannot have it.
            let kind = if let Answer::Failed(kind) = answer { kind } else { "SYSTEM" };
            return self.no_job(id, work, kind);
        };
        let action = guest.next(answer);
        if let Some(known) = self.work(id, work) {
            known.guest = Some(guest);
        }
        self.act(id, work, action);
    }

    fn no_job(&mut self, id: NodeId, work: WorkId, kind: &'static str) {
        let error = failure(kind);
        let Some(known) = self.work(id, work) else { return };
        match known.role {
            Role::Task(_) => self.task_failed(id, work, error),
            Role::Life { .. } => self.constructor_failed(id, work, error),
            Role::Driver(_) => {}
        }
    }

    /// Somebody stops a piece of work.
    pub(crate) fn stop(&mut self, id: NodeId, work: WorkId) {
        if let Some(known) = self.work(id, work) {
            known.is_stopped = true;
            self.wake(id, work);
        }
    }

    fn stopped(&mut self, id: NodeId, work: WorkId) {
        let Some(known) = self.work(id, work) else { return };
        match known.role.clone() {
            Role::Task(order) => {
                let error = cancelled(&order.spec);
                self.task_failed(id, work, error);
            }
            Role::Life { .. } => self.life_stopped(id, work),
            Role::Driver(spec) => {
                self.drop_program(id, work);
                self.forget_work(id, work);
                self.driver_ended(id, spec.id, JobState::Stopped, None);
            }
        }
    }

    /// A program is dropped, with the wait that it is in and with all that it holds.
    pub(crate) fn drop_program(&mut self, id: NodeId, work: WorkId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(known) = node.work.get_mut(&work) else { return };
        known.guest = None;
        let held = std::mem::take(&mut known.held);
        let waiter = match &known.stage {
            Stage::Waiting(waiter, ..) => Some(*waiter),
            _ => None,
        };
        held.iter().for_each(|held| node.unhold(*held));
        node.asked.values_mut().filter(|(_, asker)| *asker == Some(work)).for_each(|(_, asker)| *asker = None);
        node.jobs_asked.values_mut().for_each(|waiting| waiting.retain(|waits| *waits != work));
        node.jobs_asked.retain(|_, waiting| !waiting.is_empty());
        if let Some(waiter) = waiter {
            node.waiters.remove(&waiter.0);
            self.tell(id, Event::WaitAbandoned(waiter));
        }
        if !held.is_empty() {
            self.tell(id, Event::Released(held));
        }
    }

    pub(crate) fn forget_work(&mut self, id: NodeId, work: WorkId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.work.remove(&work);
        }
    }

    /// The sandbox of a task or a call broke down.
    fn broke_down(&mut self, id: NodeId, work: WorkId, error: Error) {
        let Some(known) = self.work(id, work) else { return };
        match known.role {
            Role::Task(_) => self.task_failed(id, work, error),
            Role::Life { .. } => self.life_crashed(id, work, error),
            Role::Driver(_) => {}
        }
    }

    pub(crate) fn task_failed(&mut self, id: NodeId, work: WorkId, error: Error) {
        self.task_ended(id, work, Outcome::Failed(error));
    }

    pub(crate) fn task_ended(&mut self, id: NodeId, work: WorkId, outcome: Outcome) {
        self.drop_program(id, work);
        self.report(id, work, outcome);
    }

    /// A task's worker reports.
    fn report(&mut self, id: NodeId, work: WorkId, outcome: Outcome) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(Role::Task(order)) = node.work.get(&work).map(|known| known.role.clone()) else { return };
        let task = order.spec.id;
        let mut events = node.untold.remove(&work).unwrap_or_default();
        events.push((Event::Finished { task, attempt: order.attempt, outcome }, Some(work)));
        // Its worker goes on with the next one, and tells of this one before that or after.
        let next = node.next_behind(task).filter(|_| self.random.chance(70));
        if let Some(next) = next.and_then(|next| self.begin_behind(id, next)) {
            self.stage(id, work, Stage::Over);
            if let Some(node) = self.nodes.get_mut(&id) {
                node.untold.insert(next, events);
            }
            return;
        }
        events.into_iter().for_each(|(event, over)| self.tell_of_task(id, event, over));
        let next = self.nodes.get(&id).and_then(|node| node.next_behind(task));
        next.and_then(|next| self.begin_behind(id, next));
    }

    /// A program has returned.
    pub(crate) fn returned(&mut self, id: NodeId, work: WorkId, values: Vec<Val<RefId>>) {
        let Some(known) = self.work(id, work) else { return };
        match known.role.clone() {
            Role::Task(order) => {
                let outputs = self.outputs(id, &order.spec, &values);
                self.report(id, work, Outcome::Returned(outputs));
            }
            Role::Life { call: Some(order), .. } => {
                let outputs = self.outputs(id, &order.spec, &values);
                self.call_ended(id, work, Outcome::Returned(outputs), None);
            }
            Role::Life { .. } => self.constructed(id, work),
            Role::Driver(spec) => {
                self.drop_program(id, work);
                self.forget_work(id, work);
                self.driver_ended(id, spec.id, JobState::Succeeded, values.first().map(|value| value.num));
            }
        }
    }

    /// A program has failed with an error of that kind.
    pub(crate) fn failed(&mut self, id: NodeId, work: WorkId, kind: &'static str) {
        let Some(known) = self.work(id, work) else { return };
        match known.role.clone() {
            Role::Task(_) => self.task_failed(id, work, failure(kind)),
            Role::Life { call: Some(_), .. } => {
                self.call_ended(id, work, Outcome::Failed(failure(kind)), None);
            }
            Role::Life { .. } => self.constructor_failed(id, work, failure(kind)),
            Role::Driver(spec) => {
                self.drop_program(id, work);
                self.forget_work(id, work);
                self.driver_ended(id, spec.id, JobState::Failed, None);
            }
        }
    }

    fn outputs(&mut self, id: NodeId, spec: &TaskSpec, values: &[Val<RefId>]) -> Vec<Output> {
        self.returned += 1;
        let outputs = values.iter().zip(0..).map(|(value, index)| {
            let object = spec.id.output(index);
            self.check_output(object, value);
            self.output(id, object, crate::node::encode(value))
        });
        outputs.collect()
    }

    /// Large values go to the store.
    pub(crate) fn output(&mut self, id: NodeId, object: ObjectId, value: Value) -> Output {
        if value.data.len() <= INLINE_BYTES {
            return Output::Inline(Arc::new(value));
        }
        let (size, refs) = (value.size(), value.refs.clone());
        if let Some(node) = self.nodes.get_mut(&id) {
            node.store.insert(object, Arc::new(value));
        }
        Output::Stored { at: vec![id], size, refs }
    }
}

pub(crate) fn cancelled(spec: &TaskSpec) -> Error {
    Error::new(ErrorKind::TaskCancelled, format!("task `{}` was cancelled", spec.name))
}

/// A program's own error: its type says what it came from.
fn failure(kind: &'static str) -> Error {
    let mut error = Error::new(ErrorKind::TaskError, format!("it got {kind}"));
    error.type_name = Some(kind.to_owned());
    error
}

/// The kind of the error that an error came from.
pub(crate) fn root(error: &Error) -> &'static str {
    const KINDS: [ErrorKind; 24] = [
        ErrorKind::TaskError,
        ErrorKind::TaskPanicked,
        ErrorKind::TaskCancelled,
        ErrorKind::TaskTimeout,
        ErrorKind::GetTimeout,
        ErrorKind::WorkerCrashed,
        ErrorKind::NodeDied,
        ErrorKind::OutOfMemory,
        ErrorKind::ObjectStoreFull,
        ErrorKind::OutOfDisk,
        ErrorKind::ActorDied,
        ErrorKind::ActorUnavailable,
        ErrorKind::ActorAlreadyExists,
        ErrorKind::ActorNotFound,
        ErrorKind::PendingCallsLimitExceeded,
        ErrorKind::ObjectLost,
        ErrorKind::OwnerDied,
        ErrorKind::Unschedulable,
        ErrorKind::PlacementGroupRemoved,
        ErrorKind::UnknownFunction,
        ErrorKind::InvalidArgument,
        ErrorKind::Serialization,
        ErrorKind::LimitExceeded,
        ErrorKind::System,
    ];
    match &error.type_name {
        Some(name) => KINDS.iter().map(|kind| kind.name()).find(|kind| kind == name).unwrap_or(crate::check::PLANNED),
        None => error.kind.name(),
    }
}
