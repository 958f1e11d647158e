//! Placement groups for guests: asking the head, and what waits for its answers.

use std::sync::Arc;

use rayw_core::message::ToHead;
use rayw_core::ownership::Event;
use rayw_core::{Error, GroupCreator, GroupId, GroupOptions, GroupSpec, GroupStatus, Labels, ObjectId, check_name};
use rayw_engine::{Answer, Caller, GroupServices};

use crate::services::NodeServices;

impl GroupServices for NodeServices {
    fn create_group(&self, caller: Arc<Caller>, options: GroupOptions) -> Answer<'_, GroupId> {
        Box::pin(async move {
            let id = GroupId::from(Self::next_child(&caller));
            let creator =
                GroupCreator { job: caller.job, task: caller.submitter, namespace: Arc::clone(&caller.namespace) };
            let spec: Arc<GroupSpec> = Arc::new(options.settle(id, creator)?);
            let owner = self.node.id;
            let status = self.node.ask::<GroupStatus>(|request| ToHead::GroupCreate { owner, request, spec }).await?;
            Ok(status.spec.id)
        })
    }

    fn group_ready(&self, caller: &Caller, group: GroupId) -> Result<ObjectId, Error> {
        self.node.take_in(&caller.backlog);
        self.node.lock().ownership.admit_ready(group)?;
        let object = Self::next_put(caller);
        self.node.handle(Event::GroupReady { group, object });
        Ok(object)
    }

    fn remove_group(&self, group: GroupId) {
        self.node.wait_for_head();
        self.node.head.send(ToHead::GroupRemove { group });
        self.node.head.flush();
    }

    fn named_group(&self, caller: Arc<Caller>, name: String, namespace: Option<String>) -> Answer<'_, GroupId> {
        Box::pin(async move {
            check_name("a placement group", &name)?;
            check_name("a namespace", namespace.as_deref().unwrap_or_default())?;
            let owner = self.node.id;
            let namespace = namespace.unwrap_or_else(|| caller.namespace.to_string());
            let question = |request| ToHead::GroupLookup { owner, request, name, namespace };
            let found = self.node.ask::<GroupStatus>(question).await?;
            Ok(found.spec.id)
        })
    }

    fn group_status(&self, group: GroupId) -> Answer<'_, GroupStatus> {
        let owner = self.node.id;
        Box::pin(self.node.ask(move |request| ToHead::GroupDescribe { owner, request, group }))
    }

    fn node_labels(&self) -> &Labels {
        &self.node.labels
    }
}
