//! Settings of `rayw microbenchmark`.

use std::path::PathBuf;
use std::time::Duration;

use crate::args::{MicrobenchmarkArgs, ReportFormat};
use crate::commands;
use crate::failure::Failure;

/// Settings of `rayw microbenchmark`.
#[derive(Debug, Clone, PartialEq)]
pub struct MicrobenchmarkSettings {
    /// The benchmark's component, or the folder of its crate.
    pub component: PathBuf,
    /// `host:port` of the head of a cluster; `None` for one in a process of its own.
    pub address: Option<String>,
    /// Only rows with one of these in their name.
    pub filters: Vec<String>,
    /// Whether only the names of the rows are shown.
    pub list: bool,
    /// Logical cpus; `None` for the machine's.
    pub num_cpus: Option<f64>,
    /// How long a row runs before it is measured.
    pub warmup: Duration,
    /// How long a round is.
    pub seconds: Duration,
    /// Rounds of a row.
    pub rounds: u32,
    /// What the sizes are multiplied by.
    pub scale: f64,
    /// Whether a program reads the results.
    pub json: bool,
}

impl MicrobenchmarkSettings {
    /// Cpus that whole tasks can hold: at least one.
    #[must_use]
    pub fn whole_cpus(&self) -> usize {
        let of_machine = || std::thread::available_parallelism().map_or(1, usize::from);
        self.num_cpus.map_or_else(of_machine, |cpus| cpus as usize).max(1)
    }
}

/// `RAYW_ADDRESS` does not count: somebody who measures says where.
pub(super) fn microbenchmark(args: MicrobenchmarkArgs) -> Result<MicrobenchmarkSettings, Failure> {
    let component = match args.component {
        Some(path) if path.exists() => path,
        Some(path) => return Err(Failure::usage(format!("no file or folder `{}` of `--component`", path.display()))),
        None => commands::default_component().ok_or_else(|| {
            Failure::usage("the benchmark's component is not beside this program")
                .hint("name it by `--component`: it is `examples/microbenchmark` in the rayw repository")
        })?,
    };
    Ok(MicrobenchmarkSettings {
        component,
        address: args.address,
        filters: args.filters,
        list: args.list,
        num_cpus: args.num_cpus,
        warmup: args.warmup,
        seconds: args.seconds,
        rounds: args.rounds,
        scale: args.scale,
        json: args.format == ReportFormat::Json,
    })
}
