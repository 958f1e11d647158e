//! What is in this component: the functions and actor classes that the macros
//! registered, in link order. Nothing is built at start: a fresh instance is
//! made for every task, and it looks one name up.

use std::any::Any;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::options::{ActorSettings, CallSettings, TaskSettings};
use crate::runtime::types::Value;
use crate::value;

/// A parameter of a function or method.
#[doc(hidden)]
pub struct Parameter {
    pub name: &'static str,
    pub type_name: &'static str,
}

/// A function under `#[rayw::task]`.
#[doc(hidden)]
pub struct Function {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    pub returns: &'static str,
    pub options: fn() -> TaskSettings,
    pub invoke: fn(Vec<Value>, u32) -> Result<Vec<Value>>,
}

/// A type whose `impl` is under `#[rayw::actor]`.
#[doc(hidden)]
pub struct Class {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    pub options: fn() -> ActorSettings,
    pub construct: fn(Vec<Value>) -> Result<Box<dyn Any>>,
    pub methods: &'static [Method],
    pub durable: Option<Durable>,
}

/// How the state of an actor is written down, and read again.
#[doc(hidden)]
pub struct Durable {
    pub checkpoint: fn(&dyn Any) -> Result<Value>,
    pub restore: fn(Value) -> Result<Box<dyn Any>>,
}

impl Durable {
    /// For a state that serde can write and read.
    #[must_use]
    pub const fn of<T: Serialize + DeserializeOwned + 'static>() -> Self {
        Self {
            checkpoint: |state| match state.downcast_ref::<T>() {
                Some(state) => value::encode(state),
                None => unreachable!("a checkpoint is found through the class that made the state"),
            },
            restore: |state| Ok(Box::new(value::decode::<T>(state)?)),
        }
    }
}

/// A method of a [`Class`].
#[doc(hidden)]
pub struct Method {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    pub returns: &'static str,
    pub options: fn() -> CallSettings,
    #[expect(clippy::type_complexity, reason = "one signature, said once")]
    pub call: fn(&mut dyn Any, Vec<Value>, u32) -> Result<Vec<Value>>,
}

inventory::collect!(Function);
inventory::collect!(Class);

/// Is in the registry as soon as static constructors have run.
#[cfg(target_family = "wasm")]
struct Constructed;

#[cfg(target_family = "wasm")]
inventory::collect!(Constructed);

#[cfg(target_family = "wasm")]
inventory::submit!(Constructed);

/// Runs the static constructors unless they have run.
///
/// Exported functions run them by themselves. A program's `_start` should, but that of older
/// wasi-libc releases (Debian's of 2022) leaves it to the linker, which leaves it to `_start`; without them
/// libc does not even know the folders that the program was given.
#[cfg(target_family = "wasm")]
pub(crate) fn run_constructors() {
    if inventory::iter::<Constructed>().next().is_none() {
        wit_bindgen::rt::run_ctors_once();
    }
}

pub(crate) fn functions() -> impl Iterator<Item = &'static Function> {
    inventory::iter::<Function>()
}

pub(crate) fn classes() -> impl Iterator<Item = &'static Class> {
    inventory::iter::<Class>()
}

pub(crate) fn function(name: &str) -> Result<&'static Function> {
    functions()
        .find(|function| function.name == name)
        .ok_or_else(|| unknown("function", name, functions().map(|function| function.name)))
}

pub(crate) fn class(name: &str) -> Result<&'static Class> {
    classes()
        .find(|class| class.name == name)
        .ok_or_else(|| unknown("actor class", name, classes().map(|class| class.name)))
}

impl Class {
    pub(crate) fn method(&self, name: &str) -> Result<&'static Method> {
        self.methods.iter().find(|method| method.name == name).ok_or_else(|| {
            let what = format!("method of `{}`", self.name);
            unknown(&what, name, self.methods.iter().map(|method| method.name))
        })
    }
}

/// Two functions, or two classes, of one name would shadow each other.
///
/// # Panics
///
/// If there are such.
pub(crate) fn assert_unique() {
    assert_unique_names("functions under `#[rayw::task]`", functions().map(|function| function.name));
    assert_unique_names("types under `#[rayw::actor]`", classes().map(|class| class.name));
}

fn assert_unique_names(what: &str, names: impl Iterator<Item = &'static str>) {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        panic!("two {what} are called `{}`; rename one of them", pair[0]);
    }
}

fn unknown(what: &str, name: &str, known: impl Iterator<Item = &'static str>) -> Error {
    const LISTED_MAX: usize = 20;
    let known: Vec<_> = known.take(LISTED_MAX).map(|known| format!("`{known}`")).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::of_kind(ErrorKind::UnknownFunction, format!("there is no {what} `{name}`; there is {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = unknown("function", "sqare", ["square", "cube"].into_iter());
        assert_eq!(error.kind(), ErrorKind::UnknownFunction);
        assert_eq!(error.message(), "there is no function `sqare`; there is `square`, `cube`");
        assert_eq!(
            function("f").err().map(|error| error.to_string()).as_deref(),
            Some("there is no function `f`; there is none")
        );
        assert!(class("C").is_err());
    }

    #[test]
    #[should_panic(expected = "two functions are called `f`; rename one of them")]
    fn two_of_one_name_are_a_mistake() {
        assert_unique_names("functions", ["f", "g", "f"].into_iter());
    }
}
