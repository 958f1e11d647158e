//! `rayw:core/context`.

use std::fmt;
use std::sync::atomic::Ordering;

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::state::{Guest, Panic};
use crate::text::cut;
use crate::types::{ERROR_TEXT_BYTES_MAX, Label, RuntimeContext, resource_amounts};

/// Bytes of the place of a panic, which is a file and two numbers.
const LOCATION_BYTES_MAX: usize = 1 << 10;

type Store<'a> = StoreContextMut<'a, Guest>;

/// The guest called `context.exit`: unwinds it, and carries the code.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u8);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the guest exited with code {}", self.0)
    }
}

impl std::error::Error for Exit {}

pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut context = linker.instance("rayw:core/context@0.1.0")?;
    context.func_wrap("current", |store: Store, (): ()| Ok((current(store.data()),)))?;
    context.func_wrap("is-cancelled", |store: Store, (): ()| {
        Ok((store.data().caller.cancelled.load(Ordering::Relaxed),))
    })?;
    context.func_wrap("report-panic", |mut store: Store, (message, location): (String, Option<String>)| {
        // The first panic is the cause; what fails while it unwinds is not.
        store.data_mut().panic.get_or_insert_with(|| Panic {
            message: cut(message, ERROR_TEXT_BYTES_MAX),
            location: location.map(|location| cut(location, LOCATION_BYTES_MAX)),
        });
        Ok(())
    })?;
    context.func_wrap("exit", |_: Store, (code,): (u8,)| -> wasmtime::Result<()> { Err(Exit(code).into()) })?;
    Ok(())
}

fn current(guest: &Guest) -> RuntimeContext {
    let caller = &guest.caller;
    let labels = guest.services.node_labels().iter();
    RuntimeContext {
        job_id: caller.job.to_string(),
        task_id: caller.task.to_string(),
        task_name: caller.name.to_string(),
        attempt: caller.attempt,
        node_id: caller.node.to_string(),
        worker_id: format!("{:016x}", caller.worker),
        actor_id: caller.actor.map(|actor| actor.to_string()),
        restarts: caller.restarts,
        namespace: caller.namespace.to_string(),
        assigned_resources: resource_amounts(&caller.resources),
        placement_group_id: caller.group().map(|group| group.to_string()),
        node_labels: labels.map(|(key, value)| Label { key: key.clone(), value: value.clone() }).collect(),
    }
}
