//! Objects: how long they are kept, and values of every size.

use rayw::{Bytes, ObjectRef};
use serde::{Deserialize, Serialize};

use crate::stage::{Log, LogHandle, kind, pause, told};
use crate::{Scenario, scenarios};

pub const SCENARIOS: &[Scenario] = scenarios![
    a_reference_copied_and_dropped,
    an_argument_of_a_waiting_task,
    an_argument_of_a_failing_task,
    a_borrower_that_breaks,
    a_borrower_that_is_cancelled,
    an_actor_that_keeps_and_breaks,
    an_argument_of_a_task_that_is_retried,
    an_argument_of_a_constructor_that_runs_again,
    a_reference_in_a_result,
    a_reference_in_an_object,
    a_result_nobody_wants,
    many_read_at_once,
    some_of_a_long_list,
    more_small_values_than_there_is_room_for,
    more_small_results_from_elsewhere,
    many_values_of_every_size,
    ten_thousand_references,
    a_large_value,
    a_large_argument,
    refused_with_a_large_argument,
    large_results,
    more_than_the_store_holds,
    every_kind_of_value,
    a_value_of_another_type,
];

/// Larger than what travels inline.
const LARGE: usize = 200_000;

/// Small enough to come packed with others, and larger than what else is around.
const SMALL: usize = 2_000;

fn a_reference_copied_and_dropped() -> rayw::Result<()> {
    let object = rayw::put_bytes(vec![7; LARGE])?;
    pause("one");
    // Through a value, so that the host counts it: a clone within the guest is the guest's own affair.
    let holder = rayw::put(&vec![object.clone()])?;
    let copy = holder.get()?.remove(0);
    drop(holder);
    println!("{} {}", copy == object, copy.get()?.len());
    pause("two");
    drop(object);
    pause("one again");
    println!("{}", copy.get()?.len());
    drop(copy);
    pause("none");
    Ok(())
}

#[rayw::task]
fn measure(bytes: Bytes, log: LogHandle) -> usize {
    log.tell("measuring");
    log.pass("measured");
    bytes.len()
}

fn an_argument_of_a_waiting_task() -> rayw::Result<()> {
    let log = Log::remote()?;
    let object = rayw::put_bytes(vec![7; LARGE])?;
    let size = measure::remote(&object, &log);
    drop(object);
    log.await_line("measuring");
    pause("used");
    log.open("measured").get()?;
    println!("{}", size.get()?);
    pause("finished");
    Ok(())
}

#[rayw::task(max_retries = 0)]
fn break_down(_bytes: Bytes, log: LogHandle) -> usize {
    log.tell("measuring");
    log.pass("measured");
    std::process::abort()
}

fn an_argument_of_a_failing_task() -> rayw::Result<()> {
    let log = Log::remote()?;
    let object = rayw::put_bytes(vec![7; LARGE])?;
    let size = break_down::remote(&object, &log);
    drop(object);
    log.await_line("measuring");
    pause("used");
    log.open("measured").get()?;
    println!("{}", kind(size.get()));
    pause("finished");
    Ok(())
}

#[rayw::task(max_retries = 0)]
fn borrow(refs: Vec<ObjectRef<Bytes>>, log: LogHandle) -> usize {
    log.tell("borrowed");
    log.pass("break");
    let count = refs.len();
    assert!(count > 0);
    std::process::abort()
}

fn a_borrower_that_breaks() -> rayw::Result<()> {
    let log = Log::remote()?;
    let object = rayw::put_bytes(vec![7; LARGE])?;
    let borrowed = borrow::remote(vec![object.clone()], &log);
    drop(object);
    log.await_line("borrowed");
    pause("borrowed");
    log.open("break").get()?;
    println!("{}", kind(borrowed.get()));
    pause("broken");
    Ok(())
}

#[rayw::task]
fn borrow_for_ever(refs: Vec<ObjectRef<Bytes>>, log: LogHandle) -> usize {
    log.tell("borrowed");
    crate::stage::run_on();
    refs.len()
}

fn a_borrower_that_is_cancelled() -> rayw::Result<()> {
    let log = Log::remote()?;
    let object = rayw::put_bytes(vec![7; LARGE])?;
    let borrowed = borrow_for_ever::remote(vec![object.clone()], &log);
    drop(object);
    log.await_line("borrowed");
    pause("borrowed");
    rayw::cancel(&borrowed)?;
    println!("{}", kind(borrowed.get()));
    pause("cancelled");
    Ok(())
}

/// Keeps what it is given.
struct Keeper {
    kept: Vec<ObjectRef<Bytes>>,
    own: usize,
}

#[rayw::actor]
impl Keeper {
    fn new(own: Bytes) -> Self {
        Self { kept: Vec::new(), own: own.len() }
    }

    fn keep(&mut self, refs: Vec<ObjectRef<Bytes>>) -> usize {
        self.kept.extend(refs);
        self.kept.len()
    }

    fn own(&self) -> usize {
        self.own
    }

    fn weigh(&self, bytes: Bytes) -> usize {
        bytes.len()
    }

    fn crash(&mut self) {
        std::process::abort()
    }
}

fn an_actor_that_keeps_and_breaks() -> rayw::Result<()> {
    let keeper = Keeper::remote(Bytes::default())?;
    let object = rayw::put_bytes(vec![7; LARGE])?;
    println!("{}", keeper.keep(vec![object.clone()]).get()?);
    drop(object);
    pause("kept");
    println!("{}", kind(keeper.crash().get()));
    pause("broken");
    Ok(())
}

#[rayw::task(max_retries = 2)]
fn measure_at_last(bytes: Bytes) -> usize {
    if rayw::context().attempt < 2 {
        std::process::abort();
    }
    bytes.len()
}

fn an_argument_of_a_task_that_is_retried() -> rayw::Result<()> {
    let object = rayw::put_bytes(vec![7; LARGE])?;
    let size = measure_at_last::remote(&object);
    drop(object);
    println!("{}", size.get()?);
    pause("finished");
    Ok(())
}

fn an_argument_of_a_constructor_that_runs_again() -> rayw::Result<()> {
    let object = rayw::put_bytes(vec![7; LARGE])?;
    let keeper = Keeper::options().max_restarts(1).remote(&object)?;
    drop(object);
    println!("{}", keeper.own().get()?);
    pause("living");
    println!("{}", kind(keeper.crash().get()));
    println!("{}", keeper.own().get()?);
    drop(keeper);
    pause("gone");
    Ok(())
}

#[rayw::task]
fn make_inner() -> rayw::Result<Vec<ObjectRef<Bytes>>> {
    Ok(vec![rayw::put_bytes(vec![7; LARGE])?])
}

fn a_reference_in_a_result() -> rayw::Result<()> {
    let outer = make_inner::remote();
    rayw::wait(std::slice::from_ref(&outer), 1, None)?;
    // The task that put the inner object is over; the outer one keeps it.
    pause("captured");
    println!("{}", outer.get()?[0].get()?.len());
    drop(outer);
    pause("gone");
    Ok(())
}

fn a_reference_in_an_object() -> rayw::Result<()> {
    let inner = rayw::put_bytes(vec![7; LARGE])?;
    let middle = rayw::put(&vec![inner])?;
    let outer = rayw::put(&vec![middle])?;
    pause("captured");
    let middle = outer.get()?.remove(0);
    drop(outer);
    let inner = middle.get()?.remove(0);
    drop(middle);
    println!("{}", inner.get()?.len());
    drop(inner);
    pause("gone");
    Ok(())
}

#[rayw::task]
fn large(size: usize, byte: u8) -> Bytes {
    vec![byte; size].into()
}

fn a_result_nobody_wants() -> rayw::Result<()> {
    let log = Log::remote()?;
    drop(measure::remote(Bytes::from(vec![1; LARGE]), &log));
    log.await_line("measuring");
    log.open("measured").get()?;
    for _ in 0..20 {
        drop(large::remote(LARGE, 1));
    }
    println!("{}", large::remote(LARGE, 1).get()?.len());
    pause("gone");
    Ok(())
}

#[rayw::task]
fn sum_of(refs: Vec<ObjectRef<u32>>) -> rayw::Result<u64> {
    Ok(rayw::get_all(&refs)?.into_iter().map(u64::from).sum())
}

fn ten_thousand_references() -> rayw::Result<()> {
    let refs: Vec<_> = (0..10_000_u32).map(|number| rayw::put(&number)).collect::<Result<_, _>>()?;
    let object = rayw::put(&refs)?;
    println!("{}", sum_of::remote(&object).get()?);
    println!("{}", sum_of::remote(&refs).get()?);
    let found = object.get()?;
    println!("{} {}", found.len(), found == refs);
    Ok(())
}

/// A hundred references in one value: they live and die one by one, however they were read.
fn some_of_a_long_list() -> rayw::Result<()> {
    let refs: Vec<_> = (0..100).map(|_| rayw::put_bytes(vec![7; LARGE])).collect::<Result<_, _>>()?;
    let object = rayw::put(&refs)?;
    drop(refs);
    let mut found = object.get()?;
    drop(object);
    pause("read");
    let kept = found.swap_remove(50);
    let copy = kept.clone();
    drop((found, kept));
    // What was dropped goes when rayw is next asked for something.
    drop(rayw::put(&0)?);
    pause("one left");
    println!("{} {}", copy.get()?.len(), copy == copy.clone());
    let stored = rayw::put(&vec![copy; 100])?;
    drop(stored.get()?);
    pause("inside");
    drop(stored);
    pause("none left");
    Ok(())
}

/// Small values are read together, large ones and long lists one by one; nobody can tell.
fn many_values_of_every_size() -> rayw::Result<()> {
    let sizes = [0, 1, 4_096, 4_097, LARGE];
    let bytes: Vec<_> = sizes.map(|size| rayw::put_bytes(vec![9; size])).into_iter().collect::<Result<_, _>>()?;
    let lens = |found: Vec<Bytes>| found.iter().map(|bytes| bytes.len()).collect::<Vec<_>>();
    println!("{:?} {:?}", lens(rayw::get_all(&bytes[..3])?), lens(rayw::get_all(&bytes)?));
    let number = rayw::put(&7)?;
    let lists: Vec<_> =
        [0, 2, 1, 63, 64].map(|len| rayw::put(&vec![number.clone(); len])).into_iter().collect::<Result<_, _>>()?;
    for some in [&lists[..4], &lists[..]] {
        let found: Vec<Vec<ObjectRef<i32>>> = rayw::get_all(some)?;
        let numbers = found.iter().flatten().map(ObjectRef::get).collect::<rayw::Result<Vec<_>>>()?;
        println!("{:?} {}", found.iter().map(Vec::len).collect::<Vec<_>>(), numbers.iter().sum::<i32>());
    }
    let wrong: Vec<ObjectRef<String>> = vec![crate::hostile::retyped(&number)?, crate::hostile::retyped(&number)?];
    println!("{}", told(rayw::get_all(&wrong).map(drop)));
    Ok(())
}

fn a_large_value() -> rayw::Result<()> {
    let object = rayw::put_bytes(vec![42; 200 << 20])?;
    let bytes = object.get()?;
    println!("{} {}", bytes.len(), bytes.iter().all(|byte| *byte == 42));
    drop(bytes);
    drop(object);
    let made = large::options().memory("1GiB").remote(200 << 20, 9);
    println!("{}", made.get()?.iter().all(|byte| *byte == 9));
    Ok(())
}

#[rayw::task]
fn check(bytes: Bytes) -> (usize, bool) {
    (bytes.len(), bytes.iter().all(|byte| *byte == 5))
}

fn a_large_argument() -> rayw::Result<()> {
    println!("{:?}", check::remote(Bytes::from(vec![5; 200 << 20])).get()?);
    println!("{:?}", check::remote(rayw::put_bytes(vec![5; 50 << 20])?).get()?);
    Ok(())
}

/// Each is refused for something else than its argument, which has been copied out of the guest by then.
fn refused_with_a_large_argument() -> rayw::Result<()> {
    let large = || Bytes::from(vec![7; LARGE]);
    println!("{}", told(Keeper::options().max_restarts(-2).remote(large()).map(drop)));
    println!("{}", told(Keeper::options().label("zone", "in(").remote(large()).map(drop)));
    let keeper = Keeper::remote(Bytes::default())?;
    println!("{}", told(keeper.options().max_task_retries(-2).try_call().weigh(large()).map(drop)));
    Ok(())
}

fn large_results() -> rayw::Result<()> {
    let made: Vec<_> = (0..16).map(|byte| large::remote(1 << 20, byte)).collect();
    let sums: Vec<u64> =
        rayw::get_all(&made)?.iter().map(|bytes| bytes.iter().map(|byte| u64::from(*byte)).sum()).collect();
    println!("{}", sums.iter().zip(0_u64..).all(|(sum, byte)| *sum == byte << 20));
    Ok(())
}

/// With a store of 64 MiB: what does not fit goes to files and comes back.
fn more_than_the_store_holds() -> rayw::Result<()> {
    let objects: Vec<_> = (0..20_u8).map(|byte| rayw::put_bytes(vec![byte; 10 << 20])).collect::<Result<_, _>>()?;
    for (object, byte) in objects.iter().zip(0_u8..) {
        let bytes = object.get()?;
        assert!(bytes.len() == 10 << 20 && bytes.iter().all(|found| *found == byte), "object {byte} came back changed");
    }
    println!("{} objects came back", objects.len());
    Ok(())
}

/// With a store of 1 MiB: small values beyond as much go to the store, which has files for them.
fn more_small_values_than_there_is_room_for() -> rayw::Result<()> {
    const SMALL: usize = 50_000;
    let objects: Vec<_> = (0..100_u8).map(|byte| rayw::put_bytes(vec![byte; SMALL])).collect::<Result<_, _>>()?;
    let sent: Vec<_> = (0..100).map(|_| check::remote(Bytes::from(vec![5; SMALL]))).collect();
    let made: Vec<_> = (0..100).map(|byte| large::remote(SMALL, byte)).collect();
    rayw::wait(&made, made.len(), None)?;
    pause("full");
    for (object, byte) in objects.iter().chain(&made).zip((0..100).chain(0..100)) {
        let bytes = object.get()?;
        assert!(bytes.len() == SMALL && bytes.iter().all(|found| *found == byte), "object {byte} came back changed");
    }
    println!("{}", rayw::get_all(&sent)?.iter().all(|found| *found == (SMALL, true)));
    Ok(())
}

/// Where the driver's store has 1 MiB, and tasks run on another node.
fn more_small_results_from_elsewhere() -> rayw::Result<()> {
    const SMALL: usize = 50_000;
    let made: Vec<_> = (0..100).map(|byte| large::options().resource("doomed", 0.01).remote(SMALL, byte)).collect();
    rayw::wait(&made, made.len(), None)?;
    pause("full");
    let is_right = |(bytes, byte): (&Bytes, u8)| bytes.len() == SMALL && bytes.iter().all(|found| *found == byte);
    println!("{} {}", rayw::context().node_id, rayw::get_all(&made)?.iter().zip(0..100).all(is_right));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle { radius: f64, name: Option<String> },
    Lines(Vec<(i32, i32)>),
}

#[rayw::task]
fn echo(
    shapes: Vec<Shape>,
    text: String,
    bytes: Bytes,
    unit: (),
    pair: (u8, char),
) -> (Vec<Shape>, String, Bytes, (), (u8, char)) {
    (shapes, text, bytes, unit, pair)
}

fn every_kind_of_value() -> rayw::Result<()> {
    let shapes = vec![
        Shape::Point,
        Shape::Circle { radius: f64::MAX, name: Some("größer ∞".to_owned()) },
        Shape::Lines(vec![(i32::MIN, i32::MAX); 3]),
    ];
    let bytes = Bytes::from(vec![0, 255, 128]);
    let echoed = echo::remote(&shapes, "\u{0}\n🦀", &bytes, (), (7, 'ß')).get()?;
    println!("{}", echoed == (shapes, "\u{0}\n🦀".to_owned(), bytes, (), (7, 'ß')));
    let empty = echo::remote(Vec::<Shape>::new(), "", Bytes::default(), (), (0, '\u{0}')).get()?;
    println!("{empty:?}");
    Ok(())
}

fn a_value_of_another_type() -> rayw::Result<()> {
    // Within a value the types are the guest's own affair, and it may be wrong.
    let text: ObjectRef<String> = rayw::put(&"text".to_owned())?;
    let stored = rayw::put(&vec![text])?;
    let wrong: ObjectRef<Vec<ObjectRef<u64>>> = crate::hostile::retyped(&stored)?;
    println!("{}", told(wrong.get()?[0].get()).split(": ").next().unwrap_or_default());
    Ok(())
}

struct Reader;

#[rayw::actor]
impl Reader {
    fn new() -> Self {
        Self
    }

    fn read_many(&mut self) -> rayw::Result<usize> {
        Ok(rayw::get_all(put_many(SMALL)?)?.len())
    }
}

fn put_many(size: usize) -> rayw::Result<Vec<ObjectRef<Bytes>>> {
    (0..100).map(|_| rayw::put_bytes(vec![7; size])).collect()
}

fn many_read_at_once() -> rayw::Result<()> {
    let kept = put_many(SMALL)?;
    println!("{}", rayw::get_all(&kept)?.len());
    pause("borrowed");
    println!("{}", rayw::get_all(kept)?.len());
    pause("small");
    println!("{}", rayw::get_all(put_many(LARGE)?)?.len());
    pause("large");
    let holders =
        put_many(LARGE)?.into_iter().map(|large| rayw::put(&vec![large])).collect::<rayw::Result<Vec<_>>>()?;
    println!("{}", rayw::get_all(holders)?.len());
    pause("holders");
    let reader = Reader::remote()?;
    println!("{}", reader.read_many().get()?);
    pause("of an actor");
    Ok(())
}
