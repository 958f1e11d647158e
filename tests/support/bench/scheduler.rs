//! The head's machine by itself: what a decision costs it.

use std::sync::Arc;
use std::time::Instant;

use rayw_core::message::{FromHead, NodeAddress, Shape, ToHead};
use rayw_core::scheduler::{Outbox, Scheduler};
use rayw_core::{Amount, JobId, Labels, LeaseId, NodeId, Resources, resources_of};

use super::report::Curve;

/// Cpus of each node.
const CPUS: u64 = 4;

/// Prime, so that all nodes have their turn.
const STRIDE: usize = 7919;

/// How often a cost is measured; the least counts, because all that disturbs adds.
const REPEATS: usize = 3;

/// Nodes of the curves against shapes: enough that a place has to be found.
const NODES: usize = 100;

/// What granting a lease and taking it back costs, against the nodes there are.
#[must_use]
pub fn nodes(sizes: &[usize], decisions: usize) -> Curve {
    let points = points(sizes, Head::half_full, Head::grant_and_return, decisions);
    Curve::new("scheduler: a lease granted and taken back", "nodes", "µs", points)
}

/// What it costs that a slot comes back and goes to one of those that wait, against the shapes that wait for cpus when
/// all are taken.
#[must_use]
pub fn waiting(sizes: &[usize], decisions: usize) -> Curve {
    let prepare = |size| {
        let mut head = Head::full(NODES);
        for number in 0..size {
            let memory = (u64::try_from(number).unwrap_or(0) + 1) << 10;
            let resources = Resources::cpus(Amount(10_000)).with_memory(memory);
            let shape = Shape { resources: Arc::new(resources), ..shape(JobId::numbered(2), 0) };
            head.want(number % NODES, shape, u32::MAX);
        }
        head
    };
    let points = points(sizes, prepare, Head::give_back, decisions);
    Curve::new("scheduler: a slot given back and granted again", "shapes that wait for cpus", "µs", points)
}

/// What a lease costs against shapes that wait for what no node has free and that were passed so often that they hold
/// up who wants the same.
#[must_use]
pub fn shapes(sizes: &[usize], decisions: usize) -> Curve {
    let prepare = |size| {
        let mut head = Head::half_full(NODES);
        // Somebody holds all seats, which others want; nobody who wants cpus stands behind them.
        let seats = |job| Shape { resources: Arc::new(seats(1.0)), ..shape(JobId::numbered(job), 0) };
        head.want(0, seats(1), u32::try_from(NODES).unwrap_or(u32::MAX));
        for number in 0..size {
            let job = u32::try_from(number).unwrap_or(u32::MAX).saturating_add(2);
            head.want(number % NODES, seats(job), 1);
        }
        head
    };
    let points = points(sizes, prepare, Head::grant_and_return, decisions);
    let name = "scheduler: a lease granted and taken back";
    Curve::new(name, "shapes that hold up who wants the same", "µs", points).explained(
        "the worst case: all of them were passed too often, so that each is looked at in each round, and nobody may overtake them",
    )
}

/// What one decision of the work costs at each size, in microseconds.
fn points(
    sizes: &[usize],
    prepare: impl Fn(usize) -> Head,
    work: impl Fn(&mut Head, usize),
    decisions: usize,
) -> Vec<(f64, f64)> {
    let once = |size| {
        let mut head = prepare(size);
        let started = Instant::now();
        work(&mut head, decisions);
        started.elapsed().as_secs_f64() * 1e6 / decisions as f64
    };
    let least = |size| (0..REPEATS).map(|_| once(size)).fold(f64::INFINITY, f64::min);
    sizes.iter().map(|&size| (size as f64, least(size))).collect()
}

/// A head with simulated nodes.
struct Head {
    machine: Scheduler,
    nodes: Vec<NodeId>,
    /// Leases with a slot that can be given back, one entry for each.
    held: Vec<LeaseId>,
    now: u64,
}

impl Head {
    /// Every node leases half of its cpus for itself.
    fn half_full(nodes: usize) -> Self {
        Self::filled(nodes, CPUS / 2)
    }

    /// Every node leases all of its cpus for itself.
    fn full(nodes: usize) -> Self {
        Self::filled(nodes, CPUS)
    }

    fn filled(nodes: usize, slots: u64) -> Self {
        let nodes_of = (0..nodes).map(node).collect();
        let mut head = Self { machine: Scheduler::default(), nodes: nodes_of, held: Vec::new(), now: 0 };
        let mut total = Resources::cpus(Amount(CPUS * 10_000)).with_memory(64 << 30);
        total.give(&seats(1.0), 1);
        for index in 0..nodes {
            let at = NodeAddress::default();
            head.tell(ToHead::NodeJoined { node: head.nodes[index], at, total: total.clone(), labels: Labels::new() });
        }
        for index in 0..nodes {
            head.want(index, shape(JobId::numbered(1), 10_000), u32::try_from(slots).unwrap_or(1));
        }
        head
    }

    /// Slots come back one by one, and each goes to one of those that wait.
    fn give_back(&mut self, decisions: usize) {
        for number in 0..decisions {
            let place = number.wrapping_mul(STRIDE) % self.held.len();
            let lease = self.held.swap_remove(place);
            let granted = self.tell(ToHead::SlotsReturned { lease, slots: 1, parked: 0 });
            assert!(granted.is_some(), "somebody waits for it");
        }
    }

    fn want(&mut self, owner: usize, shape: Shape, backlog: u32) -> Option<LeaseId> {
        let owner = self.nodes[owner];
        self.tell(ToHead::LeaseWanted { owner, shape, backlog, granted: 0 })
    }

    /// Owners far from each other want one slot each, and give it back.
    fn grant_and_return(&mut self, decisions: usize) {
        let shape = shape(JobId::numbered(1), 10_000);
        for number in 0..decisions {
            let owner = number * STRIDE % self.nodes.len();
            let Some(lease) = self.want(owner, shape.clone(), 1) else { panic!("there is room for one more") };
            self.held.pop();
            self.tell(ToHead::SlotsReturned { lease, slots: 1, parked: 0 });
        }
    }

    /// The lease of which slots are granted because of it.
    fn tell(&mut self, message: ToHead) -> Option<LeaseId> {
        self.now += 1;
        let mut out = Outbox::new();
        self.machine.handle(message, self.now, &mut out);
        let mut granted = None;
        for (_, said) in out {
            if let FromHead::SlotsGranted { lease, slots, .. } = said {
                self.held.extend(std::iter::repeat_n(lease, slots as usize));
                granted = Some(lease);
            }
        }
        granted
    }
}

fn node(index: usize) -> NodeId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(index as u64 + 1).to_le_bytes());
    // Ids are digests: their bytes are spread.
    id[8..].copy_from_slice(&(index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    NodeId(id)
}

/// Seats and nothing else.
fn seats(number: f64) -> Resources {
    let seats = resources_of(Some(0.0), Amount::ZERO, None, &[("seat".to_owned(), number)]);
    seats.unwrap_or_else(|error| panic!("a seat is a resource: {error:?}"))
}

fn shape(job: JobId, cpus: u64) -> Shape {
    Shape { job, resources: Arc::new(Resources::cpus(Amount(cpus))), placement: Arc::default(), near: None }
}
