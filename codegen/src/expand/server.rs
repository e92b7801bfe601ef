//! The server: an implementation of the trait as a table of handlers.

use proc_macro2::{Ident, Span, TokenStream};
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
        None => (None, quote!(impl #ident), table(service)),
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

/// The implementation with a handler for each method.
fn table(service: &Service) -> TokenStream {
    let sinew = &service.sinew;
    let name = &service.name.text;
    let handlers = whole(service).map(|method| {
        let conditions = &method.attributes.conditions;
        let handler = handler_name(method);
        quote!(#conditions #handler(&service))
    });
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

/// The handlers: each in a function of its own, since what the compiler does for a function grows faster than what is
/// in it.
pub(super) fn handlers(service: &Service) -> TokenStream {
    let is_generic = service.generics.is_some();
    let handlers = whole(service).filter(|_| !is_generic).map(|method| handler(service, method));
    quote!(#(#handlers)*)
}

fn handler_name(method: &Method) -> Ident {
    format_ident!("handler_{}", method.plain_name, span = Span::mixed_site())
}

/// One handler: it owns a reference to the implementation, and each call takes one of its own.
fn handler(service: &Service, method: &Method) -> TokenStream {
    let sinew = &service.sinew;
    let trait_ident = &service.ident;
    let conditions = &method.attributes.conditions;
    let name = handler_name(method);
    let function = format_ident!("{}_handler", Shape::of(method).function());
    let signature = signature_name(method);
    let (values, stream) = names(method);
    let stream = stream.iter();
    let this = local("this");
    let answer = answer(service, method);
    quote! {
        #conditions
        fn #name(service: &::std::sync::Arc<impl #trait_ident>) -> #sinew::private::Handler {
            let #this = ::core::clone::Clone::clone(service);
            #sinew::private::#function::<#signature, _, _>(move |#values #(, #stream)*| {
                let #this = ::core::clone::Clone::clone(&#this);
                async move { #answer }
            })
        }
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
