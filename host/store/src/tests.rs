//! Cases of the store, on real files.

use bytes::Bytes;
use rayw_core::{Codec, ErrorKind, JobId, ObjectId, Value};

use crate::{Store, StoreSettings};

fn id(number: u32) -> ObjectId {
    JobId::numbered(1).driver(1).put(number)
}

fn value(byte: u8) -> Value {
    Value { codec: Codec::Raw, data: Bytes::from(vec![byte; 1000]), refs: Vec::new() }
}

fn store(bytes_max: u64, dir: Option<&tempfile::TempDir>) -> Store {
    let spill_dir = dir.map(|dir| dir.path().join("spill"));
    Store::new(&StoreSettings { bytes_max, spill_dir }).unwrap()
}

#[test]
fn what_is_put_is_got_until_it_is_forgotten() {
    let store = store(10_000, None);
    store.put(id(1), value(7)).unwrap();
    assert_eq!(store.get(id(1)).unwrap().data[999], 7);
    store.forget(id(1));
    assert_eq!(store.get(id(1)).unwrap_err().kind, ErrorKind::ObjectLost);
    assert_eq!(store.usage().memory_bytes, 0);
}

#[test]
fn a_full_store_without_a_disk_says_so_and_loses_nothing() {
    let store = store(2_500, None);
    store.put(id(1), value(1)).unwrap();
    store.put(id(2), value(2)).unwrap();
    let error = store.put(id(3), value(3)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ObjectStoreFull);
    assert!(error.message.contains("--object-store-memory"), "{error}");
    assert_eq!(store.get(id(1)).unwrap().data[0], 1);
}

#[test]
fn the_least_recently_used_go_to_disk_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(5_000, Some(&dir));
    for number in 0..10 {
        store.put(id(number), value(u8::try_from(number).unwrap())).unwrap();
    }
    let usage = store.usage();
    assert!(usage.memory_bytes <= 4_000 && usage.spilled_bytes == 10_000 - usage.memory_bytes, "{usage:?}");
    for number in 0..10 {
        assert_eq!(u32::from(store.get(id(number)).unwrap().data[500]), number);
    }
    for number in 0..10 {
        store.forget(id(number));
    }
    let left = std::fs::read_dir(dir.path().join("spill")).unwrap().count();
    assert_eq!((left, store.usage().spilled_bytes), (0, 0));
}

#[test]
fn what_somebody_reads_is_not_spilled() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(3_000, Some(&dir));
    store.put(id(1), value(1)).unwrap();
    let reader = store.get(id(1)).unwrap();
    store.put(id(2), value(2)).unwrap();
    store.put(id(3), value(3)).unwrap();
    store.put(id(4), value(4)).unwrap();
    assert!(std::fs::metadata(dir.path().join("spill").join(id(1).to_string())).is_err());
    assert_eq!(reader.data[0], 1);
}

#[test]
fn putting_twice_is_harmless() {
    let store = store(10_000, None);
    store.put(id(1), value(1)).unwrap();
    store.put(id(1), value(1)).unwrap();
    assert_eq!(store.usage().memory_bytes, 1_000);
}
