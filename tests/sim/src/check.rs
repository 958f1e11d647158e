//! What must hold: after each event, for each value, and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rayw_core::message::{RefOwner, ToHead, ToPeer};
use rayw_core::{ActorId, Error, LeaseId, NodeId, ObjectId, RefId, TaskId, Value};

use crate::guest::{Argument, Code, Val};
use crate::network::{Addr, Message};
use crate::node::{Role, Run, Stage, Work, WorkId, decode};
use crate::oracle::{Expected, Known, outputs};
use crate::scenario::{Fault, Scenario};
use crate::work::root;
use crate::world::{Fate, World};

/// The kind of the errors that programs make themselves.
pub(crate) const PLANNED: &str = "PLANNED";

/// Kinds of errors that a scenario explains before anything has befallen it.
pub(crate) fn permitted_by(scenario: &Scenario) -> BTreeSet<&'static str> {
    let features = &scenario.features;
    let mut permitted = BTreeSet::new();
    if features.cancels || scenario.has(|fault| matches!(fault, Fault::Stop(_))) {
        permitted.insert("TASK_CANCELLED");
    }
    if features.kills || features.names || features.actor_crashes {
        permitted.extend(["ACTOR_DIED", "ACTOR_UNAVAILABLE", "ACTOR_NOT_FOUND"]);
    }
    if features.actors && permitted.contains("TASK_CANCELLED") {
        // It may have been an argument of a constructor.
        permitted.extend(["ACTOR_DIED", "ACTOR_UNAVAILABLE"]);
    }
    if features.groups {
        permitted.extend(["PLACEMENT_GROUP_REMOVED"]);
    }
    if features.groups && features.actors {
        permitted.extend(["ACTOR_DIED", "ACTOR_UNAVAILABLE"]);
    }
    if scenario.has(|fault| matches!(fault, Fault::Head(_) | Fault::Drain(..) | Fault::Stop(_))) {
        permit_death(&mut permitted);
    }
    permitted
}

/// What the death of a node explains.
pub(crate) fn permit_death(permitted: &mut BTreeSet<&'static str>) {
    permitted.extend([
        "NODE_DIED",
        "OWNER_DIED",
        "OBJECT_LOST",
        "ACTOR_DIED",
        "ACTOR_UNAVAILABLE",
        "ACTOR_NOT_FOUND",
        "TASK_CANCELLED",
        "UNSCHEDULABLE",
        "WORKER_CRASHED",
        "PLACEMENT_GROUP_REMOVED",
        "INVALID_ARGUMENT",
        "SYSTEM",
    ]);
}

impl World {
    fn known(&self, reference: &RefId) -> Known {
        match reference {
            RefId::Actor(actor) => Known::Actor { lives: !self.stillborn.contains(actor) },
            RefId::Group(_) => unreachable!("no program of the simulation passes a group on"),
            RefId::Object(object) => {
                Known::Object(self.expected.get(object).cloned().unwrap_or_else(|| Rc::new(Expected::Any)))
            }
        }
    }

    fn known_value(&self, value: &Val<RefId>) -> Val<Known> {
        let refs = value.refs.iter().map(|reference| self.known(reference)).collect();
        Val { num: value.num, refs, is_large: value.is_large }
    }

    /// Somebody makes an object of this value.
    pub(crate) fn expect_value(&mut self, object: ObjectId, value: &Val<RefId>) {
        let value = self.known_value(value);
        self.expected.insert(object, Rc::new(Expected::Value(value)));
    }

    /// Somebody submits this task.
    pub(crate) fn expect_task(
        &mut self,
        task: TaskId,
        code: Code,
        args: &[Argument<RefId>],
        returns: u32,
        retries: u32,
    ) {
        let args = self.known_args(args);
        let features = self.scenario.features;
        let is_call_that_breaks = self.is_call(code) && code.crashes(&features) > 0;
        let made = if is_call_that_breaks {
            vec![Rc::new(Expected::Any)]
        } else {
            outputs(code, args, returns, retries, &features)
        };
        for (expected, index) in made.into_iter().zip(0..) {
            self.expected.insert(task.output(index), expected);
        }
    }

    fn known_args(&self, args: &[Argument<RefId>]) -> Vec<Argument<Known>> {
        let args = args.iter().map(|arg| match arg {
            Argument::Object(object) => Argument::Object(self.known(object)),
            Argument::Value(value) => Argument::Value(self.known_value(value)),
        });
        args.collect()
    }

    /// Somebody creates this actor.
    pub(crate) fn expect_actor(&mut self, actor: ActorId, args: &[Argument<RefId>]) {
        if !crate::oracle::lives(&self.known_args(args)) {
            self.stillborn.insert(actor);
        }
    }

    /// Somebody calls this actor.
    pub(crate) fn expect_call(&mut self, task: TaskId, actor: ActorId, code: Code, args: &[Argument<RefId>]) {
        if self.stillborn.contains(&actor) {
            self.expected.insert(task.output(0), Rc::new(Expected::Unsure));
        } else {
            self.expect_task(task, code, args, 1, 0);
        }
    }

    fn is_call(&self, code: Code) -> bool {
        use crate::guest::Kind;
        matches!(code.kind, Kind::Method | Kind::Keep | Kind::Give)
    }

    /// A task returns this.
    pub(crate) fn check_output(&mut self, object: ObjectId, value: &Val<RefId>) {
        let wrong = match self.expected.get(&object).map(AsRef::as_ref) {
            Some(Expected::Value(expected)) if expected.num != value.num || expected.refs.len() != value.refs.len() => {
                Some(format!("{} with {} references", expected.num, expected.refs.len()))
            }
            Some(Expected::Failed) => Some("an error".to_owned()),
            Some(Expected::Value(_) | Expected::Any | Expected::Unsure) | None => None,
        };
        if let Some(expected) = wrong {
            let (num, refs) = (value.num, value.refs.len());
            self.fail(|| format!("object {object} should be {expected} and is {num} with {refs} references"));
        }
    }

    /// Somebody got these values.
    pub(crate) fn check_values(&mut self, id: NodeId, objects: &[ObjectId], values: &[Arc<Value>]) {
        if objects.len() != values.len() {
            self.fail(|| format!("{} objects were asked for on node {id} and {} came", objects.len(), values.len()));
        }
        for (object, value) in objects.iter().zip(values) {
            self.check_output(*object, &decode(value));
        }
    }

    /// Somebody got an error instead.
    pub(crate) fn check_failure(&mut self, id: NodeId, work: WorkId, objects: &[ObjectId], error: &Error) {
        if self.is_job_over(id, work) {
            return;
        }
        let should_fail = objects.iter().any(|object| {
            matches!(
                self.expected.get(object).map(AsRef::as_ref),
                Some(Expected::Failed | Expected::Any | Expected::Unsure)
            )
        });
        let root = root(error);
        if !should_fail && (root == PLANNED || !self.permitted.contains(root)) {
            self.fail(|| format!("{objects:?} on node {id} failed with {root} and nothing explains it: {error:?}"));
        }
    }

    /// Whether the job that this works for is over: its tasks and actors are being ended.
    pub(crate) fn is_job_over(&self, id: NodeId, work: WorkId) -> bool {
        let job = self.nodes.get(&id).and_then(|node| node.work.get(&work)).map(Work::job);
        job.is_some_and(|job| self.jobs.get(&job) == Some(&Fate::Over))
    }

    /// What somebody refers to is known to its owner, and tokens are neither lost nor made.
    pub(crate) fn check_references(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let lives = |owner: &NodeId, by: &NodeId| {
            let is_declared =
                self.head.as_ref().is_some_and(|head| head.machine.is_dead(*owner) || head.machine.is_dead(*by));
            self.nodes.get(owner).is_some_and(|node| !node.dead.contains(by)) && !is_declared
        };
        for (by, node) in &self.nodes {
            for (id, owner, tokens) in node.ownership.borrowed() {
                // Who asks for a name can be told of an actor that ends while it is told.
                let may_be_over = matches!(id, RefId::Actor(_)) && self.scenario.features.names;
                let is_known = self.nodes.get(&owner).is_some_and(|owner| owner.ownership.knows(id));
                if tokens > 0 && lives(&owner, by) && !node.dead.contains(&owner) && !is_known && !may_be_over {
                    wrong.push(format!("{id:?} is borrowed by {by}, and its owner {owner} has forgotten it"));
                }
            }
        }
        if wrong.is_empty() && !self.permitted.contains("NODE_DIED") {
            self.check_tokens(&mut wrong);
        }
        wrong
    }

    /// What owners have counted is what borrowers have, together with what is on its way.
    fn check_tokens(&self, wrong: &mut Vec<String>) {
        let mut balance: BTreeMap<(RefId, NodeId), i64> = BTreeMap::new();
        for (by, node) in &self.nodes {
            for (id, _, tokens) in node.ownership.borrowed() {
                *balance.entry((id, *by)).or_default() += i64::from(tokens);
            }
            for (id, borrower, tokens) in node.ownership.lent_out() {
                *balance.entry((id, borrower)).or_default() -= tokens;
            }
        }
        for (from, to, message) in self.links.untaken() {
            let (Message::ToPeer(message), Addr::Node(from), Addr::Node(to)) = (message, from, to) else { continue };
            match message {
                ToPeer::Lent { id, to: borrower } if *borrower != to => {
                    *balance.entry((*id, *borrower)).or_default() -= 1
                }
                ToPeer::Returned { id, tokens } => {
                    *balance.entry((*id, from)).or_default() +=
                        tokens.iter().map(|(_, tokens)| i64::from(*tokens)).sum::<i64>()
                }
                _ => {}
            }
            for reference in refs_of(message) {
                let (id, owner) = match reference {
                    RefOwner::Object { id, owner } => (RefId::Object(*id), *owner),
                    RefOwner::Actor { spec, owner } => (RefId::Actor(spec.id), *owner),
                };
                if owner != to {
                    *balance.entry((id, to)).or_default() += 1;
                }
            }
        }
        for ((id, by), sum) in balance.into_iter().filter(|(_, sum)| *sum != 0) {
            let may_be_over = matches!(id, RefId::Actor(_)) && self.scenario.features.names;
            if !may_be_over {
                wrong.push(format!("{id:?} at {by}: {sum} tokens more than its owner has counted"));
            }
        }
    }

    /// No actor lives twice, no lease has more tasks than slots, no node has more than it can hold.
    pub(crate) fn check_lives(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let Some(head) = &self.head else { return wrong };
        let mut lives: BTreeMap<ActorId, NodeId> = BTreeMap::new();
        let mut busy: BTreeMap<LeaseId, u32> = BTreeMap::new();
        for (id, node) in self.nodes.iter().filter(|(id, _)| !head.machine.is_dead(**id)) {
            for (actor, _) in node.mailboxes.iter().filter(|(_, mailbox)| mailbox.stop.is_none()) {
                if let Some(other) = lives.insert(*actor, *id) {
                    wrong.push(format!("actor {actor} lives on {id} and on {other}"));
                }
            }
            for work in node.work.values().filter(|work| !work.is_stopped) {
                let Role::Task(order) = &work.role else { continue };
                let is_begun = matches!(node.running.get(&order.spec.id), Some(Run::Begun(_)));
                let is_at_rest = matches!(work.stage, Stage::Waiting(..) | Stage::Woken(..) | Stage::Over);
                if let Some(lease) = order.lease.filter(|_| is_begun && !is_at_rest) {
                    *busy.entry(lease).or_default() += 1;
                }
            }
        }
        for (lease, tasks) in busy {
            // One that it does not know was dropped with its owner, or revoked: its tasks are about to be stopped.
            if let Some(slots) = head.machine.slots_of(lease).filter(|slots| tasks > *slots) {
                wrong.push(format!("lease {lease} has {slots} slots and {tasks} tasks run in it"));
            }
        }
        wrong
    }

    /// Jobs that ended without a word of their drivers: with a node, or before they were in the journal.
    fn settle_fates(&mut self) {
        let open = self.jobs.iter().filter(|(_, fate)| **fate != Fate::Over);
        let over = open.filter(|(job, _)| self.safe_status(**job).is_some_and(|status| is_final(&status)));
        for job in over.map(|(job, _)| *job).collect::<Vec<_>>() {
            self.jobs.insert(job, Fate::Over);
        }
    }

    /// Ends of drivers that the head does not know although their nodes live and have said them.
    fn unheard_ends(&self) -> Vec<String> {
        let may_be_stopped = self.scenario.has(|fault| matches!(fault, Fault::Stop(_)));
        let ends = self.ends.iter().filter(|(_, (node, _))| self.nodes.contains_key(node) && !may_be_stopped);
        let unheard = ends.filter_map(|(job, (node, state))| {
            let status = self.safe_status(*job).filter(|status| status != state.name())?;
            Some(format!(
                "job {job} ended as {} on node {node}, which lives, and is {status} at the head",
                state.name()
            ))
        });
        unheard.collect()
    }

    /// Whether all is over and nothing is left. Sees to it that it can be.
    pub(crate) fn is_over(&mut self) -> bool {
        self.settle_fates();
        let is_at_work = self.faults_left > 0
            || self.jobs_left > 0
            || self.head.is_none()
            || self.machines.iter().any(Option::is_none)
            || !self.cuts.is_empty()
            || self.jobs.values().any(|fate| *fate != Fate::Over);
        if !is_at_work {
            if !std::mem::replace(&mut self.is_ending, true) {
                self.say(|| "all jobs are over".to_owned());
            }
            (self.scenario.lost, self.scenario.doubled, self.scenario.slow) = (0, 0, 0);
            if self.leftovers().is_empty() {
                return true;
            }
            for actor in self.detached.clone() {
                self.tell_head(ToHead::ActorKill { actor, no_restart: true });
            }
        }
        self.consider_end();
        false
    }

    /// What is left, when nothing should be.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut left: Vec<String> = Vec::new();
        left.extend(
            self.jobs.iter().filter(|(_, fate)| **fate != Fate::Over).map(|(job, fate)| format!("job {job}: {fate:?}")),
        );
        for (id, node) in &self.nodes {
            left.extend(node.leftovers().into_iter().map(|what| format!("node {id}: {what}")));
        }
        for job in self.jobs.keys() {
            let status = self.safe_status(*job).unwrap_or_else(|| "NOT SAFE".to_owned());
            left.extend((!is_final(&status)).then(|| format!("job {job} is {status} at the head")));
        }
        left.extend(self.unheard_ends());
        match &self.head {
            Some(head) => left.extend(head.machine.leftovers().into_iter().map(|what| format!("head: {what}"))),
            None => left.push("there is no head".to_owned()),
        }
        left
    }
}

/// Whether nothing becomes of a job any more; one that the head does not know was never safe.
fn is_final(status: &str) -> bool {
    !matches!(status, "PENDING" | "RUNNING" | "NOT SAFE")
}

fn refs_of(message: &ToPeer) -> &[RefOwner] {
    match message {
        ToPeer::Run { refs, .. }
        | ToPeer::Call { refs, .. }
        | ToPeer::Finished { refs, .. }
        | ToPeer::Settled { refs, .. }
        | ToPeer::Construct { refs, .. } => refs,
        _ => &[],
    }
}
