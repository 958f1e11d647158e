//! What guests may call, one file for each interface of `wit/`.
//!
//! These functions check a limit, call a [service](crate::Services), convert.
//! Those that never wait are registered as plain functions, which is cheaper.

mod actor;
mod context;
mod group;
mod line;
mod object;
mod task;

pub(crate) use context::Exit;

use rayw_core::{Arg, Error, ErrorKind, Strategy, limits};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::clocks::WasiClocks;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};

use crate::reference::{Handles, ObjectRef};
use crate::state::Guest;
use crate::{Submitted, types};

/// Offers everything: our interfaces and WASI 0.2.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // Again, because these need not tell the node first what the guest did: see `Guest::clock`.
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<_, WasiClocks>(&mut linker, Guest::clock)?;
    wall_clock::add_to_linker::<_, WasiClocks>(&mut linker, Guest::clock)?;
    linker.allow_shadowing(false);
    object::add(&mut linker)?;
    task::add(&mut linker)?;
    actor::add(&mut linker)?;
    group::add(&mut linker)?;
    context::add(&mut linker)?;
    line::add(&mut linker)?;
    Ok(linker)
}

/// Takes the arguments of a call from the guest; their references stay alive in `handles`.
fn take_args(
    store: &mut StoreContextMut<'_, Guest>,
    args: Vec<types::Arg>,
    handles: &mut Handles,
) -> wasmtime::Result<Result<Vec<Arg>, Error>> {
    let given = args.len();
    let mut taken = Vec::with_capacity(given);
    let mut refused = None;
    for arg in args {
        match arg {
            types::Arg::Object(object) => taken.push(Arg::Object(store.data().references.object(object.rep())?)),
            types::Arg::Value(value) => {
                let value = value.copied(store);
                match store.data_mut().take(value, handles)? {
                    Ok(value) => taken.push(Arg::Value(value)),
                    Err(error) => refused = Some(error),
                }
            }
        }
    }
    if given > limits::ARGS_MAX {
        let message = format!("{given} arguments are more than the {} that a task may have", limits::ARGS_MAX);
        refused = Some(Error::new(ErrorKind::LimitExceeded, message));
    }
    Ok(refused.map_or(Ok(taken), Err))
}

/// Gives the guest references that the node has counted for it already.
fn give_objects(
    guest: &mut Guest,
    submitted: Result<Submitted, Error>,
) -> wasmtime::Result<types::Answer<Vec<Resource<ObjectRef>>>> {
    let submitted = match submitted {
        Ok(submitted) => submitted,
        Err(error) => return Ok((Err(error.into()),)),
    };
    let give = |object| guest.references.push(rayw_core::RefId::Object(object)).map(Resource::new_own);
    Ok((Ok(submitted.objects().map(give).collect::<Result<_, _>>()?),))
}

/// The same for a submission with one return.
fn give_object(
    guest: &mut Guest,
    submitted: Result<Submitted, Error>,
) -> wasmtime::Result<types::Answer<Resource<ObjectRef>>> {
    let submitted = match submitted {
        Ok(submitted) => submitted,
        Err(error) => return Ok((Err(error.into()),)),
    };
    if submitted.num_returns != 1 {
        let message = format!("one return was asked for, and there are {}", submitted.num_returns);
        return Err(wasmtime::Error::msg(message));
    }
    let object = submitted.task.output(0);
    Ok((Ok(Resource::new_own(guest.references.push(rayw_core::RefId::Object(object))?)),))
}

/// The strategy that a place in a group asks for.
fn within(guest: &Guest, place: Option<types::GroupPlace>) -> wasmtime::Result<Option<Strategy>> {
    let Some(place) = place else { return Ok(None) };
    let group = guest.references.group(place.group.rep())?;
    Ok(Some(Strategy::Group { group, bundle: place.bundle_index, capture: place.capture_child_tasks }))
}

/// An answer of the node as the guest gets it.
fn answer<T>(result: Result<T, Error>) -> types::Answer<T> {
    (result.map_err(Into::into),)
}
