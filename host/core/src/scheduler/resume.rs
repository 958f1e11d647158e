//! Blocked tasks that could go on: they have their cpus back ahead of all new work.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Outbox, Scheduler};
use crate::message::FromHead;
use crate::{LeaseId, Millis, Resources};

/// Leases whose blocked tasks want to go on, with how many: a line for each node, because what is free
/// elsewhere helps none of them.
#[derive(Debug, Default)]
pub(super) struct Resumes {
    by_node: BTreeMap<usize, VecDeque<(LeaseId, u32)>>,
    /// Nodes whose line is to be looked at.
    awake: BTreeSet<usize>,
}

impl Resumes {
    pub(super) fn is_empty(&self) -> bool {
        self.by_node.is_empty()
    }

    fn push(&mut self, node: usize, lease: LeaseId, slots: u32) {
        self.by_node.entry(node).or_default().push_back((lease, slots));
        self.awake.insert(node);
    }

    /// The node has more room, or its time has come.
    pub(super) fn look_at(&mut self, node: usize) {
        if self.by_node.contains_key(&node) {
            self.awake.insert(node);
        }
    }

    pub(super) fn look_at_all(&mut self) {
        self.awake.extend(self.by_node.keys());
    }

    /// No more than that many of a lease wait any more.
    pub(super) fn at_most(&mut self, node: usize, lease: LeaseId, left: u32) {
        let Some(waiting) = self.by_node.get_mut(&node) else { return };
        waiting.retain_mut(|(known, slots)| {
            *slots = if *known == lease { (*slots).min(left) } else { *slots };
            *slots > 0
        });
        if waiting.is_empty() {
            self.by_node.remove(&node);
        }
    }
}

impl Scheduler {
    pub(super) fn resume_wanted(&mut self, lease: LeaseId, slots: u32) {
        if let Some(known) = self.leases.get(&lease) {
            self.resumes.push(known.spot.node, lease, slots);
        }
    }

    pub(super) fn serve_resumes(&mut self, now: Millis, out: &mut Outbox) {
        if self.resumes.is_empty() {
            return;
        }
        for node in self.nodes.grown() {
            self.resumes.look_at(*node);
        }
        for node in std::mem::take(&mut self.resumes.awake) {
            let Some(mut waiting) = self.resumes.by_node.remove(&node) else { continue };
            let mut still_waiting = VecDeque::new();
            while let Some((id, wanted)) = waiting.pop_front() {
                let left = self.resume(id, wanted, now, out);
                if left > 0 {
                    still_waiting.push_back((id, left));
                }
            }
            if !still_waiting.is_empty() {
                self.resumes.by_node.insert(node, still_waiting);
            }
        }
    }

    /// Lets blocked tasks of a lease go on, and says how many still wait.
    fn resume(&mut self, id: LeaseId, wanted: u32, now: Millis, out: &mut Outbox) -> u32 {
        let Some(lease) = self.leases.get(&id) else { return 0 };
        let cpu = Resources::cpus(lease.shape.resources.cpu);
        let (owner, spot, wanted) = (lease.owner, lease.spot, wanted.min(lease.parked));
        let slots = self.room(spot).fits(&cpu).min(wanted);
        if slots > 0 {
            self.take(spot, &cpu, slots);
            self.change_lease(id, |lease| {
                lease.slots += slots;
                lease.parked -= slots;
                lease.granted_at = now;
            });
            out.push((owner, FromHead::SlotsResumed { lease: id, slots }));
        }
        if slots < wanted {
            // A blocked task goes ahead of new work, so it does not wait for a quantum to pass.
            self.reclaim_at(&[spot], &cpu, None, now, true, out);
        }
        wanted - slots
    }
}
