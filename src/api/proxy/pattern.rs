//! Texts with names in braces, which a request gives values to: ids of entities, values of a context.

use std::borrow::Cow;

use hyper::header::{HeaderMap, HeaderName};

use super::target::Ambiguous;

/// A text with values in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

/// A piece of a pattern, and what a name in braces means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The same for every request.
    Text(String),
    Value(Source),
}

/// Where a request says a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// One of the values that the route's template finds.
    Found(usize),
    Header(HeaderName),
    /// The principal's id.
    Principal,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPattern {
    #[error("`{first}` and `{second}` run into each other: put a character between them")]
    Adjacent { first: String, second: String },
    #[error("a brace is not closed, or not opened")]
    Brace,
    #[error("the text is empty")]
    Empty,
    #[error("`{name}` is no name here; there are {known}")]
    Unknown { name: String, known: String },
}

/// What one request gives to names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'v> {
    pub(super) headers: &'v HeaderMap,
    pub(super) found: &'v [Cow<'v, str>],
    pub(super) principal: &'v str,
}

/// Why a pattern has no text for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsaid<'p> {
    Ambiguous(Ambiguous),
    /// A header that is not there, or is empty.
    Missing(&'p HeaderName),
    Repeated(&'p HeaderName),
    Unreadable(&'p HeaderName),
}

impl Pattern {
    /// Parses a text whose names mean what `meaning` says.
    pub(super) fn parse(
        text: &str,
        meaning: impl Fn(&str) -> Option<Part>,
        known: impl Fn() -> String,
    ) -> Result<Self, BadPattern> {
        let mut parts = Vec::new();
        // The last value, if nothing stands between it and what comes next.
        let mut open: Option<&str> = None;
        let mut rest = text;
        while !rest.is_empty() {
            let (before, at) = rest.split_once('{').unwrap_or((rest, ""));
            let is_braced = before.len() < rest.len();
            if before.contains('}') {
                return Err(BadPattern::Brace);
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
                open = None;
            }
            if !is_braced {
                break;
            }
            let (name, after) = at.split_once('}').ok_or(BadPattern::Brace)?;
            rest = after;
            let part = meaning(name).ok_or_else(|| BadPattern::Unknown {
                name: name.to_owned(),
                known: known(),
            })?;
            let before = match &part {
                Part::Text(_) => {
                    open = None;
                    None
                }
                Part::Value(_) => open.replace(name),
            };
            if let Some(first) = before {
                return Err(BadPattern::Adjacent {
                    first: first.to_owned(),
                    second: name.to_owned(),
                });
            }
            parts.push(part);
        }
        if parts.is_empty() {
            return Err(BadPattern::Empty);
        }
        Ok(Self(parts))
    }

    /// Whether some value comes from a header.
    pub(super) fn has_header(&self) -> bool {
        let is_header = |part: &Part| matches!(part, Part::Value(Source::Header(_)));
        self.0.iter().any(is_header)
    }

    /// The text for a request.
    pub(super) fn text(&self, values: &Values<'_>) -> Result<String, Unsaid<'_>> {
        let between = self.between();
        let mut text = String::new();
        for part in &self.0 {
            let value = match part {
                Part::Text(part) => {
                    text.push_str(part);
                    continue;
                }
                Part::Value(Source::Found(at)) => values.found.get(*at).map_or("", AsRef::as_ref),
                Part::Value(Source::Header(name)) => header(values.headers, name)?,
                Part::Value(Source::Principal) => values.principal,
            };
            if value.contains(|it| between.contains(it)) {
                return Err(Unsaid::Ambiguous(Ambiguous::Joined));
            }
            text.push_str(value);
        }
        Ok(text)
    }

    /// What stands between two values. A value with a character of it could say what the next one
    /// says: `a/b` and `c` would be `a` and `b/c`.
    fn between(&self) -> String {
        let is_value = |part: &Part| matches!(part, Part::Value(_));
        let first = self.0.iter().position(is_value);
        let last = self.0.iter().rposition(is_value);
        let inner = first
            .zip(last)
            .and_then(|(first, last)| self.0.get(first..last));
        let texts = inner.into_iter().flatten().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Value(_) => None,
        });
        texts.collect()
    }
}

fn header<'v, 'p>(headers: &'v HeaderMap, name: &'p HeaderName) -> Result<&'v str, Unsaid<'p>> {
    let mut values = headers.get_all(name).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Unsaid::Missing(name)),
        (Some(only), None) => only,
        (Some(_), Some(_)) => return Err(Unsaid::Repeated(name)),
    };
    match str::from_utf8(value.as_bytes()) {
        Ok("") => Err(Unsaid::Missing(name)),
        Ok(text) if !text.contains(char::is_control) => Ok(text),
        Ok(_) | Err(_) => Err(Unsaid::Unreadable(name)),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const ORGANIZATION: HeaderName = HeaderName::from_static("x-organization");
    const USER: HeaderName = HeaderName::from_static("x-user");

    fn pattern(text: &str) -> Result<Pattern, BadPattern> {
        let meaning = |name: &str| match name {
            "constant" => Some(Part::Text("acme".to_owned())),
            "organization" => Some(Part::Value(Source::Header(ORGANIZATION))),
            "path" => Some(Part::Value(Source::Found(0))),
            "principal" => Some(Part::Value(Source::Principal)),
            "user" => Some(Part::Value(Source::Header(USER))),
            _ => None,
        };
        Pattern::parse(text, meaning, || "`user` and others".to_owned())
    }

    #[track_caller]
    fn check(text: &str, headers: &[(HeaderName, &[u8])], expected: Result<&str, Unsaid<'_>>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        let values = Values {
            headers: &map,
            found: &["cats".into()],
            principal: "acme/mona",
        };
        let pattern = pattern(text).unwrap();
        let got = pattern.text(&values);
        assert_eq!(got.as_deref().map_err(|why| *why), expected, "{text}");
    }

    #[test]
    fn names_are_replaced_by_what_the_request_says() {
        let mona: &[_] = &[(USER, b"mona".as_slice())];
        check("{constant}/{user}", mona, Ok("acme/mona"));
        check("{constant}{user}", mona, Ok("acmemona"));
        check("{constant}/{path}", &[], Ok("acme/cats"));
        check("{principal}", &[], Ok("acme/mona"));
        check("plain", &[], Ok("plain"));
        check("{user}", &[(USER, "Ω".as_bytes())], Ok("Ω"));
    }

    #[test]
    fn a_header_that_does_not_say_one_thing_says_nothing() {
        check("{user}", &[], Err(Unsaid::Missing(&USER)));
        check("{user}", &[(USER, b"")], Err(Unsaid::Missing(&USER)));
        let two: &[_] = &[(USER, b"mona".as_slice()), (USER, b"olivia")];
        check("{user}", two, Err(Unsaid::Repeated(&USER)));
        check("{user}", &[(USER, b"\xff")], Err(Unsaid::Unreadable(&USER)));
        check("{user}", &[(USER, b"a\tb")], Err(Unsaid::Unreadable(&USER)));
    }

    #[test]
    fn two_values_cannot_be_told_in_two_ways() {
        let check = |organization: &'static [u8], user: &'static [u8], expected| {
            let headers = [(ORGANIZATION, organization), (USER, user)];
            check("m-{organization}/-{user}", &headers, expected);
        };
        let joined = Err(Unsaid::Ambiguous(Ambiguous::Joined));
        check(b"a", b"b", Ok("m-a/-b"));
        check(b"a/b", b"c", joined);
        check(b"a", b"b/c", joined);
        check(b"a", b"-b", joined);
    }

    #[test]
    fn a_text_that_is_no_pattern_is_told() {
        let unknown = |name: &str| BadPattern::Unknown {
            name: name.to_owned(),
            known: "`user` and others".to_owned(),
        };
        let adjacent = BadPattern::Adjacent {
            first: "user".to_owned(),
            second: "path".to_owned(),
        };
        for (text, expected) in [
            ("", BadPattern::Empty),
            ("a{user", BadPattern::Brace),
            ("user}", BadPattern::Brace),
            ("{user}}", BadPattern::Brace),
            ("{}", unknown("")),
            ("{who}", unknown("who")),
            ("{ user }", unknown(" user ")),
            ("{user}{path}", adjacent),
        ] {
            assert_eq!(pattern(text), Err(expected), "{text}");
        }
    }
}
