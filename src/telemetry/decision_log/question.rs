//! What was asked, in the shape in which its caller asked it, and what of that may be written.

use std::io;

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::value::RawValue;

use crate::authz::{CedarQuery, Json, Object, RawEntity, RawQuery};

/// Longest text of a caller's that a record holds: a longer one is cut, and ends in `…`. Ids have a
/// few dozen bytes, and a record should not be as long as a caller likes.
const MAX_TEXT: usize = 1024;

/// Most bytes that the context of a record may have, and its entities: more is left out. What a
/// question brings is bounded by the longest body, and the queue should hold more than a few of those.
const MAX_BROUGHT: usize = 16 << 10;

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
        /// Whether the record of an earlier question has those entities already, as they came once for
        /// several.
        recorded: bool,
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

    /// The values of these keys of the context; `None` if it has none of them.
    pub(super) fn context(&self, keys: &[String]) -> Option<Text> {
        let known = |key: &'_ String| Some((key.clone(), self.of_context(key)?));
        let said: Vec<(String, Shown<'_>)> = keys.iter().filter_map(known).collect();
        (!said.is_empty()).then(|| text(&Pairs(&said)))
    }

    fn of_context(&self, key: &str) -> Option<Shown<'_>> {
        match self {
            // A caller's own key of that name is ignored.
            Self::AuthZen(raw) if key == ACTION_PROPERTIES => {
                raw.action.properties.map(Shown::Object)
            }
            Self::AuthZen(raw) => raw.context?.get(key).map(Shown::Json),
            Self::Cedar { query, .. } => {
                let context = query.context.and_then(Json::as_object)?;
                context.get(key).map(Shown::Json)
            }
        }
    }

    /// The properties and entities that came along: what Cedar's shape calls `entities`, and
    /// `additional_entities`.
    pub(super) fn entities(&self) -> [Option<Text>; 2] {
        match self {
            Self::AuthZen(raw) => {
                let with = [raw.principal, raw.resource].into_iter();
                let with: Vec<Brought<'_>> = with.filter_map(Brought::of).collect();
                [(!with.is_empty()).then(|| text(&with)), None]
            }
            Self::Cedar {
                entities,
                additional,
                recorded,
                ..
            } => [*entities, *additional].map(|json| {
                let json = Shown::Json(json?);
                Some(if *recorded { Err(TooLong) } else { text(&json) })
            }),
        }
    }
}

/// JSON that a record holds, unless it is too long.
pub(super) type Text = Result<Box<RawValue>, TooLong>;

/// More than a record holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooLong;

/// What an AuthZEN question says of an entity, as Cedar writes entities.
#[derive(Serialize)]
struct Brought<'a> {
    uid: Named<'a>,
    attrs: Shown<'a>,
}

#[derive(Serialize)]
struct Named<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

impl<'a> Brought<'a> {
    fn of(entity: RawEntity<'a>) -> Option<Self> {
        Some(Self {
            uid: Named {
                kind: entity.type_name,
                id: entity.id,
            },
            attrs: Shown::Object(entity.properties?),
        })
    }
}

/// What a caller sent, as it is written.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Json(&'a Json<'a>),
    Object(&'a Object<'a>),
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = match *self {
            Self::Json(Json::Object(object)) | Self::Object(object) => {
                let mut map = serializer.serialize_map(None)?;
                for (key, value) in object.iter() {
                    map.serialize_entry(key, &Shown::Json(value))?;
                }
                return map.end();
            }
            Self::Json(json) => json,
        };
        match json {
            Json::Array(items) => serializer.collect_seq(items.iter().map(Shown::Json)),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Float(value) => serializer.serialize_f64(*value),
            Json::Int(value) => serializer.serialize_i64(*value),
            Json::String(text) => serializer.serialize_str(text),
            Json::Null | Json::Object(_) => serializer.serialize_unit(),
        }
    }
}

/// Keys with their values.
struct Pairs<'p, 'a>(&'p [(String, Shown<'a>)]);

impl Serialize for Pairs<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// The text of a value, made no further than a record holds it.
fn text(value: &impl Serialize) -> Text {
    let mut text = Limited(Vec::new());
    serde_json::to_writer(&mut text, value).map_err(|_| TooLong)?;
    let text = String::from_utf8(text.0).map_err(|_| TooLong)?;
    RawValue::from_string(text).map_err(|_| TooLong)
}

/// Takes no more than a record holds.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BROUGHT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
