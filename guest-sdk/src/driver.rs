//! Drivers: how a program starts, panics and ends.

use std::fmt;
use std::sync::Once;

use crate::error::Error;

/// The exit code of a driver; 0 is success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExitCode(pub u8);

impl ExitCode {
    /// All went well.
    pub const SUCCESS: Self = Self(0);
    /// Something did not.
    pub const FAILURE: Self = Self(1);
}

impl fmt::Display for ExitCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Ends the driver with this exit code. Elsewhere it ends the sandbox, which is a crash.
#[expect(clippy::disallowed_methods, reason = "ending the process is what the caller asks for")]
pub fn exit(code: u8) -> ! {
    #[cfg(target_family = "wasm")]
    crate::runtime::context::exit(code);
    std::process::exit(code.into())
}

/// What the body of a driver may return, beside a `Result` of it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a driver cannot return a `{Self}`",
    label = "return `()`, a `rayw::ExitCode`, a `std::process::ExitCode`, or a `Result` of one of these"
)]
pub trait IntoExitCode {
    fn into_exit_code(self) -> u8;
}

impl IntoExitCode for () {
    fn into_exit_code(self) -> u8 {
        0
    }
}

impl IntoExitCode for ExitCode {
    fn into_exit_code(self) -> u8 {
        self.0
    }
}

impl IntoExitCode for std::process::ExitCode {
    /// The standard library does not tell the number, but what it prints for it.
    fn into_exit_code(self) -> u8 {
        let shown = format!("{self:?}");
        (0..=u8::MAX).find(|code| format!("{:?}", Self::from(*code)) == shown).unwrap_or(1)
    }
}

/// Runs the body of a driver and ends with its exit code.
#[doc(hidden)]
pub fn run<T: IntoExitCode>(body: impl FnOnce() -> Result<T, Error>) {
    #[cfg(target_family = "wasm")]
    crate::registry::run_constructors();
    install_panic_hook();
    let code = match body() {
        Ok(value) => value.into_exit_code(),
        Err(error) => {
            report(&error);
            1
        }
    };
    if code != 0 {
        exit(code);
    }
}

/// From now on the host hears of a panic before the trap comes. What is
/// printed on stderr stays as it was.
pub(crate) fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let printing = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let message = panic.payload_as_str().unwrap_or("a panic without a message");
            let location = panic.location().map(ToString::to_string);
            crate::runtime::context::report_panic(message, location.as_deref());
            printing(panic);
        }));
    });
}

#[expect(clippy::print_stderr, reason = "the user's program says why it ends")]
fn report(error: &Error) {
    eprintln!("Error: {error}");
    if let Some(origin) = error.origin() {
        eprintln!("  in {origin}");
    }
    if let Some(backtrace) = error.backtrace() {
        for frame in backtrace.lines() {
            eprintln!("  {frame}");
        }
    }
}

/// Makes this crate a rayw component without a driver: tasks and actors for
/// others to call. `#[rayw::main]` does it by itself.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export {
    () => {
        const _: () = {
            use $crate::__private::Dispatcher;
    $crate::bindings::__rayw_export!(Dispatcher with_types_in $crate::bindings);
        };
    };
}

/// Makes this crate a rayw component without a driver: tasks and actors for
/// others to call. `#[rayw::main]` does it by itself.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export {
    () => {};
}
