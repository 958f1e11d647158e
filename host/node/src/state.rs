//! What people may see of a node: its tasks and objects.

use std::future::ready;
use std::sync::Arc;

use rayw_core::view::{Answer, Filter, Query, Resource, Rows, TaskSummaryRow};
use rayw_core::{Error, ErrorKind, limits};
use rayw_proto::{BoxFuture, StateSource};

use crate::Node;

/// The state of one node.
struct NodeState(Arc<Node>);

impl Node {
    /// Who answers for this node's tasks and objects.
    #[must_use]
    pub fn state(self: &Arc<Self>) -> Arc<dyn StateSource> {
        Arc::new(NodeState(Arc::clone(self)))
    }
}

impl NodeState {
    fn rows(&self, resource: Resource) -> Result<Rows, Error> {
        match resource {
            Resource::Objects => {
                Ok(Rows::Objects(self.0.lock().ownership.object_rows(std::process::id(), &self.0.ip())))
            }
            Resource::Tasks => {
                let snapshot = self.0.lock().ownership.task_snapshot();
                Ok(Rows::Tasks(snapshot.into_rows()))
            }
            Resource::Actors | Resource::Nodes | Resource::Jobs | Resource::Leases | Resource::PlacementGroups => {
                let message = "a node knows its tasks and objects alone: ask the head, by its address";
                Err(Error::new(ErrorKind::InvalidArgument, message))
            }
        }
    }
}

impl StateSource for NodeState {
    fn list(&self, query: Query) -> BoxFuture<Result<Answer, Error>> {
        Box::pin(ready(self.rows(query.resource).and_then(|rows| Answer::of(rows, &query))))
    }

    fn get(&self, resource: Resource, id: String) -> BoxFuture<Result<Option<Rows>, Error>> {
        let key = if resource == Resource::Objects { "object_id" } else { "task_id" };
        let filter = Filter { key: key.to_owned(), negated: false, value: id };
        let query = Query { resource, filters: vec![filter], limit: limits::LIST_ROWS_MAX };
        let answer = self.rows(resource).and_then(|rows| Answer::of(rows, &query));
        Box::pin(ready(answer.map(|answer| (answer.filtered > 0).then_some(answer.rows))))
    }

    fn summary(&self) -> BoxFuture<Result<Vec<TaskSummaryRow>, Error>> {
        Box::pin(ready(Ok(self.0.lock().ownership.summary())))
    }
}
