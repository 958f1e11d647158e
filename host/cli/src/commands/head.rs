//! The head that `rayw submit`, `rayw job` and `rayw drain` talk to.

use rayw_core::Error;
use rayw_proto::ControlClient;

use super::ask::chosen_cluster;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::settings::HeadSettings;

/// Connects to the head, and says which one that is when nobody named it and others could have been meant.
pub(super) async fn connect(head: &HeadSettings, printer: &PrinterHandle) -> Result<ControlClient, Failure> {
    if head.others > 0 {
        printer.err(chosen_cluster(head.others, &head.address));
    }
    ControlClient::connect(&head.address).await.map_err(unanswered)
}

/// The failure of a connection. Nobody is to look for its cause in rayw: a wrong address and a head that does not
/// run are what it nearly always is, and the error says both.
pub(super) fn unanswered(error: Error) -> Failure {
    Failure::new(ExitStatus::of(error.kind), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Terminal;
    use crate::printer::Printer;

    #[tokio::test]
    async fn a_head_that_does_not_answer_is_no_failure_of_rayw_itself() {
        let nowhere = || Box::new(std::io::sink());
        let printer = Printer::start_with(Terminal::default(), nowhere(), nowhere()).unwrap();
        let head = HeadSettings { address: "127.0.0.1:1".to_owned(), others: 0 };
        let failure = connect(&head, &printer.handle()).await.unwrap_err();
        assert!(failure.error.message.contains("`127.0.0.1:1`"), "{}", failure.render());
        assert_eq!((failure.status, failure.hint), (ExitStatus::RaywFailed, None));
    }
}
