//! What the head sees of a node.

use std::sync::Arc;

use rayw_core::message::{FromHead, NodeLink};

use crate::Node;

/// The head's end of the link to a node in the same process.
#[derive(Debug)]
pub(crate) struct LocalLink(pub(crate) Arc<Node>);

impl Node {
    /// The link that the head needs.
    #[must_use]
    pub fn link(self: &Arc<Self>) -> Arc<dyn NodeLink> {
        Arc::new(LocalLink(Arc::clone(self)))
    }
}

impl NodeLink for LocalLink {
    fn deliver(&self, message: FromHead) {
        self.0.deliver_message(message);
    }
}
