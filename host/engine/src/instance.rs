//! One sandbox: a store, an instance in it, and the calls into it.
//!
//! ```text
//! start ─▶ usable ─ invoke/call ─▶ (not usable while it runs) ─▶ usable      returned, or returned an error
//!                                             └────────────────▶ unusable    trapped, or its future was dropped
//! ```
//!
//! Cancelling is dropping: the future of a call, then the instance. Everything
//! that the guest held is given back by that.

mod durable;
mod line;

use std::sync::Arc;

use rayw_core::{Error, ErrorKind, Value};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Lift, Lower, TypedFunc};

use crate::export::GuestExports;
use crate::reference::Handles;
use crate::state::{Guest, HANDLES_MAX};
use crate::{Caller, Program, epoch, trap, types};

pub use durable::Checkpoint;
pub use line::{Line, Next};

/// Bytes that one call may bring out of a guest: a value of the largest size and much around it.
/// A guest may name the same bytes many times, so this is what a call costs the host at worst.
const CALL_BYTES_MAX: usize = rayw_core::limits::VALUE_BYTES_MAX + (256 << 20);

/// Bytes that a description may bring out of a guest: of as many functions as one may list, each with its options.
const DESCRIBE_BYTES_MAX: usize = 128 << 20;

/// What the host keeps for each byte that a guest passes, at worst: for handles and short strings.
const HOST_BYTES_PER_GUEST_BYTE: u64 = 4;

/// What `guest.invoke` and `guest.call` take.
type Invoke = (Arc<str>, Vec<types::Value>, u32);

/// What `guest.construct` takes.
type Construct = (Arc<str>, Vec<types::Value>);

/// What `guest.invoke` and `guest.call` answer.
type Values = types::Answer<Vec<types::Value>>;

/// What a call returned.
#[derive(Debug)]
pub struct Returned {
    /// The values, as many as were asked for.
    pub values: Vec<Value>,
    /// Keeps the references in `values` alive until it is dropped.
    pub handles: Handles,
}

/// An export that was called last, looked up and checked.
struct Last<Return>(Option<(ComponentExportIndex, TypedFunc<Invoke, Return>)>);

impl<Return: ComponentNamedList + Lift + 'static> Last<Return> {
    /// That export: the same as before, most likely.
    fn look_up(
        &mut self,
        instance: &wasmtime::component::Instance,
        store: &mut Store<Guest>,
        index: &ComponentExportIndex,
    ) -> wasmtime::Result<TypedFunc<Invoke, Return>> {
        if let Some((last, function)) = self.0
            && last == *index
        {
            return Ok(function);
        }
        let function = instance.get_typed_func(store, index)?;
        self.0 = Some((*index, function));
        Ok(function)
    }
}

/// A running sandbox.
pub struct Instance {
    store: Store<Guest>,
    instance: wasmtime::component::Instance,
    program: Arc<Program>,
    /// The export that was called last: one that serves many calls is looked up and checked once.
    last: Last<Values>,
    /// The same for the one that takes one call after another.
    last_line: Last<()>,
    is_usable: bool,
    /// Dropped last: the place is free when the store is gone.
    _place: OwnedSemaphorePermit,
}

impl Instance {
    pub(crate) async fn start(
        engine: &wasmtime::Engine,
        program: Arc<Program>,
        guest: Guest,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, Error> {
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.memory);
        let call_bytes = store.data().memory.cap().saturating_mul(HOST_BYTES_PER_GUEST_BYTE);
        store.set_hostcall_fuel(usize::try_from(call_bytes).map_or(CALL_BYTES_MAX, |bytes| bytes.min(CALL_BYTES_MAX)));
        store.set_max_component_handles(HANDLES_MAX);
        epoch::yield_each_tick(&mut store);
        let instance = match program.pre.instantiate_async(&mut store).await {
            Ok(instance) => instance,
            Err(error) => return Err(trap::explain(&error, store.data())),
        };
        Ok(Self { store, instance, program, last: Last(None), last_line: Last(None), is_usable: true, _place: place })
    }

    /// Runs a task: a function of the guest, or an exported function of a typed component.
    ///
    /// # Errors
    /// The task's own error, or why it broke down.
    pub async fn invoke(
        &mut self,
        caller: Arc<Caller>,
        function: &str,
        args: &[Arc<Value>],
        num_returns: u32,
    ) -> Result<Returned, Error> {
        let program = Arc::clone(&self.program);
        self.begin(caller)?;
        let Some(guest) = &program.exports.guest else {
            let value = self.invoke_typed(&program, function, args, num_returns).await?;
            return Ok(Returned { values: value.into_iter().collect(), handles: Handles::default() });
        };
        let params = (Arc::from(function), self.give(args)?, num_returns);
        let returned = self.enter_again(&guest.invoke, params).await?;
        self.take(function, returned, num_returns)
    }

    /// Makes the instance an actor of that class.
    ///
    /// # Errors
    /// The constructor's own error, or why it broke down.
    pub async fn construct(&mut self, caller: Arc<Caller>, class: &str, args: &[Arc<Value>]) -> Result<(), Error> {
        let program = Arc::clone(&self.program);
        self.begin(caller)?;
        let params: Construct = (Arc::from(class), self.give(args)?);
        let index = &actors_of(&program)?.construct;
        let called = self.enter_raw(index, params).await;
        let (constructed,): types::Answer<()> = called.map_err(|error| trap::explain(&error, self.store.data()))?;
        constructed.map_err(Into::into)
    }

    /// Runs a method of the actor that the instance is.
    ///
    /// # Errors
    /// The method's own error, or why it broke down.
    pub async fn call(
        &mut self,
        caller: Arc<Caller>,
        method: &str,
        args: &[Arc<Value>],
        num_returns: u32,
    ) -> Result<Returned, Error> {
        let program = Arc::clone(&self.program);
        self.begin(caller)?;
        let params = (Arc::from(method), self.give(args)?, num_returns);
        let returned = self.enter_again(&actors_of(&program)?.call, params).await?;
        self.take(method, returned, num_returns)
    }

    /// Runs the driver, `wasi:cli/run`, and answers with its exit code.
    ///
    /// # Errors
    /// Why it broke down. A driver that ends itself with a code has not broken down.
    pub async fn run_driver(&mut self, caller: Arc<Caller>) -> Result<u8, Error> {
        let program = Arc::clone(&self.program);
        let Some(run) = &program.exports.run else {
            let message = "the component has no driver: it does not export `wasi:cli/run`; call a task of it instead";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        };
        self.begin(caller)?;
        match self.enter_raw::<(), (Result<(), ()>,)>(run, ()).await {
            Ok((Ok(()),)) => Ok(0),
            Ok((Err(()),)) => Ok(1),
            Err(error) if self.store.data().panic.is_none() => {
                trap::exit_code(&error).ok_or_else(|| trap::explain(&error, self.store.data()))
            }
            Err(error) => Err(trap::explain(&error, self.store.data())),
        }
    }

    /// What the guest says is in it. Nothing else should be asked of the instance then.
    pub(crate) async fn describe(&mut self, guest: &GuestExports) -> wasmtime::Result<types::Description> {
        self.store.set_hostcall_fuel(DESCRIBE_BYTES_MAX);
        let (description,) = self.enter_raw::<(), (types::Description,)>(&guest.describe, ()).await?;
        Ok(description)
    }

    /// Whether the guest's functions have the types of our contract.
    pub(crate) fn check_shape(&mut self, guest: &GuestExports) -> wasmtime::Result<()> {
        self.instance.get_typed_func::<(), (types::Description,)>(&mut self.store, &guest.describe)?;
        self.instance.get_typed_func::<Invoke, Values>(&mut self.store, &guest.invoke)?;
        self.instance.get_typed_func::<Construct, types::Answer<()>>(&mut self.store, &guest.construct)?;
        self.instance.get_typed_func::<Invoke, Values>(&mut self.store, &guest.call)?;
        Ok(())
    }

    /// The host's side of the store.
    pub(crate) fn guest(&self) -> &Guest {
        self.store.data()
    }

    /// Takes the sandbox down. Whoever has the backlog of its caller has the node hear of what it did.
    pub fn take_down(mut self) {
        self.store.data_mut().is_told = true;
    }

    /// Whether another call may be made: not after a trap, nor after a call that was dropped.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.is_usable
    }

    /// Whether the actor asked to be ended.
    #[must_use]
    pub fn exit_requested(&self) -> bool {
        self.store.data().exit_requested
    }

    /// Memory that it has now. It never shrinks.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.store.data().memory.used()
    }

    fn begin(&mut self, caller: Arc<Caller>) -> Result<(), Error> {
        if !self.is_usable {
            let message = "the sandbox is broken since its last call did not return";
            return Err(Error::new(ErrorKind::System, message));
        }
        self.store.data_mut().begin(caller);
        Ok(())
    }

    /// Calls `guest.invoke` or `guest.call`; a trap becomes an error.
    async fn enter_again(&mut self, index: &ComponentExportIndex, params: Invoke) -> Result<Values, Error> {
        let returned = match self.last.look_up(&self.instance, &mut self.store, index) {
            Ok(function) => self.run(function, params).await,
            Err(error) => Err(error),
        };
        returned.map_err(|error| trap::explain(&error, self.store.data()))
    }

    async fn enter_raw<Params, Return>(
        &mut self,
        index: &ComponentExportIndex,
        params: Params,
    ) -> wasmtime::Result<Return>
    where
        Params: ComponentNamedList + Lower + Send + Sync,
        Return: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let function = self.instance.get_typed_func::<Params, Return>(&mut self.store, index)?;
        self.run(function, params).await
    }

    async fn run<Params, Return>(
        &mut self,
        function: TypedFunc<Params, Return>,
        params: Params,
    ) -> wasmtime::Result<Return>
    where
        Params: ComponentNamedList + Lower + Send + Sync,
        Return: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        epoch::rearm(&mut self.store);
        self.is_usable = false;
        let returned = function.call_async(&mut self.store, params).await;
        self.is_usable = returned.is_ok();
        self.store.data_mut().flush();
        returned
    }

    async fn invoke_typed(
        &mut self,
        program: &Program,
        function: &str,
        args: &[Arc<Value>],
        num_returns: u32,
    ) -> Result<Option<Value>, Error> {
        let function = program.exports.typed(function)?;
        let admitted = self.store.data_mut().admit(args);
        admitted.map_err(|error| trap::explain(&error, self.store.data()))?;
        let params = function.params(args)?;
        function.check_returns(num_returns)?;
        let mut results = function.results();
        let Some(export) = self.instance.get_func(&mut self.store, function.index) else {
            return Err(Error::new(ErrorKind::System, format!("`{}` is no function of the instance", function.name)));
        };
        epoch::rearm(&mut self.store);
        self.is_usable = false;
        let called = export.call_async(&mut self.store, &params, &mut results).await;
        self.is_usable = called.is_ok();
        self.store.data_mut().flush();
        called.map_err(|error| trap::explain(&error, self.store.data()))?;
        let value = function.returned(results)?;
        Ok((num_returns == 1).then_some(value))
    }

    fn give(&mut self, args: &[Arc<Value>]) -> Result<Vec<types::Value>, Error> {
        let guest = self.store.data_mut();
        let admitted = guest.admit(args);
        let given: wasmtime::Result<Vec<_>> = admitted.and_then(|()| args.iter().map(|arg| guest.give(arg)).collect());
        given.map_err(|error| trap::explain(&error, self.store.data()))
    }

    /// Takes what a call returned, and with it the guest's references.
    fn take(
        &mut self,
        function: &str,
        (returned,): types::Answer<Vec<types::Value>>,
        num_returns: u32,
    ) -> Result<Returned, Error> {
        let taken = self.store.data_mut().take_returned(function, returned.map_err(Error::from)?, num_returns);
        taken.map_err(|error| trap::explain(&error, self.store.data()))?
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("is_usable", &self.is_usable).finish_non_exhaustive()
    }
}

fn actors_of(program: &Program) -> Result<&GuestExports, Error> {
    program.exports.guest.as_ref().ok_or_else(|| {
        let message = "a component without the rayw guest has no actors, its functions are tasks";
        Error::new(ErrorKind::InvalidArgument, message)
    })
}
