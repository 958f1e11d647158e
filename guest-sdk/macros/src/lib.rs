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
/// # Options
///
/// In the parentheses go the function's defaults. `f::options()` goes before them for one task and ends with
/// `.remote(args…)` or `.try_remote(args…)`; resources and labels that it names take the place of all of the
/// function's. Ray's names are the same where no other is given.
///
/// | `f::options()` | in the parentheses | default | what it says |
/// |---|---|---|---|
/// | `.name("n")` | `name = "n"` | the function's | the name in lists and logs |
/// | `.num_cpus(0.5)` | `num_cpus = 0.5` | 1 | logical cpus, in steps of 0.0001 |
/// | `.memory("64MiB")` | `memory = "64MiB"` | nothing reserved, 2 GiB at most | what is reserved on the node, and the most that the sandbox may have; text or bytes |
/// | `.resource("slot", 1)` | `resources(slot = 1)` | none | an amount of a custom resource, in steps of 0.0001 |
/// | `.num_returns(3)` | `num_returns = 3` | 1 | objects that are made of a `Vec` or a tuple, see below |
/// | `.max_retries(3)` | `max_retries = 3` | 3 | further attempts after the sandbox broke down or the node died; -1 for no end |
/// | `.retry_exceptions(true)` | `retry_exceptions = true` | false | errors and panics of its own code use these attempts too |
/// | `.retry_only::<E>()` | | | only errors of the type `E` do; several calls name several types. Ray: `retry_exceptions=[E]` |
/// | `.max_calls(0)` | `max_calls = 0` | 1 | tasks that one sandbox may run, one after another; 0 for no end, as is Ray's default |
/// | `.timeout(duration)` | `timeout = "5s"` | none | how long one attempt may run. Not in Ray |
/// | `.default_strategy()` | | it is | wherever rayw finds best, in no placement group that captures. Ray: `"DEFAULT"` |
/// | `.spread()` | `spread` | | evenly over the nodes. Ray: `"SPREAD"` |
/// | `.node_affinity(id, soft)` | | | on that node; with `soft` elsewhere if it is gone or too small for ever. Ray: `NodeAffinitySchedulingStrategy` |
/// | `.label("zone", "in(a,b)")` | `labels(zone = "in(a,b)")` | none | a label that the node must have: `v`, `!v`, `in(a,b)` or `!in(a,b)`. Ray: `label_selector` |
/// | `.placement_group(&group)` | | the submitter's, if that captures | within what the group has reserved. Ray: `PlacementGroupSchedulingStrategy` |
/// | `.bundle(0)` | | any with room | which bundle of the group |
/// | `.capture_child_tasks(true)` | | false | what it submits runs in the group, too |
///
/// With `num_returns = N` a function that returns a tuple (of two to eight) or a `Vec` makes N objects, and `remote`
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
///   one actor options of its own, `Counter::get_actor("name")` finds one by its name in the job's own
///   namespace, `Counter::get_actor_in("name", "namespace")` in another.
/// * Each method with `&self` or `&mut self` becomes a method of `CounterHandle` that answers at
///   once with an `ObjectRef`. Associated functions, and methods under `#[rayw(skip)]`, are left alone.
/// * `handle.options()` gives one call options of its own; `handle.try_call()` lets a refused call say
///   so at once; `handle.kill()`, `handle.kill_and_restart()` and `handle.terminate()` end the actor.
///
/// The actor ends when its last handle is dropped, and with its job, unless it is `detached`.
///
/// # Options of an actor
///
/// In the parentheses go the class's defaults. `Class::options()` goes before them for one actor and ends with
/// `.remote(args…)?`; resources and labels that it names take the place of all of the class's. Ray's names are the same
/// where no other is given.
///
/// | `Class::options()` | in the parentheses | default | what it says |
/// |---|---|---|---|
/// | `.name("n")` | | none | the name under which it can be found, one of its kind in its namespace |
/// | `.namespace("ns")` | | the job's | the namespace of the name |
/// | `.get_if_exists(true)` | | false | takes the actor that has the name, if there is one, whatever the arguments |
/// | `.detached()` | | not so | it outlives its handles and its job, until it is killed. Ray: `lifetime="detached"` |
/// | `.num_cpus(1)` | `num_cpus = 1` | 1 to be placed (0 with `resource`), 0 to run | logical cpus for its whole life |
/// | `.memory("64MiB")` | `memory = "64MiB"` | nothing reserved, 2 GiB at most | what is reserved on the node, and the most that the sandbox may have; text or bytes |
/// | `.resource("slot", 1)` | `resources(slot = 1)` | none | an amount of a custom resource, for its whole life |
/// | `.max_restarts(3)` | `max_restarts = 3` | 0 | how often it is made anew after it crashed or its node died; -1 for no end |
/// | `.max_task_retries(3)` | `max_task_retries = 3` | 0 | further attempts of a call under which it crashed; -1 for no end |
/// | `.max_pending_calls(100)` | `max_pending_calls = 100` | -1, no limit | calls that may wait or run; others are refused |
/// | `.allow_out_of_order_execution(true)` | `allow_out_of_order_execution = true` | false | calls begin when their arguments are there |
/// | | `durable` | not so | the state, which must be `Serialize` and `DeserializeOwned`, is written down while nobody calls the actor, and the sandbox is given back. Not in Ray |
///
/// Where it runs is said as for `#[rayw::task]`: `.default_strategy()`, `.spread()` (or `spread`),
/// `.node_affinity(id, soft)`, `.label(key, selector)` (or `labels(key = "selector")`), `.placement_group(&group)`,
/// `.bundle(0)`, `.capture_child_tasks(true)`.
///
/// # Options of a call
///
/// A method's defaults go into `#[rayw(…)]` above it. `handle.options()` goes before them for one call and ends with
/// the method.
///
/// | `handle.options()` | `#[rayw(…)]` | default | what it says |
/// |---|---|---|---|
/// | `.name("n")` | `name = "n"` | `Class.method` | the name in lists and logs |
/// | `.num_returns(3)` | `num_returns = 3` | 1 | objects that are made of a `Vec` or a tuple; with 0 in `#[rayw(…)]` the result is dropped |
/// | `.max_task_retries(3)` | `max_task_retries = 3` | the actor's | further attempts if the actor crashes under it; -1 for no end |
/// | `.retry_exceptions(true)` | `retry_exceptions = true` | false | errors that the method returns use these attempts too |
/// | `.retry_only::<E>()` | | | only errors of the type `E` do; several calls name several types |
/// | `.timeout(duration)` | `timeout = "5s"` | none | how long one attempt may run; the actor ends with a call that is over it |
/// | `.try_call()` | | | the method answers with a `Result`: a call that is refused says so at once |
/// | | `skip` | | the handle does not get the method |
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
