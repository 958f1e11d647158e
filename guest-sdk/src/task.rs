//! Tasks: functions of this component that run elsewhere.
//!
//! `#[rayw::task]` makes the typed surface (`f::remote`, `f::options`); what
//! is the same for every function is here.

use crate::argument::{self, Argument};
use crate::contents;
use crate::error::Result;
use crate::options::TaskSettings;
use crate::returns::{Raws, Submitted};
use crate::runtime::tasks;

impl TaskSettings {
    /// Submits a task of the function with these options.
    pub fn submit(self, function: &'static str, arguments: &mut [Argument]) -> Submitted {
        let num_returns = self.options.num_returns.unwrap_or(1);
        Submitted::new(function, num_returns, self.try_submit(function, num_returns, arguments))
    }

    fn try_submit(self, function: &'static str, num_returns: u32, arguments: &mut [Argument]) -> Result<Raws> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        let within = self.place.lower()?;
        let arguments = argument::lower(function, arguments)?;
        contents::settle();
        Ok(if num_returns == 1 {
            tasks::submit_one(function, &arguments, self.said(), within.as_ref())?.into()
        } else {
            tasks::submit(function, &arguments, &self.options, within.as_ref())?.into()
        })
    }
}

/// The builder that `f::options()` answers with. Every function has its own,
/// because its `remote` takes the function's own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __task_options {
    ($name:ident) => {
        /// Options of one task; what is not said takes the function's default, then rayw's.
        pub struct $name<S = $crate::__private::Declared> {
            settings: $crate::__private::TaskSettings,
            returns: ::std::marker::PhantomData<S>,
        }

        #[allow(dead_code, unreachable_pub, reason = "not everybody needs every option")]
        impl<S> $name<S> {
            /// The name that people see in lists and logs; the function's name by default.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn name(mut self, name: impl ::std::convert::Into<::std::string::String>) -> Self {
                self.settings.name(name.into());
                self
            }

            /// Logical cpus, in steps of 0.0001; 1 by default.
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

            /// How many objects a function that returns a `Vec` or a tuple makes; not 1, which
            /// is the default and makes one object of the whole.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn num_returns(mut self, num_returns: u32) -> $name<$crate::__private::Several> {
                self.settings.num_returns(num_returns);
                $name { settings: self.settings, returns: ::std::marker::PhantomData }
            }

            /// Attempts after a failure of the system; 3 by default, -1 for no end.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn max_retries(mut self, max_retries: i32) -> Self {
                self.settings.max_retries(max_retries);
                self
            }

            /// Whether errors of the task's own code are worth another attempt; false by default.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn retry_exceptions(mut self, retry: bool) -> Self {
                self.settings.retry_exceptions(retry);
                self
            }

            /// Errors of type `E` are worth another attempt. Several calls name several types.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn retry_only<E>(mut self) -> Self {
                self.settings.retry_only::<E>();
                self
            }

            /// Tasks that one instance may run; 1 by default, 0 for no end.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn max_calls(mut self, max_calls: u32) -> Self {
                self.settings.max_calls(max_calls);
                self
            }

            /// How long one attempt may run; without end by default.
            #[must_use = "options do nothing until `.remote(…)`"]
            pub fn timeout(mut self, timeout: ::std::time::Duration) -> Self {
                self.settings.timeout(timeout);
                self
            }

            $crate::__place_options!();
        }
    };
}

/// Where a task or an actor runs: what the builders of both have.
#[doc(hidden)]
#[macro_export]
macro_rules! __place_options {
    () => {
        /// Evenly over the nodes.
        #[must_use = "options do nothing until `.remote(…)`"]
        pub fn spread(mut self) -> Self {
            self.settings.spread();
            self
        }

        /// On that node; with `soft` on another one when it is gone or too small for ever.
        #[must_use = "options do nothing until `.remote(…)`"]
        pub fn node_affinity(mut self, node_id: impl ::std::convert::Into<::std::string::String>, soft: bool) -> Self {
            self.settings.node_affinity(node_id.into(), soft);
            self
        }

        /// Wherever rayw finds best, also when the submitter's placement group captures what it submits.
        #[must_use = "options do nothing until `.remote(…)`"]
        pub fn default_strategy(mut self) -> Self {
            self.settings.default_strategy();
            self
        }

        /// A label that the node must have: `"v"`, `"!v"`, `"in(a,b)"` or `"!in(a,b)"`. Several calls
        /// name several labels, all of which must be so.
        #[must_use = "options do nothing until `.remote(…)`"]
        pub fn label(
            mut self,
            key: impl ::std::convert::Into<::std::string::String>,
            selector: impl ::std::convert::Into<::std::string::String>,
        ) -> Self {
            self.settings.label(key.into(), selector.into());
            self
        }

        /// Within what the placement group has reserved: in any of its bundles that has room.
        #[must_use = "options do nothing until `.remote(…)`"]
        pub fn placement_group(mut self, group: &$crate::PlacementGroup) -> Self {
            self.settings.placement_group(group);
            self
        }

        /// In the bundle of that index, from 0, of the placement group.
        #[must_use = "options do nothing until `.remote(…)`"]
        pub fn bundle(mut self, index: u32) -> Self {
            self.settings.bundle(index);
            self
        }

        /// Whether what it submits runs in the placement group too, unless that says otherwise; false by default.
        #[must_use = "options do nothing until `.remote(…)`"]
        pub fn capture_child_tasks(mut self, capture: bool) -> Self {
            self.settings.capture_child_tasks(capture);
            self
        }
    };
}
