//! Carries messages and objects between processes.
//!
//! ```text
//!           process of a node                                process of the head
//!  ┌───────────────────────────────┐                ┌───────────────────────────────┐
//!  │ HeadLink::send ─▶ queue       │                │ accept ─▶ receiver ─▶ source  │
//!  │  (RemoteHead)       └▶ sender ┼── link: gRPC ─▶│   (port)      └▶ HeadInbox    │
//!  │                               │                │                               │
//!  │ NodeInbox ◀─ receiver ◀─ port ◀── link: gRPC ──┼ sender ◀─ queue ◀─ NodeLink   │
//!  └──────┬──▲─────────────────────┘                └───────────────────────────────┘
//!         │  │ links (PeerLink) and object streams (fetch), both on the same port
//!  ┌──────▼──┴─────────────────────┐
//!  │ another node                  │
//!  └───────────────────────────────┘
//! ```
//!
//! * One port for each process: the first byte tells gRPC from an object stream (`accept`).
//! * Each direction of a link is dialled by the one who sends (`sender`), and dialled again until it is
//!   stopped. The pure machines of `link` make that messages come once and in order over any number
//!   of connections; a `queue` bounds what is not confirmed, a `source` is what came in from one sender.
//! * `ends` knows whom this process speaks for and who is gone; `health` tells when a node is lost.
//! * `object` moves values in checked chunks, from any of the nodes that have a copy.
//!
//! It refuses to understand messages: what they mean is for the inboxes ([`NodeInbox`], [`HeadInbox`]).

mod accept;
mod endpoint;
mod ends;
mod health;
mod inbox;
pub mod link;
mod object;
mod peers;
mod queue;
mod receiver;
mod route;
mod sender;
mod source;

pub use endpoint::Endpoint;
pub use inbox::{BoxFuture, HeadInbox, HealthTiming, NodeInbox, ObjectSource};
pub use object::FetchError;
pub use peers::Peers;
pub use route::RemoteHead;
