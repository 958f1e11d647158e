//! The outermost step of writing a value, which finds out whether it is nothing but bytes.

use std::cell::Cell;

use rmp_serde::config::{DefaultConfig, StructMapConfig};
use rmp_serde::encode::Error;
use serde::{Serialize, Serializer};

use super::EXTENSION_NAME;

/// MessagePack with named fields, written to memory.
pub(super) type Packer<'w> = rmp_serde::Serializer<&'w mut Vec<u8>, StructMapConfig<DefaultConfig>>;

/// What MessagePack makes of the rest of a value whose first step was taken here.
type Rest<'a, 'w> = &'a mut Packer<'w>;

thread_local! {
    /// The bytes that are written at the moment are those of a [`Bytes`](crate::Bytes).
    static ARE_OURS: Cell<bool> = const { Cell::new(false) };
}

/// Writes what a [`Bytes`](crate::Bytes) holds, so that [`First`] knows it.
pub(crate) fn serialize_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    ARE_OURS.set(true);
    let written = serializer.serialize_bytes(bytes);
    ARE_OURS.set(false);
    written
}

/// Writes a value to `packed`; of one that is nothing but [`Bytes`](crate::Bytes) writes nothing and hands the bytes to
/// `alone`, where they lie. What MessagePack does not show of a value (`Some`, a newtype) does not count.
pub(super) struct First<'a, 'w> {
    pub(super) packed: &'a mut Packer<'w>,
    pub(super) alone: &'a mut dyn FnMut(&[u8]),
}

/// Methods whose first step is the last as well, or that leave all others to MessagePack.
macro_rules! as_packed {
    ($($method:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $method(self, $($argument: $type),*) -> Result<$result, Error> {
            self.packed.$method($($argument),*)
        })*
    };
}

impl<'a, 'w> Serializer for First<'a, 'w> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = <Rest<'a, 'w> as Serializer>::SerializeSeq;
    type SerializeTuple = <Rest<'a, 'w> as Serializer>::SerializeTuple;
    type SerializeTupleStruct = <Rest<'a, 'w> as Serializer>::SerializeTupleStruct;
    type SerializeTupleVariant = <Rest<'a, 'w> as Serializer>::SerializeTupleVariant;
    type SerializeMap = <Rest<'a, 'w> as Serializer>::SerializeMap;
    type SerializeStruct = <Rest<'a, 'w> as Serializer>::SerializeStruct;
    type SerializeStructVariant = <Rest<'a, 'w> as Serializer>::SerializeStructVariant;

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        if ARE_OURS.take() {
            (self.alone)(bytes);
            Ok(())
        } else {
            self.packed.serialize_bytes(bytes)
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Error> {
        if name == EXTENSION_NAME {
            return self.packed.serialize_newtype_struct(name, value);
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.packed.serialize_newtype_variant(name, index, variant, value)
    }

    fn is_human_readable(&self) -> bool {
        self.packed.is_human_readable()
    }

    as_packed! {
        serialize_bool(value: bool) -> ();
        serialize_i8(value: i8) -> ();
        serialize_i16(value: i16) -> ();
        serialize_i32(value: i32) -> ();
        serialize_i64(value: i64) -> ();
        serialize_i128(value: i128) -> ();
        serialize_u8(value: u8) -> ();
        serialize_u16(value: u16) -> ();
        serialize_u32(value: u32) -> ();
        serialize_u64(value: u64) -> ();
        serialize_u128(value: u128) -> ();
        serialize_f32(value: f32) -> ();
        serialize_f64(value: f64) -> ();
        serialize_char(value: char) -> ();
        serialize_str(value: &str) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(name: &'static str) -> ();
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> ();
        serialize_seq(len: Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(len: usize) -> Self::SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> Self::SerializeTupleStruct;
        serialize_map(len: Option<usize>) -> Self::SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> Self::SerializeStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> Self::SerializeTupleVariant;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> Self::SerializeStructVariant;
    }
}
