//! From a file to a component: text or binary, component or core module.

use std::borrow::Cow;
use std::rc::Rc;

use rayw_core::{Error, ErrorKind, limits};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};
use wit_component::{ComponentEncoder, StringEncoding};

mod nesting;
mod rename;

/// What `rayw` runs, for whoever brought something else.
const HINT: &str = "rayw runs WebAssembly components: build one with `rayw build`";

/// Functions that a core module may export: its encoder looks for each among all of them, which takes a second then.
const EXPORTS_MAX: usize = 10_000;

/// The component in these bytes; `origin` names the file in errors.
pub(crate) fn component<'a>(bytes: &'a [u8], origin: &str) -> Result<Cow<'a, [u8]>, Error> {
    let binary = binary(bytes, origin)?;
    if Parser::is_component(&binary) {
        nesting::check(&binary, origin)?;
        return Ok(binary);
    }
    if !Parser::is_core_wasm(&binary) {
        return Err(invalid(format!("`{origin}` is of a version of WebAssembly that is not known: {HINT}")));
    }
    from_module(&binary, origin).map(Cow::Owned)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

/// A component that breaks the rules.
pub(crate) fn not_valid(origin: &str, cause: impl std::fmt::Display) -> Error {
    invalid(format!("`{origin}` is not a valid component: build or copy it again")).caused_by(cause)
}

fn binary<'a>(bytes: &'a [u8], origin: &str) -> Result<Cow<'a, [u8]>, Error> {
    if bytes.is_empty() {
        return Err(invalid(format!("`{origin}` is empty: {HINT}")));
    }
    if bytes.starts_with(b"\0asm") {
        if bytes.len() < 8 {
            return Err(invalid(format!("`{origin}` ends after {} bytes: build or copy it again", bytes.len())));
        }
        return Ok(Cow::Borrowed(bytes));
    }
    if bytes.starts_with(b"\x7fELF") {
        return Err(invalid(format!("`{origin}` is a native program, not WebAssembly: {HINT}")));
    }
    if !looks_like_text(bytes) {
        return Err(invalid(format!("`{origin}` is not WebAssembly, it starts with {}: {HINT}", start(bytes))));
    }
    match wat::parse_bytes(bytes) {
        Ok(binary) => Ok(Cow::Owned(binary.into_owned())),
        Err(mut error) => {
            error.set_path(origin);
            Err(invalid(format!("`{origin}` is not valid WebAssembly text")).caused_by(error))
        }
    }
}

/// Text begins with a parenthesis or a comment.
fn looks_like_text(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    std::str::from_utf8(bytes).is_ok() && (start.starts_with(b"(") || start.starts_with(b";;"))
}

/// The first bytes of a file, for an error.
fn start(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(16)];
    let text = shown.escape_ascii().to_string();
    let hex: Vec<String> = shown.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{text}\" ({})", hex.join(" "))
}

/// What matters of a core module.
#[derive(Default)]
struct Module<'a> {
    imports: Vec<(&'a str, &'a str)>,
    /// Exported functions and their types.
    exports: Vec<(&'a str, Rc<FuncType>)>,
    /// Which WIT world it belongs to, where it was made by a tool that says so.
    worlds: Vec<&'a [u8]>,
}

fn from_module(bytes: &[u8], origin: &str) -> Result<Vec<u8>, Error> {
    let broken = |error: &dyn std::fmt::Display| {
        invalid(format!("`{origin}` is not a valid WebAssembly module: build or copy it again")).caused_by(error)
    };
    wasmparser::Validator::new().validate_all(bytes).map_err(|error| broken(&error))?;
    let module = read(bytes).map_err(|error| broken(&error))?;
    if module.exports.len() > EXPORTS_MAX {
        let functions = module.exports.len();
        return Err(invalid(format!(
            "`{origin}` is a core module that exports {functions} functions, more than {EXPORTS_MAX}: export only those \
             that are to be tasks"
        )));
    }
    for world in &module.worlds {
        nesting::check_world(world, origin)?;
    }
    let has_world = !module.worlds.is_empty();

    let is_wasi = |name: &str| name == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    let wants_wasi = module.imports.iter().any(|(from, _)| is_wasi(from));
    if !has_world && let Some((from, name)) = module.imports.iter().find(|(from, _)| !is_wasi(from)) {
        return Err(invalid(format!(
            "`{origin}` is a core module that imports `{name}` from `{from}`, which rayw does not offer: a core module \
             may import `{WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME}` only; {HINT}"
        )));
    }

    let is_command = module.exports.iter().any(|(name, _)| *name == "_start");
    let prepared = if has_world || is_command {
        Cow::Borrowed(bytes)
    } else {
        Cow::Owned(rename::with_world(bytes, &module.exports, origin)?)
    };
    encode(&prepared, wants_wasi, is_command).map_err(|error| {
        invalid(format!("`{origin}` is a core module that cannot be made a component; {HINT}"))
            .caused_by(format!("{error:#}"))
    })
}

/// Wraps a module; the adapter translates the old WASI to the present one.
fn encode(module: &[u8], wants_wasi: bool, is_command: bool) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut encoder = ComponentEncoder::default().validate(true).module(module)?;
    if wants_wasi || is_command {
        let adapter =
            if is_command { WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER } else { WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER };
        encoder = encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)?;
    }
    Ok(encoder.encode()?)
}

fn read(bytes: &[u8]) -> Result<Module<'_>, wasmparser::BinaryReaderError> {
    let mut module = Module::default();
    let mut types: Vec<Rc<FuncType>> = Vec::new();
    let mut functions: Vec<u32> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::TypeSection(section) => {
                for function in section.into_iter_err_on_gc_types() {
                    types.push(Rc::new(function?));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    module.imports.push((import.module, import.name));
                    if let TypeRef::Func(index) = import.ty {
                        functions.push(index);
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for index in section {
                    functions.push(index?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let index = functions.get(export.index as usize).copied();
                    if let (ExternalKind::Func, Some(index)) = (export.kind, index)
                        && let Some(function) = types.get(index as usize)
                    {
                        module.exports.push((export.name, Rc::clone(function)));
                    }
                }
            }
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                module.worlds.push(section.data());
            }
            _ => {}
        }
    }
    Ok(module)
}

/// The type that a number of a core module has in WIT.
fn wit_type(value: ValType) -> Option<&'static str> {
    match value {
        ValType::I32 => Some("s32"),
        ValType::I64 => Some("s64"),
        ValType::F32 => Some("f32"),
        ValType::F64 => Some("f64"),
        ValType::V128 | ValType::Ref(_) => None,
    }
}

/// The text of a WIT world with these exports, or why there is none.
fn world(exports: &[(String, &FuncType)]) -> Result<String, String> {
    let not_a_number = || "a type is not a number".to_owned();
    let mut text = "package rayw:module;\nworld module {\n".to_owned();
    for (name, function) in exports {
        let parameters: Option<Vec<String>> = function
            .params()
            .iter()
            .enumerate()
            .map(|(index, value)| Some(format!("p{index}: {}", wit_type(*value)?)))
            .collect();
        let parameters = parameters.ok_or_else(not_a_number)?.join(", ");
        let result = match function.results() {
            [] => String::new(),
            [value] => format!(" -> {}", wit_type(*value).ok_or_else(not_a_number)?),
            _ => return Err(not_a_number()),
        };
        text.push_str(&format!("  export %{name}: func({parameters}){result};\n"));
        if text.len() > limits::DESCRIPTION_BYTES_MAX {
            let most = limits::DESCRIPTION_BYTES_MAX >> 20;
            return Err(format!("their names and parameters take more than {most} MiB of text: export fewer"));
        }
    }
    text.push_str("}\n");
    Ok(text)
}

/// Adds the world to a module, in the section where the encoder looks for it.
pub(crate) fn embed(module: &mut Vec<u8>, world: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("module.wit", world)?;
    let world = resolve.select_world(&[package], None)?;
    wit_component::embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)?;
    Ok(())
}
