//! What of a component can be called, found once and looked up by index from then on.

use rayw_core::{Error, ErrorKind};
use wasmtime::component::types::{Component as ComponentType, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use crate::text::shown;
use crate::typed::TypedFunction;

/// The interface of the guest contract.
const GUEST: &str = "rayw:core/guest";

/// The version of the contract that this rayw speaks.
const VERSION: &str = "0.1.0";

/// What an error lists of imports that are missing and of functions that cannot be tasks: a file may have a million.
const LISTED_MAX: usize = 10;

/// Bytes of a name that an error shows.
const NAME_BYTES_SHOWN: usize = 256;

/// The functions of `rayw:core/guest`.
pub(crate) struct GuestExports {
    pub(crate) describe: ComponentExportIndex,
    pub(crate) invoke: ComponentExportIndex,
    pub(crate) construct: ComponentExportIndex,
    pub(crate) call: ComponentExportIndex,
}

/// The functions of `rayw:core/durable`.
pub(crate) struct DurableExports {
    pub(crate) checkpoint: ComponentExportIndex,
    pub(crate) restore: ComponentExportIndex,
}

/// The functions of `rayw:core/line-guest`.
pub(crate) struct LineExports {
    pub(crate) invoke: ComponentExportIndex,
    pub(crate) call: ComponentExportIndex,
}

/// What a component exports.
pub(crate) struct Exports {
    /// Our contract, where the component keeps it.
    pub(crate) guest: Option<GuestExports>,
    /// How its actors are written down, where they can be.
    pub(crate) durable: Option<DurableExports>,
    /// How it takes one call after another, where it can.
    pub(crate) line: Option<LineExports>,
    /// `wasi:cli/run`.
    pub(crate) run: Option<ComponentExportIndex>,
    /// Where there is no `guest`: the functions that can be tasks.
    pub(crate) typed: Vec<TypedFunction>,
}

impl Exports {
    /// Looks at a component whose imports are resolved.
    pub(crate) fn of(component: &Component, component_type: &ComponentType, origin: &str) -> Result<Self, Error> {
        let engine = component.engine();
        let mut exports = Self { guest: None, durable: None, line: None, run: None, typed: Vec::new() };
        let mut refused = Vec::new();
        let mut refuse = |why: String| {
            if refused.len() < LISTED_MAX {
                refused.push(why);
            }
        };
        for (name, item) in component_type.exports(engine) {
            match item.ty {
                ComponentItem::ComponentInstance(_) if name.starts_with("rayw:core/guest@") || name == GUEST => {
                    exports.guest = Some(guest(component, name, origin)?);
                }
                ComponentItem::ComponentInstance(_) if name.starts_with("rayw:core/durable@0.1.") => {
                    exports.durable = durable(component, name);
                }
                ComponentItem::ComponentInstance(_) if name.starts_with("rayw:core/line-guest@0.1.") => {
                    exports.line = line(component, name);
                }
                ComponentItem::ComponentInstance(_) if name.starts_with("wasi:cli/run@0.2.") => {
                    exports.run = find(component, name, "run");
                }
                // Other exports of WASI are for other hosts.
                ComponentItem::ComponentInstance(_) if name.starts_with("wasi:") => {}
                ComponentItem::ComponentInstance(instance) => {
                    let interface = name.split('@').next().unwrap_or(name);
                    for (function, item) in instance.exports(engine) {
                        if let (ComponentItem::ComponentFunc(ty), Some(index)) =
                            (item.ty, find(component, name, function))
                        {
                            let name = format!("{interface}.{function}");
                            TypedFunction::new(name, index, &ty)
                                .map_or_else(&mut refuse, |typed| exports.typed.push(typed));
                        }
                    }
                }
                ComponentItem::ComponentFunc(ty) => {
                    if let Some(index) = component.get_export_index(None, name) {
                        let name = name.to_owned();
                        TypedFunction::new(name, index, &ty)
                            .map_or_else(&mut refuse, |typed| exports.typed.push(typed));
                    }
                }
                _ => {}
            }
        }
        if exports.guest.is_some() {
            exports.typed.clear();
        } else {
            exports.line = None;
        }
        exports.check(&refused, origin)?;
        Ok(exports)
    }

    fn check(&self, refused: &[String], origin: &str) -> Result<(), Error> {
        if self.guest.is_some() || self.run.is_some() || !self.typed.is_empty() {
            return Ok(());
        }
        let message = format!(
            "`{origin}` exports nothing that could run: neither `{GUEST}`, nor `wasi:cli/run`, nor a function over plain \
             values; write tasks with the `rayw` crate and build with `rayw build`"
        );
        let error = Error::new(ErrorKind::InvalidArgument, message);
        Err(refused.iter().fold(error, |error, why| error.caused_by(why)))
    }
}

fn find(component: &Component, interface: &str, function: &str) -> Option<ComponentExportIndex> {
    let interface = component.get_export_index(None, interface)?;
    component.get_export_index(Some(&interface), function)
}

fn durable(component: &Component, name: &str) -> Option<DurableExports> {
    let checkpoint = find(component, name, "checkpoint")?;
    let restore = find(component, name, "restore")?;
    Some(DurableExports { checkpoint, restore })
}

fn line(component: &Component, name: &str) -> Option<LineExports> {
    let invoke = find(component, name, "invoke")?;
    let call = find(component, name, "call")?;
    Some(LineExports { invoke, call })
}

fn guest(component: &Component, name: &str, origin: &str) -> Result<GuestExports, Error> {
    let version = name.split_once('@').map_or("", |(_, version)| version);
    let is_ours = version == VERSION || version.starts_with("0.1.");
    let exports = || {
        Some(GuestExports {
            describe: find(component, name, "describe")?,
            invoke: find(component, name, "invoke")?,
            construct: find(component, name, "construct")?,
            call: find(component, name, "call")?,
        })
    };
    match exports() {
        Some(exports) if is_ours => Ok(exports),
        _ => Err(other_contract(origin, name)),
    }
}

/// The component was built against another version of the contract.
pub(crate) fn other_contract(origin: &str, name: &str) -> Error {
    let said = shown(name, NAME_BYTES_SHOWN);
    let message = format!(
        "`{origin}` has `{said}`, and this rayw speaks `rayw:core@{VERSION}`: build it again with version 0.1 of the \
         `rayw` crate"
    );
    Error::new(ErrorKind::InvalidArgument, message)
}

/// What is missing when a component cannot be linked.
pub(crate) fn unlinkable(component: &Component, origin: &str, cause: &wasmtime::Error) -> Error {
    const OFFERED: &[&str] = &["types", "objects", "tasks", "actors", "groups", "context", "line"];
    const WASI: &[&str] = &["cli", "clocks", "filesystem", "io", "random", "sockets"];
    let is_offered = |name: &str| {
        let (path, version) = name.split_once('@').unwrap_or((name, ""));
        let (package, interface) = path.split_once('/').unwrap_or((path, ""));
        let is_ours = package == "rayw:core" && version.starts_with("0.1.") && OFFERED.contains(&interface);
        let is_wasi = package.strip_prefix("wasi:").is_some_and(|of| WASI.contains(&of)) && version.starts_with("0.2.");
        is_ours || is_wasi
    };
    let engine = component.engine();
    let component_type = component.component_type();
    let imports: Vec<&str> = component_type.imports(engine).map(|(name, _)| name).collect();
    let missing: Vec<&str> = imports.iter().copied().filter(|name| !is_offered(name)).collect();
    if let Some(other) = missing.iter().find(|name| name.starts_with("rayw:core/")) {
        return other_contract(origin, other);
    }
    let offer =
        format!("rayw offers `rayw:core@{VERSION}` ({}) and WASI 0.2 ({})", OFFERED.join(", "), WASI.join(", "));
    let message = if missing.is_empty() {
        format!("`{origin}` imports something in a shape that rayw does not offer; {offer}")
    } else {
        let listed = missing.iter().take(LISTED_MAX).map(|name| format!("`{}`", shown(name, NAME_BYTES_SHOWN)));
        let names = listed.collect::<Vec<String>>().join(", ");
        let others = match missing.len().saturating_sub(LISTED_MAX) {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        format!("`{origin}` imports {names}{others}, which rayw does not offer; {offer}")
    };
    Error::new(ErrorKind::InvalidArgument, message).caused_by(format!("{cause:#}"))
}
