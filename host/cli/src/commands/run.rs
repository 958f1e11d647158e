//! `rayw run`: a session, a cluster inside this process, one job.
//!
//! ```text
//! find (or build) the component ─▶ session directory ─▶ cluster ─▶ load ─▶ driver or call
//!                                        │                                   │
//!        first signal, time-out, error ──┴──▶ stop the job ─▶ shut down ─▶ remove the directory
//! ```

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use rayw_core::{Error, ErrorKind, limits};
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::build::ended;
use crate::cargo;
use crate::embedded::{CallRequest, Cluster, ClusterSettings, JobRequest, Program};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::printer::PrinterHandle;
use crate::progress::{Count, Drawing};
use crate::session::{About, Session};
use crate::settings::{BuildSettings, RunSettings, Work};
use crate::stall::{self, Patience};

pub(super) fn run(settings: RunSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    let interrupts = Interrupts::listen()?;
    let file = if settings.app.is_file() {
        settings.app.clone()
    } else {
        match cargo::build(&BuildSettings { path: settings.app.clone(), bin: None }, &interrupts) {
            Ok(component) => component,
            Err(end) => return ended(end),
        }
    };
    let app = App::read(&file)?;
    let session = Session::create(&settings.session_roots, &About::run(&app.name))?;
    let cluster = Cluster::start(ClusterSettings {
        num_cpus: settings.num_cpus,
        memory: settings.memory,
        object_store_memory: settings.object_store_memory,
        disk_percent_max: settings.disk_percent_max,
        resources: settings.resources.clone(),
        cache_dir: settings.cache_dir.clone(),
        session_dir: session.directory().to_owned(),
        output: printer.sink(),
    })?;
    let drawing = Drawing::new(printer.bars(), settings.progress);
    let job = Job { cluster: &cluster, settings, app, drawing, printer };
    let outcome = cluster.handle().block_on(async {
        let state = StateService::start(&cluster, &session)?;
        let outcome = tokio::select! {
            biased;
            signal = interrupts.first() => {
                printer.err("stopping the job; once more ends it at once");
                Ok(ExitStatus::Signal(signal))
            }
            outcome = job.run() => outcome,
        };
        state.stop().await;
        outcome
    });
    drop(job);
    shut_down(cluster)?;
    outcome
}

/// What is run.
struct App {
    /// For people: the file's name.
    name: String,
    /// For errors: where it came from.
    origin: String,
    bytes: Bytes,
}

impl App {
    fn read(file: &Path) -> Result<Self, Failure> {
        let origin = file.display().to_string();
        let fail = |error| Failure::work(format!("failed to read `{origin}`")).caused_by(error);
        let size = file.metadata().map_err(fail)?.len();
        if usize::try_from(size).is_ok_and(|size| size > limits::COMPONENT_BYTES_MAX) {
            let max = limits::COMPONENT_BYTES_MAX >> 20;
            return Err(Failure::work(format!("`{origin}` is {} MiB: a component has at most {max} MiB", size >> 20)));
        }
        let bytes = std::fs::read(file).map_err(fail)?.into();
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, origin, bytes })
    }
}

/// One job on one cluster. Dropping the future of [`Job::run`] stops it.
struct Job<'a> {
    cluster: &'a Cluster,
    settings: RunSettings,
    app: App,
    drawing: Drawing,
    printer: &'a PrinterHandle,
}

impl Job<'_> {
    async fn run(&self) -> Result<ExitStatus, Failure> {
        let words = format!("compiling {}", self.app.name);
        let load = self.cluster.load(self.app.bytes.clone(), &self.app.origin);
        let program = self.drawing.spinner(&words, load).await?;
        let state = self.cluster.state();
        let work = async {
            match &self.settings.work {
                Work::Driver(args) => self.driver(program, args).await,
                Work::Call(text) => self.call(program, text).await,
            }
        };
        let work = stall::watched(Patience::default(), &*state, || self.count(), self.printer, work);
        let Some(timeout) = self.settings.timeout else { return work.await };
        let mut work = pin!(work);
        match tokio::time::timeout(timeout, &mut work).await {
            Ok(outcome) => outcome,
            // The job still stands, so the reasons can still be seen.
            Err(_) => Err(too_long(timeout, stall::reasons(&*state).await)),
        }
    }

    async fn driver(&self, program: Arc<Program>, args: &[String]) -> Result<ExitStatus, Failure> {
        if !program.has_driver() {
            return Err(self.no_driver(&program));
        }
        let request = JobRequest {
            program,
            entrypoint: self.app.name.clone(),
            args: args.to_vec(),
            dirs: self.dirs(),
            env: self.settings.env.clone(),
        };
        let code = self.drawing.bar(|| self.count(), self.cluster.run(request)).await?;
        Ok(ExitStatus::Driver(code))
    }

    async fn call(&self, program: Arc<Program>, text: &str) -> Result<ExitStatus, Failure> {
        let request = CallRequest { program, text: text.to_owned(), dirs: self.dirs(), env: self.settings.env.clone() };
        let result = self.drawing.bar(|| self.count(), self.cluster.call(request)).await?;
        self.printer.out(result);
        Ok(ExitStatus::Done)
    }

    fn dirs(&self) -> Vec<(std::path::PathBuf, String, bool)> {
        let dirs = self.settings.dirs.iter();
        dirs.map(|grant| (grant.host.clone(), grant.guest.clone(), grant.read_only)).collect()
    }

    fn count(&self) -> Count {
        let progress = self.cluster.progress();
        Count {
            done: progress.tasks_finished.saturating_add(progress.tasks_failed),
            failed: progress.tasks_failed,
            total: progress.tasks_total,
            running: progress.running,
        }
    }

    fn no_driver(&self, program: &Program) -> Failure {
        let functions: Vec<_> =
            program.description().functions.iter().map(|function| format!("`{}`", function.name)).collect();
        let failure = Failure::work(format!("`{}` has no driver: it does not export `wasi:cli/run`", self.app.origin));
        if functions.is_empty() {
            return failure.hint("a program with a `main` has one");
        }
        failure
            .caused_by(format!("it has the functions {}", functions.join(", ")))
            .hint("call one with `--call 'NAME(ARGUMENTS)'`")
    }
}

fn too_long(timeout: Duration, waiting: Vec<String>) -> Failure {
    let message = format!("the job ran longer than {timeout:?} and was stopped");
    let error = waiting.into_iter().fold(Error::new(ErrorKind::TaskTimeout, message), Error::caused_by);
    Failure::new(ExitStatus::WorkFailed, error).hint("give it more time with `--timeout`, or leave that out")
}

/// Answers `rayw list` in other terminals.
struct StateService {
    stop: oneshot::Sender<()>,
    server: JoinSet<Result<(), Error>>,
}

impl StateService {
    /// Starts it. The runtime of the caller is the cluster's.
    fn start(cluster: &Cluster, session: &Session) -> Result<Self, Failure> {
        let socket = session.socket();
        let listener = UnixListener::bind(&socket)
            .map_err(|error| Failure::system(format!("failed to listen at `{}`", socket.display())).caused_by(error))?;
        let (stop, stopped) = oneshot::channel();
        let mut server = JoinSet::new();
        server.spawn(rayw_proto::serve_state(listener, cluster.state(), async {
            // An error means that the sender is gone, which is a reason to stop as well.
            let _ = stopped.await;
        }));
        Ok(Self { stop, server })
    }

    /// Finishes open answers, but not for long: nobody should wait for somebody who asks.
    async fn stop(mut self) {
        const OPEN_ANSWERS_MAX: Duration = Duration::from_millis(500);
        // It may have ended by itself.
        let _ = self.stop.send(());
        match tokio::time::timeout(OPEN_ANSWERS_MAX, self.server.join_next()).await {
            Ok(Some(Ok(Err(error)))) => tracing::warn!(%error, "the state service failed"),
            Ok(Some(Err(error))) => tracing::warn!(%error, "the state service broke down"),
            // It ended in order, or dropping the set ends it.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Ends the cluster, within the time that an orderly end may take.
fn shut_down(cluster: Cluster) -> Result<(), Failure> {
    let (tell, ended) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("rayw-shutdown".to_owned()).spawn(move || {
        cluster.shutdown();
        // Nobody listens any more once the time is over.
        let _ = tell.send(());
    });
    thread.map_err(|error| Failure::system("failed to shut the cluster down").caused_by(error))?;
    if ended.recv_timeout(limits::SHUTDOWN_GRACE).is_err() {
        tracing::warn!("the cluster did not end within {:?}: leaving it behind", limits::SHUTDOWN_GRACE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_is_the_fault_of_the_work() {
        let failure = too_long(Duration::from_secs(90), vec!["2 tasks wait: needs 4 CPU".to_owned()]);
        insta::assert_snapshot!(failure.render(), @r"
        error: the job ran longer than 90s and was stopped
          caused by: 2 tasks wait: needs 4 CPU
          hint: give it more time with `--timeout`, or leave that out
        ");
        assert_eq!(failure.status.code(), 1);
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_even_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.wasm");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(limits::COMPONENT_BYTES_MAX as u64 + (1 << 20)).unwrap();
        let failure = App::read(&path).err().unwrap();
        assert!(failure.error.message.contains("is 257 MiB: a component has at most 256 MiB"), "{}", failure.render());
    }
}
