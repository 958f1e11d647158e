//! What a decision of the head's machine costs, against nodes and against what waits.
//!
//! `cargo bench -p rayw-core --bench scheduler [-- WORD…]`: each row is one kind of load, each column
//! a size of the cluster; the figures are microseconds an event, the median of several batches. With
//! words only the rows are measured that contain one of them. `RAYW_NODES=10,1000` chooses the sizes.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program whose output is a table")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use rayw_core::message::{ActorEnd, FromHead, NodeAddress, RequestId, Shape, ToHead};
use rayw_core::scheduler::{Outbox, Scheduler};
use rayw_core::{
    ActorId, ActorSpec, Amount, BundleSpec, ComponentDigest, Error, ErrorKind, GroupId, GroupSpec, GroupStrategy,
    JobId, LabelSelector, Labels, LeaseId, NodeId, Placement, Resources, Retries, Strategy, TaskKind, TaskSpec,
    TaskTerms,
};

const CPUS: u64 = 16;
/// How long one figure may take, beside what comes before it.
const BUDGET: Duration = Duration::from_millis(400);
const BATCHES: usize = 15;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let sizes = std::env::var("RAYW_NODES").unwrap_or_else(|_| "10,100,1000,10000".to_owned());
    let sizes: Vec<u32> = sizes.split(',').map(|size| size.trim().parse().unwrap()).collect();
    print!("{:<44}", "µs an event, by nodes");
    sizes.iter().for_each(|size| print!("{size:>12}"));
    println!();
    for (name, load) in LOADS {
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        print!("{name:<44}");
        for size in &sizes {
            print!("{:>12.2}", load(*size));
            std::io::Write::flush(&mut std::io::stdout()).unwrap();
        }
        println!();
    }
}

type Load = fn(u32) -> f64;

const LOADS: &[(&str, Load)] = &[
    ("a slot wanted and returned, room left", |nodes| room_left(nodes, Strategy::Default)),
    ("the same, SPREAD", |nodes| room_left(nodes, Strategy::Spread)),
    ("the same, one node in ten has the label", labelled),
    ("full: a slot returned, 1 shape waits", |nodes| full(nodes, 1, 1)),
    ("full: a slot returned, 10 shapes wait", |nodes| full(nodes, 10, 1)),
    ("full: a slot returned, 100 shapes wait", |nodes| full(nodes, 100, 1)),
    ("full: a slot returned, 1000 shapes wait", |nodes| full(nodes, 1000, 1)),
    ("full: a slot returned, 1000 too large wait", too_large),
    ("full: a slot returned, 10 jobs wait", |nodes| full(nodes, 10, 10)),
    ("full: a slot returned, 1000 jobs wait", |nodes| full(nodes, 1000, 1000)),
    ("full: a slot returned, every node waits", every_node_waits),
    ("full: a tick, 100 shapes wait", |nodes| ticks(nodes, 100)),
    ("full: a blocked task parks and resumes", park),
    ("an actor made and ended", actors),
    ("a group of 4 made and removed, PACK", |nodes| groups(nodes, GroupStrategy::Pack, 0)),
    ("a group of 4 made and removed, SPREAD", |nodes| groups(nodes, GroupStrategy::Spread, 0)),
    ("a group of 4 made and removed, STRICT_PACK", |nodes| groups(nodes, GroupStrategy::StrictPack, 0)),
    ("a group of 4 made and removed, STRICT_SPREAD", |nodes| groups(nodes, GroupStrategy::StrictSpread, 0)),
    ("a group of 40 made and removed, PACK", |nodes| groups(nodes, GroupStrategy::Pack, 36)),
    ("a node joins and dies, as many are told", churn),
];

/// A cluster under load, with the leases that there are.
struct World {
    head: Scheduler,
    out: Outbox,
    held: Vec<LeaseId>,
    now: u64,
    dice: u64,
    nodes: u32,
}

fn node(number: u32) -> NodeId {
    let mut id = [0; 16];
    // Spread like a digest, which real ids are.
    let word = u64::from(number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    id[..8].copy_from_slice(&word.to_le_bytes());
    id[8..12].copy_from_slice(&number.to_be_bytes());
    NodeId(id)
}

fn cpus(units: u64) -> Resources {
    Resources::cpus(Amount(units * 10_000))
}

fn shape(job: u32, resources: Resources) -> Shape {
    Shape { job: JobId::numbered(job), resources: Arc::new(resources), placement: Arc::default(), near: None }
}

fn join(number: u32) -> ToHead {
    let name = format!("node-{number}");
    let at = NodeAddress { address: format!("10.0.0.1:{number}"), name, is_head_node: number == 0 };
    let zone = if number % 10 == 3 { "a" } else { "b" };
    let labels: Labels = [("zone".to_owned(), zone.to_owned())].into_iter().collect();
    ToHead::NodeJoined { node: node(number), at, total: cpus(CPUS).with_memory(64 << 30), labels }
}

impl World {
    fn new(nodes: u32) -> Self {
        let (head, out) = (Scheduler::default(), Outbox::new());
        let mut world = Self { head, out, held: Vec::new(), now: 1, dice: 7, nodes };
        (0..nodes).for_each(|number| world.tell(join(number)));
        world
    }

    /// Every node holds `slots` slots of one cpu, one lease for each.
    fn loaded(nodes: u32, slots: u32) -> Self {
        let mut world = Self::new(nodes);
        let placed = |on| {
            Arc::new(Placement {
                strategy: Strategy::NodeAffinity { node: on, soft: false },
                selector: LabelSelector::default(),
            })
        };
        for number in 0..nodes {
            let shape = Shape { placement: placed(node(number)), ..shape(1, cpus(1)) };
            let owner = node(world.roll(nodes));
            world.tell(ToHead::LeaseWanted { owner, shape, backlog: slots, granted: 0 });
        }
        world
    }

    fn tell(&mut self, message: ToHead) {
        self.out.clear();
        self.head.handle(message, self.now, &mut self.out);
        for (_, message) in &self.out {
            if let FromHead::SlotsGranted { lease, slots, .. } = message {
                self.held.extend(std::iter::repeat_n(*lease, *slots as usize));
            }
        }
    }

    fn roll(&mut self, below: u32) -> u32 {
        // Knuth's MMIX generator: no crate is needed for a number that need not be good.
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.dice >> 33) % u64::from(below)).unwrap()
    }

    fn any_node(&mut self) -> NodeId {
        node(self.roll(self.nodes))
    }

    fn any_held(&mut self) -> LeaseId {
        let place = self.roll(u32::try_from(self.held.len()).unwrap()) as usize;
        self.held.swap_remove(place)
    }

    fn give_one_back(&mut self) {
        let lease = self.any_held();
        self.tell(ToHead::SlotsReturned { lease, slots: 1, parked: 0 });
    }
}

/// The median over batches of microseconds an event; `step` returns how many events it was.
fn measure(mut step: impl FnMut(u64) -> u32) -> f64 {
    let begin = Instant::now();
    let mut number = 0;
    let mut run = |count: u32| {
        let start = Instant::now();
        let mut events = 0;
        for _ in 0..count {
            number += 1;
            events += step(number);
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(events.max(1))
    };
    let first = run(1);
    // The first one is often dearer than the others; a few tell how many fit into a batch.
    let usual = if first < 50_000.0 { run(3) } else { first };
    let batch = (BUDGET.as_secs_f64() * 1e6 / BATCHES as f64 / usual.max(0.01)).clamp(1.0, 5_000.0);
    let mut figures = vec![usual];
    while figures.len() < BATCHES && begin.elapsed() < 3 * BUDGET {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 5000")]
        figures.push(run(batch as u32));
    }
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn room_left(nodes: u32, strategy: Strategy) -> f64 {
    let mut world = World::loaded(nodes, 12);
    let placement = Arc::new(Placement { strategy, selector: LabelSelector::default() });
    measure(|_| {
        let shape = Shape { placement: Arc::clone(&placement), ..shape(1, cpus(1)) };
        let owner = world.any_node();
        world.tell(ToHead::LeaseWanted { owner, shape, backlog: 1, granted: 0 });
        world.give_one_back();
        2
    })
}

fn labelled(nodes: u32) -> f64 {
    let mut world = World::loaded(nodes, 8);
    let selector = LabelSelector::parse([("zone", "a")]).unwrap();
    let placement = Arc::new(Placement { strategy: Strategy::Default, selector });
    measure(|_| {
        let shape = Shape { placement: Arc::clone(&placement), ..shape(1, cpus(1)) };
        let owner = world.any_node();
        world.tell(ToHead::LeaseWanted { owner, shape, backlog: 1, granted: 0 });
        let lease = world.held.pop().unwrap();
        world.tell(ToHead::SlotsReturned { lease, slots: 1, parked: 0 });
        2
    })
}

/// All cpus are taken and `shapes` shapes of `jobs` jobs have a long backlog.
fn waiting(nodes: u32, shapes: u32, jobs: u32) -> World {
    let mut world = World::loaded(nodes, u32::try_from(CPUS).unwrap());
    for number in 0..shapes {
        let shape = shape(2 + number % jobs, cpus(1).with_memory(u64::from(1 + number) << 20));
        let owner = world.any_node();
        world.tell(ToHead::LeaseWanted { owner, shape, backlog: 1 << 30, granted: 0 });
    }
    world
}

fn full(nodes: u32, shapes: u32, jobs: u32) -> f64 {
    let mut world = waiting(nodes, shapes, jobs);
    measure(|_| {
        world.give_one_back();
        1
    })
}

fn too_large(nodes: u32) -> f64 {
    let mut world = waiting(nodes, 1, 1);
    for number in 0..1_000_u64 {
        let shape = shape(2, cpus(2 + number % 15).with_memory(number << 20));
        let owner = world.any_node();
        world.tell(ToHead::LeaseWanted { owner, shape, backlog: 1, granted: 0 });
    }
    measure(|_| {
        world.give_one_back();
        1
    })
}

fn every_node_waits(nodes: u32) -> f64 {
    let mut world = World::loaded(nodes, u32::try_from(CPUS).unwrap());
    for number in 0..nodes {
        world.tell(ToHead::LeaseWanted { owner: node(number), shape: shape(2, cpus(1)), backlog: 1 << 30, granted: 0 });
    }
    measure(|_| {
        world.give_one_back();
        1
    })
}

fn ticks(nodes: u32, shapes: u32) -> f64 {
    let mut world = waiting(nodes, shapes, 1);
    measure(|_| {
        world.now += 20;
        world.out.clear();
        world.head.tick(world.now, &mut world.out);
        1
    })
}

fn park(nodes: u32) -> f64 {
    let mut world = waiting(nodes, 1, 1);
    measure(|_| {
        let lease = world.any_held();
        // Its cpu goes to who waits; when that comes back, the blocked task has it again.
        world.tell(ToHead::SlotsReturned { lease, slots: 1, parked: 1 });
        world.tell(ToHead::SlotsResumeWanted { lease, slots: 1 });
        if let Some(taken) = world.held.pop() {
            world.tell(ToHead::SlotsReturned { lease: taken, slots: 1, parked: 0 });
        }
        world.held.push(lease);
        3
    })
}

fn actor(number: u64, owner: NodeId) -> Arc<ActorSpec> {
    let driver = JobId::numbered(1).driver(0);
    let id = driver.child(number);
    let creation = TaskSpec {
        id,
        parent: driver,
        submitter: driver,
        kind: TaskKind::ActorCreation,
        args: Vec::new(),
        terms: Arc::new(TaskTerms {
            num_returns: 0,
            resources: Arc::new(cpus(1)),
            ..TaskTerms::new(JobId::numbered(1), ComponentDigest([0; 32]), Arc::from("Counter.new"))
        }),
    };
    assert_ne!(owner, NodeId([0; 16]));
    Arc::new(ActorSpec {
        id: ActorId::from(id),
        class: Arc::from("Counter"),
        name: None,
        namespace: Arc::from("space"),
        detached: false,
        placement: Arc::new(cpus(1)),
        lifetime: Arc::new(cpus(1)),
        max_restarts: Retries::AtMost(0),
        max_task_retries: Retries::AtMost(0),
        max_pending_calls: None,
        out_of_order: false,
        creation: Arc::new(creation),
    })
}

fn actors(nodes: u32) -> f64 {
    let mut world = World::loaded(nodes, 12);
    measure(|number| {
        let owner = world.any_node();
        let spec = actor(number, owner);
        let id = spec.id;
        world.tell(ToHead::ActorRegister { owner, request: None, spec, get_if_exists: false });
        world.tell(ToHead::ActorDependenciesReady { actor: id, inputs: None, failed: None });
        world.tell(ToHead::ActorReady { actor: id, incarnation: 0 });
        let end = ActorEnd::Intended(Error::new(ErrorKind::ActorDied, "it left"));
        world.tell(ToHead::ActorEnded { actor: id, incarnation: 0, end });
        4
    })
}

fn groups(nodes: u32, strategy: GroupStrategy, more: u64) -> f64 {
    let mut world = World::loaded(nodes, 8);
    measure(|number| {
        let creator = JobId::numbered(1).driver(0);
        let spec = GroupSpec {
            id: GroupId::from(creator.child(number)),
            name: None,
            namespace: Arc::from("space"),
            strategy,
            bundles: (0..4 + more)
                .map(|_| BundleSpec { resources: cpus(1), selector: LabelSelector::default() })
                .collect(),
            detached: false,
            job: JobId::numbered(1),
            creator,
        };
        let (owner, id) = (world.any_node(), spec.id);
        world.tell(ToHead::GroupCreate { owner, request: RequestId(number), spec: Arc::new(spec) });
        world.tell(ToHead::GroupRemove { group: id });
        2
    })
}

fn churn(nodes: u32) -> f64 {
    let mut world = World::loaded(nodes, u32::try_from(CPUS).unwrap());
    let mut next = nodes;
    measure(|_| {
        world.tell(join(next));
        world.tell(ToHead::NodeLost { node: node(next), why: "it was not heard".to_owned() });
        next += 1;
        2
    })
}
