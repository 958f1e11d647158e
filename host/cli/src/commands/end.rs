//! `rayw kill-actor` and `rayw remove-placement-group`: what outlives its job goes by somebody's word.

use rayw_core::control::Ended;

use super::head::connect;
use super::job::on_runtime;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::settings::EndSettings;

pub(super) fn end(settings: EndSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    let EndSettings { head, request } = settings;
    on_runtime(async {
        let client = connect(&head, printer).await?;
        let what = request.what;
        let id = client.end(request).await?;
        printer.out(words(what, &id));
        Ok(ExitStatus::Done)
    })
}

fn words(what: Ended, id: &str) -> String {
    match what {
        Ended::Actor { restart: false } => format!("actor {id} ends"),
        Ended::Actor { restart: true } => format!("actor {id} ends, and lives again if its `max_restarts` allows that"),
        Ended::Group => format!("placement group {id} is removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_told_by_its_whole_id() {
        insta::assert_snapshot!(words(Ended::Actor { restart: false }, "ab01"), @"actor ab01 ends");
        insta::assert_snapshot!(words(Ended::Actor { restart: true }, "ab01"), @"actor ab01 ends, and lives again if its `max_restarts` allows that");
        insta::assert_snapshot!(words(Ended::Group, "cd02"), @"placement group cd02 is removed");
    }
}
