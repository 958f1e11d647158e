//! Packets and messages at those they are for, and what befalls processes.

use rayw_core::message::{FromHead, ToHead};
use rayw_core::ownership::Event;
use rayw_core::{ComponentDigest, JobId, JobSpec, JobState, NodeId};

use crate::guest::{Code, Kind};
use crate::head::SimHead;
use crate::network::{Addr, Arrived, Body, Message, Packet};
use crate::node::{Ready, Role, SimNode, Stage};
use crate::random::mix;
use crate::scenario::{Fault, MILLI, SECOND};
use crate::world::{Fate, HEARTBEAT, Happening, TICK, World};

impl World {
    fn is_up(&self, addr: Addr) -> bool {
        match addr {
            Addr::Head => self.head.is_some(),
            Addr::Node(node) => self.nodes.contains_key(&node),
        }
    }

    pub(crate) fn packet(&mut self, packet: Packet) {
        let to = packet.goes_to();
        if !self.is_up(to) || self.is_cut(packet.from, packet.to) {
            return;
        }
        if matches!(packet.body, Body::Data(..))
            && let (Addr::Head, Addr::Node(node), Some(head)) = (to, packet.from, &mut self.head)
            && let Some(heard) = head.heard.get_mut(&node)
        {
            *heard = self.now;
        }
        match packet.body.clone() {
            Body::Hello(session) => self.hello(&packet, session),
            Body::Data(first, payloads) => {
                let arrived = self.links.data(&packet, first, &payloads);
                self.arrived(&packet, arrived);
            }
            Body::Welcome(..) | Body::Ack(_) | Body::Refused | Body::Fenced => {
                let batch = 1 + self.random.below(4);
                if let (Body::Welcome(session, _), Addr::Node(node), Addr::Head) =
                    (&packet.body, packet.from, packet.to)
                {
                    self.meets_head(node, *session);
                }
                let arrived = self.links.answered(&packet, batch, self.heads_made);
                self.arrived(&packet, arrived);
            }
        }
    }

    /// A node hears which start of the head it speaks to.
    fn meets_head(&mut self, id: NodeId, session: u64) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.head.is_none_or(|known| known < session) {
            node.head = Some(session);
            self.links.head_greeted(id);
        }
    }

    fn hello(&mut self, packet: &Packet, session: u64) {
        let answer = match (packet.from, packet.to) {
            (Addr::Node(node), Addr::Head) => {
                let now = self.now;
                let Some(SimHead { session, machine, heard, .. }) = &mut self.head else { return };
                if machine.is_dead(node) {
                    Some(Packet { body: Body::Fenced, ..packet.clone() })
                } else {
                    heard.insert(node, now);
                    let session = *session;
                    self.links.greeted(packet, session)
                }
            }
            (Addr::Node(from), Addr::Node(to)) => {
                let is_gone = self.nodes.get(&to).is_none_or(|node| node.dead.contains(&from));
                if is_gone { None } else { self.links.greeted(packet, 0) }
            }
            (Addr::Head, Addr::Node(to)) => {
                let is_known = self.nodes.get(&to).is_some_and(|node| node.head == Some(session));
                if is_known { self.links.greeted(packet, 0) } else { None }
            }
            (Addr::Head, Addr::Head) => None,
        };
        if let Some(answer) = answer {
            self.send(answer);
        }
    }

    fn arrived(&mut self, packet: &Packet, arrived: Arrived) {
        match arrived {
            Arrived::Packets(packets) => packets.into_iter().for_each(|packet| self.send(packet)),
            Arrived::Messages(messages, ack) => {
                for message in messages {
                    self.message(packet.from, packet.to, message.as_ref().clone());
                }
                if packet.to == Addr::Head { self.confirm(ack) } else { self.send(ack) }
            }
            Arrived::HeadIsNew(unheard) => {
                if let Addr::Node(node) = packet.from {
                    self.say(|| format!("{node} joins another start of the head"));
                    let unheard = unheard.iter().filter_map(|message| match message.as_ref() {
                        Message::ToHead(message) if message.is_said_once() => Some(message.clone()),
                        _ => None,
                    });
                    self.join(node, unheard.collect());
                }
            }
            Arrived::Fenced => {
                if let Addr::Node(node) = packet.from {
                    self.say(|| format!("{node} hears that it was declared dead"));
                    let machine = self.nodes.get(&node).map(|node| node.machine);
                    self.end_process(node);
                    if let Some(machine) = machine {
                        self.after(10 * MILLI, Happening::Start(machine));
                    }
                }
            }
        }
    }

    fn message(&mut self, from: Addr, to: Addr, message: Message) {
        match (message, from, to) {
            (Message::ToHead(message), Addr::Node(from), _) => {
                if self.head.as_ref().is_some_and(|head| head.machine.is_dead(from)) {
                    return;
                }
                self.tell_head(message);
            }
            (Message::FromHead(message), _, Addr::Node(to)) => self.node_heard(to, message),
            (Message::ToPeer(message), Addr::Node(from), Addr::Node(to))
                if self.nodes.get(&to).is_some_and(|node| !node.dead.contains(&from)) =>
            {
                self.tell(to, Event::FromPeer { from, message: Box::new(message) });
            }
            _ => {}
        }
    }

    pub(crate) fn head_said(&mut self, id: NodeId, message: FromHead) {
        if !self.nodes.contains_key(&id) {
            return;
        }
        match message {
            FromHead::ActorFound { request, result } => self.actor_found(id, request, result),
            FromHead::GroupFound { request, result } => self.group_found(id, request, result),
            FromHead::ActorStart { spec, owner, incarnation, inputs } => {
                self.start_life(id, spec, owner, incarnation, inputs);
            }
            FromHead::ActorStop { actor, incarnation, graceful, reason, restart } => {
                self.stop_life(id, actor, incarnation, graceful, reason, restart);
            }
            FromHead::NodeDied { node, why } => {
                if let Some(here) = self.nodes.get_mut(&id) {
                    here.dead.insert(node);
                }
                self.links.forget(Addr::Node(id), Addr::Node(node));
                self.tell(id, Event::FromHead(Box::new(FromHead::NodeDied { node, why })));
            }
            FromHead::NodeLeave { at_once } => self.leave(id, if at_once { 0 } else { 600 }),
            FromHead::DriverStart { spec } => self.start_driver(id, spec),
            FromHead::DriverStop { job } => self.stop_driver(id, job),
            FromHead::JobFound { job, result, is_over: _ } => {
                let Some(node) = self.nodes.get_mut(&id) else { return };
                let waiting = node.jobs_asked.remove(&job).unwrap_or_default();
                if result.is_ok() {
                    node.jobs.entry(job).or_insert(false);
                }
                for work in waiting {
                    if let Some(waits) = self.nodes.get_mut(&id).and_then(|node| node.work.get_mut(&work)) {
                        waits.stage = match &result {
                            Ok(_) => Stage::Begin,
                            Err(error) => Stage::Ready(Ready::Failed(error.clone())),
                        };
                        self.wake(id, work);
                    }
                }
            }
            FromHead::JobEnded { job } => {
                self.stop_driver(id, job);
                self.tell(id, Event::FromHead(Box::new(FromHead::JobEnded { job })));
                if let Some(node) = self.nodes.get_mut(&id) {
                    if let Some(is_over) = node.jobs.get_mut(&job) {
                        *is_over = true;
                    }
                    if !node.mailboxes.values().any(|mailbox| mailbox.job == job) {
                        node.jobs.remove(&job);
                    }
                }
            }
            other => self.tell(id, Event::FromHead(Box::new(other))),
        }
    }

    /// A node may leave: it does when nobody would miss it, or when its patience is over.
    pub(crate) fn leave(&mut self, id: NodeId, patience: u32) {
        let Some(node) = self.nodes.get(&id) else { return };
        if patience > 0 && !node.ownership.may_leave() {
            return self.after(100 * MILLI, Happening::Leave(id, patience - 1));
        }
        self.say(|| format!("{id} leaves"));
        let machine = self.nodes.get(&id).map(|node| node.machine);
        self.end_process(id);
        if let Some(machine) = machine {
            self.after(SECOND, Happening::Start(machine));
        }
    }

    /// A node's process begins on a machine that has none.
    pub(crate) fn start_node(&mut self, machine: usize) {
        if self.machines[machine].is_some() {
            return;
        }
        self.nodes_made += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&mix(self.nodes_made, 5).to_be_bytes());
        id[8] = u8::try_from(self.nodes_made).unwrap_or(0);
        let id = NodeId(id);
        let (total, labels) = self.scenario.machines[machine].clone();
        self.nodes.insert(id, SimNode::new(id, machine, total, labels));
        self.machines[machine] = Some(id);
        self.after(TICK, Happening::Tick(id));
        self.after(HEARTBEAT, Happening::Heartbeat(id));
        self.join(id, Vec::new());
    }

    /// A node's process is gone, and all that was in it.
    pub(crate) fn end_process(&mut self, id: NodeId) {
        let Some(node) = self.nodes.remove(&id) else { return };
        crate::check::permit_death(&mut self.permitted);
        self.machines[node.machine] = None;
        self.links.process_gone(Addr::Node(id));
        let notice = self.random.between(20, 2_000) * MILLI;
        self.after(notice, Happening::Noticed(id));
        for (_, fate) in self.jobs.iter_mut().filter(|(_, fate)| **fate == Fate::Running(id)) {
            *fate = Fate::Over;
        }
    }

    pub(crate) fn befall(&mut self, index: usize) {
        let fault = self.fault(index);
        self.say(|| format!("{fault:?}"));
        self.faults_left -= 1;
        match fault {
            // The head is in the process of that machine.
            Fault::Kill(0, pause) if self.scenario.has_head_node => self.end_head(pause),
            Fault::Kill(machine, pause) => {
                if let Some(node) = self.machines[machine] {
                    self.end_process(node);
                    self.after(pause, Happening::Start(machine));
                }
            }
            // The head and its node are one process.
            Fault::Cut(0, None, _) if self.scenario.has_head_node => {}
            Fault::Cut(machine, other, long) => {
                let Some(one) = self.machines[machine].map(Addr::Node) else { return };
                let other = match other {
                    Some(other) => self.machines[other].map(Addr::Node),
                    None => Some(Addr::Head),
                };
                let Some(other) = other.filter(|other| *other != one) else { return };
                let key = if one < other { (one, other) } else { (other, one) };
                self.cuts.insert(key, self.now + long);
                self.after(long, Happening::Healed(key.0, key.1));
            }
            Fault::Head(pause) => self.end_head(pause),
            // There it stays as long as the head does.
            Fault::Drain(0, _) if self.scenario.has_head_node => {}
            Fault::Drain(machine, millis) => {
                if let Some(node) = self.machines[machine] {
                    self.tell_head(ToHead::NodeDrain { node, why: "drained".to_owned(), deadline_ms: Some(millis) });
                }
            }
            Fault::Stop(index) => {
                let number = u32::try_from(index + 1).unwrap_or(1);
                self.tell_head(ToHead::JobStop { job: JobId::numbered(number) });
            }
        }
    }

    pub(crate) fn submit_job(&mut self, index: usize) {
        if self.head.is_none() {
            return self.after(100 * MILLI, Happening::Submit(index));
        }
        self.jobs_left -= 1;
        let job = JobId::numbered(u32::try_from(index + 1).unwrap_or(1));
        let code = Code { kind: Kind::Driver, seed: mix(self.scenario.seed, 100 + index as u64), depth: 3 };
        let spec = JobSpec::new(job, ComponentDigest([0; 32]), &code.name(), &format!("job-{job}"));
        self.jobs.insert(job, Fate::Waiting);
        self.tell_head(ToHead::JobSubmitted { spec: std::sync::Arc::new(spec) });
    }

    fn start_driver(&mut self, id: NodeId, spec: std::sync::Arc<JobSpec>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.drivers.contains_key(&spec.id) {
            return;
        }
        let job = spec.id;
        let work = node.begin(Role::Driver(std::sync::Arc::clone(&spec)));
        node.drivers.insert(job, (std::sync::Arc::clone(&spec), work));
        node.jobs.entry(job).or_insert(false);
        self.jobs.insert(job, Fate::Running(id));
        self.say_to_head(id, ToHead::JobStarted { spec, node: id });
        self.wake(id, work);
    }

    fn stop_driver(&mut self, id: NodeId, job: JobId) {
        let work = self.nodes.get(&id).and_then(|node| node.drivers.get(&job)).map(|(_, work)| *work);
        if let Some(work) = work {
            self.stop(id, work);
        }
    }

    /// A driver is over.
    pub(crate) fn driver_ended(&mut self, id: NodeId, job: JobId, state: JobState, result: Option<u64>) {
        self.results.insert(u32::from_be_bytes(job.0), result);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.drivers.remove(&job);
        }
        self.jobs.insert(job, Fate::Over);
        self.ends.insert(job, (id, state));
        self.tell(id, Event::JobEnded(job));
        let exit_code = (state == JobState::Succeeded).then_some(0);
        self.say_to_head(id, ToHead::JobEnded { job, state, exit_code, message: String::new() });
    }
}
