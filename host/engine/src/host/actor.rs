//! `rayw:core/actors`.

use std::sync::Arc;

use rayw_core::{ActorId, ActorOptions, Error, ErrorKind, RefId};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};

use crate::host::{give_object, give_objects, take_args, within};
use crate::reference::{ActorHandle, Handles};
use crate::state::Guest;
use crate::types::{self, Answer};
use crate::{Submitted, epoch};

type Store<'a> = StoreContextMut<'a, Guest>;

pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut actors = linker.instance("rayw:core/actors@0.1.0")?;
    actors.func_wrap_async(
        "create",
        |store: Store,
         (class, args, options, place): (String, Vec<types::Arg>, types::ActorOptions, Option<types::GroupPlace>)| {
            Box::new(create(store, class, args, options, place))
        },
    )?;
    actors.func_wrap(
        "call",
        |mut store: Store,
         (actor, method, args, options): (Resource<ActorHandle>, String, Vec<types::Arg>, types::CallOptions)| {
            let called = call(&mut store, &actor, &method, args, options)?;
            let given = give_objects(store.data_mut(), called);
            give_way(store);
            given
        },
    )?;
    actors.func_wrap(
        "call-one",
        |mut store: Store,
         (actor, method, args, options): (
            Resource<ActorHandle>,
            String,
            Vec<types::Arg>,
            Option<types::CallOptions>,
        )| {
            let called = call(&mut store, &actor, &method, args, types::CallOptions::with_one_return(options))?;
            let given = give_object(store.data_mut(), called);
            give_way(store);
            given
        },
    )?;
    actors.func_wrap_async("get-named", |store: Store, (name, namespace): (String, Option<String>)| {
        Box::new(get_named(store, name, namespace))
    })?;
    actors.func_wrap("kill", |store: Store, (actor, no_restart): (Resource<ActorHandle>, bool)| {
        let guest = store.data();
        guest.services.kill_actor(&guest.caller, guest.references.actor(actor.rep())?, no_restart);
        Ok((Ok::<(), types::Error>(()),))
    })?;
    actors.func_wrap("terminate", |store: Store, (actor,): (Resource<ActorHandle>,)| {
        let guest = store.data();
        guest.services.terminate_actor(&guest.caller, guest.references.actor(actor.rep())?);
        Ok((Ok::<(), types::Error>(()),))
    })?;
    actors.func_wrap("exit", |mut store: Store, (): ()| Ok((exit(store.data_mut()).map_err(types::Error::from),)))?;
    Ok(())
}

async fn create(
    mut store: Store<'_>,
    class: String,
    args: Vec<types::Arg>,
    options: types::ActorOptions,
    place: Option<types::GroupPlace>,
) -> wasmtime::Result<Answer<Resource<ActorHandle>>> {
    let services = Arc::clone(&store.data().services);
    let mut handles = Handles::default();
    let args = take_args(&mut store, args, &mut handles)?;
    let strategy = within(store.data(), place)?;
    let (args, mut options) = match (args, ActorOptions::try_from(options)) {
        (Ok(args), Ok(options)) => (args, options),
        (Err(error), _) | (_, Err(error)) => return Ok((Err(error.into()),)),
    };
    options.strategy = strategy.or(options.strategy);
    if options.name.is_some() {
        // It waits for the head, and what it dropped is not to.
        store.data_mut().settle();
    }
    let caller = Arc::clone(&store.data().caller);
    let created = services.create_actor(caller, class, args, options).await;
    give_actor(store.data_mut(), created)
}

fn call(
    store: &mut Store<'_>,
    actor: &Resource<ActorHandle>,
    method: &str,
    args: Vec<types::Arg>,
    options: types::CallOptions,
) -> wasmtime::Result<Result<Submitted, Error>> {
    let actor = store.data().references.actor(actor.rep())?;
    let mut handles = Handles::default();
    let args = take_args(store, args, &mut handles)?;
    let guest = store.data();
    Ok(match args {
        Ok(args) => guest.services.call_actor(&guest.caller, actor, method, args, options.into()),
        Err(error) => Err(error),
    })
}

/// Lets others have the cpu before the guest goes on, where its node asks for that.
fn give_way(mut store: Store) {
    if store.data().caller.backlog.gives_way() {
        epoch::yield_at_once(&mut store);
    }
}

async fn get_named(
    mut store: Store<'_>,
    name: String,
    namespace: Option<String>,
) -> wasmtime::Result<Answer<Resource<ActorHandle>>> {
    store.data_mut().settle();
    let services = Arc::clone(&store.data().services);
    let caller = Arc::clone(&store.data().caller);
    let found = services.named_actor(caller, name, namespace).await;
    give_actor(store.data_mut(), found)
}

fn give_actor(guest: &mut Guest, actor: Result<ActorId, Error>) -> wasmtime::Result<Answer<Resource<ActorHandle>>> {
    match actor {
        Ok(actor) => Ok((Ok(Resource::new_own(guest.references.push(RefId::Actor(actor))?)),)),
        Err(error) => Ok((Err(error.into()),)),
    }
}

fn exit(guest: &mut Guest) -> Result<(), Error> {
    if guest.caller.actor.is_none() {
        let message = "`exit` ends an actor, and this is not one: return instead";
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    guest.exit_requested = true;
    Ok(())
}
