//! Taking in what guests did: many events under one turn of the lock.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use rayw_core::limits;
use rayw_core::ownership::Event;
use rayw_core::{Error, ErrorKind};
use rayw_engine::{Backlog, Due};

use crate::Node;
use crate::node::{After, State};

impl Node {
    /// Notes what a guest did; takes it in when that is due. The guest goes on meanwhile.
    pub(crate) fn note(self: &Arc<Self>, backlog: &Backlog, events: impl IntoIterator<Item = Event>) {
        let mut due = Due::Later;
        let mut gathered = backlog.lock();
        for event in events {
            due = due.max(gathered.add(event));
        }
        drop(gathered);
        self.take_in_when(due, backlog);
    }

    /// The same, for what needs no note while there is nothing that must come before it.
    pub(crate) fn note_behind(self: &Arc<Self>, backlog: &Backlog, event: Event) {
        let mut gathered = backlog.lock();
        if gathered.is_empty() {
            drop(gathered);
            return self.handle(event);
        }
        let due = gathered.add(event);
        drop(gathered);
        self.take_in_when(due, backlog);
    }

    fn take_in_when(self: &Arc<Self>, due: Due, backlog: &Backlog) {
        match due {
            Due::Later => {}
            Due::IfFree => {
                if let Some(state) = self.try_lock() {
                    self.take_in_under(state, backlog);
                }
            }
            Due::Now => self.take_in_under(self.lock(), backlog),
        }
    }

    /// Takes in what a guest did that goes on: whoever is woken by it shall not wait for this thread.
    pub(crate) fn take_in(self: &Arc<Self>, backlog: &Backlog) {
        if !backlog.lock().is_empty() {
            self.take_in_under(self.lock(), backlog);
        }
    }

    fn take_in_under(self: &Arc<Self>, state: MutexGuard<'_, State>, backlog: &Backlog) {
        let after = self.take_in_then(state, backlog, |_, _| {});
        let rouses = after.rouses || !after.orders.is_empty();
        self.finish_up(after);
        if rouses {
            // What was woken last waits in a place of its own for this thread, where no other one takes it
            // from; what is woken after it has it go to where they all look.
            self.guests.spawn(std::future::ready(()));
        }
    }

    /// Takes in what a guest did that is over, or about to rest: whoever is woken by it can have this thread.
    pub(crate) fn take_in_last(self: &Arc<Self>, backlog: &Backlog) {
        let after = self.take_in_with(backlog, |_, _| {});
        self.finish_up(after);
    }

    /// Takes in what a guest did, then does the rest under the same turn of the lock.
    #[must_use]
    pub(crate) fn take_in_with(&self, backlog: &Backlog, rest: impl FnOnce(&mut State, &mut After)) -> After {
        self.take_in_then(self.lock(), backlog, rest)
    }

    /// The same for who has the lock already.
    #[must_use]
    pub(crate) fn take_in_then(
        &self,
        mut state: MutexGuard<'_, State>,
        backlog: &Backlog,
        rest: impl FnOnce(&mut State, &mut After),
    ) -> After {
        let mut after = After::default();
        state.take_in(backlog, self, &mut after);
        rest(&mut state, &mut after);
        self.unfinished.store(state.ownership.unfinished(), Ordering::Relaxed);
        after
    }

    /// Whether one more task may be submitted.
    ///
    /// # Errors
    /// `LimitExceeded` when too many are unfinished.
    pub(crate) fn admit_task(&self) -> Result<(), Error> {
        if self.unfinished.load(Ordering::Relaxed) < limits::TASKS_MAX {
            return Ok(());
        }
        // Some may have ended since it was last noted how many there are.
        let unfinished = self.lock().ownership.unfinished();
        self.unfinished.store(unfinished, Ordering::Relaxed);
        if unfinished < limits::TASKS_MAX {
            return Ok(());
        }
        let message = format!("{} tasks are unfinished on this node: wait for some of them first", limits::TASKS_MAX);
        Err(Error::new(ErrorKind::LimitExceeded, message))
    }
}

impl State {
    /// Tells the machine of all that is in a backlog. The guest may add more to it meanwhile.
    fn take_in(&mut self, backlog: &Backlog, node: &Node, after: &mut After) {
        let mut events = std::mem::take(&mut self.events);
        {
            let mut gathered = backlog.lock();
            if gathered.is_empty() {
                self.events = events;
                return;
            }
            gathered.take(&mut events);
        }
        for event in events.drain(..) {
            self.apply(event, node, None, after);
        }
        backlog.lock().told(after.woke);
        // It goes to whoever is taken in next: the room that one flood of events took is not to go round.
        events.shrink_to(limits::BACKLOG_EVENTS_MAX * 4);
        self.events = events;
    }
}
