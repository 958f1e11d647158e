//! Cases of the store, on real files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rayw_core::{Codec, ErrorKind, JobId, ObjectId, Value, limits};

use crate::spill::{self, Disk};
use crate::{Store, StoreSettings};

fn id(number: u32) -> ObjectId {
    JobId::numbered(1).driver(1).put(number)
}

fn value(byte: u8) -> Value {
    Value { codec: Codec::Raw, data: Bytes::from(vec![byte; 1000]), refs: Vec::new() }
}

/// Whatever else is on the disk where these tests run, their files have room.
fn settings(bytes_max: u64, spill_dir: Option<PathBuf>) -> StoreSettings {
    StoreSettings { bytes_max, spill_dir, disk_percent_max: 100 }
}

fn store(bytes_max: u64, dir: Option<&tempfile::TempDir>) -> Store {
    let spill_dir = dir.map(|dir| dir.path().join("spill"));
    Store::new(&settings(bytes_max, spill_dir)).unwrap()
}

/// The files of spilled objects.
fn files(dir: &tempfile::TempDir) -> Vec<PathBuf> {
    fn entries(folder: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
    let stores = entries(&dir.path().join("spill")).into_iter().filter(|path| path.is_dir());
    stores.flat_map(|store| entries(&store)).filter(|path| !path.ends_with("lock")).collect()
}

fn is_spilled(dir: &tempfile::TempDir, number: u32) -> bool {
    let name = id(number).to_string();
    files(dir).iter().any(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&name))
}

#[test]
fn what_is_taken_out_stays_until_it_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(2_000, Some(&dir));
    (1..=3).for_each(|number| store.put(id(number), value(1)).unwrap());
    assert!(is_spilled(&dir, 1));
    let remains = store.take_out(id(1)).unwrap();
    assert_eq!((store.contains(id(1)), is_spilled(&dir, 1), remains.slow_bytes() >= 1_000), (false, true, true));
    drop(remains);
    assert!(!is_spilled(&dir, 1) && store.take_out(id(1)).is_none());
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
fn what_large_objects_leave_is_kept_where_others_leave_room() {
    const LARGE: usize = limits::LARGE_VALUE_BYTES_MIN;
    let store = store(3 * LARGE as u64, None);
    let large = || store.buffers().copied(&vec![7; LARGE]);
    let put = |number, data| store.put(id(number), Value { codec: Codec::Raw, data, refs: Vec::new() }).unwrap();
    put(1, large());
    let reader = store.get(id(1)).unwrap();
    store.forget(id(1));
    assert_eq!(store.buffers().kept_bytes(), 0, "somebody reads it");
    drop(reader);
    assert_eq!(store.buffers().kept_bytes(), LARGE as u64);
    put(2, large());
    assert_eq!(store.buffers().kept_bytes(), 0, "it is used again");
    assert_eq!(store.take_out(id(2)).unwrap().slow_bytes(), 0, "it is only put aside");
    // Memory from elsewhere, of which there is less then.
    put(3, Bytes::from(vec![1; LARGE]));
    assert_eq!(store.buffers().kept_bytes(), LARGE as u64);
    put(4, Bytes::from(vec![1; LARGE + LARGE / 2]));
    assert_eq!((store.buffers().kept_bytes(), store.usage().objects), (0, 2));
}

#[test]
fn large_objects_are_read_back_into_memory_that_others_left() {
    const LARGE: usize = limits::LARGE_VALUE_BYTES_MIN;
    let dir = tempfile::tempdir().unwrap();
    let store = store(3 * LARGE as u64, Some(&dir));
    let put = |number: u8| {
        let data = store.buffers().copied(&vec![number; LARGE]);
        store.put(id(number.into()), Value { codec: Codec::Raw, data, refs: Vec::new() }).unwrap();
    };
    (1..=3).for_each(put);
    assert!(is_spilled(&dir, 1));
    store.forget(id(3));
    // By what was spilled, and by what was forgotten.
    assert_eq!(store.buffers().kept_bytes(), 2 * LARGE as u64);
    let found = store.get(id(1)).unwrap();
    assert_eq!(store.buffers().kept_bytes(), LARGE as u64);
    assert!(found.data.len() == LARGE && found.data.iter().all(|byte| *byte == 1));
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
    assert_eq!((0..10).map(|number| store.spilled_bytes(id(number))).sum::<u64>(), usage.spilled_bytes);
    for number in 0..10 {
        assert_eq!(u32::from(store.get(id(number)).unwrap().data[500]), number);
    }
    for number in 0..10 {
        store.forget(id(number));
    }
    assert_eq!((files(&dir).len(), store.usage().spilled_bytes), (0, 0));
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
    assert!(!is_spilled(&dir, 1) && is_spilled(&dir, 2));
    assert_eq!(reader.data[0], 1);
}

#[test]
fn putting_twice_is_harmless() {
    let store = store(10_000, None);
    store.put(id(1), value(1)).unwrap();
    store.put(id(1), value(1)).unwrap();
    assert_eq!(store.usage().memory_bytes, 1_000);
}

#[test]
fn where_everything_is_read_new_objects_go_to_disk_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(2_500, Some(&dir));
    store.put(id(1), value(1)).unwrap();
    store.put(id(2), value(2)).unwrap();
    let readers = [store.get(id(1)).unwrap(), store.get(id(2)).unwrap()];
    store.put(id(3), value(3)).unwrap();
    assert!(is_spilled(&dir, 3));
    let large = Value { data: Bytes::from(vec![4; 5_000]), ..value(4) };
    store.put(id(4), large).unwrap();
    assert_eq!(store.get(id(4)).unwrap().data.len(), 5_000);
    assert_eq!(store.get(id(3)).unwrap().data[0], 3);
    assert_eq!(readers[0].data[0], 1);
    assert!(store.usage().memory_bytes <= 2_500);
}

#[test]
fn a_disk_that_takes_nothing_is_an_error_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(2_500, Some(&dir));
    store.put(id(1), value(1)).unwrap();
    store.put(id(2), value(2)).unwrap();
    std::fs::remove_dir_all(dir.path().join("spill")).unwrap();
    let error = store.put(id(3), value(3)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfDisk);
    assert!(error.message.contains("free some space"), "{error}");
    for number in [1, 2] {
        assert_eq!(u32::from(store.get(id(number)).unwrap().data[0]), number);
    }
    // Dropping something makes room again.
    store.forget(id(1));
    store.put(id(3), value(3)).unwrap();
}

/// What happens in the middle of writing a file, whose name it gets, or before one is read.
type Between = Box<dyn Fn(Option<&str>) -> io::Result<()> + Send + Sync>;

/// A disk on which something else happens in between.
struct Odd {
    disk: Box<dyn Disk>,
    between: Between,
    /// Bytes in all and free ones, as it says.
    room: Option<(u64, u64)>,
}

impl fmt::Debug for Odd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disk.fmt(formatter)
    }
}

impl Disk for Odd {
    fn write(&self, name: &str, data: &[u8]) -> io::Result<()> {
        // Half of it is there when the disk fails.
        self.disk.write(name, &data[..data.len() / 2])?;
        (self.between)(Some(name))?;
        self.disk.write(name, data)
    }

    fn read(&self, name: &str, room: &mut [u8]) -> io::Result<u64> {
        (self.between)(None)?;
        self.disk.read(name, room)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn room(&self) -> Option<(u64, u64)> {
        self.room
    }
}

fn odd_store(bytes_max: u64, dir: &tempfile::TempDir, between: Between) -> Store {
    let settings = settings(bytes_max, Some(dir.path().join("spill")));
    Store::on_disk(&settings, |disk| Box::new(Odd { disk, between, room: None }))
}

#[test]
fn a_disk_is_not_filled_to_the_brim() {
    let dir = tempfile::tempdir().unwrap();
    let spill_dir = Some(dir.path().join("spill"));
    let put_two = |free, disk_percent_max| {
        let settings = StoreSettings { bytes_max: 1_000, spill_dir: spill_dir.clone(), disk_percent_max };
        let room = Some((100_000, free));
        let store = Store::on_disk(&settings, |disk| Box::new(Odd { disk, between: Box::new(|_| Ok(())), room }));
        store.put(id(1), value(1)).unwrap();
        store.put(id(2), value(2)).map_err(|error| (error.kind, error.message.clone()))
    };
    assert_eq!(spill::room(100, 30, 20), (90, 20), "ten are kept for root");
    assert_eq!((put_two(6_000, 95), put_two(1_000, 100)), (Ok(()), Ok(())));
    let (kind, message) = put_two(5_999, 95).unwrap_err();
    assert_eq!(kind, ErrorKind::OutOfDisk);
    assert!(message.contains("more than 95 % full"), "{message}");
    assert!(message.contains("RAYW_LOCAL_FS_CAPACITY_THRESHOLD"), "{message}");
}

/// A disk of which each third call fails.
fn flaky() -> Between {
    let calls = AtomicU32::new(0);
    Box::new(move |_| {
        let fails = calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(3);
        if fails { Err(io::Error::other("the disk hiccups")) } else { Ok(()) }
    })
}

/// A disk that says which file it begins to write and goes on when it is let.
fn slow() -> (Between, Receiver<String>, SyncSender<()>) {
    let ((began, begins), (open, gate)) = (sync_channel(8), sync_channel(8));
    let gate = Mutex::new(gate);
    let between = move |name: Option<&str>| {
        if let Some(name) = name {
            began.send(name.to_owned()).unwrap();
            gate.lock().unwrap().recv().unwrap();
        }
        Ok(())
    };
    (Box::new(between), begins, open)
}

#[test]
fn a_disk_that_fails_now_and_then_loses_nothing_and_nobody_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = odd_store(2_500, &dir, flaky());
    (0..12).for_each(|number| store.put(id(number), value(u8::try_from(number).unwrap())).unwrap());
    for number in (0..12).rev() {
        let found = store.get(id(number)).unwrap();
        assert!(found.data.len() == 1_000 && found.data.iter().all(|byte| u32::from(*byte) == number));
    }
    (0..12).for_each(|number| store.forget(id(number)));
    assert!(files(&dir).is_empty(), "no half of a file is left");
}

#[test]
fn a_slow_disk_holds_nobody_up_who_finds_room_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (between, begins, open) = slow();
    let store = odd_store(4_000, &dir, between);
    (1..=3).for_each(|number| store.put(id(number), value(1)).unwrap());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| store.put(id(4), value(4)));
        // The first object is on its way to the disk, which takes its time.
        assert!(begins.recv().unwrap().starts_with(&id(1).to_string()));
        assert_eq!((1..=3).map(|number| store.get(id(number)).unwrap().data[0]).sum::<u8>(), 3);
        store.forget(id(2));
        assert!(store.put_copy(id(5), &Arc::new(value(5))), "there is room in memory for it");
        assert!(!store.contains(id(4)) || store.get(id(4)).unwrap().data[0] == 4);
        open.send(()).unwrap();
        writer.join().unwrap().unwrap();
    });
    assert_eq!(
        (is_spilled(&dir, 1), store.get(id(1)).unwrap().data[0], store.get(id(4)).unwrap().data[0]),
        (true, 1, 4)
    );
}

#[test]
fn what_is_dropped_while_a_slow_disk_writes_it_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let (between, begins, open) = slow();
    let store = odd_store(4_000, &dir, between);
    (1..=3).for_each(|number| store.put(id(number), value(1)).unwrap());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| store.put(id(4), value(4)));
        begins.recv().unwrap();
        store.forget(id(1));
        open.send(()).unwrap();
        writer.join().unwrap().unwrap();
    });
    assert!(files(&dir).is_empty() && !store.contains(id(1)) && store.usage().memory_bytes == 3_000);
}

#[test]
fn copies_go_before_primaries_and_cost_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(5_000, Some(&dir));
    store.put(id(1), value(1)).unwrap();
    assert!(store.put_copy(id(2), &Arc::new(value(2))) && store.put_copy(id(3), &Arc::new(value(3))));
    store.get(id(2)).unwrap();
    store.put(id(4), value(4)).unwrap();
    store.put(id(5), value(5)).unwrap();
    // The copy that was used last stays longer.
    assert!(!store.contains(id(3)) && store.contains(id(2)) && files(&dir).is_empty());
    store.put(id(6), value(6)).unwrap();
    assert!(!store.contains(id(2)) && store.contains(id(1)) && files(&dir).is_empty());
    store.put(id(7), value(7)).unwrap();
    assert!(is_spilled(&dir, 1));
}

#[test]
fn a_copy_that_became_the_only_one_is_spilled_and_not_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(3_000, Some(&dir));
    assert!(store.put_copy(id(1), &Arc::new(value(1))));
    assert!(store.keep(id(1)) && !store.keep(id(9)));
    for number in 2..5 {
        store.put(id(number), value(2)).unwrap();
    }
    assert!(is_spilled(&dir, 1));
    assert_eq!(store.get(id(1)).unwrap().data[0], 1);
}

#[test]
fn a_copy_for_which_there_is_no_room_is_not_kept() {
    let store = store(1_500, None);
    store.put(id(1), value(1)).unwrap();
    assert!(!store.put_copy(id(2), &Arc::new(value(2))));
    assert_eq!(store.usage().memory_bytes, 1_000);
}

#[test]
fn files_that_a_killed_process_left_are_removed_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let left = dir.path().join("spill/4000000-0");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("lock"), "").unwrap();
    std::fs::write(left.join("object"), "bytes").unwrap();
    let living = store(1_000, Some(&dir));
    living.put(id(1), Value { data: Bytes::from(vec![1; 2_000]), ..value(1) }).unwrap();
    assert!(!left.exists());
    let second = store(1_000, Some(&dir));
    assert_eq!(files(&dir).len(), 1, "a store that lives keeps its files");
    drop(living);
    assert!(files(&dir).is_empty());
    drop(second);
}

#[test]
fn many_threads_that_store_read_and_drop_agree_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(8_000, Some(&dir));
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..100 {
                    let number = thread * 1_000 + round;
                    store.put(id(number), value(u8::try_from(round).unwrap())).unwrap();
                    let earlier = thread * 1_000 + round / 2;
                    let found = store.get(id(earlier));
                    assert_eq!(found.map(|value| u32::from(value.data[0])), Ok(round / 2));
                    if round % 2 == 1 {
                        store.forget(id(number));
                        store.put(id(number), value(u8::try_from(round).unwrap())).unwrap();
                    }
                }
            });
        }
    });
    assert!(store.usage().memory_bytes <= 8_000);
    for thread in 0..4 {
        (0..100).for_each(|round| store.forget(id(thread * 1_000 + round)));
    }
    let usage = store.usage();
    assert_eq!((usage.objects, usage.memory_bytes, usage.spilled_bytes, files(&dir).len()), (0, 0, 0, 0));
}
