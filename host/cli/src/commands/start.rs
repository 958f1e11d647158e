//! `rayw start`: this process becomes part of a cluster.

use tokio_util::sync::CancellationToken;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::printer::PrinterHandle;
use crate::serve::{self, Ready, Role, ServeSettings};

pub(super) fn start(settings: &ServeSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
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
    serve::serve(settings, &stop, |ready| {
        printer.out(greeting(&settings.role, ready));
        printer.flush();
    })?;
    Ok(ExitStatus::Done)
}

fn greeting(role: &Role, ready: &Ready) -> String {
    let Ready { address, node } = ready;
    match role {
        Role::Head => format!(
            "rayw head is ready at {address} (node {node})\n\n  \
             add a node:    rayw start --address {address}\n  \
             run a job:     rayw submit --address {address} app.wasm\n  \
             look at it:    rayw list nodes --address {address}\n  \
             end it:        ctrl-c, or SIGTERM to this process"
        ),
        Role::Node(head) => format!("rayw node {node} is ready at {address}, its head is at {head}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayw_core::NodeId;

    #[test]
    fn a_head_says_how_to_go_on() {
        let ready = Ready { address: "127.0.0.1:6379".to_owned(), node: NodeId([0xab; 16]) };
        insta::assert_snapshot!(greeting(&Role::Head, &ready), @r"
        rayw head is ready at 127.0.0.1:6379 (node abababababababababababababababab)

          add a node:    rayw start --address 127.0.0.1:6379
          run a job:     rayw submit --address 127.0.0.1:6379 app.wasm
          look at it:    rayw list nodes --address 127.0.0.1:6379
          end it:        ctrl-c, or SIGTERM to this process
        ");
        insta::assert_snapshot!(greeting(&Role::Node("h:1".to_owned()), &ready), @"rayw node abababababababababababababababab is ready at 127.0.0.1:6379, its head is at h:1");
    }
}
