//! Cases of the head's machine with several nodes, jobs and groups.

use std::sync::Arc;

use super::tests::{actor, cpus, granted, shape};
use super::{Outbox, Scheduler};
use crate::control::{DrainReason, DrainRequest};
use crate::message::{ActorChange, ActorEnd, FromHead, NodeAddress, RequestId, Shape, ToHead};
use crate::{
    ActorSpec, ComponentDigest, Error, ErrorKind, JobId, JobSpec, JobState, LabelSelector, Labels, NodeId, Placement,
    Retries, Strategy,
};

pub(super) const A: NodeId = NodeId([1; 16]);
pub(super) const B: NodeId = NodeId([2; 16]);
pub(super) const C: NodeId = NodeId([3; 16]);

fn at(head: &mut Scheduler, now: u64, message: ToHead) -> Outbox {
    let mut out = Outbox::new();
    head.handle(message, now, &mut out);
    out
}

pub(super) fn tell(head: &mut Scheduler, message: ToHead) -> Outbox {
    at(head, 0, message)
}

pub(super) fn join(head: &mut Scheduler, node: NodeId, units: u64, zone: &str) -> Outbox {
    let labels: Labels = [("zone".to_owned(), zone.to_owned())].into_iter().collect();
    let place = NodeAddress { address: format!("{node}:1"), name: zone.to_owned(), is_head_node: node == A };
    tell(head, ToHead::NodeJoined { node, at: place, total: cpus(units), labels })
}

/// Two nodes of two cpus each.
pub(super) fn pair() -> Scheduler {
    let mut head = Scheduler::default();
    join(&mut head, A, 2, "a");
    join(&mut head, B, 2, "b");
    head
}

pub(super) fn lose(head: &mut Scheduler, node: NodeId) -> Outbox {
    tell(head, ToHead::NodeLost { node, why: "it was not heard for 3 s".to_owned() })
}

pub(super) fn on(placement: Strategy) -> Arc<Placement> {
    Arc::new(Placement { strategy: placement, selector: LabelSelector::default() })
}

fn only_on(node: NodeId) -> Arc<Placement> {
    on(Strategy::NodeAffinity { node, soft: false })
}

pub(super) fn want(head: &mut Scheduler, owner: NodeId, shape: Shape, backlog: u32) -> Outbox {
    tell(head, ToHead::LeaseWanted { owner, shape, backlog, granted: 0 })
}

pub(super) fn nodes_granted(out: &[(NodeId, FromHead)]) -> Vec<(NodeId, u32)> {
    let granted = out.iter().filter_map(|(_, message)| match message {
        FromHead::SlotsGranted { node, slots, .. } => Some((*node, *slots)),
        _ => None,
    });
    granted.collect()
}

pub(super) fn messages(out: Outbox) -> Vec<FromHead> {
    out.into_iter().map(|(_, message)| message).collect()
}

pub(super) fn free(head: &Scheduler, node: NodeId) -> String {
    let rows = head.node_rows();
    rows.iter().find(|row| row.node_id == node.to_string()).unwrap().resources_available.clone()
}

pub(super) fn placed_actor(number: u64, placement: Arc<Placement>, restarts: u32, detached: bool) -> Arc<ActorSpec> {
    let spec = actor(number, None, restarts);
    let creation = spec.creation.as_ref().clone().with_terms(|terms| terms.placement = placement);
    let max_restarts = Retries::AtMost(restarts);
    Arc::new(ActorSpec { creation: Arc::new(creation), detached, max_restarts, ..spec.as_ref().clone() })
}

/// Registers the actor and brings it to life; the node it got.
pub(super) fn live(head: &mut Scheduler, owner: NodeId, spec: &Arc<ActorSpec>) -> Option<NodeId> {
    tell(head, ToHead::ActorRegister { owner, request: None, spec: Arc::clone(spec), get_if_exists: false });
    let out = tell(head, ToHead::ActorDependenciesReady { actor: spec.id, inputs: Some(Vec::new()), failed: None });
    let node = out.iter().find(|(_, message)| matches!(message, FromHead::ActorStart { .. })).map(|(node, _)| *node);
    tell(head, ToHead::ActorReady { actor: spec.id, incarnation: 0 });
    node
}

pub(super) fn job(number: u32, units: u64) -> JobSpec {
    let mut spec = JobSpec::new(JobId::numbered(number), ComponentDigest([0; 32]), "app.wasm", "n");
    spec.resources = Arc::new(cpus(units));
    spec.submission_id = Arc::from(format!("job-{number}"));
    spec
}

pub(super) fn submit(head: &mut Scheduler, spec: JobSpec) -> Outbox {
    tell(head, ToHead::JobSubmitted { spec: Arc::new(spec) })
}

fn ended(number: u32, state: JobState) -> ToHead {
    ToHead::JobEnded { job: JobId::numbered(number), state, exit_code: Some(3), message: "m".to_owned() }
}

pub(super) fn status_of(head: &Scheduler, number: u32) -> String {
    head.job_row(&format!("job-{number}")).unwrap().status
}

#[test]
fn a_newcomer_and_the_others_learn_of_each_other_once() {
    let mut head = pair();
    let told: Vec<_> =
        join(&mut head, C, 1, "c").into_iter().map(|(to, message)| (to, format!("{message:?}"))).collect();
    assert_eq!(told.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [C, C, A, B]);
    assert!(join(&mut head, C, 1, "c").is_empty());
}

#[test]
fn a_dead_node_stays_dead_and_its_death_is_told_once() {
    let mut head = pair();
    assert!(matches!(lose(&mut head, B).as_slice(), [(A, FromHead::NodeDied { node: B, .. })]));
    assert!(lose(&mut head, B).is_empty() && join(&mut head, B, 2, "b").is_empty() && head.is_dead(B));
    assert_eq!(head.node_rows()[1].state, "DEAD");
}

#[test]
fn what_a_dead_owner_held_comes_back() {
    let mut head = pair();
    want(&mut head, B, Shape { placement: only_on(A), ..shape(1) }, 2);
    assert_eq!(free(&head, A), "{}");
    lose(&mut head, B);
    assert_eq!(free(&head, A), "{'CPU': 2}");
}

#[test]
fn a_lease_on_a_dead_node_is_over() {
    let mut head = pair();
    let (lease, _) = granted(&messages(want(&mut head, A, Shape { placement: only_on(B), ..shape(1) }, 2))).unwrap();
    lose(&mut head, B);
    assert!(tell(&mut head, ToHead::SlotsReturned { lease, slots: 2, parked: 0 }).is_empty());
}

#[test]
fn an_actor_on_a_dead_node_starts_elsewhere_or_dies() {
    let mut head = pair();
    let soft = || on(Strategy::NodeAffinity { node: B, soft: true });
    let (again, once) = (placed_actor(1, soft(), 1, false), placed_actor(2, soft(), 0, false));
    assert_eq!((live(&mut head, A, &again), live(&mut head, A, &once)), (Some(B), Some(B)));
    let out = lose(&mut head, B);
    assert!(out.iter().any(|(to, m)| *to == A && matches!(m, FromHead::ActorStart { incarnation: 1, .. })), "{out:?}");
    let died = out.iter().any(|(_, m)| {
        matches!(m, FromHead::ActorChanged { actor, change: ActorChange::Dead { cause } }
            if *actor == once.id && cause.kind == ErrorKind::ActorDied && cause.to_string().contains("not heard"))
    });
    assert!(died, "{out:?}");
}

#[test]
fn an_actor_that_leaves_with_a_draining_node_spends_no_restart() {
    let mut head = pair();
    let soft = on(Strategy::NodeAffinity { node: B, soft: true });
    let spec = placed_actor(1, soft, 1, false);
    live(&mut head, A, &spec);
    tell(&mut head, ToHead::NodeDrain { node: B, why: "spot".into(), deadline_ms: Some(50) });
    let starts = |out: &Outbox, life| {
        out.iter()
            .any(|(to, m)| *to == A && matches!(m, FromHead::ActorStart { incarnation, .. } if *incarnation == life))
    };
    assert!(starts(&lose(&mut head, B), 1));
    let crash = |incarnation| {
        let cause = Error::new(ErrorKind::ActorDied, "it broke down");
        ToHead::ActorEnded { actor: spec.id, incarnation, end: ActorEnd::Crashed(cause) }
    };
    assert!(starts(&tell(&mut head, crash(1)), 2), "the restart that it may have is left");
    assert!(!starts(&tell(&mut head, crash(2)), 3));
}

#[test]
fn an_actor_ends_with_its_owner_unless_it_is_detached() {
    let mut head = pair();
    let (own, detached) = (placed_actor(1, only_on(A), 5, false), placed_actor(2, only_on(A), 5, true));
    live(&mut head, B, &own);
    live(&mut head, B, &detached);
    let stopped: Vec<_> = messages(lose(&mut head, B))
        .into_iter()
        .filter_map(|message| match message {
            FromHead::ActorStop { actor, restart: false, .. } => Some(actor),
            _ => None,
        })
        .collect();
    assert_eq!(stopped, [own.id]);
}

#[test]
fn a_detached_actor_whose_owner_died_before_its_arguments_were_there_is_dead() {
    let mut head = pair();
    let spec = placed_actor(1, only_on(A), 5, true);
    let register = |owner| ToHead::ActorRegister { owner, request: None, spec: Arc::clone(&spec), get_if_exists: true };
    tell(&mut head, register(B));
    tell(&mut head, ToHead::ActorWatch { node: A, actor: spec.id, owner: B });
    let told = messages(lose(&mut head, B));
    let is_dead = |message: &FromHead| matches!(message, FromHead::ActorChanged { actor, change: ActorChange::Dead { .. } } if *actor == spec.id);
    assert!(told.iter().any(is_dead), "{told:?}");
}

#[test]
fn a_detached_actor_starts_again_with_the_arguments_that_the_head_kept() {
    let mut head = pair();
    let soft = on(Strategy::NodeAffinity { node: B, soft: true });
    let spec = placed_actor(1, soft, 1, true);
    live(&mut head, B, &spec);
    let out = lose(&mut head, B);
    assert!(out.iter().any(|(to, m)| *to == A && matches!(m, FromHead::ActorStart { inputs: Some(_), .. })), "{out:?}");
}

#[test]
fn a_job_fails_with_the_node_of_its_driver() {
    let mut head = pair();
    submit(&mut head, JobSpec { placement: only_on(B), ..job(1, 1) });
    let out = lose(&mut head, B);
    assert!(out.iter().any(|(to, m)| *to == A && matches!(m, FromHead::JobEnded { .. })));
    let row = head.job_row("job-1").unwrap();
    assert!(row.status == "FAILED" && row.message.contains("died"), "{row:?}");
}

#[test]
fn a_draining_node_takes_nothing_new_and_leaves_when_it_is_empty() {
    let mut head = pair();
    let (lease, _) = granted(&messages(want(&mut head, A, Shape { placement: only_on(B), ..shape(1) }, 1))).unwrap();
    let out = messages(tell(&mut head, ToHead::NodeDrain { node: B, why: "spot".into(), deadline_ms: None }));
    assert!(out.iter().any(|m| matches!(m, FromHead::SlotsReclaimed { busy_too: true, slots: 1, .. })), "{out:?}");
    assert!(!out.iter().any(|m| matches!(m, FromHead::NodeLeave { .. })) && head.node_rows()[1].state == "DRAINING");
    assert_eq!(nodes_granted(&want(&mut head, B, shape(1), 4)), [(A, 2)]);
    want(&mut head, B, shape(1), 0);
    let (own, _) = head.leases.iter().find(|(_, l)| l.owner == B).map(|(id, l)| (*id, l.slots)).unwrap();
    tell(&mut head, ToHead::SlotsReturned { lease: own, slots: 2, parked: 0 });
    let out = tell(&mut head, ToHead::SlotsReturned { lease, slots: 1, parked: 0 });
    assert_eq!(out, [(B, FromHead::NodeLeave { at_once: false })]);
}

fn drain(head: &mut Scheduler, node: &str, reason: DrainReason) -> Result<Outbox, String> {
    let mut out = Outbox::new();
    let request = DrainRequest { node: node.to_owned(), reason, message: String::new(), deadline_ms: None };
    head.drain(request, 0, &mut out).map(|()| out).map_err(|error| error.message.clone())
}

#[test]
fn a_busy_node_is_not_drained_as_an_idle_one() {
    let idle = DrainReason::IdleTermination;
    let mut head = pair();
    want(&mut head, A, Shape { placement: only_on(B), ..shape(1) }, 1);
    live(&mut head, A, &placed_actor(1, only_on(B), 0, false));
    head.handle(ToHead::NodeUsage { node: B, store_bytes: 10, store_bytes_max: 99 }, 0, &mut Outbox::new());
    let said = drain(&mut head, &B.to_string(), idle).unwrap_err();
    assert!(said.contains("is not idle, it has 1 lease, 1 actor, 10 bytes of objects: wait"), "{said}");
    assert_eq!(head.node_rows()[1].state, "ALIVE");
    let mut head = pair();
    want(&mut head, B, Shape { placement: only_on(A), ..shape(1) }, 1);
    let said = drain(&mut head, &B.to_string(), idle).unwrap_err();
    assert!(said.contains("1 lease of its own tasks"), "{said}");
}

#[test]
fn an_idle_node_is_drained_for_either_reason_and_a_busy_one_for_one() {
    for reason in [DrainReason::IdleTermination, DrainReason::Preemption] {
        let mut head = pair();
        let out = messages(drain(&mut head, &B.to_string(), reason).unwrap());
        assert!(out.contains(&FromHead::NodeLeave { at_once: false }), "{out:?}");
        assert_eq!(head.node_rows()[1].state_message, reason.to_string());
        lose(&mut head, B);
        let left: Vec<bool> = head.status(0).nodes.iter().map(|node| node.has_left).collect();
        assert_eq!(left, [false, true]);
    }
    let mut head = pair();
    want(&mut head, A, Shape { placement: only_on(B), ..shape(1) }, 1);
    drain(&mut head, &B.to_string(), DrainReason::Preemption).unwrap();
    assert_eq!(head.node_rows()[1].state, "DRAINING");
    // It crashed before it was let go.
    lose(&mut head, B);
    assert!(!head.status(0).nodes[1].has_left);
}

#[test]
fn who_drains_names_one_living_node_that_is_not_the_heads() {
    let mut head = pair();
    let mut said = |name: &str| drain(&mut head, name, DrainReason::Preemption).unwrap_err();
    assert!(said("").starts_with("the name of the node is empty"));
    assert!(said("nobody").starts_with("no living node is called `nobody`"));
    assert!(said(&A.to_string()).contains("is the head's own"));
}

#[test]
fn a_draining_node_leaves_at_its_deadline_all_the_same() {
    let mut head = pair();
    want(&mut head, A, Shape { placement: only_on(B), ..shape(1) }, 1);
    tell(&mut head, ToHead::NodeDrain { node: B, why: "spot".into(), deadline_ms: Some(50) });
    let mut out = Outbox::new();
    head.tick(49, &mut out);
    assert!(out.is_empty() && head.is_waiting());
    head.tick(50, &mut out);
    assert_eq!(out, [(B, FromHead::NodeLeave { at_once: true })]);
    assert!(!head.is_waiting());
}

#[test]
fn a_draining_node_that_keeps_objects_leaves_at_its_deadline_at_last() {
    let mut head = pair();
    let out = messages(tell(&mut head, ToHead::NodeDrain { node: B, why: "spot".into(), deadline_ms: Some(50) }));
    assert!(out.contains(&FromHead::NodeLeave { at_once: false }), "{out:?}");
    let mut out = Outbox::new();
    head.tick(49, &mut out);
    assert!(out.is_empty() && head.is_waiting());
    head.tick(50, &mut out);
    assert_eq!(out, [(B, FromHead::NodeLeave { at_once: true })]);
}

#[test]
fn a_job_goes_through_its_states_and_holds_what_it_asked_for() {
    let mut head = pair();
    let out = submit(&mut head, job(1, 2));
    assert!(matches!(out.as_slice(), [(_, FromHead::DriverStart { .. })]), "{out:?}");
    assert_eq!(status_of(&head, 1), "PENDING");
    let node = out[0].0;
    tell(&mut head, ToHead::JobStarted { spec: Arc::new(job(1, 2)), node });
    assert_eq!((status_of(&head, 1).as_str(), free(&head, node).as_str()), ("RUNNING", "{}"));
    assert!(head.forget_job(JobId::numbered(1)).is_err());
    let out = tell(&mut head, ended(1, JobState::Failed));
    assert_eq!(out.iter().filter(|(_, m)| matches!(m, FromHead::JobEnded { .. })).count(), 2);
    assert_eq!((status_of(&head, 1).as_str(), free(&head, node).as_str()), ("FAILED", "{'CPU': 2}"));
    assert!(tell(&mut head, ended(1, JobState::Succeeded)).is_empty());
    assert_eq!((head.job_row("job-1").unwrap().exit_code, status_of(&head, 1).as_str()), (Some(3), "FAILED"));
    head.forget_job(JobId::numbered(1)).unwrap();
    assert_eq!(head.job_row("job-1"), None);
}

#[test]
fn a_driver_that_asks_for_nothing_runs_beside_the_head() {
    let mut head = Scheduler::default();
    join(&mut head, B, 8, "b");
    join(&mut head, A, 1, "a");
    assert!(matches!(submit(&mut head, job(1, 0)).as_slice(), [(A, FromHead::DriverStart { .. })]));
}

#[test]
fn a_stopped_job_is_stopped_whether_it_ran_or_not() {
    let mut head = pair();
    submit(&mut head, job(1, 9));
    tell(&mut head, ToHead::JobStop { job: JobId::numbered(1) });
    assert_eq!(status_of(&head, 1), "STOPPED");
    submit(&mut head, job(2, 0));
    let out = tell(&mut head, ToHead::JobStop { job: JobId::numbered(2) });
    assert!(matches!(out.as_slice(), [(A, FromHead::DriverStop { .. })]));
    tell(&mut head, ended(2, JobState::Failed));
    assert_eq!(status_of(&head, 2), "STOPPED");
}

#[test]
fn a_node_can_ask_for_a_job() {
    let mut head = pair();
    submit(&mut head, job(1, 0));
    let mut ask = |number| messages(tell(&mut head, ToHead::JobWanted { node: B, job: JobId::numbered(number) }));
    assert!(matches!(ask(1).as_slice(), [FromHead::JobFound { result: Ok(_), .. }]));
    assert!(matches!(ask(2).as_slice(), [FromHead::JobFound { result: Err(_), .. }]));
}

#[test]
fn who_watches_an_actor_is_told_at_once_and_later() {
    let mut head = pair();
    let spec = placed_actor(1, only_on(A), 0, false);
    live(&mut head, A, &spec);
    let out = tell(&mut head, ToHead::ActorWatch { node: B, actor: spec.id, owner: A });
    assert!(matches!(out.as_slice(), [(B, FromHead::ActorChanged { change: ActorChange::Alive { .. }, .. })]));
    let end = crate::message::ActorEnd::Crashed(Error::new(ErrorKind::WorkerCrashed, "it trapped"));
    let out = tell(&mut head, ToHead::ActorEnded { actor: spec.id, incarnation: 0, end });
    assert_eq!(out.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [A, B]);
    let unknown =
        tell(&mut head, ToHead::ActorWatch { node: B, actor: placed_actor(9, only_on(A), 0, false).id, owner: C });
    assert!(matches!(unknown.as_slice(), [(B, FromHead::ActorChanged { change: ActorChange::Dead { .. }, .. })]));
}

#[test]
fn registering_an_actor_again_changes_nothing() {
    let mut head = pair();
    let spec = actor(1, Some("a"), 0);
    live(&mut head, A, &spec);
    let again =
        ToHead::ActorRegister { owner: A, request: Some(RequestId(1)), spec: spec.clone(), get_if_exists: true };
    let out = tell(&mut head, again);
    let is_found = |m: &FromHead| matches!(m, FromHead::ActorFound { result: Ok(_), .. });
    let is_alive = |m: &FromHead| matches!(m, FromHead::ActorChanged { change: ActorChange::Alive { .. }, .. });
    assert!(matches!(out.as_slice(), [(A, found), (A, alive)] if is_found(found) && is_alive(alive)), "{out:?}");
    assert_eq!(head.actor_rows()[0].state, "ALIVE");
}

#[test]
fn work_goes_near_its_arguments_when_there_is_room() {
    let mut head = pair();
    let near = Shape { near: Some(B), ..shape(1) };
    assert_eq!(nodes_granted(&want(&mut head, A, near, 3)), [(B, 2), (A, 1)]);
}

#[test]
fn spread_takes_turns() {
    let mut head = pair();
    let spread = Shape { placement: on(Strategy::Spread), ..shape(1) };
    assert_eq!(nodes_granted(&want(&mut head, A, spread.clone(), 2)), [(A, 1), (B, 1)]);
    let nothing = Shape { resources: Arc::default(), ..spread };
    assert_eq!(nodes_granted(&want(&mut head, A, nothing, 4)).iter().map(|(_, slots)| slots).sum::<u32>(), 4);
}

#[test]
fn hard_affinity_waits_for_a_busy_node_and_fails_for_one_that_cannot() {
    let mut head = pair();
    assert_eq!(nodes_granted(&want(&mut head, A, Shape { placement: only_on(B), ..shape(1) }, 3)), [(B, 2)]);
    for (node, units) in [(B, 3), (C, 1)] {
        let out = messages(want(&mut head, A, Shape { placement: only_on(node), ..shape(units) }, 1));
        let failed = out
            .iter()
            .any(|m| matches!(m, FromHead::ShapeFailed { error, .. } if error.kind == ErrorKind::Unschedulable));
        assert!(failed, "{out:?}");
    }
    lose(&mut head, B);
    let spec = placed_actor(1, only_on(B), 0, false);
    assert_eq!(live(&mut head, A, &spec), None);
    assert_eq!(head.actor_rows()[0].state, "DEAD");
    submit(&mut head, JobSpec { placement: only_on(B), ..job(1, 1) });
    assert_eq!(status_of(&head, 1), "FAILED");
}

#[test]
fn soft_affinity_takes_another_node() {
    let mut head = pair();
    let soft = Shape { placement: on(Strategy::NodeAffinity { node: C, soft: true }), ..shape(1) };
    assert_eq!(nodes_granted(&want(&mut head, A, soft, 1)).len(), 1);
}

#[test]
fn labels_choose_the_node() {
    let mut head = pair();
    let labelled = |zone| {
        let selector = LabelSelector::parse([("zone", zone)]).unwrap();
        Shape { placement: Arc::new(Placement { strategy: Strategy::Default, selector }), ..shape(1) }
    };
    assert_eq!(nodes_granted(&want(&mut head, A, labelled("b"), 1)), [(B, 1)]);
    let out = messages(want(&mut head, A, labelled("nowhere"), 1));
    assert!(matches!(out.as_slice(), [FromHead::LeasePending { why, .. }] if why.contains("nowhere")), "{out:?}");
}

#[test]
fn a_job_that_does_not_want_to_wait_for_ever_fails_at_once() {
    let mut head = pair();
    submit(&mut head, JobSpec { fail_if_infeasible: true, ..job(1, 0) });
    let out = messages(want(&mut head, A, shape(9), 1));
    assert!(matches!(out.as_slice(), [FromHead::ShapeFailed { .. }]), "{out:?}");
    submit(&mut head, JobSpec { fail_if_infeasible: true, ..job(2, 9) });
    assert_eq!(status_of(&head, 2), "FAILED");
}

#[test]
fn jobs_share_by_their_weights() {
    let mut head = Scheduler::default();
    join(&mut head, A, 8, "a");
    let (lease, _) = granted(&messages(want(&mut head, A, Shape { job: JobId::numbered(9), ..shape(1) }, 8))).unwrap();
    for (number, weight) in [(1, 1), (2, 3)] {
        let spec = Arc::new(JobSpec { weight, ..job(number, 0) });
        tell(&mut head, ToHead::JobStarted { spec, node: A });
        want(&mut head, A, Shape { job: JobId::numbered(number), ..shape(1) }, 100);
    }
    let out = tell(&mut head, ToHead::SlotsReturned { lease, slots: 8, parked: 0 });
    let mut slots: Vec<u32> = nodes_granted(&out).iter().map(|(_, slots)| *slots).collect();
    slots.sort_unstable();
    assert_eq!(slots, [2, 6]);
}

#[test]
fn a_wish_that_crosses_a_grant_is_served_once() {
    let mut head = pair();
    tell(&mut head, ToHead::JobStarted { spec: Arc::new(job(1, 0)), node: A });
    let spread = Shape { placement: on(Strategy::Spread), ..shape(1) };
    let mut ask = |backlog, granted| {
        let out = tell(&mut head, ToHead::LeaseWanted { owner: A, shape: spread.clone(), backlog, granted });
        nodes_granted(&out)
    };
    assert_eq!(ask(1, 0), [(A, 1)]);
    // The owner has another task, and has yet to hear of the slot.
    assert_eq!(ask(2, 0), [(B, 1)]);
    assert_eq!(ask(2, 0), []);
    assert_eq!(ask(1, 2), [(A, 1)]);
}

#[test]
fn an_actor_that_is_registered_after_the_end_of_its_job_is_dead() {
    let mut head = pair();
    let spec = placed_actor(1, Arc::default(), 0, false);
    let running = ToHead::JobStarted { spec: Arc::new(job(1, 0)), node: A };
    tell(&mut head, running);
    let (state, message) = (JobState::Succeeded, String::new());
    tell(&mut head, ToHead::JobEnded { job: JobId::numbered(1), state, exit_code: Some(0), message });
    let register = ToHead::ActorRegister { owner: A, request: None, spec, get_if_exists: false };
    let out = messages(tell(&mut head, register));
    assert!(matches!(out[..], [FromHead::ActorChanged { change: ActorChange::Dead { .. }, .. }]), "{out:?}");
}

#[test]
fn who_asks_for_an_actor_before_its_owner_has_registered_it_hears_of_it_later() {
    let mut head = pair();
    let spec = placed_actor(1, Arc::default(), 0, false);
    let watch = |actor| ToHead::ActorWatch { node: B, actor, owner: A };
    assert_eq!(tell(&mut head, watch(spec.id)), []);
    tell(&mut head, ToHead::ActorRegister { owner: A, request: None, spec: spec.clone(), get_if_exists: false });
    tell(&mut head, ToHead::ActorDependenciesReady { actor: spec.id, inputs: None, failed: None });
    let out = tell(&mut head, ToHead::ActorReady { actor: spec.id, incarnation: 0 });
    assert!(out.iter().any(|(to, message)| *to == B && matches!(message, FromHead::ActorChanged { .. })), "{out:?}");
    let other = placed_actor(2, Arc::default(), 0, false).id;
    assert_eq!(tell(&mut head, watch(other)), []);
    let out = messages(lose(&mut head, A));
    let is_dead = |message: &FromHead| matches!(message, FromHead::ActorChanged { actor, change: ActorChange::Dead { .. } } if *actor == other);
    assert!(out.iter().any(is_dead), "{out:?}");
}

#[test]
fn a_job_stays_known_while_a_detached_actor_of_it_lives() {
    let mut head = pair();
    tell(&mut head, ToHead::JobStarted { spec: Arc::new(job(1, 0)), node: A });
    let spec = placed_actor(1, Arc::default(), 0, true);
    tell(&mut head, ToHead::ActorRegister { owner: A, request: None, spec: Arc::clone(&spec), get_if_exists: false });
    tell(&mut head, ToHead::ActorDependenciesReady { actor: spec.id, inputs: Some(Vec::new()), failed: None });
    tell(&mut head, ended(1, JobState::Succeeded));
    let refused = head.forget_job(JobId::numbered(1)).unwrap_err();
    assert!(refused.message.contains("of job 00000001 lives: end it with `rayw kill-actor "), "{refused}");
    assert_eq!(head.blobs().count(), 1);
    tell(&mut head, ToHead::ActorKill { actor: spec.id, no_restart: true });
    let end = ActorEnd::Intended(Error::new(ErrorKind::ActorDied, "it was killed"));
    tell(&mut head, ToHead::ActorEnded { actor: spec.id, incarnation: 0, end });
    head.forget_job(JobId::numbered(1)).unwrap();
    assert_eq!(head.blobs().count(), 0);
}

#[test]
fn who_asks_for_a_drain_again_does_not_take_its_deadline_back() {
    let mut head = pair();
    want(&mut head, A, Shape { placement: only_on(B), ..shape(1) }, 1);
    let drain = |deadline_ms| ToHead::NodeDrain { node: B, why: "it is drained".to_owned(), deadline_ms };
    tell(&mut head, drain(Some(1_000)));
    tell(&mut head, drain(None));
    let mut out = Outbox::new();
    head.tick(999, &mut out);
    assert!(!out.iter().any(|(_, message)| matches!(message, FromHead::NodeLeave { .. })), "{out:?}");
    head.tick(1_000, &mut out);
    assert!(out.iter().any(|(_, message)| matches!(message, FromHead::NodeLeave { at_once: true })), "{out:?}");
}
