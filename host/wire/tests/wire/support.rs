//! A head and nodes that write down what they get, and a proxy that cuts connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rayw_core::message::{FromHead, NodeAddress, NodeLink, ToHead, ToPeer};
use rayw_core::{JobId, NodeId, ObjectId, Value};
use rayw_wire::{BoxFuture, Endpoint, HeadInbox, HealthTiming, NodeInbox, ObjectSource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// Something that came in.
pub(crate) enum News {
    Message(ToHead),
    Joined(NodeId, Arc<dyn NodeLink>),
    Lost(NodeId, String),
    FromHead(FromHead),
    FromPeer(NodeId, ToPeer),
    HeadIsNew,
    Fenced(String),
}

/// An endpoint and what came in there.
pub(crate) struct End {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) news: Receiver<News>,
    pub(crate) shutdown: CancellationToken,
}

impl End {
    /// What comes next.
    pub(crate) async fn next(&mut self) -> News {
        timeout(Duration::from_secs(30), self.news.recv()).await.expect("something comes in time").unwrap()
    }

    /// Ends, so that the port is free again.
    pub(crate) async fn stop(self) -> SocketAddr {
        let address = self.endpoint.address().parse().unwrap();
        self.shutdown.cancel();
        self.endpoint.stopped().await;
        address
    }

    pub(crate) async fn joined(&mut self) -> (NodeId, Arc<dyn NodeLink>) {
        match self.next().await {
            News::Joined(node, link) => (node, link),
            _ => panic!("a node joins first"),
        }
    }
}

struct Notes {
    news: Sender<News>,
    dead: Arc<AtomicBool>,
}

impl Notes {
    fn put(&self, news: News) {
        assert!(self.news.try_send(news).is_ok(), "there is room");
    }
}

impl HeadInbox for Notes {
    fn message(&self, message: ToHead) {
        self.put(News::Message(message));
    }
    fn flush(&self) {}
    fn joined(&self, node: NodeId, _: NodeAddress, link: Arc<dyn NodeLink>) {
        self.put(News::Joined(node, link));
    }
    fn is_dead(&self, _: NodeId) -> bool {
        self.dead.load(Ordering::Relaxed)
    }
    fn lost(&self, node: NodeId, why: String) {
        self.put(News::Lost(node, why));
    }
}

impl NodeInbox for Notes {
    fn from_head(&self, message: FromHead) {
        self.put(News::FromHead(message));
    }
    fn from_peer(&self, from: NodeId, message: ToPeer) {
        self.put(News::FromPeer(from, message));
    }
    fn head_is_new(&self, _unheard: Vec<ToHead>) {
        self.put(News::HeadIsNew);
    }
    fn fenced(&self, why: &str) {
        self.put(News::Fenced(why.to_owned()));
    }
}

/// A node without objects.
pub(crate) struct Nothing;

impl ObjectSource for Nothing {
    fn open(&self, _: ObjectId) -> BoxFuture<Option<Arc<Value>>> {
        Box::pin(async { None })
    }
}

pub(crate) const ANY: &str = "127.0.0.1:0";

pub(crate) fn bind(listen: &str, advertise: Option<String>) -> Arc<Endpoint> {
    Endpoint::bind(listen.parse().unwrap(), advertise, Handle::current()).unwrap()
}

/// A head that declares nodes dead quickly, or never within a test.
pub(crate) fn head(listen: &str, session: u64, timeout: Duration, dead: bool) -> End {
    let endpoint = bind(listen, None);
    let (sender, news) = channel(100_000);
    let inbox = Arc::new(Notes { news: sender, dead: Arc::new(dead.into()) });
    endpoint.serve_head(session, inbox, HealthTiming { period: Duration::from_millis(20), timeout });
    start(endpoint, news)
}

pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn node(id: NodeId, advertise: Option<String>) -> End {
    node_with(id, ANY, advertise, Arc::new(Nothing))
}

pub(crate) fn node_with(id: NodeId, listen: &str, advertise: Option<String>, objects: Arc<dyn ObjectSource>) -> End {
    let endpoint = bind(listen, advertise);
    let (sender, news) = channel(100_000);
    endpoint.serve_node(id, Arc::new(Notes { news: sender, dead: Arc::default() }), objects);
    start(endpoint, news)
}

fn start(endpoint: Arc<Endpoint>, news: Receiver<News>) -> End {
    let shutdown = CancellationToken::new();
    endpoint.start(Routes::default(), shutdown.clone());
    End { endpoint, news, shutdown }
}

pub(crate) fn id(number: u8) -> NodeId {
    NodeId([number; 16])
}

pub(crate) fn at(end: &End) -> NodeAddress {
    NodeAddress { address: end.endpoint.address().to_owned(), name: "test".to_owned(), is_head_node: false }
}

/// A message with a number in it.
pub(crate) fn to_head(number: u32) -> ToHead {
    ToHead::JobStop { job: JobId::numbered(number) }
}

pub(crate) fn from_head(number: u32) -> FromHead {
    FromHead::DriverStop { job: JobId::numbered(number) }
}

pub(crate) fn to_peer(number: u32) -> ToPeer {
    let mut object = [0; 20];
    object[..4].copy_from_slice(&number.to_be_bytes());
    ToPeer::Copied { object: ObjectId(object) }
}

/// A proxy that cuts connections, until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: String,
    /// Connections that it had.
    pub(crate) connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

/// A proxy before `target` that cuts the first `cuts` connections after a number of bytes each.
pub(crate) async fn cutting_proxy(target: Arc<OnceLock<String>>, cuts: usize, bytes: usize) -> Proxy {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connections = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    let counted = connections.clone();
    tasks.spawn(async move {
        let mut pipes = JoinSet::new();
        loop {
            let (from, _) = listener.accept().await.unwrap();
            let to = TcpStream::connect(target.get().unwrap()).await.unwrap();
            let number = counted.fetch_add(1, Ordering::Relaxed);
            pipes.spawn(pipe(from, to, if number < cuts { bytes } else { usize::MAX }));
        }
    });
    Proxy { address, connections, _tasks: tasks }
}

/// Carries bytes both ways until the way forth has carried `limit`.
async fn pipe(mut from: TcpStream, mut to: TcpStream, limit: usize) {
    let (mut from_read, mut from_write) = from.split();
    let (mut to_read, mut to_write) = to.split();
    let forth = async {
        let mut left = limit;
        let mut buffer = vec![0; 4096];
        while left > 0 {
            let most = left.min(buffer.len());
            let count = from_read.read(&mut buffer[..most]).await.unwrap_or(0);
            if count == 0 || to_write.write_all(&buffer[..count]).await.is_err() {
                return;
            }
            left -= count;
        }
    };
    tokio::select! {
        () = forth => {}
        _ = tokio::io::copy(&mut to_read, &mut from_write) => {}
    }
}
