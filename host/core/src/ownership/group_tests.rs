//! Cases of objects that wait for placement groups.

use super::{Command, Event, Ownership, WaitFor, WaitResult, WaiterId};
use crate::message::{FromHead, ToHead};
use crate::{ErrorKind, GroupId, GroupState, JobId, NodeId, ObjectId, RefId, TaskId, limits};

const NODE: NodeId = NodeId([7; 16]);
const GROUP: GroupId = GroupId([5; 16]);

fn driver() -> TaskId {
    JobId::numbered(1).driver(0)
}

fn tell(owner: &mut Ownership, event: Event) -> Vec<Command> {
    let mut out = Vec::new();
    owner.handle(event, 0, &mut out);
    out
}

fn await_group(owner: &mut Ownership, number: u32) -> (ObjectId, Vec<Command>) {
    let object = driver().put(number);
    (object, tell(owner, Event::GroupReady { group: GROUP, object }))
}

fn change(owner: &mut Ownership, state: GroupState) -> Vec<Command> {
    let why = "its job ended".to_owned();
    let message = FromHead::GroupChanged { group: GROUP, state, nodes: Vec::new(), why };
    tell(owner, Event::FromHead(Box::new(message)))
}

fn is_watch(command: &Command) -> bool {
    matches!(command, Command::ToHead(message) if matches!(**message, ToHead::GroupWatch { group: GROUP, .. }))
}

fn get(owner: &mut Ownership, object: ObjectId) -> Option<WaitResult> {
    let (objects, wait) = (vec![object], WaitFor::Values);
    let event = Event::WaitStarted { waiter: WaiterId(1), objects, wait, caller: None, poll: false };
    tell(owner, event).into_iter().find_map(|command| match command {
        Command::Wake { result, .. } => Some(result),
        _ => None,
    })
}

#[test]
fn objects_are_ready_when_their_group_is() {
    let mut owner = Ownership::new(NODE);
    let (first, out) = await_group(&mut owner, 0);
    assert!(out.iter().any(is_watch));
    let (second, out) = await_group(&mut owner, 1);
    assert!(!out.iter().any(is_watch), "one watch is enough");
    assert!(get(&mut owner, first).is_none());
    let woken = change(&mut owner, GroupState::Created);
    assert!(woken.iter().any(|command| matches!(command, Command::Wake { result: WaitResult::Values(_), .. })));
    assert!(matches!(get(&mut owner, second), Some(WaitResult::Values(_))));
    let (third, _) = await_group(&mut owner, 2);
    assert!(matches!(get(&mut owner, third), Some(WaitResult::Values(_))), "again, at once");
}

#[test]
fn a_removed_group_fails_what_waits_for_it_and_is_forgotten() {
    let mut owner = Ownership::new(NODE);
    let (object, _) = await_group(&mut owner, 0);
    change(&mut owner, GroupState::Removed);
    let failed = get(&mut owner, object);
    let Some(WaitResult::Failed(error)) = failed else { panic!("{failed:?}") };
    assert_eq!(error.kind, ErrorKind::PlacementGroupRemoved);
    assert!(error.message.contains("its job ended"), "{error}");
    assert_eq!(owner.watched_groups(), 0);
    change(&mut owner, GroupState::Created);
    assert_eq!(owner.watched_groups(), 0, "a late message brings nothing back");
}

#[test]
fn what_nobody_waits_for_any_more_takes_no_room() {
    let mut owner = Ownership::new(NODE);
    for number in 0..10 {
        let (object, _) = await_group(&mut owner, number);
        tell(&mut owner, Event::Released(vec![RefId::Object(object)]));
    }
    assert_eq!((owner.objects(), owner.watched_groups()), (0, 1));
    assert!(owner.admit_ready(GROUP).is_ok());
    change(&mut owner, GroupState::Removed);
    assert_eq!(owner.watched_groups(), 0);
}

#[test]
fn not_more_may_wait_than_the_limit() {
    let mut owner = Ownership::new(NODE);
    for number in 0..u32::try_from(limits::GROUP_WAITERS_MAX).unwrap() {
        owner.admit_ready(GROUP).unwrap();
        await_group(&mut owner, number);
    }
    assert_eq!(owner.admit_ready(GROUP).unwrap_err().kind, ErrorKind::LimitExceeded);
    change(&mut owner, GroupState::Created);
    assert!(owner.admit_ready(GROUP).is_ok());
}
