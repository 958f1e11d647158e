//! A module with the functions of a shim in it, instead of imports of them.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{CodeSection, ExportKind, ExportSection, Function, FunctionSection, ImportSection, TableSection};
use wasmparser::{FuncType, Import, Parser, Payload, TableType, TypeRef};

use crate::config::TABLES_PER_MODULE_MAX;

/// By module and name: the place in the table of what an import calls, and its type.
type Places<'a> = HashMap<(&'a str, &'a str), &'a (u32, FuncType)>;

/// The same module, which makes the calls of those imports itself, through a table of its own that it exports by this
/// name. `None` where that cannot be.
pub(super) fn with_stubs(module: &[u8], places: &Places<'_>, table_name: &str, table: TableType) -> Option<Vec<u8>> {
    let mut stubs = Stubs::read(module, places, table_name, table)?;
    let mut folded = wasm_encoder::Module::new();
    stubs.parse_core_module(&mut folded, Parser::new(0), module).ok()?;
    Some(folded.finish())
}

/// A function instead of an import.
struct Stub {
    /// The number of its type in the module.
    of_type: u32,
    params: u32,
    /// What it calls.
    place: u32,
}

/// How the module changes.
struct Stubs<'a> {
    places: &'a Places<'a>,
    stubs: Vec<Stub>,
    /// New numbers of what was imported: the imports that stay, then the stubs. All other functions keep theirs.
    imported: Vec<u32>,
    /// The number of the new table: the last one.
    table_index: u32,
    table_name: &'a str,
    table: TableType,
}

impl<'a> Stubs<'a> {
    fn read(module: &[u8], places: &'a Places<'a>, table_name: &'a str, table: TableType) -> Option<Self> {
        let mut types: Vec<FuncType> = Vec::new();
        let (mut stubs, mut is_stub, mut tables) = (Vec::new(), Vec::new(), 0);
        let mut sections = HashSet::new();
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload.ok()?;
            sections.extend(payload.as_section().map(|(id, _)| id));
            match payload {
                Payload::TypeSection(section) => {
                    types = section.into_iter_err_on_gc_types().collect::<Result<_, _>>().ok()?;
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.ok()?;
                        let place = places.get(&(import.module, import.name));
                        match (import.ty, place) {
                            (TypeRef::Func(of_type), Some((place, of))) => {
                                (types.get(of_type as usize)? == of).then_some(())?;
                                let params = u32::try_from(of.params().len()).ok()?;
                                stubs.push(Stub { of_type, params, place: *place });
                                is_stub.push(true);
                            }
                            (_, Some(_)) | (TypeRef::FuncExact(_), None) => return None,
                            (TypeRef::Func(_), None) => is_stub.push(false),
                            (TypeRef::Table(_), None) => tables += 1,
                            (TypeRef::Memory(_) | TypeRef::Global(_) | TypeRef::Tag(_), None) => {}
                        }
                    }
                }
                Payload::TableSection(section) => tables += section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        (export.ok()?.name != table_name).then_some(())?;
                    }
                }
                // What is said of places in the code would not hold any more.
                Payload::CustomSection(section) if section.name().starts_with(".debug_") => return None,
                _ => {}
            }
        }
        // Each of them gets something more.
        use wasm_encoder::SectionId::{Code, Export, Function, Table};
        let has_all = [Function, Table, Export, Code].into_iter().all(|id| sections.contains(&u8::from(id)));
        if stubs.is_empty() || !has_all || tables >= TABLES_PER_MODULE_MAX {
            return None;
        }
        let (mut kept, mut made) = (0.., u32::try_from(is_stub.len() - stubs.len()).ok()?..);
        let imported = is_stub.iter().map(|is_stub| if *is_stub { made.next() } else { kept.next() });
        let imported = imported.collect::<Option<_>>()?;
        Some(Self { places, stubs, imported, table_index: tables, table_name, table })
    }
}

type Folded = Result<(), reencode::Error>;

impl Reencode for Stubs<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        Ok(self.imported.get(function as usize).copied().unwrap_or(function))
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Folded {
        for import in section.into_imports() {
            let import: Import<'_> = import?;
            if !self.places.contains_key(&(import.module, import.name)) {
                self.parse_import(imports, import)?;
            }
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Folded {
        for stub in &self.stubs {
            functions.function(stub.of_type);
        }
        utils::parse_function_section(self, functions, section)
    }

    fn parse_table_section(
        &mut self,
        tables: &mut TableSection,
        section: wasmparser::TableSectionReader<'_>,
    ) -> Folded {
        utils::parse_table_section(self, tables, section)?;
        tables.table(self.table_type(self.table)?);
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Folded {
        utils::parse_export_section(self, exports, section)?;
        exports.export(self.table_name, ExportKind::Table, self.table_index);
        Ok(())
    }

    fn parse_code_section(&mut self, code: &mut CodeSection, section: wasmparser::CodeSectionReader<'_>) -> Folded {
        for Stub { of_type, params, place } in &self.stubs {
            let mut function = Function::new([]);
            let mut body = function.instructions();
            for param in 0..*params {
                body.local_get(param);
            }
            body.i32_const(place.cast_signed()).call_indirect(self.table_index, *of_type).end();
            code.function(&function);
        }
        utils::parse_code_section(self, code, section)
    }
}
