//! Objects that are fetched, missing, busy, spoilt, and sources that die halfway.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use rayw_core::{ActorId, Codec, NodeId, ObjectId, RefId, Value, limits};
use rayw_memory::Buffers;
use rayw_wire::{BoxFuture, Endpoint, FetchError, ObjectSource};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;

use crate::support::{ANY, End, bind, id, node, node_with};

/// Objects that are opened one by one, each with a permit.
struct Shelf {
    objects: HashMap<ObjectId, Arc<Value>>,
    asked: Arc<Semaphore>,
    permits: Arc<Semaphore>,
    /// What it says that each takes to be read from a file.
    spilled_bytes: u64,
}

impl Shelf {
    fn of(values: impl IntoIterator<Item = Value>) -> Self {
        let objects = values.into_iter().zip(0..).map(|(value, number)| (object(number), Arc::new(value))).collect();
        let (asked, permits) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(1000)));
        Self { objects, asked, permits, spilled_bytes: 0 }
    }
}

impl ObjectSource for Shelf {
    fn spilled_bytes(&self, _: ObjectId) -> u64 {
        self.spilled_bytes
    }

    fn open(&self, object: ObjectId) -> BoxFuture<Option<Arc<Value>>> {
        let value = self.objects.get(&object).cloned();
        let permits = self.permits.clone();
        self.asked.add_permits(1);
        Box::pin(async move {
            permits.acquire().await.unwrap().forget();
            value
        })
    }
}

fn object(number: u8) -> ObjectId {
    ObjectId([number; 20])
}

fn value(bytes: usize) -> Value {
    let data: Vec<u8> = (0..bytes).map(|index| (index * 31 % 251) as u8).collect();
    let refs = vec![RefId::Object(object(9)), RefId::Actor(ActorId([8; 16]))];
    Value { codec: Codec::Msgpack, data: data.into(), refs }
}

fn source(number: u8, shelf: Shelf) -> (End, (NodeId, String)) {
    let end = node_with(id(number), ANY, None, Arc::new(shelf));
    let address = end.endpoint.address().to_owned();
    (end, (id(number), address))
}

/// What happens to the bytes of an answer.
#[derive(Clone, Copy)]
enum Spoil {
    Flip,
    Cut,
}

/// A proxy that spoils every answer after `at` bytes.
async fn spoiling_proxy(target: String, at: usize, spoil: Spoil) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut to = TcpStream::connect(&target).await.unwrap();
            let mut request = [0; 45];
            from.read_exact(&mut request).await.unwrap();
            to.write_all(&request).await.unwrap();
            let mut answer = vec![0; at + 1];
            to.read_exact(&mut answer).await.unwrap();
            if matches!(spoil, Spoil::Flip) {
                answer[at] ^= 1;
                from.write_all(&answer).await.unwrap();
                let _ = tokio::io::copy(&mut to, &mut from).await;
            } else {
                from.write_all(&answer).await.unwrap();
            }
        }
    });
    (address, tasks)
}

/// Fetches; asks again while the source has not noticed yet that an earlier transfer was cut.
async fn fetch_in_turn(fetcher: &Endpoint, sources: &[(NodeId, String)]) -> Result<Value, FetchError> {
    loop {
        match fetcher.fetch(sources.to_vec(), object(0)).await {
            Err(FetchError::Busy) => tokio::task::yield_now().await,
            result => return result,
        }
    }
}

#[tokio::test]
async fn objects_come_as_they_are() {
    let chunk = limits::CHUNK_BYTES;
    let sizes = [0, 1, 200_000, chunk, chunk + 1, 3 * chunk - 1];
    let (_end, source) = source(1, Shelf::of(sizes.map(value)));
    let fetcher = bind(ANY, None);
    for (size, number) in sizes.into_iter().zip(0..) {
        let fetched = fetcher.fetch(vec![source.clone()], object(number)).await.unwrap();
        assert!(fetched == value(size), "{size}");
    }
}

#[tokio::test]
async fn sources_without_a_copy_are_named() {
    let (_one, empty) = source(1, Shelf::of([]));
    let (_two, full) = source(2, Shelf::of([value(10)]));
    let fetcher = bind(ANY, None);
    let error = fetcher.fetch(vec![empty.clone()], object(0)).await.unwrap_err();
    assert_eq!(error, FetchError::NotHere { at: vec![id(1)] });
    for _ in 0..2 {
        assert!(fetcher.fetch(vec![empty.clone(), full.clone()], object(0)).await.is_ok());
    }
    let other = vec![(id(3), full.1)];
    assert_eq!(fetcher.fetch(other, object(0)).await.unwrap_err(), FetchError::NotHere { at: vec![id(3)] });
}

#[tokio::test]
async fn a_source_serves_a_few_at_once() {
    let mut shelf = Shelf::of([value(200_000)]);
    shelf.permits = Arc::new(Semaphore::new(0));
    let (asked, permits) = (shelf.asked.clone(), shelf.permits.clone());
    let (_end, source) = source(1, shelf);
    let fetcher = bind(ANY, None);
    let mut fetches = JoinSet::new();
    for _ in 0..limits::SERVED_AT_ONCE_MAX {
        let (fetcher, sources) = (fetcher.clone(), vec![source.clone()]);
        fetches.spawn(async move { fetcher.fetch(sources, object(0)).await });
    }
    asked.acquire_many(limits::SERVED_AT_ONCE_MAX as u32).await.unwrap().forget();
    assert_eq!(fetcher.fetch(vec![source.clone()], object(0)).await.unwrap_err(), FetchError::Busy);
    // Another object is not in their way; this one is not there.
    permits.add_permits(1 + limits::SERVED_AT_ONCE_MAX);
    while let Some(fetched) = fetches.join_next().await {
        assert!(fetched.unwrap().unwrap() == value(200_000));
    }
}

#[tokio::test]
async fn no_more_is_read_from_files_at_once_than_there_is_memory_for() {
    let most = limits::SERVED_FROM_DISK_BYTES_MAX;
    // Two that fill the memory for it, and one that is larger than all of it.
    for (spilled_bytes, at_once) in [(most / 2, 2_u8), (u64::MAX, 1)] {
        let mut shelf = Shelf::of([value(1), value(2), value(3)]);
        (shelf.spilled_bytes, shelf.permits) = (spilled_bytes, Arc::new(Semaphore::new(0)));
        let (asked, permits) = (shelf.asked.clone(), shelf.permits.clone());
        let (_end, source) = source(1, shelf);
        let fetcher = bind(ANY, None);
        let mut fetches = JoinSet::new();
        for number in 1..=at_once {
            let (fetcher, sources) = (fetcher.clone(), vec![source.clone()]);
            fetches.spawn(async move { fetcher.fetch(sources, object(number)).await.unwrap() });
        }
        asked.acquire_many(u32::from(at_once)).await.unwrap().forget();
        assert_eq!(fetcher.fetch(vec![source.clone()], object(0)).await.unwrap_err(), FetchError::Busy);
        assert_eq!(asked.available_permits(), 0, "it is not read");
        permits.add_permits(1_000);
        assert_eq!(fetches.join_all().await.len(), usize::from(at_once));
        assert!(fetch_in_turn(&fetcher, &[source]).await.unwrap() == value(1));
    }
}

#[tokio::test]
async fn no_more_comes_at_once_than_is_allowed() {
    let size = 200_000;
    let (_end, source) = source(1, Shelf::of([value(size), value(size), value(size)]));
    let (slow, mut proxy) = held_proxy(source.1).await;
    let fetcher = bind(ANY, None);
    fetcher.limit_fetches(2 * size as u64 + 5_000);
    let mut fetches = JoinSet::new();
    for number in 0..3 {
        let (fetcher, sources) = (fetcher.clone(), vec![(source.0, slow.clone())]);
        fetches.spawn(async move { fetcher.fetch(sources, object(number)).await.unwrap() });
    }
    // Two have room and hold their connections; the third lets go of its own, and asks again later.
    for _ in 0..3 {
        proxy.asked.recv().await.unwrap();
    }
    proxy.go.add_permits(1);
    assert!(fetches.join_next().await.unwrap().unwrap() == value(size));
    proxy.asked.recv().await.unwrap();
    proxy.go.add_permits(3);
    while let Some(fetched) = fetches.join_next().await {
        assert!(fetched.unwrap() == value(size));
    }
    // One that is larger than all of the room comes alone.
    fetcher.limit_fetches(1_000);
    proxy.go.add_permits(1);
    assert!(fetcher.fetch(vec![(source.0, slow)], object(0)).await.unwrap() == value(size));
}

/// A proxy that gives the header of an answer at once and the rest when it may.
struct Held {
    asked: Receiver<()>,
    go: Arc<Semaphore>,
    _tasks: JoinSet<()>,
}

async fn held_proxy(target: String) -> (String, Held) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, asked) = channel(100);
    let go = Arc::new(Semaphore::new(0));
    let (mut tasks, permits) = (JoinSet::new(), go.clone());
    tasks.spawn(async move {
        let mut answers = JoinSet::new();
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut to = TcpStream::connect(&target).await.unwrap();
            let (sender, permits) = (sender.clone(), permits.clone());
            answers.spawn(async move {
                let mut request = [0; 45];
                from.read_exact(&mut request).await.unwrap();
                to.write_all(&request).await.unwrap();
                // More than the header, and less than the first chunk.
                let mut answer = vec![0; 1_000];
                to.read_exact(&mut answer).await.unwrap();
                from.write_all(&answer).await.unwrap();
                sender.send(()).await.unwrap();
                tokio::select! {
                    permit = permits.acquire() => permit.unwrap().forget(),
                    // Whoever asked has no room, and has let go.
                    _ = from.read_u8() => return,
                }
                let _ = tokio::io::copy(&mut to, &mut from).await;
            });
        }
    });
    (address, Held { asked, go, _tasks: tasks })
}

#[tokio::test]
async fn a_flipped_bit_is_noticed_and_another_source_asked() {
    let (_end, (node, address)) = source(1, Shelf::of([value(2 * limits::CHUNK_BYTES)]));
    let (spoilt, _proxy) = spoiling_proxy(address.clone(), limits::CHUNK_BYTES + 5000, Spoil::Flip).await;
    let fetcher = bind(ANY, None);
    let error = fetcher.fetch(vec![(node, spoilt.clone())], object(0)).await.unwrap_err();
    assert_eq!(error, FetchError::Corrupt);
    for _ in 0..2 {
        let sources = vec![(node, spoilt.clone()), (node, address.clone())];
        assert!(fetch_in_turn(&fetcher, &sources).await.unwrap() == value(2 * limits::CHUNK_BYTES));
    }
}

#[tokio::test]
async fn what_comes_goes_where_it_is_told_and_shows_nothing_of_what_was_there() {
    let large = 2 * limits::CHUNK_BYTES;
    let (_end, (node, address)) = source(1, Shelf::of([value(large), value(large - 1)]));
    let (spoilt, _proxy) = spoiling_proxy(address.clone(), limits::CHUNK_BYTES + 5000, Spoil::Flip).await;
    let (fetcher, buffers) = (bind(ANY, None), Buffers::default());
    drop(buffers.keep_at_most(u64::MAX));
    fetcher.fetch_into(&buffers);
    let first = fetch_in_turn(&fetcher, &[(node, address.clone())]).await.unwrap();
    assert!(first == value(large) && buffers.kept_bytes() == 0);
    drop(first);
    let kept = buffers.kept_bytes();
    assert_eq!(kept, large as u64);
    // What ends halfway is seen by nobody, and leaves its memory for the next.
    assert_eq!(fetch_in_turn(&fetcher, &[(node, spoilt)]).await.unwrap_err(), FetchError::Corrupt);
    assert_eq!(buffers.kept_bytes(), kept);
    let second = fetcher.fetch(vec![(node, address)], object(1)).await.unwrap();
    assert!(second == value(large - 1) && buffers.kept_bytes() == 0);
}

#[tokio::test]
async fn a_source_that_dies_halfway_is_replaced() {
    let (_end, (node, address)) = source(1, Shelf::of([value(2 * limits::CHUNK_BYTES)]));
    let (dying, _proxy) = spoiling_proxy(address.clone(), limits::CHUNK_BYTES + 5000, Spoil::Cut).await;
    let fetcher = bind(ANY, None);
    let error = fetcher.fetch(vec![(node, dying.clone())], object(0)).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { why } if why.contains("halfway")));
    for _ in 0..2 {
        let sources = vec![(node, dying.clone()), (node, address.clone())];
        assert!(fetch_in_turn(&fetcher, &sources).await.is_ok());
    }
}

#[tokio::test]
async fn nobody_listens_at_the_source() {
    let gone = node(id(1), None).stop().await;
    let fetcher = bind(ANY, None);
    let error = fetcher.fetch(vec![(id(1), gone.to_string())], object(0)).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { why } if why.contains("refused")));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine: cargo test -p rayw-wire -- --ignored --nocapture"]
async fn a_gibibyte_beside_a_plain_copy() {
    let bytes = limits::VALUE_BYTES_MAX;
    let (_end, source) = source(1, Shelf::of([Value { refs: Vec::new(), ..value(bytes) }]));
    let fetcher = bind(ANY, None);
    for _ in 0..3 {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        assert_eq!(fetcher.fetch(vec![source.clone()], object(0)).await.unwrap().data.len(), bytes);
        let (fetched, fetch_cpu) = (start.elapsed(), cpu_seconds() - cpu);
        let (start, cpu) = (Instant::now(), cpu_seconds());
        plain_copy(bytes).await;
        let (copied, copy_cpu) = (start.elapsed(), cpu_seconds() - cpu);
        let speed = |time: std::time::Duration| bytes as f64 / time.as_secs_f64() / 1e9;
        println!(
            "1 GiB: fetch {:.2} GB/s ({fetch_cpu:.2} s of cpu), plain TCP {:.2} GB/s ({copy_cpu:.2} s)",
            speed(fetched),
            speed(copied)
        );
    }
}

/// What this process has used of its cpus, where the kernel tells: on a busy machine this says more than
/// the clock.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The same bytes over a bare connection, into a fresh buffer too.
async fn plain_copy(bytes: usize) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let chunk = vec![7; limits::CHUNK_BYTES];
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..bytes / chunk.len() {
            stream.write_all(&chunk).await.unwrap();
        }
    });
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut buffer = Vec::with_capacity(bytes);
    stream.read_to_end(&mut buffer).await.unwrap();
    assert_eq!(buffer.len(), bytes);
}
