//! Finds a tool chain that can build guests; changes nothing on the machine.
//!
//! This file uses `std` only and knows nothing of the rest, because `rayw build` needs the
//! very same rules. They are:
//!
//! 1. **The active tool chain** (`cargo` and `rustc` as found on `PATH`, in the folder of the
//!    crate, so that rustup's overrides count). It can build guests when the folder printed
//!    by `rustc --print target-libdir --target wasm32-wasip2` holds a `libstd-*.rlib`.
//! 2. **The system's compiler**, `/usr/bin/cargo` with `/usr/bin/rustc`, when its own
//!    `target-libdir` holds the library.
//! 3. **The system's compiler with a sysroot of ours**: `cargo xtask guests` puts the library
//!    that it has built into `CACHE/rayw/guest-sysroot/RELEASE-COMMIT/`, where `CACHE` is
//!    `$XDG_CACHE_HOME` or `~/.cache` and `RELEASE-COMMIT` names the compiler. The compiler is
//!    pointed there by `--sysroot` in `CARGO_ENCODED_RUSTFLAGS`; as every guest is built with
//!    `--target`, macros and build scripts still use the compiler's own.
//!
//! rustc links a component with `wasm-component-ld` (which in turn needs `rust-lld`). rustup's
//! tool chains have both in `SYSROOT/lib/rustlib/HOST/bin` and find them there. A compiler
//! without them (2 and 3) gets the first folder with both added to `PATH`: the active tool
//! chain's, then any rustup tool chain's; none is needed when `PATH` has the linker already.
//!
//! A program started by `cargo run` inherits variables that choose a compiler or describe the
//! crate it came from. [`scrub`] removes these, or a guest would be built by the wrong
//! compiler.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::tree;

/// The target that guests are built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// The compiler that a Linux distribution installs.
pub(crate) const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// The cargo that a Linux distribution installs.
pub(crate) const SYSTEM_CARGO: &str = "/usr/bin/cargo";

/// A compiler by `PATH`.
const RUSTC: &str = "rustc";

/// The program that turns a linked module into a component.
const LINKER: &str = "wasm-component-ld";

/// A tool chain that can build guests. [`GuestToolchain::command`] starts its cargo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestToolchain {
    /// The cargo to call.
    pub(crate) cargo: PathBuf,
    /// The compiler it must use, where that is not the one it would choose itself.
    pub(crate) rustc: Option<PathBuf>,
    /// The sysroot that holds the target's standard library, where it is not the compiler's own.
    pub(crate) sysroot: Option<PathBuf>,
    /// Folders to put in front of `PATH`.
    pub(crate) path_additions: Vec<PathBuf>,
}

impl GuestToolchain {
    /// A command that calls its cargo; add the subcommand and `--target wasm32-wasip2`.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        scrub(&mut command);
        if let Some(rustc) = &self.rustc {
            command.env("RUSTC", rustc);
        }
        if let Some(sysroot) = &self.sysroot {
            let mut flag = OsString::from("--sysroot=");
            flag.push(sysroot);
            command.env("CARGO_ENCODED_RUSTFLAGS", flag);
        }
        if !self.path_additions.is_empty() {
            let present = std::env::var_os("PATH").unwrap_or_default();
            let folders = self.path_additions.iter().cloned();
            // Fails only when a folder's name contains the separator: then PATH stays as it is.
            if let Ok(path) = std::env::join_paths(folders.chain(std::env::split_paths(&present))) {
                command.env("PATH", path);
            }
        }
        command
    }
}

impl fmt::Display for GuestToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.rustc, &self.sysroot) {
            (None, _) => write!(f, "the active Rust tool chain"),
            (Some(rustc), None) => write!(f, "{}", rustc.display()),
            (Some(rustc), Some(sysroot)) => {
                write!(f, "{} and {}", rustc.display(), sysroot.display())
            }
        }
    }
}

/// Why no tool chain was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// No compiler has the target's standard library.
    Target,
    /// This compiler has the library, but there is no `wasm-component-ld` for it.
    Linker {
        /// The compiler.
        rustc: PathBuf,
    },
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Target => {
                write!(f, "no Rust compiler here can build for {TARGET}: `rustup target add {TARGET}` adds it")
            }
            Missing::Linker { rustc } => write!(
                f,
                "`{}` can compile for {TARGET}, but its linker `{LINKER}` is missing: any rustup \
                 tool chain brings it, or `cargo install {LINKER} --locked` together with the \
                 package `lld`",
                rustc.display()
            ),
        }
    }
}

/// Finds a tool chain for a crate in `folder`, by the rules at the top of this file.
pub(crate) fn detect(folder: &Path) -> Result<GuestToolchain, Missing> {
    let active = Path::new("rustc");
    if can_build(active, None, folder) {
        return Ok(GuestToolchain {
            cargo: PathBuf::from("cargo"),
            rustc: None,
            sysroot: None,
            path_additions: linker_folders(active, folder)?,
        });
    }
    let (cargo, rustc) = (Path::new(SYSTEM_CARGO), Path::new(SYSTEM_RUSTC));
    if !cargo.is_file() || !rustc.is_file() {
        return Err(Missing::Target);
    }
    let sysroot = if can_build(rustc, None, folder) {
        None
    } else {
        match own_sysroot(rustc).filter(|own| can_build(rustc, Some(own), folder)) {
            Some(own) => Some(own),
            None => return Err(Missing::Target),
        }
    };
    Ok(GuestToolchain {
        cargo: cargo.to_owned(),
        rustc: Some(rustc.to_owned()),
        sysroot,
        path_additions: linker_folders(rustc, folder)?,
    })
}

/// Where the sysroot lies that we build for this compiler; it need not exist.
pub(crate) fn own_sysroot(rustc: &Path) -> Option<PathBuf> {
    let version = ask(rustc, &["-vV"], Path::new("/"))?;
    let release = field(&version, "release: ")?;
    let commit = field(&version, "commit-hash: ")?;
    let commit = commit.get(..9).unwrap_or(commit);
    Some(cache_folder()?.join("rayw").join("guest-sysroot").join(format!("{release}-{commit}")))
}

/// The folder of a sysroot in which rustc looks for the target's standard library.
pub(crate) fn library_folder(sysroot: &Path) -> PathBuf {
    sysroot.join("lib").join("rustlib").join(TARGET).join("lib")
}

/// The release of a compiler, as `1.96.0`.
pub(crate) fn release(rustc: &Path) -> Option<String> {
    let version = ask(rustc, &["-vV"], Path::new("/"))?;
    field(&version, "release: ").map(str::to_owned)
}

/// A program's file on `PATH`.
pub(crate) fn find_on_path(program: &str) -> Option<PathBuf> {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(&file)).find(|file| file.is_file())
}

/// Removes what a program inherits from the cargo that runs it: the choice of a compiler, its
/// flags and folders, and the description of the crate.
pub(crate) fn scrub(command: &mut Command) {
    scrub_crate(command);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(chooses_compiler) {
            command.env_remove(name);
        }
    }
}

/// Removes only what describes the crate that this program was built from.
pub(crate) fn scrub_crate(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_crate) {
            command.env_remove(name);
        }
    }
    for name in ["LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"] {
        let Some(folders) = std::env::var_os(name) else {
            continue;
        };
        let own = std::env::current_exe().ok();
        let own = own.as_deref().and_then(Path::parent);
        let kept = std::env::split_paths(&folders).filter(|folder| {
            let tool_chain = folder.components().any(|part| part.as_os_str() == "toolchains");
            let ours = own.is_some_and(|own| folder.starts_with(own));
            !tool_chain && !ours
        });
        match std::env::join_paths(kept) {
            Ok(kept) if !kept.is_empty() => command.env(name, kept),
            _ => command.env_remove(name),
        };
    }
}

fn describes_crate(name: &str) -> bool {
    const PREFIXES: [&str; 5] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || matches!(name, "CARGO_MAKEFLAGS" | "RUST_RECURSION_COUNT")
}

fn chooses_compiler(name: &str) -> bool {
    matches!(
        name,
        "CARGO"
            | "CARGO_BUILD_RUSTC"
            | "CARGO_BUILD_RUSTFLAGS"
            | "CARGO_BUILD_TARGET"
            | "CARGO_BUILD_TARGET_DIR"
            | "CARGO_ENCODED_RUSTFLAGS"
            | "CARGO_TARGET_DIR"
            | "RUSTC"
            | "RUSTC_WORKSPACE_WRAPPER"
            | "RUSTDOC"
            | "RUSTDOCFLAGS"
            | "RUSTFLAGS"
            | "RUSTUP_TOOLCHAIN"
            | "RUSTUP_TOOLCHAIN_SOURCE"
    )
}

fn can_build(rustc: &Path, sysroot: Option<&Path>, folder: &Path) -> bool {
    let libraries = match sysroot {
        Some(sysroot) => Some(library_folder(sysroot)),
        None => ask(rustc, &["--print", "target-libdir", "--target", TARGET], folder).map(PathBuf::from),
    };
    libraries.is_some_and(|folder| {
        std::fs::read_dir(folder).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with("libstd-") && name.ends_with(".rlib")
            })
        })
    })
}

/// What must be added to `PATH` so that this compiler finds its linker: often nothing.
fn linker_folders(rustc: &Path, folder: &Path) -> Result<Vec<PathBuf>, Missing> {
    if tool_folder(rustc, folder).is_some_and(|tools| has_linker(&tools)) {
        return Ok(Vec::new());
    }
    if find_on_path(LINKER).is_some() {
        return Ok(Vec::new());
    }
    tool_folder(Path::new(RUSTC), folder)
        .into_iter()
        .chain(rustup_tool_folders())
        .find(|tools| has_linker(tools))
        .map(|tools| vec![tools])
        .ok_or_else(|| Missing::Linker { rustc: rustc.to_owned() })
}

/// Where a compiler keeps the tools that it calls.
fn tool_folder(rustc: &Path, folder: &Path) -> Option<PathBuf> {
    let sysroot = ask(rustc, &["--print", "sysroot"], folder)?;
    let version = ask(rustc, &["-vV"], folder)?;
    let host = field(&version, "host: ")?;
    Some(tools_of(Path::new(&sysroot), host.as_ref()))
}

/// Asks the compiler that builds rayw: what chose it for this program chooses it here, too.
fn ask_own(args: &[&str]) -> Option<String> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from(RUSTC)));
    scrub_crate(&mut command);
    command.args(args).current_dir(tree::root());
    answer(&mut command)
}

/// The target of the compiler that builds rayw.
pub(crate) fn host() -> Option<String> {
    field(&ask_own(&["-vV"])?, "host: ").map(str::to_owned)
}

/// A tool of LLVM's that belongs to the compiler that builds rayw, where it is installed.
pub(crate) fn llvm_tool(name: &str) -> Option<PathBuf> {
    let tools = tools_of(Path::new(&ask_own(&["--print", "sysroot"])?), host()?.as_ref());
    Some(tools.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))).filter(|tool| tool.is_file())
}

fn rustup_tool_folders() -> Vec<PathBuf> {
    let home = std::env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let Some(home) = home.or_else(|| Some(home_folder()?.join(".rustup"))) else {
        return Vec::new();
    };
    let mut folders = Vec::new();
    for chain in std::fs::read_dir(home.join("toolchains")).into_iter().flatten().flatten() {
        let libraries = chain.path().join("lib").join("rustlib");
        for host in std::fs::read_dir(libraries).into_iter().flatten().flatten() {
            folders.push(tools_of(&chain.path(), &host.file_name()));
        }
    }
    folders.sort();
    folders
}

fn tools_of(sysroot: &Path, host: &OsStr) -> PathBuf {
    sysroot.join("lib").join("rustlib").join(host).join("bin")
}

fn has_linker(folder: &Path) -> bool {
    folder.join(format!("{LINKER}{}", std::env::consts::EXE_SUFFIX)).is_file()
}

/// Asks a compiler something and returns its answer without the last line's end.
fn ask(rustc: &Path, args: &[&str], folder: &Path) -> Option<String> {
    let mut command = Command::new(rustc);
    scrub(&mut command);
    command.args(args).current_dir(folder);
    answer(&mut command)
}

fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| answer.trim_end().to_owned())
}

fn field<'a>(version: &'a str, name: &str) -> Option<&'a str> {
    version.lines().find_map(|line| line.strip_prefix(name))
}

fn cache_folder() -> Option<PathBuf> {
    match std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        Some(folder) if folder.is_absolute() => Some(folder),
        _ => Some(home_folder()?.join(".cache")),
    }
}

fn home_folder() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"))?;
    Some(PathBuf::from(home)).filter(|home| home.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chooses_a_compiler_does_not_reach_a_guest_build() {
        for name in ["RUSTC", "CARGO_TARGET_DIR", "RUSTUP_TOOLCHAIN"] {
            assert!(chooses_compiler(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_NET_OFFLINE", "RUSTUP_HOME", "PATH"] {
            assert!(!chooses_compiler(name) && !describes_crate(name), "{name}");
        }
        assert!(describes_crate("CARGO_PKG_VERSION"));
    }

    #[test]
    fn a_foreign_compiler_is_named_in_the_environment() {
        let chain = GuestToolchain {
            cargo: PathBuf::from(SYSTEM_CARGO),
            rustc: Some(PathBuf::from(SYSTEM_RUSTC)),
            sysroot: Some(PathBuf::from("/cache with space/s")),
            path_additions: vec![PathBuf::from("/tools")],
        };
        let command = chain.command();
        let value = |name: &str| {
            let found = command.get_envs().find(|(key, _)| *key == name);
            found.and_then(|(_, value)| value).map(|value| value.to_string_lossy().into_owned())
        };
        assert_eq!(value("RUSTC").as_deref(), Some(SYSTEM_RUSTC));
        let flags = value("CARGO_ENCODED_RUSTFLAGS");
        assert_eq!(flags.as_deref(), Some("--sysroot=/cache with space/s"));
        assert!(value("PATH").is_some_and(|path| path.starts_with("/tools")));
    }

    #[test]
    fn a_compilers_answer_is_read_by_field() {
        let version = "rustc 1.96.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0";
        assert_eq!(field(version, "release: "), Some("1.96.0"));
        assert_eq!(field(version, "commit-hash: "), None);
    }
}
