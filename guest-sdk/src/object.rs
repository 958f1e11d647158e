//! Objects: immutable values that tasks make or that are put, and references to them.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bytes::Bytes;
use crate::contents::{self, Member};
use crate::dropped;
use crate::error::{Error, Result};
use crate::runtime::types::{ObjectRef as Raw, Readings};
use crate::runtime::{objects, tasks};
use crate::value::{self, Encoded};

/// A reference to a value of type `T` that exists somewhere, or will.
///
/// It is cheap to clone, and may be put into any value: as a top-level
/// argument it arrives as the value it refers to, within a larger value it
/// arrives as a reference. Dropping the last reference frees the object; of one that came with many others in one
/// value that happens when rayw is next asked for something, or the call ends.
///
/// ```
/// # fn main() -> rayw::Result<()> {
/// #[rayw::task]
/// fn sum(numbers: Vec<rayw::ObjectRef<u64>>) -> rayw::Result<u64> {
///     Ok(rayw::get_all(numbers)?.into_iter().sum())
/// }
///
/// let numbers = vec![rayw::put(&1)?, rayw::put(&2)?];
/// assert_eq!(sum::remote(numbers).get()?, 3);
/// # Ok(())
/// # }
/// ```
///
/// Two references are equal if they refer to the same object.
pub struct ObjectRef<T> {
    reference: Reference,
    value: PhantomData<fn() -> T>,
}

impl<T> ObjectRef<T> {
    /// The value, when it is there.
    ///
    /// # Errors
    ///
    /// What the task that makes the object failed with.
    pub fn get(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        self.get_within(None)
    }

    /// The value, or [`ErrorKind::GetTimeout`](crate::ErrorKind::GetTimeout) when the time is
    /// over. A time of zero asks whether it is there now.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<T>
    where
        T: DeserializeOwned,
    {
        self.get_within(Some(timeout))
    }

    /// The id of the object, in hexadecimal digits: a name for people and logs.
    pub fn id(&self) -> &str {
        self.shared().id()
    }

    pub(crate) fn new(raw: Raw) -> Self {
        Self::from_shared(Arc::new(Shared::live(raw)))
    }

    /// A reference to a result that there will never be.
    pub(crate) fn failed(error: Error) -> Self {
        Self::from_shared(Arc::new(Shared { state: State::Failed(error), id: OnceLock::new() }))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match &self.reference {
            Reference::Own(shared) => shared,
            Reference::Within(member) => member.shared(),
        }
    }

    fn from_shared(shared: Arc<Shared>) -> Self {
        Self::from_reference(Reference::Own(shared))
    }

    fn from_reference(reference: Reference) -> Self {
        Self { reference, value: PhantomData }
    }

    fn get_within(&self, timeout: Option<Duration>) -> Result<T>
    where
        T: DeserializeOwned,
    {
        let raw = self.shared().raw()?;
        contents::settle();
        value::decode_reading(objects::read_one(raw, timeout.map(milliseconds))?)
    }
}

impl<T> Clone for ObjectRef<T> {
    fn clone(&self) -> Self {
        Self::from_reference(self.reference.clone())
    }
}

impl<T> PartialEq for ObjectRef<T> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.reference, &other.reference) {
            (Reference::Own(one), Reference::Own(other)) if Arc::ptr_eq(one, other) => true,
            (Reference::Within(one), Reference::Within(other)) if one.is_same(other) => true,
            _ => self.id() == other.id(),
        }
    }
}

impl<T> Eq for ObjectRef<T> {}

impl<T> Hash for ObjectRef<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl<T> fmt::Debug for ObjectRef<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ObjectRef({})", self.id())
    }
}

impl<T> fmt::Display for ObjectRef<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

impl<T> Serialize for ObjectRef<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        value::serialize_object(self.shared(), serializer)
    }
}

impl<'de, T> Deserialize<'de> for ObjectRef<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        value::deserialize_object(deserializer).map(Self::from_reference)
    }
}

/// Stores a value; it is immutable from then on. [`Bytes`] are stored as they are, without a copy within the guest.
///
/// # Errors
///
/// When the value cannot be serialised or the store has no room for it.
pub fn put<T: Serialize>(value: &T) -> Result<ObjectRef<T>> {
    let raw = match value::encode_or(value, put_alone)? {
        Encoded::Alone(put) => put?,
        Encoded::Packed(value) => {
            contents::settle();
            objects::put(value)?
        }
    };
    Ok(ObjectRef::new(raw))
}

/// Stores bytes as they are, without a copy within the guest: [`put`] for those that are not [`Bytes`] yet.
///
/// # Errors
///
/// When the store has no room for them.
pub fn put_bytes(bytes: impl AsRef<[u8]>) -> Result<ObjectRef<Bytes>> {
    Ok(ObjectRef::new(put_alone(bytes.as_ref())?))
}

fn put_alone(bytes: &[u8]) -> Result<Raw> {
    contents::settle();
    Ok(objects::put_bytes(bytes)?)
}

/// The value of one object, when it is there: [`ObjectRef::get`] as a function.
///
/// # Errors
///
/// What the task that makes the object failed with.
pub fn get<T: DeserializeOwned>(object: &ObjectRef<T>) -> Result<T> {
    object.get()
}

/// The values of all the objects, in order, asked for at once.
///
/// # Errors
///
/// The error of the first object that failed, without waiting for the rest.
pub fn get_all<T, R>(objects: impl IntoIterator<Item = R>) -> Result<Vec<T>>
where
    T: DeserializeOwned,
    R: Borrow<ObjectRef<T>>,
{
    get_all_within(objects, None)
}

/// As [`get_all`], or [`ErrorKind::GetTimeout`](crate::ErrorKind::GetTimeout) when the time is over.
///
/// # Errors
///
/// As [`get_all`].
pub fn get_all_timeout<T, R>(objects: impl IntoIterator<Item = R>, timeout: Duration) -> Result<Vec<T>>
where
    T: DeserializeOwned,
    R: Borrow<ObjectRef<T>>,
{
    get_all_within(objects, Some(timeout))
}

/// Waits until `num_ready` of the objects are ready or the time is over.
///
/// Answers with the ready ones, at most `num_ready`, and the others, both in
/// the order given. An object whose task failed is ready. When the time is
/// over there may be fewer ready ones; that is no error.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) when an object is given
/// twice (a long list whose front is ready is not looked through), or when `num_ready` is 0 or more
/// than there are.
#[expect(clippy::type_complexity, reason = "two lists of the same kind need no name of their own")]
pub fn wait<T>(
    objects: &[ObjectRef<T>],
    num_ready: usize,
    timeout: Option<Duration>,
) -> Result<(Vec<ObjectRef<T>>, Vec<ObjectRef<T>>)> {
    wait_with(objects, num_ready, timeout, WaitOptions::default())
}

/// As [`wait`], with a say in what ready means.
///
/// # Errors
///
/// As [`wait`].
#[expect(clippy::type_complexity, reason = "two lists of the same kind need no name of their own")]
pub fn wait_with<T>(
    objects: &[ObjectRef<T>],
    num_ready: usize,
    timeout: Option<Duration>,
    options: WaitOptions,
) -> Result<(Vec<ObjectRef<T>>, Vec<ObjectRef<T>>)> {
    let ready = ready_indices(objects, num_ready, timeout, options.fetch_local)?;
    let mut is_ready = vec![false; objects.len()];
    for index in ready {
        is_ready[index] = true;
    }
    let (mut ready, mut not_ready) = (Vec::new(), Vec::new());
    for (object, is_ready) in objects.iter().zip(is_ready) {
        if is_ready { ready.push(object.clone()) } else { not_ready.push(object.clone()) }
    }
    Ok((ready, not_ready))
}

/// How [`wait_with`] waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct WaitOptions {
    fetch_local: bool,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self { fetch_local: true }
    }
}

impl WaitOptions {
    /// Whether ready objects are brought to this node, as they are by default. Otherwise an object is
    /// ready as soon as it is anywhere, and nothing is transferred.
    pub fn fetch_local(mut self, fetch_local: bool) -> Self {
        self.fetch_local = fetch_local;
        self
    }
}

/// Cancels the task that makes this object, and the tasks which that one submitted.
///
/// Waiting in a queue, it never runs. Running, its sandbox is dropped.
/// Finished, nothing happens. The running call of an actor only sees
/// [`is_cancelled`](crate::is_cancelled).
///
/// # Errors
///
/// When the object was put and not made by a task.
pub fn cancel<T>(object: &ObjectRef<T>) -> Result<()> {
    cancel_with(object, CancelOptions::default())
}

/// As [`cancel`], with a say in how.
///
/// # Errors
///
/// As [`cancel`]; and `force` is refused for the call of an actor: kill the actor instead.
pub fn cancel_with<T>(object: &ObjectRef<T>, options: CancelOptions) -> Result<()> {
    contents::settle();
    match object.shared().raw() {
        Ok(raw) => Ok(tasks::cancel(raw, options.force, options.recursive)?),
        Err(_never_submitted) => Ok(()),
    }
}

/// How [`cancel_with`] cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelOptions {
    force: bool,
    recursive: bool,
}

impl CancelOptions {
    /// Do not leave the task time to notice; false by default.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Cancel also what the task has submitted; true by default.
    #[must_use]
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = recursive;
        self
    }
}

impl Default for CancelOptions {
    fn default() -> Self {
        Self { force: false, recursive: true }
    }
}

/// What a reference holds.
#[derive(Clone)]
pub(crate) enum Reference {
    /// A handle.
    Own(Arc<Shared>),
    /// One of many in a value, with a handle when it needs one.
    Within(Member),
}

/// What the clones of a reference share: one handle of the host, so that a
/// clone asks the host nothing.
pub(crate) struct Shared {
    state: State,
    id: OnceLock<String>,
}

enum State {
    Live(Raw),
    /// The work that should have made the object was refused.
    Failed(Error),
    /// It is being dropped.
    Dropped,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let State::Live(raw) = std::mem::replace(&mut self.state, State::Dropped) {
            // What is not taken over is dropped here.
            drop(dropped::take(raw));
        }
    }
}

impl Shared {
    pub(crate) fn live(raw: Raw) -> Self {
        Self { state: State::Live(raw), id: OnceLock::new() }
    }

    /// The handle, or why there is none.
    pub(crate) fn raw(&self) -> Result<&Raw> {
        match &self.state {
            State::Live(raw) => Ok(raw),
            State::Failed(error) => Err(error.clone()),
            State::Dropped => unreachable!("nobody refers to what is being dropped"),
        }
    }

    fn id(&self) -> &str {
        static REFUSED: AtomicU64 = AtomicU64::new(0);
        self.id.get_or_init(|| match &self.state {
            State::Live(raw) => raw.id(),
            State::Failed(_) | State::Dropped => format!("refused-{}", REFUSED.fetch_add(1, Ordering::Relaxed)),
        })
    }
}

/// Rounded up, so that a short time is not a poll.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn get_all_within<T, R>(refs: impl IntoIterator<Item = R>, timeout: Option<Duration>) -> Result<Vec<T>>
where
    T: DeserializeOwned,
    R: Borrow<ObjectRef<T>>,
{
    let refs: Vec<R> = refs.into_iter().collect();
    let raws = refs.iter().map(|object| object.borrow().shared().raw()).collect::<Result<Vec<_>>>()?;
    contents::settle();
    let read = objects::read(&raws, timeout.map(milliseconds))?;
    // What a small value refers to may be large.
    let are_small = matches!(&read, Readings::Packed(packed) if packed.handles.is_empty());
    let values = value::decode_readings(read, refs.len());
    if are_small {
        dropped::drop_all(refs);
    }
    values
}

/// References in the front of a long list that are looked at first, for each that is to be ready.
const FRONT_PER_READY: usize = 8;
/// The shortest such front.
const FRONT_MIN: usize = 32;

/// Refused references are ready from the start; the host waits for the others.
fn ready_indices<T>(
    refs: &[ObjectRef<T>],
    num_ready: usize,
    timeout: Option<Duration>,
    fetch_local: bool,
) -> Result<Vec<usize>> {
    contents::settle();
    let wanted = u32::try_from(num_ready).unwrap_or(u32::MAX);
    let timeout_ms = timeout.map(milliseconds);
    // Who waits for one of many asks again and again with nearly the same list, whose front is ready most
    // of the time. The first that are ready in the front are the first that are ready in the whole.
    let front = num_ready.saturating_mul(FRONT_PER_READY).max(FRONT_MIN);
    if num_ready > 0 && refs.len() > front * 2 {
        let raws = refs[..front].iter().map(|object| object.shared().raw()).collect::<Result<Vec<_>>>();
        if let Ok(raws) = raws {
            let indices: Vec<_> =
                objects::wait(&raws, wanted, Some(0), false)?.into_iter().map(|index| index as usize).collect();
            if indices.len() == num_ready {
                if fetch_local {
                    let chosen: Vec<_> = indices.iter().map(|index| raws[*index]).collect();
                    objects::wait(&chosen, wanted, timeout_ms, true)?;
                }
                return Ok(indices);
            }
        }
    }
    let mut ready = Vec::new();
    let mut live = Vec::with_capacity(refs.len());
    let mut raws = Vec::with_capacity(refs.len());
    for (index, object) in refs.iter().enumerate() {
        match object.shared().raw() {
            Ok(raw) => {
                live.push(index);
                raws.push(raw);
            }
            Err(_) => ready.push(index),
        }
    }
    if ready.is_empty() {
        let indices = objects::wait(&raws, wanted, timeout_ms, fetch_local)?;
        return Ok(indices.into_iter().map(|index| index as usize).collect());
    }
    if num_ready == 0 || num_ready > refs.len() {
        let count = refs.len();
        return Err(Error::invalid_argument(format!(
            "`wait` was asked for {num_ready} of {count} objects; ask for 1 to {count}"
        )));
    }
    if let missing @ 1.. = wanted.saturating_sub(ready.len() as u32) {
        let indices = objects::wait(&raws, missing, timeout_ms, fetch_local)?;
        ready.extend(indices.into_iter().map(|index| live[index as usize]));
        ready.sort_unstable();
    }
    ready.truncate(num_ready);
    Ok(ready)
}
