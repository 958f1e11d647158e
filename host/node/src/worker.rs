//! The worker: takes an order, an instance, and makes outputs of it.
//!
//! One tokio task runs orders one after another: what the end of one task
//! frees, the same worker takes over without a detour.

mod orders;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rayw_core::ownership::{Event, Input, Order, Outcome, Output};
use rayw_core::{Error, ErrorKind, ObjectId, TaskSpec, Value, limits};
use rayw_engine::{Backlog, Caller, Handles, Instance, Returned, Sandbox};
use tokio::sync::Notify;

use crate::Node;
use crate::caller::Attempt;
use crate::fetch::Missing;
use crate::job::JobRun;
use crate::node::After;
use crate::ready::Spent;
use crate::reuse::{Reused, are_alike};

pub(crate) use orders::Orders;

/// Ends what runs, from outside.
#[derive(Debug, Default)]
pub(crate) struct Stopper {
    stopped: AtomicBool,
    notify: Notify,
}

/// Runs the orders that it has, one after another.
struct Worker {
    node: Arc<Node>,
    orders: Arc<Orders>,
    /// What its tasks did and how they ended, as far as the node has not taken it in.
    backlog: Arc<Backlog>,
    /// The instance that served last and may serve again, and what it served. What it did is in the backlog, so
    /// nobody else may have it before that is taken in.
    kept: Option<(Arc<TaskSpec>, Reused)>,
}

/// Answers for a task whose worker breaks down under it: nobody else would ever say how it ended.
struct Unfinished {
    node: Arc<Node>,
    spec: Arc<TaskSpec>,
    attempt: u32,
    orders: Arc<Orders>,
    backlog: Arc<Backlog>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (task, attempt) = (self.spec.id, self.attempt);
            let error = Error::new(ErrorKind::WorkerCrashed, "the worker that ran the task broke down");
            let outcome = Outcome::Failed(Box::new(error.from_task(&self.spec.name, task)));
            // What it did before is not to be heard of after its end.
            self.node.take_in_last(&self.backlog);
            self.node.handle(Event::Finished { task, attempt, outcome });
            // Those behind it are nobody's fault.
            let mut after = After::default();
            self.node.lock().give(self.orders.take_line(), &mut after);
            self.node.finish_up(after);
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

    /// What runs now is not what was stopped.
    fn reset(&self) {
        self.stopped.store(false, Ordering::Release);
    }
}

/// How something that could be stopped ended.
pub(crate) enum Ended<T> {
    Done(T),
    Stopped,
    TimedOut(Duration),
}

impl Node {
    /// Has a worker run these orders and those that follow them.
    pub(crate) fn spawn(self: &Arc<Self>, orders: Arc<Orders>) {
        let worker = Worker { node: Arc::clone(self), orders, backlog: Arc::default(), kept: None };
        self.tracker.spawn_on(worker.work(), &self.guests);
    }
}

impl Worker {
    async fn work(mut self) {
        while let Some(order) = self.orders.begin() {
            self.run(order).await;
            // A long queue of short tasks must not keep the thread from everybody else.
            if !tokio::task::coop::has_budget_remaining() {
                self.node.take_in(&self.backlog);
            }
            tokio::task::coop::consume_budget().await;
        }
        // What was given back at the end of the last task may have been noted behind other events.
        self.node.take_in(&self.backlog);
    }

    async fn run(&mut self, order: Order) {
        let (spec, attempt, worker) = (Arc::clone(&order.spec), order.attempt, self.node.engine.next_worker());
        // Told with whatever comes next, at the next tick at the latest: most tasks are over by then, and
        // their owner, on another node perhaps, hears of both at once.
        self.backlog.lock().push(Event::Started { task: spec.id, worker });
        let unfinished = Unfinished {
            node: Arc::clone(&self.node),
            spec: Arc::clone(&spec),
            attempt,
            orders: Arc::clone(&self.orders),
            backlog: Arc::clone(&self.backlog),
        };
        let mut left = None;
        let (outcome, handles) = match self.run_order(order, worker, &mut left).await {
            Ok((outputs, handles)) => (Outcome::Returned(outputs), Some(handles)),
            Err(Missing::Failed(error)) => (Outcome::Failed(Box::new(error.from_task(&spec.name, spec.id))), None),
            Err(Missing::Lost(copies)) => (Outcome::ArgumentsLost(copies), None),
        };
        let finished = Event::Finished { task: spec.id, attempt, outcome };
        let (has_more, after) = if self.orders.has_more() {
            self.node.note(&self.backlog, [finished]);
            (true, None)
        } else {
            let (has_more, after) = self.finish(finished);
            (has_more, Some(after))
        };
        drop(unfinished);
        // The outputs are counted now, or will be before all that follows, so the guest's own references can go.
        drop(handles);
        let (woke, is_told) = (after.as_ref().is_some_and(|after| after.woke), after.is_some());
        after.into_iter().for_each(|after| self.node.finish_up(after));
        self.put_away(spec, left, has_more, is_told);
        if has_more && woke {
            // Whoever was woken may be queued behind this very worker.
            tokio::task::yield_now().await;
        }
    }

    /// Tells the node of the end of the last of its orders, and takes new ones. Answers whether there are some.
    fn finish(&mut self, finished: Event) -> (bool, After) {
        let node = Arc::clone(&self.node);
        let state = node.lock();
        self.backlog.lock().push(finished);
        let backlog = Arc::clone(&self.backlog);
        let mut has_more = true;
        let after = node.take_in_then(state, &backlog, |_, after| {
            // Whatever is put behind the task that ended has been put there by now.
            if !self.orders.has_more() {
                match after.next_orders() {
                    Some(orders) => self.orders = orders,
                    None => has_more = false,
                }
            }
        });
        (has_more, after)
    }

    /// Keeps the sandbox of a task that is over for the next one, or has it replaced.
    fn put_away(&mut self, spec: Arc<TaskSpec>, left: Option<Left>, has_more: bool, is_told: bool) {
        match left {
            Some(Left::Reusable(reused)) if reused.may_serve_again(&spec) => self.kept = Some((spec, reused)),
            // Whoever waits for the result need not wait for this, nor the next task for its sandbox.
            Some(Left::Spent(spent)) if !has_more => {
                if let Some(ready) = &self.node.ready {
                    ready.replace(spent);
                }
            }
            Some(Left::Reusable(_) | Left::Spent(_)) | None => {}
        }
        if is_told {
            self.let_others_have();
        }
    }

    /// What the instance did that is kept here is known: it may serve whoever needs it next.
    fn let_others_have(&mut self) {
        if let Some((spec, reused)) = self.kept.take() {
            self.node.reuse.keep(&spec, reused);
        }
    }

    /// An instance that has served this function before.
    fn reused(&mut self, spec: &TaskSpec) -> Option<Reused> {
        if spec.max_calls == 1 {
            return None;
        }
        match self.kept.take() {
            Some((served, reused)) if are_alike(&served, spec) => return Some(reused),
            Some(other) => {
                self.kept = Some(other);
                self.node.take_in(&self.backlog);
                self.let_others_have();
            }
            None => {}
        }
        self.node.reuse.take(spec)
    }

    /// Leaves the sandbox that served in `left`.
    async fn run_order(
        &mut self,
        order: Order,
        worker: u64,
        left: &mut Option<Left>,
    ) -> Result<(Vec<Output>, Handles), Missing> {
        let spec = &order.spec;
        let (node, orders) = (Arc::clone(&self.node), Arc::clone(&self.orders));
        // Pinned here: a future of this size is not to be moved about with each task.
        let running = pin!(self.invoke(&order, worker, left));
        match node.until_stopped(orders.stopper(), spec.timeout, running).await {
            Ended::Done(result) => {
                let returned = result?;
                Ok((node.outputs(spec, returned.values), returned.handles))
            }
            Ended::Stopped => Err(cancelled(spec).into()),
            Ended::TimedOut(timeout) => Err(timed_out(spec, timeout).into()),
        }
    }

    /// Runs the task's function in an instance of its own, or in one that may serve again.
    async fn invoke(&mut self, order: &Order, worker: u64, left: &mut Option<Left>) -> Result<Returned, Missing> {
        let spec = &order.spec;
        let node = Arc::clone(&self.node);
        let known = node.job(spec.job).ok();
        let is_fetched = order.inputs.iter().any(|input| matches!(input, Input::Stored(_)));
        if is_fetched || known.is_none() || node.engine.is_crowded() {
            // This may take its time: who waits for the tasks before is not to wait for that.
            node.take_in(&self.backlog);
        }
        let job = match known {
            Some(job) => job,
            None => Box::pin(node.job_here(spec.job)).await?,
        };
        let inputs = node.inputs(&order.inputs).await?;
        let reused = self.reused(spec);
        let backlog = &self.backlog;
        let worker = reused.as_ref().map_or(worker, |reused| reused.worker);
        let caller = node.caller(spec, &job, Attempt { number: order.attempt, worker, restarts: 0 }, backlog);
        let mut reused = match reused {
            Some(reused) => reused,
            None => Reused { instance: node.fresh(spec, &job, &caller).await?, worker, calls: 0 },
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
}

impl Node {
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
