//! Functions, classes and methods of a component with their options settled
//! once, so that submitting a task without options looks nothing up twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rayw_core::{
    ActorClass, ActorOptions, ActorSpec, Amount, CallOptions, ComponentDigest, Description, Error, ErrorKind, JobId,
    LabelSelector, Parameter, Placement, Resources, Retries, Strategy, TaskOptions, TaskTerms, check_name, limits,
    resources_of, unknown,
};

/// All that a component offers, ready to be submitted.
#[derive(Debug)]
pub(crate) struct Catalog {
    functions: HashMap<String, FunctionEntry>,
    classes: HashMap<String, ClassEntry>,
    /// What a call of an actor asks for: nothing, the actor has it.
    of_calls: Arc<Resources>,
}

/// A function.
#[derive(Debug)]
pub(crate) struct FunctionEntry {
    pub(crate) name: Arc<str>,
    pub(crate) parameters: Vec<Parameter>,
    options: TaskOptions,
    defaults: TaskTemplate,
}

/// Terms of a task, settled.
#[derive(Debug, Clone)]
pub(crate) struct TaskTemplate {
    terms: Arc<TaskTerms>,
    /// Whether a strategy was asked for: if not, the placement group of the submitter may capture it.
    is_placed: bool,
}

/// A class of actors.
#[derive(Debug)]
pub(crate) struct ClassEntry {
    pub(crate) class: ActorClass,
    pub(crate) name: Arc<str>,
    pub(crate) constructor: Arc<str>,
    methods: HashMap<String, MethodEntry>,
    /// What its actors ask for unless somebody says otherwise.
    place: ActorPlace,
    /// The terms of a constructor of such an actor.
    creation: Arc<TaskTerms>,
}

/// What an actor asks for, settled. Actors of one class share it where they can: there may be many.
#[derive(Debug, Clone)]
pub(crate) struct ActorPlace {
    /// What the node must have free to take it.
    pub(crate) footprint: Arc<Resources>,
    /// What it holds for its life.
    pub(crate) lifetime: Arc<Resources>,
    pub(crate) placement: Arc<Placement>,
}

/// A method.
#[derive(Debug)]
pub(crate) struct MethodEntry {
    /// `Class.method`.
    pub(crate) name: Arc<str>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) options: CallOptions,
}

impl ActorPlace {
    /// As in Ray: an actor that asks for nothing takes 1 cpu to be placed and none to run.
    fn settle(options: &ActorOptions) -> Result<Self, Error> {
        let lifetime = resources_of(options.num_cpus, Amount::ZERO, options.memory, &options.resources)?;
        let says_nothing = options.num_cpus.is_none() && options.resources.is_empty();
        let lifetime = Arc::new(lifetime);
        let footprint = if says_nothing {
            let mut footprint = lifetime.as_ref().clone();
            footprint.cpu = limits::NUM_CPUS_DEFAULT;
            Arc::new(footprint)
        } else {
            Arc::clone(&lifetime)
        };
        let placement = Arc::new(placement_of(options.strategy.clone(), &options.label_selector)?);
        Ok(Self { footprint, lifetime, placement })
    }
}

impl ClassEntry {
    /// What an actor with these options, the class's own among them, asks for.
    pub(crate) fn place(&self, options: &ActorOptions) -> Result<ActorPlace, Error> {
        let own = &self.class.options;
        let is_own = (options.num_cpus, options.memory) == (own.num_cpus, own.memory)
            && options.resources == own.resources
            && options.strategy == own.strategy
            && options.label_selector == own.label_selector;
        if is_own { Ok(self.place.clone()) } else { ActorPlace::settle(options) }
    }

    /// The terms of the constructor of an actor in that place, for whoever runs `component`.
    pub(crate) fn terms(&self, component: ComponentDigest, place: &ActorPlace) -> Arc<TaskTerms> {
        let own = &self.creation;
        let is_own = component == own.component
            && Arc::ptr_eq(&place.lifetime, &own.resources)
            && Arc::ptr_eq(&place.placement, &own.placement);
        if is_own {
            return Arc::clone(own);
        }
        let (resources, placement) = (Arc::clone(&place.lifetime), Arc::clone(&place.placement));
        Arc::new(TaskTerms { component, resources, placement, ..own.as_ref().clone() })
    }
}

impl Catalog {
    /// What the component of that job offers.
    pub(crate) fn new(job: JobId, component: ComponentDigest, description: &Description) -> Result<Self, Error> {
        let mut functions = HashMap::new();
        for function in &description.functions {
            let name: Arc<str> = Arc::from(function.name.as_str());
            let plain = TaskTerms::new(job, component, Arc::clone(&name));
            let defaults = TaskTemplate::settle(plain, &function.options)?;
            functions.insert(
                function.name.clone(),
                FunctionEntry {
                    name,
                    parameters: function.parameters.clone(),
                    options: function.options.clone(),
                    defaults,
                },
            );
        }
        let mut classes = HashMap::new();
        for class in &description.actors {
            let methods = class.methods.iter().map(|method| {
                let entry = MethodEntry {
                    name: Arc::from(format!("{}.{}", class.name, method.name)),
                    parameters: method.parameters.clone(),
                    options: method.options.clone(),
                };
                (method.name.clone(), entry)
            });
            let constructor: Arc<str> = Arc::from(format!("{}.new", class.name));
            let place = ActorPlace::settle(&class.options)?;
            let creation = TaskTerms {
                num_returns: 0,
                resources: Arc::clone(&place.lifetime),
                placement: Arc::clone(&place.placement),
                ..TaskTerms::new(job, component, Arc::clone(&constructor))
            };
            classes.insert(
                class.name.clone(),
                ClassEntry {
                    name: Arc::from(class.name.as_str()),
                    constructor,
                    methods: methods.collect(),
                    place,
                    creation: Arc::new(creation),
                    class: class.clone(),
                },
            );
        }
        Ok(Self { functions, classes, of_calls: Arc::default() })
    }

    pub(crate) fn function(&self, name: &str) -> Result<&FunctionEntry, Error> {
        let found = self.functions.get(name);
        found.ok_or_else(|| unknown("function", name, self.functions.keys().map(String::as_str)))
    }

    /// What a call of an actor asks for.
    pub(crate) fn of_calls(&self) -> &Arc<Resources> {
        &self.of_calls
    }

    pub(crate) fn class(&self, name: &str) -> Result<&ClassEntry, Error> {
        let found = self.classes.get(name);
        found.ok_or_else(|| unknown("actor class", name, self.classes.keys().map(String::as_str)))
    }
}

impl ClassEntry {
    pub(crate) fn method(&self, name: &str) -> Result<&MethodEntry, Error> {
        self.methods.get(name).ok_or_else(|| {
            unknown(&format!("method of `{}`", self.name), name, self.methods.keys().map(String::as_str))
        })
    }
}

impl MethodEntry {
    /// The terms of a call of an actor that a task of `job` submits, which asks for `resources`.
    pub(crate) fn terms(
        &self,
        job: JobId,
        of: &ActorSpec,
        options: CallOptions,
        resources: &Arc<Resources>,
    ) -> Result<Arc<TaskTerms>, Error> {
        let options = options.or(&self.options);
        check_name("a call", options.name.as_deref().unwrap_or_default())?;
        let max_retries = match options.max_task_retries {
            Some(count) => Retries::from_count(count, "max_task_retries")?,
            None => of.max_task_retries,
        };
        Ok(Arc::new(TaskTerms {
            name: options.name.as_deref().map_or_else(|| Arc::clone(&self.name), Arc::from),
            num_returns: check_returns(options.num_returns.unwrap_or(1))?,
            resources: Arc::clone(resources),
            placement: Arc::clone(&of.creation.placement),
            max_retries,
            retry_exceptions: options.retry_exceptions.unwrap_or_default(),
            max_calls: 0,
            timeout: options.timeout_ms.map(Duration::from_millis),
            ..TaskTerms::new(job, of.creation.component, Arc::clone(&self.name))
        }))
    }
}

impl FunctionEntry {
    /// The terms of one submission of whoever runs `component` in that placement.
    pub(crate) fn terms(
        &self,
        options: TaskOptions,
        component: ComponentDigest,
        parent: &Placement,
    ) -> Result<Arc<TaskTerms>, Error> {
        let num_returns = options.num_returns;
        let others = TaskOptions { num_returns: None, ..options };
        let mut template = if others.is_empty() {
            self.defaults.clone()
        } else {
            let of = &self.defaults.terms;
            let plain = TaskTerms::new(of.job, of.component, Arc::clone(&self.name));
            TaskTemplate::settle(plain, &others.or(&self.options))?
        };
        let terms = &mut template.terms;
        if let Some(num_returns) = num_returns
            && num_returns != terms.num_returns
        {
            Arc::make_mut(terms).num_returns = check_returns(num_returns)?;
        }
        if component != terms.component {
            Arc::make_mut(terms).component = component;
        }
        if !template.is_placed
            && let Some(strategy) = captured(parent)
        {
            let selector = terms.placement.selector.clone();
            Arc::make_mut(terms).placement = Arc::new(Placement { strategy, selector });
        }
        Ok(template.terms)
    }
}

impl TaskTemplate {
    fn settle(plain: TaskTerms, options: &TaskOptions) -> Result<Self, Error> {
        check_name("a task", options.name.as_deref().unwrap_or_default())?;
        let resources = resources_of(options.num_cpus, limits::NUM_CPUS_DEFAULT, options.memory, &options.resources)?;
        let default_retries = i32::try_from(limits::MAX_RETRIES_DEFAULT).unwrap_or(i32::MAX);
        let terms = TaskTerms {
            name: options.name.as_deref().map_or_else(|| Arc::clone(&plain.name), Arc::from),
            resources: Arc::new(resources),
            placement: Arc::new(placement_of(options.strategy.clone(), &options.label_selector)?),
            num_returns: check_returns(options.num_returns.unwrap_or(1))?,
            max_retries: Retries::from_count(options.max_retries.unwrap_or(default_retries), "max_retries")?,
            retry_exceptions: options.retry_exceptions.clone().unwrap_or_default(),
            max_calls: options.max_calls.unwrap_or(1),
            timeout: options.timeout_ms.map(Duration::from_millis),
            ..plain
        };
        Ok(Self { terms: Arc::new(terms), is_placed: options.strategy.is_some() })
    }
}

/// Where work runs that says nothing of a strategy, when what submits it runs in a group that captures.
pub(crate) fn captured(parent: &Placement) -> Option<Strategy> {
    match parent.strategy {
        Strategy::Group { group, capture: true, .. } => Some(Strategy::Group { group, bundle: None, capture: true }),
        Strategy::Group { capture: false, .. }
        | Strategy::Default
        | Strategy::Spread
        | Strategy::NodeAffinity { .. } => None,
    }
}

/// Where work may run that has these options.
pub(crate) fn placement_of(strategy: Option<Strategy>, selector: &[(String, String)]) -> Result<Placement, Error> {
    let pairs = selector.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Ok(Placement { strategy: strategy.unwrap_or_default(), selector: LabelSelector::parse(pairs)? })
}

pub(crate) fn check_returns(num_returns: u32) -> Result<u32, Error> {
    if num_returns <= limits::RETURNS_MAX {
        return Ok(num_returns);
    }
    let message = format!("`num_returns` is {num_returns}, at most {} are allowed", limits::RETURNS_MAX);
    Err(Error::new(ErrorKind::LimitExceeded, message))
}
