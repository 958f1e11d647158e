//! The worker: takes an order, an instance, and makes outputs of it.
//!
//! One tokio task runs orders one after another: what the end of one task
//! frees, the same worker takes over without a detour.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rayw_core::ownership::{Event, Order, Outcome, Output};
use rayw_core::{Error, ErrorKind, ObjectId, TaskSpec, Value, limits};
use rayw_engine::{Backlog, Caller, Handles, Instance, Returned, Sandbox};
use tokio::sync::Notify;

use crate::Node;
use crate::caller::Attempt;
use crate::fetch::Missing;
use crate::job::JobRun;
use crate::node::{After, Run, State};
use crate::ready::Spent;
use crate::reuse::Reused;

/// Ends what runs, from outside.
#[derive(Debug, Default)]
pub(crate) struct Stopper {
    stopped: AtomicBool,
    notify: Notify,
}

/// A task that counts as begun.
struct Begun {
    order: Order,
    stopper: Arc<Stopper>,
    worker: u64,
}

/// Answers for a task whose worker breaks down under it: nobody else would ever say how it ended.
struct Unfinished<'a> {
    node: &'a Arc<Node>,
    spec: &'a TaskSpec,
    attempt: u32,
    backlog: &'a Arc<Backlog>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (task, attempt) = (self.spec.id, self.attempt);
            let error = Error::new(ErrorKind::WorkerCrashed, "the worker that ran the task broke down");
            let outcome = Outcome::Failed(Box::new(error.from_task(&self.spec.name, task)));
            // What it did before is not to be heard of after its end.
            self.node.take_in_last(self.backlog);
            self.node.lock().running.remove(&task);
            self.node.handle(Event::Finished { task, attempt, outcome });
        }
    }
}

/// The sandbox of a task that is over.
enum Left {
    /// It has done its work.
    Spent(Spent),
    /// It may serve again.
    Reusable(Reused),
}

impl Stopper {
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    pub(crate) async fn stopped(&self) {
        while !self.stopped.load(Ordering::Acquire) {
            self.notify.notified().await;
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

/// How something that could be stopped ended.
pub(crate) enum Ended<T> {
    Done(T),
    Stopped,
    TimedOut(Duration),
}

impl Node {
    /// Has a worker run this order and those that follow it.
    pub(crate) fn spawn(self: &Arc<Self>, order: Order) {
        let node = Arc::clone(self);
        self.tracker.spawn_on(
            async move {
                let backlog = Arc::<Backlog>::default();
                let mut next = node.begin(order);
                while let Some(begun) = next {
                    next = node.run(begun, &backlog).await;
                    // A long queue of short tasks must not keep the thread from everybody else.
                    tokio::task::coop::consume_budget().await;
                }
                // What was given back at the end of the last task may have been noted behind other events.
                node.take_in(&backlog);
            },
            &self.guests,
        );
    }

    fn begin(self: &Arc<Self>, order: Order) -> Option<Begun> {
        let mut after = After::default();
        let begun = self.begin_in(&mut self.lock(), order, &mut after);
        self.finish_up(after);
        begun
    }

    /// Marks a task as begun, unless somebody has cancelled it meanwhile; then the one that follows it.
    fn begin_in(&self, state: &mut State, order: Order, after: &mut After) -> Option<Begun> {
        let mut next = Some(order);
        while let Some(order) = next {
            let (task, stopper, worker) = (order.spec.id, Arc::<Stopper>::default(), self.engine.next_worker());
            if !matches!(state.running.insert(task, Run::Begun(Arc::clone(&stopper))), Some(Run::Unwanted)) {
                return Some(Begun { order, stopper, worker });
            }
            state.running.remove(&task);
            let error = cancelled(&order.spec).from_task(&order.spec.name, task);
            let outcome = Outcome::Failed(Box::new(error));
            state.apply(Event::Finished { task, attempt: order.attempt, outcome }, self, None, after);
            next = after.next_order();
        }
        None
    }

    async fn run(self: &Arc<Self>, begun: Begun, backlog: &Arc<Backlog>) -> Option<Begun> {
        let Begun { order, stopper, worker } = begun;
        let (spec, attempt) = (Arc::clone(&order.spec), order.attempt);
        // Told with whatever comes next, at the next tick at the latest: most tasks are over by then, and
        // their owner, on another node perhaps, hears of both at once.
        backlog.lock().push(Event::Started { task: spec.id, worker });
        let mut left = None;
        let unfinished = Unfinished { node: self, spec: &spec, attempt, backlog };
        let (outcome, handles) = match self.run_order(order, &stopper, worker, backlog, &mut left).await {
            Ok((outputs, handles)) => (Outcome::Returned(outputs), Some(handles)),
            Err(Missing::Failed(error)) => (Outcome::Failed(Box::new(error.from_task(&spec.name, spec.id))), None),
            Err(Missing::Lost(copies)) => (Outcome::ArgumentsLost(copies), None),
        };
        let mut next = None;
        let after = {
            let mut state = self.lock();
            // Before its end is told, by whoever it may be: it may be tried again here.
            state.running.remove(&spec.id);
            backlog.lock().push(Event::Finished { task: spec.id, attempt, outcome });
            self.take_in_then(state, backlog, |state, after| {
                next = after.next_order().and_then(|order| self.begin_in(state, order, after));
            })
        };
        drop(unfinished);
        // The outputs are counted now, so the guest's own references can go.
        drop(handles);
        let woke = after.woke;
        self.finish_up(after);
        match (left, &next, &self.ready) {
            // Only now: what it did in this call is known, whoever it serves next.
            (Some(Left::Reusable(reused)), ..) => self.reuse.keep(&spec, reused),
            // Whoever waits for the result need not wait for this, nor the next task for its sandbox.
            (Some(Left::Spent(spent)), None, Some(ready)) => ready.replace(spent),
            (Some(Left::Spent(_)), ..) | (None, ..) => {}
        }
        if next.is_some() && woke {
            // Whoever was woken may be queued behind this very worker.
            tokio::task::yield_now().await;
        }
        next
    }

    /// Leaves the sandbox that served in `left`.
    async fn run_order(
        self: &Arc<Self>,
        order: Order,
        stopper: &Stopper,
        worker: u64,
        backlog: &Arc<Backlog>,
        left: &mut Option<Left>,
    ) -> Result<(Vec<Output>, Handles), Missing> {
        let spec = &order.spec;
        // Pinned here: a future of this size is not to be moved about with each task.
        let running = pin!(self.invoke(&order, worker, backlog, left));
        match self.until_stopped(stopper, spec.timeout, running).await {
            Ended::Done(result) => {
                let returned = result?;
                Ok((self.outputs(spec, returned.values), returned.handles))
            }
            Ended::Stopped => Err(cancelled(spec).into()),
            Ended::TimedOut(timeout) => Err(timed_out(spec, timeout).into()),
        }
    }

    /// Runs the task's function in an instance of its own, or in one that may serve again.
    async fn invoke(
        self: &Arc<Self>,
        order: &Order,
        worker: u64,
        backlog: &Arc<Backlog>,
        left: &mut Option<Left>,
    ) -> Result<Returned, Missing> {
        let spec = &order.spec;
        let job = match self.job(spec.job) {
            Ok(job) => job,
            Err(_) => Box::pin(self.job_here(spec.job)).await?,
        };
        let inputs = self.inputs(&order.inputs).await?;
        let reused = self.reuse.take(spec);
        let worker = reused.as_ref().map_or(worker, |reused| reused.worker);
        let caller = self.caller(spec, &job, Attempt { number: order.attempt, worker, restarts: 0 }, backlog);
        let mut reused = match reused {
            Some(reused) => reused,
            None => Reused { instance: self.fresh(spec, &job, &caller).await?, worker, calls: 0 },
        };
        let result = reused.instance.invoke(Arc::clone(&caller), &spec.function, &inputs, spec.num_returns).await;
        if spec.max_calls == 1 {
            let memory_bytes_max = spec.memory_cap();
            *left = Some(Left::Spent(Spent { instance: reused.instance, job, caller, memory_bytes_max }));
        } else {
            reused.calls += 1;
            *left = Some(Left::Reusable(reused));
        }
        result.map_err(Missing::Failed)
    }

    /// A sandbox in which nothing has run: one that was made ahead, or a new one.
    async fn fresh(&self, spec: &TaskSpec, job: &JobRun, caller: &Arc<Caller>) -> Result<Instance, Error> {
        let memory_bytes_max = spec.memory_cap();
        if let Some(instance) = self.ready.as_ref().and_then(|ready| ready.take(spec.job, memory_bytes_max)) {
            return Ok(instance);
        }
        let sandbox = Sandbox { memory_bytes_max, grants: Arc::clone(&job.grants), args: Vec::new() };
        self.engine.start(&job.program, Arc::clone(&job.services), Arc::clone(caller), &sandbox).await
    }

    /// Large values go to the store; small ones travel with the news.
    pub(crate) fn outputs(&self, spec: &TaskSpec, values: Vec<Value>) -> Vec<Output> {
        let outputs = values.into_iter().zip(0..).map(|(value, index)| self.output(spec.id.output(index), value));
        outputs.collect()
    }

    pub(crate) fn output(&self, object: ObjectId, value: Value) -> Output {
        if value.data.len() <= limits::INLINE_BYTES_MAX {
            return Output::Inline(Arc::new(value));
        }
        let (size, refs) = (value.size(), value.refs.clone());
        let stored = if self.store.has_room(size) {
            self.store.put(object, value)
        } else {
            // Other objects have to go to files first, which takes its time.
            tokio::task::block_in_place(|| self.store.put(object, value))
        };
        match stored {
            Ok(()) => Output::Stored { at: vec![self.id], size, refs },
            Err(error) => Output::Failed(Box::new(error)),
        }
    }

    /// Runs `work` until it is done, stopped, or takes too long; in the last two cases it is dropped.
    pub(crate) async fn until_stopped<T>(
        &self,
        stopper: &Stopper,
        timeout: Option<Duration>,
        work: impl Future<Output = T>,
    ) -> Ended<T> {
        if stopper.is_stopped() {
            return Ended::Stopped;
        }
        let Some(timeout) = timeout else {
            return tokio::select! {
                biased;
                () = stopper.stopped() => Ended::Stopped,
                done = work => Ended::Done(done),
            };
        };
        let expired = self.sleep(timeout);
        tokio::select! {
            biased;
            () = stopper.stopped() => Ended::Stopped,
            () = expired => Ended::TimedOut(timeout),
            done = work => Ended::Done(done),
        }
    }
}

pub(crate) fn cancelled(spec: &TaskSpec) -> Error {
    Error::new(ErrorKind::TaskCancelled, format!("task `{}` was cancelled", spec.name))
}

pub(crate) fn timed_out(spec: &TaskSpec, timeout: Duration) -> Error {
    let message =
        format!("task `{}` ran longer than its timeout of {timeout:?}: give it more, or make it smaller", spec.name);
    Error::new(ErrorKind::TaskTimeout, message)
}
