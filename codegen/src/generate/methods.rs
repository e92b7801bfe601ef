//! Methods as Rust: the trait, with what its attributes said.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use sinew_descriptor::{
    Criticality, Hedge, Http, HttpBody, HttpContent, Method, Service, Statuses,
};

use super::{
    docs::docs,
    names::{self, Case},
    types::Types,
};

/// What every client has.
const RESERVED: &[&str] = &["with", "local", "clone", "from_channel"];
/// What a method can have.
const ARGUMENTS_MAX: usize = 12;

/// The trait with these methods.
pub(super) fn service(service: &Service, ident: &Ident, methods: &[TokenStream]) -> TokenStream {
    let said = said(service, ident);
    let said = (!said.is_empty()).then(|| quote!((#said)));
    let docs = docs(&service.doc);
    quote! {
        #docs
        #[::sinew::service #said]
        pub trait #ident { #(#methods)* }
    }
}

/// Whether the service can be one.
///
/// # Errors
/// What the macro has against it.
pub(super) fn can_be(service: &Service, ident: &Ident) -> Result<(), String> {
    sound(said(service, ident), &quote!(trait #ident {}))
}

/// What stands in `#[service(..)]`.
fn said(service: &Service, ident: &Ident) -> TokenStream {
    let name = &service.name;
    let name = (ident != name).then(|| quote!(name = #name));
    let version = service.version.map(|version| {
        let version = Literal::u32_unsuffixed(version);
        quote!(version = #version)
    });
    let said = name.into_iter().chain(version);
    quote!(#(#said),*)
}

/// What the macro would refuse is refused here, by name: there it would be an error in code that nobody wrote.
fn sound(said: TokenStream, code: &TokenStream) -> Result<(), String> {
    match crate::mistakes(said, code).into_iter().next() {
        Some(mistake) => Err(mistake),
        None => Ok(()),
    }
}

/// The names that methods cannot have.
pub(super) fn reserved() -> BTreeSet<String> {
    RESERVED.iter().map(|name| (*name).to_owned()).collect()
}

/// One method of the trait.
///
/// # Errors
/// Why it cannot be written.
pub(super) fn method(
    method: &Method,
    types: &Types<'_>,
    taken: &mut BTreeSet<String>,
) -> Result<TokenStream, String> {
    if method.arguments.len() > ARGUMENTS_MAX {
        return Err(format!(
            "it has {} arguments, and a method has at most {ARGUMENTS_MAX}; put some into a struct",
            method.arguments.len()
        ));
    }
    let arguments = arguments(method, types)?;
    let output = match method.raw {
        true => quote!(Bytes),
        false => types.whole(&method.output).map_err(|why| format!("the output: {why}"))?,
    };
    let output = if method.streams.output() { quote!(Streaming<#output>) } else { output };
    let error = match &method.error {
        Some(error) => types.whole(error).map_err(|why| format!("the error: {why}"))?,
        None => quote!(Status),
    };
    let http = method.http.as_ref().map(http).transpose()?;
    // Last, so that a method that is refused takes no name.
    let ident = names::ident(&method.name, Case::Value, taken);
    let docs = docs(&method.doc);
    let rpc = rpc(method, &ident);
    let code = quote! {
        #rpc
        #http
        async fn #ident(&self, #(#arguments),*) -> Result<#output, #error>;
    };
    if let Err(why) = sound(TokenStream::new(), &quote!(trait Service { #code })) {
        taken.remove(&names::plain(&ident));
        return Err(why);
    }
    Ok(quote!(#docs #code))
}

fn arguments(method: &Method, types: &Types<'_>) -> Result<Vec<TokenStream>, String> {
    let mut all = Vec::new();
    for argument in &method.arguments {
        let ident = argument_ident(&argument.name)?;
        let ty = match method.raw {
            true => quote!(Bytes),
            false => types
                .whole(&argument.ty)
                .map_err(|why| format!("the argument `{}`: {why}", argument.name))?,
        };
        all.push(quote!(#ident: #ty));
    }
    if let Some(input) = &method.input {
        let ident = argument_ident(&input.name)?;
        let item = types
            .whole(&input.item)
            .map_err(|why| format!("the items of `{}`: {why}", input.name))?;
        all.insert(input.at.min(all.len()), quote!(#ident: Streaming<#item>));
    }
    Ok(all)
}

/// Arguments travel under their names, so that there is no other for them.
fn argument_ident(name: &str) -> Result<Ident, String> {
    names::exact(name).ok_or_else(|| {
        format!("the argument `{name}` cannot be named so in Rust, and it travels under its name")
    })
}

fn rpc(method: &Method, ident: &Ident) -> Option<TokenStream> {
    let mut said = Vec::new();
    let name = &method.name;
    if names::plain(ident) != *name {
        said.push(quote!(name = #name));
    }
    // A verb says it too.
    match (method.http.as_ref().map(says_idempotent), method.idempotent) {
        (Some(said_by_http), idempotent) if said_by_http == idempotent => {}
        (Some(true), _) => said.push(quote!(idempotent = false)),
        (_, true) => said.push(quote!(idempotent)),
        (_, false) => {}
    }
    if method.raw {
        said.push(quote!(raw));
    }
    if method.trust_layout {
        said.push(quote!(trust_layout));
    }
    if let Some(us) = method.timeout_us {
        let timeout = time(us);
        said.push(quote!(timeout = #timeout));
    }
    if let Some(criticality) = method.criticality {
        let criticality = match criticality {
            Criticality::CriticalPlus => "critical_plus",
            Criticality::Critical => "critical",
            Criticality::SheddablePlus => "sheddable_plus",
            Criticality::Sheddable => "sheddable",
        };
        said.push(quote!(criticality = #criticality));
    }
    if let Some(hedge) = method.hedge {
        let hedge = match hedge {
            Hedge::AfterUs(us) => time(us),
            Hedge::AfterPercentile(percent) => format!("p{percent}"),
        };
        said.push(quote!(hedge = #hedge));
    }
    if let Some(key) = &method.key {
        said.push(quote!(key = #key));
    }
    (!said.is_empty()).then(|| quote!(#[rpc(#(#said),*)]))
}

/// What the macro makes of a binding that says nothing of repeating.
fn says_idempotent(http: &Http) -> bool {
    let has_key = http.headers.iter().any(|(name, _)| name == "idempotency-key");
    !matches!(&*http.verb, "post" | "patch") || has_key
}

/// `1500ms`.
fn time(us: u64) -> String {
    match us {
        us if us % 1_000_000 == 0 => format!("{}s", us / 1_000_000),
        us if us % 1_000 == 0 => format!("{}ms", us / 1_000),
        us => format!("{us}us"),
    }
}

fn http(http: &Http) -> Result<TokenStream, String> {
    let verb = names::exact(&http.verb).ok_or_else(|| format!("`{}` is no verb", http.verb))?;
    let path = &http.path;
    let mut said = vec![quote!(#verb = #path)];
    let same: Vec<_> = http.query.iter().filter(|(name, of)| name == of).collect();
    if same.len() == http.query.len() && !same.is_empty() {
        let names = same.iter().map(|(name, _)| name);
        said.push(quote!(query = [#(#names),*]));
    } else if !http.query.is_empty() {
        let pairs = pairs(&http.query);
        said.push(quote!(query(#pairs)));
    }
    if !http.headers.is_empty() {
        let pairs = pairs(&http.headers);
        said.push(quote!(header(#pairs)));
    }
    match &http.body {
        HttpBody::Json(name) => said.push(quote!(body = #name)),
        HttpBody::Form(name) => said.push(quote!(form = #name)),
        HttpBody::Bytes(name) => said.push(quote!(bytes = #name)),
        // What is left over, or the input: so it is without a word.
        HttpBody::None | HttpBody::Named(_) | HttpBody::Items | HttpBody::Chunks => {}
    }
    for (key, ranges) in
        [(quote!(value), &http.value), (quote!(error), &http.error), (quote!(none), &http.none)]
    {
        if !ranges.is_empty() {
            let ranges = ranges.iter().map(statuses);
            said.push(quote!(#key = [#(#ranges),*]));
        }
    }
    if let HttpContent::Header(name) = &http.content {
        said.push(quote!(from_header = #name));
    }
    Ok(quote!(#[http(#(#said),*)]))
}

fn pairs(pairs: &[(String, String)]) -> TokenStream {
    let pairs = pairs.iter().map(|(name, of)| quote!(#name = #of));
    quote!(#(#pairs),*)
}

fn statuses((from, to): &Statuses) -> TokenStream {
    let (first, last) = (Literal::u16_unsuffixed(*from), Literal::u16_unsuffixed(*to));
    if from == to { quote!(#first) } else { quote!(#first..=#last) }
}
