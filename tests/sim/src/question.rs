//! Questions of programs to the head, and its answers: actors with names, placement groups.

use std::sync::Arc;

use rayw_core::message::{RequestId, ToHead};
use rayw_core::ownership::Event;
use rayw_core::{
    ActorSpec, Amount, BundleSpec, Error, GroupId, GroupSpec, GroupStatus, GroupStrategy, LabelSelector, NodeId, RefId,
    Resources,
};

use crate::guest::Val;
use crate::node::{Ready, Stage, WorkId};
use crate::world::World;

impl World {
    pub(crate) fn ask(&mut self, id: NodeId, work: WorkId, question: impl FnOnce(NodeId, RequestId) -> ToHead) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.next_request += 1;
        let request = RequestId(node.next_request);
        let question = question(id, request);
        node.asked.insert(request, (question.clone(), Some(work)));
        if let Some(known) = node.work.get_mut(&work) {
            known.stage = Stage::Asked;
        }
        self.say_to_head(id, question);
    }

    pub(crate) fn actor_found(
        &mut self,
        id: NodeId,
        request: RequestId,
        result: Result<(Arc<ActorSpec>, NodeId), Error>,
    ) {
        let Some((question, asker)) = self.nodes.get_mut(&id).and_then(|node| node.asked.remove(&request)) else {
            return;
        };
        let ToHead::ActorRegister { spec, .. } = question else { return };
        let Some(work) = asker else {
            // Who asked is gone, and the actor would wait for its constructor's arguments for ever.
            if result.is_ok_and(|(found, _)| found.id == spec.id) {
                self.say_to_head(id, ToHead::ActorKill { actor: spec.id, no_restart: true });
            }
            return;
        };
        match result {
            Ok((found, owner)) if found.id != spec.id => {
                let actor = RefId::Actor(found.id);
                self.take(id, work, vec![actor]);
                self.tell(id, Event::ActorKnown { spec: found, owner });
                self.answer(id, work, Ready::Refs(vec![actor]));
            }
            Ok(_) => self.created(id, work, spec),
            Err(error) => {
                self.check_permitted(id, work, &error, "a named actor");
                self.answer(id, work, Ready::Failed(error));
            }
        }
    }

    pub(crate) fn reserve(&mut self, id: NodeId, work: WorkId, strategy: usize, bundles: u32) {
        let Some(caller) = self.caller(id, work) else { return };
        let group = GroupId::from(self.next_child(id, work, &caller));
        let strategies =
            [GroupStrategy::Pack, GroupStrategy::Spread, GroupStrategy::StrictPack, GroupStrategy::StrictSpread];
        let bundle = BundleSpec { resources: Resources::cpus(Amount(2_500)), selector: LabelSelector::default() };
        let spec = Arc::new(GroupSpec {
            id: group,
            name: None,
            namespace: Arc::from("groups"),
            strategy: strategies[strategy % strategies.len()],
            bundles: (0..bundles).map(|_| bundle.clone()).collect(),
            detached: false,
            job: caller.job,
            creator: caller.submitter,
        });
        if let Some(known) = self.work(id, work) {
            known.group = Some(group);
        }
        self.ask(id, work, |owner, request| ToHead::GroupCreate { owner, request, spec });
    }

    pub(crate) fn group_found(&mut self, id: NodeId, request: RequestId, result: Result<GroupStatus, Error>) {
        let asked = self.nodes.get_mut(&id).and_then(|node| node.asked.remove(&request));
        let Some((_, Some(work))) = asked else { return };
        let group = match result {
            Ok(status) => status.spec.id,
            Err(error) => {
                self.check_permitted(id, work, &error, "a group");
                return self.answer(id, work, Ready::Failed(error));
            }
        };
        let Some(caller) = self.caller(id, work) else { return };
        let object = self.next_put(id, work, &caller);
        let ready = Val { num: crate::oracle::NIL, refs: Vec::new(), is_large: false };
        self.expect_value(object, &ready);
        self.take(id, work, vec![RefId::Object(object)]);
        self.tell(id, Event::GroupReady { group, object });
        self.answer(id, work, Ready::Refs(vec![RefId::Object(object)]));
    }
}
