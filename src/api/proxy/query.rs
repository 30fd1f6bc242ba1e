//! What a query says of a key, if every server reads it there alike.

use std::borrow::Cow;

use super::target::{Ambiguous, decoded};

/// The value of a key; `None` if the query does not have it.
///
/// Servers take the first or the last of several, take `key[]` or `KEY` for it, may part pairs at a
/// semicolon, undo escapes twice, stop at a control character, or read a dot and a space in a name as
/// `_`: any of these is refused.
pub(super) fn value<'a>(
    query: Option<&'a str>,
    key: &str,
) -> Result<Option<Cow<'a, str>>, Ambiguous> {
    let mut found = None;
    let pairs = query.unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            return Err(Ambiguous::QueryKey);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = unescaped(name)?;
        if name.contains(is_misread) {
            return Err(Ambiguous::QueryKey);
        }
        let plain = name.trim();
        let plain = plain.split_once('[').map_or(plain, |(plain, _)| plain);
        let alike = plain.chars().map(folded).eq(key.chars().map(folded));
        if !alike {
            continue;
        }
        let value = unescaped(value)?;
        if name != key || value.is_empty() || value.contains(is_misread) || found.is_some() {
            return Err(Ambiguous::QueryKey);
        }
        found = Some(value);
    }
    Ok(found)
}

fn is_misread(it: char) -> bool {
    it.is_control() || it == '%'
}

/// What some server may take a character of a name for.
fn folded(it: char) -> char {
    match it {
        '.' | ' ' => '_',
        other => other.to_ascii_lowercase(),
    }
}

/// `application/x-www-form-urlencoded` undone.
fn unescaped(raw: &str) -> Result<Cow<'_, str>, Ambiguous> {
    if !raw.contains('+') {
        return decoded(raw);
    }
    let spaced = raw.replace('+', " ");
    Ok(decoded(&spaced)?.into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: Result<Option<&str>, Ambiguous>) {
        let got = value(Some(query), "project");
        let got = got.as_ref().map(Option::as_deref).map_err(|why| *why);
        assert_eq!(got, expected, "{query}");
    }

    #[test]
    fn a_key_that_is_said_once_has_a_value() {
        check("project=7", Ok(Some("7")));
        check("a=b&project=acme%2Fcats&c", Ok(Some("acme/cats")));
        check("pro%6Aect=a+b%2B", Ok(Some("a b+")));
        check("&&project=7&", Ok(Some("7")));
        check("projects=7&xproject=8&project.id=9", Ok(None));
        check("", Ok(None));
        assert_eq!(value(None, "project"), Ok(None));
    }

    #[test]
    fn a_name_in_which_a_server_reads_an_underscore_is_refused() {
        for name in [
            "project.id",
            "project+id",
            "project%20id",
            "Project_id",
            "project_id[]",
        ] {
            let query = format!("project_id=7&{name}=8");
            assert_eq!(value(Some(&query), "project_id"), Err(Ambiguous::QueryKey));
        }
        let query = Some("project_id=7&project.name=8");
        assert_eq!(value(query, "project_id").unwrap().as_deref(), Some("7"));
    }

    #[test]
    fn a_key_that_servers_read_differently_is_refused() {
        for query in [
            "project=7&project=8",
            "project=7&pro%6Aect=7",
            "project=7&project[]=8",
            "project[0]=8",
            "Project=8",
            "project=7&PROJECT=8",
            "%20project=8",
            "project+=8",
            "project",
            "project=",
            "project=7%00",
            "project=%2537",
            "project%00=8",
            "%2570roject=8",
            "project=7;project=8",
            "a=b;project=8",
        ] {
            check(query, Err(Ambiguous::QueryKey));
        }
        check("project=%", Err(Ambiguous::MalformedEscape));
        check("project=%zz", Err(Ambiguous::MalformedEscape));
        check("%f=1&project=7", Err(Ambiguous::MalformedEscape));
        check("project=%ff", Err(Ambiguous::NotText));
    }
}
