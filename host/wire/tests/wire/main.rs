//! Endpoints that speak to each other over the loopback device. Nothing here sleeps: tests wait for what
//! they expect, with a limit.

mod faults;
mod messages;
mod objects;
mod support;
