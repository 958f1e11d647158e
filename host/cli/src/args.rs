//! The command line as it was said: clap and nothing else.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use rayw_core::limits;
use rayw_core::view::{Filter, Resource};

use crate::parse::{self, DirGrant};

mod cluster;

pub use cluster::{
    DrainArgs, DrainReasonArg, HeadArgs, JobArgs, JobCommandArgs, KillActorArgs, OneJobArgs, RemoveGroupArgs,
    StartArgs, StatusArgs, StopArgs, SubmitArgs,
};

/// Run tasks and actors as WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "rayw", version, max_term_width = 100)]
pub struct Args {
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a crate with a task, an actor and a driver, ready to run
    New(NewArgs),
    /// Compile a crate to a component and print where it is
    Build(BuildArgs),
    /// Run a program: its driver, or one function of it
    Run(Box<RunArgs>),
    /// Start a head or a node of a cluster, in the background unless `--block`
    Start(Box<StartArgs>),
    /// Stop the heads and nodes that were started here
    Stop(StopArgs),
    /// Show a cluster: its nodes, what is used, what waits and why
    Status(StatusArgs),
    /// Run a program on a cluster and show what it prints
    Submit(Box<SubmitArgs>),
    /// List, look at, stop or delete jobs of a cluster
    Job(JobArgs),
    /// Have a node of a cluster leave when its work is done
    Drain(DrainArgs),
    /// End an actor, such as a detached one that outlived its job
    KillActor(KillActorArgs),
    /// Remove a placement group, with all that runs in it
    RemovePlacementGroup(RemoveGroupArgs),
    /// List tasks, actors, objects, nodes, jobs, leases or placement groups
    List(ListArgs),
    /// Show everything about one task, actor, object, node, job, lease or placement group
    Get(GetArgs),
    /// Count tasks, actors or objects of a running session by state
    Summary(SummaryArgs),
    /// Measure what Ray's microbenchmark measures
    Microbenchmark(MicrobenchmarkArgs),
    /// Print the version
    Version,
}

/// Arguments of `rayw new`.
#[derive(Debug, clap::Args)]
pub struct NewArgs {
    /// Name of the crate, or the path of its folder
    pub name: PathBuf,
    /// Folder of the crate `rayw` to depend on [env: RAYW_SDK]
    #[arg(long, value_name = "PATH")]
    pub sdk: Option<PathBuf>,
}

/// Arguments of `rayw build`.
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    /// Folder of the crate
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// The binary to build, when the crate has several
    #[arg(long, value_name = "NAME")]
    pub bin: Option<String>,
}

/// Arguments of `rayw run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// A .wasm or .wat file, or the folder of a crate, which is built first
    pub app: PathBuf,
    /// Call one function instead of the driver and print its result, such as 'fib(30)'
    #[arg(long, value_name = "CALL", conflicts_with = "args")]
    pub call: Option<String>,
    /// Logical cpus to offer; all of the machine unless said [env: RAYW_NUM_CPUS]
    #[arg(long, value_name = "N", value_parser = parse::cpus)]
    pub num_cpus: Option<f64>,
    /// Memory that tasks may reserve, such as 4GiB [env: RAYW_MEMORY]
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes)]
    pub memory: Option<u64>,
    /// Memory of the object store, such as 2GiB [env: RAYW_OBJECT_STORE_MEMORY]
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes)]
    pub object_store_memory: Option<u64>,
    /// Custom resources to offer, such as '{"slot": 2}'
    #[arg(long, value_name = "JSON", value_parser = parse_resources)]
    pub resources: Option<CustomResources>,
    /// Stop the job after this long, such as 90s or 1m30s
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    pub timeout: Option<Duration>,
    /// Let the program use a folder, `:ro` for reading only; repeatable
    #[arg(long = "dir", value_name = "HOST::GUEST[:ro]", value_parser = parse::dir)]
    pub dirs: Vec<DirGrant>,
    /// Set an environment variable of the program; repeatable
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = parse::variable)]
    pub env: Vec<(String, String)>,
    /// Draw no progress, even on a terminal
    #[arg(long)]
    pub no_progress: bool,
    /// Arguments of the driver
    #[arg(last = true)]
    pub args: Vec<String>,
}

/// Custom resources by name. A type of its own, because clap would take a bare list for a repeatable option.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomResources(pub Vec<(String, f64)>);

fn parse_resources(text: &str) -> Result<CustomResources, String> {
    parse::resources(text).map(CustomResources)
}

/// Which session is asked, and how long.
#[derive(Debug, clap::Args)]
pub struct SessionArgs {
    /// Directory or socket of the session, or HOST:PORT of a cluster; the cluster here unless said, or else the newest `rayw run` [env: RAYW_ADDRESS]
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<PathBuf>,
    /// How long to wait for an answer
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse::duration)]
    pub timeout: Duration,
}

/// Arguments of `rayw list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// What to list
    pub resource: ResourceArg,
    /// Which rows, and how.
    #[command(flatten)]
    pub options: ListOptions,
}

/// Which rows are listed, and how.
#[derive(Debug, clap::Args)]
pub struct ListOptions {
    /// Only rows with this value in this column, 'KEY=VALUE' or 'KEY!=VALUE'; repeatable, all must hold
    #[arg(short, long = "filter", value_name = "FILTER")]
    pub filters: Vec<Filter>,
    /// Rows at most
    #[arg(long, value_name = "N", default_value_t = limits::LIST_ROWS_DEFAULT, value_parser = parse_limit)]
    pub limit: usize,
    /// Show more columns, as yaml unless another format is asked for
    #[arg(long)]
    pub detail: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Default)]
    pub format: Format,
    /// Whom to ask.
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Arguments of `rayw get`.
#[derive(Debug, clap::Args)]
pub struct GetArgs {
    /// What it is
    pub resource: ResourceArg,
    /// Its id, the beginning of it, or a name: of an actor, a node, a group, or a job
    pub id: String,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Yaml)]
    pub format: PlainFormat,
    /// Whom to ask.
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Arguments of `rayw summary`.
#[derive(Debug, clap::Args)]
pub struct SummaryArgs {
    /// What to count
    pub resource: SummaryArg,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Default)]
    pub format: PlainFormat,
    /// Whom to ask.
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Arguments of `rayw microbenchmark`.
#[derive(Debug, clap::Args)]
pub struct MicrobenchmarkArgs {
    /// Only rows with this in their name; repeatable
    #[arg(long = "filter", value_name = "TEXT")]
    pub filters: Vec<String>,
    /// Only print the names of the rows
    #[arg(long)]
    pub list: bool,
    /// The head of a cluster, whose memory and start are not measured; one inside a process of its own unless said
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "list")]
    pub address: Option<String>,
    /// Logical cpus to offer, or those of the cluster; all of the machine unless said
    #[arg(long, value_name = "N", value_parser = parse::cpus)]
    pub num_cpus: Option<f64>,
    /// How long a row runs before it is measured
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse::duration)]
    pub warmup: Duration,
    /// How long each round is
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse::duration)]
    pub seconds: Duration,
    /// Rounds of each row, whose mean is shown
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Multiply the sizes of all rounds, for trying: such numbers cannot be compared with others
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = parse_scale)]
    pub scale: f64,
    /// The benchmark's component or crate; beside this program, or in its checkout unless said
    #[arg(long, value_name = "PATH")]
    pub component: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A line for each row, as soon as it is there
    Table,
    /// One JSON document at the end
    Json,
}

fn parse_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 1.0 => Ok(scale),
        _ => Err("write a number above 0, at most 1".to_owned()),
    }
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResourceArg {
    /// Tasks, one row an attempt
    Tasks,
    /// Actors
    Actors,
    /// Objects, one row a reason to keep it
    Objects,
    /// Nodes
    Nodes,
    /// Jobs
    Jobs,
    /// Leases: what owners may use on which node
    Leases,
    /// Placement groups
    PlacementGroups,
}

impl From<ResourceArg> for Resource {
    fn from(resource: ResourceArg) -> Self {
        match resource {
            ResourceArg::Tasks => Self::Tasks,
            ResourceArg::Actors => Self::Actors,
            ResourceArg::Objects => Self::Objects,
            ResourceArg::Nodes => Self::Nodes,
            ResourceArg::Jobs => Self::Jobs,
            ResourceArg::Leases => Self::Leases,
            ResourceArg::PlacementGroups => Self::PlacementGroups,
        }
    }
}

/// What can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SummaryArg {
    /// Tasks by function
    Tasks,
    /// Actors by class
    Actors,
    /// Objects by the task that made them
    Objects,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table; yaml with --detail
    Default,
    /// A JSON array
    Json,
    /// A YAML document
    Yaml,
    /// A table
    Table,
}

/// How is printed what has no `--detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlainFormat {
    /// A table
    Default,
    /// A JSON document
    Json,
    /// A YAML document
    Yaml,
    /// A table
    Table,
}

impl From<PlainFormat> for Format {
    fn from(format: PlainFormat) -> Self {
        match format {
            PlainFormat::Default => Self::Default,
            PlainFormat::Json => Self::Json,
            PlainFormat::Yaml => Self::Yaml,
            PlainFormat::Table => Self::Table,
        }
    }
}

fn parse_limit(text: &str) -> Result<usize, String> {
    let max = limits::LIST_ROWS_MAX;
    match text.parse::<usize>() {
        Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
        _ => Err(format!("one answer has between 1 and {max} rows; use a filter to see others")),
    }
}

#[cfg(test)]
mod tests;
