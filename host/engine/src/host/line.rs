//! `rayw:core/line`.

use std::sync::Arc;

use rayw_core::Error;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::state::{Guest, InLine};
use crate::{Next, trap, types};

type Store<'a> = StoreContextMut<'a, Guest>;

pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut line = linker.instance("rayw:core/line@0.1.0")?;
    line.func_wrap("next", |mut store: Store, (answer,): types::Answer<Vec<types::Value>>| {
        Ok((next(store.data_mut(), answer)?,))
    })
}

fn next(guest: &mut Guest, answer: Result<Vec<types::Value>, types::Error>) -> wasmtime::Result<Option<types::Call>> {
    let Some(InLine { line, function, num_returns }) = guest.line.take() else {
        return Err(wasmtime::Error::msg("`line.next` was called in no call of `line-guest`"));
    };
    let mut answer = match answer {
        Ok(returned) => guest.take_returned(&function, returned, num_returns)?,
        Err(error) => Err(Error::from(error)),
    };
    loop {
        // As at the end of an entry.
        guest.flush();
        let Some(next) = line.next(answer, guest.exit_requested) else { return Ok(None) };
        let Next { caller, function, args, num_returns } = next;
        guest.begin(caller);
        match guest.admit(&args) {
            Ok(()) => {
                let args = args.iter().map(|arg| guest.give(arg)).collect::<wasmtime::Result<_>>()?;
                guest.line = Some(InLine { line, function: Arc::clone(&function), num_returns });
                return Ok(Some(types::Call { function, args, num_returns }));
            }
            // It fails as it would in an entry of its own, and the next one may have room.
            Err(refused) => answer = Err(trap::explain(&refused, guest)),
        }
    }
}
