//! Placement groups: there is one node and nothing limits it, so a group is there at once and
//! stays until it is removed. What runs in it ends with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::actors::{self, Name};
use super::context::{self, NODE_ID};
use super::objects::Cell;
use super::tasks::held;
use super::types::{
    Codec, Error, ErrorKind, GroupPlace, Label, NodeAffinity, ObjectRef, PlacementGroup, ResourceAmount,
    SchedulingStrategy, Value,
};
use super::work::{self, Work, locked};
use super::world::{State, WORLD};

#[derive(Clone, Copy, Debug)]
pub(crate) enum GroupStrategy {
    Pack,
    Spread,
    StrictPack,
    StrictSpread,
}

#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) num_cpus: Option<f64>,
    pub(crate) memory: Option<u64>,
    pub(crate) resources: Vec<ResourceAmount>,
    #[allow(dead_code, reason = "the one node here has no labels")]
    pub(crate) label_selector: Vec<Label>,
}

pub(crate) struct GroupOptions {
    pub(crate) name: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) strategy: GroupStrategy,
    pub(crate) bundles: Vec<Bundle>,
    #[allow(dead_code, reason = "there is one job")]
    pub(crate) detached: bool,
}

#[allow(dead_code, reason = "the contract has states that a single process never meets")]
pub(crate) enum GroupState {
    Pending,
    Created,
    Rescheduling,
    Removed,
}

pub(crate) struct BundlePlace {
    pub(crate) resources: Vec<ResourceAmount>,
    pub(crate) node_id: Option<String>,
}

pub(crate) struct GroupTable {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) strategy: GroupStrategy,
    pub(crate) state: GroupState,
    pub(crate) bundles: Vec<BundlePlace>,
    pub(crate) why: String,
}

/// A group, until it is removed and after.
pub(crate) struct Group {
    pub(super) id: String,
    name: Option<Name>,
    strategy: GroupStrategy,
    bundles: Vec<Vec<ResourceAmount>>,
    removed: AtomicBool,
    users: Mutex<Users>,
}

/// What runs in a group, or waits to.
#[derive(Default)]
struct Users {
    works: Vec<Weak<Work>>,
    actors: Vec<u64>,
}

/// A place in a group.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) group: Arc<Group>,
    capture: bool,
}

impl Place {
    /// The group is to end the task with itself.
    pub(super) fn holds(&self, work: &Arc<Work>) {
        let mut users = locked(&self.group.users);
        if users.works.len() == users.works.capacity() {
            users.works.retain(|work| work.strong_count() > 0);
        }
        users.works.push(Arc::downgrade(work));
    }

    /// The group is to end the actor with itself.
    pub(super) fn holds_actor(&self, number: u64) {
        locked(&self.group.users).actors.push(number);
    }
}

/// Where something runs that asks for this, or why it cannot.
pub(super) fn place(
    within: Option<&GroupPlace<'_>>,
    strategy: Option<&SchedulingStrategy>,
) -> Result<Option<Place>, Error> {
    if let Some(GroupPlace { group: PlacementGroup { group }, bundle_index, capture_child_tasks }) = within {
        if group.removed.load(Ordering::Relaxed) {
            return Err(removed(group));
        }
        let count = group.bundles.len();
        if let Some(index) = bundle_index.filter(|index| *index as usize >= count) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format_args!("placement group {} has no bundle {index}: its bundles are 0 to {}", group.id, count - 1),
            ));
        }
        return Ok(Some(Place { group: Arc::clone(group), capture: *capture_child_tasks }));
    }
    match strategy {
        None => Ok(context::place().filter(|place| place.capture)),
        Some(SchedulingStrategy::NodeAffinity(NodeAffinity { node_id, soft: false })) if node_id != NODE_ID => {
            Err(Error::new(
                ErrorKind::Unschedulable,
                format_args!(
                    "cannot run on node {node_id}: there is only the node `{NODE_ID}`; make the affinity soft"
                ),
            ))
        }
        Some(SchedulingStrategy::Default | SchedulingStrategy::Spread | SchedulingStrategy::NodeAffinity(_)) => {
            Ok(None)
        }
    }
}

pub(crate) fn create(options: &GroupOptions) -> Result<PlacementGroup, Error> {
    context::end_if_abandoned();
    let bundle = |bundle: &Bundle| held(bundle.num_cpus.unwrap_or(0.0), bundle.memory, bundle.resources.clone());
    let bundles: Vec<_> = options.bundles.iter().map(bundle).collect::<Result<_, _>>()?;
    if bundles.is_empty() || bundles.iter().any(Vec::is_empty) {
        let what = if bundles.is_empty() { "it has no bundle" } else { "a bundle of it is empty" };
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format_args!("the placement group cannot be: {what}: give each at least one resource"),
        ));
    }
    let name = options.name.clone().map(|name| (actors::namespace(options.namespace.as_deref()), name));
    let group = Arc::new(Group {
        id: format!("{:032x}", WORLD.next_id()),
        name: name.clone(),
        strategy: options.strategy,
        bundles,
        removed: AtomicBool::new(false),
        users: Mutex::default(),
    });
    if let Some(name) = name {
        let mut guard = WORLD.lock();
        if guard.groups.contains_key(&name) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format_args!(
                    "a placement group named `{}` exists in namespace `{}`: take another name, or remove that one",
                    name.1, name.0
                ),
            ));
        }
        guard.groups.insert(name, Arc::clone(&group));
    }
    Ok(PlacementGroup { group })
}

pub(crate) fn ready(group: &PlacementGroup) -> Result<ObjectRef, Error> {
    /// MessagePack for nil.
    const NIL: u8 = 0xc0;
    context::end_if_abandoned();
    let is_removed = group.group.removed.load(Ordering::Relaxed);
    let content = if is_removed {
        Err(removed(&group.group))
    } else {
        Ok(Value { codec: Codec::Msgpack, data: vec![NIL], handles: Vec::new() })
    };
    let cell = Cell::new(format!("{:032x}{:08x}", WORLD.next_id(), u32::MAX));
    cell.fill(content);
    Ok(ObjectRef { cell })
}

pub(crate) fn remove(group: &PlacementGroup) -> Result<(), Error> {
    context::end_if_abandoned();
    let group = &group.group;
    let mut guard = WORLD.lock();
    if group.removed.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    if let Some(name) = &group.name {
        guard.groups.remove(name);
    }
    end_users(&mut guard, group);
    drop(guard);
    WORLD.notify();
    context::end_if_abandoned();
    Ok(())
}

fn end_users(state: &mut State, group: &Arc<Group>) {
    let users = std::mem::take(&mut *locked(&group.users));
    for work in users.works.iter().filter_map(Weak::upgrade).filter(|work| !work.is_finished()) {
        work.abandoned.store(true, Ordering::Relaxed);
        work::finish_locked(state, &work, Err(removed(group)));
    }
    for actor in users.actors {
        actors::end_with_group(state, actor, &removed(group));
    }
}

pub(crate) fn get_named(name: &str, of: Option<&str>) -> Result<PlacementGroup, Error> {
    context::end_if_abandoned();
    let name = (actors::namespace(of), name.to_owned());
    let found = WORLD.lock().groups.get(&name).cloned();
    found.map(|group| PlacementGroup { group }).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            format_args!("no placement group named `{}` in namespace `{}`: create one first", name.1, name.0),
        )
    })
}

pub(crate) fn table(group: &PlacementGroup) -> Result<GroupTable, Error> {
    context::end_if_abandoned();
    let group = &group.group;
    let is_removed = group.removed.load(Ordering::Relaxed);
    let node_id = (!is_removed).then(|| NODE_ID.to_owned());
    let bundles = group.bundles.iter();
    Ok(GroupTable {
        id: group.id.clone(),
        name: group.name.as_ref().map(|name| name.1.clone()),
        strategy: group.strategy,
        state: if is_removed { GroupState::Removed } else { GroupState::Created },
        bundles: bundles
            .map(|resources| BundlePlace { resources: resources.clone(), node_id: node_id.clone() })
            .collect(),
        why: if is_removed { "it was removed".to_owned() } else { String::new() },
    })
}

pub(crate) fn current() -> Option<PlacementGroup> {
    context::place().map(|place| PlacementGroup { group: place.group })
}

fn removed(group: &Group) -> Error {
    Error::new(
        ErrorKind::PlacementGroupRemoved,
        format_args!("placement group `{}` is gone: it was removed; create another one", group.id),
    )
}
