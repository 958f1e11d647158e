//! `rayw stop`: ends the heads and nodes that run here.
//!
//! They are found by their sessions, never by a name: what is no rayw of this user is never touched.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::session::{self, Found, Part};
use crate::settings::StopSettings;

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long the system may take to end a process that was killed.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How many ended how.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    stopped: usize,
    killed: usize,
}

pub(super) fn stop(settings: &StopSettings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    let found = session::members(&settings.session_roots);
    let (mut left, strangers): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.is_held_by(found.file.pid));
    for stranger in &strangers {
        printer.err(format!("{} belongs to a process that is not to be seen here: left alone", name(stranger)));
    }
    let mut count = Count::default();
    if let Some(grace) = settings.grace {
        signal(&left, Signal::TERM, printer);
        let ended = wait(&mut left, grace);
        count.stopped = ended.len();
        ended.iter().for_each(|found| printer.out(format!("stopped {}", name(found))));
        if !left.is_empty() {
            printer.err(format!("{} did not end within {grace:?} and will be killed", processes(left.len())));
        }
    }
    signal(&left, Signal::KILL, printer);
    let ended = wait(&mut left, KILL_GRACE);
    count.killed = ended.len();
    ended.iter().for_each(|found| printer.out(format!("killed {}", name(found))));
    if let [first, ..] = left.as_slice() {
        let words = format!("{} did not end even when killed, such as {}", processes(left.len()), name(first));
        return Err(Failure::system(words).hint("look at its log, and at `ps`: it may wait for a disk"));
    }
    printer.out(total(&count));
    Ok(ExitStatus::Done)
}

/// Sends a signal to those that still run.
fn signal(to: &[Found], signal: Signal, printer: &PrinterHandle) {
    // Looked at again right before: an id may have been given to another process meanwhile.
    for found in to.iter().filter(|found| found.is_held_by(found.file.pid)) {
        let Some(pid) = i32::try_from(found.file.pid).ok().and_then(Pid::from_raw) else { continue };
        match kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => printer.err(format!("{} cannot be told to end: {error}", name(found))),
        }
    }
}

/// Waits until they have ended, at most that long. Those that have are taken out.
fn wait(left: &mut Vec<Found>, grace: Duration) -> Vec<Found> {
    let start = Instant::now();
    let mut ended = Vec::new();
    loop {
        ended.extend(left.extract_if(.., |found| !found.is_alive()));
        if left.is_empty() || start.elapsed() >= grace {
            return ended;
        }
        std::thread::sleep(LOOK);
    }
}

fn name(found: &Found) -> String {
    let about = &found.file.about;
    let address = about.address.as_deref().unwrap_or_default();
    match about.part {
        Part::Head => format!("the head at {address} (pid {})", found.file.pid),
        Part::Node | Part::Run => format!("node `{}` of {address} (pid {})", about.app, found.file.pid),
    }
}

fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

fn total(count: &Count) -> String {
    match count {
        Count { stopped: 0, killed: 0 } => "no head or node of a cluster runs here".to_owned(),
        Count { stopped, killed: 0 } => format!("stopped {}", processes(*stopped)),
        Count { stopped: 0, killed } => format!("killed {}", processes(*killed)),
        Count { stopped, killed } => format!("stopped {}, killed {}", processes(*stopped), processes(*killed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{About, Session};

    #[test]
    fn it_says_what_it_did() {
        let words = [(0, 0), (1, 0), (0, 2), (3, 1)].map(|(stopped, killed)| total(&Count { stopped, killed }));
        insta::assert_snapshot!(words.join("\n"), @r"
        no head or node of a cluster runs here
        stopped 1 process
        killed 2 processes
        stopped 3 processes, killed 1 process
        ");
    }

    #[test]
    fn what_runs_is_named_by_its_part() {
        let folder = tempfile::tempdir().unwrap();
        let roots = [folder.path().to_owned()];
        let about = |part| About { part, address: Some("h:1".into()), ..About::run("left") };
        let _sessions = [Part::Head, Part::Node, Part::Run].map(|part| Session::create(&roots, &about(part)).unwrap());
        let names: Vec<String> = session::members(&roots).iter().map(name).collect();
        let pid = std::process::id();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&format!("the head at h:1 (pid {pid})")), "{names:?}");
        assert!(names.contains(&format!("node `left` of h:1 (pid {pid})")), "{names:?}");
    }

    #[test]
    fn a_wait_gives_back_who_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let roots = [folder.path().to_owned()];
        let about = About { part: Part::Head, ..About::run("x") };
        let (one, other) = (Session::create(&roots, &about).unwrap(), Session::create(&roots, &about).unwrap());
        let mut left = session::members(&roots);
        drop(one);
        assert_eq!((wait(&mut left, Duration::ZERO).len(), left.len()), (1, 1));
        assert_eq!(left[0].directory, other.directory());
    }
}
