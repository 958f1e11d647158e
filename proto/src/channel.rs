//! How servers and clients meet: unix sockets, sizes and times, all limits of the wire in one place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rayw_core::{Error, ErrorKind};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

/// Bytes of one request to the state service: a query with many long filters needs a few KiB.
pub const STATE_REQUEST_BYTES_MAX: usize = 1 << 20;

/// Bytes of one answer of the state service: the 10 000 rows that one answer may have, at 6 KiB each.
pub const STATE_ANSWER_BYTES_MAX: usize = 64 << 20;

/// How long a client waits for an answer unless told otherwise; Ray's `--timeout`.
pub const STATE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long a server works on one request at most, so that a forgotten one does not delay its end.
pub const STATE_SERVE_TIMEOUT: Duration = Duration::from_secs(80);

/// Requests that one connection may have open: a person has one, a script a few.
pub const STATE_REQUESTS_PER_CONNECTION_MAX: usize = 16;

/// How long connecting may take: the other end is on this machine.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A channel to the server that listens at the unix socket `path`.
///
/// # Errors
/// `System` when nobody listens there.
pub async fn connect_unix(path: &Path) -> Result<Channel, Error> {
    let fail = |cause: String| {
        Error::new(ErrorKind::System, format!("failed to reach rayw at `{}`", path.display())).caused_by(cause)
    };
    // The address is never looked up: the connector below ignores it.
    let endpoint = Endpoint::from_static("http://localhost").connect_timeout(CONNECT_TIMEOUT);
    let socket: PathBuf = path.to_owned();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector(connector).await.map_err(|error| fail(innermost(&error)))
}

/// Bytes of one piece of a component on its way to or from the head: far below gRPC's own limit.
pub const BLOB_PIECE_BYTES: usize = 1 << 20;

/// Bytes of one message of the control service: a submission with long arguments, a batch of lines.
pub const CONTROL_BYTES_MAX: usize = 64 << 20;

/// A channel to the process of a cluster that listens at `host:port`.
///
/// # Errors
/// `System` when nobody listens there.
pub async fn connect_tcp(address: &str) -> Result<Channel, Error> {
    let fail = |cause: String| {
        let message = format!("failed to reach a rayw cluster at `{address}`; `rayw start --head` starts one");
        Error::new(ErrorKind::System, message).caused_by(cause)
    };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| fail(innermost(&error)))?;
    endpoint.connect_timeout(CONNECT_TIMEOUT).connect().await.map_err(|error| fail(innermost(&error)))
}

/// The words of the last error in a chain: gRPC wraps what the system said in several layers.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
