//! The page at `/try`: the operations of `/openapi.json` as forms that are sent from a browser.
//!
//! # Invariants
//! 1. It runs under [`POLICY`]: nothing comes from elsewhere, and no script or style stands in the page itself.
//! 2. What a server says is text there, and never markup.

use bytes::Bytes;

/// The page, and the two files that it names.
const HTML: &str = include_str!("try.html");
/// Served as `/try.js`.
const SCRIPT: &str = include_str!("try.js");
/// Served as `/try.css`.
const STYLE: &str = include_str!("try.css");

/// The `Content-Security-Policy` that it is served with.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page, or one of its files, and what it is.
pub(super) fn find(path: &str) -> Option<(&'static str, Bytes)> {
    let (kind, text) = match path {
        "/try" => ("text/html; charset=utf-8", HTML),
        "/try.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "/try.css" => ("text/css; charset=utf-8", STYLE),
        _ => return None,
    };
    Some((kind, Bytes::from_static(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_brings_nothing_from_elsewhere() {
        let all = [HTML, SCRIPT, STYLE].concat();
        assert!(all.len() < 20_000, "{} bytes", all.len());
        for never in [
            "://",
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "Function(",
        ] {
            assert!(!all.contains(never), "{never}");
        }
        for inline in [" style=", " onclick=", "<style", "javascript:"] {
            assert!(!HTML.contains(inline), "{inline}");
        }
        assert_eq!(HTML.matches("<script").count(), 1);
        assert!(HTML.contains("<script src=\"try.js\" defer></script>"));
        assert!(POLICY.contains(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
        ));
        assert!(!POLICY.contains("unsafe") && !POLICY.contains("  "), "{POLICY}");
    }
}
