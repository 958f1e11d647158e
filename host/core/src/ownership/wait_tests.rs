//! Cases of `get`: which values it answers with, and whether it is told at all.

use std::sync::Arc;

use bytes::Bytes;

use super::peer_tests::{HERE, Node, OTHER, object as foreign, of_other, order, spec};
use super::{Command, Event, Found, Input, Order, Output, Ownership, WaitFor, WaitResult, WaiterId};
use crate::message::ToPeer;
use crate::{Arg, Codec, Error, ErrorKind, JobId, ObjectId, RefId, Value};

const WAITER: WaiterId = WaiterId(1);

fn object(number: u32) -> ObjectId {
    JobId::numbered(1).driver(0).put(number)
}

fn inline(number: u32) -> Output {
    let data = Bytes::copy_from_slice(&number.to_le_bytes());
    Output::Inline(Arc::new(Value { codec: Codec::Raw, data, refs: Vec::new() }))
}

fn stored() -> Output {
    Output::Stored { at: vec![HERE], size: 1, refs: Vec::new() }
}

/// What a `get` of these objects answers with that settle one after another in that way.
fn got(asked: &[u32], settling: Vec<(u32, Output)>) -> Option<WaitResult> {
    let (mut machine, mut out) = (Ownership::new(HERE), Vec::new());
    asked.iter().for_each(|number| machine.expect_object(object(*number)));
    let objects = asked.iter().copied().map(object).collect();
    let wait = WaitFor::Values;
    machine.handle(Event::WaitStarted { waiter: WAITER, objects, wait, caller: None, poll: false }, 0, &mut out);
    for (number, output) in settling {
        machine.handle(Event::Put { object: object(number), output }, 0, &mut out);
    }
    let answers = out.into_iter().filter_map(|command| match command {
        Command::Wake { waiter: WAITER, result } => Some(result),
        _ => None,
    });
    answers.last()
}

/// Of values the number in each, of objects in stores their own.
fn numbers(result: Option<WaitResult>) -> Vec<Result<u32, ObjectId>> {
    let Some(WaitResult::Values(values)) = result else { panic!("{result:?}") };
    let number = |found| match found {
        Found::Inline(value) => Ok(u32::from_le_bytes(value.data.as_ref().try_into().expect("four bytes"))),
        Found::Stored(stored) => Err(stored.object),
    };
    values.into_iter().map(number).collect()
}

#[test]
fn values_are_answered_in_the_order_of_the_question_whichever_came_first() {
    let settling = vec![(3, inline(3)), (1, inline(1)), (2, stored())];
    assert_eq!(numbers(got(&[1, 2, 3, 1], settling)), [Ok(1), Err(object(2)), Ok(3), Ok(1)]);
}

#[test]
fn the_first_failure_is_the_answer_whatever_else_is_missing() {
    let error = Error::new(ErrorKind::TaskError, "no");
    let result = got(&[1, 2, 3], vec![(3, inline(3)), (2, Output::Failed(error))]);
    assert!(matches!(&result, Some(WaitResult::Failed(error)) if error.message == "no"), "{result:?}");
}

#[test]
fn who_waits_for_a_task_that_gets_its_slot_and_fails_by_that_is_told() {
    let mut node = Node::new();
    let refs = vec![RefId::Object(foreign(1)), RefId::Object(foreign(2))];
    let value = Value { codec: Codec::Raw, data: Bytes::new(), refs: refs.clone() };
    let order = Order { inputs: vec![Input::Inline(Arc::new(value))], ..order(spec(1, Vec::new()), OTHER) };
    node.hears(OTHER, ToPeer::Run { order, refs: [1, 2].map(|id| of_other(foreign(id))).into(), behind: None });
    node.tell(Event::Acquired(refs));
    // Both tasks have their argument at the other node, so that they want slots of the same kind.
    let needs = |task, object| spec(task, vec![Arg::Object(foreign(object))]);
    let settled = |object| {
        let output = Output::Stored { at: vec![OTHER], size: 9, refs: Vec::new() };
        ToPeer::Settled { object: foreign(object), output, refs: Vec::new() }
    };
    let (first, second) = (needs(2, 1), needs(3, 2));
    let (running, awaited) = (first.id, second.id.output(0));
    node.tell(Event::Submitted(Arc::new(first)));
    node.hears(OTHER, settled(1));
    node.grant(HERE);
    node.tell(Event::Started { task: running, worker: 1 });
    node.tell(Event::Submitted(Arc::new(second)));
    node.hears(OTHER, settled(2));
    node.loses(OTHER);
    let (objects, wait) = (vec![awaited], WaitFor::Values);
    node.tell(Event::WaitStarted { waiter: WAITER, objects, wait, caller: Some(running), poll: false });
    let failed = |command: &Command| matches!(command, Command::Wake { result: WaitResult::Failed(error), .. } if error.kind == ErrorKind::OwnerDied);
    assert!(node.rest.iter().any(failed), "{:?}", node.rest);
}

#[test]
fn a_wait_leaves_an_object_that_it_named_many_times_at_once() {
    let (mut machine, mut out) = (Ownership::new(HERE), Vec::new());
    machine.expect_object(object(1));
    let wait = |number: u64, times| Event::WaitStarted {
        waiter: WaiterId(number),
        objects: vec![object(1); times],
        wait: WaitFor::Values,
        caller: None,
        poll: false,
    };
    // Were all that wait looked through for each mention, this would take minutes.
    machine.handle(wait(1, 300_000), 0, &mut out);
    machine.handle(wait(2, 300_000), 0, &mut out);
    machine.handle(Event::WaitTimedOut(WaiterId(2)), 0, &mut out);
    assert!(matches!(out[..], [Command::Wake { waiter: WaiterId(2), .. }]), "{}", out.len());
    machine.handle(Event::Put { object: object(1), output: inline(1) }, 0, &mut out);
    assert_eq!(out.len(), 2);
}
