//! Values: what a Rust value looks like on its way between sandboxes.
//!
//! ```text
//! T: Serialize ──encode──▶ Value { codec, data, handles } ──decode──▶ T: DeserializeOwned
//! ```
//!
//! * Codec `msgpack`: MessagePack with named fields.
//! * Codec `raw`: a value that is nothing but [`Bytes`].
//! * References never enter the bytes. An `ObjectRef`, an actor handle or a
//!   `PlacementGroup` is written as a MessagePack extension of type 0x52 whose four bytes, most
//!   significant first, are an index into `handles`.
//!
//! The handles of the value at hand are in a thread-local scope, because
//! serde offers no way to pass them along.

mod first;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use serde::de::value::SeqDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer, forward_to_deserialize_any};

use crate::actor::Actor;
use crate::bytes::Bytes;
use crate::contents::List;
use crate::error::{Error, ErrorKind, Result};
use crate::group::PlacementGroup;
use crate::object::{Reference, Shared};
use crate::runtime::types::{Codec, Handle, Packed, Reading, Readings, Value};

use self::first::First;
pub(crate) use self::first::serialize_bytes;

/// Type of the MessagePack extension that stands for a handle.
const HANDLE_EXTENSION: i8 = 0x52;
/// The name by which `rmp-serde` knows an extension.
const EXTENSION_NAME: &str = "_ExtStruct";

/// A value on its way out.
pub(crate) enum Encoded<R> {
    /// It was nothing but [`Bytes`]: what became of them.
    Alone(R),
    /// It was more.
    Packed(Value),
}

/// Encodes a value that somebody else keeps.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
    match encode_or(value, |bytes| raw(bytes.to_vec()))? {
        Encoded::Alone(value) | Encoded::Packed(value) => Ok(value),
    }
}

/// The same, but for a value that is nothing but [`Bytes`]: `alone` has them where they lie.
pub(crate) fn encode_or<T: Serialize + ?Sized, R>(value: &T, alone: impl FnOnce(&[u8]) -> R) -> Result<Encoded<R>> {
    let (mut alone, mut became) = (Some(alone), None);
    let mut take = |bytes: &[u8]| became = alone.take().map(|alone| alone(bytes));
    let (data, handles) = EncodingScope::enter().run(value, &mut take)?;
    Ok(match became {
        Some(became) => Encoded::Alone(became),
        None => Encoded::Packed(Value { codec: Codec::Msgpack, data, handles }),
    })
}

/// Encodes a value that is given away: [`Bytes`] are moved, not copied.
pub(crate) fn encode_owned<T: Serialize + 'static>(mut value: T) -> Result<Value> {
    if let Some(bytes) = (&mut value as &mut dyn Any).downcast_mut::<Bytes>() {
        return Ok(raw(std::mem::take(bytes).into_vec()));
    }
    encode(&value)
}

/// The value that is nothing but these bytes.
pub(crate) fn raw(data: Vec<u8>) -> Value {
    Value { codec: Codec::Raw, data, handles: Vec::new() }
}

/// Decodes a value; the bytes of a raw one are moved, not copied.
pub(crate) fn decode<T: DeserializeOwned>(value: Value) -> Result<T> {
    let slots = Slots::Each(value.handles.into_iter().map(Slot::from).collect());
    decode_data(value.codec, value.data.into(), slots)
}

/// Decodes as many values as were asked for.
pub(crate) fn decode_readings<T: DeserializeOwned>(readings: Readings, asked: usize) -> Result<Vec<T>> {
    let found = match &readings {
        Readings::Each(values) => values.len(),
        Readings::Packed(packed) => packed.values.len(),
    };
    if found != asked {
        return Err(wrong_count(asked, found));
    }
    match readings {
        Readings::Each(values) => values.into_iter().map(decode_reading).collect(),
        Readings::Packed(packed) => decode_packed(packed),
    }
}

fn wrong_count(asked: usize, found: usize) -> Error {
    Error::of_kind(ErrorKind::System, format!("the host was asked for {asked} values and answered with {found}"))
}

/// Decodes a value that was read by itself.
pub(crate) fn decode_reading<T: DeserializeOwned>(reading: Reading) -> Result<T> {
    match reading.contents {
        None => decode(reading.value),
        Some(contents) => {
            decode_data(reading.value.codec, reading.value.data.into(), Slots::Listed(List::new(contents)))
        }
    }
}

fn decode_packed<T: DeserializeOwned>(packed: Packed) -> Result<Vec<T>> {
    let mut data = packed.data.as_slice();
    let mut handles = packed.handles.into_iter();
    let values = packed.values.into_iter().map(|value| {
        let Some((own, rest)) = data.split_at_checked(value.data_len as usize) else {
            return Err(Error::of_kind(ErrorKind::System, "the host packed fewer bytes than it says"));
        };
        data = rest;
        let slots = handles.by_ref().take(value.handles_len as usize).map(Slot::from).collect();
        decode_data(value.codec, own.into(), Slots::Each(slots))
    });
    values.collect()
}

fn decode_data<T: DeserializeOwned>(codec: Codec, data: Cow<'_, [u8]>, slots: Slots) -> Result<T> {
    let wrong = |reason: &dyn std::fmt::Display| {
        let type_name = std::any::type_name::<T>();
        Error::serialization(format!("the value cannot be read as `{type_name}`")).because(reason.to_string())
    };
    match codec {
        Codec::Msgpack => {
            let _scope = DecodingScope::enter(slots);
            rmp_serde::from_slice(&data).map_err(|error| wrong(&in_words(&error)))
        }
        Codec::Raw => T::deserialize(RawDeserializer(data.into_owned())).map_err(|error| wrong(&error)),
        Codec::Wave => Err(wrong(&"it is in WebAssembly value encoding, which only typed components read")),
    }
}

/// MessagePack's own names, like "wrong msgpack marker FixStr(5)", say little to a caller.
fn in_words(error: &rmp_serde::decode::Error) -> String {
    let rmp_serde::decode::Error::TypeMismatch(marker) = error else {
        return error.to_string();
    };
    let marker = format!("{marker:?}");
    let found = match marker.trim_end_matches(|c: char| !c.is_alphabetic()) {
        "Null" => "nothing",
        "True" | "False" => "a bool",
        "FixPos" | "FixNeg" | "U" | "I" => "a whole number",
        "F" => "a number with a fraction",
        "FixStr" | "Str" => "a text",
        "Bin" => "bytes",
        "FixArray" | "Array" => "a list",
        "FixMap" | "Map" => "a map",
        _ if marker.contains("Ext") => "a reference",
        _ => return error.to_string(),
    };
    format!("found {found}, where something else was expected")
}

/// What an `ObjectRef` writes of itself.
pub(crate) fn serialize_object<S: Serializer>(object: &Shared, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serialize_handle("an ObjectRef", serializer, || Ok(Handle::Object(object.raw()?.clone())))
}

/// What an actor handle writes of itself.
pub(crate) fn serialize_actor<S: Serializer>(actor: &Actor, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serialize_handle("an actor handle", serializer, || Ok(Handle::Actor(actor.raw().clone())))
}

/// What a placement group writes of itself.
pub(crate) fn serialize_group<S: Serializer>(
    group: &PlacementGroup,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serialize_handle("a PlacementGroup", serializer, || Ok(Handle::Group(group.raw().clone())))
}

/// The object that the bytes name by its index.
pub(crate) fn deserialize_object<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Reference, D::Error> {
    match deserialize_slot("an ObjectRef", deserializer)? {
        Slot::Object(object) => Ok(object),
        other => Err(other.unexpected("an ObjectRef")),
    }
}

/// The actor that the bytes name by its index.
pub(crate) fn deserialize_actor<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Actor, D::Error> {
    match deserialize_slot("an actor handle", deserializer)? {
        Slot::Actor(actor) => Ok(actor),
        other => Err(other.unexpected("an actor handle")),
    }
}

/// The placement group that the bytes name by its index.
pub(crate) fn deserialize_group<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<PlacementGroup, D::Error> {
    match deserialize_slot("a PlacementGroup", deserializer)? {
        Slot::Group(group) => Ok(group),
        other => Err(other.unexpected("a PlacementGroup")),
    }
}

thread_local! {
    static ENCODING: RefCell<Option<Encoding>> = const { RefCell::new(None) };
    static DECODING: RefCell<Option<Slots>> = const { RefCell::new(None) };
}

/// What is gathered beside the bytes while a value is encoded.
struct Encoding {
    handles: Vec<Handle>,
    /// Why a handle could not be written; serde would only keep its words.
    failure: Option<Error>,
}

/// The handles of the value at hand.
enum Slots {
    Each(Vec<Slot>),
    Listed(Arc<List>),
}

impl Slots {
    fn get(&self, index: usize) -> Option<Slot> {
        match self {
            Self::Each(slots) => slots.get(index).cloned(),
            Self::Listed(list) => list.member(index).map(|member| Slot::Object(Reference::Within(member))),
        }
    }
}

/// A handle that the bytes of the value at hand may name, more than once.
#[derive(Clone)]
enum Slot {
    Object(Reference),
    Actor(Actor),
    Group(PlacementGroup),
}

impl From<Handle> for Slot {
    fn from(handle: Handle) -> Self {
        match handle {
            Handle::Object(raw) => Self::Object(Reference::Own(Arc::new(Shared::live(raw)))),
            Handle::Actor(raw) => Self::Actor(Actor::new(raw)),
            Handle::Group(raw) => Self::Group(PlacementGroup::from_raw(raw)),
        }
    }
}

impl Slot {
    fn unexpected<E: de::Error>(&self, expected: &str) -> E {
        let found = match self {
            Self::Object(_) => "an ObjectRef",
            Self::Actor(_) => "an actor handle",
            Self::Group(_) => "a PlacementGroup",
        };
        E::custom(format!("expected {expected}, found {found}"))
    }
}

/// Puts an [`Encoding`] in place, and the one before back when it ends: a
/// `Serialize` implementation may call into rayw itself.
struct EncodingScope {
    outer: Option<Encoding>,
}

impl EncodingScope {
    fn enter() -> Self {
        let own = Encoding { handles: Vec::new(), failure: None };
        Self { outer: ENCODING.replace(Some(own)) }
    }

    /// What is written of the value, and the handles in it.
    fn run<T: Serialize + ?Sized>(self, value: &T, alone: &mut dyn FnMut(&[u8])) -> Result<(Vec<u8>, Vec<Handle>)> {
        let mut data = Vec::with_capacity(64);
        let mut packed = rmp_serde::Serializer::new(&mut data).with_struct_map();
        let written = value.serialize(First { packed: &mut packed, alone });
        let encoding = ENCODING.take().unwrap_or_else(|| unreachable!("the scope is ours"));
        match written {
            Ok(()) => Ok((data, encoding.handles)),
            Err(error) => Err(encoding.failure.unwrap_or_else(|| {
                let type_name = std::any::type_name::<T>();
                Error::serialization(format!("the value of type `{type_name}` cannot be written"))
                    .because(error.to_string())
            })),
        }
    }
}

impl Drop for EncodingScope {
    fn drop(&mut self) {
        ENCODING.set(self.outer.take());
    }
}

struct DecodingScope {
    outer: Option<Slots>,
}

impl DecodingScope {
    fn enter(slots: Slots) -> Self {
        Self { outer: DECODING.replace(Some(slots)) }
    }
}

impl Drop for DecodingScope {
    fn drop(&mut self) {
        if let Some(Slots::Listed(list)) = DECODING.replace(self.outer.take()) {
            list.has_been_read();
        }
    }
}

fn serialize_handle<S: Serializer>(
    what: &str,
    serializer: S,
    handle: impl FnOnce() -> Result<Handle>,
) -> std::result::Result<S::Ok, S::Error> {
    use serde::ser::Error as _;

    if ENCODING.with_borrow(Option::is_none) {
        return Err(S::Error::custom(format!(
            "{what} can only be put into values that rayw carries: \
             arguments, results and what is given to `rayw::put`"
        )));
    }
    // Asking the host for a second handle happens outside of the borrow.
    let handle = handle();
    let index = ENCODING.with_borrow_mut(|encoding| {
        let encoding = encoding.as_mut().ok_or("the scope is gone")?;
        match handle {
            Ok(handle) => {
                encoding.handles.push(handle);
                u32::try_from(encoding.handles.len() - 1).map_err(|_| "more than 2^32 handles")
            }
            Err(error) => {
                encoding.failure = Some(error);
                Err("the reference has failed")
            }
        }
    });
    let index = index.map_err(S::Error::custom)?.to_be_bytes();
    serializer.serialize_newtype_struct(EXTENSION_NAME, &(HANDLE_EXTENSION, serde_bytes::Bytes::new(&index)))
}

fn deserialize_slot<'de, D: Deserializer<'de>>(what: &str, deserializer: D) -> std::result::Result<Slot, D::Error> {
    use serde::de::Error as _;

    if DECODING.with_borrow(Option::is_none) {
        return Err(D::Error::custom(format!("{what} can only be read from values that rayw carries")));
    }
    let index = deserializer.deserialize_newtype_struct(EXTENSION_NAME, IndexVisitor)?;
    DECODING
        .with_borrow(|slots| slots.as_ref().and_then(|slots| slots.get(index)))
        .ok_or_else(|| D::Error::custom(format!("the value has no handle number {index}")))
}

struct IndexVisitor;

impl<'de> Visitor<'de> for IndexVisitor {
    type Value = usize;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a reference to an object, an actor or a placement group")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<usize, D::Error> {
        let (extension, Index(index)) = <(i8, Index)>::deserialize(deserializer)?;
        match index {
            Some(index) if extension == HANDLE_EXTENSION => Ok(u32::from_be_bytes(index) as usize),
            _ => Err(de::Error::custom(format!("MessagePack extension {extension} is not a handle"))),
        }
    }
}

/// The four bytes of an index, or `None` for bytes that are none: read in place, because there may be thousands.
struct Index(Option<[u8; 4]>);

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct BytesVisitor;

        impl Visitor<'_> for BytesVisitor {
            type Value = Index;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("the four bytes of an index")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> std::result::Result<Index, E> {
                Ok(Index(bytes.try_into().ok()))
            }
        }

        deserializer.deserialize_bytes(BytesVisitor)
    }
}

/// Reads a value that is nothing but bytes, as whatever its type makes of bytes.
struct RawDeserializer(Vec<u8>);

impl<'de> Deserializer<'de> for RawDeserializer {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_byte_buf(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter()))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        match String::from_utf8(self.0) {
            Ok(text) => visitor.visit_string(text),
            Err(_) => Err(de::Error::custom("the bytes are not UTF-8")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit
        unit_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}
