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
    line.func_wrap("next", |mut store: Store, (returned,): (types::Returned,)| {
        let returned = match returned {
            types::Returned::Value(value) => Ok(vec![value.copied(&store)]),
            types::Returned::Values(values) => Ok(values),
            types::Returned::Error(error) => Err(error),
        };
        Ok((next(store.data_mut(), returned)?,))
    })
}

fn next(guest: &mut Guest, returned: Result<Vec<types::Value>, types::Error>) -> wasmtime::Result<Option<types::Call>> {
    let Some(InLine { line, function: former, num_returns }) = guest.line.take() else {
        return Err(wasmtime::Error::msg("`line.next` was called in no call of `line-guest`"));
    };
    let mut answer = match returned {
        Ok(returned) => guest.take_returned(&former, returned, num_returns)?,
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
                // Lowering a list calls the guest's allocator, an empty one too.
                let give = |arg: &Arc<_>| guest.give(arg);
                let args =
                    if args.is_empty() { None } else { Some(args.iter().map(give).collect::<wasmtime::Result<_>>()?) };
                let is_other = function != former;
                let said = is_other.then(|| Arc::clone(&function));
                guest.line = Some(InLine { line, function, num_returns });
                return Ok(Some(types::Call { function: said, args, num_returns }));
            }
            // It fails as it would in an entry of its own, and the next one may have room.
            Err(refused) => answer = Err(trap::explain(&refused, guest)),
        }
    }
}
