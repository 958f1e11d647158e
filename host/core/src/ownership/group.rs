//! Placement groups as those see them who wait for them.
//!
//! An entry begins with the first object that waits for a group, and ends with the group: the head
//! tells whoever watches. An object that nobody refers to any more waits no longer.

use std::sync::Arc;

use bytes::Bytes;

use super::{Command, Output, Ownership};
use crate::message::ToHead;
use crate::{Codec, Error, ErrorKind, GroupId, GroupState, IdMap, IdSet, ObjectId, Value, limits};

/// The groups that somebody here watches, and what waits for them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    entries: IdMap<GroupId, GroupEntry>,
    /// Which group an object waits for.
    waiting: IdMap<ObjectId, GroupId>,
}

/// A group that somebody here watches.
#[derive(Debug, Default)]
struct GroupEntry {
    /// How it is, as far as it was told.
    state: Option<GroupState>,
    /// Objects that are ready when it is created.
    waiting: IdSet<ObjectId>,
}

/// MessagePack's nil.
const NIL: &[u8] = &[0xc0];

impl Ownership {
    /// Whether one more object may wait for a group.
    ///
    /// # Errors
    /// `LimitExceeded` when [`limits::GROUP_WAITERS_MAX`] wait already.
    pub fn admit_ready(&self, group: GroupId) -> Result<(), Error> {
        let waiting = self.groups.waiting.len();
        if waiting < limits::GROUP_WAITERS_MAX {
            return Ok(());
        }
        let message = format!(
            "{waiting} objects wait for placement groups already: ask once whether `{group}` is ready, and keep the answer"
        );
        Err(Error::new(ErrorKind::LimitExceeded, message))
    }

    /// Groups that are watched here.
    #[must_use]
    pub fn watched_groups(&self) -> usize {
        self.groups.entries.len()
    }

    pub(super) fn group_ready(&mut self, group: GroupId, object: ObjectId, out: &mut Vec<Command>) {
        self.expect_object(object);
        let node = self.node;
        let entry = self.groups.entries.entry(group).or_insert_with(|| {
            out.push(Command::to_head(ToHead::GroupWatch { node, group }));
            GroupEntry::default()
        });
        if entry.state == Some(GroupState::Created) {
            return self.settle(object, ready(), out);
        }
        entry.waiting.insert(object);
        self.groups.waiting.insert(object, group);
    }

    /// Nobody refers to an object any more that is not settled.
    pub(super) fn group_not_awaited(&mut self, object: ObjectId) {
        let group = self.groups.waiting.remove(&object);
        if let Some(entry) = group.and_then(|group| self.groups.entries.get_mut(&group)) {
            entry.waiting.remove(&object);
        }
    }

    pub(super) fn group_changed(&mut self, group: GroupId, state: GroupState, why: &str, out: &mut Vec<Command>) {
        // Nobody here watches it any more, or a message is late.
        let Some(entry) = self.groups.entries.get_mut(&group) else { return };
        entry.state = Some(state);
        let waiting = match state {
            GroupState::Pending | GroupState::Rescheduling => return,
            GroupState::Created => std::mem::take(&mut entry.waiting),
            GroupState::Removed => self.groups.entries.remove(&group).unwrap_or_default().waiting,
        };
        let mut waiting: Vec<ObjectId> = waiting.into_iter().collect();
        waiting.sort_unstable();
        for object in waiting {
            self.groups.waiting.remove(&object);
            let output = if state == GroupState::Created { ready() } else { removed(group, why) };
            self.settle(object, output, out);
        }
    }

    /// What the head must be told again after it was away.
    pub(super) fn report_groups(&self) -> impl Iterator<Item = ToHead> {
        self.groups.entries.keys().map(|group| ToHead::GroupWatch { node: self.node, group: *group })
    }
}

fn ready() -> Output {
    Output::Inline(Arc::new(Value { codec: Codec::Msgpack, data: Bytes::from_static(NIL), refs: Vec::new() }))
}

fn removed(group: GroupId, why: &str) -> Output {
    Output::Failed(Error::group_removed(group, why))
}
