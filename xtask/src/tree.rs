//! Where things lie in the checkout: the root, the build folders, the guest crates.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folders whose subfolders are guest crates.
const GUEST_FOLDERS: [&str; 2] = ["examples", "tests/guests"];

/// One guest crate: a cargo workspace of its own, built for wasm32-wasip2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestCrate {
    /// The name of its folder.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
}

impl GuestCrate {
    /// Its `Cargo.toml`.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.folder.join("Cargo.toml")
    }

    /// Whether it has tests of its own, which then run on the host.
    pub(crate) fn has_tests(&self) -> Result<bool> {
        for folder in ["src", "tests"] {
            if contains_test(&self.folder.join(folder))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Where cargo puts what it builds for the host.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) if !folder.is_empty() => root().join(folder),
        _ => root().join("target"),
    }
}

/// Where the guests are built, and where each finished component lies as `NAME.wasm`.
///
/// Always below the checkout, whatever `CARGO_TARGET_DIR` says: tests and readers of the
/// README look for it there.
pub(crate) fn guests_target() -> PathBuf {
    root().join("target").join("guests")
}

/// Where the guests' own tests are built for the host.
pub(crate) fn guests_native_target() -> PathBuf {
    root().join("target").join("guests-native")
}

/// The `rayw` program of the dev profile.
pub(crate) fn rayw_program() -> PathBuf {
    target().join("debug").join(format!("rayw{}", std::env::consts::EXE_SUFFIX))
}

/// A path as a person reads it: relative to the root where it lies below it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Every guest crate there is, sorted by name.
pub(crate) fn guest_crates() -> Result<Vec<GuestCrate>> {
    let mut crates = Vec::new();
    for folder in GUEST_FOLDERS {
        let folder = root().join(folder);
        if !folder.is_dir() {
            continue;
        }
        for entry in read_folder(&folder)? {
            if entry.join("Cargo.toml").is_file() {
                let name = entry.file_name().unwrap_or_default();
                crates.push(GuestCrate { name: name.to_string_lossy().into_owned(), folder: entry });
            }
        }
    }
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = crates.windows(2).find(|pair| pair[0].name == pair[1].name) {
        bail!(
            "two guests have the name `{}` ({} and {}): rename one, their components would \
             overwrite each other",
            pair[0].name,
            pair[0].folder.display(),
            pair[1].folder.display()
        );
    }
    Ok(crates)
}

/// The guest crates with these names, or all of them when there are none.
pub(crate) fn chosen_guest_crates(names: &[String]) -> Result<Vec<GuestCrate>> {
    choose(guest_crates()?, names)
}

fn choose(all: Vec<GuestCrate>, names: &[String]) -> Result<Vec<GuestCrate>> {
    if names.is_empty() {
        return Ok(all);
    }
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|guest| guest.name == **name)) {
        let known: Vec<_> = all.iter().map(|guest| guest.name.as_str()).collect();
        bail!(
            "no guest is named `{unknown}`: there is no folder of that name with a Cargo.toml \
             below {}; the guests are: {}",
            GUEST_FOLDERS.join(" or "),
            known.join(", ")
        );
    }
    Ok(all.into_iter().filter(|guest| names.contains(&guest.name)).collect())
}

fn contains_test(folder: &Path) -> Result<bool> {
    if !folder.is_dir() {
        return Ok(false);
    }
    for entry in read_folder(folder)? {
        if entry.is_dir() {
            if contains_test(&entry)? {
                return Ok(true);
            }
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text =
                std::fs::read_to_string(&entry).with_context(|| format!("failed to read `{}`", entry.display()))?;
            if text.contains("#[test]") {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn read_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("failed to list the folder `{}`", folder.display());
    let mut paths = std::fs::read_dir(folder)
        .with_context(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .with_context(failed)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(name: &str) -> GuestCrate {
        GuestCrate { name: name.to_owned(), folder: PathBuf::from("examples").join(name) }
    }

    #[test]
    fn no_name_means_every_guest() {
        let all = vec![guest("a"), guest("b")];
        assert_eq!(choose(all.clone(), &[]).unwrap(), all);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = choose(vec![guest("memo-tasks")], &["memo".to_owned()]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`memo`"), "{text}");
        assert!(text.ends_with("the guests are: memo-tasks"), "{text}");
    }

    #[test]
    fn the_root_is_where_the_workspace_is() {
        assert!(root().join("host").join("core").is_dir());
    }
}
