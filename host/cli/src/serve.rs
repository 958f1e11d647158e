//! A process of a cluster: the head with a node beside it, or a node.
//!
//! ```text
//!   rayw start --head                          rayw start --address HEAD:PORT
//!   ┌──────────────────────────────┐           ┌──────────────────────────┐
//!   │ Head ◀─ function calls ─ Node│◀─ links ─▶│ Node                     │
//!   │   ▲ state, control           │           │                          │
//!   └───┴── Endpoint: one port ────┘           └── Endpoint: one port ────┘
//! ```
//!
//! A node that the head took for dead is not taken back: its work runs elsewhere by then. It lets go of
//! everything and joins as a new node.

mod folder;
mod joining;
mod kept;
mod network;
mod printed;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rayw_core::message::{FromHead, HeadLink, NodeAddress, NodeLink, ToHead, ToPeer};
use rayw_core::{Error, ErrorKind, Labels, NodeId, ObjectId, Value, limits};
use rayw_head::Head;
use rayw_node::{Network, Node, NodeSettings};
use rayw_proto::{BoxFuture, ControlClient, ControlSource, StateClient, StateSource};
use rayw_wire::{Endpoint, HeadInbox, HealthTiming, NodeInbox, ObjectSource, RemoteHead};
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::machine;
pub(crate) use folder::{LOG, PASSING_NODE};
use joining::Wait;
use kept::Kept;
use network::ClusterNetwork;
use printed::Printed;

/// What a process of a cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// The head, with a node beside it.
    Head,
    /// A node of the cluster whose head is at this `host:port`.
    Node(String),
}

/// How a process of a cluster is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct ServeSettings {
    /// What it is.
    pub role: Role,
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// What others dial, where that differs.
    pub advertise: Option<String>,
    /// The node's name, for people.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// What it offers.
    pub offer: machine::Offer,
    /// Where compiled components are kept; nowhere when absent.
    pub cache_dir: Option<PathBuf>,
    /// What it keeps on disk: spilled objects, working directories, at the head components and logs.
    pub dir: PathBuf,
    /// Where the folders are that nobody named; unknown when absent.
    pub default_place: Option<PathBuf>,
    /// How often nodes say that they are there.
    pub heartbeat_period: Duration,
    /// After how long without a word a node is dead.
    pub node_timeout: Duration,
    /// How long a node tries to reach the head the first time.
    pub join_timeout: Duration,
}

/// A process that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// `host:port` that others dial.
    pub address: String,
    /// Its node.
    pub node: NodeId,
}

/// Why a process of a cluster ended.
enum End {
    /// It was asked to.
    Asked,
    /// The head took its node for dead.
    Fenced(String),
}

/// Serves until `stop` is cancelled or the head lets the node go. Says so when it is ready, and again when it
/// had to begin anew.
///
/// # Errors
/// When the port cannot be had, a directory cannot be used, an option is wrong, no head answers in time, or
/// `ready` fails.
pub fn serve(
    settings: &ServeSettings,
    stop: &CancellationToken,
    mut ready: impl FnMut(&Ready) -> Result<(), Error>,
) -> Result<(), Error> {
    let _folder = folder::take(&settings.dir)?;
    if let Some(place) = settings.default_place.clone() {
        // Beside all else, because there may be much of it. It ends by itself; what it does not come to, the next does.
        let removing = move || folder::remove_leftovers(&place, SystemTime::now());
        if let Err(error) = std::thread::Builder::new().name("rayw-leftovers".to_owned()).spawn(removing) {
            tracing::warn!(%error, "what nodes left that have ended is not removed");
        }
    }
    let served = lives(settings, stop, &mut ready);
    // However it ended: a node that did not join comes back here as little as one that was stopped.
    if let Role::Node(_) = settings.role {
        folder::leave(&settings.dir, settings.default_place.as_deref(), SystemTime::now());
    }
    served
}

/// One life after the other, until one ends because it was asked to.
fn lives(
    settings: &ServeSettings,
    stop: &CancellationToken,
    ready: &mut impl FnMut(&Ready) -> Result<(), Error>,
) -> Result<(), Error> {
    // Somebody waits for the first answer of the head; a node that was in its cluster waits as long as it takes.
    let mut join_timeout = Some(settings.join_timeout);
    loop {
        match life(settings, stop, join_timeout.take(), ready)? {
            End::Asked => return Ok(()),
            End::Fenced(why) => {
                tracing::error!(why, "the head took this node for dead: it joins again as a new one");
            }
        }
    }
}

fn life(
    settings: &ServeSettings,
    stop: &CancellationToken,
    join_timeout: Option<Duration>,
    ready: &mut impl FnMut(&Ready) -> Result<(), Error>,
) -> Result<End, Error> {
    // Before anything else in the folder is touched: another head may be using it.
    let head = match &settings.role {
        Role::Head => Some(Head::open(&settings.dir.join("head"))?),
        Role::Node(_) => None,
    };
    let parts = machine::Parts::new(&settings.offer, settings.cache_dir.clone(), &settings.dir)?;
    let control = parts.control.handle().clone();
    let shutdown = CancellationToken::new();
    let endpoint = Endpoint::bind(settings.listen, settings.advertise.clone(), control.clone())?;
    let id = machine::node_id(parts.seed);
    let at = NodeAddress {
        address: endpoint.address().to_owned(),
        name: settings.name.clone(),
        is_head_node: settings.role == Role::Head,
    };
    let leave = CancellationToken::new();
    let fenced = Arc::new(Mutex::new(None));
    let clocks = TaskTracker::new();
    // The node's end of the links is made before the node, which needs the links: it is filled in below.
    let inbox = Arc::new(NodeEnd {
        node: Mutex::new(None),
        fenced: Arc::clone(&fenced),
        heard: CancellationToken::new(),
        leave: leave.clone(),
    });
    endpoint.serve_node(id, inbox.clone(), inbox.clone());

    if let Some(head) = &head {
        let timing = HealthTiming { period: settings.heartbeat_period, timeout: settings.node_timeout };
        let end = HeadEnd { head: Arc::clone(head), runtime: control.clone() };
        endpoint.serve_head(parts.seed.max(1), Arc::new(end), timing);
        clocks.spawn_on(Arc::clone(head).keep_time(shutdown.clone()), &control);
        clocks.spawn_on(Arc::clone(head).keep_blobs(shutdown.clone()), &control);
    }
    // What comes must find room in the store.
    endpoint.limit_fetches(parts.store.usage().bytes_max);
    endpoint.fetch_into(parts.store.buffers());
    let mut far_head = None;
    let (link, head_address): (Arc<dyn HeadLink>, String) = match (&settings.role, &head) {
        (Role::Node(address), _) => {
            let link = endpoint.connect_head(id, at.clone(), address);
            far_head = Some(Arc::clone(&link));
            (link, address.clone())
        }
        (Role::Head, Some(head)) => (head.clone(), endpoint.address().to_owned()),
        (Role::Head, None) => return Err(Error::new(ErrorKind::System, "the head did not come up")),
    };
    let printed = Printed::new(link);
    clocks.spawn_on(Arc::clone(&printed).keep_flushing(shutdown.clone()), &control);
    let network = Arc::new(ClusterNetwork {
        endpoint: Arc::clone(&endpoint),
        addresses: Mutex::default(),
        head: head_address,
        head_here: head.clone().map(|head| head as Arc<dyn ControlSource>),
        working_dirs: settings.dir.join("working"),
        kept: Kept::new(settings.dir.join("components")),
        leave: leave.clone(),
    });
    let node = Node::new(
        NodeSettings {
            id,
            lineage_bytes_max: settings.offer.lineage_bytes.unwrap_or(limits::LINEAGE_BYTES_MAX),
            total: parts.total.clone(),
            engine: Arc::clone(&parts.engine),
            store: parts.store,
            guests: parts.guests.handle().clone(),
            control: control.clone(),
            output: printed.sink(),
            cluster: parts.seed,
            at,
            labels: settings.labels.clone(),
            network: network as Arc<dyn Network>,
        },
        printed.clone(),
    );
    *inbox.node.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&node));
    clocks.spawn_on(Arc::clone(&node).keep_time(shutdown.clone()), &control);
    clocks.close();
    let state: Arc<dyn StateSource> = match &head {
        Some(head) => {
            head.attach(id, node.link(), node.state());
            head.clone()
        }
        None => node.state(),
    };
    endpoint
        .start(rayw_proto::routes(state, head.clone().map(|head| head as Arc<dyn ControlSource>)), shutdown.clone());
    node.join();
    let broken = async {
        match &head {
            Some(head) => head.broken().await,
            None => std::future::pending().await,
        }
    };
    let over = || async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = leave.cancelled() => {}
        }
    };
    let served: Result<(), Error> = parts.control.block_on(async {
        if let Role::Node(head) = &settings.role {
            match joining::wait(head, join_timeout, &inbox.heard, over()).await {
                Wait::Joined => {}
                Wait::Over => return Ok(()),
                Wait::InVain => return Err(joining::in_vain(head, settings.join_timeout).await),
            }
        }
        ready(&Ready { address: endpoint.address().to_owned(), node: id })?;
        tokio::select! {
            () = over() => Ok(()),
            error = broken => Err(error),
        }
    });
    let why = fenced.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let (Some(head), None, true) = (far_head, &why, inbox.heard.is_cancelled()) {
        parts.control.block_on(say_goodbye(&head, id, stop.is_cancelled()));
    }
    end_life(&node, &endpoint, &shutdown, &clocks, parts.guests, parts.control);
    inbox.node.lock().unwrap_or_else(PoisonError::into_inner).take();
    served?;
    if let (Some(why), Role::Node(head)) = (&why, &settings.role)
        && !inbox.heard.is_cancelled()
        && !stop.is_cancelled()
    {
        return Err(joining::refused(head, why));
    }
    Ok(match why {
        Some(why) if !stop.is_cancelled() => End::Fenced(why),
        Some(_) | None => End::Asked,
    })
}

/// Tells the head that this node goes, before anything on it ends: its work then runs elsewhere at once,
/// and actors move instead of ending.
async fn say_goodbye(head: &RemoteHead, node: NodeId, was_stopped: bool) {
    let why = if was_stopped { "it was stopped" } else { "it drained and left" };
    head.send(ToHead::NodeLost { node, why: why.to_owned() });
    // A head that is not there finds out by itself.
    let _ = tokio::time::timeout(limits::GOODBYE_TIMEOUT, head.all_confirmed()).await;
}

fn end_life(
    node: &Arc<Node>,
    endpoint: &Arc<Endpoint>,
    shutdown: &CancellationToken,
    clocks: &TaskTracker,
    guests: Runtime,
    control: Runtime,
) {
    control.block_on(async {
        if !node.drain().await {
            tracing::warn!("some guests did not end in {:?} and are dropped", limits::SHUTDOWN_GRACE);
        }
        shutdown.cancel();
        clocks.wait().await;
        if tokio::time::timeout(limits::SHUTDOWN_GRACE, endpoint.stopped()).await.is_err() {
            tracing::warn!("some connections did not end in {:?} and are dropped", limits::SHUTDOWN_GRACE);
        }
    });
    guests.shutdown_timeout(limits::SHUTDOWN_GRACE);
    control.shutdown_background();
}

/// What comes in over the network for the node.
struct NodeEnd {
    node: Mutex<Option<Arc<Node>>>,
    fenced: Arc<Mutex<Option<String>>>,
    /// The head has said something.
    heard: CancellationToken,
    leave: CancellationToken,
}

impl NodeEnd {
    fn node(&self) -> Option<Arc<Node>> {
        self.node.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl NodeInbox for NodeEnd {
    fn from_head(&self, message: FromHead) {
        if !self.heard.is_cancelled() {
            self.heard.cancel();
        }
        if let Some(node) = self.node() {
            node.head_said(message);
        }
    }

    fn from_peer(&self, from: NodeId, message: ToPeer) {
        if let Some(node) = self.node() {
            node.peer_said(from, message);
        }
    }

    fn head_is_new(&self, unheard: Vec<ToHead>) {
        if let Some(node) = self.node() {
            node.join_again(unheard);
        }
    }

    fn fenced(&self, why: &str) {
        *self.fenced.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
        self.leave.cancel();
    }
}

impl ObjectSource for NodeEnd {
    fn open(&self, object: ObjectId) -> BoxFuture<Option<Arc<Value>>> {
        let node = self.node();
        Box::pin(async move { node?.open(object).await })
    }

    fn spilled_bytes(&self, object: ObjectId) -> u64 {
        self.node().map_or(0, |node| node.spilled_bytes(object))
    }
}

/// What comes in over the network for the head.
struct HeadEnd {
    head: Arc<Head>,
    runtime: Handle,
}

impl HeadInbox for HeadEnd {
    fn message(&self, message: ToHead) {
        self.head.send(message);
    }

    fn flush(&self) {
        HeadLink::flush(self.head.as_ref());
    }

    fn settled(&self) -> BoxFuture<bool> {
        let settled = self.head.settle();
        Box::pin(async move { settled.await.is_ok() })
    }

    fn joined(&self, node: NodeId, at: NodeAddress, link: Arc<dyn NodeLink>) {
        tracing::info!(%node, name = at.name, address = at.address, "a node has joined");
        let state = FarState { address: at.address, runtime: self.runtime.clone() };
        self.head.attach(node, link, Arc::new(state));
    }

    fn is_dead(&self, node: NodeId) -> bool {
        self.head.is_dead(node)
    }

    fn lost(&self, node: NodeId, why: String) {
        if self.head.is_dead(node) {
            // It said goodbye before its process ended: nothing failed.
            tracing::info!(%node, "a node has left");
        } else {
            tracing::warn!(%node, why, "a node is dead");
        }
        self.head.send(ToHead::NodeLost { node, why });
        HeadLink::flush(self.head.as_ref());
    }
}

/// The state of a node in another process. Asked rarely, so that a connection each time costs nothing.
struct FarState {
    address: String,
    runtime: Handle,
}

impl FarState {
    fn ask<T, F>(&self, question: impl FnOnce(StateClient) -> F + Send + 'static) -> BoxFuture<Result<T, Error>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let address = self.address.clone();
        let asking = self.runtime.spawn(async move { question(StateClient::connect_tcp(&address).await?).await });
        Box::pin(async move {
            asking.await.map_err(|error| Error::new(ErrorKind::System, "asking a node broke down").caused_by(error))?
        })
    }
}

impl StateSource for FarState {
    fn list(&self, query: rayw_core::view::Query) -> BoxFuture<Result<rayw_core::view::Answer, Error>> {
        self.ask(|client| async move { client.list(query).await })
    }

    fn get(
        &self,
        resource: rayw_core::view::Resource,
        id: String,
    ) -> BoxFuture<Result<Option<rayw_core::view::Rows>, Error>> {
        self.ask(move |client| async move { client.get(resource, id).await })
    }

    fn summary(&self) -> BoxFuture<Result<rayw_core::view::TaskSummary, Error>> {
        self.ask(|client| async move { client.summary().await })
    }
}

/// A client of the head at that address.
pub(crate) async fn head_at(address: &str) -> Result<ControlClient, Error> {
    ControlClient::connect(address).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a log goes that a test reads.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What the head logs when that node is gone.
    fn logged(end: &HeadEnd, node: NodeId) -> String {
        let log = Shared::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || end.lost(node, "its process has ended".to_owned()));
        let bytes = log.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn a_node_that_said_goodbye_has_left_and_any_other_that_goes_is_dead() {
        let end = HeadEnd { head: Head::new(), runtime: Handle::current() };
        let (polite, killed) = (NodeId([1; 16]), NodeId([2; 16]));
        end.message(ToHead::NodeLost { node: polite, why: "it was stopped".to_owned() });
        end.flush();
        let said = logged(&end, polite);
        assert!(said.contains("INFO") && said.contains("a node has left"), "{said}");
        let said = logged(&end, killed);
        assert!(said.contains("WARN") && said.contains("a node is dead"), "{said}");
        assert!(end.is_dead(polite) && end.is_dead(killed));
    }
}
