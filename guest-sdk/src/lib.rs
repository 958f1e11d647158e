//! Write Ray-like tasks and actors as WebAssembly components.

mod actor;
mod argument;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
mod bytes;
mod context;
mod driver;
mod error;
mod failure;
#[cfg(target_family = "wasm")]
mod guest;
#[cfg(not(target_family = "wasm"))]
mod local;
mod object;
mod options;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
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
pub use object::{
    CancelOptions, ObjectRef, cancel, cancel_with, get, get_all, get_all_timeout, put, put_bytes, wait,
};
pub use options::MemorySize;
pub use rayw_macros::{actor, main, task};
pub use returns::MultiReturn;
