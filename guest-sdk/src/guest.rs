//! The exported half of the guest contract: dispatch by name to what the
//! macros registered.

use std::any::Any;
use std::cell::RefCell;

use crate::bindings::exports::rayw::core::guest::{ActorClass, Description, Function, Guest, Method, Parameter};
use crate::bindings::exports::rayw::core::{durable, line_guest};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{self, Class};
use crate::runtime::line::{self, Answer, Call};
use crate::runtime::types::{self, Value};
use crate::{contents, driver, options};

/// What [`export!`](crate::export) exports.
#[doc(hidden)]
pub struct Dispatcher;

/// The actor that this instance is.
struct Instance {
    class: &'static Class,
    state: Box<dyn Any>,
}

thread_local! {
    static INSTANCE: RefCell<Option<Instance>> = const { RefCell::new(None) };
}

impl Guest for Dispatcher {
    fn describe() -> Description {
        driver::install_panic_hook();
        registry::assert_unique();
        Description {
            functions: registry::functions().map(describe_function).collect(),
            actors: registry::classes().map(describe_class).collect(),
        }
    }

    fn invoke(function: String, args: Vec<Value>, num_returns: u32) -> Result<Vec<Value>, types::Error> {
        driver::install_panic_hook();
        Ok(invoke(registry::function(&function)?, args, num_returns)?)
    }

    fn construct(class: String, args: Vec<Value>) -> Result<(), types::Error> {
        driver::install_panic_hook();
        let class = registry::class(&class)?;
        let state = (class.construct)(args);
        end_call();
        let state = state?;
        INSTANCE.set(Some(Instance { class, state }));
        Ok(())
    }

    fn call(method: String, args: Vec<Value>, num_returns: u32) -> Result<Vec<Value>, types::Error> {
        driver::install_panic_hook();
        Ok(call(method_of_actor(&method)?, args, num_returns)?)
    }
}

impl line_guest::Guest for Dispatcher {
    fn invoke(function: String, args: Vec<Value>, num_returns: u32) {
        driver::install_panic_hook();
        work_through(registry::function, invoke, &function, args, num_returns);
    }

    fn call(method: String, args: Vec<Value>, num_returns: u32) {
        driver::install_panic_hook();
        work_through(method_of_actor, call, &method, args, num_returns);
    }
}

/// Runs one call, and then those that follow.
fn work_through<T: 'static>(
    find: impl Fn(&str) -> Result<&'static T>,
    run: impl Fn(&'static T, Vec<Value>, u32) -> Result<Vec<Value>>,
    function: &str,
    args: Vec<Value>,
    num_returns: u32,
) {
    let mut callee = find(function);
    let mut answer = callee.clone().and_then(|callee| run(callee, args, num_returns));
    while let Some(Call { function, args, num_returns }) = line::next(answer_of(answer)) {
        if let Some(function) = function {
            callee = find(&function);
        }
        answer = callee.clone().and_then(|callee| run(callee, args.unwrap_or_default(), num_returns));
    }
}

fn answer_of(returned: Result<Vec<Value>>) -> Answer {
    match returned {
        Ok(mut values) => match (values.pop(), values.is_empty()) {
            (Some(value), true) => Answer::Value(value),
            (last, _) => {
                values.extend(last);
                Answer::Values(values)
            }
        },
        Err(error) => Answer::Error(error.into()),
    }
}

fn invoke(function: &registry::Function, args: Vec<Value>, num_returns: u32) -> Result<Vec<Value>> {
    let returned = (function.invoke)(args, num_returns);
    end_call();
    returned
}

fn call(method: &registry::Method, args: Vec<Value>, num_returns: u32) -> Result<Vec<Value>> {
    INSTANCE.with_borrow_mut(|instance| {
        let instance = instance.as_mut().ok_or_else(|| not_constructed(method.name))?;
        let returned = (method.call)(instance.state.as_mut(), args, num_returns);
        end_call();
        returned
    })
}

/// A method of the actor that this instance is.
fn method_of_actor(method: &str) -> Result<&'static registry::Method> {
    INSTANCE.with_borrow(|instance| {
        let instance = instance.as_ref().ok_or_else(|| not_constructed(method))?;
        instance.class.method(method)
    })
}

fn not_constructed(method: &str) -> Error {
    Error::of_kind(ErrorKind::System, format!("`{method}` was called before the actor was constructed"))
}

impl durable::Guest for Dispatcher {
    fn checkpoint() -> Result<Value, types::Error> {
        driver::install_panic_hook();
        INSTANCE.with_borrow(|instance| {
            let instance = instance.as_ref().ok_or_else(|| {
                Error::of_kind(ErrorKind::System, "a checkpoint was asked for before the actor was constructed")
            })?;
            let state = (durable(instance.class)?.checkpoint)(instance.state.as_ref());
            end_call();
            Ok(state?)
        })
    }

    fn restore(class: String, state: Value) -> Result<(), types::Error> {
        driver::install_panic_hook();
        let class = registry::class(&class)?;
        let state = (durable(class)?.restore)(state);
        end_call();
        let state = state?;
        INSTANCE.set(Some(Instance { class, state }));
        Ok(())
    }
}

fn durable(class: &Class) -> Result<&registry::Durable> {
    class.durable.as_ref().ok_or_else(|| {
        let message = format!("`{}` is not durable: say `#[rayw::actor(durable)]`", class.name);
        Error::of_kind(ErrorKind::InvalidArgument, message)
    })
}

/// Gives back what the call dropped, and lets out the line that has no end yet: std keeps it until the program
/// exits, which an instance does not.
fn end_call() {
    use std::io::Write as _;
    contents::end_call();
    // Where output goes nowhere there is nothing to let out.
    let _ = std::io::stdout().flush();
}

fn describe_function(function: &registry::Function) -> Function {
    Function {
        name: function.name.to_owned(),
        parameters: describe_parameters(function.parameters),
        returns: function.returns.to_owned(),
        options: declared((function.options)()),
    }
}

fn describe_class(class: &Class) -> ActorClass {
    let settings = (class.options)();
    assert!(settings.failure.is_none(), "the macro checked the options");
    ActorClass {
        name: class.name.to_owned(),
        parameters: describe_parameters(class.parameters),
        methods: class.methods.iter().map(describe_method).collect(),
        options: settings.options,
        durable: class.durable.is_some(),
    }
}

fn describe_method(method: &registry::Method) -> Method {
    Method {
        name: method.name.to_owned(),
        parameters: describe_parameters(method.parameters),
        returns: method.returns.to_owned(),
        options: (method.options)().options,
    }
}

fn describe_parameters(parameters: &[registry::Parameter]) -> Vec<Parameter> {
    parameters
        .iter()
        .map(|parameter| Parameter { name: parameter.name.to_owned(), type_name: parameter.type_name.to_owned() })
        .collect()
}

fn declared(settings: options::TaskSettings) -> types::TaskOptions {
    assert!(settings.failure.is_none(), "the macro checked the options");
    settings.options
}
