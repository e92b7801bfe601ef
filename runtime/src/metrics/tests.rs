//! What is written, against the page that explains it.

use std::fs;

use super::*;

/// The rows of the page's table: name, kind, labels.
fn documented() -> Vec<(String, String, Vec<String>)> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let page = fs::read_to_string(page).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `sinew_"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        let labels = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), labels)
    })
    .collect()
}

#[test]
fn the_page_has_every_metric_and_no_other_in_the_order_of_the_text() {
    let ours: Vec<_> = Family::ALL
        .iter()
        .map(|family| {
            let labels = family.labels().iter().map(|label| (*label).to_owned()).collect();
            (family.name().to_owned(), family.kind().name().to_owned(), labels)
        })
        .collect();
    assert_eq!(documented(), ours);
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    for family in Family::ALL {
        let name = family.name();
        let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(is_plain(name) && family.labels().iter().all(|label| is_plain(label)), "{name}");
        let counts = family.kind().name() == "counter";
        assert_eq!(name.ends_with("_total"), counts, "{name}");
        assert!(!family.labels().contains(&"le"), "{name}");
        assert!(!family.help().contains(['\n', '\\']), "{name}");
    }
}

#[test]
fn every_metric_is_listed_before_anything_has_happened() {
    let text = Metrics::new(&Arc::default()).to_string();
    for family in Family::ALL {
        let line = format!("# TYPE {} {}", family.name(), family.kind().name());
        assert_eq!(text.lines().filter(|found| **found == line).count(), 1, "{line}");
    }
}

#[test]
fn a_label_is_escaped_whatever_it_holds() {
    let mut page = Page::new();
    page.add(Family::Panic, &["a\"b\\c\nd"], 1);
    let text = page.to_string();
    assert!(text.contains("sinew_client_panic{service=\"a\\\"b\\\\c\\nd\"} 1\n"), "{text}");
}

#[test]
fn a_reason_of_another_version_is_counted_without_a_label_of_its_own() {
    let registry = Arc::<Registry>::default();
    for number in 0..=u8::MAX {
        registry.refused(Reason::from_u8(number));
    }
    let text = Metrics::new(&registry).to_string();
    let refused = text.lines().filter(|line| line.starts_with("sinew_server_refused_total{"));
    assert_eq!(refused.count(), Reason::KNOWN.len() + 1);
    let others = 256 - Reason::KNOWN.len();
    assert!(text.contains(&format!("{{reason=\"other\"}} {others}\n")), "{text}");
}
