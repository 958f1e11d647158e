//! Parameters and results: what the macros need to know of a signature, and
//! which signatures cannot travel.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericArgument, GenericParam, Pat, PathArguments, Result, ReturnType, Signature, Type};

/// A parameter that travels.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) ty: TokenStream,
    /// The type as the user wrote it.
    type_name: String,
}

/// What a function returns.
pub(crate) struct Output {
    /// The type of the value, the `Ok` one of a `Result`.
    pub(crate) ty: TokenStream,
    pub(crate) is_result: bool,
    /// How many values there are, if the value is a tuple in so many words.
    pub(crate) arity: Option<usize>,
    /// The type as the user wrote it.
    pub(crate) type_name: String,
}

/// What `Self` stands for in the signatures of an actor.
pub(crate) type SelfType<'a> = Option<&'a Type>;

/// Refuses what makes a signature more than parameters and a result; `what` is like "a task".
pub(crate) fn check_plain(signature: &Signature, what: &str) -> Result<()> {
    if let Some(keyword) = &signature.asyncness {
        let message =
            format!("{what} cannot be async: write a plain `fn` and wait with `ObjectRef::get` or `rayw::wait`");
        return Err(Error::new(keyword.span(), message));
    }
    if let Some(keyword) = &signature.unsafety {
        let message = format!("{what} cannot be unsafe: its callers are in other sandboxes and can promise nothing");
        return Err(Error::new(keyword.span(), message));
    }
    if let Some(abi) = &signature.abi {
        return Err(Error::new(abi.span(), format!("{what} is called by rayw: leave out `extern`")));
    }
    if let Some(variadic) = &signature.variadic {
        return Err(Error::new(variadic.span(), format!("{what} takes a fixed number of arguments: take a `Vec`")));
    }
    match signature.generics.params.first() {
        Some(GenericParam::Lifetime(lifetime)) => Err(Error::new(
            lifetime.span(),
            format!("{what} cannot borrow from its caller, who is in another sandbox: take owned values"),
        )),
        Some(parameter) => Err(Error::new(
            parameter.span(),
            format!(
                "{what} cannot be generic: other sandboxes find it by its name alone; \
                 write one function per type that calls the generic one"
            ),
        )),
        None => Ok(()),
    }
}

/// The parameters after the receiver.
pub(crate) fn parameters(signature: &Signature, what: &str, own: SelfType<'_>) -> Result<Vec<Parameter>> {
    let mut errors: Option<Error> = None;
    let mut parameters = Vec::new();
    for argument in &signature.inputs {
        let FnArg::Typed(typed) = argument else {
            continue;
        };
        match parameter(&typed.pat, &typed.ty, what, own) {
            Ok(parameter) => parameters.push(parameter),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    errors.map_or(Ok(parameters), Err)
}

fn parameter(pattern: &Pat, ty: &Type, what: &str, own: SelfType<'_>) -> Result<Parameter> {
    let name = match pattern {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => pattern.ident.clone(),
        _ => {
            let message = format!(
                "a parameter of {what} needs a name, which callers and `rayw list` see: \
                 write `name: Type` and take it apart in the body"
            );
            return Err(Error::new(pattern.span(), message));
        }
    };
    check_owned(ty, what)?;
    Ok(Parameter { name, ty: without_self(ty.to_token_stream(), own), type_name: type_name(ty) })
}

fn check_owned(ty: &Type, what: &str) -> Result<()> {
    match ty {
        Type::Reference(reference) => {
            let owned = owned_instead(&reference.elem);
            let message =
                format!("an argument of {what} comes from another sandbox and cannot be borrowed: take `{owned}`");
            Err(Error::new(ty.span(), message))
        }
        Type::ImplTrait(_) => {
            let message = format!(
                "a parameter of {what} needs one type, which the argument is decoded as: name it instead of `impl …`"
            );
            Err(Error::new(ty.span(), message))
        }
        Type::Paren(inner) => check_owned(&inner.elem, what),
        Type::Group(inner) => check_owned(&inner.elem, what),
        _ => Ok(()),
    }
}

/// The owned type to write in place of a reference to this one.
fn owned_instead(ty: &Type) -> String {
    match ty {
        Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
        Type::Path(path) if path.path.is_ident("Path") => "PathBuf".to_owned(),
        Type::Slice(slice) => format!("Vec<{}>", type_name(&slice.elem)),
        other => type_name(other),
    }
}

pub(crate) fn output(signature: &Signature, what: &str, own: SelfType<'_>) -> Result<Output> {
    let ReturnType::Type(_, ty) = &signature.output else {
        return Ok(Output { ty: quote!(()), is_result: false, arity: None, type_name: "()".to_owned() });
    };
    match &**ty {
        Type::Reference(reference) => {
            let owned = owned_instead(&reference.elem);
            let message =
                format!("the result of {what} goes to another sandbox and cannot be borrowed: return `{owned}`");
            return Err(Error::new(ty.span(), message));
        }
        Type::ImplTrait(_) => {
            let message =
                format!("the result of {what} needs one type, which its callers decode: name it instead of `impl …`");
            return Err(Error::new(ty.span(), message));
        }
        _ => {}
    }
    let arguments = result_arguments(ty);
    let value = arguments.map_or(Some(&**ty), first_type);
    let tokens = without_self(ty.to_token_stream(), own);
    Ok(Output {
        ty: if arguments.is_some() { quote!(<#tokens as ::rayw::__private::ResultLike>::Ok) } else { tokens },
        is_result: arguments.is_some(),
        arity: value.and_then(|value| match value {
            Type::Tuple(tuple) => Some(tuple.elems.len()),
            _ => None,
        }),
        type_name: type_name(ty),
    })
}

/// The generic arguments of a type that is called `Result`.
fn result_arguments(ty: &Type) -> Option<&PathArguments> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    (last.ident == "Result").then_some(&last.arguments)
}

fn first_type(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

impl Parameter {
    /// `name: impl IntoArg<T>`, for the caller's side.
    pub(crate) fn declared(&self) -> TokenStream {
        let Self { name, ty, .. } = self;
        quote!(#name: impl ::rayw::IntoArg<#ty>)
    }

    /// The argument on its way out.
    pub(crate) fn sent(&self) -> TokenStream {
        let Self { name, ty, .. } = self;
        quote!(::rayw::IntoArg::<#ty>::into_arg(#name))
    }

    /// The argument as it arrives.
    pub(crate) fn taken(&self) -> TokenStream {
        let ty = &self.ty;
        quote!(arguments.take::<#ty>()?)
    }

    /// What `describe` says of it.
    pub(crate) fn described(&self) -> TokenStream {
        let name = plain(&self.name);
        let type_name = &self.type_name;
        quote!(::rayw::__private::Parameter { name: #name, type_name: #type_name })
    }
}

impl Output {
    /// The body of a glue function that turns what `call` returns into values.
    pub(crate) fn encoded(&self, call: &TokenStream, callee: &str) -> TokenStream {
        if self.is_result {
            quote! {
                match #call {
                    ::std::result::Result::Ok(result) => ::rayw::__encode!(result, #callee, num_returns),
                    ::std::result::Result::Err(error) => {
                        ::std::result::Result::Err(::rayw::__task_error!(&error))
                    }
                }
            }
        } else {
            quote!(::rayw::__encode!(#call, #callee, num_returns))
        }
    }

    /// The marker of how many objects are declared.
    pub(crate) fn declared(&self, num_returns: u32) -> TokenStream {
        match num_returns {
            0 => quote!(::rayw::__private::Nothing),
            1 => quote!(::rayw::__private::Single),
            _ => quote!(::rayw::__private::Several),
        }
    }

    /// What a caller without wishes gets.
    pub(crate) fn refs(&self, num_returns: u32) -> TokenStream {
        let ty = &self.ty;
        if num_returns == 1 {
            return quote!(::rayw::ObjectRef<#ty>);
        }
        let declared = self.declared(num_returns);
        quote!(<::rayw::__private::Declared as ::rayw::__private::Returns<#declared, #ty>>::Refs)
    }

    /// A declared number that the type already contradicts.
    pub(crate) fn check_arity(&self, num_returns: u32, at: proc_macro2::Span) -> Result<()> {
        match self.arity {
            Some(arity) if arity > 0 && num_returns > 1 && arity != num_returns as usize => {
                let message = format!("`num_returns` is {num_returns}, but the function returns a tuple of {arity}");
                Err(Error::new(at, message))
            }
            _ => Ok(()),
        }
    }
}

/// The name without `r#`.
pub(crate) fn plain(name: &Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}

/// The type as a person writes it.
fn type_name(ty: &Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, tight) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
        (" ;", ";"),
        ("( ", "("),
        (" )", ")"),
        (",)", ")"),
        ("[ ", "["),
        (" ]", "]"),
    ] {
        text = text.replace(spaced, tight);
    }
    text
}

/// `Self` means something else in the code that is generated.
fn without_self(tokens: TokenStream, own: SelfType<'_>) -> TokenStream {
    let Some(own) = own else { return tokens };
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => own.to_token_stream(),
            TokenTree::Group(group) => {
                let mut inner = proc_macro2::Group::new(group.delimiter(), without_self(group.stream(), Some(own)));
                inner.set_span(group.span());
                TokenTree::Group(inner).into_token_stream()
            }
            other => other.into_token_stream(),
        })
        .collect()
}
