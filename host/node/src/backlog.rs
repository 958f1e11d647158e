//! Taking in what guests did: many events under one turn of the lock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayw_core::limits;
use rayw_core::ownership::Event;
use rayw_engine::{Backlog, Due};

use crate::Node;
use crate::node::{After, State};

/// Backlogs of actors that others may take in: who submits has time when the actor that works for it has none.
#[derive(Default)]
pub(crate) struct Offered {
    backlogs: Mutex<VecDeque<Arc<Backlog>>>,
    /// Looked at first, so that nobody takes the lock for nothing.
    is_any: AtomicBool,
}

impl Offered {
    /// Answers whether it is offered by that, and was not before.
    fn offer(&self, backlog: &Arc<Backlog>) -> bool {
        let is_new = backlog.lock().offer();
        if is_new {
            self.lock().push_back(Arc::clone(backlog));
            self.is_any.store(true, Ordering::Release);
        }
        is_new
    }

    /// The one that was offered first.
    fn take(&self) -> Option<Arc<Backlog>> {
        if !self.is_any.load(Ordering::Acquire) {
            return None;
        }
        let mut backlogs = self.lock();
        let backlog = backlogs.pop_front();
        self.is_any.store(!backlogs.is_empty(), Ordering::Release);
        drop(backlogs);
        backlog.inspect(|backlog| backlog.lock().accept())
    }

    /// All that are there now; busy actors offer theirs again at once.
    fn take_all(&self) -> Vec<Arc<Backlog>> {
        let count = self.lock().len();
        (0..count).map_while(|_| self.take()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Backlog>>> {
        self.backlogs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Notes what a guest did; takes it in when that is due. The guest goes on meanwhile.
    pub(crate) fn note(self: &Arc<Self>, backlog: &Arc<Backlog>, events: impl IntoIterator<Item = Event>) {
        let mut due = Due::Later;
        let mut gathered = backlog.lock();
        for event in events {
            due = due.max(gathered.add(event));
        }
        drop(gathered);
        self.take_in_when(due, backlog);
    }

    /// The same for what more follows on at once: it is not worth even a moment's waiting.
    pub(crate) fn note_between(self: &Arc<Self>, backlog: &Arc<Backlog>, event: Event) {
        let due = backlog.lock().add(event);
        self.take_in_when(if due == Due::Soon { Due::IfFree } else { due }, backlog);
    }

    /// The same for what an actor did. What is due is offered first to whoever submits: there is one thread only
    /// that can do what an actor does, so it is not to do what others can.
    pub(crate) fn note_of_actor(self: &Arc<Self>, backlog: &Arc<Backlog>, event: Event) {
        let due = {
            let mut gathered = backlog.lock();
            // What it did is not left to another actor, which it calls: its own callers wait for it.
            gathered.left_no_more();
            gathered.add(event)
        };
        match due {
            Due::IfFree if self.offered.offer(backlog) => {}
            Due::Soon => match self.state.try_lock() {
                Some(state) => self.take_in_and_go_on(state, backlog),
                // Whoever has it is not the last one who does.
                None => drop(self.offered.offer(backlog)),
            },
            Due::Later | Due::IfFree | Due::Now => self.take_in_when(due, backlog),
        }
    }

    /// The same as [`Self::note`], for what needs no note while there is nothing that must come before it.
    pub(crate) fn note_behind(self: &Arc<Self>, backlog: &Arc<Backlog>, event: Event) {
        let mut gathered = backlog.lock();
        if gathered.is_empty() {
            drop(gathered);
            return self.handle(event);
        }
        let due = gathered.add(event);
        drop(gathered);
        self.take_in_when(due, backlog);
    }

    fn take_in_when(self: &Arc<Self>, due: Due, backlog: &Arc<Backlog>) {
        let state = match due {
            Due::Later => return,
            Due::IfFree => self.state.try_lock(),
            Due::Soon => {
                let state = self.state.lock_soon();
                if state.is_none() {
                    backlog.lock().put_off();
                }
                state
            }
            Due::Now => Some(self.lock()),
        };
        if let Some(state) = state {
            self.take_in_and_go_on(state, backlog);
        }
    }

    fn take_in_and_go_on(self: &Arc<Self>, state: MutexGuard<'_, State>, backlog: &Arc<Backlog>) {
        let after = self.take_in_then(state, backlog, |state, after| state.take_in_offered(self, after));
        self.finish_up_and_go_on(after);
    }

    /// Takes in all that was offered, for when nobody submits.
    pub(crate) fn take_in_offered(self: &Arc<Self>) {
        for backlog in self.offered.take_all() {
            self.take_in(&backlog);
        }
    }

    /// Takes in what a guest did that goes on: whoever is woken by it shall not wait for this thread.
    pub(crate) fn take_in(self: &Arc<Self>, backlog: &Arc<Backlog>) {
        if !backlog.lock().is_empty() {
            let after = self.take_in_with(backlog, |_, _| {});
            self.finish_up_and_go_on(after);
        }
    }

    /// Takes in what a guest did that is over, or about to rest: whoever is woken by it can have this thread.
    pub(crate) fn take_in_last(self: &Arc<Self>, backlog: &Arc<Backlog>) {
        self.take_in_last_with(backlog, |_, _| {});
    }

    /// The same, and then the rest under the same turn of the lock.
    pub(crate) fn take_in_last_with(
        self: &Arc<Self>,
        backlog: &Arc<Backlog>,
        rest: impl FnOnce(&mut State, &mut After),
    ) {
        let after = self.take_in_with(backlog, rest);
        self.finish_up(after);
    }

    /// Takes in what a guest did, then does the rest under the same turn of the lock.
    #[must_use]
    pub(crate) fn take_in_with(&self, backlog: &Arc<Backlog>, rest: impl FnOnce(&mut State, &mut After)) -> After {
        self.take_in_then(self.lock(), backlog, rest)
    }

    /// The same for who has the lock already.
    #[must_use]
    pub(crate) fn take_in_then(
        &self,
        mut state: MutexGuard<'_, State>,
        backlog: &Arc<Backlog>,
        rest: impl FnOnce(&mut State, &mut After),
    ) -> After {
        let mut after = After::default();
        state.take_in(backlog, self, &mut after);
        if after.is_ahead {
            backlog.give_way();
        }
        rest(&mut state, &mut after);
        self.room.count(&state.ownership);
        after
    }
}

impl State {
    /// Tells the machine of what actors have offered, until that makes a long turn.
    pub(crate) fn take_in_offered(&mut self, node: &Node, after: &mut After) {
        let mut told = 0;
        while told < limits::OFFERED_EVENTS_MAX
            && let Some(backlog) = node.offered.take()
        {
            told += self.take_in(&backlog, node, after);
        }
    }

    /// Tells the machine of all that is in a backlog, and answers how much that was. The guest may add more to it
    /// meanwhile.
    pub(crate) fn take_in(&mut self, backlog: &Arc<Backlog>, node: &Node, after: &mut After) -> usize {
        let mut events = std::mem::take(&mut self.events);
        {
            let mut gathered = backlog.lock();
            if gathered.is_empty() {
                self.events = events;
                return 0;
            }
            gathered.take(&mut events);
        }
        let told = events.len();
        after.called = None;
        for event in events.drain(..) {
            self.apply(event, node, None, after);
        }
        if let Some(actor) = after.called.take() {
            self.remember_caller(actor, backlog);
        }
        backlog.lock().told(after.woke);
        // It goes to whoever is taken in next: the room that one flood of events took is not to go round.
        events.shrink_to(limits::BACKLOG_EVENTS_MAX * 4);
        self.events = events;
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_is_there_once_until_somebody_takes_it() {
        let (offered, one, other) = (Offered::default(), Arc::<Backlog>::default(), Arc::<Backlog>::default());
        let is_new = [&one, &other, &one].map(|backlog| offered.offer(backlog));
        assert_eq!(is_new, [true, true, false]);
        let is_next = |backlog| offered.take().is_some_and(|taken| Arc::ptr_eq(&taken, backlog));
        assert!(is_next(&one) && is_next(&other) && offered.take().is_none());
        assert!(offered.offer(&one) && offered.offer(&other));
        assert_eq!(offered.take_all().len(), 2, "both may be offered again");
        assert!(offered.offer(&one) && is_next(&one));
    }
}
