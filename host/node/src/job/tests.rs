//! Jobs that are on their way here when the node is taken down.

use std::sync::Arc;

use rayw_core::message::{ToHead, ToPeer};
use rayw_core::{ComponentDigest, JobId, JobSpec, JobState, NodeId};

use crate::sample;

const OTHER: NodeId = NodeId([1; 16]);

#[tokio::test]
async fn a_node_that_is_taken_down_waits_for_no_job_that_has_yet_to_come() {
    let (head, network) = (Arc::default(), Arc::default());
    let node = sample::node(&head, &network);
    node.start_driver(Arc::new(JobSpec::new(JobId::numbered(2), ComponentDigest([0; 32]), "app.wasm", "")));
    network.is_asked().await;
    let order = sample::order(sample::task(1));
    node.peer_said(OTHER, ToPeer::Run { order, refs: Vec::new(), behind: None });
    head.hears(|message| matches!(message, ToHead::JobWanted { .. })).await;

    assert!(node.drain().await, "what runs here is gone in time");
    let stopped = |message: &ToHead| matches!(message, ToHead::JobEnded { state: JobState::Stopped, .. });
    assert!(head.has(stopped));
    let finished = |message: &ToPeer| matches!(message, ToPeer::Finished { .. });
    assert!(!network.was_told(finished), "the task is to be tried elsewhere");
}
