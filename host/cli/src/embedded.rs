//! A whole cluster inside this process: a head and one node.
//!
//! It is made of the same parts as one on many machines; only the links
//! between them are function calls.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use rayw_core::message::NodeAddress;
use rayw_core::{Error, Labels, limits};
use rayw_head::Head;
use rayw_node::{Alone, DirGrant, Grants, Node, NodeSettings};
use rayw_proto::StateSource;
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::machine::{Offer, Parts, node_id};

pub use rayw_node::{Line, OutputSink, Program};

/// What a cluster is made of; what is absent follows the machine.
#[derive(Clone)]
pub struct ClusterSettings {
    /// Logical cpus; as many as the machine has by default.
    pub num_cpus: Option<f64>,
    /// Bytes that tasks may reserve; [`limits::NODE_MEMORY_PERCENT`] of the machine's by default.
    pub memory: Option<u64>,
    /// Bytes of the object store; [`limits::STORE_MEMORY_PERCENT`] of the machine's by default.
    pub object_store_memory: Option<u64>,
    /// Part of its disk that spilled objects may fill, in percent; [`limits::STORE_DISK_PERCENT_MAX`] by default.
    pub disk_percent_max: Option<u64>,
    /// Custom resources.
    pub resources: Vec<(String, f64)>,
    /// Where compiled components are kept; nowhere when absent.
    pub cache_dir: Option<PathBuf>,
    /// A directory of the session's own, for spilled objects.
    pub session_dir: PathBuf,
    /// Takes the lines of guests.
    pub output: OutputSink,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tasks submitted so far.
    pub tasks_total: u64,
    /// Tasks that ended well.
    pub tasks_finished: u64,
    /// Tasks that failed.
    pub tasks_failed: u64,
    /// Tasks that run.
    pub running: u64,
}

/// A driver to be run.
#[derive(Debug)]
pub struct JobRequest {
    /// The component.
    pub program: Arc<Program>,
    /// What was started, for people.
    pub entrypoint: String,
    /// The driver's arguments.
    pub args: Vec<String>,
    /// Folders: host, name inside, whether for reading only.
    pub dirs: Vec<(PathBuf, String, bool)>,
    /// Variables.
    pub env: Vec<(String, String)>,
}

/// One function to be called.
#[derive(Debug)]
pub struct CallRequest {
    /// The component.
    pub program: Arc<Program>,
    /// The call, such as `fib(30)`.
    pub text: String,
    /// Folders: host, name inside, whether for reading only.
    pub dirs: Vec<(PathBuf, String, bool)>,
    /// Variables.
    pub env: Vec<(String, String)>,
}

/// The cluster.
#[derive(Debug)]
pub struct Cluster {
    head: Arc<Head>,
    node: Arc<Node>,
    shutdown: CancellationToken,
    clocks: TaskTracker,
    /// Guests run here, one thread a cpu.
    guests: Runtime,
    /// Everything else runs here, so that a busy guest never holds it up.
    control: Runtime,
}

impl Cluster {
    /// Starts it, with runtimes of its own.
    ///
    /// # Errors
    /// When a resource is no amount, a directory cannot be used, or the engine cannot be set up.
    pub fn start(settings: ClusterSettings) -> Result<Self, Error> {
        let offer = Offer {
            num_cpus: settings.num_cpus,
            memory: settings.memory,
            object_store_memory: settings.object_store_memory,
            disk_percent_max: settings.disk_percent_max,
            resources: settings.resources,
            lineage_bytes: None,
        };
        let Parts { total, engine, store, guests, control, seed } =
            Parts::new(&offer, settings.cache_dir, &settings.session_dir)?;
        let id = node_id(seed);
        let head = Head::new();
        let node = Node::new(
            NodeSettings {
                lineage_bytes_max: rayw_core::limits::LINEAGE_BYTES_MAX,
                id,
                total,
                engine,
                store,
                guests: guests.handle().clone(),
                control: control.handle().clone(),
                output: settings.output,
                cluster: seed,
                at: NodeAddress { name: "local".to_owned(), is_head_node: true, ..NodeAddress::default() },
                labels: Labels::new(),
                network: Arc::new(Alone),
            },
            head.clone(),
        );
        head.attach(id, node.link(), node.state());
        node.join();
        let shutdown = CancellationToken::new();
        let clocks = TaskTracker::new();
        clocks.spawn_on(Arc::clone(&head).keep_time(shutdown.clone()), control.handle());
        clocks.spawn_on(Arc::clone(&node).keep_time(shutdown.clone()), control.handle());
        clocks.close();
        Ok(Self { head, node, shutdown, clocks, guests, control })
    }

    /// The runtime for everything that is not a guest.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.control.handle().clone()
    }

    /// Compiles a component, or finds it compiled.
    ///
    /// # Errors
    /// When it is none, or asks for what there is not.
    pub async fn load(&self, bytes: Bytes, origin: &str) -> Result<Arc<Program>, Error> {
        self.node.engine().load(bytes, origin).await
    }

    /// Runs a driver and gives its exit code. Dropping the future stops the job.
    ///
    /// # Errors
    /// When it cannot be run, or did not end by itself.
    pub async fn run(&self, request: JobRequest) -> Result<u8, Error> {
        self.run_in(request, None).await
    }

    /// The same, with a namespace for the names of its actors that other jobs may share.
    ///
    /// # Errors
    /// When it cannot be run, or did not end by itself.
    pub async fn run_in(&self, request: JobRequest, namespace: Option<String>) -> Result<u8, Error> {
        let request = rayw_node::JobRequest {
            id: self.head.next_job(),
            program: request.program,
            entrypoint: request.entrypoint,
            args: request.args,
            grants: grants(request.dirs, request.env),
            namespace,
        };
        self.node.run_job(request).await
    }

    /// Calls one function and gives its result as text.
    ///
    /// # Errors
    /// When it cannot be called, or what it failed with.
    pub async fn call(&self, request: CallRequest) -> Result<String, Error> {
        let request = rayw_node::CallRequest {
            id: self.head.next_job(),
            program: request.program,
            text: request.text,
            grants: grants(request.dirs, request.env),
        };
        self.node.call(request).await
    }

    /// Who knows the state.
    #[must_use]
    pub fn state(&self) -> Arc<dyn StateSource> {
        self.head.clone()
    }

    /// How far the jobs are.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let tally = self.node.tally();
        Progress {
            tasks_total: tally.submitted,
            tasks_finished: tally.finished,
            tasks_failed: tally.failed,
            running: tally.running,
        }
    }

    /// The node, for those who look closer.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Ends it: no guest runs afterwards. Waits as long as [`Node::drain`] does.
    pub fn shutdown(self) {
        self.control.block_on(async {
            if !self.node.drain().await {
                tracing::warn!("some guests did not end in {:?} and are dropped", limits::SHUTDOWN_GRACE);
            }
            self.shutdown.cancel();
            self.clocks.wait().await;
        });
        self.head.detach_all();
        self.guests.shutdown_timeout(limits::SHUTDOWN_GRACE);
        self.control.shutdown_background();
    }
}

fn grants(dirs: Vec<(PathBuf, String, bool)>, env: Vec<(String, String)>) -> Grants {
    let dirs = dirs.into_iter().map(|(host, guest, read_only)| DirGrant { host, guest, read_only });
    Grants { dirs: dirs.collect(), env }
}
