//! The client: one concrete type whose methods are the calls.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};

use super::{
    beside, located_at, signature_name,
    types::{Shape, Types, names},
    whole,
};
use crate::{
    model::{Attributes, Extent, Generics, Method, Service},
    report::Spot,
};

/// The struct.
pub(super) fn definition(service: &Service) -> TokenStream {
    let Service { sinew, visibility, ident, .. } = service;
    let Attributes { docs, conditions, deprecated, .. } = &service.attributes;
    let client = beside(service, "Client");
    let title = format!(" Client of [`{ident}`]: each of its methods is a call.");
    let docs = (!docs.is_empty()).then(|| quote!(#[doc = ""] #docs));
    quote! {
        #conditions
        #[doc = #title]
        #[doc = ""]
        #[doc = " Cheap to clone, and all clones share their connections. Dropping the future of a call"]
        #[doc = " cancels the call, on the server too."]
        #docs
        #deprecated
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #visibility struct #client {
            channel: #sinew::private::Channel,
        }
    }
}

/// Its own methods, the calls, and what makes it a client.
pub(super) fn implementation(service: &Service) -> TokenStream {
    let Service { sinew, visibility, .. } = service;
    let client = beside(service, "Client");
    let name = &service.name.text;
    let local_fn = local_fn(service);
    let methods = service.methods.iter().filter_map(|method| match method.extent {
        _ if service.generics.is_some() => None,
        Extent::Whole => Some(call(service, method)),
        Extent::Stub => Some(stub(service, method)),
        Extent::TraitOnly | Extent::Nothing => None,
    });
    let types = whole(service).map(|method| {
        let conditions = &method.attributes.conditions;
        let signature = signature_name(method);
        quote!(#conditions #sinew::private::types::<#signature>())
    });
    quote! {
        impl #client {
            /// The same client, with these options for each call that is made through it.
            #[must_use]
            #visibility fn with(&self, options: #sinew::CallOptions) -> Self {
                Self { channel: self.channel.with(options) }
            }

            #local_fn

            #(#methods)*
        }

        impl #sinew::ServiceClient for #client {
            const SERVICE: &'static str = #name;

            fn from_channel(channel: #sinew::private::Channel) -> Self {
                Self { channel }
            }

            fn types() -> ::std::vec::Vec<&'static #sinew::private::Types> {
                ::core::convert::From::from([#(#types),*])
            }
        }
    }
}

fn local_fn(service: &Service) -> TokenStream {
    let Service { sinew, visibility, ident, generics, .. } = service;
    let server = beside(service, "Server");
    let (parameters, argument, body) = match generics {
        None => (
            None,
            quote!(impl #ident),
            quote! {
                Self { channel: #sinew::private::Channel::local(#server::new(service).service) }
            },
        ),
        Some(_) => (Some(quote!(<S>)), quote!(S), quote!(::core::unreachable!())),
    };
    quote! {
        /// A client of an implementation in this process: the same pipeline and the same encoding,
        /// with no network.
        #[must_use]
        #visibility fn local #parameters(service: #argument) -> Self {
            #body
        }
    }
}

fn call(service: &Service, method: &Method) -> TokenStream {
    let Service { sinew, visibility, .. } = service;
    let Attributes { conditions, deprecated, .. } = &method.attributes;
    let docs = docs(service, method);
    let ident = &method.ident;
    let arguments = method.arguments.iter().map(|argument| {
        let (ident, ty) = (&argument.ident, &argument.ty);
        quote!(#ident: #ty)
    });
    let answer = future_of(method, &Types::of(service, method).answer());
    let function = format_ident!("{}", Shape::of(method).function());
    let signature = signature_name(method);
    let (values, stream) = names(method);
    let stream = stream.iter();
    quote! {
        #conditions
        #docs
        #deprecated
        #visibility fn #ident(&self, #(#arguments),*)
            -> #answer + use<>
        {
            #sinew::private::#function::<#signature>(
                &self.channel, #values #(, #stream)*
            )
        }
    }
}

/// The future of a call, located at what the method returns.
fn future_of(method: &Method, answer: &TokenStream) -> TokenStream {
    let place = located_at(Spot::of(&method.output.written).start());
    quote_spanned! {place=>
        impl ::core::future::Future<Output = #answer> + ::core::marker::Send + 'static
    }
}

/// What stands in for a method with a mistake: it has the signature that was written, so that its call
/// sites compile, and is never run, because the mistake is an error.
fn stub(service: &Service, method: &Method) -> TokenStream {
    let visibility = &service.visibility;
    let Attributes { conditions, deprecated, .. } = &method.attributes;
    let docs = docs(service, method);
    let ident = &method.ident;
    let Generics { parameters, conditions: where_clause } = &method.signature.generics;
    let arguments = method.arguments.iter().map(|argument| &argument.ty);
    let answer = future_of(method, &Types::of(service, method).answer());
    quote! {
        #conditions
        #docs
        #deprecated
        #visibility fn #ident #parameters(&self, #(_: #arguments),*)
            -> #answer
        #where_clause
        {
            async { ::core::unreachable!() }
        }
    }
}

/// The docs of the method, or a line that says which method it calls.
fn docs(service: &Service, method: &Method) -> TokenStream {
    let docs = &method.attributes.docs;
    if method.attributes.doc_text.is_empty() {
        let line = format!(" Calls [`{}::{}`].", service.ident, method.plain_name);
        quote!(#[doc = #line] #docs)
    } else {
        docs.clone()
    }
}
