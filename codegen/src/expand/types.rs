//! Types of a method as generated code writes them, on both sides of a call.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::located_at;
use crate::{
    model::{ArgumentKind, Failure, Method, Service, Value},
    report::Spot,
};

/// Which halves of a call are streams.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Unary,
    ServerStreaming,
    ClientStreaming,
    Bidirectional,
}

impl Shape {
    pub(super) fn of(method: &Method) -> Self {
        let streams_out = matches!(method.output.value, Value::Stream { .. });
        match (method.input_stream().is_some(), streams_out) {
            (false, false) => Self::Unary,
            (false, true) => Self::ServerStreaming,
            (true, false) => Self::ClientStreaming,
            (true, true) => Self::Bidirectional,
        }
    }

    /// The variant of `private::Shape`.
    pub(super) fn variant(self) -> &'static str {
        match self {
            Self::Unary => "Unary",
            Self::ServerStreaming => "ServerStreaming",
            Self::ClientStreaming => "ClientStreaming",
            Self::Bidirectional => "Bidirectional",
        }
    }

    /// The function of `private` that makes the call; its handler's ends in `_handler`.
    pub(super) fn function(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ServerStreaming => "server_streaming",
            Self::ClientStreaming => "client_streaming",
            Self::Bidirectional => "bidirectional",
        }
    }
}

/// The types of one method.
pub(super) struct Types {
    /// What the body of the request carries: a tuple.
    pub(super) arguments: TokenStream,
    /// The items of the input stream; `()` without one.
    pub(super) input: TokenStream,
    /// The value, or the items of the output stream.
    pub(super) value: TokenStream,
    /// The error as the handler returns it.
    pub(super) error: TokenStream,
    /// The value as the handler returns it: a stream where the output is one.
    pub(super) handled: TokenStream,
    /// The value as the client returns it.
    pub(super) received: TokenStream,
    /// The error as the client returns it.
    pub(super) refused: TokenStream,
}

impl Types {
    pub(super) fn of(service: &Service, method: &Method) -> Self {
        let sinew = &service.sinew;
        let written = &method.output.written;
        let result = quote!(<#written as #sinew::private::ResultType>);
        let (error, refused) = match &method.output.failure {
            Failure::Never => (quote!(#sinew::Status), quote!(#sinew::Status)),
            Failure::Mesh(error) => (error.clone(), error.clone()),
            Failure::Own(error) => (error.clone(), quote!(#sinew::CallError<#error>)),
            Failure::Aliased => (
                quote!(#result::Err),
                quote!(<#result::Err as #sinew::private::MethodError>::Caller),
            ),
        };
        let (value, handled, received) = match &method.output.value {
            Value::One { ty, .. } => (ty.clone(), ty.clone(), ty.clone()),
            Value::Aliased { .. } => {
                let ok = quote!(#result::Ok);
                (ok.clone(), ok.clone(), ok)
            }
            Value::Stream { item, .. } => {
                let received = match &method.output.failure {
                    Failure::Never => quote!(#sinew::Streaming<#item>),
                    _ => quote!(#sinew::Streaming<#item, #error>),
                };
                (item.clone(), quote!(#sinew::Streaming<#item>), received)
            }
            Value::Unknown => (quote!(()), quote!(()), quote!(())),
        };
        Self {
            arguments: arguments(method),
            input: method.input_stream().map_or_else(|| quote!(()), |(_, item)| item.clone()),
            value,
            error,
            handled,
            received,
            refused,
        }
    }

    /// What a call of the client's method resolves to.
    pub(super) fn answer(&self) -> TokenStream {
        let Self { received, refused, .. } = self;
        quote!(::core::result::Result<#received, #refused>)
    }
}

/// The tuple of the arguments. It is located at the only one, else at the method's name: there the compiler
/// says which of them cannot be sent.
fn arguments(method: &Method) -> TokenStream {
    let types: Vec<_> = method.values().map(|argument| &argument.ty).collect();
    let place = match types.as_slice() {
        [only] => Spot::of(only).start(),
        _ => method.ident.span(),
    };
    quote_spanned!(located_at(place)=> (#(#types,)*))
}

/// The names of the arguments that travel in the body, and of the stream if there is one.
pub(super) fn names(method: &Method) -> (TokenStream, Option<TokenStream>) {
    let mut stream = None;
    let mut values = Vec::new();
    for argument in &method.arguments {
        let ident = &argument.ident;
        match argument.kind {
            ArgumentKind::Value { .. } => values.push(ident),
            ArgumentKind::Stream { .. } => stream = Some(quote!(#ident)),
        }
    }
    (quote!((#(#values,)*)), stream)
}
