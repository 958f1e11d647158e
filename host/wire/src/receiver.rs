//! The receiving end of links: checks who greets, gives on what is new, confirms it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rayw_core::message::NodeAddress;
use rayw_core::{NodeId, limits};
use rayw_proto::wire;
use rayw_proto::wire::hello::From;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status, Streaming};

use crate::ends::{Ends, LocalHead, LocalNode, VERSION};
use crate::health;
use crate::inbox::BoxFuture;
use crate::source::{Connection, Source};

/// The service.
pub(crate) struct Receiver {
    pub(crate) ends: Arc<Ends>,
}

/// To whom a link's messages are given.
enum Sink {
    FromHead(Arc<LocalNode>),
    FromPeer(Arc<LocalNode>, NodeId),
    AtHead { head: Arc<LocalHead>, node: NodeId, address: String },
}

/// A link that was accepted.
struct Accepted {
    sink: Sink,
    source: Arc<Source>,
    connection: Connection,
    ends: Arc<Ends>,
}

#[tonic::async_trait]
impl wire::link_server::Link for Receiver {
    type DeliverStream = Pin<Box<dyn Stream<Item = Result<wire::Ack, Status>> + Send>>;

    async fn deliver(
        &self,
        request: Request<Streaming<wire::Packet>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        let mut packets = request.into_inner();
        let first = timeout(limits::LINK_CONNECT_TIMEOUT, packets.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no greeting came"))??;
        let hello =
            first.and_then(|packet| packet.hello).ok_or_else(|| Status::invalid_argument("no greeting came"))?;
        let accepted = accept(&self.ends, hello)?;
        let (acks, answers) = watch::channel(Ok(accepted.ack(accepted.connection.last)));
        self.ends.tasks.spawn_on(accepted.run(packets, acks), &self.ends.runtime);
        Ok(Response::new(Box::pin(WatchStream::new(answers))))
    }
}

/// Checks a greeting.
fn accept(ends: &Arc<Ends>, hello: wire::Hello) -> Result<Accepted, Status> {
    if hello.version != VERSION {
        return Err(Status::failed_precondition(format!(
            "versions differ: this process is rayw {VERSION}, the other one is {}; run the same version everywhere",
            hello.version
        )));
    }
    let from = hello.from.ok_or_else(|| Status::invalid_argument("the greeting does not say who greets"))?;
    match from {
        From::Node(from) if hello.to.is_empty() => at_head(ends, node_id(&from)?, hello.at),
        From::Node(from) => at_node(ends, node_id(&hello.to)?, |local| {
            let from = node_id(&from)?;
            if ends.is_gone(from) {
                return Err(Status::permission_denied(format!("node {from} was declared dead; start a new one")));
            }
            let source = local.peer_source(from);
            Ok((Sink::FromPeer(local, from), source))
        }),
        From::Head(session) => at_node(ends, node_id(&hello.to)?, |local| {
            let source = local.head_source(session).ok_or_else(|| {
                Status::unavailable("this node has not greeted that session of the head, or knows a newer one")
            })?;
            Ok((Sink::FromHead(local), source))
        }),
    }
}

fn at_node(
    ends: &Arc<Ends>,
    to: NodeId,
    source: impl FnOnce(Arc<LocalNode>) -> Result<(Sink, Arc<Source>), Status>,
) -> Result<Accepted, Status> {
    let local = ends.node().ok_or_else(|| Status::unavailable("no node is here yet"))?;
    if local.id != to {
        return Err(Status::not_found(format!("node {} is here, not node {to}", local.id)));
    }
    let (sink, source) = source(local)?;
    let connection = source.open(|| {});
    Ok(Accepted { sink, source, connection, ends: ends.clone() })
}

fn at_head(ends: &Arc<Ends>, node: NodeId, at: Option<wire::LinkAddress>) -> Result<Accepted, Status> {
    let head = ends.head().ok_or_else(|| Status::unavailable("no head is here yet"))?;
    let at = at.filter(|at| !at.address.is_empty()).ok_or_else(|| {
        Status::invalid_argument("the greeting does not say how the node is reached; start it with an address")
    })?;
    if head.inbox.is_dead(node) {
        return Err(Status::permission_denied(format!("node {node} was declared dead; start a new one")));
    }
    let address = at.address.clone();
    let at = NodeAddress { address: at.address, name: at.name, is_head_node: at.is_head_node };
    let (source, connection) = head.open(ends, node, at);
    Ok(Accepted { sink: Sink::AtHead { head, node, address }, source, connection, ends: ends.clone() })
}

fn node_id(bytes: &[u8]) -> Result<NodeId, Status> {
    bytes.try_into().map(NodeId).map_err(|_| Status::invalid_argument("a node id has 16 bytes"))
}

impl Accepted {
    fn ack(&self, last: u64) -> wire::Ack {
        let (session, heartbeat) = match &self.sink {
            Sink::AtHead { head, .. } => (head.session, head.timing.period),
            Sink::FromHead(_) | Sink::FromPeer(..) => (0, Duration::ZERO),
        };
        wire::Ack { session, last, heartbeat_ms: u32::try_from(heartbeat.as_millis()).unwrap_or(u32::MAX) }
    }

    /// Everything up to that message is safe here.
    fn confirm(&self, last: u64, acks: &watch::Sender<Result<wire::Ack, Status>>) {
        self.source.confirm(last);
        drop(acks.send_replace(Ok(self.ack(last))));
    }

    /// Takes packets until the connection ends; for a node at the head, also looks what became of it then.
    async fn run(self, packets: Streaming<wire::Packet>, acks: watch::Sender<Result<wire::Ack, Status>>) {
        let stop = self.ends.stop.clone();
        let mut heard = Instant::now();
        tokio::select! {
            () = stop.cancelled() => return,
            () = self.source.replaced(self.connection) => return,
            status = self.read(packets, &acks, &mut heard) => if let Err(status) = status {
                tracing::debug!("a link ended: {}", status.message());
                drop(acks.send_replace(Err(status)));
            },
        }
        drop(acks);
        if let Sink::AtHead { head, node, address } = &self.sink {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.source.replaced(self.connection) => {}
                why = health::verdict(address, heard + head.timing.timeout) => head.lose(*node, why),
            }
        }
    }

    /// Returns when the sender has ended the connection, or has said nothing for too long.
    async fn read(
        &self,
        mut packets: Streaming<wire::Packet>,
        acks: &watch::Sender<Result<wire::Ack, Status>>,
        heard: &mut Instant,
    ) -> Result<(), Status> {
        // What was taken and is not safe yet, in order.
        let mut settling: VecDeque<(u64, BoxFuture<bool>)> = VecDeque::new();
        // What is safe and was not confirmed yet, and since when.
        let mut unconfirmed: Option<(u64, Instant)> = None;
        loop {
            let next = async {
                let message = packets.message();
                match &self.sink {
                    Sink::AtHead { head, .. } => timeout_at(*heard + head.timing.timeout, message)
                        .await
                        .map_err(|_| Status::deadline_exceeded("the node said nothing for too long")),
                    Sink::FromHead(_) | Sink::FromPeer(..) => Ok(message.await),
                }
            };
            let packet = tokio::select! {
                packet = next => packet?,
                is_safe = first_settled(&mut settling) => {
                    if let (true, Some((last, _))) = (is_safe, settling.pop_front()) {
                        self.confirm(last, acks);
                    }
                    continue;
                }
                last = confirmation_due(unconfirmed) => {
                    unconfirmed = None;
                    self.confirm(last, acks);
                    continue;
                }
            };
            // An error of the connection is its end; what it means is seen when the sender dials again.
            let Ok(Some(packet)) = packet else { return Ok(()) };
            *heard = Instant::now();
            let is_news = !packet.payloads.is_empty();
            let last = self.source.take(self.connection, packet, |payload| self.sink.give(&payload))?;
            if is_news {
                match &self.sink {
                    Sink::AtHead { head, .. } => {
                        head.inbox.flush();
                        settling.push_back((last, head.inbox.settled()));
                    }
                    Sink::FromHead(_) | Sink::FromPeer(..) => {
                        let since = unconfirmed.map_or(*heard, |(_, since)| since);
                        unconfirmed = Some((last, since));
                    }
                }
            }
        }
    }
}

impl Sink {
    fn give(&self, payload: &Bytes) -> Result<(), postcard::Error> {
        match self {
            Self::FromHead(local) => local.inbox.from_head(postcard::from_bytes(payload)?),
            Self::FromPeer(local, from) => local.inbox.from_peer(*from, postcard::from_bytes(payload)?),
            Self::AtHead { head, .. } => head.inbox.message(postcard::from_bytes(payload)?),
        }
        Ok(())
    }
}

/// Waits until it is time to confirm what came; for ever when nothing did. Many messages are confirmed
/// together: a confirmation only lets the sender forget them.
async fn confirmation_due(unconfirmed: Option<(u64, Instant)>) -> u64 {
    match unconfirmed {
        Some((last, since)) => {
            sleep_until(since + limits::LINK_CONFIRM_AFTER).await;
            last
        }
        None => std::future::pending().await,
    }
}

/// Waits until the first of those is safe; for ever when there is none.
async fn first_settled(settling: &mut VecDeque<(u64, BoxFuture<bool>)>) -> bool {
    match settling.front_mut() {
        Some((_, settled)) => settled.await,
        None => std::future::pending().await,
    }
}
