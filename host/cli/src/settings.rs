//! What is to be done, with everything settled: flag before environment before default.
//!
//! Paths that must exist are looked at here, so that a wrong one is told before anything starts.

use std::path::PathBuf;
use std::time::Duration;

use rayw_core::view::{Filter, Resource};

use crate::args::{self, Args, Command, Format, SessionArgs, SummaryArg};
use crate::env::{self, Environment};
use crate::failure::Failure;
use crate::parse::{self, DirGrant};

mod address;
mod cluster;
mod microbenchmark;

pub use address::Named;
pub use cluster::{
    DrainSettings, EndSettings, HeadSettings, JobCommand, JobSettings, Mode, StartSettings, StatusSettings,
    StopSettings, SubmitSettings,
};
pub use microbenchmark::MicrobenchmarkSettings;

/// A command with everything settled.
#[derive(Debug, Clone, PartialEq)]
pub enum Settings {
    /// `rayw new`.
    New(NewSettings),
    /// `rayw build`.
    Build(BuildSettings),
    /// `rayw run`.
    Run(Box<RunSettings>),
    /// `rayw start`.
    Start(Box<StartSettings>),
    /// `rayw stop`.
    Stop(StopSettings),
    /// `rayw status`.
    Status(StatusSettings),
    /// `rayw submit`.
    Submit(Box<SubmitSettings>),
    /// `rayw job`.
    Job(JobSettings),
    /// `rayw drain`.
    Drain(DrainSettings),
    /// `rayw kill-actor` and `rayw remove-placement-group`.
    End(EndSettings),
    /// `rayw list`.
    List(ListSettings),
    /// `rayw get`.
    Get(GetSettings),
    /// `rayw summary`.
    Summary(SummarySettings),
    /// `rayw microbenchmark`.
    Microbenchmark(MicrobenchmarkSettings),
    /// `rayw version`.
    Version,
}

/// Settings of `rayw new`.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSettings {
    /// The folder to make.
    pub folder: PathBuf,
    /// Where the crate `rayw` comes from.
    pub sdk: Sdk,
}

/// Where the crate `rayw` comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sdk {
    /// A folder that somebody named.
    Named(PathBuf),
    /// The checkout that this binary was built from.
    Checkout(PathBuf),
    /// The registry.
    Registry,
}

/// Settings of `rayw build`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSettings {
    /// The crate's folder.
    pub path: PathBuf,
    /// The binary, when it was named.
    pub bin: Option<String>,
}

/// Settings of `rayw run`.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSettings {
    /// A file or a crate's folder.
    pub app: PathBuf,
    /// The driver, or one function.
    pub work: Work,
    /// Logical cpus; `None` for the machine's.
    pub num_cpus: Option<f64>,
    /// Bytes that tasks may reserve; `None` for a share of the machine's.
    pub memory: Option<u64>,
    /// Bytes of the object store; `None` for a share of the machine's.
    pub object_store_memory: Option<u64>,
    /// Part of its disk that spilled objects may fill, in percent; the default's when absent.
    pub disk_percent_max: Option<u64>,
    /// Custom resources.
    pub resources: Vec<(String, f64)>,
    /// How long the job may run.
    pub timeout: Option<Duration>,
    /// Folders that the program may use.
    pub dirs: Vec<DirGrant>,
    /// Variables of the program.
    pub env: Vec<(String, String)>,
    /// Whether progress may be drawn.
    pub progress: bool,
    /// Where session directories may be, the preferred one first.
    pub session_roots: Vec<PathBuf>,
    /// Where compiled components are kept.
    pub cache_dir: Option<PathBuf>,
}

/// What of a program is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Its driver, with these arguments.
    Driver(Vec<String>),
    /// One function, written as a call.
    Call(String),
}

/// Which session is asked, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// Who was named; whoever runs here when absent.
    pub address: Option<Named>,
    /// Where session directories may be.
    pub roots: Vec<PathBuf>,
    /// How long to wait for an answer.
    pub timeout: Duration,
}

/// Settings of `rayw list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSettings {
    /// What is listed.
    pub resource: Resource,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Rows at most.
    pub limit: usize,
    /// Whether all columns are shown.
    pub detail: bool,
    /// How to print; never `Default`.
    pub format: Format,
    /// Whom to ask.
    pub session: SessionSettings,
}

/// Settings of `rayw get`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetSettings {
    /// What it is.
    pub resource: Resource,
    /// Its id.
    pub id: String,
    /// How to print; never `Default`.
    pub format: Format,
    /// Whom to ask.
    pub session: SessionSettings,
}

/// Settings of `rayw summary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummarySettings {
    /// What is counted.
    pub resource: SummaryArg,
    /// How to print; never `Default`.
    pub format: Format,
    /// Whom to ask.
    pub session: SessionSettings,
}

impl Settings {
    /// Settles what was said.
    ///
    /// # Errors
    /// Usage, when a variable or a path is wrong.
    pub fn resolve(args: Args, environment: &Environment) -> Result<Self, Failure> {
        Ok(match args.command {
            Command::New(args) => Self::New(NewSettings { folder: args.name, sdk: sdk(args.sdk, environment)? }),
            Command::Build(args::BuildArgs { path, bin }) => Self::Build(BuildSettings { path, bin }),
            Command::Run(args) => Self::Run(Box::new(run(*args, environment)?)),
            Command::Start(args) => Self::Start(Box::new(cluster::start(*args, environment)?)),
            Command::Submit(args) => Self::Submit(Box::new(cluster::submit(*args, environment)?)),
            Command::Stop(args) => Self::Stop(cluster::stop(&args, environment)),
            Command::Status(args) => Self::Status(cluster::status(args, environment)?),
            Command::Job(args) => cluster::job(args.command, environment)?,
            Command::Drain(args) => Self::Drain(cluster::drain(args, environment)?),
            Command::KillActor(args) => Self::End(cluster::kill_actor(args, environment)?),
            Command::RemovePlacementGroup(args) => Self::End(cluster::remove_group(args, environment)?),
            Command::List(args) => Self::List(list(args.resource.into(), args.options, environment)?),
            Command::Get(args) => Self::Get(GetSettings {
                resource: args.resource.into(),
                id: args.id,
                format: settle(args.format.into(), Format::Table),
                session: session(args.session, environment)?,
            }),
            Command::Summary(args) => Self::Summary(SummarySettings {
                resource: args.resource,
                format: settle(args.format.into(), Format::Table),
                session: session(args.session, environment)?,
            }),
            Command::Microbenchmark(args) => Self::Microbenchmark(microbenchmark::microbenchmark(args)?),
            Command::Version => Self::Version,
        })
    }
}

fn list(resource: Resource, options: args::ListOptions, environment: &Environment) -> Result<ListSettings, Failure> {
    let args::ListOptions { filters, limit, detail, format, session: of } = options;
    // Rows with many columns do not fit on a line: Ray shows them as yaml too.
    let format = settle(format, if detail { Format::Yaml } else { Format::Table });
    Ok(ListSettings { resource, filters, limit, detail, format, session: session(of, environment)? })
}

fn settle(format: Format, default: Format) -> Format {
    if format == Format::Default { default } else { format }
}

fn session(args: SessionArgs, environment: &Environment) -> Result<SessionSettings, Failure> {
    Ok(SessionSettings {
        address: address::named(args.address.as_deref(), environment)?,
        roots: environment.session_roots.clone(),
        timeout: args.timeout,
    })
}

/// Which part of its disk spilled objects may fill, as the environment says.
fn disk_percent(environment: &Environment) -> Result<Option<u64>, Failure> {
    let said = environment.local_fs_capacity_threshold.as_deref();
    flag_or_variable(None, env::RAYW_LOCAL_FS_CAPACITY_THRESHOLD, said, parse::disk_percent)
}

/// A flag, or the value of a variable, or nothing.
fn flag_or_variable<T>(
    flag: Option<T>,
    name: &str,
    value: Option<&str>,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    match (flag, value) {
        (Some(flag), _) => Ok(Some(flag)),
        (None, None) => Ok(None),
        (None, Some(text)) => parse(text)
            .map(Some)
            .map_err(|why| Failure::usage(format!("invalid value '{text}' of the variable {name}: {why}"))),
    }
}

fn run(args: args::RunArgs, environment: &Environment) -> Result<RunSettings, Failure> {
    if !args.app.exists() {
        return Err(Failure::usage(format!("no file or folder `{}`", args.app.display()))
            .hint("APP is a .wasm or .wat file, or the folder of a crate"));
    }
    for grant in &args.dirs {
        if !grant.host.is_dir() {
            let what = if grant.host.exists() { "is not a folder" } else { "does not exist" };
            return Err(Failure::usage(format!("`{}` of `--dir` {what}", grant.host.display())));
        }
    }
    let variable = |name, value: &Option<String>, flag| flag_or_variable(flag, name, value.as_deref(), parse::bytes);
    Ok(RunSettings {
        app: args.app,
        work: args.call.map_or(Work::Driver(args.args), Work::Call),
        num_cpus: flag_or_variable(args.num_cpus, env::RAYW_NUM_CPUS, environment.num_cpus.as_deref(), parse::cpus)?,
        memory: variable(env::RAYW_MEMORY, &environment.memory, args.memory)?,
        object_store_memory: variable(
            env::RAYW_OBJECT_STORE_MEMORY,
            &environment.object_store_memory,
            args.object_store_memory,
        )?,
        disk_percent_max: disk_percent(environment)?,
        resources: args.resources.unwrap_or_default().0,
        timeout: args.timeout,
        dirs: args.dirs,
        env: args.env,
        progress: environment.terminal.progress && !args.no_progress,
        session_roots: environment.session_roots.clone(),
        cache_dir: environment.cache_dir.clone(),
    })
}

fn sdk(flag: Option<PathBuf>, environment: &Environment) -> Result<Sdk, Failure> {
    if let Some(path) = flag.or_else(|| environment.sdk.clone()) {
        return match path.canonicalize() {
            Ok(full) if full.join("Cargo.toml").is_file() => Ok(Sdk::Named(full)),
            _ => Err(Failure::usage(format!("`{}` is not the folder of the crate `rayw`", path.display()))
                .hint("it is `guest-sdk` in the rayw repository")),
        };
    }
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-sdk");
    match PathBuf::from(checkout).canonicalize() {
        Ok(full) if full.join("Cargo.toml").is_file() => Ok(Sdk::Checkout(full)),
        _ => Ok(Sdk::Registry),
    }
}

#[cfg(test)]
mod tests;
