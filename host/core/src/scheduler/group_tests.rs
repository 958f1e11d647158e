//! Cases of placement groups, reports and the cluster's status.

use std::sync::Arc;

use super::cluster_tests::{
    A, B, C, free, job, join, live, lose, messages, nodes_granted, on, pair, placed_actor, submit, tell, want,
};
use super::tests::{cpus, granted, shape};
use super::{Outbox, Scheduler};
use crate::message::{ActorChange, FromHead, RequestId, Shape, ToHead};
use crate::{
    BundleSpec, ErrorKind, GroupId, GroupSpec, GroupState, GroupStrategy, JobId, JobState, LabelSelector, LeaseId,
    NodeId, Strategy as Where,
};

pub(super) fn group(number: u64, strategy: GroupStrategy, bundles: &[u64]) -> GroupSpec {
    let creator = JobId::numbered(1).driver(0);
    GroupSpec {
        id: GroupId::from(creator.child(1_000 + number)),
        name: None,
        namespace: Arc::from("n"),
        strategy,
        bundles: bundles.iter().map(|units| bundle(*units)).collect(),
        detached: false,
        job: JobId::numbered(1),
        creator,
    }
}

pub(super) fn bundle(units: u64) -> BundleSpec {
    BundleSpec { resources: cpus(units), selector: LabelSelector::default() }
}

pub(super) fn create(head: &mut Scheduler, spec: &GroupSpec) -> Outbox {
    let mut out = tell(head, ToHead::GroupCreate { owner: A, request: RequestId(1), spec: Arc::new(spec.clone()) });
    out.extend(tell(head, ToHead::GroupWatch { node: A, group: spec.id }));
    out
}

pub(super) fn remove(head: &mut Scheduler, spec: &GroupSpec) -> Vec<FromHead> {
    messages(tell(head, ToHead::GroupRemove { group: spec.id }))
}

fn state(out: &[(NodeId, FromHead)]) -> Option<(GroupState, Vec<Option<NodeId>>)> {
    out.iter().rev().find_map(|(_, message)| match message {
        FromHead::GroupChanged { state, nodes, .. } => Some((*state, nodes.clone())),
        _ => None,
    })
}

pub(super) fn within(spec: &GroupSpec, bundle: Option<u32>, units: u64) -> Shape {
    Shape { placement: on(Where::Group { group: spec.id, bundle, capture: false }), ..shape(units) }
}

fn found(out: &[(NodeId, FromHead)]) -> Result<GroupId, ErrorKind> {
    let result = out.iter().find_map(|(_, message)| match message {
        FromHead::GroupFound { result, .. } => Some(result.clone()),
        _ => None,
    });
    result.unwrap().map(|status| status.spec.id).map_err(|error| error.kind)
}

#[test]
fn a_group_is_reserved_as_a_whole_or_not_at_all() {
    let mut head = pair();
    let (small, large) = (group(1, GroupStrategy::Pack, &[1, 2]), group(2, GroupStrategy::Pack, &[1, 1]));
    let created = state(&create(&mut head, &small)).unwrap();
    assert_eq!(created.0, GroupState::Created);
    assert_eq!(state(&create(&mut head, &large)).unwrap(), (GroupState::Pending, vec![None, None]));
    assert_eq!((free(&head, A).as_str(), free(&head, B).as_str()), ("{}", "{'CPU': 1}"));
    let out = tell(&mut head, ToHead::GroupRemove { group: small.id });
    assert!(out.iter().any(|(_, m)| matches!(m, FromHead::GroupChanged { state: GroupState::Created, .. })), "{out:?}");
}

#[test]
fn work_takes_from_the_bundle_that_it_names() {
    let mut head = pair();
    let spec = group(1, GroupStrategy::StrictSpread, &[2, 1]);
    let (_, nodes) = state(&create(&mut head, &spec)).unwrap();
    let out = want(&mut head, A, within(&spec, Some(1), 1), 5);
    assert_eq!(nodes_granted(&out), [(nodes[1].unwrap(), 1)]);
    assert_eq!(nodes_granted(&want(&mut head, A, within(&spec, None, 1), 5)), [(nodes[0].unwrap(), 2)]);
    assert_eq!(head.status(0).reserved_used, cpus(3));
}

#[test]
fn what_no_bundle_can_hold_fails() {
    let mut head = pair();
    let spec = group(1, GroupStrategy::Pack, &[1, 1]);
    create(&mut head, &spec);
    for (wish, kind) in [
        (within(&spec, None, 2), ErrorKind::Unschedulable),
        (within(&spec, Some(1), 2), ErrorKind::Unschedulable),
        (within(&spec, Some(7), 1), ErrorKind::InvalidArgument),
    ] {
        let out = messages(want(&mut head, A, wish, 1));
        assert!(matches!(out.as_slice(), [FromHead::ShapeFailed { error, .. }] if error.kind == kind), "{out:?}");
    }
}

#[test]
fn a_removed_group_ends_what_runs_in_it() {
    let mut head = pair();
    let spec = group(1, GroupStrategy::StrictPack, &[1, 1]);
    create(&mut head, &spec);
    let placement = on(Where::Group { group: spec.id, bundle: Some(0), capture: false });
    live(&mut head, A, &placed_actor(1, placement, 9, false)).unwrap();
    want(&mut head, A, within(&spec, Some(1), 1), 1);
    let out = remove(&mut head, &spec);
    let is_removed = |error: &crate::Error| error.kind == ErrorKind::PlacementGroupRemoved;
    assert!(out.iter().any(|m| matches!(m, FromHead::LeaseRevoked { error, .. } if is_removed(error))), "{out:?}");
    assert!(out.iter().any(|m| matches!(m, FromHead::ShapeFailed { error, .. } if is_removed(error))), "{out:?}");
    let stopped = |m: &FromHead| matches!(m, FromHead::ActorStop { reason, restart: false, .. } if is_removed(reason));
    assert!(out.iter().any(stopped), "{out:?}");
    assert_eq!((free(&head, A).as_str(), free(&head, B).as_str()), ("{'CPU': 2}", "{'CPU': 2}"));
    assert!(remove(&mut head, &spec).is_empty());
    let late = messages(want(&mut head, A, within(&spec, None, 1), 1));
    assert!(matches!(late.as_slice(), [FromHead::ShapeFailed { error, .. }] if is_removed(error)));
}

#[test]
fn only_lost_bundles_get_another_node() {
    let mut head = pair();
    let spec = group(1, GroupStrategy::StrictSpread, &[1, 1]);
    let (_, nodes) = state(&create(&mut head, &spec)).unwrap();
    let kept = nodes.iter().position(|node| *node == Some(A)).unwrap();
    let (changed, after) = state(&lose(&mut head, B)).unwrap();
    assert_eq!((changed, after[kept], after[1 - kept]), (GroupState::Rescheduling, Some(A), None));
    let (changed, after) = state(&join(&mut head, C, 2, "c")).unwrap();
    assert_eq!((changed, after[kept], after[1 - kept]), (GroupState::Created, Some(A), Some(C)));
}

#[test]
fn a_group_goes_with_its_job_unless_it_is_detached() {
    let mut head = pair();
    let own = group(1, GroupStrategy::Pack, &[1]);
    let kept = GroupSpec { detached: true, name: Some(Arc::from("kept")), ..group(2, GroupStrategy::Pack, &[1]) };
    create(&mut head, &own);
    create(&mut head, &kept);
    let (job, message) = (JobId::numbered(1), String::new());
    tell(&mut head, ToHead::JobEnded { job, state: JobState::Succeeded, exit_code: Some(0), message });
    assert_eq!(head.status(0).reserved, cpus(1));
    let lookup = ToHead::GroupLookup { owner: B, request: RequestId(2), name: "kept".into(), namespace: "n".into() };
    assert_eq!(found(&tell(&mut head, lookup)), Ok(kept.id));
}

#[test]
fn a_group_that_is_asked_for_after_the_end_of_its_job_is_refused() {
    let mut head = pair();
    submit(&mut head, job(1, 0));
    let (ended, message) = (JobId::numbered(1), String::new());
    tell(&mut head, ToHead::JobEnded { job: ended, state: JobState::Succeeded, exit_code: Some(0), message });
    let late = group(1, GroupStrategy::Pack, &[1]);
    assert_eq!(found(&create(&mut head, &late)), Err(ErrorKind::PlacementGroupRemoved));
    let kept = GroupSpec { detached: true, ..group(2, GroupStrategy::Pack, &[1]) };
    assert_eq!(found(&create(&mut head, &kept)), Ok(kept.id));
}

#[test]
fn a_group_that_cannot_be_is_refused() {
    let mut head = pair();
    assert_eq!(found(&create(&mut head, &group(1, GroupStrategy::Pack, &[0]))), Err(ErrorKind::InvalidArgument));
    let named = |number| GroupSpec { name: Some(Arc::from("a")), ..group(number, GroupStrategy::Pack, &[1]) };
    assert!(found(&create(&mut head, &named(2))).is_ok() && found(&create(&mut head, &named(2))).is_ok());
    assert_eq!(found(&create(&mut head, &named(3))), Err(ErrorKind::InvalidArgument));
}

#[test]
fn the_status_shows_what_waits_and_what_is_used() {
    let mut head = pair();
    want(&mut head, A, shape(1), 9);
    create(&mut head, &group(1, GroupStrategy::StrictSpread, &[1, 1, 1]));
    let status = head.status(7);
    assert_eq!((status.nodes[0].used.clone(), status.nodes[0].is_idle), (cpus(2), false));
    let wanted: Vec<_> = status.demands.iter().map(|demand| (demand.wanted.as_str(), demand.count)).collect();
    assert_eq!(wanted, [("{'CPU': 1} * 3 (STRICT_SPREAD)", 1), ("{'CPU': 1}", 5)]);
}

#[test]
fn leases_of_different_starts_have_different_numbers() {
    let mut head = Scheduler::with_epoch(3);
    join(&mut head, A, 1, "a");
    assert_eq!(granted(&messages(want(&mut head, A, shape(1), 1))).unwrap().0, LeaseId((3 << 40) | 1));
}

#[test]
fn a_restarted_head_takes_back_what_nodes_hold() {
    let mut head = Scheduler::with_epoch(1);
    join(&mut head, A, 2, "a");
    let held = |lease, slots| ToHead::LeaseHeld {
        lease: LeaseId(lease),
        owner: A,
        shape: shape(1),
        node: B,
        bundle: None,
        slots,
        parked: 0,
    };
    assert!(tell(&mut head, held(7, 1)).is_empty(), "its node has yet to join");
    join(&mut head, B, 2, "b");
    assert_eq!(free(&head, B), "{'CPU': 1}");
    let out = messages(tell(&mut head, held(8, 2)));
    assert!(matches!(out.as_slice(), [FromHead::LeaseRevoked { lease: LeaseId(8), .. }]), "{out:?}");
    tell(&mut head, ToHead::SlotsReturned { lease: LeaseId(7), slots: 1, parked: 0 });
    assert_eq!(free(&head, B), "{'CPU': 2}");
}

#[test]
fn slots_given_back_before_their_lease_is_taken_in_are_free() {
    let mut head = Scheduler::with_epoch(1);
    join(&mut head, A, 2, "a");
    let lease = LeaseId(7);
    tell(&mut head, ToHead::LeaseHeld { lease, owner: A, shape: shape(1), node: B, bundle: None, slots: 2, parked: 0 });
    tell(&mut head, ToHead::SlotsReturned { lease, slots: 2, parked: 0 });
    join(&mut head, B, 2, "b");
    assert_eq!((free(&head, B).as_str(), head.leftovers()), ("{'CPU': 2}", Vec::new()));
}

#[test]
fn a_restarted_head_finds_actors_where_they_live() {
    let mut head = Scheduler::with_epoch(1);
    join(&mut head, B, 2, "b");
    let spec = placed_actor(1, Arc::default(), 0, false);
    let lives = ToHead::ActorLives { actor: spec.id, incarnation: 4, node: B, is_ready: true };
    assert!(tell(&mut head, lives).is_empty());
    join(&mut head, A, 2, "a");
    tell(&mut head, ToHead::ActorRegister { owner: A, request: None, spec: Arc::clone(&spec), get_if_exists: true });
    let out = tell(&mut head, ToHead::ActorDependenciesReady { actor: spec.id, inputs: None, failed: None });
    assert!(out.is_empty() && free(&head, B) == "{'CPU': 1}", "{out:?}");
    let out = messages(tell(&mut head, ToHead::ActorWatch { node: A, actor: spec.id, owner: A }));
    let alive = ActorChange::Alive { node: B, incarnation: 4 };
    assert_eq!(out, [FromHead::ActorChanged { actor: spec.id, change: alive }]);
}

#[test]
fn an_actor_that_nobody_says_to_live_is_made_when_the_grace_is_over() {
    let mut head = Scheduler::with_epoch(1);
    join(&mut head, A, 2, "a");
    let spec = placed_actor(1, Arc::default(), 0, false);
    tell(&mut head, ToHead::ActorRegister { owner: A, request: None, spec: Arc::clone(&spec), get_if_exists: true });
    let ready = ToHead::ActorDependenciesReady { actor: spec.id, inputs: None, failed: None };
    assert!(tell(&mut head, ready).is_empty() && head.is_waiting());
    let mut out = Outbox::new();
    head.tick(10_000, &mut out);
    assert!(matches!(out.as_slice(), [(A, FromHead::ActorStart { .. })]), "{out:?}");
}

#[test]
fn a_bundle_goes_where_its_labels_are() {
    let mut head = pair();
    let in_zone = |zone: &str| BundleSpec { selector: LabelSelector::parse([("zone", zone)]).unwrap(), ..bundle(1) };
    let spec = GroupSpec { bundles: vec![in_zone("b"), in_zone("a")], ..group(1, GroupStrategy::Pack, &[]) };
    assert_eq!(state(&create(&mut head, &spec)).unwrap(), (GroupState::Created, vec![Some(B), Some(A)]));
    let strict = GroupSpec { strategy: GroupStrategy::StrictPack, id: GroupId([9; 16]), ..spec };
    assert_eq!(state(&create(&mut head, &strict)).unwrap().0, GroupState::Pending);
    assert!(head.groups[&strict.id].why.contains("no node could hold all of the bundles"), "{:?}", head.groups);
}

#[test]
fn work_in_a_group_may_want_labels_too() {
    let mut head = pair();
    let spec = group(1, GroupStrategy::StrictSpread, &[1, 1]);
    create(&mut head, &spec);
    let in_zone = |zone: &str| {
        let selector = LabelSelector::parse([("zone", zone)]).unwrap();
        let strategy = Where::Group { group: spec.id, bundle: None, capture: false };
        Shape { placement: Arc::new(crate::Placement { strategy, selector }), ..shape(1) }
    };
    assert_eq!(nodes_granted(&want(&mut head, A, in_zone("b"), 5)), [(B, 1)]);
    let out = messages(want(&mut head, A, in_zone("c"), 1));
    assert!(matches!(out.as_slice(), [FromHead::LeasePending { why, .. }] if why.contains("labels")), "{out:?}");
}

#[test]
fn a_group_that_can_never_be_says_why() {
    let mut head = pair();
    // One without cpus, as a head often is, can hold no bundle.
    join(&mut head, C, 0, "a");
    let out = create(&mut head, &group(1, GroupStrategy::StrictSpread, &[1, 1, 1, 1]));
    let why = out.iter().find_map(|(_, message)| match message {
        FromHead::GroupChanged { why, .. } if !why.is_empty() => Some(why.clone()),
        _ => None,
    });
    let why = why.unwrap();
    assert!(why.contains("wants a node of its own, and the cluster has 2: start 2 more"), "{why}");
}

#[test]
fn a_group_can_be_described() {
    let mut head = pair();
    let spec = group(1, GroupStrategy::Pack, &[1]);
    create(&mut head, &spec);
    let ask = |group| ToHead::GroupDescribe { owner: B, request: RequestId(3), group };
    let out = messages(tell(&mut head, ask(spec.id)));
    let [FromHead::GroupFound { result: Ok(status), .. }] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!((status.state, status.nodes.len(), status.spec.as_ref()), (GroupState::Created, 1, &spec));
    assert_eq!(found(&tell(&mut head, ask(GroupId([8; 16])))), Err(ErrorKind::PlacementGroupRemoved));
    remove(&mut head, &spec);
    let out = messages(tell(&mut head, ask(spec.id)));
    assert!(
        matches!(out.as_slice(), [FromHead::GroupFound { result: Ok(status), .. }] if status.state == GroupState::Removed)
    );
}

#[test]
fn a_group_of_more_than_can_be_counted_is_refused_and_takes_nothing() {
    let mut head = pair();
    let mut spec = group(1, GroupStrategy::Pack, &[1, 1]);
    for bundle in &mut spec.bundles {
        bundle.resources.memory = 1 << 63;
    }
    let before = (free(&head, A), free(&head, B));
    assert_eq!(found(&create(&mut head, &spec)), Err(ErrorKind::InvalidArgument));
    assert_eq!((free(&head, A), free(&head, B)), before);
}

#[test]
fn a_job_has_only_so_many_bundles_at_a_time() {
    let mut head = pair();
    let large = |number| group(number, GroupStrategy::Pack, &vec![1; crate::limits::BUNDLES_MAX]);
    let most = (crate::limits::BUNDLES_OF_JOB_MAX / crate::limits::BUNDLES_MAX) as u64;
    for number in 0..most {
        found(&create(&mut head, &large(number))).unwrap();
    }
    let further = group(most, GroupStrategy::Pack, &[1]);
    assert_eq!(found(&create(&mut head, &further)), Err(ErrorKind::LimitExceeded));
    remove(&mut head, &large(0));
    found(&create(&mut head, &further)).unwrap();
    assert_eq!(head.audit(), Vec::<String>::new());
}
