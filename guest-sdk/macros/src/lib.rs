//! The attribute macros of the rayw guest SDK.
//!
//! ```text
//! task.rs  actor.rs  driver.rs   one file per attribute
//! options.rs                     what stands in an attribute's parentheses
//! signature.rs                   parameters and results, and which cannot travel
//! ```
//!
//! Everything they expand to names the SDK by `::rayw::…`. What cannot be
//! built is said at the user's own code, with what to write instead.

mod actor;
mod driver;
mod options;
mod signature;
mod task;

use proc_macro::TokenStream;

/// Makes a function a task: it stays a plain function, and `f::remote(…)` runs it elsewhere.
///
/// ```ignore
/// #[rayw::task(num_cpus = 2, memory = "64MiB")]
/// fn square(number: u64) -> u64 { number * number }
///
/// let result = square::remote(7);                          // ObjectRef<u64>
/// let named = square::options().name("small").remote(2);
/// ```
///
/// * `f::remote(args…)` answers at once with an `ObjectRef` of the result. Each argument is a
///   value, or an `ObjectRef` of one. If the submission itself is refused, `get` on the reference
///   says why; `f::try_remote(args…)` says it at once.
/// * `f::options()` gives one task options of its own.
/// * A function that returns a `Result` gives references to the `Ok` value; its error becomes a
///   `rayw::Error` of kind `TaskError`, and its type needs to implement `Display`. Whether it is a
///   `Result` is told by the name: write `Result<…>` and no alias of another name.
///
/// In the parentheses go the function's defaults: `name`, `num_cpus`, `memory`, `resources(gpu = 1.0)`,
/// `num_returns`, `max_retries`, `retry_exceptions`, `max_calls`, `timeout = "5s"`, `spread`,
/// `labels(zone = "in(a,b)")`.
/// With `num_returns = N` a function that returns a tuple or a `Vec` makes N objects, and `remote`
/// answers with a tuple or a `Vec` of references; with `num_returns = 0` it answers with nothing.
#[proc_macro_attribute]
pub fn task(attribute: TokenStream, item: TokenStream) -> TokenStream {
    answer(task::expand(attribute.into(), item.into()))
}

/// Makes the type of an `impl` an actor: an instance that keeps its state between calls.
///
/// ```ignore
/// struct Counter { value: i64 }
///
/// #[rayw::actor]
/// impl Counter {
///     fn new(value: i64) -> Self { Counter { value } }
///     fn add(&mut self, amount: i64) -> i64 { self.value += amount; self.value }
/// }
///
/// let counter = Counter::remote(10)?;            // CounterHandle
/// assert_eq!(counter.add(1).get()?, 11);
/// ```
///
/// * `Counter::remote(args…)` makes an actor with the arguments of `new`, which answers with `Self`
///   or a `Result` of it; without `new`, the type's `Default` makes it. `Counter::options()` gives
///   one actor options of its own, `Counter::get_actor("name")` finds one by its name.
/// * Each method with `&self` or `&mut self` becomes a method of `CounterHandle` that answers at
///   once with an `ObjectRef`. Associated functions, and methods under `#[rayw(skip)]`, are left alone.
/// * `handle.options()` gives one call options of its own; `handle.try_call()` lets a refused call say
///   so at once; `handle.kill()`, `handle.kill_and_restart()` and `handle.terminate()` end the actor.
///
/// In the parentheses go the class's defaults: `num_cpus`, `memory`, `resources(gpu = 1.0)`,
/// `max_restarts`, `max_task_retries`, `max_pending_calls`, `allow_out_of_order_execution`, `spread`,
/// `labels(zone = "in(a,b)")`, and `durable`: the state, which must be `Serialize` and `DeserializeOwned`,
/// is written down while nobody calls the actor, and the sandbox is given back.
/// A method's defaults go into `#[rayw(…)]` above it: `name`, `num_returns`, `max_task_retries`,
/// `retry_exceptions`, `timeout = "5s"`.
#[proc_macro_attribute]
pub fn actor(attribute: TokenStream, item: TokenStream) -> TokenStream {
    answer(actor::expand(attribute.into(), item.into()))
}

/// Makes `fn main` a driver, and the crate a rayw component.
///
/// It may return `()`, a `rayw::ExitCode`, a `std::process::ExitCode`, or a `Result` of one of
/// these. An error is printed on stderr with its causes, and the exit code is 1.
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, item: TokenStream) -> TokenStream {
    answer(driver::expand(attribute.into(), item.into()))
}

fn answer(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded.unwrap_or_else(|error| error.into_compile_error()).into()
}
