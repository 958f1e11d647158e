//! Cases of how values are written: which bytes travel as they are, and that all else is MessagePack.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{Encoded, encode, encode_or};
use crate::Bytes;
use crate::runtime::types::Codec;

const THREE: [u8; 3] = [1, 2, 255];

fn three() -> Bytes {
    Bytes::from(&THREE[..])
}

fn written<T: Serialize + ?Sized>(value: &T) -> (Codec, Vec<u8>) {
    let value = encode(value).unwrap();
    assert!(value.handles.is_empty());
    (value.codec, value.data)
}

fn is_packed<T: Serialize + ?Sized>(value: &T) {
    let expected = rmp_serde::to_vec_named(value).unwrap();
    assert_eq!(written(value), (Codec::Msgpack, expected), "{}", std::any::type_name::<T>());
}

#[derive(Serialize)]
struct Transparent<T>(T);

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Two<T>(T, T);

#[derive(Serialize)]
struct Named<T> {
    first: T,
}

#[derive(Serialize)]
enum Kinds<T> {
    Unit,
    New(T),
    Tuple(T, T),
    Struct { first: T },
}

/// A sequence that does not say how long it is.
struct Unsized<T>(Vec<T>);

impl<T: Serialize> Serialize for Unsized<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let mut sequence = serializer.serialize_seq(None)?;
        self.0.iter().try_for_each(|element| sequence.serialize_element(element))?;
        sequence.end()
    }
}

#[test]
fn bytes_alone_travel_as_they_are() {
    let raw = (Codec::Raw, THREE.to_vec());
    assert_eq!(written(&three()), raw);
    assert_eq!(written(&&three()), raw);
    assert_eq!(written(&Box::new(three())), raw);
    // MessagePack does not show these either.
    assert_eq!(written(&Transparent(three())), raw);
    assert_eq!(written(&Some(Transparent(Some(three())))), raw);
    assert_eq!(written(&Bytes::default()), (Codec::Raw, Vec::new()));
}

#[test]
fn bytes_in_company_are_packed() {
    is_packed(&(three(),));
    is_packed(&vec![three()]);
    is_packed(&[three(), three()]);
    is_packed(&Unsized(vec![three()]));
    is_packed(&Unsized(vec![three(), three()]));
    is_packed(&Named { first: three() });
    is_packed(&Two(three(), three()));
    is_packed(&Kinds::New(three()));
    is_packed(&BTreeMap::from([(1, three())]));
    is_packed(&None::<Bytes>);
}

#[test]
fn bytes_of_others_are_packed() {
    is_packed(serde_bytes::Bytes::new(&THREE));
    // Also when ours were written before.
    assert_eq!(written(&three()).0, Codec::Raw);
    is_packed(serde_bytes::Bytes::new(&THREE));
    is_packed(&(three(), serde_bytes::Bytes::new(&THREE)));
    is_packed(serde_bytes::Bytes::new(&THREE));
    is_packed(&THREE);
}

#[test]
fn all_else_is_messagepack_as_ever() {
    is_packed(&true);
    is_packed(&'ß');
    is_packed(&"words");
    is_packed(&());
    is_packed(&Unit);
    is_packed(&(-1_i8, -300_i16, -70_000_i32, i64::MIN, i128::MIN));
    is_packed(&-1_i8);
    is_packed(&-300_i16);
    is_packed(&-70_000_i32);
    is_packed(&i64::MIN);
    is_packed(&i128::MIN);
    is_packed(&1_u8);
    is_packed(&300_u16);
    is_packed(&70_000_u32);
    is_packed(&u64::MAX);
    is_packed(&u128::MAX);
    is_packed(&0.5_f32);
    is_packed(&0.1_f64);
    is_packed(&Some(1));
    is_packed(&None::<i32>);
    is_packed(&vec![1, 2]);
    is_packed(&(1, "a"));
    is_packed(&Two(1, 2));
    is_packed(&Transparent(7));
    is_packed(&Named { first: 1 });
    is_packed(&BTreeMap::from([("a", 1)]));
    is_packed(&Unsized(vec![1, 2]));
    is_packed(&Kinds::<i32>::Unit);
    is_packed(&Kinds::New(1));
    is_packed(&Kinds::Tuple(1, 2));
    is_packed(&Kinds::Struct { first: 1 });
    is_packed(&std::net::IpAddr::from([127, 0, 0, 1]));
}

#[test]
fn bytes_alone_are_taken_from_where_they_lie() {
    let bytes = three();
    let found = encode_or(&Some(&bytes), |found| (found.as_ptr(), found.len())).unwrap();
    assert!(matches!(found, Encoded::Alone(place) if place == (bytes.as_ptr(), 3)));
    assert!(matches!(encode_or(&(&bytes,), |_| ()).unwrap(), Encoded::Packed(_)));
}
