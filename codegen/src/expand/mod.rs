//! From the model to Rust: the trait, its client and its server.
//!
//! # Invariants
//! 1. Every path is absolute, through `::core`, `::std` or the crate `sinew` as the user named it.
//! 2. The locals of generated functions carry the macro's own span, so that an argument of the same
//!    name is another variable.
//! 3. Generated tokens never carry a user's span alone: lints of the user's would apply to them.

mod client;
mod http;
mod server;
mod trait_def;
mod types;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use self::types::{Shape, Types};
use crate::model::{Argument, ArgumentKind, Criticality, Extent, Hedge, Method, Service};

/// Prints the service as Rust.
///
/// The two lints that are allowed would speak of generated code: it must name a deprecated method to
/// serve it, and the client takes as many arguments as the trait does.
pub(crate) fn rust(service: &Service) -> TokenStream {
    let trait_def = trait_def::trait_def(service);
    let client = client::definition(service);
    let server = server::definition(service);
    let client_impl = client::implementation(service);
    let server_impl = server::implementation(service);
    let handlers = server::handlers(service);
    let signatures = whole(service).map(|method| signature(service, method));
    let distinct = distinct_methods(service);
    let conditions = &service.attributes.conditions;
    quote! {
        #trait_def
        #client
        #server
        #conditions
        #[allow(clippy::too_many_arguments, deprecated)]
        const _: () = {
            #(#signatures)*
            #distinct
            #client_impl
            #handlers
            #server_impl
        };
    }
}

/// The methods that can be called.
fn whole(service: &Service) -> impl Iterator<Item = &Method> {
    service.methods.iter().filter(|method| method.extent == Extent::Whole)
}

/// A name beside the trait's: `InventoryClient`.
fn beside(service: &Service, suffix: &str) -> Ident {
    format_ident!("{}{suffix}", service.ident, span = located_at(service.ident.span()))
}

/// The type that stands for a method.
fn signature_name(method: &Method) -> Ident {
    format_ident!("Method_{}", method.plain_name, span = Span::mixed_site())
}

/// A variable of generated code.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Generated code that the compiler shows at a place of the user's when it has to show it.
fn located_at(place: Span) -> Span {
    Span::mixed_site().located_at(place)
}

/// The empty type that stands for a method: its types, and what its attributes say.
///
/// That the types can be sent is checked in this one place: everything else refers to them through it.
fn signature(service: &Service, method: &Method) -> TokenStream {
    let sinew = &service.sinew;
    let conditions = &method.attributes.conditions;
    let ident = signature_name(method);
    let Types { arguments, input, value, error, refused, .. } = Types::of(service, method);
    let descriptor = descriptor(service, method);
    let key = key(service, method);
    quote! {
        #conditions
        enum #ident {}

        #conditions
        impl #sinew::private::Signature for #ident {
            type Arguments = #arguments;
            type Input = #input;
            type Value = #value;
            type Error = #error;
            type Caller = #refused;

            const METHOD: &'static #sinew::private::Method = &#descriptor;

            fn cell() -> &'static #sinew::private::TypesCell {
                static CELL: #sinew::private::TypesCell = #sinew::private::TypesCell::new();
                &CELL
            }

            #key
        }
    }
}

/// What the endpoint of a call is found by, where the method has a key.
fn key(service: &Service, method: &Method) -> Option<TokenStream> {
    let sinew = &service.sinew;
    let (written, _) = method.options.key.as_ref()?;
    let place = method.values().position(|argument| argument.plain_name == *written)?;
    let place = Literal::usize_unsuffixed(place);
    Some(quote! {
        fn key(arguments: &Self::Arguments) -> ::core::option::Option<u64> {
            #sinew::private::key(&arguments.#place)
        }
    })
}

fn descriptor(service: &Service, method: &Method) -> TokenStream {
    let sinew = &service.sinew;
    let (service_name, method_name) = (&service.name.text, &method.name.text);
    let path = format!("{service_name}/{method_name}");
    let shape = format_ident!("{}", Shape::of(method).variant());
    let options = options(service, method);
    let arguments = method.values().map(|argument| &argument.plain_name);
    let http = http::http(service, method);
    let is_stream = |argument: &Argument| matches!(argument.kind, ArgumentKind::Stream { .. });
    let input = method.arguments.iter().position(is_stream).map(|at| {
        let (name, at) = (&method.arguments[at].plain_name, Literal::usize_unsuffixed(at));
        quote!(.with_input(#name, #at))
    });
    let key = method.options.key.as_ref().map(|(name, _)| quote!(.with_key(#name)));
    let ident = service.ident.to_string();
    let trait_name = ident.trim_start_matches("r#");
    let trait_doc = &service.attributes.doc_text;
    let doc_text = &method.attributes.doc_text;
    let doc = (!doc_text.is_empty()).then(|| quote!(.doc(#doc_text)));
    quote! {
        #sinew::private::Method::new(
            #service_name, #method_name, #path, #sinew::private::Shape::#shape,
        )
            #options
            .arguments(&[#(#arguments),*])
            #input
            #key
            #http
            #doc
            .within(#trait_name, #trait_doc)
    }
}

fn options(service: &Service, method: &Method) -> TokenStream {
    let sinew = &service.sinew;
    let options = &method.options;
    let idempotent = (options.idempotent == Some(true)).then(|| quote!(.idempotent()));
    let timeout = options.timeout_us.map(|us| quote!(.timeout_us(#us)));
    let criticality = options.criticality.map(|criticality| {
        let variant = format_ident!(
            "{}",
            match criticality {
                Criticality::CriticalPlus => "CriticalPlus",
                Criticality::Critical => "Critical",
                Criticality::SheddablePlus => "SheddablePlus",
                Criticality::Sheddable => "Sheddable",
            }
        );
        quote!(.criticality(#sinew::Criticality::#variant))
    });
    let raw = options.raw.map(|_| quote!(.raw()));
    let version = service.version.map(|version| quote!(.with_version(#version)));
    let trusted = options.trust_layout.then(|| quote!(.trust_layout()));
    let hedge = options.hedge.map(|(hedge, _)| match hedge {
        Hedge::AfterPercentile(percent) => quote!(.hedge_after_percentile(#percent)),
        Hedge::AfterUs(us) => quote!(.hedge_after_us(#us)),
    });
    quote!(#idempotent #timeout #criticality #hedge #raw #version #trusted)
}

/// Method ids are hashes of names, and calls find their handler by them.
fn distinct_methods(service: &Service) -> Option<TokenStream> {
    let sinew = &service.sinew;
    let methods = whole(service).map(|method| {
        let conditions = &method.attributes.conditions;
        let ident = signature_name(method);
        quote!(#conditions <#ident as #sinew::private::Signature>::METHOD)
    });
    let place = located_at(service.ident.span());
    (whole(service).count() > 1).then(|| {
        quote_spanned! {place=>
            const _: () = #sinew::private::assert_distinct_methods(&[#(#methods),*]);
        }
    })
}
