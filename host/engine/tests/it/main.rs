//! The engine from outside: small hand-written components, and a node that only takes notes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

mod cache;
mod contract;
mod crash;
mod file;
mod line;
mod output;
mod pool;
mod socket;
mod support;
mod typed;
mod wasi;
