//! One process's place on the network: one port, and everything that comes and goes through it.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use rayw_core::message::{NodeAddress, NodeLink};
use rayw_core::{Error, ErrorKind, NodeId, ObjectId, Value};
use rayw_memory::Buffers;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::accept;
use crate::ends::Ends;
use crate::inbox::{HeadInbox, HealthTiming, NodeInbox, ObjectSource};
use crate::object::{FetchError, Fetching};
use crate::peers::Peers;
use crate::queue::Queue;
use crate::route::{RemoteHead, ToHeadRoute};

/// One per process. Dropping it ends all its links.
pub struct Endpoint {
    pub(crate) ends: Arc<Ends>,
    peers: Arc<Peers>,
    fetching: Fetching,
    address: String,
    listening: SocketAddr,
    /// Until it is started.
    listener: Mutex<Option<std::net::TcpListener>>,
}

impl Endpoint {
    /// Takes the port; 0 is any free one. `advertise` is the `host:port` that others dial (a port 0 in it
    /// means the one taken), where it differs from what this process listens on. It must where that is all
    /// addresses of the machine, which nobody can dial.
    ///
    /// # Errors
    /// `System` when the port cannot be had.
    pub fn bind(listen: SocketAddr, advertise: Option<String>, runtime: Handle) -> Result<Arc<Self>, Error> {
        let fail = |cause: std::io::Error| {
            let message = format!("failed to listen on `{listen}`; is the port taken by another process?");
            Error::new(ErrorKind::System, message).caused_by(cause.to_string())
        };
        let listener = std::net::TcpListener::bind(listen).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let bound = listener.local_addr().map_err(fail)?;
        let address = match advertise {
            Some(address) => match address.strip_suffix(":0") {
                Some(host) => format!("{host}:{}", bound.port()),
                None => address,
            },
            None => bound.to_string(),
        };
        let ends = Arc::new(Ends::new(runtime));
        let peers = Arc::new(Peers::new(ends.clone()));
        Ok(Arc::new(Self {
            ends,
            peers,
            fetching: Fetching::default(),
            address,
            listening: bound,
            listener: Mutex::new(Some(listener)),
        }))
    }

    /// `host:port` that others dial.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What this process listens on itself, the port chosen.
    #[must_use]
    pub fn listening(&self) -> SocketAddr {
        self.listening
    }

    /// This process is a node. Before it is started and before [`Endpoint::connect_head`].
    pub fn serve_node(&self, node: NodeId, inbox: Arc<dyn NodeInbox>, objects: Arc<dyn ObjectSource>) {
        self.ends.set_node(node, inbox, objects);
    }

    /// This process is the head. `session` tells this life of it from others and is not 0.
    pub fn serve_head(&self, session: u64, inbox: Arc<dyn HeadInbox>, timing: HealthTiming) {
        self.ends.set_head(session, inbox, timing);
    }

    /// Begins to accept connections: for links, for objects, and for the services in `routes`. Ends,
    /// links that go out included, with `shutdown`.
    pub fn start(&self, routes: Routes, shutdown: CancellationToken) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(listener) = listener else { return };
        let ends = self.ends.clone();
        self.ends.tasks.spawn_on(
            async move {
                let until_shutdown = async {
                    tokio::select! {
                        () = shutdown.cancelled() => ends.stop.cancel(),
                        () = ends.stop.cancelled() => {}
                    }
                };
                tokio::join!(until_shutdown, accept::run(&ends, listener, routes));
                ends.clear();
                ends.tasks.close();
            },
            &self.ends.runtime,
        );
    }

    /// Everything that was started has ended, after the shutdown that [`Endpoint::start`] was given.
    pub async fn stopped(&self) {
        self.ends.tasks.wait().await;
    }

    /// A link from the node of this process to the head at `address`.
    #[must_use]
    pub fn connect_head(&self, node: NodeId, at: NodeAddress, address: &str) -> Arc<RemoteHead> {
        let queue = Arc::new(Queue::default());
        let (ends, address) = (self.ends.clone(), address.to_owned());
        let route = ToHeadRoute { ends, node, at, address, session: Mutex::default(), is_lost: AtomicBool::new(false) };
        let stop = self.ends.start_sender(Arc::new(route), queue.clone());
        Arc::new(RemoteHead { queue, stop })
    }

    /// The other nodes.
    #[must_use]
    pub fn peers(&self) -> Arc<Peers> {
        self.peers.clone()
    }

    /// A link from the head of this process to a node. Those that join get theirs by themselves.
    #[must_use]
    pub fn node_link(&self, node: NodeId, address: &str) -> Arc<dyn NodeLink> {
        Arc::new(self.ends.link_to_node(self.ends.head().as_ref(), node, address))
    }

    /// No more bytes of objects than this come at once, where that is less than
    /// [`FETCH_BYTES_MAX`](rayw_core::limits::FETCH_BYTES_MAX). To be said before anything is fetched.
    pub fn limit_fetches(&self, bytes: u64) {
        self.fetching.limit(bytes);
    }

    /// Where the bytes of fetched objects go. To be said before anything is fetched, and once.
    pub fn fetch_into(&self, buffers: &Buffers) {
        self.fetching.fetch_into(buffers);
    }

    /// Gets an object from one of the nodes that have it, tried one after another. It can be dropped at any
    /// time; it has no time limit of its own but for one that stands still.
    ///
    /// # Errors
    /// What became of the sources, when none of them helped.
    pub async fn fetch(&self, sources: Vec<(NodeId, String)>, object: ObjectId) -> Result<Value, FetchError> {
        self.fetching.fetch(sources, object).await
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.ends.stop.cancel();
    }
}
