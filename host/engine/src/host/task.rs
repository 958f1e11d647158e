//! `rayw:core/tasks`.

use rayw_core::{Error, TaskOptions};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};

use crate::host::{answer, give_object, give_objects, take_args, within};
use crate::reference::{Handles, ObjectRef};
use crate::state::Guest;
use crate::{Submitted, types};

type Store<'a> = StoreContextMut<'a, Guest>;

pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut tasks = linker.instance("rayw:core/tasks@0.1.0")?;
    tasks.func_wrap(
        "submit",
        |mut store: Store,
         (function, args, options, place): (String, Vec<types::Arg>, types::TaskOptions, Option<types::GroupPlace>)| {
            let submitted = submit(&mut store, &function, args, options, place)?;
            give_objects(store.data_mut(), submitted)
        },
    )?;
    tasks.func_wrap(
        "submit-one",
        |mut store: Store,
         (function, args, options, place): (
            String,
            Vec<types::Arg>,
            Option<types::TaskOptions>,
            Option<types::GroupPlace>,
        )| {
            let options = types::TaskOptions::with_one_return(options);
            let submitted = submit(&mut store, &function, args, options, place)?;
            give_object(store.data_mut(), submitted)
        },
    )?;
    tasks.func_wrap("cancel", |store: Store, (object, force, recursive): (Resource<ObjectRef>, bool, bool)| {
        let guest = store.data();
        let object = guest.references.object(object.rep())?;
        Ok(answer(guest.services.cancel(&guest.caller, object, force, recursive)))
    })?;
    Ok(())
}

fn submit(
    store: &mut Store<'_>,
    function: &str,
    args: Vec<types::Arg>,
    options: types::TaskOptions,
    place: Option<types::GroupPlace>,
) -> wasmtime::Result<Result<Submitted, Error>> {
    let mut handles = Handles::default();
    let args = take_args(store, args, &mut handles)?;
    let guest = store.data();
    let strategy = within(guest, place)?;
    Ok(match (args, TaskOptions::try_from(options)) {
        (Ok(args), Ok(mut options)) => {
            options.strategy = strategy.or(options.strategy);
            guest.services.submit(&guest.caller, function, args, options)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    })
}
