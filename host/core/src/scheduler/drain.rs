//! Nodes that are to leave: no new work, and the end when the old work is done.

use super::{NodeLife, Outbox, Scheduler};
use crate::message::FromHead;
use crate::{ActorState, LeaseId, Millis, NodeId};

impl Scheduler {
    pub(super) fn node_drain(
        &mut self,
        id: NodeId,
        why: String,
        deadline_ms: Option<u64>,
        now: Millis,
        out: &mut Outbox,
    ) {
        let Some(index) = self.node_index(id) else { return };
        let deadline = deadline_ms.map(|millis| now.saturating_add(millis));
        let is_new = !self.nodes[index].is_draining();
        self.touch_node(id);
        if let NodeLife::Away { draining, .. } = &mut self.nodes[index].life {
            *draining = Some((why, deadline));
            if is_new {
                self.broadcast(&FromHead::NodeDraining { node: id }, out);
            }
            return;
        }
        let may_leave = matches!(self.nodes[index].life, NodeLife::Draining { may_leave: true, .. });
        self.nodes[index].life = NodeLife::Draining { why, deadline, may_leave };
        if is_new {
            self.broadcast(&FromHead::NodeDraining { node: id }, out);
        }
    }

    /// The node says that nothing is left on it.
    pub(super) fn node_drained(&mut self, id: NodeId, out: &mut Outbox) {
        if let Some(index) = self.node_index(id) {
            self.let_go(index, out);
        }
    }

    /// Asks draining nodes' slots back, and lets those go that are empty or whose time is over.
    pub(super) fn serve_draining(&mut self, now: Millis, out: &mut Outbox) {
        for index in 0..self.nodes.len() {
            let NodeLife::Draining { deadline, may_leave: false, .. } = self.nodes[index].life else { continue };
            self.reclaim_all_on(index, out);
            if !self.is_in_use(index) || deadline.is_some_and(|deadline| now >= deadline) {
                self.let_go(index, out);
            }
        }
    }

    /// Whether time alone will let a node go.
    pub(super) fn awaits_deadline(&self) -> bool {
        let awaits = |life: &NodeLife| matches!(life, NodeLife::Draining { deadline: Some(_), may_leave: false, .. });
        self.nodes.iter().any(|node| awaits(&node.life))
    }

    fn let_go(&mut self, index: usize, out: &mut Outbox) {
        let id = self.nodes[index].id;
        if let NodeLife::Draining { may_leave: may_leave @ false, .. } = &mut self.nodes[index].life {
            *may_leave = true;
            out.push((id, FromHead::NodeLeave));
        }
    }

    /// Whether work runs on the node, or elsewhere for it.
    pub(super) fn is_in_use(&self, index: usize) -> bool {
        let id = self.nodes[index].id;
        let is_here = |spot: &super::Spot| spot.node == index;
        self.leases.values().any(|lease| is_here(&lease.spot) || lease.owner == id)
            || self
                .actors
                .values()
                .any(|actor| actor.state != ActorState::Dead && actor.spot.as_ref().is_some_and(is_here))
            || self.jobs.values().any(|job| job.ended.is_none() && job.node == Some(id))
    }

    fn reclaim_all_on(&mut self, index: usize, out: &mut Outbox) {
        let mut asked: Vec<(LeaseId, NodeId, u32)> = Vec::new();
        for (id, lease) in self.leases.iter_mut().filter(|(_, lease)| lease.spot.node == index) {
            let slots = lease.slots - lease.reclaiming;
            if slots > 0 {
                lease.reclaiming = lease.slots;
                asked.push((*id, lease.owner, slots));
            }
        }
        asked.sort_unstable();
        for (lease, owner, slots) in asked {
            out.push((owner, FromHead::SlotsReclaimed { lease, slots, busy_too: true }));
        }
    }
}
