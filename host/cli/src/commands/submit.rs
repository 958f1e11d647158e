//! `rayw submit`: a component, its folder and its options to the head; what it prints back.

use std::path::Path;

use bytes::Bytes;
use rayw_core::control::JobSubmission;
use rayw_core::{ComponentDigest, DirMount, Error, ErrorKind, limits};
use rayw_proto::ControlClient;

use super::job::{follow, on_runtime};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::printer::PrinterHandle;
use crate::settings::SubmitSettings;

pub(super) fn submit(settings: &SubmitSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    let (digest, bytes) = read(&settings.app)?;
    let working_dir = settings.working_dir.as_deref().map(pack).transpose()?;
    let name = settings.app.file_name().unwrap_or(settings.app.as_os_str()).to_string_lossy().into_owned();
    let dirs = settings.dirs.iter().map(|grant| DirMount {
        host: grant.host.display().to_string(),
        guest: grant.guest.clone(),
        read_only: grant.read_only,
    });
    let submission = JobSubmission {
        submission_id: settings.submission_id.clone().unwrap_or_default(),
        name: settings.name.clone().unwrap_or_default(),
        component: Some(digest),
        entrypoint: name,
        args: settings.args.clone(),
        env: settings.env.clone(),
        dirs: dirs.collect(),
        working_dir: working_dir.as_ref().map(|(digest, _)| *digest),
        namespace: settings.namespace.clone(),
        resources: settings.resources.clone(),
        label_selector: settings.label_selector.clone(),
        fail_if_infeasible: settings.fail_if_infeasible,
        weight: settings.weight,
    };
    on_runtime(async {
        let client = ControlClient::connect(&settings.address).await?;
        for (digest, bytes) in std::iter::once((digest, bytes)).chain(working_dir) {
            if !client.has_blob(digest).await? {
                client.put_blob(digest, bytes).await?;
            }
        }
        let submitted = client.submit(submission).await?;
        let id = submitted.submission_id;
        if settings.no_wait {
            printer.out(id);
            return Ok(ExitStatus::Done);
        }
        printer.err(format!("job `{id}` was submitted; ctrl-c leaves it running, `rayw job stop {id}` stops it"));
        let interrupts = Interrupts::listen()?;
        tokio::select! {
            signal = interrupts.first() => {
                printer.err(format!("job `{id}` goes on: `rayw job logs -f {id}` follows it, `rayw job stop {id}` stops it"));
                Ok(ExitStatus::Signal(signal))
            }
            status = follow(&client, &id, printer) => status,
        }
    })
}

fn read(app: &Path) -> Result<(ComponentDigest, Bytes), Failure> {
    let bytes = std::fs::read(app);
    let bytes = bytes.map_err(|error| Failure::work(format!("failed to read `{}`", app.display())).caused_by(error))?;
    if bytes.len() > limits::COMPONENT_BYTES_MAX {
        let (size, max) = (bytes.len() >> 20, limits::COMPONENT_BYTES_MAX >> 20);
        return Err(Failure::work(format!("`{}` is {size} MiB: a component has at most {max} MiB", app.display())));
    }
    Ok((ComponentDigest::of(&bytes), bytes.into()))
}

/// Folders that no job needs and that are often large.
const LEFT_OUT: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];

/// Packs a folder as a tar archive. The same files make the same archive, whenever they were written.
fn pack(folder: &Path) -> Result<(ComponentDigest, Bytes), Failure> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.mode(tar::HeaderMode::Deterministic);
    add(&mut archive, folder, Path::new(""))
        .and_then(|()| archive.into_inner())
        .map_err(|error| Failure::work(format!("failed to pack `{}`", folder.display())).caused_by(error))
        .and_then(|bytes| {
            if bytes.len() > limits::BLOB_BYTES_MAX {
                let message = format!(
                    "`{}` is {} MiB: a working directory has at most {} MiB",
                    folder.display(),
                    bytes.len() >> 20,
                    limits::BLOB_BYTES_MAX >> 20
                );
                return Err(Failure::from(Error::new(ErrorKind::LimitExceeded, message))
                    .hint("leave large files out of it, or name a folder of the nodes with `--dir`"));
            }
            Ok((ComponentDigest::of(&bytes), bytes.into()))
        })
}

fn add(archive: &mut tar::Builder<Vec<u8>>, folder: &Path, inside: &Path) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let (path, inside) = (entry.path(), inside.join(&name));
        if path.is_dir() {
            if !LEFT_OUT.iter().any(|left_out| name == *left_out) {
                archive.append_dir(&inside, &path)?;
                add(archive, &path, &inside)?;
            }
        } else {
            archive.append_path_with_name(&path, &inside)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_folder_makes_the_same_archive_without_what_is_left_out() {
        let make = || {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(folder.path().join("data")).unwrap();
            std::fs::create_dir_all(folder.path().join(".git")).unwrap();
            std::fs::write(folder.path().join("data/a.txt"), "a").unwrap();
            std::fs::write(folder.path().join(".git/b"), "b").unwrap();
            pack(folder.path()).unwrap()
        };
        let (digest, bytes) = make();
        assert_eq!(digest, make().0);
        let mut archive = tar::Archive::new(bytes.as_ref());
        let names: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(names, ["data", "data/a.txt"]);
    }
}
