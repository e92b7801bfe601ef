//! The server: an implementation of the trait as a table of handlers.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{
    beside, local, signature_name,
    types::{Shape, Types, names},
    whole,
};
use crate::model::{Attributes, Failure, Method, Service};

/// The struct.
pub(super) fn definition(service: &Service) -> TokenStream {
    let Service { sinew, visibility, ident, .. } = service;
    let Attributes { conditions, deprecated, .. } = &service.attributes;
    let server = beside(service, "Server");
    let title = format!(" Serves an implementation of [`{ident}`].");
    quote! {
        #conditions
        #[doc = #title]
        #deprecated
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #visibility struct #server {
            service: #sinew::private::Service,
        }
    }
}

/// How it is made, and what a server takes it as.
pub(super) fn implementation(service: &Service) -> TokenStream {
    let Service { sinew, visibility, ident, generics, .. } = service;
    let server = beside(service, "Server");
    let (parameters, argument, body) = match generics {
        None => (None, quote!(impl #ident), handlers(service)),
        Some(_) => (Some(quote!(<S>)), quote!(S), quote!(::core::unreachable!())),
    };
    quote! {
        impl #server {
            /// Serves `service`: one value answers all calls, at once.
            #[must_use]
            #visibility fn new #parameters(service: #argument) -> Self {
                #body
            }
        }

        impl ::core::convert::From<#server> for #sinew::private::Service {
            fn from(server: #server) -> Self {
                server.service
            }
        }
    }
}

fn handlers(service: &Service) -> TokenStream {
    let sinew = &service.sinew;
    let name = &service.name.text;
    let handlers = whole(service).map(|method| handler(service, method));
    quote! {
        let service = ::std::sync::Arc::new(service);
        Self {
            service: #sinew::private::Service::new(
                #name,
                ::core::convert::From::from([#(#handlers),*]),
            ),
        }
    }
}

/// One handler: it owns a reference to the implementation, and each call takes one of its own.
fn handler(service: &Service, method: &Method) -> TokenStream {
    let sinew = &service.sinew;
    let conditions = &method.attributes.conditions;
    let function = format_ident!("{}_handler", Shape::of(method).function());
    let signature = signature_name(method);
    let (values, stream) = names(method);
    let stream = stream.iter();
    let this = local("this");
    let answer = answer(service, method);
    quote! {
        #conditions
        #sinew::private::#function::<#signature, _, _>({
            let #this = ::core::clone::Clone::clone(&service);
            move |#values #(, #stream)*| {
                let #this = ::core::clone::Clone::clone(&#this);
                async move { #answer }
            }
        })
    }
}

fn answer(service: &Service, method: &Method) -> TokenStream {
    let sinew = &service.sinew;
    let (trait_ident, ident) = (&service.ident, &method.ident);
    let arguments = method.arguments.iter().map(|argument| &argument.ident);
    let this = local("this");
    let call = quote!(#trait_ident::#ident(&*#this, #(#arguments),*).await);
    match method.output.failure {
        Failure::Never => {
            let Types { handled, .. } = Types::of(service, method);
            quote!(::core::result::Result::<#handled, #sinew::Status>::Ok(#call))
        }
        Failure::Mesh(_) | Failure::Own(_) | Failure::Aliased => call,
    }
}
