//! The server: converts, asks the source, converts.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rayw_core::{Error, ErrorKind, limits};
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, Streaming};

use super::ControlSource;
use crate::convert::digest_of;
use crate::wire::control_server::{Control, ControlServer};
use crate::{channel, wire};

pub(crate) fn service(source: Arc<dyn ControlSource>) -> ControlServer<Service> {
    ControlServer::new(Service { source })
        .max_decoding_message_size(channel::CONTROL_BYTES_MAX)
        .max_encoding_message_size(channel::CONTROL_BYTES_MAX)
}

pub(crate) struct Service {
    source: Arc<dyn ControlSource>,
}

type Pieces<T> = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

fn done(result: Result<(), Error>) -> Response<wire::Done> {
    Response::new(wire::Done { error: result.err().map(Into::into) })
}

impl Service {
    async fn take_blob(&self, mut pieces: Streaming<wire::BlobPiece>) -> Result<(), Error> {
        let broken = |status: Status| {
            Error::new(ErrorKind::System, "the upload broke off: try again").caused_by(status.message())
        };
        let mut digest = None;
        let mut bytes = BytesMut::new();
        while let Some(piece) = pieces.message().await.map_err(broken)? {
            if digest.is_none() {
                digest = Some(digest_of(&piece.digest, "BlobPiece.digest")?);
            }
            if bytes.len() + piece.data.len() > limits::BLOB_BYTES_MAX {
                let max = limits::BLOB_BYTES_MAX;
                let message =
                    format!("what is uploaded has more than {max} bytes: leave out what the job does not need");
                return Err(Error::new(ErrorKind::LimitExceeded, message));
            }
            bytes.extend_from_slice(&piece.data);
        }
        let digest = digest.ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "an upload had no pieces"))?;
        self.source.put_blob(digest, bytes.freeze()).await
    }
}

#[tonic::async_trait]
impl Control for Service {
    type GetBlobStream = Pieces<wire::BlobPiece>;
    type JobLogsStream = Pieces<wire::LogLines>;

    async fn has_blob(
        &self,
        request: Request<wire::HasBlobRequest>,
    ) -> Result<Response<wire::HasBlobResponse>, Status> {
        let digest = digest_of(&request.into_inner().digest, "HasBlobRequest.digest");
        let digest = digest.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let has = self.source.has_blob(digest).await.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(wire::HasBlobResponse { has }))
    }

    async fn put_blob(&self, request: Request<Streaming<wire::BlobPiece>>) -> Result<Response<wire::Done>, Status> {
        Ok(done(self.take_blob(request.into_inner()).await))
    }

    async fn get_blob(&self, request: Request<wire::GetBlobRequest>) -> Result<Response<Self::GetBlobStream>, Status> {
        let digest = digest_of(&request.into_inner().digest, "GetBlobRequest.digest");
        let digest = digest.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let pieces: Self::GetBlobStream = match self.source.get_blob(digest).await {
            Ok(bytes) => Box::pin(tokio_stream::iter(pieces_of(&bytes)).map(Ok)),
            Err(error) => {
                let refusal = wire::BlobPiece { error: Some(error.into()), ..wire::BlobPiece::default() };
                Box::pin(tokio_stream::once(Ok(refusal)))
            }
        };
        Ok(Response::new(pieces))
    }

    async fn submit_job(
        &self,
        request: Request<wire::SubmitJobRequest>,
    ) -> Result<Response<wire::SubmitJobResponse>, Status> {
        let result = match request.into_inner().try_into() {
            Ok(submission) => self.source.submit(submission).await,
            Err(error) => Err(crate::ConvertError::into(error)),
        };
        Ok(Response::new(match result {
            Ok(submitted) => wire::SubmitJobResponse {
                job_id: submitted.job.to_string(),
                submission_id: submitted.submission_id,
                error: None,
            },
            Err(error) => wire::SubmitJobResponse { error: Some(error.into()), ..wire::SubmitJobResponse::default() },
        }))
    }

    async fn get_job(&self, request: Request<wire::JobRequest>) -> Result<Response<wire::JobResponse>, Status> {
        Ok(Response::new(match self.source.job(request.into_inner().id).await {
            Ok(job) => wire::JobResponse { job: job.map(Into::into), error: None },
            Err(error) => wire::JobResponse { job: None, error: Some(error.into()) },
        }))
    }

    async fn stop_job(&self, request: Request<wire::JobRequest>) -> Result<Response<wire::StopJobResponse>, Status> {
        Ok(Response::new(match self.source.stop_job(request.into_inner().id).await {
            Ok(stopped) => wire::StopJobResponse { stopped, error: None },
            Err(error) => wire::StopJobResponse { stopped: false, error: Some(error.into()) },
        }))
    }

    async fn delete_job(&self, request: Request<wire::JobRequest>) -> Result<Response<wire::Done>, Status> {
        Ok(done(self.source.delete_job(request.into_inner().id).await))
    }

    async fn job_logs(&self, request: Request<wire::JobLogsRequest>) -> Result<Response<Self::JobLogsStream>, Status> {
        let wire::JobLogsRequest { id, follow } = request.into_inner();
        let refused = |error: Error| wire::LogLines { lines: Vec::new(), error: Some(error.into()) };
        let lines: Self::JobLogsStream = match self.source.job_logs(id, follow).await {
            Ok(lines) => Box::pin(lines.map(move |lines| {
                Ok(match lines {
                    Ok(lines) => wire::LogLines { lines: lines.into_iter().map(Into::into).collect(), error: None },
                    Err(error) => refused(error),
                })
            })),
            Err(error) => Box::pin(tokio_stream::once(Ok(refused(error)))),
        };
        Ok(Response::new(lines))
    }

    async fn drain(&self, request: Request<wire::DrainRequest>) -> Result<Response<wire::Done>, Status> {
        let request = request.into_inner().try_into();
        Ok(done(match request {
            Ok(request) => self.source.drain(request).await,
            Err(error) => Err(crate::ConvertError::into(error)),
        }))
    }

    async fn end(&self, request: Request<wire::EndRequest>) -> Result<Response<wire::EndResponse>, Status> {
        let ended = match request.into_inner().try_into() {
            Ok(request) => self.source.end(request).await,
            Err(error) => Err(crate::ConvertError::into(error)),
        };
        Ok(Response::new(match ended {
            Ok(id) => wire::EndResponse { id, error: None },
            Err(error) => wire::EndResponse { id: String::new(), error: Some(error.into()) },
        }))
    }
}

fn pieces_of(bytes: &Bytes) -> Vec<wire::BlobPiece> {
    let starts = (0..bytes.len().max(1)).step_by(channel::BLOB_PIECE_BYTES);
    let pieces = starts.map(|start| wire::BlobPiece {
        data: bytes.slice(start..bytes.len().min(start + channel::BLOB_PIECE_BYTES)),
        ..wire::BlobPiece::default()
    });
    pieces.collect()
}
