//! Rust source as tokens: enough of a lexer to see code, and not comments or strings, without a
//! parser.
//!
//! # Why
//! syn would be exact, and would bring a dependency and the question which of its versions parses
//! this. The rules need identifiers, `::` and brackets with their lines; a word in a comment or a
//! string must never trip them.
//!
//! # Not here
//! Macros are not expanded, and what looks like code inside one counts as code: that is wanted,
//! `quote!` above all.

/// One identifier or number, one `::`, or one other character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Token {
    /// Whether this is that very token.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// Whether this is a name (or a keyword).
    pub(crate) fn is_name(&self) -> bool {
        self.text.starts_with(|c: char| c == '_' || c.is_alphabetic())
    }
}

/// Whether the tokens from the start of `tokens` read like `pattern`, a list of tokens between
/// spaces.
pub(crate) fn starts_with(tokens: &[Token], pattern: &str) -> bool {
    let mut rest = tokens.iter();
    pattern.split(' ').all(|text| rest.next().is_some_and(|token| token.is(text)))
}

/// The tokens of a file.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let code: Vec<char> = blank(source);
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(&c) = code.get(at) {
        let mut end = at + 1;
        if is_word(c) {
            while code.get(end).copied().is_some_and(is_word) {
                end += 1;
            }
        } else if c == ':' && code.get(end) == Some(&':') {
            end += 1;
        }
        if c == '\n' {
            line += 1;
        } else if !c.is_whitespace() {
            found.push(Token { text: code[at..end].iter().collect(), line });
        }
        at = end;
    }
    found
}

/// The tokens without the items under `#[cfg(test)]`.
pub(crate) fn product_tokens(source: &str) -> Vec<Token> {
    let all = tokens(source);
    let mut kept = Vec::with_capacity(all.len());
    let mut at = 0;
    while at < all.len() {
        if is_test_attribute(&all[at..]) {
            at = end_of_item(&all, at);
        } else {
            kept.push(all[at].clone());
            at += 1;
        }
    }
    kept
}

/// `#[cfg(test)]`, `#[cfg(all(test, ..))]`; not `#[cfg(not(test))]`.
fn is_test_attribute(tokens: &[Token]) -> bool {
    starts_with(tokens, "# [ cfg (") && {
        let inside = &tokens[..closing(tokens, 1)];
        inside.iter().any(|t| t.is("test")) && !inside.iter().any(|t| t.is("not") || t.is("any"))
    }
}

/// The index after the item that the attribute at `at` belongs to.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|t| t.is("#")) {
        at = closing(tokens, at + 1) + 1;
    }
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ";" => return at + 1,
            "{" => return closing(tokens, at) + 1,
            "(" | "[" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
    at
}

/// The index of the bracket that closes the one at `open`, or the end.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The source with every character of a comment, a string or a character literal made a space;
/// lines stay.
fn blank(source: &str) -> Vec<char> {
    let mut code: Vec<char> = source.chars().collect();
    let mut at = 0;
    while at < code.len() {
        // The look at one character is for speed: these builds are not optimised.
        let may_begin = matches!(code[at], '/' | '"' | '\'' | 'r' | 'b' | 'c');
        let end = if may_begin { end_of_text(&code, at) } else { at };
        if end == at {
            at += 1;
        }
        while at < end.min(code.len()) {
            if code[at] != '\n' {
                code[at] = ' ';
            }
            at += 1;
        }
    }
    code
}

/// Where the comment or literal that starts at `at` ends; `at` itself where none starts.
fn end_of_text(code: &[char], at: usize) -> usize {
    let rest = &code[at..];
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => end_of_block_comment(code, at),
        ['"', ..] => end_of_quoted(code, at, '"'),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => end_of_quoted(code, at, '\''),
        ['r', '"' | '#', ..] if at == 0 || !is_word(code[at - 1]) => end_of_raw(code, at + 1),
        ['b' | 'c', 'r', '"' | '#', ..] if at == 0 || !is_word(code[at - 1]) => {
            end_of_raw(code, at + 2)
        }
        _ => at,
    }
}

fn end_of_block_comment(code: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at < code.len() {
        match &code[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_quoted(code: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < code.len() && code[at] != quote {
        at += if code[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `hashes` is where the `#`s, if any, begin. A raw identifier (`r#type`) ends where it starts.
fn end_of_raw(code: &[char], hashes: usize) -> usize {
    let count = code[hashes..].iter().take_while(|&&c| c == '#').count();
    if code.get(hashes + count) != Some(&'"') {
        return hashes - 1;
    }
    let mut at = hashes + count + 1;
    while at < code.len() {
        let closes = code[at] == '"'
            && code[at + 1..].iter().take_while(|&&c| c == '#').take(count).count() == count;
        at += 1;
        if closes {
            return at + count;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn code_is_seen_and_text_is_not() {
        let source = r####"
            // todo!()
            /* outer /* todo!() */ still */
            let a = "todo!() \" todo!()"; let b = r#"todo!() " todo!()"#; let c = br"todo!()";
            let d = '"'; let e = '\''; let f: &'static str = x::r#type;
        "####;
        assert_eq!(
            words(source).join(" "),
            "let a = ; let b = ; let c = ; let d = ; let e = ; let f : & ' static str = \
             x :: r # type ;",
        );
    }

    #[test]
    fn lines_count_from_one_over_comments_and_strings() {
        let lines: Vec<_> = tokens("/* 1\n2 */ a\n\"3\n4\" b").iter().map(|t| t.line).collect();
        assert_eq!(lines, [2, 4]);
    }

    #[test]
    fn test_items_are_dropped_when_only_the_product_counts() {
        let source = "
            fn kept() {}
            #[cfg(test)]
            #[derive(Debug)]
            mod tests { fn dropped() { if x {} } }
            #[cfg(test)]
            use dropped::x;
            #[cfg(all(test, unix))]
            fn dropped(a: [u8; 3]) -> u8 { 1 }
            #[cfg(not(test))]
            fn also_kept() {}
        ";
        assert!(!starts_with(&tokens("a :"), "a : b"));
        let names: Vec<_> = product_tokens(source).into_iter().map(|t| t.text).collect();
        assert!(!names.iter().any(|name| name == "dropped" || name == "tests"), "{names:?}");
        assert!(names.iter().any(|name| name == "kept"), "{names:?}");
        assert!(names.iter().any(|name| name == "also_kept"), "{names:?}");
    }

    #[test]
    fn an_unfinished_file_ends_the_search() {
        for source in ["\"", "r#\"", "/*", "'\\", "#[cfg(test)] mod x {", "#[cfg(test"] {
            product_tokens(source);
        }
    }
}
