//! `rayw microbenchmark`: the rows of `ray microbenchmark`, measured by a guest as a user's would.
//!
//! ```text
//! examples/microbenchmark ──▶ rayw run … (or rayw submit …) ──lines──▶ results ──▶ table or JSON
//!                                   └── looked at from outside where a guest cannot: memory, start
//! ```
//!
//! The cluster is another process of this program, so that what is measured is what people run, and
//! each process that a row wants to itself is a fresh one.

mod child;
mod result;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::build::ended;
use crate::cargo;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::printer::PrinterHandle;
use crate::settings::{BuildSettings, MicrobenchmarkSettings};
use child::Child;
use result::{Measured, Said};

/// How soon a program's first task is done, from the start of `rayw run`.
const START: &str = "start of rayw run to first task";

/// What the guest prints then.
const FIRST_TASK_DONE: &str = "first task done";

/// Rows of Ray that are not measured, and why not.
const LEFT_OUT: [(&str, &str); 3] = [
    ("1:1 actor calls concurrent", "an actor is one instance, which runs one call at a time"),
    ("async-actor calls", "guests of WASI 0.2 have no async methods"),
    ("client: …", "there is no second protocol for clients: `rayw submit` runs the driver on the cluster"),
];

pub(super) fn microbenchmark(
    settings: &MicrobenchmarkSettings,
    printer: &PrinterHandle,
) -> Result<ExitStatus, Failure> {
    let interrupts = Interrupts::listen()?;
    let component = if settings.component.is_file() {
        settings.component.clone()
    } else {
        match cargo::build(&BuildSettings { path: settings.component.clone(), bin: None }, &interrupts) {
            Ok(component) => component,
            Err(end) => return ended(end),
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::system("failed to start a runtime").caused_by(error))?.block_on(async {
        let mut suite = Suite { settings, component, printer, results: Vec::new() };
        tokio::select! {
            biased;
            // The child is killed when the future is dropped.
            signal = interrupts.first() => Ok(ExitStatus::Signal(signal)),
            done = suite.run() => done.map(|()| ExitStatus::Done),
        }
    })
}

/// All rows that were asked for.
struct Suite<'a> {
    settings: &'a MicrobenchmarkSettings,
    component: PathBuf,
    printer: &'a PrinterHandle,
    results: Vec<Measured>,
}

impl Suite<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        if self.settings.list {
            return self.list().await;
        }
        if !self.settings.json {
            self.printer.out(result::heading());
        }
        if self.settings.address.is_none() {
            self.rows(&["--together"]).await?;
            // What such a row leaves behind would be memory that the next one need not ask for.
            for row in self.listed(&["--alone"]).await? {
                self.rows(&["--row", &row]).await?;
            }
            if self.wants(START) {
                self.start().await?;
            }
        } else {
            // A cluster that others started serves all rows alike.
            self.rows(&[]).await?;
        }
        if self.results.is_empty() {
            return Err(no_such_row());
        }
        if self.settings.json {
            self.printer.out(result::json(&self.results, self.settings, &LEFT_OUT));
        } else if self.settings.filters.is_empty() {
            for (name, why) in LEFT_OUT {
                self.printer.err(format!("left out: `{name}`: {why}"));
            }
        }
        Ok(())
    }

    async fn list(&self) -> Result<(), Failure> {
        let mut names = self.listed(&[]).await?;
        names.extend(self.wants(START).then(|| START.to_owned()));
        if names.is_empty() {
            return Err(no_such_row());
        }
        names.into_iter().for_each(|name| self.printer.out(name));
        Ok(())
    }

    /// The names of such rows that the guest measures and that are asked for.
    async fn listed(&self, which: &[&str]) -> Result<Vec<String>, Failure> {
        let args: Vec<_> = [which, &["--list"]].concat().into_iter().map(str::to_owned).collect();
        let mut child = Child::run(&self.component, self.settings.num_cpus, &args)?;
        let mut names = Vec::new();
        while let Some(name) = child.line().await? {
            names.extend(self.wants(&name).then_some(name));
        }
        child.end().await?;
        Ok(names)
    }

    /// Whether that row is asked for.
    fn wants(&self, name: &str) -> bool {
        let filters = &self.settings.filters;
        filters.is_empty() || filters.iter().any(|part| name.contains(part.as_str()))
    }

    /// Rows that the guest measures.
    async fn rows(&mut self, which: &[&str]) -> Result<(), Failure> {
        let args = self.guest_args(which);
        let mut child = match &self.settings.address {
            Some(address) => Child::submit(&self.component, address, &args)?,
            None => Child::run(&self.component, self.settings.num_cpus, &args)?,
        };
        let mut empty = None;
        while let Some(line) = child.line().await? {
            match result::parse(&line) {
                Some(Said::Row(measured)) => self.tell(measured),
                // What a cluster elsewhere needs cannot be seen from here.
                Some(Said::Mark { .. }) if self.settings.address.is_some() => {}
                Some(Said::Mark { of: None, .. }) => empty = child.resident(),
                Some(Said::Mark { of: Some(row), count }) => {
                    if let (Some(empty), Some(full)) = (empty, child.resident()) {
                        self.tell(result::memory_of_each(&row, empty, full, count));
                    }
                }
                None => self.printer.err(line),
            }
        }
        child.end().await
    }

    async fn start(&mut self) -> Result<(), Failure> {
        let mut samples = Vec::new();
        // The first one finds cold caches and does not count.
        for round in 0..=self.settings.rounds {
            let started = Instant::now();
            let mut child = Child::run(&self.component, self.settings.num_cpus, &["--first-task".to_owned()])?;
            while let Some(line) = child.line().await? {
                if line == FIRST_TASK_DONE && round > 0 {
                    samples.push(started.elapsed().as_secs_f64());
                }
            }
            child.end().await?;
        }
        self.tell(Measured::new(START, "seconds", samples));
        Ok(())
    }

    fn tell(&mut self, measured: Measured) {
        if !self.settings.json {
            self.printer.out(measured.line());
        }
        self.results.push(measured);
    }

    fn guest_args(&self, which: &[&str]) -> Vec<String> {
        let MicrobenchmarkSettings { filters, warmup, seconds, rounds, scale, .. } = self.settings;
        let mut args = vec!["--json".to_owned()];
        args.extend(which.iter().map(|&word| word.to_owned()));
        args.extend(filters.iter().flat_map(|part| ["--filter".to_owned(), part.clone()]));
        args.extend(["--warmup".to_owned(), warmup.as_secs_f64().to_string()]);
        args.extend(["--seconds".to_owned(), seconds.as_secs_f64().to_string()]);
        args.extend(["--rounds".to_owned(), rounds.to_string()]);
        args.extend(["--scale".to_owned(), scale.to_string()]);
        args.extend(["--cpus".to_owned(), self.settings.whole_cpus().to_string()]);
        args
    }
}

fn no_such_row() -> Failure {
    Failure::usage("no row has that in its name").hint("`rayw microbenchmark --list` shows all")
}

/// The folder or file of the guest, when nobody names one: beside the program, or in its checkout.
pub(crate) fn default_component() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.with_file_name("microbenchmark.wasm");
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/microbenchmark");
    [beside, checkout].into_iter().find(|path| path.is_file() || path.join("Cargo.toml").is_file())
}
