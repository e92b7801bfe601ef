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
        let function = format_ident!("{}_handler", Shape::of(method).function());
        let signature = signature_name(method);
        quote!(#conditions #sinew::private::#function::<_, #signature>(&service))
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

/// How each method is called when its arguments have arrived.
pub(super) fn handlers(service: &Service) -> TokenStream {
    let is_generic = service.generics.is_some();
    let handlers = whole(service).filter(|_| !is_generic).map(|method| handler(service, method));
    quote!(#(#handlers)*)
}

/// One method: a plain function that hands on the method's own future. A closure or an `async` block here would be a
/// body more for the compiler to check, of which a service has as many as it has methods.
fn handler(service: &Service, method: &Method) -> TokenStream {
    let sinew = &service.sinew;
    let (trait_ident, ident) = (&service.ident, &method.ident);
    let conditions = &method.attributes.conditions;
    let signature = signature_name(method);
    let Types { arguments, input, error, handled, .. } = Types::of(service, method);
    let (values, stream) = names(method);
    let (stream, input) = match stream {
        Some(stream) => (stream, quote!(#sinew::Streaming<#input>)),
        None => (quote!(()), quote!(())),
    };
    let (implementation, this) = (implementation_name(service), local("this"));
    let names = method.arguments.iter().map(|argument| &argument.ident);
    let call = quote!(#trait_ident::#ident(#this, #(#names),*));
    let call = match method.output.failure {
        Failure::Never => quote!(#sinew::private::infallible(#call)),
        Failure::Mesh(_) | Failure::Own(_) | Failure::Aliased => call,
    };
    quote! {
        #conditions
        impl<#implementation: #trait_ident> #sinew::private::Handles<#implementation, #input, #handled> for #signature {
            fn handle(
                #this: &#implementation,
                #values: #arguments,
                #stream: #input,
            ) -> impl ::core::future::Future<Output = ::core::result::Result<#handled, #error>> + ::core::marker::Send {
                #call
            }
        }
    }
}

/// The type parameter that stands for an implementation. Its name is one that no type of the user's has.
fn implementation_name(service: &Service) -> Ident {
    format_ident!("Implementation_{}", service.ident, span = Span::mixed_site())
}
