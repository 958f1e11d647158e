//! Where work may run: strategies, labels, places in groups.

use rayw_core::{Error, ErrorKind, NodeId, Strategy};
use wasmtime::component::{ComponentType, Lift, Lower, Resource};

use crate::reference::GroupHandle;

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Label {
    pub(crate) key: String,
    pub(crate) value: String,
}

pub(super) fn labels(labels: Vec<Label>) -> Vec<(String, String)> {
    labels.into_iter().map(|label| (label.key, label.value)).collect()
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct NodeAffinity {
    #[component(name = "node-id")]
    node_id: String,
    soft: bool,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum SchedulingStrategy {
    #[component(name = "default")]
    Default,
    #[component(name = "spread")]
    Spread,
    #[component(name = "node-affinity")]
    NodeAffinity(NodeAffinity),
}

pub(super) fn strategy(strategy: Option<SchedulingStrategy>) -> Result<Option<Strategy>, Error> {
    Ok(match strategy {
        None => None,
        Some(SchedulingStrategy::Default) => Some(Strategy::Default),
        Some(SchedulingStrategy::Spread) => Some(Strategy::Spread),
        Some(SchedulingStrategy::NodeAffinity(NodeAffinity { node_id, soft })) => {
            let node: NodeId = node_id
                .parse()
                .map_err(|why| Error::new(ErrorKind::InvalidArgument, format!("`node_affinity`: {why}")))?;
            Some(Strategy::NodeAffinity { node, soft })
        }
    })
}

/// A place in a group; what is borrowed leads to an id in the guest's references.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct GroupPlace {
    pub(crate) group: Resource<GroupHandle>,
    #[component(name = "bundle-index")]
    pub(crate) bundle_index: Option<u32>,
    #[component(name = "capture-child-tasks")]
    pub(crate) capture_child_tasks: bool,
}
