//! Cases of objects whose copies are on several nodes, some of which die or leave.

use std::sync::Arc;

use bytes::Bytes;

use super::{Command, Event, Input, LostCopy, Order, Outcome, Output, Ownership, WaitFor, WaitResult, WaiterId};
use crate::message::{FromHead, RefOwner, ToPeer};
use crate::{
    ActorId, ActorSpec, Arg, Codec, ComponentDigest, ErrorKind, JobId, NodeId, ObjectId, RefId, Retries, TaskId,
    TaskKind, TaskSpec, TaskTerms, Value,
};

const A: NodeId = NodeId([1; 16]);
const B: NodeId = NodeId([2; 16]);
const C: NodeId = NodeId([3; 16]);

fn tell(machine: &mut Ownership, event: Event) -> Vec<Command> {
    let mut out = Vec::new();
    machine.handle(event, 0, &mut out);
    out
}

fn peer(machine: &mut Ownership, from: NodeId, message: ToPeer) -> Vec<Command> {
    tell(machine, Event::FromPeer { from, message: Box::new(message) })
}

fn head(machine: &mut Ownership, message: FromHead) -> Vec<Command> {
    tell(machine, Event::FromHead(Box::new(message)))
}

fn dies(machine: &mut Ownership, node: NodeId) -> Vec<Command> {
    head(machine, FromHead::NodeDied { node, why: "pulled".into() })
}

fn drains(machine: &mut Ownership, node: NodeId) -> Vec<Command> {
    head(machine, FromHead::NodeDraining { node })
}

fn object() -> ObjectId {
    JobId::numbered(1).driver(1).put(1)
}

fn stored(at: &[NodeId]) -> Output {
    Output::Stored { at: at.to_vec(), size: 1_000_000, refs: Vec::new() }
}

/// A's machine, which owns an object that is stored there.
fn owner(at: &[NodeId]) -> Ownership {
    let mut machine = Ownership::new(A);
    tell(&mut machine, Event::Put { object: object(), output: stored(at) });
    machine
}

fn places(machine: &Ownership) -> Vec<NodeId> {
    match machine.found(object()) {
        Some(super::Found::Stored(stored)) => stored.at,
        Some(super::Found::Inline(_)) | None => Vec::new(),
    }
}

/// What is said to other nodes.
fn letters(commands: &[Command]) -> Vec<(NodeId, ToPeer)> {
    let letters = commands.iter().filter_map(|command| match command {
        Command::ToPeer { node, message } => Some((*node, message.as_ref().clone())),
        _ => None,
    });
    letters.collect()
}

fn forgotten(commands: &[Command]) -> Vec<ObjectId> {
    let forgotten = commands.iter().filter_map(|command| match command {
        Command::Forget(object) => Some(*object),
        _ => None,
    });
    forgotten.collect()
}

fn spec(kind: TaskKind, args: Vec<Arg>) -> TaskSpec {
    let driver = JobId::numbered(1).driver(1);
    TaskSpec {
        id: driver.child(1),
        parent: driver,
        submitter: driver,
        kind,
        args,
        terms: Arc::new(TaskTerms {
            max_retries: Retries::AtMost(1),
            ..TaskTerms::new(JobId::numbered(1), ComponentDigest([0; 32]), Arc::from("f"))
        }),
    }
}

/// B's machine, which runs a task of A's that has a reference to A's object in its argument.
fn borrower() -> (Ownership, TaskId) {
    let mut machine = Ownership::new(B);
    let spec = Arc::new(spec(TaskKind::Normal, Vec::new()));
    let value = Value { codec: Codec::Raw, data: Bytes::new(), refs: vec![RefId::Object(object())] };
    let order = Order {
        spec: Arc::clone(&spec),
        attempt: 0,
        inputs: vec![Input::Inline(Arc::new(value))],
        lease: None,
        owner: A,
        stores_returns: false,
    };
    peer(&mut machine, A, ToPeer::Run { order, refs: vec![RefOwner::Object { id: object(), owner: A }], behind: None });
    (machine, spec.id)
}

/// The borrower has read the object: there is a copy in its store.
fn reads(machine: &mut Ownership) {
    let wait = WaitFor::Values;
    let objects = vec![object()];
    tell(machine, Event::WaitStarted { waiter: WaiterId(1), objects, wait, caller: None, poll: false });
    peer(machine, A, ToPeer::Settled { object: object(), output: stored(&[A]), refs: Vec::new() });
    tell(machine, Event::Copied { object: object(), owner: A });
}

#[test]
fn where_the_primary_dies_the_next_copy_takes_its_place() {
    let mut machine = owner(&[B, C, A]);
    let out = dies(&mut machine, B);
    assert_eq!(letters(&out), [(C, ToPeer::Keep { object: object() })]);
    let out = dies(&mut machine, C);
    assert!(out.iter().any(|command| matches!(command, Command::Keep(kept) if *kept == object())), "{out:?}");
    assert_eq!(places(&machine), [A]);
}

#[test]
fn a_copy_that_should_have_stayed_and_was_dropped_is_no_place_any_more() {
    let mut machine = owner(&[B, C, A]);
    dies(&mut machine, B);
    let out = peer(&mut machine, C, ToPeer::Dropped { object: object() });
    assert!(out.iter().any(|command| matches!(command, Command::Keep(_))), "{out:?}");
    assert_eq!(places(&machine), [A]);
}

#[test]
fn a_copy_that_came_after_somebody_missed_it_there_is_dropped() {
    let mut machine = owner(&[A, B]);
    let out = peer(&mut machine, C, ToPeer::Wanted { object: object(), missing_at: vec![B] });
    assert!(letters(&out).contains(&(B, ToPeer::Forget { object: object() })), "{out:?}");
    assert_eq!(places(&machine), [A]);
}

#[test]
fn a_copy_on_a_node_that_dies_costs_nothing() {
    let mut machine = owner(&[A, B]);
    assert!(letters(&dies(&mut machine, B)).is_empty());
    assert_eq!(places(&machine), [A]);
}

#[test]
fn a_copy_that_its_store_dropped_is_fetched_again_and_fails_when_the_owner_is_dead() {
    let (mut machine, _) = borrower();
    reads(&mut machine);
    tell(&mut machine, Event::Acquired(vec![RefId::Object(object())]));
    dies(&mut machine, A);
    // What is here can be read though its owner is dead; once the store dropped it, nobody has it.
    assert_eq!(places(&machine), [B]);
    tell(&mut machine, Event::CopiesMissing(vec![LostCopy { object: object(), missing_at: vec![B] }]));
    let wait = WaitFor::Values;
    let objects = vec![object()];
    let out = tell(&mut machine, Event::WaitStarted { waiter: WaiterId(2), objects, wait, caller: None, poll: false });
    let [Command::Wake { result: WaitResult::Failed(error), .. }] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(error.kind, ErrorKind::OwnerDied);
}

#[test]
fn copies_go_when_their_owner_says_so_or_dies() {
    let (mut machine, task) = borrower();
    reads(&mut machine);
    let out = tell(&mut machine, Event::Finished { task, attempt: 0, outcome: Outcome::Returned(vec![stored(&[B])]) });
    assert!(forgotten(&out).is_empty(), "the owner decides: {out:?}");
    let out = peer(&mut machine, A, ToPeer::Forget { object: object() });
    assert_eq!(forgotten(&out), [object()]);
    assert_eq!(forgotten(&dies(&mut machine, A)), [task.output(0)]);
}

#[test]
fn what_a_dead_owner_left_and_somebody_reads_goes_with_the_last_reference() {
    let (mut machine, task) = borrower();
    reads(&mut machine);
    tell(&mut machine, Event::Acquired(vec![RefId::Object(object())]));
    assert!(forgotten(&dies(&mut machine, A)).is_empty());
    tell(&mut machine, Event::CallDropped(task));
    let out = tell(&mut machine, Event::Released(vec![RefId::Object(object())]));
    assert_eq!(forgotten(&out), [object()]);
}

#[test]
fn the_only_copy_on_a_node_that_leaves_is_brought_to_its_owner_first() {
    let mut machine = owner(&[B]);
    let out = drains(&mut machine, B);
    assert!(matches!(out.as_slice(), [Command::Bring(stored)] if stored.at == [B]), "{out:?}");
    assert_eq!(places(&machine), [B]);
    let out = tell(&mut machine, Event::Moved(object()));
    assert_eq!(letters(&out), [(B, ToPeer::Forget { object: object() })]);
    assert_eq!(places(&machine), [A]);
    // What is made there afterwards is brought too.
    let late = JobId::numbered(1).driver(1).put(2);
    let out = tell(&mut machine, Event::Put { object: late, output: stored(&[B]) });
    assert!(matches!(out.as_slice(), [Command::Bring(stored)] if stored.object == late), "{out:?}");
}

#[test]
fn a_copy_that_stays_takes_the_place_of_one_that_leaves() {
    let mut machine = owner(&[B, C]);
    let out = drains(&mut machine, B);
    let expected = [(C, ToPeer::Keep { object: object() }), (B, ToPeer::Forget { object: object() })];
    assert_eq!(letters(&out), expected);
    assert_eq!(places(&machine), [C]);
}

#[test]
fn an_object_that_was_dropped_while_it_was_brought_leaves_nothing() {
    let mut machine = owner(&[B]);
    drains(&mut machine, B);
    tell(&mut machine, Event::Released(vec![RefId::Object(object())]));
    assert_eq!(forgotten(&tell(&mut machine, Event::Moved(object()))), [object()]);
}

#[test]
fn a_node_may_leave_when_nobody_would_miss_it() {
    let (mut machine, task) = borrower();
    assert!(!machine.may_leave(), "it has work");
    reads(&mut machine);
    tell(&mut machine, Event::Finished { task, attempt: 0, outcome: Outcome::Returned(vec![stored(&[B])]) });
    assert!(!machine.may_leave(), "it keeps an object");
    peer(&mut machine, A, ToPeer::Forget { object: object() });
    peer(&mut machine, A, ToPeer::Forget { object: task.output(0) });
    assert!(machine.may_leave());
    let own = task.put(1);
    tell(&mut machine, Event::Put { object: own, output: stored(&[B]) });
    assert!(machine.may_leave(), "what it owns ends with it");
    peer(&mut machine, A, ToPeer::Lent { id: RefId::Object(own), to: C });
    assert!(!machine.may_leave(), "somebody else refers to it");
    peer(&mut machine, C, ToPeer::Returned { id: RefId::Object(own), tokens: vec![(A, 1)] });
    assert!(machine.may_leave());
}

#[test]
fn an_argument_of_a_constructor_that_is_lost_is_made_again_before_the_answer() {
    let mut machine = Ownership::new(A);
    let maker = Arc::new(spec(TaskKind::Normal, Vec::new()));
    let made = maker.id.output(0);
    tell(&mut machine, Event::Submitted(Arc::clone(&maker)));
    tell(&mut machine, Event::Finished { task: maker.id, attempt: 0, outcome: Outcome::Returned(vec![stored(&[B])]) });
    let creation = TaskSpec { id: maker.parent.child(2), ..spec(TaskKind::ActorCreation, vec![Arg::Object(made)]) }
        .with_terms(|terms| terms.num_returns = 0);
    let actor = ActorId::from(creation.id);
    let actor_spec = ActorSpec {
        id: actor,
        class: Arc::from("C"),
        name: None,
        namespace: Arc::from(""),
        detached: false,
        placement: Arc::default(),
        lifetime: Arc::default(),
        max_restarts: Retries::AtMost(1),
        max_task_retries: Retries::AtMost(0),
        max_pending_calls: None,
        out_of_order: false,
        creation: Arc::new(creation),
    };
    tell(&mut machine, Event::ActorCreated(Arc::new(actor_spec)));
    let wanted = ToPeer::ConstructWanted { actor, incarnation: 0, missing: Vec::new() };
    let answer = |commands: &[Command]| {
        letters(commands).into_iter().find_map(|(node, message)| match message {
            ToPeer::Construct { result, .. } if node == C => Some(result.map(|order| order.inputs.len())),
            _ => None,
        })
    };
    assert_eq!(answer(&peer(&mut machine, C, wanted.clone())), Some(Ok(1)));
    dies(&mut machine, B);
    assert_eq!(answer(&peer(&mut machine, C, wanted.clone())), None, "it is being made");
    let outcome = Outcome::Returned(vec![stored(&[C])]);
    assert_eq!(answer(&tell(&mut machine, Event::Finished { task: maker.id, attempt: 1, outcome })), Some(Ok(1)));
    // Lost once more, its task has no attempt left.
    let missing = vec![LostCopy { object: made, missing_at: vec![C] }];
    let out = peer(&mut machine, C, ToPeer::ConstructWanted { actor, incarnation: 0, missing });
    let Some(Err(error)) = answer(&out) else { panic!("{out:?}") };
    assert!(error.kind == ErrorKind::ObjectLost && error.to_string().contains("max_retries"), "{error}");
}

#[test]
fn a_task_that_runs_again_gives_its_other_lost_objects_too() {
    let mut machine = Ownership::new(A);
    let maker = Arc::new(spec(TaskKind::Normal, Vec::new()).with_terms(|terms| terms.num_returns = 2));
    let (first, second) = (maker.id.output(0), maker.id.output(1));
    tell(&mut machine, Event::Submitted(Arc::clone(&maker)));
    let returned = |at: NodeId| Outcome::Returned(vec![stored(&[at]), stored(&[at])]);
    tell(&mut machine, Event::Finished { task: maker.id, attempt: 0, outcome: returned(B) });
    dies(&mut machine, B);
    let wait = |id| Event::WaitStarted {
        waiter: WaiterId(1),
        objects: vec![id],
        wait: WaitFor::Values,
        caller: None,
        poll: false,
    };
    tell(&mut machine, wait(first));
    tell(&mut machine, Event::Finished { task: maker.id, attempt: 1, outcome: returned(C) });
    let is_there = |command: &Command| matches!(command, Command::Wake { result: WaitResult::Values(_), .. });
    let out = tell(&mut machine, wait(second));
    assert!(out.iter().any(is_there), "it is not made a third time: {out:?}");
    let out = tell(&mut machine, Event::Released(vec![RefId::Object(first), RefId::Object(second)]));
    let told =
        letters(&out).into_iter().filter(|(node, message)| *node == C && matches!(message, ToPeer::Forget { .. }));
    assert_eq!(told.count(), 2, "no copy is left behind: {out:?}");
}

#[test]
fn a_large_object_can_be_made_again_when_its_small_neighbour_has_gone() {
    let mut machine = Ownership::new(A);
    let maker = Arc::new(spec(TaskKind::Normal, Vec::new()).with_terms(|terms| terms.num_returns = 2));
    let (small, large) = (maker.id.output(0), maker.id.output(1));
    tell(&mut machine, Event::Submitted(Arc::clone(&maker)));
    let returned = Outcome::Returned(vec![super::peer_tests::inline(Vec::new()), stored(&[B])]);
    tell(&mut machine, Event::Finished { task: maker.id, attempt: 0, outcome: returned });
    tell(&mut machine, Event::Released(vec![RefId::Object(small)]));
    dies(&mut machine, B);
    let (waiter, wait) = (WaiterId(1), WaitFor::Values);
    tell(&mut machine, Event::WaitStarted { waiter, objects: vec![large], wait, caller: None, poll: false });
    let again = Outcome::Returned(vec![super::peer_tests::inline(Vec::new()), stored(&[C])]);
    let out = tell(&mut machine, Event::Finished { task: maker.id, attempt: 1, outcome: again });
    let is_there = |command: &Command| matches!(command, Command::Wake { result: WaitResult::Values(_), .. });
    assert!(out.iter().any(is_there), "{out:?}");
    tell(&mut machine, Event::Released(vec![RefId::Object(large)]));
    assert_eq!(machine.leftovers(), Vec::<String>::new());
}
