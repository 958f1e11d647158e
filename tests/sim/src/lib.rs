//! A seeded simulation of a cluster.
//!
//! ```text
//!  guest: programs ──▶ act, work, life: a node around ──▶ Ownership ──┐
//!     │                                                               ├─▶ network: packets ─▶ …
//!  oracle: what must come of them     head: Scheduler, its journal ◀──┘
//!     └──────────────▶ check ◀── after each event
//! ```
//!
//! Head and owners are the very machines of `rayw-core`, links those of
//! `rayw-wire`. Everything else is made small here: nodes, their stores,
//! their guests, time, and what befalls them. A seed settles all of it, so a run
//! can be had again.

mod act;
mod check;
mod command;
mod deliver;
mod fetch;
pub mod guest;
mod head;
mod life;
pub mod network;
pub mod node;
pub mod oracle;
mod question;
pub mod random;
pub mod scenario;
mod wait;
mod work;
mod world;

pub use scenario::Scenario;
pub use world::{Report, World};

/// Runs the scenario of a seed.
#[must_use]
pub fn simulate(seed: u64) -> Report {
    World::new(Scenario::of(seed), false, false).run()
}
