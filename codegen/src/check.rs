//! The rules of a service that are not about syntax: names, counts, and what must go together.
//!
//! A mistake takes as little away as it can: a method whose name is wrong is still there to be called.

pub(crate) mod http;

use crate::{
    messages,
    model::{ArgumentKind, Extent, Form, Hedge, Method, Service, Value, WireName},
    report::{Report, Spot},
    suggest,
};

/// The longest name on the wire, in bytes.
const NAME_MAX: usize = 256;
/// More arguments than this do not fit into the tuple that carries them.
const ARGUMENTS_MAX: usize = 12;
/// What every client has: two methods of its own, and two of traits that a method of the same name
/// would hide.
const RESERVED: &[&str] = &["with", "local", "clone", "from_channel"];

/// Reports what breaks a rule, and limits what is emitted of it.
pub(crate) fn service(service: &mut Service, report: &mut Report) {
    name(&mut service.name, "service", 0, report);
    for (index, method) in service.methods.iter_mut().enumerate() {
        name(&mut method.name, "rpc", index, report);
        reserved(method, report);
        arguments(method, report);
        key(method, report);
        raw(method, report);
        http::binding(method, report);
        hedge(method, report);
    }
    same_names(&mut service.methods, report);
}

fn name(name: &mut WireName, attribute: &str, index: usize, report: &mut Report) {
    let message = if name.text.len() > NAME_MAX {
        messages::long_name(name.text.len(), NAME_MAX)
    } else if is_wire_name(&name.text) {
        return;
    } else if name.given {
        messages::bad_name(&name.text)
    } else {
        messages::identifier_needs_name(&name.text, attribute)
    };
    report.push(name.at, message);
    // The runtime checks names too: a second message about the same one would only distract.
    name.text = format!("unnamed-{index}");
}

/// `[A-Za-z_][A-Za-z0-9_.-]*`
fn is_wire_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn reserved(method: &mut Method, report: &mut Report) {
    if RESERVED.contains(&method.plain_name.as_str()) {
        report.push(Spot::at(method.ident.span()), messages::reserved(&method.plain_name));
        method.limit(Extent::TraitOnly);
    }
}

fn arguments(method: &mut Method, report: &mut Report) {
    let is_stream = |kind: &ArgumentKind| matches!(kind, ArgumentKind::Stream { .. });
    let second = method.arguments.iter().filter(|argument| is_stream(&argument.kind)).nth(1);
    if let Some(second) = second {
        report.push(second.at, messages::TWO_STREAMS);
        method.limit(Extent::Stub);
    }
    let values = method.values().count();
    let excess = method.values().nth(ARGUMENTS_MAX).map(|argument| argument.at);
    if let Some(at) = excess {
        report.push(at, messages::too_many_arguments(values, ARGUMENTS_MAX));
        method.limit(Extent::Stub);
    }
}

/// The key is one of the arguments, and a value: of a stream nothing is known when its call is sent.
fn key(method: &mut Method, report: &mut Report) {
    let Some((written, at)) = &method.options.key else { return };
    let argument = method.arguments.iter().find(|argument| argument.plain_name == *written);
    let message = match argument.map(|argument| &argument.kind) {
        Some(ArgumentKind::Value { .. }) => return,
        Some(ArgumentKind::Stream { .. }) => messages::key_is_a_stream(written),
        None => {
            let names: Vec<_> = method.values().map(|value| value.plain_name.as_str()).collect();
            messages::no_such_key(written, suggest::nearest(written, &names), &names)
        }
    };
    report.push(*at, message);
    method.options.key = None;
}

fn raw(method: &mut Method, report: &mut Report) {
    let Some(at) = method.options.raw else { return };
    if method.options.trust_layout {
        report.push(at, messages::TRUSTED_RAW);
    }
    let takes_bytes = match method.arguments.as_slice() {
        [only] => matches!(only.kind, ArgumentKind::Value { form: Form::Bytes }),
        _ => false,
    };
    let returns_bytes = matches!(
        method.output.value,
        Value::One { form: Form::Bytes, .. } | Value::Aliased { form: Form::Bytes }
    );
    if !(takes_bytes && returns_bytes) {
        report.push(at, messages::RAW);
        method.options.raw = None;
    }
}

fn hedge(method: &mut Method, report: &mut Report) {
    let Some((hedge, at)) = method.options.hedge else { return };
    let streams =
        method.input_stream().is_some() || matches!(method.output.value, Value::Stream { .. });
    let late = match (hedge, method.options.timeout_us) {
        (Hedge::AfterUs(after), Some(timeout)) => after >= timeout,
        _ => false,
    };
    let message = if streams {
        messages::HEDGED_STREAM
    } else if method.options.idempotent != Some(true) {
        messages::HEDGE_NOT_IDEMPOTENT
    } else if late {
        messages::HEDGE_TOO_LATE
    } else {
        return;
    };
    report.push(at, message);
    method.options.hedge = None;
}

/// Two methods of one name, unless conditional compilation may be what keeps them apart: then the
/// check of method ids in the generated code decides.
fn same_names(methods: &mut [Method], report: &mut Report) {
    for second in 1..methods.len() {
        let (before, rest) = methods.split_at_mut(second);
        let method = &mut rest[0];
        let may_meet = |other: &&Method| !(other.is_conditional() && method.is_conditional());
        let mut others = before.iter().filter(may_meet);
        if others.clone().any(|other| other.plain_name == method.plain_name) {
            let at = Spot::at(method.ident.span());
            report.push(at, messages::same_method(&method.plain_name));
            method.limit(Extent::Nothing);
        } else if others.any(|other| other.name.text == method.name.text) {
            report.push(method.name.at, messages::same_name(&method.name.text));
            method.limit(Extent::Stub);
        }
    }
}
