//! Reads a shim; whatever else a module may be is none.

use std::collections::HashMap;

use wasmparser::{ExternalKind, FuncType, FunctionBody, Operator, Parser, Payload, RefType, TableInit, TableType};

use super::Shim;

/// The shim that this module is, if nothing is in it but a table and functions that call what is there.
pub(super) fn shim(module: &[u8]) -> Option<Shim<'_>> {
    let mut types: Vec<FuncType> = Vec::new();
    let mut functions: Vec<u32> = Vec::new();
    let mut places: Vec<u32> = Vec::new();
    let mut tables: Vec<TableType> = Vec::new();
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::TypeSection(section) => {
                types = section.into_iter_err_on_gc_types().collect::<Result<_, _>>().ok()?;
            }
            Payload::FunctionSection(section) => functions = section.into_iter().collect::<Result<_, _>>().ok()?,
            Payload::TableSection(section) => {
                for table in section {
                    let table = table.ok()?;
                    matches!(table.init, TableInit::RefNull).then_some(())?;
                    tables.push(table.ty);
                }
            }
            Payload::ExportSection(section) => exports = section.into_iter().collect::<Result<_, _>>().ok()?,
            Payload::CodeSectionEntry(body) => {
                let function = *functions.get(places.len())?;
                places.push(place(&body, function, types.get(function as usize)?)?);
            }
            Payload::Version { .. }
            | Payload::CodeSectionStart { .. }
            | Payload::CustomSection(_)
            | Payload::End(_) => {}
            _ => return None,
        }
    }
    let [table] = tables[..] else { return None };
    let is_plain = table.element_type == RefType::FUNCREF && !table.table64 && !table.shared;
    if !is_plain || table.maximum != Some(table.initial) || places.len() != functions.len() {
        return None;
    }
    let mut shim = Shim { functions: HashMap::new(), table_name: "", table };
    for export in exports {
        match export.kind {
            ExternalKind::Func => {
                let index = export.index as usize;
                let function = types.get(*functions.get(index)? as usize)?;
                shim.functions.insert(export.name, (*places.get(index)?, function.clone()));
            }
            ExternalKind::Table if export.index == 0 && shim.table_name.is_empty() => shim.table_name = export.name,
            _ => return None,
        }
    }
    (!shim.table_name.is_empty()).then_some(shim)
}

/// The place in the table that a function passes all that it is given to.
fn place(body: &FunctionBody<'_>, function: u32, of: &FuncType) -> Option<u32> {
    if body.get_locals_reader().ok()?.get_count() > 0 {
        return None;
    }
    let mut operators = body.get_operators_reader().ok()?.into_iter();
    let mut next = || operators.next()?.ok();
    for (index, _) in (0..).zip(of.params()) {
        matches!(next()?, Operator::LocalGet { local_index } if local_index == index).then_some(())?;
    }
    let Operator::I32Const { value } = next()? else { return None };
    let calls = next()?;
    matches!(calls, Operator::CallIndirect { type_index, table_index: 0 } if type_index == function).then_some(())?;
    (matches!(next()?, Operator::End) && next().is_none()).then_some(())?;
    u32::try_from(value).ok()
}
