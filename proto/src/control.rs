//! The control service: who is asked, how it is served, how it is called.

mod client;
mod server;

use std::pin::Pin;

use bytes::Bytes;
use rayw_core::control::{DrainRequest, EndRequest, JobSubmission, Submitted};
use rayw_core::message::LogLine;
use rayw_core::view::JobRow;
use rayw_core::{ComponentDigest, Error};
use tokio_stream::Stream;

use crate::BoxFuture;
pub use client::ControlClient;
pub(crate) use server::service;

/// Lines of a job's log as they come.
pub type LogStream = Pin<Box<dyn Stream<Item = Result<Vec<LogLine>, Error>> + Send>>;

/// Who runs jobs, drains nodes, and ends actors and groups.
pub trait ControlSource: Send + Sync + 'static {
    /// Whether a component or working directory is here.
    fn has_blob(&self, digest: ComponentDigest) -> BoxFuture<Result<bool, Error>>;

    /// Takes a component or working directory in; fails when its bytes have another digest.
    fn put_blob(&self, digest: ComponentDigest, bytes: Bytes) -> BoxFuture<Result<(), Error>>;

    /// A component or working directory; fails when it is not here.
    fn get_blob(&self, digest: ComponentDigest) -> BoxFuture<Result<Bytes, Error>>;

    /// Runs a job; fails when its name is taken, its component is not here or an option is wrong.
    fn submit(&self, submission: JobSubmission) -> BoxFuture<Result<Submitted, Error>>;

    /// A job by its id or the name that it was submitted under; `None` when there is none.
    fn job(&self, id: String) -> BoxFuture<Result<Option<JobRow>, Error>>;

    /// Stops a job. Answers whether it was not over yet; fails when there is none.
    fn stop_job(&self, id: String) -> BoxFuture<Result<bool, Error>>;

    /// Forgets a job and its logs; fails when it is not over.
    fn delete_job(&self, id: String) -> BoxFuture<Result<(), Error>>;

    /// What a job printed, and with `follow` what it prints until its end.
    fn job_logs(&self, id: String, follow: bool) -> BoxFuture<Result<LogStream, Error>>;

    /// Has a node leave when it has no work any more, at the latest at its deadline.
    fn drain(&self, request: DrainRequest) -> BoxFuture<Result<(), Error>>;

    /// Has an actor end, or a placement group go. Answers with its id; fails when none that lives, or several, are
    /// called so.
    fn end(&self, request: EndRequest) -> BoxFuture<Result<String, Error>>;
}
