//! Placement groups as those see them who wait for them.

use std::sync::Arc;

use bytes::Bytes;

use super::{Command, Output, Ownership};
use crate::message::ToHead;
use crate::{Codec, Error, ErrorKind, GroupId, GroupState, NodeId, ObjectId, Value};

/// A group that somebody here watches.
#[derive(Debug, Default)]
pub(super) struct GroupEntry {
    view: Option<GroupView>,
    /// Objects that are ready when it is created.
    waiting: Vec<ObjectId>,
}

/// How a group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// How it is.
    pub state: GroupState,
    /// The nodes of its bundles, as far as they have one.
    pub nodes: Vec<Option<NodeId>>,
    /// Why it is not created; empty otherwise.
    pub why: String,
}

/// MessagePack's nil.
const NIL: &[u8] = &[0xc0];

impl Ownership {
    /// How a group is, as far as it was told; `None` when nobody here watches it.
    #[must_use]
    pub fn group(&self, group: GroupId) -> Option<&GroupView> {
        self.groups.get(&group)?.view.as_ref()
    }

    pub(super) fn group_ready(&mut self, group: GroupId, object: ObjectId, out: &mut Vec<Command>) {
        self.expect_object(object);
        let node = self.node;
        let entry = self.groups.entry(group).or_insert_with(|| {
            out.push(Command::to_head(ToHead::GroupWatch { node, group }));
            GroupEntry::default()
        });
        match entry.view.as_ref().map(|view| view.state) {
            Some(GroupState::Created) => self.settle(object, ready(), out),
            Some(GroupState::Removed) => self.settle(object, removed(group), out),
            Some(GroupState::Pending | GroupState::Rescheduling) | None => entry.waiting.push(object),
        }
    }

    pub(super) fn group_changed(&mut self, group: GroupId, view: GroupView, out: &mut Vec<Command>) {
        let entry = self.groups.entry(group).or_default();
        let state = view.state;
        entry.view = Some(view);
        let waiting = match state {
            GroupState::Created | GroupState::Removed => std::mem::take(&mut entry.waiting),
            GroupState::Pending | GroupState::Rescheduling => return,
        };
        for object in waiting {
            let output = if state == GroupState::Created { ready() } else { removed(group) };
            self.settle(object, output, out);
        }
    }

    pub(super) fn watched_groups(&self) -> impl Iterator<Item = GroupId> {
        self.groups.keys().copied()
    }
}

fn ready() -> Output {
    Output::Inline(Arc::new(Value { codec: Codec::Msgpack, data: Bytes::from_static(NIL), refs: Vec::new() }))
}

fn removed(group: GroupId) -> Output {
    let message = format!("placement group `{group}` was removed: create another one");
    Output::Failed(Box::new(Error::new(ErrorKind::PlacementGroupRemoved, message)))
}
