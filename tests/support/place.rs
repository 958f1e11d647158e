//! Where things are: the program, the guests, the workspace.

use std::path::{Path, PathBuf};

/// The folder of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The program `rayw`: `RAYW_BIN`, or what a dev build makes.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn program() -> PathBuf {
    let program = named("RAYW_BIN").unwrap_or_else(|| workspace().join("target/debug/rayw"));
    assert!(
        program.is_file(),
        "`{}` is missing: build it by `cargo build -p rayw-cli`, or run the tests by `cargo xtask test`",
        program.display()
    );
    program
}

/// The component of a guest: below `RAYW_GUESTS`, or where `cargo xtask guests` puts it.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    let folder = named("RAYW_GUESTS").unwrap_or_else(|| workspace().join("target/guests"));
    let component = folder.join(format!("{name}.wasm"));
    assert!(
        component.is_file(),
        "`{}` is missing: build it by `cargo xtask guests {name}`, or run the tests by `cargo xtask test`",
        component.display()
    );
    component
}

/// Where compiled components are kept, for all tests together.
pub(crate) fn cache() -> PathBuf {
    workspace().join("target/tests/cache")
}

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
