//! The worker: takes an order, an instance, and makes outputs of it.
//!
//! One tokio task runs orders one after another: what the end of one task
//! frees, the same worker takes over without a detour.

mod line;
mod orders;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rayw_core::ownership::{Event, Input, Order, Outcome, Output};
use rayw_core::{Error, ErrorKind, ObjectId, TaskSpec, Value, limits};
use rayw_engine::{Backlog, Caller, Instance, Line, Returned, Sandbox};
use tokio::sync::Notify;

use crate::Node;
use crate::caller::Attempt;
use crate::fetch::Missing;
use crate::job::JobRun;
use crate::line::{CallLine, Over, Runner, may_follow, no_answer};
use crate::node::After;
use crate::ready::Spent;
use crate::reuse::{Kept, Reused};
use crate::room::Together;

use line::OrderLine;
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
    sandboxes: Sandboxes,
    /// The task that runs, and its attempt; in a line, the first one.
    current: Option<(Arc<TaskSpec>, u32)>,
}

/// What a worker has of sandboxes.
#[derive(Default)]
struct Sandboxes {
    /// The instance that served last and may serve again. What it did is in the backlog, so nobody else may have
    /// it before that is taken in.
    kept: Kept,
    /// The one of the task that ended last.
    left: Option<Left>,
    /// The tasks that run one after another in one entry into an instance.
    line: Option<Arc<CallLine<OrderLine>>>,
}

impl Drop for Worker {
    /// Answers for a worker that breaks down: nobody else would ever say how its task ended, or run the rest.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        // What it did before is not to be heard of after its end.
        self.node.take_in_last(&self.backlog);
        if let Some(line) = self.sandboxes.line.take() {
            // It answers for itself, before the rest goes to others: what runs behind its tasks is not to come here.
            drop(line);
        } else if let Some((spec, attempt)) = self.current.take() {
            let outcome = Outcome::Failed(broke_down(&spec));
            self.node.handle(Event::Finished { task: spec.id, attempt, outcome });
        }
        let mut after = After::default();
        self.node.lock().give(self.orders.take_line(), &mut after);
        self.node.finish_up(after);
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
        let (node, backlog, sandboxes) = (Arc::clone(self), Arc::default(), Sandboxes::default());
        let worker = Worker { node, orders, backlog, sandboxes, current: None };
        self.tracker.spawn_on(worker.work(), &self.guests);
    }
}

impl Worker {
    async fn work(mut self) {
        loop {
            let (left, follows) = match self.orders.begin() {
                Some(order) => self.run(order).await,
                None => (None, false),
            };
            let has_more = follows || self.take_more();
            match (left, &self.node.ready) {
                // Whoever waits for the result need not wait for this, nor the next task for its sandbox.
                (Some(spent), Some(ready)) if !has_more => ready.replace(spent),
                (Some(spent), _) => {
                    if spent.instance.memory_bytes() > limits::DROPPED_AT_ONCE_BYTES_MAX {
                        // Who waits for what was done is not to wait for this.
                        self.node.take_in(&self.backlog);
                    }
                    spent.instance.take_down();
                }
                (None, _) => {}
            }
            if !has_more {
                // What was given back with the sandbox.
                return self.node.take_in(&self.backlog);
            }
            let woke = self.backlog.lock().has_woken();
            if woke {
                // Whoever was woken may be queued behind this very worker, as may those who wait for what it did last.
                self.node.take_in(&self.backlog);
                tokio::task::yield_now().await;
            }
            // A long queue of short tasks must not keep the thread from everybody else.
            if !tokio::task::coop::has_budget_remaining() {
                self.node.take_in(&self.backlog);
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Runs a task, and those behind it that can follow in the same entry into its instance, and notes how they ended.
    /// Answers with the sandbox of the last one, when that has done its work, and whether another task follows it.
    async fn run(&mut self, order: Order) -> (Option<Spent>, bool) {
        let worker = self.node.engine.next_worker();
        self.current = Some((Arc::clone(&order.spec), order.attempt));
        // Told with whatever comes next, at the next tick at the latest: most tasks are over by then, and
        // their owner, on another node perhaps, hears of both at once.
        self.backlog.lock().push(Event::Started { task: order.spec.id, worker });
        let mut slot = Some(order);
        let ended = self.run_order(&mut slot, worker).await;
        let (order, answer, is_used_up) = match self.sandboxes.line.take() {
            None => (slot, None, false),
            Some(line) => {
                let Over { last, answer, begun, is_used_up } = line.end();
                self.current = last.as_ref().map(|order| (Arc::clone(&order.spec), order.attempt));
                if let Some(Left::Reusable(reused)) = &mut self.sandboxes.left {
                    reused.calls += begun.saturating_sub(1);
                }
                (last, answer, is_used_up)
            }
        };
        let Some(order) = order else { return (None, self.orders.has_more()) };
        let (outcome, handles) = match ended {
            Ended::Done(Ok(Some(returned))) => self.node.outcome(&order, Ok(returned), &self.backlog),
            Ended::Done(Ok(None)) => {
                self.node.outcome(&order, answer.unwrap_or_else(|| Err(no_answer(&order))), &self.backlog)
            }
            Ended::Done(Err(Missing::Failed(error))) => self.node.outcome(&order, Err(error), &self.backlog),
            Ended::Done(Err(Missing::Lost(copies))) => (Outcome::ArgumentsLost(copies), None),
            Ended::Stopped => self.node.outcome(&order, Err(cancelled(&order.spec)), &self.backlog),
            Ended::TimedOut(timeout) => self.node.outcome(&order, Err(timed_out(&order.spec, timeout)), &self.backlog),
        };
        let finished = Event::Finished { task: order.spec.id, attempt: order.attempt, outcome };
        let follows = self.orders.has_more();
        if follows {
            self.node.note_between(&self.backlog, finished);
        } else {
            // All is taken in next.
            self.backlog.lock().push(finished);
        }
        self.current = None;
        // Behind the outputs, which are counted by then.
        drop(handles);
        let spent = match self.sandboxes.left.take() {
            Some(Left::Spent(spent)) => Some(spent),
            Some(Left::Reusable(reused)) => {
                self.sandboxes.kept.keep(order.spec, reused);
                None
            }
            None => None,
        };
        if is_used_up {
            // A long line of short tasks must not keep the thread from everybody else.
            self.node.take_in(&self.backlog);
            tokio::task::yield_now().await;
        }
        (spent, follows)
    }

    /// Has the node hear of all that was done, and takes new orders. Answers whether there are some.
    fn take_more(&mut self) -> bool {
        let Self { node, orders, backlog, .. } = self;
        let mut has_more = true;
        let after = node.take_in_with(backlog, |_, after| {
            // Whatever is put behind the last task that ended has been put there by now.
            if !orders.has_more() {
                match after.next_orders() {
                    Some(next) => *orders = next,
                    None => has_more = false,
                }
            }
        });
        if has_more {
            self.node.finish_up_and_go_on(after);
        } else {
            self.node.finish_up(after);
        }
        self.sandboxes.kept.let_others_have(&self.node);
        has_more
    }

    /// Runs it. In a line, where those run that can follow it, it is taken out, and nothing is returned: the line has it.
    async fn run_order(&mut self, order: &mut Option<Order>, worker: u64) -> Ended<Result<Option<Returned>, Missing>> {
        let Self { node, orders, backlog, sandboxes, .. } = self;
        let timeout = order.as_ref().and_then(|order| order.spec.timeout);
        // Pinned here: a future of this size is not to be moved about with each task.
        let running = pin!(node.invoke(order, worker, orders, backlog, sandboxes));
        node.until_stopped(orders.stopper(), timeout, running).await
    }
}

impl Node {
    /// Runs the task's function in an instance of its own, or in one that may serve again.
    async fn invoke(
        self: &Arc<Self>,
        slot: &mut Option<Order>,
        worker: u64,
        orders: &Arc<Orders>,
        backlog: &Arc<Backlog>,
        Sandboxes { kept, left, line }: &mut Sandboxes,
    ) -> Result<Option<Returned>, Missing> {
        let Some(order) = slot.as_ref() else { return Ok(None) };
        let spec = &order.spec;
        let known = self.job(spec.job).ok();
        // Such as have to be brought, and such as take long to be copied.
        let takes_long = |input: &Input| match input {
            Input::Inline(_) => false,
            Input::Stored(stored) => {
                stored.size > limits::DROPPED_AT_ONCE_BYTES_MAX || self.store.get_from_memory(stored.object).is_none()
            }
        };
        let is_slow = self.engine.is_crowded() || known.is_none() || order.inputs.iter().any(takes_long);
        if is_slow {
            // Who waits for the tasks before is not to wait for what this one waits for.
            self.take_in(backlog);
        }
        if is_slow || spec.max_calls == 1 {
            // Others may have a use for it meanwhile.
            kept.give_away(self, backlog);
        }
        let job = match known {
            Some(job) => job,
            None => Box::pin(self.job_here(spec.job)).await?,
        };
        let inputs = self.inputs(&order.inputs).await?;
        let reused = if spec.max_calls == 1 { None } else { kept.take(spec, self, backlog) };
        let worker = reused.as_ref().map_or(worker, |reused| reused.worker);
        let caller = self.caller(spec, &job, Attempt::of_task(order.attempt, worker), backlog);
        let mut reused = match reused {
            Some(reused) => reused,
            None => Reused { instance: self.fresh(spec, &job, &caller).await?, worker, calls: 0 },
        };
        let (max_calls, memory_bytes_max) = (spec.max_calls, spec.memory_cap());
        let serves = if max_calls == 0 { u32::MAX } else { max_calls.saturating_sub(reused.calls) };
        let may_line = serves > 1 && reused.instance.has_line() && may_follow(order) && orders.has_more();
        let result = if may_line {
            let Some(order) = slot.take() else { return Ok(None) };
            let most = serves.min(limits::CALLS_IN_ENTRY_MAX);
            let (node, job, backlog) = (Arc::clone(self), Arc::clone(&job), Arc::clone(backlog));
            let in_line = CallLine::new(OrderLine(Arc::clone(orders)), Runner { node, job, backlog, worker });
            let in_line = &*line.insert(Arc::new(in_line));
            let first = in_line.begin(order, Arc::clone(&caller), inputs, most);
            let served = reused.instance.invoke_line(first, Arc::clone(in_line) as Arc<dyn Line>).await;
            served.map(|()| None)
        } else {
            let (function, num_returns) = (&order.spec.function, order.spec.num_returns);
            reused.instance.invoke(Arc::clone(&caller), function, &inputs, num_returns).await.map(Some)
        };
        if max_calls == 1 {
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

    /// Large values go to the store; small ones travel with the news, while there is room for them.
    pub(crate) fn outputs(self: &Arc<Self>, order: &Order, values: Vec<Value>, backlog: &Arc<Backlog>) -> Vec<Output> {
        let (task, mut together) = (order.spec.id, Together::returns(order, self.id));
        let outputs = values.into_iter().zip(0..);
        outputs.map(|(value, index)| self.output(task.output(index), value, &mut together, backlog)).collect()
    }

    pub(crate) fn output(
        self: &Arc<Self>,
        object: ObjectId,
        value: Value,
        together: &mut Together,
        backlog: &Arc<Backlog>,
    ) -> Output {
        if self.keeps_inline(&value, together) {
            return Output::Inline(Arc::new(value));
        }
        self.stored(object, value, backlog)
    }

    /// An object in the store.
    pub(crate) fn stored(self: &Arc<Self>, object: ObjectId, value: Value, backlog: &Arc<Backlog>) -> Output {
        let (size, refs) = (value.size(), value.refs.clone());
        let stored = if self.store.has_room(size) {
            self.store.put(object, value)
        } else {
            // Other objects have to go to files first, which takes its time: who waits for what was done before is
            // not to wait for that.
            self.take_in(backlog);
            tokio::task::block_in_place(|| self.store.put(object, value))
        };
        match stored {
            Ok(()) => Output::Stored { at: vec![self.id], size, refs },
            Err(error) => Output::Failed(error),
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
            // The work first: most of it is done at once, and then nobody need be asked whether it shall end.
            return tokio::select! {
                biased;
                done = work => Ended::Done(done),
                () = stopper.stopped() => Ended::Stopped,
            };
        };
        let expired = self.sleep(timeout);
        tokio::select! {
            biased;
            done = work => Ended::Done(done),
            () = stopper.stopped() => Ended::Stopped,
            () = expired => Ended::TimedOut(timeout),
        }
    }
}

/// What is said of a task whose worker broke down.
fn broke_down(spec: &TaskSpec) -> Error {
    Error::new(ErrorKind::WorkerCrashed, "the worker that ran the task broke down").from_task(&spec.name, spec.id)
}

pub(crate) fn cancelled(spec: &TaskSpec) -> Error {
    Error::new(ErrorKind::TaskCancelled, format!("task `{}` was cancelled", spec.name))
}

pub(crate) fn timed_out(spec: &TaskSpec, timeout: Duration) -> Error {
    let message =
        format!("task `{}` ran longer than its timeout of {timeout:?}: give it more, or make it smaller", spec.name);
    Error::new(ErrorKind::TaskTimeout, message)
}
