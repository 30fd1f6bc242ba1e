//! JSON as callers send it: borrowed, bounded in depth, no duplicate keys.
//!
//! `serde_json::Value` keeps the last of two equal keys in silence, so that two parsers can read
//! two different questions out of one body. [`Json`] refuses such a text instead.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::de::{Read, SliceRead, StrRead};

use super::steps::step;

/// A JSON value that borrows its strings from the text where they have no escapes.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// A list.
    Array(Vec<Self>),
    /// `true` or `false`.
    Bool(bool),
    /// A number with a fraction or an exponent, or one beyond the range of `i64`.
    Float(f64),
    /// A whole number that fits Cedar's `Long`.
    Int(i64),
    /// `null`.
    Null,
    /// An object; keys are unique.
    Object(Object<'a>),
    /// A string.
    String(Cow<'a, str>),
}

/// A JSON object in the order of the text; keys are unique.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// Why a text is not JSON that we take, with the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line} column {column}")]
pub struct JsonError {
    /// What is wrong.
    pub message: String,
    /// Line, counted from 1; 0 if unknown.
    pub line: usize,
    /// Column in bytes, counted from 1; 0 if unknown.
    pub column: usize,
}

impl<'a> Json<'a> {
    /// Parses a whole text. Values may be nested at most `max_depth` deep (a scalar is depth 0), and
    /// never more than the 127 levels of `serde_json`.
    ///
    /// # Errors
    /// Malformed JSON, a lone surrogate, invalid UTF-8, a duplicate key, too much nesting.
    pub fn parse(text: &'a [u8], max_depth: usize) -> Result<Self, JsonError> {
        // Checked once and not string by string. What is not UTF-8 has a place, which the reader of
        // bytes tells.
        match str::from_utf8(text) {
            Ok(text) => Self::read(StrRead::new(text), max_depth),
            Err(_) => Self::read(SliceRead::new(text), max_depth),
        }
    }

    fn read<R: Read<'a>>(text: R, max_depth: usize) -> Result<Self, JsonError> {
        let mut deserializer = serde_json::Deserializer::new(text);
        let seed = Nested {
            left: max_depth,
            max_depth,
        };
        seed.deserialize(&mut deserializer)
            .and_then(|json| deserializer.end().map(|()| json))
            .map_err(|error| JsonError::from_serde(&error))
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        if let Self::Object(object) = self {
            Some(object)
        } else {
            None
        }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(string) = self {
            Some(string)
        } else {
            None
        }
    }

    /// The list, if it is one.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self {
            Some(items)
        } else {
            None
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The kind of value, with its article, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Array(_) => "an array",
            Self::Bool(_) => "a boolean",
            Self::Float(_) | Self::Int(_) => "a number",
            Self::Null => "null",
            Self::Object(_) => "an object",
            Self::String(_) => "a string",
        }
    }

    /// How many values it is made of, itself counted.
    pub fn values(&self) -> usize {
        self.all().count()
    }

    /// What to say of a number in it that Cedar does not have, if there is one.
    pub(super) fn no_long(&self) -> Option<&'static str> {
        let is_float = |json: &Self| matches!(json, Self::Float(_));
        let found = self.all().any(is_float);
        found.then_some("numbers must be whole and fit into 64 bits")
    }

    fn all(&self) -> impl Iterator<Item = &Self> {
        let mut left = vec![self];
        std::iter::from_fn(move || {
            step();
            let json = left.pop()?;
            match json {
                Self::Array(items) => left.extend(items),
                Self::Object(object) => left.extend(object.iter().map(|(_, value)| value)),
                Self::Bool(_) | Self::Float(_) | Self::Int(_) | Self::Null | Self::String(_) => {}
            }
            Some(json)
        })
    }

    /// The same value for libraries that take `serde_json`'s type.
    pub fn to_value(&self) -> serde_json::Value {
        step();
        match self {
            Self::Array(items) => items.iter().map(Self::to_value).collect(),
            Self::Bool(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Null => serde_json::Value::Null,
            Self::Object(object) => serde_json::Value::Object(
                object
                    .iter()
                    .map(|(key, value)| (key.to_owned(), value.to_value()))
                    .collect(),
            ),
            Self::String(string) => string.as_ref().into(),
        }
    }
}

impl<'a> Object<'a> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        self.0
            .iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The value of a key, where `null` counts as absent.
    pub fn non_null(&self, key: &str) -> Option<&Json<'a>> {
        self.get(key).filter(|value| !matches!(value, Json::Null))
    }

    /// The object without one key.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| name != key)
                .cloned()
                .collect(),
        )
    }

    /// Keys and values in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> From<BTreeMap<Cow<'a, str>, Json<'a>>> for Object<'a> {
    fn from(pairs: BTreeMap<Cow<'a, str>, Json<'a>>) -> Self {
        Self(pairs.into_iter().collect())
    }
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
