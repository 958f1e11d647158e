//! Objects: put, get, wait, and what may be in a value.

mod support;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use rayw::{Bytes, ErrorKind, ObjectRef};
use serde::{Deserialize, Serialize};

#[test]
fn what_is_put_can_be_got_any_number_of_times() {
    let object = rayw::put(&vec!["a".to_owned()]).unwrap();
    assert_eq!(object.get().unwrap(), ["a"]);
    assert_eq!(rayw::get(&object.clone()).unwrap(), ["a"]);
}

#[test]
fn references_are_equal_by_id_and_print_it() {
    let (one, other) = (rayw::put(&1).unwrap(), rayw::put(&1).unwrap());
    assert_eq!(one, one.clone());
    assert_ne!(one, other);
    assert_eq!(HashSet::from([one.clone(), one.clone(), other]).len(), 2);
    assert_eq!(one.id().len(), 40);
    assert_eq!(format!("{one:?} {one}"), format!("ObjectRef({0}) ObjectRef({0})", one.id()));
}

#[test]
fn get_all_keeps_the_order_and_takes_owned_or_borrowed_references() {
    let refs: Vec<_> = (0..10).map(|number| rayw::put(&number).unwrap()).collect();
    assert_eq!(rayw::get_all(&refs).unwrap(), (0..10).collect::<Vec<_>>());
    assert_eq!(rayw::get_all(refs.into_iter().rev()).unwrap(), (0..10).rev().collect::<Vec<_>>());
}

#[rayw::task]
fn fail() -> Result<u64, String> {
    Err("no".to_owned())
}

#[test]
fn get_all_fails_at_the_first_failure_without_waiting_for_the_rest() {
    let never = support::number_after("never: get_all", 1);
    let error = rayw::get_all([never, fail::remote()]).unwrap_err();
    assert_eq!(error.message(), "no");
}

#[test]
fn get_gives_up_when_the_time_is_over() {
    let late = support::number_after("get: late", 3);
    assert_eq!(late.get_timeout(Duration::ZERO).unwrap_err().kind(), ErrorKind::GetTimeout);
    let error = rayw::get_all_timeout([&late], Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.message(), "1 of 1 objects were not ready within 1 ms");
    support::open("get: late");
    assert_eq!(late.get().unwrap(), 3);
}

#[test]
fn wait_parts_the_ready_from_the_others_in_order() {
    let late = support::number_after("wait: late", 1);
    let refs = [late.clone(), rayw::put(&2).unwrap(), fail::remote(), rayw::put(&4).unwrap()];
    let (ready, rest) = rayw::wait(&refs, 3, None).unwrap();
    assert_eq!(ready, refs[1..]);
    assert_eq!(rest, refs[..1]);
    let (ready, rest) = rayw::wait(&refs, 1, None).unwrap();
    assert_eq!((ready.as_slice(), rest.len()), (&refs[1..2], 3));
    let (ready, _) = rayw::wait(&refs, 4, Some(Duration::from_millis(1))).unwrap();
    assert_eq!(ready.len(), 3);
    support::open("wait: late");
    assert_eq!(rayw::wait(&refs, 4, None).unwrap().0.len(), 4);
}

#[test]
fn wait_refuses_what_makes_no_sense() {
    let one = rayw::put(&1).unwrap();
    for (refs, num_ready) in [(vec![one.clone()], 0), (vec![one.clone()], 2), (vec![], 1), (vec![one.clone(), one], 1)]
    {
        assert_eq!(rayw::wait(&refs, num_ready, None).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[derive(Serialize, Deserialize)]
struct Nested {
    first: ObjectRef<u64>,
    again: ObjectRef<u64>,
    by_name: BTreeMap<String, ObjectRef<u64>>,
    maybe: Option<ObjectRef<u64>>,
    #[serde(flatten)]
    choice: Choice,
    untagged: Untagged,
    tagged: Tagged,
}

#[derive(Serialize, Deserialize)]
enum Choice {
    Left { object: ObjectRef<u64> },
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Text(String),
    Object(ObjectRef<u64>),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Object { object: ObjectRef<u64> },
}

#[rayw::task]
fn sum(nested: Nested) -> rayw::Result<u64> {
    let Choice::Left { object: left } = nested.choice;
    let Untagged::Object(untagged) = nested.untagged else {
        return Ok(0);
    };
    let Tagged::Object { object: tagged } = nested.tagged;
    let refs = [nested.first, nested.again, left, untagged, tagged].into_iter();
    let all = refs.chain(nested.by_name.into_values()).chain(nested.maybe);
    Ok(rayw::get_all(all)?.into_iter().sum())
}

#[test]
fn references_in_any_serde_value_arrive_as_references() {
    let [a, b] = [1, 10].map(|number| rayw::put(&number).unwrap());
    let nested = Nested {
        first: a.clone(),
        again: a.clone(),
        by_name: BTreeMap::from([("b".to_owned(), b.clone())]),
        maybe: Some(a.clone()),
        choice: Choice::Left { object: b.clone() },
        untagged: Untagged::Object(b.clone()),
        tagged: Tagged::Object { object: b },
    };
    assert_eq!(sum::remote(nested).get().unwrap(), 43);
}

#[rayw::task]
fn make_refs() -> rayw::Result<Vec<ObjectRef<u64>>> {
    (0..3).map(|number| rayw::put(&number)).collect()
}

#[test]
fn references_come_back_in_results_and_objects() {
    let refs = make_refs::remote().get().unwrap();
    let stored = rayw::put(&refs).unwrap();
    drop(refs);
    let refs = stored.get().unwrap();
    drop(stored);
    assert_eq!(rayw::get_all(refs).unwrap(), [0, 1, 2]);
}

#[test]
fn ten_thousand_references_fit_into_a_value() {
    let one = rayw::put(&1_u64).unwrap();
    let many = rayw::put(&vec![one; 10_000]).unwrap();
    assert_eq!(rayw::get_all(many.get().unwrap()).unwrap().into_iter().sum::<u64>(), 10_000);
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Transparent(Bytes);

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Picture {
    name: String,
    pixels: Bytes,
}

#[rayw::task]
fn reverse(mut bytes: Bytes) -> Bytes {
    bytes.reverse();
    bytes
}

#[test]
fn bytes_travel_as_they_are_wherever_they_stand() {
    let bytes = Bytes::from(vec![0, 255, 7]);
    assert_eq!(*reverse::remote(bytes.clone()).get().unwrap(), [7, 255, 0]);
    assert_eq!(*reverse::remote(&bytes).get().unwrap(), [7, 255, 0]);
    assert_eq!(*reverse::remote(rayw::put_bytes(vec![1, 2]).unwrap()).get().unwrap(), [2, 1]);
    let picture = Picture { name: "a".to_owned(), pixels: bytes.clone() };
    assert_eq!(rayw::put(&picture).unwrap().get().unwrap(), picture);
    assert_eq!(rayw::put(&bytes).unwrap().get().unwrap(), bytes);
    assert_eq!(rayw::put(&Some(bytes.clone())).unwrap().get().unwrap(), Some(bytes.clone()));
    assert_eq!(rayw::put(&None::<Bytes>).unwrap().get().unwrap(), None);
    assert_eq!(rayw::put(&Transparent(bytes.clone())).unwrap().get().unwrap(), Transparent(bytes.clone()));
    assert_eq!(rayw::put(&vec![bytes.clone(); 2]).unwrap().get().unwrap(), vec![bytes.clone(); 2]);
    assert_eq!(format!("{bytes:?}"), r#"Bytes(3 B: b"\x00\xff\x07")"#);
}

/// Writes itself as a sequence whose length is not known before.
struct Unsized(Vec<Bytes>);

impl Serialize for Unsized {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().filter(|bytes| !bytes.is_empty()))
    }
}

impl<'de> Deserialize<'de> for Unsized {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}

#[test]
fn bytes_in_a_sequence_of_unknown_length_are_not_taken_for_the_whole() {
    for count in [1, 2] {
        let bytes = vec![Bytes::from(vec![1]); count];
        assert_eq!(rayw::put(&Unsized(bytes.clone())).unwrap().get().unwrap().0, bytes);
    }
}

/// Writes itself as text, and wants to be read as a number.
#[derive(Debug)]
struct TwoFaced;

impl Serialize for TwoFaced {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("seven")
    }
}

impl<'de> Deserialize<'de> for TwoFaced {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|_| Self)
    }
}

#[rayw::task]
fn take_two_faced(_face: TwoFaced) {}

#[test]
fn a_value_that_cannot_be_read_says_why() {
    let error = rayw::put(&TwoFaced).unwrap().get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
    assert!(error.to_string().ends_with(": found a text, where something else was expected"), "{error}");
}

#[test]
fn an_argument_that_cannot_be_read_names_the_parameter_and_its_type() {
    let error = take_two_faced::remote(TwoFaced).get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(error.message(), "argument `_face` of `take_two_faced` is not a `TwoFaced`");
    assert!(error.to_string().ends_with(": found a text, where something else was expected"), "{error}");
}

#[test]
fn a_reference_cannot_leave_by_another_way() {
    let object = rayw::put(&1).unwrap();
    let error = rmp_serde::to_vec(&object).unwrap_err().to_string();
    assert!(error.contains("an ObjectRef can only be put into values that rayw carries: arguments"), "{error}");
    let error = rmp_serde::from_slice::<ObjectRef<u8>>(&[0xd6, 0x52, 0, 0, 0, 0]).unwrap_err().to_string();
    assert!(error.contains("can only be read from values that rayw carries"), "{error}");
}

#[test]
fn a_value_that_cannot_be_written_says_why() {
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("I will not"))
        }
    }

    let error = rayw::put(&Stubborn).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
    assert!(error.to_string().ends_with("Stubborn` cannot be written: I will not"), "{error}");
}

#[test]
fn small_values_are_read_together_and_large_ones_by_themselves() {
    let sizes = [0, 1, 4_096, 4_097, 200_000];
    let refs: Vec<_> = sizes.iter().map(|size| rayw::put_bytes(vec![9; *size]).unwrap()).collect();
    for some in [&refs[..3], &refs[..]] {
        let found: Vec<Bytes> = rayw::get_all(some).unwrap();
        assert_eq!(found.iter().map(|bytes| bytes.len()).collect::<Vec<_>>(), sizes[..some.len()]);
    }
}

#[test]
fn references_come_with_the_value_that_has_them() {
    let number = rayw::put(&7).unwrap();
    let lens = [0, 2, 1, 63, 64];
    let lists: Vec<_> = lens.iter().map(|len| rayw::put(&vec![number.clone(); *len]).unwrap()).collect();
    for some in [&lists[..4], &lists[..]] {
        let found: Vec<Vec<ObjectRef<i32>>> = rayw::get_all(some).unwrap();
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), lens[..some.len()]);
        assert!(found.iter().flatten().all(|reference| *reference == number && reference.get().unwrap() == 7));
    }
}
