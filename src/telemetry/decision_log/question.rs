//! What was asked, in the shape in which its caller asked it, and what of that may be written.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::authz::{CedarQuery, Json, Object, RawEntity, RawQuery};

/// Longest text of a caller's that a record holds: a longer one is cut, and ends in `…`. Ids have a
/// few dozen bytes, and a record should not be as long as a caller likes.
const MAX_TEXT: usize = 1024;

/// The context key that stands for the properties of an action.
const ACTION_PROPERTIES: &str = "action_properties";

/// A question as it was asked.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// Types, ids and properties.
    AuthZen(&'a RawQuery<'a>),
    /// Cedar's uids, and the entities that came with the call.
    Cedar {
        /// The question itself.
        query: &'a CedarQuery<'a>,
        /// What stands in the store's place.
        entities: Option<&'a Json<'a>>,
        /// What stands beside it.
        additional: Option<&'a Json<'a>>,
    },
}

impl Question<'_> {
    /// Principal, action and resource as uids in Cedar's syntax.
    pub(super) fn uids(&self) -> [String; 3] {
        match self {
            Self::AuthZen(raw) => [
                uid(raw.principal.type_name, raw.principal.id),
                uid("Action", raw.action.name),
                uid(raw.resource.type_name, raw.resource.id),
            ],
            Self::Cedar { query, .. } => query.uids().map(|it| shortened(&it)),
        }
    }

    /// The values of these keys of the context.
    pub(super) fn context<'k>(&self, keys: &'k [String]) -> BTreeMap<&'k str, Value> {
        let known = |key: &'k String| Some((key.as_str(), self.of_context(key)?));
        keys.iter().filter_map(known).collect()
    }

    fn of_context(&self, key: &str) -> Option<Value> {
        match self {
            // A caller's own key of that name is ignored.
            Self::AuthZen(raw) if key == ACTION_PROPERTIES => raw.action.properties.map(object),
            Self::AuthZen(raw) => raw.context?.get(key).map(Json::to_value),
            Self::Cedar { query, .. } => {
                let context = query.context.and_then(Json::as_object)?;
                context.get(key).map(Json::to_value)
            }
        }
    }

    /// The properties and entities that came along: what Cedar's shape calls `entities`, and
    /// `additional_entities`.
    pub(super) fn entities(&self) -> [Option<Value>; 2] {
        match self {
            Self::AuthZen(raw) => {
                let with = [raw.principal, raw.resource];
                let with: Vec<Value> = with.iter().filter_map(with_properties).collect();
                [(!with.is_empty()).then(|| with.into()), None]
            }
            Self::Cedar {
                entities,
                additional,
                ..
            } => [*entities, *additional].map(|it| it.map(Json::to_value)),
        }
    }
}

fn with_properties(entity: &RawEntity<'_>) -> Option<Value> {
    let properties = entity.properties.map(object)?;
    let uid = json!({"type": entity.type_name, "id": entity.id});
    Some(json!({"uid": uid, "attrs": properties}))
}

fn object(object: &Object<'_>) -> Value {
    let pairs = object.iter();
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_value()))
        .collect()
}

/// A uid in Cedar's syntax, also of a type that is none.
fn uid(kind: &str, id: &str) -> String {
    // As nearly all are, which need no escapes.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'\'');
    if kind.len().max(id.len()) <= MAX_TEXT && id.bytes().all(is_plain) {
        return [kind, "::\"", id, "\""].concat();
    }
    let (kind, id) = (shortened(kind), shortened(id));
    format!("{kind}::\"{}\"", id.escape_debug())
}

/// A caller's text, cut if it is long.
pub(super) fn shortened(text: &str) -> String {
    match text.get(..text.floor_char_boundary(MAX_TEXT)) {
        Some(head) if head.len() < text.len() => format!("{head}…"),
        _ => text.to_owned(),
    }
}
