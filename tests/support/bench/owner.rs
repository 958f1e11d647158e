//! The owner's machine by itself: what tasks, waits and objects cost it, against how many there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rayw_core::message::{FromHead, Shape};
use rayw_core::ownership::{Command, Event, Outcome, Output, Ownership, WaitFor, WaiterId};
use rayw_core::{
    Amount, Codec, ComponentDigest, JobId, LeaseId, NodeId, ObjectId, RefId, Resources, Retries, TaskId, TaskKind,
    TaskSpec, TaskTerms, Value,
};

use super::report::Curve;

const NODE: NodeId = NodeId([7; 16]);

/// How often a cost is measured; the least counts, because all that disturbs adds.
const REPEATS: usize = 3;

/// What a task costs from its submission to the last of its results, against those that wait.
#[must_use]
pub fn queue(sizes: &[usize]) -> Curve {
    let cost = |size: usize| {
        per_one(size, || {
            let mut owner = Owner::new();
            let started = Instant::now();
            let tasks: Vec<_> = (0..size).map(|number| owner.submit(number)).collect();
            owner.run_all(size);
            for task in tasks {
                owner.tell(Event::Released(vec![RefId::Object(task.output(0))]));
            }
            let elapsed = started.elapsed();
            assert_eq!((owner.machine.unfinished(), owner.machine.objects()), (0, 0), "nothing is left");
            elapsed
        })
    };
    curve("owner: a task submitted, run and forgotten", "tasks that wait", sizes, cost)
}

/// What it costs to wake one of those who wait for the same object.
#[must_use]
pub fn waiters(sizes: &[usize]) -> Curve {
    let cost = |size: usize| {
        per_one(size, || {
            let mut owner = Owner::new();
            let task = owner.submit(0);
            for number in 0..size {
                owner.tell(Event::WaitStarted {
                    waiter: WaiterId(number as u64),
                    objects: vec![task.output(0)],
                    wait: WaitFor::Values,
                    caller: None,
                    poll: false,
                });
            }
            owner.woken = 0;
            let started = Instant::now();
            owner.run_all(1);
            let elapsed = started.elapsed();
            assert_eq!(owner.woken, size, "all are woken");
            elapsed
        })
    };
    curve("owner: one waiter woken", "waiters of one object", sizes, cost)
}

/// What putting and forgetting an object costs, against those that are kept.
#[must_use]
pub fn objects(sizes: &[usize], puts: usize) -> Curve {
    let cost = |size: usize| {
        let mut owner = Owner::new();
        let driver = JobId::numbered(1).driver(0);
        // Two tasks put, so that no id comes twice.
        let (kept, passing) = (driver.child(1), driver.child(2));
        for number in 0..size {
            owner.put(kept.put(u32::try_from(number).unwrap_or(u32::MAX)));
        }
        let mut number = 0;
        per_one(puts, || {
            let started = Instant::now();
            for _ in 0..puts {
                let object = passing.put(number);
                number += 1;
                owner.put(object);
                owner.tell(Event::Released(vec![RefId::Object(object)]));
            }
            assert_eq!(owner.machine.objects(), size, "the others stay");
            started.elapsed()
        })
    };
    curve("owner: an object put and forgotten", "objects that stay", sizes, cost)
}

fn curve(name: &str, x: &str, sizes: &[usize], cost: impl Fn(usize) -> f64) -> Curve {
    Curve::new(name, x, "µs", sizes.iter().map(|&size| (size as f64, cost(size))).collect())
}

/// Microseconds of one of so many.
fn per_one(count: usize, mut work: impl FnMut() -> Duration) -> f64 {
    let best = (0..REPEATS).map(|_| work()).min().unwrap_or_default();
    best.as_secs_f64() * 1e6 / count as f64
}

/// An owner whose leases and workers are here.
struct Owner {
    machine: Ownership,
    shape: Shape,
    /// As a node has them: once for all tasks.
    terms: Arc<TaskTerms>,
    value: Arc<Value>,
    commands: Vec<Command>,
    woken: usize,
}

impl Owner {
    fn new() -> Self {
        let resources = Arc::new(Resources::cpus(Amount::ONE));
        let shape = Shape { job: JobId::numbered(1), resources, placement: Arc::default(), near: None };
        let value = Arc::new(Value { codec: Codec::Raw, data: Bytes::from_static(b"x"), refs: Vec::new() });
        let terms = Arc::new(TaskTerms {
            resources: Arc::clone(&shape.resources),
            placement: Arc::clone(&shape.placement),
            max_retries: Retries::AtMost(3),
            ..TaskTerms::new(shape.job, ComponentDigest([0; 32]), Arc::from("f"))
        });
        Self { machine: Ownership::new(NODE), shape, terms, value, commands: Vec::new(), woken: 0 }
    }

    /// Carries an event in; what is to be run is given back.
    fn tell(&mut self, event: Event) -> Vec<(TaskId, u32)> {
        self.machine.handle(event, 0, &mut self.commands);
        let mut orders = Vec::new();
        for command in self.commands.drain(..) {
            match command {
                Command::Run(order) | Command::RunBehind { order, .. } => orders.push((order.spec.id, order.attempt)),
                Command::Wake { .. } => self.woken += 1,
                _ => {}
            }
        }
        orders
    }

    fn put(&mut self, object: ObjectId) {
        let output = Output::Inline(Arc::clone(&self.value));
        self.tell(Event::Put { object, output });
    }

    fn submit(&mut self, number: usize) -> TaskId {
        let driver = JobId::numbered(1).driver(0);
        let id = driver.child(number as u64 + 1);
        let spec = TaskSpec {
            id,
            parent: driver,
            submitter: driver,
            kind: TaskKind::Normal,
            args: Vec::new(),
            terms: Arc::clone(&self.terms),
        };
        self.tell(Event::Submitted(Arc::new(spec)));
        id
    }

    /// One slot is granted, and runs so many tasks one after another.
    fn run_all(&mut self, tasks: usize) {
        let granted =
            FromHead::SlotsGranted { lease: LeaseId(1), shape: self.shape.clone(), node: NODE, bundle: None, slots: 1 };
        let mut orders = self.tell(Event::FromHead(Box::new(granted)));
        for _ in 0..tasks {
            let Some((task, attempt)) = orders.pop() else { panic!("the slot has the next task") };
            let outcome = Outcome::Returned(vec![Output::Inline(Arc::clone(&self.value))]);
            orders.extend(self.tell(Event::Finished { task, attempt, outcome }));
        }
    }
}
