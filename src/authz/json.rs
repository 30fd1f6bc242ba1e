//! JSON as callers send it: borrowed, bounded in depth, no duplicate keys.
//!
//! `serde_json::Value` keeps the last of two equal keys in silence, so that two parsers can read
//! two different questions out of one body. [`Json`] refuses such a text instead.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::de::{SliceRead, StrRead};

use super::steps::step;

mod reading;

use reading::read;

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
            Ok(text) => read(StrRead::new(text), max_depth),
            Err(_) => read(SliceRead::new(text), max_depth),
        }
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
