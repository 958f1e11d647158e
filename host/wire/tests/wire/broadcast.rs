//! One object to many nodes: who has it serves it too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rayw_core::{Codec, NodeId, ObjectId, Value};
use rayw_wire::{BoxFuture, FetchError, ObjectSource};
use tokio::task::JoinSet;

use crate::support::{ANY, id, node_with};

/// Nodes beside the first one.
const NODES: u8 = 8;
const BYTES: usize = 48 << 20;

/// A store with one object, once it has come.
#[derive(Default)]
struct Store {
    value: OnceLock<Arc<Value>>,
    served: AtomicUsize,
}

impl ObjectSource for Store {
    fn open(&self, _: ObjectId) -> BoxFuture<Option<Arc<Value>>> {
        let value = self.value.get().cloned();
        self.served.fetch_add(usize::from(value.is_some()), Ordering::Relaxed);
        Box::pin(async { value })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_grows_like_a_tree_and_not_from_one_source() {
    let object = ObjectId([1; 20]);
    let value = Value { codec: Codec::Raw, data: vec![7; BYTES].into(), refs: Vec::new() };
    let stores: Vec<Arc<Store>> = (0..=NODES).map(|_| Arc::default()).collect();
    assert!(stores[0].value.set(Arc::new(value)).is_ok());
    let ends: Vec<_> =
        stores.iter().zip(0..).map(|(store, number)| node_with(id(number), ANY, None, store.clone())).collect();
    let place = |number: u8| (id(number), ends[usize::from(number)].endpoint.address().to_owned());
    // What the owner knows: who has it by now.
    let places: Arc<Mutex<Vec<(NodeId, String)>>> = Arc::new(Mutex::new(vec![place(0)]));
    let asked = Arc::new(AtomicUsize::new(0));
    let mut fetches = JoinSet::new();
    for number in 1..=NODES {
        let (fetcher, store) = (ends[usize::from(number)].endpoint.clone(), stores[usize::from(number)].clone());
        let (places, asked, here) = (places.clone(), asked.clone(), place(number));
        fetches.spawn(async move {
            loop {
                asked.fetch_add(1, Ordering::Relaxed);
                let sources = places.lock().unwrap().clone();
                match fetcher.fetch(sources, object).await {
                    Ok(value) => {
                        assert!(store.value.set(Arc::new(value)).is_ok());
                        return places.lock().unwrap().push(here);
                    }
                    Err(FetchError::Busy) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    let start = std::time::Instant::now();
    while let Some(fetched) = fetches.join_next().await {
        fetched.unwrap();
    }
    let took = start.elapsed();
    let served: Vec<usize> = stores.iter().map(|store| store.served.load(Ordering::Relaxed)).collect();
    println!("{BYTES} bytes to {NODES} nodes in {took:?}; transfers by each node: {served:?}, questions: {asked:?}");
    assert_eq!(served.iter().sum::<usize>(), usize::from(NODES), "each node was served once: {served:?}");
    // Half of them where all are equally quick; the first one has hashed it already and may be quicker.
    assert!(served[0] <= 6, "others serve what they have: {served:?}");
    // Who waits asks again at most every BUSY_WAIT_MAX, not all the time.
    let rounds = 2 + usize::try_from(took.as_millis() / rayw_core::limits::BUSY_WAIT_MAX.as_millis()).unwrap();
    assert!(asked.load(Ordering::Relaxed) <= usize::from(NODES) * rounds, "{asked:?} questions in {took:?}");
}
