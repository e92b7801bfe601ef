//! The model of a service: what `#[service]` reads out of a trait and what it writes back.
//!
//! # Why
//! A macro that goes straight from syntax to code cannot be read, and nothing else can use what it
//! learned. Here each stage has a type of its own: `parse` knows syntax, `model` knows services,
//! `check` knows the rules, `expand` knows Rust.
//!
//! # Invariants
//! 1. syn is named in `parse/` only; the model holds names, flags and types as tokens.
//! 2. Mistakes are collected, never returned early: all of them are reported at once, each at the
//!    user's own tokens, worded in `messages.rs`.
//! 3. Whatever is wrong, the trait, its client and its server are still emitted, so that one mistake
//!    does not light up every call site.
//! 4. Generated code names everything by an absolute path: no type of the user's can shadow ours.

mod check;
mod expand;
#[cfg(feature = "tools")]
pub mod generate;
mod messages;
mod model;
mod parse;
mod report;
mod suggest;

use proc_macro2::TokenStream;
use quote::quote;

use report::Report;

/// What `#[service(args)]` says against a trait, so that whatever writes one can know.
#[cfg(feature = "tools")]
fn mistakes(args: TokenStream, item: &TokenStream) -> Vec<String> {
    let mut report = Report::default();
    if let Some(source) = parse::trait_source(args, item, &mut report) {
        let mut service = parse::lower(source, &mut report);
        check::service(&mut service, &mut report);
    }
    report.words()
}

/// Turns the trait `item`, annotated with `#[service(args)]`, into the trait, its client and its
/// server.
///
/// Mistakes become `compile_error!`s at the tokens that they are about; an item that is no trait is
/// handed back unchanged beside its error.
#[must_use]
pub fn from_trait(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut report = Report::default();
    let Some(source) = parse::trait_source(args, &item, &mut report) else {
        return quote!(#item #report);
    };
    let mut service = parse::lower(source, &mut report);
    check::service(&mut service, &mut report);
    let code = expand::rust(&service);
    quote!(#code #report)
}
