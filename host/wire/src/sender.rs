//! The sending end of a link: dials, greets, sends what waits, and dials again until it is stopped.
//!
//! ```text
//!  ┌▶ dial ─▶ Hello ─▶ welcome ─▶ packets out, confirmations in ─▶ lost ─┐
//!  └──────────────── pause: 10 ms, doubled up to 500 ms ◀────────────────┘
//!  refused for good, or too much unconfirmed ─▶ Route::ended, once
//! ```

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rayw_core::limits;
use rayw_proto::wire;
use rayw_proto::wire::link_client::LinkClient;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

use crate::queue::Queue;

/// Where a link leads, and what its ends mean there.
pub(crate) trait Route: Send + Sync + 'static {
    /// The other end, for people.
    fn name(&self) -> String;

    /// `host:port` of the other end.
    fn address(&self) -> &str;

    /// The greeting; none while this process does not know who it is.
    fn hello(&self) -> Option<wire::Hello>;

    /// The other end has answered. Comes before anything is sent.
    fn welcomed(&self, session: u64, queue: &Queue);

    /// A connection that stood is lost; another one is dialled.
    fn lost(&self, _why: &str) {}

    /// The link is broken for good, and this end broke it: more waited than may. What waited is lost.
    fn overflowed(&self, _why: &str) {}

    /// The link is broken for good.
    fn ended(&self, why: &str);
}

/// How a connection ended.
enum End {
    /// It can be tried again.
    Lost { why: String, welcomed: bool },
    /// It cannot.
    Broken(String),
}

impl End {
    fn before_welcome(why: impl ToString) -> Self {
        Self::Lost { why: why.to_string(), welcomed: false }
    }

    /// What the other end says: some refusals will not change.
    fn refused(status: &Status, welcomed: bool) -> Self {
        let why = status.message().to_owned();
        match status.code() {
            Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::DataLoss
            | Code::OutOfRange
            | Code::InvalidArgument => Self::Broken(why),
            _ => Self::Lost { why, welcomed },
        }
    }
}

/// Sends until `stop`, or until the link is broken for good.
pub(crate) async fn run(route: Arc<dyn Route>, queue: Arc<Queue>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        why = run_impl(&*route, &queue) => {
            if queue.broken().is_some() {
                route.overflowed(&why);
            }
            queue.break_for_good(why.clone());
            tracing::error!(address = route.address(), "the link to {} is broken for good: {why}", route.name());
            route.ended(&why);
        }
    }
}

/// Returns why the link is broken for good.
async fn run_impl(route: &dyn Route, queue: &Queue) -> String {
    let mut pause = limits::LINK_RETRY_MIN;
    loop {
        if let Some(why) = queue.broken() {
            return why;
        }
        match converse(route, queue).await {
            End::Broken(why) => return why,
            End::Lost { why, welcomed } => {
                if welcomed {
                    pause = limits::LINK_RETRY_MIN;
                    route.lost(&why);
                }
                tracing::debug!(address = route.address(), "lost {}: {why}; dialling again in {pause:?}", route.name());
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(limits::LINK_RETRY_MAX);
    }
}

/// One connection, from dialling to its end.
async fn converse(route: &dyn Route, queue: &Queue) -> End {
    let Some(hello) = route.hello() else {
        return End::before_welcome("this process serves no node yet");
    };
    let greeting = async {
        let channel = dial(route.address()).await.map_err(End::before_welcome)?;
        greet(channel, hello).await
    };
    let (packets, mut acks, welcome) = match timeout(limits::LINK_CONNECT_TIMEOUT * 2, greeting).await {
        Ok(Ok(parts)) => parts,
        Ok(Err(end)) => return end,
        Err(_) => return End::before_welcome("no answer to the greeting in time"),
    };
    route.welcomed(welcome.session, queue);
    if let Err(mismatch) = queue.reconnected(welcome.last) {
        return End::Broken(mismatch.to_string());
    }
    exchange(queue, &packets, &mut acks, &welcome).await
}

/// Packets out and confirmations in, until one of both ends.
async fn exchange(
    queue: &Queue,
    packets: &mpsc::Sender<wire::Packet>,
    acks: &mut Streaming<wire::Ack>,
    welcome: &wire::Ack,
) -> End {
    let lost = |why: &str| End::Lost { why: why.to_owned(), welcomed: true };
    let mut heartbeat = (welcome.heartbeat_ms > 0).then(|| {
        let mut ticks = interval(Duration::from_millis(welcome.heartbeat_ms.into()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    loop {
        if let Some(why) = queue.broken() {
            return End::Broken(why);
        }
        tokio::select! {
            ack = acks.message() => match ack {
                Ok(Some(ack)) if ack.session != welcome.session => return lost("the other end was started again"),
                Ok(Some(ack)) => if let Err(mismatch) = queue.confirmed(ack.last) {
                    return End::Broken(mismatch.to_string());
                },
                Ok(None) => return lost("the other end closed the connection"),
                Err(status) => return End::refused(&status, true),
            },
            // The place in the channel comes first: what is taken from the queue is surely sent.
            place = packets.reserve(), if queue.has_unsent() => match place {
                Ok(place) => place.send(queue.packet()),
                Err(_) => return lost("the connection ended"),
            },
            () = queue.woken() => {}
            () = next(&mut heartbeat) => {
                // A full channel means that packets are under way already.
                let _ = packets.try_send(wire::Packet::default());
            }
        }
    }
}

async fn next(heartbeat: &mut Option<tokio::time::Interval>) {
    match heartbeat {
        Some(ticks) => drop(ticks.tick().await),
        None => pending().await,
    }
}

async fn dial(address: &str) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    let endpoint = endpoint
        .connect_timeout(limits::LINK_CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(limits::LINK_KEEPALIVE)
        .keep_alive_timeout(limits::LINK_KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(|error| error.to_string())
}

type Greeted = (mpsc::Sender<wire::Packet>, Streaming<wire::Ack>, wire::Ack);

async fn greet(channel: Channel, hello: wire::Hello) -> Result<Greeted, End> {
    let (packets, queued) = mpsc::channel(limits::LINK_PACKETS_QUEUED);
    let first = wire::Packet { hello: Some(hello), first: 0, payloads: Vec::new() };
    packets.try_send(first).map_err(End::before_welcome)?;
    let mut client = LinkClient::new(channel).max_encoding_message_size(usize::MAX);
    let answer = client.deliver(ReceiverStream::new(queued)).await.map_err(|status| End::refused(&status, false))?;
    let mut acks = answer.into_inner();
    match acks.message().await {
        Ok(Some(welcome)) => Ok((packets, acks, welcome)),
        Ok(None) => Err(End::before_welcome("the other end closed the connection")),
        Err(status) => Err(End::refused(&status, false)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A route to nobody, which writes down how it ended.
    #[derive(Default)]
    struct Nowhere {
        ended: Mutex<Vec<String>>,
        overflowed: Mutex<Vec<String>>,
    }

    impl Route for Nowhere {
        fn name(&self) -> String {
            "nobody".to_owned()
        }
        fn address(&self) -> &str {
            "127.0.0.1:1"
        }
        fn hello(&self) -> Option<wire::Hello> {
            None
        }
        fn welcomed(&self, _: u64, _: &Queue) {}
        fn overflowed(&self, why: &str) {
            self.overflowed.lock().unwrap().push(why.to_owned());
        }
        fn ended(&self, why: &str) {
            self.ended.lock().unwrap().push(why.to_owned());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn too_much_unconfirmed_breaks_a_link_once() {
        let (route, queue) = (Arc::new(Nowhere::default()), Arc::new(Queue::with_limit(8)));
        queue.push(&"1234567");
        assert_eq!(queue.broken(), None);
        queue.push(&"8");
        run(route.clone(), queue.clone(), CancellationToken::new()).await;
        queue.push(&"9");
        assert!(!queue.has_unsent());
        let ended = route.ended.lock().unwrap();
        assert!(ended.len() == 1 && ended[0].contains("not confirmed"), "{ended:?}");
        assert_eq!(*route.overflowed.lock().unwrap(), *ended);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopped_link_ends_in_silence() {
        let (route, stop) = (Arc::new(Nowhere::default()), CancellationToken::new());
        stop.cancel();
        run(route.clone(), Arc::default(), stop).await;
        assert!(route.ended.lock().unwrap().is_empty());
    }
}
