//! What nodes have free, in a tree: the best node for a need without looking at all of them.
//!
//! A binary tree whose leaves are the nodes of a pool, in order. Each cell knows the most of each
//! resource that any node below it has, and the lowest score; a search leaves out what cannot hold
//! the need or beat what it has found. Custom resources beyond the first [`KINDS_MAX`] are not in
//! the tree: the caller's exact test sees to them.

use super::Node;
use super::placement::score;
use crate::Resources;

/// Custom resources that the tree knows. Clusters name a few; 16 bytes a node and kind for each of three amounts.
pub(super) const KINDS_MAX: usize = 4;

/// The score of a cell without an open node.
const CLOSED: u8 = u8::MAX;

/// Cpus, memory, and the indexed custom resources.
type Amounts = [u64; 2 + KINDS_MAX];

/// The names of the custom resources that have a column.
#[derive(Debug, Default)]
pub(super) struct Kinds(Vec<String>);

impl Kinds {
    /// Whether a name of these is new and gets a column: every tree is to be built again.
    pub(super) fn learn(&mut self, total: &Resources) -> bool {
        let before = self.0.len();
        for (name, _) in total.custom() {
            if self.0.len() < KINDS_MAX && self.0.iter().all(|known| known != name) {
                self.0.push(name.to_owned());
            }
        }
        self.0.len() > before
    }

    fn amounts(&self, of: &Resources) -> Amounts {
        let mut amounts = [0; 2 + KINDS_MAX];
        amounts[0] = of.cpu.0;
        amounts[1] = of.memory;
        if of.custom().next().is_some() {
            for (place, name) in self.0.iter().enumerate() {
                amounts[2 + place] = of.custom_amount(name).0;
            }
        }
        amounts
    }
}

/// Which of a node's amounts a search is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// What is free now.
    Free,
    /// What is free, or asked back already.
    Promised,
    /// All of it.
    Total,
}

/// What a node must have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    room: Room,
    need: Amounts,
    footprint: Amounts,
}

impl Ask {
    pub(super) fn new(kinds: &Kinds, room: Room, need: &Resources, footprint: &Resources) -> Self {
        Self { room, need: kinds.amounts(need), footprint: kinds.amounts(footprint) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    free: Amounts,
    promised: Amounts,
    total: Amounts,
    score: u8,
}

const EMPTY: Cell =
    Cell { free: [0; 2 + KINDS_MAX], promised: [0; 2 + KINDS_MAX], total: [0; 2 + KINDS_MAX], score: CLOSED };

impl Cell {
    fn of(node: &Node, kinds: &Kinds) -> Self {
        let free = kinds.amounts(&node.available);
        let mut promised = free;
        if !node.coming.is_empty() {
            promised.iter_mut().zip(kinds.amounts(&node.coming)).for_each(|(sum, more)| *sum += more);
        }
        let score = u8::try_from(score(&node.total, &node.available)).unwrap_or(100);
        Self { free, promised, total: kinds.amounts(&node.total), score }
    }

    fn above(left: &Self, right: &Self) -> Self {
        let most = |left: &Amounts, right: &Amounts| std::array::from_fn(|kind| left[kind].max(right[kind]));
        Self {
            free: most(&left.free, &right.free),
            promised: most(&left.promised, &right.promised),
            total: most(&left.total, &right.total),
            score: left.score.min(right.score),
        }
    }

    fn room(&self, room: Room) -> &Amounts {
        match room {
            Room::Free => &self.free,
            Room::Promised => &self.promised,
            Room::Total => &self.total,
        }
    }

    fn may_hold(&self, ask: &Ask) -> bool {
        let covers = |have: &Amounts, want: &Amounts| have.iter().zip(want).all(|(have, want)| have >= want);
        self.score != CLOSED && covers(self.room(ask.room), &ask.need) && covers(&self.total, &ask.footprint)
    }
}

/// The tree over the nodes of a pool, by their positions in it.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// The root is 1, the children of `i` are `2i` and `2i + 1`, the leaves are the last half.
    cells: Vec<Cell>,
}

impl Rooms {
    /// A tree of these nodes; one that is closed to new work has no room.
    pub(super) fn build<'a>(nodes: impl ExactSizeIterator<Item = &'a Node>, kinds: &Kinds) -> Self {
        let leaves = nodes.len().next_power_of_two();
        let mut cells = vec![EMPTY; 2 * leaves];
        for (position, node) in nodes.enumerate() {
            if node.is_open() {
                cells[leaves + position] = Cell::of(node, kinds);
            }
        }
        for place in (1..leaves).rev() {
            cells[place] = Cell::above(&cells[2 * place], &cells[2 * place + 1]);
        }
        Self { cells }
    }

    fn leaves(&self) -> usize {
        self.cells.len() / 2
    }

    /// Whether there is a leaf for that position.
    pub(super) fn has(&self, position: usize) -> bool {
        position < self.leaves()
    }

    /// Takes over what a node has now.
    pub(super) fn set(&mut self, position: usize, node: &Node, kinds: &Kinds) {
        let mut place = self.leaves() + position;
        self.cells[place] = if node.is_open() { Cell::of(node, kinds) } else { EMPTY };
        while place > 1 {
            place /= 2;
            self.cells[place] = Cell::above(&self.cells[2 * place], &self.cells[2 * place + 1]);
        }
    }

    /// The fitting node with the lowest score, and of those the first; its score too.
    pub(super) fn least(&self, ask: &Ask, fits: &impl Fn(usize) -> bool) -> Option<(u8, usize)> {
        let mut best = None;
        if !self.cells.is_empty() {
            self.least_below(1, 0, self.leaves(), ask, fits, &mut best);
        }
        best
    }

    fn least_below(
        &self,
        place: usize,
        start: usize,
        width: usize,
        ask: &Ask,
        fits: &impl Fn(usize) -> bool,
        best: &mut Option<(u8, usize)>,
    ) {
        let cell = &self.cells[place];
        if best.is_some_and(|best| (cell.score, start) >= best) || !cell.may_hold(ask) {
            return;
        }
        if width == 1 {
            if fits(start) {
                *best = Some((cell.score, start));
            }
            return;
        }
        let half = width / 2;
        let (left, right) = ((2 * place, start), (2 * place + 1, start + half));
        let is_right_better = self.cells[right.0].score < self.cells[left.0].score;
        let order = if is_right_better { [right, left] } else { [left, right] };
        for (child, start) in order {
            self.least_below(child, start, half, ask, fits, best);
        }
    }

    /// The first fitting node at `from` or after it.
    pub(super) fn first(&self, ask: &Ask, from: usize, fits: &impl Fn(usize) -> bool) -> Option<usize> {
        if self.cells.is_empty() { None } else { self.first_below(1, 0, self.leaves(), ask, from, fits) }
    }

    fn first_below(
        &self,
        place: usize,
        start: usize,
        width: usize,
        ask: &Ask,
        from: usize,
        fits: &impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if start + width <= from || !self.cells[place].may_hold(ask) {
            return None;
        }
        if width == 1 {
            return fits(start).then_some(start);
        }
        let half = width / 2;
        self.first_below(2 * place, start, half, ask, from, fits)
            .or_else(|| self.first_below(2 * place + 1, start + half, half, ask, from, fits))
    }

    /// The fitting node with most cpus, then most memory, of the amounts asked about; of equal ones the first.
    pub(super) fn roomiest(&self, ask: &Ask, fits: &impl Fn(usize) -> bool) -> Option<usize> {
        let mut best = None;
        if !self.cells.is_empty() {
            self.roomiest_below(1, 0, self.leaves(), ask, fits, &mut best);
        }
        best.map(|(_, std::cmp::Reverse(position))| position)
    }

    fn roomiest_below(
        &self,
        place: usize,
        start: usize,
        width: usize,
        ask: &Ask,
        fits: &impl Fn(usize) -> bool,
        best: &mut Option<((u64, u64), std::cmp::Reverse<usize>)>,
    ) {
        let size = |place: usize| {
            let room = self.cells[place].room(ask.room);
            (room[0], room[1])
        };
        let bound = (size(place), std::cmp::Reverse(start));
        if best.is_some_and(|best| bound <= best) || !self.cells[place].may_hold(ask) {
            return;
        }
        if width == 1 {
            if fits(start) {
                *best = Some(bound);
            }
            return;
        }
        let half = width / 2;
        let (left, right) = ((2 * place, start), (2 * place + 1, start + half));
        let order = if size(right.0) > size(left.0) { [right, left] } else { [left, right] };
        for (child, start) in order {
            self.roomiest_below(child, start, half, ask, fits, best);
        }
    }

    /// Whether both say the same of every node.
    #[cfg(test)]
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let shown = |rooms: &Self| rooms.cells.iter().map(|cell| format!("{cell:?}")).collect::<Vec<_>>();
        let (mine, theirs) = (shown(self), shown(other));
        // A tree that was made for more nodes than there are has empty leaves at its end.
        mine == theirs || self.leaves() > other.leaves()
    }
}
