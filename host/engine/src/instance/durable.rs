//! Actors that are written down: a state out of an instance, and into a fresh one.

use std::sync::Arc;

use rayw_core::{Error, ErrorKind, Value};

use super::Instance;
use crate::export::DurableExports;
use crate::reference::Handles;
use crate::{Caller, Program, trap, types};

/// What `durable.checkpoint` answers.
type State = types::Answer<types::Value>;

/// What `durable.restore` takes.
type Restore = (Arc<str>, types::Value);

/// The state of an actor that has no instance.
#[derive(Debug)]
pub struct Checkpoint {
    value: Value,
    /// Keeps what the state refers to alive. Most states refer to nothing, and there may be many of them.
    _handles: Option<Box<Handles>>,
}

impl Checkpoint {
    /// Bytes of the state.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.value.data.len()
    }
}

impl Instance {
    /// The state of the actor that the instance is. The instance can be dropped then, or go on.
    ///
    /// # Errors
    /// What the guest says; or why it broke down, after which [`Instance::is_usable`] is false.
    pub async fn checkpoint(&mut self, caller: Arc<Caller>) -> Result<Checkpoint, Error> {
        let program = Arc::clone(&self.program);
        self.begin(caller)?;
        let called = self.enter_raw::<(), State>(&durable(&program)?.checkpoint, ()).await;
        let (state,) = called.map_err(|error| trap::explain(&error, self.store.data()))?;
        let mut handles = Handles::default();
        let taken = self.store.data_mut().take(state.map_err(Error::from)?, &mut handles);
        let value = taken.map_err(|error| trap::explain(&error, self.store.data()))??;
        let handles = (!handles.refs().is_empty()).then(|| Box::new(handles));
        Ok(Checkpoint { value, _handles: handles })
    }

    /// Makes the instance an actor of that class with that state.
    ///
    /// # Errors
    /// What the guest says, or why it broke down.
    pub async fn restore(&mut self, caller: Arc<Caller>, class: &str, state: &Checkpoint) -> Result<(), Error> {
        let program = Arc::clone(&self.program);
        self.begin(caller)?;
        let given = self.store.data_mut().give(&state.value);
        let given = given.map_err(|error| trap::explain(&error, self.store.data()))?;
        let params: Restore = (Arc::from(class), given);
        let called = self.enter_raw(&durable(&program)?.restore, params).await;
        let (restored,): types::Answer<()> = called.map_err(|error| trap::explain(&error, self.store.data()))?;
        restored.map_err(Into::into)
    }

    /// Whether the functions have the types of our contract.
    pub(crate) fn check_durable(&mut self, durable: &DurableExports) -> wasmtime::Result<()> {
        self.instance.get_typed_func::<(), State>(&mut self.store, &durable.checkpoint)?;
        self.instance.get_typed_func::<Restore, types::Answer<()>>(&mut self.store, &durable.restore)?;
        Ok(())
    }
}

fn durable(program: &Program) -> Result<&DurableExports, Error> {
    program.exports.durable.as_ref().ok_or_else(|| {
        let message = "the component does not export `rayw:core/durable`: its actors cannot be written down";
        Error::new(ErrorKind::InvalidArgument, message)
    })
}
