//! The port: tells gRPC connections from object streams by their first byte, and gives them on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rayw_core::limits;
use rayw_proto::wire::link_server::LinkServer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::ends::Ends;
use crate::object;
use crate::receiver::Receiver;

/// Accepts until the endpoint stops; then open calls have a short while to end.
pub(crate) async fn run(ends: &Arc<Ends>, listener: std::net::TcpListener, routes: Routes) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("failed to accept connections: {error}");
            return;
        }
    };
    let (calls, queued) = mpsc::channel(limits::LINK_PACKETS_QUEUED);
    let link = LinkServer::new(Receiver { ends: ends.clone() }).max_decoding_message_size(limits::LINK_BYTES_MAX);
    let routes = routes.add_service(link);
    let server = Server::builder()
        .http2_keepalive_interval(Some(limits::LINK_KEEPALIVE))
        .http2_keepalive_timeout(Some(limits::LINK_KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(u32::try_from(limits::LINK_BATCH_BYTES * 4).ok())
        .initial_connection_window_size(u32::try_from(limits::LINK_BATCH_BYTES * 8).ok())
        .add_routes(routes);
    let stop = ends.stop.clone().cancelled_owned();
    let serving = server.serve_with_incoming_shutdown(ReceiverStream::new(queued), stop);
    let accepting = async {
        tokio::select! {
            () = ends.stop.cancelled() => {}
            () = accept(ends, &listener, &calls) => {}
        }
        drop(listener);
    };
    let served = async {
        let grace = async {
            ends.stop.cancelled().await;
            sleep(limits::SHUTDOWN_GRACE).await;
        };
        tokio::select! {
            () = grace => tracing::warn!("calls were still open at the end and are cut"),
            result = serving => if let Err(error) = result {
                tracing::error!("failed to serve calls: {error}");
            },
        }
    };
    tokio::join!(accepting, served);
}

async fn accept(ends: &Arc<Ends>, listener: &TcpListener, calls: &mpsc::Sender<io::Result<Call>>) {
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    let serving = Arc::new(object::Serving::default());
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // No more open files, most likely: some are closed soon.
                tracing::warn!("failed to accept a connection: {error}");
                sleep(limits::LINK_RETRY_MAX).await;
                continue;
            }
        };
        let (ends, calls, serving) = (ends.clone(), calls.clone(), serving.clone());
        let stop = ends.stop.clone();
        ends.tasks.clone().spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sort(&ends, stream, place, &calls, &serving) => {}
            }
        });
    }
}

/// Gives a connection to whom it is meant for.
async fn sort(
    ends: &Ends,
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    calls: &mpsc::Sender<io::Result<Call>>,
    serving: &Arc<object::Serving>,
) {
    // Without it a confirmation could wait for the next packet. Where it cannot be set, it only waits.
    let _ = stream.set_nodelay(true);
    let mut first = [0_u8; 1];
    match timeout(limits::LINK_CONNECT_TIMEOUT, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == object::MAGIC[0] => object::serve(ends, stream, serving).await,
        // The service has ended when this fails, and the connection with it.
        Ok(Ok(1)) => drop(calls.send(Ok(Call { stream, _place: place })).await),
        // Somebody only looked whether the port is open.
        _ => {}
    }
}

/// A gRPC connection and its place among those allowed.
struct Call {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl Connected for Call {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Call {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Call {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
