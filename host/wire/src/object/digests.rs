//! Digests of chunks that were sent: whoever asks for the same object next is not made to wait for them again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use rayw_core::{ObjectId, Value, limits};

/// The digests of one value's chunks, as far as they are known.
pub(super) type Digests = Arc<[OnceLock<blake3::Hash>]>;

/// Digests of values that this process sent and still has.
#[derive(Default)]
pub(super) struct KnownDigests {
    /// With the value itself: one that was made again under the same id need not be the same.
    of: Mutex<HashMap<ObjectId, (Weak<Value>, Digests)>>,
}

impl KnownDigests {
    /// Those of a value, to be read and added to.
    pub(super) fn of(&self, object: ObjectId, value: &Arc<Value>) -> Digests {
        let mut known = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let this = Arc::downgrade(value);
        if let Some((of, digests)) = known.get(&object)
            && of.ptr_eq(&this)
        {
            return Arc::clone(digests);
        }
        let digests: Digests = value.data.chunks(limits::CHUNK_BYTES).map(|_| OnceLock::new()).collect();
        if known.len() >= limits::DIGESTED_OBJECTS_MAX {
            known.retain(|_, (of, _)| of.strong_count() > 0);
        }
        if known.len() < limits::DIGESTED_OBJECTS_MAX {
            known.insert(object, (this, Arc::clone(&digests)));
        }
        digests
    }
}

#[cfg(test)]
mod tests {
    use rayw_core::{Codec, JobId};

    use super::*;

    fn value() -> Arc<Value> {
        Arc::new(Value { codec: Codec::Raw, data: vec![7; limits::CHUNK_BYTES + 1].into(), refs: Vec::new() })
    }

    fn object(number: u32) -> ObjectId {
        JobId::numbered(1).driver(0).output(number)
    }

    #[test]
    fn a_value_has_one_digest_for_each_chunk_and_keeps_it() {
        let (known, value) = (KnownDigests::default(), value());
        assert_eq!(known.of(object(1), &value).len(), 2);
        known.of(object(1), &value)[1].get_or_init(|| blake3::hash(b"7"));
        assert_eq!(known.of(object(1), &value)[1].get(), Some(&blake3::hash(b"7")));
    }

    #[test]
    fn a_value_that_was_made_again_has_none() {
        let known = KnownDigests::default();
        known.of(object(1), &value())[0].get_or_init(|| blake3::hash(b"7"));
        assert_eq!(known.of(object(1), &value())[0].get(), None);
    }

    #[test]
    fn those_of_values_that_are_gone_make_room() {
        let known = KnownDigests::default();
        let empty = || Arc::new(Value { codec: Codec::Raw, data: bytes::Bytes::new(), refs: Vec::new() });
        for number in 0..limits::DIGESTED_OBJECTS_MAX as u32 + 1 {
            known.of(object(number), &empty());
        }
        assert_eq!(known.of.lock().unwrap().len(), 1);
    }
}
