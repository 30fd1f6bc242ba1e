//! From a caller's JSON to Cedar values, by the declared type or, without one, as it stands.

use std::fmt;

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression};

use super::{
    Json, Object,
    notes::Path,
    schema::{Attribute, ValueType},
};

/// What comes up while values are read: other entities, and what had to be left out.
pub(super) trait Sink<'a> {
    /// An entity was named, maybe under an alias, maybe with properties of its own.
    fn entity(&mut self, uid: EntityUid, properties: Option<&'a Object<'a>>) -> EntityUid;

    /// Something was left out.
    fn note(&mut self, note: fmt::Arguments<'_>);
}

/// Reads a value as the declared type; `None`, with a note, if it is not of that type.
pub(super) fn declared<'a>(
    json: &'a Json<'a>,
    value: &ValueType,
    path: Path<'_>,
    sink: &mut dyn Sink<'a>,
) -> Option<RestrictedExpression> {
    let read = match (value, json) {
        (ValueType::Bool, Json::Bool(value)) => Some(RestrictedExpression::new_bool(*value)),
        (ValueType::Long, Json::Int(value)) => Some(RestrictedExpression::new_long(*value)),
        (ValueType::String, Json::String(value)) => {
            Some(RestrictedExpression::new_string(value.to_string()))
        }
        (ValueType::Entity(name, choices), json) => {
            let (uid, properties) = entity(json, name, choices)
                .map_err(|why| sink.note(format_args!("`{path}` {why}: left out")))
                .ok()?;
            return Some(RestrictedExpression::new_entity_uid(
                sink.entity(uid, properties),
            ));
        }
        (ValueType::Extension(name), json) => extension(name, json),
        (ValueType::Set(element), Json::Array(items)) => {
            return set(items, element, path, sink);
        }
        (ValueType::Record(attributes), Json::Object(object)) => {
            return record(object, attributes, path, sink);
        }
        _ => None,
    };
    if read.is_none() {
        sink.note(format_args!(
            "`{path}` is not {}: left out",
            describe(value)
        ));
    }
    read
}

/// [`declared`] for an object that is not a JSON value of its own.
pub(super) fn declared_object<'a>(
    object: &'a Object<'a>,
    value: &ValueType,
    path: Path<'_>,
    sink: &mut dyn Sink<'a>,
) -> Option<RestrictedExpression> {
    match value {
        ValueType::Record(attributes) => record(object, attributes, path, sink),
        ValueType::Bool
        | ValueType::Entity(..)
        | ValueType::Extension(_)
        | ValueType::Long
        | ValueType::Set(_)
        | ValueType::String
        | ValueType::Unknown => None,
    }
}

/// Reads a value without a declared type. `null`s and numbers that are no `Long` are left out.
pub(super) fn literal<'a>(
    json: &'a Json<'a>,
    path: Path<'_>,
    sink: &mut dyn Sink<'a>,
) -> Option<RestrictedExpression> {
    match json {
        Json::Bool(value) => Some(RestrictedExpression::new_bool(*value)),
        Json::Int(value) => Some(RestrictedExpression::new_long(*value)),
        Json::String(value) => Some(RestrictedExpression::new_string(value.to_string())),
        Json::Null => None,
        Json::Float(_) => {
            sink.note(format_args!(
                "`{path}` is a number that Cedar cannot hold: left out"
            ));
            None
        }
        Json::Array(items) => {
            let mut values = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                values.extend(literal(item, Path::Element(&path, index), sink));
            }
            Some(RestrictedExpression::new_set(values))
        }
        Json::Object(object) => {
            let mut fields = Vec::new();
            for (key, value) in object.iter() {
                let value = literal(value, Path::Key(&path, key), sink);
                fields.extend(value.map(|value| (key.to_owned(), value)));
            }
            RestrictedExpression::new_record(fields).ok()
        }
    }
}

fn set<'a>(
    items: &'a [Json<'a>],
    element: &ValueType,
    path: Path<'_>,
    sink: &mut dyn Sink<'a>,
) -> Option<RestrictedExpression> {
    let mut values = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if !matches!(item, Json::Null) {
            values.push(declared(item, element, Path::Element(&path, index), sink)?);
        }
    }
    Some(RestrictedExpression::new_set(values))
}

fn record<'a>(
    object: &'a Object<'a>,
    attributes: &[Attribute],
    path: Path<'_>,
    sink: &mut dyn Sink<'a>,
) -> Option<RestrictedExpression> {
    let mut fields = Vec::new();
    for (key, json) in object.iter() {
        let path = Path::Key(&path, key);
        let Some(attribute) = attributes.iter().find(|attribute| attribute.name == key) else {
            sink.note(format_args!("`{path}` is not declared: left out"));
            continue;
        };
        if !matches!(json, Json::Null)
            && let Some(value) = declared(json, &attribute.value, path, sink)
        {
            fields.push((key.to_owned(), value));
        }
    }
    let is_missing = |attribute: &&Attribute| {
        attribute.required && fields.iter().all(|(key, _)| *key != attribute.name)
    };
    if let Some(missing) = attributes.iter().find(is_missing) {
        sink.note(format_args!(
            "`{path}.{}` is required: `{path}` is left out",
            missing.name
        ));
        return None;
    }
    RestrictedExpression::new_record(fields).ok()
}

/// An entity reference: a plain id, `{"type","id"}` or `{"__entity":{…}}`, with `properties` in it.
fn entity<'a>(
    json: &'a Json<'a>,
    expected: &EntityTypeName,
    choices: &[String],
) -> Result<(EntityUid, Option<&'a Object<'a>>), String> {
    let wrong_type = || format!("is not an entity of type `{expected}`");
    let object = match json {
        Json::String(id) => return Ok((chosen(expected, id, choices)?, None)),
        Json::Object(object) => object,
        Json::Array(_) | Json::Bool(_) | Json::Float(_) | Json::Int(_) | Json::Null => {
            return Err(wrong_type());
        }
    };
    let inner = object
        .get("__entity")
        .and_then(Json::as_object)
        .unwrap_or(object);
    match inner.get("type") {
        None => {}
        Some(Json::String(name)) if *name == expected.to_string() => {}
        Some(_) => return Err(wrong_type()),
    }
    let id = inner.get("id").and_then(Json::as_str);
    let id = id.ok_or("names an entity without the string `id`")?;
    let properties = inner
        .non_null("properties")
        .or_else(|| object.non_null("properties"));
    Ok((
        chosen(expected, id, choices)?,
        properties.and_then(Json::as_object),
    ))
}

/// The entity with this id, if its type is not enumerated or has it.
fn chosen(name: &EntityTypeName, id: &str, choices: &[String]) -> Result<EntityUid, String> {
    if !choices.is_empty() && choices.iter().all(|choice| choice != id) {
        return Err(format!("is none of {}", choices.join(", ")));
    }
    let id = EntityId::new(id);
    Ok(EntityUid::from_type_name_and_id(name.clone(), id))
}

/// An extension value: the text its constructor takes, a number for a decimal, or `__extn`.
fn extension(name: &str, json: &Json<'_>) -> Option<RestrictedExpression> {
    let object = json.as_object();
    let call = object
        .and_then(|object| object.get("__extn"))
        .and_then(Json::as_object);
    let argument = match (json, call) {
        (_, Some(call)) => call.get("arg")?.as_str()?.to_owned(),
        (Json::String(text), _) => text.to_string(),
        (Json::Int(number), _) if name == "decimal" => format!("{number}.0"),
        // A float without a fraction is written without a point, which a decimal must have.
        (Json::Float(number), _) if name == "decimal" => match number.to_string() {
            text if text.contains('.') => text,
            text => format!("{text}.0"),
        },
        _ => return None,
    };
    let value = match name {
        "datetime" => RestrictedExpression::new_datetime(argument),
        "decimal" => RestrictedExpression::new_decimal(argument),
        "duration" => RestrictedExpression::new_duration(argument),
        "ipaddr" => RestrictedExpression::new_ip(argument),
        _ => return None,
    };
    // The constructor runs only now: a text it refuses is a value of the wrong type.
    Context::from_pairs([(String::new(), value.clone())]).ok()?;
    Some(value)
}

fn describe(value: &ValueType) -> String {
    match value {
        ValueType::Bool => "a boolean".to_owned(),
        ValueType::Entity(name, _) => format!("an entity of type `{name}`"),
        ValueType::Extension(name) => format!("of type `{name}`"),
        ValueType::Long => "a whole number".to_owned(),
        ValueType::Record(_) => "an object".to_owned(),
        ValueType::Set(_) => "an array".to_owned(),
        ValueType::String => "a string".to_owned(),
        ValueType::Unknown => "of a type that JSON can give".to_owned(),
    }
}
