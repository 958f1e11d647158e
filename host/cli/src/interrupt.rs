//! Signals: the first asks for an orderly end, the second ends at once.

use std::sync::mpsc;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{ExitStatus, Signal};
use crate::failure::Failure;

/// Listens to ctrl-c, SIGTERM and SIGHUP from now on, in a thread of its own, so that even a process
/// whose other threads are stuck can be ended.
#[derive(Debug, Clone)]
pub struct Interrupts {
    first: watch::Receiver<Option<Signal>>,
}

impl Interrupts {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn listen() -> Result<Self, Failure> {
        let fail = |error: std::io::Error| Failure::system("failed to listen to signals").caused_by(error);
        let (tell, first) = watch::channel(None);
        let (ready, started) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("rayw-signals".to_owned())
            .spawn(move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(watch_signals(&tell, &ready)),
                Err(error) => drop(ready.send(Err(error))),
            })
            .map_err(fail)?;
        match started.recv() {
            Ok(Ok(())) => Ok(Self { first }),
            Ok(Err(error)) => Err(fail(error)),
            Err(_) => Err(Failure::system("failed to listen to signals: the thread for it ended")),
        }
    }

    /// Waits for the first signal.
    pub async fn first(&self) -> Signal {
        let mut first = self.first.clone();
        match first.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            // The thread never ends before the process.
            _ => std::future::pending().await,
        }
    }
}

async fn watch_signals(tell: &watch::Sender<Option<Signal>>, ready: &mpsc::SyncSender<std::io::Result<()>>) {
    let streams =
        (|| Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)))();
    let (mut interrupt, mut terminate, mut hangup) = match streams {
        Ok(streams) => streams,
        Err(error) => return drop(ready.send(Err(error))),
    };
    // The other side waits for this and nothing else.
    let _ = ready.send(Ok(()));
    loop {
        let signal = tokio::select! {
            Some(()) = interrupt.recv() => Signal::Interrupt,
            Some(()) = terminate.recv() => Signal::Terminate,
            Some(()) = hangup.recv() => Signal::Hangup,
            else => return,
        };
        let again = tell.borrow().is_some();
        if again {
            #[expect(clippy::disallowed_methods, reason = "an orderly end was asked for and takes too long")]
            std::process::exit(ExitStatus::Signal(signal).code().into());
        }
        tell.send_replace(Some(signal));
    }
}
