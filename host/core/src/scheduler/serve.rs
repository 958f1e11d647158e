//! Service: what is free goes to those who wait.
//!
//! After each message the line is gone along as far as somebody in it could be helped: until no node
//! that has more room than before could hold anybody, and nobody is left that was never looked at.

use std::sync::Arc;

use super::held::Held;
use super::line::{Lane, LaneId, Rest, Turn, Want};
use super::places::Look;
use super::rooms::Room;
use super::spot::{Refusal, Wish};
use super::{DemandKind, Outbox, Scheduler};
use crate::message::FromHead;
use crate::{Error, ErrorKind, GroupId, JobFailure, JobId, Millis, NodeId, Resources, Strategy, limits};

/// How far one walk along the line has come.
struct Walk {
    /// Nodes that have more room than when the line was last served.
    grown: Vec<usize>,
    /// What those keep who hold up others.
    held: Vec<Held>,
    /// Lanes that may hold up others as well. What they keep is found out when somebody comes who wants some
    /// of what they lack: most who come do not.
    holders: Vec<LaneId>,
    /// All that those lack.
    lacking: Resources,
    /// Jobs whose demands stand ahead of the one looked at.
    before: Vec<JobId>,
    /// What will never be served, and why.
    refused: Vec<(DemandKind, Error)>,
    is_contested: bool,
}

/// What became of the first of a lane.
enum Step {
    /// It was served.
    Served,
    /// It will never be.
    Refused,
    /// It waits, and all of its lane with it.
    Waits,
}

impl Scheduler {
    /// Puts a demand into the line.
    pub(super) fn demand(&mut self, kind: DemandKind, is_first: bool) {
        let Some((job, want)) = self.want_of(&kind) else { return };
        let share = self.share(job);
        let (need, pieces, selector) = match &want {
            Want::Work { need, placement, .. } => {
                (Arc::clone(need), vec![need.as_ref().clone()], placement.selector.clone())
            }
            Want::Group(id) => {
                let (need, pieces) = self.group_need(*id);
                (Arc::new(need), pieces, self.group_selector(*id))
            }
        };
        let lane = {
            let want = want.clone();
            move || Lane::new(job, want, need, pieces, selector)
        };
        if is_first {
            self.demands.push_front(kind, job, want, lane);
        } else {
            self.demands.push_back(kind, job, want, lane);
        }
        self.demands.set_share(job, share);
    }

    fn want_of(&self, kind: &DemandKind) -> Option<(JobId, Want)> {
        Some(match kind {
            DemandKind::Slots { shape, .. } => {
                let need = Arc::clone(&shape.resources);
                let (footprint, placement) = (Arc::clone(&need), Arc::clone(&shape.placement));
                (shape.job, Want::Work { need, footprint, placement })
            }
            DemandKind::Actor(id) => {
                let spec = &self.actors.get(id)?.spec;
                let (need, footprint) = (Arc::clone(&spec.lifetime), Arc::clone(&spec.placement));
                let placement = Arc::clone(&spec.creation.placement);
                (spec.creation.job, Want::Work { need, footprint, placement })
            }
            DemandKind::Driver(id) => {
                let spec = &self.jobs.get(id)?.spec;
                let need = Arc::clone(&spec.resources);
                let (footprint, placement) = (Arc::clone(&need), Arc::clone(&spec.placement));
                (*id, Want::Work { need, footprint, placement })
            }
            DemandKind::Group(id) => (self.groups.get(id)?.spec.job, Want::Group(*id)),
        })
    }

    /// Gives what is free to those who wait: first to blocked tasks, then along the line.
    pub(super) fn serve(&mut self, now: Millis, out: &mut Outbox) {
        self.granted.clear();
        if self.away > 0 {
            return self.tell_all_wait(now, out);
        }
        self.serve_resumes(now, out);
        self.serve_draining(now, out);
        if std::mem::replace(&mut self.served_generation, self.nodes.generation()) != self.nodes.generation() {
            // Who is too large now may not have been before, and the other way round.
            self.demands.wake_all(|_| true);
        }
        self.demands.begin_round();
        self.serve_line(now, out);
        self.ask_for_room(now, out);
        self.explain_to_newcomers(now, out);
    }

    fn serve_line(&mut self, now: Millis, out: &mut Outbox) {
        let mut grown = self.nodes.take_grown();
        loop {
            let mut walk = Walk {
                grown,
                held: Vec::new(),
                holders: Vec::new(),
                lacking: Resources::default(),
                before: Vec::new(),
                refused: Vec::new(),
                is_contested: self.demands.is_contested(),
            };
            // In turns where several jobs wait; and a new group's bundles may help those before it.
            let again = self.walk(&mut walk, now, out);
            let refused = std::mem::take(&mut walk.refused);
            // What ends with them may be what others wait for.
            let again = again || !refused.is_empty();
            for (demand, error) in refused {
                self.refuse(demand, error, now, out);
            }
            grown = if again { walk.grown } else { Vec::new() };
            for index in self.nodes.take_grown() {
                self.resumes.look_at(index);
                if !grown.contains(&index) {
                    grown.push(index);
                }
            }
            if !again && grown.is_empty() {
                return;
            }
        }
    }

    /// Goes along the line once. Whether it is worth to go again.
    fn walk(&mut self, walk: &mut Walk, now: Millis, out: &mut Outbox) -> bool {
        let mut again = false;
        if !self.can_help(walk) {
            return false;
        }
        for only_passed in [true, false] {
            walk.before.clear();
            let mut job = self.demands.next_job(only_passed, None);
            while let Some((share, id)) = job {
                // Those that were passed too often go first, of all jobs.
                let limit = self.demands.limit(id);
                let mut after = (!only_passed).then_some((limit - 1, LaneId::MAX));
                while let Some((turn, lane)) = self.demands.next_lane(id, after) {
                    if only_passed && turn >= limit {
                        break;
                    }
                    match self.look_at(lane, turn, walk, &mut again, now, out) {
                        Step::Served => {
                            self.demands.count_passed(&walk.before, id, turn, only_passed);
                            if walk.is_contested {
                                return true;
                            }
                        }
                        Step::Refused => {}
                        Step::Waits => {
                            after = Some((turn, lane));
                            continue;
                        }
                    }
                    if !self.can_help(walk) {
                        return again;
                    }
                }
                walk.before.push(id);
                job = self.demands.next_job(only_passed, Some((share, id)));
            }
        }
        again
    }

    /// Whether somebody is yet to be looked at, or could have use for what has become free.
    fn can_help(&self, walk: &mut Walk) -> bool {
        let Some(least) = self.demands.least_cpu() else { return self.demands.has_awake() };
        walk.grown.retain(|index| self.nodes[*index].is_open() && self.nodes[*index].available.cpu.0 >= least);
        !walk.grown.is_empty() || self.demands.has_awake()
    }

    /// Serves the first of a lane, if it can be.
    fn look_at(
        &mut self,
        id: LaneId,
        turn: Turn,
        walk: &mut Walk,
        again: &mut bool,
        now: Millis,
        out: &mut Outbox,
    ) -> Step {
        let Some(lane) = self.demands.lane(id) else { return Step::Waits };
        let is_hopeful = lane.rest == Rest::Awake || walk.grown.iter().any(|index| self.could_help(lane, *index));
        let may_hold_up = lane.rest == Rest::Busy && self.demands.holds_up(id, turn);
        if !is_hopeful && !may_hold_up {
            return Step::Waits;
        }
        if !is_hopeful {
            walk.lacking.cover(&lane.need);
            walk.holders.push(id);
            return Step::Waits;
        }
        if walk.lacking.overlaps(&lane.need) {
            self.hold_up(walk);
        }
        if self.is_held_up(id, walk) {
            // What has become free is not looked at again, so this lane must be.
            self.demands.wake(id);
            return Step::Waits;
        }
        let Some(lane) = self.demands.lane(id) else { return Step::Waits };
        let Some(kind) = lane.demands.get(&turn).map(|demand| demand.kind.clone()) else { return Step::Waits };
        let (job, who) = (lane.job, kind.who());
        let served = match &kind {
            DemandKind::Slots { owner, shape, backlog } => {
                let wanted = if walk.is_contested && !shape.resources.is_empty() { 1 } else { *backlog };
                self.grant(*owner, shape, wanted, now, out).map(|granted| {
                    granted == *backlog || {
                        if let Some(demand) = self.demands.demand_mut(&who)
                            && let DemandKind::Slots { backlog, .. } = &mut demand.kind
                        {
                            *backlog -= granted;
                        }
                        false
                    }
                })
            }
            DemandKind::Actor(actor) => self.place_actor(*actor, out),
            DemandKind::Driver(job) => self.place_driver(*job, out),
            DemandKind::Group(group) => self.place_group(*group, out).inspect(|_| {
                // Those who wait for its bundles may stand before it.
                *again = true;
                self.wake_group(*group);
            }),
        };
        let refusal = match served {
            Ok(is_done) => {
                if is_done {
                    self.demands.remove(&who);
                } else {
                    self.demands.move_to_end(&who);
                }
                return Step::Served;
            }
            Err(Refusal::Never(error)) => Err(error),
            Err(Refusal::Infeasible) if self.jobs.get(&job).is_some_and(|job| job.spec.fail_if_infeasible) => {
                Err(Error::new(ErrorKind::Unschedulable, self.explain(&kind)))
            }
            Err(Refusal::Infeasible) => Ok(Rest::Infeasible),
            Err(Refusal::Busy) => Ok(Rest::Busy),
        };
        match refusal {
            Err(error) => {
                self.demands.remove(&who);
                walk.refused.push((kind, error));
                Step::Refused
            }
            Ok(rest) => {
                if rest == Rest::Busy
                    && self.demands.holds_up(id, turn)
                    && let Some(lane) = self.demands.lane(id)
                {
                    walk.lacking.cover(&lane.need);
                    walk.holders.push(id);
                }
                let has_changed = self.demands.lane(id).is_some_and(|lane| lane.rest != rest);
                if has_changed {
                    self.demands.rest(id, rest);
                }
                Step::Waits
            }
        }
    }

    /// Whether somebody ahead keeps what a lane could take.
    fn is_held_up(&mut self, id: LaneId, walk: &Walk) -> bool {
        let Some(lane) = self.demands.lane(id) else { return false };
        if !walk.held.iter().any(|held| held.overlaps(&lane.need)) {
            return false;
        }
        let (want, pieces) = (lane.want.clone(), lane.pieces.clone());
        walk.held.iter().any(|held| self.is_kept_from(held, &want, &pieces))
    }

    /// Lanes that were passed too often find no room: those behind them wait too. What was served since they
    /// were come by takes nothing of what they lack, so that it is the same now as it was then.
    fn hold_up(&mut self, walk: &mut Walk) {
        walk.lacking = Resources::default();
        for id in std::mem::take(&mut walk.holders) {
            if self.is_held_up(id, walk) {
                continue;
            }
            let Some(lane) = self.demands.lane(id) else { continue };
            let (want, need) = (lane.want.clone(), Arc::clone(&lane.need));
            let held = self.hold(&want, &need);
            if !walk.held.iter().any(|known| known.includes(&held)) {
                walk.held.push(held);
            }
        }
    }

    /// Whether what a node has free could be of use to a lane; that it is said of one that turns out to
    /// have no use does no harm.
    fn could_help(&self, lane: &Lane, index: usize) -> bool {
        let node = &self.nodes[index];
        if !node.is_open() {
            return false;
        }
        let fits = match &lane.want {
            Want::Group(_) => lane.pieces.iter().any(|piece| node.available.fits(piece) > 0),
            Want::Work { need, footprint, placement } => {
                let is_meant = match &placement.strategy {
                    Strategy::Group { .. } => false,
                    Strategy::NodeAffinity { node: wanted, soft: false } => *wanted == node.id,
                    Strategy::NodeAffinity { .. } | Strategy::Default | Strategy::Spread => true,
                };
                let (room, selector) = (Room::Free, &lane.selector);
                is_meant && node.holds(&Look { room, need, footprint, selector })
            }
        };
        fits && lane.selector.matches(&node.labels)
    }

    /// Has those looked at again who wait for a group.
    pub(super) fn wake_group(&mut self, id: GroupId) {
        self.demands.wake_all(|lane| match &lane.want {
            Want::Work { placement, .. } => {
                matches!(placement.strategy, Strategy::Group { group, .. } if group == id)
            }
            Want::Group(group) => *group == id,
        });
    }

    /// A demand that will never be met: who wants it is told.
    fn refuse(&mut self, demand: DemandKind, error: Error, now: Millis, out: &mut Outbox) {
        match demand {
            DemandKind::Slots { owner, shape, .. } => out.push((owner, FromHead::ShapeFailed { shape, error })),
            DemandKind::Actor(actor) => self.actor_unschedulable(actor, &error, out),
            DemandKind::Driver(job) => {
                let message = format!("the driver cannot be placed: {error}");
                self.fail_job(job, JobFailure::Unschedulable, message, now, out);
            }
            DemandKind::Group(group) => self.group_remove(group, &error.message, out),
        }
    }

    /// Tells those why they wait who have not heard it yet.
    fn explain_to_newcomers(&mut self, now: Millis, out: &mut Outbox) {
        while let Some(id) = self.demands.take_untold() {
            self.explain_lane(id, now, out);
        }
    }

    /// Looks again why lanes rest whose reason is older than [`limits::EXPLAIN_PERIOD`].
    pub(super) fn explain_again(&mut self, now: Millis, out: &mut Outbox) {
        let period = limits::EXPLAIN_PERIOD.as_millis().try_into().unwrap_or(Millis::MAX);
        let old: Vec<LaneId> = self
            .demands
            .lanes()
            .filter(|(_, lane)| lane.rest != Rest::Awake && now.saturating_sub(lane.explained) >= period)
            .map(|(id, _)| id)
            .collect();
        for id in old {
            self.demands.forget_why(id);
            self.explain_lane(id, now, out);
        }
    }

    fn explain_lane(&mut self, id: LaneId, now: Millis, out: &mut Outbox) {
        let Some(lane) = self.demands.lane(id) else { return };
        let Some(first) = lane.demands.values().next().map(|demand| demand.kind.clone()) else { return };
        if self.demands.is_unexplained(id) {
            let why = if lane.rest == Rest::Awake { held_up_words() } else { self.explain(&first) };
            self.demands.set_why(id, why, now);
        }
        let Some(why) = self.demands.lane(id).map(|lane| lane.why.clone()) else { return };
        for kind in self.demands.take_untold_of(id) {
            self.tell_why(&kind, why.clone(), out);
        }
    }

    pub(super) fn tell_why(&mut self, kind: &DemandKind, why: String, out: &mut Outbox) {
        match kind {
            DemandKind::Slots { owner, shape, .. } => {
                out.push((*owner, FromHead::LeasePending { shape: shape.clone(), why }));
            }
            DemandKind::Actor(actor) => self.tell_actor_why(*actor, why, out),
            DemandKind::Group(group) => self.tell_group_why(*group, why, out),
            DemandKind::Driver(job) => {
                if let Some(job) = self.jobs.passing(job) {
                    job.message = why;
                }
            }
        }
    }

    /// Why a demand finds no room now, in words.
    fn explain(&mut self, kind: &DemandKind) -> String {
        let Some((_, want)) = self.want_of(kind) else { return String::new() };
        match want {
            Want::Group(group) => self.explain_group(group),
            Want::Work { need, footprint, placement } => {
                let (near, by) = (None, NodeId([0; 16]));
                let wish = Wish { need: &need, footprint: &footprint, placement: &placement, near, by };
                self.explain_wish(&wish)
            }
        }
    }
}

fn held_up_words() -> String {
    "waits behind others that were passed over too often".to_owned()
}
