//! The node itself: the machine under its lock, and how commands are carried out.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayw_core::message::{FromHead, HeadLink, NodeAddress, RequestId, ToHead, ToPeer};
use rayw_core::ownership::{Command, Event, Order, Outcome, Ownership, Stored, Tally, WaitResult, WaiterId};
use rayw_core::{ActorId, Error, IdMap, IdSet, JobId, JobSpec, Labels, Millis, NodeId, Resources, TaskId, limits};
use rayw_engine::{Backlog, Caller, Engine};
use rayw_store::{Remains, Store};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actor::{IdleActors, Mailbox, Passive};
use crate::backlog::Offered;
use crate::fetch::Fetches;
use crate::job::{JobArrivals, JobRun};
use crate::lock::Lock;
use crate::network::Network;
use crate::output::OutputSink;
use crate::postponed::Postponed;
use crate::question::Questions;
use crate::ready::ReadyPool;
use crate::reuse::ReusePool;
use crate::room::Room;
use crate::worker::{Orders, Stopper, cancelled};

/// How a node is set up.
pub struct NodeSettings {
    /// Its id.
    pub id: NodeId,
    /// What it offers.
    pub total: Resources,
    /// Runs its guests.
    pub engine: Arc<Engine>,
    /// Holds its large objects.
    pub store: Store,
    /// Where guests run: one thread a cpu.
    pub guests: Handle,
    /// Where the clock ticks, apart from busy guests.
    pub control: Handle,
    /// Where lines go.
    pub output: OutputSink,
    /// Makes the ids of this cluster's tasks differ from those of other clusters.
    pub cluster: u64,
    /// How others reach it.
    pub at: NodeAddress,
    /// Its labels.
    pub labels: Labels,
    /// How it reaches others.
    pub network: Arc<dyn Network>,
    /// Bytes that it may keep of finished tasks to be able to run them again.
    pub lineage_bytes_max: u64,
}

/// A running node.
pub struct Node {
    pub(crate) id: NodeId,
    pub(crate) total: Resources,
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Store,
    pub(crate) guests: Handle,
    pub(crate) control: Handle,
    pub(crate) output: OutputSink,
    pub(crate) cluster: u64,
    pub(crate) head: Arc<dyn HeadLink>,
    pub(crate) state: Lock<State>,
    pub(crate) jobs: RwLock<IdMap<JobId, Arc<JobRun>>>,
    pub(crate) reuse: ReusePool,
    /// None where there was no thread for it: then each task makes its sandbox itself.
    pub(crate) ready: Option<ReadyPool>,
    pub(crate) requests: AtomicU64,
    /// Backlogs of actors for whoever has the account next.
    pub(crate) offered: Offered,
    /// The backlog of all who do nothing.
    pub(crate) no_backlog: Arc<Backlog>,
    /// What its guests have of it, when last counted.
    pub(crate) room: Room,
    /// Whether the head was told all but how full the store is.
    pub(crate) is_new_to_head: AtomicBool,
    pub(crate) at: NodeAddress,
    pub(crate) labels: Labels,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) postponed: Postponed,
    pub(crate) fetches: Fetches,
    pub(crate) arrivals: JobArrivals,
    /// Drivers that run here.
    pub(crate) drivers: Mutex<IdMap<JobId, Driver>>,
    /// Nodes that will never be heard again.
    pub(crate) dead: RwLock<IdSet<NodeId>>,
    /// The head lets it go when nobody would miss what it keeps.
    is_leaving: AtomicBool,
    /// It is taken down: nothing is brought here any more, and nobody waits.
    pub(crate) ending: CancellationToken,
    /// Everything that runs guests; nothing outlives it.
    pub(crate) tracker: TaskTracker,
}

/// What the lock guards.
pub(crate) struct State {
    pub(crate) ownership: Ownership,
    /// Scratch space for commands, so that an event costs no allocation.
    commands: Vec<Command>,
    /// The same for the events of a backlog.
    pub(crate) events: Vec<Event>,
    waiters: IdMap<WaiterId, oneshot::Sender<WaitResult>>,
    next_waiter: u64,
    /// Tasks that a worker has, and which.
    pub(crate) running: IdMap<TaskId, Arc<Orders>>,
    pub(crate) mailboxes: IdMap<ActorId, Mailbox>,
    /// Lives that are over and whose end the head was not told yet.
    pub(crate) ending: IdMap<ActorId, u32>,
    pub(crate) idle_actors: IdleActors,
    /// Questions to the head that are open; said again to a head that is new.
    pub(crate) asked: Questions,
    /// Constructors that another node was asked for.
    pub(crate) constructors: HashMap<(ActorId, u32), oneshot::Sender<Result<Order, Error>>>,
    /// What carrying out commands brought about: calls that came too late for a life of an actor, copies
    /// that are not here any more, orders that were taken out before they began.
    further: VecDeque<Event>,
}

/// A driver that runs here, and what ends it.
pub(crate) type Driver = (Arc<JobSpec>, Arc<Stopper>);

/// What carrying out commands left to be done after the lock.
#[derive(Default)]
pub(crate) struct After {
    /// What workers are to be found for.
    pub(crate) orders: Vec<Arc<Orders>>,
    /// Actors that were asleep and have something to do.
    pub(crate) revive: Vec<Passive>,
    pub(crate) forget: Vec<rayw_core::ObjectId>,
    pub(crate) bring: Vec<Stored>,
    has_mail: bool,
    /// The result of the wait that was asked for, when it is there already.
    pub(crate) result: Option<WaitResult>,
    /// Whether somebody was woken, who may be waiting for this very thread.
    pub(crate) woke: bool,
    /// The time of the turn, once something asked for it.
    now: Option<Millis>,
    /// Whether there is work for others now: a guest that was woken, a call for an actor.
    pub(crate) rouses: bool,
    /// Whether more calls wait for an actor here than it will soon have run.
    pub(crate) is_ahead: bool,
    /// The actor here that was called last.
    pub(crate) called: Option<ActorId>,
}

impl After {
    /// Takes orders out for the worker that is about to be free.
    pub(crate) fn next_orders(&mut self) -> Option<Arc<Orders>> {
        if self.orders.is_empty() { None } else { Some(self.orders.remove(0)) }
    }

    /// The time of this turn of the lock: all that happens in it happens at once.
    fn now(&mut self) -> Millis {
        *self.now.get_or_insert_with(now)
    }
}

impl Node {
    /// A node that takes work through `head`.
    #[must_use]
    pub fn new(settings: NodeSettings, head: Arc<dyn HeadLink>) -> Arc<Self> {
        let ready = ReadyPool::start(Arc::clone(&settings.engine), settings.guests.clone());
        let ready = ready.inspect_err(|error| tracing::warn!(%error, "sandboxes are not made ahead")).ok();
        // Small values have no more memory than the store.
        let small_bytes_max = settings.store.bytes_max();
        Arc::new(Self {
            id: settings.id,
            total: settings.total,
            engine: settings.engine,
            store: settings.store,
            guests: settings.guests,
            control: settings.control,
            output: settings.output,
            cluster: settings.cluster,
            head,
            state: Lock::new(State {
                ownership: Ownership::new(settings.id)
                    .with_cluster(settings.cluster)
                    .with_lineage(settings.lineage_bytes_max)
                    .with_small(small_bytes_max),
                commands: Vec::new(),
                events: Vec::new(),
                waiters: IdMap::default(),
                next_waiter: 0,
                running: IdMap::default(),
                mailboxes: IdMap::default(),
                ending: IdMap::default(),
                idle_actors: IdleActors::default(),
                asked: Questions::default(),
                constructors: HashMap::new(),
                further: VecDeque::new(),
            }),
            jobs: RwLock::default(),
            reuse: ReusePool::default(),
            ready,
            requests: AtomicU64::new(0),
            offered: Offered::default(),
            no_backlog: Arc::default(),
            room: Room::default(),
            is_new_to_head: AtomicBool::new(false),
            at: settings.at,
            labels: settings.labels,
            network: settings.network,
            postponed: Postponed::default(),
            fetches: Fetches::default(),
            arrivals: JobArrivals::default(),
            drivers: Mutex::default(),
            dead: RwLock::default(),
            is_leaving: AtomicBool::new(false),
            ending: CancellationToken::new(),
            tracker: TaskTracker::new(),
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// What it offers.
    #[must_use]
    pub fn total(&self) -> &Resources {
        &self.total
    }

    /// Its engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// How many tasks its guests submitted and what became of them.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.lock().ownership.tally()
    }

    /// Objects and unfinished tasks that it owns: `(objects, tasks)`.
    #[must_use]
    pub fn owned(&self) -> (usize, usize) {
        let state = self.lock();
        (state.ownership.objects(), state.ownership.unfinished())
    }

    /// How full its store is.
    #[must_use]
    pub fn store_usage(&self) -> rayw_store::Usage {
        self.store.usage()
    }

    /// Looks every [`limits::TICK`] for leases that nobody uses, and tells the head how full the store is
    /// when that has changed. Lets jobs go now and then that are over.
    pub async fn keep_time(self: Arc<Self>, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(limits::TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut told = None;
        let mut looked = Instant::now();
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            self.handle(Event::Tick);
            self.take_in_offered();
            self.answer_postponed();
            self.tell_usage(&mut told);
            self.take_down(self.reuse.take_idle());
            self.take_down(self.ready.as_ref().map_or_else(Vec::new, ReadyPool::take_idle));
            self.take_down(self.engine.take_unused());
            self.take_down(self.store.buffers().take_unused());
            self.put_idle_away();
            self.leave_if_unmissed();
            if looked.elapsed() >= limits::JOBS_LOOKED_AT_PERIOD {
                looked = Instant::now();
                self.let_jobs_go();
            }
        }
    }

    /// Drops what takes its time to be dropped, such as sandboxes, where that holds nobody up: heartbeats come
    /// from the thread of most callers.
    pub(crate) fn take_down<T: Send + 'static>(&self, remains: Vec<T>) {
        if !remains.is_empty() {
            self.control.spawn_blocking(move || drop(remains));
        }
    }

    /// Tells the head how full the store is, when that is something new.
    fn tell_usage(&self, told: &mut Option<rayw_store::Usage>) {
        let usage = self.store.usage();
        // A head that is new was told nothing: what was said to the former one is as good as unsaid.
        let is_new_head = self.is_new_to_head.swap(false, Ordering::Relaxed);
        if !is_new_head && told.is_some_and(|told| told.memory_bytes == usage.memory_bytes) {
            return;
        }
        *told = Some(usage);
        let (store_bytes, store_bytes_max) = (usage.memory_bytes, usage.bytes_max);
        self.head.send(ToHead::NodeUsage { node: self.id, store_bytes, store_bytes_max });
        self.head.flush();
    }

    /// Leaves, once the head allowed it and nothing is here that somebody would miss.
    fn leave_if_unmissed(&self) {
        if self.is_leaving.load(Ordering::Relaxed) && self.lock().ownership.may_leave() {
            self.network.leave();
        }
    }

    /// Stops all that runs and waits until it is gone, at most [`limits::SHUTDOWN_GRACE`], and for a sandbox that is
    /// being made ahead at most [`limits::READY_START_MAX`] more.
    /// Answers whether all was gone in time.
    pub async fn drain(self: &Arc<Self>) -> bool {
        self.ending.cancel();
        // Before what they wait for fails.
        self.stop_drivers();
        let jobs: Vec<JobId> = self.jobs.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        for job in jobs {
            self.handle(Event::JobEnded(job));
        }
        self.stop_tasks();
        self.stop_actors();
        self.tracker.close();
        let is_empty = tokio::time::timeout(limits::SHUTDOWN_GRACE, self.tracker.wait()).await.is_ok();
        drop(self.reuse.take_all());
        if let Some(ready) = &self.ready {
            ready.end().await;
        }
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).clear();
        is_empty
    }

    /// Ends all tasks that workers have, also those that wait for their job to come here.
    fn stop_tasks(self: &Arc<Self>) {
        let mut after = After::default();
        {
            let mut state = self.lock();
            let tasks: Vec<TaskId> = state.running.keys().copied().collect();
            tasks.into_iter().for_each(|task| state.stop_task(task));
            state.apply_further(self, &mut after);
        }
        self.finish_up(after);
    }

    /// The account, however long that takes.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Tells the machine what happened and does what it says.
    pub(crate) fn handle(self: &Arc<Self>, event: Event) {
        self.handle_all([event]);
    }

    /// The same for several events, with nothing in between.
    pub(crate) fn handle_all(self: &Arc<Self>, events: impl IntoIterator<Item = Event>) {
        let mut after = After::default();
        {
            let mut state = self.lock();
            for event in events {
                state.apply(event, self, None, &mut after);
            }
            self.room.count(&state.ownership);
        }
        self.finish_up(after);
    }

    /// Does what must not be done under the lock.
    pub(crate) fn finish_up(self: &Arc<Self>, after: After) {
        for orders in after.orders {
            self.spawn(orders);
        }
        for passive in after.revive {
            self.revive(passive);
        }
        let remains: Vec<_> = after.forget.into_iter().filter_map(|object| self.store.take_out(object)).collect();
        if remains.iter().map(Remains::slow_bytes).sum::<u64>() > limits::DROPPED_AT_ONCE_BYTES_MAX {
            self.take_down(remains);
        }
        for stored in after.bring {
            self.move_here(stored);
        }
        if after.has_mail {
            self.head.flush();
        }
    }

    /// The same on a thread that goes on with something else: whoever was woken shall not wait for it.
    pub(crate) fn finish_up_and_go_on(self: &Arc<Self>, after: After) {
        let rouses = after.rouses || !after.orders.is_empty();
        self.finish_up(after);
        if rouses {
            // What was woken last waits in a place of its own for this thread, where no other one takes it
            // from; what is woken after it has it go to where they all look.
            self.guests.spawn(std::future::ready(()));
        }
    }

    /// Waits until `wait` is over, for a guest whose deeds so far are taken in before. Dropping the future
    /// takes the wait back.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        objects: Vec<rayw_core::ObjectId>,
        wait: rayw_core::ownership::WaitFor,
        caller: &Caller,
        timeout: Option<Duration>,
    ) -> WaitResult {
        let of = objects.len();
        let (mut waiter, mut receiver) = (WaiterId(0), None);
        let mut after = self.take_in_with(&caller.backlog, |state, after| {
            state.next_waiter += 1;
            waiter = WaiterId(state.next_waiter);
            state.take_in_offered(self, after);
            let poll = timeout == Some(Duration::ZERO);
            let event = Event::WaitStarted { waiter, objects, wait, caller: Some(caller.task), poll };
            state.apply(event, self, Some(waiter), after);
            receiver = after.result.is_none().then(|| {
                let (sender, receiver) = oneshot::channel();
                state.waiters.insert(waiter, sender);
                receiver
            });
        });
        let result = after.result.take();
        if let Some(result) = result {
            self.finish_up_and_go_on(after);
            return result;
        }
        self.finish_up(after);
        let Some(mut receiver) = receiver else { return WaitResult::TimedOut { ready: 0, of } };
        let guard = WaitGuard { node: self, waiter: Some(waiter) };
        let result = match timeout {
            None => (&mut receiver).await,
            Some(timeout) => {
                let expired = self.sleep(timeout);
                tokio::select! {
                    biased;
                    result = &mut receiver => result,
                    () = expired => {
                        self.handle(Event::WaitTimedOut(waiter));
                        // It may have to wait for its cpu now.
                        receiver.await
                    }
                }
            }
        };
        guard.over();
        result.unwrap_or(WaitResult::TimedOut { ready: 0, of })
    }

    pub(crate) fn deliver_message(self: &Arc<Self>, message: FromHead) {
        match message {
            FromHead::ActorFound { request, result } => {
                let unwanted = self.lock().asked.actor_found(request, result);
                if let Some(actor) = unwanted {
                    self.head.send(ToHead::ActorKill { actor, no_restart: true });
                    self.head.flush();
                }
            }
            FromHead::GroupFound { request, result } => self.lock().asked.group_found(request, result),
            FromHead::ActorStart { spec, owner, incarnation, inputs } => {
                self.start_actor(spec, owner, incarnation, inputs);
            }
            FromHead::NodeFound { node, at } => {
                self.network.found(node, &at);
                self.handle(Event::FromHead(Box::new(FromHead::NodeFound { node, at })));
            }
            FromHead::NodeDied { node, why } => {
                self.dead.write().unwrap_or_else(PoisonError::into_inner).insert(node);
                self.network.died(node);
                self.handle(Event::FromHead(Box::new(FromHead::NodeDied { node, why })));
            }
            FromHead::NodeLeave { at_once: true } => self.network.leave(),
            FromHead::NodeLeave { at_once: false } => {
                self.is_leaving.store(true, Ordering::Relaxed);
                self.leave_if_unmissed();
            }
            FromHead::DriverStart { spec } => self.start_driver(spec),
            FromHead::DriverStop { job } => self.stop_driver(job),
            FromHead::JobFound { job, result, is_over } => self.job_found(job, result, is_over),
            FromHead::JobEnded { job } => {
                self.stop_driver(job);
                self.handle(Event::FromHead(Box::new(FromHead::JobEnded { job })));
                self.forget_job(job);
            }
            FromHead::ActorStop { actor, incarnation, graceful, reason, restart } => {
                self.stop_actor(actor, incarnation, graceful, reason, restart);
            }
            other => self.handle(Event::FromHead(Box::new(other))),
        }
    }

    /// Takes what another node said.
    pub fn peer_said(self: &Arc<Self>, from: NodeId, message: ToPeer) {
        if !self.postpones(from, &message) {
            self.handle(Event::FromPeer { from, message: Box::new(message) });
        }
    }

    /// Takes what the head said.
    pub fn head_said(self: &Arc<Self>, message: FromHead) {
        self.deliver_message(message);
    }

    pub(crate) fn is_dead(&self, node: NodeId) -> bool {
        self.dead.read().unwrap_or_else(PoisonError::into_inner).contains(&node)
    }

    /// The host part of its address.
    pub(crate) fn ip(&self) -> String {
        self.at.address.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host).to_owned()
    }

    /// Sleeps by the clock of the control runtime: a busy guest never holds it up.
    pub(crate) fn sleep(&self, time: Duration) -> tokio::time::Sleep {
        let _context = self.control.enter();
        tokio::time::sleep(time)
    }

    pub(crate) fn next_request(&self) -> RequestId {
        RequestId(self.requests.fetch_add(1, Ordering::Relaxed))
    }
}

impl State {
    /// Tells the machine what happened and carries out its commands.
    pub(crate) fn apply(&mut self, event: Event, node: &Node, asking: Option<WaiterId>, after: &mut After) {
        self.apply_one(event, node, asking, after);
        self.apply_further(node, after);
    }

    /// Tells the machine what carrying out its commands brought about.
    fn apply_further(&mut self, node: &Node, after: &mut After) {
        while let Some(event) = self.further.pop_front() {
            self.apply_one(event, node, None, after);
        }
    }

    /// Ends a task: where it runs, or before it has begun.
    fn stop_task(&mut self, task: TaskId) {
        let unbegun = self.running.get(&task).and_then(|orders| orders.stop(task));
        if let Some(Order { spec, attempt, .. }) = unbegun {
            let outcome = Outcome::Failed(cancelled(&spec).from_task(&spec.name, task));
            self.further.push_back(Event::Finished { task, attempt, outcome });
        }
    }

    fn apply_one(&mut self, event: Event, node: &Node, asking: Option<WaiterId>, after: &mut After) {
        let mut commands = std::mem::take(&mut self.commands);
        if let Event::Finished { task, .. } | Event::Ran { task, .. } = &event {
            // Before its end is told: it may be tried again here.
            self.running.remove(task);
        }
        self.ownership.handle(event, after.now(), &mut commands);
        for command in commands.drain(..) {
            match command {
                Command::ToHead(message) => {
                    node.head.send(*message);
                    after.has_mail = true;
                }
                Command::Run(order) => self.give(VecDeque::from([order]), after),
                Command::RunBehind { order, behind } => match self.running.get(&behind).map(Arc::clone) {
                    Some(orders) => {
                        let task = order.spec.id;
                        orders.push(order);
                        self.running.insert(task, orders);
                    }
                    None => self.give(VecDeque::from([order]), after),
                },
                Command::Begin(task) => {
                    if let Some(orders) = self.running.get(&task) {
                        let line = orders.take_line();
                        self.give(line, after);
                    }
                }
                Command::Recall(mut tasks) => {
                    tasks.retain(|task| {
                        let orders = self.running.get(task);
                        let is_out = orders.is_some_and(|orders| orders.take_out(*task).is_some());
                        is_out && self.running.remove(task).is_some()
                    });
                    self.further.push_back(Event::Recalled(tasks));
                }
                Command::Stop { task, .. } => self.stop_task(task),
                Command::Call { actor, incarnation, order } => {
                    if let Some(task) = self.post(actor, incarnation, order, after) {
                        self.further.push_back(Event::CallDropped(task));
                    }
                }
                Command::EndActor { actor, incarnation, reason } => self.post_end(actor, incarnation, reason, after),
                Command::Construct { actor, incarnation, result } => {
                    if let Some(life) = self.constructors.remove(&(actor, incarnation)) {
                        // The life may have been stopped meanwhile.
                        let _ = life.send(*result);
                    }
                }
                // Its owner has the work tried elsewhere when it hears that this node is gone.
                Command::ToPeer { message, .. } if says_failed(&message) && node.ending.is_cancelled() => {}
                Command::ToPeer { node: to, message } => node.network.send(to, *message),
                Command::FlagCancelled { actor, task } => self.flag(actor, task),
                Command::Wake { waiter, result } => {
                    if Some(waiter) == asking {
                        after.result = Some(result);
                    } else if let Some(sender) = self.waiters.remove(&waiter) {
                        // The guest may be gone meanwhile; its handles go with it.
                        let _ = sender.send(result);
                        after.woke = true;
                        after.rouses = true;
                    }
                }
                Command::Forget(object) => after.forget.push(object),
                Command::Keep(object) => {
                    if !node.store.keep(object) {
                        self.further.push_back(Event::CopyDropped(object));
                    }
                }
                Command::Bring(stored) => after.bring.push(stored),
            }
        }
        self.commands = commands;
    }

    /// Has a worker run these orders, one after another.
    pub(crate) fn give(&mut self, line: VecDeque<Order>, after: &mut After) {
        if line.is_empty() {
            return;
        }
        let orders = Arc::new(Orders::of(line));
        orders.each(|task| {
            self.running.insert(task, Arc::clone(&orders));
        });
        after.orders.push(orders);
    }
}

/// Whether it says that work of another node's failed here.
fn says_failed(message: &ToPeer) -> bool {
    matches!(message, ToPeer::Finished { outcome: Outcome::Failed(_) | Outcome::ActorCrashed(_), .. })
}

/// Takes a wait back when the guest that waits is dropped.
struct WaitGuard<'a> {
    node: &'a Arc<Node>,
    waiter: Option<WaiterId>,
}

impl WaitGuard<'_> {
    fn over(mut self) {
        self.waiter = None;
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            self.node.lock().waiters.remove(&waiter);
            self.node.handle(Event::WaitAbandoned(waiter));
        }
    }
}

pub(crate) fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(elapsed.as_millis()).unwrap_or(Millis::MAX)
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("id", &self.id).finish_non_exhaustive()
    }
}
