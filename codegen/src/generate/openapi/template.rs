//! The path of an operation as a binding has it: the names of arguments in braces, everything else as it may stand in a
//! path, and what is written behind a question mark as parameters of the query.

use std::collections::BTreeMap;

/// A path, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) path: String,
    /// Parameters of the query, and the arguments that they carry.
    pub(super) query: Vec<(String, String)>,
}

/// Takes a path apart. `arguments` has the argument of each parameter of the path.
///
/// # Errors
/// What in it no binding can say.
pub(super) fn template(
    written: &str,
    arguments: &BTreeMap<&str, String>,
) -> Result<Template, String> {
    // What follows `#` is never sent: documents tell operations of one path apart by it.
    let sent = written.split('#').next().unwrap_or_default();
    let (path, rest) = sent.split_once('?').map_or((sent, ""), |(path, query)| (path, query));
    if !path.starts_with('/') {
        return Err("its path does not begin with `/`".to_owned());
    }
    let mut template = Template { path: named(path, arguments)?, query: Vec::new() };
    for pair in rest.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let placeholder = value.strip_prefix('{').and_then(|value| value.strip_suffix('}'));
        let Some(placeholder) = placeholder else {
            return Err(format!("its path says `?{pair}`, and a binding carries arguments only"));
        };
        let argument = argument(placeholder, arguments)?;
        template.query.push((name.to_owned(), argument.to_owned()));
    }
    Ok(template)
}

fn argument<'a>(
    placeholder: &str,
    arguments: &'a BTreeMap<&str, String>,
) -> Result<&'a str, String> {
    let found = arguments.get(placeholder).map(String::as_str);
    found.ok_or_else(|| format!("`{{{placeholder}}}` in its path is no parameter of it"))
}

/// With the names of arguments in the braces, and in percent what cannot stand in a path.
fn named(path: &str, arguments: &BTreeMap<&str, String>) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), path);
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("a brace in its path is not closed")?;
        escape(text, &mut out);
        out.push_str(&format!("{{{}}}", argument(name, arguments)?));
        rest = after;
    }
    escape(rest, &mut out);
    Ok(out)
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        // RFC 3986, 3.3; what is in percent already stays so.
        match byte {
            b if b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&b) => {
                out.push(char::from(b));
            }
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(written: &str) -> Result<Template, String> {
        template(written, &BTreeMap::from([("pet-id", "pet_id".to_owned()), ("q", "q".to_owned())]))
    }

    #[test]
    fn a_path_is_taken_apart() {
        for (written, path, query) in [
            ("/", "/", vec![]),
            ("/pets/{pet-id}/a b", "/pets/{pet_id}/a%20b", vec![]),
            ("/ä%20}", "/%C3%A4%20%7D", vec![]),
            ("/x#Action=Y", "/x", vec![]),
            ("/x?a={q}&b[]={pet-id}#y", "/x", vec![("a", "q"), ("b[]", "pet_id")]),
        ] {
            let query = query.iter().map(|(name, of)| (name.to_string(), of.to_string())).collect();
            assert_eq!(of(written), Ok(Template { path: path.to_owned(), query }), "{written}");
        }
    }

    #[test]
    fn what_no_binding_says_is_told() {
        for (written, words) in [
            ("/{id}", "`{id}` in its path is no parameter of it"),
            ("x", "does not begin"),
            ("/{pet-id", "not closed"),
            ("/x?a={id}", "`{id}` in its path"),
            ("/x?action=list", "`?action=list`"),
            ("/x?list", "`?list`"),
        ] {
            assert!(of(written).unwrap_err().contains(words), "{written}");
        }
    }
}
