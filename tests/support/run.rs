//! One call of `rayw`, to its end.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::place;
use crate::running::Running;

/// A run of a guest by its name.
pub fn run(guest: &str) -> Run {
    run_app(place::guest(guest))
}

/// A run of whatever file or folder this is.
pub fn run_app(app: impl Into<PathBuf>) -> Run {
    Run { flags: vec!["run".into(), app.into().into()], args: Vec::new(), environment: Vec::new(), namespace: None }
}

/// Any other command of `rayw`.
pub fn command<I: AsRef<OsStr>>(words: impl IntoIterator<Item = I>) -> Run {
    let flags = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    Run { flags, args: Vec::new(), environment: Vec::new(), namespace: None }
}

/// What is about to be called.
#[derive(Debug, Clone)]
#[must_use = "nothing runs until `output` or `start`"]
pub struct Run {
    flags: Vec<OsString>,
    args: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    /// The network namespace that it runs in, where it is another one.
    namespace: Option<String>,
}

impl Run {
    /// Arguments of the guest's driver.
    pub fn args<I: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = I>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// A flag of `rayw` and its value.
    pub fn flag(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.flags.extend([name.into(), value.as_ref().to_owned()]);
        self
    }

    /// Logical cpus to offer.
    pub fn num_cpus(self, number: u32) -> Self {
        self.flag("--num-cpus", number.to_string())
    }

    /// A variable of the process.
    pub fn environment(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Runs it in a network namespace, which takes root.
    pub fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    #[must_use]
    pub fn output(self) -> Output {
        self.start().output()
    }

    /// Runs it in the background.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(self) -> Running {
        let runtime = tempfile::Builder::new().prefix("rayw-it-").tempdir().expect("a folder can be made");
        let steps = TempDir::new().expect("a folder can be made");
        let is_run = self.flags.first().is_some_and(|flag| flag == "run" || flag == "submit");
        let mut command = self.command(runtime.path());
        if is_run {
            let mut grant = OsString::from("--dir=");
            grant.push(steps.path());
            grant.push("::/steps");
            command.arg(grant);
        }
        if !self.args.is_empty() {
            command.arg("--").args(&self.args);
        }
        Running::start(command, runtime, steps)
    }

    /// The same with the sessions of a run that goes on.
    pub(crate) fn output_in(self, runtime: &Path) -> Output {
        let mut command = self.command(runtime);
        if !self.args.is_empty() {
            command.arg("--").args(&self.args);
        }
        let output = command.output().expect("the program can be started");
        Output {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }

    fn command(&self, runtime: &Path) -> Command {
        let mut command = match &self.namespace {
            None => Command::new(place::program()),
            Some(namespace) => {
                // It becomes the program, so that a signal reaches that one.
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(place::program());
                command
            }
        };
        command
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("RAYW_RUNTIME_DIR", runtime)
            .env("RAYW_CACHE_DIR", place::cache())
            // Whatever else is on the disk where tests run, their objects have room.
            .env("RAYW_LOCAL_FS_CAPACITY_THRESHOLD", "1")
            .env("NO_COLOR", "1");
        for variable in ["RAYW_ADDRESS", "RAYW_NUM_CPUS", "RAYW_MEMORY", "RAYW_OBJECT_STORE_MEMORY", "RAYW_LOG"] {
            command.env_remove(variable);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// What a process printed, and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// What it wrote on stdout.
    pub stdout: String,
    /// What it wrote on stderr.
    pub stderr: String,
    /// Its exit code; absent when a signal ended it.
    pub code: Option<i32>,
}

impl Output {
    /// What it wrote on stdout, when all went well.
    ///
    /// # Panics
    /// When its exit code was not 0.
    #[track_caller]
    #[must_use]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.stdout
    }

    /// What it wrote on stderr, when it failed with this code.
    ///
    /// # Panics
    /// When its exit code was another.
    #[track_caller]
    #[must_use]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self}");
        self.stderr
    }
}

impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "exit code {:?}\n--- stdout\n{}\n--- stderr\n{}\n---", self.code, self.stdout, self.stderr)
    }
}
