//! `#[rayw::task]`: a function and, beside it under the same name, the type
//! that carries `remote` and `options`. A function and a type may share a
//! name, and unlike a module the type sees what the function sees, wherever
//! it stands.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, FnArg, ItemFn, Result};

use crate::options::{Options, Place};
use crate::signature::{self, Output, Parameter};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function = parse(item)?;
    let signature = &function.sig;
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        return Err(Error::new_spanned(
            receiver,
            "a task has no `self`: move the function out of the `impl`, \
             or put `#[rayw::actor]` on the `impl` to keep state between calls",
        ));
    }
    signature::check_plain(signature, "a task")?;
    let options = Options::parse(Place::Task, attribute)?;
    let parameters = signature::parameters(signature, "a task", None)?;
    let output = signature::output(signature, "a task", None)?;
    output.check_arity(options.num_returns, options.num_returns_at)?;

    let remote = remote(&function, &options, &parameters, &output);
    let registration = registration(&function, &options, &parameters, &output);
    Ok(quote! {
        #function
        #remote
        #registration
    })
}

fn parse(item: TokenStream) -> Result<ItemFn> {
    let error =
        Error::new_spanned(&item, "`#[rayw::task]` goes on a function: `fn name(parameter: Type) -> Type { … }`");
    syn::parse2(item).map_err(|_| error)
}

/// The type `f`, its `remote` and the builder of its options.
fn remote(function: &ItemFn, options: &Options, parameters: &[Parameter], output: &Output) -> TokenStream {
    let ItemFn { vis, sig, .. } = function;
    let name = &sig.ident;
    let text = signature::plain(name);
    let docs = docs(&function.attrs);
    let cfgs: Vec<_> = cfgs(&function.attrs).collect();
    let num_returns = options.num_returns;
    let declared: Vec<_> = parameters.iter().map(Parameter::declared).collect();
    let sent: Vec<_> = parameters.iter().map(Parameter::sent).collect();
    let names: Vec<_> = parameters.iter().map(|parameter| &parameter.name).collect();
    let refs = output.refs(num_returns);
    let marker = output.declared(num_returns);
    let ty = &output.ty;
    let type_doc = format!("The task `{text}`: call it by `{text}::remote(…)`.");
    let remote_doc = format!("Runs `{text}` as a task elsewhere, and answers at once.");
    let try_doc = format!("As `{text}::remote`, but a task that is refused says so at once.");
    let options_doc = format!("Options for one task of `{text}`; end with `.remote(…)`.");
    quote! {
        #(#cfgs)*
        #[doc = #type_doc]
        #[allow(non_camel_case_types, dead_code, reason = "it stands beside the function of its name")]
        #vis enum #name {}

        #(#cfgs)*
        const _: () = {
            ::rayw::__task_options!(__TaskOptions);

            #[allow(dead_code, clippy::too_many_arguments, reason = "as the function itself")]
            impl #name {
                #[doc = #remote_doc]
                #[doc = ""]
                #docs
                #vis fn remote(#(#declared),*) -> #refs {
                    Self::options().remote(#(#names),*)
                }

                #[doc = #try_doc]
                #[doc = ""]
                #[doc = "# Errors"]
                #[doc = ""]
                #[doc = "When an argument cannot be sent or the task is refused."]
                #vis fn try_remote(#(#declared),*) -> ::rayw::Result<#refs> {
                    Self::options().try_remote(#(#names),*)
                }

                #[doc = #options_doc]
                #[must_use = "options do nothing until `.remote(…)`"]
                #vis fn options() -> __TaskOptions {
                    __TaskOptions {
                        settings: ::rayw::__private::TaskSettings::new(#num_returns),
                        returns: ::std::marker::PhantomData,
                    }
                }
            }

            #[allow(dead_code, clippy::too_many_arguments, reason = "as the function itself")]
            impl<S: ::rayw::__private::Returns<#marker, #ty>> __TaskOptions<S> {
                #[doc = #remote_doc]
                #vis fn remote(self, #(#declared),*) -> S::Refs {
                    S::refs(self.settings.submit(#text, &mut [#(#sent),*]))
                }

                #[doc = #try_doc]
                #[doc = ""]
                #[doc = "# Errors"]
                #[doc = ""]
                #[doc = "When an argument cannot be sent or the task is refused."]
                #vis fn try_remote(self, #(#declared),*) -> ::rayw::Result<S::Refs> {
                    self.settings.submit(#text, &mut [#(#sent),*]).into_refs::<S, #marker, #ty>()
                }
            }
        };
    }
}

/// What makes the function known to the component.
fn registration(function: &ItemFn, options: &Options, parameters: &[Parameter], output: &Output) -> TokenStream {
    let name = &function.sig.ident;
    let text = signature::plain(name);
    let cfgs: Vec<_> = cfgs(&function.attrs).collect();
    let described = parameters.iter().map(Parameter::described);
    let taken = parameters.iter().map(Parameter::taken);
    let arguments = arguments(&text, parameters);
    let encoded = output.encoded(&quote!(#name(#(#taken),*)), &text);
    let returns = &output.type_name;
    let set = &options.set;
    quote! {
        #(#cfgs)*
        const _: () = {
            static PARAMETERS: &[::rayw::__private::Parameter] = &[#(#described),*];

            fn settings() -> ::rayw::__private::TaskSettings {
                #[allow(unused_mut, reason = "there may be no options")]
                let mut settings = ::rayw::__private::TaskSettings::new(1);
                #set
                settings
            }

            fn invoke(
                values: ::std::vec::Vec<::rayw::__private::Value>,
                num_returns: u32,
            ) -> ::rayw::Result<::std::vec::Vec<::rayw::__private::Value>> {
                #arguments
                #encoded
            }

            ::rayw::__private::inventory::submit! {
                ::rayw::__private::Function {
                    name: #text,
                    parameters: PARAMETERS,
                    returns: #returns,
                    options: settings,
                    invoke,
                }
            }
        };
    }
}

/// The statement that makes `arguments` of `values`.
pub(crate) fn arguments(callee: &str, parameters: &[Parameter]) -> TokenStream {
    let binding = if parameters.is_empty() { quote!(_) } else { quote!(mut arguments) };
    quote!(let #binding = ::rayw::__private::Arguments::new(#callee, PARAMETERS, values)?;)
}

/// The documentation among the attributes.
pub(crate) fn docs(attributes: &[Attribute]) -> TokenStream {
    let docs = attributes.iter().filter(|attribute| attribute.path().is_ident("doc"));
    quote!(#(#docs)*)
}

/// The conditions among the attributes: what is generated stands under them, too.
pub(crate) fn cfgs(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
}
