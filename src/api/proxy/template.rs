//! Which requests a route is for: a path with values in it, and maybe keys of the query.

use std::borrow::Cow;

use super::{
    query,
    target::{Ambiguous, Target, is_plain},
};

/// Most names in one template; nobody can read more.
const MAX_VALUES: usize = 16;

/// A path as routes name it: `/api/projects/{project}`, `/static/{rest...}`, `/api/tasks?project={project}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    segments: Vec<Part>,
    /// Whether at least one more segment has to follow, and any number may.
    rest: bool,
    query: Vec<(String, Part)>,
    /// What the values are called, in the order in which they are found.
    names: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadTemplate {
    #[error(
        "`{0}` is not taken as part of a path: plain text as requests have it once escapes are \
         undone, or one name in braces for a whole segment"
    )]
    Part(String),
    #[error("`{0}` is no key of a query with a value: write `key=value` or `key={{name}}`")]
    Pair(String),
    #[error("a path begins with `/`, and has no empty segments")]
    Path,
    #[error("`{0}` stands for the rest of the path and has to be its last segment")]
    Rest(String),
    #[error("more than {MAX_VALUES} names in braces")]
    TooMany,
    #[error("the name `{0}` is there twice")]
    Twice(String),
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, BadTemplate> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        let mut template = Self {
            segments: Vec::new(),
            rest: false,
            query: Vec::new(),
            names: Vec::new(),
        };
        template.path(path)?;
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            template.pair(pair)?;
        }
        Ok(template)
    }

    fn path(&mut self, path: &str) -> Result<(), BadTemplate> {
        let inside = path.strip_prefix('/').ok_or(BadTemplate::Path)?;
        if path.contains("//") {
            return Err(BadTemplate::Path);
        }
        // As of requests: a slash at the end makes no difference.
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        let segments = inside.split('/').filter(|it| !it.is_empty());
        for segment in segments {
            if self.rest {
                let rest = self.names.last().cloned();
                return Err(BadTemplate::Rest(rest.unwrap_or_default()));
            }
            match braced(segment).map(|name| (name, name.strip_suffix("..."))) {
                Some((_, Some(name))) => {
                    self.name(segment, name)?;
                    self.rest = true;
                }
                Some((name, None)) => {
                    self.name(segment, name)?;
                    self.segments.push(Part::Value);
                }
                None if is_literal(segment) => {
                    self.segments.push(Part::Literal(segment.to_owned()));
                }
                None => return Err(BadTemplate::Part(segment.to_owned())),
            }
        }
        Ok(())
    }

    fn pair(&mut self, pair: &str) -> Result<(), BadTemplate> {
        let bad = || BadTemplate::Pair(pair.to_owned());
        let (key, value) = pair.split_once('=').ok_or_else(bad)?;
        let is_plain = |text: &str| !text.is_empty() && text.bytes().all(is_plain);
        if !is_plain(key) {
            return Err(bad());
        }
        if self.query.iter().any(|(known, _)| known == key) {
            return Err(BadTemplate::Twice(key.to_owned()));
        }
        let wanted = match braced(value) {
            Some(name) => {
                self.name(pair, name)?;
                Part::Value
            }
            None if is_plain(value) => Part::Literal(value.to_owned()),
            None => return Err(bad()),
        };
        self.query.push((key.to_owned(), wanted));
        Ok(())
    }

    fn name(&mut self, part: &str, name: &str) -> Result<(), BadTemplate> {
        if !is_name(name) {
            return Err(BadTemplate::Part(part.to_owned()));
        }
        if self.names.iter().any(|known| known == name) {
            return Err(BadTemplate::Twice(name.to_owned()));
        }
        if self.names.len() == MAX_VALUES {
            return Err(BadTemplate::TooMany);
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// What the values are called, in the order in which they are found.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The values, if the target is of this template.
    pub(super) fn values<'t>(
        &self,
        target: &Target<'t>,
    ) -> Result<Option<Vec<Cow<'t, str>>>, Ambiguous> {
        let Some((head, tail)) = target.segments.split_at_checked(self.segments.len()) else {
            return Ok(None);
        };
        if tail.is_empty() == self.rest {
            return Ok(None);
        }
        let mut values = Vec::with_capacity(self.names.len());
        for (part, segment) in self.segments.iter().zip(head) {
            match part {
                Part::Literal(literal) if literal != segment => return Ok(None),
                Part::Literal(_) => {}
                Part::Value => values.push(segment.clone()),
            }
        }
        if self.rest {
            values.push(tail.join("/").into());
        }
        for (key, wanted) in &self.query {
            match (query::value(target.query, key)?, wanted) {
                (None, _) => return Ok(None),
                (Some(value), Part::Literal(literal)) if value != *literal => return Ok(None),
                (Some(_), Part::Literal(_)) => {}
                (Some(value), Part::Value) => values.push(value),
            }
        }
        Ok(Some(values))
    }

    /// Whether every target of the other template is one of this.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let takes = |part: &Part, of_other: &Part| *part == Part::Value || part == of_other;
        let same = self.segments.len() == other.segments.len() && self.rest == other.rest;
        let longer = self.rest
            && (other.segments.len() > self.segments.len()
                || other.rest && other.segments.len() == self.segments.len());
        (same || longer)
            && self
                .segments
                .iter()
                .zip(&other.segments)
                .all(|(part, of_other)| takes(part, of_other))
            && self.query.iter().all(|(key, part)| {
                let mut others = other.query.iter();
                others.any(|(of_other, it)| key == of_other && takes(part, it))
            })
    }
}

/// What names may be made of.
pub(super) fn is_name(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_of_name)
}

fn braced(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}')
}

/// Whether a segment of a target can be this once its escapes are undone.
fn is_literal(segment: &str) -> bool {
    let is_taken = |it: char| !it.is_ascii() || u8::try_from(it).is_ok_and(is_plain) || it == ' ';
    !matches!(segment, "." | "..") && segment.chars().all(|it| !it.is_control() && is_taken(it))
}

#[cfg(test)]
mod tests;
