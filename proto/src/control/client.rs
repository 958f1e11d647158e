//! The client: connects, asks, puts pieces together.

use bytes::{Bytes, BytesMut};
use rayw_core::control::{DrainRequest, EndRequest, JobSubmission, Submitted};
use rayw_core::view::JobRow;
use rayw_core::{ComponentDigest, Error, ErrorKind, limits};
use tokio_stream::StreamExt as _;
use tonic::Status;
use tonic::transport::Channel;

use super::LogStream;
use crate::convert::{ConvertError, log_line_of};
use crate::wire::control_client::ControlClient as Generated;
use crate::{channel, wire};

/// Asks the head of a cluster. Clones share one connection.
#[derive(Debug, Clone)]
pub struct ControlClient {
    inner: Generated<Channel>,
}

fn unreachable(status: &Status) -> Error {
    Error::new(ErrorKind::System, "the head did not answer; is it still there? `rayw list nodes` asks it too")
        .caused_by(status.message())
}

fn said(error: Option<wire::Error>) -> Result<(), Error> {
    error.map_or(Ok(()), |error| Err(error.into()))
}

impl ControlClient {
    /// Connects to the head at `host:port`.
    ///
    /// # Errors
    /// `System` when nobody listens there.
    pub async fn connect(address: &str) -> Result<Self, Error> {
        let inner = Generated::new(channel::connect_tcp(address).await?)
            .max_decoding_message_size(channel::CONTROL_BYTES_MAX)
            .max_encoding_message_size(channel::CONTROL_BYTES_MAX);
        Ok(Self { inner })
    }

    /// Whether the head has a component or working directory.
    ///
    /// # Errors
    /// `System` when the head does not answer.
    pub async fn has_blob(&self, digest: ComponentDigest) -> Result<bool, Error> {
        let request = wire::HasBlobRequest { digest: digest.0.to_vec() };
        let answer = self.inner.clone().has_blob(request).await.map_err(|status| unreachable(&status))?;
        Ok(answer.into_inner().has)
    }

    /// Uploads a component or working directory.
    ///
    /// # Errors
    /// What the head says: too large, no room; `System` when it does not answer.
    pub async fn put_blob(&self, digest: ComponentDigest, bytes: Bytes) -> Result<(), Error> {
        let starts = (0..bytes.len().max(1)).step_by(channel::BLOB_PIECE_BYTES);
        let pieces: Vec<wire::BlobPiece> = starts
            .map(|start| wire::BlobPiece {
                digest: if start == 0 { digest.0.to_vec().into() } else { Bytes::new() },
                data: bytes.slice(start..bytes.len().min(start + channel::BLOB_PIECE_BYTES)),
                error: None,
            })
            .collect();
        let answer = self.inner.clone().put_blob(tokio_stream::iter(pieces)).await;
        said(answer.map_err(|status| unreachable(&status))?.into_inner().error)
    }

    /// Downloads a component or working directory; its digest is checked.
    ///
    /// # Errors
    /// What the head says, or `System` when what came is not what was asked for.
    pub async fn get_blob(&self, digest: ComponentDigest) -> Result<Bytes, Error> {
        let request = wire::GetBlobRequest { digest: digest.0.to_vec() };
        let answer = self.inner.clone().get_blob(request).await.map_err(|status| unreachable(&status))?;
        let mut pieces = answer.into_inner();
        let mut bytes = BytesMut::new();
        while let Some(piece) = pieces.message().await.map_err(|status| unreachable(&status))? {
            said(piece.error)?;
            if bytes.len() + piece.data.len() > limits::BLOB_BYTES_MAX {
                return Err(Error::new(ErrorKind::System, format!("`{digest}` is larger than the head may keep")));
            }
            bytes.extend_from_slice(&piece.data);
        }
        let bytes = bytes.freeze();
        if ComponentDigest::of(&bytes) != digest {
            return Err(Error::new(
                ErrorKind::System,
                format!("what came for `{digest}` has another digest: try again"),
            ));
        }
        Ok(bytes)
    }

    /// Runs a job.
    ///
    /// # Errors
    /// What the head says: the name is taken, the component is not there, an option is wrong.
    pub async fn submit(&self, submission: JobSubmission) -> Result<Submitted, Error> {
        let request = wire::SubmitJobRequest::from(submission);
        let answer = self.inner.clone().submit_job(request).await.map_err(|status| unreachable(&status))?;
        let wire::SubmitJobResponse { job_id, submission_id, error } = answer.into_inner();
        said(error)?;
        let job = job_id.parse().map_err(|_| ConvertError::Missing("SubmitJobResponse.job_id"))?;
        Ok(Submitted { job, submission_id })
    }

    /// A job by its id or the name that it was submitted under.
    ///
    /// # Errors
    /// `System` when the head does not answer.
    pub async fn job(&self, id: &str) -> Result<Option<JobRow>, Error> {
        let request = wire::JobRequest { id: id.to_owned() };
        let answer = self.inner.clone().get_job(request).await.map_err(|status| unreachable(&status))?.into_inner();
        said(answer.error)?;
        Ok(answer.job.map(Into::into))
    }

    /// Stops a job. Answers whether it was not over yet.
    ///
    /// # Errors
    /// When there is no such job.
    pub async fn stop_job(&self, id: &str) -> Result<bool, Error> {
        let request = wire::JobRequest { id: id.to_owned() };
        let answer = self.inner.clone().stop_job(request).await.map_err(|status| unreachable(&status))?.into_inner();
        said(answer.error)?;
        Ok(answer.stopped)
    }

    /// Forgets a job that is over, and its logs.
    ///
    /// # Errors
    /// When there is no such job, or it is not over.
    pub async fn delete_job(&self, id: &str) -> Result<(), Error> {
        let request = wire::JobRequest { id: id.to_owned() };
        let answer = self.inner.clone().delete_job(request).await.map_err(|status| unreachable(&status))?;
        said(answer.into_inner().error)
    }

    /// What a job printed, and with `follow` what it prints until its end.
    ///
    /// # Errors
    /// When there is no such job.
    pub async fn job_logs(&self, id: &str, follow: bool) -> Result<LogStream, Error> {
        let request = wire::JobLogsRequest { id: id.to_owned(), follow };
        let answer = self.inner.clone().job_logs(request).await.map_err(|status| unreachable(&status))?;
        Ok(Box::pin(answer.into_inner().map(|lines| {
            let wire::LogLines { lines, error } = lines.map_err(|status| unreachable(&status))?;
            said(error)?;
            Ok(lines.into_iter().map(log_line_of).collect())
        })))
    }

    /// Has a node leave when it has no work any more.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such node, or several, when it is the head's, and when it is busy
    /// and was to be drained as an idle one.
    pub async fn drain(&self, request: DrainRequest) -> Result<(), Error> {
        let answer =
            self.inner.clone().drain(wire::DrainRequest::from(request)).await.map_err(|status| unreachable(&status))?;
        said(answer.into_inner().error)
    }

    /// Has an actor end, or a placement group go. Answers with its id.
    ///
    /// # Errors
    /// `InvalidArgument` when none that lives, or several, are called so.
    pub async fn end(&self, request: EndRequest) -> Result<String, Error> {
        let request = wire::EndRequest::from(request);
        let answer = self.inner.clone().end(request).await.map_err(|status| unreachable(&status))?.into_inner();
        said(answer.error)?;
        Ok(answer.id)
    }
}
