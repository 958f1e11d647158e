//! How much of a node the work of its guests takes that no store and no sandbox counts, when last counted: unfinished
//! tasks, objects, and the small values that are with their owner. Guests ask before they add to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rayw_core::ownership::{Order, Ownership};
use rayw_core::{Error, ErrorKind, NodeId, ObjectId, Value, limits};
use rayw_engine::Backlog;

use crate::Node;

/// How often a guest that waits for the head looks whether it has caught up: about a round trip of a slow network.
const HEAD_BEHIND_PERIOD: Duration = Duration::from_millis(20);

/// Counted whenever the owner's machine has taken something in, and read without its lock.
#[derive(Debug, Default)]
pub(crate) struct Room {
    unfinished: AtomicUsize,
    objects: AtomicUsize,
    small_bytes: AtomicU64,
}

impl Room {
    pub(crate) fn count(&self, ownership: &Ownership) {
        self.unfinished.store(ownership.unfinished(), Ordering::Relaxed);
        self.objects.store(ownership.objects(), Ordering::Relaxed);
        self.small_bytes.store(ownership.small_bytes(), Ordering::Relaxed);
    }

    /// Why there is no room for so many more tasks and objects; `None` when there is.
    fn refusal(&self, tasks: usize, objects: usize, small_bytes_max: u64) -> Option<String> {
        let (tasks_max, objects_max) = (limits::TASKS_MAX, limits::OBJECTS_MAX);
        if self.unfinished.load(Ordering::Relaxed) + tasks > tasks_max {
            return Some(format!("{tasks_max} tasks are unfinished on this node: wait for some of them first"));
        }
        if self.objects.load(Ordering::Relaxed) + objects > objects_max {
            return Some(format!("{objects_max} objects are on this node: drop references to some of them first"));
        }
        if self.small_bytes.load(Ordering::Relaxed) > small_bytes_max {
            return Some(format!(
                "small values, arguments and references have more than {small_bytes_max} bytes on this node: wait for \
                 some tasks or drop references first, or give the object store more memory"
            ));
        }
        None
    }
}

/// Whether a value stays with its owner instead of in the store.
fn stays_small(value: &Value, has_room: bool) -> bool {
    is_tiny(value) || (value.data.len() <= limits::INLINE_BYTES_MAX && has_room)
}

/// With its references: they are what is large of a long list.
fn is_tiny(value: &Value) -> bool {
    value.size() <= limits::ALWAYS_INLINE_BYTES_MAX
}

/// The small values of one message, of which all together have a limit, too.
#[derive(Debug)]
pub(crate) struct Together {
    bytes: u64,
    owner: Owner,
}

/// Whose the values of a message are, and so who knows whether there is room for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Here,
    /// Another node, and what it said when it sent the order.
    Elsewhere {
        has_room: bool,
    },
}

impl Together {
    /// Those of somebody here.
    pub(crate) fn here() -> Self {
        Self { bytes: 0, owner: Owner::Here }
    }

    /// What is returned for an order that is carried out by this node.
    pub(crate) fn returns(order: &Order, here: NodeId) -> Self {
        let elsewhere = Owner::Elsewhere { has_room: !order.stores_returns };
        Self { bytes: 0, owner: if order.owner == here { Owner::Here } else { elsewhere } }
    }

    /// Whether there is room for another value, which has it then.
    fn take(&mut self, value: &Value) -> bool {
        let bytes = self.bytes + value.size();
        let has_room = bytes <= limits::INLINE_TOGETHER_BYTES_MAX || is_tiny(value);
        if has_room {
            self.bytes = bytes;
        }
        has_room
    }

    /// Whether they are so many that the owner shall have them before the guest sends more.
    pub(crate) fn are_heavy(&self) -> bool {
        self.bytes > limits::INLINE_BYTES_MAX as u64
    }
}

impl Node {
    /// Whether a value stays with its owner: small ones do, while all of them together have no more memory than the
    /// store. The rest goes to the store here, which has files for it. How much another node has it says with its
    /// orders: what is under way by then comes to it all the same.
    pub(crate) fn keeps_inline(&self, value: &Value, together: &mut Together) -> bool {
        let has_room = match together.owner {
            Owner::Here => self.room.small_bytes.load(Ordering::Relaxed) < self.store.bytes_max(),
            Owner::Elsewhere { has_room } => has_room,
        };
        stays_small(value, has_room) && together.take(value)
    }

    /// Whether whoever has that backlog may submit so many tasks, and make so many objects by that.
    ///
    /// # Errors
    /// `LimitExceeded` when there are too many, or small values have no room.
    pub(crate) fn admit(self: &Arc<Self>, backlog: &Arc<Backlog>, tasks: usize, objects: usize) -> Result<(), Error> {
        let small_bytes_max = self.store.bytes_max().saturating_mul(2).max(limits::SMALL_BYTES_AT_LEAST);
        if self.room.refusal(tasks, objects, small_bytes_max).is_none() {
            return Ok(());
        }
        // Some may have gone since they were last counted, by what this one did, too.
        self.take_in(backlog);
        self.take_in_offered();
        self.room.count(&self.lock().ownership);
        match self.room.refusal(tasks, objects, small_bytes_max) {
            None => Ok(()),
            Some(why) => Err(Error::new(ErrorKind::LimitExceeded, why)),
        }
    }

    /// Whether a guest may have a task cancelled. What it does in a loop without waiting for an answer would fill the link
    /// to the head, which is lost then with all that is on it.
    ///
    /// # Errors
    /// `LimitExceeded` while the head is far behind.
    pub(crate) fn admit_cancel(&self, object: ObjectId) -> Result<(), Error> {
        if !self.is_head_behind() {
            return Ok(());
        }
        let bytes = limits::GUESTS_UNCONFIRMED_BYTES_MAX;
        let message = format!(
            "the task of object `{object}` was not cancelled, because more than {bytes} bytes are on their way to the \
             head: try again when it has caught up"
        );
        Err(Error::new(ErrorKind::LimitExceeded, message))
    }

    /// The same for the ends of actors and groups, which cannot be refused: the guest waits on its thread until the head
    /// has caught up, or this node is taken down. Its thread must be one of several, where its other work goes on meanwhile.
    pub(crate) fn wait_for_head(&self) {
        if !self.is_head_behind() {
            return;
        }
        let caught_up = async {
            while self.is_head_behind() {
                tokio::time::sleep(HEAD_BEHIND_PERIOD).await;
            }
        };
        let waiting = self.ending.run_until_cancelled(caught_up);
        // What is said when this node is taken down is heard by nobody.
        let _ = tokio::task::block_in_place(|| self.control.block_on(waiting));
    }

    fn is_head_behind(&self) -> bool {
        self.head.unconfirmed_bytes() > limits::GUESTS_UNCONFIRMED_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rayw_core::{Codec, RefId};

    use super::*;

    #[test]
    fn small_values_stay_while_there_is_room_for_them() {
        let value = |bytes| Value { codec: Codec::Raw, data: Bytes::from(vec![0; bytes]), refs: Vec::new() };
        assert!(stays_small(&value(limits::INLINE_BYTES_MAX), true));
        assert!(!stays_small(&value(limits::INLINE_BYTES_MAX), false));
        assert!(!stays_small(&value(limits::INLINE_BYTES_MAX + 1), true));
        assert!(stays_small(&value(512), false));
        let mut list = value(0);
        list.refs = vec![RefId::Object(ObjectId([1; 20])); 1_000];
        assert!(!stays_small(&list, false), "its references are large");
    }

    #[test]
    fn a_node_without_room_says_what_there_is_too_much_of() {
        let room = Room::default();
        assert_eq!(room.refusal(limits::TASKS_MAX, limits::OBJECTS_MAX, 0), None);
        let why = room.refusal(limits::TASKS_MAX + 1, 0, 0).unwrap();
        assert_eq!(why, "2000000 tasks are unfinished on this node: wait for some of them first");
        let why = room.refusal(1, limits::OBJECTS_MAX + 1, 0).unwrap();
        assert_eq!(why, "10000000 objects are on this node: drop references to some of them first");
        room.small_bytes.store(101, Ordering::Relaxed);
        let why = room.refusal(1, 1, 100).unwrap();
        assert_eq!(
            why,
            "small values, arguments and references have more than 100 bytes on this node: wait for some tasks or drop \
             references first, or give the object store more memory"
        );
    }

    #[test]
    fn small_values_of_one_message_have_a_limit_together() {
        let value = |bytes| Value { codec: Codec::Raw, data: Bytes::from(vec![0; bytes]), refs: Vec::new() };
        let (small, tiny) = (value(limits::INLINE_BYTES_MAX), value(1));
        let mut together = Together::here();
        let taken = (0..200).filter(|_| together.take(&small)).count();
        assert_eq!(taken, 102, "100 KiB each, 10 MiB together");
        assert!(together.take(&tiny));
    }
}
