//! `rayw list`.

use rayw_core::limits;
use rayw_core::view::{Answer, Query, unheard};

use super::ask::ask;
use crate::columns;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::settings::ListSettings;
use crate::table::{self, Clock};

pub(super) fn list(settings: ListSettings, printer: &PrinterHandle, clock: &Clock) -> Result<ExitStatus, Failure> {
    let ListSettings { resource, filters, limit, detail, format, session } = settings;
    let query = Query { resource, filters, limit };
    let answer = ask(&session, printer, |client| async move { client.list(query).await })?;
    let records = columns::records(&answer.rows, detail);
    printer.out(table::list(&records, format, clock)?);
    if let Some(words) = truncated(&answer, records.len()) {
        printer.err(words);
    }
    if answer.unheard > 0 {
        printer.err(missing(answer.unheard));
    }
    Ok(ExitStatus::Done)
}

/// The words for rows that nobody told of.
pub(super) fn missing(nodes: usize) -> String {
    let know = if nodes == 1 { "it knows" } else { "they know" };
    format!("{}: what {know} is missing here; `rayw status` shows the nodes", unheard(nodes))
}

/// The words for rows that matched and are not shown.
fn truncated(answer: &Answer, shown: usize) -> Option<String> {
    let max = limits::LIST_ROWS_MAX;
    (answer.filtered > shown).then(|| {
        format!(
            "only {shown} of {} rows are shown: see more with `--limit` (at most {max}), or others with `--filter`",
            answer.filtered
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayw_core::view::Rows;

    #[test]
    fn what_is_not_shown_is_told() {
        let answer = Answer { rows: Rows::Tasks(Vec::new()), total: 900, filtered: 250, unheard: 0 };
        insta::assert_snapshot!(truncated(&answer, 100).unwrap(), @"only 100 of 250 rows are shown: see more with `--limit` (at most 10000), or others with `--filter`");
        assert_eq!(truncated(&answer, 250), None);
        insta::assert_snapshot!(missing(2), @"2 nodes did not answer within 3s: what they know is missing here; `rayw status` shows the nodes");
    }
}
