//! Whether two answers are the same, as JSON of their type: which parts differ, and how.

use serde_json::Value;

use super::{Field, Leniency};
use crate::words::cut;

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
/// Smaller numbers are as large as this, where it is asked how much they differ.
const NEAR_ZERO: f64 = 1e-3;
/// As much of a value is told.
const WORDS_MAX: usize = 120;

/// What of two answers differs.
pub(super) fn differences(old: &Value, new: &Value, leniency: &Leniency) -> Vec<Difference> {
    let mut compare = Compare { leniency, way: Vec::new(), found: Vec::new() };
    compare.values(Some(old), Some(new));
    compare.found
}

struct Compare<'c> {
    leniency: &'c Leniency,
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
        if self.found.len() >= TOLD_MAX || self.is_among(&self.leniency.ignored) {
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
            (Some(Value::Array(old)), Some(Value::Array(new)))
                if self.is_among(&self.leniency.unordered) =>
            {
                self.sets(old, new);
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                for at in 0..old.len().max(new.len()) {
                    self.way.push(Step::Item(at));
                    self.values(old.get(at), new.get(at));
                    self.way.pop();
                }
            }
            // A field that is not there is as good as null: types say `Option` for both.
            (None, Some(Value::Null)) | (Some(Value::Null), None)
                if matches!(self.way.last(), Some(Step::Field(_))) => {}
            (Some(Value::Number(old)), Some(Value::Number(new))) if self.is_close(old, new) => {}
            (old, new) if old == new => {}
            (old, new) => {
                let at = self.at();
                self.found.push(Difference { at, old: words(old), new: words(new) });
            }
        }
    }

    /// Two lists of the same items in any order.
    fn sets(&mut self, old: &'c [Value], new: &'c [Value]) {
        let mut left: Vec<&Value> = new.iter().collect();
        let mut missing = Vec::new();
        for item in old {
            match left.iter().position(|other| *other == item) {
                Some(at) => drop(left.swap_remove(at)),
                None => missing.push(item),
            }
        }
        if missing.is_empty() && left.is_empty() {
            return;
        }
        let at = self.at();
        let (old, new) = (words(missing.first().copied()), words(left.first().copied()));
        self.found.push(Difference { at, old, new });
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
        // Near zero there is no larger one to speak of.
        let size = old.abs().max(new.abs()).max(NEAR_ZERO);
        (old - new).abs() <= self.leniency.tolerance * size
    }

    /// Whether the way ends as one of these. Places in lists are not counted.
    fn is_among(&self, fields: &[Field]) -> bool {
        let Some(Step::Field(last)) = self.way.last() else { return false };
        fields.iter().filter(|field| field.0.last().is_some_and(|name| name == last)).any(|field| {
            let mut names = self.way.iter().rev().filter_map(|step| match step {
                Step::Field(name) => Some(*name),
                Step::Item(_) => None,
            });
            field.0.iter().rev().all(|name| names.next() == Some(name.as_str()))
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
    cut(&value.to_string(), WORDS_MAX).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(old: Value, new: Value, ignored: &[&str]) -> Vec<String> {
        let ignored = ignored.iter().map(|way| Field::new(way)).collect();
        let unordered = vec![Field::new("set")];
        let found = differences(&old, &new, &Leniency { ignored, unordered, tolerance: 1e-6 });
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
    fn a_set_has_no_order_and_a_list_has() {
        let (old, new) = (json!({ "set": [1, 2, 2] }), json!({ "set": [2, 1, 2] }));
        assert!(found(old.clone(), new, &[]).is_empty());
        assert_eq!(found(old, json!({ "set": [1, 1, 2] }), &[]), ["$.set 2 1"]);
        assert_eq!(found(json!({ "list": [1, 2] }), json!({ "list": [2, 1] }), &[]).len(), 2);
    }

    #[test]
    fn a_field_may_be_left_out_where_it_is_null_and_an_item_may_not() {
        assert!(found(json!({ "a": null }), json!({}), &[]).is_empty());
        assert_eq!(found(json!([1, null]), json!([1]), &[]), ["$[1] null nothing"]);
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
        assert!(found(json!(0.0), json!(5.5e-17), &[]).is_empty());
    }

    #[test]
    fn much_that_differs_is_told_in_few_words() {
        let (old, new): (Vec<u8>, Vec<u8>) = ((0..100).collect(), (100..200).collect());
        assert_eq!(found(json!(old), json!(new), &[]).len(), TOLD_MAX);
        let long = found(json!("x".repeat(10_000)), json!(1), &[]);
        assert!(long[0].len() < 200, "{}", long[0].len());
    }
}
