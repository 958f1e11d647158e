//! The exported half of the guest contract: dispatch by name to what the
//! macros registered.

use std::any::Any;
use std::cell::RefCell;

use crate::bindings::exports::rayw::core::guest::{ActorClass, Description, Function, Guest, Method, Parameter};
use crate::bindings::exports::rayw::core::{durable, line_guest};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{self, Class};
use crate::runtime::line;
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
        let returned = registry::function(&function).and_then(|function| (function.invoke)(args, num_returns));
        end_call();
        returned.map_err(types::Error::from)
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
        INSTANCE.with_borrow_mut(|instance| {
            let instance = instance.as_mut().ok_or_else(|| {
                Error::of_kind(ErrorKind::System, format!("`{method}` was called before the actor was constructed"))
            })?;
            let method = instance.class.method(&method)?;
            let returned = (method.call)(instance.state.as_mut(), args, num_returns);
            end_call();
            Ok(returned?)
        })
    }
}

impl line_guest::Guest for Dispatcher {
    fn invoke(function: String, args: Vec<Value>, num_returns: u32) {
        work_through(<Self as Guest>::invoke, function, args, num_returns);
    }

    fn call(method: String, args: Vec<Value>, num_returns: u32) {
        work_through(<Self as Guest>::call, method, args, num_returns);
    }
}

/// Runs one call, and then those that follow.
fn work_through(
    run: fn(String, Vec<Value>, u32) -> Result<Vec<Value>, types::Error>,
    function: String,
    args: Vec<Value>,
    num_returns: u32,
) {
    let mut answer = run(function, args, num_returns);
    while let Some(call) = line::next(answer) {
        answer = run(call.function, call.args, call.num_returns);
    }
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
