//! The world: time, what is to happen, and the processes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rayw_core::message::FromHead;
use rayw_core::ownership::{Event, Stored};
use rayw_core::scheduler::{Key, Record};
use rayw_core::{ActorId, JobId, JobState, Millis, NodeId, ObjectId, TaskId};

use crate::head::SimHead;
use crate::network::{Addr, Links, Packet};
use crate::node::{SimNode, WorkId};
use crate::oracle::Expected;
use crate::random::{Random, mix};
use crate::scenario::{Fault, MILLI, SECOND, Scenario};

/// How long a link waits before it connects again.
const LOOK: u64 = 200 * MILLI;
/// How often a node says that it is there, and how long the head waits for it.
pub(crate) const HEARTBEAT: u64 = 500 * MILLI;
const TIMEOUT: u64 = 3 * SECOND;
/// How often an owner looks for idle leases.
pub(crate) const TICK: u64 = 100 * MILLI;
/// How often the head looks again at what waits.
pub(crate) const QUANTUM: u64 = 20 * MILLI;
/// When all must be over.
const END: u64 = 120 * SECOND;
/// Which event is followed by a look at references of all nodes; the others by one at what it touched.
const GLOBAL_CHECK: u64 = 16;

/// Something to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    Packet(Packet),
    Look((Addr, Addr)),
    Tick(NodeId),
    Heartbeat(NodeId),
    HeadTick(u64),
    Health(u64),
    /// A commit of the head's journal is done.
    Committed(u64),
    /// The death of a process is noticed.
    Noticed(NodeId),
    Work(NodeId, WorkId),
    TimedOut(NodeId, WorkId, u64),
    Fault(usize),
    Start(usize),
    StartHead,
    Submit(usize),
    Healed(Addr, Addr),
    /// A primary copy moves to a node.
    Move(NodeId, Stored),
    /// A node that may leave goes when nobody would miss it, or when this is the last time it is asked.
    Leave(NodeId, u32),
    End,
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Waiting,
    Running(NodeId),
    Over,
}

/// How a simulation ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// What went wrong; nothing when all is well.
    pub wrong: Option<String>,
    /// A digest of all that happened.
    pub digest: u64,
    /// What happened, if it was to be written down.
    pub trace: Vec<String>,
    /// Events.
    pub events: u64,
    /// Packets that were sent.
    pub packets: u64,
    /// Tasks and calls that returned a value.
    pub returned: u64,
    /// What the drivers came to, by job: their number, or `None` for those that failed.
    pub results: BTreeMap<u32, Option<u64>>,
}

/// A simulated cluster.
pub struct World {
    pub(crate) scenario: Scenario,
    pub(crate) now: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    pub(crate) random: Random,
    pub(crate) nodes: BTreeMap<NodeId, SimNode>,
    /// The node of each machine, if it has one.
    pub(crate) machines: Vec<Option<NodeId>>,
    pub(crate) nodes_made: u64,
    pub(crate) head: Option<SimHead>,
    /// What outlives the head.
    pub(crate) journal: BTreeMap<Key, Record>,
    pub(crate) heads_made: u64,
    pub(crate) links: Links,
    pub(crate) cuts: BTreeMap<(Addr, Addr), u64>,
    pub(crate) expected: BTreeMap<ObjectId, Rc<Expected>>,
    pub(crate) jobs: BTreeMap<JobId, Fate>,
    pub(crate) detached: BTreeSet<ActorId>,
    /// Actors whose constructors may not get what they need.
    pub(crate) stillborn: BTreeSet<ActorId>,
    pub(crate) results: BTreeMap<u32, Option<u64>>,
    /// Where drivers ended, and how.
    pub(crate) ends: BTreeMap<JobId, (NodeId, JobState)>,
    /// How often each attempt of a task began.
    pub(crate) begun: BTreeMap<(TaskId, u32), u32>,
    /// Calls of each submitter in the order of their submission.
    pub(crate) submitted: BTreeMap<TaskId, u64>,
    /// The last call of a submitter that a life of an actor began; two attempts of it on two nodes are two.
    pub(crate) last_call: BTreeMap<(ActorId, u32, TaskId, NodeId), u64>,
    /// Kinds of errors that what befell the cluster explains.
    pub(crate) permitted: BTreeSet<&'static str>,
    pub(crate) faults_left: usize,
    pub(crate) jobs_left: usize,
    pub(crate) is_ending: bool,
    pub(crate) wrong: Option<String>,
    pub(crate) touched: BTreeSet<NodeId>,
    events: u64,
    packets: u64,
    pub(crate) returned: u64,
    digest: u64,
    pub(crate) trace: Option<Vec<String>>,
    /// Check the references of all nodes after every event.
    is_strict: bool,
}

impl World {
    /// The world of a scenario.
    #[must_use]
    pub fn new(scenario: Scenario, is_traced: bool, is_strict: bool) -> Self {
        let mut random = Random::new(mix(scenario.seed, 1));
        let machines = vec![None; scenario.machines.len()];
        let permitted = crate::check::permitted_by(&scenario);
        let mut world = Self {
            now: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            nodes: BTreeMap::new(),
            machines,
            nodes_made: 0,
            head: None,
            journal: BTreeMap::new(),
            heads_made: 0,
            links: Links::default(),
            cuts: BTreeMap::new(),
            expected: BTreeMap::new(),
            jobs: BTreeMap::new(),
            detached: BTreeSet::new(),
            stillborn: BTreeSet::new(),
            results: BTreeMap::new(),
            ends: BTreeMap::new(),
            begun: BTreeMap::new(),
            submitted: BTreeMap::new(),
            last_call: BTreeMap::new(),
            permitted,
            faults_left: scenario.faults.len(),
            jobs_left: scenario.jobs.len(),
            is_ending: false,
            wrong: None,
            touched: BTreeSet::new(),
            events: 0,
            packets: 0,
            returned: 0,
            digest: 0,
            trace: is_traced.then(Vec::new),
            is_strict,
            random: random.fork(),
            scenario,
        };
        world.start_head();
        for machine in 0..world.machines.len() {
            // Machine 0 runs already where the head is in its process.
            world.start_node(machine);
        }
        for (index, at) in world.scenario.jobs.clone().into_iter().enumerate() {
            world.after(at, Happening::Submit(index));
        }
        for (index, (at, _)) in world.scenario.faults.clone().into_iter().enumerate() {
            world.after(at, Happening::Fault(index));
        }
        world.consider_end();
        world
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(mut self) -> Report {
        while self.wrong.is_none() {
            let Some(((at, sequence), happening)) = self.queue.pop_first() else {
                self.wrong = Some("nothing is left to happen".to_owned());
                break;
            };
            self.now = at;
            self.events += 1;
            self.digest = mix(self.digest, mix(at, sequence));
            if at > END {
                let left = self.leftovers();
                self.wrong = Some(format!("it never came to rest:\n{}", left.join("\n")));
                break;
            }
            if matches!(happening, Happening::End) {
                if self.is_over() {
                    break;
                }
                continue;
            }
            if self.trace.is_some() && !matches!(happening, Happening::Tick(_) | Happening::HeadTick(_)) {
                self.say(|| format!("{happening:?}"));
            }
            self.happen(happening);
            self.flush();
            self.check();
        }
        if let (Some(wrong), Some(trace)) = (&self.wrong, &mut self.trace) {
            trace.push(wrong.clone());
        }
        Report {
            wrong: self.wrong,
            digest: self.digest,
            trace: self.trace.unwrap_or_default(),
            events: self.events,
            packets: self.packets,
            returned: self.returned,
            results: self.results,
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Packet(packet) => self.packet(packet),
            Happening::Look(key) => {
                let (packet, again) = self.links.look(key, self.heads_made);
                if let Some(packet) = packet {
                    self.send(packet);
                }
                if again {
                    self.after(LOOK, Happening::Look(key));
                }
            }
            Happening::Tick(node) => {
                if self.nodes.contains_key(&node) {
                    self.tell(node, Event::Tick);
                    self.after(TICK, Happening::Tick(node));
                }
            }
            Happening::Heartbeat(node) => {
                if self.nodes.contains_key(&node) {
                    if let Some(packet) = self.links.heartbeat((Addr::Node(node), Addr::Head)) {
                        self.send(packet);
                    }
                    self.after(HEARTBEAT, Happening::Heartbeat(node));
                }
            }
            Happening::HeadTick(session) => self.tick_head(session),
            Happening::Committed(session) => self.committed(session),
            Happening::Health(session) => {
                let Some(head) = self.head.as_ref().filter(|head| head.session == session) else { return };
                let late = |(_, heard): &(&NodeId, &u64)| self.now - **heard > TIMEOUT;
                let lost: Vec<NodeId> = head.heard.iter().filter(late).map(|(node, _)| *node).collect();
                for node in lost {
                    self.lose(node);
                }
                self.after(HEARTBEAT, Happening::Health(session));
            }
            Happening::Noticed(node) => {
                if !self.nodes.contains_key(&node)
                    && self.head.as_ref().is_some_and(|head| head.heard.contains_key(&node))
                {
                    self.lose(node);
                }
            }
            Happening::Work(node, work) => self.poll(node, work),
            Happening::TimedOut(node, work, waiter) => self.timed_out(node, work, waiter),
            Happening::Fault(index) => self.befall(index),
            Happening::Start(machine) => self.start_node(machine),
            Happening::StartHead => self.start_head(),
            Happening::Submit(index) => self.submit_job(index),
            Happening::Healed(one, other) => {
                if self.cuts.get(&(one, other)).is_some_and(|until| *until <= self.now) {
                    self.cuts.remove(&(one, other));
                }
            }
            Happening::Move(node, stored) => {
                if self.nodes.contains_key(&node) {
                    self.move_here(node, stored);
                }
            }
            Happening::Leave(node, patience) => self.leave(node, patience),
            Happening::End => {}
        }
    }

    pub(crate) fn millis(&self) -> Millis {
        1_000_000 + self.now / MILLI
    }

    pub(crate) fn after(&mut self, micros: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + micros, self.sequence), happening);
    }

    /// Writes something down, if things are written down.
    pub(crate) fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let mut line = what();
            line.truncate(line.char_indices().nth(4000).map_or(line.len(), |(at, _)| at));
            trace.push(format!("{:>9}.{:03} {line}", self.now / MILLI, self.now % MILLI));
        }
    }

    pub(crate) fn fail(&mut self, what: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.wrong = Some(format!("at {} ms: {}", self.now / MILLI, what()));
        }
    }

    /// Gives a packet to the network.
    pub(crate) fn send(&mut self, packet: Packet) {
        self.packets += 1;
        if self.scenario.lose == Some(self.packets) {
            return;
        }
        let copies = 1 + u64::from(self.random.chance(self.scenario.doubled));
        for _ in 0..copies {
            if self.random.chance(self.scenario.lost) {
                continue;
            }
            let longest = self.scenario.delay * if self.random.chance(self.scenario.slow) { 10 } else { 1 };
            let delay = self.random.between(50, longest);
            self.after(delay, Happening::Packet(packet.clone()));
        }
    }

    /// Sends what links have to say.
    fn flush(&mut self) {
        let batch = 1 + self.random.below(4);
        let (packets, timers) = self.links.flush(batch, self.heads_made);
        for packet in packets {
            self.send(packet);
        }
        for key in timers {
            self.after(LOOK, Happening::Look(key));
        }
    }

    pub(crate) fn is_cut(&self, one: Addr, other: Addr) -> bool {
        let key = if one < other { (one, other) } else { (other, one) };
        self.cuts.contains_key(&key)
    }

    /// Has a piece of work go on soon.
    pub(crate) fn wake(&mut self, node: NodeId, work: WorkId) {
        let soon = self.random.between(0, 300);
        self.after(soon, Happening::Work(node, work));
    }

    /// Has a piece of work go on after so many microseconds.
    pub(crate) fn wake_after(&mut self, node: NodeId, work: WorkId, micros: u64) {
        self.after(micros, Happening::Work(node, work));
    }

    fn check(&mut self) {
        if self.wrong.is_some() {
            return;
        }
        let mut wrong = self.head.as_ref().map(|head| head.machine.audit()).unwrap_or_default();
        for id in std::mem::take(&mut self.touched) {
            if let Some(node) = self.nodes.get(&id) {
                let of_node = node.ownership.audit(&node.handles).into_iter();
                wrong.extend(of_node.map(|what| format!("node {id}: {what}")));
            }
        }
        if wrong.is_empty() && (self.is_strict || self.events.is_multiple_of(GLOBAL_CHECK)) {
            wrong = self.check_references();
        }
        if wrong.is_empty() {
            wrong = self.check_lives();
        }
        if !wrong.is_empty() {
            self.fail(|| wrong.join("\n"));
        }
    }

    /// Looks whether all is over; asks again later while it is not.
    pub(crate) fn consider_end(&mut self) {
        self.after(200 * MILLI, Happening::End);
    }

    pub(crate) fn fault(&self, index: usize) -> Fault {
        self.scenario.faults[index].1
    }

    /// What the head said to a node, the node's own part.
    pub(crate) fn node_heard(&mut self, id: NodeId, message: FromHead) {
        self.head_said(id, message);
    }
}
