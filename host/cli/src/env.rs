//! Every environment variable that rayw reads, in one list, read once at the edge.
//!
//! | variable | what it does | flag that beats it |
//! |---|---|---|
//! | `RAYW_ADDRESS` | whom all commands ask: `HOST:PORT` of a head, `auto` for what runs here, or a session's directory or socket | `--address` |
//! | `RAYW_NUM_CPUS` | logical cpus that `run` and `start` offer | `--num-cpus` |
//! | `RAYW_MEMORY` | memory that tasks of `run` and `start` may reserve | `--memory` |
//! | `RAYW_OBJECT_STORE_MEMORY` | memory of the object store of `run` and `start` | `--object-store-memory` |
//! | `RAYW_LINEAGE_BYTES` | memory for finished tasks that may have to run again, of a node of `start` | |
//! | `RAYW_LOCAL_FS_CAPACITY_THRESHOLD` | part of its disk that spilled objects may fill, of `run` and `start`: 0.01 to 1; 0.95 | |
//! | `RAYW_SDK` | folder of the crate `rayw` that `new` writes down | `--sdk` |
//! | `RAYW_RUNTIME_DIR` | where session directories are | |
//! | `RAYW_CACHE_DIR` | where compiled components are kept | |
//! | `RAYW_LOG` | what is logged to stderr, such as `info` or `rayw_node=debug`; default `warn`, and who comes and goes for `start` | |
//! | `NO_COLOR`, `TERM` | no colours when the first is not empty or the second is `dumb` | |
//! | `XDG_RUNTIME_DIR`, `TMPDIR` | where session directories are without `RAYW_RUNTIME_DIR` | |
//! | `XDG_CACHE_HOME`, `HOME` | where compiled components are kept without `RAYW_CACHE_DIR` | |
//! | `CARGO_TARGET_DIR` and cargo's other settings | as ever, by the cargo that `build` runs | |

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// See the module.
pub const RAYW_ADDRESS: &str = "RAYW_ADDRESS";
/// See the module.
pub const RAYW_NUM_CPUS: &str = "RAYW_NUM_CPUS";
/// See the module.
pub const RAYW_MEMORY: &str = "RAYW_MEMORY";
/// See the module.
pub const RAYW_OBJECT_STORE_MEMORY: &str = "RAYW_OBJECT_STORE_MEMORY";
/// See the module.
pub const RAYW_LINEAGE_BYTES: &str = "RAYW_LINEAGE_BYTES";
/// See the module.
pub const RAYW_LOCAL_FS_CAPACITY_THRESHOLD: &str = "RAYW_LOCAL_FS_CAPACITY_THRESHOLD";
/// See the module.
pub const RAYW_SDK: &str = "RAYW_SDK";
/// See the module.
pub const RAYW_RUNTIME_DIR: &str = "RAYW_RUNTIME_DIR";
/// See the module.
pub const RAYW_CACHE_DIR: &str = "RAYW_CACHE_DIR";
/// See the module.
pub const RAYW_LOG: &str = "RAYW_LOG";

/// What the environment said when the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `RAYW_ADDRESS`.
    pub address: Option<PathBuf>,
    /// `RAYW_NUM_CPUS`.
    pub num_cpus: Option<String>,
    /// `RAYW_MEMORY`.
    pub memory: Option<String>,
    /// `RAYW_OBJECT_STORE_MEMORY`.
    pub object_store_memory: Option<String>,
    /// `RAYW_LINEAGE_BYTES`.
    pub lineage_bytes: Option<String>,
    /// `RAYW_LOCAL_FS_CAPACITY_THRESHOLD`.
    pub local_fs_capacity_threshold: Option<String>,
    /// `RAYW_SDK`.
    pub sdk: Option<PathBuf>,
    /// `RAYW_LOG`.
    pub log: Option<String>,
    /// Where session directories may be, the preferred one first.
    pub session_roots: Vec<PathBuf>,
    /// Where compiled components are kept; `None` when nobody says and there is no home.
    pub cache_dir: Option<PathBuf>,
    /// What the terminal can do.
    pub terminal: Terminal,
}

/// What the two outputs are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Whether a person sees stderr, so that progress may be drawn.
    pub progress: bool,
    /// Whether stdout takes colours.
    pub stdout_colour: bool,
    /// Whether stderr takes colours.
    pub stderr_colour: bool,
}

impl Environment {
    /// Reads the environment of this process.
    #[must_use]
    pub fn read() -> Self {
        Self::from_variables(
            |name| std::env::var_os(name).filter(|value| !value.is_empty()),
            std::io::stdout().is_terminal(),
            std::io::stderr().is_terminal(),
        )
    }

    /// The environment that `variable` describes.
    fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        stdout_terminal: bool,
        stderr_terminal: bool,
    ) -> Self {
        let path = |name| variable(name).map(PathBuf::from);
        let text = |name| variable(name).map(|value| value.to_string_lossy().into_owned());
        let dumb = variable("TERM").is_some_and(|term| term == "dumb");
        let colour = variable("NO_COLOR").is_none() && !dumb;
        Self {
            address: path(RAYW_ADDRESS),
            num_cpus: text(RAYW_NUM_CPUS),
            memory: text(RAYW_MEMORY),
            object_store_memory: text(RAYW_OBJECT_STORE_MEMORY),
            lineage_bytes: text(RAYW_LINEAGE_BYTES),
            local_fs_capacity_threshold: text(RAYW_LOCAL_FS_CAPACITY_THRESHOLD),
            sdk: path(RAYW_SDK),
            log: text(RAYW_LOG),
            session_roots: match path(RAYW_RUNTIME_DIR) {
                Some(only) => vec![only],
                None => path("XDG_RUNTIME_DIR")
                    .into_iter()
                    .chain([path("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"))])
                    .collect(),
            },
            cache_dir: path(RAYW_CACHE_DIR)
                .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("rayw")))
                .or_else(|| path("HOME").map(|home| home.join(".cache/rayw"))),
            terminal: Terminal {
                progress: stderr_terminal && !dumb,
                stdout_colour: stdout_terminal && colour,
                stderr_colour: stderr_terminal && colour,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        let variable = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(OsString::from(value))
        };
        Environment::from_variables(variable, true, true)
    }

    #[test]
    fn sessions_live_in_the_runtime_dir_and_are_looked_for_in_tmp_too() {
        assert_eq!(read(&[]).session_roots, [PathBuf::from("/tmp")]);
        let both = read(&[("XDG_RUNTIME_DIR", "/run/user/1"), ("TMPDIR", "/var/tmp")]).session_roots;
        assert_eq!(both, [PathBuf::from("/run/user/1"), PathBuf::from("/var/tmp")]);
        let said = read(&[("XDG_RUNTIME_DIR", "/run/user/1"), (RAYW_RUNTIME_DIR, "/mine")]).session_roots;
        assert_eq!(said, [PathBuf::from("/mine")]);
    }

    #[test]
    fn the_cache_has_the_usual_place() {
        assert_eq!(read(&[]).cache_dir, None);
        assert_eq!(read(&[("HOME", "/home/me")]).cache_dir, Some("/home/me/.cache/rayw".into()));
        assert_eq!(read(&[("HOME", "/h"), (RAYW_CACHE_DIR, "/c")]).cache_dir, Some("/c".into()));
    }

    #[test]
    fn colours_can_be_refused() {
        assert!(read(&[]).terminal.stdout_colour);
        assert!(!read(&[("NO_COLOR", "1")]).terminal.stdout_colour);
        assert!(!read(&[("TERM", "dumb")]).terminal.stderr_colour);
        assert!(read(&[("NO_COLOR", "1")]).terminal.progress);
    }
}
