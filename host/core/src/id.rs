//! Ids. They are derived, not drawn: running a program again gives the same
//! ids, so doing a thing twice is harmless.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::str::FromStr;

use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: {digits} hexadecimal digits are needed")]
pub struct ParseIdError {
    text: String,
    what: &'static str,
    digits: usize,
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0_u8; 64];
    for (i, byte) in bytes.iter().enumerate() {
        text[2 * i] = DIGITS[usize::from(byte >> 4)];
        text[2 * i + 1] = DIGITS[usize::from(byte & 15)];
    }
    f.pad(std::str::from_utf8(&text[..2 * bytes.len()]).map_err(|_| fmt::Error)?)
}

fn parse_hex<const N: usize>(text: &str, what: &'static str) -> Result<[u8; N], ParseIdError> {
    let fail = || ParseIdError { text: text.to_owned(), what, digits: 2 * N };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(fail());
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| fail())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| fail())?;
    }
    Ok(bytes)
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text, $what).map(Self)
            }
        }

        impl Serialize for $name {
            /// Text for people, the bytes themselves between machines.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.collect_str(self);
                }
                let mut tuple = serializer.serialize_tuple($bytes)?;
                for byte in &self.0 {
                    tuple.serialize_element(byte)?;
                }
                tuple.end()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    return text.parse().map_err(serde::de::Error::custom);
                }
                struct Raw;
                impl<'de> serde::de::Visitor<'de> for Raw {
                    type Value = [u8; $bytes];

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("the ", $bytes, " bytes of ", $what))
                    }

                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                        let mut bytes = [0; $bytes];
                        for (index, byte) in bytes.iter_mut().enumerate() {
                            *byte = seq.next_element()?.ok_or_else(|| serde::de::Error::invalid_length(index, &self))?;
                        }
                        Ok(bytes)
                    }
                }
                deserializer.deserialize_tuple($bytes, Raw).map(Self)
            }
        }
    };
}

hex_id!(
    /// A job: one run of a driver and all that it starts. Numbered by the head.
    JobId, 4, "a job id"
);
hex_id!(
    /// A node of the cluster.
    NodeId, 16, "a node id"
);
hex_id!(
    /// A task: blake3 of its parent's id, of which execution of that made it and of the brood that it is of, and its step
    /// in that (`children.rs`).
    TaskId, 16, "a task id"
);
hex_id!(
    /// An actor: the id of the task that created it.
    ActorId, 16, "an actor id"
);
hex_id!(
    /// A placement group: the number of its creator's child that it would be as a task.
    GroupId, 16, "a placement group id"
);
hex_id!(
    /// An object: the task that makes it and the index of the return or put, big endian.
    ObjectId, 20, "an object id"
);
hex_id!(
    /// The blake3 digest of a component's bytes.
    ComponentDigest, 32, "a component digest"
);

impl JobId {
    /// The job of that number; numbers start at 1.
    #[must_use]
    pub fn numbered(number: u32) -> Self {
        Self(number.to_be_bytes())
    }

    /// The id of the job's driver, the root of all its tasks.
    #[must_use]
    pub fn driver(self, cluster: u64) -> TaskId {
        derive(&[b"driver", &cluster.to_be_bytes(), &self.0])
    }
}

impl TaskId {
    /// The object that is this task's return of that index, from 0.
    #[must_use]
    pub fn output(self, index: u32) -> ObjectId {
        ObjectId::new(self, index)
    }

    /// The object that this task put as its `number`th.
    #[must_use]
    pub fn put(self, number: u32) -> ObjectId {
        ObjectId::new(self, PUT_BIT | number)
    }
}

/// Marks the index of an object that was put, so that it cannot meet a return.
const PUT_BIT: u32 = 1 << 31;

/// The digest of these parts, one after the other, as an id.
pub(crate) fn derive(parts: &[&[u8]]) -> TaskId {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    TaskId(id)
}

impl ObjectId {
    fn new(task: TaskId, index: u32) -> Self {
        let mut id = [0; 20];
        id[..16].copy_from_slice(&task.0);
        id[16..].copy_from_slice(&index.to_be_bytes());
        Self(id)
    }

    /// The task that makes or put the object.
    #[must_use]
    pub fn task(self) -> TaskId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.0[..16]);
        TaskId(id)
    }

    fn raw_index(self) -> u32 {
        u32::from_be_bytes([self.0[16], self.0[17], self.0[18], self.0[19]])
    }

    /// Whether the object was put rather than returned.
    #[must_use]
    pub fn is_put(self) -> bool {
        self.raw_index() & PUT_BIT != 0
    }

    /// The index of the return, or the number of the put.
    #[must_use]
    pub fn index(self) -> u32 {
        self.raw_index() & !PUT_BIT
    }
}

impl From<TaskId> for ActorId {
    fn from(creation: TaskId) -> Self {
        Self(creation.0)
    }
}

impl From<TaskId> for GroupId {
    fn from(child: TaskId) -> Self {
        Self(child.0)
    }
}

impl From<ActorId> for TaskId {
    fn from(actor: ActorId) -> Self {
        Self(actor.0)
    }
}

impl ComponentDigest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// A lease, numbered by the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseId(pub u64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Hashes ids without a key: they come from digests, and no guest chooses them. The ids of one task's children and
/// objects are a sequence, which is mixed until it spreads like chance.
#[derive(Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    #[inline]
    fn finish(&self) -> u64 {
        // A table takes its bucket from the low bits and its tag from the highest seven. Ids of one task
        // differ in a few bits only: both halves of a full product depend on all of them.
        let product = u128::from(self.0) * 0x9e37_79b9_7f4a_7c15;
        #[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart")]
        let (low, high) = (product as u64, (product >> 64) as u64);
        low ^ high
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = self.0.rotate_left(5) ^ u64::from_le_bytes(word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_usize(&mut self, _length_prefix: usize) {}
}

/// A map from ids.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;
/// A set of ids.
pub type IdSet<K> = HashSet<K, BuildHasherDefault<IdHasher>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_and_returns_never_meet() {
        let task = JobId::numbered(1).driver(7);
        assert_ne!(task.put(0), task.output(0));
        assert!(task.put(5).is_put() && task.put(5).index() == 5);
    }

    #[test]
    fn the_objects_of_one_task_spread_over_a_table() {
        use std::hash::BuildHasher;
        let task = JobId::numbered(1).driver(7);
        let build = BuildHasherDefault::<IdHasher>::default();
        let buckets: HashSet<u64> = (0..10_000).map(|index| build.hash_one(task.put(index)) & 0xfff).collect();
        // 3 740 of them is what chance would give.
        assert!(buckets.len() > 3_600, "{} of 4096 buckets", buckets.len());
        let tags: HashSet<u64> = (0..10_000).map(|index| build.hash_one(task.put(index)) >> 57).collect();
        assert_eq!(tags.len(), 128, "the tags tell them apart");
    }

    #[test]
    fn ids_survive_text() {
        let id = JobId::numbered(9).driver(1).output(2);
        assert_eq!(id.to_string().parse::<ObjectId>().unwrap(), id);
        assert!("xyz".parse::<TaskId>().unwrap_err().to_string().contains("32 hexadecimal digits"));
    }
}
