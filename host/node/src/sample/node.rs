//! A node whose head and network are the test itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rayw_core::message::{HeadLink, NodeAddress, ToHead, ToPeer};
use rayw_core::{ComponentDigest, Error, Labels, NodeId, ObjectId, Resources, Value};
use rayw_engine::{Engine, EngineSettings};
use rayw_proto::BoxFuture;
use rayw_store::{Store, StoreSettings};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::network::{FetchError, Network};
use crate::{Node, NodeSettings};

/// A head that hears everything and says nothing by itself.
#[derive(Default)]
pub(crate) struct Heard {
    messages: Mutex<Vec<ToHead>>,
    /// Bytes that it has yet to confirm.
    pub(crate) unconfirmed: AtomicUsize,
    /// How often somebody looked how many these are.
    pub(crate) looks: AtomicUsize,
    /// Somebody said something, or looked.
    more: Notify,
}

impl Heard {
    pub(crate) fn has(&self, is_such: impl Fn(&ToHead) -> bool) -> bool {
        self.messages.lock().unwrap().iter().any(is_such)
    }

    /// Waits until it has heard such a message.
    pub(crate) async fn hears(&self, is_such: impl Fn(&ToHead) -> bool) {
        self.until(|head| head.has(&is_such)).await;
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            self.more.notified().await;
        }
    }
}

impl HeadLink for Heard {
    fn send(&self, message: ToHead) {
        self.messages.lock().unwrap().push(message);
        self.more.notify_one();
    }

    fn flush(&self) {}

    fn unconfirmed_bytes(&self) -> usize {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.more.notify_one();
        self.unconfirmed.load(Ordering::Relaxed)
    }
}

/// Other nodes that take what they are told. One component comes from them, or is waited for without end.
#[derive(Default)]
pub(crate) struct Elsewhere {
    component: Option<Bytes>,
    told: Mutex<Vec<ToPeer>>,
    asked: Notify,
    unconfirmed: AtomicUsize,
}

impl Elsewhere {
    pub(crate) fn with(component: &'static str) -> Arc<Self> {
        Arc::new(Self { component: Some(component.into()), ..Self::default() })
    }

    pub(crate) fn was_told(&self, is_such: impl Fn(&ToPeer) -> bool) -> bool {
        self.told.lock().unwrap().iter().any(is_such)
    }

    /// So many bytes are on their way to each of them.
    pub(crate) fn is_behind_by(&self, bytes: usize) {
        self.unconfirmed.store(bytes, Ordering::Relaxed);
    }

    /// Waits until somebody wants a component.
    pub(crate) async fn is_asked(&self) {
        self.asked.notified().await;
    }
}

impl Network for Elsewhere {
    fn send(&self, _to: NodeId, message: ToPeer) {
        self.told.lock().unwrap().push(message);
    }

    fn unconfirmed_bytes(&self, _to: NodeId) -> usize {
        self.unconfirmed.load(Ordering::Relaxed)
    }

    fn fetch(&self, from: Vec<NodeId>, _object: ObjectId) -> BoxFuture<Result<Value, FetchError>> {
        Box::pin(std::future::ready(Err(FetchError::NotHere(from))))
    }

    fn blob(&self, _digest: ComponentDigest) -> BoxFuture<Result<Bytes, Error>> {
        self.asked.notify_one();
        match self.component.clone() {
            Some(component) => Box::pin(std::future::ready(Ok(component))),
            None => Box::pin(std::future::pending()),
        }
    }

    fn found(&self, _node: NodeId, _at: &NodeAddress) {}

    fn died(&self, _node: NodeId) {}

    fn working_dirs(&self) -> Option<std::path::PathBuf> {
        None
    }

    fn leave(&self) {}
}

/// A node of which only these hear. Its guests have the runtime of the test.
pub(crate) fn node(head: &Arc<Heard>, network: &Arc<Elsewhere>) -> Arc<Node> {
    let engine = EngineSettings { cache_dir: None, instances_max: 4, compile_threads: 1 };
    let store = StoreSettings { bytes_max: 1 << 20, spill_dir: None, disk_percent_max: 100 };
    let settings = NodeSettings {
        id: NodeId([2; 16]),
        total: Resources::default(),
        engine: Engine::new(engine).unwrap(),
        store: Store::new(&store).unwrap(),
        guests: Handle::current(),
        control: Handle::current(),
        output: Arc::new(|_| {}),
        cluster: 0,
        at: NodeAddress::default(),
        labels: Labels::new(),
        network: Arc::clone(network) as Arc<dyn Network>,
        lineage_bytes_max: 0,
    };
    Node::new(settings, Arc::clone(head) as Arc<dyn HeadLink>)
}
