//! The state service: who is asked, how it is served, how it is called.

mod client;
mod server;

use std::pin::Pin;

use rayw_core::Error;
use rayw_core::view::{Answer, Query, Resource, Rows, TaskSummaryRow};

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
    fn summary(&self) -> BoxFuture<Result<Vec<TaskSummaryRow>, Error>>;
}

#[cfg(test)]
mod tests;
