//! `rayw submit`, `rayw job` and `rayw drain`: a job on a cluster, and its nodes.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rayw_core::control::JobSubmission;
use rayw_core::view::JobRow;
use rayw_core::{ComponentDigest, DirMount, Error, ErrorKind, limits};
use rayw_proto::ControlClient;
use tokio_stream::StreamExt as _;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::printer::PrinterHandle;
use crate::settings::{DrainSettings, JobCommand, JobSettings, SubmitSettings};

/// How often the end of a job is looked for after its log has ended: the log ends with the job, so once
/// is nearly always enough.
const END_POLL: Duration = Duration::from_millis(20);

fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::system("failed to start a runtime").caused_by(error))?.block_on(work)
}

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
            status = follow(client, &settings.address, &id, printer) => status,
        }
    })
}

/// Shows what a job prints until it ends, and ends as it did. A head that goes away meanwhile is waited for:
/// the job goes on.
async fn follow(
    mut client: ControlClient,
    address: &str,
    id: &str,
    printer: &PrinterHandle,
) -> Result<ExitStatus, Failure> {
    let mut shown = 0;
    loop {
        match follow_on(&client, id, &mut shown, printer).await {
            Ok(row) if row.status == "SUCCEEDED" => return Ok(ExitStatus::Done),
            Ok(row) => return failed(id, row),
            Err(error) if error.kind == ErrorKind::System => client = reconnect(address, error, printer).await?,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The same as long as one head is there: how the job ended.
async fn follow_on(
    client: &ControlClient,
    id: &str,
    shown: &mut u64,
    printer: &PrinterHandle,
) -> Result<JobRow, Error> {
    show(client, id, true, shown, printer).await?;
    loop {
        let row = client.job(id).await?.ok_or_else(|| gone(id))?;
        if matches!(row.status.as_str(), "SUCCEEDED" | "FAILED" | "STOPPED") {
            return Ok(row);
        }
        tokio::time::sleep(END_POLL).await;
    }
}

/// Waits for a head that went away.
async fn reconnect(address: &str, lost: Error, printer: &PrinterHandle) -> Result<ControlClient, Failure> {
    let patience = limits::HEAD_RECONNECT_TIMEOUT;
    printer
        .err(format!("the head at {address} went away; waiting up to {patience:?} for it, the job goes on without it"));
    let again = async {
        loop {
            // A head that is about to end may accept once more: what it says next shows it.
            tokio::time::sleep(limits::LINK_RETRY_MAX).await;
            if let Ok(client) = ControlClient::connect(address).await {
                return client;
            }
        }
    };
    tokio::time::timeout(patience, again).await.map_err(|_| Failure::from(lost))
}

fn failed(id: &str, row: JobRow) -> Result<ExitStatus, Failure> {
    if let Some(code) = row.exit_code.and_then(|code| u8::try_from(code).ok()) {
        return Ok(ExitStatus::Driver(code));
    }
    let words = if row.status == "STOPPED" { "was stopped" } else { "failed" };
    Err(Failure::work(format!("job `{id}` {words}")).caused_by(row.message))
}

fn gone(id: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("there is no job `{id}`; `rayw list jobs` shows all"))
}

/// Shows a job's lines but for the first few, and counts them.
async fn show(
    client: &ControlClient,
    id: &str,
    follow: bool,
    shown: &mut u64,
    printer: &PrinterHandle,
) -> Result<(), Error> {
    let mut lines = client.job_logs(id, follow).await?;
    let mut seen = 0;
    while let Some(batch) = lines.next().await {
        for line in batch? {
            seen += 1;
            if seen <= *shown {
                continue;
            }
            *shown = seen;
            // A driver's output is data and goes where it went; what tasks print is news.
            let to_stdout = line.driver && !line.stderr;
            let mut text = if line.prefix.is_empty() { line.text } else { format!("{} {}", line.prefix, line.text) };
            if line.ends {
                text.push('\n');
            }
            printer.piece(text, !to_stdout);
        }
    }
    Ok(())
}

pub(super) fn job(settings: &JobSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    on_runtime(async {
        let client = ControlClient::connect(&settings.address).await?;
        match &settings.command {
            JobCommand::Status(id) => {
                let row = client.job(id).await?.ok_or_else(|| gone(id))?;
                printer.out(format!("Status for job '{id}': {}", row.status));
                if !row.message.is_empty() {
                    printer.out(format!("Status message: {}", row.message));
                }
            }
            JobCommand::Logs { id, follow } => show(&client, id, *follow, &mut 0, printer).await?,
            JobCommand::Stop(id) => {
                let stopped = client.stop_job(id).await?;
                printer.out(if stopped {
                    format!("Job '{id}' is being stopped")
                } else {
                    format!("Job '{id}' was over already")
                });
            }
            JobCommand::Delete(id) => {
                client.delete_job(id).await?;
                printer.out(format!("Job '{id}' deleted"));
            }
        }
        Ok(ExitStatus::Done)
    })
}

pub(super) fn drain(settings: &DrainSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    on_runtime(async {
        let client = ControlClient::connect(&settings.address).await?;
        let deadline = settings.deadline.map(|deadline| u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX));
        client.drain(&settings.node, &settings.reason, deadline).await?;
        printer.out(format!("node `{}` takes no new work and leaves when it has none", settings.node));
        Ok(ExitStatus::Done)
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

    #[test]
    fn a_job_that_failed_without_an_exit_code_says_why() {
        let row = JobRow { status: "FAILED".into(), message: "node x died".into(), ..JobRow::default() };
        insta::assert_snapshot!(failed("rayw_1", row).unwrap_err().render(), @r"
        error: job `rayw_1` failed
          caused by: node x died
        ");
    }
}
