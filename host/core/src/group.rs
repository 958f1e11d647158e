//! Placement groups: bundles of resources that are reserved together.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Amount, Error, ErrorKind, GroupId, JobId, LabelSelector, NodeId, Resources, TaskId, check_name, limits,
    resources_of,
};

/// How the bundles of a group lie on the nodes; the names and the meaning are Ray's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GroupStrategy {
    /// On as few nodes as can be.
    #[default]
    Pack,
    /// On as many nodes as can be.
    Spread,
    /// On one node.
    StrictPack,
    /// Each on a node of its own.
    StrictSpread,
}

impl GroupStrategy {
    /// Ray's name of the strategy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pack => "PACK",
            Self::Spread => "SPREAD",
            Self::StrictPack => "STRICT_PACK",
            Self::StrictSpread => "STRICT_SPREAD",
        }
    }
}

/// A placement group as somebody asked for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupOptions {
    /// Name, unique in its namespace.
    pub name: Option<String>,
    /// Namespace; the job's own by default.
    pub namespace: Option<String>,
    /// How its bundles lie.
    pub strategy: GroupStrategy,
    /// What each bundle reserves.
    pub bundles: Vec<BundleOptions>,
    /// Outlives its job.
    pub detached: bool,
}

/// A bundle as somebody asked for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BundleOptions {
    /// Logical cpus; none by default.
    pub num_cpus: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Custom resources.
    pub resources: Vec<(String, f64)>,
    /// Labels that its node must have: key and Ray's selector, such as `in(a,b)`.
    pub label_selector: Vec<(String, String)>,
}

/// Who creates a group.
#[derive(Debug, Clone)]
pub struct GroupCreator {
    /// Its job.
    pub job: JobId,
    /// The task: a driver, a task, or an actor's creation.
    pub task: TaskId,
    /// The namespace that its names live in.
    pub namespace: Arc<str>,
}

impl GroupOptions {
    /// Settles what was asked for.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty bundle, an impossible amount or a selector that cannot be read,
    /// `LimitExceeded` for too many bundles.
    pub fn settle(self, id: GroupId, creator: GroupCreator) -> Result<GroupSpec, Error> {
        check_name("a placement group", self.name.as_deref().unwrap_or_default())?;
        check_name("a namespace", self.namespace.as_deref().unwrap_or_default())?;
        let named =
            self.name.as_ref().map_or_else(|| "placement group".to_owned(), |name| format!("placement group `{name}`"));
        let bundle = |(index, bundle): (usize, BundleOptions)| {
            let settled = bundle.settle();
            settled.map_err(|mut error| {
                error.message = format!("bundle {index} of the {named}: {}", error.message);
                error
            })
        };
        let spec = GroupSpec {
            id,
            name: self.name.as_deref().map(Arc::from),
            namespace: self.namespace.as_deref().map_or(creator.namespace, Arc::from),
            strategy: self.strategy,
            bundles: self.bundles.into_iter().enumerate().map(bundle).collect::<Result<_, _>>()?,
            detached: self.detached,
            job: creator.job,
            creator: creator.task,
        };
        spec.check()?;
        Ok(spec)
    }
}

impl BundleOptions {
    fn settle(self) -> Result<BundleSpec, Error> {
        let pairs = self.label_selector.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        Ok(BundleSpec {
            resources: resources_of(self.num_cpus, Amount::ZERO, self.memory, &self.resources)?,
            selector: LabelSelector::parse(pairs)?,
        })
    }
}

/// A bundle, all settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BundleSpec {
    /// What it reserves.
    pub resources: Resources,
    /// Labels that its node must have.
    pub selector: LabelSelector,
}

/// A placement group, all settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its id.
    pub id: GroupId,
    /// Its name, unique in its namespace.
    pub name: Option<Arc<str>>,
    /// The namespace that `name` lives in.
    pub namespace: Arc<str>,
    /// How its bundles lie.
    pub strategy: GroupStrategy,
    /// Its bundles; none is empty. At most [`limits::BUNDLES_MAX`].
    pub bundles: Vec<BundleSpec>,
    /// Whether it outlives its job.
    pub detached: bool,
    /// The job that created it.
    pub job: JobId,
    /// The task that created it: a driver, a task, or an actor's creation.
    pub creator: TaskId,
}

impl GroupSpec {
    /// Whether there can be such a group at all.
    ///
    /// # Errors
    /// `InvalidArgument` for no bundle, an empty one, or more in all than can be counted; `LimitExceeded` for too many
    /// bundles, or too many kinds of custom resources.
    pub fn check(&self) -> Result<(), Error> {
        let fail = |kind, why: String| Err(Error::new(kind, format!("{self} cannot be: {why}")));
        if self.bundles.is_empty() {
            return fail(ErrorKind::InvalidArgument, "it has no bundle: give it at least one".to_owned());
        }
        if let Some(empty) = self.bundles.iter().position(|bundle| bundle.resources.is_empty()) {
            let why = format!("its bundle {empty} is empty: give each at least one resource");
            return fail(ErrorKind::InvalidArgument, why);
        }
        if self.bundles.len() > limits::BUNDLES_MAX {
            let why = format!("it has {} bundles, at most {} are allowed", self.bundles.len(), limits::BUNDLES_MAX);
            return fail(ErrorKind::LimitExceeded, why);
        }
        let mut sum = Resources::default();
        for bundle in &self.bundles {
            let Some(more) = sum.checked_plus(&bundle.resources) else {
                let why = "its bundles together ask for more than can be counted: ask for less".to_owned();
                return fail(ErrorKind::InvalidArgument, why);
            };
            sum = more;
            let kinds = sum.custom().count();
            if kinds > limits::CUSTOM_RESOURCES_MAX {
                let most = limits::CUSTOM_RESOURCES_MAX;
                let why = format!("its bundles ask for more than {most} kinds of custom resources");
                return fail(ErrorKind::LimitExceeded, why);
            }
        }
        Ok(())
    }
}

impl fmt::Display for GroupSpec {
    /// For people: its name, or its id where it has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "placement group `{name}` ({})", self.id),
            None => write!(f, "placement group {}", self.id),
        }
    }
}

/// A group and how it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// The group.
    pub spec: Arc<GroupSpec>,
    /// How it is.
    pub state: GroupState,
    /// The nodes of its bundles, as far as they have one.
    pub nodes: Vec<Option<NodeId>>,
    /// Why it is not created; empty otherwise.
    pub why: String,
}

/// Where a group is. The names are Ray's.
///
/// ```text
/// PENDING → CREATED → (RESCHEDULING → CREATED)* → REMOVED
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GroupState {
    /// Nothing is reserved: not all of it fits.
    Pending,
    /// All bundles are reserved.
    Created,
    /// A node was lost: its bundles wait for another one, the others stay.
    Rescheduling,
    /// Gone.
    Removed,
}

impl GroupState {
    /// Ray's name of the state.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Created => "CREATED",
            Self::Rescheduling => "RESCHEDULING",
            Self::Removed => "REMOVED",
        }
    }
}
