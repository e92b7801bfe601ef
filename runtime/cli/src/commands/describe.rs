//! `sinew describe`: a service for people, or as the descriptor that it is.

use sinew::descriptor::{Body, Method, Named, Service, Type};

use crate::{
    args::Describe,
    output::{self, Failure, Style, styled},
    source,
};

pub(crate) async fn run(args: Describe, json: bool) -> Result<(), Failure> {
    let mut descriptor = source::descriptor(&args.source).await?;
    if let Some(name) = &args.method {
        for service in &mut descriptor.services {
            service.methods.retain(|method| method.name == *name);
        }
        descriptor.services.retain(|service| !service.methods.is_empty());
        if descriptor.services.is_empty() {
            return Err(Failure::cannot(format!("there is no method `{name}`")));
        }
    }
    if json {
        let text = descriptor.to_json().map_err(|why| Failure::cannot(why.to_string()))?;
        return output::line(text.trim_end());
    }
    for service in &descriptor.services {
        print(service)?;
    }
    Ok(())
}

fn print(service: &Service) -> Result<(), Failure> {
    output::line(&styled(Style::Bold, &format!("service {}", service.name)))?;
    doc(&service.doc, "  ")?;
    for method in &service.methods {
        output::line("")?;
        doc(&method.doc, "  ")?;
        output::line(&format!("  {}", signature(method)))?;
        let said = attributes(method);
        if !said.is_empty() {
            output::line(&styled(Style::Dim, &format!("      {}", said.join(", "))))?;
        }
        for why in &method.not_bincode {
            output::line(&styled(Style::Yellow, &format!("      not bincode: {why}")))?;
        }
    }
    if !service.types.is_empty() {
        output::line("")?;
    }
    for named in &service.types {
        output::line(&format!("  {}", definition(named)))?;
    }
    Ok(())
}

fn doc(text: &str, indent: &str) -> Result<(), Failure> {
    for line in text.lines() {
        output::line(&styled(Style::Dim, &format!("{indent}{line}")))?;
    }
    Ok(())
}

fn signature(method: &Method) -> String {
    let mut arguments: Vec<String> = method
        .arguments
        .iter()
        .map(|argument| format!("{}: {}", argument.name, words(&argument.ty)))
        .collect();
    if let Some(input) = &method.input {
        let stream = format!("{}: stream of {}", input.name, words(&input.item));
        arguments.insert(input.at.min(arguments.len()), stream);
    }
    let output = words(&method.output);
    let output = if method.streams.output() { format!("stream of {output}") } else { output };
    let error = method.error.as_ref().map(|error| format!(" or {}", words(error)));
    format!(
        "{}({}) -> {output}{}",
        styled(Style::Bold, &method.name),
        arguments.join(", "),
        error.unwrap_or_default()
    )
}

fn attributes(method: &Method) -> Vec<String> {
    let mut said = Vec::new();
    if method.idempotent {
        said.push("idempotent".to_owned());
    }
    if method.raw {
        said.push("raw".to_owned());
    }
    if let Some(us) = method.timeout_us {
        said.push(format!("timeout {} ms", us as f64 / 1e3));
    }
    if let Some(key) = &method.key {
        said.push(format!("key {key}"));
    }
    if let Some(http) = &method.http {
        said.push(format!("{} {}", http.verb.to_uppercase(), http.path));
    }
    if let Some(fingerprint) = &method.fingerprint {
        said.push(format!("types {fingerprint}"));
    }
    said
}

/// A type as Rust would write it.
fn words(ty: &Type) -> String {
    match ty {
        Type::Text => "String".to_owned(),
        Type::Bytes => "Bytes".to_owned(),
        Type::Unit => "()".to_owned(),
        Type::Option(inner) => format!("Option<{}>", words(inner)),
        Type::List(item) => format!("Vec<{}>", words(item)),
        Type::Map(key, value) => format!("Map<{}, {}>", words(key), words(value)),
        Type::Tuple(parts) => {
            format!("({})", parts.iter().map(words).collect::<Vec<_>>().join(", "))
        }
        Type::Named(name) => name.clone(),
        Type::Opaque(_) => "?".to_owned(),
        leaf => serde_json::to_value(leaf)
            .ok()
            .and_then(|leaf| leaf.as_str().map(str::to_owned))
            .unwrap_or_default(),
    }
}

fn definition(named: &Named) -> String {
    let name = styled(Style::Bold, &named.name);
    match &named.body {
        Body::Enum(_) => format!("enum {name} {}", content(&named.body)),
        Body::Unit => format!("struct {name}"),
        body => format!("struct {name} {}", content(body)),
    }
}

fn content(body: &Body) -> String {
    let list = |parts: &[Type]| parts.iter().map(words).collect::<Vec<_>>().join(", ");
    match body {
        Body::Unit => String::new(),
        Body::Newtype(inner) => format!("({})", words(inner)),
        Body::Tuple(parts) => format!("({})", list(parts)),
        Body::Struct(fields) => {
            let fields = fields.iter().filter(|field| !field.alias).map(|field| {
                let optional = field.optional && !matches!(field.ty, Type::Option(_));
                format!("{}{}: {}", field.name, if optional { "?" } else { "" }, words(&field.ty))
            });
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Body::Enum(variants) => {
            let variants = variants.iter().filter(|variant| !variant.alias).map(|variant| {
                let content = content(&variant.body);
                let gap = if content.starts_with('{') { " " } else { "" };
                format!("{}{gap}{content}", variant.name)
            });
            format!("{{ {} }}", variants.collect::<Vec<_>>().join(", "))
        }
    }
}
