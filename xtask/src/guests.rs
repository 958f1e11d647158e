//! The guest programs: each example and each test guest becomes `target/guests/NAME.wasm`.
//!
//! Every guest is a cargo workspace of its own, but all are built into one target folder, so
//! that the SDK and its dependencies are compiled once. What did not change is not built
//! again: cargo knows.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::toolchain::{self, GuestToolchain};
use crate::tree::{self, GuestCrate};
use crate::{command, printer};

/// The target that guests are built for.
pub(crate) const TARGET: &str = toolchain::detect::TARGET;

/// Builds the named guests (all of them when there are no names) and returns the components.
pub(crate) fn build(names: &[String]) -> Result<Vec<PathBuf>> {
    let guests = tree::chosen_guest_crates(names)?;
    if guests.is_empty() {
        printer::say("there are no guest crates below examples/ and tests/guests/ yet");
        return Ok(Vec::new());
    }
    let toolchain = toolchain::ensure()?;
    printer::say(&format!(
        "building {} guest{} for {TARGET} with {toolchain}",
        guests.len(),
        if guests.len() == 1 { "" } else { "s" }
    ));
    let mut components = Vec::new();
    let mut failed = Vec::new();
    for guest in &guests {
        match build_one(&toolchain, guest) {
            Ok(built) => components.extend(built),
            Err(error) => {
                printer::say(&format!("{}: {error:#}", guest.name));
                failed.push(guest.name.as_str());
            }
        }
    }
    if !failed.is_empty() {
        bail!(
            "{} of {} guests did not build: {} (the reasons are above; \
             `cargo xtask guests {}` builds only these)",
            failed.len(),
            guests.len(),
            failed.join(", "),
            failed.join(" ")
        );
    }
    printer::say(&format!(
        "{} component{} in {}",
        components.len(),
        if components.len() == 1 { "" } else { "s" },
        tree::shown(&tree::guests_target())
    ));
    Ok(components)
}

/// Runs the tests that guest crates have themselves, on the host and without Wasm.
pub(crate) fn test_natively() -> Result<()> {
    for guest in tree::guest_crates()? {
        if guest.has_tests()? {
            let mut cargo = command::cargo();
            cargo
                .args(["test", "--manifest-path"])
                .arg(tree::shown(&guest.manifest()))
                .arg("--target-dir")
                .arg(tree::shown(&tree::guests_native_target()));
            command::run(&mut cargo).with_context(|| format!("the tests of the guest `{}` failed", guest.name))?;
        }
    }
    Ok(())
}

fn build_one(toolchain: &GuestToolchain, guest: &GuestCrate) -> Result<Vec<PathBuf>> {
    let mut cargo = toolchain.command();
    cargo
        .current_dir(tree::root())
        .args(["build", "--release", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(guest.manifest())
        .arg("--target-dir")
        .arg(tree::guests_target())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if locked(guest) {
        cargo.arg("--locked");
    }
    let output = cargo.output().with_context(|| format!("failed to start `{}`", toolchain.cargo.display()))?;
    if !output.status.success() {
        bail!("cargo could not build it ({})", output.status);
    }
    let built = components(&String::from_utf8_lossy(&output.stdout), guest)?;
    if built.is_empty() {
        bail!(
            "`{}` built no component: a guest is a `bin` crate, or a library with \
             `crate-type = [\"cdylib\"]`",
            tree::shown(&guest.manifest())
        );
    }
    built.into_iter().map(|component| publish(&component)).collect()
}

/// A build machine must not change a committed lock file; a developer's may.
fn locked(guest: &GuestCrate) -> bool {
    std::env::var_os("CI").is_some() && guest.folder.join("Cargo.lock").is_file()
}

/// A component that cargo made, and the name it gets.
#[derive(Debug, PartialEq, Eq)]
struct Component {
    name: String,
    file: PathBuf,
}

/// Reads cargo's messages: which `.wasm` files came from this very crate.
fn components(messages: &str, guest: &GuestCrate) -> Result<Vec<Component>> {
    let mut found = Vec::new();
    for line in messages.lines() {
        // Build scripts may print what they like; only cargo's own lines are objects.
        if !line.starts_with('{') {
            continue;
        }
        let message: Value = serde_json::from_str(line).context("failed to read a message of cargo")?;
        let own = message["reason"] == "compiler-artifact"
            && message["manifest_path"].as_str().is_some_and(|path| Path::new(path) == guest.manifest());
        if !own {
            continue;
        }
        let library =
            message["target"]["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"));
        for file in message["filenames"].as_array().into_iter().flatten() {
            let Some(file) = file.as_str().filter(|file| file.ends_with(".wasm")) else {
                continue;
            };
            // A library's file has underscores for dashes; its folder has the name as written.
            let name = match message["target"]["name"].as_str() {
                Some(name) if !library => name.to_owned(),
                _ => guest.name.clone(),
            };
            found.push(Component { name, file: PathBuf::from(file) });
        }
    }
    Ok(found)
}

/// Copies a component to its published place, whole or not at all, and only if it changed.
fn publish(component: &Component) -> Result<PathBuf> {
    let folder = tree::guests_target();
    let published = folder.join(format!("{}.wasm", component.name));
    let bytes =
        std::fs::read(&component.file).with_context(|| format!("failed to read `{}`", component.file.display()))?;
    if std::fs::read(&published).is_ok_and(|old| old == bytes) {
        return Ok(published);
    }
    let partial = folder.join(format!(".{}.{}", component.name, std::process::id()));
    std::fs::write(&partial, &bytes).with_context(|| format!("failed to write `{}`", partial.display()))?;
    std::fs::rename(&partial, &published).with_context(|| format!("failed to write `{}`", published.display()))?;
    printer::say(&format!("{}: {} KiB", tree::shown(&published), bytes.len().div_ceil(1024)));
    Ok(published)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> GuestCrate {
        GuestCrate { name: "memo-tasks".to_owned(), folder: PathBuf::from("/w/examples/memo-tasks") }
    }

    fn artifact(manifest: &str, kind: &str, name: &str, file: &str) -> String {
        serde_json::json!({
            "reason": "compiler-artifact",
            "manifest_path": manifest,
            "target": { "kind": [kind], "name": name },
            "filenames": [file],
        })
        .to_string()
    }

    #[test]
    fn only_the_components_of_the_crate_itself_count() {
        let own = "/w/examples/memo-tasks/Cargo.toml";
        let messages = [
            artifact("/w/guest-sdk/Cargo.toml", "lib", "rayw", "/t/librayw.rlib"),
            "a build script spoke".to_owned(),
            artifact("/w/other/Cargo.toml", "bin", "other", "/t/other.wasm"),
            artifact(own, "bin", "memo-tasks", "/t/memo-tasks.wasm"),
        ]
        .join("\n");
        let found = components(&messages, &guest()).unwrap();
        let expected = Component { name: "memo-tasks".to_owned(), file: PathBuf::from("/t/memo-tasks.wasm") };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_library_is_named_by_its_folder() {
        let own = "/w/examples/memo-tasks/Cargo.toml";
        let message = artifact(own, "cdylib", "memo_tasks", "/t/memo_tasks.wasm");
        let found = components(&message, &guest()).unwrap();
        assert_eq!(found[0].name, "memo-tasks");
    }
}
