//! One call after another in one entry into an instance.
//!
//! ```text
//! call_line ─▶ guest runs a call ─ line.next(answer) ─▶ Line::next ─┬─ a call: the guest runs it ─▶ …
//!                                                                   └─ none: the guest returns
//! ```

use std::sync::Arc;

use rayw_core::{Error, ErrorKind, Value};
use wasmtime::component::ComponentExportIndex;

use super::{Instance, Invoke, Returned};
use crate::export::LineExports;
use crate::state::InLine;
use crate::{Caller, trap};

/// What stands in line for an instance.
pub trait Line: Send + Sync + 'static {
    /// Takes what the call that ran returned, or its error, and gives the call that comes next in the same entry.
    /// `exits`: the guest is an actor that asked to be ended. Without a next call the guest returns.
    fn next(&self, answer: Result<Returned, Error>, exits: bool) -> Option<Next>;
}

/// A call that a line gives.
#[derive(Debug)]
pub struct Next {
    /// Who runs.
    pub caller: Arc<Caller>,
    /// A function or method, as the guest knows it.
    pub function: Arc<str>,
    /// Its arguments.
    pub args: Vec<Arc<Value>>,
    /// How many values it returns.
    pub num_returns: u32,
}

impl Instance {
    /// Whether the guest can take one call after another.
    #[must_use]
    pub fn has_line(&self) -> bool {
        self.program.exports.line.is_some()
    }

    /// Runs tasks of one function: the first one, and those that the line gives. The line gets all answers, that
    /// of a task that breaks down left out.
    ///
    /// # Errors
    /// Why the task broke down that ran last.
    pub async fn invoke_line(&mut self, first: Next, line: Arc<dyn Line>) -> Result<(), Error> {
        self.run_line(|exports| &exports.invoke, first, line).await
    }

    /// Runs methods of the actor that the instance is: the first one, and those that the line gives. The line gets
    /// all answers, that of a call that breaks down left out.
    ///
    /// # Errors
    /// Why the call broke down that ran last.
    pub async fn call_line(&mut self, first: Next, line: Arc<dyn Line>) -> Result<(), Error> {
        self.run_line(|exports| &exports.call, first, line).await
    }

    async fn run_line(
        &mut self,
        export: fn(&LineExports) -> &ComponentExportIndex,
        first: Next,
        line: Arc<dyn Line>,
    ) -> Result<(), Error> {
        let program = Arc::clone(&self.program);
        let Some(exports) = &program.exports.line else {
            let message = "the component does not export `rayw:core/line-guest`: it takes one call at a time";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        };
        let Next { caller, function, args, num_returns } = first;
        self.begin(caller)?;
        let params = (Arc::clone(&function), self.give(&args)?, num_returns);
        self.store.data_mut().line = Some(InLine { line, function, num_returns });
        let ended = match self.last_line.look_up(&self.instance, &mut self.store, export(exports)) {
            Ok(entry) => self.run(entry, params).await,
            Err(error) => Err(error),
        };
        self.store.data_mut().line = None;
        ended.map_err(|error| trap::explain(&error, self.store.data()))
    }

    /// Whether the functions have the types of our contract.
    pub(crate) fn check_line(&mut self, line: &LineExports) -> wasmtime::Result<()> {
        self.instance.get_typed_func::<Invoke, ()>(&mut self.store, &line.invoke)?;
        self.instance.get_typed_func::<Invoke, ()>(&mut self.store, &line.call)?;
        Ok(())
    }
}
