//! Those who call an actor: when it has no letters, it takes in what they have gathered, which most likely has some.
//!
//! It would rest otherwise, and be woken for each few calls; and the node's account would go from cpu to cpu, as its
//! callers and others who have time take turns at it. Now an actor that is as fast as those who call it keeps the
//! account, and they only gather.

use std::sync::{Arc, Weak};

use rayw_core::{ActorId, limits};
use rayw_engine::Backlog;

use super::Reach;
use crate::Node;
use crate::node::{After, State};

/// The backlogs of those who called last, for as long as they are.
#[derive(Debug, Default)]
pub(super) struct Callers(Vec<Weak<Backlog>>);

impl Callers {
    /// One that called; the first of too many is forgotten.
    pub(super) fn remember(&mut self, backlog: &Arc<Backlog>) {
        if self.0.iter().any(|known| known.as_ptr() == Arc::as_ptr(backlog)) {
            return;
        }
        self.0.retain(|known| known.strong_count() > 0);
        if self.0.len() >= limits::CALLERS_REMEMBERED_MAX {
            self.0.remove(0);
        }
        self.0.push(Arc::downgrade(backlog));
    }

    /// The actor rests: nobody is to leave anything to it.
    pub(super) fn leave_no_more(&self) {
        self.0.iter().filter_map(Weak::upgrade).for_each(|backlog| backlog.lock().left_no_more());
    }

    /// One that has gathered enough, but for the actor itself.
    pub(super) fn with_events(&self, own: &Arc<Backlog>) -> Option<Arc<Backlog>> {
        let has_enough = |backlog: &Arc<Backlog>| {
            let gathered = (!Arc::ptr_eq(backlog, own)).then(|| backlog.try_lock()).flatten();
            gathered.is_some_and(|gathered| gathered.count() >= limits::BACKLOG_FETCHED_MIN)
        };
        self.0.iter().filter_map(Weak::upgrade).find(has_enough)
    }
}

impl State {
    /// Has an actor know who called it.
    pub(crate) fn remember_caller(&self, actor: ActorId, backlog: &Arc<Backlog>) {
        if let Some(mailbox) = self.mailboxes.get(&actor) {
            mailbox.reach.letters.remember(backlog);
        }
    }
}

impl Reach {
    /// Takes in what a caller has gathered, and what the actor itself did. Answers whether there are letters by that.
    pub(super) fn hear_callers(&self, node: &Arc<Node>, own: &Arc<Backlog>) -> bool {
        let Some(caller) = self.letters.caller_with_events(own) else { return false };
        let Some(mut state) = node.state.try_lock() else { return false };
        // Not as a guest that goes on takes in its own: nobody who calls need give way to an actor that is awake.
        let mut after = After::default();
        state.take_in(&caller, node, &mut after);
        state.take_in(own, node, &mut after);
        state.take_in_offered(node, &mut after);
        node.room.count(&state.ownership);
        drop(state);
        let has_letters = !self.letters.is_empty();
        if has_letters {
            caller.lock().fetched();
        }
        node.finish_up_and_go_on(after);
        has_letters
    }
}

#[cfg(test)]
mod tests {
    use rayw_core::ownership::Event;

    use super::*;

    fn backlog(events: usize) -> Arc<Backlog> {
        let backlog = Arc::<Backlog>::default();
        (0..events).for_each(|_| backlog.lock().push(Event::Released(Vec::new())));
        backlog
    }

    #[test]
    fn a_caller_is_heard_when_it_has_gathered_enough_and_is_still_there() {
        let (own, quiet, busy) = (backlog(100), backlog(1), backlog(limits::BACKLOG_FETCHED_MIN));
        let mut callers = Callers::default();
        [&own, &quiet, &busy, &busy].into_iter().for_each(|caller| callers.remember(caller));
        assert_eq!(callers.0.len(), 3);
        assert!(callers.with_events(&own).is_some_and(|found| Arc::ptr_eq(&found, &busy)));
        let held = busy.lock();
        assert!(callers.with_events(&own).is_none(), "it is adding to it");
        drop(held);
        drop(busy);
        assert!(callers.with_events(&own).is_none(), "it is gone");
    }

    #[test]
    fn only_so_many_callers_are_remembered() {
        let (own, all) = (backlog(0), (0..=limits::CALLERS_REMEMBERED_MAX).map(|_| backlog(100)).collect::<Vec<_>>());
        let mut callers = Callers::default();
        all.iter().for_each(|caller| callers.remember(caller));
        assert_eq!(callers.0.len(), limits::CALLERS_REMEMBERED_MAX);
        assert!(callers.with_events(&own).is_some_and(|found| Arc::ptr_eq(&found, &all[1])), "the first is forgotten");
    }
}
