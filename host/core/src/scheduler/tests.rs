//! Cases of the head's machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Actor, Outbox, Scheduler};
use crate::message::{ActorChange, ActorEnd, FromHead, NodeAddress, RequestId, Shape, ToHead};
use crate::{
    ActorId, ActorSpec, Amount, ComponentDigest, Error, ErrorKind, JobId, JobSpec, JobState, LeaseId, NodeId,
    Resources, Retries, TaskKind, TaskSpec, TaskTerms,
};

const NODE: NodeId = NodeId([1; 16]);

pub(super) fn cpus(units: u64) -> Resources {
    Resources::cpus(Amount(units * 10_000))
}

fn head(units: u64) -> Scheduler {
    let mut head = Scheduler::default();
    tell(
        &mut head,
        ToHead::NodeJoined { node: NODE, at: NodeAddress::default(), total: cpus(units), labels: crate::Labels::new() },
    );
    head
}

fn tell(head: &mut Scheduler, message: ToHead) -> Vec<FromHead> {
    let mut out = Outbox::new();
    head.handle(message, 0, &mut out);
    out.into_iter().map(|(_, message)| message).collect()
}

pub(super) fn shape(units: u64) -> Shape {
    Shape { job: JobId::numbered(1), resources: Arc::new(cpus(units)), placement: Arc::default(), near: None }
}

fn want(head: &mut Scheduler, units: u64, backlog: u32) -> Vec<FromHead> {
    tell(head, ToHead::LeaseWanted { owner: NODE, shape: shape(units), backlog, granted: 0 })
}

pub(super) fn granted(messages: &[FromHead]) -> Option<(LeaseId, u32)> {
    messages.iter().find_map(|message| match message {
        FromHead::SlotsGranted { lease, slots, .. } => Some((*lease, *slots)),
        _ => None,
    })
}

fn free(head: &Scheduler) -> String {
    head.node_rows()[0].resources_available.clone()
}

/// An actor whose restarts and name are given.
pub(super) fn actor(number: u64, name: Option<&str>, restarts: u32) -> Arc<ActorSpec> {
    let id = JobId::numbered(1).driver(0).child(number);
    let creation = TaskSpec {
        id,
        parent: JobId::numbered(1).driver(0),
        submitter: JobId::numbered(1).driver(0),
        kind: TaskKind::ActorCreation,
        args: Vec::new(),
        terms: Arc::new(TaskTerms {
            num_returns: 0,
            resources: Arc::new(cpus(1)),
            ..TaskTerms::new(JobId::numbered(1), ComponentDigest([0; 32]), Arc::from("Counter.new"))
        }),
    };
    Arc::new(ActorSpec {
        id: ActorId::from(id),
        class: Arc::from("Counter"),
        name: name.map(Arc::from),
        namespace: Arc::from("space"),
        detached: false,
        placement: Arc::new(cpus(1)),
        lifetime: Arc::new(cpus(1)),
        max_restarts: Retries::AtMost(restarts),
        max_task_retries: Retries::AtMost(0),
        max_pending_calls: None,
        out_of_order: false,
        creation: Arc::new(creation),
    })
}

fn register(head: &mut Scheduler, spec: &Arc<ActorSpec>, get_if_exists: bool) -> Result<ActorId, ErrorKind> {
    let request = Some(RequestId(1));
    let answer = tell(head, ToHead::ActorRegister { owner: NODE, request, spec: Arc::clone(spec), get_if_exists });
    match answer.into_iter().next() {
        Some(FromHead::ActorFound { result, .. }) => result.map(|(spec, _)| spec.id).map_err(|error| error.kind),
        other => panic!("{other:?}"),
    }
}

/// Registers an actor and brings it to life.
fn live(head: &mut Scheduler, spec: &Arc<ActorSpec>) {
    register(head, spec, false).unwrap();
    let placed = tell(head, ToHead::ActorDependenciesReady { actor: spec.id, inputs: None, failed: None });
    assert!(matches!(placed.as_slice(), [FromHead::ActorStart { incarnation: 0, .. }]), "{placed:?}");
    tell(head, ToHead::ActorReady { actor: spec.id, incarnation: 0 });
}

fn crash(head: &mut Scheduler, spec: &ActorSpec, incarnation: u32) -> Vec<FromHead> {
    let end = ActorEnd::Crashed(Error::new(ErrorKind::WorkerCrashed, "it trapped"));
    tell(head, ToHead::ActorEnded { actor: spec.id, incarnation, end })
}

fn change(messages: &[FromHead]) -> &ActorChange {
    let found = messages.iter().find_map(|message| match message {
        FromHead::ActorChanged { change, .. } => Some(change),
        _ => None,
    });
    found.expect("the owner is told")
}

#[test]
fn slots_are_granted_as_far_as_there_is_room() {
    let mut head = head(4);
    let (_, slots) = granted(&want(&mut head, 1, 10)).unwrap();
    assert_eq!((slots, free(&head).as_str()), (4, "{}"));
}

#[test]
fn returned_slots_go_to_who_waits() {
    let mut head = head(2);
    let (lease, _) = granted(&want(&mut head, 1, 2)).unwrap();
    let waiting = want(&mut head, 2, 1);
    assert!(
        waiting.iter().any(
            |message| matches!(message, FromHead::LeasePending { why, .. } if why.contains("needs 2 CPU (0 here)"))
        ),
        "{waiting:?}"
    );
    let messages = tell(&mut head, ToHead::SlotsReturned { lease, slots: 2, parked: 0 });
    assert_eq!(granted(&messages).unwrap().1, 1);
}

#[test]
fn a_slot_of_a_blocked_task_comes_back_before_new_work_is_served() {
    let mut head = head(1);
    let (lease, _) = granted(&want(&mut head, 1, 1)).unwrap();
    let other = Shape { job: JobId::numbered(2), ..shape(1) };
    tell(&mut head, ToHead::SlotsReturned { lease, slots: 1, parked: 1 });
    let taken = tell(&mut head, ToHead::LeaseWanted { owner: NODE, shape: other, backlog: 2, granted: 0 });
    let (other_lease, _) = granted(&taken).unwrap();
    tell(&mut head, ToHead::SlotsResumeWanted { lease, slots: 1 });
    let messages = tell(&mut head, ToHead::SlotsReturned { lease: other_lease, slots: 1, parked: 0 });
    assert!(matches!(messages[0], FromHead::SlotsResumed { slots: 1, .. }), "{messages:?}");
}

#[test]
fn a_blocked_task_that_ended_while_its_slot_was_sent_leaves_nothing_behind() {
    let mut head = head(1);
    let (lease, _) = granted(&want(&mut head, 1, 1)).unwrap();
    tell(&mut head, ToHead::SlotsReturned { lease, slots: 1, parked: 1 });
    let resumed = tell(&mut head, ToHead::SlotsResumeWanted { lease, slots: 1 });
    assert!(matches!(resumed[..], [FromHead::SlotsResumed { slots: 1, .. }]), "{resumed:?}");
    // The first task ended, and another one of the lease is blocked, before the owner hears of the slot.
    tell(&mut head, ToHead::ParkedEnded { lease, parked: 1 });
    tell(&mut head, ToHead::SlotsReturned { lease, slots: 1, parked: 1 });
    assert_eq!((head.leases.len(), free(&head).as_str()), (0, "{'CPU': 1}"));
}

#[test]
fn what_was_resumed_in_vain_does_not_count_against_the_next_task() {
    let mut head = head(1);
    let (lease, _) = granted(&want(&mut head, 1, 1)).unwrap();
    tell(&mut head, ToHead::SlotsReturned { lease, slots: 1, parked: 1 });
    tell(&mut head, ToHead::SlotsResumeWanted { lease, slots: 1 });
    tell(&mut head, ToHead::ParkedEnded { lease, parked: 1 });
    tell(&mut head, ToHead::ResumedInVain { lease, slots: 1 });
    tell(&mut head, ToHead::SlotsReturned { lease, slots: 1, parked: 1 });
    assert_eq!(head.leases.values().map(|lease| (lease.slots, lease.parked)).collect::<Vec<_>>(), [(0, 1)]);
}

#[test]
fn what_no_node_has_is_called_infeasible_with_the_numbers() {
    let mut head = head(2);
    let messages = want(&mut head, 8, 1);
    let Some(FromHead::LeasePending { why, .. }) = messages.first() else { panic!("{messages:?}") };
    assert!(why.starts_with("infeasible: needs 8 CPU (2 here); the largest node"), "{why}");
}

#[test]
fn a_name_belongs_to_one_actor_until_it_is_dead() {
    let mut head = head(4);
    let (first, second) = (actor(1, Some("a"), 0), actor(2, Some("a"), 0));
    live(&mut head, &first);
    assert_eq!(register(&mut head, &second, false), Err(ErrorKind::ActorAlreadyExists));
    assert_eq!(register(&mut head, &second, true), Ok(first.id));
    tell(&mut head, ToHead::ActorKill { actor: first.id, no_restart: true });
    assert_eq!(register(&mut head, &second, false), Ok(second.id));
}

#[test]
fn an_unknown_name_is_an_error() {
    let mut head = head(1);
    let request = RequestId(9);
    let (name, namespace) = ("nobody".to_owned(), "space".to_owned());
    let answer = tell(&mut head, ToHead::ActorLookup { owner: NODE, request, name, namespace });
    let [FromHead::ActorFound { result: Err(error), .. }] = answer.as_slice() else { panic!("{answer:?}") };
    assert_eq!(error.kind, ErrorKind::ActorNotFound);
    assert_eq!(error.message, "no actor named `nobody` in namespace `space`; `rayw list actors` shows all");
}

#[test]
fn an_actor_is_restarted_as_often_as_it_may() {
    let mut head = head(1);
    let spec = actor(1, None, 1);
    live(&mut head, &spec);
    let messages = crash(&mut head, &spec, 0);
    assert!(matches!(change(&messages), ActorChange::Restarting { incarnation: 1, .. }));
    assert!(messages.iter().any(|message| matches!(message, FromHead::ActorStart { incarnation: 1, .. })));
    let messages = crash(&mut head, &spec, 1);
    assert!(matches!(change(&messages), ActorChange::Dead { .. }));
    assert_eq!(free(&head), "{'CPU': 1}");
}

#[test]
fn news_of_an_old_life_is_ignored() {
    let mut head = head(1);
    let spec = actor(1, None, -1_i32 as u32);
    live(&mut head, &spec);
    crash(&mut head, &spec, 0);
    assert!(crash(&mut head, &spec, 0).is_empty());
}

#[test]
fn a_killed_actor_is_not_restarted() {
    let mut head = head(1);
    let spec = actor(1, None, 5);
    live(&mut head, &spec);
    tell(&mut head, ToHead::ActorKill { actor: spec.id, no_restart: true });
    assert!(matches!(change(&crash(&mut head, &spec, 0)), ActorChange::Dead { .. }));
}

#[test]
fn actors_wait_for_room_and_say_so() {
    let mut head = head(1);
    let (first, second) = (actor(1, None, 0), actor(2, None, 0));
    live(&mut head, &first);
    register(&mut head, &second, false).unwrap();
    let messages = tell(&mut head, ToHead::ActorDependenciesReady { actor: second.id, inputs: None, failed: None });
    assert!(matches!(change(&messages), ActorChange::Pending { why } if why.contains("needs 1 CPU (0 here)")));
    assert_eq!(head.actor_rows().iter().filter(|row| row.state == "PENDING_CREATION").count(), 1);
    let messages = crash(&mut head, &first, 0);
    assert!(messages.iter().any(|message| matches!(message, FromHead::ActorStart { .. })));
}

#[test]
fn a_job_takes_its_actors_with_it() {
    let mut head = head(1);
    let spec = actor(1, None, 5);
    let job = JobSpec::new(JobId::numbered(1), ComponentDigest([0; 32]), "app.wasm", "n");
    tell(&mut head, ToHead::JobStarted { spec: Arc::new(job), node: NODE });
    live(&mut head, &spec);
    let messages = tell(
        &mut head,
        ToHead::JobEnded {
            job: JobId::numbered(1),
            state: JobState::Succeeded,
            exit_code: Some(0),
            message: String::new(),
        },
    );
    assert!(matches!(
        messages.as_slice(),
        [FromHead::ActorStop { graceful: false, restart: false, .. }, FromHead::JobEnded { .. }]
    ));
    assert_eq!(head.job_rows()[0].status, "SUCCEEDED");
}

/// There may be a hundred thousand actors that nobody calls.
#[test]
fn what_is_kept_of_an_actor_stays_small() {
    assert!(size_of::<Actor>() <= 104, "{}", size_of::<Actor>());
}

proptest! {
    /// No node is ever over its capacity, whatever owners ask for and give back.
    #[test]
    fn no_node_is_ever_over_its_capacity(
        steps in proptest::collection::vec((0..3_u8, 1..4_u64, 0..6_u32), 1..80),
    ) {
        let mut head = head(5);
        let mut held: BTreeMap<LeaseId, (u64, u32)> = BTreeMap::new();
        for (what, units, count) in steps {
            let messages = match what {
                0 => want(&mut head, units, count),
                1 => match held.iter_mut().find(|(_, (_, slots))| *slots > 0) {
                    Some((lease, (_, slots))) => {
                        *slots -= 1;
                        tell(&mut head, ToHead::SlotsReturned { lease: *lease, slots: 1, parked: 0 })
                    }
                    None => Vec::new(),
                },
                _ => {
                    let mut out = Outbox::new();
                    head.tick(u64::from(count) * 100, &mut out);
                    out.into_iter().map(|(_, message)| message).collect()
                }
            };
            for message in messages {
                if let FromHead::SlotsGranted { lease, shape, slots, .. } = message {
                    let entry = held.entry(lease).or_insert((shape.resources.cpu.0 / 10_000, 0));
                    entry.1 += slots;
                }
            }
            let used: u64 = held.values().map(|(units, slots)| units * u64::from(*slots)).sum();
            prop_assert!(used <= 5, "{used} of 5 cpus are given away");
            prop_assert_eq!(free(&head), cpus(5 - used).to_string());
        }
    }
}

#[test]
fn of_an_actor_that_is_over_no_arguments_are_kept() {
    let mut head = head(1);
    let spec = Arc::new(ActorSpec { detached: true, ..ActorSpec::clone(&actor(1, None, 0)) });
    register(&mut head, &spec, false).unwrap();
    tell(&mut head, ToHead::ActorKill { actor: spec.id, no_restart: true });
    tell(&mut head, ToHead::ActorDependenciesReady { actor: spec.id, inputs: Some(Vec::new()), failed: None });
    assert!(head.actors[&spec.id].inputs().is_none());
}
