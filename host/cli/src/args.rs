//! The command line as it was said: clap and nothing else.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use rayw_core::limits;
use rayw_core::view::{Filter, Resource};

use crate::parse::{self, DirGrant};

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
    /// Make this process part of a cluster: its head, or a node
    Start(Box<StartArgs>),
    /// Run a program on a cluster and show what it prints
    Submit(Box<SubmitArgs>),
    /// Look at, stop or delete a job of a cluster
    Job(JobArgs),
    /// Have a node of a cluster leave when its work is done
    Drain(DrainArgs),
    /// List tasks, actors, objects, nodes or jobs of a running session
    List(ListArgs),
    /// Show everything about one task, actor, object, node or job
    Get(GetArgs),
    /// Count tasks, actors or objects of a running session by state
    Summary(SummaryArgs),
    /// Measure what Ray's microbenchmark measures, on a cluster in this machine or elsewhere
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

/// Arguments of `rayw start`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("role").required(true).args(["head", "address"]))]
pub struct StartArgs {
    /// Be the head, with a node beside it
    #[arg(long)]
    pub head: bool,
    /// Be a node of the cluster whose head is there
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// Port to listen on; 6379 for a head, any for a node
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Address to listen on; nobody on other machines reaches 127.0.0.1
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: std::net::IpAddr,
    /// What others dial, where that is not what this process listens on
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,
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
    /// A label of the node; repeatable
    #[arg(long = "labels", value_name = "KEY=VALUE", value_parser = parse::variable, value_delimiter = ',')]
    pub labels: Vec<(String, String)>,
    /// Name of the node, for people
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// Folder for components, logs and spilled objects; one of its own unless said
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// How often nodes tell the head that they are there
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = parse::duration)]
    pub heartbeat_period: Duration,
    /// After how long without a word the head takes a node for dead
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse::duration)]
    pub node_timeout: Duration,
    /// Stay in the foreground, which it always does
    #[arg(long)]
    pub block: bool,
}

/// Arguments of `rayw submit`.
#[derive(Debug, clap::Args)]
pub struct SubmitArgs {
    /// A .wasm or .wat file
    pub app: PathBuf,
    /// The head of the cluster [env: RAYW_ADDRESS]
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// Print the job's id and do not wait for its end
    #[arg(long)]
    pub no_wait: bool,
    /// The name to know it by; drawn by the head unless said
    #[arg(long, value_name = "ID")]
    pub submission_id: Option<String>,
    /// A name for people
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Logical cpus that the driver holds
    #[arg(long, value_name = "N", value_parser = parse::cpus)]
    pub num_cpus: Option<f64>,
    /// Memory that the driver holds, such as 1GiB
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes)]
    pub memory: Option<u64>,
    /// Custom resources that the driver holds, such as '{"slot": 1}'
    #[arg(long, value_name = "JSON", value_parser = parse_resources)]
    pub resources: Option<CustomResources>,
    /// A label that the driver's node must have, such as zone=a or zone='in(a,b)'; repeatable
    #[arg(long = "label-selector", value_name = "KEY=VALUE", value_parser = parse::variable)]
    pub label_selector: Vec<(String, String)>,
    /// Let the program use a folder of the nodes, `:ro` for reading only; repeatable
    #[arg(long = "dir", value_name = "HOST::GUEST[:ro]", value_parser = parse::dir)]
    pub dirs: Vec<DirGrant>,
    /// Send a folder with the job, which its guests see as `.`, for reading
    #[arg(long, value_name = "PATH")]
    pub working_dir: Option<PathBuf>,
    /// Set an environment variable of the program; repeatable
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = parse::variable)]
    pub env: Vec<(String, String)>,
    /// The namespace of its named actors; one of its own unless said
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Its share of the cluster while others want it too
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub weight: u32,
    /// Fail at once where no node will ever be able to run something
    #[arg(long)]
    pub fail_if_infeasible: bool,
    /// Arguments of the driver
    #[arg(last = true)]
    pub args: Vec<String>,
}

/// Arguments of `rayw job`.
#[derive(Debug, clap::Args)]
pub struct JobArgs {
    /// What is to be done.
    #[command(subcommand)]
    pub command: JobCommandArgs,
}

/// What is to be done with a job.
#[derive(Debug, Subcommand)]
pub enum JobCommandArgs {
    /// Show the state of a job
    Status(OneJobArgs),
    /// Show what a job printed
    Logs {
        /// Which job, and where.
        #[command(flatten)]
        job: OneJobArgs,
        /// Until it ends
        #[arg(short, long)]
        follow: bool,
    },
    /// Stop a job: its driver, tasks and actors
    Stop(OneJobArgs),
    /// Forget a job that is over, and its logs
    Delete(OneJobArgs),
}

/// Which job.
#[derive(Debug, clap::Args)]
pub struct OneJobArgs {
    /// Its id, or the name that it was submitted under
    pub id: String,
    /// The head of the cluster [env: RAYW_ADDRESS]
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
}

/// Arguments of `rayw drain`.
#[derive(Debug, clap::Args)]
pub struct DrainArgs {
    /// Its id, the beginning of it, or its name
    pub node: String,
    /// Why, for people
    #[arg(long, value_name = "TEXT", default_value = "somebody drained it")]
    pub reason: String,
    /// When it leaves even if it has work
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    pub deadline: Option<Duration>,
    /// The head of the cluster [env: RAYW_ADDRESS]
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
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
    /// Directory or socket of the session, or HOST:PORT of a cluster; the newest session unless said [env: RAYW_ADDRESS]
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
    /// Its id, as `rayw list` shows it
    pub id: String,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    pub format: Format,
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
    #[arg(long, value_enum, default_value_t = Format::Default)]
    pub format: Format,
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
    /// The head of a cluster; one inside a process of its own unless said
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
}

impl From<ResourceArg> for Resource {
    fn from(resource: ResourceArg) -> Self {
        match resource {
            ResourceArg::Tasks => Self::Tasks,
            ResourceArg::Actors => Self::Actors,
            ResourceArg::Objects => Self::Objects,
            ResourceArg::Nodes => Self::Nodes,
            ResourceArg::Jobs => Self::Jobs,
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

fn parse_limit(text: &str) -> Result<usize, String> {
    let max = limits::LIST_ROWS_MAX;
    match text.parse::<usize>() {
        Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
        _ => Err(format!("one answer has between 1 and {max} rows; use a filter to see others")),
    }
}

#[cfg(test)]
mod tests;
