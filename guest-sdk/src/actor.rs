//! Actors: instances of this component that keep their state between calls.
//!
//! `#[rayw::actor]` makes the typed surface (`Class::remote`, `ClassHandle`);
//! what is the same for every class is here.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserializer, Serialize, Serializer};

use crate::argument::{self, Argument};
use crate::contents;
use crate::error::{Error, Result};
use crate::options::{ActorSettings, CallSettings};
use crate::returns::{Raws, Returns, Submitted};
use crate::runtime::actors;
use crate::runtime::types::ActorHandle as Raw;
use crate::value;

/// Ends this actor when the call that is running returns.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) outside of an actor's call.
pub fn exit_actor() -> Result<()> {
    Ok(actors::exit()?)
}

/// An actor of whatever class: what every typed handle wraps.
///
/// The clones share one handle of the host, so that a clone asks the host nothing.
#[doc(hidden)]
#[derive(Clone)]
pub struct Actor {
    shared: Arc<Shared>,
}

struct Shared {
    raw: Raw,
    id: OnceLock<String>,
}

impl Actor {
    pub(crate) fn new(raw: Raw) -> Self {
        Self { shared: Arc::new(Shared { raw, id: OnceLock::new() }) }
    }

    pub(crate) fn raw(&self) -> &Raw {
        &self.shared.raw
    }

    /// # Errors
    ///
    /// When there is no such actor, or it is of another class.
    pub fn named(class: &'static str, name: &str, namespace: Option<&str>) -> Result<Self> {
        contents::settle();
        let actor = Self::new(actors::get_named(name, namespace)?);
        let found = actor.raw().class();
        if found != class {
            return Err(Error::invalid_argument(format!(
                "the actor `{name}` is a `{found}`; ask for it by `{found}::get_actor`"
            )));
        }
        Ok(actor)
    }

    /// Reads an actor handle that must be of the class.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        class: &'static str,
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        use serde::de::Error as _;

        let actor = value::deserialize_actor(deserializer)?;
        let found = actor.raw().class();
        if found != class {
            return Err(D::Error::custom(format!("expected the handle of a `{class}`, found a `{found}`")));
        }
        Ok(actor)
    }

    pub fn id(&self) -> &str {
        self.shared.id.get_or_init(|| self.raw().id())
    }

    /// # Errors
    ///
    /// What the host says.
    pub fn kill(&self, no_restart: bool) -> Result<()> {
        contents::settle();
        Ok(actors::kill(self.raw(), no_restart)?)
    }

    /// # Errors
    ///
    /// What the host says.
    pub fn terminate(&self) -> Result<()> {
        contents::settle();
        Ok(actors::terminate(self.raw())?)
    }

    /// The handle of a class, as `Debug` prints it.
    pub fn fmt(&self, class: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Actor({class}, {})", self.id())
    }

    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared) || self.id() == other.id()
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        value::serialize_actor(self, serializer)
    }
}

impl ActorSettings {
    /// Creates an actor of the class with these options.
    ///
    /// # Errors
    ///
    /// When an argument cannot be sent or the host refuses.
    pub fn create(self, class: &'static str, arguments: &mut [Argument]) -> Result<Actor> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        let within = self.place.lower()?;
        let arguments = argument::lower(class, arguments)?;
        contents::settle();
        Ok(Actor::new(actors::create(class, &arguments, &self.options, within.as_ref())?))
    }
}

impl CallSettings {
    /// Calls a method with these options; `declared` is its own `num_returns`.
    pub fn call(mut self, actor: &Actor, method: &'static str, declared: u32, arguments: &mut [Argument]) -> Submitted {
        let num_returns = self.options.num_returns.unwrap_or(declared);
        self.options.num_returns = (num_returns != 1).then_some(num_returns);
        Submitted::new(method, num_returns, self.try_call(actor, method, num_returns, arguments))
    }

    fn try_call(
        self,
        actor: &Actor,
        method: &'static str,
        num_returns: u32,
        arguments: &mut [Argument],
    ) -> Result<Raws> {
        let arguments = argument::lower(method, arguments)?;
        contents::settle();
        Ok(if num_returns == 1 {
            actors::call_one(actor.raw(), method, &arguments, self.said())?.into()
        } else {
            actors::call(actor.raw(), method, &arguments, &self.options)?.into()
        })
    }
}

/// The state of the actor that a method runs on.
#[doc(hidden)]
pub fn actor_state<T: 'static>(state: &mut dyn Any) -> &mut T {
    match state.downcast_mut() {
        Some(state) => state,
        None => unreachable!("a method is found through the class that made the state"),
    }
}

/// A refused call gives references that have failed.
#[doc(hidden)]
pub struct Infallible;
/// A refused call gives its error.
#[doc(hidden)]
pub struct Fallible;

/// What a call answers with.
#[doc(hidden)]
pub trait CallMode {
    type Answer<R>;

    fn answer<W: Returns<D, T>, D, T>(submitted: Submitted) -> Self::Answer<W::Refs>;
}

impl CallMode for Infallible {
    type Answer<R> = R;

    fn answer<W: Returns<D, T>, D, T>(submitted: Submitted) -> W::Refs {
        W::refs(submitted)
    }
}

impl CallMode for Fallible {
    type Answer<R> = Result<R>;

    fn answer<W: Returns<D, T>, D, T>(submitted: Submitted) -> Result<W::Refs> {
        submitted.into_refs::<W, D, T>()
    }
}

/// The builder that `Class::options()` answers with.
#[doc(hidden)]
#[macro_export]
macro_rules! __actor_options {
    ($name:ident) => {
        /// Options of one actor; what is not said takes the class's default, then rayw's.
        pub struct $name {
            settings: $crate::__private::ActorSettings,
        }

        #[allow(dead_code, unreachable_pub, reason = "not everybody needs every option")]
        impl $name {
            /// A name under which the actor can be found, one of its kind in its namespace.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn name(mut self, name: impl ::std::convert::Into<::std::string::String>) -> Self {
                self.settings.name(name.into());
                self
            }

            /// The namespace of the name; the job's own by default.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn namespace(mut self, namespace: impl ::std::convert::Into<::std::string::String>) -> Self {
                self.settings.namespace(namespace.into());
                self
            }

            /// With a name: an actor that exists under it is returned, and the arguments are ignored.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn get_if_exists(mut self, get_if_exists: bool) -> Self {
                self.settings.get_if_exists(get_if_exists);
                self
            }

            /// The actor outlives its job and must be killed.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn detached(mut self) -> Self {
                self.settings.detached();
                self
            }

            /// Logical cpus for its whole life; by default 1 to be placed and 0 to run.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn num_cpus(mut self, num_cpus: impl ::std::convert::Into<f64>) -> Self {
                self.settings.num_cpus(num_cpus.into());
                self
            }

            /// Memory reserved on the node, and the cap of the sandbox: bytes, or like `"64MiB"`.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn memory(mut self, memory: impl ::std::convert::Into<$crate::MemorySize>) -> Self {
                self.settings.memory(memory.into());
                self
            }

            /// An amount of a custom resource, in steps of 0.0001.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn resource(
                mut self,
                name: impl ::std::convert::Into<::std::string::String>,
                amount: impl ::std::convert::Into<f64>,
            ) -> Self {
                self.settings.resource(name.into(), amount.into());
                self
            }

            /// How often the actor is built anew after it crashed; 0 by default, -1 for no end.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn max_restarts(mut self, max_restarts: i32) -> Self {
                self.settings.max_restarts(max_restarts);
                self
            }

            /// Attempts of a call after the actor failed under it; 0 by default, -1 for no end.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn max_task_retries(mut self, max_task_retries: i32) -> Self {
                self.settings.max_task_retries(max_task_retries);
                self
            }

            /// Calls that may wait or run; -1 (the default) for no limit.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn max_pending_calls(mut self, max_pending_calls: i32) -> Self {
                self.settings.max_pending_calls(max_pending_calls);
                self
            }

            /// Calls start when their arguments are there, not in the order of submission.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn allow_out_of_order_execution(mut self, allow: bool) -> Self {
                self.settings.allow_out_of_order_execution(allow);
                self
            }

            $crate::__place_options!();
        }
    };
}

/// The builder that `handle.options()` answers with.
#[doc(hidden)]
#[macro_export]
macro_rules! __call_options {
    ($name:ident) => {
        /// Options of one call; what is not said takes the method's default, then the actor's.
        pub struct $name<'a, S = $crate::__private::Declared, M = $crate::__private::Infallible> {
            actor: &'a $crate::__private::Actor,
            settings: $crate::__private::CallSettings,
            returns: ::std::marker::PhantomData<(S, M)>,
        }

        #[allow(dead_code, unreachable_pub, reason = "not everybody needs every option")]
        impl<'a, S, M> $name<'a, S, M> {
            /// The name that people see in lists and logs; the method's name by default.
            #[must_use = "options do nothing until a method is called"]
            pub fn name(mut self, name: impl ::std::convert::Into<::std::string::String>) -> Self {
                self.settings.name(name.into());
                self
            }

            /// How many objects a method that returns a `Vec` or a tuple makes; not 1, which is
            /// the default and makes one object of the whole.
            #[must_use = "options do nothing until a method is called"]
            pub fn num_returns(mut self, num_returns: u32) -> $name<'a, $crate::__private::Several, M> {
                self.settings.num_returns(num_returns);
                $name { actor: self.actor, settings: self.settings, returns: ::std::marker::PhantomData }
            }

            /// Attempts after the actor failed under the call; -1 for no end.
            #[must_use = "options do nothing until a method is called"]
            pub fn max_task_retries(mut self, max_task_retries: i32) -> Self {
                self.settings.max_task_retries(max_task_retries);
                self
            }

            /// Whether errors of the method's own code are worth another attempt; false by default.
            #[must_use = "options do nothing until a method is called"]
            pub fn retry_exceptions(mut self, retry: bool) -> Self {
                self.settings.retry_exceptions(retry);
                self
            }

            /// Errors of type `E` are worth another attempt. Several calls name several types.
            #[must_use = "options do nothing until a method is called"]
            pub fn retry_only<E>(mut self) -> Self {
                self.settings.retry_only::<E>();
                self
            }

            /// How long one attempt may run; without end by default.
            #[must_use = "options do nothing until a method is called"]
            pub fn timeout(mut self, timeout: ::std::time::Duration) -> Self {
                self.settings.timeout(timeout);
                self
            }

            /// From here on a method answers with a `rayw::Result`: a call that is refused, because
            /// too many wait already or the actor is gone, says so at once.
            #[must_use = "options do nothing until a method is called"]
            pub fn try_call(self) -> $name<'a, S, $crate::__private::Fallible> {
                $name { actor: self.actor, settings: self.settings, returns: ::std::marker::PhantomData }
            }
        }
    };
}
