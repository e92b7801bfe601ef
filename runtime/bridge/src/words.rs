//! Of a stranger's text, as much as a message needs.

use std::borrow::Cow;

/// Its first characters, and `..` where there are more.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}..", &text[..end]).into(),
        None => text.into(),
    }
}
