//! Objects that work needs are brought to its node: as in `host/node/src/fetch.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use rayw_core::ownership::{Event, Found, Input, LostCopy, Outcome, Stored, WaitFor};
use rayw_core::{NodeId, ObjectId, Value};

use crate::network::Addr;
use crate::node::{Ready, Role, Stage, WorkId};
use crate::scenario::MILLI;
use crate::world::{Happening, World};

/// What an attempt to bring an object here came to.
enum Brought {
    Here(Arc<Value>),
    Lost(Vec<NodeId>),
    Later,
}

impl World {
    /// The value of an input: from here, or from a node that has it.
    fn bring(&mut self, id: NodeId, input: &Input) -> Brought {
        let stored = match input {
            Input::Inline(value) => return Brought::Here(Arc::clone(value)),
            Input::Stored(stored) => stored.clone(),
        };
        let Some(node) = self.nodes.get(&id) else { return Brought::Later };
        if let Some(value) = node.store.get(&stored.object) {
            return Brought::Here(Arc::clone(value));
        }
        let Stored { object, owner, at, .. } = stored;
        let alive: Vec<NodeId> = at.iter().copied().filter(|node| *node != id).collect();
        let alive: Vec<NodeId> = alive
            .into_iter()
            .filter(|other| self.nodes.get(&id).is_some_and(|here| !here.dead.contains(other)))
            .collect();
        if alive.is_empty() {
            return Brought::Lost(at);
        }
        if self.random.chance(40) {
            return Brought::Later;
        }
        let mut is_unreachable = false;
        for other in &alive {
            let is_there = self.nodes.contains_key(other) && !self.is_cut(Addr::Node(id), Addr::Node(*other));
            if !is_there {
                is_unreachable = true;
                continue;
            }
            if let Some(value) = self.nodes.get(other).and_then(|other| other.store.get(&object)) {
                let value = Arc::clone(value);
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.store.insert(object, Arc::clone(&value));
                }
                self.tell(id, Event::Copied { object, owner });
                return Brought::Here(value);
            }
        }
        if is_unreachable {
            return Brought::Later;
        }
        if self.random.chance(5) {
            return Brought::Lost(Vec::new());
        }
        let mut missing = alive;
        missing.push(id);
        Brought::Lost(missing)
    }

    /// Brings the next input here.
    pub(crate) fn bring_inputs(
        &mut self,
        id: NodeId,
        work: WorkId,
        mut left: VecDeque<Input>,
        mut values: Vec<Arc<Value>>,
        mut lost: Vec<LostCopy>,
    ) {
        while let Some(input) = left.pop_front() {
            match self.bring(id, &input) {
                Brought::Here(value) => values.push(value),
                Brought::Lost(missing_at) => lost.extend(lost_copy(&input, missing_at)),
                Brought::Later => {
                    left.push_front(input);
                    let pause = self.random.between(1, 8) * MILLI;
                    self.stage(id, work, Stage::Inputs(left, values, lost));
                    return self.wake_after(id, work, pause);
                }
            }
        }
        if lost.is_empty() {
            return self.inputs_here(id, work, values);
        }
        let Some(known) = self.work(id, work) else { return };
        match &known.role {
            Role::Task(_) => self.task_ended(id, work, Outcome::ArgumentsLost(lost)),
            Role::Life { call: Some(_), .. } => self.call_ended(id, work, Outcome::ArgumentsLost(lost), None),
            Role::Life { .. } => self.constructor_lost(id, work, lost),
            Role::Driver(_) => {}
        }
    }

    pub(crate) fn bring_found(
        &mut self,
        id: NodeId,
        work: WorkId,
        objects: Vec<ObjectId>,
        mut left: VecDeque<Input>,
        mut values: Vec<Arc<Value>>,
        mut lost: Vec<LostCopy>,
    ) {
        while let Some(found) = left.pop_front() {
            match self.bring(id, &found) {
                Brought::Here(value) => values.push(value),
                Brought::Lost(missing_at) => lost.extend(lost_copy(&found, missing_at)),
                Brought::Later => {
                    left.push_front(found);
                    let pause = self.random.between(1, 8) * MILLI;
                    self.stage(id, work, Stage::Found(objects, left, values, lost));
                    return self.wake_after(id, work, pause);
                }
            }
        }
        if lost.is_empty() {
            self.check_values(id, &objects, &values);
            self.stage(id, work, Stage::Ready(Ready::Values(values)));
            return self.go_on_now(id, work);
        }
        self.tell(id, Event::CopiesMissing(lost));
        self.start_wait(id, work, objects, WaitFor::Values, None);
    }

    /// Brings a primary copy of an object of this node here.
    pub(crate) fn move_here(&mut self, id: NodeId, stored: Stored) {
        let object = stored.object;
        match self.bring(id, &Input::Stored(stored.clone())) {
            Brought::Here(_) => self.tell(id, Event::Moved(object)),
            Brought::Later => self.after(2 * MILLI, Happening::Move(id, stored)),
            Brought::Lost(missing_at) => {
                self.tell(id, Event::CopiesMissing(vec![LostCopy { object, missing_at }]));
                if let Some(Found::Stored(stored)) = self.nodes.get(&id).and_then(|node| node.ownership.found(object)) {
                    self.after(2 * MILLI, Happening::Move(id, *stored));
                }
            }
        }
    }

    /// Without a pause in which the values' references could go.
    fn go_on_now(&mut self, id: NodeId, work: WorkId) {
        self.poll(id, work);
    }
}

fn lost_copy(input: &Input, missing_at: Vec<NodeId>) -> Option<LostCopy> {
    crate::node::stored_of(input).map(|stored| LostCopy { object: stored.object, missing_at })
}
