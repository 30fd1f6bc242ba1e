//! The path and query of an original request, read in the one way in which every server reads them,
//! or not at all.
//!
//! Whoever is behind the gateway reads the same bytes again, and may undo escapes twice, resolve dot
//! segments, merge slashes or cut parameters off. What any of them would read as another path is
//! refused before it is compared with anything.

use std::borrow::Cow;

/// Longest path. Those that people route are a tenth of it; every route is compared with it.
const MAX_PATH_BYTES: usize = 2048;

/// What a segment may not have, once its escapes are undone: what separates or ends a path somewhere,
/// and `%`, which somebody would undo once more.
const SEPARATORS: [char; 6] = ['/', '\\', ';', '?', '#', '%'];

/// A target that has one reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The segments of the path, their escapes undone; a slash at the end makes no difference.
    pub(super) segments: Vec<Cow<'a, str>>,
    pub(super) query: Option<&'a str>,
}

/// Why a target has more than one reading, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ambiguous {
    #[error("the path has a character that has to be escaped")]
    Character,
    #[error("the path has a dot segment")]
    DotSegment,
    #[error("the path has an empty segment")]
    EmptySegment,
    #[error("the path has an escaped separator, percent sign or control character")]
    Escaped,
    #[error("the target has a fragment")]
    Fragment,
    #[error("two values of an id run into each other")]
    Joined,
    #[error("an escape is malformed")]
    MalformedEscape,
    #[error("the target is no path")]
    NoPath,
    #[error("what is escaped is not UTF-8")]
    NotText,
    #[error("the path has a parameter after a semicolon")]
    Parameter,
    #[error("the query has a character that has to be escaped")]
    QueryCharacter,
    #[error("the query says more than once, in another spelling or without a value what decides")]
    QueryKey,
    #[error("the path is longer than {MAX_PATH_BYTES} bytes")]
    TooLong,
}

impl<'a> Target<'a> {
    pub(super) fn parse(target: &'a str) -> Result<Self, Ambiguous> {
        if target.contains('#') {
            return Err(Ambiguous::Fragment);
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        if path.len() > MAX_PATH_BYTES {
            return Err(Ambiguous::TooLong);
        }
        if query.is_some_and(|query| !query.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Ambiguous::QueryCharacter);
        }
        let inside = path.strip_prefix('/').ok_or(Ambiguous::NoPath)?;
        if path.contains("//") {
            return Err(Ambiguous::EmptySegment);
        }
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        let segments = if inside.is_empty() {
            Ok(Vec::new())
        } else {
            inside.split('/').map(segment).collect()
        };
        Ok(Self {
            segments: segments?,
            query,
        })
    }
}

fn segment(raw: &str) -> Result<Cow<'_, str>, Ambiguous> {
    if raw.contains(';') {
        return Err(Ambiguous::Parameter);
    }
    if !raw.bytes().all(|byte| byte == b'%' || is_plain(byte)) {
        return Err(Ambiguous::Character);
    }
    let decoded = decoded(raw)?;
    let is_separator = |it: char| it.is_control() || SEPARATORS.contains(&it);
    if decoded.contains(is_separator) {
        return Err(Ambiguous::Escaped);
    }
    if decoded == "." || decoded == ".." {
        return Err(Ambiguous::DotSegment);
    }
    Ok(decoded)
}

/// `pchar` of RFC 3986 without escapes, and without `;`.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

/// The text with its escapes undone, once.
pub(super) fn decoded(raw: &str) -> Result<Cow<'_, str>, Ambiguous> {
    if !raw.contains('%') {
        return Ok(raw.into());
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()
            .zip(digit())
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(value.ok_or(Ambiguous::MalformedEscape)?);
    }
    let text = String::from_utf8(bytes).map_err(|_| Ambiguous::NotText)?;
    Ok(text.into())
}

#[cfg(test)]
mod tests;
