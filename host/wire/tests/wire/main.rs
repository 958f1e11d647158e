//! Endpoints that speak to each other over the loopback device. Nothing here sleeps: tests wait for what
//! they expect, with a limit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod broadcast;
mod faults;
mod forms;
mod messages;
mod objects;
mod support;
