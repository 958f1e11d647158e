//! The types of `rayw:core/groups`.

use rayw_core::GroupStatus;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::place::{Label, labels};
use super::{ResourceAmount, amounts, resource_amounts};

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum GroupStrategy {
    #[component(name = "pack")]
    Pack,
    #[component(name = "spread")]
    Spread,
    #[component(name = "strict-pack")]
    StrictPack,
    #[component(name = "strict-spread")]
    StrictSpread,
}

impl From<GroupStrategy> for rayw_core::GroupStrategy {
    fn from(strategy: GroupStrategy) -> Self {
        match strategy {
            GroupStrategy::Pack => Self::Pack,
            GroupStrategy::Spread => Self::Spread,
            GroupStrategy::StrictPack => Self::StrictPack,
            GroupStrategy::StrictSpread => Self::StrictSpread,
        }
    }
}

impl From<rayw_core::GroupStrategy> for GroupStrategy {
    fn from(strategy: rayw_core::GroupStrategy) -> Self {
        match strategy {
            rayw_core::GroupStrategy::Pack => Self::Pack,
            rayw_core::GroupStrategy::Spread => Self::Spread,
            rayw_core::GroupStrategy::StrictPack => Self::StrictPack,
            rayw_core::GroupStrategy::StrictSpread => Self::StrictSpread,
        }
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Bundle {
    #[component(name = "num-cpus")]
    num_cpus: Option<f64>,
    memory: Option<u64>,
    resources: Vec<ResourceAmount>,
    #[component(name = "label-selector")]
    label_selector: Vec<Label>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct GroupOptions {
    name: Option<String>,
    namespace: Option<String>,
    strategy: GroupStrategy,
    bundles: Vec<Bundle>,
    detached: bool,
}

impl From<GroupOptions> for rayw_core::GroupOptions {
    fn from(options: GroupOptions) -> Self {
        let bundle = |bundle: Bundle| rayw_core::BundleOptions {
            num_cpus: bundle.num_cpus,
            memory: bundle.memory,
            resources: amounts(bundle.resources),
            label_selector: labels(bundle.label_selector),
        };
        Self {
            name: options.name,
            namespace: options.namespace,
            strategy: options.strategy.into(),
            bundles: options.bundles.into_iter().map(bundle).collect(),
            detached: options.detached,
        }
    }
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum GroupState {
    #[component(name = "pending")]
    Pending,
    #[component(name = "created")]
    Created,
    #[component(name = "rescheduling")]
    Rescheduling,
    #[component(name = "removed")]
    Removed,
}

impl From<rayw_core::GroupState> for GroupState {
    fn from(state: rayw_core::GroupState) -> Self {
        match state {
            rayw_core::GroupState::Pending => Self::Pending,
            rayw_core::GroupState::Created => Self::Created,
            rayw_core::GroupState::Rescheduling => Self::Rescheduling,
            rayw_core::GroupState::Removed => Self::Removed,
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct BundlePlace {
    resources: Vec<ResourceAmount>,
    #[component(name = "node-id")]
    node_id: Option<String>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct GroupTable {
    id: String,
    name: Option<String>,
    strategy: GroupStrategy,
    state: GroupState,
    bundles: Vec<BundlePlace>,
    why: String,
}

impl From<GroupStatus> for GroupTable {
    fn from(status: GroupStatus) -> Self {
        let places = status.spec.bundles.iter().zip(&status.nodes);
        let bundles = places.map(|(bundle, node)| BundlePlace {
            resources: resource_amounts(&bundle.resources),
            node_id: node.map(|node| node.to_string()),
        });
        Self {
            id: status.spec.id.to_string(),
            name: status.spec.name.as_deref().map(str::to_owned),
            strategy: status.spec.strategy.into(),
            state: status.state.into(),
            bundles: bundles.collect(),
            why: status.why,
        }
    }
}
