//! Rust out of descriptors: the trait and the types of a service whose crate is not at hand.
//!
//! # Why
//! What is written is a trait under `#[service]`, as a person would write it, and types that serde derives: client,
//! server, mocks and fingerprints come from the macro, once. So a generated client speaks bincode with the original
//! wherever the original's own client does.
//!
//! # Invariants
//! 1. The same descriptor gives the same text.
//! 2. What cannot be written is refused by name, method by method; the rest of the service is still written.
//! 3. Types that no written method needs are not written.

mod build;
mod docs;
mod graph;
mod methods;
mod names;
pub mod openapi;
mod package;
mod read;
mod rust;
mod types;

use std::{collections::BTreeSet, fmt};

use proc_macro2::TokenStream;
use quote::quote;
use sinew_descriptor::{Descriptor, Service};

use names::Case;
use types::{Types, method_types};

pub use build::{NotBuilt, build};
pub use package::{Dependency, Package, package};
pub use read::{Unreadable, read};

/// What was written, and what could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// A module of Rust, formatted.
    pub code: String,
    /// What is not in it.
    pub refused: Vec<Refusal>,
    /// Whether something could not be seen, and is a `serde_json::Value`: the crate that has the module needs
    /// `serde_json`.
    pub needs_json: bool,
}

/// What could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which method of which service, or what else of the input.
    pub element: String,
    /// Why, and what to do.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.element, self.why)
    }
}

/// The first lines of everything that is generated.
const HEAD: &str =
    "// Written by `sinew generate`. Changes here are lost when it is written again.\n\n";

/// A module with one module inside for each service, named after it in snake case.
///
/// It uses the crates `sinew`, `serde` and, where [`needs_json`](Generated::needs_json), `serde_json`. It may be a file
/// of its own or be included.
pub fn module(descriptor: &Descriptor) -> Generated {
    let (mut modules, mut refused, mut needs_json) = (Vec::new(), Vec::new(), false);
    let mut taken = BTreeSet::new();
    for service in &descriptor.services {
        let (code, uses_json) = one(service, &mut taken, &mut refused);
        modules.extend(code);
        needs_json |= uses_json;
    }
    let code = quote!(#(#modules)*);
    let text = rust::formatted(&code);
    Generated { code: format!("{HEAD}{text}"), refused, needs_json }
}

/// What the module of a service is called, where no service before it has the name.
pub fn module_name(service: &Service) -> String {
    names::ident(&service.name, Case::Value, &mut BTreeSet::new()).to_string()
}

/// What a method is called, where no method before it has the name.
pub fn method_name(method: &sinew_descriptor::Method) -> String {
    names::ident(&method.name, Case::Value, &mut methods::reserved()).to_string()
}

/// The module of one service; nothing where no method of it can be written.
fn one(
    service: &Service,
    modules: &mut BTreeSet<String>,
    refused: &mut Vec<Refusal>,
) -> (Option<TokenStream>, bool) {
    let mut taken = BTreeSet::new();
    let trait_ident = names::ident(&service.trait_name, Case::Type, &mut taken);
    taken.extend(["Client", "Server"].map(|beside| format!("{trait_ident}{beside}")));
    if let Err(why) = methods::can_be(service, &trait_ident) {
        refused.push(Refusal { element: service.name.clone(), why });
        return (None, false);
    }
    let types = Types::new(service, &mut taken);
    let (mut written, mut used, mut names) = (Vec::new(), Vec::new(), methods::reserved());
    for method in &service.methods {
        match methods::method(method, &types, &mut names) {
            Ok(code) => {
                written.push(code);
                if !method.raw {
                    used.extend(method_types(method));
                }
            }
            Err(why) => {
                refused.push(Refusal { element: format!("{}/{}", service.name, method.name), why })
            }
        }
    }
    if written.is_empty() {
        return (None, false);
    }
    let (definitions, named) = types.definitions(&types.reachable(used.into_iter()));
    let module = names::ident(&service.name, Case::Value, modules);
    let code = methods::service(service, &trait_ident, &written);
    let words = words(&code, named);
    let (imports, needs_json) = (imports(&words), words.contains("Value"));
    let about = format!(" The service `{}`.", service.name);
    let module = quote! {
        #[doc = #about]
        pub mod #module {
            #![allow(clippy::all, missing_docs, reason = "names and words are the service's")]
            #imports
            #code
            #(#definitions)*
        }
    };
    (Some(module), needs_json)
}

/// What the code of the trait and the definitions name.
fn words(code: &TokenStream, mut words: BTreeSet<String>) -> BTreeSet<String> {
    collect(code.clone(), &mut words);
    words
}

/// What is named and is not in every module.
fn imports(words: &BTreeSet<String>) -> TokenStream {
    let all = [
        (
            "BTreeMap",
            quote!(
                use ::std::collections::BTreeMap;
            ),
        ),
        (
            "Bytes",
            quote!(
                use ::sinew::Bytes;
            ),
        ),
        (
            "Status",
            quote!(
                use ::sinew::Status;
            ),
        ),
        (
            "Streaming",
            quote!(
                use ::sinew::Streaming;
            ),
        ),
        (
            "Value",
            quote!(
                use ::serde_json::Value;
            ),
        ),
    ];
    let used = all.into_iter().filter(|(word, _)| words.contains(*word)).map(|(_, line)| line);
    quote!(#(#used)*)
}

fn collect(code: TokenStream, words: &mut BTreeSet<String>) {
    for token in code {
        match token {
            proc_macro2::TokenTree::Ident(ident) => {
                words.insert(ident.to_string());
            }
            proc_macro2::TokenTree::Group(group) => collect(group.stream(), words),
            proc_macro2::TokenTree::Punct(_) | proc_macro2::TokenTree::Literal(_) => {}
        }
    }
}
