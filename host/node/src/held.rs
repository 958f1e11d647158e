//! References that a future holds for as long as it lives.

use std::sync::Arc;

use rayw_core::RefId;
use rayw_core::ownership::Event;
use rayw_engine::Backlog;

use crate::Node;

/// Counted references that are given back when this is dropped: at the end of what needed them, and also
/// where that is dropped before its end, because its job was stopped.
#[must_use]
pub(crate) struct HeldRefs {
    node: Arc<Node>,
    /// Where the events may be that counted them; they are taken in first.
    backlog: Arc<Backlog>,
    refs: Vec<RefId>,
}

impl HeldRefs {
    pub(crate) fn new(node: &Arc<Node>, backlog: &Arc<Backlog>, refs: Vec<RefId>) -> Self {
        Self { node: Arc::clone(node), backlog: Arc::clone(backlog), refs }
    }
}

impl Drop for HeldRefs {
    fn drop(&mut self) {
        if !self.refs.is_empty() {
            self.node.take_in(&self.backlog);
            self.node.handle(Event::Released(std::mem::take(&mut self.refs)));
        }
    }
}
