//! The wait of a node for its head.

use std::time::Duration;

use rayw_core::{Error, ErrorKind};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// After how long without an answer a word is logged.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the wait ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// The head has answered.
    Joined,
    /// Somebody wants this process to end, or the head refused the node.
    Over,
    /// The time was over.
    InVain,
}

/// Waits until the head was heard; for ever without a time limit.
pub(super) async fn wait(
    head: &str,
    limit: Option<Duration>,
    heard: &CancellationToken,
    over: impl Future<Output = ()>,
) -> Wait {
    let slow = async {
        tokio::time::sleep(PATIENCE).await;
        tracing::warn!("no head has answered at `{head}` yet: still trying");
        std::future::pending().await
    };
    let late = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = heard.cancelled() => Wait::Joined,
        () = over => Wait::Over,
        () = late => Wait::InVain,
        // It never ends: it is here for its word.
        () = slow => Wait::InVain,
    }
}

/// The words for a head that did not answer in time.
pub(super) async fn in_vain(head: &str, limit: Duration) -> Error {
    let message = format!("no head answered at `{head}` within {limit:?}: start it, or correct `--address`");
    let error = Error::new(ErrorKind::System, message);
    match tokio::time::timeout(PATIENCE, TcpStream::connect(head)).await {
        Ok(Ok(_)) => error.caused_by("something listens there, but it is no head that reaches this node back"),
        Ok(Err(cause)) => error.caused_by(cause),
        Err(_) => error.caused_by("connecting takes too long"),
    }
}

/// The words for a head that does not take this node.
pub(super) fn refused(head: &str, why: &str) -> Error {
    Error::new(ErrorKind::System, format!("the head at `{head}` does not take this node")).caused_by(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_an_answer_an_end_or_the_time() {
        let (heard, limit) = (CancellationToken::new(), Some(Duration::from_secs(5)));
        assert_eq!(wait("h:1", limit, &heard, std::future::pending()).await, Wait::InVain);
        assert_eq!(wait("h:1", limit, &heard, std::future::ready(())).await, Wait::Over);
        heard.cancel();
        assert_eq!(wait("h:1", None, &heard, std::future::pending()).await, Wait::Joined);
    }

    #[tokio::test]
    async fn the_words_say_what_is_at_the_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let error = in_vain(&address, Duration::from_secs(10)).await;
        assert!(error.causes[0].contains("no head that reaches"), "{error}");
        // Not the same one, closed: somebody else may be given it at once.
        let error = in_vain("127.0.0.1:1", Duration::from_secs(10)).await;
        assert!(error.causes[0].contains("refused"), "{error}");
    }
}
