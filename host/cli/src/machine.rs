//! What this machine offers to a node, and what a node is made of.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rayw_core::{Amount, Error, ErrorKind, NodeId, Resources, limits, resources_of};
use rayw_node::{Engine, EngineSettings, Store, StoreSettings};
use tokio::runtime::{Builder, Runtime};

/// What a node offers; what is absent follows the machine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Offer {
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
    /// Bytes that it may keep of finished tasks to be able to run them again; [`limits::LINEAGE_BYTES_MAX`] by default.
    pub lineage_bytes: Option<u64>,
}

/// What a node is made of.
pub(crate) struct Parts {
    /// What it offers.
    pub(crate) total: Resources,
    /// Runs its guests.
    pub(crate) engine: Arc<Engine>,
    /// Holds its large objects.
    pub(crate) store: Store,
    /// Guests run here, one thread a cpu.
    pub(crate) guests: Runtime,
    /// Everything else runs here, so that a busy guest never holds it up.
    pub(crate) control: Runtime,
    /// Tells this process from all others.
    pub(crate) seed: u64,
}

impl Parts {
    /// Makes them. Spilled objects go below `dir`.
    pub(crate) fn new(offer: &Offer, cache_dir: Option<PathBuf>, dir: &Path) -> Result<Self, Error> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = memory();
        let reservable = offer.memory.unwrap_or(memory / 100 * limits::NODE_MEMORY_PERCENT);
        let default_cpus = Amount(cpus as u64 * Amount::ONE.0);
        let total = resources_of(offer.num_cpus, default_cpus, Some(reservable), &offer.resources)?;
        let guests = runtime("guest", cpus)?;
        let control = runtime("control", 1)?;
        let engine = {
            // The engine's own tasks, such as compiling, belong to the control runtime.
            let _context = control.enter();
            Engine::new(EngineSettings { cache_dir, instances_max: limits::INSTANCES_MAX, compile_threads: cpus })?
        };
        let store = Store::new(&StoreSettings {
            bytes_max: offer.object_store_memory.unwrap_or(memory / 100 * limits::STORE_MEMORY_PERCENT),
            spill_dir: Some(dir.join("objects")),
            disk_percent_max: offer.disk_percent_max.unwrap_or(limits::STORE_DISK_PERCENT_MAX),
        })?;
        Ok(Self { total, engine, store, guests, control, seed: seed() })
    }
}

fn runtime(name: &'static str, threads: usize) -> Result<Runtime, Error> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(format!("rayw-{name}"))
        .enable_all()
        // A guest may keep its thread until the next epoch; what others queue must not wait for
        // 31 of those, tokio's default.
        .global_queue_interval(3)
        .build()
        .map_err(|error| Error::new(ErrorKind::System, "cannot start the threads that guests need").caused_by(error))
}

/// Bytes of memory of this machine, or of its control group when that has less.
fn memory() -> u64 {
    /// Taken where nothing can be read: 4 GiB.
    const UNKNOWN: u64 = 4 << 30;
    let of_machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    });
    let of_group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let of_group = of_group.and_then(|text| text.trim().parse::<u64>().ok());
    let machine = of_machine.unwrap_or(UNKNOWN);
    of_group.map_or(machine, |group| group.min(machine))
}

fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap_or_default();
    nanos ^ (u64::from(std::process::id()) << 40)
}

/// The id of the node that was made with this seed.
pub(crate) fn node_id(seed: u64) -> NodeId {
    let digest = rayw_core::ComponentDigest::of(&seed.to_be_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest.0[..16]);
    NodeId(id)
}
