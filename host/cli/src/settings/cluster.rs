//! Settings of the commands that make a cluster and talk to one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rayw_core::{Amount, Resources, resources_of};

use super::{flag_or_variable, parse};
use crate::args::{DrainArgs, JobCommandArgs, OneJobArgs, StartArgs, SubmitArgs};
use crate::env::{self, Environment};
use crate::failure::Failure;
use crate::machine::Offer;
use crate::parse::DirGrant;
use crate::serve::{Role, ServeSettings};

/// Where a head listens unless said; Ray's port.
const HEAD_PORT: u16 = 6379;

/// Settings of `rayw submit`.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitSettings {
    /// The component's file.
    pub app: PathBuf,
    /// `host:port` of the head.
    pub address: String,
    /// Whether its end is not waited for.
    pub no_wait: bool,
    /// The name to know it by.
    pub submission_id: Option<String>,
    /// A name for people.
    pub name: Option<String>,
    /// What its driver holds.
    pub resources: Resources,
    /// Labels that the driver's node must have.
    pub label_selector: Vec<(String, String)>,
    /// Folders of the nodes that its guests see.
    pub dirs: Vec<DirGrant>,
    /// A folder to be sent along.
    pub working_dir: Option<PathBuf>,
    /// Variables of its guests.
    pub env: Vec<(String, String)>,
    /// The namespace of its named actors.
    pub namespace: Option<String>,
    /// Its share of the cluster relative to other jobs'.
    pub weight: u32,
    /// Whether what can never run fails at once.
    pub fail_if_infeasible: bool,
    /// The driver's arguments.
    pub args: Vec<String>,
}

/// Settings of `rayw job`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSettings {
    /// `host:port` of the head.
    pub address: String,
    /// What is to be done.
    pub command: JobCommand,
}

/// What is to be done with a job, named by its id or the name that it was submitted under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobCommand {
    /// Show its state.
    Status(String),
    /// Show what it printed.
    Logs {
        /// The job.
        id: String,
        /// Until it ends.
        follow: bool,
    },
    /// Stop it.
    Stop(String),
    /// Forget it.
    Delete(String),
}

/// Settings of `rayw drain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainSettings {
    /// `host:port` of the head.
    pub address: String,
    /// Its id, the beginning of it, or its name.
    pub node: String,
    /// Why, for people.
    pub reason: String,
    /// When it leaves even if it has work.
    pub deadline: Option<Duration>,
}

fn address(flag: Option<String>, environment: &Environment) -> Result<String, Failure> {
    let of_environment = || environment.address.as_ref().map(|path| path.display().to_string());
    flag.or_else(of_environment).ok_or_else(|| {
        Failure::usage("no cluster is named").hint("give `--address HOST:PORT`, or set the variable RAYW_ADDRESS")
    })
}

pub(super) fn start(args: StartArgs, environment: &Environment) -> Result<ServeSettings, Failure> {
    let port = args.port.unwrap_or(if args.head { HEAD_PORT } else { 0 });
    let bytes = |name, value: &Option<String>, flag| flag_or_variable(flag, name, value.as_deref(), parse::bytes);
    let offer = Offer {
        num_cpus: flag_or_variable(args.num_cpus, env::RAYW_NUM_CPUS, environment.num_cpus.as_deref(), parse::cpus)?,
        memory: bytes(env::RAYW_MEMORY, &environment.memory, args.memory)?,
        object_store_memory: bytes(
            env::RAYW_OBJECT_STORE_MEMORY,
            &environment.object_store_memory,
            args.object_store_memory,
        )?,
        resources: args.resources.unwrap_or_default().0,
        lineage_bytes: bytes(env::RAYW_LINEAGE_BYTES, &environment.lineage_bytes, None)?,
    };
    let dir = match args.dir {
        Some(dir) => dir,
        None => {
            let root = environment.cache_dir.clone().unwrap_or_else(std::env::temp_dir);
            let name = if args.head { "head".to_owned() } else { format!("node-{}", std::process::id()) };
            root.join("cluster").join(name)
        }
    };
    Ok(ServeSettings {
        role: args.address.map_or(Role::Head, Role::Node),
        listen: SocketAddr::new(args.host, port),
        advertise: args.advertise,
        name: args.node_name.unwrap_or_else(|| if args.head { "head" } else { "node" }.to_owned()),
        labels: args.labels.into_iter().collect(),
        offer,
        cache_dir: environment.cache_dir.clone(),
        dir,
        heartbeat_period: args.heartbeat_period,
        node_timeout: args.node_timeout,
    })
}

pub(super) fn submit(args: SubmitArgs, environment: &Environment) -> Result<SubmitSettings, Failure> {
    if !args.app.is_file() {
        return Err(Failure::usage(format!("no file `{}`", args.app.display()))
            .hint("`rayw build` makes a .wasm file of a crate and says where it is"));
    }
    if let Some(folder) = args.working_dir.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Failure::usage(format!("`{}` of `--working-dir` is not a folder", folder.display())));
    }
    let custom = args.resources.unwrap_or_default().0;
    Ok(SubmitSettings {
        app: args.app,
        address: address(args.address, environment)?,
        no_wait: args.no_wait,
        submission_id: args.submission_id,
        name: args.name,
        resources: resources_of(args.num_cpus, Amount::ZERO, args.memory, &custom)?,
        label_selector: args.label_selector,
        dirs: args.dirs,
        working_dir: args.working_dir,
        env: args.env,
        namespace: args.namespace,
        weight: args.weight,
        fail_if_infeasible: args.fail_if_infeasible,
        args: args.args,
    })
}

pub(super) fn job(command: JobCommandArgs, environment: &Environment) -> Result<JobSettings, Failure> {
    let (of, command) = match command {
        JobCommandArgs::Status(OneJobArgs { id, address }) => (address, JobCommand::Status(id)),
        JobCommandArgs::Logs { job: OneJobArgs { id, address }, follow } => (address, JobCommand::Logs { id, follow }),
        JobCommandArgs::Stop(OneJobArgs { id, address }) => (address, JobCommand::Stop(id)),
        JobCommandArgs::Delete(OneJobArgs { id, address }) => (address, JobCommand::Delete(id)),
    };
    Ok(JobSettings { address: address(of, environment)?, command })
}

pub(super) fn drain(args: DrainArgs, environment: &Environment) -> Result<DrainSettings, Failure> {
    let DrainArgs { node, reason, deadline, address: of } = args;
    Ok(DrainSettings { address: address(of, environment)?, node, reason, deadline })
}
