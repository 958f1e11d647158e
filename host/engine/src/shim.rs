//! The shim of a component, folded into the module that calls through it: a sandbox starts sooner without it.
//!
//! An import that reads or writes memory can only be made when there is a memory, and the module that has the memory
//! wants its imports before it starts. So wit-component, which lays components out, starts a small module first, the
//! *shim*: its functions call what is in a table, and the table is filled when the imports are made.
//!
//! ```text
//! as built   shim ◀── main        main calls "3" of the shim, which calls what is at 3 in its table
//!              ▲────────── fixup   fills the table of the shim
//!
//! folded              main        main calls a function of its own, which calls what is at 3 in its own table
//!                       ▲─ fixup   fills the table of main
//! ```
//!
//! Each task starts an instance of each module, and makes ready each function that one takes from another: without the
//! shim, that is a fifth of what it takes to start a sandbox. What a guest can do stays the same.
//!
//! A component that is laid out in another way stays as it is: one of several modules that call through the shim, such
//! as those with an adapter for the old WASI.

use std::collections::HashMap;

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent};
use wasm_encoder::{ComponentSectionId, RawSection};
use wasmparser::{
    CanonicalFunction, Chunk, ComponentAlias, Encoding, ExternalKind, FuncType, Instance, Parser, Payload, TableType,
};

mod read;
mod stubs;

/// Core instances that one component may have: more are not valid, and each is compared with each here.
const CORE_INSTANCES_MAX: usize = 1_000;

/// A module with nothing in it, which takes the shim's place, so that the others keep their numbers.
const NOTHING: &[u8] = b"\0asm\x01\0\0\0";

/// The same component without its shim; `None` when it has none, or one that must stay.
pub(crate) fn fold(component: &[u8]) -> Option<Vec<u8>> {
    let layout = Layout::of(component).ok()?;
    let mut folding = (0..layout.instances.len()).find_map(|shim| Folding::of(&layout, shim))?;
    let mut folded = wasm_encoder::Component::new();
    folding.parse_component(&mut folded, Parser::new(0), component).ok()?;
    Some(folded.finish())
}

/// A shim, as wit-component makes it.
struct Shim<'a> {
    /// By its name, what each function calls: a place in the table, and the type of what is there.
    functions: HashMap<&'a str, (u32, FuncType)>,
    table_name: &'a str,
    table: TableType,
}

/// The core modules of a component, and what is made of them.
#[derive(Default)]
struct Layout<'a> {
    modules: Vec<&'a [u8]>,
    instances: Vec<CoreInstance<'a>>,
    /// The core functions; for one that an instance exports, which and by what name.
    functions: Vec<Option<Export<'a>>>,
    /// Tables that instances export, and how many instances there were when they were asked for.
    tables: Vec<(Export<'a>, usize)>,
}

/// What an instance exports under a name.
#[derive(Clone, Copy)]
struct Export<'a> {
    instance: usize,
    name: &'a str,
}

/// A core instance.
enum CoreInstance<'a> {
    /// Of a module, with other instances for what it imports.
    Started { module: usize, args: Vec<(&'a str, usize)> },
    /// A bundle of what is there; only its functions matter.
    Bundle(Vec<(&'a str, usize)>),
}

impl<'a> Layout<'a> {
    fn of(component: &'a [u8]) -> wasmparser::Result<Self> {
        let mut layout = Self::default();
        let (mut parser, mut rest) = (Parser::new(0), component);
        loop {
            // All of it is here.
            let Chunk::Parsed { consumed, payload } = parser.parse(rest, true)? else { return Ok(Self::default()) };
            rest = &rest[consumed..];
            match payload {
                Payload::Version { encoding: Encoding::Module, .. } | Payload::End(_) => return Ok(layout),
                Payload::ModuleSection { unchecked_range, .. } => {
                    let Some((module, behind)) = rest.split_at_checked(unchecked_range.len()) else {
                        return Ok(Self::default());
                    };
                    layout.modules.push(module);
                    rest = behind;
                }
                Payload::ComponentSection { unchecked_range, .. } => {
                    let Some((_, behind)) = rest.split_at_checked(unchecked_range.len()) else {
                        return Ok(Self::default());
                    };
                    rest = behind;
                }
                Payload::InstanceSection(section) => {
                    for instance in section {
                        layout.instances.push(CoreInstance::of(instance?));
                        if layout.instances.len() > CORE_INSTANCES_MAX {
                            return Ok(Self::default());
                        }
                    }
                }
                Payload::ComponentAliasSection(section) => {
                    for alias in section {
                        layout.alias(alias?);
                    }
                }
                Payload::ComponentCanonicalSection(section) => {
                    for function in section {
                        if !matches!(function?, CanonicalFunction::Lift { .. }) {
                            layout.functions.push(None);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) {
        let ComponentAlias::CoreInstanceExport { kind, instance_index, name } = alias else { return };
        let export = Export { instance: instance_index as usize, name };
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => self.functions.push(Some(export)),
            ExternalKind::Table => self.tables.push((export, self.instances.len())),
            ExternalKind::Memory | ExternalKind::Global | ExternalKind::Tag => {}
        }
    }

    /// The name that an instance exports a function by, if it is that instance's.
    fn name_in(&self, instance: usize, function: usize) -> Option<&'a str> {
        let export = self.functions.get(function).copied().flatten()?;
        (export.instance == instance).then_some(export.name)
    }

    /// The only instance of that module.
    fn is_started_once(&self, module: usize) -> bool {
        let is_of =
            |instance: &&CoreInstance| matches!(instance, CoreInstance::Started { module: of, .. } if *of == module);
        self.instances.iter().filter(is_of).count() == 1
    }

    /// What an instance with these arguments imports of that one: module and name of each import, and its name there.
    fn taken(&self, args: &[(&'a str, usize)], of: usize) -> Vec<((&'a str, &'a str), &'a str)> {
        let bundles = args.iter().filter_map(|(from, arg)| match self.instances.get(*arg)? {
            CoreInstance::Bundle(functions) => Some((*from, functions)),
            CoreInstance::Started { .. } => None,
        });
        let imports = bundles.flat_map(|(from, functions)| functions.iter().map(move |import| (from, import)));
        imports.filter_map(|(from, (name, function))| Some(((from, *name), self.name_in(of, *function)?))).collect()
    }
}

impl<'a> CoreInstance<'a> {
    fn of(instance: Instance<'a>) -> Self {
        match instance {
            Instance::Instantiate { module_index, args } => {
                let args = args.iter().map(|arg| (arg.name, arg.index as usize)).collect();
                Self::Started { module: module_index as usize, args }
            }
            Instance::FromExports(exports) => {
                let functions = exports.iter().filter(|export| export.kind == ExternalKind::Func);
                Self::Bundle(functions.map(|export| (export.name, export.index as usize)).collect())
            }
        }
    }
}

/// How a component changes.
struct Folding {
    /// The instance of the shim.
    shim: usize,
    /// The instance of the module that calls through it, and which comes in its place.
    main: u32,
    /// Modules that change.
    modules: HashMap<usize, Vec<u8>>,
    /// The new number of each core function; those of the shim have none.
    functions: Vec<Option<u32>>,
    modules_seen: usize,
    instances_seen: usize,
}

/// Something of the shim is used for what only the shim can do.
#[derive(Debug)]
struct MustStay;

impl Folding {
    /// Without that instance, when it is a shim that can go.
    fn of(layout: &Layout<'_>, shim: usize) -> Option<Self> {
        let CoreInstance::Started { module: shim_module, args } = &layout.instances[shim] else { return None };
        let read = args.is_empty().then(|| read::shim(layout.modules.get(*shim_module)?)).flatten()?;
        let users = layout.instances.iter().enumerate().filter_map(|(index, instance)| match instance {
            CoreInstance::Started { module, args } => Some((index, *module, layout.taken(args, shim))),
            CoreInstance::Bundle(_) => None,
        });
        let mut users = users.filter(|(_, _, taken)| !taken.is_empty());
        let (main, module, taken) = users.next()?;
        if users.next().is_some() || !layout.is_started_once(*shim_module) || !layout.is_started_once(module) {
            return None;
        }
        // The table comes from the other module now, so that one must have started.
        let can_come_from_main = |(table, instances): &(Export, usize)| {
            table.instance != shim || (table.name == read.table_name && *instances > main)
        };
        let is_there = |export: &Export| export.instance != shim || read.functions.contains_key(export.name);
        if !layout.tables.iter().all(can_come_from_main) || !layout.functions.iter().flatten().all(is_there) {
            return None;
        }
        let places = taken.into_iter().map(|(import, in_shim)| Some((import, read.functions.get(in_shim)?)));
        let places = places.collect::<Option<_>>()?;
        let folded = stubs::with_stubs(layout.modules.get(module)?, &places, read.table_name, read.table)?;
        let modules = HashMap::from([(*shim_module, NOTHING.to_vec()), (module, folded)]);
        let mut kept = 0..;
        let functions = (0..layout.functions.len())
            .map(|function| if layout.name_in(shim, function).is_some() { None } else { kept.next() })
            .collect();
        let main = u32::try_from(main).ok()?;
        Some(Self { shim, main, modules, functions, modules_seen: 0, instances_seen: 0 })
    }
}

type Folded = Result<(), reencode::Error<MustStay>>;

impl Reencode for Folding {
    type Error = MustStay;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error<MustStay>> {
        self.functions.get(function as usize).copied().flatten().ok_or(reencode::Error::UserError(MustStay))
    }
}

impl ReencodeComponent for Folding {
    fn parse_component_submodule(
        &mut self,
        component: &mut wasm_encoder::Component,
        _: Parser,
        module: &[u8],
    ) -> Folded {
        let data = self.modules.get(&self.modules_seen).map_or(module, Vec::as_slice);
        self.modules_seen += 1;
        component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data });
        Ok(())
    }

    fn parse_component_subcomponent(
        &mut self,
        component: &mut wasm_encoder::Component,
        _: Parser,
        data: &[u8],
        _: &[u8],
    ) -> Folded {
        // It has functions of its own.
        component.section(&RawSection { id: ComponentSectionId::Component.into(), data });
        Ok(())
    }

    fn parse_component_custom_section(
        &mut self,
        component: &mut wasm_encoder::Component,
        section: wasmparser::CustomSectionReader<'_>,
    ) -> Folded {
        // Names of what has other numbers now; nobody reads them.
        if section.name() != "component-name" {
            component.section(&self.custom_section(section)?);
        }
        Ok(())
    }

    fn parse_component_alias_section(
        &mut self,
        aliases: &mut wasm_encoder::ComponentAliasSection,
        section: wasmparser::ComponentAliasSectionReader<'_>,
    ) -> Folded {
        for alias in section {
            let mut alias = alias?;
            if let ComponentAlias::CoreInstanceExport { kind, instance_index, .. } = &mut alias
                && *instance_index as usize == self.shim
            {
                match kind {
                    ExternalKind::Func | ExternalKind::FuncExact => continue,
                    ExternalKind::Table => *instance_index = self.main,
                    ExternalKind::Memory | ExternalKind::Global | ExternalKind::Tag => {}
                }
            }
            aliases.alias(self.component_alias(alias)?);
        }
        Ok(())
    }

    fn parse_instance(&mut self, instances: &mut wasm_encoder::InstanceSection, instance: Instance<'_>) -> Folded {
        let is_shim = self.instances_seen == self.shim;
        self.instances_seen += 1;
        let kept = match instance {
            _ if is_shim => Instance::FromExports(Box::default()),
            Instance::FromExports(exports) => {
                let is_of_shim = |export: &wasmparser::Export| {
                    export.kind == ExternalKind::Func && self.functions.get(export.index as usize) == Some(&None)
                };
                Instance::FromExports(exports.iter().copied().filter(|export| !is_of_shim(export)).collect())
            }
            started @ Instance::Instantiate { .. } => started,
        };
        reencode::component_utils::parse_instance(self, instances, kept)
    }
}

#[cfg(test)]
mod tests;
