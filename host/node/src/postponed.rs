//! What other nodes asked for and get later, because much is on its way to them already: small values travel in
//! messages, and a link that more waits for than it may hold is lost with the node behind it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rayw_core::message::ToPeer;
use rayw_core::{NodeId, limits};

use crate::Node;

/// Questions in the order in which they came. They are short, and whoever asks has a reference for each.
#[derive(Default)]
pub(crate) struct Postponed(Mutex<VecDeque<(NodeId, ToPeer)>>);

impl Postponed {
    fn add(&self, from: NodeId, question: ToPeer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((from, question));
    }

    fn take(&self) -> VecDeque<(NodeId, ToPeer)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Node {
    /// Whether a question has to wait, which is kept then.
    pub(crate) fn postpones(&self, from: NodeId, message: &ToPeer) -> bool {
        let waits = matches!(message, ToPeer::Wanted { .. })
            && self.network.unconfirmed_bytes(from) > limits::PEER_UNCONFIRMED_BYTES_MAX;
        if waits {
            self.postponed.add(from, message.clone());
        }
        waits
    }

    /// Answers what was postponed, as far as there is room now.
    pub(crate) fn answer_postponed(self: &Arc<Self>) {
        for (from, question) in self.postponed.take() {
            self.peer_said(from, question);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[tokio::test]
    async fn who_is_far_behind_gets_what_it_asked_for_later() {
        let (head, network) = (Arc::default(), Arc::<sample::Elsewhere>::default());
        let node = sample::node(&head, &network);
        let other = NodeId([1; 16]);
        let is_answer = |message: &ToPeer| matches!(message, ToPeer::Settled { .. });
        let object = sample::task(1).id.output(0);
        network.is_behind_by(limits::PEER_UNCONFIRMED_BYTES_MAX + 1);
        node.peer_said(other, ToPeer::Wanted { object, missing_at: Vec::new() });
        node.answer_postponed();
        assert!(!network.was_told(is_answer), "there is no room");
        network.is_behind_by(0);
        node.answer_postponed();
        assert!(network.was_told(is_answer));
    }
}
