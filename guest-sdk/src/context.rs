//! Who and where the running code is.

use std::collections::BTreeMap;

use crate::runtime::context as host;

/// Who and where the running code is: what [`context()`](context) answers with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Context {
    /// The job, 8 hexadecimal digits.
    pub job_id: String,
    /// The task, 32 hexadecimal digits; the driver has a task id too.
    pub task_id: String,
    /// The name of the task, `driver` for the driver.
    pub task_name: String,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// The node that runs it.
    pub node_id: String,
    /// The sandbox: two tasks with the same one ran in the same instance.
    pub worker_id: String,
    /// The actor, within a call or the constructor of one.
    pub actor_id: Option<String>,
    /// Times that the actor was restarted before this incarnation.
    pub restarts: u32,
    /// Where the names of actors are looked up.
    pub namespace: String,
    /// What the task holds: `CPU`, `memory` and custom resources.
    pub assigned_resources: BTreeMap<String, f64>,
    /// The placement group that the task runs in; [`current_placement_group`](crate::current_placement_group)
    /// has a handle to it.
    pub placement_group_id: Option<String>,
    /// The labels of the node.
    pub node_labels: BTreeMap<String, String>,
}

/// Who and where the running code is.
///
/// ```
/// #[rayw::task]
/// fn who() -> String {
///     rayw::context().task_name
/// }
///
/// assert_eq!(rayw::context().task_name, "driver");
/// assert_eq!(who::options().name("somebody").remote().get().unwrap(), "somebody");
/// ```
pub fn context() -> Context {
    let context = host::current();
    Context {
        job_id: context.job_id,
        task_id: context.task_id,
        task_name: context.task_name,
        attempt: context.attempt,
        node_id: context.node_id,
        worker_id: context.worker_id,
        actor_id: context.actor_id,
        restarts: context.restarts,
        namespace: context.namespace,
        assigned_resources: context
            .assigned_resources
            .into_iter()
            .map(|resource| (resource.name, resource.amount))
            .collect(),
        placement_group_id: context.placement_group_id,
        node_labels: context.node_labels.into_iter().map(|label| (label.key, label.value)).collect(),
    }
}

/// Whether somebody wants the running task cancelled.
///
/// A task's sandbox is dropped anyway; the call of an actor should look here
/// from time to time if it takes long.
pub fn is_cancelled() -> bool {
    host::is_cancelled()
}
