//! The pure half of a link: what was sent is kept until it is confirmed, and taken once, in order.
//!
//! ```text
//!  push ─▶ Outbound [4 5 6 7]  ──batch(first, payloads)──▶  Inbound(last 3) ─▶ 4 5 6 7
//!              ▲      confirmed(3)  ◀────────── last ──────────┘
//!              └ reconnected(last): what is confirmed goes, the rest is sent again
//! ```
//!
//! There is no IO and no clock here. Whatever a channel does to batches and
//! confirmations, losing, doubling and swapping them, what comes out of an
//! [`Inbound`] is what went into its [`Outbound`]; a gap is refused, and the
//! caller answers it by connecting again.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

/// Messages on their way out, numbered from 1.
#[derive(Debug)]
pub struct Outbound<T> {
    /// The number of the first message in `kept`.
    first: u64,
    /// What is not confirmed, with its size.
    kept: VecDeque<(T, usize)>,
    /// How many of `kept` the present connection was given.
    sent: usize,
    /// The number of the last message that any connection was given.
    sent_last: u64,
    /// The sizes in `kept`.
    bytes: usize,
}

/// Messages to be sent together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T> {
    /// The number of the first one.
    pub first: u64,
    /// The messages.
    pub payloads: Vec<T>,
}

/// The receiver confirms what was never sent, or has forgotten what it confirmed: it is not the one
/// that this link was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receiver has messages up to {confirmed}, but should have {from} to {to}: it is not the one it was")]
pub struct Mismatch {
    confirmed: u64,
    from: u64,
    to: u64,
}

impl<T> Default for Outbound<T> {
    fn default() -> Self {
        Self { first: 1, kept: VecDeque::new(), sent: 0, sent_last: 0, bytes: 0 }
    }
}

impl<T: Clone> Outbound<T> {
    /// Takes a message behind the others.
    pub fn push(&mut self, payload: T, bytes: usize) {
        self.bytes += bytes;
        self.kept.push_back((payload, bytes));
    }

    /// What is not confirmed, in order.
    pub fn into_unconfirmed(self) -> Vec<T> {
        self.kept.into_iter().map(|(payload, _)| payload).collect()
    }

    /// Bytes that are not confirmed.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is something that the present connection was not given.
    pub fn has_unsent(&self) -> bool {
        self.sent < self.kept.len()
    }

    /// The next messages for the present connection: at least one where there is one, and no more than
    /// `bytes_max` allow.
    pub fn batch(&mut self, bytes_max: usize) -> Option<Batch<T>> {
        let first = self.first + self.sent as u64;
        let mut bytes = 0;
        let mut payloads = Vec::new();
        for (payload, size) in self.kept.range(self.sent..) {
            bytes += size;
            if bytes > bytes_max && !payloads.is_empty() {
                break;
            }
            payloads.push(payload.clone());
        }
        self.sent += payloads.len();
        self.sent_last = self.sent_last.max(self.first - 1 + self.sent as u64);
        (!payloads.is_empty()).then_some(Batch { first, payloads })
    }

    /// The receiver has everything up to `last`. That may be more than the present connection was given: what it took
    /// from a former one can become safe meanwhile, and is not sent again then.
    pub fn confirmed(&mut self, last: u64) -> Result<(), Mismatch> {
        if last > self.sent_last {
            return Err(self.mismatch(last));
        }
        self.let_go(last);
        Ok(())
    }

    /// A new connection to a receiver that has everything up to `last`: the rest is sent again.
    pub fn reconnected(&mut self, last: u64) -> Result<(), Mismatch> {
        if last < self.first - 1 || last > self.sent_last {
            return Err(self.mismatch(last));
        }
        self.sent = 0;
        self.let_go(last);
        Ok(())
    }

    fn mismatch(&self, confirmed: u64) -> Mismatch {
        Mismatch { confirmed, from: self.first - 1, to: self.sent_last }
    }

    /// Drops what is confirmed. An old confirmation, overtaken by a newer one, changes nothing.
    fn let_go(&mut self, last: u64) {
        while self.first <= last {
            let Some((_, bytes)) = self.kept.pop_front() else { return };
            self.first += 1;
            self.bytes -= bytes;
            self.sent = self.sent.saturating_sub(1);
        }
    }
}

/// What has come in. What was taken is confirmed when its receiver will not need it again: a head needs it
/// until what it changed is in the journal, and a connection that comes in between confirms no more.
#[derive(Debug, Default)]
pub struct Inbound {
    last: u64,
    confirmed: u64,
}

/// Messages are missing before these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message {found} came where {expected} was next; the sender is to connect again")]
pub struct Gap {
    expected: u64,
    found: u64,
}

impl Inbound {
    /// The number of the last message that was taken.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The number of the last message that is confirmed.
    pub fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Everything up to that message, which was taken, is confirmed from now on.
    pub fn confirm(&mut self, last: u64) {
        self.confirmed = self.confirmed.max(last.min(self.last));
    }

    /// Takes messages numbered from `first` on. Says how many of them, from the start, were taken before.
    pub fn take(&mut self, first: u64, count: usize) -> Result<usize, Gap> {
        let expected = self.last + 1;
        if first == 0 || first > expected {
            return Err(Gap { expected, found: first });
        }
        let known = usize::try_from(expected - first).unwrap_or(usize::MAX).min(count);
        self.last += (count - known) as u64;
        Ok(known)
    }
}
