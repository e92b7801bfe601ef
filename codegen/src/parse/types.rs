//! Types as the wire sees them: values, streams, results, and what cannot be sent at all.
//!
//! A macro sees names, not types: `Result`, `Streaming`, `Status`, `CallError` and `Bytes` are told by
//! the last segment of a path, however it is qualified or imported.

use quote::{ToTokens, quote};
use syn::{
    GenericArgument, Lifetime, PathArguments, PathSegment, Type, TypeImplTrait, TypeParamBound,
    TypePath, TypeReference,
    visit::{self, Visit},
};

use crate::{
    messages::{self, Message},
    model::{ArgumentKind, Failure, Form, Output, Value},
    report::{Report, Spot},
};

/// How an argument of this type travels.
pub(super) fn argument(ty: &Type, report: &mut Report) -> ArgumentKind {
    match streamed(ty, report) {
        Some(item) => ArgumentKind::Stream { item: item.to_token_stream(), form: form(item) },
        None => {
            refuse_unsendable(ty, report);
            ArgumentKind::Value { form: form(ty) }
        }
    }
}

/// What a method that returns this returns.
pub(super) fn output(written: Option<&Type>, report: &mut Report) -> Output {
    let Some(ty) = written.map(peel) else {
        let unit = quote!(());
        let value = Value::One { ty: unit.clone(), form: Form::Unit };
        return Output { written: unit, value, failure: Failure::Never };
    };
    let before = report.len();
    let (value, failure) = match result_arguments(ty).as_deref() {
        Some([ok, error]) => {
            refuse_unsendable(error, report);
            (value(ok, report), failure(error))
        }
        Some([ok]) => (aliased(ok, report), Failure::Aliased),
        _ => (value(ty, report), Failure::Never),
    };
    let value = if report.len() > before && names_no_type(ty) { Value::Unknown } else { value };
    Output { written: ty.to_token_stream(), value, failure }
}

/// The `T` of `impl Future<Output = T>`.
pub(super) fn resolved(ty: &Type) -> Option<&Type> {
    let Type::ImplTrait(TypeImplTrait { bounds, .. }) = peel(ty) else {
        return None;
    };
    let arguments = bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            let last = bound.path.segments.last().filter(|last| last.ident == "Future")?;
            match &last.arguments {
                PathArguments::AngleBracketed(list) => Some(&list.args),
                _ => None,
            }
        }
        _ => None,
    })?;
    arguments.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
        _ => None,
    })
}

fn value(ty: &Type, report: &mut Report) -> Value {
    match streamed(ty, report) {
        Some(item) => Value::Stream { item: item.to_token_stream(), form: form(item) },
        None => {
            refuse_unsendable(ty, report);
            Value::One { ty: ty.to_token_stream(), form: form(ty) }
        }
    }
}

fn aliased(ok: &Type, report: &mut Report) -> Value {
    match value(ok, report) {
        Value::One { form, .. } => Value::Aliased { form },
        stream => stream,
    }
}

/// Which error type it is decides what callers see.
fn failure(error: &Type) -> Failure {
    let tokens = error.to_token_stream();
    match last_segment(error) {
        Some(last) if last.ident == "Status" || last.ident == "CallError" => Failure::Mesh(tokens),
        _ => Failure::Own(tokens),
    }
}

/// The types between the angles of `Result<..>`; `None` for any other type, and for a `Result` without
/// them, which is a type of the user's own.
fn result_arguments(ty: &Type) -> Option<Vec<&Type>> {
    let last = last_segment(ty).filter(|last| last.ident == "Result")?;
    type_arguments(last)
}

/// The item of `Streaming<Item>`.
fn streamed<'a>(ty: &'a Type, report: &mut Report) -> Option<&'a Type> {
    let last = last_segment(ty).filter(|last| last.ident == "Streaming")?;
    if let Some([item]) = type_arguments(last).as_deref() {
        refuse_unsendable(item, report);
        return Some(item);
    }
    report.push(Spot::of(ty), messages::STREAM_WITHOUT_ITEM);
    Some(ty)
}

fn form(ty: &Type) -> Form {
    match last_segment(ty) {
        Some(last) if last.ident == "Bytes" && last.arguments.is_empty() => Form::Bytes,
        Some(last) if last.ident == "String" && last.arguments.is_empty() => Form::Text,
        Some(last) if last.ident == "Option" => Form::Optional,
        None if matches!(peel(ty), Type::Tuple(tuple) if tuple.elems.is_empty()) => Form::Unit,
        _ => Form::Other,
    }
}

/// Without the parentheses and invisible groups around it, which a `macro_rules` leaves behind.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        _ => ty,
    }
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match peel(ty) {
        Type::Path(TypePath { qself: None, path, .. }) => path.segments.last(),
        _ => None,
    }
}

/// The arguments between angles if there are some and all of them are types.
fn type_arguments(segment: &PathSegment) -> Option<Vec<&Type>> {
    let PathArguments::AngleBracketed(list) = &segment.arguments else {
        return None;
    };
    list.args
        .iter()
        .map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect()
}

/// Reports every part of a type that cannot cross the wire, or be named on both sides of it.
fn refuse_unsendable(ty: &Type, report: &mut Report) {
    Unsendable { report }.visit_type(ty);
}

struct Unsendable<'r> {
    report: &'r mut Report,
}

impl<'ast> Visit<'ast> for Unsendable<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let message = instead_of_reference(&reference.elem);
        self.report.push(Spot::of(reference), message);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.report.push(Spot::at(lifetime.span()), messages::BORROWED_INSIDE);
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.report.push(Spot::of(ty), messages::IMPL_TRAIT);
    }

    fn visit_type_path(&mut self, ty: &'ast TypePath) {
        let segments = &ty.path.segments;
        if let Some(first) = segments.first().filter(|first| first.ident == "Self") {
            self.report.push(Spot::at(first.ident.span()), messages::SELF_TYPE);
        }
        if segments.last().is_some_and(|last| last.ident == "Streaming") {
            self.report.push(Spot::of(ty), messages::STREAM_INSIDE);
        } else {
            visit::visit_type_path(self, ty);
        }
    }
}

/// What to write for a reference to this.
fn instead_of_reference(target: &Type) -> Message {
    let target = peel(target);
    if let Type::Slice(slice) = target {
        return messages::borrowed(&format!("Vec<{}>", written(&slice.elem)));
    }
    if let Type::TraitObject(_) = target {
        return messages::BORROWED_OBJECT;
    }
    match last_segment(target).map(|last| last.ident.to_string()).as_deref() {
        Some("str") => messages::borrowed("String"),
        Some("Path") => messages::borrowed("PathBuf"),
        _ => messages::borrowed(&written(target)),
    }
}

/// A type as source text. Tokens print with spaces between them, which nobody writes.
fn written(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string();
    [(" :: ", "::"), (" <", "<"), ("< ", "<"), (" >", ">"), (" ,", ","), ("& ", "&")]
        .iter()
        .fold(text, |text, (spaced, tight)| text.replace(spaced, tight))
}

/// Whether the type mentions `impl Trait`, so that it cannot be written a second time.
fn names_no_type(ty: &Type) -> bool {
    struct Search(bool);
    impl<'ast> Visit<'ast> for Search {
        fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut search = Search(false);
    search.visit_type(ty);
    search.0
}
