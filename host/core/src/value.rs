//! Values as they travel: bytes that the host never reads, and beside them
//! the references that they contain.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{ActorId, GroupId, ObjectId};

/// How the bytes of a value are to be read (by guests and by the command line, never by the host).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// Bytes as they are.
    Raw,
    /// MessagePack with named fields.
    Msgpack,
    /// One value in the WebAssembly value encoding, as text.
    Wave,
}

/// What a reference points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RefId {
    /// An object.
    Object(ObjectId),
    /// An actor.
    Actor(ActorId),
    /// A placement group. Nobody counts these: a group ends by its own rules, not with its last handle.
    Group(GroupId),
}

/// An immutable value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// How to read `data`.
    pub codec: Codec,
    /// The bytes; cloning shares them.
    pub data: Bytes,
    /// The references that the value contains; the bytes name them by index.
    pub refs: Vec<RefId>,
}

impl Value {
    /// Bytes that the value takes in the store: its data and a fixed amount for each reference.
    #[must_use]
    pub fn size(&self) -> u64 {
        /// What a reference takes: its id and its tag.
        const REF_BYTES: usize = 24;
        (self.data.len() + REF_BYTES * self.refs.len()) as u64
    }
}

/// A top-level argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arg {
    /// A value.
    Value(Value),
    /// An object whose value is put in place before the callee runs.
    Object(ObjectId),
}

impl Arg {
    /// The value that comes along; `None` for an object, which is elsewhere.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Object(_) => None,
        }
    }
}
