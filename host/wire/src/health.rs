//! Whether a node that went silent is gone.

use std::io::ErrorKind;

use rayw_core::limits;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

/// Waits until it is sure that a node whose connection ended is gone, and says why: at once when its port
/// refuses connections, because then its process has ended, and otherwise at the deadline.
pub(crate) async fn verdict(address: &str, deadline: Instant) -> String {
    let refused = async {
        loop {
            if let Err(error) = TcpStream::connect(address).await
                && error.kind() == ErrorKind::ConnectionRefused
            {
                return;
            }
            sleep(limits::LINK_RETRY_MAX).await;
        }
    };
    match timeout_at(deadline, refused).await {
        Ok(()) => format!("its process has ended: `{address}` refuses connections"),
        Err(_) => format!("nothing was heard from it for too long; is `{address}` still reachable?"),
    }
}
