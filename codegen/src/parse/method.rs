//! One method of the trait: its signature, and what in it has no place in a service.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{
    FnArg, GenericParam, Ident, Pat, PatIdent, Receiver, ReceiverKind, ReturnType, Safety,
    Signature as Sig, TraitItemFn, ext::IdentExt, spanned::Spanned,
};

use super::{attributes, types, wire_name};
use crate::{
    messages::{self, Message},
    model::{Argument, Extent, Generics, Method, Output, Signature},
    report::{Report, Spot},
};

/// Turns a method into its model. A mistake in the signature leaves a stub; one in an attribute
/// leaves the method as if the attribute were absent.
pub(super) fn lower(function: &TraitItemFn, report: &mut Report) -> Method {
    let attributes = attributes::of_method(&function.attrs, report);
    let before = report.len();
    refuse_modifiers(function, report);
    refuse_generics(function, report);
    refuse_receiver(function, report);
    let arguments = arguments(function, report);
    let output = output(function, report);
    let extent = if report.len() > before { Extent::Stub } else { Extent::Whole };
    Method {
        name: wire_name(attributes.name, &function.sig.ident),
        attributes: attributes.sorted,
        options: attributes.options,
        http: attributes.http,
        binding: None,
        signature: signature(function, &arguments),
        arguments,
        output,
        extent,
        plain_name: function.sig.ident.unraw().to_string(),
        ident: function.sig.ident.clone(),
    }
}

fn refuse_modifiers(function: &TraitItemFn, report: &mut Report) {
    let sig = &function.sig;
    let words: [(&str, Option<TokenStream>); 3] = [
        ("const", sig.constness.map(ToTokens::into_token_stream)),
        (
            "unsafe",
            match sig.safety {
                Safety::Unsafe(token) => Some(token.into_token_stream()),
                Safety::Safe(_) | Safety::Default => None,
            },
        ),
        ("extern", sig.abi.as_ref().map(ToTokens::to_token_stream)),
    ];
    for (word, tokens) in words {
        if let Some(tokens) = tokens {
            report.push(Spot::of(&tokens), messages::modifier(word));
        }
    }
    if let Some(variadic) = &sig.variadic {
        report.push(Spot::of(variadic), messages::VARIADIC);
    }
}

/// What the method returns, be it `async` or, by mistake, not. A future that is written out is taken for
/// what it resolves to.
fn output(function: &TraitItemFn, report: &mut Report) -> Output {
    let written = match &function.sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some(&**ty),
    };
    if function.sig.asyncness.is_some() {
        return types::output(written, report);
    }
    let resolved = written.and_then(types::resolved);
    let message = if resolved.is_some() { messages::RETURNS_FUTURE } else { messages::NOT_ASYNC };
    report.push(Spot::at(function.sig.fn_token.span), message);
    let output = types::output(resolved.or(written), report);
    match written {
        Some(ty) => Output { written: ty.to_token_stream(), ..output },
        None => output,
    }
}

fn refuse_generics(function: &TraitItemFn, report: &mut Report) {
    let generics = &function.sig.generics;
    let is_lifetime = |parameter: &GenericParam| matches!(parameter, GenericParam::Lifetime(_));
    if !generics.params.is_empty() {
        let all_lifetimes = generics.params.iter().all(is_lifetime);
        let message =
            if all_lifetimes { messages::LIFETIME_PARAMETER } else { messages::GENERIC_METHOD };
        report.push(Spot::of(&generics.params), message);
    }
    if let Some(conditions) = &generics.where_clause {
        report.push(Spot::of(conditions), messages::METHOD_WHERE);
    }
}

fn refuse_receiver(function: &TraitItemFn, report: &mut Report) {
    match function.sig.receiver() {
        Some(Receiver {
            kind: ReceiverKind::Reference(_, None, None), mutability: None, ..
        }) => {}
        Some(other) => report.push(Spot::of(other), messages::RECEIVER),
        None => report.push(Spot::at(function.sig.ident.span()), messages::NO_RECEIVER),
    }
}

fn arguments(function: &TraitItemFn, report: &mut Report) -> Vec<Argument> {
    let mut arguments: Vec<Argument> = Vec::new();
    for input in &function.sig.inputs {
        let input = match input {
            FnArg::Receiver(receiver) => {
                refuse_attributes(&receiver.attrs, report);
                continue;
            }
            FnArg::Typed(input) => input,
        };
        refuse_attributes(&input.attrs, report);
        let named =
            argument_name(&input.pat, function.default.is_some()).and_then(|ident| match arguments
                .iter()
                .any(|other| other.ident == *ident)
            {
                true => Err(messages::argument_twice(&ident.to_string())),
                false => Ok(ident.clone()),
            });
        let ident = named.unwrap_or_else(|message| {
            report.push(Spot::of(&input.pat), message);
            format_ident!("argument_{}", arguments.len(), span = input.pat.span())
        });
        arguments.push(Argument {
            at: Spot::of(input),
            kind: types::argument(&input.ty, report),
            ty: input.ty.to_token_stream(),
            plain_name: ident.unraw().to_string(),
            ident,
        });
    }
    arguments
}

/// The name that a pattern is. `mut` is for a provided body alone.
fn argument_name(pattern: &Pat, has_body: bool) -> Result<&Ident, Message> {
    match pattern {
        Pat::Ident(PatIdent { by_ref: None, subpat: None, mutability, ident, .. })
            if has_body || mutability.is_none() =>
        {
            Ok(ident)
        }
        Pat::Wild(_) => Err(messages::UNNAMED_ARGUMENT),
        _ => Err(messages::PATTERN_ARGUMENT),
    }
}

fn refuse_attributes(attributes: &[syn::Attribute], report: &mut Report) {
    for attribute in attributes {
        report.push(Spot::of(attribute), messages::ARGUMENT_ATTRIBUTE);
    }
}

/// The signature as the trait repeats it, with as much of a mistaken one as the compiler accepts without
/// a word of its own: no `const`, no `...`, no patterns where there is no body to use them.
fn signature(function: &TraitItemFn, arguments: &[Argument]) -> Signature {
    let Sig { safety, abi, fn_token, ident, generics, .. } = &function.sig;
    let parameters = &generics.params;
    let parameters = if parameters.is_empty() { TokenStream::new() } else { quote!(<#parameters>) };
    let mut inputs = function.sig.inputs.clone();
    let mut arguments = arguments.iter();
    for input in &mut inputs {
        match input {
            FnArg::Receiver(receiver) => receiver.attrs.clear(),
            FnArg::Typed(typed) => {
                typed.attrs.clear();
                if let (Some(argument), None) = (arguments.next(), &function.default) {
                    *typed.pat = Pat::Verbatim(argument.ident.to_token_stream());
                }
            }
        }
    }
    Signature {
        head: quote!(#safety #abi #fn_token #ident #parameters (#inputs)),
        is_async: function.sig.asyncness.is_some(),
        generics: Generics { parameters, conditions: generics.where_clause.to_token_stream() },
        body: function.default.as_ref().map(ToTokens::to_token_stream),
    }
}
