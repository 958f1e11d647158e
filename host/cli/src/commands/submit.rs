//! `rayw submit`: a component, its folder and its options to the head; what it prints back.

use std::path::Path;

use bytes::Bytes;
use rayw_core::control::JobSubmission;
use rayw_core::{ComponentDigest, DirMount, limits};

use super::head::connect;
use super::job::{follow, on_runtime};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::printer::PrinterHandle;
use crate::settings::SubmitSettings;
use crate::working_dir::{Packed, pack};

pub(super) fn submit(settings: &SubmitSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    let (digest, bytes) = read(&settings.app)?;
    let working_dir = settings.working_dir.as_deref().map(pack).transpose()?;
    for words in working_dir.iter().flat_map(|packed| &packed.left_out) {
        printer.err(words);
    }
    let working_dir = working_dir.map(|Packed { digest, bytes, .. }| (digest, bytes));
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
        // From the start: the head may have the job already when whoever sends it is interrupted.
        let interrupts = Interrupts::listen()?;
        let sending = async {
            let client = connect(&settings.head, printer).await?;
            for (digest, bytes) in std::iter::once((digest, bytes)).chain(working_dir) {
                if !client.has_blob(digest).await? {
                    client.put_blob(digest, bytes).await?;
                }
            }
            let submitted = client.submit(submission).await?;
            Ok::<_, Failure>((client, submitted.submission_id))
        };
        let (client, id) = tokio::select! {
            biased;
            sent = sending => sent?,
            signal = interrupts.first() => {
                printer.err("interrupted before the head answered: `rayw job list` shows whether it has the job");
                return Ok(ExitStatus::Signal(signal));
            }
        };
        if settings.no_wait {
            printer.out(id);
            return Ok(ExitStatus::Done);
        }
        printer.err(format!("job `{id}` was submitted; ctrl-c leaves it running, `rayw job stop {id}` stops it"));
        tokio::select! {
            signal = interrupts.first() => {
                printer.err(format!("job `{id}` goes on: `rayw job logs -f {id}` follows it, `rayw job stop {id}` stops it"));
                Ok(ExitStatus::Signal(signal))
            }
            status = follow(client, &settings.head.address, &id, printer) => status,
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
