//! Where resources are taken from, and which place a piece of work gets.

use super::{NodeLife, NodeLoad, Scheduler, place};
use crate::{Error, ErrorKind, GroupId, NodeId, Placement, Resources, Strategy};

/// Where resources were taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// The node.
    pub(super) node: usize,
    /// The bundle, for what runs in a placement group.
    pub(super) bundle: Option<(GroupId, u32)>,
}

impl Spot {
    /// What a node has free.
    pub(super) fn on(node: usize) -> Self {
        Self { node, bundle: None }
    }
}

/// What a piece of work asks of its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    /// What it takes.
    pub(super) need: &'a Resources,
    /// What the place must have in all.
    pub(super) footprint: &'a Resources,
    pub(super) placement: &'a Placement,
    /// The node that is to be taken when it has room.
    pub(super) near: Option<NodeId>,
    /// The node that wins a tie.
    pub(super) by: NodeId,
}

/// Why there is no place now.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Others use it.
    Busy(String),
    /// No node is large enough; one that is may join.
    Infeasible(String),
    /// There will never be one.
    Never(Error),
}

impl Scheduler {
    pub(super) fn node_index(&self, id: NodeId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id && !node.is_dead())
    }

    pub(super) fn room(&self, spot: Spot) -> &Resources {
        match spot.bundle {
            None => &self.nodes[spot.node].available,
            Some(bundle) => self.bundle(bundle).map_or(&self.nothing, |bundle| &bundle.available),
        }
    }

    pub(super) fn take(&mut self, spot: Spot, need: &Resources, times: u32) {
        match spot.bundle {
            None => self.nodes[spot.node].available.take(need, times),
            Some(bundle) => {
                if let Some(bundle) = self.bundle_mut(bundle) {
                    bundle.available.take(need, times);
                }
            }
        }
    }

    /// Gives back what was taken; what a dead node or a removed group had is gone with it.
    pub(super) fn give(&mut self, spot: Spot, need: &Resources, times: u32) {
        if let Some(bundle) = spot.bundle {
            if let Some(bundle) = self.bundle_mut(bundle).filter(|bundle| bundle.node == spot.node) {
                bundle.available.give(need, times);
            }
            return;
        }
        let node = &mut self.nodes[spot.node];
        if !node.is_dead() {
            node.available.give(need, times);
        }
    }

    fn capacity(&self, spot: Spot) -> &Resources {
        match spot.bundle {
            None => &self.nodes[spot.node].total,
            Some((group, index)) => {
                let group = self.groups.get(&group);
                group.and_then(|group| group.spec.bundles.get(index as usize)).unwrap_or(&self.nothing)
            }
        }
    }

    /// All places that could hold the wish if nothing else ran there, or why there is none.
    pub(super) fn candidates(&self, wish: &Wish<'_>) -> Result<Vec<Spot>, Refusal> {
        if let Strategy::Group { group, bundle, .. } = &wish.placement.strategy {
            return self.group_spots(*group, *bundle, &[wish.footprint, wish.need]);
        }
        let is_open = |index: &usize| {
            self.nodes[*index].life == NodeLife::Alive && wish.placement.selector.matches(&self.nodes[*index].labels)
        };
        let open: Vec<Spot> = (0..self.nodes.len()).filter(is_open).map(Spot::on).collect();
        let holds = |spot: &Spot| {
            let total = self.capacity(*spot);
            total.fits(wish.footprint) > 0 && total.fits(wish.need) > 0
        };
        if let Strategy::NodeAffinity { node, soft } = &wish.placement.strategy {
            let there = open.iter().find(|spot| self.nodes[spot.node].id == *node && holds(spot));
            match there {
                Some(spot) => return Ok(vec![*spot]),
                None if *soft => {}
                None => return Err(Refusal::Never(self.cannot_be_on(*node, wish))),
            }
        }
        let fitting: Vec<Spot> = open.iter().copied().filter(holds).collect();
        if fitting.is_empty() { Err(self.infeasible(wish, &open)) } else { Ok(fitting) }
    }

    /// The place for a wish; nothing is taken yet.
    pub(super) fn find(&mut self, wish: &Wish<'_>) -> Result<Spot, Refusal> {
        let fitting = self.candidates(wish)?;
        let is_free = |spot: &&Spot| self.room(**spot).fits(wish.need) > 0;
        if let Strategy::Spread = wish.placement.strategy {
            let free: Vec<Spot> = fitting.iter().filter(is_free).copied().collect();
            let next = free.iter().find(|spot| spot.node >= self.spread_next).or(free.first()).copied();
            if let Some(spot) = next {
                self.spread_next = spot.node + 1;
                return Ok(spot);
            }
            return Err(self.busy(wish, &fitting));
        }
        let near = fitting.iter().filter(is_free).find(|spot| wish.near == Some(self.nodes[spot.node].id));
        if let Some(spot) = near {
            return Ok(*spot);
        }
        let loads: Vec<NodeLoad<'_>> = fitting
            .iter()
            .map(|spot| NodeLoad {
                total: self.capacity(*spot),
                available: self.room(*spot),
                is_near: self.nodes[spot.node].id == wish.by,
            })
            .collect();
        place(wish.need, wish.footprint, &loads).map(|index| fitting[index]).ok_or_else(|| self.busy(wish, &fitting))
    }

    fn busy(&self, wish: &Wish<'_>, fitting: &[Spot]) -> Refusal {
        let best = fitting.iter().max_by_key(|spot| (self.room(**spot).cpu, self.room(**spot).memory));
        Refusal::Busy(best.map_or_else(String::new, |spot| {
            format!("needs {}; most is free on node {}", self.room(*spot).shortage(wish.need), self.nodes[spot.node].id)
        }))
    }

    fn infeasible(&self, wish: &Wish<'_>, open: &[Spot]) -> Refusal {
        let largest = open.iter().max_by_key(|spot| (self.capacity(**spot).cpu, self.capacity(**spot).memory));
        let has_nodes = self.nodes.iter().any(|node| node.life == NodeLife::Alive);
        match largest {
            Some(spot) => {
                let total = self.capacity(*spot);
                let lacks = if total.fits(wish.need) > 0 { wish.footprint } else { wish.need };
                let node = self.nodes[spot.node].id;
                Refusal::Infeasible(format!(
                    "infeasible: needs {}; the largest node {node} has {total}",
                    total.shortage(lacks)
                ))
            }
            None if has_nodes => Refusal::Infeasible(format!(
                "infeasible: no node has the labels {}; `rayw status` shows the nodes",
                wish.placement.selector
            )),
            None => Refusal::Busy("there is no node yet".to_owned()),
        }
    }

    fn cannot_be_on(&self, id: NodeId, wish: &Wish<'_>) -> Error {
        let why = match self.nodes.iter().find(|node| node.id == id) {
            Some(node) => match &node.life {
                NodeLife::Dead { why } => format!("it died ({why})"),
                NodeLife::Draining { why, .. } => format!("it takes no new work ({why})"),
                NodeLife::Away { .. } => "it has yet to report to the head, which was started again".to_owned(),
                NodeLife::Alive if !wish.placement.selector.matches(&node.labels) => {
                    format!("it has not the labels {}", wish.placement.selector)
                }
                NodeLife::Alive => {
                    let lacks = if node.total.fits(wish.need) > 0 { wish.footprint } else { wish.need };
                    format!("it is too small: needs {}", node.total.shortage(lacks))
                }
            },
            None if self.is_dead(id) => "it died".to_owned(),
            None => "there is no such node".to_owned(),
        };
        let message = format!("cannot run on node {id}: {why}; make the affinity soft, or name another node");
        Error::new(ErrorKind::Unschedulable, message)
    }
}
