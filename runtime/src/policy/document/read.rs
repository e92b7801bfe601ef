//! A table of a document, read key by key: what is wrong is noted with its line, and reading goes on.
//!
//! # Why
//! `serde` stops at the first thing that is wrong, and an operator who mends one line to hear of the next does so with a
//! service in trouble. So each key is asked for by name, what nobody asked for is unknown, and the names that were asked
//! for are those that it is compared with.

use std::{cell::RefCell, fmt, ops::RangeInclusive, time::Duration};

use sinew_core::limits::Value as Limit;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Something that is wrong with a document of policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1; 0 where it is no line's.
    pub line: usize,
    /// The keys from the top, joined by dots; empty where it is no key's.
    pub key: String,
    /// What is wrong, and what is accepted.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, what } = self;
        if *line > 0 {
            write!(f, "line {line}: ")?;
        }
        if key.is_empty() { f.write_str(what) } else { write!(f, "`{key}` {what}") }
    }
}

/// The text, and what was found to be wrong with it.
pub(super) struct Notes<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Notes<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, problems: RefCell::default() }
    }

    pub(super) fn add(&self, at: usize, key: &str, what: impl Into<String>) {
        let problem = Problem { line: self.line(at), key: key.to_owned(), what: what.into() };
        self.problems.borrow_mut().push(problem);
    }

    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    /// How much is wrong so far.
    pub(super) fn count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// In the order of their lines.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A value, where it stands, and what it is called.
pub(super) struct Value<'a, 't> {
    notes: &'a Notes<'t>,
    key: String,
    value: &'a Spanned<DeValue<'t>>,
}

/// A table of the document. What is in it and was not asked for is a problem when it is dropped.
pub(super) struct Table<'a, 't> {
    notes: &'a Notes<'t>,
    key: String,
    at: usize,
    table: &'a DeTable<'t>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a, 't> Table<'a, 't> {
    pub(super) fn new(notes: &'a Notes<'t>, table: &'a DeTable<'t>) -> Self {
        Self { notes, key: String::new(), at: 0, table, asked: RefCell::default() }
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&self, name: &'static str) -> Option<Value<'a, 't>> {
        self.asked.borrow_mut().push(name);
        self.table.get(name).map(|value| self.value(name, value))
    }

    /// Whether a key is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    pub(super) fn wrong(&self, what: impl Into<String>) {
        self.notes.add(self.at, &self.key, what);
    }

    pub(super) fn line(&self) -> usize {
        self.notes.line(self.at)
    }

    fn value(&self, name: &str, value: &'a Spanned<DeValue<'t>>) -> Value<'a, 't> {
        Value { notes: self.notes, key: joined(&self.key, name), value }
    }

    /// Every key and its value, where keys are names that the author gives.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'a str, Value<'a, 't>)> {
        let values = self.table.iter();
        values.map(|(name, value)| {
            let name: &str = name.get_ref();
            (name, self.value(name, value))
        })
    }

    /// Says what was there and not asked for.
    pub(super) fn end(self) {
        let asked = self.asked.borrow();
        for (name, value) in self.table.iter() {
            let name: &str = name.get_ref();
            if asked.contains(&name) {
                continue;
            }
            let what = match nearest(name, &asked) {
                Some(near) => format!("is no key here; did you mean `{near}`?"),
                None => format!("is no key here; there are {}", listed(&asked)),
            };
            self.notes.add(value.span().start, &joined(&self.key, name), what);
        }
    }
}

impl<'a, 't> Value<'a, 't> {
    pub(super) fn wrong(&self, what: impl Into<String>) {
        self.notes.add(self.value.span().start, &self.key, what);
    }

    fn is_not<T>(&self, wanted: &str) -> Option<T> {
        self.wrong(format!("is {}; {wanted}", kind(self.value.get_ref())));
        None
    }

    pub(super) fn table(&self) -> Option<Table<'a, 't>> {
        let Some(table) = self.value.get_ref().as_table() else {
            return self.is_not("a table is wanted");
        };
        let (notes, key, at) = (self.notes, self.key.clone(), self.value.span().start);
        Some(Table { notes, key, at, table, asked: RefCell::default() })
    }

    /// The tables of a list.
    pub(super) fn tables(&self) -> Vec<Table<'a, 't>> {
        let values = self.list("a list of tables");
        values.iter().filter_map(Value::table).collect()
    }

    fn list(&self, wanted: &str) -> Vec<Value<'a, 't>> {
        let Some(list) = self.value.get_ref().as_array() else {
            self.is_not::<()>(&format!("{wanted} is wanted"));
            return Vec::new();
        };
        let named = list.iter().enumerate().map(|(at, value)| Value {
            notes: self.notes,
            key: format!("{}[{at}]", self.key),
            value,
        });
        named.collect()
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => self.is_not("a text is wanted"),
        }
    }

    /// A text that something else understands.
    pub(super) fn parsed<T>(&self, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        read(self.text()?).map_err(|why| self.wrong(format!("names {why}"))).ok()
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, known)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*known);
        }
        let all: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        self.wrong(match nearest(text, &all) {
            Some(near) => format!("is `{text}`; did you mean `{near}`?"),
            None => format!("is `{text}`; accepted are {}", listed(&all)),
        });
        None
    }

    /// Any of a few words, in a list.
    pub(super) fn words<T: Copy>(&self, words: &[(&'static str, T)]) -> Vec<T> {
        self.list("a list of words").iter().filter_map(|value| value.word(words)).collect()
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        self.value.get_ref().as_bool().or_else(|| self.is_not("true or false is wanted"))
    }

    /// A whole number of this range; `limit` is the name of its upper end, if that has one.
    pub(super) fn whole<T>(&self, range: RangeInclusive<T>, limit: &str) -> Option<T>
    where
        T: Copy + PartialOrd + fmt::Display + TryFrom<i128>,
    {
        let Some(number) = self.value.get_ref().as_integer() else {
            return self.is_not("a whole number is wanted");
        };
        let digits = number.as_str().replace('_', "");
        let read = i128::from_str_radix(&digits, number.radix()).ok();
        let known = read.and_then(|read| T::try_from(read).ok());
        let known = known.filter(|known| range.contains(known));
        if known.is_none() {
            let (least, most) = (range.start(), range.end());
            self.wrong(format!("is {digits}; {least} to {most} are accepted{}", named(limit)));
        }
        known
    }

    /// A number of this range.
    pub(super) fn number(&self, range: RangeInclusive<f64>, limit: &str) -> Option<f64> {
        let text = match self.value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return self.is_not("a number is wanted"),
        };
        let known = text.replace('_', "").parse().ok().filter(|known| range.contains(known));
        if known.is_none() {
            let (least, most) = (range.start(), range.end());
            self.wrong(format!("is {text}; {least} to {most} are accepted{}", named(limit)));
        }
        known
    }

    /// A time with its unit, of this range.
    pub(super) fn time(&self, range: RangeInclusive<Duration>, limit: &str) -> Option<Duration> {
        let DeValue::String(text) = self.value.get_ref() else {
            return self.is_not("a time with its unit is wanted, as \"250ms\"");
        };
        let Some(known) = duration(text) else {
            self.wrong(format!(
                "is `{text}`; a whole number and its unit are wanted: us, ms, s, m or h, as \"250ms\""
            ));
            return None;
        };
        if !range.contains(&known) {
            let (least, most) = (Limit::Time(*range.start()), Limit::Time(*range.end()));
            self.wrong(format!("is `{text}`; {least} to {most} are accepted{}", named(limit)));
            return None;
        }
        Some(known)
    }
}

/// Reads `250ms`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let us = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return None,
    };
    number.checked_mul(us).map(Duration::from_micros)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Keys with a dot or the like in them are quoted, as the author has to.
pub(crate) fn joined(above: &str, name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let name = match !name.is_empty() && name.bytes().all(plain) {
        true => name.to_owned(),
        false => format!("{name:?}"),
    };
    if above.is_empty() { name } else { format!("{above}.{name}") }
}

fn named(limit: &str) -> String {
    if limit.is_empty() { String::new() } else { format!(" ({limit})") }
}

fn listed(names: &[&'static str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What was probably meant: a third of its letters differ at most.
fn nearest(written: &str, known: &[&'static str]) -> Option<&'static str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', '_'], "");
    // Longer ones are none of ours, and take their time.
    let written = plain(written.get(..64).unwrap_or(written));
    let distance = |name: &str| strsim::osa_distance(&written, &plain(name));
    let (far, name) = known.iter().map(|name| (distance(name), *name)).min()?;
    (far <= (name.len() / 3).max(1)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_nothing_else() {
        for (text, ms) in [("250ms", 250), ("2s", 2000), ("1m", 60_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(duration("7us"), Some(Duration::from_micros(7)));
        for text in [
            "",
            "5",
            "ms",
            "-1s",
            "1.5s",
            "1 s",
            "1S",
            "99999999999999999999s",
            "9999999999999999h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_known_and_another_word_is_not() {
        let known = ["timeout", "attempts", "max_in_flight", "balance"];
        for (written, meant) in [
            ("timout", Some("timeout")),
            ("tiemout", Some("timeout")),
            ("attempt", Some("attempts")),
            ("max-in-flight", Some("max_in_flight")),
            ("Balance", Some("balance")),
            ("mirror", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, &known), meant, "{written}");
        }
    }
}
