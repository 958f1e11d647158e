//! Who waits, in what order, and who of them is worth looking at.
//!
//! Demands of one job that want the same (resources, footprint, placement) stand in one *lane*: where
//! one of them finds no room, none does. A lane that found none *rests* until a node has more room
//! that could hold it, so a slot that comes back costs a look at those whom it could help.
//!
//! ```text
//! Awake ──refused──▶ Busy ⇄ Infeasible        any ──room, a node, a group──▶ Awake
//! ```
//!
//! The order is that of [`Scheduler`](super::Scheduler): who was passed too often, then the job that
//! holds least for its weight, then who came first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::holdings::Giver;
use super::{Demand, DemandKind};
use crate::message::Shape;
use crate::{ActorId, GroupId, IdMap, JobId, LabelSelector, Millis, NodeId, Placement, Resources, limits};

/// A place in the line; those that go ahead of all others are below 0.
pub(super) type Turn = i64;

/// What a job holds for its weight: who has less goes first.
pub(super) type Share = u128;

/// A lane, by its place in the table.
pub(super) type LaneId = usize;

/// What a demand wants: equal for all in one lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Want {
    /// A slot, an actor or a driver.
    Work {
        need: Arc<Resources>,
        footprint: Arc<Resources>,
        placement: Arc<Placement>,
    },
    Group(GroupId),
}

/// Which demand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Slots(NodeId, Shape),
    Actor(ActorId),
    Driver(JobId),
    Group(GroupId),
}

impl DemandKind {
    pub(super) fn who(&self) -> Who {
        match self {
            Self::Slots { owner, shape, .. } => Who::Slots(*owner, shape.clone()),
            Self::Actor(actor) => Who::Actor(*actor),
            Self::Driver(job) => Who::Driver(*job),
            Self::Group(group) => Who::Group(*group),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is to be looked at.
    Awake,
    /// Others use what it wants.
    Busy,
    /// No node is large enough.
    Infeasible,
}

/// Demands that find room, or find none, together.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) job: JobId,
    pub(super) want: Want,
    /// What it wants in all; of a group what it still lacks.
    pub(super) need: Arc<Resources>,
    /// A node that can hold none of these cannot help: the need itself, or a group's bundles.
    pub(super) pieces: Vec<Resources>,
    /// Labels that a node must have to help.
    pub(super) selector: LabelSelector,
    pub(super) demands: BTreeMap<Turn, Demand>,
    pub(super) rest: Rest,
    /// Why it waits, in words; for which rest and when that was found.
    pub(super) why: String,
    explains: Rest,
    pub(super) explained: Millis,
    /// Who has yet to hear why.
    untold: Vec<Turn>,
    /// Whether room is to be asked for when the line was served.
    is_asking: bool,
    /// The lease that was looked at last to make room, when there were more.
    pub(super) looked_until: Option<Giver>,
    /// How often it was passed, for one that stands ahead of all others.
    passed: u32,
    passed_in: u64,
}

/// The demands of one job.
#[derive(Debug, Default)]
struct JobLine {
    /// Lanes that are not infeasible, by the turn of their first.
    lanes: BTreeSet<(Turn, LaneId)>,
    /// Those that are.
    infeasible: BTreeSet<LaneId>,
    passes: Passes,
    /// What it holds for its weight.
    share: Share,
    /// Whether it is among those with a demand that goes first.
    is_passed: bool,
}

/// How far back others were served, in the rounds in which that was farthest.
///
/// A demand was passed once for each round in which somebody behind it was served, so it was passed
/// `DEMAND_PASSED_MAX` times when so many rounds went beyond its turn: only that many are kept.
#[derive(Debug, Default)]
struct Passes {
    /// Of earlier rounds, the farthest first.
    farthest: [Turn; limits::DEMAND_PASSED_MAX as usize],
    now: Turn,
    round: u64,
}

impl Passes {
    fn count(&mut self, up_to: Turn, round: u64) {
        if self.round != round {
            let place = self.farthest.partition_point(|turn| *turn >= self.now);
            if place < self.farthest.len() {
                self.farthest[place..].rotate_right(1);
                self.farthest[place] = self.now;
            }
            self.now = 0;
            self.round = round;
        }
        self.now = self.now.max(up_to);
    }

    /// Whoever has an earlier turn was passed too often.
    fn limit(&self) -> Turn {
        let [.., before_last, last] = self.farthest;
        // The round that is going on is one more.
        last.max(self.now.min(before_last))
    }
}

/// All demands.
#[derive(Debug, Default)]
pub(super) struct Line {
    lanes: Vec<Option<Lane>>,
    free: Vec<LaneId>,
    by_want: HashMap<(JobId, Want), LaneId>,
    by_who: HashMap<Who, (LaneId, Turn)>,
    jobs: IdMap<JobId, JobLine>,
    /// The jobs that wait for something, and those of them with a demand that goes first.
    by_share: BTreeSet<(Share, JobId)>,
    passed: BTreeSet<(Share, JobId)>,
    next: Turn,
    front: Turn,
    /// Counts rounds of service: one round counts once, however much it gives away.
    round: u64,
    awake: BTreeSet<LaneId>,
    /// Lanes that are to ask for room.
    asking: Vec<LaneId>,
    /// Lanes with somebody in them who has yet to hear why.
    untold: Vec<LaneId>,
    /// Lanes that are not infeasible, by the least cpus that could help them.
    least_cpu: BTreeMap<u64, usize>,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.by_who.is_empty()
    }

    /// Forgets all.
    #[cfg(test)]
    pub(super) fn clear(&mut self) {
        *self = Self { next: self.next, round: self.round, ..Self::default() };
    }

    pub(super) fn lane(&self, id: LaneId) -> Option<&Lane> {
        self.lanes.get(id)?.as_ref()
    }

    pub(super) fn lane_mut(&mut self, id: LaneId) -> Option<&mut Lane> {
        self.lanes.get_mut(id)?.as_mut()
    }

    /// All lanes.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (LaneId, &Lane)> {
        self.lanes.iter().enumerate().filter_map(|(id, lane)| Some((id, lane.as_ref()?)))
    }

    /// Which lane a demand stands in.
    pub(super) fn lane_of(&self, who: &Who) -> Option<LaneId> {
        self.by_who.get(who).map(|(lane, _)| *lane)
    }

    pub(super) fn demand_mut(&mut self, who: &Who) -> Option<&mut Demand> {
        let (lane, turn) = self.by_who.get(who)?;
        self.lanes.get_mut(*lane)?.as_mut()?.demands.get_mut(turn)
    }

    /// Puts a demand at the end; `lane` makes the one that it stands in where there is none.
    pub(super) fn push_back(&mut self, kind: DemandKind, job: JobId, want: Want, lane: impl FnOnce() -> Lane) {
        self.next += 1;
        self.push(self.next, kind, job, want, lane);
    }

    /// Puts a demand ahead of all others.
    pub(super) fn push_front(&mut self, kind: DemandKind, job: JobId, want: Want, lane: impl FnOnce() -> Lane) {
        self.front -= 1;
        self.push(self.front, kind, job, want, lane);
    }

    fn push(&mut self, turn: Turn, kind: DemandKind, job: JobId, want: Want, lane: impl FnOnce() -> Lane) {
        let who = kind.who();
        self.remove(&who);
        let key = (job, want);
        let id = match self.by_want.get(&key) {
            Some(id) => *id,
            None => {
                let lane = lane();
                *self.least_cpu.entry(lane.least_cpu()).or_default() += 1;
                let id = self.free.pop().unwrap_or_else(|| {
                    self.lanes.push(None);
                    self.lanes.len() - 1
                });
                self.lanes[id] = Some(lane);
                self.by_want.insert(key, id);
                self.awake.insert(id);
                id
            }
        };
        self.by_who.insert(who, (id, turn));
        self.change(id, |lane| {
            lane.demands.insert(turn, Demand { kind });
            lane.untold.push(turn);
        });
        self.untold.push(id);
        self.ask(id);
    }

    /// Changes who is in a lane, what could help it, or its rest; keeps its place in its job's line.
    fn change(&mut self, id: LaneId, change: impl FnOnce(&mut Lane)) {
        let Some(lane) = self.lanes.get_mut(id).and_then(Option::as_mut) else { return };
        let job_id = lane.job;
        let job = self.jobs.entry(job_id).or_default();
        if let Some((turn, _)) = lane.demands.first_key_value() {
            job.lanes.remove(&(*turn, id));
        }
        job.infeasible.remove(&id);
        let before = (lane.rest != Rest::Infeasible).then(|| lane.least_cpu());
        change(lane);
        let after = (lane.rest != Rest::Infeasible).then(|| lane.least_cpu());
        match lane.demands.first_key_value() {
            Some((turn, _)) if after.is_some() => {
                job.lanes.insert((*turn, id));
            }
            Some(_) => {
                job.infeasible.insert(id);
            }
            None => {}
        }
        let is_empty = lane.demands.is_empty();
        if before != after {
            self.discount_cpu(before);
            if let Some(cpu) = after {
                *self.least_cpu.entry(cpu).or_default() += 1;
            }
        }
        if is_empty {
            self.drop_lane(id);
        }
        self.settle(job_id);
    }

    /// Keeps a job's place among the others.
    fn settle(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let key = (job.share, id);
        if job.lanes.is_empty() && job.infeasible.is_empty() {
            self.jobs.remove(&id);
            self.by_share.remove(&key);
            self.passed.remove(&key);
            return;
        }
        let limit = job.passes.limit().max(0);
        let is_passed = job.lanes.first().is_some_and(|(turn, _)| *turn < limit);
        if is_passed != job.is_passed {
            job.is_passed = is_passed;
            if is_passed {
                self.passed.insert(key)
            } else {
                self.passed.remove(&key)
            };
        }
        self.by_share.insert(key);
    }

    /// Says what a job holds for its weight.
    pub(super) fn set_share(&mut self, id: JobId, share: Share) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.share != share) else { return };
        let before = (std::mem::replace(&mut job.share, share), id);
        if self.by_share.remove(&before) {
            self.by_share.insert((share, id));
        }
        if self.passed.remove(&before) {
            self.passed.insert((share, id));
        }
    }

    /// Whether more than one job waits for something.
    pub(super) fn is_contested(&self) -> bool {
        self.jobs.len() > 1
    }

    /// The job that holds least for its weight, of those after that one; only those with a demand that
    /// goes first, or all.
    pub(super) fn next_job(&self, only_passed: bool, after: Option<(Share, JobId)>) -> Option<(Share, JobId)> {
        let set = if only_passed { &self.passed } else { &self.by_share };
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        set.range((from, std::ops::Bound::Unbounded)).next().copied()
    }

    /// What could help a group's lane has changed.
    pub(super) fn set_need(&mut self, id: LaneId, need: Arc<Resources>, pieces: Vec<Resources>) {
        self.change(id, |lane| (lane.need, lane.pieces) = (need, pieces));
    }

    fn discount_cpu(&mut self, cpu: Option<u64>) {
        let Some(cpu) = cpu else { return };
        if let Some(count) = self.least_cpu.get_mut(&cpu) {
            *count -= 1;
            if *count == 0 {
                self.least_cpu.remove(&cpu);
            }
        }
    }

    fn drop_lane(&mut self, id: LaneId) {
        let Some(lane) = self.lanes[id].take() else { return };
        if lane.rest != Rest::Infeasible {
            self.discount_cpu(Some(lane.least_cpu()));
        }
        self.by_want.remove(&(lane.job, lane.want));
        self.awake.remove(&id);
        self.free.push(id);
    }

    /// Takes a demand out.
    pub(super) fn remove(&mut self, who: &Who) -> Option<DemandKind> {
        let (id, turn) = self.by_who.remove(who)?;
        let mut removed = None;
        self.change(id, |lane| removed = lane.demands.remove(&turn));
        removed.map(|demand| demand.kind)
    }

    /// Puts a demand that was served in part at the end.
    pub(super) fn move_to_end(&mut self, who: &Who) {
        let Some((id, turn)) = self.by_who.get_mut(who) else { return };
        self.next += 1;
        let (id, before, after) = (*id, std::mem::replace(turn, self.next), self.next);
        self.change(id, |lane| {
            if let Some(demand) = lane.demands.remove(&before) {
                lane.demands.insert(after, demand);
            }
            if lane.untold.contains(&before) {
                lane.untold.push(after);
            }
        });
    }

    /// Takes out all demands of which that is true.
    pub(super) fn remove_all(&mut self, is_over: impl Fn(&DemandKind) -> bool) {
        let demands = self.lanes().flat_map(|(_, lane)| lane.demands.values());
        let over: Vec<Who> = demands.filter(|demand| is_over(&demand.kind)).map(|demand| demand.kind.who()).collect();
        over.iter().for_each(|who| drop(self.remove(who)));
    }

    /// The lanes of a job that no node can serve, as nodes are now.
    pub(super) fn infeasible_of(&self, job: JobId) -> impl Iterator<Item = &Lane> {
        self.jobs.get(&job).into_iter().flat_map(|job| &job.infeasible).filter_map(|id| self.lane(*id))
    }

    fn lanes_of(&self, job: JobId) -> Vec<LaneId> {
        let Some(job) = self.jobs.get(&job) else { return Vec::new() };
        job.lanes.iter().map(|(_, lane)| *lane).chain(job.infeasible.iter().copied()).collect()
    }

    /// Takes out all demands of a job of which that is true.
    pub(super) fn remove_of_job(&mut self, job: JobId, is_over: impl Fn(&DemandKind) -> bool) {
        let lanes = self.lanes_of(job);
        let demands = lanes.iter().filter_map(|id| self.lane(*id)).flat_map(|lane| lane.demands.values());
        let over: Vec<Who> = demands.filter(|demand| is_over(&demand.kind)).map(|demand| demand.kind.who()).collect();
        over.iter().for_each(|who| drop(self.remove(who)));
    }

    /// Has all that a job waits for looked at again.
    pub(super) fn wake_job(&mut self, job: JobId) {
        self.lanes_of(job).into_iter().for_each(|id| self.wake(id));
    }

    /// The lane of a job that has the next turn after that one.
    pub(super) fn next_lane(&self, job: JobId, after: Option<(Turn, LaneId)>) -> Option<(Turn, LaneId)> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.jobs.get(&job)?.lanes.range((from, std::ops::Bound::Unbounded)).next().copied()
    }

    /// Demands of the job before this turn were passed too often, or stand ahead of all others.
    pub(super) fn limit(&self, job: JobId) -> Turn {
        self.jobs.get(&job).map_or(0, |job| job.passes.limit().max(0))
    }

    /// Whether those behind a lane wait for it when it finds no room.
    pub(super) fn holds_up(&self, id: LaneId, turn: Turn) -> bool {
        let Some(lane) = self.lane(id) else { return false };
        if turn < 0 { lane.passed >= limits::DEMAND_PASSED_MAX } else { turn < self.limit(lane.job) }
    }

    pub(super) fn begin_round(&mut self) {
        self.round += 1;
    }

    /// Somebody was served: those of its job before that turn were passed, and all of the jobs before it;
    /// of these only who stands ahead of all others where it was one who was passed too often himself.
    pub(super) fn count_passed(&mut self, before: &[JobId], job: JobId, turn: Turn, was_passed: bool) {
        let round = self.round;
        let all = if was_passed { 0 } else { self.next + 1 };
        for (id, up_to) in before.iter().map(|job| (*job, all)).chain([(job, turn)]) {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            job.passes.count(up_to, round);
            for (_, lane) in job.lanes.range(..(up_to.min(0), 0)) {
                if let Some(lane) = self.lanes[*lane].as_mut()
                    && lane.passed_in != round
                {
                    lane.passed_in = round;
                    lane.passed += 1;
                }
            }
            self.settle(id);
        }
    }

    /// Has a lane looked at again.
    pub(super) fn wake(&mut self, id: LaneId) {
        if self.lane(id).is_some_and(|lane| lane.rest != Rest::Awake) {
            self.change(id, |lane| lane.rest = Rest::Awake);
            self.awake.insert(id);
        }
    }

    /// Has all lanes looked at again of which that is true.
    pub(super) fn wake_all(&mut self, is_hit: impl Fn(&Lane) -> bool) {
        let hit: Vec<LaneId> = self.lanes().filter(|(_, lane)| is_hit(lane)).map(|(id, _)| id).collect();
        hit.into_iter().for_each(|id| self.wake(id));
    }

    /// A lane found no room: it rests.
    pub(super) fn rest(&mut self, id: LaneId, rest: Rest) {
        self.change(id, |lane| lane.rest = rest);
        self.awake.remove(&id);
        if self.lane(id).is_some_and(|lane| lane.explains != rest) {
            self.forget_why(id);
        }
        self.ask(id);
    }

    /// Why a lane waits is to be looked at again.
    pub(super) fn forget_why(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(id).and_then(Option::as_mut) {
            lane.explained = Millis::MAX;
            self.untold.push(id);
        }
    }

    /// A lane of which somebody has yet to hear why it waits.
    pub(super) fn take_untold(&mut self) -> Option<LaneId> {
        self.untold.pop()
    }

    /// Whether why a lane waits is not known.
    pub(super) fn is_unexplained(&self, id: LaneId) -> bool {
        self.lane(id).is_some_and(|lane| lane.why.is_empty() || lane.explained == Millis::MAX)
    }

    /// Why a lane waits. All in it are to be told when it is something new.
    pub(super) fn set_why(&mut self, id: LaneId, why: String, now: Millis) {
        let Some(lane) = self.lanes.get_mut(id).and_then(Option::as_mut) else { return };
        (lane.explains, lane.explained) = (lane.rest, now);
        if lane.why != why {
            lane.why = why;
            lane.untold = lane.demands.keys().copied().collect();
        }
    }

    /// Those of a lane who have yet to hear why they wait; with this they have.
    pub(super) fn take_untold_of(&mut self, id: LaneId) -> Vec<DemandKind> {
        let Some(lane) = self.lanes.get_mut(id).and_then(Option::as_mut) else { return Vec::new() };
        let untold = std::mem::take(&mut lane.untold);
        untold.iter().filter_map(|turn| lane.demands.get(turn)).map(|demand| demand.kind.clone()).collect()
    }

    /// Whether anybody is to be looked at whatever room there is.
    pub(super) fn has_awake(&self) -> bool {
        !self.awake.is_empty()
    }

    /// The least cpus that could help anybody.
    pub(super) fn least_cpu(&self) -> Option<u64> {
        self.least_cpu.keys().next().copied()
    }

    fn ask(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(id).and_then(Option::as_mut)
            && !lane.is_asking
        {
            lane.is_asking = true;
            self.asking.push(id);
        }
    }

    /// Has all that are busy ask for room.
    pub(super) fn ask_all(&mut self) {
        let busy: Vec<LaneId> =
            self.lanes().filter(|(_, lane)| lane.rest != Rest::Infeasible).map(|(id, _)| id).collect();
        busy.into_iter().for_each(|id| self.ask(id));
    }

    /// The lanes that are to ask for room, in the order of their first.
    pub(super) fn take_asking(&mut self) -> Vec<LaneId> {
        let mut asking = std::mem::take(&mut self.asking);
        asking.retain(|id| self.lanes[*id].as_mut().is_some_and(|lane| std::mem::take(&mut lane.is_asking)));
        asking.sort_by_key(|id| self.lanes[*id].as_ref().and_then(|lane| lane.demands.keys().next().copied()));
        asking
    }

    /// Whether the indexes say what the lanes say.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let mut least: BTreeMap<u64, usize> = BTreeMap::new();
        let mut count = 0;
        for (id, lane) in self.lanes() {
            assert_eq!(self.by_want.get(&(lane.job, lane.want.clone())), Some(&id));
            assert!(self.by_share.contains(&(self.jobs[&lane.job].share, lane.job)));
            let (first, _) = lane.demands.first_key_value().expect("no lane is empty");
            let job = &self.jobs[&lane.job];
            let is_infeasible = lane.rest == Rest::Infeasible;
            assert_eq!(job.lanes.contains(&(*first, id)), !is_infeasible);
            assert_eq!(job.infeasible.contains(&id), is_infeasible);
            assert_eq!(self.awake.contains(&id), lane.rest == Rest::Awake);
            if !is_infeasible {
                *least.entry(lane.least_cpu()).or_default() += 1;
            }
            for (turn, demand) in &lane.demands {
                assert_eq!(self.by_who.get(&demand.kind.who()), Some(&(id, *turn)));
                count += 1;
            }
        }
        assert_eq!((self.by_who.len(), &self.least_cpu), (count, &least));
        let listed: usize = self.jobs.values().map(|job| job.lanes.len() + job.infeasible.len()).sum();
        assert_eq!(listed, self.lanes().count());
        assert_eq!(self.by_share.len(), self.jobs.len());
        let passed = self.jobs.iter().filter(|(_, job)| job.is_passed).map(|(id, job)| (job.share, *id));
        assert_eq!(self.passed, passed.collect());
    }
}

impl Lane {
    pub(super) fn new(
        job: JobId,
        want: Want,
        need: Arc<Resources>,
        pieces: Vec<Resources>,
        selector: LabelSelector,
    ) -> Self {
        Self {
            job,
            want,
            need,
            pieces,
            selector,
            demands: BTreeMap::new(),
            rest: Rest::Awake,
            why: String::new(),
            explains: Rest::Awake,
            explained: 0,
            untold: Vec::new(),
            is_asking: false,
            looked_until: None,
            passed: 0,
            passed_in: 0,
        }
    }

    fn least_cpu(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.cpu.0).min().unwrap_or(0)
    }
}
