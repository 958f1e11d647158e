//! Options of tasks, actors and calls, as the builders gather them.
//!
//! A builder never fails: what is wrong with an option is kept, and the
//! submission fails with it.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::group::{GroupPlace, PlacementGroup};
use crate::object::milliseconds;
use crate::runtime::types::{
    ActorOptions, CallOptions, Label, NodeAffinity, ResourceAmount, RetryExceptions, SchedulingStrategy, TaskOptions,
};

/// An amount of memory: a number of bytes, or words like `"64MiB"` or `"1.5 GB"`.
///
/// Units are `B`, `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024) and `KB`, `MB`,
/// `GB`, `TB` (powers of 1000).
#[derive(Clone, Debug)]
pub struct MemorySize {
    bytes: Result<u64>,
}

impl MemorySize {
    pub(crate) fn bytes(self) -> Result<u64> {
        self.bytes
    }
}

impl From<u64> for MemorySize {
    fn from(bytes: u64) -> Self {
        Self { bytes: Ok(bytes) }
    }
}

impl From<&str> for MemorySize {
    fn from(text: &str) -> Self {
        let bytes = parse_memory(text).ok_or_else(|| {
            Error::invalid_argument(format!("`{text}` is not an amount of memory; write it like `64MiB`"))
        });
        Self { bytes }
    }
}

impl From<String> for MemorySize {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

fn parse_memory(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit_start = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_start);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    let number = number.trim();
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let bytes = number.parse::<f64>().ok()? * factor as f64;
    (bytes.is_finite() && bytes >= 0.0 && bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// Options of a task, on their way to be submitted or described.
#[doc(hidden)]
pub struct TaskSettings {
    pub(crate) options: TaskOptions,
    pub(crate) place: GroupPlace,
    pub(crate) failure: Option<Error>,
}

impl TaskSettings {
    /// The options, if anything was said that a task with one return takes.
    pub(crate) fn said(&self) -> Option<&TaskOptions> {
        let TaskOptions {
            name,
            num_cpus,
            memory,
            resources,
            num_returns: _,
            max_retries,
            retry_exceptions,
            max_calls,
            timeout_ms,
            strategy,
            label_selector,
        } = &self.options;
        let is_silent = name.is_none()
            && num_cpus.is_none()
            && memory.is_none()
            && resources.is_empty()
            && max_retries.is_none()
            && retry_exceptions.is_none()
            && max_calls.is_none()
            && timeout_ms.is_none()
            && strategy.is_none()
            && label_selector.is_empty();
        (!is_silent).then_some(&self.options)
    }

    /// `num_returns` 1 is not said: it is what everybody assumes.
    pub fn new(num_returns: u32) -> Self {
        let options = TaskOptions {
            name: None,
            num_cpus: None,
            memory: None,
            resources: Vec::new(),
            num_returns: (num_returns != 1).then_some(num_returns),
            max_retries: None,
            retry_exceptions: None,
            max_calls: None,
            timeout_ms: None,
            strategy: None,
            label_selector: Vec::new(),
        };
        Self { options, place: GroupPlace::default(), failure: None }
    }

    pub fn name(&mut self, name: String) {
        self.options.name = Some(name);
    }

    pub fn num_cpus(&mut self, num_cpus: f64) {
        self.options.num_cpus = Some(num_cpus);
    }

    pub fn memory(&mut self, memory: MemorySize) {
        keep(memory.bytes, &mut self.options.memory, &mut self.failure);
    }

    pub fn resource(&mut self, name: String, amount: f64) {
        self.options.resources.push(ResourceAmount { name, amount });
    }

    pub fn num_returns(&mut self, num_returns: u32) {
        self.options.num_returns = Some(num_returns);
    }

    pub fn max_retries(&mut self, max_retries: i32) {
        self.options.max_retries = Some(max_retries);
    }

    pub fn retry_exceptions(&mut self, retry: bool) {
        self.options.retry_exceptions = Some(all_or_none(retry));
    }

    pub fn retry_only<E>(&mut self) {
        retry_also::<E>(&mut self.options.retry_exceptions);
    }

    pub fn max_calls(&mut self, max_calls: u32) {
        self.options.max_calls = Some(max_calls);
    }

    pub fn timeout(&mut self, timeout: Duration) {
        self.options.timeout_ms = Some(milliseconds(timeout));
    }

    pub fn spread(&mut self) {
        self.options.strategy = Some(SchedulingStrategy::Spread);
    }

    pub fn default_strategy(&mut self) {
        self.options.strategy = Some(SchedulingStrategy::Default);
    }

    pub fn node_affinity(&mut self, node_id: String, soft: bool) {
        self.options.strategy = Some(SchedulingStrategy::NodeAffinity(NodeAffinity { node_id, soft }));
    }

    pub fn label(&mut self, key: String, value: String) {
        self.options.label_selector.push(Label { key, value });
    }

    pub fn placement_group(&mut self, group: &PlacementGroup) {
        self.place.group(group);
    }

    pub fn bundle(&mut self, index: u32) {
        self.place.bundle(index);
    }

    pub fn capture_child_tasks(&mut self, capture: bool) {
        self.place.capture(capture);
    }
}

/// Options of an actor, on their way to be created or described.
#[doc(hidden)]
pub struct ActorSettings {
    pub(crate) options: ActorOptions,
    pub(crate) place: GroupPlace,
    pub(crate) failure: Option<Error>,
}

impl ActorSettings {
    #[expect(clippy::new_without_default, reason = "the macros call `new`")]
    pub fn new() -> Self {
        let options = ActorOptions {
            name: None,
            namespace: None,
            get_if_exists: false,
            detached: false,
            num_cpus: None,
            memory: None,
            resources: Vec::new(),
            max_restarts: None,
            max_task_retries: None,
            max_pending_calls: None,
            allow_out_of_order_execution: None,
            strategy: None,
            label_selector: Vec::new(),
        };
        Self { options, place: GroupPlace::default(), failure: None }
    }

    pub fn name(&mut self, name: String) {
        self.options.name = Some(name);
    }

    pub fn namespace(&mut self, namespace: String) {
        self.options.namespace = Some(namespace);
    }

    pub fn get_if_exists(&mut self, get_if_exists: bool) {
        self.options.get_if_exists = get_if_exists;
    }

    pub fn detached(&mut self) {
        self.options.detached = true;
    }

    pub fn num_cpus(&mut self, num_cpus: f64) {
        self.options.num_cpus = Some(num_cpus);
    }

    pub fn memory(&mut self, memory: MemorySize) {
        keep(memory.bytes, &mut self.options.memory, &mut self.failure);
    }

    pub fn resource(&mut self, name: String, amount: f64) {
        self.options.resources.push(ResourceAmount { name, amount });
    }

    pub fn max_restarts(&mut self, max_restarts: i32) {
        self.options.max_restarts = Some(max_restarts);
    }

    pub fn max_task_retries(&mut self, max_task_retries: i32) {
        self.options.max_task_retries = Some(max_task_retries);
    }

    pub fn max_pending_calls(&mut self, max_pending_calls: i32) {
        self.options.max_pending_calls = Some(max_pending_calls);
    }

    pub fn allow_out_of_order_execution(&mut self, allow: bool) {
        self.options.allow_out_of_order_execution = Some(allow);
    }

    pub fn spread(&mut self) {
        self.options.strategy = Some(SchedulingStrategy::Spread);
    }

    pub fn default_strategy(&mut self) {
        self.options.strategy = Some(SchedulingStrategy::Default);
    }

    pub fn node_affinity(&mut self, node_id: String, soft: bool) {
        self.options.strategy = Some(SchedulingStrategy::NodeAffinity(NodeAffinity { node_id, soft }));
    }

    pub fn label(&mut self, key: String, value: String) {
        self.options.label_selector.push(Label { key, value });
    }

    pub fn placement_group(&mut self, group: &PlacementGroup) {
        self.place.group(group);
    }

    pub fn bundle(&mut self, index: u32) {
        self.place.bundle(index);
    }

    pub fn capture_child_tasks(&mut self, capture: bool) {
        self.place.capture(capture);
    }
}

/// Options of a call, on their way to be submitted or described.
#[doc(hidden)]
pub struct CallSettings {
    pub(crate) options: CallOptions,
}

impl CallSettings {
    /// The options, if anything was said that a call with one return takes.
    pub(crate) fn said(&self) -> Option<&CallOptions> {
        let CallOptions { name, num_returns: _, max_task_retries, retry_exceptions, timeout_ms } = &self.options;
        let is_silent =
            name.is_none() && max_task_retries.is_none() && retry_exceptions.is_none() && timeout_ms.is_none();
        (!is_silent).then_some(&self.options)
    }

    #[expect(clippy::new_without_default, reason = "the macros call `new`")]
    pub fn new() -> Self {
        let options = CallOptions {
            name: None,
            num_returns: None,
            max_task_retries: None,
            retry_exceptions: None,
            timeout_ms: None,
        };
        Self { options }
    }

    pub fn name(&mut self, name: String) {
        self.options.name = Some(name);
    }

    pub fn num_returns(&mut self, num_returns: u32) {
        self.options.num_returns = Some(num_returns);
    }

    pub fn max_task_retries(&mut self, max_task_retries: i32) {
        self.options.max_task_retries = Some(max_task_retries);
    }

    pub fn retry_exceptions(&mut self, retry: bool) {
        self.options.retry_exceptions = Some(all_or_none(retry));
    }

    pub fn retry_only<E>(&mut self) {
        retry_also::<E>(&mut self.options.retry_exceptions);
    }

    pub fn timeout(&mut self, timeout: Duration) {
        self.options.timeout_ms = Some(milliseconds(timeout));
    }
}

fn keep<T>(result: Result<T>, slot: &mut Option<T>, failure: &mut Option<Error>) {
    match result {
        Ok(value) => *slot = Some(value),
        Err(error) => *failure = failure.take().or(Some(error)),
    }
}

fn all_or_none(retry: bool) -> RetryExceptions {
    if retry { RetryExceptions::All } else { RetryExceptions::None }
}

fn retry_also<E>(slot: &mut Option<RetryExceptions>) {
    let name = std::any::type_name::<E>().to_owned();
    match slot {
        Some(RetryExceptions::Only(names)) => names.push(name),
        _ => *slot = Some(RetryExceptions::Only(vec![name])),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_memory;

    #[test]
    fn memory_is_read_in_both_families_of_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("64MiB", Some(64 << 20)),
            (" 1.5 GiB ", Some(3 << 29)),
            ("10kb", Some(10_000)),
            ("16777216TiB", None),
            ("MiB", None),
            ("-1MiB", None),
            ("3 parsecs", None),
            ("1e400", None),
        ] {
            assert_eq!(parse_memory(text), bytes, "{text}");
        }
    }
}
