//! Pages of a search: what of it the caller wants, and the token to go on with.
//!
//! A token says where in the sorted candidates of one revision the next page begins. It is bound to
//! that revision and to the query by digests, and holds no id, so that it tells nothing about
//! candidates that the caller may not see. Whoever makes one up only skips results.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    api::reply::{Code, Refusal},
    authz::{Found, Json, Object, Revision},
};

use super::Sought;

/// How many hexadecimal digits of a digest stand in a token: 64 bits of the revision and 128 of the
/// query, each more than enough to tell one from another by accident.
const REVISION_DIGITS: usize = 16;
const QUERY_DIGITS: usize = 32;

/// What the caller asked for.
pub(super) struct Page {
    /// The request has a `page`.
    asked: bool,
    limit: Option<usize>,
    from: usize,
    /// What every token of this search begins with.
    bound: String,
}

/// The `page` of the answer.
#[derive(Serialize)]
pub(super) struct Told {
    /// Empty at the end.
    next_token: String,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
}

impl Page {
    /// Reads `page`, and checks its token against the query and the revision in force.
    pub(super) fn parse(
        top: &Object<'_>,
        sought: Sought,
        revision: &Revision,
    ) -> Result<Self, Refusal> {
        let object = match top.non_null("page") {
            None => None,
            Some(Json::Object(page)) => Some(page),
            Some(other) => return Err(wrong("page", "an object", other)),
        };
        let member = |key| object.and_then(|page| page.non_null(key));
        let limit = member("limit").map(limit).transpose()?;
        if let Some(other) = member("properties").filter(|it| it.as_object().is_none()) {
            return Err(wrong("page.properties", "an object", other));
        }
        let revision: String = revision.as_str().chars().take(REVISION_DIGITS).collect();
        let bound = format!("{revision}-{}", digest(top, sought));
        let page = Self {
            asked: object.is_some(),
            limit,
            from: 0,
            bound,
        };
        match member("token") {
            None => Ok(page),
            Some(Json::String(token)) => page.at(token, &revision),
            Some(other) => Err(wrong("page.token", "a string", other)),
        }
    }

    /// The page that a token stands for.
    fn at(self, token: &str, revision: &str) -> Result<Self, Refusal> {
        let (bound, place) = token
            .rsplit_once(':')
            .ok_or_else(|| invalid("`page.token` is none of ours"))?;
        let (from, limit) = place
            .split_once('+')
            .and_then(|(from, limit)| Some((from.parse().ok()?, parse_limit(limit)?)))
            .ok_or_else(|| invalid("`page.token` is none of ours"))?;
        let same_query = bound.get(REVISION_DIGITS..) == self.bound.get(REVISION_DIGITS..);
        if !same_query {
            return Err(invalid("the query is not the one that `page.token` is for"));
        }
        if self.limit.is_some() && self.limit != limit {
            return Err(invalid(
                "`page.limit` is not the one that `page.token` is for: leave it out or as it was",
            ));
        }
        if !bound.starts_with(revision) {
            return Err(Refusal::bad(
                Code::ExpiredPageToken,
                "policies or data have changed since `page.token` was given: search again without it",
            ));
        }
        Ok(Self {
            from,
            limit,
            ..self
        })
    }

    pub(super) fn from(&self) -> usize {
        self.from
    }

    pub(super) fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// What is told of the page: nothing if nobody asked and everything is there.
    pub(super) fn told(&self, found: &Found) -> Option<Told> {
        if !self.asked && found.next.is_none() {
            return None;
        }
        let limit = self
            .limit
            .map_or_else(|| "all".to_owned(), |it| it.to_string());
        let token = |from| format!("{}:{from}+{limit}", self.bound);
        Some(Told {
            next_token: found.next.map(token).unwrap_or_default(),
            count: found.ids.len(),
            total: found.total,
        })
    }
}

fn limit(json: &Json<'_>) -> Result<usize, Refusal> {
    let limit = match json {
        Json::Int(number) => usize::try_from(*number).ok(),
        // As some write whole numbers, `1e3` and `10.0`. One beyond all counts is the largest.
        Json::Float(number) if *number >= 0.0 && number.fract() == 0.0 => Some(*number as usize),
        Json::Array(_)
        | Json::Bool(_)
        | Json::Float(_)
        | Json::Null
        | Json::Object(_)
        | Json::String(_) => None,
    };
    let message = "`page.limit` must be a whole number from 0 on";
    limit.ok_or_else(|| Refusal::invalid(message))
}

/// The limit in a token.
fn parse_limit(text: &str) -> Option<Option<usize>> {
    if text == "all" {
        return Some(None);
    }
    text.parse().ok().map(Some)
}

fn wrong(name: &str, expected: &str, got: &Json<'_>) -> Refusal {
    Refusal::invalid(format!("`{name}` must be {expected}, not {}", got.kind()))
}

fn invalid(message: &'static str) -> Refusal {
    Refusal::bad(Code::InvalidPageToken, message)
}

/// The digest of what must stay the same from page to page: the endpoint and all of the query but
/// what it ignores.
fn digest(top: &Object<'_>, sought: Sought) -> String {
    let mut hasher = Sha256::new();
    text(&mut hasher, sought.as_str());
    for name in ["subject", "action", "resource", "context"] {
        let value = top.non_null(name).and_then(Json::as_object);
        match value {
            _ if name == "action" && sought == Sought::Action => {}
            None => hasher.update("-"),
            // The id of what is searched for is ignored.
            Some(value) if name == sought.as_str() => object(&mut hasher, &value.without("id")),
            Some(value) => object(&mut hasher, value),
        }
    }
    let properties = top.non_null("page").and_then(Json::as_object);
    if let Some(properties) = properties.and_then(|page| page.non_null("properties")) {
        value(&mut hasher, properties);
    }
    let digest = format!("{:x}", hasher.finalize());
    digest.chars().take(QUERY_DIGITS).collect()
}

/// Every value begins with its kind and, where it has one, its length: no two have the same bytes.
/// The order of keys does not count, nor does a key that is `null`.
fn value(hasher: &mut Sha256, json: &Json<'_>) {
    match json {
        Json::Array(items) => {
            hasher.update("a");
            hasher.update(items.len().to_le_bytes());
            for item in items {
                value(hasher, item);
            }
        }
        Json::Bool(value) => hasher.update(if *value { "t" } else { "f" }),
        Json::Float(number) => {
            hasher.update("d");
            hasher.update(number.to_bits().to_le_bytes());
        }
        Json::Int(number) => {
            hasher.update("i");
            hasher.update(number.to_le_bytes());
        }
        Json::Null => hasher.update("n"),
        Json::Object(members) => object(hasher, members),
        Json::String(string) => text(hasher, string),
    }
}

fn object(hasher: &mut Sha256, members: &Object<'_>) {
    let present = members
        .iter()
        .filter(|(_, json)| !matches!(json, Json::Null));
    let mut present: Vec<_> = present.collect();
    present.sort_unstable_by_key(|(key, _)| *key);
    hasher.update("o");
    hasher.update(present.len().to_le_bytes());
    for (key, json) in present {
        text(hasher, key);
        value(hasher, json);
    }
}

fn text(hasher: &mut Sha256, string: &str) {
    hasher.update("s");
    hasher.update(string.len().to_le_bytes());
    hasher.update(string);
}
