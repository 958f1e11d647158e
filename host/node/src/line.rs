//! Several calls in one entry into an instance, one after another: what lines of an actor's calls and of tasks have in
//! common.
//!
//! ```text
//! guest ─ next(answer) ─▶ does another one follow? ─┬─ yes ─▶ the end of this one is told, that one begins
//!                                                   └─ no ──▶ the answer waits until the guest has returned
//! ```
//!
//! So whatever runs in the guest is a call that has not ended: it can be stopped as one that runs alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::ownership::{Event, Input, Order, Outcome};
use rayw_core::{Error, ErrorKind, Value, limits};
use rayw_engine::{Backlog, Caller, Handles, Line, Next, Returned};

use crate::Node;
use crate::caller::Attempt;
use crate::job::JobRun;

/// Who runs the calls of a line.
pub(crate) struct Runner {
    pub(crate) node: Arc<Node>,
    pub(crate) job: Arc<JobRun>,
    /// What they did.
    pub(crate) backlog: Arc<Backlog>,
    /// The instance.
    pub(crate) worker: u64,
}

impl Runner {
    /// Who runs that attempt.
    pub(crate) fn caller(&self, order: &Order, attempt: Attempt) -> Arc<Caller> {
        self.node.caller(&order.spec, &self.job, attempt, &self.backlog)
    }
}

/// Where the calls come from that follow, and who hears of them.
pub(crate) trait Source: Send + Sync + 'static {
    /// Takes out the next one, if it can follow `former` in the same entry; it has begun then.
    fn take(&self, runner: &Runner, former: &Order) -> Option<(Order, Arc<Caller>)>;

    /// Tells that one ended and the next one began.
    fn tell(&self, runner: &Runner, finished: Event, started: Event);

    /// The function or method, as the guest knows it.
    fn function(&self, order: &Order) -> Arc<str>;

    /// How a call ends under which this host broke down.
    fn broken(&self, order: &Order) -> Outcome;
}

/// The calls of one entry.
pub(crate) struct CallLine<S: Source> {
    source: S,
    runner: Runner,
    runs: Mutex<Runs>,
}

/// What runs.
#[derive(Default)]
struct Runs {
    /// The call that began last, whose end was not told.
    order: Option<Order>,
    /// What it returned, where no other one follows.
    answer: Option<Result<Returned, Error>>,
    /// The one that follows it, while the end of this one is told.
    next: Option<Order>,
    /// Calls that have begun.
    begun: u32,
    /// How many may follow.
    left: u32,
}

/// How an entry ended.
pub(crate) struct Over {
    /// The call that began last. There is one unless the line was never begun.
    pub(crate) last: Option<Order>,
    /// What it returned, where it did.
    pub(crate) answer: Option<Result<Returned, Error>>,
    /// Calls that have begun.
    pub(crate) begun: u32,
    /// There were as many as one entry may have.
    pub(crate) is_used_up: bool,
}

impl<S: Source> CallLine<S> {
    pub(crate) fn new(source: S, runner: Runner) -> Self {
        Self { source, runner, runs: Mutex::default() }
    }

    /// An entry begins with that call, whose caller this is; it may have at most so many. Answers with what the guest
    /// is to begin with.
    pub(crate) fn begin(&self, order: Order, caller: Arc<Caller>, args: Vec<Arc<Value>>, most: u32) -> Next {
        let first = self.next_of(&order, caller, args);
        *self.runs() = Runs { order: Some(order), begun: 1, left: most.saturating_sub(1), ..Runs::default() };
        first
    }

    /// The entry is over.
    pub(crate) fn end(&self) -> Over {
        let Runs { order, answer, begun, .. } = std::mem::take(&mut *self.runs());
        Over { last: order, answer, begun, is_used_up: begun >= limits::CALLS_IN_ENTRY_MAX }
    }

    fn next_of(&self, order: &Order, caller: Arc<Caller>, args: Vec<Arc<Value>>) -> Next {
        Next { caller, function: self.source.function(order), args, num_returns: order.spec.num_returns }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Source> Line for CallLine<S> {
    fn next(&self, answer: Result<Returned, Error>, exits: bool) -> Option<Next> {
        let mut guard = self.runs();
        let runs = &mut *guard;
        let former = runs.order.take()?;
        let follower = if exits || runs.left == 0 { None } else { self.source.take(&self.runner, &former) };
        let Some((next, caller)) = follower else {
            (runs.order, runs.answer) = (Some(former), Some(answer));
            return None;
        };
        let (task, attempt) = (former.spec.id, former.attempt);
        let started = Event::Started { task: next.spec.id, worker: self.runner.worker };
        // Both are known here until that is told: this host may break down meanwhile.
        let former = &*runs.order.insert(former);
        runs.next = Some(next);
        let (outcome, handles) = self.runner.node.outcome(former, answer, &self.runner.backlog);
        self.source.tell(&self.runner, Event::Finished { task, attempt, outcome }, started);
        // Behind the outputs, which are counted by then.
        drop(handles);
        let next = runs.next.take()?;
        let follows = self.next_of(&next, caller, inline_values(&next));
        runs.order = Some(next);
        runs.begun += 1;
        runs.left -= 1;
        Some(follows)
    }
}

impl<S: Source> Drop for CallLine<S> {
    /// Answers for a host that breaks down between two calls: nobody else would ever say how they ended.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        // What they did before is not to be heard of after their end.
        self.runner.node.take_in_last(&self.runner.backlog);
        let Runs { order, next, .. } = std::mem::take(&mut *self.runs());
        for order in order.into_iter().chain(next) {
            let (task, attempt, outcome) = (order.spec.id, order.attempt, self.source.broken(&order));
            self.runner.node.handle(Event::Finished { task, attempt, outcome });
        }
    }
}

/// Whether a call can begin at once and may run as long as it likes: an entry as a whole has no time of its own.
pub(crate) fn may_follow(order: &Order) -> bool {
    order.spec.timeout.is_none() && order.inputs.iter().all(|input| matches!(input, Input::Inline(_)))
}

/// The arguments of a call that [may follow](may_follow) another one.
pub(crate) fn inline_values(order: &Order) -> Vec<Arc<Value>> {
    let values = order.inputs.iter().filter_map(|input| match input {
        Input::Inline(value) => Some(Arc::clone(value)),
        Input::Stored(_) => None,
    });
    values.collect()
}

/// What is said of a call whose guest left the line without handing in what it returned.
pub(crate) fn no_answer(order: &Order) -> Error {
    let message = format!("`{}` ended without an answer: the component breaks `rayw:core/line`", order.spec.function);
    Error::new(ErrorKind::System, message)
}

impl Node {
    /// How a call ended that handed in this answer, and the references in it: they are to be dropped when its end is
    /// told.
    pub(crate) fn outcome(
        self: &Arc<Self>,
        order: &Order,
        answer: Result<Returned, Error>,
        backlog: &Arc<Backlog>,
    ) -> (Outcome, Option<Handles>) {
        match answer {
            Ok(returned) => (Outcome::Returned(self.outputs(order, returned.values, backlog)), Some(returned.handles)),
            Err(error) => (Outcome::Failed(error.from_task(&order.spec.name, order.spec.id)), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sample;

    fn order(timeout: Option<Duration>, inputs: Vec<Input>) -> Order {
        let mut spec = sample::task(1);
        Arc::make_mut(&mut spec.terms).timeout = timeout;
        Order { inputs, ..sample::order(spec) }
    }

    #[test]
    fn a_call_follows_that_waits_for_nothing_and_has_no_time_of_its_own() {
        let value = Arc::new(Value { codec: rayw_core::Codec::Raw, data: [1].as_slice().into(), refs: Vec::new() });
        let here = order(None, vec![Input::Inline(Arc::clone(&value))]);
        assert!(may_follow(&here));
        assert_eq!(inline_values(&here), [value]);
        assert!(!may_follow(&order(Some(Duration::from_secs(1)), Vec::new())));
        let object = here.spec.id.output(0);
        let stored = rayw_core::ownership::Stored { object, size: 1, owner: here.owner, at: Vec::new() };
        assert!(!may_follow(&order(None, vec![Input::Stored(stored)])), "it is to be brought here first");
    }
}
