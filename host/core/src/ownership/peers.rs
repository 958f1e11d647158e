//! The other nodes, as far as this one knows them.
//!
//! The head tells a node of all that live when it joins, and of each one that comes or dies after that. A
//! node that is new, or that rejoins a head which was started again, can still be handed the name of one
//! whose death it was never told of: the owner of a reference, a place of an object, who was lent something
//! or lent it. It would wait for that one for ever. So it asks the head about each name that is new to it,
//! and a report asks about all.

use super::{Command, Input, Order, Output, Ownership};
use crate::NodeId;
use crate::message::ToHead;

impl Ownership {
    /// The head says that a node is there.
    pub(super) fn node_found(&mut self, node: NodeId) {
        if node != self.node && !self.dead.contains(&node) {
            self.known.insert(node);
        }
    }

    /// The name of a node comes up: one that this node was not told of may be dead.
    pub(super) fn meet(&mut self, node: NodeId, out: &mut Vec<Command>) {
        if node != self.node && !self.dead.contains(&node) && self.known.insert(node) {
            out.push(Command::to_head(ToHead::PeersKnown { node: self.node, peers: vec![node] }));
        }
    }

    /// The owners and places of what an order takes.
    pub(super) fn meet_inputs(&mut self, order: &Order, out: &mut Vec<Command>) {
        for input in &order.inputs {
            if let Input::Stored(stored) = input {
                self.meet(stored.owner, out);
                stored.at.iter().for_each(|place| self.meet(*place, out));
            }
        }
    }

    /// The places of a value.
    pub(super) fn meet_places(&mut self, output: &Output, out: &mut Vec<Command>) {
        if let Output::Stored { at, .. } = output {
            at.iter().for_each(|place| self.meet(*place, out));
        }
    }

    /// All of them, for a head that is new: it says which of them died.
    pub(super) fn report_peers(&self) -> Option<ToHead> {
        let mut peers: Vec<NodeId> = self.known.iter().copied().collect();
        peers.sort_unstable();
        (!peers.is_empty()).then_some(ToHead::PeersKnown { node: self.node, peers })
    }
}
