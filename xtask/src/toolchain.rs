//! The tool chain that builds guests: found, or installed once.
//!
//! ```text
//! detect ── found ─────────────────────────────────────────▶ GuestToolchain
//!    └─ missing ─▶ rustup target add ─┬─ done ── detect ───▶ GuestToolchain
//!                                     └─ failed ─▶ debian ─▶ GuestToolchain
//! ```
//!
//! [`detect`] only looks, [`debian`] is the way for machines that reach a package mirror but
//! not rustup's downloads.

mod debian;
pub(crate) mod detect;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

pub(crate) use detect::GuestToolchain;

use crate::{command, printer, tree};
use detect::{Missing, TARGET};

/// How long rustup may try: its download is 20 MB, and without a network it must end soon.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// Finds a tool chain for guests, and installs what is missing when there is none.
pub(crate) fn ensure() -> Result<GuestToolchain> {
    match detect::detect(tree::root()) {
        Ok(found) => return Ok(found),
        Err(missing @ Missing::Linker { .. }) => return Err(missing.into()),
        Err(Missing::Target) => {}
    }
    printer::say(&format!("guests are built for {TARGET}, and no compiler here has its standard library"));
    let refused = match add_with_rustup() {
        Ok(()) => match detect::detect(tree::root()) {
            Ok(found) => return Ok(found),
            Err(missing) => anyhow!(missing).context("rustup succeeded, but"),
        },
        Err(error) => error,
    };
    printer::say(&format!("rustup cannot add it: {refused:#}"));
    debian::install().with_context(|| {
        format!(
            "failed to install a tool chain for {TARGET} (rustup first: {refused:#}); where rustup \
             can download, `rustup target add {TARGET}` is all that is needed"
        )
    })?;
    detect::detect(tree::root()).context("the tool chain was installed, but is still not found: this is a bug in xtask")
}

/// LLVM's program that brings the counts of instrumented programs together: it must be of the compiler's own LLVM, and
/// comes with rustup.
pub(crate) fn profdata() -> Result<PathBuf> {
    const NAME: &str = "llvm-profdata";
    if let Some(tool) = detect::llvm_tool(NAME) {
        return Ok(tool);
    }
    let by_hand = "`rustup component add llvm-tools` installs it; `cargo xtask bench --vs-ray --plain` and `cargo install \
                   --path host/cli` do without";
    ask_rustup(Command::new("rustup").args(["component", "add", "llvm-tools"]), "llvm-tools")
        .with_context(|| format!("there is no {NAME}: {by_hand}"))?;
    detect::llvm_tool(NAME).with_context(|| format!("rustup succeeded, and still there is no {NAME}: {by_hand}"))
}

fn add_with_rustup() -> Result<()> {
    let mut rustup = Command::new("rustup");
    detect::scrub(&mut rustup);
    ask_rustup(rustup.args(["target", "add", TARGET]), TARGET)
}

fn ask_rustup(rustup: &mut Command, what: &str) -> Result<()> {
    if !command::on_path("rustup") {
        return Err(anyhow!("there is no rustup on PATH"));
    }
    printer::say(&format!("asking rustup to add {what} (it has {} s)", RUSTUP_LIMIT.as_secs()));
    // A refusal is expected on some machines and needs no stack trace.
    rustup.current_dir(tree::root()).env("RUST_BACKTRACE", "0");
    command::run_within(rustup, RUSTUP_LIMIT)
}
