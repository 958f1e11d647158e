//! Messages that wait for the network: what one link has not confirmed, with a limit on its bytes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rayw_core::limits;
use rayw_proto::wire;
use serde::Serialize;
use tokio::sync::Notify;

use crate::link::{Mismatch, Outbound};

/// One link's messages. Filled under any lock, emptied by the link's sender.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Notify,
    /// Messages were confirmed.
    confirmed: Notify,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    outbound: Outbound<Bytes>,
    /// Why nothing is sent any more.
    broken: Option<String>,
}

impl Default for Queue {
    fn default() -> Self {
        Self::with_limit(limits::LINK_BYTES_MAX)
    }
}

impl Queue {
    /// A queue that breaks when more than this is unconfirmed.
    pub(crate) fn with_limit(bytes_max: usize) -> Self {
        Self { state: Mutex::default(), wake: Notify::new(), confirmed: Notify::new(), bytes_max }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message. It is encoded here, so that what waits can be counted in bytes.
    pub(crate) fn push(&self, message: &impl Serialize) {
        match postcard::to_stdvec(message) {
            Ok(bytes) => self.push_bytes(bytes.into()),
            Err(error) => self.break_for_good(format!("a message could not be encoded: {error}")),
        }
    }

    fn push_bytes(&self, payload: Bytes) {
        let mut state = self.state();
        if state.broken.is_some() {
            return;
        }
        let bytes = payload.len();
        let waiting = state.outbound.bytes() + bytes;
        if waiting > self.bytes_max {
            let max = self.bytes_max;
            state.broken = Some(format!("{waiting} bytes are not confirmed, and at most {max} may wait"));
            state.outbound = Outbound::default();
        } else {
            state.outbound.push(payload, bytes);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Drops everything and takes nothing any more.
    pub(crate) fn break_for_good(&self, why: String) {
        let mut state = self.state();
        state.outbound = Outbound::default();
        state.broken.get_or_insert(why);
        drop(state);
        self.wake.notify_one();
        self.confirmed.notify_waiters();
    }

    /// Bytes of messages that are not confirmed.
    pub(crate) fn unconfirmed_bytes(&self) -> usize {
        self.state().outbound.bytes()
    }

    /// Why nothing is sent any more.
    pub(crate) fn broken(&self) -> Option<String> {
        self.state().broken.clone()
    }

    /// Drops what waits and counts from 1 again.
    pub(crate) fn discard(&self) {
        drop(self.take_unconfirmed());
    }

    /// Takes out all that is not confirmed and counts from 1 again.
    pub(crate) fn take_unconfirmed(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.state().outbound).into_unconfirmed()
    }

    /// Something was put in.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(crate) fn has_unsent(&self) -> bool {
        self.state().outbound.has_unsent()
    }

    /// The next packet for the present connection; one without messages when there are none.
    pub(crate) fn packet(&self) -> wire::Packet {
        match self.state().outbound.batch(limits::LINK_BATCH_BYTES) {
            Some(batch) => wire::Packet { hello: None, first: batch.first, payloads: batch.payloads },
            None => wire::Packet::default(),
        }
    }

    pub(crate) fn confirmed(&self, last: u64) -> Result<(), Mismatch> {
        let result = self.state().outbound.confirmed(last);
        self.confirmed.notify_waiters();
        result
    }

    /// Waits until everything is confirmed that was put in, or will never be.
    pub(crate) async fn all_confirmed(&self) {
        loop {
            let mut confirmed = std::pin::pin!(self.confirmed.notified());
            confirmed.as_mut().enable();
            if self.state().outbound.bytes() == 0 {
                return;
            }
            confirmed.await;
        }
    }

    pub(crate) fn reconnected(&self, last: u64) -> Result<(), Mismatch> {
        self.state().outbound.reconnected(last)
    }
}
