//! How a method goes over HTTP, as a constant beside its description.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

use crate::model::{Binding, Body, BodyKind, Form, Method, PathPart, Service, Statuses, Verb};

/// `.http(..)`, where the method has a binding.
pub(super) fn http(service: &Service, method: &Method) -> Option<TokenStream> {
    let sinew = &service.sinew;
    let binding = method.binding.as_ref()?;
    let Binding { path, query, headers, value, error, none, .. } = binding;
    let http = quote!(#sinew::private::http);
    let verb = variant(match binding.verb {
        Verb::Get => "Get",
        Verb::Head => "Head",
        Verb::Options => "Options",
        Verb::Put => "Put",
        Verb::Delete => "Delete",
        Verb::Post => "Post",
        Verb::Patch => "Patch",
    });
    let path = path.iter().map(|part| match part {
        PathPart::Text(text) => quote!(#http::PathPart::Text(#text)),
        PathPart::Argument(index) => {
            let index = place(*index);
            quote!(#http::PathPart::Argument(#index))
        }
    });
    let (query, headers) = (carried(query), carried(headers));
    let body = body(&http, &binding.body);
    let or = |given: &[Statuses], usual| match given {
        [] => {
            let usual = variant(usual);
            quote!(#http::#usual)
        }
        given => statuses(given),
    };
    let (value, error, none) = (or(value, "VALUE"), or(error, "ERROR"), statuses(none));
    let content = match (&binding.from_header, method.output.value.form()) {
        (Some(header), _) => quote!(#http::Content::Header(#header)),
        (None, Form::Bytes) => quote!(#http::Content::Bytes),
        (None, Form::Text) => quote!(#http::Content::Text),
        (None, Form::Unit) => quote!(#http::Content::Nothing),
        (None, Form::Optional | Form::Other) => quote!(#http::Content::Json),
    };
    Some(quote! {
        .http(&#http::Binding {
            verb: #http::Verb::#verb,
            path: &[#(#path),*],
            query: #query,
            headers: #headers,
            body: #body,
            value: #value,
            error: #error,
            none: #none,
            content: #content,
        })
    })
}

fn body(http: &TokenStream, body: &Body) -> TokenStream {
    match body {
        Body::None => quote!(#http::Body::None),
        Body::Stream(Form::Bytes) => quote!(#http::Body::Chunks),
        Body::Stream(_) => quote!(#http::Body::Items),
        Body::Named(all) => {
            let all = all.iter().map(|index| place(*index));
            quote!(#http::Body::Named(&[#(#all),*]))
        }
        Body::One(kind, index) => {
            let index = place(*index);
            let kind = variant(match kind {
                BodyKind::Json => "Json",
                BodyKind::Form => "Form",
                BodyKind::Bytes => "Bytes",
            });
            quote!(#http::Body::#kind(#index))
        }
    }
}

fn carried(carried: &[(String, usize)]) -> TokenStream {
    let each = carried.iter().map(|(name, index)| {
        let index = place(*index);
        quote!((#name, #index))
    });
    quote!(&[#(#each),*])
}

fn statuses(ranges: &[Statuses]) -> TokenStream {
    let each = ranges.iter().map(|Statuses(from, to)| {
        let (from, to) = (Literal::u16_unsuffixed(*from), Literal::u16_unsuffixed(*to));
        quote!((#from, #to))
    });
    quote!(&[#(#each),*])
}

fn place(index: usize) -> Literal {
    Literal::usize_unsuffixed(index)
}

fn variant(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
