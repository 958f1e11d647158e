//! Messages that must not leave before what they tell of is safe, and those behind them.
//!
//! A node hears messages in order: one that waits holds up those that follow to
//! the same node, and no other. Leases are never journalled and are no promise,
//! so they wait only behind a promise to the same node, for one commit.

use std::collections::VecDeque;

use crate::message::FromHead;
use crate::{IdMap, NodeId};

/// What waits for the journal.
#[derive(Debug, Default)]
pub struct Promises {
    held: IdMap<NodeId, VecDeque<Held>>,
    /// How many messages that came in were handled when the journal was so far, in order.
    handled: VecDeque<(u64, u64)>,
}

#[derive(Debug)]
struct Held {
    message: FromHead,
    /// How far the journal must be.
    needs: u64,
}

impl Promises {
    /// Keeps a message back that must wait, because of what it promises or behind another one. `last` is
    /// how far the journal was asked to be, `safe` how far it is.
    #[must_use]
    pub fn unless_held(&mut self, to: NodeId, message: FromHead, last: u64, safe: u64) -> Option<FromHead> {
        let must_wait = safe < last && message.is_promise();
        if !must_wait && !self.held.contains_key(&to) {
            return Some(message);
        }
        let needs = if must_wait { last } else { 0 };
        self.held.entry(to).or_default().push_back(Held { message, needs });
        None
    }

    /// What may go out now that the journal is so far, in order for each node.
    #[must_use]
    pub fn release(&mut self, safe: u64) -> Vec<(NodeId, FromHead)> {
        let mut released = Vec::new();
        self.held.retain(|node, held| {
            while let Some(first) = held.pop_front_if(|first| first.needs <= safe) {
                released.push((*node, first.message));
            }
            !held.is_empty()
        });
        released
    }

    /// So many messages are handled, and the journal was asked to be so far by then.
    pub fn handled(&mut self, count: u64, last: u64) {
        self.handled.push_back((count, last));
    }

    /// How many messages are settled now that the journal is so far, if that is news.
    #[must_use]
    pub fn settled(&mut self, safe: u64) -> Option<u64> {
        let mut settled = None;
        while let Some((count, _)) = self.handled.pop_front_if(|(_, last)| *last <= safe) {
            settled = Some(count);
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JobId;

    const A: NodeId = NodeId([1; 16]);
    const B: NodeId = NodeId([2; 16]);

    fn promise(number: u32) -> FromHead {
        FromHead::JobEnded { job: JobId::numbered(number) }
    }

    #[test]
    fn a_promise_waits_and_holds_up_what_follows_to_the_same_node() {
        let mut promises = Promises::default();
        assert_eq!(promises.unless_held(A, promise(1), 1, 1), Some(promise(1)), "it is safe already");
        assert_eq!(promises.unless_held(A, promise(2), 2, 1), None);
        assert_eq!(promises.unless_held(A, FromHead::NodeLeave { at_once: true }, 2, 1), None);
        assert_eq!(
            promises.unless_held(B, FromHead::NodeLeave { at_once: true }, 2, 1),
            Some(FromHead::NodeLeave { at_once: true })
        );
        assert_eq!(promises.unless_held(A, promise(3), 3, 1), None);
        assert!(promises.release(1).is_empty());
        assert_eq!(promises.release(2), [(A, promise(2)), (A, FromHead::NodeLeave { at_once: true })]);
        assert_eq!(promises.release(3), [(A, promise(3))]);
        assert_eq!(
            promises.unless_held(A, FromHead::NodeLeave { at_once: true }, 3, 3),
            Some(FromHead::NodeLeave { at_once: true })
        );
    }

    #[test]
    fn what_came_in_is_settled_in_order() {
        let mut promises = Promises::default();
        promises.handled(3, 1);
        promises.handled(5, 1);
        promises.handled(6, 2);
        assert_eq!((promises.settled(0), promises.settled(1), promises.settled(1)), (None, Some(5), None));
        assert_eq!(promises.settled(2), Some(6));
    }
}
