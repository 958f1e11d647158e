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
mod control;
mod convert;
mod state;
pub mod wire;

pub use control::{ControlClient, ControlSource, LogStream};
pub use convert::ConvertError;
pub use state::{BoxFuture, StateClient, StateSource, serve_state};

use std::sync::Arc;

/// What one TCP port of a process serves: its state, and at the head what people ask of a cluster.
#[must_use]
pub fn routes(state: Arc<dyn StateSource>, control: Option<Arc<dyn ControlSource>>) -> tonic::service::Routes {
    let routes = tonic::service::Routes::new(state::service(state));
    match control {
        Some(control) => routes.add_service(control::service(control)),
        None => routes,
    }
}
