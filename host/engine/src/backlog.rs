//! What a guest did that its node has not taken in yet.
//!
//! A node keeps one account of all work and guards it by a lock. Most of what
//! a guest does needs no answer from there: the ids of its children are its own
//! to derive. So the node gathers such events here and takes them in many at a
//! time: when there are [`limits::BACKLOG_EVENTS_MAX`], when the last time is
//! [`limits::BACKLOG_AGE`] ago, when the guest asks for anything that needs an
//! answer (a clock does not), when it ends and no other one follows it, and at each tick of the
//! clock that makes guests give way. (Between two looks whether it is time there
//! are eight events.) While others have the account, a guest that needs no answer
//! goes on instead of waiting, up to [`limits::BACKLOG_HELD_MAX`]; only with the
//! first event after a pause it waits a moment. What an actor did
//! may be told by others, who have the account, wholly and in its order. An actor that
//! has nothing to do takes in what those who call it have gathered, and they leave it
//! to that for longer then: the account stays with one cpu. A guest that
//! is far ahead of an actor it calls gives way to it, which would else wait for a cpu
//! until the clock ticks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayw_core::ownership::Event;
use rayw_core::{ActorId, ActorSpec, JobId, TaskTerms, limits};

/// Events in the order in which the guest caused them. Only the node that runs the guest looks into it.
#[derive(Debug, Default)]
pub struct Backlog {
    gathered: Mutex<Gathered>,
    /// Whether the guest is to let others have its cpu.
    gives_way: AtomicBool,
}

/// What a backlog holds.
#[derive(Debug, Default)]
pub struct Gathered {
    events: Vec<Event>,
    /// Whether events that were taken out are being told to the account, so that nothing may overtake them.
    is_being_told: bool,
    /// Whether what was told has woken somebody.
    woke: bool,
    /// Whether it is among those that whoever has the account next may take in.
    is_offered: bool,
    /// Actors that the guest called lately: what they are does not change, so nobody need be asked again.
    actors: VecDeque<KnownActor>,
    /// Whether an actor that the guest calls took them last, and will again.
    is_fetched: bool,
    /// When the node last took events.
    taken: Option<Instant>,
    /// How many there were when it was last looked at whether it is time.
    looked: usize,
}

/// An actor that a guest called lately.
#[derive(Debug)]
struct KnownActor {
    spec: Arc<ActorSpec>,
    last: Option<LastCall>,
}

/// A guest's last call of an actor without options, but for its number of returns: the next one is most likely alike,
/// and on the same terms.
#[derive(Debug, Clone)]
pub struct LastCall {
    /// Its terms; their function is `Class.method`.
    pub terms: Arc<TaskTerms>,
    /// How many arguments the method takes.
    pub arity: usize,
    /// How many values it returns when a call does not say.
    pub num_returns: u32,
}

impl LastCall {
    /// Whether a call of the same actor, which is of `class`, is on the same terms.
    fn is_alike(&self, class: &str, method: &str, arity: usize, job: JobId, num_returns: Option<u32>) -> bool {
        let called = self.terms.function.strip_prefix(class).and_then(|rest| rest.strip_prefix('.'));
        called == Some(method)
            && (self.arity, self.terms.job) == (arity, job)
            && self.terms.num_returns == num_returns.unwrap_or(self.num_returns)
    }
}

/// Whether it is time for the node to take in what a guest did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// There is time: more may come.
    Later,
    /// It is, if nobody else has the account now.
    IfFree,
    /// It is, and the guest waits for a moment if somebody else has it.
    Soon,
    /// It is, and the guest waits for as long as need be.
    Now,
}

/// Events between two looks at whether it is time. The first that comes after a pause is not held to it, so that
/// a guest that does little is heard at once, unless the account is taken for long just then.
const LOOK_EVERY: usize = 8;

impl Gathered {
    /// Whether the account has been told of all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.is_being_told
    }

    /// How many events there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// Adds one. Answers whether it is time to take them.
    pub fn add(&mut self, event: Event) -> Due {
        let is_heavy = matches!(&event, Event::Released(refs) if refs.len() > limits::BACKLOG_EVENTS_MAX);
        self.push(event);
        match self.events.len() {
            // Many of these would make a long turn of the account.
            _ if is_heavy => Due::Now,
            limits::BACKLOG_HELD_MAX.. => Due::Now,
            count if self.looked == 0 && count < LOOK_EVERY && self.is_older(limits::BACKLOG_AGE) => Due::Soon,
            // Not at multiples, because of what is pushed in between.
            count if count < self.looked + LOOK_EVERY => Due::Later,
            count => {
                self.looked = count;
                // They are left to an actor that takes them in, but not for long.
                let (most, age) = if self.is_fetched {
                    (limits::BACKLOG_LEFT_MAX, limits::BACKLOG_LEFT_AGE)
                } else {
                    (limits::BACKLOG_EVENTS_MAX, limits::BACKLOG_AGE)
                };
                if count >= most || self.is_older(age) { Due::IfFree } else { Due::Later }
            }
        }
    }

    /// Adds one that can wait for what comes next.
    pub fn push(&mut self, event: Event) {
        let begun = match (&event, self.events.last()) {
            (Event::Finished { task, .. }, Some(Event::Started { task: begun, worker })) if task == begun => *worker,
            _ => return self.events.push(event),
        };
        if let (Event::Finished { task, attempt, outcome }, Some(last)) = (event, self.events.last_mut()) {
            *last = Event::Ran { task, attempt, worker: begun, outcome };
        }
    }

    /// Whether the last time is that long ago, so that no more are waited for.
    fn is_older(&self, age: Duration) -> bool {
        self.taken.is_none_or(|taken| taken.elapsed() >= age)
    }

    /// Moves all, in order, to where there is nothing. They count until they [are told](Self::told). Only who
    /// has the account may take them, or another one could tell it of later ones first.
    pub fn take(&mut self, events: &mut Vec<Event>) {
        (self.taken, self.looked, self.is_fetched) = (Some(Instant::now()), 0, false);
        self.is_being_told = true;
        std::mem::swap(&mut self.events, events);
    }

    /// What was taken last has been told; by that, somebody may have been woken.
    pub fn told(&mut self, woke: bool) {
        self.is_being_told = false;
        self.woke |= woke;
    }

    /// It was an actor that took them, whom the guest calls: more is left to it, until it [rests](Self::left_no_more).
    pub fn fetched(&mut self) {
        self.is_fetched = true;
    }

    /// Nobody will take them but those who have the account.
    pub fn left_no_more(&mut self) {
        self.is_fetched = false;
    }

    /// Somebody else had the account for longer than is worth waiting for: it is looked at again when more has come.
    pub fn put_off(&mut self) {
        self.looked = self.events.len();
    }

    /// Offers what it holds to whoever has the account next. Answers whether it was not offered before.
    pub fn offer(&mut self) -> bool {
        !std::mem::replace(&mut self.is_offered, true)
    }

    /// Somebody takes up the offer.
    pub fn accept(&mut self) {
        self.is_offered = false;
    }

    /// Whether somebody was woken by what was told since [this was last asked](Self::has_woken).
    #[must_use]
    pub fn woke(&self) -> bool {
        self.woke
    }

    /// The same, and from now on it is as if nobody was.
    pub fn has_woken(&mut self) -> bool {
        std::mem::take(&mut self.woke)
    }
}

/// Actors that are remembered for one guest; more are asked for again.
const ACTORS_KNOWN_MAX: usize = 64;

impl Gathered {
    /// An actor that the guest called lately.
    #[must_use]
    pub fn actor(&self, id: ActorId) -> Option<&Arc<ActorSpec>> {
        self.known(id).map(|actor| &actor.spec)
    }

    /// The terms of a call without options, if its caller's last such call of the actor was alike; and whether the
    /// actor may only have so many calls.
    #[must_use]
    pub fn terms_again(
        &self,
        actor: ActorId,
        method: &str,
        arity: usize,
        job: JobId,
        num_returns: Option<u32>,
    ) -> Option<(&Arc<TaskTerms>, bool)> {
        let KnownActor { spec, last } = self.known(actor)?;
        let last = last.as_ref().filter(|last| last.is_alike(&spec.class, method, arity, job, num_returns))?;
        Some((&last.terms, spec.max_pending_calls.is_some()))
    }

    /// Remembers a call of an actor.
    pub fn remember_call(&mut self, id: ActorId, call: LastCall) {
        if let Some(actor) = self.actors.iter_mut().find(|actor| actor.spec.id == id) {
            actor.last = Some(call);
        }
    }

    fn known(&self, id: ActorId) -> Option<&KnownActor> {
        self.actors.iter().find(|actor| actor.spec.id == id)
    }

    /// Remembers an actor that the guest holds a handle of.
    pub fn remember(&mut self, actor: Arc<ActorSpec>) {
        if self.actors.len() >= ACTORS_KNOWN_MAX {
            self.actors.pop_back();
        }
        self.actors.push_front(KnownActor { spec: actor, last: None });
    }
}

impl Backlog {
    /// Has the guest let others have its cpu once it has its answer: it is ahead of those who work for it.
    pub fn give_way(&self) {
        self.gives_way.store(true, Ordering::Relaxed);
    }

    /// Whether it is to do so since this was last asked.
    pub(crate) fn gives_way(&self) -> bool {
        self.gives_way.load(Ordering::Relaxed) && self.gives_way.swap(false, Ordering::Relaxed)
    }

    /// What it holds, for as long as nobody else shall add to it.
    pub fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless somebody has it now.
    #[must_use]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, Gathered>> {
        self.gathered.try_lock().ok()
    }
}

#[cfg(test)]
mod tests {
    use rayw_core::ownership::Outcome;
    use rayw_core::{ComponentDigest, RefId};

    use super::*;

    fn event() -> Event {
        Event::Released(Vec::new())
    }

    fn gathered(taken: Option<Instant>) -> Gathered {
        Gathered { taken, ..Gathered::default() }
    }

    /// As if no time went by: a test may be kept from its cpu for longer than any of the limits.
    fn just_now() -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(3600))
    }

    #[test]
    fn the_first_event_after_a_while_is_taken_at_once_and_many_together() {
        assert_eq!(gathered(None).add(event()), Due::Soon, "nothing was taken for long");
        let mut gathered = gathered(just_now());
        let due: Vec<Due> = (0..limits::BACKLOG_EVENTS_MAX).map(|_| gathered.add(event())).collect();
        let (last, others) = due.split_last().unwrap();
        assert_eq!(*last, Due::IfFree, "it fills the backlog");
        assert!(others.iter().all(|due| *due == Due::Later));
        while gathered.events.len() + 1 < limits::BACKLOG_HELD_MAX {
            assert!(gathered.add(event()) < Due::Now, "somebody else has the account");
        }
        assert_eq!(gathered.add(event()), Due::Now, "no more may wait");
    }

    #[test]
    fn what_an_actor_fetches_is_left_to_it_for_a_while() {
        let mut left = Gathered { is_fetched: true, ..gathered(just_now()) };
        while left.count() + 1 < limits::BACKLOG_LEFT_MAX {
            assert_eq!(left.add(event()), Due::Later);
        }
        assert!((0..LOOK_EVERY).map(|_| left.add(event())).any(|due| due == Due::IfFree), "it has much to do");
        left.take(&mut Vec::new());
        assert!(!left.is_fetched, "whoever takes it in says so if it is to be left");
        left.fetched();
        let long_ago = Instant::now().checked_sub(limits::BACKLOG_LEFT_AGE);
        let mut late = Gathered { taken: long_ago, looked: LOOK_EVERY, ..left };
        (0..LOOK_EVERY * 2 - 1).for_each(|_| late.push(event()));
        assert_eq!(late.add(event()), Due::IfFree, "the actor has forgotten it");
    }

    #[test]
    fn who_does_little_is_heard_at_once_whatever_waits_before() {
        let mut gathered = gathered(None);
        gathered.push(event());
        assert_eq!(gathered.add(event()), Due::Soon);
        gathered.put_off();
        assert_eq!(gathered.add(event()), Due::Later, "it has waited a moment and somebody else had the account");
    }

    #[test]
    fn what_makes_a_long_turn_is_not_gathered() {
        let mut gathered = gathered(just_now());
        let dropped = JobId::numbered(1).driver(0).output(0);
        let dropped = vec![RefId::Object(dropped); limits::BACKLOG_EVENTS_MAX + 1];
        assert_eq!(gathered.add(Event::Released(dropped)), Due::Now);
    }

    #[test]
    fn a_begin_and_the_end_behind_it_are_one_event() {
        let task = JobId::numbered(1).driver(0);
        let mut gathered = gathered(None);
        gathered.add(Event::Started { task, worker: 7 });
        gathered.add(Event::Finished { task, attempt: 1, outcome: Outcome::Returned(Vec::new()) });
        assert!(matches!(&gathered.events[..], [Event::Ran { attempt: 1, worker: 7, .. }]));
    }

    #[test]
    fn a_guest_gives_way_once_for_each_time_it_is_asked_to() {
        let backlog = Backlog::default();
        assert!(!backlog.gives_way());
        backlog.give_way();
        assert!(backlog.gives_way() && !backlog.gives_way());
    }

    #[test]
    fn a_call_is_on_the_terms_of_the_last_one_only_if_it_is_alike() {
        let job = JobId::numbered(1);
        let terms = Arc::new(TaskTerms::new(job, ComponentDigest([0; 32]), "Counter.add".into()));
        let last = LastCall { terms, arity: 1, num_returns: 1 };
        let is_alike = |method, arity, job, returns| last.is_alike("Counter", method, arity, job, returns);
        assert!(is_alike("add", 1, job, None) && is_alike("add", 1, job, Some(1)));
        assert!(!is_alike("ad", 1, job, None) && !is_alike(".add", 1, job, None) && !is_alike("r.add", 1, job, None));
        assert!(!is_alike("add", 2, job, None), "it is to be refused with words");
        assert!(!is_alike("add", 1, JobId::numbered(2), None) && !is_alike("add", 1, job, Some(2)));
        assert!(!last.is_alike("Count", "er.add", 1, job, None));
    }

    #[test]
    fn events_count_until_they_are_told() {
        let (mut gathered, mut events) = (gathered(None), Vec::new());
        gathered.add(event());
        gathered.take(&mut events);
        assert_eq!(events.len(), 1);
        assert!(!gathered.is_empty(), "nobody may overtake it");
        gathered.told(true);
        assert!(gathered.is_empty() && gathered.has_woken() && !gathered.has_woken());
    }
}
