//! Jobs on this node: what a job may do, and running its driver.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, PoisonError};

use rayw_core::message::ToHead;
use rayw_core::ownership::Event;
use rayw_core::{Error, ErrorKind, JobId, JobSpec, JobState, RefId, Resources, TaskOptions, Value, limits};
use rayw_engine::{Caller, Grants, Program, Sandbox, Services};
use tokio::sync::oneshot;

use crate::Node;
use crate::catalog::Catalog;
use crate::services::NodeServices;
use crate::worker::{Ended, Stopper};

/// A job that runs here.
pub(crate) struct JobRun {
    pub(crate) spec: JobSpec,
    pub(crate) program: Arc<Program>,
    pub(crate) catalog: Catalog,
    pub(crate) grants: Arc<Grants>,
    /// What its guests are given. It holds the node, which holds its jobs: `drain` lets them go.
    pub(crate) services: Arc<dyn Services>,
}

/// A driver to be run.
#[derive(Debug)]
pub struct JobRequest {
    /// The job's id, from the head.
    pub id: JobId,
    /// Its component.
    pub program: Arc<Program>,
    /// What was started, for people; the driver's first argument.
    pub entrypoint: String,
    /// The driver's further arguments.
    pub args: Vec<String>,
    /// What its guests may use.
    pub grants: Grants,
    /// The namespace of its named actors; one of its own by default.
    pub namespace: Option<String>,
}

/// One call of a function, without a driver.
#[derive(Debug)]
pub struct CallRequest {
    /// The job's id, from the head.
    pub id: JobId,
    /// The component.
    pub program: Arc<Program>,
    /// The call, such as `fib(30)`.
    pub text: String,
    /// What its guests may use.
    pub grants: Grants,
}

/// Ends a job when whoever waits for it goes away.
struct JobGuard {
    node: Arc<Node>,
    job: JobId,
    stopper: Arc<Stopper>,
    state: JobState,
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        self.stopper.stop();
        self.node.handle(Event::JobEnded(self.job));
        self.node.head.send(ToHead::JobEnded { job: self.job, state: self.state });
        self.node.head.flush();
        self.node.reuse.drop_job(self.job);
    }
}

impl Node {
    /// The job, while it is known.
    pub(crate) fn job(&self, id: JobId) -> Result<Arc<JobRun>, Error> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        let job = jobs.get(&id).cloned();
        job.ok_or_else(|| Error::new(ErrorKind::System, format!("job {id} is not known on this node")))
    }

    /// Runs a driver to its end and answers with its exit code. Dropping the future stops the job:
    /// its driver, tasks and actors, detached ones excepted.
    ///
    /// # Errors
    /// When the component has no driver, its grants cannot be given, or the driver breaks down.
    pub async fn run_job(self: &Arc<Self>, request: JobRequest) -> Result<u8, Error> {
        if !request.program.has_driver() {
            let message = format!(
                "`{}` has no driver to run: write a `#[rayw::main]`, or call one of its functions with `--call`",
                request.entrypoint
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let (job, mut guard) =
            self.open_job(request.id, request.program, &request.entrypoint, request.grants, request.namespace)?;
        let args = std::iter::once(request.entrypoint).chain(request.args).collect();
        let sandbox =
            Sandbox { memory_bytes_max: limits::INSTANCE_MEMORY_BYTES_DEFAULT, grants: Arc::clone(&job.grants), args };
        let node = Arc::clone(self);
        let stopper = Arc::clone(&guard.stopper);
        let (sender, receiver) = oneshot::channel();
        let drive = async move {
            let caller = node.driver_caller(&job, node.engine.next_worker());
            let services = Arc::clone(&job.services);
            let driving = async {
                let mut instance = node.engine.start(&job.program, services, Arc::clone(&caller), &sandbox).await?;
                instance.run_driver(caller).await
            };
            let result = match node.until_stopped(&stopper, None, driving).await {
                Ended::Done(result) => result,
                Ended::Stopped | Ended::TimedOut(_) => Err(Error::new(ErrorKind::TaskCancelled, "the job was stopped")),
            };
            // Whoever asked may have gone away, and the job is over all the same.
            let _ = sender.send(result);
        };
        self.tracker.spawn_on(drive, &self.guests);
        let result =
            receiver.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::System, "the driver's thread broke down")));
        guard.state = if matches!(result, Ok(0)) { JobState::Succeeded } else { JobState::Failed };
        result
    }

    /// Runs one function as a task and answers with its value as text.
    ///
    /// # Errors
    /// When the call cannot be read, names nothing, has wrong arguments, or its task fails.
    pub async fn call(self: &Arc<Self>, request: CallRequest) -> Result<String, Error> {
        let (function, values) = request.program.encode_call(&request.text)?;
        let program = Arc::clone(&request.program);
        let (job, mut guard) = self.open_job(request.id, request.program, &request.text, request.grants, None)?;
        let result = self.call_and_wait(&job, &function, values).await;
        guard.state = if result.is_ok() { JobState::Succeeded } else { JobState::Failed };
        result.map(|value| program.display(&value))
    }

    async fn call_and_wait(
        self: &Arc<Self>,
        job: &Arc<JobRun>,
        function: &str,
        values: Vec<Value>,
    ) -> Result<Arc<Value>, Error> {
        let caller = self.driver_caller(job, self.engine.next_worker());
        let services = Arc::clone(&job.services);
        let args = values.into_iter().map(rayw_core::Arg::Value).collect();
        let objects = services.submit(&caller, function, args, TaskOptions::default())?;
        let refs: Vec<RefId> = objects.iter().map(|object| RefId::Object(*object)).collect();
        let got = services.get(caller, objects, None).await;
        services.release(&refs);
        got?.into_iter().next().ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, format!("`{function}` returns nothing that could be shown"))
        })
    }

    fn open_job(
        self: &Arc<Self>,
        id: JobId,
        program: Arc<Program>,
        entrypoint: &str,
        grants: Grants,
        namespace: Option<String>,
    ) -> Result<(Arc<JobRun>, JobGuard), Error> {
        grants.check()?;
        let spec = JobSpec {
            id,
            component: *program.digest(),
            entrypoint: Arc::from(entrypoint),
            namespace: namespace.map_or_else(|| Arc::from(format!("job-{id}")), Arc::from),
        };
        let catalog = Catalog::new(program.description())?;
        let job = Arc::new(JobRun {
            spec: spec.clone(),
            program,
            catalog,
            grants: Arc::new(grants),
            services: Arc::new(NodeServices(Arc::clone(self))),
        });
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&job));
        self.head.send(ToHead::JobStarted { spec });
        self.head.flush();
        let guard = JobGuard {
            node: Arc::clone(self),
            job: id,
            stopper: Arc::new(Stopper::default()),
            state: JobState::Stopped,
        };
        Ok((job, guard))
    }

    fn driver_caller(&self, job: &JobRun, worker: u64) -> Arc<Caller> {
        let task = job.spec.id.driver(self.cluster);
        Arc::new(Caller {
            job: job.spec.id,
            task,
            submitter: task,
            attempt: 0,
            name: Arc::from("driver"),
            component: job.spec.component,
            node: self.id,
            worker,
            actor: None,
            restarts: 0,
            namespace: Arc::clone(&job.spec.namespace),
            resources: Arc::new(Resources::default()),
            is_driver: true,
            children: AtomicU64::new(0),
            puts: AtomicU32::new(0),
            cancelled: AtomicBool::new(false),
        })
    }
}
