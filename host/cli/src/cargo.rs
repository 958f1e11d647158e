//! Runs cargo and finds the component that it made.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::settings::BuildSettings;
use crate::toolchain::{TARGET, Toolchain};

/// Why no component came out.
#[derive(Debug)]
pub enum BuildEnd {
    /// cargo said why, on stderr.
    Refused,
    /// A signal came.
    Interrupted(ExitStatus),
    /// Something else.
    Failed(Failure),
}

impl From<Failure> for BuildEnd {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Builds the crate and gives the path of the component. cargo's own words go to stderr as they come.
///
/// # Errors
/// When nothing, or more than one thing, comes out.
pub fn build(settings: &BuildSettings, interrupts: &Interrupts) -> Result<PathBuf, BuildEnd> {
    let folder = crate_folder(&settings.path)?;
    let toolchain = Toolchain::find(&folder)?;
    tracing::debug!(?toolchain, folder = %folder.display(), "building");
    let mut command = Command::from(toolchain.cargo(&folder));
    command.args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    if let Some(bin) = &settings.bin {
        command.args(["--bin", bin]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("failed to start a runtime").caused_by(error))?;
    let made = runtime.block_on(async {
        tokio::select! {
            biased;
            signal = interrupts.first() => Err(BuildEnd::Interrupted(ExitStatus::Signal(signal))),
            made = run(command, &folder) => made,
        }
    })?;
    Ok(only(made, &folder)?)
}

/// The folder that holds `Cargo.toml`; the file itself will do.
fn crate_folder(path: &Path) -> Result<PathBuf, Failure> {
    let folder = if path.ends_with("Cargo.toml") { path.parent().unwrap_or(path) } else { path };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let fail = || Failure::usage(format!("no crate is in `{}`", folder.display()));
    let full = folder.canonicalize().map_err(|error| fail().caused_by(error))?;
    if !full.join("Cargo.toml").is_file() {
        return Err(fail().caused_by("it has no `Cargo.toml`").hint("`rayw new NAME` makes a crate"));
    }
    Ok(full)
}

async fn run(mut command: Command, folder: &Path) -> Result<Vec<PathBuf>, BuildEnd> {
    let fail = |error: std::io::Error| Failure::work("failed to run cargo").caused_by(error);
    let mut child = command.spawn().map_err(fail)?;
    let mut made = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await.map_err(fail)? {
            made.extend(components(&line, folder));
        }
    }
    let status = child.wait().await.map_err(fail)?;
    if status.success() { Ok(made) } else { Err(BuildEnd::Refused) }
}

/// A message of cargo, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// The components that a message of cargo tells of, when they belong to a crate in `folder`.
fn components(line: &str, folder: &Path) -> Vec<PathBuf> {
    let Ok(message) = serde_json::from_str::<Message>(line) else {
        return Vec::new();
    };
    let kinds = message.target.map(|target| target.kind).unwrap_or_default();
    let program = kinds.iter().any(|kind| kind == "bin" || kind == "cdylib");
    if message.reason != "compiler-artifact" || !program || !message.manifest_path.starts_with(folder) {
        return Vec::new();
    }
    message.filenames.into_iter().filter(|file| file.extension().is_some_and(|end| end == "wasm")).collect()
}

fn only(mut made: Vec<PathBuf>, folder: &Path) -> Result<PathBuf, Failure> {
    match (made.len(), made.pop()) {
        (1, Some(component)) => Ok(component),
        (_, None) => Err(Failure::work(format!("the crate in `{}` makes no component", folder.display()))
            .hint("it needs a `src/main.rs`, or a library with `crate-type = [\"cdylib\"]`")),
        (_, Some(last)) => {
            made.push(last);
            let names: Vec<_> = made.iter().map(|path| format!("`{}`", path.display())).collect();
            Err(Failure::work(format!("the crate in `{}` makes several components", folder.display()))
                .caused_by(names.join(", "))
                .hint("choose one with `rayw build --bin NAME`, and run its .wasm file"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(reason: &str, manifest: &str, kind: &str, file: &str) -> String {
        format!(
            r#"{{"reason":"{reason}","package_id":"x","manifest_path":"{manifest}","target":{{"kind":["{kind}"],
            "name":"app"}},"filenames":["{file}","/t/app.d"],"executable":null,"fresh":true}}"#
        )
    }

    fn found(message: &str) -> usize {
        components(message, Path::new("/app")).len()
    }

    #[test]
    fn only_programs_of_the_crate_itself_count() {
        assert_eq!(found(&message("compiler-artifact", "/app/Cargo.toml", "bin", "/t/app.wasm")), 1);
        assert_eq!(found(&message("compiler-artifact", "/app/Cargo.toml", "cdylib", "/t/app.wasm")), 1);
        assert_eq!(found(&message("compiler-artifact", "/app/Cargo.toml", "lib", "/t/libapp.rlib")), 0);
        assert_eq!(found(&message("compiler-artifact", "/dep/Cargo.toml", "cdylib", "/t/dep.wasm")), 0);
        assert_eq!(found(&message("compiler-artifact", "/app/Cargo.toml", "custom-build", "/t/build")), 0);
        assert_eq!(found(r#"{"reason":"build-finished","success":true}"#), 0);
        assert_eq!(found("not json"), 0);
    }

    #[test]
    fn none_and_several_are_told_with_a_remedy() {
        let folder = Path::new("/app");
        insta::assert_snapshot!(only(vec![], folder).unwrap_err().render(), @r#"
        error: the crate in `/app` makes no component
          hint: it needs a `src/main.rs`, or a library with `crate-type = ["cdylib"]`
        "#);
        insta::assert_snapshot!(only(vec!["/t/a.wasm".into(), "/t/b.wasm".into()], folder).unwrap_err().render(), @r"
        error: the crate in `/app` makes several components
          caused by: `/t/a.wasm`, `/t/b.wasm`
          hint: choose one with `rayw build --bin NAME`, and run its .wasm file
        ");
        assert_eq!(only(vec!["/t/a.wasm".into()], folder).unwrap(), Path::new("/t/a.wasm"));
    }

    #[test]
    fn a_folder_without_a_crate_is_bad_usage() {
        let folder = tempfile::tempdir().unwrap();
        let failure = crate_folder(folder.path()).unwrap_err();
        assert_eq!(failure.status, ExitStatus::Usage);
        assert!(failure.render().contains("`rayw new NAME` makes a crate"), "{}", failure.render());
    }
}
