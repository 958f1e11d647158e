//! A guest's frames for people: innermost first, one a line, without what
//! only leads to the trap or to the task.

use std::fmt::Write as _;

use wasmtime::{FrameInfo, FrameSymbol};

use crate::config;
use crate::text::{Bounded, shown};

/// Bytes of all frames together: they are kept and sent with their error.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// Bytes of the name of a function, and of that of its file. A name in a file may be of any length, and longer still when
/// it is made readable.
const NAME_BYTES_MAX: usize = 256;

/// Functions that are looked at: there is one frame for many that were inlined.
const LINES_MAX: usize = 1_024;

/// The frames as text, nothing where there are none.
pub(super) fn text(frames: &[FrameInfo]) -> Option<String> {
    let lines: Vec<Line> = frames.iter().flat_map(lines_of).take(LINES_MAX).collect();
    let mut text = Bounded::new(TEXT_BYTES_MAX);
    let mut numbered = without_ends(&lines).iter().enumerate();
    let is_whole = numbered.all(|(number, line)| writeln!(text, "{number:>3}: {}", line.text).is_ok());
    let mut text = text.into_string();
    if is_whole && frames.len() == config::FRAMES_MAX.get() {
        text.push_str("     …\n");
    }
    text.truncate(text.trim_end().len());
    (!text.is_empty()).then_some(text)
}

/// One source function of a frame.
struct Line {
    text: String,
    owner: Owner,
}

/// Whose function it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    User,
    /// The language, its library, the SDK, glue.
    Tool,
    /// Made by the SDK's macros in the user's file: glue where the SDK called it.
    Generated,
}

/// Cuts off what is not the user's at both ends; all of it stays where nothing is the user's.
fn without_ends(lines: &[Line]) -> &[Line] {
    let is_user = |line: &Line| line.owner == Owner::User;
    match (lines.iter().position(is_user), lines.iter().rposition(is_user)) {
        (Some(first), Some(last)) => &lines[first..=last],
        _ => lines,
    }
}

/// One line for each source function of a frame: inlined ones have none of their own.
fn lines_of(frame: &FrameInfo) -> Vec<Line> {
    let is_glue = frame.module().name().is_some_and(|name| name.starts_with("wit-component"));
    if frame.symbols().is_empty() {
        let text = named(frame, None);
        // What has no name between others that have one is a shim.
        let owner =
            if is_glue || frame.func_name().is_none() || is_tool_name(&text) { Owner::Tool } else { Owner::User };
        return vec![Line { text, owner }];
    }
    frame.symbols().iter().map(|symbol| line_of(frame, symbol, is_glue)).collect()
}

fn line_of(frame: &FrameInfo, symbol: &FrameSymbol, is_glue: bool) -> Line {
    let name = named(frame, symbol.name());
    let file = symbol.file();
    let owner = match file {
        Some(file) if is_glue || is_tool_file(file) => Owner::Tool,
        Some(_) if is_generated(&name) => Owner::Generated,
        Some(_) => Owner::User,
        None if is_glue || is_tool_name(&name) => Owner::Tool,
        None => Owner::User,
    };
    let text = match (file.map(|file| shown(file, NAME_BYTES_MAX)), symbol.line()) {
        (Some(file), Some(line)) => format!("{name} ({file}:{line})"),
        (Some(file), None) => format!("{name} ({file})"),
        (None, _) => name,
    };
    Line { text, owner }
}

fn named(frame: &FrameInfo, name: Option<&str>) -> String {
    name.or_else(|| frame.func_name()).map_or_else(
        || format!("function {}", frame.func_index()),
        |name| shown(format_args!("{:#}", rustc_demangle::demangle(name)), NAME_BYTES_MAX),
    )
}

/// Where the sources of tools are.
fn is_tool_file(file: &str) -> bool {
    const PARTS: &[&str] = &[
        "/rustc/",
        "/rustlib/src/",
        "/guest-sdk/src/",
        "/rayw-0.",
        "/wit-bindgen-",
        "libc-bottom-half/",
        "libc-top-half/",
        "/dlmalloc",
    ];
    PARTS.iter().any(|part| file.contains(part))
}

/// What functions of tools are called, where there is nothing else to tell them by.
fn is_tool_name(name: &str) -> bool {
    const STARTS: &[&str] = &[
        "std::",
        "core::",
        "alloc::",
        "<std::",
        "<core::",
        "<alloc::",
        "__rust",
        "rust_",
        "rayw::",
        "<rayw::",
        "wit_bindgen",
        "rayw:core/",
        "wasi:cli/",
        "wasi_snapshot_preview1",
        "cabi_",
        "__wasm",
        "__wasi",
        "__main_void",
    ];
    const NAMES: &[&str] = &["abort", "_start", "__original_main", "proc_exit", "_Exit", "exit", "dlmalloc", "malloc"];
    STARTS.iter().any(|start| name.starts_with(start)) || NAMES.contains(&name)
}

/// What the SDK's macros write into the user's file.
fn is_generated(name: &str) -> bool {
    const NAMES: &[&str] =
        &["invoke", "construct", "call", "export_invoke", "export_construct", "export_call", "export_describe"];
    NAMES.contains(&name) || name.starts_with("_export_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(owners: &[Owner]) -> Vec<Line> {
        owners.iter().enumerate().map(|(number, owner)| Line { text: number.to_string(), owner: *owner }).collect()
    }

    fn shown(owners: &[Owner]) -> String {
        without_ends(&lines(owners)).iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn only_the_ends_are_cut() {
        use Owner::{Generated, Tool, User};
        assert_eq!(shown(&[Tool, User, Tool, User, Generated, Tool]), "123");
        assert_eq!(shown(&[Tool, Generated, Tool]), "012");
        assert_eq!(shown(&[]), "");
    }
}
