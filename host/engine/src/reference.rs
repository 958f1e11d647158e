//! References that guests hold: counted by the node, kept here.
//!
//! A guest sees an index into its own handle table, which wasmtime keeps; that
//! leads to an index into [`References`]. Neither can be forged. Dropping a
//! store gives back all that it held.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayw_core::{ActorId, GroupId, ObjectId, RefId, Value};

use crate::{Caller, Services};

/// Marks the resource `object-ref`.
pub(crate) struct ObjectRef;

/// Marks the resource `actor-handle`.
pub(crate) struct ActorHandle;

/// Marks the resource `placement-group`.
pub(crate) struct GroupHandle;

/// Marks the resource `contents`.
pub(crate) struct Contents;

/// Counted references, given back to the node in one call when dropped.
#[derive(Default)]
pub struct Handles {
    /// Whose they were; nobody's while there are none, so that who keeps an empty list keeps nothing else.
    of: Option<(Arc<dyn Services>, Arc<Caller>)>,
    refs: Vec<RefId>,
}

impl Handles {
    /// Takes one over that `caller` has.
    pub(crate) fn push(&mut self, reference: RefId, services: &Arc<dyn Services>, caller: &Arc<Caller>) {
        self.of.get_or_insert_with(|| (Arc::clone(services), Arc::clone(caller)));
        self.refs.push(reference);
    }

    /// What is held.
    #[must_use]
    pub fn refs(&self) -> &[RefId] {
        &self.refs
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        if let Some((services, caller)) = &self.of {
            services.release(caller, &self.refs);
        }
    }
}

impl std::fmt::Debug for Handles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.refs).finish()
    }
}

/// References that a guest may drop before the node hears of them: enough that the node's lock is
/// taken seldom, few enough that little is kept alive for it.
pub(crate) const DROPPED_MAX: usize = 256;

/// The same for those that it drops together, whose objects are a few KiB each at most.
const DROPPED_TOGETHER_MAX: usize = 4_096;

/// The references of one store by number.
#[derive(Default)]
pub(crate) struct References {
    slots: Vec<Option<RefId>>,
    free: Vec<u32>,
    /// The values whose references the guest has not taken out, by the number of the reference to their object,
    /// which keeps all of them alive.
    unread: BTreeMap<u32, Arc<Value>>,
    /// Dropped by the guest, and not given back to the node yet.
    dropped: Vec<RefId>,
}

impl References {
    /// The guest dropped a handle. The node hears of it soon: with the next ones, or when the guest
    /// next asks for anything that may take its time. The end of an actor is not put off.
    /// Answers whether it is time to give back [what was dropped](Self::dropped).
    pub(crate) fn drop_handle(&mut self, number: u32) -> wasmtime::Result<bool> {
        let reference = self.take(number)?;
        self.dropped.push(reference);
        Ok(self.dropped.len() >= DROPPED_MAX || matches!(reference, RefId::Actor(_)))
    }

    /// The guest dropped many at once, of objects that are small: what it does next is not to wait until the node has
    /// heard of each. Answers whether it is time to give back [what was dropped](Self::dropped).
    pub(crate) fn drop_together(&mut self, numbers: impl ExactSizeIterator<Item = u32>) -> wasmtime::Result<bool> {
        self.dropped.reserve(numbers.len());
        for number in numbers {
            let reference = self.take(number)?;
            self.dropped.push(reference);
        }
        Ok(self.dropped.len() >= DROPPED_TOGETHER_MAX)
    }

    /// Takes over one counted reference to an object, with its value, which has references to objects only.
    pub(crate) fn push_contents(&mut self, object: ObjectId, value: Arc<Value>) -> wasmtime::Result<u32> {
        let number = self.push(RefId::Object(object))?;
        self.unread.insert(number, value);
        Ok(number)
    }

    /// The references in the value of that number.
    pub(crate) fn contents(&self, number: u32) -> wasmtime::Result<&[RefId]> {
        self.unread.get(&number).map(|value| value.refs.as_slice()).ok_or_else(|| unknown(number))
    }

    /// The guest has no use for the contents of that number any more.
    pub(crate) fn drop_contents(&mut self, number: u32) -> wasmtime::Result<bool> {
        self.unread.remove(&number);
        self.drop_handle(number)
    }

    /// What the guest dropped and the node does not know of, for whoever tells it.
    pub(crate) fn dropped(&mut self) -> &mut Vec<RefId> {
        &mut self.dropped
    }

    /// How many the guest holds.
    pub(crate) fn held(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Counts all that the guest still holds as dropped.
    pub(crate) fn drop_all(&mut self) {
        self.free.clear();
        self.unread.clear();
        self.dropped.extend(self.slots.drain(..).flatten());
    }

    /// Takes over one counted reference.
    pub(crate) fn push(&mut self, reference: RefId) -> wasmtime::Result<u32> {
        if let Some(number) = self.free.pop() {
            self.slots[number as usize] = Some(reference);
            return Ok(number);
        }
        let number = u32::try_from(self.slots.len())?;
        self.slots.push(Some(reference));
        Ok(number)
    }

    /// Hands out the counted reference of that number.
    pub(crate) fn take(&mut self, number: u32) -> wasmtime::Result<RefId> {
        let taken = self.slots.get_mut(number as usize).and_then(Option::take);
        let reference = taken.ok_or_else(|| unknown(number))?;
        self.free.push(number);
        Ok(reference)
    }

    pub(crate) fn object(&self, number: u32) -> wasmtime::Result<ObjectId> {
        match self.slots.get(number as usize) {
            Some(Some(RefId::Object(object))) => Ok(*object),
            _ => Err(unknown(number)),
        }
    }

    pub(crate) fn actor(&self, number: u32) -> wasmtime::Result<ActorId> {
        match self.slots.get(number as usize) {
            Some(Some(RefId::Actor(actor))) => Ok(*actor),
            _ => Err(unknown(number)),
        }
    }

    pub(crate) fn group(&self, number: u32) -> wasmtime::Result<GroupId> {
        match self.slots.get(number as usize) {
            Some(Some(RefId::Group(group))) => Ok(*group),
            _ => Err(unknown(number)),
        }
    }
}

/// wasmtime checks every handle before it comes here, so this is a fault of the host.
fn unknown(number: u32) -> wasmtime::Error {
    wasmtime::Error::msg(format!("there is no reference number {number} in this store"))
}
