//! The one lock of local mode, and the slots for running tasks.
//!
//! Everything that changes changes under this lock, and whoever waits is
//! woken by the one condition variable: simple before fast.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::actors::{ActorState, Name, Named};
use super::context;
use super::groups::Group;
use super::work::{self, Work};

pub(super) static WORLD: World = World { state: Mutex::new(None), changed: Condvar::new(), next_id: AtomicU64::new(1) };

pub(super) struct World {
    /// Made when it is first asked for.
    state: Mutex<Option<State>>,
    changed: Condvar,
    next_id: AtomicU64,
}

pub(super) struct State {
    /// Tasks whose arguments are there.
    pub(super) ready: VecDeque<Arc<Work>>,
    /// Tasks that hold a slot.
    running: usize,
    /// Tasks that gave their slot up, and now want one before any new task.
    resuming: usize,
    slots: usize,
    pub(super) actors: HashMap<u64, ActorState>,
    pub(super) names: HashMap<Name, Named>,
    /// Named placement groups.
    pub(super) groups: HashMap<Name, Arc<Group>>,
}

impl World {
    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn lock(&self) -> Guard<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.get_or_insert_with(State::new);
        Guard { state }
    }

    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits for the next change, at most until `deadline`.
    pub(super) fn wait<'a>(&'a self, guard: Guard<'a>, deadline: Option<Instant>) -> Guard<'a> {
        let state = match deadline {
            None => self.changed.wait(guard.state).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let time = deadline.saturating_duration_since(Instant::now());
                self.changed.wait_timeout(guard.state, time).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        Guard { state }
    }

    /// Waits until `look` finds what it looks for, or the time is over. A task
    /// that must wait gives its slot to another one meanwhile.
    pub(super) fn wait_until<T>(&self, deadline: Option<Instant>, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        context::end_if_abandoned();
        let mut guard = self.lock();
        if let Some(found) = look() {
            return Some(found);
        }
        let has_slot = context::has_slot();
        if has_slot {
            guard.running -= 1;
            guard.start_ready();
        }
        let found = loop {
            if context::is_abandoned() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break None;
            }
            guard = self.wait(guard, deadline);
            if let Some(found) = look() {
                break Some(found);
            }
        };
        if has_slot {
            guard.resuming += 1;
            while guard.running >= guard.slots {
                guard = self.wait(guard, None);
            }
            guard.resuming -= 1;
            guard.running += 1;
            guard.start_ready();
        }
        drop(guard);
        context::end_if_abandoned();
        found
    }
}

impl State {
    fn new() -> Self {
        Self {
            ready: VecDeque::new(),
            running: 0,
            resuming: 0,
            slots: std::thread::available_parallelism().map_or(2, usize::from),
            actors: HashMap::new(),
            names: HashMap::new(),
            groups: HashMap::new(),
        }
    }

    /// Starts a thread for each ready task there is a slot for.
    pub(super) fn start_ready(&mut self) {
        while let Some(work) = self.take_ready() {
            let first = Arc::clone(&work);
            let spawned =
                std::thread::Builder::new().name(format!("rayw-{}", work.name)).spawn(move || run_tasks(first));
            if let Err(error) = spawned {
                self.running -= 1;
                self.ready.push_front(work);
                assert!(self.running > 0, "no thread could be started: {error}");
                return;
            }
        }
    }

    fn take_ready(&mut self) -> Option<Arc<Work>> {
        if self.resuming > 0 || self.running >= self.slots {
            return None;
        }
        let work = self.ready.pop_front()?;
        self.running += 1;
        Some(work)
    }
}

/// The life of a thread: task after task, as long as there are any.
fn run_tasks(first: Arc<Work>) {
    let mut next = Some(first);
    while let Some(work) = next {
        work::run_task(&work);
        drop(work);
        let mut guard = WORLD.lock();
        guard.running -= 1;
        next = guard.take_ready();
        drop(guard);
        WORLD.notify();
    }
}

pub(super) struct Guard<'a> {
    state: MutexGuard<'a, Option<State>>,
}

impl std::ops::Deref for Guard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        match &*self.state {
            Some(state) => state,
            None => unreachable!("made by `lock`"),
        }
    }
}

impl std::ops::DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        match &mut *self.state {
            Some(state) => state,
            None => unreachable!("made by `lock`"),
        }
    }
}
