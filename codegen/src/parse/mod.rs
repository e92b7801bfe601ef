//! From tokens to the model of a service: the only folder that knows syn.
//!
//! Two steps: [`trait_source`] turns tokens into a syntax tree, [`lower`] turns the tree into the
//! model and reports what has no place there. Rules about the model itself (names, counts, pairs)
//! are in `check.rs`.

mod attributes;
mod http;
mod method;
mod time;
mod types;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Item, ItemTrait, TraitItem, ext::IdentExt, parse::Parser};

use self::attributes::ServiceArgs;
use crate::{
    messages,
    model::{Generics, Method, Service, WireName},
    report::{Report, Spot},
};

/// The annotated trait, and what the attribute itself says.
pub(crate) struct Source {
    args: ServiceArgs,
    tree: ItemTrait,
}

/// Reads the attribute and the trait. `None` if the item is no trait.
pub(crate) fn trait_source(
    args: TokenStream,
    item: &TokenStream,
    report: &mut Report,
) -> Option<Source> {
    let args = attributes::service_args(args, report);
    match syn::parse2(item.clone()) {
        Ok(Item::Trait(tree)) => Some(Source { args, tree }),
        Ok(Item::Impl(other)) => {
            report.push(Spot::at(other.impl_token.span), messages::ON_AN_IMPL);
            None
        }
        Ok(other) => {
            report.push(Spot::of(&other), messages::not_a_trait(kind(&other)));
            None
        }
        Err(error) => {
            report.push(Spot::at(error.span()), messages::syntax(error.to_string()));
            None
        }
    }
}

fn kind(item: &Item) -> &'static str {
    match item {
        Item::Struct(_) => "a struct",
        Item::Enum(_) => "an enum",
        Item::Fn(_) => "a function",
        Item::Mod(_) => "a module",
        Item::TraitAlias(_) => "a trait alias",
        Item::Type(_) => "a type alias",
        Item::Macro(_) => "a macro",
        _ => "another item",
    }
}

/// Turns the syntax tree into the model.
pub(crate) fn lower(source: Source, report: &mut Report) -> Service {
    let Source { args, tree } = source;
    let attributes = attributes::of_trait(&tree.attrs, report);
    refuse_modifiers(&tree, report);
    let generics = generics(&tree, report);
    let mut methods = Vec::new();
    let mut strangers = Vec::new();
    for item in &tree.items {
        match method_or_stranger(item, report) {
            Ok(method) => methods.push(method),
            Err(tokens) => strangers.push(tokens),
        }
    }
    Service {
        name: wire_name(args.name, &tree.ident),
        version: args.version,
        sinew: args.sinew,
        visibility: tree.vis.to_token_stream(),
        attributes,
        supertraits: tree.supertraits.to_token_stream(),
        methods,
        strangers,
        generics,
        ident: tree.ident,
    }
}

/// The name that was given, else the identifier without `r#`.
fn wire_name(given: Option<(String, Spot)>, ident: &syn::Ident) -> WireName {
    match given {
        Some((text, at)) => WireName { text, at, given: true },
        None => {
            WireName { text: ident.unraw().to_string(), at: Spot::at(ident.span()), given: false }
        }
    }
}

fn refuse_modifiers(tree: &ItemTrait, report: &mut Report) {
    if let Some(token) = tree.unsafety {
        report.push(Spot::at(token.span), messages::UNSAFE_TRAIT);
    }
    if let Some(token) = tree.modifiers.auto_token {
        report.push(Spot::at(token.span), messages::UNSAFE_TRAIT);
    }
}

fn generics(tree: &ItemTrait, report: &mut Report) -> Option<Generics> {
    let (parameters, conditions) = (&tree.generics.params, &tree.generics.where_clause);
    if !parameters.is_empty() {
        report.push(Spot::of(parameters), messages::GENERIC_TRAIT);
    }
    if let Some(conditions) = conditions {
        report.push(Spot::of(conditions), messages::TRAIT_WHERE);
    }
    (!parameters.is_empty() || conditions.is_some())
        .then(|| Generics { parameters: quote!(<#parameters>), conditions: quote!(#conditions) })
}

/// A method, or the tokens of what cannot be in a service.
fn method_or_stranger(item: &TraitItem, report: &mut Report) -> Result<Method, TokenStream> {
    let message = match item {
        TraitItem::Fn(function) => return Ok(method::lower(function, report)),
        TraitItem::Const(_) => messages::ASSOCIATED_CONST,
        TraitItem::Type(_) => messages::ASSOCIATED_TYPE,
        TraitItem::Macro(_) => messages::MACRO_IN_TRAIT,
        TraitItem::Verbatim(tokens) => {
            if let Ok((visibility, function)) = visible_method.parse2(tokens.clone()) {
                report.push(Spot::of(&visibility), messages::VISIBILITY);
                return Ok(method::lower(&function, report));
            }
            messages::UNKNOWN_ITEM
        }
        _ => messages::UNKNOWN_ITEM,
    };
    report.push(Spot::of(item), message);
    Err(item.to_token_stream())
}

/// `pub async fn ..`, which is no method of a trait but means one.
fn visible_method(
    input: syn::parse::ParseStream<'_>,
) -> syn::Result<(syn::Visibility, syn::TraitItemFn)> {
    let attrs = input.call(syn::Attribute::parse_outer)?;
    let visibility = input.parse()?;
    let mut function: syn::TraitItemFn = input.parse()?;
    function.attrs.splice(0..0, attrs);
    Ok((visibility, function))
}
