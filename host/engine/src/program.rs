//! A component that is ready to run: compiled, linked, and asked what is in it.

use std::fmt::Write as _;

use rayw_core::{ComponentDigest, Description, Error, Parameter};
use wasmtime::component::InstancePre;

use crate::export::Exports;
use crate::state::Guest;

/// A loaded component.
pub struct Program {
    pub(crate) digest: ComponentDigest,
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) exports: Exports,
    pub(crate) description: Description,
    pub(crate) was_cached: bool,
}

impl Program {
    /// The digest of the bytes it was loaded from.
    #[must_use]
    pub fn digest(&self) -> &ComponentDigest {
        &self.digest
    }

    /// What is in it.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Whether it exports `wasi:cli/run` and so can be a job's driver.
    #[must_use]
    pub fn has_driver(&self) -> bool {
        self.exports.run.is_some()
    }

    /// Whether it has no rayw guest in it: its exported functions are its tasks, their arguments
    /// are typed by WIT.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        self.exports.guest.is_none()
    }

    /// Whether it came compiled from the disk.
    #[must_use]
    pub fn was_cached(&self) -> bool {
        self.was_cached
    }

    /// Functions and classes for people, one a line.
    ///
    /// # Errors
    /// `UnknownFunction` when `function` is given and is not there.
    pub fn signatures(&self, function: Option<&str>) -> Result<String, Error> {
        let mut text = String::new();
        if let Some(name) = function {
            let function = self.description.function(name)?;
            signature(&mut text, "", &function.name, &function.parameters, &function.returns);
            return Ok(text);
        }
        for function in &self.description.functions {
            signature(&mut text, "", &function.name, &function.parameters, &function.returns);
        }
        for class in &self.description.actors {
            signature(&mut text, "actor ", &class.name, &class.parameters, "");
            for method in &class.methods {
                signature(&mut text, "  ", &method.name, &method.parameters, &method.returns);
            }
        }
        Ok(text)
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("digest", &self.digest).finish_non_exhaustive()
    }
}

fn signature(text: &mut String, indent: &str, name: &str, parameters: &[Parameter], returns: &str) {
    let parameters: Vec<String> =
        parameters.iter().map(|parameter| format!("{}: {}", parameter.name, parameter.type_name)).collect();
    let arrow = if matches!(returns, "" | "()") { String::new() } else { format!(" -> {returns}") };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{indent}{name}({}){arrow}", parameters.join(", "));
}
