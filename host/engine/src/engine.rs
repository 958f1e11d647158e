//! Loads components and starts instances of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rayw_core::{ComponentDigest, Error, ErrorKind, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use wasmtime::component::{Component, Linker};

use crate::cache::Cache;
use crate::export::{self, Exports};
use crate::loaded::Loaded;
use crate::state::Guest;
use crate::{Caller, Instance, Program, Sandbox, Services, componentize, config, describe, epoch, host, shim, types};

/// How long a start waits for a free place. Leases bound what runs at once, so a longer wait means
/// that actors and blocked tasks hold all places, and somebody should be told.
const PLACE_WAIT_MAX: Duration = Duration::from_secs(5);

/// Bytes from which on a digest is computed away from the async threads.
const DIGEST_BYTES_INLINE: usize = 1 << 20;

/// How an engine is made.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Where compiled components are kept; `None` keeps them in memory only.
    pub cache_dir: Option<PathBuf>,
    /// Instances alive at once.
    pub instances_max: u32,
    /// Threads that compile, and components compiled at once.
    pub compile_threads: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        let compile_threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cache_dir: None, instances_max: limits::INSTANCES_MAX, compile_threads }
    }
}

/// One per node.
pub struct Engine {
    wasm: wasmtime::Engine,
    linker: Linker<Guest>,
    cache: Option<Cache>,
    programs: Loaded<Program>,
    compilers: rayon::ThreadPool,
    compiling: Semaphore,
    /// Loads that go on though nobody may wait for them any more.
    loading: TaskTracker,
    /// One permit for each place of the pool.
    places: Arc<Semaphore>,
    places_for_describe: Arc<Semaphore>,
    instances_max: usize,
    workers: AtomicU64,
    has_pool: bool,
}

impl Engine {
    /// Starts an engine and its epoch thread, which ends with it.
    ///
    /// # Errors
    /// `System` when not even an engine without a pool can be made.
    pub fn new(settings: EngineSettings) -> Result<Arc<Self>, Error> {
        let failed = |what: &str, cause: String| Error::new(ErrorKind::System, what).caused_by(cause);
        let (wasm, has_pool) = config::engine(settings.instances_max)?;
        epoch::tick(&wasm)?;
        let linker =
            host::linker(&wasm).map_err(|error| failed("cannot link the host functions", format!("{error:#}")))?;
        let cache = settings.cache_dir.and_then(|dir| {
            Cache::open(&dir, &wasm, limits::COMPILED_BYTES_MAX)
                .inspect_err(|error| tracing::warn!(dir = %dir.display(), "compiled components are not kept: {error}"))
                .ok()
        });
        let compile_threads = settings.compile_threads.max(1);
        let compilers = rayon::ThreadPoolBuilder::new()
            .num_threads(compile_threads)
            .thread_name(|number| format!("rayw-compile-{number}"))
            .build()
            .map_err(|error| failed("cannot start the compiler's threads", error.to_string()))?;
        Ok(Arc::new(Self {
            wasm,
            linker,
            cache,
            programs: Loaded::new(limits::PROGRAMS_KEPT_MAX),
            compilers,
            compiling: Semaphore::new(compile_threads),
            loading: TaskTracker::new(),
            places: Arc::new(Semaphore::new(settings.instances_max as usize)),
            places_for_describe: Arc::new(Semaphore::new(config::DESCRIBE_SLOTS as usize)),
            instances_max: settings.instances_max as usize,
            workers: AtomicU64::new(0),
            has_pool,
        }))
    }

    /// Whether instances come from a pool; without one they start more slowly.
    #[must_use]
    pub fn has_pool(&self) -> bool {
        self.has_pool
    }

    /// The number of the next instance, unique in this engine.
    pub fn next_worker(&self) -> u64 {
        self.workers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The program of that digest, if it is loaded.
    #[must_use]
    pub fn program(&self, digest: &ComponentDigest) -> Option<Arc<Program>> {
        self.programs.get(digest)
    }

    /// Takes out loaded programs that nobody has used for longest, when there are more than
    /// [`limits::PROGRAMS_KEPT_MAX`] that nobody uses. To drop them takes its time.
    #[must_use]
    pub fn take_unused(&self) -> Vec<Arc<Program>> {
        self.programs.take_unused()
    }

    /// Makes a program of a file's bytes: a component or a core module, binary or text.
    ///
    /// Compiles once per digest, however many ask at once and whoever of them gives up waiting.
    ///
    /// # Errors
    /// `InvalidArgument` saying what is wrong with the file called `origin`.
    pub async fn load(self: &Arc<Self>, bytes: Bytes, origin: &str) -> Result<Arc<Program>, Error> {
        if bytes.len() > limits::COMPONENT_BYTES_MAX {
            let message = format!(
                "`{origin}` has {} MiB, more than the {} MiB that a component may have",
                bytes.len() >> 20,
                limits::COMPONENT_BYTES_MAX >> 20
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let digest = if bytes.len() <= DIGEST_BYTES_INLINE {
            ComponentDigest::of(&bytes)
        } else {
            let bytes = bytes.clone();
            off_thread(move || ComponentDigest::of(&bytes)).await?
        };
        if let Some(program) = self.program(&digest) {
            return Ok(program);
        }
        let cell = self.programs.cell(digest);
        // A task of its own: if this caller gives up, the others still get what was begun. It ends
        // when the component is compiled and described, which is bounded.
        let engine = Arc::clone(self);
        let origin = origin.to_owned();
        let loading = self.loading.spawn(async move {
            let loaded = cell.get_or_try_init(|| engine.load_new(digest, bytes, &origin)).await.cloned();
            drop(cell);
            engine.programs.forget_failed(&digest);
            loaded
        });
        let loaded = loading.await.unwrap_or_else(|error| Err(panicked(&error)));
        // What others say of a file quotes it.
        loaded.map_err(|error| error.cut_to(types::ERROR_TEXT_BYTES_MAX))
    }

    async fn load_new(
        self: &Arc<Self>,
        digest: ComponentDigest,
        bytes: Bytes,
        origin: &str,
    ) -> Result<Arc<Program>, Error> {
        // The semaphore lives as long as the engine and is never closed.
        let _compiling = self.compiling.acquire().await.map_err(|error| closed(&error))?;
        let engine = Arc::clone(self);
        let owned_origin = origin.to_owned();
        let program = Arc::new(off_thread(move || engine.prepare(digest, &bytes, &owned_origin)).await??);
        let description = describe::ask(self, &program, origin).await?;
        // Asking was the first and only use of the program so far.
        let program = Arc::try_unwrap(program).map(|program| Program { description, ..program });
        program.map(Arc::new).map_err(|_| Error::new(ErrorKind::System, "a component was used before it was described"))
    }

    /// Everything about a component that needs no running guest.
    fn prepare(&self, digest: ComponentDigest, bytes: &[u8], origin: &str) -> Result<Program, Error> {
        let (component, was_cached) = self.component(&digest, bytes, origin)?;
        let pre =
            self.linker.instantiate_pre(&component).map_err(|error| export::unlinkable(&component, origin, &error))?;
        let component_type = self
            .linker
            .substituted_component_type(&component)
            .map_err(|error| export::unlinkable(&component, origin, &error))?;
        let exports = Exports::of(&component, &component_type, origin)?;
        Ok(Program { digest, pre, exports, description: rayw_core::Description::default(), was_cached })
    }

    fn component(&self, digest: &ComponentDigest, bytes: &[u8], origin: &str) -> Result<(Component, bool), Error> {
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.load(&self.wasm, digest)) {
            return Ok((component, true));
        }
        let binary = componentize::component(bytes, origin)?;
        let compiled = self.compilers.install(|| self.compile(&binary));
        let component = compiled.map_err(|error| {
            let cause = format!("{error:#}");
            if !config::is_pool_limit(&cause) {
                return componentize::not_valid(origin, cause);
            }
            let message = format!(
                "`{origin}` has more memories, tables or modules than a sandbox may have: compose it of fewer parts"
            );
            Error::new(ErrorKind::InvalidArgument, message).caused_by(cause)
        })?;
        if let Some(cache) = &self.cache {
            cache.store(digest, &component);
        }
        Ok((component, false))
    }

    /// Compiles a component, without its shim where it can go.
    fn compile(&self, binary: &[u8]) -> wasmtime::Result<Component> {
        let folded = shim::fold(binary).map(|folded| Component::from_binary(&self.wasm, &folded));
        match folded {
            Some(Ok(component)) => Ok(component),
            // What is wrong with it is to be said of what somebody wrote.
            Some(Err(_)) | None => Component::from_binary(&self.wasm, binary),
        }
    }

    /// A fresh sandbox with the program in it. Waits a little for a free place.
    ///
    /// # Errors
    /// `LimitExceeded` without a place, `OutOfMemory` when the program alone is more than its
    /// memory, or what went wrong while it started.
    pub async fn start(
        self: &Arc<Self>,
        program: &Arc<Program>,
        services: Arc<dyn Services>,
        caller: Arc<Caller>,
        sandbox: &Sandbox,
    ) -> Result<Instance, Error> {
        let place = self.place().await?;
        let guest = Guest::new(services, caller, sandbox)?;
        Instance::start(&self.wasm, Arc::clone(program), guest, place).await
    }

    /// Whether most places for instances are taken: whoever holds one without need should give it back.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.places.available_permits() < self.instances_max / 4
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        match tokio::time::timeout(PLACE_WAIT_MAX, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(error)) => Err(closed(&error)),
            Err(_) => Err(Error::new(
                ErrorKind::LimitExceeded,
                "all places for instances are taken by running tasks and actors: end actors that are not needed",
            )),
        }
    }

    /// A sandbox for the question what is in a component; it has places of its own.
    pub(crate) async fn start_to_describe(&self, program: Arc<Program>, guest: Guest) -> Result<Instance, Error> {
        let places = Arc::clone(&self.places_for_describe);
        let place = places.acquire_owned().await.map_err(|error| closed(&error))?;
        Instance::start(&self.wasm, program, guest, place).await
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("has_pool", &self.has_pool).finish_non_exhaustive()
    }
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| panicked(&error))
}

fn panicked(error: &tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::System, "loading a component failed inside rayw").caused_by(error)
}

fn closed(error: &tokio::sync::AcquireError) -> Error {
    Error::new(ErrorKind::System, "the engine is closed").caused_by(error)
}
