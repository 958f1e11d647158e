//! A bare core module as typed tasks: its exported functions over numbers get
//! names that WIT allows, and a world that lists them.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rayw_core::Error;
use wasm_encoder::{ExportKind, ExportSection, RawSection, SectionId};
use wasmparser::{ExternalKind, FuncType, Parser, Payload};

use super::{embed, invalid, wit_type, world};

/// The module with a world of its own.
pub(super) fn with_world(bytes: &[u8], exports: &[(&str, Rc<FuncType>)], origin: &str) -> Result<Vec<u8>, Error> {
    let mut used = HashSet::new();
    let mut names: HashMap<&str, String> = HashMap::new();
    let mut functions = Vec::new();
    for (name, function) in exports {
        if let Some(kebab) = kebab(name)
            && is_numeric(function)
            && used.insert(kebab.clone())
        {
            names.insert(name, kebab.clone());
            functions.push((kebab, &**function));
        }
    }
    if functions.is_empty() {
        return Err(invalid(format!(
            "`{origin}` is a core module without a function that could be a task: rayw takes exported functions with \
             i32, i64, f32 and f64 parameters and at most one result, WASI programs with `_start`, and components; \
             build one with `rayw build`"
        )));
    }
    let failed = |error: Box<dyn std::error::Error>| {
        invalid(format!("`{origin}` is a core module whose functions cannot be tasks")).caused_by(error)
    };
    let text = world(&functions).map_err(|why| failed(why.into()))?;
    let mut module = rename(bytes, &names).map_err(|error| failed(error.into()))?;
    embed(&mut module, &text).map_err(failed)?;
    Ok(module)
}

fn is_numeric(function: &FuncType) -> bool {
    function.results().len() <= 1
        && function.params().iter().chain(function.results()).all(|value| wit_type(*value).is_some())
}

/// `fibSum_2` → `fib-sum2`; nothing for what tools export beside the user's functions.
fn kebab(name: &str) -> Option<String> {
    if name.starts_with('_') || name.starts_with("cabi_") || !name.is_ascii() {
        return None;
    }
    let mut kebab = String::new();
    let mut starts_word = true;
    let mut last_is_lower = false;
    for letter in name.chars() {
        if !letter.is_ascii_alphanumeric() {
            starts_word = true;
            continue;
        }
        let is_hump = letter.is_ascii_uppercase() && last_is_lower;
        // A word starts with a letter, so a digit joins the word before it.
        if (starts_word || is_hump) && !kebab.is_empty() && letter.is_ascii_alphabetic() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
        starts_word = false;
        last_is_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    kebab.starts_with(|first: char| first.is_ascii_alphabetic()).then_some(kebab)
}

/// The same module with other names for its exported functions. All sections but one are copied.
fn rename(bytes: &[u8], names: &HashMap<&str, String>) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let Payload::ExportSection(section) = payload {
            let mut exports = ExportSection::new();
            for export in section {
                let export = export?;
                let kind = match export.kind {
                    ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
                    ExternalKind::Memory => ExportKind::Memory,
                    // The encoder has no use for the rest.
                    _ => continue,
                };
                let new_name = names.get(export.name).map(String::as_str);
                let is_function = kind == ExportKind::Func;
                let name = match new_name {
                    Some(name) if is_function => name,
                    _ if is_function && !is_expected(export.name) => continue,
                    _ => export.name,
                };
                exports.export(name, kind, export.index);
            }
            module.section(&exports);
        } else if let Some((id, range)) = payload.as_section() {
            debug_assert_ne!(id, SectionId::Export as u8);
            module.section(&RawSection { id, data: &bytes[range] });
        }
    }
    Ok(module.finish())
}

/// Functions that the encoder looks for itself.
fn is_expected(name: &str) -> bool {
    matches!(name, "_initialize" | "cabi_realloc")
}

#[cfg(test)]
mod tests {
    use super::kebab;

    #[test]
    fn names_become_words_between_hyphens() {
        let cases = [("fib", "fib"), ("my_func", "my-func"), ("fibSum", "fib-sum"), ("mul_2", "mul2"), ("ADD", "add")];
        for (name, expected) in cases {
            assert_eq!(kebab(name).as_deref(), Some(expected));
        }
        assert_eq!(kebab("_start"), None);
        assert_eq!(kebab("2x"), None);
    }
}
