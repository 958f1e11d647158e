//! Failures: how an error type of the user's becomes a rayw [`Error`].
//!
//! The type may be much or little: a standard error with sources, a boxed
//! one, or just something that can be displayed; it may be serialisable or
//! not. Which traits it has is found by method resolution: the macros ask
//! `(&&&Failure(&error)).to_error()`, and the first of the traits below that
//! applies answers.

use std::error::Error as StdError;
use std::fmt::Display;

use serde::Serialize;

use crate::error::Error;

/// An error that the user's code returned.
#[doc(hidden)]
pub struct Failure<'a, E>(pub &'a E);

/// For standard errors, among them rayw's own, which stays what it is.
#[doc(hidden)]
pub trait StandardFailure {
    fn to_error(&self) -> Error;
}

impl<E: StdError + 'static> StandardFailure for &&&Failure<'_, E> {
    fn to_error(&self) -> Error {
        from_dyn(self.0)
    }
}

/// For boxed errors that can be shared, like `anyhow::Error`.
#[doc(hidden)]
pub trait SharedFailure {
    fn to_error(&self) -> Error;
}

impl<E: AsRef<dyn StdError + Send + Sync>> SharedFailure for &&Failure<'_, E> {
    fn to_error(&self) -> Error {
        from_dyn(self.0.as_ref())
    }
}

/// For boxed errors.
#[doc(hidden)]
pub trait BoxedFailure {
    fn to_error(&self) -> Error;
}

impl<E: AsRef<dyn StdError>> BoxedFailure for &Failure<'_, E> {
    fn to_error(&self) -> Error {
        from_dyn(self.0.as_ref())
    }
}

/// For whatever can be displayed.
#[doc(hidden)]
pub trait DisplayedFailure {
    fn to_error(&self) -> Error;
}

impl<E: Display> DisplayedFailure for Failure<'_, E> {
    fn to_error(&self) -> Error {
        Error::new(self.0)
    }
}

/// For errors that can be serialised.
#[doc(hidden)]
pub trait SerializableFailure {
    fn payload(&self) -> Option<Vec<u8>>;
}

impl<E: Serialize> SerializableFailure for &Failure<'_, E> {
    fn payload(&self) -> Option<Vec<u8>> {
        rmp_serde::to_vec_named(self.0).ok()
    }
}

/// For the others.
#[doc(hidden)]
pub trait OpaqueFailure {
    fn payload(&self) -> Option<Vec<u8>>;
}

impl<E> OpaqueFailure for Failure<'_, E> {
    fn payload(&self) -> Option<Vec<u8>> {
        None
    }
}

/// What a task fails with whose code returned an `E`.
#[doc(hidden)]
pub fn task_error<E>(_error: &E, converted: Error, payload: Option<Vec<u8>>) -> Error {
    if std::any::type_name::<E>() == std::any::type_name::<Error>() {
        return converted.into_task_error();
    }
    converted.with_type(std::any::type_name::<E>(), payload)
}

fn from_dyn(error: &(dyn StdError + 'static)) -> Error {
    match error.downcast_ref::<Error>() {
        Some(own) => own.clone(),
        None => Error::from_std(error),
    }
}
