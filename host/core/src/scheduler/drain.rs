//! Nodes that are to leave: no new work, and the end when the old work is done.

use super::{NodeLife, Outbox, Scheduler};
use crate::control::{DrainReason, DrainRequest};
use crate::message::{FromHead, ToHead};
use crate::{Error, ErrorKind, LeaseId, Millis, NodeId};

impl Scheduler {
    /// Has a node leave that somebody named.
    ///
    /// # Errors
    /// `InvalidArgument` when no living node, or more than one, is called so, when it is the head's own,
    /// and when one that is busy was to be idle.
    pub fn drain(&mut self, request: DrainRequest, now: Millis, out: &mut Outbox) -> Result<(), Error> {
        let DrainRequest { node, reason, message, deadline_ms } = request;
        let index = self.living_node(&node)?;
        if reason == DrainReason::IdleTermination {
            self.must_be_idle(index)?;
        }
        let why = if message.is_empty() { reason.to_string() } else { message };
        let id = self.nodes[index].id;
        self.handle(ToHead::NodeDrain { node: id, why, deadline_ms }, now, out);
        Ok(())
    }

    fn living_node(&self, name: &str) -> Result<usize, Error> {
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidArgument, message));
        if name.is_empty() {
            return refuse("the name of the node is empty: give an id or a name of `rayw list nodes`".to_owned());
        }
        let living = self.nodes.iter().enumerate().filter(|(_, node)| !node.is_dead());
        let named: Vec<_> =
            living.filter(|(_, node)| node.id.to_string().starts_with(name) || node.at.name == name).collect();
        match named.as_slice() {
            [(_, node)] if node.at.is_head_node => {
                refuse(format!("node `{name}` is the head's own, which the cluster needs: `rayw stop` ends the head"))
            }
            [(index, _)] => Ok(*index),
            [] => refuse(format!("no living node is called `{name}`: `rayw list nodes` shows all")),
            several => {
                let count = several.len();
                refuse(format!("{count} nodes are called `{name}`: give an id of `rayw list nodes`"))
            }
        }
    }

    /// Fails where a node has something to do or keeps objects, and says what.
    fn must_be_idle(&self, index: usize) -> Result<(), Error> {
        let node = &self.nodes[index];
        let mut does = Vec::new();
        let mut count = |count: usize, one: &str, many: &str| {
            if count > 0 {
                does.push(format!("{count} {}", if count == 1 { one } else { many }));
            }
        };
        count(self.leases.on_node(index).count(), "lease", "leases");
        count(self.leases.of_owner(node.id).count(), "lease of its own tasks", "leases of its own tasks");
        count(self.actors_on.get(&index).map_or(0, |actors| actors.len()), "actor", "actors");
        let drivers = self.jobs.values().filter(|job| job.ended.is_none() && job.node == Some(node.id));
        count(drivers.count(), "driver", "drivers");
        if does.is_empty() && node.available != node.total {
            does.push("bundles of placement groups".to_owned());
        }
        if node.store_bytes > 0 {
            does.push(format!("{} bytes of objects", node.store_bytes));
        }
        if matches!(node.life, NodeLife::Away { .. }) {
            does.push("work that it has yet to tell of to the head, which was started again".to_owned());
        }
        if does.is_empty() {
            return Ok(());
        }
        let message = format!(
            "node `{}` is not idle, it has {}: wait for their end, or drain it with `--reason preemption`",
            node.at.name,
            does.join(", ")
        );
        Err(Error::new(ErrorKind::InvalidArgument, message))
    }

    pub(super) fn node_drain(
        &mut self,
        id: NodeId,
        why: String,
        deadline_ms: Option<u64>,
        now: Millis,
        out: &mut Outbox,
    ) {
        let Some(index) = self.node_index(id) else { return };
        let known = match &self.nodes[index].life {
            NodeLife::Draining { deadline, .. } | NodeLife::Away { draining: Some((_, deadline)), .. } => *deadline,
            NodeLife::Alive | NodeLife::Away { draining: None, .. } | NodeLife::Dead { .. } => None,
        };
        // Whoever asks again without one does not take it back.
        let deadline = deadline_ms.map(|millis| now.saturating_add(millis)).or(known);
        let is_new = !self.nodes[index].is_draining();
        self.touch_node(id);
        if let NodeLife::Away { has_joined, .. } = self.nodes[index].life {
            self.nodes.set_life(index, NodeLife::Away { has_joined, draining: Some((why, deadline)) });
            if is_new {
                self.broadcast(&FromHead::NodeDraining { node: id }, out);
            }
            return;
        }
        let may_leave = matches!(self.nodes[index].life, NodeLife::Draining { may_leave: true, .. });
        let life = NodeLife::Draining { why, deadline, may_leave, must_leave: false };
        self.nodes.set_life(index, life);
        if is_new {
            self.broadcast(&FromHead::NodeDraining { node: id }, out);
        }
    }

    /// Asks draining nodes' slots back, and lets those go that are empty or whose time is over.
    pub(super) fn serve_draining(&mut self, now: Millis, out: &mut Outbox) {
        for index in self.nodes.draining().collect::<Vec<_>>() {
            let NodeLife::Draining { deadline, may_leave, must_leave: false, .. } = self.nodes[index].life else {
                continue;
            };
            if deadline.is_some_and(|deadline| now >= deadline) {
                self.let_go(index, true, out);
                continue;
            }
            if !may_leave {
                self.reclaim_all_on(index, out);
                if !self.is_in_use(index) {
                    self.let_go(index, false, out);
                }
            }
        }
    }

    /// Whether time alone will let a node go.
    pub(super) fn awaits_deadline(&self) -> bool {
        let awaits = |life: &NodeLife| matches!(life, NodeLife::Draining { deadline: Some(_), must_leave: false, .. });
        self.nodes.draining().any(|index| awaits(&self.nodes[index].life))
    }

    /// Tells a node that it may go: when nobody would miss what it keeps, or at once.
    fn let_go(&mut self, index: usize, at_once: bool, out: &mut Outbox) {
        let id = self.nodes[index].id;
        if let NodeLife::Draining { why, deadline, must_leave: false, .. } = &self.nodes[index].life {
            let (why, deadline) = (why.clone(), *deadline);
            self.nodes.set_life(index, NodeLife::Draining { why, deadline, may_leave: true, must_leave: at_once });
            out.push((id, FromHead::NodeLeave { at_once }));
        }
    }

    /// Whether work runs on the node, or elsewhere for it.
    pub(super) fn is_in_use(&self, index: usize) -> bool {
        let id = self.nodes[index].id;
        self.leases.on_node(index).next().is_some()
            || self.leases.of_owner(id).next().is_some()
            || self.actors_on.contains_key(&index)
            || self.jobs.values().any(|job| job.ended.is_none() && job.node == Some(id))
    }

    fn reclaim_all_on(&mut self, index: usize, out: &mut Outbox) {
        let mut asked: Vec<(LeaseId, NodeId, u32)> = Vec::new();
        for id in self.leases.on_node(index).collect::<Vec<_>>() {
            let Some(lease) = self.leases.get(&id) else { continue };
            let (owner, slots) = (lease.owner, lease.slots - lease.reclaiming);
            if slots > 0 {
                self.change_lease(id, |lease| lease.reclaiming = lease.slots);
                asked.push((id, owner, slots));
            }
        }
        for (lease, owner, slots) in asked {
            out.push((owner, FromHead::SlotsReclaimed { lease, slots, busy_too: true }));
        }
    }
}
