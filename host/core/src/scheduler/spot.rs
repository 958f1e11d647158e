//! Where resources are taken from, and which place a piece of work gets.

use super::placement::score;
use super::places::Look;
use super::rooms::Room;
use super::{Node, NodeLife, NodeLoad, Scheduler, place};
use crate::{Error, ErrorKind, GroupId, LabelSelector, NodeId, Placement, Resources, Strategy};

/// Where resources were taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    Busy,
    /// No node is large enough; one that is may join.
    Infeasible,
    /// There will never be one.
    Never(Error),
}

impl Wish<'_> {
    fn look(&self, room: Room) -> Look<'_> {
        Look { room, need: self.need, footprint: self.footprint, selector: &self.placement.selector }
    }
}

impl Scheduler {
    /// The index of a node that is not dead.
    pub(super) fn node_index(&self, id: NodeId) -> Option<usize> {
        self.nodes.index(id)
    }

    pub(super) fn room(&self, spot: Spot) -> &Resources {
        match spot.bundle {
            None => &self.nodes[spot.node].available,
            Some(bundle) => self.bundle(bundle).map_or(&self.nothing, |bundle| &bundle.available),
        }
    }

    pub(super) fn take(&mut self, spot: Spot, need: &Resources, times: u32) {
        match spot.bundle {
            None => self.nodes.take(spot.node, need, times),
            Some(bundle) => {
                if let Some(bundle) = self.bundle_mut(bundle) {
                    bundle.available.take(need, times);
                }
            }
        }
    }

    /// Gives back what was taken; what a dead node or a removed group had is gone with it.
    pub(super) fn give(&mut self, spot: Spot, need: &Resources, times: u32) {
        let Some(at) = spot.bundle else { return self.nodes.give(spot.node, need, times) };
        if let Some(bundle) = self.bundle_mut(at).filter(|bundle| bundle.node == spot.node) {
            bundle.available.give(need, times);
            self.wake_group(at.0);
            self.resumes.look_at(spot.node);
        }
    }

    fn capacity(&self, spot: Spot) -> &Resources {
        match spot.bundle {
            None => &self.nodes[spot.node].total,
            Some((group, index)) => {
                let group = self.groups.get(&group);
                let bundle = group.and_then(|group| group.spec.bundles.get(index as usize));
                bundle.map_or(&self.nothing, |bundle| &bundle.resources)
            }
        }
    }

    /// The places that could hold the wish if nothing else ran there, where few come into question;
    /// `None` where any node does.
    pub(super) fn named_spots(&self, wish: &Wish<'_>) -> Result<Option<Vec<Spot>>, Refusal> {
        match &wish.placement.strategy {
            Strategy::Group { group, bundle, .. } => self.group_spots(*group, *bundle, wish).map(Some),
            Strategy::NodeAffinity { node, soft } => {
                let is_fit = |index: &usize| {
                    let node = &self.nodes[*index];
                    wish.placement.selector.matches(&node.labels) && node.holds(&wish.look(Room::Total))
                };
                match self.node_index(*node).filter(is_fit) {
                    Some(index) => Ok(Some(vec![Spot::on(index)])),
                    None if *soft => Ok(None),
                    None => Err(Refusal::Never(self.cannot_be_on(*node, wish))),
                }
            }
            Strategy::Default | Strategy::Spread => Ok(None),
        }
    }

    /// The place for a wish; nothing is taken yet.
    pub(super) fn find(&mut self, wish: &Wish<'_>) -> Result<Spot, Refusal> {
        match self.named_spots(wish)? {
            Some(spots) => self.find_among(wish, &spots).ok_or(Refusal::Busy),
            None => self.find_anywhere(wish).map(Spot::on).ok_or_else(|| self.refusal(wish)),
        }
    }

    /// The best of these that has room.
    pub(super) fn find_among(&mut self, wish: &Wish<'_>, spots: &[Spot]) -> Option<Spot> {
        let is_free = |spot: &&Spot| self.room(**spot).fits(wish.need) > 0;
        if let Strategy::Spread = wish.placement.strategy {
            let free: Vec<Spot> = spots.iter().filter(is_free).copied().collect();
            let next = free.iter().find(|spot| spot.node >= self.spread_next).or(free.first()).copied();
            self.spread_next = next.map_or(self.spread_next, |spot| spot.node + 1);
            return next;
        }
        let near = spots.iter().filter(is_free).find(|spot| wish.near == Some(self.nodes[spot.node].id));
        if let Some(spot) = near {
            return Some(*spot);
        }
        let loads: Vec<NodeLoad<'_>> = spots
            .iter()
            .map(|spot| NodeLoad {
                total: self.capacity(*spot),
                available: self.room(*spot),
                is_near: self.nodes[spot.node].id == wish.by,
            })
            .collect();
        place(wish.need, wish.footprint, &loads).map(|index| spots[index])
    }

    /// The best node of all: what [`place`] would say, and [`Self::find_among`] of all nodes.
    fn find_anywhere(&mut self, wish: &Wish<'_>) -> Option<usize> {
        let look = wish.look(Room::Free);
        if let Strategy::Spread = wish.placement.strategy {
            let next = self.nodes.first(&look, self.spread_next).or_else(|| self.nodes.first(&look, 0))?;
            self.spread_next = next + 1;
            return Some(next);
        }
        let holds = |index: &usize| {
            let node = &self.nodes[*index];
            node.holds(&look) && look.selector.matches(&node.labels)
        };
        let named = |id: NodeId| self.node_index(id).filter(holds);
        if let Some(near) = wish.near.and_then(named) {
            return Some(near);
        }
        let by = named(wish.by);
        let (least, index) = self.nodes.least(&look)?;
        let is_as_good =
            |index: &usize| score(&self.nodes[*index].total, &self.nodes[*index].available) == u64::from(least);
        Some(by.filter(is_as_good).unwrap_or(index))
    }

    /// Why no node has room.
    fn refusal(&mut self, wish: &Wish<'_>) -> Refusal {
        let is_held = self.nodes.first(&wish.look(Room::Total), 0).is_some();
        if is_held || !self.has_open_nodes() { Refusal::Busy } else { Refusal::Infeasible }
    }

    fn has_open_nodes(&mut self) -> bool {
        let (nothing, selector) = (Resources::default(), LabelSelector::default());
        let look = Look { room: Room::Total, need: &nothing, footprint: &nothing, selector: &selector };
        self.nodes.first(&look, 0).is_some()
    }

    /// Why there is no room for a wish, in words.
    pub(super) fn explain_wish(&mut self, wish: &Wish<'_>) -> String {
        match self.named_spots(wish) {
            Ok(Some(spots)) => {
                let best = spots.iter().max_by_key(|spot| (self.room(**spot).cpu, self.room(**spot).memory));
                best.map_or_else(|| self.explain_group_of(wish), |spot| self.shortage_at(*spot, wish))
            }
            Ok(None) => {
                let nothing = Resources::default();
                let look = Look { need: &nothing, footprint: wish.footprint, ..wish.look(Room::Free) };
                // Of those that are large enough: their totals hold the need too.
                let mut whole = wish.need.clone();
                whole.cover(wish.footprint);
                let look = Look { footprint: &whole, ..look };
                match self.nodes.roomiest(&look, &|_| false) {
                    Some(index) => self.shortage_at(Spot::on(index), wish),
                    None => self.infeasible(wish),
                }
            }
            Err(Refusal::Never(error)) => error.to_string(),
            Err(Refusal::Busy | Refusal::Infeasible) => self.explain_group_of(wish),
        }
    }

    fn shortage_at(&self, spot: Spot, wish: &Wish<'_>) -> String {
        format!("needs {}; most is free on node {}", self.room(spot).shortage(wish.need), self.nodes[spot.node].id)
    }

    fn infeasible(&mut self, wish: &Wish<'_>) -> String {
        let nothing = Resources::default();
        let look = Look { need: &nothing, footprint: &nothing, ..wish.look(Room::Total) };
        match self.nodes.roomiest(&look, &|_| false) {
            Some(index) => {
                let Node { total, id, .. } = &self.nodes[index];
                let lacks = if total.fits(wish.need) > 0 { wish.footprint } else { wish.need };
                format!("infeasible: needs {}; the largest node {id} has {total}", total.shortage(lacks))
            }
            None if self.has_open_nodes() => {
                format!("infeasible: no node has the labels {}; `rayw status` shows the nodes", wish.placement.selector)
            }
            None => "there is no node yet".to_owned(),
        }
    }

    fn cannot_be_on(&self, id: NodeId, wish: &Wish<'_>) -> Error {
        let why = match self.nodes.iter().find(|node| node.id == id) {
            Some(node) => match &node.life {
                NodeLife::Dead { why, .. } => format!("it died ({why})"),
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
