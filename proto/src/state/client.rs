//! The client: asks with a deadline, takes answers up to a size.

use std::path::Path;
use std::time::Duration;

use rayw_core::control::ClusterStatus;
use rayw_core::view::{Answer, Query, Resource, Rows, TaskSummary};
use rayw_core::{Error, ErrorKind};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use crate::convert::ConvertError;
use crate::wire::state_client::StateClient as Generated;
use crate::{channel, wire};

/// Asks the state service behind a unix socket. Clones share one connection.
#[derive(Debug, Clone)]
pub struct StateClient {
    inner: Generated<Channel>,
    timeout: Duration,
}

impl StateClient {
    /// Connects to the socket `path`.
    ///
    /// # Errors
    /// `System` when nobody listens there.
    pub async fn connect(path: &Path) -> Result<Self, Error> {
        Ok(Self::over(channel::connect_unix(path).await?))
    }

    /// Connects to the process of a cluster at `host:port`.
    ///
    /// # Errors
    /// `System` when nobody listens there.
    pub async fn connect_tcp(address: &str) -> Result<Self, Error> {
        Ok(Self::over(channel::connect_tcp(address).await?))
    }

    fn over(channel: Channel) -> Self {
        let inner = Generated::new(channel)
            .max_decoding_message_size(channel::STATE_ANSWER_BYTES_MAX)
            .max_encoding_message_size(channel::STATE_REQUEST_BYTES_MAX);
        Self { inner, timeout: channel::STATE_TIMEOUT_DEFAULT }
    }

    /// The same client, which waits that long for an answer.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The rows that pass the filters, up to the limit.
    ///
    /// # Errors
    /// What the other side says, or `System` when it says nothing (in time).
    pub async fn list(&self, query: Query) -> Result<Answer, Error> {
        use wire::list_response::Result as Outcome;
        let mut inner = self.inner.clone();
        let request = wire::ListRequest { query: Some(query.into()) };
        let response = self.in_time(inner.list(request)).await?;
        match response.result.ok_or(ConvertError::Missing("ListResponse.result"))? {
            Outcome::Answer(answer) => Ok(answer.try_into()?),
            Outcome::Error(error) => Err(error.into()),
        }
    }

    /// All rows about the thing of that id; `None` when there is no such thing.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn get(&self, resource: Resource, id: String) -> Result<Option<Rows>, Error> {
        use wire::get_response::Result as Outcome;
        let mut inner = self.inner.clone();
        let request = wire::GetRequest { resource: wire::Resource::from(resource).into(), id };
        let response = self.in_time(inner.get(request)).await?;
        match response.result.ok_or(ConvertError::Missing("GetResponse.result"))? {
            Outcome::Found(found) => Ok(found.rows.map(Rows::try_from).transpose()?),
            Outcome::Error(error) => Err(error.into()),
        }
    }

    /// Tasks counted by function and state.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn summary(&self) -> Result<TaskSummary, Error> {
        use wire::summary_response::Result as Outcome;
        let mut inner = self.inner.clone();
        let response = self.in_time(inner.summary(wire::SummaryRequest {})).await?;
        match response.result.ok_or(ConvertError::Missing("SummaryResponse.result"))? {
            Outcome::Tasks(tasks) => Ok(tasks.into()),
            Outcome::Error(error) => Err(error.into()),
        }
    }

    /// Nodes with what they use, and what waits with its reason.
    ///
    /// # Errors
    /// As [`list`](Self::list); nodes other than the head refuse.
    pub async fn status(&self) -> Result<ClusterStatus, Error> {
        use wire::status_response::Result as Outcome;
        let mut inner = self.inner.clone();
        let response = self.in_time(inner.status(wire::StatusRequest {})).await?;
        match response.result.ok_or(ConvertError::Missing("StatusResponse.result"))? {
            Outcome::Status(status) => Ok(status.into()),
            Outcome::Error(error) => Err(error.into()),
        }
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Error> {
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(refusal(&status)),
            Err(_) => Err(Error::new(
                ErrorKind::System,
                format!("no answer within {:?}: give it more time with `--timeout`", self.timeout),
            )),
        }
    }
}

/// The words for a status: the service itself could not be used.
fn refusal(status: &Status) -> Error {
    let error = |message: &str| Error::new(ErrorKind::System, message).caused_by(status.message());
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => {
            error("the answer is too large: ask for less with `--limit` or `--filter`")
        }
        Code::Unavailable | Code::Cancelled => error("the connection broke: the session may have ended"),
        Code::Unimplemented => error("the other side does not know this question: it is another version of rayw"),
        code => error("failed to ask for the state").caused_by(code.description()),
    }
}
