//! `#[rayw::main]`: the driver, and the export of everything else.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

use crate::signature;

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !attribute.is_empty() {
        return Err(Error::new_spanned(attribute, "`#[rayw::main]` takes no options"));
    }
    let on_other = Error::new_spanned(&item, "`#[rayw::main]` goes on the function `main`: `fn main() { … }`");
    let mut function: ItemFn = syn::parse2(item).map_err(|_| on_other)?;
    if function.sig.ident != "main" {
        return Err(Error::new_spanned(&function.sig.ident, "the driver is called `main`"));
    }
    if !function.sig.inputs.is_empty() {
        return Err(Error::new_spanned(
            &function.sig.inputs,
            "`main` has no parameters: read the program's arguments by `std::env::args()`",
        ));
    }
    signature::check_plain(&function.sig, "`main`")?;
    let output = signature::output(&function.sig, "`main`", None)?;

    let vis = std::mem::replace(&mut function.vis, syn::Visibility::Inherited);
    function.sig.ident = syn::Ident::new("__rayw_main", function.sig.ident.span());
    let body = if output.is_result {
        quote!(__rayw_main().map_err(|error| ::rayw::__to_error!(&error)))
    } else {
        quote!(::std::result::Result::Ok(__rayw_main()))
    };
    Ok(quote! {
        #vis fn main() {
            #function
            ::rayw::__private::run(|| #body);
        }
        ::rayw::export!();
    })
}
