//! Returns: how many objects a task makes, and which references its caller gets.
//!
//! | declared `num_returns` | the function returns | the caller gets |
//! |---|---|---|
//! | none, or 1 | `T` | `ObjectRef<T>` |
//! | 0 | anything, it is dropped | `()` |
//! | N | a tuple `(A, B, …)` of N | `(ObjectRef<A>, ObjectRef<B>, …)` |
//! | N | `Vec<T>` of N | `Vec<ObjectRef<T>>` |

use std::cell::Cell;
use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::object::ObjectRef;
use crate::runtime::types::{ObjectRef as Raw, Value};
use crate::value;

/// Results that can be several objects: a `Vec`, or a tuple of two to eight.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot be returned as several objects",
    label = "`num_returns` of 2 or more needs a function that returns a `Vec<T>` or a tuple"
)]
pub trait MultiReturn: Sized + 'static {
    /// One reference for each of the objects.
    type Refs;

    /// One value for each of the objects.
    #[doc(hidden)]
    fn encode(self) -> Result<Vec<Value>>;

    /// The references to the objects of a task that was submitted, or refused.
    #[doc(hidden)]
    fn refs(submitted: Submitted) -> Self::Refs;
}

impl<T: Serialize + 'static> MultiReturn for Vec<T> {
    type Refs = Vec<ObjectRef<T>>;

    fn encode(self) -> Result<Vec<Value>> {
        self.into_iter().map(value::encode_owned).collect()
    }

    fn refs(mut submitted: Submitted) -> Self::Refs {
        (0..submitted.num_returns).map(|_| submitted.next_ref()).collect()
    }
}

macro_rules! multi_return_for_tuples {
    ($(($($item:ident),*);)*) => {
        $(impl<$($item: Serialize + 'static),*> MultiReturn for ($($item,)*) {
            type Refs = ($(ObjectRef<$item>,)*);

            fn encode(self) -> Result<Vec<Value>> {
                #[expect(non_snake_case, reason = "the items are named as their types")]
                let ($($item,)*) = self;
                Ok(vec![$(value::encode_owned($item)?),*])
            }

            fn refs(mut submitted: Submitted) -> Self::Refs {
                let arity = [$(stringify!($item)),*].len();
                if submitted.num_returns as usize != arity {
                    let given = submitted.num_returns;
                    submitted.refuse(Error::invalid_argument(format!(
                        "a tuple of {arity} cannot be returned as {given} objects; \
                         leave out `num_returns`, or make it {arity}"
                    )));
                }
                ($(submitted.next_ref::<$item>(),)*)
            }
        })*
    };
}

multi_return_for_tuples! {
    (A, B);
    (A, B, C);
    (A, B, C, D);
    (A, B, C, D, E);
    (A, B, C, D, E, F);
    (A, B, C, D, E, F, G);
    (A, B, C, D, E, F, G, H);
}

/// What came of a submission.
#[doc(hidden)]
pub struct Submitted {
    callee: &'static str,
    num_returns: u32,
    result: Result<Raws>,
}

/// The handles that the host answered a submission with.
pub(crate) enum Raws {
    /// Of one return, as most have.
    One(Option<Raw>),
    Several(std::vec::IntoIter<Raw>),
}

impl From<Raw> for Raws {
    fn from(raw: Raw) -> Self {
        Self::One(Some(raw))
    }
}

impl From<Vec<Raw>> for Raws {
    fn from(raws: Vec<Raw>) -> Self {
        Self::Several(raws.into_iter())
    }
}

impl Raws {
    fn next(&mut self) -> Option<Raw> {
        match self {
            Self::One(raw) => raw.take(),
            Self::Several(raws) => raws.next(),
        }
    }
}

impl Submitted {
    pub(crate) fn new(callee: &'static str, num_returns: u32, result: Result<Raws>) -> Self {
        Self { callee, num_returns, result }
    }

    /// The references, or why there are none.
    ///
    /// # Errors
    ///
    /// When the submission was refused.
    pub fn into_refs<W: Returns<D, T>, D, T>(self) -> Result<W::Refs> {
        match self.error() {
            Some(error) => Err(error.clone()),
            None => Ok(W::refs(self)),
        }
    }

    fn error(&self) -> Option<&Error> {
        self.result.as_ref().err()
    }

    fn refuse(&mut self, error: Error) {
        self.result = Err(error);
    }

    fn next_ref<T>(&mut self) -> ObjectRef<T> {
        match &mut self.result {
            Ok(raws) => match raws.next() {
                Some(raw) => ObjectRef::new(raw),
                None => ObjectRef::failed(Error::of_kind(
                    crate::ErrorKind::System,
                    format!(
                        "the host answered with fewer references than the {} that `{}` returns",
                        self.num_returns, self.callee
                    ),
                )),
            },
            Err(error) => ObjectRef::failed(error.clone()),
        }
    }
}

/// The declaration: one object.
#[doc(hidden)]
pub struct Single;
/// The declaration: no object.
#[doc(hidden)]
pub struct Nothing;
/// The declaration, or the caller's wish: several objects.
#[doc(hidden)]
pub struct Several;
/// The caller wishes what is declared.
#[doc(hidden)]
pub struct Declared;

/// Which references a caller gets of a function that returns a `T` and
/// declares `D`, when its wish is `Self`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`num_returns` needs a function that returns a `Vec<T>` or a tuple",
    label = "this one returns a `{T}`"
)]
pub trait Returns<D, T> {
    type Refs;

    fn refs(submitted: Submitted) -> Self::Refs;
}

impl<T> Returns<Single, T> for Declared {
    type Refs = ObjectRef<T>;

    fn refs(mut submitted: Submitted) -> ObjectRef<T> {
        submitted.next_ref()
    }
}

impl<T> Returns<Nothing, T> for Declared {
    type Refs = ();

    fn refs(submitted: Submitted) {
        // There is no reference that could tell of it.
        if let Err(error) = submitted.result {
            #[expect(clippy::print_stderr, reason = "the only place left where it can be seen")]
            {
                eprintln!("`{}` was not submitted: {error}", submitted.callee);
            }
        }
    }
}

impl<T: MultiReturn> Returns<Several, T> for Declared {
    type Refs = T::Refs;

    fn refs(submitted: Submitted) -> T::Refs {
        T::refs(submitted)
    }
}

impl<D, T: MultiReturn> Returns<D, T> for Several {
    type Refs = T::Refs;

    fn refs(mut submitted: Submitted) -> T::Refs {
        if submitted.num_returns == 1 {
            let callee = submitted.callee;
            submitted.refuse(Error::invalid_argument(format!(
                "`num_returns(1)` is what `{callee}` does by itself, as one object; leave it out"
            )));
        }
        T::refs(submitted)
    }
}

/// What a function returned, on its way to become the values of its objects.
///
/// The two traits below are tried in turn by method resolution: results that
/// can be several objects are, the others make one.
#[doc(hidden)]
pub struct Output<T> {
    result: Cell<Option<T>>,
}

impl<T> Output<T> {
    pub fn new(result: T) -> Self {
        Self { result: Cell::new(Some(result)) }
    }

    fn take(&self) -> T {
        match self.result.take() {
            Some(result) => result,
            None => unreachable!("an output is encoded once"),
        }
    }
}

/// For results that can be several objects.
#[doc(hidden)]
pub trait EncodeSeveral {
    fn encode(&self, callee: &str, num_returns: u32) -> Result<Vec<Value>>;
}

impl<T: MultiReturn + Serialize> EncodeSeveral for Output<T> {
    fn encode(&self, callee: &str, num_returns: u32) -> Result<Vec<Value>> {
        if num_returns < 2 {
            return encode_one(self.take(), callee, num_returns);
        }
        let values = self.take().encode().map_err(|error| not_sent(error, callee))?;
        if values.len() != num_returns as usize {
            return Err(wrong_count(callee, values.len(), num_returns));
        }
        Ok(values)
    }
}

/// For all other results.
#[doc(hidden)]
pub trait EncodeOne {
    fn encode(&self, callee: &str, num_returns: u32) -> Result<Vec<Value>>;
}

impl<T: Serialize + 'static> EncodeOne for &Output<T> {
    fn encode(&self, callee: &str, num_returns: u32) -> Result<Vec<Value>> {
        encode_one(self.take(), callee, num_returns)
    }
}

fn encode_one<T: Serialize + 'static>(result: T, callee: &str, num_returns: u32) -> Result<Vec<Value>> {
    match num_returns {
        0 => Ok(Vec::new()),
        1 => Ok(vec![value::encode_owned(result).map_err(|error| not_sent(error, callee))?]),
        _ => Err(wrong_count(callee, 1, num_returns)),
    }
}

fn not_sent(error: Error, callee: &str) -> Error {
    error.context(format!("the result of `{callee}` cannot be sent"))
}

fn wrong_count(callee: &str, returned: usize, num_returns: u32) -> Error {
    let noun = if returned == 1 { "value" } else { "values" };
    Error::new(format_args!("`{callee}` returned {returned} {noun}, but its `num_returns` is {num_returns}"))
}

/// A `Result` under whatever name: lets the macros speak of its two types.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is called `Result` but is not one",
    label = "return a `std::result::Result`, or give the type another name"
)]
pub trait ResultLike {
    type Ok;
    type Err;
}

impl<T, E> ResultLike for std::result::Result<T, E> {
    type Ok = T;
    type Err = E;
}

impl fmt::Debug for Submitted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Submitted").field("callee", &self.callee).finish_non_exhaustive()
    }
}
