//! What programs want done: as in `host/node/src/services.rs`.

use std::sync::Arc;

use rayw_core::message::ToHead;
use rayw_core::ownership::{Event, WaitFor};
use rayw_core::{
    ActorId, ActorSpec, Amount, Arg, ComponentDigest, Error, JobId, LabelSelector, NodeId, ObjectId, Placement, RefId,
    Resources, Retries, RetryExceptions, Strategy, TaskId, TaskKind, TaskSpec, TaskTerms,
};

use crate::guest::{Action, ActorWish, Argument, Code, Place, TaskWish, Val};
use crate::node::{Ready, Stage, WorkId, encode};
use crate::work::root;
use crate::world::World;

/// What a piece of work is, for its children.
pub(crate) struct Caller {
    task: TaskId,
    pub(crate) submitter: TaskId,
    pub(crate) job: JobId,
}

impl World {
    pub(crate) fn caller(&mut self, id: NodeId, work: WorkId) -> Option<Caller> {
        let known = self.work(id, work)?;
        Some(Caller { task: known.task(), submitter: known.submitter(), job: known.job() })
    }

    pub(crate) fn next_child(&mut self, id: NodeId, work: WorkId, caller: &Caller) -> TaskId {
        self.work(id, work).map_or(caller.task, |known| known.children.next_id())
    }

    pub(crate) fn next_put(&mut self, id: NodeId, work: WorkId, caller: &Caller) -> ObjectId {
        self.work(id, work).map_or_else(|| caller.task.put(0), |known| known.children.next_put())
    }

    /// Goes on soon with that answer.
    pub(crate) fn answer(&mut self, id: NodeId, work: WorkId, ready: Ready) {
        if let Some(known) = self.work(id, work) {
            known.stage = Stage::Ready(ready);
        }
        self.wake(id, work);
    }

    /// The program holds new references, which are counted already.
    pub(crate) fn take(&mut self, id: NodeId, work: WorkId, refs: Vec<RefId>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        refs.iter().for_each(|held| node.hold(*held));
        if let Some(known) = node.work.get_mut(&work) {
            known.held.extend(&refs);
        }
    }

    /// The program drops a reference.
    fn shed(&mut self, id: NodeId, work: WorkId, shed: RefId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(known) = node.work.get_mut(&work) else { return };
        if let Some(index) = known.held.iter().position(|held| *held == shed) {
            known.held.swap_remove(index);
            node.unhold(shed);
            self.tell(id, Event::Released(vec![shed]));
        }
    }

    pub(crate) fn act(&mut self, id: NodeId, work: WorkId, action: Action<RefId>) {
        self.say(|| format!("  {id} work {work}: {action:?}"));
        match action {
            Action::Compute(micros) => {
                if let Some(known) = self.work(id, work) {
                    known.stage = Stage::Ready(Ready::Nothing);
                }
                self.wake_after(id, work, micros);
            }
            Action::Put(value) => {
                let Some(caller) = self.caller(id, work) else { return };
                let object = self.put(id, work, &caller, &value);
                self.answer(id, work, Ready::Refs(vec![RefId::Object(object)]));
            }
            Action::Submit(code, args, wish) => self.submit(id, work, code, args, wish),
            Action::Create(code, args, wish) => self.create(id, work, code, args, wish),
            Action::Call(RefId::Actor(actor), code, args) => self.call(id, work, actor, code, args),
            Action::Get(refs) => self.start_wait(id, work, objects(&refs), WaitFor::Values, None),
            Action::Wait(refs, ready, timeout) => {
                let mut of = Vec::new();
                for object in objects(&refs) {
                    if !of.contains(&object) {
                        of.push(object);
                    }
                }
                let ready = ready.min(u32::try_from(of.len()).unwrap_or(1));
                self.start_wait(id, work, of, WaitFor::Ready(ready), timeout);
            }
            Action::Drop(shed) => {
                self.shed(id, work, shed);
                self.answer(id, work, Ready::Nothing);
            }
            Action::Cancel(RefId::Object(object), recursive) => {
                self.tell(id, Event::Cancelled { object, recursive });
                self.shed(id, work, RefId::Object(object));
                self.answer(id, work, Ready::Nothing);
            }
            Action::Kill(RefId::Actor(actor), no_restart) => {
                self.say_to_head(id, ToHead::ActorKill { actor, no_restart });
                self.shed(id, work, RefId::Actor(actor));
                self.answer(id, work, Ready::Nothing);
            }
            Action::Terminate(RefId::Actor(actor)) => {
                let Some(caller) = self.caller(id, work) else { return };
                self.tell(id, Event::ActorTerminated { actor, submitter: caller.submitter });
                self.shed(id, work, RefId::Actor(actor));
                self.answer(id, work, Ready::Nothing);
            }
            Action::Reserve(strategy, bundles) => self.reserve(id, work, strategy, bundles),
            Action::Unreserve => {
                if let Some(group) = self.work(id, work).and_then(|known| known.group.take()) {
                    self.say_to_head(id, ToHead::GroupRemove { group });
                }
                self.answer(id, work, Ready::Nothing);
            }
            Action::Return(values) => self.returned(id, work, values),
            Action::Fail(kind) => self.failed(id, work, kind.unwrap_or(crate::check::PLANNED)),
            Action::Call(..) | Action::Cancel(..) | Action::Kill(..) | Action::Terminate(..) => {
                self.fail(|| format!("a program confuses objects and actors: {action:?}"));
            }
        }
    }

    fn put(&mut self, id: NodeId, work: WorkId, caller: &Caller, value: &Val<RefId>) -> ObjectId {
        let object = self.next_put(id, work, caller);
        self.expect_value(object, value);
        let output = self.output(id, object, encode(value));
        self.take(id, work, vec![RefId::Object(object)]);
        self.tell(id, Event::Put { object, output });
        object
    }

    /// Arguments as they travel, and the objects that carry large ones.
    fn args(
        &mut self,
        id: NodeId,
        work: WorkId,
        caller: &Caller,
        args: Vec<Argument<RefId>>,
    ) -> (Vec<Arg>, Vec<RefId>) {
        let mut carried = Vec::new();
        let mut travelling = Vec::new();
        for arg in args {
            travelling.push(match arg {
                Argument::Object(RefId::Object(object)) => Arg::Object(object),
                Argument::Value(value) if value.is_large => {
                    let object = self.put(id, work, caller, &value);
                    carried.push(RefId::Object(object));
                    Arg::Object(object)
                }
                Argument::Value(value) => Arg::Value(encode(&value)),
                Argument::Object(RefId::Actor(_) | RefId::Group(_)) => continue,
            });
        }
        (travelling, carried)
    }

    fn submit(&mut self, id: NodeId, work: WorkId, code: Code, args: Vec<Argument<RefId>>, wish: TaskWish) {
        let Some(caller) = self.caller(id, work) else { return };
        let task = self.next_child(id, work, &caller);
        self.expect_task(task, code, &args, wish.returns, wish.retries);
        let (args, carried) = self.args(id, work, &caller, args);
        let mut resources = Resources::cpus(Amount(wish.cpu)).with_memory(wish.memory);
        if wish.gpu {
            resources = resources.with_custom("gpu", Amount(10_000));
        }
        let placement = self.placement(id, work, wish.place);
        let spec = self.spec(&caller, task, TaskKind::Normal, code, args);
        let spec = spec.with_terms(|terms| {
            terms.num_returns = wish.returns;
            terms.resources = Arc::new(resources);
            terms.placement = Arc::new(placement);
            terms.max_retries = Retries::AtMost(wish.retries);
            terms.retry_exceptions = if wish.retry_exceptions { RetryExceptions::All } else { RetryExceptions::No };
        });
        self.hand_in(id, work, spec, &carried);
    }

    fn hand_in(&mut self, id: NodeId, work: WorkId, spec: TaskSpec, carried: &[RefId]) {
        let refs: Vec<RefId> = (0..spec.num_returns).map(|index| RefId::Object(spec.id.output(index))).collect();
        self.take(id, work, refs.clone());
        self.tell(id, Event::Submitted(Arc::new(spec)));
        carried.iter().for_each(|carried| self.shed(id, work, *carried));
        self.answer(id, work, Ready::Refs(refs));
    }

    fn spec(&self, caller: &Caller, id: TaskId, kind: TaskKind, code: Code, args: Vec<Arg>) -> TaskSpec {
        TaskSpec {
            id,
            parent: caller.task,
            submitter: caller.submitter,
            kind,
            args,
            terms: Arc::new(TaskTerms::new(caller.job, ComponentDigest([0; 32]), Arc::from(code.name()))),
        }
    }

    /// The node of a machine, once the head knows it.
    fn joined(&self, machine: usize) -> Option<NodeId> {
        let node = self.machines[machine]?;
        let head = self.head.as_ref()?;
        head.machine.node_rows().iter().any(|row| row.node_id == node.to_string()).then_some(node)
    }

    fn placement(&mut self, id: NodeId, work: WorkId, place: Place) -> Placement {
        let strategy = match place {
            Place::Spread => Strategy::Spread,
            Place::On(machine, soft) => match self.joined(machine) {
                Some(node) => Strategy::NodeAffinity { node, soft },
                None => Strategy::Default,
            },
            Place::Group(bundle) => match self.work(id, work).and_then(|known| known.group) {
                Some(group) => Strategy::Group { group, bundle, capture: false },
                None => Strategy::Default,
            },
            Place::Default | Place::Zone(_) => Strategy::Default,
        };
        let zone = format!("z{}", if let Place::Zone(zone) = place { zone } else { 0 });
        let pairs: Vec<(&str, &str)> = if let Place::Zone(_) = place { vec![("zone", &zone)] } else { Vec::new() };
        Placement { strategy, selector: LabelSelector::parse(pairs).unwrap_or_default() }
    }

    fn create(&mut self, id: NodeId, work: WorkId, code: Code, args: Vec<Argument<RefId>>, wish: ActorWish) {
        let Some(caller) = self.caller(id, work) else { return };
        let task = self.next_child(id, work, &caller);
        self.expect_actor(ActorId::from(task), &args);
        let (args, carried) = self.args(id, work, &caller, args);
        let placement = self.placement(id, work, wish.place);
        let held =
            if wish.holds { Resources::default().with_custom("seat", Amount(10_000)) } else { Resources::default() };
        let footprint = if matches!(placement.strategy, Strategy::Group { .. }) {
            Resources::cpus(Amount(2_500))
        } else {
            Resources::cpus(Amount::ONE)
        };
        let held = if matches!(placement.strategy, Strategy::Group { .. }) { Resources::default() } else { held };
        let creation = self.spec(&caller, task, TaskKind::ActorCreation, code, args).with_terms(|terms| {
            terms.num_returns = 0;
            terms.resources = Arc::new(held.clone());
            terms.placement = Arc::new(placement);
        });
        let spec = Arc::new(ActorSpec {
            id: ActorId::from(task),
            class: Arc::from("Class"),
            name: wish.name.map(|name| Arc::from(format!("name-{name}"))),
            namespace: Arc::from(format!("job-{}", caller.job)),
            detached: wish.detached,
            placement: footprint.into(),
            lifetime: held.into(),
            max_restarts: Retries::AtMost(wish.restarts),
            max_task_retries: Retries::AtMost(wish.task_retries),
            max_pending_calls: None,
            out_of_order: wish.out_of_order,
            creation: Arc::new(creation),
        });
        if wish.detached {
            self.detached.insert(spec.id);
        }
        if spec.name.is_none() {
            self.created(id, work, spec);
            return carried.iter().for_each(|carried| self.shed(id, work, *carried));
        }
        // What carries its arguments is held until the head has answered, and then with the program.
        let asked = Arc::clone(&spec);
        self.ask(id, work, |owner, request| ToHead::ActorRegister {
            owner,
            request: Some(request),
            spec: asked,
            get_if_exists: true,
        });
    }

    pub(crate) fn created(&mut self, id: NodeId, work: WorkId, spec: Arc<ActorSpec>) {
        let actor = RefId::Actor(spec.id);
        self.take(id, work, vec![actor]);
        self.tell(id, Event::ActorCreated(spec));
        self.answer(id, work, Ready::Refs(vec![actor]));
    }

    fn call(&mut self, id: NodeId, work: WorkId, actor: ActorId, code: Code, args: Vec<Argument<RefId>>) {
        let Some(caller) = self.caller(id, work) else { return };
        let Some(node) = self.nodes.get(&id) else { return };
        let of = match node.ownership.admit_call(actor) {
            Ok(of) => Arc::clone(of),
            Err(error) => {
                self.check_permitted(id, work, &error, "a call");
                return self.answer(id, work, Ready::Failed(error));
            }
        };
        let task = self.next_child(id, work, &caller);
        self.expect_call(task, actor, code, &args);
        let number = self.submitted.len() as u64;
        self.submitted.insert(task, number);
        let (args, carried) = self.args(id, work, &caller, args);
        let spec = self
            .spec(&caller, task, TaskKind::ActorCall { actor }, code, args)
            .with_terms(|terms| terms.max_retries = of.max_task_retries);
        self.hand_in(id, work, spec, &carried);
    }

    /// An error of a program that did not come with an object.
    pub(crate) fn check_permitted(&mut self, id: NodeId, work: WorkId, error: &Error, what: &str) {
        if !self.is_job_over(id, work) && !self.permitted.contains(root(error)) {
            self.fail(|| format!("{what} on node {id} failed and nothing explains it: {error:?}"));
        }
    }
}

fn objects(refs: &[RefId]) -> Vec<ObjectId> {
    let objects = refs.iter().filter_map(|reference| match reference {
        RefId::Object(object) => Some(*object),
        RefId::Actor(_) | RefId::Group(_) => None,
    });
    objects.collect()
}
