//! The text of `Mesh::metrics`, read as Prometheus reads it and a little more strictly: what is not well formed fails
//! the test.

use std::collections::{BTreeMap, BTreeSet};

use sinew::Mesh;

use crate::Must as _;

/// A sample's name and its labels, in the order of the text.
type Series = (String, Vec<(String, String)>);

/// What a mesh counts, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Scrape {
    samples: BTreeMap<Series, f64>,
    /// The same names in the order of the text.
    order: Vec<Series>,
    kinds: BTreeMap<String, String>,
}

impl Scrape {
    /// What this mesh counts now.
    pub fn of(mesh: &Mesh) -> Self {
        Self::read(&mesh.metrics().to_string())
    }

    /// Reads a text of exposition format 0.0.4.
    ///
    /// # Panics
    /// Where the text is not well formed, with the line.
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut scrape = Self::default();
        let (mut family, mut helped) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, words) = rest.split_once(' ').must(line);
                assert!(!words.is_empty() && !scrape.kinds.contains_key(name), "{line}");
                name.clone_into(&mut helped);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').must(line);
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(name, helped, "{line}");
                assert!(scrape.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
                name.clone_into(&mut family);
            } else {
                scrape.sample(line, &family);
            }
        }
        scrape.histograms();
        scrape
    }

    fn sample(&mut self, line: &str, family: &str) {
        let kind = self.kinds.get(family).must(line);
        let end = line.find(['{', ' ']).must(line);
        let (name, rest) = line.split_at(end);
        let suffix = name.strip_prefix(family).must(line);
        let suffixes: &[&str] =
            if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix) && is_name(name), "{line}");
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest, line),
            None => (Vec::new(), rest),
        };
        let value = rest.strip_prefix(' ').must(line);
        assert!(!value.contains(' '), "a timestamp: {line}");
        let number: f64 = value.parse().must(line);
        assert!(number.is_finite() && (number >= 0.0 || kind == "gauge"), "{line}");
        let series = (name.to_owned(), labels);
        assert!(self.samples.insert(series.clone(), number).is_none(), "twice: {line}");
        self.order.push(series);
    }

    /// Buckets that only grow, up to the count.
    fn histograms(&self) {
        let mut last: BTreeMap<Series, (f64, f64)> = BTreeMap::new();
        for series in &self.order {
            let (name, labels) = series;
            let Some(family) = name.strip_suffix("_bucket") else { continue };
            let (le, own) = labels.split_last().must("a bucket has labels");
            assert_eq!(le.0, "le", "{name}");
            let upper = if le.1 == "+Inf" { f64::INFINITY } else { le.1.parse().must(&le.1) };
            let count = self.samples[series];
            let before = last.insert((family.to_owned(), own.to_vec()), (upper, count));
            let (below, fewer) = before.unwrap_or((0.0, 0.0));
            assert!(upper > below && count >= fewer, "{name} {labels:?}");
        }
        for ((family, labels), (upper, count)) in last {
            assert!(upper.is_infinite(), "{family}: no bucket without an end");
            let of = |suffix| self.samples.get(&(format!("{family}{suffix}"), labels.clone()));
            assert_eq!(of("_count"), Some(&count), "{family}");
            assert!(of("_sum").is_some(), "{family}");
        }
    }

    /// The sum over all series of this name that have these labels; zero where there is none.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |own: &[(String, String)]| {
            labels.iter().all(|(key, value)| own.iter().any(|(k, v)| k == key && v == value))
        };
        let series = self.samples.iter().filter(|((own, all), _)| own == name && has(all));
        series.map(|(_, value)| value).sum()
    }

    /// Every name with its labels, in the order of the text.
    pub fn series(&self) -> &[Series] {
        &self.order
    }

    /// The values that a label has anywhere.
    pub fn values_of(&self, label: &str) -> BTreeSet<&str> {
        let labels = self.order.iter().flat_map(|(_, labels)| labels);
        labels.filter(|(key, _)| key == label).map(|(_, value)| value.as_str()).collect()
    }
}

fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(is_plain) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// The labels up to the brace, and what follows it.
fn labels<'a>(text: &'a str, line: &str) -> (Vec<(String, String)>, &'a str) {
    let (mut found, mut rest) = (Vec::<(String, String)>::new(), text);
    loop {
        let (name, quoted) = rest.split_once("=\"").must(line);
        assert!(is_name(name) && found.iter().all(|(known, _)| known != name), "{line}");
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        let end = loop {
            match chars.next().must(line) {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().must(line).1 {
                    'n' => '\n',
                    plain @ ('\\' | '"') => plain,
                    other => panic!("`\\{other}` in {line}"),
                }),
                (_, plain) => value.push(plain),
            }
        };
        found.push((name.to_owned(), value));
        rest = &quoted[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (found, rest.strip_prefix('}').must(line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total words\n# TYPE a_total counter\na_total{x=\"a\\\\b\\\"c\\n\",y=\"\"} 3\n\
        # HELP h words\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4.5\nh_count 3\n";

    #[test]
    fn a_good_text_is_read() {
        let scrape = Scrape::read(GOOD);
        assert_eq!(scrape.get("a_total", &[("x", "a\\b\"c\n")]), 3.0);
        assert_eq!(scrape.get("h_sum", &[]), 4.5);
        assert_eq!(scrape.get("nothing", &[]), 0.0);
    }

    #[test]
    fn a_bad_text_is_refused() {
        for (good, bad) in [
            ("3\n#", "three\n#"),
            ("3\n#", "-3\n#"),
            ("3\n#", "NaN\n#"),
            ("3\n#", "3 1700000000\n#"),
            ("a_total{", "a_totals{"),
            ("x=\"", "x=\"\\t"),
            ("y=\"\"", "x=\"\""),
            ("} 3\n#", " 3\n#"),
            ("le=\"1\"} 2", "le=\"1\"} 4"),
            ("le=\"+Inf\"} 3", "le=\"2\"} 3"),
            ("h_count 3", "h_count 4"),
            ("h_sum 4.5\n", ""),
            ("counter", "count"),
            ("# HELP h words\n", ""),
            ("h_count 3\n", "h_count 3"),
        ] {
            let text = GOOD.replacen(good, bad, 1);
            assert_ne!(text, GOOD, "{good}");
            let read = std::panic::catch_unwind(|| Scrape::read(&text));
            assert!(read.is_err(), "{bad}");
        }
    }
}
