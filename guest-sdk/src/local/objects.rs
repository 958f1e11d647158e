//! Objects: cells that are filled once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::types::{Contents, Error, ErrorKind, Handle, ObjectRef, Packed, PackedValue, Reading, Readings, Value};
use super::work::Work;
use super::world::WORLD;

/// An object: a value, an error in its place, or nothing yet.
pub(crate) struct Cell {
    pub(super) id: String,
    content: OnceLock<Result<Value, Error>>,
    /// The work that makes it, if it was not put.
    pub(super) producer: OnceLock<Weak<Work>>,
    /// Work that has it as an argument and waits for it.
    waiting: Mutex<Vec<Arc<Work>>>,
}

impl Cell {
    pub(super) fn new(id: String) -> Arc<Self> {
        Arc::new(Self { id, content: OnceLock::new(), producer: OnceLock::new(), waiting: Mutex::new(Vec::new()) })
    }

    pub(super) fn content(&self) -> Option<&Result<Value, Error>> {
        self.content.get()
    }

    /// Fills it, under the lock, and answers with who waited for it.
    pub(super) fn fill(&self, content: Result<Value, Error>) -> Vec<Arc<Work>> {
        if self.content.set(content).is_err() {
            return Vec::new();
        }
        std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Under the lock: whether `work` must wait for it, and is told when it is filled.
    pub(super) fn must_wait(&self, work: &Arc<Work>) -> bool {
        if self.content.get().is_some() {
            return false;
        }
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(work));
        true
    }
}

pub(crate) fn put(value: Value) -> Result<ObjectRef, Error> {
    super::context::end_if_abandoned();
    let cell = Cell::new(format!("{:032x}{:08x}", WORLD.next_id(), u32::MAX));
    cell.fill(Ok(value));
    Ok(ObjectRef { cell })
}

pub(crate) fn put_bytes(data: &[u8]) -> Result<ObjectRef, Error> {
    put(crate::value::raw(data.to_vec()))
}

pub(crate) fn drop_all(refs: Vec<ObjectRef>) {
    drop(refs);
}

pub(crate) fn read(refs: &[&ObjectRef], timeout_ms: Option<u64>) -> Result<Readings, Error> {
    let mut missing: Vec<&Cell> = refs.iter().map(|object| &*object.cell).collect();
    let found = WORLD.wait_until(deadline(timeout_ms), || {
        let mut failed = None;
        missing.retain(|cell| match cell.content() {
            None => true,
            Some(Ok(_)) => false,
            Some(Err(error)) => {
                failed.get_or_insert_with(|| error.clone());
                true
            }
        });
        match failed {
            Some(error) => Some(Err(error)),
            None => missing.is_empty().then_some(Ok(())),
        }
    });
    let Some(found) = found else {
        let time = timeout_ms.unwrap_or(0);
        let (missing, all) = (missing.len(), refs.len());
        return Err(Error::new(
            ErrorKind::GetTimeout,
            format_args!("{missing} of {all} objects were not ready within {time} ms"),
        ));
    };
    found?;
    let values = refs.iter().map(|object| match object.cell.content() {
        Some(content) => content.clone(),
        None => unreachable!("none is missing"),
    });
    Ok(readings(values.collect::<Result<_, _>>()?))
}

pub(crate) fn read_one(object: &ObjectRef, timeout_ms: Option<u64>) -> Result<Reading, Error> {
    match read(&[object], timeout_ms)? {
        Readings::Each(values) => values.into_iter().next(),
        Readings::Packed(_) => None,
    }
    .ok_or_else(|| Error::new(ErrorKind::System, "one value was asked for, and there is none"))
}

/// References from which on a value is read with its [`Contents`]: as on a node, where it is a small value, too.
const CONTENTS_MIN: usize = 64;

/// The largest of many values that are packed, and the bytes of all of them: as on a node.
const PACKED_VALUE_BYTES_MAX: usize = 4 << 10;
const PACKED_BYTES_MAX: usize = 1 << 20;

fn readings(values: Vec<Value>) -> Readings {
    let is_packed = |value: &Value| value.data.len() <= PACKED_VALUE_BYTES_MAX && value.handles.len() < CONTENTS_MIN;
    let bytes: usize = values.iter().map(|value| value.data.len()).sum();
    if values.len() < 2 || bytes > PACKED_BYTES_MAX || !values.iter().all(is_packed) {
        return Readings::Each(values.into_iter().map(reading).collect());
    }
    let mut packed = Packed { data: Vec::new(), handles: Vec::new(), values: Vec::with_capacity(values.len()) };
    for value in values {
        packed.values.push(PackedValue {
            codec: value.codec,
            data_len: value.data.len() as u32,
            handles_len: value.handles.len() as u32,
        });
        packed.data.extend(value.data);
        packed.handles.extend(value.handles);
    }
    Readings::Packed(packed)
}

fn reading(mut value: Value) -> Reading {
    let objects: Vec<ObjectRef> = value.handles.iter().filter_map(Handle::object).cloned().collect();
    if objects.len() < CONTENTS_MIN || objects.len() < value.handles.len() {
        return Reading { value, contents: None };
    }
    value.handles.clear();
    Reading { value, contents: Some(Contents { objects }) }
}

pub(crate) fn wait(
    refs: &[&ObjectRef],
    num_ready: u32,
    timeout_ms: Option<u64>,
    _fetch_local: bool,
) -> Result<Vec<u32>, Error> {
    let count = refs.len();
    let num_ready = num_ready as usize;
    if num_ready == 0 || num_ready > count {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format_args!("`wait` was asked for {num_ready} of {count} objects; ask for 1 to {count}"),
        ));
    }
    let mut seen = HashSet::with_capacity(count);
    if let Some(twice) = refs.iter().find(|object| !seen.insert(Arc::as_ptr(&object.cell))) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format_args!("`wait` was given the object {} twice; give each object once", twice.cell.id),
        ));
    }
    let ready = || {
        (0_u32..)
            .zip(refs)
            .filter(|(_, object)| object.cell.content().is_some())
            .map(|(index, _)| index)
            .take(num_ready)
            .collect::<Vec<_>>()
    };
    let enough = WORLD.wait_until(deadline(timeout_ms), || Some(ready()).filter(|ready| ready.len() == num_ready));
    Ok(enough.unwrap_or_else(ready))
}

/// The end of a time that starts now.
pub(super) fn deadline(timeout_ms: Option<u64>) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(timeout_ms?))
}
