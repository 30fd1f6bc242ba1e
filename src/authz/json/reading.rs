//! Reading a text: value by value, as deep as it may be nested, and no key twice.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::de::Read;

use crate::authz::steps::step;

use super::{Json, JsonError, Object};

/// Reads a whole text.
pub(super) fn read<'a, R: Read<'a>>(text: R, max_depth: usize) -> Result<Json<'a>, JsonError> {
    let mut deserializer = serde_json::Deserializer::new(text);
    let seed = Nested {
        left: max_depth,
        max_depth,
    };
    seed.deserialize(&mut deserializer)
        .and_then(|json| deserializer.end().map(|()| json))
        .map_err(|error| JsonError::from_serde(&error))
}

impl JsonError {
    fn from_serde(error: &serde_json::Error) -> Self {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let text = error.to_string();
        Self {
            message: text.strip_suffix(&place).unwrap_or(&text).to_owned(),
            line: error.line(),
            column: error.column(),
        }
    }
}

/// Deserializes one value that may be nested `left` levels further.
#[derive(Clone, Copy)]
struct Nested {
    left: usize,
    max_depth: usize,
}

impl Nested {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| {
            E::custom(format_args!("nested deeper than {} levels", self.max_depth))
        })?;
        Ok(Self { left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        // A float cannot hold every u64, but it only has to say "not a Long" here.
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            step();
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let inner = self.inner()?;
        let mut entries: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        let mut seen = Seen::default();
        while let Some(key) = map.next_key_seed(Key)? {
            step();
            if !seen.is_first(&entries, &key) {
                return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
            }
            entries.push((key, map.next_value_seed(inner)?));
        }
        Ok(Json::Object(Object(entries)))
    }
}

/// Tells whether a key is new. Small objects, nearly all of them, need no set.
#[derive(Default)]
struct Seen<'de>(Option<std::collections::HashSet<Cow<'de, str>>>);

impl<'de> Seen<'de> {
    /// Objects up to this many keys are searched key by key.
    const SMALL: usize = 16;

    fn is_first(&mut self, entries: &[(Cow<'de, str>, Json<'de>)], key: &str) -> bool {
        if entries.len() < Self::SMALL {
            return entries.iter().all(|(name, _)| name != key);
        }
        self.0
            .get_or_insert_with(|| entries.iter().map(|(name, _)| name.clone()).collect())
            .insert(Cow::Owned(key.to_owned()))
    }
}

/// Deserializes an object key without copying where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
