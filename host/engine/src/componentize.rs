//! From a file to a component: text or binary, component or core module.

use std::borrow::Cow;

use rayw_core::{Error, ErrorKind};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};
use wit_component::{ComponentEncoder, StringEncoding};

mod rename;

/// What `rayw` runs, for whoever brought something else.
const HINT: &str = "rayw runs WebAssembly components: build one with `rayw build`";

/// The component in these bytes; `origin` names the file in errors.
pub(crate) fn component<'a>(bytes: &'a [u8], origin: &str) -> Result<Cow<'a, [u8]>, Error> {
    let binary = binary(bytes, origin)?;
    if Parser::is_component(&binary) {
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
    exports: Vec<(&'a str, FuncType)>,
    /// Made by a tool that says which WIT world it belongs to.
    has_world: bool,
}

fn from_module(bytes: &[u8], origin: &str) -> Result<Vec<u8>, Error> {
    let broken = |error: &dyn std::fmt::Display| {
        invalid(format!("`{origin}` is not a valid WebAssembly module: build or copy it again")).caused_by(error)
    };
    wasmparser::Validator::new().validate_all(bytes).map_err(|error| broken(&error))?;
    let module = read(bytes).map_err(|error| broken(&error))?;

    let is_wasi = |name: &str| name == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    let wants_wasi = module.imports.iter().any(|(from, _)| is_wasi(from));
    if !module.has_world
        && let Some((from, name)) = module.imports.iter().find(|(from, _)| !is_wasi(from))
    {
        return Err(invalid(format!(
            "`{origin}` is a core module that imports `{name}` from `{from}`, which rayw does not offer: a core module \
             may import `{WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME}` only; {HINT}"
        )));
    }

    let is_command = module.exports.iter().any(|(name, _)| *name == "_start");
    let prepared = if module.has_world || is_command {
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
    let mut types: Vec<FuncType> = Vec::new();
    let mut functions: Vec<u32> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::TypeSection(section) => {
                for function in section.into_iter_err_on_gc_types() {
                    types.push(function?);
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
                        module.exports.push((export.name, function.clone()));
                    }
                }
            }
            Payload::CustomSection(section) if section.name().starts_with("component-type") => module.has_world = true,
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

/// The text of a WIT world with these exports.
fn world(exports: &[(String, &FuncType)]) -> Option<String> {
    let mut text = "package rayw:module;\nworld module {\n".to_owned();
    for (name, function) in exports {
        let parameters: Option<Vec<String>> = function
            .params()
            .iter()
            .enumerate()
            .map(|(index, value)| Some(format!("p{index}: {}", wit_type(*value)?)))
            .collect();
        let result = match function.results() {
            [] => String::new(),
            [value] => format!(" -> {}", wit_type(*value)?),
            _ => return None,
        };
        text.push_str(&format!("  export %{name}: func({}){result};\n", parameters?.join(", ")));
    }
    text.push_str("}\n");
    Some(text)
}

/// Adds the world to a module, in the section where the encoder looks for it.
pub(crate) fn embed(module: &mut Vec<u8>, world: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("module.wit", world)?;
    let world = resolve.select_world(&[package], None)?;
    wit_component::embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)?;
    Ok(())
}
