//! Placement groups: bundles of resources that are reserved together, all of them or none.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::contents;
use crate::error::{Error, ErrorKind, Result};
use crate::object::ObjectRef;
use crate::options::MemorySize;
use crate::runtime::groups;
use crate::runtime::types::{Label, PlacementGroup as Raw, ResourceAmount};
use crate::value;

/// A placement group: bundles of resources that are reserved together, all of them or none.
///
/// ```
/// use rayw::{Bundle, PlacementGroup, Strategy};
///
/// #[rayw::task]
/// fn work(part: u32) -> u32 {
///     part + 1
/// }
///
/// # fn main() -> rayw::Result<()> {
/// let group = PlacementGroup::new([Bundle::new().num_cpus(1), Bundle::new().num_cpus(1)], Strategy::Pack).create()?;
/// group.ready().get()?;                      // or `group.wait(Duration::from_secs(30))?`
/// let parts: Vec<_> = (0..2).map(|part| work::options().placement_group(&group).bundle(part).remote(part)).collect();
/// assert_eq!(rayw::get_all(parts)?, [1, 2]);
/// group.remove()?;
/// # Ok(())
/// # }
/// ```
///
/// The group ends with its job, or with the detached actor that created it, unless it is
/// [`detached`](PlacementGroupOptions::detached); or when somebody [removes](Self::remove) it. It
/// does not end with its last handle. Clones are handles to the same group, and a handle may be
/// put into any value.
#[derive(Clone)]
pub struct PlacementGroup {
    shared: Arc<Shared>,
}

struct Shared {
    raw: Raw,
    id: OnceLock<String>,
}

impl PlacementGroup {
    /// A group that is wanted; [`create`](PlacementGroupOptions::create) asks for it.
    #[expect(clippy::new_ret_no_self, reason = "a group is made by `create`, and this says what is wanted")]
    pub fn new(bundles: impl IntoIterator<Item = Bundle>, strategy: Strategy) -> PlacementGroupOptions {
        PlacementGroupOptions {
            bundles: bundles.into_iter().collect(),
            strategy,
            name: None,
            namespace: None,
            detached: false,
        }
    }

    /// The group of that name in the job's own namespace.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] when there is none.
    pub fn get(name: &str) -> Result<Self> {
        contents::settle();
        Ok(Self::from_raw(groups::get_named(name, None)?))
    }

    /// The group of that name in that namespace.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] when there is none.
    pub fn get_in(name: &str, namespace: &str) -> Result<Self> {
        contents::settle();
        Ok(Self::from_raw(groups::get_named(name, Some(namespace))?))
    }

    /// A reference that is ready when all bundles are reserved.
    ///
    /// It needs no resources, so it is ready even while the bundles are in full use. It fails with
    /// [`ErrorKind::PlacementGroupRemoved`] when the group is removed.
    pub fn ready(&self) -> ObjectRef<()> {
        contents::settle();
        match groups::ready(self.raw()) {
            Ok(object) => ObjectRef::new(object),
            Err(error) => ObjectRef::failed(error.into()),
        }
    }

    /// Waits until all bundles are reserved; false when the time is over before.
    /// [`table`](Self::table) says why it waits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PlacementGroupRemoved`] when the group is removed.
    pub fn wait(&self, timeout: Duration) -> Result<bool> {
        match self.ready().get_timeout(timeout) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::GetTimeout => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives all bundles back and ends what runs in them. Harmless when the group is gone.
    ///
    /// # Errors
    ///
    /// What the host says.
    pub fn remove(&self) -> Result<()> {
        contents::settle();
        Ok(groups::remove(self.raw())?)
    }

    /// How the group is right now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PlacementGroupRemoved`] when it was removed so long ago that nobody remembers.
    pub fn table(&self) -> Result<PlacementGroupTable> {
        contents::settle();
        let table = groups::table(self.raw())?;
        let bundle = |bundle: groups::BundlePlace| BundleTable {
            resources: bundle.resources.into_iter().map(|resource| (resource.name, resource.amount)).collect(),
            node_id: bundle.node_id,
        };
        Ok(PlacementGroupTable {
            id: table.id,
            name: table.name,
            strategy: table.strategy.into(),
            state: table.state.into(),
            bundles: table.bundles.into_iter().map(bundle).collect(),
            why: table.why,
        })
    }

    /// The id of the group, 32 hexadecimal digits: a name for people and logs.
    pub fn id(&self) -> &str {
        self.shared.id.get_or_init(|| self.raw().id())
    }

    pub(crate) fn from_raw(raw: Raw) -> Self {
        Self { shared: Arc::new(Shared { raw, id: OnceLock::new() }) }
    }

    pub(crate) fn raw(&self) -> &Raw {
        &self.shared.raw
    }
}

/// The placement group that the running code runs in.
pub fn current_placement_group() -> Option<PlacementGroup> {
    groups::current().map(PlacementGroup::from_raw)
}

impl PartialEq for PlacementGroup {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared) || self.id() == other.id()
    }
}

impl Eq for PlacementGroup {}

impl fmt::Debug for PlacementGroup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PlacementGroup({})", self.id())
    }
}

impl Serialize for PlacementGroup {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        value::serialize_group(self, serializer)
    }
}

impl<'de> Deserialize<'de> for PlacementGroup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        value::deserialize_group(deserializer)
    }
}

/// What is wanted of a placement group.
#[derive(Clone, Debug)]
#[must_use = "nothing is reserved until `.create()`"]
pub struct PlacementGroupOptions {
    bundles: Vec<Bundle>,
    strategy: Strategy,
    name: Option<String>,
    namespace: Option<String>,
    detached: bool,
}

impl PlacementGroupOptions {
    /// A name under which the group can be found, one of its kind in its namespace.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The namespace of the name; the job's own by default.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The group outlives its job and must be removed.
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// A label that the nodes of all bundles must have: `"v"`, `"!v"`, `"in(a,b)"` or `"!in(a,b)"`.
    pub fn label(mut self, key: impl Into<String>, selector: impl Into<String>) -> Self {
        let (key, selector) = (key.into(), selector.into());
        self.bundles = self.bundles.into_iter().map(|bundle| bundle.label(key.clone(), selector.clone())).collect();
        self
    }

    /// Asks for the group, and answers whether or not there is room for it now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for an empty bundle, an impossible amount, or a name that is taken.
    pub fn create(self) -> Result<PlacementGroup> {
        let bundles = self.bundles.into_iter().map(|bundle| bundle.options).collect::<Result<_>>()?;
        let options = groups::GroupOptions {
            name: self.name,
            namespace: self.namespace,
            strategy: self.strategy.into(),
            bundles,
            detached: self.detached,
        };
        contents::settle();
        Ok(PlacementGroup::from_raw(groups::create(&options)?))
    }
}

/// What a placement group reserves on one node.
#[derive(Clone, Debug)]
#[must_use = "a bundle is part of a group"]
pub struct Bundle {
    /// What is wrong with it is said when the group is created.
    options: Result<groups::Bundle>,
}

impl Bundle {
    /// A bundle of nothing yet; a group refuses it until something is in it.
    #[expect(clippy::new_without_default, reason = "an empty bundle is no use")]
    pub fn new() -> Self {
        let empty = groups::Bundle { num_cpus: None, memory: None, resources: Vec::new(), label_selector: Vec::new() };
        Self { options: Ok(empty) }
    }

    /// Logical cpus, in steps of 0.0001.
    pub fn num_cpus(self, num_cpus: impl Into<f64>) -> Self {
        self.with(|bundle| bundle.num_cpus = Some(num_cpus.into()))
    }

    /// Memory: bytes, or like `"64MiB"`.
    pub fn memory(mut self, memory: impl Into<MemorySize>) -> Self {
        match memory.into().bytes() {
            Ok(bytes) => self.with(|bundle| bundle.memory = Some(bytes)),
            Err(error) => {
                self.options = self.options.and(Err(error));
                self
            }
        }
    }

    /// An amount of a custom resource, in steps of 0.0001.
    pub fn resource(self, name: impl Into<String>, amount: impl Into<f64>) -> Self {
        self.with(|bundle| bundle.resources.push(ResourceAmount { name: name.into(), amount: amount.into() }))
    }

    /// A label that its node must have: `"v"`, `"!v"`, `"in(a,b)"` or `"!in(a,b)"`.
    pub fn label(self, key: impl Into<String>, selector: impl Into<String>) -> Self {
        self.with(|bundle| bundle.label_selector.push(Label { key: key.into(), value: selector.into() }))
    }

    fn with(mut self, change: impl FnOnce(&mut groups::Bundle)) -> Self {
        if let Ok(bundle) = &mut self.options {
            change(bundle);
        }
        self
    }
}

/// How the bundles of a group lie on the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// On as few nodes as can be.
    Pack,
    /// On as many nodes as can be.
    Spread,
    /// On one node.
    StrictPack,
    /// Each on a node of its own.
    StrictSpread,
}

impl From<Strategy> for groups::GroupStrategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Pack => Self::Pack,
            Strategy::Spread => Self::Spread,
            Strategy::StrictPack => Self::StrictPack,
            Strategy::StrictSpread => Self::StrictSpread,
        }
    }
}

impl From<groups::GroupStrategy> for Strategy {
    fn from(strategy: groups::GroupStrategy) -> Self {
        match strategy {
            groups::GroupStrategy::Pack => Self::Pack,
            groups::GroupStrategy::Spread => Self::Spread,
            groups::GroupStrategy::StrictPack => Self::StrictPack,
            groups::GroupStrategy::StrictSpread => Self::StrictSpread,
        }
    }
}

/// Where a placement group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlacementGroupState {
    /// Nothing is reserved: not all of it fits.
    Pending,
    /// All bundles are reserved.
    Created,
    /// A node was lost: its bundles wait for another one, the others stay.
    Rescheduling,
    /// Gone.
    Removed,
}

impl From<groups::GroupState> for PlacementGroupState {
    fn from(state: groups::GroupState) -> Self {
        match state {
            groups::GroupState::Pending => Self::Pending,
            groups::GroupState::Created => Self::Created,
            groups::GroupState::Rescheduling => Self::Rescheduling,
            groups::GroupState::Removed => Self::Removed,
        }
    }
}

/// A placement group as it is: what [`PlacementGroup::table`] answers with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlacementGroupTable {
    /// The id of the group.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// How its bundles lie.
    pub strategy: Strategy,
    /// How it is.
    pub state: PlacementGroupState,
    /// Its bundles.
    pub bundles: Vec<BundleTable>,
    /// Why it is not created; empty otherwise.
    pub why: String,
}

/// A bundle as it is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BundleTable {
    /// What it reserves: `CPU`, `memory` and custom resources.
    pub resources: BTreeMap<String, f64>,
    /// The node that has it, if one does.
    pub node_id: Option<String>,
}

/// Where one task or actor runs, as the builders of options gather it.
#[derive(Default)]
pub(crate) struct GroupPlace {
    group: Option<PlacementGroup>,
    bundle: Option<u32>,
    capture: bool,
}

impl GroupPlace {
    pub(crate) fn group(&mut self, group: &PlacementGroup) {
        self.group = Some(group.clone());
    }

    pub(crate) fn bundle(&mut self, index: u32) {
        self.bundle = Some(index);
    }

    pub(crate) fn capture(&mut self, capture: bool) {
        self.capture = capture;
    }

    /// As the contract has it.
    pub(crate) fn lower(&self) -> Result<Option<crate::runtime::types::GroupPlace<'_>>> {
        match &self.group {
            Some(group) => Ok(Some(crate::runtime::types::GroupPlace {
                group: group.raw(),
                bundle_index: self.bundle,
                capture_child_tasks: self.capture,
            })),
            None if self.bundle.is_some() || self.capture => Err(Error::invalid_argument(
                "`bundle` and `capture_child_tasks` say something of a placement group: \
                 say which one by `placement_group`",
            )),
            None => Ok(None),
        }
    }
}
