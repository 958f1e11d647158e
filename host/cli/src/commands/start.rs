//! `rayw start`: a head or a node, in the background unless somebody wants to watch it.

mod background;

use std::path::PathBuf;

use rayw_core::{Error, ErrorKind};
use tokio_util::sync::CancellationToken;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::printer::PrinterHandle;
use crate::serve::{self, Ready, Role};
use crate::session::{About, Part, Session};
use crate::settings::{Mode, StartSettings};

pub(super) fn start(settings: &StartSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    match settings.mode {
        Mode::Background => background::start(settings, printer),
        Mode::Foreground => here(settings, printer, |ready| {
            printer.out(greeting(&settings.serve.role, ready, End::CtrlC));
            printer.flush();
        }),
        Mode::Detached => {
            background::detach()?;
            here(settings, printer, |ready| background::tell(ready, printer))
        }
    }
}

/// Serves in this process until a signal comes.
fn here(settings: &StartSettings, printer: &PrinterHandle, greet: impl Fn(&Ready)) -> Result<ExitStatus, Failure> {
    let interrupts = Interrupts::listen()?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let waiting = std::thread::Builder::new().name("rayw-stop".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(interrupts.first());
        }
        asked.cancel();
    });
    waiting.map_err(|error| Failure::system("failed to start a thread").caused_by(error))?;
    // Others find this process by its session from the moment on when it is ready; a node that had to begin
    // anew keeps it.
    let mut session: Option<Session> = None;
    serve::serve(&settings.serve, &stop, |ready| {
        if session.is_none() {
            let made = Session::create(&settings.session_roots, &about(settings, ready));
            session = Some(made.map_err(|failure| failure.error)?);
        }
        greet(ready);
        Ok(())
    })
    .map_err(told)?;
    printer.flush();
    Ok(ExitStatus::Done)
}

/// All that can go wrong here is that of rayw or of what it was told, not of somebody's program.
fn told(error: Error) -> Failure {
    let status = match error.kind {
        ErrorKind::InvalidArgument => ExitStatus::Usage,
        _ => ExitStatus::RaywFailed,
    };
    Failure::new(status, error)
}

fn about(settings: &StartSettings, ready: &Ready) -> About {
    let (part, address) = match &settings.serve.role {
        Role::Head => (Part::Head, ready.address.clone()),
        Role::Node(head) => (Part::Node, head.clone()),
    };
    let log = (settings.mode == Mode::Detached).then(|| log_of(settings));
    About { app: settings.serve.name.clone(), part, address: Some(address), log }
}

/// Where a process in the background logs.
fn log_of(settings: &StartSettings) -> PathBuf {
    settings.serve.dir.join(serve::LOG)
}

/// How a process is ended.
enum End<'a> {
    /// It is in the foreground.
    CtrlC,
    /// It is in the background and logs there.
    Stop { pid: u32, log: &'a std::path::Path },
}

fn greeting(role: &Role, ready: &Ready, end: End<'_>) -> String {
    let Ready { address, node } = ready;
    let (end, log) = match end {
        End::CtrlC => ("ctrl-c, or SIGTERM to this process".to_owned(), String::new()),
        End::Stop { pid, log } => ("rayw stop".to_owned(), format!("  its log:       {} (pid {pid})\n", log.display())),
    };
    match role {
        Role::Head => format!(
            "rayw head is ready at {address} (node {node})\n\n  \
             add a node:    rayw start --address {address}\n  \
             run a job:     rayw submit --address {address} app.wasm\n  \
             look at it:    rayw status --address {address}\n\
             {log}  \
             end it:        {end}"
        ),
        Role::Node(head) => {
            let rest = format!("{log}  end it:        {end}");
            format!("rayw node {node} is ready at {address}, its head is at {head}\n\n{rest}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayw_core::NodeId;
    use std::path::Path;

    #[test]
    fn a_head_says_how_to_go_on() {
        let ready = Ready { address: "127.0.0.1:6379".to_owned(), node: NodeId([0xab; 16]) };
        insta::assert_snapshot!(greeting(&Role::Head, &ready, End::CtrlC), @r"
        rayw head is ready at 127.0.0.1:6379 (node abababababababababababababababab)

          add a node:    rayw start --address 127.0.0.1:6379
          run a job:     rayw submit --address 127.0.0.1:6379 app.wasm
          look at it:    rayw status --address 127.0.0.1:6379
          end it:        ctrl-c, or SIGTERM to this process
        ");
        let node = Role::Node("h:1".to_owned());
        let log = Path::new("/home/me/.cache/rayw/cluster/node-pid-7/rayw.log");
        insta::assert_snapshot!(greeting(&node, &ready, End::Stop { pid: 7, log }), @r"
        rayw node abababababababababababababababab is ready at 127.0.0.1:6379, its head is at h:1

          its log:       /home/me/.cache/rayw/cluster/node-pid-7/rayw.log (pid 7)
          end it:        rayw stop
        ");
        insta::assert_snapshot!(greeting(&Role::Head, &ready, End::Stop { pid: 7, log }), @r"
        rayw head is ready at 127.0.0.1:6379 (node abababababababababababababababab)

          add a node:    rayw start --address 127.0.0.1:6379
          run a job:     rayw submit --address 127.0.0.1:6379 app.wasm
          look at it:    rayw status --address 127.0.0.1:6379
          its log:       /home/me/.cache/rayw/cluster/node-pid-7/rayw.log (pid 7)
          end it:        rayw stop
        ");
    }

    #[test]
    fn a_start_fails_by_the_fault_of_rayw_or_of_what_it_was_told() {
        assert_eq!(told(Error::new(ErrorKind::OutOfDisk, "x")).status, ExitStatus::RaywFailed);
        assert_eq!(told(Error::new(ErrorKind::InvalidArgument, "x")).status, ExitStatus::Usage);
    }
}
