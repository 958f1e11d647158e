//! The process that runs the guest, and what can be seen of it from outside.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use crate::failure::Failure;

/// A `rayw run` or `rayw submit`. Dropped, it is killed.
pub(super) struct Child {
    process: tokio::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// A cluster inside that process.
    pub(super) fn run(component: &Path, num_cpus: Option<f64>, args: &[String]) -> Result<Self, Failure> {
        let mut command = command()?;
        command.args(["run", "--no-progress"]).arg(component);
        if let Some(cpus) = num_cpus {
            command.args(["--num-cpus", &cpus.to_string()]);
        }
        Self::start(command, args)
    }

    /// A cluster elsewhere.
    pub(super) fn submit(component: &Path, address: &str, args: &[String]) -> Result<Self, Failure> {
        let mut command = command()?;
        command.args(["submit", "--address", address]).arg(component);
        Self::start(command, args)
    }

    fn start(mut command: Command, args: &[String]) -> Result<Self, Failure> {
        command.arg("--").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let fail = |why: std::io::Error| Failure::system("failed to start the benchmark's process").caused_by(why);
        let mut process = command.spawn().map_err(fail)?;
        let Some(stdout) = process.stdout.take() else {
            return Err(Failure::system("the benchmark's process has no output to read"));
        };
        Ok(Self { process, lines: BufReader::new(stdout).lines() })
    }

    /// The next line that the driver prints; none when it is over.
    pub(super) async fn line(&mut self) -> Result<Option<String>, Failure> {
        let fail = |why: std::io::Error| Failure::system("failed to read the benchmark's results").caused_by(why);
        self.lines.next_line().await.map_err(fail)
    }

    /// Bytes of memory that it holds now.
    pub(super) fn resident(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()?)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }

    /// Waits for its end.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        let fail = |why: std::io::Error| Failure::system("failed to wait for the benchmark's process").caused_by(why);
        let status = self.process.wait().await.map_err(fail)?;
        if status.success() {
            return Ok(());
        }
        // What failed was said on stderr, which is this process's own.
        Err(Failure::work(format!("the benchmark ended before its rows were done: {status}")))
    }
}

/// This program again, whatever it is called.
fn command() -> Result<Command, Failure> {
    let program = std::env::current_exe();
    program.map(Command::new).map_err(|error| Failure::system("failed to find this program's file").caused_by(error))
}
