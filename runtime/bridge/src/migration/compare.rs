//! Whether two answers are the same, as JSON of their type: which parts differ, and how.

use serde_json::Value;

use super::Ignored;

/// A part that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where: `$.lines[2].total`.
    pub at: String,
    /// What the old side answered; in JSON, as much of it as a line has.
    pub old: String,
    /// What the new side did.
    pub new: String,
}

/// As many parts of one answer are told.
const TOLD_MAX: usize = 8;
/// As much of a value is told.
const WORDS_MAX: usize = 120;

/// What of two answers differs.
pub(super) fn differences(
    old: &Value,
    new: &Value,
    (ignored, tolerance): (&[Ignored], f64),
) -> Vec<Difference> {
    let mut compare = Compare { ignored, tolerance, way: Vec::new(), found: Vec::new() };
    compare.values(Some(old), Some(new));
    compare.found
}

struct Compare<'c> {
    ignored: &'c [Ignored],
    tolerance: f64,
    way: Vec<Step<'c>>,
    found: Vec<Difference>,
}

#[derive(Clone, Copy)]
enum Step<'c> {
    Field(&'c str),
    Item(usize),
}

impl<'c> Compare<'c> {
    fn values(&mut self, old: Option<&'c Value>, new: Option<&'c Value>) {
        if self.found.len() >= TOLD_MAX || self.is_ignored() {
            return;
        }
        match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
                for name in names {
                    self.way.push(Step::Field(name));
                    self.values(old.get(name), new.get(name));
                    self.way.pop();
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                for at in 0..old.len().max(new.len()) {
                    self.way.push(Step::Item(at));
                    self.values(old.get(at), new.get(at));
                    self.way.pop();
                }
            }
            // What is not there is as good as null: types say `Option` for both.
            (None, Some(Value::Null)) | (Some(Value::Null), None) => {}
            (Some(Value::Number(old)), Some(Value::Number(new))) if self.is_close(old, new) => {}
            (old, new) if old == new => {}
            (old, new) => {
                let at = self.at();
                self.found.push(Difference { at, old: words(old), new: words(new) });
            }
        }
    }

    /// Whole numbers are the same or not; others may differ by the tolerance, of the larger one.
    fn is_close(&self, old: &serde_json::Number, new: &serde_json::Number) -> bool {
        if old == new {
            return true;
        }
        let is_whole = |number: &serde_json::Number| number.is_i64() || number.is_u64();
        if is_whole(old) && is_whole(new) {
            return false;
        }
        let (Some(old), Some(new)) = (old.as_f64(), new.as_f64()) else { return false };
        (old - new).abs() <= self.tolerance * old.abs().max(new.abs())
    }

    /// Whether the way ends as one of those that are passed over. Places in lists are not counted.
    fn is_ignored(&self) -> bool {
        let fields: Vec<&str> = self
            .way
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) => Some(*name),
                Step::Item(_) => None,
            })
            .collect();
        matches!(self.way.last(), Some(Step::Field(_)))
            && self.ignored.iter().any(|ignored| {
                let names: Vec<&str> = ignored.0.split('.').collect();
                fields.ends_with(&names)
            })
    }

    fn at(&self) -> String {
        use std::fmt::Write as _;
        let mut at = "$".to_owned();
        for step in &self.way {
            let _ = match step {
                Step::Field(name) => write!(at, ".{name}"),
                Step::Item(place) => write!(at, "[{place}]"),
            };
        }
        at
    }
}

fn words(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(old: Value, new: Value, ignored: &[&str]) -> Vec<String> {
        let ignored: Vec<_> = ignored.iter().map(|path| Ignored((*path).to_owned())).collect();
        let found = differences(&old, &new, (&ignored, 1e-6));
        found.into_iter().map(|one| format!("{} {} {}", one.at, one.old, one.new)).collect()
    }

    #[test]
    fn what_differs_is_found_where_it_is() {
        let old = json!({ "name": "a", "lines": [{ "total": 1.5, "at": 7 }, { "total": 2.0 }], "note": null });
        let new = json!({ "name": "b", "lines": [{ "total": 1.5000000001, "at": 8 }], "extra": 1 });
        assert_eq!(
            found(old.clone(), new.clone(), &[]),
            [
                "$.lines[0].at 7 8",
                "$.lines[1] {\"total\":2.0} nothing",
                "$.name \"a\" \"b\"",
                "$.extra nothing 1",
            ]
        );
        let ignored = found(old, new, &["lines.at", "name", "extra"]);
        assert_eq!(ignored, ["$.lines[1] {\"total\":2.0} nothing"]);
    }

    #[test]
    fn numbers_are_close_or_the_same() {
        assert!(found(json!(1.0), json!(1), &[]).is_empty());
        assert!(found(json!(1e9), json!(1e9 + 1.0), &[]).is_empty());
        assert_eq!(found(json!(1.0), json!(1.1), &[]), ["$ 1.0 1.1"]);
        assert_eq!(
            found(json!(1_000_000_000), json!(1_000_000_001), &[]).len(),
            1,
            "whole numbers"
        );
        assert_eq!(found(json!(1), json!("1"), &[]), ["$ 1 \"1\""]);
        assert_eq!(found(json!(null), json!(0), &[]), ["$ null 0"]);
    }

    #[test]
    fn much_that_differs_is_told_in_few_words() {
        let (old, new): (Vec<u8>, Vec<u8>) = ((0..100).collect(), (100..200).collect());
        assert_eq!(found(json!(old), json!(new), &[]).len(), TOLD_MAX);
        let long = found(json!("x".repeat(10_000)), json!(1), &[]);
        assert!(long[0].len() < 200, "{}", long[0].len());
    }
}
