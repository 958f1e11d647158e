//! Asks a component what is in it: once per digest, in a sandbox that can do nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rayw_core::{
    ActorClass, ActorId, ActorOptions, Arg, CallOptions, ComponentDigest, Description, Details, Error, ErrorKind,
    Function, GroupId, GroupOptions, GroupStatus, JobId, Labels, Method, NodeId, ObjectId, Parameter, RefId,
    RetryExceptions, TaskId, TaskOptions, TaskTerms, Value, limits,
};

use crate::export::Exports;
use crate::services::Answer;
use crate::state::Guest;
use crate::{Caller, Engine, Grants, GroupServices, Output, Program, Sandbox, Services, Submitted, export, trap};

/// How long a component may take to say what is in it.
const DESCRIBE_TIME_MAX: Duration = Duration::from_secs(10);

/// Functions, classes and methods of one component. Every node keeps them and people list them.
const NAMES_MAX: usize = 100_000;

/// The component's own words, checked.
pub(crate) async fn ask(engine: &Engine, program: &Arc<Program>, origin: &str) -> Result<Description, Error> {
    let unable = |cause: Error| {
        let mut error = Error::new(cause.kind, format!("`{origin}` cannot say what is in it")).caused_by(&cause);
        error.backtrace = Details::from(cause).backtrace;
        error
    };
    let asked = tokio::time::timeout(DESCRIBE_TIME_MAX, run(engine, program, origin)).await;
    let description = asked.unwrap_or_else(|_| {
        let seconds = DESCRIBE_TIME_MAX.as_secs();
        Err(Error::new(ErrorKind::TaskTimeout, format!("`describe` did not return within {seconds} seconds")))
    });
    let description = description.map_err(unable)?;
    if let Some(class) = description.actors.iter().find(|class| class.durable)
        && program.exports.durable.is_none()
    {
        let why = format!("class `{}` is durable, and the component does not export `rayw:core/durable`", class.name);
        return Err(unable(Error::new(ErrorKind::InvalidArgument, why)));
    }
    check(&description).map_err(|why| unable(Error::new(ErrorKind::InvalidArgument, why)))?;
    Ok(description)
}

async fn run(engine: &Engine, program: &Arc<Program>, origin: &str) -> Result<Description, Error> {
    let Some(exports) = &program.exports.guest else {
        return Ok(typed(&program.exports));
    };
    let sandbox = Sandbox {
        memory_bytes_max: limits::INSTANCE_MEMORY_BYTES_DEFAULT,
        grants: Arc::new(Grants::default()),
        args: Vec::new(),
    };
    let guest = Guest::new(Arc::new(Nothing), Arc::new(nobody(program.digest)), &sandbox)?;
    let mut instance = engine.start_to_describe(Arc::clone(program), guest).await?;
    let other = |interface: &str, cause: wasmtime::Error| {
        let name = format!("a `rayw:core/{interface}` of another shape");
        export::other_contract(origin, &name).caused_by(format!("{cause:#}"))
    };
    instance.check_shape(exports).map_err(|cause| other("guest", cause))?;
    if let Some(durable) = &program.exports.durable {
        instance.check_durable(durable).map_err(|cause| other("durable", cause))?;
    }
    if let Some(line) = &program.exports.line {
        instance.check_line(line).map_err(|cause| other("line-guest", cause))?;
    }
    let described = instance.describe(exports).await;
    let described = described.map_err(|error| {
        if trap::is_too_much(&error) {
            return Error::new(ErrorKind::InvalidArgument, too_long());
        }
        trap::explain(&error, instance.guest())
    });
    described?.try_into()
}

/// What the typed functions are called and take, or more of it than [`check`] lets pass.
fn typed(exports: &Exports) -> Description {
    let (mut description, mut bytes) = (Description::default(), 0);
    for function in exports.described() {
        bytes += words_of_function(&function).map(String::len).sum::<usize>();
        description.functions.push(function);
        if bytes > limits::DESCRIPTION_BYTES_MAX {
            break;
        }
    }
    description
}

fn too_long() -> String {
    let most = limits::DESCRIPTION_BYTES_MAX >> 20;
    format!("it says more than {most} MiB of its functions and classes: shorten names and types, or split it")
}

fn words(description: &Description) -> impl Iterator<Item = &String> {
    let functions = description.functions.iter().flat_map(words_of_function);
    functions.chain(description.actors.iter().flat_map(words_of_class))
}

fn words_of_function(function: &Function) -> impl Iterator<Item = &String> {
    let TaskOptions { name, resources, retry_exceptions, label_selector, .. } = &function.options;
    let own = [&function.name, &function.returns].into_iter().chain(words_of_parameters(&function.parameters));
    let options = name.iter().chain(resources.iter().map(|(name, _)| name)).chain(retried(retry_exceptions.as_ref()));
    own.chain(options).chain(words_of_labels(label_selector))
}

fn words_of_class(class: &ActorClass) -> impl Iterator<Item = &String> {
    let ActorOptions { name, namespace, resources, label_selector, .. } = &class.options;
    let own = std::iter::once(&class.name).chain(words_of_parameters(&class.parameters));
    let options = name.iter().chain(namespace).chain(resources.iter().map(|(name, _)| name));
    let options = options.chain(words_of_labels(label_selector));
    own.chain(options).chain(class.methods.iter().flat_map(words_of_method))
}

fn words_of_method(method: &Method) -> impl Iterator<Item = &String> {
    let CallOptions { name, retry_exceptions, .. } = &method.options;
    let own = [&method.name, &method.returns].into_iter().chain(words_of_parameters(&method.parameters));
    own.chain(name).chain(retried(retry_exceptions.as_ref()))
}

fn words_of_parameters(parameters: &[Parameter]) -> impl Iterator<Item = &String> {
    parameters.iter().flat_map(|parameter| [&parameter.name, &parameter.type_name])
}

fn words_of_labels(selector: &[(String, String)]) -> impl Iterator<Item = &String> {
    selector.iter().flat_map(|(key, value)| [key, value])
}

/// The types of errors that are listed.
fn retried(exceptions: Option<&RetryExceptions>) -> &[String] {
    match exceptions {
        Some(RetryExceptions::Only(types)) => types,
        Some(RetryExceptions::No | RetryExceptions::All) | None => &[],
    }
}

/// Names must be there, be few enough, and be different, and all words together not too long.
fn check(description: &Description) -> Result<(), String> {
    if words(description).map(String::len).sum::<usize>() > limits::DESCRIPTION_BYTES_MAX {
        return Err(too_long());
    }
    let mut left = NAMES_MAX;
    let mut check = |what: &str, names: Vec<&String>| {
        let mut seen = HashSet::new();
        for name in names {
            left = left.checked_sub(1).ok_or_else(|| format!("it lists more than {NAMES_MAX} names"))?;
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(format!("{what} is called `{}`", name.escape_debug()));
            }
            if !seen.insert(name) {
                return Err(format!("{what} `{name}` is there twice: rename one of them"));
            }
        }
        Ok(())
    };
    check("function", description.functions.iter().map(|function| &function.name).collect())?;
    check("actor class", description.actors.iter().map(|class| &class.name).collect())?;
    for class in &description.actors {
        check(&format!("method of `{}`", class.name), class.methods.iter().map(|method| &method.name).collect())?;
    }
    Ok(())
}

/// Who runs when a component is asked: nobody's task.
fn nobody(component: ComponentDigest) -> Caller {
    let task = TaskId([0; 16]);
    let terms = TaskTerms::new(JobId::numbered(0), component, "describe".into());
    Caller::new(task, Arc::new(terms), NodeId([0; 16]), "".into(), Arc::default())
}

/// The services of a component that is only asked what is in it.
struct Nothing;

fn refused<T>() -> Result<T, Error> {
    let message = "a component that is asked what is in it can call nothing: do it in a task";
    Err(Error::new(ErrorKind::InvalidArgument, message))
}

impl GroupServices for Nothing {
    fn create_group(&self, _: Arc<Caller>, _: GroupOptions) -> Answer<'_, GroupId> {
        Box::pin(std::future::ready(refused()))
    }

    fn group_ready(&self, _: &Caller, _: GroupId) -> Result<ObjectId, Error> {
        refused()
    }

    fn remove_group(&self, _: GroupId) {}

    fn named_group(&self, _: Arc<Caller>, _: String, _: Option<String>) -> Answer<'_, GroupId> {
        Box::pin(std::future::ready(refused()))
    }

    fn group_status(&self, _: GroupId) -> Answer<'_, GroupStatus> {
        Box::pin(std::future::ready(refused()))
    }

    fn node_labels(&self) -> &Labels {
        static NONE: Labels = Labels::new();
        &NONE
    }
}

impl Services for Nothing {
    fn submit(&self, _: &Caller, _: &str, _: Vec<Arg>, _: TaskOptions) -> Result<Submitted, Error> {
        refused()
    }

    fn put(&self, _: &Caller, _: Value) -> Result<ObjectId, Error> {
        refused()
    }

    fn get(&self, _: Arc<Caller>, _: Vec<ObjectId>, _: Option<Duration>) -> Answer<'_, Vec<Arc<Value>>> {
        Box::pin(std::future::ready(refused()))
    }

    fn wait(&self, _: Arc<Caller>, _: Vec<ObjectId>, _: u32, _: Option<Duration>, _: bool) -> Answer<'_, Vec<u32>> {
        Box::pin(std::future::ready(refused()))
    }

    fn cancel(&self, _: &Caller, _: ObjectId, _: bool, _: bool) -> Result<(), Error> {
        refused()
    }

    fn create_actor(&self, _: Arc<Caller>, _: String, _: Vec<Arg>, _: ActorOptions) -> Answer<'_, ActorId> {
        Box::pin(std::future::ready(refused()))
    }

    fn call_actor(&self, _: &Caller, _: ActorId, _: &str, _: Vec<Arg>, _: CallOptions) -> Result<Submitted, Error> {
        refused()
    }

    fn named_actor(&self, _: Arc<Caller>, _: String, _: Option<String>) -> Answer<'_, ActorId> {
        Box::pin(std::future::ready(refused()))
    }

    fn actor_class(&self, _: &Caller, _: ActorId) -> Arc<str> {
        "".into()
    }

    fn kill_actor(&self, _: &Caller, _: ActorId, _: bool) {}

    fn terminate_actor(&self, _: &Caller, _: ActorId) {}

    fn acquire(&self, _: &Caller, _: &[RefId]) {}

    fn release(&self, _: &Caller, _: &[RefId]) {}

    fn take_in(&self, _: &Caller) {}

    fn print(&self, _: &Caller, _: Output, _: &str, _: bool) {}
}
