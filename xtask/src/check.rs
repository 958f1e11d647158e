//! What a change must pass beside its tests: formatting, lints, documentation, dependencies.
//!
//! All steps run, also after one has failed, so that one run names everything there is to
//! mend. The architecture is a test (`tests/it/tidy.rs`) and runs with the tests.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{command, printer, tree};

/// Runs every check and fails when one of them has failed.
pub(crate) fn run() -> Result<()> {
    let mut failed = Vec::new();
    for (name, mut step) in steps()? {
        if let Err(error) = command::run(&mut step) {
            printer::say(&format!("{error:#}"));
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("these checks failed: {}", failed.join(", "));
    }
    printer::say("every check passed");
    Ok(())
}

/// The steps in the order of what is quick and fails most often.
fn steps() -> Result<Vec<(String, Command)>> {
    let mut steps = vec![("fmt".to_owned(), cargo(&["fmt", "--all", "--check"]))];
    for guest in tree::guest_crates()? {
        let mut fmt = cargo(&["fmt", "--check", "--manifest-path"]);
        fmt.arg(tree::shown(&guest.manifest()));
        steps.push((format!("fmt of {}", guest.name), fmt));
    }
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    steps.push(("clippy".to_owned(), cargo(&clippy)));
    // Libraries only: the SDK and the program are both named `rayw`, so their pages would
    // lie on each other.
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--lib"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    steps.push(("doc".to_owned(), doc));
    if command::on_path("cargo-deny") {
        steps.push(("deny".to_owned(), cargo(&["deny", "check"])));
    } else {
        printer::say(
            "skipped: licences and duplicate versions, cargo-deny is not installed \
             (`cargo install cargo-deny --locked` gets it)",
        );
    }
    Ok(steps)
}

fn cargo(args: &[&str]) -> Command {
    let mut cargo = command::cargo();
    cargo.args(args);
    cargo
}
