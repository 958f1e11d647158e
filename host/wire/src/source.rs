//! What one sender has given us, over all its connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rayw_proto::wire;
use tokio::sync::Notify;
use tonic::Status;

use crate::link::Inbound;

/// One sender. Its newest connection is the only one that counts: an older one, perhaps still half
/// alive, delivers nothing any more.
#[derive(Debug, Default)]
pub(crate) struct Source {
    state: Mutex<State>,
    /// Told apart from the state so that it can be set by whoever the messages are given to.
    closed: AtomicBool,
    reopened: Notify,
}

#[derive(Debug, Default)]
struct State {
    inbound: Inbound,
    connection: u64,
}

/// One of a sender's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connection {
    number: u64,
    /// The last message that was confirmed before it. What came after that and is not safe yet is sent
    /// again: should the head be lost now, its sender must still have it.
    pub(crate) last: u64,
}

impl Source {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection takes the place of the former one. `greet` runs before the first message of the
    /// first connection can be delivered.
    pub(crate) fn open(&self, greet: impl FnOnce()) -> Connection {
        let mut state = self.state();
        if state.connection == 0 {
            greet();
        }
        state.connection += 1;
        let connection = Connection { number: state.connection, last: state.inbound.confirmed() };
        drop(state);
        self.reopened.notify_waiters();
        connection
    }

    /// Gives on what is new in a packet and says what the last message is now.
    pub(crate) fn take(
        &self,
        connection: Connection,
        packet: wire::Packet,
        mut each: impl FnMut(Bytes) -> Result<(), postcard::Error>,
    ) -> Result<u64, Status> {
        // The lock is held while messages are given on: two connections must not overtake each other.
        let mut state = self.state();
        if state.connection != connection.number {
            return Err(Status::aborted("another connection of the same sender took the place of this one"));
        }
        if packet.payloads.is_empty() {
            return Ok(state.inbound.last());
        }
        let known =
            state.inbound.take(packet.first, packet.payloads.len()).map_err(|gap| Status::aborted(gap.to_string()))?;
        for payload in packet.payloads.into_iter().skip(known) {
            if self.is_closed() {
                return Err(Status::permission_denied("the sender was declared dead"));
            }
            each(payload).map_err(|error| Status::data_loss(format!("a message could not be decoded: {error}")))?;
        }
        Ok(state.inbound.last())
    }

    /// Everything up to that message is safe here, and is about to be confirmed.
    pub(crate) fn confirm(&self, last: u64) {
        self.state().inbound.confirm(last);
    }

    /// Nothing of this sender is delivered from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether no newer connection has come.
    pub(crate) fn is_current(&self, connection: Connection) -> bool {
        self.state().connection == connection.number
    }

    /// A newer connection than this one has come.
    pub(crate) async fn replaced(&self, connection: Connection) {
        let mut reopened = std::pin::pin!(self.reopened.notified());
        reopened.as_mut().enable();
        if self.is_current(connection) {
            reopened.await;
        }
    }
}
