//! The network between processes: packets that are lost, doubled, late and out of order, and above
//! them the very link machines of the room `wire`.
//!
//! ```text
//!  push ─▶ Outbound ──Data──▶ Inbound ─▶ handed over once, in order
//!             ▲  ◀──Ack / Welcome / Refused──┘        no answer for a while: Hello again
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use rayw_core::NodeId;
use rayw_core::message::{FromHead, ToHead, ToPeer};
use rayw_wire::link::{Inbound, Outbound};

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addr {
    /// The head.
    Head,
    /// A node.
    Node(NodeId),
}

/// A message of any of the three ways.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// From a node to the head.
    ToHead(ToHead),
    /// From the head to a node.
    FromHead(FromHead),
    /// Between nodes.
    ToPeer(ToPeer),
}

/// What goes over the wire at once.
#[derive(Debug, Clone)]
pub struct Packet {
    /// The sender of the link, also for its receiver's answers.
    pub from: Addr,
    /// The receiver of the link.
    pub to: Addr,
    /// Which connection of the link.
    pub connection: u64,
    /// What it says.
    pub body: Body,
}

/// What a packet says.
#[derive(Debug, Clone)]
pub enum Body {
    /// The sender greets. For links of the head also which start of the head greets.
    Hello(u64),
    /// Messages; none for a sign of life.
    Data(u64, Vec<Rc<Message>>),
    /// The receiver answers the greeting: which start of the head it is, and what it has.
    Welcome(u64, u64),
    /// The receiver has everything up to that.
    Ack(u64),
    /// Try again.
    Refused,
    /// The sender was declared dead.
    Fenced,
}

impl Packet {
    /// The process that it goes to.
    #[must_use]
    pub fn goes_to(&self) -> Addr {
        match self.body {
            Body::Hello(_) | Body::Data(..) => self.to,
            Body::Welcome(..) | Body::Ack(_) | Body::Refused | Body::Fenced => self.from,
        }
    }
}

/// The sending half of a link.
#[derive(Debug)]
pub struct Sending {
    outbound: Outbound<Rc<Message>>,
    /// The same messages, those left out that the receiver has taken.
    pub untaken: VecDeque<Rc<Message>>,
    connection: u64,
    is_up: bool,
    /// Whether it heard something since the last look.
    has_progress: bool,
    has_timer: bool,
    /// The head's start that it spoke to last.
    session: Option<u64>,
}

/// The receiving half.
#[derive(Debug, Default)]
pub struct Receiving {
    inbound: Inbound,
    connection: u64,
}

/// All links.
#[derive(Debug, Default)]
pub struct Links {
    sending: BTreeMap<(Addr, Addr), Sending>,
    receiving: BTreeMap<(Addr, Addr), Receiving>,
    dirty: BTreeSet<(Addr, Addr)>,
    connections: u64,
}

/// What a packet brought about.
#[derive(Debug)]
pub enum Arrived {
    /// Nothing but these packets.
    Packets(Vec<Packet>),
    /// Messages for the receiver, and a packet back.
    Messages(Vec<Rc<Message>>, Packet),
    /// The sender, a node, hears that this is another start of the head. What the former one did not confirm.
    HeadIsNew(Vec<Rc<Message>>),
    /// The sender, a node, hears that it was declared dead.
    Fenced,
}

impl Links {
    /// Takes a message in order.
    pub fn push(&mut self, from: Addr, to: Addr, message: Message) {
        let message = Rc::new(message);
        let connections = &mut self.connections;
        let sending = self.sending.entry((from, to)).or_insert_with(|| {
            *connections += 1;
            Sending {
                outbound: Outbound::default(),
                untaken: VecDeque::new(),
                connection: *connections,
                is_up: false,
                has_progress: false,
                has_timer: false,
                session: None,
            }
        });
        sending.outbound.push(Rc::clone(&message), 1);
        sending.untaken.push_back(message);
        self.dirty.insert((from, to));
    }

    /// What links with something new to say send, and those of them that want to be looked at later.
    pub fn flush(&mut self, batch: usize, head: u64) -> (Vec<Packet>, Vec<(Addr, Addr)>) {
        let (mut packets, mut timers) = (Vec::new(), Vec::new());
        for key in std::mem::take(&mut self.dirty) {
            let Some(sending) = self.sending.get_mut(&key) else { continue };
            if sending.is_up {
                packets.extend(data(key, sending, batch));
            } else if !sending.has_timer {
                packets.push(hello(key, sending, head));
            }
            if !std::mem::replace(&mut sending.has_timer, true) {
                timers.push(key);
            }
        }
        (packets, timers)
    }

    /// A while has passed: a link that heard nothing although something is open connects again.
    pub fn look(&mut self, key: (Addr, Addr), head: u64) -> (Option<Packet>, bool) {
        let Some(sending) = self.sending.get_mut(&key) else { return (None, false) };
        if sending.is_up && sending.outbound.bytes() == 0 {
            sending.has_timer = false;
            return (None, false);
        }
        if std::mem::take(&mut sending.has_progress) {
            return (None, true);
        }
        (Some(reconnect(key, sending, &mut self.connections, head)), true)
    }

    /// A sign of life, when the link is up.
    pub fn heartbeat(&self, key: (Addr, Addr)) -> Option<Packet> {
        let sending = self.sending.get(&key).filter(|sending| sending.is_up)?;
        Some(Packet { from: key.0, to: key.1, connection: sending.connection, body: Body::Data(0, Vec::new()) })
    }

    /// A greeting, which its receiver has let pass.
    pub fn greeted(&mut self, packet: &Packet, session: u64) -> Option<Packet> {
        let receiving = self.receiving.entry((packet.from, packet.to)).or_default();
        if packet.connection < receiving.connection {
            return None;
        }
        receiving.connection = packet.connection;
        Some(Packet { body: Body::Welcome(session, receiving.inbound.confirmed()), ..packet.clone() })
    }

    /// Data at its receiver.
    pub fn data(&mut self, packet: &Packet, first: u64, payloads: &[Rc<Message>]) -> Arrived {
        let key = (packet.from, packet.to);
        let Some(receiving) = self.receiving.get_mut(&key) else {
            // Another process than the one that was greeted.
            return Arrived::Packets(vec![Packet { body: Body::Refused, ..packet.clone() }]);
        };
        if receiving.connection != packet.connection {
            return Arrived::Packets(Vec::new());
        }
        if payloads.is_empty() {
            return Arrived::Packets(Vec::new());
        }
        let Ok(known) = receiving.inbound.take(first, payloads.len()) else {
            return Arrived::Packets(vec![Packet { body: Body::Refused, ..packet.clone() }]);
        };
        let ack = Packet { body: Body::Ack(receiving.inbound.last()), ..packet.clone() };
        if packet.to != Addr::Head {
            // The head confirms when what it was told is safe.
            receiving.inbound.confirm(receiving.inbound.last());
        }
        if let Some(sending) = self.sending.get_mut(&key) {
            sending.untaken.drain(..(payloads.len() - known).min(sending.untaken.len()));
        }
        Arrived::Messages(payloads[known..].to_vec(), ack)
    }

    /// What a confirmation says is safe: a new connection need not say it again.
    pub fn confirmed(&mut self, ack: &Packet) {
        if let (Some(receiving), Body::Ack(last)) = (self.receiving.get_mut(&(ack.from, ack.to)), &ack.body) {
            receiving.inbound.confirm(*last);
        }
    }

    /// An answer at the sender.
    ///
    /// # Panics
    /// When the receiver is not the one that the link was made for, which the simulation rules out.
    pub fn answered(&mut self, packet: &Packet, batch: usize, head: u64) -> Arrived {
        let key = (packet.from, packet.to);
        let none = Arrived::Packets(Vec::new());
        let Some(sending) = self.sending.get_mut(&key).filter(|known| known.connection == packet.connection) else {
            return none;
        };
        sending.has_progress = true;
        match packet.body {
            Body::Ack(last) if sending.is_up => {
                sending.outbound.confirmed(last).expect("what is confirmed was sent");
                self.dirty.insert(key);
                none
            }
            Body::Welcome(session, last) if !sending.is_up => {
                let before = sending.session.replace(session);
                let is_new = packet.to == Addr::Head && before.is_some_and(|before| before != session);
                let mut unheard = Vec::new();
                if is_new {
                    unheard = std::mem::take(&mut sending.outbound).into_unconfirmed();
                    sending.untaken.clear();
                }
                sending.outbound.reconnected(last).expect("the receiver is the one that it was");
                sending.is_up = true;
                if is_new {
                    return Arrived::HeadIsNew(unheard);
                }
                Arrived::Packets(data(key, sending, batch))
            }
            Body::Refused => {
                // With a look at it later, as this greeting can be lost too.
                self.dirty.insert(key);
                Arrived::Packets(vec![reconnect(key, sending, &mut self.connections, head)])
            }
            Body::Fenced if packet.to == Addr::Head => Arrived::Fenced,
            _ => none,
        }
    }

    /// A process is gone: what it has to send goes with it, and so does what it knows of others.
    pub fn process_gone(&mut self, process: Addr) {
        self.sending.retain(|(from, _), _| *from != process);
        self.receiving.retain(|(_, to), _| *to != process);
    }

    /// A process stops to speak to another one for good, and hears it no more.
    pub fn forget(&mut self, process: Addr, other: Addr) {
        self.sending.remove(&(process, other));
        self.receiving.remove(&(other, process));
    }

    /// A node has greeted another start of the head: what comes from that one is counted from 1 again.
    pub fn head_greeted(&mut self, node: NodeId) {
        self.receiving.remove(&(Addr::Head, Addr::Node(node)));
    }

    /// Messages that were sent and not taken: who sent them, to whom.
    pub fn untaken(&self) -> impl Iterator<Item = (Addr, Addr, &Message)> {
        let links = self.sending.iter();
        links
            .flat_map(|((from, to), sending)| sending.untaken.iter().map(move |message| (*from, *to, message.as_ref())))
    }
}

fn hello(key: (Addr, Addr), sending: &mut Sending, head: u64) -> Packet {
    Packet { from: key.0, to: key.1, connection: sending.connection, body: Body::Hello(head) }
}

fn reconnect(key: (Addr, Addr), sending: &mut Sending, connections: &mut u64, head: u64) -> Packet {
    *connections += 1;
    sending.connection = *connections;
    sending.is_up = false;
    hello(key, sending, head)
}

fn data(key: (Addr, Addr), sending: &mut Sending, batch: usize) -> Vec<Packet> {
    let mut packets = Vec::new();
    while let Some(next) = sending.outbound.batch(batch) {
        let body = Body::Data(next.first, next.payloads);
        packets.push(Packet { from: key.0, to: key.1, connection: sending.connection, body });
    }
    packets
}
