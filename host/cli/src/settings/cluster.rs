//! Settings of the commands that make a cluster and talk to one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rayw_core::control::{DrainReason, EndRequest, Ended};
use rayw_core::view::Resource;
use rayw_core::{Amount, LabelSelector, Resources, resources_of};

use super::address::{Named, named};
use super::{SessionSettings, Settings, disk_percent, flag_or_variable, list, parse, session, settle};
use crate::args::{
    DrainArgs, DrainReasonArg, Format, HeadArgs, JobCommandArgs, KillActorArgs, OneJobArgs, RemoveGroupArgs, StartArgs,
    StatusArgs, StopArgs, SubmitArgs,
};
use crate::env::{self, Environment};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::machine::Offer;
use crate::parse::DirGrant;
use crate::serve::{PASSING_NODE, Role, ServeSettings};
use crate::session::{self as sessions, Place};

/// Where a head listens unless said; Ray's port.
const HEAD_PORT: u16 = 6379;

/// Where in the cache the folders of heads and nodes are that nobody named.
const DEFAULT_PLACE: &str = "cluster";

/// The head that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadSettings {
    /// Its `host:port`.
    pub address: String,
    /// How many others could have been meant, when nobody named it.
    pub others: usize,
}

/// Settings of `rayw start`.
#[derive(Debug, Clone, PartialEq)]
pub struct StartSettings {
    /// What is served.
    pub serve: ServeSettings,
    /// Whether somebody named its folder.
    pub is_dir_named: bool,
    /// Where the process is.
    pub mode: Mode,
    /// Where session directories may be.
    pub session_roots: Vec<PathBuf>,
}

/// Where the process of a head or a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the background: this process starts another one and ends when that one is ready.
    Background,
    /// In the foreground.
    Foreground,
    /// This is the one in the background.
    Detached,
}

/// Settings of `rayw stop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopSettings {
    /// How long an orderly end may take; none is asked for when absent.
    pub grace: Option<Duration>,
    /// Where session directories may be.
    pub session_roots: Vec<PathBuf>,
}

/// Settings of `rayw status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSettings {
    /// Whether each node is shown.
    pub verbose: bool,
    /// How to print; never `Default`.
    pub format: Format,
    /// Whom to ask.
    pub session: SessionSettings,
}

/// Settings of `rayw submit`.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitSettings {
    /// The component's file.
    pub app: PathBuf,
    /// The head that gets it.
    pub head: HeadSettings,
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
    /// The head that has the job.
    pub head: HeadSettings,
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
    Stop {
        /// The job.
        id: String,
        /// Whether its end is not waited for.
        no_wait: bool,
    },
    /// Forget it.
    Delete(String),
}

/// Settings of `rayw drain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainSettings {
    /// The head of the node.
    pub head: HeadSettings,
    /// Its id, the beginning of it, or its name.
    pub node: String,
    /// Why.
    pub reason: DrainReason,
    /// Why, for people; may be empty.
    pub message: String,
    /// When it leaves even if it has work.
    pub deadline: Option<Duration>,
}

/// Settings of `rayw kill-actor` and `rayw remove-placement-group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndSettings {
    /// The head that knows it.
    pub head: HeadSettings,
    /// What ends.
    pub request: EndRequest,
}

/// The head to be asked: the one that was named, or the one that runs here.
fn head(args: &HeadArgs, environment: &Environment) -> Result<HeadSettings, Failure> {
    let (address, others) = match named(args.address.as_deref().map(Path::new), environment)? {
        None => sessions::cluster(&environment.session_roots)?,
        Some(Named::Head(address)) => (address, 0),
        // A session's directory, as `list` takes it too.
        Some(Named::Session(path)) => match sessions::place_of(&path)? {
            Place::Cluster(address) => (address, 0),
            Place::Socket(_) => return Err(not_a_cluster(&path)),
        },
    };
    Ok(HeadSettings { address, others })
}

fn not_a_cluster(named: &Path) -> Failure {
    Failure::usage(format!("`{}` is a `rayw run`, which takes no other jobs", named.display()))
        .hint("`rayw start --head` starts a cluster that does; name it with `--address HOST:PORT`")
}

pub(super) fn stop(args: &StopArgs, environment: &Environment) -> StopSettings {
    let grace = (!args.force).then_some(args.grace_period);
    StopSettings { grace, session_roots: environment.session_roots.clone() }
}

pub(super) fn status(args: StatusArgs, environment: &Environment) -> Result<StatusSettings, Failure> {
    let StatusArgs { verbose, format, session: of } = args;
    Ok(StatusSettings { verbose, format: settle(format.into(), Format::Table), session: session(of, environment)? })
}

pub(super) fn start(args: StartArgs, environment: &Environment) -> Result<StartSettings, Failure> {
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
        disk_percent_max: disk_percent(environment)?,
        resources: args.resources.unwrap_or_default().0,
        lineage_bytes: bytes(env::RAYW_LINEAGE_BYTES, &environment.lineage_bytes, None)?,
    };
    let is_dir_named = args.dir.is_some();
    let default_place = environment.cache_dir.as_ref().map(|cache| cache.join(DEFAULT_PLACE));
    let dir = args.dir.unwrap_or_else(|| {
        let place = default_place.clone().unwrap_or_else(|| std::env::temp_dir().join(DEFAULT_PLACE));
        place.join(folder_name(args.head, port))
    });
    let mode = match (args.block, args.detached) {
        (_, true) => Mode::Detached,
        (true, false) => Mode::Foreground,
        (false, false) => Mode::Background,
    };
    let serve = ServeSettings {
        role: args.address.map_or(Role::Head, Role::Node),
        listen: SocketAddr::new(args.host, port),
        advertise: args.advertise,
        name: args.node_name.unwrap_or_else(|| if args.head { "head" } else { "node" }.to_owned()),
        labels: args.labels.into_iter().collect(),
        offer,
        cache_dir: environment.cache_dir.clone(),
        dir,
        default_place,
        heartbeat_period: args.heartbeat_period,
        node_timeout: args.node_timeout,
        join_timeout: args.join_timeout,
    };
    check_dialled(&serve)?;
    check_health(&serve)?;
    Ok(StartSettings { serve, is_dir_named, mode, session_roots: environment.session_roots.clone() })
}

/// The name of a folder that nobody named. Whoever names the port means the same head or node when it is started
/// again.
fn folder_name(is_head: bool, port: u16) -> String {
    let pid = std::process::id();
    match (is_head, port) {
        (true, 0) => format!("head-pid-{pid}"),
        (true, port) => format!("head-port-{port}"),
        (false, 0) => format!("{PASSING_NODE}{pid}"),
        (false, port) => format!("node-port-{port}"),
    }
}

/// Others are told what to dial. That cannot be the address that means all of a machine's own: each of them
/// would reach itself.
fn check_dialled(serve: &ServeSettings) -> Result<(), Failure> {
    let host = serve.listen.ip();
    if host.is_unspecified() && serve.advertise.is_none() {
        return Err(Failure::usage(format!(
            "`--host {host}` listens on all addresses of this machine, and others cannot dial that"
        ))
        .hint(
            "say what they dial with `--advertise HOST:PORT`, where port 0 means the one that is listened on, \
             or give `--host` one address that they reach",
        ));
    }
    Ok(())
}

/// A node that is heard less often than it must be would die again and again.
fn check_health(serve: &ServeSettings) -> Result<(), Failure> {
    if serve.heartbeat_period * 2 > serve.node_timeout {
        return Err(Failure::usage(format!(
            "`--node-timeout` is {:?} and `--heartbeat-period` {:?}: one lost heartbeat would be a death",
            serve.node_timeout, serve.heartbeat_period
        ))
        .hint("make the time-out at least twice the period"));
    }
    Ok(())
}

pub(super) fn submit(args: SubmitArgs, environment: &Environment) -> Result<SubmitSettings, Failure> {
    if !args.app.is_file() {
        return Err(Failure::usage(format!("no file `{}`", args.app.display()))
            .hint("`rayw build` makes a .wasm file of a crate and says where it is"));
    }
    if let Some(folder) = args.working_dir.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Failure::usage(format!("`{}` of `--working-dir` is not a folder", folder.display())));
    }
    if let Some(grant) = args.dirs.iter().find(|grant| grant.host.is_relative()) {
        return Err(Failure::usage(format!(
            "`{}` of `--dir` is relative: it is a folder of the nodes, so give its whole path",
            grant.host.display()
        ))
        .hint("`--working-dir` sends a folder from here"));
    }
    // The head parses them again: what cannot be parsed is told before anything is sent there.
    let selector = LabelSelector::parse(args.label_selector.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    selector.map_err(|error| Failure::new(ExitStatus::Usage, error))?;
    let custom = args.resources.unwrap_or_default().0;
    Ok(SubmitSettings {
        app: args.app,
        head: head(&args.head, environment)?,
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

pub(super) fn job(command: JobCommandArgs, environment: &Environment) -> Result<Settings, Failure> {
    let (of, command) = match command {
        JobCommandArgs::List(options) => return Ok(Settings::List(list(Resource::Jobs, options, environment)?)),
        JobCommandArgs::Status(OneJobArgs { id, head }) => (head, JobCommand::Status(id)),
        JobCommandArgs::Logs { job: OneJobArgs { id, head }, follow } => (head, JobCommand::Logs { id, follow }),
        JobCommandArgs::Stop { job: OneJobArgs { id, head }, no_wait } => (head, JobCommand::Stop { id, no_wait }),
        JobCommandArgs::Delete(OneJobArgs { id, head }) => (head, JobCommand::Delete(id)),
    };
    Ok(Settings::Job(JobSettings { head: head(&of, environment)?, command }))
}

pub(super) fn drain(args: DrainArgs, environment: &Environment) -> Result<DrainSettings, Failure> {
    let DrainArgs { node, reason, reason_message, deadline, head: of } = args;
    let message = reason_message.unwrap_or_default();
    let reason = match reason {
        DrainReasonArg::IdleTermination => DrainReason::IdleTermination,
        DrainReasonArg::Preemption => DrainReason::Preemption,
    };
    Ok(DrainSettings { head: head(&of, environment)?, node, reason, message, deadline })
}

pub(super) fn kill_actor(args: KillActorArgs, environment: &Environment) -> Result<EndSettings, Failure> {
    let KillActorArgs { actor, namespace, restart, head: of } = args;
    let request = EndRequest { what: Ended::Actor { restart }, called: actor, namespace };
    Ok(EndSettings { head: head(&of, environment)?, request })
}

pub(super) fn remove_group(args: RemoveGroupArgs, environment: &Environment) -> Result<EndSettings, Failure> {
    let RemoveGroupArgs { group, namespace, head: of } = args;
    let request = EndRequest { what: Ended::Group, called: group, namespace };
    Ok(EndSettings { head: head(&of, environment)?, request })
}
