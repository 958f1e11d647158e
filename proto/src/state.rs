//! The state service: who is asked, how it is served, how it is called.

mod client;
mod server;

use std::pin::Pin;

use rayw_core::control::ClusterStatus;
use rayw_core::view::{Answer, Query, Resource, Rows, TaskSummary};
use rayw_core::{Error, ErrorKind};

pub use client::StateClient;
pub use server::serve_state;
pub(crate) use server::service;

/// A future that somebody else will poll.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// Who knows the state. Filters and limits are applied here, not on the way.
pub trait StateSource: Send + Sync + 'static {
    /// The rows that pass the filters, up to the limit.
    fn list(&self, query: Query) -> BoxFuture<Result<Answer, Error>>;

    /// All rows about the thing of that id; `None` when there is no such thing.
    fn get(&self, resource: Resource, id: String) -> BoxFuture<Result<Option<Rows>, Error>>;

    /// Tasks counted by function and state.
    fn summary(&self) -> BoxFuture<Result<TaskSummary, Error>>;

    /// Nodes with what they use, and what waits with its reason. Only a head knows.
    fn status(&self) -> BoxFuture<Result<ClusterStatus, Error>> {
        let message = "a node does not know the cluster's status: ask the head, by its address";
        Box::pin(std::future::ready(Err(Error::new(ErrorKind::InvalidArgument, message))))
    }
}

#[cfg(test)]
mod tests;
