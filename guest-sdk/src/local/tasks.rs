//! Tasks: submitted to threads of this process.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::types::{Arg, Error, ErrorKind, GroupPlace, ObjectRef, ResourceAmount, RetryExceptions, TaskOptions};
use super::work::{self, Target, Terms, Work, locked};
use super::world::WORLD;
use super::{actors, context, groups};
use crate::options::TaskSettings;
use crate::registry;

/// Attempts after the first, unless somebody says otherwise.
const RETRIES_DEFAULT: i32 = 3;

pub(crate) fn submit(
    function: &str,
    args: &[Arg<'_>],
    options: &TaskOptions,
    within: Option<&GroupPlace<'_>>,
) -> Result<Vec<ObjectRef>, Error> {
    context::end_if_abandoned();
    registry::assert_unique();
    let function = registry::function(function)?;
    let declared = (function.options)().options;
    let options = or_declared(options.clone(), declared);
    let terms = Terms {
        num_returns: options.num_returns.unwrap_or(1),
        retries: options.max_retries.unwrap_or(RETRIES_DEFAULT),
        retry_exceptions: options.retry_exceptions.unwrap_or(RetryExceptions::None),
        timeout_ms: options.timeout_ms,
        resources: held(options.num_cpus.unwrap_or(1.0), options.memory, options.resources)?,
        place: groups::place(within, options.strategy.as_ref())?,
    };
    let name = options.name.unwrap_or_else(|| function.name.to_owned());
    let work = Work::new(name, Target::Task(function), args, terms);
    let refs = work.refs();
    let mut guard = WORLD.lock();
    if work.await_arguments() {
        guard.ready.push_back(work);
        guard.start_ready();
    }
    Ok(refs)
}

pub(crate) fn submit_one(
    function: &str,
    args: &[Arg<'_>],
    options: Option<&TaskOptions>,
    within: Option<&GroupPlace<'_>>,
) -> Result<ObjectRef, Error> {
    let options = options.cloned().unwrap_or_else(|| TaskSettings::new(1).options);
    one(submit(function, args, &TaskOptions { num_returns: Some(1), ..options }, within)?)
}

/// The reference to the only return.
pub(super) fn one(refs: Vec<ObjectRef>) -> Result<ObjectRef, Error> {
    refs.into_iter().next().ok_or_else(|| Error::new(ErrorKind::System, "a task of one return has none"))
}

pub(crate) fn cancel(object: &ObjectRef, force: bool, recursive: bool) -> Result<(), Error> {
    context::end_if_abandoned();
    let Some(producer) = object.cell.producer.get() else {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format_args!("the object {} was put and not made by a task: there is nothing to cancel", object.cell.id),
        ));
    };
    let Some(work) = producer.upgrade() else {
        return Ok(());
    };
    if force && matches!(work.target, Target::Call(..)) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format_args!("`{}` is the call of an actor, which cannot be cancelled by force: kill the actor", work.name),
        ));
    }
    cancel_work(&work, recursive);
    Ok(())
}

fn cancel_work(work: &Arc<Work>, recursive: bool) {
    // What it left behind when it is over goes on.
    if work.is_finished() {
        return;
    }
    work.cancelled.store(true, Ordering::Relaxed);
    // The running call of an actor only sees the wish.
    let ends = match work.target {
        Target::Task(_) => true,
        Target::Call(actor, _) => !actors::is_running(actor, work),
    };
    if ends {
        work.abandoned.store(true, Ordering::Relaxed);
        let error = Error::new(ErrorKind::TaskCancelled, format_args!("`{}` was cancelled", work.name));
        work::finish(work, Err(error));
    }
    if recursive {
        let children: Vec<_> = locked(&work.children).iter().filter_map(std::sync::Weak::upgrade).collect();
        for child in children {
            cancel_work(&child, true);
        }
    }
}

fn or_declared(options: TaskOptions, declared: TaskOptions) -> TaskOptions {
    TaskOptions {
        name: options.name.or(declared.name),
        num_cpus: options.num_cpus.or(declared.num_cpus),
        memory: options.memory.or(declared.memory),
        resources: if options.resources.is_empty() { declared.resources } else { options.resources },
        num_returns: options.num_returns.or(declared.num_returns),
        max_retries: options.max_retries.or(declared.max_retries),
        retry_exceptions: options.retry_exceptions.or(declared.retry_exceptions),
        max_calls: options.max_calls.or(declared.max_calls),
        timeout_ms: options.timeout_ms.or(declared.timeout_ms),
        strategy: options.strategy.or(declared.strategy),
        label_selector: options.label_selector,
    }
}

/// What the work would hold on a node. Nothing limits it here, but nonsense is refused.
pub(super) fn held(
    num_cpus: f64,
    memory: Option<u64>,
    resources: Vec<ResourceAmount>,
) -> Result<Vec<ResourceAmount>, Error> {
    let mut held = vec![ResourceAmount { name: "CPU".to_owned(), amount: num_cpus }];
    held.extend(memory.map(|bytes| ResourceAmount { name: "memory".to_owned(), amount: bytes as f64 }));
    held.extend(resources);
    match held.iter().find(|resource| !resource.amount.is_finite() || resource.amount < 0.0) {
        Some(ResourceAmount { name, amount }) => Err(Error::new(
            ErrorKind::InvalidArgument,
            format_args!("there cannot be {amount} of the resource `{name}`; ask for 0 or more"),
        )),
        None => Ok(held.into_iter().filter(|resource| resource.amount > 0.0).collect()),
    }
}
