//! The wire: messages, services and their conversion to and from core.
//!
//! ```text
//!  rayw/v1/*.proto ──build.rs──▶ wire (generated)
//!                                  │ convert/*.rs, the only place that knows both sides
//!                                  ▼
//!  StateClient ── unix socket ──▶ serve_state ──▶ StateSource (a head fills it in)
//! ```
//!
//! What is sent and taken has a size and a time limit; see [`channel`].

pub mod channel;
mod convert;
mod state;
pub mod wire;

pub use convert::ConvertError;
pub use state::{BoxFuture, StateClient, StateSource, serve_state};
