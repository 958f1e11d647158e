//! What a node tells a head that is new: that it is there, and all that it holds.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use rayw_core::JobId;
use rayw_core::message::ToHead;

use crate::Node;
use crate::node::State;

impl Node {
    /// Tells the head that the node is there.
    pub fn join(self: &Arc<Self>) {
        self.join_again(Vec::new());
    }

    /// Tells a head that is new that the node is there, and all that it holds. `unheard` is what the former
    /// head did not confirm of what no report contains.
    pub fn join_again(self: &Arc<Self>, unheard: Vec<ToHead>) {
        {
            // Under the lock: an actor or a driver that ends meanwhile says so behind the report.
            let mut state = self.lock();
            self.head.send(ToHead::NodeJoined {
                node: self.id,
                at: self.at.clone(),
                total: self.total.clone(),
                labels: self.labels.clone(),
            });
            let mut report = Vec::from_iter(self.jobs_known());
            report.extend(self.drivers_here());
            report.extend(state.ownership.report());
            report.extend(self.lives(&state));
            report.extend(unheard);
            report.extend(self.jobs_asked());
            report.extend(state.asked.open().cloned());
            report.push(ToHead::ReportEnded { node: self.id });
            report.into_iter().for_each(|message| self.head.send(message));
        }
        self.is_new_to_head.store(true, Ordering::Relaxed);
        self.head.flush();
    }

    /// Jobs that may be over without this node having heard it.
    fn jobs_known(&self) -> Option<ToHead> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        let jobs: Vec<JobId> =
            jobs.iter().filter(|(_, job)| !job.is_over.load(Ordering::Relaxed)).map(|(id, _)| *id).collect();
        (!jobs.is_empty()).then_some(ToHead::JobsKnown { node: self.id, jobs })
    }

    fn drivers_here(&self) -> Vec<ToHead> {
        let drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
        let started = drivers.values().map(|(spec, _)| ToHead::JobStarted { spec: Arc::clone(spec), node: self.id });
        started.collect()
    }

    /// The actors that live here, and those whose end is about to be told.
    fn lives(&self, state: &State) -> Vec<ToHead> {
        let lives = state.mailboxes.iter().map(|(actor, mailbox)| (*actor, mailbox.incarnation(), mailbox.is_ready()));
        let ending = state.ending.iter().map(|(actor, incarnation)| (*actor, *incarnation, true));
        let lives = lives.chain(ending).map(|(actor, incarnation, is_ready)| ToHead::ActorLives {
            actor,
            incarnation,
            node: self.id,
            is_ready,
        });
        lives.collect()
    }
}
