//! The way without rustup: Debian's compiler, and a standard library built from its source.
//!
//! Debian packages a recent compiler (`rustc-web`, `cargo-web`) and the source of its standard
//! library (`rust-web-src`), but not the library for wasm32-wasip2. It is built here, once, in
//! one or two minutes:
//!
//! 1. install the packages that are missing (apt-get, with sudo where needed);
//! 2. build an empty crate with `-Zbuild-std`, which compiles the standard library;
//! 3. put its `.rlib` files and the C library's start files into a sysroot of our own in the
//!    user's cache folder, so that nothing below `/usr` is written.
//!
//! `embed-bitcode` is what makes `lto = true` work in guests, and `RUSTC_BOOTSTRAP` opens
//! `-Zbuild-std` in a stable compiler. The C library of that package has no sockets: guests
//! have none either.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use super::detect::{self, SYSTEM_CARGO, SYSTEM_RUSTC, TARGET};
use crate::{command, printer};

/// The packages, and for each a file that shows it is installed.
const PACKAGES: [(&str, &str); 4] = [
    ("rustc-web", SYSTEM_RUSTC),
    ("cargo-web", SYSTEM_CARGO),
    ("rust-web-src", "/usr/lib/rustlib/src/rust/library/std/Cargo.toml"),
    ("wasi-libc", "/usr/lib/wasm32-wasi/libc.a"),
];

/// Where `wasi-libc` puts its files, and those that a component is linked with.
const LIBC_FOLDER: &str = "/usr/lib/wasm32-wasi";
const LIBC_FILES: [&str; 3] = ["crt1-command.o", "crt1-reactor.o", "libc.a"];

/// The crate that is built for the sake of what it depends on.
const EMPTY_CRATE: &str = "empty";

/// Installs the compiler where it is missing and builds the library for it.
pub(super) fn install() -> Result<()> {
    install_packages()?;
    let rustc = Path::new(SYSTEM_RUSTC);
    let sysroot = detect::own_sysroot(rustc).context(
        "failed to choose a folder for the standard library: set HOME or XDG_CACHE_HOME, and see \
         that `/usr/bin/rustc -vV` prints a commit-hash",
    )?;
    printer::say(&format!(
        "building the standard library for {TARGET} from Debian's source, once, into {} \
         (one or two minutes)",
        sysroot.display()
    ));
    // An older result would have been used, were it whole.
    if sysroot.exists() {
        std::fs::remove_dir_all(&sysroot).with_context(|| format!("failed to remove `{}`", sysroot.display()))?;
    }
    let parent = sysroot.parent().context("a sysroot has a parent folder")?;
    let work = parent.join(format!("work-{}", std::process::id()));
    let built = build_into(&work, &sysroot);
    let cleaned = std::fs::remove_dir_all(&work);
    built?;
    cleaned.with_context(|| format!("failed to remove `{}`", work.display()))?;
    printer::say("the standard library is ready");
    Ok(())
}

fn install_packages() -> Result<()> {
    let absent: Vec<&str> =
        PACKAGES.iter().filter(|(_, file)| !Path::new(file).is_file()).map(|(package, _)| *package).collect();
    if absent.is_empty() && recent_enough() {
        return Ok(());
    }
    let names = PACKAGES.map(|(package, _)| package);
    if !command::on_path("apt-get") {
        bail!("there is no apt-get here, and only Debian's packages are known to work: {}", names.join(" "));
    }
    printer::say(&format!("Debian has a compiler that can do it; installing {} with apt-get", names.join(" ")));
    // One broken source among many fails `update`; whether it mattered, `install` will tell.
    if let Err(error) = command::run(apt_get()?.arg("update")) {
        printer::say(&format!("{error:#}; going on with the lists there are"));
    }
    let mut install = apt_get()?;
    install.args(["install", "-y", "--no-install-recommends"]).args(names);
    command::run(&mut install).with_context(by_hand)?;
    if !recent_enough() {
        bail!(
            "`{SYSTEM_RUSTC}` is {}, but rayw needs {} or later: enable Debian's security \
             updates, which carry a newer rustc-web",
            detect::release(Path::new(SYSTEM_RUSTC)).unwrap_or_else(|| "broken".to_owned()),
            env!("CARGO_PKG_RUST_VERSION")
        );
    }
    Ok(())
}

/// `apt-get` as this user may call it.
fn apt_get() -> Result<Command> {
    let mut command = if is_root() {
        Command::new("env")
    } else if command::on_path("sudo") {
        let mut sudo = Command::new("sudo");
        if !std::io::stdin().is_terminal() {
            sudo.arg("--non-interactive");
        }
        sudo.arg("env");
        sudo
    } else {
        return Err(anyhow!("installing packages needs root, and there is no sudo")).with_context(by_hand);
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    if !std::io::stdin().is_terminal() {
        command.stdin(Stdio::null());
    }
    Ok(command)
}

fn by_hand() -> String {
    format!(
        "failed to install Debian's packages; as root this does it: \
         `apt-get update && apt-get install --no-install-recommends {}`, then call \
         `cargo xtask guests` again",
        PACKAGES.map(|(package, _)| package).join(" ")
    )
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn recent_enough() -> bool {
    let needed = version(env!("CARGO_PKG_RUST_VERSION"));
    detect::release(Path::new(SYSTEM_RUSTC)).is_some_and(|release| version(&release) >= needed)
}

/// `1.96.0-nightly` as `(1, 96)`: what follows decides nothing here.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

fn build_into(work: &Path, sysroot: &Path) -> Result<()> {
    let output = build_library(work)?;
    let filled = work.join("sysroot");
    fill(&filled, &output)?;
    // Another xtask may have been quicker: its result is as good as ours.
    if let Err(error) = std::fs::rename(&filled, sysroot)
        && !sysroot.is_dir()
    {
        return Err(error).with_context(|| format!("failed to create `{}`", sysroot.display()));
    }
    Ok(())
}

/// Builds the empty crate and returns the folder with the libraries.
fn build_library(work: &Path) -> Result<PathBuf> {
    let source = work.join("src");
    create_folder(&source)?;
    let manifest =
        format!("[package]\nname = \"{EMPTY_CRATE}\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n");
    write(&work.join("Cargo.toml"), &manifest)?;
    write(&source.join("lib.rs"), "")?;
    let target = work.join("target");
    let mut cargo = Command::new(SYSTEM_CARGO);
    detect::scrub(&mut cargo);
    cargo
        .current_dir(work)
        .env("RUSTC", SYSTEM_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
        .arg("--target-dir")
        .arg(&target)
        .stdin(Stdio::null());
    command::run(&mut cargo).context(
        "failed to build the standard library (its dependencies come from crates.io: is that \
         reachable?)",
    )?;
    Ok(target.join(TARGET).join("release").join("deps"))
}

fn fill(sysroot: &Path, built: &Path) -> Result<()> {
    let libraries = detect::library_folder(sysroot);
    let start_files = libraries.join("self-contained");
    create_folder(&start_files)?;
    let entries =
        std::fs::read_dir(built).with_context(|| format!("failed to list the folder `{}`", built.display()))?;
    for entry in entries {
        let file = entry.with_context(|| format!("failed to list the folder `{}`", built.display()))?.path();
        let own =
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("lib{EMPTY_CRATE}-")));
        if file.extension() == Some(OsStr::new("rlib")) && !own {
            copy(&file, &libraries)?;
        }
    }
    for file in LIBC_FILES {
        copy(&Path::new(LIBC_FOLDER).join(file), &start_files)?;
    }
    Ok(())
}

fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("failed to create the folder `{}`", folder.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("failed to write `{}`", file.display()))
}

fn copy(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().context("a file has a name")?;
    std::fs::copy(file, folder.join(name))
        .map(drop)
        .with_context(|| format!("failed to copy `{}` to `{}`", file.display(), folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_as_numbers() {
        assert!(version("1.100.0") > version("1.96.0"));
        assert_eq!(version("1.96.0"), version("1.96"));
        assert_eq!(version("broken"), None);
    }
}
