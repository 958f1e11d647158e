//! `rayw:core/objects`, and the resource `object-ref`.

use std::sync::Arc;
use std::time::Duration;

use rayw_core::{ObjectId, RefId, limits};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType, WasmList};

use crate::host::answer;
use crate::reference::{ActorHandle, Contents, GroupHandle, Handles, ObjectRef};
use crate::state::Guest;
use crate::types::{self, Answer};

type Store<'a> = StoreContextMut<'a, Guest>;

pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    add_resources(linker)?;
    let mut objects = linker.instance("rayw:core/objects@0.1.0")?;
    objects.func_wrap("put", |mut store: Store, (value,): (types::ValueThere,)| put(&mut store, value))?;
    objects.func_wrap("put-bytes", |mut store: Store, (data,): (WasmList<u8>,)| {
        put(&mut store, types::ValueThere::raw(data))
    })?;
    objects.func_wrap_async("get", |store: Store, (refs, timeout): (Vec<Resource<ObjectRef>>, Option<u64>)| {
        Box::new(get(store, refs, timeout))
    })?;
    objects.func_wrap_async("read", |store: Store, (refs, timeout): (Vec<Resource<ObjectRef>>, Option<u64>)| {
        Box::new(read(store, refs, timeout))
    })?;
    objects.func_wrap_async("read-one", |store: Store, (object, timeout): (Resource<ObjectRef>, Option<u64>)| {
        Box::new(read_one(store, object, timeout))
    })?;
    objects.func_wrap("drop-all", |mut store: Store, (refs,): (Vec<Resource<ObjectRef>>,)| {
        let guest = store.data_mut();
        if guest.references.drop_together(refs.iter().map(Resource::rep))? {
            guest.settle();
        }
        Ok(())
    })?;
    objects.func_wrap_async(
        "wait",
        |store: Store, (refs, ready, timeout, fetch): (Vec<Resource<ObjectRef>>, u32, Option<u64>, bool)| {
            Box::new(wait(store, refs, ready, timeout, fetch))
        },
    )?;
    Ok(())
}

/// The resources of `rayw:core/types`.
fn add_resources(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance("rayw:core/types@0.1.0")?;
    types.resource("object-ref", ResourceType::host::<ObjectRef>(), release)?;
    types.resource("actor-handle", ResourceType::host::<ActorHandle>(), release)?;
    types.resource("placement-group", ResourceType::host::<GroupHandle>(), release)?;
    types.resource("contents", ResourceType::host::<Contents>(), release_contents)?;
    types.func_wrap("[method]contents.take", |mut store: Store, params: (Resource<Contents>, Vec<u32>)| {
        let (contents, indices) = params;
        Ok((store.data_mut().give_contents(contents.rep(), &indices)?,))
    })?;
    types.func_wrap("[method]contents.len", |store: Store, (contents,): (Resource<Contents>,)| {
        Ok((u32::try_from(store.data().references.contents(contents.rep())?.len())?,))
    })?;
    types.func_wrap("[method]object-ref.clone", |mut store: Store, (object,): (Resource<ObjectRef>,)| {
        let guest = store.data_mut();
        let reference = RefId::Object(guest.references.object(object.rep())?);
        guest.services.acquire(&guest.caller, &[reference]);
        Ok((Resource::<ObjectRef>::new_own(guest.references.push(reference)?),))
    })?;
    types.func_wrap("[method]object-ref.id", |store: Store, (object,): (Resource<ObjectRef>,)| {
        Ok((store.data().references.object(object.rep())?.to_string(),))
    })?;
    types.func_wrap("[method]actor-handle.clone", |mut store: Store, (actor,): (Resource<ActorHandle>,)| {
        let guest = store.data_mut();
        let reference = RefId::Actor(guest.references.actor(actor.rep())?);
        guest.services.acquire(&guest.caller, &[reference]);
        Ok((Resource::<ActorHandle>::new_own(guest.references.push(reference)?),))
    })?;
    types.func_wrap("[method]actor-handle.id", |store: Store, (actor,): (Resource<ActorHandle>,)| {
        Ok((store.data().references.actor(actor.rep())?.to_string(),))
    })?;
    types.func_wrap("[method]actor-handle.class", |store: Store, (actor,): (Resource<ActorHandle>,)| {
        let guest = store.data();
        let actor = guest.references.actor(actor.rep())?;
        Ok((guest.services.actor_class(&guest.caller, actor).to_string(),))
    })?;
    types.func_wrap("[method]placement-group.clone", |mut store: Store, (group,): (Resource<GroupHandle>,)| {
        let guest = store.data_mut();
        let reference = RefId::Group(guest.references.group(group.rep())?);
        Ok((Resource::<GroupHandle>::new_own(guest.references.push(reference)?),))
    })?;
    types.func_wrap("[method]placement-group.id", |store: Store, (group,): (Resource<GroupHandle>,)| {
        Ok((store.data().references.group(group.rep())?.to_string(),))
    })?;
    Ok(())
}

/// The guest dropped a handle.
fn release(mut store: Store<'_>, number: u32) -> wasmtime::Result<()> {
    let guest = store.data_mut();
    if guest.references.drop_handle(number)? {
        guest.settle();
    }
    Ok(())
}

/// The guest dropped the references in a value that it did not take out.
fn release_contents(mut store: Store<'_>, number: u32) -> wasmtime::Result<()> {
    let guest = store.data_mut();
    if guest.references.drop_contents(number)? {
        guest.settle();
    }
    Ok(())
}

fn put(store: &mut Store<'_>, value: types::ValueThere) -> wasmtime::Result<Answer<Resource<ObjectRef>>> {
    let guest = store.data_mut();
    // It may need the room of what was dropped, or go to the same memory, and a large one may take its time.
    if value.len() > limits::INLINE_BYTES_MAX {
        guest.tell_node();
    } else {
        guest.settle();
    }
    let value = value.copied(store);
    let guest = store.data_mut();
    let mut handles = Handles::default();
    let put = match guest.take(value, &mut handles)? {
        Ok(value) => guest.services.put(&guest.caller, value),
        Err(error) => Err(error),
    };
    match put {
        Ok(object) => Ok((Ok(Resource::new_own(guest.references.push(RefId::Object(object))?)),)),
        Err(error) => Ok((Err(error.into()),)),
    }
}

async fn get(
    mut store: Store<'_>,
    refs: Vec<Resource<ObjectRef>>,
    timeout_ms: Option<u64>,
) -> wasmtime::Result<Answer<Vec<types::Value>>> {
    let values = match values(&mut store, &refs, timeout_ms).await? {
        Ok(values) => values,
        Err(error) => return Ok((Err(error.into()),)),
    };
    let guest = store.data_mut();
    guest.admit(&values)?;
    let mut given = Vec::with_capacity(values.len());
    for value in &values {
        given.push(guest.give(value)?);
    }
    Ok((Ok(given),))
}

async fn read(
    mut store: Store<'_>,
    refs: Vec<Resource<ObjectRef>>,
    timeout_ms: Option<u64>,
) -> wasmtime::Result<Answer<types::Readings>> {
    let values = match values(&mut store, &refs, timeout_ms).await? {
        Ok(values) => values,
        Err(error) => return Ok((Err(error.into()),)),
    };
    let guest = store.data_mut();
    guest.admit_readings(&values)?;
    Ok((Ok(give_readings(guest, &refs, &values)?),))
}

async fn read_one(
    mut store: Store<'_>,
    object: Resource<ObjectRef>,
    timeout_ms: Option<u64>,
) -> wasmtime::Result<Answer<types::Reading>> {
    let number = object.rep();
    let values = match values(&mut store, &[object], timeout_ms).await? {
        Ok(values) => values,
        Err(error) => return Ok((Err(error.into()),)),
    };
    let [value] = &values[..] else {
        return Err(wasmtime::Error::msg(format!("one value was asked for, and there are {}", values.len())));
    };
    let guest = store.data_mut();
    guest.admit_readings(&values)?;
    Ok((Ok(guest.give_reading(number, value)?),))
}

/// Many small values come packed, the others one by one.
fn give_readings(
    guest: &mut Guest,
    refs: &[Resource<ObjectRef>],
    values: &[Arc<rayw_core::Value>],
) -> wasmtime::Result<types::Readings> {
    if is_packed(values) {
        return Ok(types::Readings::Packed(guest.give_packed(values)?));
    }
    let mut given = Vec::with_capacity(values.len());
    for (object, value) in refs.iter().zip(values) {
        given.push(guest.give_reading(object.rep(), value)?);
    }
    Ok(types::Readings::Each(given))
}

/// Whether values come packed: several, each small, and not too much together, because the guest has it twice while
/// it reads, and all references are counted in one turn.
fn is_packed(values: &[Arc<rayw_core::Value>]) -> bool {
    let (mut bytes, mut refs) = (0, 0);
    values.len() > 1
        && values.iter().all(|value| {
            bytes += value.data.len();
            refs += value.refs.len();
            value.data.len() <= limits::PACKED_VALUE_BYTES_MAX
                && value.refs.len() < limits::CONTENTS_MIN
                && bytes <= limits::PACKED_BYTES_MAX
                && refs <= limits::PACKED_REFS_MAX
        })
}

/// The values of objects that a guest refers to.
async fn values(
    store: &mut Store<'_>,
    refs: &[Resource<ObjectRef>],
    timeout_ms: Option<u64>,
) -> wasmtime::Result<Result<Vec<Arc<rayw_core::Value>>, rayw_core::Error>> {
    let guest = store.data_mut();
    guest.settle();
    let objects = ids(guest, refs)?;
    let services = Arc::clone(&guest.services);
    let caller = Arc::clone(&guest.caller);
    Ok(services.get(caller, objects, timeout_ms.map(Duration::from_millis)).await)
}

async fn wait(
    mut store: Store<'_>,
    refs: Vec<Resource<ObjectRef>>,
    num_ready: u32,
    timeout_ms: Option<u64>,
    fetch_local: bool,
) -> wasmtime::Result<Answer<Vec<u32>>> {
    store.data_mut().settle();
    let objects = ids(store.data(), &refs)?;
    let services = Arc::clone(&store.data().services);
    let caller = Arc::clone(&store.data().caller);
    let timeout = timeout_ms.map(Duration::from_millis);
    Ok(answer(services.wait(caller, objects, num_ready, timeout, fetch_local).await))
}

fn ids(guest: &Guest, refs: &[Resource<ObjectRef>]) -> wasmtime::Result<Vec<ObjectId>> {
    // Room for all at once: there may be thousands.
    let mut ids = Vec::with_capacity(refs.len());
    for object in refs {
        ids.push(guest.references.object(object.rep())?);
    }
    Ok(ids)
}
