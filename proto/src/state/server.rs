//! The server: converts, asks the source, converts.

use std::sync::Arc;

use rayw_core::view::Query;
use rayw_core::{Error, ErrorKind, limits};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::StateSource;
use crate::convert::{ConvertError, resource};
use crate::wire::state_server::{State, StateServer};
use crate::{channel, wire};

/// Answers questions about the state until `shutdown` is ready; open answers are finished first.
///
/// Whoever can connect to the socket may ask: keep it in a directory of the user's own.
///
/// # Errors
/// `System` when the socket cannot be served any longer.
pub async fn serve_state(
    listener: UnixListener,
    source: Arc<dyn StateSource>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    Server::builder()
        .timeout(channel::STATE_SERVE_TIMEOUT)
        .concurrency_limit_per_connection(channel::STATE_REQUESTS_PER_CONNECTION_MAX)
        .add_service(service(source))
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), shutdown)
        .await
        .map_err(|error| {
            Error::new(ErrorKind::System, "failed to serve the state").caused_by(channel::innermost(&error))
        })
}

/// The service for whoever has a server already.
pub(crate) fn service(source: Arc<dyn StateSource>) -> StateServer<Service> {
    StateServer::new(Service { source })
        .max_decoding_message_size(channel::STATE_REQUEST_BYTES_MAX)
        .max_encoding_message_size(channel::STATE_ANSWER_BYTES_MAX)
}

pub(crate) struct Service {
    source: Arc<dyn StateSource>,
}

impl Service {
    async fn list_impl(&self, request: wire::ListRequest) -> Result<wire::Answer, Error> {
        let query: Query = request.query.ok_or(ConvertError::Missing("ListRequest.query"))?.try_into()?;
        if query.limit > limits::LIST_ROWS_MAX {
            let max = limits::LIST_ROWS_MAX;
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("the limit is {}: one answer has at most {max} rows; use a filter to see others", query.limit),
            ));
        }
        self.source.list(query).await.map(Into::into)
    }

    async fn get_impl(&self, request: wire::GetRequest) -> Result<wire::Found, Error> {
        let wire::GetRequest { resource: number, id } = request;
        let rows = self.source.get(resource(number, "GetRequest.resource")?, id).await?;
        Ok(wire::Found { rows: rows.map(Into::into) })
    }

    async fn summary_impl(&self) -> Result<wire::TaskSummary, Error> {
        self.source.summary().await.map(Into::into)
    }
}

#[tonic::async_trait]
impl State for Service {
    async fn list(&self, request: Request<wire::ListRequest>) -> Result<Response<wire::ListResponse>, Status> {
        use wire::list_response::Result as Outcome;
        let outcome = self.list_impl(request.into_inner()).await;
        let result = outcome.map_or_else(|error| Outcome::Error(error.into()), Outcome::Answer);
        Ok(Response::new(wire::ListResponse { result: Some(result) }))
    }

    async fn get(&self, request: Request<wire::GetRequest>) -> Result<Response<wire::GetResponse>, Status> {
        use wire::get_response::Result as Outcome;
        let outcome = self.get_impl(request.into_inner()).await;
        let result = outcome.map_or_else(|error| Outcome::Error(error.into()), Outcome::Found);
        Ok(Response::new(wire::GetResponse { result: Some(result) }))
    }

    async fn summary(&self, _: Request<wire::SummaryRequest>) -> Result<Response<wire::SummaryResponse>, Status> {
        use wire::summary_response::Result as Outcome;
        let outcome = self.summary_impl().await;
        let result = outcome.map_or_else(|error| Outcome::Error(error.into()), Outcome::Tasks);
        Ok(Response::new(wire::SummaryResponse { result: Some(result) }))
    }

    async fn status(&self, _: Request<wire::StatusRequest>) -> Result<Response<wire::StatusResponse>, Status> {
        use wire::status_response::Result as Outcome;
        let outcome = self.source.status().await;
        let result = outcome.map_or_else(|error| Outcome::Error(error.into()), |status| Outcome::Status(status.into()));
        Ok(Response::new(wire::StatusResponse { result: Some(result) }))
    }
}
