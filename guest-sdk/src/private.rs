//! What the macros' expansions name. No part of the interface: it changes without notice.

pub use inventory;
pub use serde;

pub use crate::actor::{Actor, CallMode, Fallible, Infallible, actor_state};
pub use crate::argument::{Argument, Arguments};
pub use crate::driver::{IntoExitCode, run};
pub use crate::failure::{
    BoxedFailure, DisplayedFailure, Failure, OpaqueFailure, SerializableFailure, SharedFailure, StandardFailure,
    task_error,
};
#[cfg(target_family = "wasm")]
pub use crate::guest::Dispatcher;
pub use crate::options::{ActorSettings, CallSettings, TaskSettings};
pub use crate::registry::{Class, Durable, Function, Method, Parameter};
pub use crate::returns::{
    Declared, EncodeOne, EncodeSeveral, Nothing, Output, ResultLike, Returns, Several, Single, Submitted,
};
pub use crate::runtime::types::Value;

/// The rayw error that an error of the user's is.
#[doc(hidden)]
#[macro_export]
macro_rules! __to_error {
    ($error:expr) => {{
        #[allow(unused_imports, reason = "method resolution takes one of them")]
        use $crate::__private::{BoxedFailure, DisplayedFailure, SharedFailure, StandardFailure};
        (&&&&$crate::__private::Failure($error)).to_error()
    }};
}

/// The error that a task fails with whose code returned this error.
#[doc(hidden)]
#[macro_export]
macro_rules! __task_error {
    ($error:expr) => {{
        #[allow(unused_imports, reason = "method resolution takes one of them")]
        use $crate::__private::{OpaqueFailure, SerializableFailure};
        let error = $error;
        let payload = (&&$crate::__private::Failure(error)).payload();
        $crate::__private::task_error(error, $crate::__to_error!(error), payload)
    }};
}

/// The values of what a function returned.
#[doc(hidden)]
#[macro_export]
macro_rules! __encode {
    ($result:expr, $callee:expr, $num_returns:expr) => {{
        #[allow(unused_imports, reason = "method resolution takes one of them")]
        use $crate::__private::{EncodeOne, EncodeSeveral};
        (&$crate::__private::Output::new($result)).encode($callee, $num_returns)
    }};
}
