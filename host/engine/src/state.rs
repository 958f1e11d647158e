//! What the host keeps for one store.

use std::sync::{Arc, Mutex, PoisonError};

use rayw_core::{Error, ErrorKind, RefId, Value, limits};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::clocks::WasiClocksCtxView;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::limit::MemoryLimit;
use crate::output::{Printer, SharedPrinter};
use crate::reference::{Handles, References};
use crate::{Caller, Grants, Line, Returned, Sandbox, Services, reference, sandbox, types};

/// Handles that one store may hold: one for each task that may be unfinished, and several values full of references.
pub(crate) const HANDLES_MAX: usize = limits::TASKS_MAX + 500_000;

/// Files, streams and waits of WASI that one store may have open: more than a program opens that closes what it has
/// read, and few enough that a thousand who never do leave the node the memory for its work.
pub(crate) const WASI_HANDLES_MAX: usize = 4_096;

/// References in all values that are read in one call: looking whether they are to objects takes 50 ms then.
const READ_REFS_MAX: usize = 50_000_000;

/// The data of every store: one concrete type, so that one linker serves all components.
pub(crate) struct Guest {
    pub(crate) services: Arc<dyn Services>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) references: References,
    pub(crate) memory: MemoryLimit,
    /// The guest's own words before it trapped.
    pub(crate) panic: Option<Panic>,
    /// The actor wants to end when its call returns.
    pub(crate) exit_requested: bool,
    grants: Arc<Grants>,
    args: Vec<String>,
    /// The call that runs, where others may follow it in the same entry.
    pub(crate) line: Option<InLine>,
    /// Whether somebody else tells the node what it did.
    pub(crate) is_told: bool,
    /// Made when the guest first asks for something of WASI: most tasks never do.
    wasi: Option<Box<Wasi>>,
}

/// A panic as the guest told it.
#[derive(Debug, Clone)]
pub(crate) struct Panic {
    pub(crate) message: String,
    pub(crate) location: Option<String>,
}

/// A call that others may follow.
pub(crate) struct InLine {
    pub(crate) line: Arc<dyn Line>,
    pub(crate) function: Arc<str>,
    pub(crate) num_returns: u32,
}

struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    printer: SharedPrinter,
}

impl Guest {
    pub(crate) fn new(services: Arc<dyn Services>, caller: Arc<Caller>, sandbox: &Sandbox) -> Result<Self, Error> {
        let mut guest = Self {
            references: References::default(),
            services,
            caller,
            memory: MemoryLimit::new(sandbox.memory_bytes_max),
            panic: None,
            exit_requested: false,
            grants: Arc::clone(&sandbox.grants),
            args: sandbox.args.clone(),
            line: None,
            is_told: false,
            wasi: None,
        };
        if !sandbox.grants.dirs.is_empty() {
            // Now, because a folder that cannot be opened is an error and later there is nobody to tell.
            guest.wasi = Some(Box::new(guest.new_wasi(&sandbox.grants)?));
        }
        Ok(guest)
    }

    fn new_wasi(&self, grants: &Grants) -> Result<Wasi, Error> {
        let printer = Printer::new(Arc::clone(&self.services), Arc::clone(&self.caller));
        let printer = Arc::new(Mutex::new(printer));
        let context = sandbox::wasi(grants, &self.args, &printer)?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(WASI_HANDLES_MAX);
        Ok(Wasi { context, table, printer })
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, caller: Arc<Caller>) {
        if let Some(wasi) = &self.wasi {
            let mut printer = wasi.printer.lock().unwrap_or_else(PoisonError::into_inner);
            printer.set_caller(Arc::clone(&caller));
        }
        self.caller = caller;
        self.panic = None;
        self.memory.forget();
    }

    /// A call is over: prints the line that has no end, gives back what the guest dropped.
    pub(crate) fn flush(&mut self) {
        self.settle();
        if let Some(wasi) = &self.wasi {
            wasi.printer.lock().unwrap_or_else(PoisonError::into_inner).flush();
        }
    }

    /// Gives back what the guest dropped.
    pub(crate) fn settle(&mut self) {
        let dropped = self.references.dropped();
        // In parts, because the node hears of each part in one turn of its lock.
        for part in dropped.chunks(reference::DROPPED_MAX) {
            self.services.release(&self.caller, part);
        }
        dropped.clear();
    }

    /// The guest is about to do something that may take its time: the node hears of all that it did before.
    pub(crate) fn tell_node(&mut self) {
        self.settle();
        self.services.take_in(&self.caller);
    }

    /// Refuses values that the guest has no room for, before any of it is copied or counted: it may ask for one
    /// object a million times.
    pub(crate) fn admit(&mut self, values: &[Arc<Value>]) -> wasmtime::Result<()> {
        self.admit_with(values, |value| value.refs.len())
    }

    /// The same for values that are given by [`give_reading`](Self::give_reading).
    pub(crate) fn admit_readings(&mut self, values: &[Arc<Value>]) -> wasmtime::Result<()> {
        let looked_through: usize = values.iter().map(|value| value.refs.len()).sum();
        if looked_through > READ_REFS_MAX {
            let message = format!("values with {looked_through} references are read at once, at most {READ_REFS_MAX}");
            return Err(wasmtime::Error::msg(message));
        }
        self.admit_with(values, |value| if is_read_later(value) { 1 } else { value.refs.len() })
    }

    fn admit_with(&mut self, values: &[Arc<Value>], handles: impl Fn(&Value) -> usize) -> wasmtime::Result<()> {
        let bytes = values.iter().map(|value| value.data.len() as u64).sum();
        let refs = self.references.held() + values.iter().map(|value| handles(value)).sum::<usize>();
        if !self.memory.admit(bytes) {
            return Err(wasmtime::Error::msg(format!("values of {bytes} bytes are more than the guest may have")));
        }
        if refs > HANDLES_MAX {
            let message = format!("the guest would hold {refs} references, at most {HANDLES_MAX} are allowed");
            return Err(wasmtime::Error::msg(message));
        }
        Ok(())
    }

    /// Gives a value to the guest, with a reference of its own to all that it contains.
    pub(crate) fn give(&mut self, value: &Value) -> wasmtime::Result<types::Value> {
        if !value.refs.is_empty() {
            self.services.acquire(&self.caller, &value.refs);
        }
        let handles = value.refs.iter().map(|reference| self.give_handle(*reference)).collect::<Result<_, _>>()?;
        Ok(types::Value { codec: value.codec.into(), data: value.data.clone(), handles })
    }

    /// Gives the value of the object of that number to the guest; if it has very many references, only one for all of them.
    pub(crate) fn give_reading(&mut self, object: u32, value: &Arc<Value>) -> wasmtime::Result<types::Reading> {
        if !is_read_later(value) {
            return Ok(types::Reading { value: self.give(value)?, contents: None });
        }
        let object = self.references.object(object)?;
        self.services.acquire(&self.caller, &[RefId::Object(object)]);
        let contents = self.references.push_contents(object, Arc::clone(value))?;
        let value = types::Value { codec: value.codec.into(), data: value.data.clone(), handles: Vec::new() };
        Ok(types::Reading { value, contents: Some(Resource::new_own(contents)) })
    }

    /// Gives several values to the guest, with references of its own to all that they contain.
    pub(crate) fn give_packed(&mut self, values: &[Arc<Value>]) -> wasmtime::Result<types::Packed> {
        let mut data = Vec::with_capacity(values.iter().map(|value| value.data.len()).sum());
        let mut packed = Vec::with_capacity(values.len());
        let mut refs = Vec::new();
        for value in values {
            data.extend_from_slice(&value.data);
            refs.extend_from_slice(&value.refs);
            packed.push(types::PackedValue {
                codec: value.codec.into(),
                data_len: u32::try_from(value.data.len())?,
                handles_len: u32::try_from(value.refs.len())?,
            });
        }
        if !refs.is_empty() {
            self.services.acquire(&self.caller, &refs);
        }
        let handles = refs.into_iter().map(|reference| self.give_handle(reference)).collect::<Result<_, _>>()?;
        Ok(types::Packed { data, handles, values: packed })
    }

    /// Gives the guest handles to some of the objects in a value that it read.
    pub(crate) fn give_contents(
        &mut self,
        number: u32,
        indices: &[u32],
    ) -> wasmtime::Result<Vec<Resource<reference::ObjectRef>>> {
        let all = self.references.contents(number)?;
        if indices.len() > all.len() {
            let message = format!("{} references were asked for, of {} in the value", indices.len(), all.len());
            return Err(wasmtime::Error::msg(message));
        }
        let taken = indices.iter().map(|index| match all.get(*index as usize) {
            Some(reference) => Ok(*reference),
            None => Err(wasmtime::Error::msg(format!("a value of {} references has no number {index}", all.len()))),
        });
        let taken = taken.collect::<wasmtime::Result<Vec<RefId>>>()?;
        self.services.acquire(&self.caller, &taken);
        taken.into_iter().map(|reference| self.references.push(reference).map(Resource::new_own)).collect()
    }

    fn give_handle(&mut self, reference: RefId) -> wasmtime::Result<types::Handle> {
        let number = self.references.push(reference)?;
        Ok(match reference {
            RefId::Object(_) => types::Handle::Object(Resource::new_own(number)),
            RefId::Actor(_) => types::Handle::Actor(Resource::new_own(number)),
            RefId::Group(_) => types::Handle::Group(Resource::new_own(number)),
        })
    }

    /// Takes what a call returned, and with it the guest's references.
    pub(crate) fn take_returned(
        &mut self,
        function: &str,
        returned: Vec<types::Value>,
        num_returns: u32,
    ) -> wasmtime::Result<Result<Returned, Error>> {
        let mut handles = Handles::default();
        let mut values = Vec::with_capacity(returned.len());
        for value in returned {
            match self.take(value, &mut handles)? {
                Ok(value) => values.push(value),
                Err(error) => return Ok(Err(error)),
            }
        }
        if values.len() != num_returns as usize {
            let message = format!("`{function}` returned {} values, its `num_returns` is {num_returns}", values.len());
            return Ok(Err(Error::new(ErrorKind::InvalidArgument, message)));
        }
        Ok(Ok(Returned { values, handles }))
    }

    /// Takes a value from the guest. Its references go to `handles`, even when it is refused.
    pub(crate) fn take(
        &mut self,
        value: types::Value,
        handles: &mut Handles,
    ) -> wasmtime::Result<Result<Value, Error>> {
        let mut refs = Vec::with_capacity(value.handles.len());
        for handle in value.handles {
            let number = match handle {
                types::Handle::Object(object) => object.rep(),
                types::Handle::Actor(actor) => actor.rep(),
                types::Handle::Group(group) => group.rep(),
            };
            let reference = self.references.take(number)?;
            handles.push(reference, &self.services, &self.caller);
            refs.push(reference);
        }
        let value = Value { codec: value.codec.into(), data: value.data, refs };
        Ok(within_limits(&value).map(|()| value))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.flush();
        self.references.drop_all();
        if self.is_told {
            self.settle();
        } else {
            self.tell_node();
        }
    }
}

/// Whether a guest gets the references of a value when it takes them. The value keeps them alive until then, so it
/// has to be one that its owner keeps as it is: what is in stores may be lost and made again, with other references.
/// Where an owner has no room for small values any more, even such a one may be, and then a reference that nobody has
/// taken yet is found to be lost.
fn is_read_later(value: &Value) -> bool {
    value.refs.len() >= limits::CONTENTS_MIN
        && value.data.len() <= limits::INLINE_BYTES_MAX
        && value.refs.iter().all(|reference| matches!(reference, RefId::Object(_)))
}

fn within_limits(value: &Value) -> Result<(), Error> {
    let too_much = |is: usize, most: usize, of: &str| {
        let message = format!("a value of {is} {of} is more than the {most} that one value may have: split it");
        Err(Error::new(ErrorKind::LimitExceeded, message))
    };
    if value.data.len() > limits::VALUE_BYTES_MAX {
        return too_much(value.data.len(), limits::VALUE_BYTES_MAX, "bytes");
    }
    if value.refs.len() > limits::VALUE_REFS_MAX {
        return too_much(value.refs.len(), limits::VALUE_REFS_MAX, "references");
    }
    Ok(())
}

impl Guest {
    /// What a look at a clock needs: unlike the rest of WASI it never takes its time, so that nobody need hear first of
    /// what the guest did before. Who measures batches looks at one after each.
    pub(crate) fn clock(&mut self) -> WasiClocksCtxView<'_> {
        let WasiCtxView { ctx, table } = self.wasi();
        WasiClocksCtxView { ctx: ctx.clocks(), table }
    }

    fn wasi(&mut self) -> WasiCtxView<'_> {
        if self.wasi.is_none() {
            // Without folders nothing of it can fail; with folders it was made at the start.
            let grants = Grants { dirs: Vec::new(), env: self.grants.env.clone() };
            self.wasi = self.new_wasi(&grants).ok().map(Box::new);
        }
        let wasi = self.wasi.as_mut().expect("a context without folders can always be made");
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // Whatever is asked of WASI may take its time.
        self.tell_node();
        self.wasi()
    }
}
