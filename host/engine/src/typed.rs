//! Components without our `guest` export: each exported function over plain
//! values is a task, its arguments are typed by WIT and written as WAVE.
//!
//! A function that returns `result<T, E>` returns `T`, and its `err` is an
//! error of the task.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use rayw_core::{Codec, Error, ErrorKind, Function, Parameter, Value, check_arity, unknown};
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ComponentExportIndex, Type, Val};

use crate::export::Exports;
use crate::text::{Bounded, shown};
use crate::types::ERROR_TEXT_BYTES_MAX;

/// What stands for the result of a function that has none.
const NO_RESULT: &str = "()";

/// Bytes of a type as WIT writes it. A component says each of its types once, and others name it; written down it is a
/// tree, which is twice as large with each level of pairs.
const WIT_BYTES_MAX: usize = 4 << 10;

/// Bytes that are shown of an argument that does not fit.
const ARGUMENT_BYTES_SHOWN: usize = 1 << 10;

/// An exported function as a task.
pub(crate) struct TypedFunction {
    pub(crate) name: String,
    pub(crate) index: ComponentExportIndex,
    parameters: Vec<(String, Type)>,
    result: Option<Type>,
}

impl TypedFunction {
    /// The function, or why it cannot be a task.
    pub(crate) fn new(name: String, index: ComponentExportIndex, ty: &ComponentFunc) -> Result<Self, String> {
        let parameters: Vec<(String, Type)> = ty.params().map(|(name, ty)| (name.to_owned(), ty)).collect();
        let result = ty.results().next();
        match parameters.iter().map(|(_, ty)| ty).chain(&result).find(|ty| !is_plain(ty)) {
            Some(other) => Err(format!("`{name}` has a `{}` in its type, which cannot be written down", wit(other))),
            None => Ok(Self { name, index, parameters, result }),
        }
    }

    /// The name without its interface.
    fn short_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    fn described(&self) -> Function {
        let parameter = |(name, ty): &(String, Type)| Parameter { name: name.clone(), type_name: wit(ty) };
        Function {
            name: self.name.clone(),
            parameters: self.parameters.iter().map(parameter).collect(),
            returns: self.result.as_ref().map(wit).unwrap_or_default(),
            ..Function::default()
        }
    }

    /// Checks written arguments and answers with the values that they are.
    pub(crate) fn encode(&self, args: &[String]) -> Result<Vec<Value>, Error> {
        check_arity(&self.name, &self.described().parameters, args.len())?;
        let encode =
            |((name, ty), text): (&(String, Type), &String)| self.parse(name, ty, text).map(|_| wave(text.clone()));
        self.parameters.iter().zip(args).map(encode).collect()
    }

    fn parse(&self, name: &str, ty: &Type, text: &str) -> Result<Val, Error> {
        Val::from_wave(ty, text).map_err(|error| {
            let text = shown(text, ARGUMENT_BYTES_SHOWN);
            let message = format!("`{}` takes `{name}: {}`, and `{text}` is not one", self.name, wit(ty));
            let error = Error::new(ErrorKind::InvalidArgument, message).caused_by(format!("{error:#}"));
            error.cut_to(ERROR_TEXT_BYTES_MAX)
        })
    }

    /// The arguments of a call.
    pub(crate) fn params(&self, args: &[Arc<Value>]) -> Result<Vec<Val>, Error> {
        if args.len() != self.parameters.len() {
            check_arity(&self.name, &self.described().parameters, args.len())?;
        }
        let param = |((name, ty), value): (&(String, Type), &Arc<Value>)| {
            let text = (value.codec == Codec::Wave).then(|| std::str::from_utf8(&value.data).ok()).flatten();
            let Some(text) = text else {
                let message =
                    format!("`{}` takes `{name}: {}` as a WAVE value, not as {:?}", self.name, wit(ty), value.codec);
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            };
            self.parse(name, ty, text)
        };
        self.parameters.iter().zip(args).map(param).collect()
    }

    /// Room for the result of a call.
    pub(crate) fn results(&self) -> Vec<Val> {
        self.result.iter().map(|_| Val::Bool(false)).collect()
    }

    pub(crate) fn check_returns(&self, num_returns: u32) -> Result<(), Error> {
        if num_returns <= 1 {
            return Ok(());
        }
        let message = format!("`{}` returns one value at most, its `num_returns` is {num_returns}", self.name);
        Err(Error::new(ErrorKind::InvalidArgument, message))
    }

    /// The result of a call, or the error that it is.
    pub(crate) fn returned(&self, results: Vec<Val>) -> Result<Value, Error> {
        let value = match results.into_iter().next() {
            Some(Val::Result(Err(failure))) => return Err(self.failed(failure.as_deref())),
            Some(Val::Result(Ok(value))) => value.map(|value| *value),
            other => other,
        };
        Ok(wave(match value {
            Some(value) => self.text(&value)?,
            None => NO_RESULT.to_owned(),
        }))
    }

    fn failed(&self, failure: Option<&Val>) -> Error {
        let words = match failure {
            // Text is for people already.
            Some(Val::String(text)) => text.clone(),
            Some(value) => self.text(value).unwrap_or_else(|error| error.to_string()),
            None => "it returned an error without words".to_owned(),
        };
        let mut error = Error::new(ErrorKind::TaskError, words);
        if let Some(Type::Result(result)) = &self.result {
            error.type_name = result.err().as_ref().map(wit);
        }
        error.cut_to(ERROR_TEXT_BYTES_MAX)
    }

    fn text(&self, value: &Val) -> Result<String, Error> {
        value.to_wave().map_err(|error| {
            let message = format!("the result of `{}` cannot be written down", self.name);
            Error::new(ErrorKind::Serialization, message).caused_by(format!("{error:#}"))
        })
    }
}

impl Exports {
    /// What the typed functions are called and take.
    pub(crate) fn described(&self) -> impl Iterator<Item = Function> {
        self.typed.iter().map(TypedFunction::described)
    }

    /// The typed function of that name. The interface may be left out where that leaves no doubt.
    pub(crate) fn typed(&self, name: &str) -> Result<&TypedFunction, Error> {
        if let Some(function) = self.typed.iter().find(|function| function.name == name) {
            return Ok(function);
        }
        let is_short = |function: &&TypedFunction| function.short_name() == name;
        let mut short = self.typed.iter().filter(is_short);
        match (short.next(), short.next()) {
            (Some(function), None) => Ok(function),
            (Some(_), Some(_)) => {
                let all = self.typed.iter().filter(is_short).map(|function| format!("`{}`", function.name));
                let message =
                    format!("`{name}` is in several interfaces: say {}", all.collect::<Vec<_>>().join(" or "));
                Err(Error::new(ErrorKind::UnknownFunction, message))
            }
            // Answered in the way that was asked, with or without interfaces.
            _ if name.contains('/') => {
                Err(unknown("function", name, self.typed.iter().map(|function| function.name.as_str())))
            }
            _ => Err(unknown("function", name, self.typed.iter().map(TypedFunction::short_name))),
        }
    }
}

fn wave(text: String) -> Value {
    Value { codec: Codec::Wave, data: Bytes::from(text), refs: Vec::new() }
}

/// Whether values of the type can be written down.
fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::List(list) => is_plain(&list.ty()),
        Type::Option(option) => is_plain(&option.ty()),
        Type::Tuple(tuple) => tuple.types().all(|ty| is_plain(&ty)),
        Type::Record(record) => record.fields().all(|field| is_plain(&field.ty)),
        Type::Variant(variant) => variant.cases().all(|case| case.ty.as_ref().is_none_or(is_plain)),
        Type::Result(result) => result.ok().iter().chain(result.err().iter()).all(is_plain),
        Type::Bool | Type::S8 | Type::U8 | Type::S16 | Type::U16 | Type::S32 | Type::U32 | Type::S64 | Type::U64 => {
            true
        }
        Type::Float32 | Type::Float64 | Type::Char | Type::String | Type::Enum(_) | Type::Flags(_) => true,
        _ => false,
    }
}

/// The type as WIT writes it. Names of types are not in a component, so their parts are shown.
fn wit(ty: &Type) -> String {
    let mut text = Bounded::new(WIT_BYTES_MAX);
    // It fails when there is more than fits, which the text says.
    let _ = write_wit(&mut text, ty);
    text.into_string()
}

fn write_wit(to: &mut Bounded, ty: &Type) -> fmt::Result {
    match ty {
        Type::Bool => to.write_str("bool"),
        Type::S8 => to.write_str("s8"),
        Type::U8 => to.write_str("u8"),
        Type::S16 => to.write_str("s16"),
        Type::U16 => to.write_str("u16"),
        Type::S32 => to.write_str("s32"),
        Type::U32 => to.write_str("u32"),
        Type::S64 => to.write_str("s64"),
        Type::U64 => to.write_str("u64"),
        Type::Float32 => to.write_str("f32"),
        Type::Float64 => to.write_str("f64"),
        Type::Char => to.write_str("char"),
        Type::String => to.write_str("string"),
        Type::List(list) => write_listed(to, "list<", [list.ty()], ">", |to, ty| write_wit(to, &ty)),
        Type::Option(option) => write_listed(to, "option<", [option.ty()], ">", |to, ty| write_wit(to, &ty)),
        Type::Tuple(tuple) => write_listed(to, "tuple<", tuple.types(), ">", |to, ty| write_wit(to, &ty)),
        Type::Record(record) => write_listed(to, "record { ", record.fields(), " }", |to, field| {
            write!(to, "{}: ", field.name)?;
            write_wit(to, &field.ty)
        }),
        Type::Variant(variant) => write_listed(to, "variant { ", variant.cases(), " }", |to, case| match case.ty {
            Some(ty) => write_listed(to, &format!("{}(", case.name), [ty], ")", |to, ty| write_wit(to, &ty)),
            None => to.write_str(case.name),
        }),
        Type::Enum(cases) => write_listed(to, "enum { ", cases.names(), " }", |to, name| to.write_str(name)),
        Type::Flags(flags) => write_listed(to, "flags { ", flags.names(), " }", |to, name| to.write_str(name)),
        Type::Result(result) => match (result.ok(), result.err()) {
            (None, None) => to.write_str("result"),
            (Some(ok), None) => write_listed(to, "result<", [ok], ">", |to, ty| write_wit(to, &ty)),
            (ok, Some(err)) => write_listed(to, "result<", [ok, Some(err)], ">", |to, ty| match ty {
                Some(ty) => write_wit(to, &ty),
                None => to.write_str("_"),
            }),
        },
        Type::Own(_) | Type::Borrow(_) => to.write_str("resource"),
        Type::Future(_) => to.write_str("future"),
        Type::Stream(_) => to.write_str("stream"),
        other => to.write_str(&format!("{other:?}").to_lowercase()),
    }
}

/// The parts with commas between them, and what stands around them.
fn write_listed<T>(
    to: &mut Bounded,
    start: &str,
    parts: impl IntoIterator<Item = T>,
    end: &str,
    write: impl Fn(&mut Bounded, T) -> fmt::Result,
) -> fmt::Result {
    to.write_str(start)?;
    for (number, part) in parts.into_iter().enumerate() {
        if number > 0 {
            to.write_str(", ")?;
        }
        write(to, part)?;
    }
    to.write_str(end)
}
