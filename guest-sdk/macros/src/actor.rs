//! `#[rayw::actor]`: the `impl` as it is, the handle that callers hold, and
//! the class as the component knows it.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, ImplItem, ImplItemFn, ItemImpl, Result, Type, Visibility};

use crate::options::{Options, Place};
use crate::signature::{self, Output, Parameter};
use crate::task::{arguments, cfgs, docs};

/// Names that every handle, or the options of every call, have already.
const TAKEN: [&str; 13] = [
    "clone",
    "id",
    "kill",
    "kill_and_restart",
    "max_task_retries",
    "name",
    "num_returns",
    "options",
    "retry_exceptions",
    "retry_only",
    "terminate",
    "timeout",
    "try_call",
];
/// Names of associated functions that every actor gets.
const TAKEN_ASSOCIATED: [&str; 4] = ["get_actor", "get_actor_in", "options", "remote"];

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let on_other =
        Error::new_spanned(&item, "`#[rayw::actor]` goes on an `impl`: `impl Counter { fn new() -> Self { … } … }`");
    let mut item: ItemImpl = syn::parse2(item).map_err(|_| on_other)?;
    let options = Options::parse(Place::Actor, attribute)?;
    let class = Class::parse(&mut item)?;

    let handle = class.handle();
    let associated = class.associated();
    let calls = class.calls();
    let registration = class.registration(&options);
    Ok(quote! {
        #item
        #handle
        const _: () = {
            ::rayw::__actor_options!(__ActorOptions);
            ::rayw::__call_options!(__CallOptions);
            #associated
            #calls
            #registration
        };
    })
}

/// What the macro knows of the `impl`.
struct Class {
    ty: Type,
    name: Ident,
    handle: Ident,
    /// As visible as the most visible of its functions.
    vis: Visibility,
    constructor: Option<Constructor>,
    methods: Vec<Method>,
}

struct Constructor {
    vis: Visibility,
    docs: TokenStream,
    parameters: Vec<Parameter>,
    output: Output,
}

struct Method {
    vis: Visibility,
    name: Ident,
    cfgs: Vec<Attribute>,
    docs: TokenStream,
    options: Options,
    parameters: Vec<Parameter>,
    output: Output,
}

impl Class {
    /// Reads the `impl`, and takes away the attributes that only the macro knows.
    fn parse(item: &mut ItemImpl) -> Result<Self> {
        if let Some((_, path, _)) = &item.trait_ {
            return Err(Error::new_spanned(
                path,
                "`#[rayw::actor]` goes on the `impl` of the type itself, not of a trait: \
                 write a method there that calls the trait's",
            ));
        }
        if !item.generics.params.is_empty() {
            return Err(Error::new_spanned(
                &item.generics,
                "an actor cannot be generic: other sandboxes find its class by its name alone; \
                 write one type for each",
            ));
        }
        let name = class_name(&item.self_ty)?;
        let mut constructor = None;
        let mut methods = Vec::new();
        let mut errors: Option<Error> = None;
        for item_fn in item.items.iter_mut().filter_map(as_function) {
            match parse_function(item_fn, &item.self_ty, &name) {
                Ok(Some(Parsed::Constructor(parsed))) => constructor = Some(parsed),
                Ok(Some(Parsed::Method(parsed))) => methods.push(*parsed),
                Ok(None) => {}
                Err(error) => match &mut errors {
                    Some(errors) => errors.combine(error),
                    None => errors = Some(error),
                },
            }
        }
        if let Some(errors) = errors {
            return Err(errors);
        }
        if methods.is_empty() {
            return Err(Error::new_spanned(
                &item.self_ty,
                "an actor needs a method to call: write one with `&self` or `&mut self`",
            ));
        }
        let vis = methods.iter().map(|method| &method.vis).chain(constructor.iter().map(|new| &new.vis));
        Ok(Self {
            ty: (*item.self_ty).clone(),
            handle: format_ident!("{}Handle", name, span = name.span()),
            vis: vis.max_by_key(|vis| openness(vis)).cloned().unwrap_or(Visibility::Inherited),
            name,
            constructor,
            methods,
        })
    }

    /// The type that callers hold, and what all such types can do.
    fn handle(&self) -> TokenStream {
        let Self { handle, vis, name, .. } = self;
        let text = name.to_string();
        let doc = format!("A handle to an actor of the class [`{text}`]: each of its methods runs there.");
        quote! {
            #[doc = #doc]
            #[doc = ""]
            #[doc = "It may be cloned and put into any value. The actor ends when its last handle is dropped, unless"]
            #[doc = "it is detached."]
            #[derive(::std::clone::Clone)]
            #[allow(dead_code, reason = "not everybody calls every actor")]
            #vis struct #handle {
                actor: ::rayw::__private::Actor,
            }

            impl ::std::fmt::Debug for #handle {
                fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    self.actor.fmt(#text, formatter)
                }
            }

            impl ::std::cmp::PartialEq for #handle {
                fn eq(&self, other: &Self) -> bool {
                    self.actor.is_same(&other.actor)
                }
            }

            impl ::std::cmp::Eq for #handle {}

            impl ::rayw::__private::serde::Serialize for #handle {
                fn serialize<S: ::rayw::__private::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::std::result::Result<S::Ok, S::Error> {
                    ::rayw::__private::serde::Serialize::serialize(&self.actor, serializer)
                }
            }

            impl<'de> ::rayw::__private::serde::Deserialize<'de> for #handle {
                fn deserialize<D: ::rayw::__private::serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::std::result::Result<Self, D::Error> {
                    ::std::result::Result::Ok(Self {
                        actor: ::rayw::__private::Actor::deserialize(#text, deserializer)?,
                    })
                }
            }
        }
    }

    /// `Class::remote` and its kin.
    fn associated(&self) -> TokenStream {
        let Self { ty, handle, name, vis, .. } = self;
        let text = name.to_string();
        let (remote_vis, new_docs, parameters) = match &self.constructor {
            Some(new) => (&new.vis, Some(&new.docs), new.parameters.as_slice()),
            None => (vis, None, [].as_slice()),
        };
        let declared: Vec<_> = parameters.iter().map(Parameter::declared).collect();
        let sent: Vec<_> = parameters.iter().map(Parameter::sent).collect();
        let names: Vec<_> = parameters.iter().map(|parameter| &parameter.name).collect();
        let remote_doc = format!("Makes an actor of the class `{text}`, with the arguments of its `new`.");
        let options_doc = format!("Options for one actor of the class `{text}`; end with `.remote(…)`.");
        let get_doc = format!("The actor of the class `{text}` that has this name in the job's own namespace.");
        let get_in_doc = format!("The actor of the class `{text}` that has this name in that namespace.");
        let errors = "When there is no such actor, or it is of another class.";
        quote! {
            #[allow(dead_code, clippy::too_many_arguments, reason = "as the constructor itself")]
            impl #ty {
                #[doc = #remote_doc]
                #[doc = ""]
                #new_docs
                #[doc = ""]
                #[doc = "# Errors"]
                #[doc = ""]
                #[doc = "When an argument cannot be sent. Whether `new` succeeds is seen by the first call."]
                #remote_vis fn remote(#(#declared),*) -> ::rayw::Result<#handle> {
                    Self::options().remote(#(#names),*)
                }

                #[doc = #options_doc]
                #[must_use = "options do nothing until `.remote(…)`"]
                #remote_vis fn options() -> __ActorOptions {
                    __ActorOptions { settings: ::rayw::__private::ActorSettings::new() }
                }

                #[doc = #get_doc]
                #[doc = ""]
                #[doc = "# Errors"]
                #[doc = ""]
                #[doc = #errors]
                #vis fn get_actor(name: &str) -> ::rayw::Result<#handle> {
                    ::std::result::Result::Ok(#handle {
                        actor: ::rayw::__private::Actor::named(#text, name, ::std::option::Option::None)?,
                    })
                }

                #[doc = #get_in_doc]
                #[doc = ""]
                #[doc = "# Errors"]
                #[doc = ""]
                #[doc = #errors]
                #vis fn get_actor_in(name: &str, namespace: &str) -> ::rayw::Result<#handle> {
                    ::std::result::Result::Ok(#handle {
                        actor: ::rayw::__private::Actor::named(#text, name, ::std::option::Option::Some(namespace))?,
                    })
                }
            }

            #[allow(dead_code, clippy::too_many_arguments, reason = "as the constructor itself")]
            impl __ActorOptions {
                #[doc = #remote_doc]
                #[doc = ""]
                #[doc = "# Errors"]
                #[doc = ""]
                #[doc = "When an argument cannot be sent, or the name is taken."]
                #remote_vis fn remote(self, #(#declared),*) -> ::rayw::Result<#handle> {
                    ::std::result::Result::Ok(#handle {
                        actor: self.settings.create(#text, &mut [#(#sent),*])?,
                    })
                }
            }
        }
    }

    /// The methods of the handle, and of the options of a call.
    fn calls(&self) -> TokenStream {
        let Self { handle, vis, .. } = self;
        let plain = self.methods.iter().map(Method::plain_call);
        let optioned = self.methods.iter().map(Method::optioned_call);
        quote! {
            #[allow(dead_code, clippy::too_many_arguments, reason = "as the methods themselves")]
            impl #handle {
                #(#plain)*

                /// Options for one call; end with the method.
                #[must_use = "options do nothing until a method is called"]
                #vis fn options(&self) -> __CallOptions<'_> {
                    __CallOptions {
                        actor: &self.actor,
                        settings: ::rayw::__private::CallSettings::new(),
                        returns: ::std::marker::PhantomData,
                    }
                }

                /// A call that says at once if it is refused; end with the method.
                #[must_use = "this does nothing until a method is called"]
                #vis fn try_call(
                    &self,
                ) -> __CallOptions<'_, ::rayw::__private::Declared, ::rayw::__private::Fallible> {
                    self.options().try_call()
                }

                /// The id of the actor, in hexadecimal digits: a name for people and logs.
                #vis fn id(&self) -> &str {
                    self.actor.id()
                }

                /// Ends the actor at once and for good; the calls that wait for it fail.
                ///
                /// # Errors
                ///
                /// When the actor cannot be reached.
                #vis fn kill(&self) -> ::rayw::Result<()> {
                    self.actor.kill(true)
                }

                /// Ends the actor at once, as a crash would: it is built anew if it has restarts left.
                ///
                /// # Errors
                ///
                /// When the actor cannot be reached.
                #vis fn kill_and_restart(&self) -> ::rayw::Result<()> {
                    self.actor.kill(false)
                }

                /// Ends the actor after the calls submitted before this; it is not restarted.
                ///
                /// # Errors
                ///
                /// When the actor cannot be reached.
                #vis fn terminate(&self) -> ::rayw::Result<()> {
                    self.actor.terminate()
                }
            }

            #[allow(dead_code, clippy::too_many_arguments, reason = "as the methods themselves")]
            impl<'a, S, M: ::rayw::__private::CallMode> __CallOptions<'a, S, M> {
                #(#optioned)*
            }
        }
    }

    /// What makes the class known to the component.
    fn registration(&self, options: &Options) -> TokenStream {
        let Self { ty, name, .. } = self;
        let text = name.to_string();
        let (parameters, output) = match &self.constructor {
            Some(new) => (new.parameters.as_slice(), Some(&new.output)),
            None => ([].as_slice(), None),
        };
        let described = parameters.iter().map(Parameter::described);
        let taken = parameters.iter().map(Parameter::taken);
        let arguments = arguments(&format!("{text}::new"), parameters);
        let state = match output {
            None => {
                let default = quote_spanned!(ty.span()=> <#ty as ::std::default::Default>::default());
                default
            }
            Some(output) if output.is_result => quote! {
                match <#ty>::new(#(#taken),*) {
                    ::std::result::Result::Ok(state) => state,
                    ::std::result::Result::Err(error) => {
                        return ::std::result::Result::Err(::rayw::__task_error!(&error));
                    }
                }
            },
            Some(_) => quote!(<#ty>::new(#(#taken),*)),
        };
        let methods = self.methods.iter().map(|method| method.registration(ty, &text));
        let set = &options.set;
        let durable = if options.durable {
            quote_spanned!(ty.span()=> ::std::option::Option::Some(::rayw::__private::Durable::of::<#ty>()))
        } else {
            quote!(::std::option::Option::None)
        };
        quote! {
            const PARAMETERS: &[::rayw::__private::Parameter] = &[#(#described),*];

            fn settings() -> ::rayw::__private::ActorSettings {
                #[allow(unused_mut, reason = "there may be no options")]
                let mut settings = ::rayw::__private::ActorSettings::new();
                #set
                settings
            }

            fn construct(
                values: ::std::vec::Vec<::rayw::__private::Value>,
            ) -> ::rayw::Result<::std::boxed::Box<dyn ::std::any::Any>> {
                #arguments
                let state: #ty = #state;
                ::std::result::Result::Ok(::std::boxed::Box::new(state))
            }

            static METHODS: &[::rayw::__private::Method] = &[#(#methods),*];

            ::rayw::__private::inventory::submit! {
                ::rayw::__private::Class {
                    name: #text,
                    parameters: PARAMETERS,
                    options: settings,
                    construct,
                    methods: METHODS,
                    durable: #durable,
                }
            }
        }
    }
}

impl Method {
    /// `handle.method(args…)`.
    fn plain_call(&self) -> TokenStream {
        let Self { vis, name, cfgs, docs, parameters, output, options } = self;
        let declared = parameters.iter().map(Parameter::declared);
        let names = parameters.iter().map(|parameter| &parameter.name);
        let refs = output.refs(options.num_returns);
        quote! {
            #(#cfgs)*
            #docs
            #vis fn #name(&self, #(#declared),*) -> #refs {
                self.options().#name(#(#names),*)
            }
        }
    }

    /// `handle.options().method(args…)`.
    fn optioned_call(&self) -> TokenStream {
        let Self { vis, name, cfgs, docs, parameters, output, options } = self;
        let text = signature::plain(name);
        let declared = parameters.iter().map(Parameter::declared);
        let sent = parameters.iter().map(Parameter::sent);
        let num_returns = options.num_returns;
        let marker = output.declared(num_returns);
        let ty = &output.ty;
        quote! {
            #(#cfgs)*
            #docs
            #vis fn #name(self, #(#declared),*) -> M::Answer<S::Refs>
            where
                S: ::rayw::__private::Returns<#marker, #ty>,
            {
                M::answer::<S, #marker, #ty>(
                    self.settings.call(self.actor, #text, #num_returns, &mut [#(#sent),*]),
                )
            }
        }
    }

    fn registration(&self, class: &Type, class_text: &str) -> TokenStream {
        let Self { name, cfgs, parameters, output, options, .. } = self;
        let text = signature::plain(name);
        let callee = format!("{class_text}::{text}");
        let described = parameters.iter().map(Parameter::described);
        let taken = parameters.iter().map(Parameter::taken);
        let arguments = arguments(&callee, parameters);
        let encoded = output.encoded(&quote!(<#class>::#name(actor, #(#taken),*)), &callee);
        let returns = &output.type_name;
        let set = &options.set;
        quote! {
            #(#cfgs)*
            {
                const PARAMETERS: &[::rayw::__private::Parameter] = &[#(#described),*];

                fn settings() -> ::rayw::__private::CallSettings {
                    #[allow(unused_mut, reason = "there may be no options")]
                    let mut settings = ::rayw::__private::CallSettings::new();
                    #set
                    settings
                }

                fn call(
                    state: &mut dyn ::std::any::Any,
                    values: ::std::vec::Vec<::rayw::__private::Value>,
                    num_returns: u32,
                ) -> ::rayw::Result<::std::vec::Vec<::rayw::__private::Value>> {
                    let actor = ::rayw::__private::actor_state::<#class>(state);
                    #arguments
                    #encoded
                }

                ::rayw::__private::Method {
                    name: #text,
                    parameters: PARAMETERS,
                    returns: #returns,
                    options: settings,
                    call,
                }
            }
        }
    }
}

enum Parsed {
    Constructor(Constructor),
    Method(Box<Method>),
}

fn parse_function(function: &mut ImplItemFn, own: &Type, class: &Ident) -> Result<Option<Parsed>> {
    let options = take_options(&mut function.attrs)?;
    let signature = &function.sig;
    let name = signature.ident.to_string();
    let Some(receiver) = signature.receiver() else {
        return match options {
            Some((options, at)) if !options.skip => Err(Error::new(
                at,
                "`#[rayw(…)]` goes on a method with `&self` or `&mut self`; other functions are left alone",
            )),
            _ if name == "new" => Ok(Some(Parsed::Constructor(parse_constructor(function, own, class)?))),
            _ if TAKEN_ASSOCIATED.contains(&name.as_str()) => Err(Error::new(
                signature.ident.span(),
                format!("every actor gets a function `{name}` of its own: give this one another name"),
            )),
            _ => Ok(None),
        };
    };
    let options = options.map_or_else(Options::none, |(options, _)| options);
    if options.skip {
        return Ok(None);
    }
    if receiver.reference.is_none() || receiver.colon_token.is_some() {
        return Err(Error::new_spanned(
            FnArg::Receiver(receiver.clone()),
            "an actor keeps its state between calls: take `&self` or `&mut self`, \
             or put `#[rayw(skip)]` on the method to leave it alone",
        ));
    }
    if TAKEN.contains(&name.as_str()) {
        return Err(Error::new(
            signature.ident.span(),
            format!(
                "every handle has a `{name}` of its own: give the method another name, \
                 or put `#[rayw(skip)]` on it to leave it alone"
            ),
        ));
    }
    let what = "an actor's method";
    signature::check_plain(signature, what)?;
    let output = signature::output(signature, what, Some(own))?;
    output.check_arity(options.num_returns, options.num_returns_at)?;
    Ok(Some(Parsed::Method(Box::new(Method {
        vis: function.vis.clone(),
        name: signature.ident.clone(),
        cfgs: cfgs(&function.attrs).cloned().collect(),
        docs: docs(&function.attrs),
        options,
        parameters: signature::parameters(signature, what, Some(own))?,
        output,
    }))))
}

fn parse_constructor(function: &ImplItemFn, own: &Type, class: &Ident) -> Result<Constructor> {
    let what = "an actor's `new`";
    let signature = &function.sig;
    signature::check_plain(signature, what)?;
    let output = signature::output(signature, what, Some(own))?;
    if !output.is_result && output.type_name != "Self" && *class != output.type_name {
        return Err(Error::new_spanned(
            &signature.output,
            format!("an actor's `new` makes the actor: return `Self` or `Result<Self, E>`, not `{}`", output.type_name),
        ));
    }
    Ok(Constructor {
        vis: function.vis.clone(),
        docs: docs(&function.attrs),
        parameters: signature::parameters(signature, what, Some(own))?,
        output,
    })
}

/// The options of `#[rayw(…)]`, which is taken away: the compiler does not know it.
fn take_options(attributes: &mut Vec<Attribute>) -> Result<Option<(Options, proc_macro2::Span)>> {
    let Some(index) = attributes.iter().position(|attribute| attribute.path().is_ident("rayw")) else {
        return Ok(None);
    };
    let attribute = attributes.remove(index);
    let list = attribute.meta.require_list()?;
    Ok(Some((Options::parse(Place::Method, list.tokens.clone())?, attribute.span())))
}

fn as_function(item: &mut ImplItem) -> Option<&mut ImplItemFn> {
    match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    }
}

fn class_name(ty: &Type) -> Result<Ident> {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
        && last.arguments.is_none()
    {
        return Ok(last.ident.clone());
    }
    Err(Error::new_spanned(ty, "an actor is a struct or enum with a name of its own: `impl Counter { … }`"))
}

fn openness(vis: &Visibility) -> u8 {
    match vis {
        Visibility::Public(_) => 2,
        Visibility::Restricted(_) => 1,
        Visibility::Inherited => 0,
    }
}
