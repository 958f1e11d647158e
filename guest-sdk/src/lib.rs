//! Write Ray-like tasks and actors as WebAssembly components.
//!
//! ```
//! #[rayw::task]
//! fn square(number: u64) -> u64 {
//!     number * number
//! }
//!
//! struct Counter {
//!     value: u64,
//! }
//!
//! #[rayw::actor]
//! impl Counter {
//!     fn new(value: u64) -> Self {
//!         Counter { value }
//!     }
//!
//!     fn add(&mut self, amount: u64) -> u64 {
//!         self.value += amount;
//!         self.value
//!     }
//! }
//!
//! #[rayw::main]
//! fn main() -> rayw::Result<()> {
//!     let nine = square::remote(3);                         // ObjectRef<u64>, at once
//!     let big = square::options().num_cpus(0.5).memory("64MiB").remote(&nine);
//!     let counter = Counter::remote(1)?;                    // CounterHandle
//!     let ten = counter.add(nine);                          // a reference in place of a value
//!     assert_eq!((big.get()?, ten.get()?), (81, 10));
//!
//!     let squares = rayw::get_all((0..4).map(square::remote))?;
//!     assert_eq!(squares, [0, 1, 4, 9]);
//!     Ok(())
//! }
//! ```
//!
//! * [`task`](macro@task) makes a function a task: `f::remote(…)` runs it elsewhere, `f(…)` stays a call.
//! * [`actor`](macro@actor) makes a type an actor: an instance that keeps its state between calls.
//! * [`main`](macro@main) makes `fn main` a driver, and the crate a component; a crate without a
//!   driver says [`export!()`](export) once.
//! * [`ObjectRef`] stands for a value that exists somewhere, or will. [`put`], [`get_all`], [`wait`]
//!   and [`cancel`] work on it.
//! * [`PlacementGroup`] reserves resources for several tasks and actors together.
//! * [`Error`] is what went wrong, sorted by [`ErrorKind`].
//! * [`context()`] tells where the code runs.
//!
//! # Options
//!
//! The builders `f::options()`, `Class::options()` and `handle.options()` are made by the macros, for each
//! function and class. All that they know is listed with [`task`](macro@task), and for actors and their calls with
//! [`actor`](macro@actor). A builder never fails: what is wrong with an option is said by `remote(…)?` of an
//! actor, and of a task or a call by `get`, or at once by `try_remote(…)` and `try_call()`.
//!
//! # On a cluster, and without
//!
//! Compiled for `wasm32-wasip2` the crate is one component that holds driver,
//! tasks and actors, and `rayw run` runs it. Compiled for the machine itself,
//! the same code runs in a small local mode within the process: tasks and
//! actors on threads, values truly encoded and decoded. So `cargo test` needs
//! neither Wasm nor a cluster. In local mode there are no sandboxes: `memory` and
//! resources are not enforced, labels are not looked at, a placement group is created at once
//! whatever it asks for, `max_calls` means nothing, and a task that is
//! cancelled or over its time ends only when it next asks rayw for something. All of it is one job with
//! one namespace, and a detached actor needs a name there.
//!
//! # What travels
//!
//! Everything that is `Serialize` and `DeserializeOwned` of serde, as MessagePack
//! with named fields; and [`Bytes`], as they are. References, actor handles and
//! placement groups may stand anywhere in such a value. A `Vec<u8>` is encoded number by number: take
//! [`Bytes`] for more than a few.

// A map of the rooms. Named as in `wit/`: task, actor, object, group, context. Around them:
// argument, returns, value, failure (what travels), options, registry (what is in the
// component), driver (how it starts and ends), guest (what it exports), local (the host
// in one process).
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod actor;
mod argument;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
mod bytes;
mod contents;
mod context;
mod driver;
mod dropped;
mod error;
mod failure;
mod group;
#[cfg(target_family = "wasm")]
mod guest;
#[cfg(not(target_family = "wasm"))]
mod local;
mod object;
mod options;
mod registry;
mod returns;
mod task;
mod value;

// The host, as the rest of this crate knows it: the generated imports of the
// contract, or the local mode, which has the same modules, types and functions.
#[cfg(target_family = "wasm")]
use bindings::rayw::core as runtime;
#[cfg(not(target_family = "wasm"))]
use local as runtime;

pub use actor::exit_actor;
pub use argument::IntoArg;
pub use bytes::Bytes;
pub use context::{Context, context, is_cancelled};
pub use driver::{ExitCode, exit};
pub use error::{Error, ErrorKind, Result};
pub use group::{
    Bundle, BundleTable, PlacementGroup, PlacementGroupOptions, PlacementGroupState, PlacementGroupTable, Strategy,
    current_placement_group,
};
pub use object::{
    CancelOptions, ObjectRef, WaitOptions, cancel, cancel_with, get, get_all, get_all_timeout, put, put_bytes, wait,
    wait_with,
};
pub use options::MemorySize;
pub use rayw_macros::{actor, main, task};
pub use returns::MultiReturn;
