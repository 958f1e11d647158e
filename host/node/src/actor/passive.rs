//! Actors that nobody calls: their state is written down and their sandbox is given back.
//!
//! ```text
//!  awake ─ no letter for ACTOR_IDLE, or places are short ─▶ checkpoint ─▶ asleep, in the mailbox, without a task
//!    ▲                                                                       │ a letter
//!    └──────────────── fresh instance, restore ◀────────────────────────────┘
//! ```
//!
//! Only actors of classes that say that they are durable. For callers and for the head nothing
//! changes: the actor is alive all the time, and its life is the same one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayw_core::message::ActorEnd;
use rayw_core::{ActorId, Error, ErrorKind, limits};
use rayw_engine::{Checkpoint, Instance};

use super::{Body, Life};
use crate::Node;
use crate::job::JobRun;
use crate::node::After;
use crate::worker::Ended;

/// An actor that is asleep, with all that it needs to go on.
pub(crate) struct Passive {
    pub(super) life: Life,
    pub(super) state: Checkpoint,
    pub(super) job: Arc<JobRun>,
}

/// What the mailbox of a durable actor knows beside its letters.
#[derive(Default)]
pub(super) struct Durable {
    /// The actor, while it is asleep.
    pub(super) away: Option<Box<Passive>>,
    /// Since when it has had nothing to do.
    idle_since: Option<Instant>,
    /// Whether it stands in the line of the idle.
    is_in_line: bool,
    /// It was told to be written down.
    shall_sleep: bool,
    /// Its state could not be written down since it last was idle.
    is_refused: bool,
    /// How often in a row that was so, with no call in between.
    refusals: u32,
}

impl Durable {
    /// Whether it has had nothing to do for long enough to be written down.
    fn is_due(&self, is_crowded: bool) -> bool {
        self.idle_since.is_some_and(|since| since.elapsed() >= pause(self.refusals, is_crowded))
    }
}

/// How long an actor is idle before it is written down. What could not be is tried again ever more seldom.
fn pause(refusals: u32, is_crowded: bool) -> Duration {
    if is_crowded && refusals == 0 {
        return Duration::ZERO;
    }
    limits::ACTOR_IDLE.saturating_mul(2_u32.saturating_pow(refusals)).min(limits::ACTOR_IDLE_MAX)
}

/// The durable actors that had nothing to do when somebody last looked, each once.
#[derive(Debug, Default)]
pub(crate) struct IdleActors(VecDeque<ActorId>);

impl IdleActors {
    pub(super) fn idles(&mut self, actor: ActorId, durable: &mut Durable) {
        durable.idle_since = Some(Instant::now());
        // A call may have changed what was in the way.
        let is_refused = std::mem::take(&mut durable.is_refused);
        durable.refusals = if is_refused { durable.refusals.saturating_add(1) } else { 0 };
        // What it was told before it had something to do again is out of date.
        durable.shall_sleep = false;
        if !std::mem::replace(&mut durable.is_in_line, true) {
            self.0.push_back(actor);
        }
    }
}

impl Node {
    /// Tells actors that have been idle for long to give their sandboxes back.
    pub(crate) fn put_idle_away(&self) {
        self.tell_idle(false);
    }

    /// Where places for instances are short, those that have been idle for the longest give theirs back.
    pub(super) fn make_room(&self) {
        if self.engine.is_crowded() {
            self.tell_idle(true);
        }
    }

    fn tell_idle(&self, is_crowded: bool) {
        // Who is short of a place waits for the lock meanwhile.
        let (told_max, passed_over_max) = if is_crowded {
            (limits::ACTORS_PUT_AWAY_AT_ONCE, limits::ACTORS_PASSED_OVER_MAX)
        } else {
            (usize::MAX, usize::MAX)
        };
        let mut state = self.lock();
        let (mut told, mut passed_over) = (0, 0);
        for _ in 0..state.idle_actors.0.len() {
            if told == told_max || passed_over == passed_over_max {
                break;
            }
            let Some(actor) = state.idle_actors.0.pop_front() else { break };
            let Some(mailbox) = state.mailboxes.get_mut(&actor) else { continue };
            let has_work = !mailbox.reach.letters.is_idle();
            let Some(durable) = &mut mailbox.durable else { continue };
            durable.is_in_line = false;
            if has_work {
                // It comes again when it has nothing to do.
            } else if durable.is_due(is_crowded) {
                durable.shall_sleep = true;
                mailbox.reach.arrived.notify_one();
                told += 1;
            } else {
                passed_over += 1;
                durable.is_in_line = true;
                state.idle_actors.0.push_back(actor);
            }
        }
    }

    /// Keeps an actor that was written down in its mailbox; it goes on at once when a letter has come meanwhile.
    pub(super) fn put_away(mut passive: Box<Passive>) {
        passive.life.backlog = Arc::clone(&passive.life.node.no_backlog);
        let node = Arc::clone(&passive.life.node);
        let mut after = After::default();
        {
            let mut state = node.lock();
            let mailbox = state.mailboxes.get_mut(&passive.life.spec.id);
            let mailbox = mailbox.filter(|mailbox| mailbox.incarnation == passive.life.incarnation);
            let has_work = |mailbox: &super::Mailbox| !mailbox.reach.letters.is_empty() || mailbox.stop.is_some();
            match mailbox {
                Some(mailbox) if !has_work(mailbox) && mailbox.durable.is_some() => {
                    mailbox.reach.letters.shrink();
                    if let Some(durable) = &mut mailbox.durable {
                        durable.away = Some(passive);
                    }
                }
                _ => after.revive.push(*passive),
            }
        }
        node.finish_up(after);
    }

    /// Lets an actor go on that was put away.
    pub(crate) fn revive(self: &Arc<Self>, passive: Passive) {
        let Passive { mut life, state, job } = passive;
        life.backlog = Arc::default();
        self.tracker.spawn_on(life.go_on(Body::Asleep(state), job), &self.guests);
    }

    /// Actors here that are asleep: written down, without a sandbox.
    #[must_use]
    pub fn actors_asleep(&self) -> usize {
        let state = self.lock();
        let durable = state.mailboxes.values().filter_map(|mailbox| mailbox.durable.as_ref());
        durable.filter(|durable| durable.away.is_some()).count()
    }
}

impl Life {
    /// Whether the actor was told to give its sandbox back and still has nothing to do.
    pub(super) fn is_to_sleep(&self) -> bool {
        if !self.reach.letters.is_empty() {
            // Most of the time, which is not worth the node's lock.
            return false;
        }
        let mut state = self.node.lock();
        let Some(mailbox) = state.mailboxes.get_mut(&self.spec.id) else { return false };
        let is_idle = mailbox.reach.letters.is_empty();
        mailbox.durable.as_mut().is_some_and(|durable| std::mem::take(&mut durable.shall_sleep)) && is_idle
    }

    /// The state of the actor; none when it cannot be written down now, and then it goes on.
    pub(super) async fn write_down(
        &self,
        instance: &mut Instance,
        job: &JobRun,
    ) -> Result<Option<Checkpoint>, ActorEnd> {
        let writing = instance.checkpoint(self.maker(job));
        let limit = Some(limits::ACTOR_STATE_TIME_MAX);
        let ended = self.node.until_stopped(&self.reach.stopper, limit, writing).await;
        self.take_in();
        match ended {
            Ended::Done(Ok(state)) => Ok(Some(state)),
            Ended::Done(Err(error)) if instance.is_usable() => {
                self.note_refusal();
                tracing::warn!(actor = %self.spec.id, class = %self.spec.class, %error, "an actor cannot be written down");
                Ok(None)
            }
            Ended::Done(Err(error)) => Err(ActorEnd::Crashed(self.explain("could not be written down", &error))),
            Ended::TimedOut(limit) => {
                Err(ActorEnd::Crashed(self.explain("could not be written down", &took_too_long(limit))))
            }
            Ended::Stopped => Err(self.stopped_end()),
        }
    }

    /// The state could not be written down, so that is tried more seldom until somebody calls.
    fn note_refusal(&self) {
        let mut state = self.node.lock();
        if let Some(durable) = state.mailboxes.get_mut(&self.spec.id).and_then(|mailbox| mailbox.durable.as_mut()) {
            durable.is_refused = true;
        }
    }

    /// Makes an instance anew for an actor that was asleep.
    pub(super) async fn awaken(&self, body: &mut Body, job: &JobRun) -> Result<(), ActorEnd> {
        let Body::Asleep(state) = body else { return Ok(()) };
        // It may take its time.
        self.take_in();
        let caller = self.maker(job);
        let stopper = &self.reach.stopper;
        // It may wait for a place as long as it takes to have one.
        let ended = match self.node.until_stopped(stopper, None, self.start(&caller, job)).await {
            Ended::Done(Ok(mut instance)) => {
                let restoring = async {
                    instance.restore(Arc::clone(&caller), &self.spec.class, state).await?;
                    Ok(instance)
                };
                self.node.until_stopped(stopper, Some(limits::ACTOR_STATE_TIME_MAX), restoring).await
            }
            not_started => not_started,
        };
        match ended {
            Ended::Done(Ok(instance)) => {
                // The instance has references of its own before those of what was written down go.
                self.take_in();
                *body = Body::Awake(Box::new(instance));
                Ok(())
            }
            Ended::Done(Err(error)) => Err(ActorEnd::Crashed(self.explain("could not be brought back", &error))),
            Ended::TimedOut(limit) => {
                Err(ActorEnd::Crashed(self.explain("could not be brought back", &took_too_long(limit))))
            }
            Ended::Stopped => Err(self.stopped_end()),
        }
    }

    fn explain(&self, what: &str, cause: &Error) -> Error {
        let message = format!("actor `{}` ({}) {what}", self.spec.class, self.spec.id);
        let mut error = Error::new(cause.kind, message).caused_by(&cause.message);
        error.causes.extend(cause.causes.iter().cloned());
        error.backtrace.clone_from(&cause.backtrace);
        error
    }
}

fn took_too_long(limit: Duration) -> Error {
    Error::new(ErrorKind::TaskTimeout, format!("it took longer than {limit:?}: make the state smaller"))
}

#[cfg(test)]
mod tests {
    use rayw_core::JobId;

    use super::super::{Mailbox, Reach};
    use super::*;

    #[test]
    fn refusals_count_until_somebody_calls() {
        let (mut line, mut durable) = (IdleActors::default(), Durable::default());
        let mut idles = |is_refused, durable: &mut Durable| {
            durable.is_refused = is_refused;
            line.idles(JobId::numbered(1).driver(1).into(), durable);
            durable.refusals
        };
        let counted = [true, true, false, true].map(|is_refused| idles(is_refused, &mut durable));
        assert_eq!(counted, [1, 2, 0, 1]);
    }

    #[test]
    fn what_cannot_be_written_down_is_tried_ever_more_seldom() {
        let pauses = [0, 1, 2, u32::MAX].map(|refusals| pause(refusals, false));
        let idle = limits::ACTOR_IDLE;
        assert_eq!(pauses, [idle, 2 * idle, 4 * idle, limits::ACTOR_IDLE_MAX]);
        assert_eq!([pause(0, true), pause(1, true)], [Duration::ZERO, 2 * idle]);
    }

    /// There may be a hundred thousand of them.
    #[test]
    fn what_is_kept_of_an_actor_that_sleeps_stays_small() {
        assert!(size_of::<Passive>() <= 160, "{}", size_of::<Passive>());
        // With the counts of its `Arc` this fills a place of 112 bytes.
        assert!(size_of::<Reach>() <= 96, "{}", size_of::<Reach>());
        assert!(size_of::<Mailbox>() <= 64, "{}", size_of::<Mailbox>());
    }
}
