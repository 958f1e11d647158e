//! `rayw new`: a crate that builds, tests and runs at once.

use std::fs;
use std::path::Path;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::settings::{NewSettings, Sdk};

/// The files of a new crate. `{{name}}` and `{{dependency}}` are filled in.
const FILES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("../../template/Cargo.toml.in")),
    ("src/main.rs", include_str!("../../template/main.rs.in")),
    ("README.md", include_str!("../../template/README.md.in")),
    (".gitignore", include_str!("../../template/gitignore.in")),
];

/// Crates of the language and of the template itself: a crate of that name could not be built.
const TAKEN: [&str; 6] = ["alloc", "core", "proc_macro", "rayw", "std", "test"];

/// Words of the language, which cannot name a crate.
const KEYWORDS: [&str; 51] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super",
    "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "where", "while", "yield",
];

pub(super) fn new(settings: &NewSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    let NewSettings { folder, sdk } = settings;
    let name = crate_name(folder)?;
    is_free(folder)?;
    let dependency = dependency(sdk);
    for (path, template) in FILES {
        let text = template.replace("{{name}}", name).replace("{{dependency}}", &dependency);
        write(&folder.join(path), &text)?;
    }
    let shown = folder.display();
    let source = match sdk {
        Sdk::Named(path) => format!("crate `rayw` from {}", path.display()),
        Sdk::Checkout(path) => format!("crate `rayw` from the checkout of this binary, {}", path.display()),
        Sdk::Registry => "crate `rayw` from crates.io".to_owned(),
    };
    printer.err(format!("made {shown} with {source}\n\n  rayw run {shown}\n"));
    Ok(ExitStatus::Done)
}

fn dependency(sdk: &Sdk) -> String {
    match sdk {
        Sdk::Named(path) | Sdk::Checkout(path) => {
            // A JSON string is a TOML string as well.
            let path = serde_json::Value::from(path.to_string_lossy());
            format!("{{ path = {path} }}")
        }
        Sdk::Registry => "\"0.1\"".to_owned(),
    }
}

/// The name of the crate: the folder's, when cargo will take it.
fn crate_name(folder: &Path) -> Result<&str, Failure> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let fail = |why: &str| {
        let shown = folder.display();
        Failure::usage(format!("`{shown}` cannot be the name of a crate: {why}"))
            .hint("take letters, digits, `-` and `_`, with a letter first")
    };
    let mut chars = name.chars();
    if !chars.next().is_some_and(|first| first.is_ascii_alphabetic()) {
        return Err(fail("it does not start with a letter"));
    }
    if let Some(wrong) = chars.find(|c| !(c.is_ascii_alphanumeric() || *c == '-' || *c == '_')) {
        return Err(fail(&format!("it contains `{}`", wrong.escape_default())));
    }
    if KEYWORDS.contains(&name) {
        return Err(fail("it is a word of Rust"));
    }
    if TAKEN.contains(&name.replace('-', "_").as_str()) {
        return Err(fail("another crate that is needed has that name"));
    }
    Ok(name)
}

/// Whether nothing is there, or an empty folder.
fn is_free(folder: &Path) -> Result<(), Failure> {
    match folder.read_dir() {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Failure::usage(format!("`{}` exists and is not empty", folder.display()))
                .hint("choose another name, or empty it first")),
        },
        Err(_) if folder.symlink_metadata().is_ok() => {
            Err(Failure::usage(format!("`{}` exists and is not a folder that can be read", folder.display())))
        }
        Err(_) => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    made.map_err(|error| Failure::work(format!("failed to write `{}`", path.display())).caused_by(error))
}

#[cfg(test)]
mod tests;
