//! Actors: what is asked for, and the states that one goes through.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::task::or_list;
use crate::{ActorId, Resources, Retries, Strategy, TaskSpec};

/// Options of an actor as somebody wrote them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ActorOptions {
    /// Name, unique in its namespace.
    pub name: Option<String>,
    /// Namespace; the job's own by default.
    pub namespace: Option<String>,
    /// Take the actor that has the name, if there is one.
    pub get_if_exists: bool,
    /// Outlives its job.
    pub detached: bool,
    /// Logical cpus for its whole life.
    pub num_cpus: Option<f64>,
    /// Bytes, reserved and capped.
    pub memory: Option<u64>,
    /// Custom resources.
    pub resources: Vec<(String, f64)>,
    /// Restarts; -1 for no end.
    pub max_restarts: Option<i32>,
    /// Attempts of a call after the actor failed under it; -1 for no end.
    pub max_task_retries: Option<i32>,
    /// Calls that may wait or run; -1 for no limit.
    pub max_pending_calls: Option<i32>,
    /// Calls start when their arguments are there.
    pub allow_out_of_order_execution: Option<bool>,
    /// How the node is chosen; the placement group of the submitter, where that captures, by default.
    pub strategy: Option<Strategy>,
    /// Labels that the node must have: key and Ray's selector, such as `in(a,b)`.
    pub label_selector: Vec<(String, String)>,
}

impl ActorOptions {
    /// These options, and `defaults` where they say nothing.
    #[must_use]
    pub fn or(self, defaults: &Self) -> Self {
        Self {
            name: self.name.or_else(|| defaults.name.clone()),
            namespace: self.namespace.or_else(|| defaults.namespace.clone()),
            get_if_exists: self.get_if_exists || defaults.get_if_exists,
            detached: self.detached || defaults.detached,
            num_cpus: self.num_cpus.or(defaults.num_cpus),
            memory: self.memory.or(defaults.memory),
            resources: or_list(self.resources, &defaults.resources),
            max_restarts: self.max_restarts.or(defaults.max_restarts),
            max_task_retries: self.max_task_retries.or(defaults.max_task_retries),
            max_pending_calls: self.max_pending_calls.or(defaults.max_pending_calls),
            allow_out_of_order_execution: self.allow_out_of_order_execution.or(defaults.allow_out_of_order_execution),
            strategy: self.strategy.or_else(|| defaults.strategy.clone()),
            label_selector: or_list(self.label_selector, &defaults.label_selector),
        }
    }
}

/// An actor, all settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorSpec {
    /// Its id.
    pub id: ActorId,
    /// Its class.
    pub class: Arc<str>,
    /// Name and namespace, for a named one.
    pub name: Option<Arc<str>>,
    /// The namespace that `name` lives in.
    pub namespace: Arc<str>,
    /// Whether it outlives its job and its handles.
    pub detached: bool,
    /// What the node must have free to take it.
    pub placement: Arc<Resources>,
    /// What it holds for its life.
    pub lifetime: Arc<Resources>,
    /// Restarts after it failed.
    pub max_restarts: Retries,
    /// Attempts of its calls, unless a call says otherwise.
    pub max_task_retries: Retries,
    /// Calls that may wait or run; `None` for no limit.
    pub max_pending_calls: Option<NonZeroU32>,
    /// Calls start when their arguments are there, not in order.
    pub out_of_order: bool,
    /// The task that constructs it, run again at each restart; its placement is the actor's.
    pub creation: Arc<TaskSpec>,
}

/// Where an actor is. The names are Ray's.
///
/// ```text
/// DEPENDENCIES_UNREADY → PENDING_CREATION → ALIVE → (RESTARTING → ALIVE)* → DEAD
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActorState {
    /// An argument of its constructor is not there yet.
    DependenciesUnready,
    /// Waits for a node, or its constructor runs.
    PendingCreation,
    /// Takes calls.
    Alive,
    /// Failed, and is being made again.
    Restarting,
    /// Gone for good.
    Dead,
}

impl ActorState {
    /// Ray's name of the state.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DependenciesUnready => "DEPENDENCIES_UNREADY",
            Self::PendingCreation => "PENDING_CREATION",
            Self::Alive => "ALIVE",
            Self::Restarting => "RESTARTING",
            Self::Dead => "DEAD",
        }
    }
}
