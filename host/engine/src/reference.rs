//! References that guests hold: counted by the node, kept here.
//!
//! A guest sees an index into its own handle table, which wasmtime keeps; that
//! leads to an index into [`References`]. Neither can be forged. Dropping a
//! store gives back all that it held in one call.

use std::sync::Arc;

use rayw_core::{ActorId, GroupId, ObjectId, RefId};

use crate::Services;

/// Marks the resource `object-ref`.
pub(crate) struct ObjectRef;

/// Marks the resource `actor-handle`.
pub(crate) struct ActorHandle;

/// Marks the resource `placement-group`.
pub(crate) struct GroupHandle;

/// Counted references, given back to the node in one call when dropped.
pub struct Handles {
    services: Arc<dyn Services>,
    refs: Vec<RefId>,
}

impl Handles {
    pub(crate) fn new(services: Arc<dyn Services>) -> Self {
        Self { services, refs: Vec::new() }
    }

    pub(crate) fn push(&mut self, reference: RefId) {
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
        if !self.refs.is_empty() {
            self.services.release(&self.refs);
        }
    }
}

impl std::fmt::Debug for Handles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.refs).finish()
    }
}

/// The references of one store by number.
pub(crate) struct References {
    services: Arc<dyn Services>,
    slots: Vec<Option<RefId>>,
    free: Vec<u32>,
}

impl References {
    pub(crate) fn new(services: Arc<dyn Services>) -> Self {
        Self { services, slots: Vec::new(), free: Vec::new() }
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

impl Drop for References {
    fn drop(&mut self) {
        let held: Vec<RefId> = self.slots.iter().flatten().copied().collect();
        if !held.is_empty() {
            self.services.release(&held);
        }
    }
}
