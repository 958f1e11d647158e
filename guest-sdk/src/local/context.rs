//! Who and where the running code is, per thread.

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::groups::Place;
use super::types::{Label, ResourceAmount};
use super::work::Work;

/// The id of the one job.
const JOB_ID: &str = "00000001";
/// The task id of whatever thread runs no task.
const DRIVER_ID: &str = "00000000000000000000000000000000";
/// The id of the one node.
pub(super) const NODE_ID: &str = "local";
/// Where names are looked up when no namespace is said.
pub(super) const NAMESPACE: &str = "local";

pub(crate) struct RuntimeContext {
    pub(crate) job_id: String,
    pub(crate) task_id: String,
    pub(crate) task_name: String,
    pub(crate) attempt: u32,
    pub(crate) node_id: String,
    pub(crate) worker_id: String,
    pub(crate) actor_id: Option<String>,
    pub(crate) restarts: u32,
    pub(crate) namespace: String,
    pub(crate) assigned_resources: Vec<ResourceAmount>,
    pub(crate) placement_group_id: Option<String>,
    pub(crate) node_labels: Vec<Label>,
}

/// What a thread is doing.
#[derive(Clone)]
pub(super) struct Frame {
    /// The task or call; none while an actor is constructed.
    pub(super) work: Option<Arc<Work>>,
    pub(super) attempt: u32,
    pub(super) worker_id: String,
    pub(super) actor: Option<ActorFrame>,
    pub(super) resources: Vec<ResourceAmount>,
    pub(super) place: Option<Place>,
}

/// On which actor.
#[derive(Clone)]
pub(super) struct ActorFrame {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) class: &'static str,
    pub(super) restarts: u32,
}

/// A panic's message and where it was.
pub(super) struct Panic {
    pub(super) message: String,
    pub(super) location: Option<String>,
}

/// What unwinds the thread of a task that is over already.
pub(super) struct Abandoned;

thread_local! {
    static FRAME: RefCell<Option<Frame>> = const { RefCell::new(None) };
    static PANIC: Cell<Option<Panic>> = const { Cell::new(None) };
    static EXITS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body` as what the frame says.
pub(super) fn within<T>(frame: Frame, body: impl FnOnce() -> T) -> T {
    let outer = FRAME.replace(Some(frame));
    let result = body();
    FRAME.set(outer);
    result
}

pub(super) fn current_work() -> Option<Arc<Work>> {
    FRAME.with_borrow(|frame| frame.as_ref().and_then(|frame| frame.work.clone()))
}

/// Where in a placement group this thread's work runs.
pub(super) fn place() -> Option<Place> {
    FRAME.with_borrow(|frame| frame.as_ref().and_then(|frame| frame.place.clone()))
}

/// The actor whose call runs here.
pub(super) fn called_actor() -> Option<u64> {
    FRAME.with_borrow(|frame| {
        frame
            .as_ref()
            .filter(|frame| frame.work.is_some())
            .and_then(|frame| frame.actor.as_ref())
            .map(|actor| actor.number)
    })
}

/// Who submits: calls of one submitter keep their order.
pub(super) fn submitter() -> String {
    FRAME.with_borrow(|frame| match frame {
        None => DRIVER_ID.to_owned(),
        Some(frame) => match (&frame.actor, &frame.work) {
            (Some(actor), _) => actor.id.clone(),
            (None, Some(work)) => work.id.clone(),
            (None, None) => DRIVER_ID.to_owned(),
        },
    })
}

/// A task holds a slot while it runs; a call of an actor and the driver do not.
pub(super) fn has_slot() -> bool {
    FRAME.with_borrow(|frame| frame.as_ref().is_some_and(|frame| frame.actor.is_none()))
}

/// Whether the work of this thread is over already: cancelled, killed or out of time.
pub(super) fn is_abandoned() -> bool {
    FRAME.with_borrow(|frame| {
        frame.as_ref().and_then(|frame| frame.work.as_ref()).is_some_and(|work| work.abandoned.load(Ordering::Relaxed))
    })
}

/// Where a sandbox would have been dropped, the thread unwinds.
pub(super) fn end_if_abandoned() {
    if is_abandoned() && !std::thread::panicking() {
        resume_unwind(Box::new(Abandoned));
    }
}

/// The last panic of this thread.
pub(super) fn take_panic() -> Option<Panic> {
    PANIC.take()
}

/// The actor of this thread ends after this call.
pub(super) fn request_exit() {
    EXITS.set(true);
}

pub(super) fn take_exit_request() -> bool {
    EXITS.replace(false)
}

pub(crate) fn current() -> RuntimeContext {
    end_if_abandoned();
    let frame = FRAME.with_borrow(Clone::clone);
    let work = frame.as_ref().and_then(|frame| frame.work.as_ref());
    let actor = frame.as_ref().and_then(|frame| frame.actor.as_ref());
    RuntimeContext {
        job_id: JOB_ID.to_owned(),
        task_id: work.map_or_else(|| DRIVER_ID.to_owned(), |work| work.id.clone()),
        task_name: match (work, actor) {
            (Some(work), _) => work.name.clone(),
            (None, Some(actor)) => format!("{}::new", actor.class),
            (None, None) => "driver".to_owned(),
        },
        attempt: frame.as_ref().map_or(0, |frame| frame.attempt),
        node_id: NODE_ID.to_owned(),
        worker_id: frame.as_ref().map_or_else(|| "driver".to_owned(), |frame| frame.worker_id.clone()),
        actor_id: actor.map(|actor| actor.id.clone()),
        restarts: actor.map_or(0, |actor| actor.restarts),
        namespace: NAMESPACE.to_owned(),
        assigned_resources: frame.as_ref().map(|frame| frame.resources.clone()).unwrap_or_default(),
        placement_group_id: frame.as_ref().and_then(|frame| frame.place.as_ref()).map(|place| place.group.id.clone()),
        node_labels: Vec::new(),
    }
}

pub(crate) fn is_cancelled() -> bool {
    current_work().is_some_and(|work| work.cancelled.load(Ordering::Relaxed))
}

pub(crate) fn report_panic(message: &str, location: Option<&str>) {
    PANIC.set(Some(Panic { message: message.to_owned(), location: location.map(str::to_owned) }));
}
