//! Cases of an owner among other nodes: what it says to them, and what it keeps. Most were found by the
//! simulation (`tests/sim`).

use std::sync::Arc;

use bytes::Bytes;

use super::{Command, Event, Input, Order, Outcome, Output, Ownership, Stored, WaitFor, WaitResult, WaiterId};
use crate::message::{FromHead, RefOwner, ToHead, ToPeer};
use crate::{
    ActorId, ActorSpec, Arg, Codec, ComponentDigest, JobId, NodeId, ObjectId, RefId, Resources, Retries, TaskId,
    TaskKind, TaskSpec, TaskTerms, Value, limits,
};

pub(super) const HERE: NodeId = NodeId([1; 16]);
pub(super) const OTHER: NodeId = NodeId([2; 16]);
const THIRD: NodeId = NodeId([3; 16]);

/// A machine, and what it said last.
pub(super) struct Node {
    pub(super) owner: Ownership,
    pub(super) now: u64,
    pub(super) said: Vec<(NodeId, ToPeer)>,
    pub(super) to_head: Vec<ToHead>,
    pub(super) rest: Vec<Command>,
}

impl Node {
    pub(super) fn new() -> Self {
        Self { owner: Ownership::new(HERE), now: 0, said: Vec::new(), to_head: Vec::new(), rest: Vec::new() }
    }

    pub(super) fn tell(&mut self, event: Event) {
        let mut commands = Vec::new();
        self.owner.handle(event, self.now, &mut commands);
        (self.said, self.to_head, self.rest) = Default::default();
        for command in commands {
            match command {
                Command::ToPeer { node, message } => self.said.push((node, *message)),
                Command::ToHead(message) => self.to_head.push(*message),
                other => self.rest.push(other),
            }
        }
    }

    pub(super) fn hears(&mut self, from: NodeId, message: ToPeer) {
        self.tell(Event::FromPeer { from, message: Box::new(message) });
    }

    pub(super) fn loses(&mut self, node: NodeId) {
        self.tell(Event::FromHead(Box::new(FromHead::NodeDied { node, why: "gone".to_owned() })));
    }

    /// Submits a task and has it sent to another node.
    fn send(&mut self, to: NodeId, spec: TaskSpec) -> TaskId {
        let id = spec.id;
        self.tell(Event::Submitted(Arc::new(spec)));
        self.grant(to);
        id
    }

    /// Has the head answer a wish for slots with one at that node.
    pub(super) fn grant(&mut self, node: NodeId) {
        let shape = self.to_head.iter().find_map(|message| match message {
            ToHead::LeaseWanted { shape, .. } => Some(shape.clone()),
            _ => None,
        });
        let shape = shape.expect("it wants a lease");
        let lease = crate::LeaseId(7);
        self.tell(Event::FromHead(Box::new(FromHead::SlotsGranted { lease, shape, node, bundle: None, slots: 1 })));
    }

    pub(super) fn finishes(&mut self, from: NodeId, task: TaskId, outputs: Vec<Output>, refs: Vec<RefOwner>) {
        self.hears(from, ToPeer::Finished { task, attempt: 0, outcome: Outcome::Returned(outputs), refs });
    }

    fn says(&self, to: NodeId, what: impl Fn(&ToPeer) -> bool) -> bool {
        self.said.iter().any(|(node, message)| *node == to && what(message))
    }
}

pub(super) fn spec(number: u64, args: Vec<Arg>) -> TaskSpec {
    let driver = JobId::numbered(1).driver(0);
    TaskSpec {
        id: driver.child(number),
        parent: driver,
        submitter: driver,
        kind: TaskKind::Normal,
        args,
        terms: Arc::new(TaskTerms {
            resources: Arc::new(Resources::cpus(crate::Amount::ONE)),
            max_retries: Retries::AtMost(2),
            ..TaskTerms::new(JobId::numbered(1), ComponentDigest([0; 32]), Arc::from("f"))
        }),
    }
}

/// The constructor of an actor.
fn creation() -> TaskSpec {
    TaskSpec { kind: TaskKind::ActorCreation, ..spec(1, Vec::new()) }.with_terms(|terms| terms.num_returns = 0)
}

pub(super) fn inline(refs: Vec<RefId>) -> Output {
    Output::Inline(Arc::new(Value { codec: Codec::Raw, data: Bytes::from_static(b"x"), refs }))
}

fn stored(at: NodeId, refs: Vec<RefId>) -> Output {
    Output::Stored { at: vec![at], size: 9, refs }
}

pub(super) fn order(spec: TaskSpec, owner: NodeId) -> Order {
    Order { spec: Arc::new(spec), attempt: 0, inputs: Vec::new(), lease: None, owner, stores_returns: false }
}

fn actor_of(creation: TaskSpec) -> ActorSpec {
    ActorSpec {
        id: ActorId::from(creation.id),
        class: Arc::from("Class"),
        name: None,
        namespace: Arc::from(""),
        detached: false,
        placement: Arc::default(),
        lifetime: Arc::default(),
        max_restarts: Retries::AtMost(0),
        max_task_retries: Retries::AtMost(0),
        max_pending_calls: None,
        out_of_order: false,
        creation: Arc::new(creation),
    }
}

/// An object of another task.
pub(super) fn object(number: u64) -> ObjectId {
    JobId::numbered(9).driver(0).child(number).output(0)
}

pub(super) fn of_other(id: ObjectId) -> RefOwner {
    RefOwner::Object { id, owner: OTHER }
}

#[test]
fn references_in_a_value_that_is_fetched_travel_with_the_order() {
    let mut node = Node::new();
    let (inner, outer) = (object(1), object(2));
    node.tell(Event::Put { object: inner, output: inline(Vec::new()) });
    node.tell(Event::Put { object: outer, output: stored(HERE, vec![RefId::Object(inner)]) });
    node.send(OTHER, spec(1, vec![Arg::Object(outer)]));
    let lends = |message: &ToPeer| matches!(message, ToPeer::Run { refs, .. } if refs.len() == 1);
    assert!(node.says(OTHER, lends), "{:?}", node.said);
    assert_eq!(node.owner.lent_out().collect::<Vec<_>>(), [(RefId::Object(inner), OTHER, 1)]);
}

#[test]
fn the_end_of_a_job_is_no_end_of_the_word_about_its_tasks() {
    let mut node = Node::new();
    let spec = spec(1, Vec::new());
    let task = spec.id;
    node.hears(OTHER, ToPeer::Run { order: order(spec, OTHER), refs: Vec::new(), behind: None });
    node.tell(Event::JobEnded(JobId::numbered(1)));
    assert!(matches!(node.rest[..], [Command::Stop { .. }]), "{:?}", node.rest);
    let error = crate::Error::new(crate::ErrorKind::TaskCancelled, "it was stopped");
    node.tell(Event::Finished { task, attempt: 0, outcome: Outcome::Failed(error) });
    assert!(node.says(OTHER, |message| matches!(message, ToPeer::Finished { .. })), "{:?}", node.said);
}

#[test]
fn arguments_that_come_after_the_end_of_a_life_go_back() {
    let mut node = Node::new();
    let creation = spec(1, Vec::new());
    let actor = ActorId::from(creation.id);
    node.tell(Event::ConstructWanted { actor, incarnation: 0, owner: OTHER, missing: Vec::new() });
    node.tell(Event::ConstructEnded(actor));
    let refs = vec![of_other(object(1))];
    node.hears(OTHER, ToPeer::Construct { actor, incarnation: 0, result: Ok(order(creation, OTHER)), refs });
    assert!(node.says(OTHER, |message| matches!(message, ToPeer::Returned { .. })), "{:?}", node.said);
    assert_eq!(node.owner.leftovers(), Vec::<String>::new());
}

#[test]
fn a_life_does_not_wait_for_arguments_of_a_node_that_died() {
    let mut node = Node::new();
    let actor = ActorId::from(spec(1, Vec::new()).id);
    node.tell(Event::ConstructWanted { actor, incarnation: 0, owner: OTHER, missing: Vec::new() });
    node.loses(OTHER);
    assert!(matches!(&node.rest[..], [Command::Construct { result, .. }] if result.is_err()), "{:?}", node.rest);
    node.tell(Event::ConstructWanted { actor, incarnation: 1, owner: OTHER, missing: Vec::new() });
    assert!(matches!(&node.rest[..], [Command::Construct { result, .. }] if result.is_err()), "{:?}", node.rest);
}

#[test]
fn copies_for_a_node_that_died_are_dropped() {
    let mut node = Node::new();
    let spec = spec(1, Vec::new());
    let task = spec.id;
    node.hears(OTHER, ToPeer::Run { order: order(spec, OTHER), refs: Vec::new(), behind: None });
    node.tell(Event::Finished { task, attempt: 0, outcome: Outcome::Returned(vec![stored(HERE, Vec::new())]) });
    node.tell(Event::Copied { object: object(1), owner: OTHER });
    node.loses(OTHER);
    let dropped = node.rest.iter().filter(|command| matches!(command, Command::Forget(_))).count();
    assert_eq!(dropped, 2, "{:?}", node.rest);
}

#[test]
fn a_second_value_keeps_the_reference_that_the_first_one_lets_go() {
    let mut node = Node::new();
    let task = node.send(OTHER, spec(1, Vec::new()).with_terms(|terms| terms.num_returns = 2));
    node.tell(Event::Released(vec![RefId::Object(task.output(0))]));
    let inner = object(1);
    let values = vec![inline(vec![RefId::Object(inner)]), inline(vec![RefId::Object(inner)])];
    node.finishes(OTHER, task, values, vec![of_other(inner)]);
    assert!(!node.says(OTHER, |message| matches!(message, ToPeer::Returned { .. })), "{:?}", node.said);
    assert_eq!(node.owner.borrowed().collect::<Vec<_>>(), [(RefId::Object(inner), OTHER, 1)]);
}

#[test]
fn what_a_dead_node_passed_on_is_told_to_its_owner() {
    let mut node = Node::new();
    let task = node.send(THIRD, spec(1, Vec::new()));
    let inner = object(1);
    node.finishes(THIRD, task, vec![inline(vec![RefId::Object(inner)])], vec![of_other(inner)]);
    node.loses(THIRD);
    let tells = |message: &ToPeer| matches!(message, ToPeer::Inherited { lender: THIRD, tokens: 1, .. });
    assert!(node.says(OTHER, tells), "{:?}", node.said);
    // What it gives back now counts as the owner's.
    node.tell(Event::Released(vec![RefId::Object(task.output(0))]));
    let returns = |message: &ToPeer| matches!(message, ToPeer::Returned { tokens, .. } if *tokens == [(OTHER, 1)]);
    assert!(node.says(OTHER, returns), "{:?}", node.said);
}

#[test]
fn what_a_dead_node_had_borrowed_stays_until_its_heirs_have_spoken() {
    let mut node = Node::new();
    let id = RefId::Object(object(1));
    node.tell(Event::Put { object: object(1), output: inline(Vec::new()) });
    node.hears(OTHER, ToPeer::Lent { id, to: OTHER });
    node.tell(Event::Released(vec![id]));
    // It passed the reference on, and its word of that was lost with it.
    node.loses(OTHER);
    assert!(node.owner.knows(id));
    node.hears(THIRD, ToPeer::Inherited { id, lender: OTHER, tokens: 1 });
    node.now += 1_000 + u64::try_from(limits::TOKEN_GRACE.as_millis()).unwrap();
    node.tell(Event::Tick);
    assert!(node.owner.knows(id));
    node.hears(THIRD, ToPeer::Returned { id, tokens: vec![(HERE, 1)] });
    assert_eq!(node.owner.leftovers(), Vec::<String>::new());
}

#[test]
fn tokens_that_a_dead_node_gave_and_nobody_got_are_counted_again() {
    let mut node = Node::new();
    let id = RefId::Object(object(1));
    node.tell(Event::Put { object: object(1), output: inline(Vec::new()) });
    node.hears(OTHER, ToPeer::Lent { id, to: THIRD });
    node.tell(Event::Released(vec![id]));
    node.loses(OTHER);
    assert!(node.says(THIRD, |message| matches!(message, ToPeer::Recount { lender: OTHER, .. })), "{:?}", node.said);
    node.hears(THIRD, ToPeer::Inherited { id, lender: OTHER, tokens: 0 });
    assert_eq!(node.owner.leftovers(), Vec::<String>::new());
}

#[test]
fn a_token_whose_lender_died_before_it_could_say_so_comes_back_for_nothing() {
    let mut node = Node::new();
    let id = RefId::Object(object(1));
    node.tell(Event::Put { object: object(1), output: inline(Vec::new()) });
    node.loses(THIRD);
    node.hears(OTHER, ToPeer::Returned { id, tokens: vec![(THIRD, 1)] });
    node.tell(Event::Released(vec![id]));
    assert_eq!(node.owner.leftovers(), Vec::<String>::new());
}

#[test]
fn who_has_not_heard_of_a_death_answers_when_it_has() {
    let mut node = Node::new();
    let id = RefId::Object(object(1));
    node.hears(OTHER, ToPeer::Recount { id, lender: THIRD });
    assert_eq!(node.said, []);
    node.loses(THIRD);
    assert!(node.says(OTHER, |message| matches!(message, ToPeer::Inherited { tokens: 0, .. })), "{:?}", node.said);
}

#[test]
fn a_get_whose_values_are_lost_while_it_waits_has_them_made_again() {
    let mut node = Node::new();
    let lost = node.send(OTHER, spec(1, Vec::new()));
    node.finishes(OTHER, lost, vec![stored(OTHER, Vec::new())], Vec::new());
    let late = spec(2, Vec::new());
    let late_id = late.id;
    node.tell(Event::Submitted(Arc::new(late)));
    let objects = vec![lost.output(0), late_id.output(0)];
    let wait = Event::WaitStarted { waiter: WaiterId(1), objects, wait: WaitFor::Values, caller: None, poll: false };
    node.tell(wait);
    node.tell(Event::CopiesMissing(vec![super::LostCopy { object: lost.output(0), missing_at: vec![OTHER] }]));
    node.tell(Event::Finished { task: late_id, attempt: 0, outcome: Outcome::Returned(vec![inline(Vec::new())]) });
    assert!(!node.rest.iter().any(|command| matches!(command, Command::Wake { .. })), "{:?}", node.rest);
    let again = Outcome::Returned(vec![stored(THIRD, Vec::new())]);
    node.hears(THIRD, ToPeer::Finished { task: lost, attempt: 1, outcome: again, refs: Vec::new() });
    let is_whole = |command: &Command| matches!(command, Command::Wake { result: WaitResult::Values(found), .. } if found.len() == 2);
    assert!(node.rest.iter().any(is_whole), "{:?}", node.rest);
}

#[test]
fn a_get_fails_with_a_value_that_is_lost_for_good_while_it_waits_for_others() {
    let mut node = Node::new();
    let value = Value { codec: Codec::Raw, data: Bytes::new(), refs: vec![RefId::Object(object(1))] };
    let order = Order { inputs: vec![Input::Inline(Arc::new(value))], ..order(spec(1, Vec::new()), OTHER) };
    node.hears(OTHER, ToPeer::Run { order, refs: vec![of_other(object(1))], behind: None });
    node.tell(Event::Acquired(vec![RefId::Object(object(1))]));
    let late = spec(2, Vec::new());
    let late_id = late.id;
    node.tell(Event::Submitted(Arc::new(late)));
    let objects = vec![object(1), late_id.output(0)];
    let wait = WaitFor::Values;
    node.tell(Event::WaitStarted { waiter: WaiterId(1), objects, wait, caller: None, poll: false });
    node.hears(OTHER, ToPeer::Settled { object: object(1), output: stored(OTHER, Vec::new()), refs: Vec::new() });
    node.loses(OTHER);
    node.tell(Event::Finished { task: late_id, attempt: 0, outcome: Outcome::Returned(vec![inline(Vec::new())]) });
    let fails = |command: &Command| matches!(command, Command::Wake { result: WaitResult::Failed(error), .. } if error.kind == crate::ErrorKind::OwnerDied);
    assert!(node.rest.iter().any(fails), "{:?}", node.rest);
}

#[test]
fn what_was_put_and_let_go_fails_those_who_need_it_again() {
    let mut node = Node::new();
    let (parent, put) = (spec(1, Vec::new()), spec(1, Vec::new()).id.put(1));
    let child = spec(2, vec![Arg::Object(put)]);
    let (child_id, output) = (child.id, child.id.output(0));
    node.tell(Event::Submitted(Arc::new(parent)));
    node.tell(Event::Put { object: put, output: stored(HERE, Vec::new()) });
    node.tell(Event::Submitted(Arc::new(child)));
    node.tell(Event::Released(vec![RefId::Object(put)]));
    let outcome = Outcome::Returned(vec![stored(OTHER, Vec::new())]);
    node.tell(Event::Finished { task: child_id, attempt: 0, outcome });
    node.tell(Event::CopiesMissing(vec![super::LostCopy { object: output, missing_at: vec![OTHER] }]));
    // Its task runs still, and will not put the same object again.
    let (objects, wait) = (vec![output], WaitFor::Values);
    node.tell(Event::WaitStarted { waiter: WaiterId(1), objects, wait, caller: None, poll: false });
    let fails = |command: &Command| matches!(command, Command::Wake { result: WaitResult::Failed(error), .. } if error.kind == crate::ErrorKind::ObjectLost);
    assert!(node.rest.iter().any(fails), "{:?}", node.rest);
}

#[test]
fn a_node_that_it_was_not_told_of_is_asked_about_once() {
    let mut node = Node::new();
    let at = crate::message::NodeAddress::default();
    node.tell(Event::FromHead(Box::new(FromHead::NodeFound { node: OTHER, at })));
    let of_third = |number| RefOwner::Object { id: object(number), owner: THIRD };
    node.hears(OTHER, ToPeer::Run { order: order(spec(1, Vec::new()), OTHER), refs: vec![of_third(1)], behind: None });
    let asks = ToHead::PeersKnown { node: HERE, peers: vec![THIRD] };
    assert_eq!(node.to_head, [asks]);
    node.hears(OTHER, ToPeer::Run { order: order(spec(2, Vec::new()), OTHER), refs: vec![of_third(2)], behind: None });
    assert_eq!(node.to_head, []);
    // It died before this node came, and everything of it fails as if this node had been told then.
    node.loses(THIRD);
    let wait = WaitFor::Values;
    node.tell(Event::Acquired(vec![RefId::Object(object(1))]));
    node.tell(Event::WaitStarted { waiter: WaiterId(1), objects: vec![object(1)], wait, caller: None, poll: false });
    assert!(matches!(node.rest[..], [Command::Wake { result: WaitResult::Failed(_), .. }]), "{:?}", node.rest);
    let knows = ToHead::PeersKnown { node: HERE, peers: vec![OTHER] };
    assert_eq!(node.owner.report().first(), Some(&knows));
}

#[test]
fn a_node_that_lent_something_or_was_lent_it_is_asked_about_too() {
    let id = RefId::Object(object(1));
    let words = [
        ToPeer::Lent { id, to: THIRD },
        ToPeer::Returned { id, tokens: vec![(THIRD, 1)] },
        ToPeer::Recount { id, lender: THIRD },
    ];
    for word in words {
        let mut node = Node::new();
        let at = crate::message::NodeAddress::default();
        node.tell(Event::FromHead(Box::new(FromHead::NodeFound { node: OTHER, at })));
        node.tell(Event::Put { object: object(1), output: inline(Vec::new()) });
        node.hears(OTHER, word);
        assert_eq!(node.to_head, [ToHead::PeersKnown { node: HERE, peers: vec![THIRD] }]);
    }
}

#[test]
fn a_task_that_breaks_down_after_it_was_cancelled_was_cancelled() {
    let mut node = Node::new();
    let task = node.send(OTHER, spec(1, Vec::new()));
    node.tell(Event::Cancelled { object: task.output(0), recursive: false });
    let (objects, wait) = (vec![task.output(0)], WaitFor::Values);
    node.tell(Event::WaitStarted { waiter: WaiterId(1), objects, wait, caller: None, poll: false });
    let error = crate::Error::new(crate::ErrorKind::WorkerCrashed, "the sandbox broke down");
    let outcome = Outcome::Failed(error);
    node.hears(OTHER, ToPeer::Finished { task, attempt: 0, outcome, refs: Vec::new() });
    let is_cancelled = |command: &Command| matches!(command, Command::Wake { result: WaitResult::Failed(error), .. } if error.kind == crate::ErrorKind::TaskCancelled);
    assert!(node.rest.iter().any(is_cancelled), "{:?}", node.rest);
}

#[test]
fn who_is_submitted_with_a_lost_argument_has_it_made_again() {
    let mut node = Node::new();
    let lost = node.send(OTHER, spec(1, Vec::new()));
    node.finishes(OTHER, lost, vec![stored(OTHER, Vec::new())], Vec::new());
    node.loses(OTHER);
    node.tell(Event::Submitted(Arc::new(spec(2, vec![Arg::Object(lost.output(0))]))));
    assert_eq!(node.owner.unfinished(), 2, "the one and what makes its argument");
}

#[test]
fn what_an_actor_made_that_ended_cannot_be_made_again() {
    let mut node = Node::new();
    let creation = creation();
    let actor = Arc::new(actor_of(creation));
    let changes = |change| Event::FromHead(Box::new(FromHead::ActorChanged { actor: actor.id, change }));
    node.tell(Event::ActorCreated(Arc::clone(&actor)));
    node.tell(changes(crate::message::ActorChange::Alive { node: OTHER, incarnation: 0 }));
    let call = TaskSpec { kind: TaskKind::ActorCall { actor: actor.id }, ..spec(2, Vec::new()) };
    let (task, output) = (call.id, call.id.output(0));
    node.tell(Event::Submitted(Arc::new(call)));
    node.finishes(OTHER, task, vec![stored(OTHER, Vec::new())], Vec::new());
    node.tell(Event::Released(vec![RefId::Actor(actor.id)]));
    let cause = crate::Error::new(crate::ErrorKind::ActorDied, "its last handle was dropped");
    node.tell(changes(crate::message::ActorChange::Dead { cause }));
    node.loses(OTHER);
    let (objects, wait) = (vec![output], WaitFor::Values);
    node.tell(Event::WaitStarted { waiter: WaiterId(1), objects, wait, caller: None, poll: false });
    let fails = |command: &Command| matches!(command, Command::Wake { result: WaitResult::Failed(error), .. } if error.kind == crate::ErrorKind::ObjectLost);
    assert!(node.rest.iter().any(fails), "{:?}", node.rest);
}

#[test]
fn an_actor_that_is_found_by_its_name_before_it_is_created_is_borrowed() {
    let mut node = Node::new();
    let creation = creation();
    let id = RefId::Actor(ActorId::from(creation.id));
    node.hears(OTHER, ToPeer::Lent { id, to: OTHER });
    node.tell(Event::ActorCreated(Arc::new(actor_of(creation))));
    node.tell(Event::Released(vec![id]));
    assert!(node.to_head.is_empty(), "somebody has it: {:?}", node.to_head);
    node.hears(OTHER, ToPeer::Returned { id, tokens: vec![(OTHER, 1)] });
    assert!(matches!(node.to_head[..], [ToHead::ActorReleased { .. }]), "{:?}", node.to_head);
}

#[test]
fn a_dead_actor_that_is_back_before_it_was_said_to_be_lent_is_forgotten() {
    let mut node = Node::new();
    let creation = creation();
    let actor = Arc::new(ActorSpec { name: Some(Arc::from("n")), detached: true, ..actor_of(creation) });
    let id = RefId::Actor(actor.id);
    node.tell(Event::ActorCreated(Arc::clone(&actor)));
    node.hears(THIRD, ToPeer::Returned { id, tokens: vec![(OTHER, 1)] });
    node.tell(Event::Released(vec![id]));
    let cause = crate::Error::new(crate::ErrorKind::ActorDied, "it was killed");
    let change = crate::message::ActorChange::Dead { cause };
    node.tell(Event::FromHead(Box::new(FromHead::ActorChanged { actor: actor.id, change })));
    assert!(node.owner.knows(id), "a word about it is on its way");
    node.hears(OTHER, ToPeer::Lent { id, to: THIRD });
    assert!(!node.owner.knows(id), "{:?}", node.owner.leftovers());
}

#[test]
fn words_about_an_actor_that_ended_meanwhile_leave_nothing() {
    let mut node = Node::new();
    let id = RefId::Actor(ActorId::from(spec(1, Vec::new()).id));
    node.hears(THIRD, ToPeer::Returned { id, tokens: vec![(OTHER, 1)] });
    node.hears(OTHER, ToPeer::Lent { id, to: THIRD });
    assert_eq!(node.owner.leftovers(), Vec::<String>::new());
    node.hears(THIRD, ToPeer::Returned { id, tokens: vec![(OTHER, 1)] });
    node.loses(OTHER);
    node.now += 60_000;
    node.tell(Event::Tick);
    assert_eq!(node.owner.leftovers(), Vec::<String>::new());
}

#[test]
fn a_value_that_holds_an_actor_before_it_is_created_keeps_it() {
    let mut node = Node::new();
    let creation = creation();
    let id = RefId::Actor(ActorId::from(creation.id));
    node.tell(Event::Put { object: object(1), output: inline(vec![id]) });
    node.tell(Event::ActorCreated(Arc::new(actor_of(creation))));
    node.tell(Event::Released(vec![id]));
    assert!(node.to_head.is_empty(), "a value holds it: {:?}", node.to_head);
    node.tell(Event::Released(vec![RefId::Object(object(1))]));
    assert!(matches!(node.to_head[..], [ToHead::ActorReleased { .. }]), "{:?}", node.to_head);
}

#[test]
fn the_end_of_an_actor_is_asked_for_again_of_a_head_that_is_new() {
    let mut node = Node::new();
    let creation = creation();
    let actor = ActorId::from(creation.id);
    let spec = actor_of(creation);
    node.tell(Event::ActorCreated(Arc::new(spec)));
    node.tell(Event::Released(vec![RefId::Actor(actor)]));
    let report = node.owner.report();
    assert!(report.iter().any(|message| matches!(message, ToHead::ActorReleased { .. })), "{report:?}");
}

#[test]
fn an_order_names_inputs_that_are_fetched() {
    let mut node = Node::new();
    node.tell(Event::Put { object: object(1), output: stored(HERE, Vec::new()) });
    node.send(OTHER, spec(1, vec![Arg::Object(object(1))]));
    let names = |message: &ToPeer| match message {
        ToPeer::Run { order, .. } => matches!(&order.inputs[..], [Input::Stored(Stored { owner: HERE, .. })]),
        _ => false,
    };
    assert!(node.says(OTHER, names), "{:?}", node.said);
}

#[test]
fn a_value_that_comes_after_its_task_failed_is_dropped_where_it_is() {
    let mut node = Node::new();
    let task = node.send(OTHER, spec(1, Vec::new()));
    let error = crate::Error::new(crate::ErrorKind::PlacementGroupRemoved, "its group is gone");
    node.tell(Event::FromHead(Box::new(FromHead::LeaseRevoked { lease: crate::LeaseId(7), error })));
    node.finishes(OTHER, task, vec![stored(OTHER, Vec::new())], Vec::new());
    assert!(node.says(OTHER, |message| matches!(message, ToPeer::Forget { .. })), "{:?}", node.said);
}

#[test]
fn what_is_made_for_a_node_that_was_dead_when_it_asked_does_not_stay() {
    let mut node = Node::new();
    node.loses(OTHER);
    let spec = spec(1, Vec::new());
    let task = spec.id;
    node.hears(OTHER, ToPeer::Run { order: order(spec, OTHER), refs: Vec::new(), behind: None });
    node.tell(Event::Finished { task, attempt: 0, outcome: Outcome::Returned(vec![stored(HERE, Vec::new())]) });
    assert!(node.rest.iter().any(|command| matches!(command, Command::Forget(_))), "{:?}", node.rest);
}

#[test]
fn an_actor_that_another_guest_found_by_its_name_before_it_was_created_is_made_all_the_same() {
    let mut node = Node::new();
    let creation = creation();
    let spec = Arc::new(ActorSpec { name: Some(Arc::from("name")), ..actor_of(creation) });
    let id = RefId::Actor(spec.id);
    node.tell(Event::Acquired(vec![id]));
    node.tell(Event::ActorKnown { spec: Arc::clone(&spec), owner: HERE });
    node.tell(Event::ActorCreated(spec));
    assert!(matches!(node.to_head[..], [ToHead::ActorDependenciesReady { .. }]), "{:?}", node.to_head);
    for _ in 0..2 {
        node.tell(Event::Released(vec![id]));
        assert!(node.to_head.is_empty(), "somebody has it: {:?}", node.to_head);
    }
    node.tell(Event::Released(vec![id]));
    assert!(matches!(node.to_head[..], [ToHead::ActorReleased { .. }]), "{:?}", node.to_head);
}

/// How a `get` of the object ends at once.
fn got(node: &mut Node, object: ObjectId) -> Option<Result<(), crate::ErrorKind>> {
    let (waiter, objects) = (WaiterId(99), vec![object]);
    node.tell(Event::WaitStarted { waiter, objects, wait: WaitFor::Values, caller: None, poll: false });
    node.rest.iter().find_map(|command| match command {
        Command::Wake { result: WaitResult::Values(_), .. } => Some(Ok(())),
        Command::Wake { result: WaitResult::Failed(error), .. } => Some(Err(error.kind)),
        _ => None,
    })
}

#[test]
fn what_a_task_submitted_that_was_cancelled_with_its_children_is_cancelled_when_it_is_heard_of() {
    for (recursive, wanted) in [(true, Some(Err(crate::ErrorKind::TaskCancelled))), (false, None)] {
        let mut node = Node::new();
        let parent = node.send(HERE, spec(1, Vec::new()));
        node.tell(Event::Cancelled { object: parent.output(0), recursive });
        let child = TaskSpec { id: parent.child(1), parent, submitter: parent, ..spec(1, Vec::new()) };
        let made = child.id.output(0);
        node.tell(Event::Submitted(Arc::new(child)));
        assert_eq!(got(&mut node, made), wanted);
    }
}

#[test]
fn what_a_driver_did_last_is_cancelled_when_its_job_is_over_before_it_is_heard_of() {
    let mut node = Node::new();
    node.tell(Event::JobEnded(JobId::numbered(1)));
    let late = spec(1, Vec::new());
    let made = late.id.output(0);
    node.tell(Event::Submitted(Arc::new(late)));
    assert_eq!(got(&mut node, made), Some(Err(crate::ErrorKind::TaskCancelled)));
}

#[test]
fn a_cancelled_call_that_comes_back_from_a_life_that_ended_is_not_sent_again() {
    let mut node = Node::new();
    let creation = creation();
    let actor = ActorId::from(creation.id);
    node.tell(Event::ActorCreated(Arc::new(actor_of(creation))));
    let lives = |incarnation| {
        let change = crate::message::ActorChange::Alive { node: HERE, incarnation };
        Event::FromHead(Box::new(FromHead::ActorChanged { actor, change }))
    };
    node.tell(lives(0));
    let call = TaskSpec { kind: TaskKind::ActorCall { actor }, ..spec(2, Vec::new()) };
    let (task, made) = (call.id, call.id.output(0));
    node.tell(Event::Submitted(Arc::new(call)));
    node.tell(Event::Cancelled { object: made, recursive: false });
    node.tell(Event::CallsReturned { actor, tasks: vec![task] });
    node.tell(lives(1));
    assert!(!node.rest.iter().any(|command| matches!(command, Command::Call { .. })), "{:?}", node.rest);
    assert_eq!(got(&mut node, made), Some(Err(crate::ErrorKind::TaskCancelled)));
}

#[test]
fn an_end_that_was_asked_of_a_life_that_broke_down_is_asked_of_the_next_one_behind_the_calls_before_it() {
    let mut node = Node::new();
    let creation = creation();
    let (actor, submitter) = (ActorId::from(creation.id), creation.submitter);
    node.tell(Event::ActorCreated(Arc::new(actor_of(creation))));
    let lives = |incarnation| {
        let change = crate::message::ActorChange::Alive { node: OTHER, incarnation };
        Event::FromHead(Box::new(FromHead::ActorChanged { actor, change }))
    };
    let call = |number| TaskSpec { kind: TaskKind::ActorCall { actor }, ..spec(number, Vec::new()) };
    let before = call(2).id;
    node.tell(Event::Submitted(Arc::new(call(2))));
    node.tell(Event::ActorTerminated { actor, submitter });
    node.tell(lives(0));
    node.tell(Event::Submitted(Arc::new(call(3))));
    assert!(node.said.is_empty(), "it is to end before that one: {:?}", node.said);
    node.hears(OTHER, ToPeer::CallsReturned { actor, tasks: vec![(before, 0)] });
    node.tell(lives(0));
    assert!(node.said.is_empty(), "nothing new: {:?}", node.said);
    node.tell(lives(1));
    let said: Vec<&ToPeer> = node.said.iter().map(|(_, message)| message).collect();
    let [ToPeer::Call { order, .. }, ToPeer::EndActor { incarnation: 1, .. }] = said[..] else {
        panic!("the call before it, and then its end: {said:?}");
    };
    assert_eq!(order.spec.id, before);
}

#[test]
fn calls_of_a_life_whose_end_was_lost_with_the_head_do_not_wait_for_ever() {
    let mut node = Node::new();
    let creation = creation();
    let actor = ActorId::from(creation.id);
    node.tell(Event::ActorCreated(Arc::new(ActorSpec { max_restarts: Retries::AtMost(1), ..actor_of(creation) })));
    let lives = |node, incarnation| {
        let change = crate::message::ActorChange::Alive { node, incarnation };
        Event::FromHead(Box::new(FromHead::ActorChanged { actor, change }))
    };
    node.tell(lives(OTHER, 0));
    let calls = [(2, Retries::AtMost(0)), (3, Retries::AtMost(1))].map(|(number, max_retries)| {
        TaskSpec { kind: TaskKind::ActorCall { actor }, ..spec(number, Vec::new()) }
            .with_terms(|terms| terms.max_retries = max_retries)
    });
    let made = calls[0].id.output(0);
    for call in calls {
        node.tell(Event::Submitted(Arc::new(call)));
    }
    node.loses(OTHER);
    // Its end was said by a head that is gone, and this is what the new one says when it is asked.
    node.tell(lives(THIRD, 1));
    let is_tried_again = |message: &ToPeer| matches!(message, ToPeer::Call { order, .. } if order.attempt == 1);
    assert!(node.says(THIRD, is_tried_again), "{:?}", node.said);
    assert_eq!(got(&mut node, made), Some(Err(crate::ErrorKind::ActorUnavailable)));
}

#[test]
fn an_end_that_was_asked_for_through_a_borrowed_handle_comes_although_the_handle_goes() {
    let mut node = Node::new();
    let creation = creation();
    let (actor, submitter) = (ActorId::from(creation.id), creation.submitter);
    let spec = Arc::new(ActorSpec { detached: true, ..actor_of(creation) });
    node.tell(Event::ActorKnown { spec, owner: OTHER });
    node.tell(Event::ActorTerminated { actor, submitter });
    node.tell(Event::Released(vec![RefId::Actor(actor)]));
    let changes = |change| Event::FromHead(Box::new(FromHead::ActorChanged { actor, change }));
    for incarnation in 0..2 {
        node.tell(changes(crate::message::ActorChange::Alive { node: THIRD, incarnation }));
        assert!(node.says(THIRD, |message| matches!(message, ToPeer::EndActor { .. })), "{:?}", node.said);
    }
    let cause = crate::Error::new(crate::ErrorKind::ActorDied, "somebody asked for its end");
    node.tell(changes(crate::message::ActorChange::Dead { cause }));
    assert!(!node.owner.knows(RefId::Actor(actor)), "{:?}", node.owner.leftovers());
}

#[test]
fn a_call_that_comes_back_after_it_was_tried_again_elsewhere_is_not_sent_twice() {
    let mut node = Node::new();
    let creation = creation();
    let actor = ActorId::from(creation.id);
    node.tell(Event::ActorCreated(Arc::new(actor_of(creation))));
    let changes = |change| Event::FromHead(Box::new(FromHead::ActorChanged { actor, change }));
    let lives = |node, incarnation| changes(crate::message::ActorChange::Alive { node, incarnation });
    node.tell(lives(OTHER, 0));
    let call = TaskSpec { kind: TaskKind::ActorCall { actor }, ..spec(2, Vec::new()) };
    let task = call.id;
    node.tell(Event::Submitted(Arc::new(call)));
    let cause = crate::Error::new(crate::ErrorKind::WorkerCrashed, "it broke down");
    node.tell(changes(crate::message::ActorChange::Restarting { incarnation: 1, cause }));
    node.tell(lives(THIRD, 1));
    let is_call = |message: &ToPeer| matches!(message, ToPeer::Call { .. });
    assert!(node.says(THIRD, is_call), "{:?}", node.said);
    // Its first instance never began it, and says so only now.
    node.hears(OTHER, ToPeer::CallsReturned { actor, tasks: vec![(task, 0)] });
    node.tell(lives(THIRD, 1));
    assert!(!node.says(THIRD, is_call), "{:?}", node.said);
}

#[test]
fn what_an_actor_submits_after_the_end_of_its_job_is_asked_for_anew() {
    let mut node = Node::new();
    let wants = |node: &Node| match node.to_head[..] {
        [ToHead::LeaseWanted { backlog, .. }] => backlog,
        _ => 0,
    };
    for number in 1..=2 {
        node.tell(Event::Submitted(Arc::new(spec(number, Vec::new()))));
    }
    assert_eq!(wants(&node), 2);
    // The head forgets what was wanted for the job.
    node.tell(Event::FromHead(Box::new(FromHead::JobEnded { job: JobId::numbered(1) })));
    let call = spec(3, Vec::new());
    let parent = call.id;
    node.hears(OTHER, ToPeer::Run { order: order(call, OTHER), refs: Vec::new(), behind: None });
    node.tell(Event::Submitted(Arc::new(TaskSpec { parent, ..spec(4, Vec::new()) })));
    assert_eq!(wants(&node), 1);
}

/// An actor on another node, and calls of it that take half the room each.
fn actor_away(node: &mut Node) -> impl Fn(u64, TaskId) -> TaskSpec + use<> {
    let creation = creation();
    let actor = ActorId::from(creation.id);
    node.tell(Event::ActorCreated(Arc::new(actor_of(creation))));
    let change = crate::message::ActorChange::Alive { node: OTHER, incarnation: 0 };
    node.tell(Event::FromHead(Box::new(FromHead::ActorChanged { actor, change })));
    let data = Bytes::from(vec![0; usize::try_from(limits::CALLS_AWAY_BYTES_MAX).unwrap() / 2]);
    move |number, submitter| {
        let argument = Arg::Value(Value { codec: Codec::Raw, data: data.clone(), refs: Vec::new() });
        TaskSpec { kind: TaskKind::ActorCall { actor }, submitter, ..spec(number, vec![argument]) }
    }
}

fn calls_sent(node: &Node) -> Vec<TaskId> {
    let calls = node.said.iter().filter_map(|(_, message)| match message {
        ToPeer::Call { order, .. } => Some(order.spec.id),
        _ => None,
    });
    calls.collect()
}

#[test]
fn calls_with_large_arguments_wait_here_until_the_actor_away_has_taken_those_before() {
    let mut node = Node::new();
    let away = actor_away(&mut node);
    let submitter = spec(1, Vec::new()).parent;
    let call = |number| away(number, submitter);
    let is_call = |message: &ToPeer| matches!(message, ToPeer::Call { .. });
    let mut goes = |number| {
        node.tell(Event::Submitted(Arc::new(call(number))));
        node.says(OTHER, is_call)
    };
    assert_eq!([2, 3, 4, 5].map(&mut goes), [true, true, false, false]);
    for (ended, goes) in [(2, true), (3, true), (4, false), (5, false)] {
        node.finishes(OTHER, call(ended).id, vec![inline(Vec::new())], Vec::new());
        assert_eq!(node.says(OTHER, is_call), goes, "after call {ended}");
    }
    assert_eq!(node.owner.small_bytes(), 4, "of each call its result is left");
}

#[test]
fn an_owner_without_room_for_small_values_says_so_with_its_orders() {
    let mut node = Node::new();
    node.owner = Ownership::new(HERE).with_small(1);
    let is_full = |node: &Node| {
        node.said.iter().find_map(|(_, message)| match message {
            ToPeer::Run { order, .. } => Some(order.stores_returns),
            _ => None,
        })
    };
    let first = node.send(OTHER, spec(1, Vec::new()));
    assert_eq!(is_full(&node), Some(false));
    node.finishes(OTHER, first, vec![inline(Vec::new())], Vec::new());
    node.tell(Event::Submitted(Arc::new(spec(2, Vec::new()))));
    assert_eq!((node.owner.small_bytes(), is_full(&node)), (1, Some(true)));
}

#[test]
fn who_always_has_the_next_call_ready_leaves_room_for_others() {
    let mut node = Node::new();
    let call = actor_away(&mut node);
    let (flood, other) = (spec(8, Vec::new()).id, spec(9, Vec::new()).id);
    for number in 10..15 {
        node.tell(Event::Submitted(Arc::new(call(number, flood))));
    }
    let of_other = call(20, other);
    node.tell(Event::Submitted(Arc::new(of_other.clone())));
    let mut sent = Vec::new();
    for number in 10..13 {
        node.finishes(OTHER, call(number, flood).id, vec![inline(Vec::new())], Vec::new());
        sent.extend(calls_sent(&node));
    }
    assert!(sent.contains(&of_other.id), "{sent:?}");
}

#[test]
fn an_end_waits_for_the_calls_before_it_that_have_no_room_yet() {
    let mut node = Node::new();
    let call = actor_away(&mut node);
    let (one, other) = (spec(8, Vec::new()).id, spec(9, Vec::new()).id);
    for number in 10..13 {
        node.tell(Event::Submitted(Arc::new(call(number, one))));
    }
    let TaskKind::ActorCall { actor } = call(10, one).kind else { unreachable!("it is a call") };
    node.tell(Event::ActorTerminated { actor, submitter: other });
    let is_end = |message: &ToPeer| matches!(message, ToPeer::EndActor { .. });
    assert!(!node.says(OTHER, is_end), "a call before it waits for room");
    node.finishes(OTHER, call(10, one).id, vec![inline(Vec::new())], Vec::new());
    assert_eq!(calls_sent(&node), [call(12, one).id]);
    node.finishes(OTHER, call(11, one).id, vec![inline(Vec::new())], Vec::new());
    assert!(node.says(OTHER, is_end), "{:?}", node.said);
}

#[test]
fn what_a_constructor_submits_after_the_end_of_its_job_runs() {
    let mut node = Node::new();
    let driver = JobId::numbered(1).driver(0);
    node.tell(Event::FromHead(Box::new(FromHead::JobEnded { job: JobId::numbered(1) })));
    // A detached actor is made again here: its owner is elsewhere, and the head told its node alone.
    let constructor = creation().id;
    let child = |number, parent| Arc::new(TaskSpec { parent, submitter: parent, ..spec(number, Vec::new()) });
    node.tell(Event::Submitted(child(8, constructor)));
    assert!(matches!(node.to_head[..], [ToHead::LeaseWanted { backlog: 1, .. }]), "{:?}", node.to_head);
    node.tell(Event::Submitted(child(9, driver)));
    assert_eq!(node.owner.unfinished(), 1, "the driver is over, and what it did last with it");
}

#[test]
fn of_an_actor_that_was_found_here_and_is_not_known_the_head_is_asked() {
    let mut node = Node::new();
    let spec = Arc::new(ActorSpec { detached: true, ..actor_of(creation()) });
    node.tell(Event::ActorKnown { spec: Arc::clone(&spec), owner: HERE });
    assert!(matches!(node.to_head[..], [ToHead::ActorWatch { actor, .. }] if actor == spec.id), "{:?}", node.to_head);
}

#[test]
fn what_is_heard_late_of_a_task_whose_owner_and_job_are_over_does_not_run() {
    let mut node = Node::new();
    let parent = spec(3, Vec::new());
    let id = parent.id;
    node.hears(OTHER, ToPeer::Run { order: order(parent, OTHER), refs: Vec::new(), behind: None });
    node.loses(OTHER);
    node.tell(Event::FromHead(Box::new(FromHead::JobEnded { job: JobId::numbered(1) })));
    node.tell(Event::Submitted(Arc::new(TaskSpec { parent: id, ..spec(4, Vec::new()) })));
    assert_eq!(node.owner.unfinished(), 0);
    let outcome = Outcome::Failed(crate::Error::new(crate::ErrorKind::TaskCancelled, "it was stopped"));
    node.tell(Event::Finished { task: id, attempt: 0, outcome });
    assert!(node.owner.foreign.is_empty());
}

#[test]
fn a_call_after_the_end_of_its_job_goes_on_with_what_it_submits_when_the_callers_node_dies() {
    let mut node = Node::new();
    node.tell(Event::FromHead(Box::new(FromHead::JobEnded { job: JobId::numbered(1) })));
    let actor = ActorId([9; 16]);
    let call = TaskSpec { kind: TaskKind::ActorCall { actor }, ..spec(3, Vec::new()) };
    let parent = call.id;
    node.hears(OTHER, ToPeer::Call { actor, incarnation: 0, order: order(call, OTHER), refs: Vec::new() });
    node.loses(OTHER);
    node.tell(Event::Submitted(Arc::new(TaskSpec { parent, ..spec(4, Vec::new()) })));
    assert_eq!(node.owner.unfinished(), 1);
}
