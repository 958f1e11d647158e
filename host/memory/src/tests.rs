//! Cases of memory that is kept, limited and copied.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use rayw_core::limits;
use tokio::sync::Semaphore;

use crate::Buffers;
use crate::buffer::size_of_mapping;
use crate::copy::copy;
use crate::mapping::Mapping;
use crate::shelf::Shelf;

const LARGE: usize = limits::LARGE_VALUE_BYTES_MIN;

fn keeping(bytes: usize) -> Buffers {
    let buffers = Buffers::default();
    drop(buffers.keep_at_most(bytes as u64));
    buffers
}

/// Bytes that differ from those of another `seed`, and from one another.
fn data(seed: u8, len: usize) -> Vec<u8> {
    (0..len).map(|index| (index as u32).wrapping_mul(2_654_435_761).to_be_bytes()[1] ^ seed).collect()
}

fn map(size: usize) -> Mapping {
    Mapping::new(size, &Arc::new(Semaphore::new(1))).unwrap()
}

#[test]
fn a_copy_is_the_same_at_any_length() {
    let buffers = keeping(usize::MAX);
    let lengths = [0, 1, 1_000, LARGE - 1, LARGE, LARGE + 1, 2 * LARGE + 7, 5 * LARGE - 1];
    for (seed, len) in (0..).zip(lengths) {
        let data = data(seed, len);
        assert!(buffers.copied(&data) == data, "{len} bytes");
    }
}

#[test]
fn however_many_help_all_of_it_is_copied() {
    let data = data(3, 4 * LARGE + 12_345);
    for threads in [0, 1, 2, 16] {
        let permits = Semaphore::new(threads);
        // Twice: whoever was there may come again.
        for _ in 0..2 {
            let mut copied = vec![0; data.len()];
            copy(&data, &mut copied, &permits);
            assert!(copied == data, "{threads} threads");
        }
    }
}

#[test]
fn what_a_large_value_leaves_is_there_for_the_next() {
    let buffers = keeping(4 * LARGE);
    let first = buffers.copied(&data(1, LARGE));
    let (place, reader) = (first.as_ptr(), first.clone());
    drop(first);
    assert_eq!(buffers.kept_bytes(), 0, "somebody reads it");
    drop(reader.slice(10..20));
    drop(reader);
    assert_eq!(buffers.kept_bytes(), LARGE as u64);
    let second = buffers.copied(&data(2, LARGE));
    assert_eq!((second.as_ptr(), buffers.kept_bytes()), (place, 0));
    assert!(second == data(2, LARGE));
}

#[test]
fn nobody_sees_what_another_value_left() {
    let buffers = keeping(4 * LARGE);
    drop(buffers.copied(&vec![0xab; LARGE + LARGE / 16]));
    // A shorter one, which comes in pieces and not all of it.
    let mut buffer = buffers.empty(LARGE + 10);
    assert_eq!(buffers.kept_bytes(), 0, "it is the same memory");
    assert!(buffer.filled().is_empty());
    assert_eq!(buffer.rest().len(), LARGE + 10);
    buffer.rest()[..3].copy_from_slice(b"abc");
    buffer.fill(3);
    assert_eq!(buffer.rest().len(), LARGE + 7);
    buffer.rest()[..1].copy_from_slice(b"d");
    buffer.fill(1);
    assert_eq!(buffer.filled(), b"abcd");
    assert_eq!(buffer.freeze(), Bytes::from_static(b"abcd"));
}

#[test]
fn small_ones_are_filled_alike_and_never_kept() {
    let buffers = keeping(4 * LARGE);
    let mut buffer = buffers.empty(5);
    buffer.rest()[..2].copy_from_slice(b"ab");
    buffer.fill(2);
    assert_eq!(buffer.filled(), b"ab");
    assert_eq!(buffer.rest().len(), 3);
    // There is no more than its length, whatever is said.
    buffer.fill(usize::MAX);
    assert_eq!(buffer.filled().len(), 5);
    assert_eq!(buffer.freeze(), Bytes::from_static(b"ab\0\0\0"));
    assert!(buffers.empty(0).freeze().is_empty());
    assert_eq!(buffers.kept_bytes(), 0);
}

#[test]
fn no_more_is_kept_than_there_is_room_for() {
    let buffers = keeping(2 * LARGE);
    drop([1, 2, 3].map(|seed| buffers.copied(&data(seed, LARGE))));
    assert_eq!(buffers.kept_bytes(), 2 * LARGE as u64);
    assert_eq!(buffers.keep_at_most(LARGE as u64).len(), 1, "what is over is answered");
    assert_eq!(buffers.kept_bytes(), LARGE as u64);
    assert_eq!(buffers.keep_at_most(0).len(), 1);
    drop(buffers.copied(&data(1, LARGE)));
    assert_eq!(buffers.kept_bytes(), 0);
}

#[test]
fn the_largest_goes_first_when_room_is_short() {
    let buffers = keeping(9 * LARGE);
    drop([2, 1, 4].map(|times| buffers.copied(&data(1, times * LARGE))));
    assert_eq!(buffers.kept_bytes(), 7 * LARGE as u64);
    drop(buffers.keep_at_most(4 * LARGE as u64));
    assert_eq!(buffers.kept_bytes(), 3 * LARGE as u64);
}

#[test]
fn one_from_the_system_has_the_room_of_what_is_kept() {
    let buffers = keeping(4 * LARGE);
    drop([1, 2].map(|seed| buffers.copied(&data(seed, 2 * LARGE))));
    assert_eq!(buffers.kept_bytes(), 4 * LARGE as u64);
    let other = buffers.copied(&data(3, LARGE));
    assert_eq!(buffers.kept_bytes(), 2 * LARGE as u64);
    assert!(buffers.would_keep(other.len()) && buffers.would_keep(2 * LARGE));
    assert!(!buffers.would_keep(3 * LARGE) && !buffers.would_keep(LARGE - 1));
}

#[test]
fn values_beyond_what_may_be_mapped_are_the_allocator_s() {
    let buffers = Buffers::with(2);
    drop(buffers.keep_at_most(u64::MAX));
    let values = [1, 2, 3].map(|seed| (buffers.copied(&data(seed, LARGE)), seed));
    assert!(values.iter().all(|(value, seed)| *value == data(*seed, LARGE)));
    drop(values);
    assert_eq!(buffers.kept_bytes(), 2 * LARGE as u64);
    // What goes back to the system makes room for others.
    assert!(buffers.copied(&data(4, 2 * LARGE)) == data(4, 2 * LARGE) && buffers.kept_bytes() == 2 * LARGE as u64);
    assert_eq!(buffers.keep_at_most(0).len(), 2);
    drop(buffers.keep_at_most(u64::MAX));
    drop(buffers.copied(&data(4, 2 * LARGE)));
    assert_eq!(buffers.kept_bytes(), 2 * LARGE as u64);
}

/// However the limit is said while others come and go.
#[test]
fn the_limit_holds_whoever_comes_meanwhile() {
    let shelf = Shelf::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..2_000).for_each(|_| shelf.put(map(4096))));
        }
        for turn in 0..2_000 {
            drop(shelf.limit(if turn % 2 == 0 { u64::MAX } else { 0 }));
            if turn % 2 == 1 {
                assert_eq!(shelf.kept_bytes(), 0);
            }
        }
    });
}

#[test]
fn what_nobody_wants_goes_when_its_time_is_over() {
    let shelf = Shelf::default();
    assert!(shelf.limit(u64::MAX).is_empty());
    shelf.put(map(LARGE));
    shelf.put(map(2 * LARGE));
    assert!(shelf.take_unused(limits::BUFFERS_KEPT_FOR).is_empty(), "they have just come");
    assert_eq!(shelf.kept_bytes(), 3 * LARGE as u64);
    assert_eq!(shelf.take_unused(Duration::ZERO).len(), 2);
    assert_eq!((shelf.kept_bytes(), shelf.take(LARGE).is_none()), (0, true));
}

#[test]
fn values_outlive_the_place_they_came_from() {
    let buffers = keeping(4 * LARGE);
    let value = buffers.copied(&data(1, LARGE));
    drop(buffers);
    assert!(value == data(1, LARGE));
}

proptest! {
    /// A mapping is large enough, little of it is unused, and it does not depend on which length of its size came first.
    #[test]
    fn a_mapping_fits(len in LARGE..=limits::VALUE_BYTES_MAX) {
        let size = size_of_mapping(len);
        prop_assert!(size >= len && size - len <= len / 8, "{len} in {size}");
        prop_assert_eq!(size_of_mapping(size), size);
    }

    /// Whatever comes and goes, what is kept is counted and within its limit.
    #[test]
    fn what_is_kept_is_counted(steps in prop::collection::vec((0_usize..4, 0_usize..6), 1..60)) {
        let shelf = Shelf::default();
        let (mut limit, mut kept) = (0, Vec::<usize>::new());
        for (step, size) in steps {
            let bytes = (size + 1) * 4096;
            match step {
                0 => {
                    limit = bytes * 3;
                    for gone in shelf.limit(limit as u64) {
                        let index = kept.iter().position(|kept| *kept == gone.memory.len());
                        kept.remove(index.unwrap());
                    }
                }
                1 | 2 => {
                    shelf.put(map(bytes));
                    if kept.iter().sum::<usize>() + bytes <= limit {
                        kept.push(bytes);
                    }
                }
                _ => {
                    let index = kept.iter().position(|kept| *kept == bytes);
                    prop_assert_eq!(shelf.take(bytes).map(|memory| memory.len()), index.map(|index| kept.remove(index)));
                }
            }
            prop_assert_eq!(shelf.kept_bytes(), kept.iter().sum::<usize>() as u64);
            prop_assert!(shelf.kept_bytes() <= limit as u64);
        }
    }
}
