//! What a person at the terminal reads: one line per step, on stderr.
//!
//! stdout is left to the programs that are run.

#![expect(clippy::print_stderr, reason = "talking to the person at the terminal is what this file is for")]

use std::path::Path;
use std::process::Command;

use crate::tree;

/// Says one calm sentence.
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// Shows a command as one would type it.
pub(crate) fn show(command: &Command) {
    eprintln!("$ {}", spelled(command));
}

/// A command as one would type it at the root of the checkout.
pub(crate) fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = if program.is_absolute() && program.file_stem().is_some_and(|stem| stem == "cargo") {
        "cargo".to_owned()
    } else {
        tree::shown(program)
    };
    let words = command.get_args().map(|word| {
        let word = word.to_string_lossy();
        if word.is_empty() || word.contains([' ', '"', '\'', '(', ')', '|', '&', '*']) {
            format!("'{word}'")
        } else {
            word.into_owned()
        }
    });
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_as_one_would_type_it() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.args(["nextest", "run", "-E", "test(a | b)"]);
        assert_eq!(spelled(&command), "cargo nextest run -E 'test(a | b)'");
    }
}
