//! What a node tells its owner's machine, and what that one wants done: as in `host/node/src/node.rs`.

use std::collections::VecDeque;

use rayw_core::message::{NodeAddress, ToHead, ToPeer};
use rayw_core::ownership::{Command, Event, Outcome};
use rayw_core::{JobId, NodeId, TaskId};

use crate::network::{Addr, Message};
use crate::node::{Run, WorkId};
use crate::scenario::MILLI;
use crate::work::cancelled;
use crate::world::{Happening, World};

impl World {
    /// Tells the owner's machine of a node, and does what it says.
    pub(crate) fn tell(&mut self, id: NodeId, event: Event) {
        let millis = self.millis();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let Some(node) = self.nodes.get_mut(&id) else { return };
            let mut commands = Vec::new();
            self.touched.insert(id);
            if let Some(trace) = &mut self.trace
                && !matches!(event, Event::Tick)
            {
                let mut line = format!("{:>9}.{:03}   {id} {event:?}", self.now / MILLI, self.now % MILLI);
                line.truncate(line.char_indices().nth(4000).map_or(line.len(), |(at, _)| at));
                trace.push(line);
            }
            if let Event::Finished { task, .. } = &event {
                node.running.remove(task);
            }
            node.ownership.handle(event, millis, &mut commands);
            for command in commands {
                self.carry_out(id, command, &mut events);
            }
        }
    }

    fn carry_out(&mut self, id: NodeId, command: Command, events: &mut VecDeque<Event>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        match command {
            Command::ToHead(message) => self.say_to_head(id, *message),
            Command::ToPeer { node: to, message } => self.say_to_peer(id, to, *message),
            Command::Run(order) => {
                if let Some(Run::Begun(_)) = node.running.get(&order.spec.id) {
                    let (task, attempt) = (order.spec.id, order.attempt);
                    self.fail(|| format!("task {task} runs already and is ordered again as attempt {attempt}"));
                    return;
                }
                node.running.insert(order.spec.id, Run::Queued);
                let work = node.begin(crate::node::Role::Task(order));
                self.wake(id, work);
            }
            Command::RunBehind { order, behind } => {
                if !node.running.contains_key(&behind) {
                    let task = order.spec.id;
                    self.fail(|| format!("task {task} is to run behind {behind}, which no worker has"));
                    return;
                }
                if let Some(taken) = node.next_behind(behind) {
                    let task = order.spec.id;
                    self.fail(|| format!("tasks {task} and {taken} are both to run behind {behind}"));
                    return;
                }
                node.running.insert(order.spec.id, Run::Behind(behind));
                node.behind.insert(order.spec.id, order);
            }
            Command::Begin(task) => {
                self.begin_behind(id, task);
            }
            Command::Recall(mut tasks) => {
                tasks.retain(|task| node.take_behind(*task).is_some());
                events.push_back(Event::Recalled(tasks));
            }
            Command::Stop { task, .. } if node.behind.contains_key(&task) => {
                if let Some(order) = node.take_behind(task) {
                    let outcome = Outcome::Failed(cancelled(&order.spec));
                    events.push_back(Event::Finished { task, attempt: order.attempt, outcome });
                }
            }
            Command::Stop { task, .. } => match node.running.get_mut(&task) {
                Some(Run::Begun(work)) => {
                    let work = *work;
                    self.stop(id, work);
                }
                Some(queued) => *queued = Run::Unwanted,
                None => {}
            },
            Command::Call { actor, incarnation, order } => {
                if let Some(dropped) = self.post_call(id, actor, incarnation, order) {
                    events.push_back(Event::CallDropped(dropped));
                }
            }
            Command::EndActor { actor, incarnation, reason } => self.post_end(id, actor, incarnation, reason),
            Command::FlagCancelled { actor, task } => {
                if let Some(mailbox) = node.mailboxes.get_mut(&actor) {
                    mailbox.unwanted.insert(task);
                }
            }
            Command::Construct { actor, incarnation, result } => self.arguments_came(id, actor, incarnation, *result),
            Command::Wake { waiter, result } => self.woken(id, waiter.0, result),
            Command::Forget(object) => {
                node.store.remove(&object);
            }
            Command::Keep(object) => {
                if !node.store.contains_key(&object) {
                    events.push_back(Event::CopyDropped(object));
                }
            }
            Command::Bring(stored) => self.after(MILLI, Happening::Move(id, stored)),
        }
    }

    /// A task begins that followed one which has ended or blocked.
    pub(crate) fn begin_behind(&mut self, id: NodeId, task: TaskId) -> Option<WorkId> {
        let node = self.nodes.get_mut(&id)?;
        let order = node.behind.remove(&task)?;
        node.running.insert(task, Run::Queued);
        let work = node.begin(crate::node::Role::Task(order));
        self.wake(id, work);
        Some(work)
    }

    /// What the worker of a task did before is told.
    pub(crate) fn tell_untold(&mut self, id: NodeId, work: WorkId) {
        let untold = self.nodes.get_mut(&id).and_then(|node| node.untold.remove(&work));
        untold.into_iter().flatten().for_each(|(event, over)| self.tell_of_task(id, event, over));
    }

    /// Tells of a task, and of its end when its work is over by that.
    pub(crate) fn tell_of_task(&mut self, id: NodeId, event: Event, over: Option<WorkId>) {
        self.tell(id, event);
        if let Some(work) = over {
            self.drop_program(id, work);
            self.forget_work(id, work);
        }
    }

    fn say_to_peer(&mut self, from: NodeId, to: NodeId, message: ToPeer) {
        let Some(node) = self.nodes.get(&from).filter(|node| !node.dead.contains(&to)) else { return };
        let from = node.id;
        self.say(|| format!("{from} to {to}: {message:?}"));
        self.links.push(Addr::Node(from), Addr::Node(to), Message::ToPeer(message));
    }

    pub(crate) fn say_to_head(&mut self, from: NodeId, message: ToHead) {
        self.say(|| format!("{from} to head: {message:?}"));
        self.links.push(Addr::Node(from), Addr::Head, Message::ToHead(message));
    }

    /// The node says that it is there, and all that it holds: as in `host/node/src/report.rs`. `unheard`
    /// is what a former head did not confirm of what no report contains.
    pub(crate) fn join(&mut self, id: NodeId, unheard: Vec<ToHead>) {
        let has_head = self.scenario.has_head_node;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let is_head_node = has_head && node.machine == 0;
        let at = NodeAddress { address: format!("{id}"), name: String::new(), is_head_node };
        let mut said =
            vec![ToHead::NodeJoined { node: id, at, total: node.total.clone(), labels: node.labels.clone() }];
        let jobs: Vec<JobId> = node.jobs.iter().filter(|(_, is_over)| !**is_over).map(|(job, _)| *job).collect();
        if !jobs.is_empty() {
            said.push(ToHead::JobsKnown { node: id, jobs });
        }
        said.extend(node.drivers.values().map(|(spec, _)| ToHead::JobStarted { spec: spec.clone(), node: id }));
        said.extend(node.ownership.report());
        said.extend(node.mailboxes.iter().map(|(actor, mailbox)| ToHead::ActorLives {
            actor: *actor,
            incarnation: mailbox.incarnation,
            node: id,
            is_ready: mailbox.is_ready,
        }));
        said.extend(unheard);
        said.extend(node.jobs_asked.keys().map(|job| ToHead::JobWanted { node: id, job: *job }));
        said.extend(node.asked.values().map(|(question, _)| question.clone()));
        said.push(ToHead::ReportEnded { node: id });
        for message in said {
            self.say_to_head(id, message);
        }
    }
}
