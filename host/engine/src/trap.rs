//! A guest that broke down, in words: what wasmtime and the guest say becomes
//! one error with a kind.

mod backtrace;

use rayw_core::{Error, ErrorKind, limits};
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::host::Exit;
use crate::limit::Denied;
use crate::state::{Guest, Panic, WASI_HANDLES_MAX};
use crate::types::ERROR_TEXT_BYTES_MAX;

/// The code of a guest that ended itself.
pub(crate) fn exit_code(error: &wasmtime::Error) -> Option<u8> {
    if let Some(Exit(code)) = error.downcast_ref() {
        return Some(*code);
    }
    // WASI knows success and failure, or any number; only a byte of it reaches a shell.
    error.downcast_ref::<I32Exit>().map(|exit| u8::try_from(exit.0 & 0xff).unwrap_or(1))
}

/// Why a call into a guest did not return.
pub(crate) fn explain(error: &wasmtime::Error, guest: &Guest) -> Error {
    let mut explained = if let Some(panic) = &guest.panic {
        panicked(panic)
    } else if let Some(code) = exit_code(error) {
        Error::new(ErrorKind::WorkerCrashed, format!("the guest exited with code {code}"))
    } else if let Some(denied) = guest.memory.denied() {
        out_of_memory(denied)
    } else if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        let message = format!(
            "the guest has more of WASI open than a sandbox keeps, {WASI_HANDLES_MAX} files, streams and waits: close \
             those that are done"
        );
        Error::new(ErrorKind::LimitExceeded, message)
    } else if error.is::<PoolConcurrencyLimitError>() {
        let message = "there is no room for another sandbox, some that end may still have theirs: try again, or run \
                       fewer tasks and actors at once";
        Error::new(ErrorKind::LimitExceeded, message).caused_by(error.root_cause())
    } else {
        crashed(error)
    };
    explained.backtrace = error.downcast_ref::<WasmBacktrace>().and_then(|trace| backtrace::text(trace.frames()));
    explained.cut_to(ERROR_TEXT_BYTES_MAX)
}

fn panicked(panic: &Panic) -> Error {
    let at = panic.location.as_ref().map(|location| format!(" at {location}")).unwrap_or_default();
    Error::new(ErrorKind::TaskPanicked, format!("task panicked{at}: {}", panic.message))
}

fn out_of_memory(denied: Denied) -> Error {
    let message = format!(
        "out of memory: the task wanted {} and may have {}; ask for more with the `memory` option",
        in_words(denied.wanted),
        in_words(denied.cap)
    );
    Error::new(ErrorKind::OutOfMemory, message)
}

/// Bytes for people, never rounded to something that hides a difference.
fn in_words(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes >= MIB {
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
        let mib = bytes as f64 / MIB as f64;
        return format!("{mib:.1} MiB");
    }
    format!("{bytes} bytes")
}

fn crashed(error: &wasmtime::Error) -> Error {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return Error::new(ErrorKind::WorkerCrashed, format!("the guest crashed: {}", words(*trap)));
    }
    if is_too_much(error) {
        let message = format!(
            "more data in one call than may cross the border of a sandbox; one value may have {} bytes: split it",
            limits::VALUE_BYTES_MAX
        );
        return Error::new(ErrorKind::LimitExceeded, message);
    }
    Error::new(ErrorKind::WorkerCrashed, format!("the guest crashed: {}", error.root_cause()))
}

/// Whether a call did not return because of how much would have come out of the guest with it.
pub(crate) fn is_too_much(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls")
}

fn words(trap: Trap) -> String {
    let known = match trap {
        Trap::StackOverflow => "stack overflow (call stack exhausted)",
        Trap::UnreachableCodeReached => "it reached an `unreachable` instruction (an abort)",
        // Rust puts its own stack first in memory, so a recursion without end usually ends below address 0.
        Trap::MemoryOutOfBounds => "out of bounds memory access, which is also how an endless recursion ends",
        Trap::IntegerDivisionByZero => "integer divide by zero",
        Trap::IntegerOverflow => "integer overflow",
        Trap::BadConversionToInteger => "a float that does not fit became an integer",
        Trap::IndirectCallToNull => "it called a null function pointer",
        Trap::BadSignature => "it called a function pointer of another type",
        Trap::CannotEnterComponent => "its sandbox cannot be entered again",
        other => {
            return other.to_string().trim_start_matches("wasm trap: ").to_owned();
        }
    };
    known.to_owned()
}
