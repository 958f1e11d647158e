//! Arguments: on the caller's side a value or a reference to one, on the
//! callee's side always a value.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::object::{ObjectRef, Shared};
use crate::registry::Parameter;
use crate::runtime::types::{Arg, Value};
use crate::value;

/// What can be given where a task, a constructor or a method takes a `T`:
/// a `T`, a `&T`, an [`ObjectRef<T>`] or a `&ObjectRef<T>`; for a `String`
/// also a `&str`, for a `Vec<T>` also a slice or an array.
///
/// A reference is resolved before the callee runs. If it fails, the callee
/// never runs and fails with the same error.
#[diagnostic::on_unimplemented(
    message = "the parameter takes a `{T}`, which a `{Self}` is not",
    label = "expected `{T}`, `&{T}`, `ObjectRef<{T}>` or `&ObjectRef<{T}>`"
)]
pub trait IntoArg<T> {
    /// The argument as it is sent.
    #[doc(hidden)]
    fn into_arg(self) -> Argument;
}

impl<T: Serialize + 'static> IntoArg<T> for T {
    fn into_arg(self) -> Argument {
        Argument::from_encoded(value::encode_owned(self))
    }
}

impl<T: Serialize> IntoArg<T> for &T {
    fn into_arg(self) -> Argument {
        Argument::from_encoded(value::encode(self))
    }
}

impl<T> IntoArg<T> for ObjectRef<T> {
    fn into_arg(self) -> Argument {
        Argument::from_object(self.shared())
    }
}

impl<T> IntoArg<T> for &ObjectRef<T> {
    fn into_arg(self) -> Argument {
        Argument::from_object(self.shared())
    }
}

impl IntoArg<String> for &str {
    fn into_arg(self) -> Argument {
        Argument::from_encoded(value::encode(self))
    }
}

impl<T: Serialize> IntoArg<Vec<T>> for &[T] {
    fn into_arg(self) -> Argument {
        Argument::from_encoded(value::encode(self))
    }
}

impl<T: Serialize, const N: usize> IntoArg<Vec<T>> for &[T; N] {
    fn into_arg(self) -> Argument {
        Argument::from_encoded(value::encode(self.as_slice()))
    }
}

impl<T: Serialize, const N: usize> IntoArg<Vec<T>> for [T; N] {
    fn into_arg(self) -> Argument {
        Argument::from_encoded(value::encode(self.as_slice()))
    }
}

/// An argument on its way out.
#[doc(hidden)]
pub struct Argument {
    content: Content,
}

enum Content {
    /// Taken when it is sent.
    Value(Option<Value>),
    Object(Arc<Shared>),
    Failed(Error),
}

impl Argument {
    fn from_encoded(encoded: Result<Value>) -> Self {
        let content = match encoded {
            Ok(value) => Content::Value(Some(value)),
            Err(error) => Content::Failed(error),
        };
        Self { content }
    }

    fn from_object(object: &Arc<Shared>) -> Self {
        Self { content: Content::Object(Arc::clone(object)) }
    }

    /// The argument as the contract wants it; `owner` is what it is for, for messages.
    fn lower(&mut self, owner: &str, index: usize) -> Result<Arg<'_>> {
        match &mut self.content {
            Content::Value(value) => match value.take() {
                Some(value) => Ok(Arg::Value(value)),
                None => unreachable!("an argument is sent once"),
            },
            Content::Object(object) => Ok(Arg::Object(object.raw()?)),
            Content::Failed(error) => {
                Err(error.clone().context(format!("argument {} of `{owner}` cannot be sent", index + 1)))
            }
        }
    }
}

/// All arguments of a call to `owner` as the contract wants them.
pub(crate) fn lower<'a>(owner: &str, arguments: &'a mut [Argument]) -> Result<Vec<Arg<'a>>> {
    arguments.iter_mut().enumerate().map(|(index, argument)| argument.lower(owner, index)).collect()
}

/// The arguments that arrived, taken by the callee one after the other.
#[doc(hidden)]
pub struct Arguments {
    /// The function, `Class::new` or `Class::method`, for messages.
    callee: &'static str,
    parameters: std::slice::Iter<'static, Parameter>,
    values: std::vec::IntoIter<Value>,
}

impl Arguments {
    /// # Errors
    ///
    /// When there are not as many as the callee has parameters.
    pub fn new(callee: &'static str, parameters: &'static [Parameter], values: Vec<Value>) -> Result<Self> {
        if values.len() != parameters.len() {
            return Err(wrong_count(callee, parameters, values.len()));
        }
        Ok(Self { callee, parameters: parameters.iter(), values: values.into_iter() })
    }

    /// The next argument.
    ///
    /// # Errors
    ///
    /// When it cannot be read as a `T`.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T> {
        let (Some(parameter), Some(value)) = (self.parameters.next(), self.values.next()) else {
            unreachable!("the macro takes as many arguments as it declared");
        };
        value::decode(value).map_err(|error| {
            let Parameter { name, type_name } = parameter;
            let mut own =
                Error::invalid_argument(format!("argument `{name}` of `{}` is not a `{type_name}`", self.callee));
            for cause in error.causes() {
                own = own.because(cause);
            }
            own
        })
    }
}

fn wrong_count(callee: &str, parameters: &[Parameter], given: usize) -> Error {
    let count = parameters.len();
    let noun = if count == 1 { "argument" } else { "arguments" };
    let listed: Vec<String> =
        parameters.iter().map(|parameter| format!("{}: {}", parameter.name, parameter.type_name)).collect();
    let listed = if listed.is_empty() { String::new() } else { format!(" ({})", listed.join(", ")) };
    let were = if given == 1 { "was" } else { "were" };
    Error::invalid_argument(format!("`{callee}` takes {count} {noun}{listed}, but {given} {were} given"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    static PARAMETERS: &[Parameter] =
        &[Parameter { name: "x", type_name: "u32" }, Parameter { name: "y", type_name: "String" }];

    fn encoded(count: usize) -> Vec<Value> {
        (0..count).map(|number| value::encode(&number).expect("a number can be written")).collect()
    }

    #[test]
    fn a_wrong_count_names_the_parameters() {
        for (given, were) in [(0, "0 were"), (1, "1 was"), (3, "3 were")] {
            let error = Arguments::new("f", PARAMETERS, encoded(given)).err().expect("the count is wrong");
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert_eq!(error.message(), format!("`f` takes 2 arguments (x: u32, y: String), but {were} given"));
        }
        let error = Arguments::new("g", &[], encoded(1)).err().expect("the count is wrong");
        assert_eq!(error.message(), "`g` takes 0 arguments, but 1 was given");
    }

    #[test]
    fn a_wrong_type_names_the_parameter() {
        let mut arguments = Arguments::new("f", PARAMETERS, encoded(2)).expect("the count is right");
        assert_eq!(arguments.take::<u32>(), Ok(0));
        let error = arguments.take::<String>().expect_err("it is a number");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.message(), "argument `y` of `f` is not a `String`");
    }
}
