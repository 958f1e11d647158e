//! Cases of orders that are sent before a slot is free for them, from both sides.

use std::sync::Arc;

use super::peer_tests::{HERE, Node, OTHER, inline, order, spec};
use super::{Command, Event, Outcome, WaitFor, WaiterId};
use crate::message::{FromHead, ToHead, ToPeer};
use crate::{Error, ErrorKind, LeaseId, NodeId, RefId, Retries, TaskId, limits};

const LEASE: LeaseId = LeaseId(7);

/// An owner with so many tasks for one slot of another node, of which some have ended already, one after
/// another without a pause.
fn owner_of(tasks: u64, ended: usize, retries: Retries) -> (Node, Vec<TaskId>) {
    let (mut node, ids) = owner_with(tasks, (OTHER, 1), retries);
    for id in ids.iter().take(ended) {
        node.finishes(OTHER, *id, vec![inline(Vec::new())], Vec::new());
    }
    (node, ids)
}

fn owner_with(tasks: u64, (at, slots): (NodeId, u32), retries: Retries) -> (Node, Vec<TaskId>) {
    let mut node = Node::new();
    let specs = (1..=tasks).map(|number| spec(number, Vec::new()).with_terms(|terms| terms.max_retries = retries));
    let mut ids = Vec::new();
    let mut shape = None;
    for spec in specs {
        ids.push(spec.id);
        node.tell(Event::Submitted(Arc::new(spec)));
        for message in &node.to_head {
            if let ToHead::LeaseWanted { shape: wanted, .. } = message {
                shape = Some(wanted.clone());
            }
        }
    }
    let shape = shape.expect("it wants a lease");
    node.tell(Event::FromHead(Box::new(FromHead::SlotsGranted { lease: LEASE, shape, node: at, bundle: None, slots })));
    (node, ids)
}

/// The orders that were sent last: what, and behind what.
fn sent(node: &Node) -> Vec<(TaskId, Option<TaskId>)> {
    let orders = node.said.iter().filter_map(|(_, message)| match message {
        ToPeer::Run { order, behind, .. } => Some((order.spec.id, *behind)),
        _ => None,
    });
    orders.collect()
}

/// Whether all counts are right, with a handle on each result.
fn sound(node: &Node, ids: &[TaskId]) {
    let handles = ids.iter().map(|id| (RefId::Object(id.output(0)), 1)).collect();
    assert_eq!(node.owner.audit(&handles), Vec::<String>::new());
}

const OFTEN: Retries = Retries::AtMost(2);

#[test]
fn short_tasks_are_sent_ahead_and_each_end_sends_one_more() {
    let (mut node, ids) = owner_of(9, 2, OFTEN);
    let behind = |index: usize| (ids[index], Some(ids[index - 1]));
    assert_eq!(sent(&node), [(ids[2], None), behind(3), behind(4), behind(5)]);
    sound(&node, &ids);
    node.finishes(OTHER, ids[2], vec![inline(Vec::new())], Vec::new());
    assert_eq!(sent(&node), [behind(6)]);
    sound(&node, &ids);
}

#[test]
fn nothing_is_sent_ahead_where_tasks_are_long_or_may_run_once_only() {
    let (mut node, ids) = owner_of(9, 1, OFTEN);
    assert_eq!(sent(&node), [(ids[1], None)], "one end says nothing of how long tasks take");
    node.now += limits::AHEAD_PAUSE_MAX_MS + 1;
    node.finishes(OTHER, ids[1], vec![inline(Vec::new())], Vec::new());
    assert_eq!(sent(&node), [(ids[2], None)]);
    let (node, ids) = owner_of(9, 2, Retries::AtMost(0));
    assert_eq!(sent(&node), [(ids[2], None)]);
}

#[test]
fn tasks_that_began_together_and_end_together_are_not_short_for_that() {
    let (mut node, ids) = owner_with(12, (OTHER, 2), OFTEN);
    for round in ids.chunks(2).take(4) {
        node.now += 100;
        for id in round {
            node.finishes(OTHER, *id, vec![inline(Vec::new())], Vec::new());
            assert!(matches!(sent(&node)[..], [(_, None)]), "{:?}", node.said);
        }
    }
}

#[test]
fn one_that_may_run_once_only_stays_in_line_behind_one_that_was_cancelled() {
    let mut node = Node::new();
    let mut ids = Vec::new();
    for number in 1..=9 {
        let max_retries = if number == 5 { Retries::AtMost(0) } else { OFTEN };
        let spec = spec(number, Vec::new()).with_terms(|terms| terms.max_retries = max_retries);
        ids.push(spec.id);
        node.tell(Event::Submitted(Arc::new(spec)));
    }
    node.tell(Event::Cancelled { object: ids[3].output(0), recursive: false });
    let shape = node.owner.shapes.iter().next().map(|(_, queue)| queue.shape.clone()).expect("there is one");
    node.tell(Event::FromHead(Box::new(FromHead::SlotsGranted {
        lease: LEASE,
        shape,
        node: OTHER,
        bundle: None,
        slots: 1,
    })));
    for id in &ids[..2] {
        node.finishes(OTHER, *id, vec![inline(Vec::new())], Vec::new());
    }
    assert_eq!(sent(&node), [(ids[2], None)]);
}

#[test]
fn a_task_that_blocks_leaves_its_slot_to_the_one_behind_it() {
    let (mut node, ids) = owner_of(9, 2, OFTEN);
    node.hears(OTHER, ToPeer::Blocked { task: ids[2], attempt: 0, in_get: true });
    assert_eq!(sent(&node), [(ids[6], Some(ids[5]))]);
    sound(&node, &ids);
    // It must have a slot to go on, ahead of all that has none yet, and nothing more is sent before it.
    node.hears(OTHER, ToPeer::ResumeWanted { task: ids[2], attempt: 0 });
    assert!(node.said.iter().all(|(_, message)| matches!(message, ToPeer::Recall { .. })) && node.said.len() == 3);
    for id in &ids[3..7] {
        node.finishes(OTHER, *id, vec![inline(Vec::new())], Vec::new());
        sound(&node, &ids);
    }
    assert!(node.said.iter().any(|(_, message)| matches!(message, ToPeer::Resumed { .. })), "{:?}", node.said);
}

#[test]
fn what_waits_too_long_is_asked_back_and_is_first_in_line() {
    let (mut node, ids) = owner_of(9, 2, OFTEN);
    node.tell(Event::Tick);
    assert_eq!(node.said, []);
    node.tell(Event::Tick);
    let asked: Vec<_> =
        ids[3..6].iter().rev().map(|task| (OTHER, ToPeer::Recall { task: *task, attempt: 0 })).collect();
    assert_eq!(node.said, asked);
    node.tell(Event::Tick);
    assert_eq!(node.said, [], "each is asked for once");
    for task in ids[3..6].iter().rev() {
        node.hears(OTHER, ToPeer::Recalled { task: *task, attempt: 0 });
    }
    sound(&node, &ids);
    node.now += limits::AHEAD_PAUSE_MAX_MS + 1;
    node.finishes(OTHER, ids[2], vec![inline(Vec::new())], Vec::new());
    assert_eq!(sent(&node), [(ids[3], None)]);
}

#[test]
fn what_was_sent_ahead_goes_elsewhere_when_its_node_dies() {
    let (mut node, ids) = owner_of(9, 2, OFTEN);
    node.loses(OTHER);
    sound(&node, &ids);
    let rows = node.owner.task_snapshot().into_rows();
    assert_eq!(rows.iter().filter(|row| row.state == "PENDING_NODE_ASSIGNMENT").count(), 7);
    assert_eq!(rows.iter().filter(|row| row.attempt_number == 1).count(), 4, "who may have begun counts as begun");
}

/// An owner with so many tasks for one slot of its own node, of which two have ended without a pause.
fn owner_here(tasks: u64) -> (Node, Vec<TaskId>) {
    let (mut node, ids) = owner_with(tasks, (HERE, 1), Retries::AtMost(0));
    ids.iter().take(2).for_each(|id| ends(&mut node, *id));
    (node, ids)
}

/// The orders that a worker here was given last: what, and behind what.
fn given(node: &Node) -> Vec<(TaskId, Option<TaskId>)> {
    let orders = node.rest.iter().filter_map(|command| match command {
        Command::Run(order) => Some((order.spec.id, None)),
        Command::RunBehind { order, behind } => Some((order.spec.id, Some(*behind))),
        _ => None,
    });
    orders.collect()
}

fn waits(node: &mut Node, task: TaskId, object: TaskId) {
    let (waiter, objects, wait) = (WaiterId(1), vec![object.output(0)], WaitFor::Values);
    node.tell(Event::WaitStarted { waiter, objects, wait, caller: Some(task), poll: false });
}

#[test]
fn a_worker_here_has_short_tasks_ahead_but_no_more_than_half_of_what_waits() {
    let (mut node, ids) = owner_here(15);
    let behind = |index: usize| (ids[index], Some(ids[index - 1]));
    // Twelve waited.
    let half = [behind(3), behind(4), behind(5), behind(6), behind(7), behind(8)];
    assert_eq!(given(&node), [&[(ids[2], None)][..], &half].concat());
    sound(&node, &ids);
    for id in &ids[2..6] {
        ends(&mut node, *id);
        assert_eq!(given(&node), [], "the worker has enough");
        sound(&node, &ids);
    }
    ends(&mut node, ids[6]);
    assert_eq!(given(&node), [behind(9), behind(10)]);
    let (node, _) = owner_here(1_000);
    assert_eq!(given(&node).len(), 1 + limits::AHEAD_HERE_MAX);
}

#[test]
fn the_worker_of_a_task_that_blocks_leaves_all_behind_it_to_another_one() {
    let (mut node, ids) = owner_here(15);
    waits(&mut node, ids[2], ids[14]);
    assert!(node.rest.iter().any(|command| matches!(command, Command::Begin(task) if *task == ids[3])));
    sound(&node, &ids);
}

#[test]
fn what_is_asked_back_from_a_worker_here_is_first_in_line() {
    let (mut node, ids) = owner_here(15);
    node.tell(Event::Tick);
    node.tell(Event::Tick);
    let asked = recalled(&node);
    assert_eq!(asked, ids[3..9].iter().rev().copied().collect::<Vec<_>>());
    // The first two have begun meanwhile.
    node.tell(Event::Recalled(ids[5..9].iter().rev().copied().collect()));
    sound(&node, &ids);
    for id in &ids[2..5] {
        assert_eq!(given(&node), [], "the third to the fifth have slots or begin without a word");
        node.now += 100;
        ends(&mut node, *id);
    }
    assert_eq!(given(&node), [(ids[5], None)]);
    sound(&node, &ids);
}

/// The end of the task before it is heard of in the turn in which it is asked back (seed 1 000 018).
#[test]
fn a_task_that_is_given_back_when_it_has_a_slot_already_leaves_it_to_who_resumes() {
    let (mut node, ids) = owner_here(15);
    waits(&mut node, ids[2], ids[3]);
    ends(&mut node, ids[3]);
    let asked = recalled(&node);
    assert!(asked.contains(&ids[4]) && !node.rest.iter().any(|command| matches!(command, Command::Wake { .. })));
    node.tell(Event::Recalled(asked.clone()));
    assert!(node.rest.iter().any(|command| matches!(command, Command::Wake { .. })), "{:?}", node.rest);
    sound(&node, &ids);
    ends(&mut node, ids[2]);
    assert_eq!(given(&node)[0], (ids[4], None), "and is first in line");
    sound(&node, &ids);
}

#[test]
fn a_slot_with_nothing_to_do_gets_the_first_of_what_waits_behind_others() {
    let (mut node, ids) = owner_with(30, (HERE, 2), Retries::AtMost(0));
    ids.iter().take(3).for_each(|id| ends(&mut node, *id));
    // Two run. One of them has a line behind it, and the other one's worker goes through all the rest.
    let line: Vec<TaskId> = given(&node).iter().filter(|(_, behind)| behind.is_some()).map(|(id, _)| *id).collect();
    let leader = given(&node)[0].0;
    assert!(line.len() > 1, "{line:?}");
    for id in ids[3..].iter().filter(|id| !line.contains(id) && **id != leader) {
        ends(&mut node, *id);
        if !recalled(&node).is_empty() {
            break;
        }
    }
    assert_eq!(recalled(&node), line.iter().rev().copied().collect::<Vec<_>>());
    node.tell(Event::Recalled(recalled(&node)));
    assert_eq!(given(&node)[0], (line[0], None));
    sound(&node, &ids);
}

fn recalled(node: &Node) -> Vec<TaskId> {
    let lists = node.rest.iter().filter_map(|command| match command {
        Command::Recall(tasks) => Some(tasks.as_slice()),
        _ => None,
    });
    lists.flatten().copied().collect()
}

/// A node that runs the first of these tasks of another one, and holds the rest behind it.
fn node_with(tasks: u64) -> (Node, Vec<TaskId>) {
    let mut node = Node::new();
    let mut ids: Vec<TaskId> = Vec::new();
    for number in 1..=tasks {
        let spec = spec(number, Vec::new());
        let (id, behind) = (spec.id, ids.last().copied());
        node.hears(OTHER, ToPeer::Run { order: order(spec, OTHER), refs: Vec::new(), behind });
        assert_eq!(begun(&node), if behind.is_none() { vec![id] } else { Vec::new() });
        ids.push(id);
    }
    (node, ids)
}

fn begun(node: &Node) -> Vec<TaskId> {
    let runs = node.rest.iter().filter_map(|command| match command {
        Command::Run(order) => Some(order.spec.id),
        _ => None,
    });
    runs.collect()
}

fn ends(node: &mut Node, task: TaskId) {
    node.tell(Event::Finished { task, attempt: 0, outcome: Outcome::Returned(vec![inline(Vec::new())]) });
}

#[test]
fn what_is_held_begins_when_the_one_before_it_ends_or_blocks() {
    let (mut node, ids) = node_with(3);
    ends(&mut node, ids[0]);
    assert_eq!(begun(&node), [ids[1]]);
    node.tell(Event::WaitStarted {
        waiter: WaiterId(1),
        objects: vec![ids[2].output(0)],
        wait: WaitFor::Values,
        caller: Some(ids[1]),
        poll: false,
    });
    assert_eq!(begun(&node), [ids[2]]);
    // Whoever comes behind one that is over, or blocked, begins at once.
    for (number, behind) in [(4, ids[0]), (5, ids[1])] {
        let spec = spec(number, Vec::new());
        let id = spec.id;
        node.hears(OTHER, ToPeer::Run { order: order(spec, OTHER), refs: Vec::new(), behind: Some(behind) });
        assert_eq!(begun(&node), [id]);
    }
}

#[test]
fn what_is_held_can_be_asked_back_or_cancelled_and_the_line_closes() {
    let (mut node, ids) = node_with(4);
    node.hears(OTHER, ToPeer::Recall { task: ids[1], attempt: 0 });
    assert_eq!(node.said, [(OTHER, ToPeer::Recalled { task: ids[1], attempt: 0 })]);
    node.hears(OTHER, ToPeer::Stop { task: ids[2], attempt: 0, recursive: false });
    let is_cancelled = |message: &ToPeer| matches!(message, ToPeer::Finished { outcome: Outcome::Failed(error), .. } if error.kind == ErrorKind::TaskCancelled);
    assert!(matches!(&node.said[..], [(OTHER, message)] if is_cancelled(message)), "{:?}", node.said);
    assert!(node.rest.is_empty(), "{:?}", node.rest);
    // One that runs is not given back, and the last one follows it.
    node.hears(OTHER, ToPeer::Recall { task: ids[0], attempt: 0 });
    assert_eq!(node.said, []);
    ends(&mut node, ids[0]);
    assert_eq!(begun(&node), [ids[3]]);
}

#[test]
fn held_orders_end_with_their_job_and_with_their_owner() {
    let (mut node, ids) = node_with(3);
    node.tell(Event::JobEnded(crate::JobId::numbered(1)));
    let told = node.said.iter().filter(|(_, message)| matches!(message, ToPeer::Finished { .. })).count();
    assert_eq!((told, begun(&node)), (2, Vec::new()));
    let error = Error::new(ErrorKind::TaskCancelled, "it was stopped");
    node.tell(Event::Finished { task: ids[0], attempt: 0, outcome: Outcome::Failed(error) });
    assert_eq!((begun(&node), node.owner.leftovers()), (Vec::new(), Vec::new()));
    let (mut node, ids) = node_with(3);
    node.loses(OTHER);
    assert_eq!((begun(&node), node.owner.foreign.len()), (Vec::new(), 1), "the one that runs has yet to be stopped");
    ends(&mut node, ids[0]);
    assert_eq!((begun(&node), node.owner.leftovers()), (Vec::new(), Vec::new()));
}
