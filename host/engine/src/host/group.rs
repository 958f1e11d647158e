//! `rayw:core/groups`.

use std::sync::Arc;

use rayw_core::{GroupId, RefId};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};

use crate::host::answer;
use crate::reference::{GroupHandle, ObjectRef};
use crate::state::Guest;
use crate::types::{self, Answer, GroupOptions, GroupTable};

type Store<'a> = StoreContextMut<'a, Guest>;

pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut groups = linker.instance("rayw:core/groups@0.1.0")?;
    groups.func_wrap_async("create", |store: Store, (options,): (GroupOptions,)| Box::new(create(store, options)))?;
    groups
        .func_wrap("ready", |mut store: Store, (group,): (Resource<GroupHandle>,)| ready(store.data_mut(), &group))?;
    groups.func_wrap("remove", |mut store: Store, (group,): (Resource<GroupHandle>,)| {
        let guest = store.data_mut();
        // What it submitted into the group before was to have it.
        guest.tell_node();
        guest.services.remove_group(guest.references.group(group.rep())?);
        Ok((Ok::<(), types::Error>(()),))
    })?;
    groups.func_wrap_async("get-named", |store: Store, (name, namespace): (String, Option<String>)| {
        Box::new(get_named(store, name, namespace))
    })?;
    groups
        .func_wrap_async("table", |store: Store, (group,): (Resource<GroupHandle>,)| Box::new(table(store, group)))?;
    groups.func_wrap("current", |mut store: Store, (): ()| {
        let guest = store.data_mut();
        let current = guest.caller.group();
        Ok((current.map(|group| give_group(guest, group)).transpose()?,))
    })?;
    Ok(())
}

async fn create(mut store: Store<'_>, options: GroupOptions) -> wasmtime::Result<Answer<Resource<GroupHandle>>> {
    store.data_mut().tell_node();
    let services = Arc::clone(&store.data().services);
    let caller = Arc::clone(&store.data().caller);
    let created = services.create_group(caller, options.into()).await;
    give(store.data_mut(), created)
}

fn ready(guest: &mut Guest, group: &Resource<GroupHandle>) -> wasmtime::Result<Answer<Resource<ObjectRef>>> {
    let group = guest.references.group(group.rep())?;
    match guest.services.group_ready(&guest.caller, group) {
        Ok(object) => Ok((Ok(Resource::new_own(guest.references.push(RefId::Object(object))?)),)),
        Err(error) => Ok((Err(error.into()),)),
    }
}

async fn get_named(
    mut store: Store<'_>,
    name: String,
    namespace: Option<String>,
) -> wasmtime::Result<Answer<Resource<GroupHandle>>> {
    store.data_mut().tell_node();
    let services = Arc::clone(&store.data().services);
    let caller = Arc::clone(&store.data().caller);
    let found = services.named_group(caller, name, namespace).await;
    give(store.data_mut(), found)
}

async fn table(mut store: Store<'_>, group: Resource<GroupHandle>) -> wasmtime::Result<Answer<GroupTable>> {
    store.data_mut().tell_node();
    let group = store.data().references.group(group.rep())?;
    let services = Arc::clone(&store.data().services);
    Ok(answer(services.group_status(group).await.map(GroupTable::from)))
}

fn give(
    guest: &mut Guest,
    group: Result<GroupId, rayw_core::Error>,
) -> wasmtime::Result<Answer<Resource<GroupHandle>>> {
    match group {
        Ok(group) => Ok((Ok(give_group(guest, group)?),)),
        Err(error) => Ok((Err(error.into()),)),
    }
}

fn give_group(guest: &mut Guest, group: GroupId) -> wasmtime::Result<Resource<GroupHandle>> {
    Ok(Resource::new_own(guest.references.push(RefId::Group(group))?))
}
