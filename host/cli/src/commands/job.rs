//! `rayw job` and `rayw drain`: the jobs of a cluster, and its nodes.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use rayw_core::control::DrainRequest;
use rayw_core::view::JobRow;
use rayw_core::{Error, ErrorKind, limits};
use rayw_proto::ControlClient;
use tokio_stream::StreamExt as _;

use super::head::{connect, unanswered};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::settings::{DrainSettings, JobCommand, JobSettings};
use crate::stall::Patience;
use crate::table::printable;

/// How often the end of a job is looked for after its log has ended: the log ends with the job, so once
/// is nearly always enough.
const END_POLL: Duration = Duration::from_millis(20);

/// How long a job that was stopped may take to end before whoever stopped it is let go.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::system("failed to start a runtime").caused_by(error))?.block_on(work)
}

/// Where the lines of a job go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// Where they went: a driver's output is data, what tasks print is news.
    AsPrinted,
    /// All to stdout: somebody asked for the log, which is the data then.
    AsData,
}

/// Shows what a job prints until it ends, and ends as it did.
pub(super) async fn follow(
    client: ControlClient,
    address: &str,
    id: &str,
    printer: &PrinterHandle,
) -> Result<ExitStatus, Failure> {
    let row = follow_to_end(client, address, id, Lines::AsPrinted, printer).await?;
    if row.status == "SUCCEEDED" { Ok(ExitStatus::Done) } else { failed(id, row) }
}

/// Shows what a job prints until it ends, and gives how it did. As long as it or its work waits, says why. A head
/// that goes away meanwhile is waited for: the job goes on.
async fn follow_to_end(
    mut client: ControlClient,
    address: &str,
    id: &str,
    lines: Lines,
    printer: &PrinterHandle,
) -> Result<JobRow, Failure> {
    let mut shown = 0;
    let mut told = BTreeSet::new();
    loop {
        let followed = tokio::select! {
            followed = follow_on(&client, id, lines, &mut shown, printer) => followed,
            never = tell_why_it_waits(&client, id, &mut told, printer) => match never {},
        };
        match followed {
            Err(error) if error.kind == ErrorKind::System => client = reconnect(address, error, printer).await?,
            followed => return Ok(followed?),
        }
    }
}

/// The same as long as one head is there.
async fn follow_on(
    client: &ControlClient,
    id: &str,
    lines: Lines,
    shown: &mut u64,
    printer: &PrinterHandle,
) -> Result<JobRow, Error> {
    show(client, id, true, lines, shown, printer).await?;
    loop {
        let row = client.job(id).await?.ok_or_else(|| gone(id))?;
        if matches!(row.status.as_str(), "SUCCEEDED" | "FAILED" | "STOPPED") {
            return Ok(row);
        }
        tokio::time::sleep(END_POLL).await;
    }
}

/// Tells why a job does not run yet, or that work of it can never run as nodes are, each reason once. Only there as long
/// as the job is followed.
async fn tell_why_it_waits(
    client: &ControlClient,
    id: &str,
    told: &mut BTreeSet<String>,
    printer: &PrinterHandle,
) -> Infallible {
    loop {
        tokio::time::sleep(Patience::default().stall).await;
        // A head that does not answer is noticed where the log is read.
        let Ok(Some(row)) = client.job(id).await else { continue };
        if let Some(words) = waits(id, &row)
            && told.insert(words.clone())
        {
            printer.err(words);
        }
    }
}

/// Why a job or its work waits, when that is known.
fn waits(id: &str, row: &JobRow) -> Option<String> {
    let is_over = !matches!(row.status.as_str(), "PENDING" | "RUNNING");
    if is_over || row.message.is_empty() {
        return None;
    }
    let wait = if row.status == "PENDING" { " waits" } else { "" };
    let words = format!("rayw: job `{id}`{wait}: {}", printable(&row.message));
    let is_infeasible = row.status == "RUNNING" && row.message.contains("infeasible");
    let hint = "\n  hint: `--fail-if-infeasible` makes such a job fail at once";
    Some(words + if is_infeasible { hint } else { "" })
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
    tokio::time::timeout(patience, again).await.map_err(|_| unanswered(lost))
}

/// Waits until a job that was told to stop has ended, and says how.
async fn stopped(client: &ControlClient, id: &str) -> Result<String, Failure> {
    let start = Instant::now();
    loop {
        let row = client.job(id).await?.ok_or_else(|| gone(id))?;
        match row.status.as_str() {
            "STOPPED" => return Ok(format!("Job '{id}' was stopped")),
            "SUCCEEDED" | "FAILED" => {
                return Ok(format!("Job '{id}' ended before it could be stopped: {}", row.status));
            }
            _ if start.elapsed() > STOP_PATIENCE => {
                return Err(Failure::system(format!(
                    "job `{id}` has not ended {STOP_PATIENCE:?} after it was stopped"
                ))
                .hint("`rayw status` shows what it holds; `--no-wait` does not wait for its end"));
            }
            _ => tokio::time::sleep(END_POLL).await,
        }
    }
}

fn status_of(id: &str, row: &JobRow) -> String {
    let mut text = format!("Status for job '{id}': {}\n", row.status);
    if let Some(error) = &row.error_type {
        text += &format!("Error type: {error}\n");
    }
    if !row.message.is_empty() {
        text += &format!("Status message: {}\n", printable(&row.message));
    }
    text
}

/// How a job ended, for whoever watched it.
fn ending(id: &str, row: &JobRow) -> String {
    match row.status.as_str() {
        "SUCCEEDED" => format!("job `{id}` succeeded"),
        "STOPPED" => format!("job `{id}` was stopped"),
        _ if row.message.is_empty() => format!("job `{id}` failed"),
        _ => format!("job `{id}` failed: {}", printable(&row.message)),
    }
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
    lines: Lines,
    shown: &mut u64,
    printer: &PrinterHandle,
) -> Result<(), Error> {
    let mut log = client.job_logs(id, follow).await?;
    let mut seen = 0;
    while let Some(batch) = log.next().await {
        for line in batch? {
            seen += 1;
            if seen <= *shown {
                continue;
            }
            *shown = seen;
            let to_stdout = lines == Lines::AsData || (line.driver && !line.stderr);
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
        let client = connect(&settings.head, printer).await?;
        match &settings.command {
            JobCommand::Status(id) => {
                let row = client.job(id).await?.ok_or_else(|| gone(id))?;
                printer.out(status_of(id, &row));
            }
            JobCommand::Logs { id, follow: false } => {
                show(&client, id, false, Lines::AsData, &mut 0, printer).await?;
            }
            JobCommand::Logs { id, follow: true } => {
                let row = follow_to_end(client, &settings.head.address, id, Lines::AsData, printer).await?;
                printer.err(ending(id, &row));
            }
            JobCommand::Stop { id, no_wait } => {
                let words = match (client.stop_job(id).await?, *no_wait) {
                    (false, _) => format!("Job '{id}' was over already"),
                    (true, true) => format!("Job '{id}' is being stopped"),
                    (true, false) => stopped(&client, id).await?,
                };
                printer.out(words);
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
        let client = connect(&settings.head, printer).await?;
        let deadline = settings.deadline.map(|deadline| u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX));
        let DrainSettings { node, reason, message, .. } = settings.clone();
        client.drain(DrainRequest { node, reason, message, deadline_ms: deadline }).await?;
        printer.out(format!("node `{}` takes no new work and leaves when it has none", settings.node));
        Ok(ExitStatus::Done)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_waits_says_why_when_that_is_known() {
        let row = JobRow { status: "PENDING".into(), message: "needs 4 CPU (2 here)".into(), ..JobRow::default() };
        insta::assert_snapshot!(waits("rayw_1", &row).unwrap(), @"rayw: job `rayw_1` waits: needs 4 CPU (2 here)");
        assert_eq!(waits("rayw_1", &JobRow::default()), None);
    }

    #[test]
    fn work_that_can_never_run_is_told() {
        let row = |status: &str, message: &str| JobRow {
            status: status.into(),
            message: message.into(),
            ..JobRow::default()
        };
        let infeasible = "4 tasks wait: infeasible: needs 1 CPU (0 here)";
        insta::assert_snapshot!(waits("q2", &row("RUNNING", infeasible)).unwrap(), @r"
        rayw: job `q2`: 4 tasks wait: infeasible: needs 1 CPU (0 here)
          hint: `--fail-if-infeasible` makes such a job fail at once
        ");
        assert_eq!(waits("q2", &row("RUNNING", "")), None);
        assert_eq!(waits("q2", &row("FAILED", "node x died")), None, "it is over");
    }

    #[test]
    fn whoever_watched_a_job_is_told_how_it_ended() {
        let told = |status: &str, message: &str| {
            ending("rayw_1", &JobRow { status: status.into(), message: message.into(), ..JobRow::default() })
        };
        insta::assert_snapshot!(told("SUCCEEDED", ""), @"job `rayw_1` succeeded");
        insta::assert_snapshot!(told("STOPPED", "somebody stopped the job"), @"job `rayw_1` was stopped");
        insta::assert_snapshot!(told("FAILED", "node x died"), @"job `rayw_1` failed: node x died");
        insta::assert_snapshot!(told("FAILED", ""), @"job `rayw_1` failed");
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
