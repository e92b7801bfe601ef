//! "Did you mean": the known word that is nearest to an unknown one.

/// The word of `known` that was probably meant by `written`; `None` where nothing is near.
///
/// Near is a third of the letters, at least one: `idempotant` finds `idempotent`, `http` finds
/// nothing. Case, `-` and `_` do not count as differences.
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = plain(written);
    known
        .iter()
        .map(|word| (distance(&written, &plain(word)), *word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

fn plain(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// How many letters to insert, remove, replace or swap with their neighbour (optimal string
/// alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KEYS: &[&str] = &["idempotent", "timeout", "name", "criticality", "raw", "trust_layout"];

    #[test]
    fn a_slip_finds_the_word_meant() {
        for (written, meant) in [
            ("idempotant", "idempotent"),
            ("idempontent", "idempotent"),
            ("tiemout", "timeout"),
            ("time_out", "timeout"),
            ("Name", "name"),
            ("nmae", "name"),
            ("rwa", "raw"),
        ] {
            assert_eq!(nearest(written, KEYS), Some(meant), "{written}");
        }
    }

    #[test]
    fn nothing_is_suggested_for_a_word_far_from_all() {
        for written in ["http", "hot", "version", "x", ""] {
            assert_eq!(nearest(written, KEYS), None, "{written}");
        }
    }
}
