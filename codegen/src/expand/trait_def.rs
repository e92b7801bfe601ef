//! The trait itself: as the user wrote it, with every `async fn` as a function whose future is `Send`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::located_at;
use crate::model::{Attributes, Extent, Method, Service, Signature};

pub(super) fn trait_def(service: &Service) -> TokenStream {
    let Service { ident, visibility, attributes, supertraits, strangers, .. } = service;
    let Attributes { docs, conditions, deprecated, others, .. } = attributes;
    let generics = service.generics.iter();
    let parameters = generics.clone().map(|generics| &generics.parameters);
    let where_clause = generics.map(|generics| &generics.conditions);
    // Located at the name, so that an implementation which lacks one of them is told "required by
    // this bound in `Inventory`" there.
    let required = quote_spanned! { located_at(ident.span())=>
        ::core::marker::Send + ::core::marker::Sync + 'static
    };
    let supertraits = (!supertraits.is_empty()).then(|| quote!(+ #supertraits));
    let methods =
        service.methods.iter().filter(|method| method.extent < Extent::Nothing).map(method);
    quote! {
        #conditions
        #docs
        #deprecated
        #others
        #visibility trait #ident #(#parameters)* : #required #supertraits #(#where_clause)* {
            #(#strangers)*
            #(#methods)*
        }
    }
}

/// `async fn` becomes a function that returns its future with the promise that it is `Send`: without
/// it the compiler would complain about generated code, with it about the handler that breaks it.
fn method(method: &Method) -> TokenStream {
    let Attributes { docs, conditions, deprecated, others, .. } = &method.attributes;
    let Signature { head, is_async, generics, body } = &method.signature;
    let where_clause = &generics.conditions;
    let written = &method.output.written;
    let (output, body) = if *is_async {
        let output = quote_spanned! { located_at(method.ident.span())=>
            impl ::core::future::Future<Output = #written> + ::core::marker::Send
        };
        (output, body.as_ref().map(|body| quote!({ async move #body })))
    } else {
        (written.clone(), body.clone())
    };
    let end = body.unwrap_or_else(|| quote!(;));
    quote! {
        #conditions
        #docs
        #deprecated
        #others
        #head -> #output #where_clause #end
    }
}
