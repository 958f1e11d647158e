//! The clock that makes running guests give way.
//!
//! An OS thread, not a task: if every worker of the runtime is inside a guest,
//! a task would never be polled.

use rayw_core::{Error, ErrorKind, limits};
use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};

use crate::state::Guest;

/// Starts the thread; it ends with the engine.
pub(crate) fn tick(engine: &Engine) -> Result<(), Error> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("rayw-epoch".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(limits::EPOCH_PERIOD);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })
        .map(drop)
        .map_err(|error| Error::new(ErrorKind::System, "cannot start the epoch thread").caused_by(error))
}

/// Makes whatever runs in the store yield to the runtime once a tick, and the node hear what it did.
pub(crate) fn yield_each_tick(store: &mut Store<Guest>) {
    store.epoch_deadline_callback(|mut store| {
        store.data_mut().tell_node();
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    rearm(store);
}

/// Makes what runs in the store yield as soon as it goes on, as if the clock had ticked.
pub(crate) fn yield_at_once(store: &mut StoreContextMut<'_, Guest>) {
    store.set_epoch_deadline(0);
}

/// The deadline is absolute: it has to be set again before each call.
pub(crate) fn rearm<T>(store: &mut Store<T>) {
    store.set_epoch_deadline(1);
}
