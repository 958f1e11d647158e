//! Cases of the owner's machine, each with a small world around it: the real
//! head's machine, and a worker that holds what it was told to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Command, Event, Outcome, Output, Ownership, WaitFor, WaitResult, WaiterId};
use crate::message::{ActorEnd, FromHead, NodeAddress, ToHead};
use crate::scheduler::{Outbox, Scheduler};
use crate::{
    ActorId, ActorSpec, Amount, Arg, Codec, Error, ErrorKind, JobId, NodeId, ObjectId, RefId, Resources, Retries,
    TaskId, TaskKind, TaskSpec, Value,
};

const NODE: NodeId = NodeId([7; 16]);

/// An owner, a head, and what the node would be doing.
struct World {
    owner: Ownership,
    head: Scheduler,
    /// Orders that a worker has, by task.
    running: BTreeMap<TaskId, u32>,
    /// Orders that follow others: behind what, and what.
    behind: Vec<(TaskId, TaskId, u32)>,
    stopped: Vec<TaskId>,
    woken: BTreeMap<u64, WaitResult>,
    forgotten: Vec<ObjectId>,
    /// Calls in the mailbox of each actor.
    mail: BTreeMap<ActorId, Vec<TaskId>>,
    /// Lives that the node was told to start, and to end.
    started: Vec<(ActorId, u32)>,
    ended: Vec<(ActorId, bool)>,
    now: u64,
    next: u64,
    cpus: Resources,
}

impl World {
    fn new(total: Resources) -> Self {
        let mut world = Self {
            owner: Ownership::new(NODE),
            head: Scheduler::default(),
            running: BTreeMap::new(),
            behind: Vec::new(),
            stopped: Vec::new(),
            woken: BTreeMap::new(),
            forgotten: Vec::new(),
            mail: BTreeMap::new(),
            started: Vec::new(),
            ended: Vec::new(),
            now: 0,
            next: 0,
            cpus: total.clone(),
        };
        world.head.handle(
            ToHead::NodeJoined { node: NODE, at: NodeAddress::default(), total, labels: crate::Labels::new() },
            0,
            &mut Outbox::new(),
        );
        world
    }

    fn with_cpus(cpus: u64) -> Self {
        Self::new(Resources::cpus(Amount(cpus * 10_000)))
    }

    /// Tells the owner, and carries messages to and fro until nobody has more to say.
    fn tell(&mut self, event: Event) {
        let mut letters = self.tell_owner(event);
        for round in 0.. {
            if letters.is_empty() {
                return;
            }
            assert!(round < 1_000, "owner and head never come to rest: {letters:?}");
            let mut out = Outbox::new();
            for letter in letters.drain(..) {
                self.head.handle(letter, self.now, &mut out);
            }
            letters =
                out.into_iter().flat_map(|(_, message)| self.tell_owner(Event::FromHead(Box::new(message)))).collect();
        }
    }

    fn tell_owner(&mut self, event: Event) -> Vec<ToHead> {
        if let Event::FromHead(message) = &event {
            match message.as_ref() {
                FromHead::ActorStart { spec, incarnation, .. } => self.started.push((spec.id, *incarnation)),
                FromHead::ActorStop { actor, graceful, .. } => self.ended.push((*actor, *graceful)),
                _ => {}
            }
        }
        let mut commands = Vec::new();
        self.owner.handle(event, self.now, &mut commands);
        let (mut letters, mut further) = (Vec::new(), Vec::new());
        for command in commands {
            match command {
                Command::ToHead(message) => letters.push(*message),
                Command::Run(order) => {
                    assert!(self.running.insert(order.spec.id, order.attempt).is_none(), "a task runs once at a time");
                }
                Command::RunBehind { order, behind } => self.behind.push((behind, order.spec.id, order.attempt)),
                Command::Begin(task) => self.begin(task),
                Command::Stop { task, .. } => match self.take_behind(task) {
                    Some(attempt) => {
                        further.push(Event::Finished { task, attempt, outcome: failed(ErrorKind::TaskCancelled) });
                    }
                    None => self.stopped.push(task),
                },
                Command::Wake { waiter, result } => {
                    assert!(self.woken.insert(waiter.0, result).is_none(), "a wait ends once");
                }
                Command::Forget(object) => self.forgotten.push(object),
                Command::Call { actor, order, .. } => {
                    self.running.insert(order.spec.id, order.attempt);
                    self.mail.entry(actor).or_default().push(order.spec.id);
                }
                Command::FlagCancelled { task, .. } => self.stopped.push(task),
                Command::Recall(mut tasks) => {
                    tasks.retain(|task| self.take_behind(*task).is_some());
                    further.push(Event::Recalled(tasks));
                }
                command @ (Command::EndActor { .. }
                | Command::Construct { .. }
                | Command::ToPeer { .. }
                | Command::Keep(_)
                | Command::Bring(_)) => {
                    unreachable!("there is one node only, and yet: {command:?}")
                }
            }
        }
        letters.extend(further.into_iter().flat_map(|event| self.tell_owner(event)));
        letters
    }

    fn pass(&mut self, millis: u64) {
        self.now += millis;
        let mut out = Outbox::new();
        self.head.tick(self.now, &mut out);
        for (_, message) in out {
            self.tell(Event::FromHead(Box::new(message)));
        }
        self.tell(Event::Tick);
    }

    fn spec(&mut self, cpus: u64, args: Vec<Arg>) -> TaskSpec {
        self.next += 1;
        let resources = Arc::new(Resources::cpus(Amount(cpus * 10_000)));
        super::peer_tests::spec(self.next, args).with_terms(|terms| terms.resources = resources)
    }

    fn submit(&mut self, cpus: u64, args: Vec<Arg>) -> TaskId {
        let spec = self.spec(cpus, args);
        let id = spec.id;
        self.tell(Event::Submitted(Arc::new(spec)));
        id
    }

    fn finish(&mut self, id: TaskId) {
        self.end(id, Outcome::Returned(vec![Output::Inline(value(Vec::new()))]));
    }

    fn end(&mut self, id: TaskId, outcome: Outcome) {
        let attempt = self.running.remove(&id).expect("it runs");
        self.tell(Event::Finished { task: id, attempt, outcome });
        let next = self.behind.iter().find(|(behind, ..)| *behind == id).map(|(_, next, _)| *next);
        next.into_iter().for_each(|next| self.begin(next));
    }

    /// Takes an order out that followed another one. Answers with its attempt.
    fn take_behind(&mut self, task: TaskId) -> Option<u32> {
        let index = self.behind.iter().position(|(_, next, _)| *next == task)?;
        let (before, _, attempt) = self.behind.remove(index);
        self.behind.iter_mut().filter(|(behind, ..)| *behind == task).for_each(|(behind, ..)| *behind = before);
        Some(attempt)
    }

    /// A worker begins with one that followed another.
    fn begin(&mut self, task: TaskId) {
        let index = self.behind.iter().position(|(_, next, _)| *next == task).expect("it follows another one");
        let (_, task, attempt) = self.behind.remove(index);
        assert!(self.running.insert(task, attempt).is_none(), "a task runs once at a time");
    }

    fn wait(&mut self, waiter: u64, objects: Vec<ObjectId>, caller: Option<TaskId>) {
        let wait = WaitFor::Values;
        self.tell(Event::WaitStarted { waiter: WaiterId(waiter), objects, wait, caller, poll: false });
    }

    fn is_running(&self, id: TaskId) -> bool {
        self.running.contains_key(&id)
    }
}

fn value(refs: Vec<RefId>) -> Arc<Value> {
    Arc::new(Value { codec: Codec::Raw, data: Bytes::from_static(b"x"), refs })
}

fn failed(kind: ErrorKind) -> Outcome {
    Outcome::Failed(Error::new(kind, "it failed"))
}

#[test]
fn as_many_tasks_run_as_there_are_cpus() {
    let mut world = World::with_cpus(2);
    let ids: Vec<TaskId> = (0..3).map(|_| world.submit(1, Vec::new())).collect();
    assert_eq!(world.running.len(), 2);
    world.finish(ids[0]);
    assert!(world.is_running(ids[2]));
}

#[test]
fn a_task_waits_for_its_arguments() {
    let mut world = World::with_cpus(2);
    let first = world.submit(1, Vec::new());
    let second = world.submit(1, vec![Arg::Object(first.output(0))]);
    assert!(!world.is_running(second));
    world.finish(first);
    assert!(world.is_running(second));
}

#[test]
fn a_failed_argument_fails_the_dependent_with_the_same_error_and_it_never_runs() {
    let mut world = World::with_cpus(2);
    let first = world.submit(1, Vec::new());
    let second = world.submit(1, vec![Arg::Object(first.output(0))]);
    world.wait(1, vec![second.output(0)], None);
    world.end(first, failed(ErrorKind::TaskError));
    assert!(!world.is_running(second));
    let WaitResult::Failed(error) = &world.woken[&1] else { panic!("{:?}", world.woken) };
    assert_eq!(error.kind, ErrorKind::TaskError);
    assert!(error.origin.as_ref().unwrap().contains(&first.to_string()), "{error:?}");
}

#[test]
fn breakdowns_are_retried_and_errors_of_the_task_are_not() {
    let mut world = World::with_cpus(1);
    let crashing = world.submit(1, Vec::new());
    for attempt in 0..3 {
        assert_eq!(world.running.get(&crashing), Some(&attempt));
        world.end(crashing, failed(ErrorKind::WorkerCrashed));
    }
    assert!(!world.is_running(crashing));
    let erring = world.submit(1, Vec::new());
    world.end(erring, failed(ErrorKind::TaskError));
    assert!(!world.is_running(erring));
}

#[test]
fn a_blocked_task_gives_its_cpu_to_its_child_and_goes_on_after() {
    let mut world = World::with_cpus(1);
    let parent = world.submit(1, Vec::new());
    let child = world.submit(1, Vec::new());
    assert!(!world.is_running(child));
    world.wait(1, vec![child.output(0)], Some(parent));
    assert!(world.is_running(child), "the child has the parent's cpu");
    world.finish(child);
    assert!(matches!(world.woken.get(&1), Some(WaitResult::Values(_))));
    world.finish(parent);
    assert_eq!(world.owner.unfinished(), 0);
}

/// An owner with two tasks that hold memory beside their cpus, in two slots of lease 7. The first one is
/// blocked.
fn two_that_hold_memory() -> (World, [TaskId; 2]) {
    let mut world = World::with_cpus(2);
    let ids = [0, 1].map(|_| {
        let spec = world.spec(1, Vec::new());
        let resources = Arc::new(spec.resources.as_ref().clone().with_memory(1));
        let spec = Arc::new(spec.with_terms(|terms| terms.resources = resources));
        let id = spec.id;
        let asked = world.tell_owner(Event::Submitted(spec));
        if let [ToHead::LeaseWanted { shape, .. }] = &asked[..] {
            let shape = shape.clone();
            let granted =
                FromHead::SlotsGranted { lease: crate::LeaseId(7), shape, node: NODE, bundle: None, slots: 2 };
            world.tell_owner(Event::FromHead(Box::new(granted)));
        }
        id
    });
    world.tell_owner(Event::WaitStarted {
        waiter: WaiterId(1),
        objects: vec![ids[1].output(0)],
        wait: WaitFor::Values,
        caller: Some(ids[0]),
        poll: false,
    });
    (world, ids)
}

fn resumed() -> Event {
    Event::FromHead(Box::new(FromHead::SlotsResumed { lease: crate::LeaseId(7), slots: 1 }))
}

#[test]
fn who_blocks_while_a_slot_comes_for_one_that_has_ended_is_parked() {
    let (mut world, [first, second]) = two_that_hold_memory();
    // The head sends a slot for the first one, which ends before that comes; then the second one blocks.
    let failed = failed(ErrorKind::TaskTimeout);
    world.tell_owner(Event::Finished { task: first, attempt: 0, outcome: failed });
    let object = JobId::numbered(1).driver(0).put(2);
    let blocked = world.tell_owner(Event::WaitStarted {
        waiter: WaiterId(2),
        objects: vec![object],
        wait: WaitFor::Values,
        caller: Some(second),
        poll: false,
    });
    assert!(matches!(blocked[..], [.., ToHead::SlotsReturned { slots: 1, parked: 1, .. }]), "{blocked:?}");
    let said = world.tell_owner(resumed());
    assert!(matches!(said[..], [ToHead::SlotsReturned { slots: 1, parked: 1, .. }]), "{said:?}");
    let wrong = world.owner.audit(&crate::IdMap::default());
    assert!(!wrong.iter().any(|wrong| wrong.starts_with("lease")), "{wrong:?}");
}

#[test]
fn a_slot_that_comes_for_a_lease_that_is_over_came_in_vain() {
    let mut world = World::with_cpus(1);
    let said = world.tell_owner(resumed());
    assert!(
        matches!(said[..], [ToHead::ResumedInVain { slots: 1, .. }, ToHead::SlotsReturned { slots: 1, parked: 0, .. }]),
        "{said:?}"
    );
}

#[test]
fn the_shapes_of_a_job_go_with_its_last_task() {
    let mut world = World::with_cpus(1);
    let first = world.submit(1, Vec::new());
    world.submit(2, Vec::new());
    world.tell(Event::JobEnded(JobId::numbered(1)));
    assert_eq!(world.owner.shapes.len(), 1, "a task runs until its worker has stopped it");
    world.finish(first);
    world.pass(60_000);
    assert_eq!((world.owner.shapes.len(), world.owner.shape_index.len()), (0, 0));
}

#[test]
fn a_blocked_parent_goes_on_ahead_of_new_work() {
    let mut world = World::with_cpus(1);
    let parent = world.submit(1, Vec::new());
    let child = world.submit(1, Vec::new());
    let other = world.submit(1, Vec::new());
    world.wait(1, vec![child.output(0)], Some(parent));
    world.finish(child);
    assert!(world.woken.contains_key(&1) && !world.is_running(other));
    world.finish(parent);
    assert!(world.is_running(other));
}

#[test]
fn a_chain_deeper_than_the_cpus_finishes_even_across_shapes() {
    let mut world = World::with_cpus(4);
    let mut chain = Vec::new();
    for depth in 0..9 {
        let id = world.submit(1 + depth % 4, Vec::new());
        for _ in 0..4 {
            world.pass(25);
        }
        assert!(world.is_running(id), "depth {depth}");
        chain.push(id);
        world.block(id, 100 + depth);
    }
    while let Some(id) = chain.pop() {
        world.unblock(id);
        world.finish(id);
        for _ in 0..4 {
            world.pass(25);
        }
    }
    assert_eq!(world.owner.unfinished(), 0);
}

impl World {
    /// Blocks a running task on an object that only `unblock` makes.
    fn block(&mut self, id: TaskId, waiter: u64) {
        let object = id.put(9);
        self.owner.expect_object(object);
        let wait = WaitFor::Values;
        let event =
            Event::WaitStarted { waiter: WaiterId(waiter), objects: vec![object], wait, caller: Some(id), poll: false };
        self.tell(event);
    }

    fn unblock(&mut self, id: TaskId) {
        self.tell(Event::Put { object: id.put(9), output: Output::Inline(value(Vec::new())) });
        for _ in 0..4 {
            self.pass(25);
        }
    }
}

#[test]
fn memory_stays_with_a_blocked_task() {
    let total = Resources::cpus(Amount(20_000)).with_memory(100);
    let mut world = World::new(total);
    let resources = Arc::new(Resources::cpus(Amount::ONE).with_memory(60));
    let mut spec = world.spec(1, Vec::new()).with_terms(|terms| terms.resources = resources);
    let holder = spec.id;
    world.tell(Event::Submitted(Arc::new(spec.clone())));
    spec.id = holder.child(1);
    let second = spec.id;
    world.tell(Event::Submitted(Arc::new(spec)));
    world.block(holder, 1);
    assert!(!world.is_running(second), "60 of 100 bytes are still taken");
    world.unblock(holder);
    assert!(world.woken.contains_key(&1));
    world.finish(holder);
    assert!(world.is_running(second));
}

#[test]
fn another_shape_gets_its_turn_while_a_long_queue_is_worked_off() {
    let mut world = World::with_cpus(2);
    let many: Vec<TaskId> = (0..20).map(|_| world.submit(1, Vec::new())).collect();
    let large = world.submit(2, Vec::new());
    let mut finished = 0;
    while !world.is_running(large) {
        world.pass(30);
        let running: Vec<TaskId> = world.running.keys().copied().collect();
        running.into_iter().for_each(|id| world.finish(id));
        finished += 1;
        assert!(finished < 8, "the large one starves");
    }
    assert!(many.iter().any(|id| !world.is_running(*id)));
}

#[test]
fn an_object_goes_when_its_last_reference_goes() {
    let mut world = World::with_cpus(1);
    let task = world.submit(1, Vec::new());
    let object = RefId::Object(task.output(0));
    world.finish(task);
    world.tell(Event::Acquired(vec![object]));
    world.tell(Event::Released(vec![object]));
    assert_eq!(world.owner.objects(), 1);
    world.tell(Event::Released(vec![object]));
    assert_eq!(world.owner.objects(), 0);
}

#[test]
fn an_object_in_the_value_of_another_lives_as_long() {
    let mut world = World::with_cpus(1);
    let inner = JobId::numbered(1).driver(0).put(1);
    world
        .tell(Event::Put { object: inner, output: Output::Stored { at: vec![NODE], size: 1 << 20, refs: Vec::new() } });
    let outer = JobId::numbered(1).driver(0).put(2);
    world.tell(Event::Put { object: outer, output: Output::Inline(value(vec![RefId::Object(inner)])) });
    world.tell(Event::Released(vec![RefId::Object(inner)]));
    assert_eq!(world.forgotten, []);
    world.tell(Event::Released(vec![RefId::Object(outer)]));
    assert_eq!((world.forgotten.as_slice(), world.owner.objects()), ([inner].as_slice(), 0));
}

#[test]
fn an_argument_is_kept_until_its_task_is_over_also_when_it_fails() {
    let mut world = World::with_cpus(1);
    let object = JobId::numbered(1).driver(0).put(1);
    world.tell(Event::Put { object, output: Output::Inline(value(Vec::new())) });
    let task = world.submit(1, vec![Arg::Object(object)]);
    world.tell(Event::Released(vec![RefId::Object(object), RefId::Object(task.output(0))]));
    assert_eq!(world.owner.objects(), 2);
    world.end(task, failed(ErrorKind::TaskError));
    assert_eq!(world.owner.objects(), 0);
}

#[test]
fn a_queued_task_that_is_cancelled_never_runs_and_a_running_one_is_stopped() {
    let mut world = World::with_cpus(1);
    let running = world.submit(1, Vec::new());
    let queued = world.submit(1, Vec::new());
    world.tell(Event::Cancelled { object: queued.output(0), recursive: false });
    world.tell(Event::Cancelled { object: running.output(0), recursive: false });
    assert_eq!(world.stopped, [running]);
    world.end(running, failed(ErrorKind::TaskCancelled));
    assert!(world.running.is_empty() && world.owner.unfinished() == 0);
}

#[test]
fn recursive_cancel_reaches_grandchildren() {
    let mut world = World::with_cpus(4);
    let parent = world.submit(1, Vec::new());
    let mut child = world.spec(1, Vec::new());
    child.parent = parent;
    let mut grandchild = world.spec(1, Vec::new());
    grandchild.parent = child.id;
    let (child_id, grandchild_id) = (child.id, grandchild.id);
    world.tell(Event::Submitted(Arc::new(child)));
    world.tell(Event::Submitted(Arc::new(grandchild)));
    world.tell(Event::Cancelled { object: parent.output(0), recursive: true });
    let mut stopped = world.stopped.clone();
    stopped.sort();
    let mut all = vec![parent, child_id, grandchild_id];
    all.sort();
    assert_eq!(stopped, all);
}

#[test]
fn a_wait_for_some_ends_with_exactly_as_many_in_order() {
    let mut world = World::with_cpus(4);
    let ids: Vec<TaskId> = (0..4).map(|_| world.submit(1, Vec::new())).collect();
    let objects = ids.iter().map(|id| id.output(0)).collect();
    let wait = WaitFor::Ready(2);
    world.tell(Event::WaitStarted { waiter: WaiterId(1), objects, wait, caller: None, poll: false });
    world.finish(ids[3]);
    assert!(!world.woken.contains_key(&1));
    world.finish(ids[1]);
    assert!(matches!(&world.woken[&1], WaitResult::Ready(ready) if *ready == [1, 3]));
}

#[test]
fn an_idle_lease_goes_back() {
    let mut world = World::with_cpus(1);
    let task = world.submit(1, Vec::new());
    world.finish(task);
    world.pass(1_000);
    let free = world.head.node_rows()[0].resources_available.clone();
    assert_eq!(free, world.cpus.to_string());
}

#[test]
fn what_no_node_can_ever_run_says_why_it_waits() {
    let mut world = World::with_cpus(2);
    let task = world.submit(5, Vec::new());
    let row = world.owner.task_snapshot().into_rows().into_iter().find(|row| row.task_id == task.to_string()).unwrap();
    let why = row.pending_reason.unwrap();
    assert!(why.starts_with("infeasible: needs 5 CPU (2 here)"), "{why}");
}

#[test]
fn a_result_of_an_old_attempt_is_ignored() {
    let mut world = World::with_cpus(1);
    let task = world.submit(1, Vec::new());
    world.end(task, failed(ErrorKind::WorkerCrashed));
    let outcome = Outcome::Returned(vec![Output::Inline(value(Vec::new()))]);
    world.tell(Event::Finished { task, attempt: 0, outcome });
    assert_eq!(world.owner.unfinished(), 1);
    world.finish(task);
    assert_eq!(world.owner.unfinished(), 0);
}

impl World {
    fn say(&mut self, message: ToHead) {
        let mut out = Outbox::new();
        self.head.handle(message, self.now, &mut out);
        for (_, message) in out {
            self.tell(Event::FromHead(Box::new(message)));
        }
    }

    fn create(&mut self, edit: impl FnOnce(&mut ActorSpec)) -> ActorId {
        let mut creation = self.spec(0, Vec::new()).with_terms(|terms| terms.num_returns = 0);
        creation.kind = TaskKind::ActorCreation;
        let mut spec = ActorSpec {
            id: ActorId::from(creation.id),
            class: Arc::from("Counter"),
            name: None,
            namespace: Arc::from("space"),
            detached: false,
            placement: Arc::default(),
            lifetime: Arc::default(),
            max_restarts: Retries::AtMost(0),
            max_task_retries: Retries::AtMost(0),
            max_pending_calls: None,
            out_of_order: false,
            creation: Arc::new(creation),
        };
        edit(&mut spec);
        let id = spec.id;
        self.tell(Event::ActorCreated(Arc::new(spec)));
        id
    }

    fn ready(&mut self, actor: ActorId, incarnation: u32) {
        assert!(self.started.contains(&(actor, incarnation)), "{:?}", self.started);
        self.say(ToHead::ActorReady { actor, incarnation });
    }

    fn call(&mut self, actor: ActorId, args: Vec<Arg>) -> TaskId {
        let max_retries = self.owner.actor(actor).unwrap().max_task_retries;
        let mut spec = self.spec(0, args).with_terms(|terms| terms.max_retries = max_retries);
        spec.kind = TaskKind::ActorCall { actor };
        let id = spec.id;
        self.tell(Event::Submitted(Arc::new(spec)));
        id
    }

    /// The instance breaks down under the first call of its mailbox.
    fn crash(&mut self, actor: ActorId, incarnation: u32) {
        let mut mail = self.mail.remove(&actor).unwrap_or_default();
        let error = Error::new(ErrorKind::WorkerCrashed, "it trapped");
        let current = (!mail.is_empty()).then(|| mail.remove(0));
        for id in &mail {
            self.running.remove(id);
        }
        self.tell(Event::CallsReturned { actor, tasks: mail });
        if let Some(current) = current {
            self.end(current, Outcome::ActorCrashed(error.clone()));
        }
        self.say(ToHead::ActorEnded { actor, incarnation, end: ActorEnd::Crashed(error) });
    }

    fn failure(&mut self, task: TaskId) -> ErrorKind {
        self.next += 1;
        let waiter = 1_000 + self.next;
        self.wait(waiter, vec![task.output(0)], None);
        match self.woken.get(&waiter) {
            Some(WaitResult::Failed(error)) => error.kind,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn calls_wait_for_the_actor_and_then_go_in_order() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|_| {});
    let calls: Vec<TaskId> = (0..3).map(|_| world.call(actor, Vec::new())).collect();
    assert!(world.mail.is_empty());
    world.ready(actor, 0);
    assert_eq!(world.mail[&actor], calls);
}

#[test]
fn a_call_whose_argument_is_missing_holds_up_those_behind_it() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|_| {});
    world.ready(actor, 0);
    let slow = world.submit(1, Vec::new());
    let first = world.call(actor, vec![Arg::Object(slow.output(0))]);
    let second = world.call(actor, Vec::new());
    assert!(world.mail.is_empty());
    world.finish(slow);
    assert_eq!(world.mail[&actor], [first, second]);
}

#[test]
fn out_of_order_calls_do_not_wait_for_each_other() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|spec| spec.out_of_order = true);
    world.ready(actor, 0);
    let slow = world.submit(1, Vec::new());
    let first = world.call(actor, vec![Arg::Object(slow.output(0))]);
    let second = world.call(actor, Vec::new());
    assert_eq!(world.mail[&actor], [second]);
    world.finish(slow);
    assert_eq!(world.mail[&actor], [second, first]);
}

#[test]
fn without_restarts_the_call_and_all_others_say_that_the_actor_died() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|_| {});
    world.ready(actor, 0);
    let (running, waiting) = (world.call(actor, Vec::new()), world.call(actor, Vec::new()));
    world.crash(actor, 0);
    assert_eq!(world.failure(running), ErrorKind::ActorDied);
    assert_eq!(world.failure(waiting), ErrorKind::ActorDied);
    let late = world.call(actor, Vec::new());
    assert_eq!(world.failure(late), ErrorKind::ActorDied);
    assert_eq!(world.owner.unfinished(), 0);
}

#[test]
fn after_a_restart_calls_that_never_began_run_and_the_one_that_did_does_not() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|spec| spec.max_restarts = Retries::AtMost(1));
    world.ready(actor, 0);
    let (running, waiting) = (world.call(actor, Vec::new()), world.call(actor, Vec::new()));
    world.crash(actor, 0);
    assert_eq!(world.failure(running), ErrorKind::ActorUnavailable);
    world.ready(actor, 1);
    assert_eq!(world.mail[&actor], [waiting]);
}

#[test]
fn a_call_that_may_be_retried_goes_first_after_the_restart() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|spec| {
        spec.max_restarts = Retries::Unlimited;
        spec.max_task_retries = Retries::AtMost(1);
    });
    world.ready(actor, 0);
    let (first, second) = (world.call(actor, Vec::new()), world.call(actor, Vec::new()));
    world.crash(actor, 0);
    world.ready(actor, 1);
    assert_eq!(world.mail[&actor], [first, second]);
    world.crash(actor, 1);
    assert_eq!(world.failure(first), ErrorKind::ActorUnavailable);
}

#[test]
fn calls_on_their_way_to_an_instance_that_ends_keep_their_place() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|spec| {
        spec.max_restarts = Retries::Unlimited;
        spec.max_task_retries = Retries::AtMost(1);
    });
    world.ready(actor, 0);
    let calls: Vec<TaskId> = (0..4).map(|_| world.call(actor, Vec::new())).collect();
    // The first one runs, the second one waits in the mailbox; the others have yet to arrive there.
    let mail = world.mail.remove(&actor).unwrap();
    world.running.retain(|id, _| !mail[1..].contains(id));
    world.tell(Event::CallsReturned { actor, tasks: vec![calls[1]] });
    let error = Error::new(ErrorKind::WorkerCrashed, "it trapped");
    world.end(calls[0], Outcome::ActorCrashed(error.clone()));
    world.say(ToHead::ActorEnded { actor, incarnation: 0, end: ActorEnd::Crashed(error) });
    world.ready(actor, 1);
    assert_eq!(world.mail[&actor], calls);
}

#[test]
fn a_call_whose_argument_is_made_again_goes_out_then() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|_| {});
    world.ready(actor, 0);
    let made = world.submit(1, Vec::new());
    world.end(made, Outcome::Returned(vec![Output::Stored { at: vec![NODE], size: 1, refs: Vec::new() }]));
    let call = world.call(actor, vec![Arg::Object(made.output(0))]);
    let lost = super::LostCopy { object: made.output(0), missing_at: vec![NODE] };
    world.end(call, Outcome::ArgumentsLost(vec![lost]));
    assert!(!world.is_running(call));
    world.finish(made);
    assert!(world.is_running(call));
}

#[test]
fn too_many_pending_calls_are_refused() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|spec| spec.max_pending_calls = std::num::NonZeroU32::new(2));
    let first = world.call(actor, Vec::new());
    world.call(actor, Vec::new());
    assert_eq!(world.owner.admit_call(actor).unwrap_err().kind, ErrorKind::PendingCallsLimitExceeded);
    world.ready(actor, 0);
    world.finish(first);
    assert!(world.owner.admit_call(actor).is_ok());
}

#[test]
fn an_actor_ends_behind_its_calls_when_its_last_handle_goes() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|_| {});
    world.ready(actor, 0);
    let call = world.call(actor, Vec::new());
    world.tell(Event::Released(vec![RefId::Actor(actor)]));
    assert_eq!(world.ended, [], "a call is on its way");
    world.finish(call);
    assert_eq!(world.ended, [(actor, true)]);
}

#[test]
fn a_handle_in_an_object_keeps_the_actor() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|_| {});
    world.ready(actor, 0);
    let object = JobId::numbered(1).driver(0).put(1);
    world.tell(Event::Put { object, output: Output::Inline(value(vec![RefId::Actor(actor)])) });
    world.tell(Event::Released(vec![RefId::Actor(actor)]));
    assert_eq!(world.ended, []);
    world.tell(Event::Released(vec![RefId::Object(object)]));
    assert_eq!(world.ended, [(actor, true)]);
}

#[test]
fn a_detached_actor_needs_no_handle() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|spec| spec.detached = true);
    world.ready(actor, 0);
    world.tell(Event::Released(vec![RefId::Actor(actor)]));
    assert_eq!(world.ended, []);
}

#[test]
fn terminate_stands_in_line_behind_the_calls_before_it() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|_| {});
    let call = world.call(actor, Vec::new());
    let submitter = JobId::numbered(1).driver(0);
    world.tell(Event::ActorTerminated { actor, submitter });
    assert_eq!(world.ended, []);
    world.ready(actor, 0);
    assert_eq!(
        (world.mail[&actor].as_slice(), world.ended.as_slice()),
        ([call].as_slice(), [(actor, true)].as_slice())
    );
}

#[test]
fn an_actor_whose_argument_failed_is_dead_with_that_cause() {
    let mut world = World::with_cpus(1);
    let task = world.submit(1, Vec::new());
    let object = task.output(0);
    let actor = world.create(|spec| {
        let mut creation = spec.creation.as_ref().clone();
        creation.args = vec![Arg::Object(object)];
        spec.creation = Arc::new(creation);
    });
    let call = world.call(actor, Vec::new());
    world.end(task, failed(ErrorKind::TaskError));
    assert_eq!(world.failure(call), ErrorKind::ActorDied);
    assert_eq!((world.started.len(), world.owner.unfinished()), (0, 0));
}

/// What a random program does next.
#[derive(Debug, Clone)]
enum Step {
    Submit { cpus: u64, depends_on: Option<usize> },
    Finish(usize),
    Crash(usize),
    Err(usize),
    Block(usize, usize),
    Cancel(usize),
    Drop(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..5_u64, proptest::option::of(0..40_usize)).prop_map(|(cpus, depends_on)| Step::Submit { cpus, depends_on }),
        4 => (0..8_usize).prop_map(Step::Finish),
        1 => (0..8_usize).prop_map(Step::Crash),
        1 => (0..8_usize).prop_map(Step::Err),
        2 => (0..8_usize, 0..40_usize).prop_map(|(task, on)| Step::Block(task, on)),
        1 => (0..40_usize).prop_map(Step::Cancel),
        2 => (0..40_usize).prop_map(Step::Drop),
        2 => (0..40_u64).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens: no more cpus are used than there are, every task ends, every object goes
    /// when nobody refers to it, and the head has all its cpus back.
    #[test]
    fn nothing_is_lost_and_nothing_is_left(steps in steps()) {
        let mut world = World::with_cpus(4);
        let mut held: Vec<Option<ObjectId>> = Vec::new();
        let mut needs: BTreeMap<TaskId, u64> = BTreeMap::new();
        let mut blocked: BTreeMap<TaskId, u64> = BTreeMap::new();
        let mut waiters = 0;
        for step in steps {
            let active: Vec<TaskId> =
                world.running.keys().filter(|id| !blocked.contains_key(id)).copied().collect();
            let pick = |index: usize| active.get(index).copied();
            match step {
                Step::Submit { cpus, depends_on } => {
                    let object = depends_on.and_then(|index| held.get(index).copied().flatten());
                    let id = world.submit(cpus, object.map(Arg::Object).into_iter().collect());
                    needs.insert(id, cpus);
                    held.push(Some(id.output(0)));
                }
                Step::Finish(index) => if let Some(id) = pick(index) { world.finish(id) },
                Step::Crash(index) => if let Some(id) = pick(index) { world.end(id, failed(ErrorKind::WorkerCrashed)) },
                Step::Err(index) => if let Some(id) = pick(index) { world.end(id, failed(ErrorKind::TaskError)) },
                Step::Block(index, on) => {
                    if let (Some(id), Some(Some(object))) = (pick(index), held.get(on)) && object.task() != id {
                        waiters += 1;
                        world.wait(waiters, vec![*object], Some(id));
                        if !world.woken.contains_key(&waiters) {
                            blocked.insert(id, waiters);
                        }
                    }
                }
                Step::Cancel(index) => {
                    if let Some(Some(object)) = held.get(index) {
                        world.tell(Event::Cancelled { object: *object, recursive: true });
                    }
                }
                Step::Drop(index) => {
                    if let Some(object) = held.get_mut(index).and_then(Option::take) {
                        world.tell(Event::Released(vec![RefId::Object(object)]));
                    }
                }
                Step::Pass(millis) => world.pass(millis),
            }
            for id in std::mem::take(&mut world.stopped) {
                if let Some(waiter) = blocked.remove(&id) {
                    world.tell(Event::WaitAbandoned(WaiterId(waiter)));
                }
                if world.running.contains_key(&id) {
                    world.end(id, failed(ErrorKind::TaskCancelled));
                }
            }
            blocked.retain(|_, waiter| !world.woken.contains_key(waiter));
            let used: u64 = world.running.keys().filter(|id| !blocked.contains_key(id)).map(|id| needs[id]).sum();
            prop_assert!(used <= 4, "{used} cpus are used");
        }
        // Let everything come to its end. Two tasks that wait for each other cannot be made by a
        // program, but can be made here: time out whoever stands still.
        for round in 0..2_000 {
            if world.owner.unfinished() == 0 {
                break;
            }
            world.pass(25);
            blocked.retain(|_, waiter| !world.woken.contains_key(waiter));
            let next = world.running.keys().find(|id| !blocked.contains_key(id)).copied();
            match (next, blocked.values().next().copied()) {
                (Some(id), _) => world.finish(id),
                (None, Some(waiter)) if round % 10 == 9 => world.tell(Event::WaitTimedOut(WaiterId(waiter))),
                _ => {}
            }
            let infeasible: Vec<ObjectId> = needs.iter().filter(|(_, cpus)| **cpus > 4).map(|(id, _)| id.output(0)).collect();
            for object in infeasible {
                world.tell(Event::Cancelled { object, recursive: false });
            }
        }
        prop_assert_eq!(world.owner.unfinished(), 0, "every task ends");
        for object in held.into_iter().flatten() {
            world.tell(Event::Released(vec![RefId::Object(object)]));
        }
        prop_assert_eq!(world.owner.objects(), 0, "every object goes");
        world.pass(1_000);
        world.pass(1_000);
        prop_assert_eq!(&world.head.node_rows()[0].resources_available, &world.cpus.to_string());
    }
}

#[test]
fn a_failure_runs_down_a_long_chain() {
    let mut world = World::with_cpus(1);
    let first = world.submit(1, Vec::new());
    let mut last = first;
    for _ in 0..50_000 {
        last = world.submit(1, vec![Arg::Object(last.output(0))]);
    }
    world.wait(1, vec![last.output(0)], None);
    world.end(first, failed(ErrorKind::TaskError));
    assert!(matches!(world.woken[&1], WaitResult::Failed(_)));
    assert_eq!(world.owner.unfinished(), 0);
}

#[test]
fn an_unknown_actor_is_an_error_and_no_hang() {
    let world = World::with_cpus(1);
    assert_eq!(world.owner.admit_call(ActorId([1; 16])).unwrap_err().kind, ErrorKind::ActorNotFound);
}

/// There may be a hundred thousand actors that nobody calls, and as many tasks are listed that are over.
#[test]
fn what_is_kept_of_an_idle_actor_and_of_a_task_that_is_over_stays_small() {
    assert!(size_of::<super::actor::ActorEntry>() <= 80, "{}", size_of::<super::actor::ActorEntry>());
    assert!(size_of::<super::task::Task>() <= 88, "{}", size_of::<super::task::Task>());
    assert!(size_of::<super::rows::Past>() <= 160, "{}", size_of::<super::rows::Past>());
    assert!(size_of::<ActorSpec>() <= 112, "{}", size_of::<ActorSpec>());
}

#[test]
fn an_actor_that_nobody_calls_any_more_keeps_no_room_for_calls() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|_| {});
    let is_at_rest = |world: &World| world.owner.actors[&actor].is_at_rest();
    let early = world.call(actor, Vec::new());
    assert!(!is_at_rest(&world));
    world.ready(actor, 0);
    let late = world.call(actor, Vec::new());
    world.finish(early);
    assert!(!is_at_rest(&world));
    world.finish(late);
    assert!(is_at_rest(&world));
}

#[test]
fn to_cancel_what_is_over_leaves_its_children_alone() {
    let mut world = World::with_cpus(2);
    let parent = world.submit(1, Vec::new());
    let child = world.spec(1, Vec::new());
    let id = child.id;
    world.tell(Event::Submitted(Arc::new(TaskSpec { parent, ..child })));
    world.finish(parent);
    world.tell(Event::Cancelled { object: parent.output(0), recursive: true });
    assert!(world.is_running(id) && world.stopped.is_empty(), "{:?}", world.stopped);
}

#[test]
fn the_head_forgets_what_waited_and_was_cancelled() {
    let mut world = World::with_cpus(1);
    let running = world.submit(1, Vec::new());
    let queued: Vec<TaskId> = (0..3).map(|_| world.submit(2, Vec::new())).collect();
    assert_eq!(world.head.status(0).demands.len(), 1);
    for task in [1, 0, 2] {
        world.tell(Event::Cancelled { object: queued[task].output(0), recursive: false });
    }
    assert!(world.head.status(0).demands.is_empty(), "{:?}", world.head.status(0).demands);
    world.finish(running);
    assert_eq!(world.owner.unfinished(), 0);
}

#[test]
fn what_a_task_submits_that_failed_by_the_heads_word_goes_with_it() {
    let mut world = World::with_cpus(1);
    let parent = world.submit(1, Vec::new());
    let error = Error::group_removed(crate::GroupId([1; 16]), "it was removed");
    world.tell(Event::FromHead(Box::new(FromHead::LeaseRevoked { lease: crate::LeaseId(1), error })));
    assert_eq!((world.stopped.as_slice(), world.owner.unfinished()), ([parent].as_slice(), 0));
    let child = world.spec(1, Vec::new());
    world.tell(Event::Submitted(Arc::new(TaskSpec { parent, ..child })));
    assert_eq!(world.owner.unfinished(), 0, "its guest says only now what it did before");
    world.end(parent, failed(ErrorKind::TaskCancelled));
    assert!(world.owner.outlived.is_empty());
}

#[test]
fn tasks_that_were_cancelled_before_their_argument_was_there_leave_nothing_with_it() {
    let mut world = World::with_cpus(1);
    let first = world.submit(1, Vec::new());
    let argument = first.output(0);
    let waits = world.submit(1, vec![Arg::Object(argument)]);
    for _ in 0..10_000 {
        let task = world.submit(1, vec![Arg::Object(argument), Arg::Object(argument)]);
        world.tell(Event::Cancelled { object: task.output(0), recursive: false });
    }
    let watchers = &world.owner.objects[&argument].watchers;
    assert!(watchers.capacity() < 1_000, "{}", watchers.capacity());
    world.finish(first);
    assert!(world.is_running(waits));
}

#[test]
fn an_end_that_is_asked_for_again_and_again_stands_in_line_once() {
    let mut world = World::with_cpus(1);
    let actor = world.create(|_| {});
    let submitter = JobId::numbered(1).driver(0);
    for _ in 0..3 {
        world.tell(Event::ActorTerminated { actor, submitter });
    }
    world.ready(actor, 0);
    assert_eq!(world.ended, [(actor, true)]);
}

#[test]
fn shapes_of_which_nothing_is_left_are_forgotten() {
    let mut world = World::with_cpus(8);
    for cpus in 1..=8 {
        let task = world.submit(cpus, Vec::new());
        world.finish(task);
    }
    assert_eq!(world.owner.shapes.len(), 8);
    let idle = u64::try_from(crate::limits::LEASE_IDLE.as_millis()).unwrap();
    for _ in 0..2 {
        world.now += idle + 1;
        world.tell(Event::Tick);
    }
    assert_eq!((world.owner.shapes.len(), world.owner.shape_index.len()), (0, 0));
    let task = world.submit(3, Vec::new());
    assert!(world.is_running(task));
}
