//! Bytes that travel as they are.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Bytes that travel as they are.
///
/// A `Vec<u8>` is a sequence of numbers to serde, and is encoded one number at
/// a time. `Bytes` are one block: a value that is nothing but `Bytes` (an
/// argument, a result, what is given to [`put`](crate::put)) is not encoded at
/// all, and `Bytes` within a larger value are one MessagePack `bin`.
///
/// ```
/// # fn main() -> rayw::Result<()> {
/// #[rayw::task]
/// fn reverse(mut picture: rayw::Bytes) -> rayw::Bytes {
///     picture.reverse();
///     picture
/// }
///
/// let reversed = reverse::remote(rayw::Bytes::from(vec![1, 2, 3])).get()?;
/// assert_eq!(*reversed, [3, 2, 1]);
/// # Ok(())
/// # }
/// ```
///
/// Given away, as an argument or a result, they are moved and not copied within
/// the guest; [`put`](crate::put) stores them from where they lie.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes {
    bytes: Vec<u8>,
}

impl Bytes {
    /// The bytes as a vector, without a copy.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Self { bytes: text.into_bytes() }
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        bytes.bytes
    }
}

impl Deref for Bytes {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 32;
        let shown = &self.bytes[..self.bytes.len().min(SHOWN_MAX)];
        write!(formatter, "Bytes({} B: b\"{}", self.bytes.len(), shown.escape_ascii())?;
        formatter.write_str(if self.bytes.len() > SHOWN_MAX { "…\")" } else { "\")" })
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::value::serialize_bytes(&self.bytes, serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes")
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes { bytes })
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::from(bytes))
    }

    fn visit_str<E>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes::from(text.as_bytes()))
    }

    /// Other languages may send a list of numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Bytes, A::Error> {
        const RESERVED_MAX: usize = 1 << 20;
        let mut bytes = Vec::with_capacity(numbers.size_hint().unwrap_or(0).min(RESERVED_MAX));
        while let Some(number) = numbers.next_element::<u64>()? {
            bytes.push(u8::try_from(number).map_err(|_| A::Error::custom(format!("{number} is not a byte")))?);
        }
        Ok(Bytes { bytes })
    }
}
