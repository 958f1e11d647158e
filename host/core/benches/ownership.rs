//! How the cost of the owner's machine grows with live objects, and with those that one waits for.
//!
//! `cargo bench -p rayw-core --bench ownership`: each row is one kind of load, each column a number of
//! things; the figures are nanoseconds for each of them, and stay level where the cost grows linearly.

#![allow(clippy::print_stdout, reason = "a program whose output is a table")]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rayw_core::ownership::{Command, Event, Output, Ownership, WaitFor, WaiterId};
use rayw_core::{Codec, JobId, NodeId, ObjectId, RefId, TaskId, Value};

const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];

type Load = fn(u32) -> f64;

/// Rows that are measured up to a size: beyond it a row that grows with the square takes minutes.
const LOADS: &[(&str, Load, u32)] = &[
    ("an object put", put, 1_000_000),
    ("an object released", released, 1_000_000),
    ("wait(1 of n) where all are there, n times", waits_again, 1_000),
];

fn main() {
    print!("{:<44}", "ns for each of n");
    SIZES.iter().for_each(|size| print!("{size:>12}"));
    println!();
    for (name, load, most) in LOADS {
        print!("{name:<44}");
        SIZES.iter().filter(|size| *size <= most).for_each(|size| print!("{:>12.0}", load(*size)));
        println!();
    }
}

struct World {
    owner: Ownership,
    out: Vec<Command>,
}

fn driver() -> TaskId {
    JobId::numbered(1).driver(0)
}

fn value() -> Output {
    Output::Inline(Arc::new(Value { codec: Codec::Raw, data: Bytes::from_static(b"seven"), refs: Vec::new() }))
}

impl World {
    fn new() -> Self {
        Self { owner: Ownership::new(NodeId([7; 16])), out: Vec::new() }
    }

    fn tell(&mut self, event: Event) {
        self.out.clear();
        self.owner.handle(event, 0, &mut self.out);
    }

    fn with_objects(count: u32) -> (Self, Vec<ObjectId>) {
        let mut world = Self::new();
        let objects: Vec<ObjectId> = (0..count).map(|number| driver().put(number)).collect();
        objects.iter().for_each(|object| world.tell(Event::Put { object: *object, output: value() }));
        (world, objects)
    }

    fn wait(&mut self, waiter: u64, objects: Vec<ObjectId>, wait: WaitFor) {
        self.tell(Event::WaitStarted { waiter: WaiterId(waiter), objects, wait, caller: None, poll: false });
    }
}

fn each(start: Instant, count: u32) -> f64 {
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

fn put(count: u32) -> f64 {
    let start = Instant::now();
    let world = World::with_objects(count);
    let figure = each(start, count);
    drop(world);
    figure
}

fn released(count: u32) -> f64 {
    let (mut world, objects) = World::with_objects(count);
    let start = Instant::now();
    world.tell(Event::Released(objects.into_iter().map(RefId::Object).collect()));
    each(start, count)
}

fn waits_again(count: u32) -> f64 {
    let (mut world, objects) = World::with_objects(count);
    let start = Instant::now();
    (0..count).for_each(|waiter| world.wait(u64::from(waiter), objects.clone(), WaitFor::Ready(1)));
    each(start, count)
}
