//! Nothing hangs in silence: when nothing runs and nothing ends, people are told what the tasks wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rayw_core::limits;
use rayw_core::view::{Query, Resource, Rows, TaskRow};
use rayw_proto::StateSource;

use crate::printer::PrinterHandle;
use crate::progress::Count;

/// When people are told.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long nothing may happen before it is told.
    pub stall: Duration,
    /// How often is looked whether something happens.
    pub look: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stall: Duration::from_secs(5), look: Duration::from_millis(500) }
    }
}

/// Reasons that are told at once: a person reads a few.
const REASONS_MAX: usize = 5;

/// What tasks wait for, in sentences such as `4 tasks wait: needs 4 CPU …`, the most common first.
pub async fn reasons(state: &dyn StateSource) -> Vec<String> {
    let query = Query { resource: Resource::Tasks, filters: Vec::new(), limit: limits::LIST_ROWS_MAX };
    match state.list(query).await {
        Ok(answer) => match answer.rows {
            Rows::Tasks(rows) => sentences(&rows),
            _ => Vec::new(),
        },
        Err(error) => {
            tracing::debug!(%error, "failed to ask what the tasks wait for");
            Vec::new()
        }
    }
}

fn sentences(rows: &[TaskRow]) -> Vec<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for reason in rows.iter().filter_map(|row| row.pending_reason.as_deref()) {
        *counts.entry(reason).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let say = |(reason, count): (&str, u64)| match count {
        1 => format!("1 task waits: {reason}"),
        _ => format!("{count} tasks wait: {reason}"),
    };
    counts.into_iter().take(REASONS_MAX).map(say).collect()
}

/// Does `work`; when it stalls, tells why, each reason once.
pub async fn watched<T>(
    patience: Patience,
    state: &dyn StateSource,
    count: impl Fn() -> Count,
    printer: &PrinterHandle,
    work: impl Future<Output = T>,
) -> T {
    let watch = async {
        let mut told = BTreeSet::new();
        let mut seen = count();
        let mut since = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(patience.look).await;
            let now = count();
            if now != seen || now.running > 0 || now.done >= now.total {
                (seen, since) = (now, tokio::time::Instant::now());
            } else if since.elapsed() >= patience.stall {
                for sentence in reasons(state).await {
                    if told.insert(sentence.clone()) {
                        printer.err(format!("rayw: {sentence}"));
                    }
                }
                since = tokio::time::Instant::now();
            }
        }
    };
    let mut work = pin!(work);
    let mut watch = pin!(watch);
    std::future::poll_fn(|context| {
        // The watch never ends; it is only there as long as the work is.
        let _: Poll<Infallible> = watch.as_mut().poll(context);
        work.as_mut().poll(context)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use rayw_core::view::{Answer, TaskSummary};
    use rayw_core::{Error, ErrorKind};
    use rayw_proto::BoxFuture;

    use crate::env::Terminal;
    use crate::printer::Printer;

    fn waiting(reason: &str) -> TaskRow {
        TaskRow { pending_reason: Some(reason.into()), ..TaskRow::default() }
    }

    /// Three tasks that wait and one that does not.
    struct Stuck;

    impl StateSource for Stuck {
        fn list(&self, _: Query) -> BoxFuture<Result<Answer, Error>> {
            let rows =
                vec![waiting("needs a slot"), waiting("needs 4 CPU"), TaskRow::default(), waiting("needs 4 CPU")];
            Box::pin(async { Ok(Answer { rows: Rows::Tasks(rows), total: 4, filtered: 4, unheard: 0 }) })
        }

        fn get(&self, _: Resource, _: String) -> BoxFuture<Result<Option<Rows>, Error>> {
            Box::pin(async { Err(Error::new(ErrorKind::System, "nobody asks this")) })
        }

        fn summary(&self) -> BoxFuture<Result<TaskSummary, Error>> {
            Box::pin(async { Err(Error::new(ErrorKind::System, "nobody asks this")) })
        }
    }

    async fn told(count: Count) -> String {
        let patience = Patience { stall: Duration::from_millis(20), look: Duration::from_millis(5) };
        let screen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let printer =
            Printer::start_with(Terminal::default(), Box::new(std::io::sink()), Box::new(Shared(screen.clone())));
        let printer = printer.unwrap();
        let work = tokio::time::sleep(patience.stall * 8);
        watched(patience, &Stuck, || count, &printer.handle(), work).await;
        printer.close();
        let text = screen.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    struct Shared(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_stall_is_told_once_with_its_reasons() {
        let stalled = Count { done: 0, failed: 0, total: 4, running: 0 };
        insta::assert_snapshot!(told(stalled).await, @r"
        rayw: 2 tasks wait: needs 4 CPU
        rayw: 1 task waits: needs a slot
        ");
    }

    #[tokio::test]
    async fn what_runs_or_has_nothing_to_do_is_no_stall() {
        assert_eq!(told(Count { done: 0, failed: 0, total: 4, running: 1 }).await, "");
        assert_eq!(told(Count { done: 4, failed: 0, total: 4, running: 0 }).await, "");
    }
}
