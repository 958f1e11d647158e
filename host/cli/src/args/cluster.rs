//! The commands that make a cluster and talk to one.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use super::{CustomResources, ListOptions, PlainFormat, SessionArgs, parse_resources};
use crate::parse::{self, DirGrant};
use crate::working_dir;

/// Arguments of `rayw start`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("role").required(true).args(["head", "address"]))]
pub struct StartArgs {
    /// Be the head, with a node beside it
    #[arg(long)]
    pub head: bool,
    /// Be a node of the cluster whose head is there
    #[arg(long, value_name = "HOST:PORT", value_parser = parse::host_port)]
    pub address: Option<String>,
    /// Port to listen on; 6379 for a head, any for a node
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Address to listen on; nobody on other machines reaches 127.0.0.1, and 0.0.0.0 or :: needs `--advertise`
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: std::net::IpAddr,
    /// What others dial, where that is not what this process listens on; port 0 means the one it listens on
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
    /// Labels of the node, such as zone=a,disk=ssd; repeatable
    #[arg(long = "labels", value_name = "KEY=VALUE", value_parser = parse::label, value_delimiter = ',')]
    pub labels: Vec<(String, String)>,
    /// Name of the node, for people
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// Folder for components, logs, spilled objects and, of a head, its journal: a head on the same folder goes on with the cluster it had, also after `rayw stop`; one for each port unless said
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
    /// Of a head: how often its nodes tell it that they are there
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = parse::duration)]
    pub heartbeat_period: Duration,
    /// Of a head: after how long without a word it takes a node for dead
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse::duration)]
    pub node_timeout: Duration,
    /// Of a node: how long it tries to reach the head before it gives up
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse::duration)]
    pub join_timeout: Duration,
    /// Stay in the foreground and log to stderr; ctrl-c ends it
    #[arg(long)]
    pub block: bool,
    /// This process was started by another one, which waits for its word
    #[arg(long, hide = true, conflicts_with = "block")]
    pub detached: bool,
}

/// Arguments of `rayw stop`.
#[derive(Debug, clap::Args)]
pub struct StopArgs {
    /// Kill them at once instead of letting them end in order
    #[arg(short, long, conflicts_with = "grace_period")]
    pub force: bool,
    /// How long they may take to end in order before they are killed
    #[arg(short, long, value_name = "DURATION", default_value = "16s", value_parser = parse::duration)]
    pub grace_period: Duration,
}

/// Arguments of `rayw status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Show each node with what it uses
    #[arg(short, long)]
    pub verbose: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Default)]
    pub format: PlainFormat,
    /// Whom to ask.
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Which head.
#[derive(Debug, clap::Args)]
pub struct HeadArgs {
    /// The head of the cluster; the last one started on this machine unless said [env: RAYW_ADDRESS]
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
}

/// Arguments of `rayw submit`.
#[derive(Debug, clap::Args)]
pub struct SubmitArgs {
    /// A .wasm or .wat file
    pub app: PathBuf,
    /// Whom to ask.
    #[command(flatten)]
    pub head: HeadArgs,
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
    #[arg(long = "label-selector", value_name = "KEY=VALUE", value_parser = parse::label)]
    pub label_selector: Vec<(String, String)>,
    /// Let the program use a folder of the nodes, by its whole path, `:ro` for reading only; repeatable
    #[arg(long = "dir", value_name = "HOST::GUEST[:ro]", value_parser = parse::dir)]
    pub dirs: Vec<DirGrant>,
    /// A folder that is sent with the job. Its help names the limit and what is left out.
    #[arg(long, value_name = "PATH", help = working_dir::help())]
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
    /// List all jobs, those that are over too
    List(ListOptions),
    /// Show the state of a job
    Status(OneJobArgs),
    /// Show what a job printed, all of it on stdout
    Logs {
        /// Which job, and where.
        #[command(flatten)]
        job: OneJobArgs,
        /// Until it ends; how it did is said on stderr
        #[arg(short, long)]
        follow: bool,
    },
    /// Stop a job: its driver, tasks and actors
    Stop {
        /// Which job, and where.
        #[command(flatten)]
        job: OneJobArgs,
        /// Do not wait until it has ended
        #[arg(long)]
        no_wait: bool,
    },
    /// Forget a job that is over, and its logs
    Delete(OneJobArgs),
}

/// Which job.
#[derive(Debug, clap::Args)]
pub struct OneJobArgs {
    /// Its id, or the name that it was submitted under
    pub id: String,
    /// Whom to ask.
    #[command(flatten)]
    pub head: HeadArgs,
}

/// Why a node is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DrainReasonArg {
    /// It has nothing to do; one that has is refused
    #[value(alias = "idle")]
    IdleTermination,
    /// Its machine goes: its work moves, and actors that it had restart without that being counted
    Preemption,
}

/// Arguments of `rayw drain`.
#[derive(Debug, clap::Args)]
pub struct DrainArgs {
    /// Its id, the beginning of it, or its name
    pub node: String,
    /// Why: an idle node is drained only as long as it has nothing to do
    #[arg(long, value_enum, default_value_t = DrainReasonArg::Preemption)]
    pub reason: DrainReasonArg,
    /// Why, for people
    #[arg(long, visible_alias = "message", value_name = "TEXT")]
    pub reason_message: Option<String>,
    /// When it leaves even if it has work
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    pub deadline: Option<Duration>,
    /// Whom to ask.
    #[command(flatten)]
    pub head: HeadArgs,
}

/// Arguments of `rayw kill-actor`.
#[derive(Debug, clap::Args)]
pub struct KillActorArgs {
    /// Its id, the beginning of it, or its name
    pub actor: String,
    /// The namespace of its name; any unless said
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Have it made again as after a crash, if its `max_restarts` allows that
    #[arg(long)]
    pub restart: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub head: HeadArgs,
}

/// Arguments of `rayw remove-placement-group`.
#[derive(Debug, clap::Args)]
pub struct RemoveGroupArgs {
    /// Its id, the beginning of it, or its name
    pub group: String,
    /// The namespace of its name; any unless said
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Whom to ask.
    #[command(flatten)]
    pub head: HeadArgs,
}
