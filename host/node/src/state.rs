//! What people may see of a node: its tasks and objects.

use std::sync::Arc;

use rayw_core::view::{Answer, Query, Resource, Rows, TaskSummary};
use rayw_core::{Error, ErrorKind};
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
    /// Looks on a thread of its own: there may be millions of rows, and heartbeats come from the caller's.
    fn aside<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<Result<T, Error>> {
        let state = Self(Arc::clone(&self.0));
        let looking = self.0.control.spawn_blocking(move || look(&state));
        Box::pin(async move {
            looking.await.unwrap_or_else(|error| {
                Err(Error::new(ErrorKind::System, "the look at a node's state broke down").caused_by(error))
            })
        })
    }

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
        self.aside(move |state| state.rows(query.resource).and_then(|rows| Answer::of(rows, &query)))
    }

    fn get(&self, resource: Resource, id: String) -> BoxFuture<Result<Option<Rows>, Error>> {
        self.aside(move |state| {
            let rows = state.rows(resource)?.called(&id);
            Ok((!rows.is_empty()).then_some(rows))
        })
    }

    fn summary(&self) -> BoxFuture<Result<TaskSummary, Error>> {
        self.aside(|state| Ok(TaskSummary { rows: state.0.lock().ownership.summary(), unheard: 0 }))
    }
}
