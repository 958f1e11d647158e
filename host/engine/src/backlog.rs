//! What a guest did that its node has not taken in yet.
//!
//! A node keeps one account of all work and guards it by a lock. Most of what
//! a guest does needs no answer from there: the ids of its children are its own
//! to derive. So the node gathers such events here and takes them in many at a
//! time: when there are [`limits::BACKLOG_EVENTS_MAX`], when the first of them
//! is [`limits::BACKLOG_AGE`] away from the last time, when the guest asks for
//! anything that needs an answer, when it ends, and at each tick of the clock
//! that makes guests give way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rayw_core::ownership::Event;
use rayw_core::{ActorId, ActorSpec, limits};

/// Events in the order in which the guest caused them. Only the node that runs the guest looks into it.
#[derive(Debug, Default)]
pub struct Backlog {
    gathered: Mutex<Gathered>,
}

/// What a backlog holds.
#[derive(Debug, Default)]
pub struct Gathered {
    events: Vec<Event>,
    /// Actors that the guest called lately: what they are does not change, so nobody need be asked again.
    actors: VecDeque<Arc<ActorSpec>>,
    /// When the node last took events.
    taken: Option<Instant>,
}

impl Gathered {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Adds one. Answers whether it is time to take them.
    pub fn add(&mut self, event: Event) -> bool {
        self.events.push(event);
        self.events.len() >= limits::BACKLOG_EVENTS_MAX
            || self.taken.is_none_or(|taken| taken.elapsed() >= limits::BACKLOG_AGE)
    }

    /// Takes all, in order.
    pub fn take(&mut self) -> std::vec::Drain<'_, Event> {
        self.taken = Some(Instant::now());
        self.events.drain(..)
    }
}

/// Actors that are remembered for one guest; more are asked for again.
const ACTORS_KNOWN_MAX: usize = 64;

impl Gathered {
    /// An actor that the guest called lately.
    #[must_use]
    pub fn actor(&self, id: ActorId) -> Option<&Arc<ActorSpec>> {
        self.actors.iter().find(|actor| actor.id == id)
    }

    /// Remembers an actor that the guest holds a handle of.
    pub fn remember(&mut self, actor: Arc<ActorSpec>) {
        if self.actors.len() >= ACTORS_KNOWN_MAX {
            self.actors.pop_back();
        }
        self.actors.push_front(actor);
    }
}

impl Backlog {
    /// What it holds, for as long as nobody else shall add to it.
    pub fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::Released(Vec::new())
    }

    #[test]
    fn the_first_event_after_a_while_is_taken_at_once_and_many_together() {
        let backlog = Backlog::default();
        assert!(backlog.lock().add(event()), "nothing was taken for long");
        let mut gathered = Gathered { taken: Some(Instant::now() + limits::BACKLOG_AGE), ..Gathered::default() };
        let due = (0..limits::BACKLOG_EVENTS_MAX).filter(|_| gathered.add(event())).count();
        assert_eq!(due, 1, "the last of them fills it");
        assert_eq!(gathered.take().count(), limits::BACKLOG_EVENTS_MAX);
        assert!(gathered.is_empty());
    }
}
