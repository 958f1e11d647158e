//! Jobs on this node: what a job may do, and running its driver.

mod arrival;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use rayw_core::message::ToHead;
use rayw_core::ownership::Event;
use rayw_core::{Error, ErrorKind, JobId, JobSpec, JobState, RefId, TaskOptions, TaskTerms, Value};
use rayw_engine::{Caller, Grants, Program, Sandbox, Services};
use tokio::sync::oneshot;

pub(crate) use arrival::JobArrivals;
use arrival::WorkingDir;

use crate::Node;
use crate::catalog::Catalog;
use crate::held::HeldRefs;
use crate::services::NodeServices;
use crate::worker::{Ended, Stopper};

/// A job that runs here.
pub(crate) struct JobRun {
    pub(crate) spec: Arc<JobSpec>,
    pub(crate) program: Arc<Program>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) grants: Arc<Grants>,
    /// The head has said that it is over; detached actors of it may live on.
    pub(crate) is_over: AtomicBool,
    /// What its guests are given. It holds the node, which holds its jobs: `drain` lets them go.
    pub(crate) services: Arc<dyn Services>,
    /// Keeps its working directory, if it has one.
    _working_dir: Option<Arc<WorkingDir>>,
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
    end: JobEnd,
}

/// How a job ended.
struct JobEnd {
    state: JobState,
    exit_code: Option<u8>,
    message: String,
}

impl JobEnd {
    fn of(result: &Result<u8, Error>) -> Self {
        match result {
            Ok(0) => Self { state: JobState::Succeeded, exit_code: Some(0), message: String::new() },
            Ok(code) => Self {
                state: JobState::Failed,
                exit_code: Some(*code),
                message: format!("the driver ended with exit code {code}"),
            },
            Err(error) => Self { state: JobState::Failed, exit_code: None, message: error.to_string() },
        }
    }

    fn stopped() -> Self {
        Self { state: JobState::Stopped, exit_code: None, message: "somebody stopped the job".to_owned() }
    }

    fn stopped_with_node() -> Self {
        Self { message: "the job was stopped with the node that ran its driver".to_owned(), ..Self::stopped() }
    }
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        self.stopper.stop();
        self.node.handle(Event::JobEnded(self.job));
        let JobEnd { state, exit_code, message } = std::mem::replace(
            &mut self.end,
            JobEnd { state: JobState::Stopped, exit_code: None, message: String::new() },
        );
        self.node.head.send(ToHead::JobEnded { job: self.job, state, exit_code, message });
        self.node.head.flush();
        self.node.take_job_down(self.job);
    }
}

fn driver_stopped() -> Error {
    Error::new(ErrorKind::TaskCancelled, "the job was stopped")
}

fn no_driver(entrypoint: &str) -> Error {
    let message = format!(
        "`{entrypoint}` has no driver to run: write a `#[rayw::main]`, or call one of its functions with `--call`"
    );
    Error::new(ErrorKind::InvalidArgument, message)
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
            return Err(no_driver(&request.entrypoint));
        }
        let (job, mut guard) =
            self.open_job(request.id, request.program, &request.entrypoint, request.grants, request.namespace)?;
        let args = std::iter::once(request.entrypoint).chain(request.args).collect();
        let result = self.drive(job, Arc::clone(&guard.stopper), args).await;
        guard.end = JobEnd::of(&result);
        result
    }

    /// Runs the driver of a job that was submitted to the cluster, and tells the head how it ended.
    pub(crate) fn start_driver(self: &Arc<Self>, spec: Arc<JobSpec>) {
        let stopper = Arc::new(Stopper::default());
        let job = spec.id;
        {
            let mut drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
            if drivers.contains_key(&job) {
                return;
            }
            drivers.insert(job, (Arc::clone(&spec), Arc::clone(&stopper)));
        }
        let node = Arc::clone(self);
        let driving = async move {
            let arriving = node.until_stopped(&stopper, None, node.arrive(Arc::clone(&spec)));
            let result = match arriving.await {
                Ended::Done(Ok(run)) if run.program.has_driver() => {
                    node.head.send(ToHead::JobStarted { spec: Arc::clone(&spec), node: node.id });
                    node.head.flush();
                    let args = std::iter::once(spec.entrypoint.to_string()).chain(spec.args.iter().cloned()).collect();
                    node.drive(run, Arc::clone(&stopper), args).await
                }
                Ended::Done(Ok(_)) => Err(no_driver(&spec.entrypoint)),
                Ended::Done(Err(error)) => Err(error),
                Ended::Stopped | Ended::TimedOut(_) => Err(driver_stopped()),
            };
            let end = if !stopper.is_stopped() {
                JobEnd::of(&result)
            } else if node.ending.is_cancelled() {
                JobEnd::stopped_with_node()
            } else {
                JobEnd::stopped()
            };
            drop(JobGuard { node: Arc::clone(&node), job, stopper, end });
            // Only now: a head that is new meanwhile hears of the driver or of its end.
            node.drivers.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
        };
        self.tracker.spawn_on(driving, &self.control);
    }

    /// Stops the driver of a job that runs here, if it does.
    pub(crate) fn stop_driver(&self, job: JobId) {
        if let Some((_, stopper)) = self.drivers.lock().unwrap_or_else(PoisonError::into_inner).get(&job) {
            stopper.stop();
        }
    }

    /// Stops all drivers that run here, and those whose jobs have yet to come.
    pub(crate) fn stop_drivers(&self) {
        let drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
        drivers.values().for_each(|(_, stopper)| stopper.stop());
    }

    async fn drive(self: &Arc<Self>, job: Arc<JobRun>, stopper: Arc<Stopper>, args: Vec<String>) -> Result<u8, Error> {
        let memory_bytes_max = rayw_core::memory_cap(&job.spec.resources);
        let sandbox = Sandbox { memory_bytes_max, grants: Arc::clone(&job.grants), args };
        let node = Arc::clone(self);
        let (sender, receiver) = oneshot::channel();
        let drive = async move {
            let caller = node.driver_caller(&job, node.engine.next_worker());
            let services = Arc::clone(&job.services);
            let backlog = Arc::clone(&caller.backlog);
            let driving = async {
                let mut instance = node.engine.start(&job.program, services, Arc::clone(&caller), &sandbox).await?;
                instance.run_driver(caller).await
            };
            let result = match node.until_stopped(&stopper, None, driving).await {
                Ended::Done(result) => result,
                Ended::Stopped | Ended::TimedOut(_) => Err(driver_stopped()),
            };
            // What it did last: its job must not be over before.
            node.take_in_last(&backlog);
            // Whoever asked may have gone away, and the job is over all the same.
            let _ = sender.send(result);
        };
        self.tracker.spawn_on(drive, &self.guests);
        receiver.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::System, "the driver's thread broke down")))
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
        guard.end = JobEnd::of(&result.as_ref().map(|_| 0).map_err(Clone::clone));
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
        let submitted = services.submit(&caller, function, args, TaskOptions::default())?;
        let objects: Vec<_> = submitted.objects().collect();
        let refs = objects.iter().map(|object| RefId::Object(*object)).collect();
        let _held = HeldRefs::new(self, &caller.backlog, refs);
        let got = services.get(Arc::clone(&caller), objects, None).await?;
        got.into_iter().next().ok_or_else(|| {
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
        let namespace = namespace.unwrap_or_else(|| format!("job-{id}"));
        let spec = Arc::new(JobSpec::new(id, *program.digest(), entrypoint, &namespace));
        let job = self.adopt(Arc::clone(&spec), program, grants, None)?;
        self.head.send(ToHead::JobStarted { spec, node: self.id });
        self.head.flush();
        let stopper = Arc::new(Stopper::default());
        let guard = JobGuard { node: Arc::clone(self), job: id, stopper, end: JobEnd::stopped() };
        Ok((job, guard))
    }

    /// Makes a job known here, so that its tasks can run.
    fn adopt(
        self: &Arc<Self>,
        spec: Arc<JobSpec>,
        program: Arc<Program>,
        grants: Grants,
        working_dir: Option<Arc<WorkingDir>>,
    ) -> Result<Arc<JobRun>, Error> {
        let id = spec.id;
        let catalog = Arc::new(Catalog::new(id, spec.component, program.description())?);
        let job = Arc::new(JobRun {
            spec,
            program,
            catalog: Arc::clone(&catalog),
            grants: Arc::new(grants),
            is_over: AtomicBool::new(false),
            services: Arc::new(NodeServices { node: Arc::clone(self), job: id, catalog }),
            _working_dir: working_dir,
        });
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&job));
        Ok(job)
    }

    /// Drops the sandboxes that wait for work of a job.
    fn take_job_down(&self, id: JobId) {
        self.take_down(self.reuse.take_job(id));
        self.take_down(self.ready.as_ref().map_or_else(Vec::new, |ready| ready.take_job(id)));
    }

    /// Lets a job go that is over, unless a detached actor of it lives here.
    pub(crate) fn forget_job(&self, id: JobId) {
        self.take_job_down(id);
        if let Ok(job) = self.job(id) {
            job.is_over.store(true, Ordering::Relaxed);
        }
        if !self.has_actor_of(id) {
            self.jobs.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        }
    }

    /// Lets jobs go that are over and that nobody here works for. Where one is needed again, it comes again.
    pub(crate) fn let_jobs_go(&self) {
        let mut jobs = self.jobs.write().unwrap_or_else(PoisonError::into_inner);
        // Whatever runs or lives here has the job of it.
        jobs.retain(|_, job| !job.is_over.load(Ordering::Relaxed) || Arc::strong_count(job) > 1);
    }

    fn driver_caller(&self, job: &JobRun, worker: u64) -> Arc<Caller> {
        let task = job.spec.id.driver(self.cluster);
        let mut terms = TaskTerms::new(job.spec.id, job.spec.component, "driver".into());
        terms.resources = Arc::clone(&job.spec.resources);
        let caller = Caller::new(task, Arc::new(terms), self.id, Arc::clone(&job.spec.namespace), Arc::default());
        Arc::new(Caller { worker, is_driver: true, ..caller })
    }
}
