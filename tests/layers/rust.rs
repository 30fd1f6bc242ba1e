//! As much of Rust's grammar as it takes to find the paths in a file.

use std::{collections::BTreeSet, iter::Peekable, slice::Iter};

/// The tokens of a file, without comments, without what literals hold, and without
/// `#[cfg(test)] mod tests { … }`.
pub(crate) struct File {
    pub(crate) tokens: Vec<String>,
    /// A `mod name { … }` is left.
    pub(crate) has_inline_module: bool,
}

impl File {
    pub(crate) fn read(text: &str) -> Self {
        let tokens = without_tests(&tokens(text));
        let has_inline_module = tokens
            .windows(3)
            .any(|it| matches!(it, [first, _, third] if first == "mod" && third == "{"));
        Self {
            tokens,
            has_inline_module,
        }
    }
}

fn without_tests(tokens: &[String]) -> Vec<String> {
    const TESTS: [&str; 10] = ["#", "[", "cfg", "(", "test", ")", "]", "mod", "tests", "{"];
    let mut rest = tokens;
    let mut kept = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        if rest.len() >= TESTS.len() && rest.iter().zip(TESTS).all(|(is, want)| is == want) {
            rest = after_block(rest.split_at(TESTS.len()).1);
        } else {
            kept.push(first.clone());
            rest = after;
        }
    }
    kept
}

/// What follows the brace that closes the block we are in.
fn after_block(tokens: &[String]) -> &[String] {
    let mut depth = 1;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return tokens.split_at(at + 1).1;
        }
    }
    &[]
}

/// Words, `::` and single signs. A literal is one token, `""`.
pub(crate) fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while !rest.is_empty() {
        let (token, after) = if rest.starts_with("//") {
            ("", rest.split_once('\n').map_or("", |(_, after)| after))
        } else if rest.starts_with("/*") {
            ("", after_comment(rest))
        } else if let Some(after) = after_literal(rest) {
            ("\"\"", after)
        } else {
            // `r#std` is the word `std`.
            let rest = rest.strip_prefix("r#").unwrap_or(rest);
            rest.split_at(length(rest))
        };
        if !token.trim().is_empty() {
            tokens.push(token.to_owned());
        }
        rest = after;
    }
    tokens
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// How long the token at the beginning is.
fn length(text: &str) -> usize {
    match text.chars().next() {
        Some(first) if is_word(first) => text.find(|it| !is_word(it)).unwrap_or(text.len()),
        Some(_) if text.starts_with("::") => 2,
        Some(first) => first.len_utf8(),
        None => 0,
    }
}

/// Comments nest.
fn after_comment(text: &str) -> &str {
    let mut depth = 0;
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("/*") {
            (depth, rest) = (depth + 1, inner);
        } else if let Some(after) = rest.strip_prefix("*/") {
            (depth, rest) = (depth - 1, after);
            if depth == 0 {
                return rest;
            }
        } else {
            let mut chars = rest.chars();
            chars.next();
            rest = chars.as_str();
        }
    }
    rest
}

/// What follows the string or character at the beginning, if there is one.
fn after_literal(text: &str) -> Option<&str> {
    let bare = ["br", "cr", "r", "b", "c"]
        .into_iter()
        .find_map(|prefix| text.strip_prefix(prefix).map(|rest| (prefix, rest)))
        .filter(|(_, rest)| rest.starts_with(['"', '\'', '#']));
    let (prefix, rest) = bare.unwrap_or(("", text));
    if prefix.ends_with('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let (marks, rest) = rest.split_at(hashes);
        let (_, after) = rest.strip_prefix('"')?.split_once(&format!("\"{marks}"))?;
        return Some(after);
    }
    if let Some(rest) = rest.strip_prefix('"') {
        return Some(after_quote(rest, '"'));
    }
    let rest = rest.strip_prefix('\'')?;
    let mut chars = rest.chars();
    // `'a` without a quote after it is a lifetime.
    match (chars.next()?, chars.next()) {
        ('\\', _) | (_, Some('\'')) => Some(after_quote(rest, '\'')),
        _ => None,
    }
}

fn after_quote(text: &str, quote: char) -> &str {
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        if next == '\\' {
            chars.next();
        } else if next == quote {
            break;
        }
    }
    chars.as_str()
}

/// Every path of two or more components, with use trees multiplied out; and what a `use` takes
/// whole.
pub(crate) fn paths(tokens: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut tokens = tokens.iter().peekable();
    let mut before = "";
    while let Some(token) = tokens.peek().map(|it| it.as_str()) {
        if before == "use" || before == "crate" && token != "::" {
            // `use std as s` and `extern crate std` name no second component.
            path(&mut tokens, "", true, &mut found);
        } else {
            path(&mut tokens, "", false, &mut found);
        }
        before = token;
    }
    found
}

/// One path or tree; always takes at least one token.
fn path(
    tokens: &mut Peekable<Iter<'_, String>>,
    before: &str,
    is_use: bool,
    found: &mut BTreeSet<String>,
) {
    let Some(token) = tokens.next() else {
        return;
    };
    if token == "{" && (is_use || !before.is_empty()) {
        while let Some(next) = tokens.peek() {
            if *next == "}" {
                tokens.next();
                return;
            }
            path(tokens, before, is_use, found);
        }
        return;
    }
    if token == "*" && !before.is_empty() {
        found.insert(format!("{before}*"));
        return;
    }
    if token == "::" && is_use && before.is_empty() {
        return path(tokens, before, is_use, found);
    }
    if !token.starts_with(is_word) {
        return;
    }
    if token == "as" {
        // The other name of what came before.
        tokens.next();
        return;
    }
    let here = format!("{before}{token}");
    if tokens.next_if(|next| *next == "::").is_some() {
        let goes_on = |next: &&String| *next == "{" || *next == "*" || next.starts_with(is_word);
        if tokens.peek().is_some_and(goes_on) {
            return path(tokens, &format!("{here}::"), is_use, found);
        }
    }
    if is_use || here.contains("::") {
        found.insert(here);
    }
}
