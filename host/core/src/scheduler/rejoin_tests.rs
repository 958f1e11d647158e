//! Cases of a head that is killed and started again from its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::cluster_tests::{A, B, C, free, join, messages, on, placed_actor, tell, want};
use super::tests::{actor, cpus, granted, shape};
use super::{Change, Key, Outbox, Record, Scheduler};
use crate::message::{ActorChange, ActorEnd, FromHead, NodeAddress, RequestId, ToHead};
use crate::{
    ActorId, ActorSpec, BundleSpec, ComponentDigest, Error, ErrorKind, GroupId, GroupSpec, GroupState, GroupStrategy,
    JobId, JobSpec, JobState, LabelSelector, LeaseId, NodeId, Strategy as Where,
};

/// A head and its journal.
struct Life {
    head: Scheduler,
    journal: BTreeMap<Key, Record>,
}

impl Life {
    fn new() -> Self {
        let mut life = Self { head: Scheduler::restore([]), journal: BTreeMap::new() };
        life.head.begin(0, &mut Outbox::new());
        life.keep();
        life
    }

    /// A head on node A, and node B.
    fn pair() -> Self {
        let mut life = Self::new();
        life.tell(joined(A, 2));
        life.tell(joined(B, 2));
        life
    }

    fn keep(&mut self) {
        for Change { key, record } in self.head.take_changes() {
            match record {
                Some(record) => drop(self.journal.insert(key, record)),
                None => drop(self.journal.remove(&key)),
            }
        }
    }

    fn tell(&mut self, message: ToHead) -> Outbox {
        let out = tell(&mut self.head, message);
        self.keep();
        out
    }

    /// Kills the head and starts it again. What the new one says first.
    fn restart(&mut self) -> Outbox {
        let mut out = Outbox::new();
        self.head = Scheduler::restore(self.journal.values().cloned());
        self.head.begin(0, &mut out);
        self.keep();
        out
    }

    fn tick(&mut self, now: u64) -> Outbox {
        let mut out = Outbox::new();
        self.head.tick(now, &mut out);
        self.keep();
        out
    }

    /// A node reports, and says these things of what it holds.
    fn report(&mut self, node: NodeId, said: impl IntoIterator<Item = ToHead>) -> Outbox {
        let mut out = self.tell(joined(node, 2));
        for message in said {
            out.extend(self.tell(message));
        }
        out.extend(self.tell(ToHead::ReportEnded { node }));
        out
    }

    fn actor_state(&self, id: ActorId) -> String {
        let rows = self.head.actor_rows();
        rows.iter().find(|row| row.actor_id == id.to_string()).map(|row| row.state.clone()).unwrap_or_default()
    }
}

/// Only node A is in the head's process.
fn joined(node: NodeId, units: u64) -> ToHead {
    let at = NodeAddress { address: format!("{node}:1"), name: String::new(), is_head_node: node == A };
    ToHead::NodeJoined { node, at, total: cpus(units), labels: crate::Labels::new() }
}

fn registers(owner: NodeId, spec: &Arc<ActorSpec>) -> ToHead {
    ToHead::ActorRegister { owner, request: None, spec: Arc::clone(spec), get_if_exists: true }
}

fn creates(owner: NodeId, spec: &Arc<ActorSpec>) -> ToHead {
    ToHead::ActorRegister { owner, request: None, spec: Arc::clone(spec), get_if_exists: false }
}

fn is_ready(spec: &ActorSpec) -> ToHead {
    ToHead::ActorDependenciesReady { actor: spec.id, inputs: Some(Vec::new()), failed: None }
}

fn lives(spec: &ActorSpec, incarnation: u32, node: NodeId) -> ToHead {
    ToHead::ActorLives { actor: spec.id, incarnation, node, is_ready: true }
}

fn started(out: &[(NodeId, FromHead)]) -> Vec<(NodeId, u32)> {
    let started = out.iter().filter_map(|(to, message)| match message {
        FromHead::ActorStart { incarnation, .. } => Some((*to, *incarnation)),
        _ => None,
    });
    started.collect()
}

fn soft(node: NodeId) -> Arc<crate::Placement> {
    on(Where::NodeAffinity { node, soft: true })
}

fn job(number: u32, name: &str) -> Arc<JobSpec> {
    let mut spec = JobSpec::new(JobId::numbered(number), ComponentDigest([0; 32]), "app.wasm", "n");
    spec.submission_id = Arc::from(name);
    Arc::new(spec)
}

fn bundle(units: u64) -> BundleSpec {
    BundleSpec { resources: cpus(units), selector: LabelSelector::default() }
}

fn group(number: u64, name: Option<&str>, bundles: &[u64]) -> Arc<GroupSpec> {
    let creator = JobId::numbered(1).driver(0);
    Arc::new(GroupSpec {
        id: GroupId::from(creator.child(1_000 + number)),
        name: name.map(Arc::from),
        namespace: Arc::from("n"),
        strategy: GroupStrategy::Pack,
        bundles: bundles.iter().map(|units| bundle(*units)).collect(),
        detached: true,
        job: JobId::numbered(1),
        creator,
    })
}

/// Lets an actor live on the node.
fn live(life: &mut Life, owner: NodeId, spec: &Arc<ActorSpec>) -> NodeId {
    life.tell(creates(owner, spec));
    let out = life.tell(is_ready(spec));
    life.tell(ToHead::ActorReady { actor: spec.id, incarnation: 0 });
    started(&out)[0].0
}

#[test]
fn what_ran_in_the_heads_own_process_is_over() {
    let mut life = Life::pair();
    let spec = job(life.head.next_job().0[3].into(), "mine");
    life.tell(ToHead::JobSubmitted { spec: Arc::clone(&spec) });
    life.tell(ToHead::JobStarted { spec: Arc::clone(&spec), node: A });
    life.restart();
    let row = life.head.job_row("mine").unwrap();
    assert_eq!(row.status, "FAILED");
    assert!(
        row.message.contains("in the process of the head, which was started again): submit the job again"),
        "{row:?}"
    );
    let known = ToHead::JobsKnown { node: B, jobs: vec![spec.id] };
    let out = life.report(B, [ToHead::PeersKnown { node: B, peers: vec![A] }, known]);
    assert!(out.iter().any(|(to, m)| *to == B && matches!(m, FromHead::NodeDied { node: A, .. })), "{out:?}");
    assert!(
        out.iter().any(|(to, m)| *to == B && matches!(m, FromHead::JobEnded { job } if *job == spec.id)),
        "{out:?}"
    );
}

#[test]
fn jobs_keep_their_numbers_names_and_ends() {
    let mut life = Life::pair();
    let first = life.head.next_job();
    life.tell(ToHead::JobSubmitted { spec: job(1, "once") });
    life.tell(ToHead::JobEnded { job: first, state: JobState::Failed, exit_code: Some(3), message: "m".to_owned() });
    let before = life.head.job_row("once").unwrap();
    life.restart();
    assert_eq!(life.head.job_row("once").unwrap(), before);
    assert_eq!(life.head.next_job(), JobId::numbered(2));
    life.head.forget_job(first).unwrap();
    life.keep();
    life.restart();
    assert_eq!((life.head.job_id("once"), life.head.next_job()), (None, JobId::numbered(3)));
}

#[test]
fn a_driver_that_goes_on_elsewhere_goes_on() {
    let mut life = Life::pair();
    let spec = job(1, "far");
    life.tell(ToHead::JobStarted { spec: Arc::clone(&spec), node: B });
    life.restart();
    life.report(B, [ToHead::JobStarted { spec, node: B }]);
    assert_eq!(life.head.job_row("far").unwrap().status, "RUNNING");
}

#[test]
fn a_driver_that_its_node_does_not_run_any_more_has_failed() {
    let mut life = Life::pair();
    life.tell(ToHead::JobStarted { spec: job(1, "far"), node: B });
    life.restart();
    life.report(B, []);
    let row = life.head.job_row("far").unwrap();
    assert!(row.status == "FAILED" && row.message.contains("did not say how it ended"), "{row:?}");
}

#[test]
fn a_driver_whose_start_was_lost_with_the_head_starts() {
    let mut life = Life::new();
    life.tell(joined(B, 2));
    let out = life.tell(ToHead::JobSubmitted { spec: job(1, "lost") });
    assert!(matches!(out.as_slice(), [(B, FromHead::DriverStart { .. })]), "{out:?}");
    life.restart();
    let out = life.report(B, []);
    assert!(out.iter().any(|(to, m)| *to == B && matches!(m, FromHead::DriverStart { .. })), "{out:?}");
}

#[test]
fn a_job_that_is_being_stopped_is_stopped() {
    let mut life = Life::pair();
    let spec = job(1, "far");
    life.tell(ToHead::JobStarted { spec: Arc::clone(&spec), node: B });
    life.tell(ToHead::JobStop { job: spec.id });
    life.restart();
    let out = life.report(B, [ToHead::JobStarted { spec, node: B }]);
    assert!(out.iter().any(|(to, m)| *to == B && matches!(m, FromHead::DriverStop { .. })), "{out:?}");
}

#[test]
fn who_asks_for_an_actor_while_its_node_reports_is_told_that_it_lives() {
    let mut life = Life::pair();
    life.tell(joined(C, 2));
    let spec = placed_actor(1, soft(C), 0, true);
    assert_eq!(live(&mut life, B, &spec), C);
    life.restart();
    life.tell(joined(B, 2));
    life.tell(joined(C, 2));
    life.tell(lives(&spec, 0, C));
    // All who had asked by then were told, and the end of the report is told to nobody.
    let out = life.tell(ToHead::ActorWatch { node: B, actor: spec.id, owner: B });
    let is_alive = |message: &FromHead| matches!(message, FromHead::ActorChanged { change: ActorChange::Alive { node, .. }, .. } if *node == C);
    assert!(out.iter().any(|(_, message)| is_alive(message)), "{out:?}");
}

#[test]
fn an_actor_is_found_where_the_journal_and_its_node_say() {
    let mut life = Life::pair();
    let spec = placed_actor(1, soft(B), 0, true);
    assert_eq!(live(&mut life, B, &spec), B);
    life.restart();
    let out = life.tell(ToHead::ActorWatch { node: B, actor: spec.id, owner: B });
    assert!(
        matches!(out.as_slice(), [(B, FromHead::ActorChanged { change: ActorChange::Pending { why }, .. })] if why.contains("has yet to report")),
        "{out:?}"
    );
    let out = life.report(B, [registers(B, &spec), lives(&spec, 0, B)]);
    assert!(started(&out).is_empty(), "{out:?}");
    assert!(out.iter().any(|(_, m)| matches!(
        m,
        FromHead::ActorChanged { change: ActorChange::Alive { node: B, incarnation: 0 }, .. }
    )));
    assert_eq!((life.actor_state(spec.id).as_str(), free(&life.head, B).as_str()), ("ALIVE", "{'CPU': 1}"));
}

#[test]
fn an_actor_that_its_node_does_not_report_crashed() {
    let mut life = Life::pair();
    let (again, once) = (placed_actor(1, soft(B), 1, true), placed_actor(2, soft(B), 0, true));
    live(&mut life, B, &again);
    live(&mut life, B, &once);
    life.restart();
    let out = life.report(B, [registers(B, &again), registers(B, &once)]);
    assert_eq!(started(&out), [(B, 1)]);
    assert_eq!(life.actor_state(once.id), "DEAD");
}

#[test]
fn an_actor_whose_start_was_lost_with_the_head_starts_without_a_charge() {
    let mut life = Life::pair();
    let spec = placed_actor(1, soft(B), 0, true);
    life.tell(creates(B, &spec));
    assert_eq!(started(&life.tell(is_ready(&spec))), [(B, 0)]);
    life.restart();
    let out = life.report(B, [registers(B, &spec), is_ready(&spec)]);
    assert_eq!(started(&out), [(B, 0)]);
}

#[test]
fn an_actor_that_waited_for_room_is_made_after_the_restart() {
    let mut life = Life::new();
    life.tell(joined(B, 2));
    let (large, waits) = (placed_actor(1, soft(B), 0, false), placed_actor(2, soft(B), 0, false));
    let large = Arc::new(ActorSpec { lifetime: Arc::new(cpus(2)), ..large.as_ref().clone() });
    live(&mut life, B, &large);
    life.tell(creates(B, &waits));
    assert!(started(&life.tell(is_ready(&waits))).is_empty());
    life.restart();
    let said = [registers(B, &large), registers(B, &waits), is_ready(&waits), lives(&large, 0, B)];
    assert!(started(&life.report(B, said)).is_empty());
    let end = ActorEnd::Intended(Error::new(ErrorKind::ActorDied, "m"));
    let out = life.tell(ToHead::ActorEnded { actor: large.id, incarnation: 0, end });
    assert_eq!(started(&out), [(B, 0)]);
}

#[test]
fn an_end_that_is_said_within_the_report_is_no_crash() {
    let mut life = Life::pair();
    let spec = placed_actor(1, soft(B), 9, true);
    live(&mut life, B, &spec);
    life.restart();
    let end = ActorEnd::Intended(Error::new(ErrorKind::ActorDied, "it asked to end"));
    let out = life.report(B, [registers(B, &spec), ToHead::ActorEnded { actor: spec.id, incarnation: 0, end }]);
    assert!(started(&out).is_empty() && life.actor_state(spec.id) == "DEAD", "{out:?}");
}

#[test]
fn an_actor_that_was_to_end_is_told_again() {
    let mut life = Life::pair();
    let spec = placed_actor(1, soft(B), 9, true);
    live(&mut life, B, &spec);
    life.tell(ToHead::ActorKill { actor: spec.id, no_restart: true });
    life.restart();
    let out = life.report(B, [registers(B, &spec), lives(&spec, 0, B)]);
    let stops = |m: &FromHead| matches!(m, FromHead::ActorStop { restart: false, graceful: false, .. });
    assert!(out.iter().any(|(to, m)| *to == B && stops(m)), "{out:?}");
}

#[test]
fn nothing_is_placed_until_all_have_said_what_they_hold() {
    let mut life = Life::pair();
    life.tell(joined(C, 2));
    let (lease, _) = granted(&messages(want(&mut life.head, B, shape(1), 6))).unwrap();
    life.restart();
    assert!(
        granted(&messages(life.report(B, [ToHead::LeaseWanted { owner: B, shape: shape(1), backlog: 1, granted: 0 }])))
            .is_none()
    );
    let why = life.head.status(0).demands[0].why.clone();
    assert!(why.contains("has yet to report to the head"), "{why}");
    let held = ToHead::LeaseHeld { lease, owner: B, shape: shape(1), node: C, bundle: None, slots: 2, parked: 0 };
    life.tell(held);
    let out = life.report(C, []);
    assert_eq!((free(&life.head, B).as_str(), free(&life.head, C).as_str()), ("{'CPU': 1}", "{}"));
    let (lease, _) = granted(&messages(out)).unwrap();
    assert!(lease > LeaseId(1 << 41), "of another epoch: {lease}");
}

#[test]
fn a_node_that_does_not_come_back_is_dead_after_the_grace() {
    let mut life = Life::pair();
    life.tell(joined(C, 2));
    let spec = placed_actor(1, soft(C), 1, true);
    assert_eq!(live(&mut life, B, &spec), C);
    life.restart();
    life.report(B, [registers(B, &spec)]);
    assert!(life.head.is_waiting() && life.tick(9_999).is_empty());
    let out = life.tick(10_000);
    assert!(out.iter().any(|(to, m)| *to == B && matches!(m, FromHead::NodeDied { node: C, .. })), "{out:?}");
    assert_eq!(started(&out), [(B, 1)]);
    assert!(life.head.is_dead(C));
    life.restart();
    assert!(life.head.is_dead(C), "and after another restart");
}

#[test]
fn a_node_that_only_others_know_is_dead_after_the_grace() {
    let mut life = Life::pair();
    life.restart();
    life.report(B, [ToHead::PeersKnown { node: B, peers: vec![A, C] }]);
    assert!(life.head.is_waiting() && !life.head.is_dead(C));
    let out = life.tick(10_000);
    assert!(out.iter().any(|(to, m)| *to == B && matches!(m, FromHead::NodeDied { node: C, .. })), "{out:?}");
}

#[test]
fn a_detached_actor_outlives_the_head_and_its_owner() {
    let mut life = Life::new();
    life.tell(joined(A, 2));
    let spec = actor(1, Some("x"), 1);
    let spec = Arc::new(ActorSpec { detached: true, ..spec.as_ref().clone() });
    assert_eq!(live(&mut life, A, &spec), A);
    life.restart();
    assert_eq!(life.actor_state(spec.id), "RESTARTING", "it was in the head's process");
    assert_eq!(started(&life.tell(joined(B, 2))), [(B, 1)], "from its kept arguments");
    let lookup = ToHead::ActorLookup {
        owner: B,
        request: RequestId(1),
        name: "x".into(),
        namespace: spec.namespace.to_string(),
    };
    let out = life.tell(lookup);
    assert!(matches!(out.as_slice(), [(B, FromHead::ActorFound { result: Ok(_), .. })]), "{out:?}");
}

#[test]
fn a_name_that_was_registered_for_somebody_who_is_gone_is_free() {
    let mut life = Life::pair();
    let named = actor(1, Some("x"), 0);
    life.tell(ToHead::ActorRegister {
        owner: B,
        request: Some(RequestId(1)),
        spec: Arc::clone(&named),
        get_if_exists: false,
    });
    life.restart();
    life.report(B, []);
    let other = actor(2, Some("x"), 0);
    let out =
        life.tell(ToHead::ActorRegister { owner: B, request: Some(RequestId(2)), spec: other, get_if_exists: false });
    assert!(matches!(out.as_slice(), [(B, FromHead::ActorFound { result: Ok(_), .. })]), "{out:?}");
}

#[test]
fn groups_keep_their_bundles_and_names_and_those_that_wait_are_created() {
    let mut life = Life::pair();
    life.tell(joined(C, 2));
    let (made, waits) = (group(1, Some("g"), &[2, 2]), group(2, None, &[2, 1]));
    for spec in [&made, &waits] {
        life.tell(ToHead::GroupCreate { owner: B, request: RequestId(1), spec: Arc::clone(spec) });
    }
    let placed = |life: &mut Life, spec: &Arc<GroupSpec>| {
        let out = life.tell(ToHead::GroupWatch { node: B, group: spec.id });
        match &out[0].1 {
            FromHead::GroupChanged { state, nodes, .. } => (*state, nodes.clone()),
            other => panic!("{other:?}"),
        }
    };
    let before = placed(&mut life, &made);
    assert_eq!((before.0, placed(&mut life, &waits).0), (GroupState::Created, GroupState::Pending));
    life.restart();
    life.report(C, []);
    life.report(B, []);
    assert_eq!(placed(&mut life, &waits).0, GroupState::Pending);
    let lost = before.1.contains(&Some(A));
    let now = placed(&mut life, &made);
    assert!(lost || now == before, "{now:?}, {before:?}");
    let lookup = ToHead::GroupLookup { owner: B, request: RequestId(2), name: "g".into(), namespace: "n".into() };
    let out = life.tell(lookup);
    assert!(matches!(out.as_slice(), [(B, FromHead::GroupFound { result: Ok(_), .. })]), "{out:?}");
    let out = life.tell(ToHead::GroupRemove { group: made.id });
    assert!(
        out.iter().any(
            |(_, m)| matches!(m, FromHead::GroupChanged { group, state: GroupState::Created, .. } if *group == waits.id)
        ),
        "{out:?}"
    );
}

#[test]
fn a_head_without_a_journal_leaves_no_changes() {
    let mut head = Scheduler::default();
    join(&mut head, A, 2, "a");
    assert!(head.take_changes().is_empty());
}

const NODES: [NodeId; 4] = [A, B, C, NodeId([4; 16])];

/// Some event about some of the few things that there are.
fn event(what: u8, which: u8, node: usize) -> ToHead {
    let (node, number) = (NODES[node], u64::from(which % 4));
    let name = number.is_multiple_of(2).then_some("x");
    let spec = actor(number, name, u32::from(which % 3));
    let spec = Arc::new(ActorSpec { detached: which.is_multiple_of(3), ..spec.as_ref().clone() });
    let actor = spec.id;
    let error = || Error::new(ErrorKind::ActorDied, "m");
    let incarnation = u32::from(which / 4 % 3);
    let group = group(number, (number % 2 == 1).then_some("g"), &[1, u64::from(which % 3) + 1]);
    let of = u32::try_from(number).unwrap() + 1;
    let request = RequestId(1);
    match what {
        0 | 1 => joined(node, 3),
        2 => ToHead::NodeLost { node, why: "m".into() },
        3 => ToHead::NodeDrain { node, why: "m".into(), deadline_ms: (which > 9).then_some(5) },
        4 | 5 => ToHead::ActorRegister { owner: node, request: Some(request), spec, get_if_exists: which > 8 },
        6 | 7 => is_ready(&spec),
        8 => ToHead::ActorDependenciesReady { actor, inputs: None, failed: Some(error()) },
        9 => ToHead::ActorReady { actor, incarnation },
        10 => ToHead::ActorEnded { actor, incarnation, end: ActorEnd::Crashed(error()) },
        11 => ToHead::ActorEnded { actor, incarnation, end: ActorEnd::Intended(error()) },
        12 => ToHead::ActorKill { actor, no_restart: which > 9 },
        13 => ToHead::ActorReleased { actor, reason: error() },
        14 => ToHead::ActorWatch { node, actor, owner: node },
        15 | 16 => ToHead::JobSubmitted { spec: job(of, "j") },
        17 => ToHead::JobStarted { spec: job(of, "j"), node },
        18 => ToHead::JobEnded {
            job: JobId::numbered(of),
            state: JobState::Succeeded,
            exit_code: Some(0),
            message: String::new(),
        },
        19 => ToHead::JobStop { job: JobId::numbered(of) },
        20 | 21 => ToHead::GroupCreate { owner: node, request, spec: group },
        22 => ToHead::GroupRemove { group: group.id },
        23 => ToHead::GroupWatch { node, group: group.id },
        24 => ToHead::ActorLives { actor, incarnation, node, is_ready: which > 8 },
        25 => ToHead::ReportEnded { node },
        26 => ToHead::PeersKnown { node, peers: NODES.to_vec() },
        _ => ToHead::LeaseWanted { owner: node, shape: shape(1), backlog: u32::from(which % 3), granted: 0 },
    }
}

proptest! {
    /// What was left behind event by event is what the whole machine says of itself, and makes it again.
    #[test]
    fn the_journal_makes_the_machine_again(
        steps in proptest::collection::vec((0..30_u8, 0..24_u8, 0..4_usize), 1..120),
    ) {
        let mut life = Life::new();
        let mut now = 0;
        for (what, which, node) in steps {
            match what {
                28 => drop(life.restart()),
                29 => {
                    now += u64::from(which) * 500;
                    life.tick(now);
                }
                27 if which == 0 => {
                    life.head.next_job();
                    // Whether or not there is such a job that is over.
                    let _ = life.head.forget_job(JobId::numbered(1));
                    life.keep();
                }
                _ => drop(life.tell(event(what, which, node))),
            }
            let records = life.head.records();
            let kept: Vec<Record> = life.journal.values().cloned().collect();
            prop_assert_eq!(&kept, &records);
            prop_assert_eq!(&Scheduler::restore(kept).records(), &records);
        }
    }

    /// Whatever was going on when the head was killed: when all nodes have reported what they hold, no node is
    /// over its capacity, and nothing waits for somebody that will not come.
    #[test]
    fn a_restarted_head_goes_on(
        steps in proptest::collection::vec((0..28_u8, 0..24_u8, 1..4_usize), 1..60),
    ) {
        let mut life = Life::new();
        for node in NODES {
            life.tell(joined(node, 3));
        }
        for (what, which, node) in steps {
            life.tell(event(what, which, node));
        }
        life.restart();
        for node in NODES {
            life.report(node, []);
        }
        life.tick(10_000);
        prop_assert!(life.head.away == 0 && life.head.early.is_empty());
        for node in life.head.nodes.iter().filter(|node| !node.is_dead()) {
            prop_assert!(node.total.fits(&node.available) > 0 || node.available.is_empty());
        }
        for actor in life.head.actors.values() {
            prop_assert!(!actor.is_unseen, "{:?}", actor.spec.id);
        }
    }
}

#[test]
fn what_runs_in_a_group_on_another_node_goes_on() {
    let mut life = Life::new();
    for (node, units) in [(A, 0), (B, 2), (C, 2)] {
        life.tell(joined(node, units));
    }
    // Two bundles on each node: only the bundle's number tells where a lease took its slots from.
    let spec = super::group_tests::group(1, GroupStrategy::Spread, &[1, 1, 1, 1]);
    life.tell(ToHead::GroupCreate { owner: A, request: RequestId(1), spec: Arc::new(spec.clone()) });
    let shape = super::group_tests::within(&spec, None, 1);
    let out = life.tell(ToHead::LeaseWanted { owner: B, shape: shape.clone(), backlog: 4, granted: 0 });
    let held: Vec<ToHead> = out
        .into_iter()
        .filter_map(|(_, message)| match message {
            FromHead::SlotsGranted { lease, shape, node, bundle, slots } => {
                Some(ToHead::LeaseHeld { lease, owner: B, shape, node, bundle, slots, parked: 0 })
            }
            _ => None,
        })
        .collect();
    assert_eq!(held.len(), 4);
    life.restart();
    let out = life.report(B, held);
    life.report(C, []);
    assert!(!out.iter().any(|(_, message)| matches!(message, FromHead::LeaseRevoked { .. })), "{out:?}");
    assert_eq!(life.head.status(0).reserved_used, cpus(4));
    assert_eq!(life.head.audit(), Vec::<String>::new());
}
