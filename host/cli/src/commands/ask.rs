//! Asks a running session.

use std::time::Duration;

use rayw_core::{Error, ErrorKind};
use rayw_proto::StateClient;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::session::{self, Found, Place};
use crate::settings::{Named, SessionSettings};

/// Finds the session, connects and asks, all within the time that was given.
pub(super) fn ask<T, F>(
    settings: &SessionSettings,
    printer: &PrinterHandle,
    question: impl FnOnce(StateClient) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Error>>,
{
    let place = match &settings.address {
        Some(Named::Head(address)) => Place::Cluster(address.clone()),
        Some(Named::Session(path)) => session::place_of(path)?,
        None => {
            let found = session::find(&settings.roots)?;
            if found.others > 0 {
                printer.err(chosen(&found));
            }
            found.place()
        }
    };
    answer_of(async {
        let client = match &place {
            Place::Socket(socket) => in_time(settings.timeout, StateClient::connect(socket)).await?,
            Place::Cluster(address) => in_time(settings.timeout, StateClient::connect_tcp(address)).await?,
        };
        question(client.with_timeout(settings.timeout)).await
    })
}

/// The words for a session that was chosen among several.
fn chosen(found: &Found) -> String {
    match found.place() {
        Place::Cluster(address) => chosen_cluster(found.others, &address),
        Place::Socket(_) => format!(
            "{} sessions are running; asking the newest, of `{}`, at {}; `--address` chooses another",
            found.others + 1,
            found.file.about.app,
            found.directory.display()
        ),
    }
}

/// The words for a cluster that was chosen when so many others could have been meant.
pub(super) fn chosen_cluster(others: usize, address: &str) -> String {
    let count = others + 1;
    format!("{count} sessions are running; asking the cluster whose head is at {address}; `--address` chooses another")
}

fn answer_of<T>(asking: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("failed to start a runtime").caused_by(error))?;
    runtime.block_on(asking).map_err(refused)
}

async fn in_time<T>(timeout: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
        let message = format!("no connection within {timeout:?}: give it more time with `--timeout`");
        Err(Error::new(ErrorKind::System, message))
    })
}

/// A question that makes no sense was typed on the command line; it is not work that failed.
fn refused(error: Error) -> Failure {
    match error.kind {
        ErrorKind::InvalidArgument => Failure::new(ExitStatus::Usage, error),
        ErrorKind::System => Failure::new(ExitStatus::RaywFailed, error),
        _ => Failure::from(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{About, Part, SessionFile};

    #[test]
    fn of_several_sessions_the_one_that_is_asked_is_told() {
        let found = |about| Found {
            directory: "/run/session-1".into(),
            file: SessionFile { pid: 1, start_time_ms: 1, about },
            others: 2,
        };
        let run = found(About::run("app.wasm"));
        insta::assert_snapshot!(chosen(&run), @"3 sessions are running; asking the newest, of `app.wasm`, at /run/session-1; `--address` chooses another");
        let head = About { part: Part::Head, address: Some("127.0.0.1:6379".into()), ..About::run("head") };
        insta::assert_snapshot!(chosen(&found(head)), @"3 sessions are running; asking the cluster whose head is at 127.0.0.1:6379; `--address` chooses another");
    }
}
