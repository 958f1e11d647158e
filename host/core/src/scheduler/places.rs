//! The nodes, and the indexes by which one is found among many.
//!
//! Everything that a node has free changes through here, so the indexes are true at any moment.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Deref;

use super::rooms::{Ask, Kinds, Room, Rooms};
use super::{Node, NodeLife};
use crate::message::NodeAddress;
use crate::{IdMap, LabelSelector, Labels, Millis, NodeId, Resources, limits};

/// All nodes; read like a slice, changed by its methods.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Nodes keep their index for life; that of a node that died long ago is given to a new one.
    list: Vec<Node>,
    /// Those that are not dead.
    by_id: IdMap<NodeId, usize>,
    kinds: Kinds,
    /// All open nodes, by their index.
    all: Rooms,
    /// Those that a selector chooses, for the selectors used last; the one used last stands last.
    selected: Vec<Pool>,
    draining: BTreeSet<usize>,
    /// Nodes that have more room than when the line was served last.
    grown: Vec<usize>,
    /// What all open nodes have free, and what is asked back there.
    free_sum: Resources,
    coming_sum: Resources,
    /// The indices of dead nodes, in the order of their deaths.
    dead: VecDeque<usize>,
    /// Counts changes of who is there and open, and of labels.
    generation: u64,
}

/// The nodes that a selector chooses.
#[derive(Debug)]
struct Pool {
    selector: LabelSelector,
    /// Indices, ascending; a leaf of the tree for each.
    members: Vec<usize>,
    rooms: Rooms,
}

impl Deref for Places {
    type Target = [Node];

    fn deref(&self) -> &[Node] {
        &self.list
    }
}

/// What a place is looked for with: what must fit, and the labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) room: Room,
    pub(super) need: &'a Resources,
    /// What the node must have in all.
    pub(super) footprint: &'a Resources,
    pub(super) selector: &'a LabelSelector,
}

impl Places {
    /// The index of a node that is not dead.
    pub(super) fn index(&self, id: NodeId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// Counts changes of who is there, of who takes work, and of labels.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn draining(&self) -> impl Iterator<Item = usize> + '_ {
        self.draining.iter().copied()
    }

    /// What all open nodes have free.
    pub(super) fn free_sum(&self) -> &Resources {
        &self.free_sum
    }

    /// What is asked back on all open nodes.
    pub(super) fn coming_sum(&self) -> &Resources {
        &self.coming_sum
    }

    /// Takes a new node in: at the index of the one that died first, once more of them are listed than
    /// need be. Nothing refers to a dead node's index.
    pub(super) fn insert(&mut self, node: Node) {
        self.generation += 1;
        self.free_sum.give(&node.available, 1);
        let is_new_kind = self.kinds.learn(&node.total);
        let oldest = if self.dead.len() < limits::DEAD_NODES_LISTED { None } else { self.dead.pop_front() };
        let index = match oldest {
            Some(index) => {
                self.selected.retain(|pool| pool.members.binary_search(&index).is_err());
                self.list[index] = node;
                index
            }
            None => {
                self.list.push(node);
                self.list.len() - 1
            }
        };
        self.by_id.insert(self.list[index].id, index);
        self.selected.retain(|pool| !pool.selector.matches(&self.list[index].labels));
        if is_new_kind {
            self.selected.clear();
        }
        if is_new_kind || !self.all.has(index) {
            self.all = Rooms::build(self.list.iter(), &self.kinds);
        } else {
            self.refresh(index);
        }
    }

    pub(super) fn set_address(&mut self, index: usize, at: NodeAddress) {
        self.list[index].at = at;
    }

    pub(super) fn set_store(&mut self, index: usize, bytes: u64, bytes_max: u64) {
        self.list[index].store_bytes = bytes;
        self.list[index].store_bytes_max = bytes_max;
    }

    pub(super) fn set_died(&mut self, index: usize, at: Millis) {
        self.list[index].died = Some(at);
    }

    pub(super) fn set_labels(&mut self, index: usize, labels: Labels) {
        if self.list[index].labels != labels {
            self.generation += 1;
            self.list[index].labels = labels;
            self.selected.clear();
        }
    }

    pub(super) fn set_life(&mut self, index: usize, life: NodeLife) {
        let node = &mut self.list[index];
        let was_open = node.is_open();
        node.life = life;
        if was_open && !node.is_open() {
            self.free_sum.take(&node.available, 1);
            self.coming_sum.take(&node.coming, 1);
        }
        self.draining.remove(&index);
        match node.life {
            NodeLife::Draining { must_leave: false, .. } => {
                self.draining.insert(index);
            }
            NodeLife::Dead { .. } => {
                self.by_id.remove(&node.id);
                self.dead.push_back(index);
                node.available = Resources::default();
                node.coming = Resources::default();
            }
            NodeLife::Alive | NodeLife::Draining { .. } => {}
        }
        if was_open != self.list[index].is_open() {
            self.generation += 1;
        }
        self.refresh(index);
    }

    pub(super) fn take(&mut self, index: usize, need: &Resources, times: u32) {
        if times > 0 && !need.is_empty() {
            let node = &mut self.list[index];
            node.available.take(need, times);
            if node.is_open() {
                self.free_sum.take(need, times);
            }
            self.refresh(index);
        }
    }

    /// Gives back what was taken; what a dead node had is gone with it.
    pub(super) fn give(&mut self, index: usize, need: &Resources, times: u32) {
        let node = &mut self.list[index];
        if times == 0 || need.is_empty() || node.is_dead() {
            return;
        }
        node.available.give(need, times);
        if node.is_open() {
            self.free_sum.give(need, times);
        }
        if !node.has_grown {
            node.has_grown = true;
            self.grown.push(index);
        }
        self.refresh(index);
    }

    /// Some slots are asked back, or are not any more: the room that will be there.
    pub(super) fn promise(&mut self, index: usize, need: &Resources, before: u32, after: u32) {
        let node = &mut self.list[index];
        if before == after || node.is_dead() {
            return;
        }
        let change = |sum: &mut Resources| {
            if after > before { sum.give(need, after - before) } else { sum.take(need, before - after) }
        };
        change(&mut node.coming);
        if node.is_open() {
            change(&mut self.coming_sum);
        }
        self.refresh(index);
    }

    /// The nodes that have more room than when this was asked last.
    pub(super) fn take_grown(&mut self) -> Vec<usize> {
        let grown = std::mem::take(&mut self.grown);
        grown.iter().for_each(|index| self.list[*index].has_grown = false);
        grown
    }

    /// See [`Self::take_grown`], which this leaves as it is.
    pub(super) fn grown(&self) -> &[usize] {
        &self.grown
    }

    fn refresh(&mut self, index: usize) {
        let node = &self.list[index];
        self.all.set(index, node, &self.kinds);
        for pool in &mut self.selected {
            if let Ok(position) = pool.members.binary_search(&index) {
                pool.rooms.set(position, node, &self.kinds);
            }
        }
    }

    /// The pool of a selector, made when it is not there. `None` for the one that asks for nothing.
    fn pool(&mut self, selector: &LabelSelector) -> Option<&Pool> {
        if selector.is_empty() {
            return None;
        }
        match self.selected.iter().position(|pool| pool.selector == *selector) {
            Some(place) if place + 1 == self.selected.len() => {}
            Some(place) => self.selected[place..].rotate_left(1),
            None => {
                if self.selected.len() >= limits::SELECTORS_INDEXED_MAX {
                    self.selected.remove(0);
                }
                let chosen = self.list.iter().enumerate().filter(|(_, node)| selector.matches(&node.labels));
                let members: Vec<usize> = chosen.map(|(index, _)| index).collect();
                let rooms = Rooms::build(members.iter().map(|index| &self.list[*index]), &self.kinds);
                self.selected.push(Pool { selector: selector.clone(), members, rooms });
            }
        }
        self.selected.last()
    }

    /// Searches the tree of a selector; `search` gets it, what to ask it, and the index of a position.
    fn search<R>(
        &mut self,
        look: &Look<'_>,
        is_left_out: &dyn Fn(usize) -> bool,
        search: impl FnOnce(&Rooms, &Ask, &dyn Fn(usize) -> bool, &[usize]) -> R,
    ) -> R {
        let ask = Ask::new(&self.kinds, look.room, look.need, look.footprint);
        self.pool(look.selector);
        let list = &self.list;
        let fits = |index: usize| list[index].holds(look) && !is_left_out(index);
        if look.selector.is_empty() {
            return search(&self.all, &ask, &fits, &[]);
        }
        match self.selected.last() {
            Some(pool) => search(&pool.rooms, &ask, &|position| fits(pool.members[position]), &pool.members),
            None => search(&Rooms::default(), &ask, &fits, &[]),
        }
    }

    /// The fitting node with the lowest score, and of those the first.
    pub(super) fn least(&mut self, look: &Look<'_>) -> Option<(u8, usize)> {
        self.search(look, &|_| false, |rooms, ask, fits, members| {
            rooms.least(ask, &|position| fits(position)).map(|(score, position)| (score, index_of(members, position)))
        })
    }

    /// The first fitting node whose index is `from` or more.
    pub(super) fn first(&mut self, look: &Look<'_>, from: usize) -> Option<usize> {
        self.search(look, &|_| false, |rooms, ask, fits, members| {
            let from = if members.is_empty() { from } else { members.partition_point(|index| *index < from) };
            rooms.first(ask, from, &|position| fits(position)).map(|position| index_of(members, position))
        })
    }

    /// The fitting node with most cpus, then most memory, that is not left out.
    pub(super) fn roomiest(&mut self, look: &Look<'_>, is_left_out: &dyn Fn(usize) -> bool) -> Option<usize> {
        self.search(look, is_left_out, |rooms, ask, fits, members| {
            rooms.roomiest(ask, &|position| fits(position)).map(|position| index_of(members, position))
        })
    }

    /// The open nodes that a selector chooses, ascending.
    pub(super) fn chosen(&self, selector: &LabelSelector) -> impl Iterator<Item = usize> + '_ {
        let selector = selector.clone();
        let open = self.list.iter().enumerate().filter(|(_, node)| node.is_open());
        open.filter(move |(_, node)| selector.matches(&node.labels)).map(|(index, _)| index)
    }

    /// Whether the indexes say what the nodes say.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let (mut free, mut coming) = (Resources::default(), Resources::default());
        for node in self.list.iter().filter(|node| node.is_open()) {
            free.give(&node.available, 1);
            coming.give(&node.coming, 1);
        }
        assert_eq!((&self.free_sum, &self.coming_sum), (&free, &coming), "the sums of all open nodes");
        let live = self.list.iter().filter(|node| !node.is_dead()).count();
        assert_eq!(live + self.dead.len(), self.list.len(), "who is dead is listed so");
        assert_eq!(self.by_id.len(), live, "an id for each node that is not dead");
        for (id, index) in &self.by_id {
            assert!(self.list[*index].id == *id && !self.list[*index].is_dead(), "the index of {id}");
        }
        let fresh = Rooms::build(self.list.iter(), &self.kinds);
        assert!(self.all.agrees(&fresh), "the tree of all nodes is true");
        for pool in &self.selected {
            let chosen = (0..self.list.len()).filter(|index| pool.selector.matches(&self.list[*index].labels));
            assert_eq!(pool.members, chosen.collect::<Vec<_>>(), "the nodes with the labels {}", pool.selector);
            let fresh = Rooms::build(pool.members.iter().map(|index| &self.list[*index]), &self.kinds);
            assert!(pool.rooms.agrees(&fresh), "the tree of the labels {} is true", pool.selector);
        }
    }
}

fn index_of(members: &[usize], position: usize) -> usize {
    members.get(position).copied().unwrap_or(position)
}

impl Node {
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.life, NodeLife::Dead { .. })
    }

    /// Whether it takes new work.
    pub(super) fn is_open(&self) -> bool {
        self.life == NodeLife::Alive
    }

    /// Whether it has what is looked for; its labels are not looked at.
    pub(super) fn holds(&self, look: &Look<'_>) -> bool {
        let has_room = match look.room {
            Room::Free => self.available.fits(look.need) > 0,
            Room::Total => self.total.fits(look.need) > 0,
            Room::Promised => {
                let mut promised = self.available.clone();
                promised.give(&self.coming, 1);
                promised.fits(look.need) > 0
            }
        };
        has_room && self.is_open() && self.total.fits(look.footprint) > 0
    }
}
