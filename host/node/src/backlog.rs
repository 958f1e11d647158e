//! Taking in what guests did: many events under one turn of the lock.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rayw_core::limits;
use rayw_core::ownership::Event;
use rayw_core::{Error, ErrorKind};
use rayw_engine::{Backlog, Gathered};

use crate::Node;
use crate::node::{After, State};

impl Node {
    /// Notes what a guest did; takes it in when that is due. The guest goes on meanwhile.
    pub(crate) fn note(self: &Arc<Self>, backlog: &Backlog, events: impl IntoIterator<Item = Event>) {
        let mut is_due = false;
        let mut gathered = backlog.lock();
        for event in events {
            is_due |= gathered.add(event);
        }
        drop(gathered);
        if is_due {
            self.take_in(backlog);
        }
    }

    /// The same, for what needs no note while there is nothing that must come before it.
    pub(crate) fn note_behind(self: &Arc<Self>, backlog: &Backlog, event: Event) {
        let mut gathered = backlog.lock();
        if gathered.is_empty() {
            drop(gathered);
            return self.handle(event);
        }
        let is_due = gathered.add(event);
        drop(gathered);
        if is_due {
            self.take_in(backlog);
        }
    }

    /// Takes in what a guest did that goes on: whoever is woken by it shall not wait for this thread.
    pub(crate) fn take_in(self: &Arc<Self>, backlog: &Backlog) {
        if backlog.lock().is_empty() {
            return;
        }
        let after = self.take_in_with(backlog, |_, _| {});
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
        let mut after = After::default();
        let mut gathered = backlog.lock();
        let mut state = self.lock();
        state.take_in(&mut gathered, self, &mut after);
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
    fn take_in(&mut self, gathered: &mut Gathered, node: &Node, after: &mut After) {
        if gathered.is_empty() {
            return;
        }
        for event in gathered.take() {
            self.apply(event, node, None, after);
        }
    }
}
