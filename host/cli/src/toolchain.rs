//! Which compiler makes components, and how its cargo is called.
//!
//! 1. The toolchain that is the default in the crate's folder, when it has the target.
//! 2. Where rustup cannot download, a rustc of the system's packages whose target somebody has built;
//!    `wasm-component-ld` and `rust-lld`, which such packages lack, come from the default toolchain.
//! 3. The same rustc with a sysroot that `cargo xtask guests` has built for it, in
//!    `CACHE/rayw/guest-sysroot/RELEASE-COMMIT` where `CACHE` is `$XDG_CACHE_HOME` or `~/.cache`.
//! 4. An error which says how to get the target.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// What components are compiled for.
pub const TARGET: &str = "wasm32-wasip2";

const SYSTEM_CARGO: &str = "/usr/bin/cargo";
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";
const SYSTEM_SYSROOT: &str = "/usr";

/// Settings of cargo that a person makes. Every other `CARGO_…` variable is one that a cargo around
/// this process left, and would be about another crate.
const CARGO_SETTINGS: [&str; 12] = [
    "CARGO_ALIAS_",
    "CARGO_BUILD_JOBS",
    "CARGO_CACHE_",
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_INCREMENTAL",
    "CARGO_NET_",
    "CARGO_REGISTR",
    "CARGO_SOURCE_",
    "CARGO_TARGET_DIR",
    "CARGO_TARGET_WASM32_WASIP2_",
    "CARGO_TERM_",
];

/// Variables that choose a compiler; a cargo around this process sets them for itself.
const COMPILER_VARIABLES: [&str; 7] = [
    "RUSTC",
    "RUSTDOC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_BOOTSTRAP",
    "RUSTUP_TOOLCHAIN",
    "RUST_RECURSION_COUNT",
];

/// A compiler that makes components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toolchain {
    /// The default one of the crate's folder.
    Default,
    /// The system's, with the linker from `linker_dir`.
    System {
        /// Holds `wasm-component-ld` and `rust-lld`; `None` when they must be on the path.
        linker_dir: Option<PathBuf>,
        /// Holds the target's standard library, where that is not the compiler's own.
        sysroot: Option<PathBuf>,
    },
}

impl Toolchain {
    /// Chooses for the crate in `folder`.
    ///
    /// # Errors
    /// When no compiler has the target.
    pub fn find(folder: &Path) -> Result<Self, Failure> {
        let default = ask_rustc(folder);
        let system = Path::new(SYSTEM_RUSTC).is_file() && Path::new(SYSTEM_CARGO).is_file();
        let own = if system { own_sysroot() } else { None };
        Self::choose(default.as_ref(), system.then_some(Path::new(SYSTEM_SYSROOT)), own.as_deref())
    }

    fn choose(default: Option<&Rustc>, system_sysroot: Option<&Path>, own: Option<&Path>) -> Result<Self, Failure> {
        if default.is_some_and(|rustc| has_target(&rustc.sysroot)) {
            return Ok(Self::Default);
        }
        let is_whole = system_sysroot.is_some_and(has_target);
        let own = own.filter(|own| has_target(own));
        if is_whole || own.is_some() {
            let linker_dir = default.map(|rustc| rustc.sysroot.join("lib/rustlib").join(&rustc.host).join("bin"));
            return Ok(Self::System {
                linker_dir: linker_dir.filter(|dir| dir.join("wasm-component-ld").is_file()),
                sysroot: own.filter(|_| !is_whole).map(Path::to_owned),
            });
        }
        let Some(rustc) = default else {
            return Err(Failure::work("no Rust compiler is on the path").hint("https://rustup.rs installs one"));
        };
        Err(Failure::work(format!("the target {TARGET} is not installed"))
            .caused_by(format!("the toolchain `{}` does not have it", rustc.sysroot.display()))
            .hint(format!(
                "run `rustup target add {TARGET}`, or `cargo xtask guests` in the rayw repository installs it"
            )))
    }

    /// Its cargo, to be called in `folder`.
    #[must_use]
    pub fn cargo(&self, folder: &Path) -> Command {
        let mut command = match self {
            Self::Default => clean(Command::new("cargo")),
            Self::System { .. } => {
                let mut command = clean(Command::new(SYSTEM_CARGO));
                command.env("RUSTC", SYSTEM_RUSTC);
                command
            }
        };
        if let Self::System { linker_dir, sysroot } = self {
            if let Some(dir) = linker_dir {
                command.env("PATH", path_with(dir));
            }
            if let Some(sysroot) = sysroot {
                let mut flag = OsString::from("--sysroot=");
                flag.push(sysroot);
                command.env("CARGO_ENCODED_RUSTFLAGS", flag);
            }
        }
        command.current_dir(folder);
        command
    }
}

fn path_with(dir: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = [dir.to_owned()].into_iter().chain(std::env::split_paths(&path));
    // Fails only for a folder with `:` in its name, which a PATH cannot hold anyway.
    std::env::join_paths(dirs).unwrap_or(path)
}

/// The command without what a cargo around this process left in the environment.
fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_leak) {
            command.env_remove(name);
        }
    }
    command
}

fn is_leak(name: &str) -> bool {
    let of_cargo = name == "CARGO" || name.starts_with("CARGO_");
    COMPILER_VARIABLES.contains(&name) || (of_cargo && !CARGO_SETTINGS.iter().any(|setting| name.starts_with(setting)))
}

/// What a compiler says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rustc {
    sysroot: PathBuf,
    host: String,
}

/// Asks the default compiler of the crate's folder, which may choose its own; `None` when there is none.
fn ask_rustc(folder: &Path) -> Option<Rustc> {
    let ask = |args: &[&str]| {
        let mut command = clean(Command::new("rustc"));
        let output = command.args(args).current_dir(folder).stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let sysroot = ask(&["--print", "sysroot"])?.trim().into();
    let version = ask(&["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
    Some(Rustc { sysroot, host })
}

/// Where `cargo xtask guests` puts the standard library that it builds for the system's compiler.
fn own_sysroot() -> Option<PathBuf> {
    let output = clean(Command::new(SYSTEM_RUSTC)).arg("-vV").stdin(Stdio::null()).output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name));
    let (release, commit) = (field("release: ")?, field("commit-hash: ")?);
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    let compiler = format!("{release}-{}", commit.get(..9).unwrap_or(commit));
    Some(cache.join("rayw").join("guest-sysroot").join(compiler))
}

/// Whether the standard library of the target is there; an empty folder is left when it was removed.
fn has_target(sysroot: &Path) -> bool {
    let Ok(entries) = sysroot.join("lib/rustlib").join(TARGET).join("lib").read_dir() else {
        return false;
    };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sysroot(with_target: bool) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let lib = folder.path().join("lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&lib).unwrap();
        if with_target {
            fs::write(lib.join("libstd-0123.rlib"), "").unwrap();
        }
        let bin = folder.path().join("lib/rustlib/a-host/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("wasm-component-ld"), "").unwrap();
        folder
    }

    fn rustc(sysroot: &tempfile::TempDir) -> Rustc {
        Rustc { sysroot: sysroot.path().to_owned(), host: "a-host".into() }
    }

    #[test]
    fn the_default_toolchain_is_preferred() {
        let (default, system) = (sysroot(true), sysroot(true));
        assert_eq!(Toolchain::choose(Some(&rustc(&default)), Some(system.path()), None), Ok(Toolchain::Default));
    }

    #[test]
    fn the_system_helps_out_with_the_linker_of_the_default_toolchain() {
        let (default, system) = (sysroot(false), sysroot(true));
        let linker_dir = Some(default.path().join("lib/rustlib/a-host/bin"));
        let found = Toolchain::choose(Some(&rustc(&default)), Some(system.path()), None);
        assert_eq!(found, Ok(Toolchain::System { linker_dir, sysroot: None }));
        let found = Toolchain::choose(None, Some(system.path()), None);
        assert_eq!(found, Ok(Toolchain::System { linker_dir: None, sysroot: None }));
    }

    #[test]
    fn a_sysroot_of_our_own_serves_where_the_system_has_none() {
        let (bare, own) = (sysroot(false), sysroot(true));
        let found = Toolchain::choose(None, Some(bare.path()), Some(own.path())).unwrap();
        assert_eq!(found, Toolchain::System { linker_dir: None, sysroot: Some(own.path().to_owned()) });
        assert!(Toolchain::choose(Some(&rustc(&bare)), Some(bare.path()), Some(bare.path())).is_err());
    }

    #[test]
    fn a_missing_target_comes_with_the_way_to_get_it() {
        let default = Rustc { sysroot: "/toolchain".into(), host: "a-host".into() };
        let failure = Toolchain::choose(Some(&default), None, None).unwrap_err();
        insta::assert_snapshot!(failure.render(), @r"
        error: the target wasm32-wasip2 is not installed
          caused by: the toolchain `/toolchain` does not have it
          hint: run `rustup target add wasm32-wasip2`, or `cargo xtask guests` in the rayw repository installs it
        ");
        assert_eq!(failure.status.code(), 1);
        insta::assert_snapshot!(Toolchain::choose(None, None, None).unwrap_err().render(), @r"
        error: no Rust compiler is on the path
          hint: https://rustup.rs installs one
        ");
    }

    #[test]
    fn what_a_cargo_around_us_left_is_taken_away_and_settings_stay() {
        let leaks =
            ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_BUILD_TARGET"];
        let settings = ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "CARGO_TERM_COLOR", "RUSTFLAGS", "PATH"];
        assert!(leaks.into_iter().all(is_leak));
        assert!(!settings.into_iter().any(is_leak));
    }
}
