//! From a caller's JSON to Cedar values, by the declared type or, without one, as it stands.

use std::fmt;

use cedar_policy::RestrictedExpression;
use smol_str::SmolStr;

use super::{
    Json, Object, engine,
    notes::Path,
    schema::{Attribute, ValueType},
    steps::step,
    symbols::{Symbols, TypeId, Uid},
    value::{Elements, Fields, Value},
};

/// What comes up while values are read: other entities, and what had to be left out.
pub(super) trait Sink<'s, 'a> {
    /// What gives uids and names their numbers.
    fn symbols(&mut self) -> &mut Symbols<'s>;

    /// An entity was named, maybe under an alias, maybe with properties of its own.
    fn entity(&mut self, uid: Uid, properties: Option<&'a Object<'a>>) -> Uid;

    /// What stands at the path was left out, because of what it is.
    fn note(&mut self, path: Path<'_>, what: fmt::Arguments<'_>);
}

/// Reads a value as the declared type; `None`, with a note, if it is not of that type.
pub(super) fn declared<'s, 'a>(
    json: &'a Json<'a>,
    value: &ValueType,
    path: Path<'_>,
    sink: &mut dyn Sink<'s, 'a>,
) -> Option<Value> {
    step();
    let read = match (value, json) {
        (ValueType::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
        (ValueType::Long, Json::Int(value)) => Some(Value::Long(*value)),
        (ValueType::String, Json::String(value)) => Some(Value::String(SmolStr::new(value))),
        (ValueType::Entity(kind, choices), json) => {
            return match entity(json, *kind, choices, sink.symbols()) {
                Ok((uid, properties)) => Some(Value::Entity(sink.entity(uid, properties))),
                Err(why) => {
                    sink.note(path, format_args!("{why}: left out"));
                    None
                }
            };
        }
        (ValueType::Extension(name), json) => {
            extension(name, json).and_then(|it| engine::value_of(it, sink.symbols()))
        }
        (ValueType::Set(element), Json::Array(items)) => {
            return set(items, element, path, sink);
        }
        (ValueType::Record(attributes), Json::Object(object)) => {
            return record(object, attributes, path, sink);
        }
        _ => None,
    };
    if read.is_none() {
        let expected = describe(value, sink.symbols());
        sink.note(path, format_args!("is not {expected}: left out"));
    }
    read
}

/// [`declared`] for an object that is not a JSON value of its own.
pub(super) fn declared_object<'s, 'a>(
    object: &'a Object<'a>,
    value: &ValueType,
    path: Path<'_>,
    sink: &mut dyn Sink<'s, 'a>,
) -> Option<Value> {
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
pub(super) fn literal<'s, 'a>(
    json: &'a Json<'a>,
    path: Path<'_>,
    sink: &mut dyn Sink<'s, 'a>,
) -> Option<Value> {
    step();
    match json {
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Int(value) => Some(Value::Long(*value)),
        Json::String(value) => Some(Value::String(SmolStr::new(value))),
        Json::Null => None,
        Json::Float(_) => {
            sink.note(
                path,
                format_args!("is a number that Cedar cannot hold: left out"),
            );
            None
        }
        Json::Array(items) => {
            let mut values = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                values.extend(literal(item, Path::Element(&path, index), sink));
            }
            Some(Value::Set(Elements::of(values)))
        }
        Json::Object(object) => {
            let mut fields = Vec::new();
            for (key, value) in object.iter() {
                let value = literal(value, Path::Key(&path, key), sink);
                fields.extend(value.map(|value| (sink.symbols().name(key), value)));
            }
            Some(Value::Record(Fields::of(fields)))
        }
    }
}

fn set<'s, 'a>(
    items: &'a [Json<'a>],
    element: &ValueType,
    path: Path<'_>,
    sink: &mut dyn Sink<'s, 'a>,
) -> Option<Value> {
    let mut values = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if !matches!(item, Json::Null) {
            values.push(declared(item, element, Path::Element(&path, index), sink)?);
        }
    }
    Some(Value::Set(Elements::of(values)))
}

fn record<'s, 'a>(
    object: &'a Object<'a>,
    attributes: &[Attribute],
    path: Path<'_>,
    sink: &mut dyn Sink<'s, 'a>,
) -> Option<Value> {
    let mut fields = Vec::new();
    for (key, json) in object.iter() {
        step();
        let path = Path::Key(&path, key);
        let Some(attribute) = attributes.iter().find(|attribute| attribute.text == key) else {
            sink.note(path, format_args!("is not declared: left out"));
            continue;
        };
        if !matches!(json, Json::Null)
            && let Some(value) = declared(json, &attribute.value, path, sink)
        {
            fields.push((attribute.name, value));
        }
    }
    let is_missing = |attribute: &&Attribute| {
        attribute.required && fields.iter().all(|(name, _)| *name != attribute.name)
    };
    if let Some(missing) = attributes.iter().find(is_missing) {
        let whole = path.shown(sink.symbols()).to_string();
        let path = Path::Key(&path, &missing.text);
        sink.note(path, format_args!("is required: `{whole}` is left out"));
        return None;
    }
    Some(Value::Record(Fields::of(fields)))
}

/// An entity reference: a plain id, `{"type","id"}` or `{"__entity":{…}}`, with `properties` in it.
fn entity<'a>(
    json: &'a Json<'a>,
    expected: TypeId,
    choices: &[String],
    symbols: &mut Symbols<'_>,
) -> Result<(Uid, Option<&'a Object<'a>>), String> {
    let wrong_type = |symbols: &Symbols<'_>| {
        let expected = symbols.type_text(expected);
        format!("is not an entity of type `{expected}`")
    };
    let object = match json {
        Json::String(id) => return Ok((chosen(expected, id, choices, symbols)?, None)),
        Json::Object(object) => object,
        Json::Array(_) | Json::Bool(_) | Json::Float(_) | Json::Int(_) | Json::Null => {
            return Err(wrong_type(symbols));
        }
    };
    let inner = object
        .get("__entity")
        .and_then(Json::as_object)
        .unwrap_or(object);
    match inner.get("type") {
        None => {}
        Some(Json::String(name)) if *name == symbols.type_text(expected) => {}
        Some(_) => return Err(wrong_type(symbols)),
    }
    let id = inner.get("id").and_then(Json::as_str);
    let id = id.ok_or("names an entity without the string `id`")?;
    let properties = inner
        .non_null("properties")
        .or_else(|| object.non_null("properties"));
    Ok((
        chosen(expected, id, choices, symbols)?,
        properties.and_then(Json::as_object),
    ))
}

/// The entity with this id, if its type is not enumerated or has it.
fn chosen(
    kind: TypeId,
    id: &str,
    choices: &[String],
    symbols: &mut Symbols<'_>,
) -> Result<Uid, String> {
    if !choices.is_empty() && choices.iter().all(|choice| choice != id) {
        return Err(format!("is none of {}", choices.join(", ")));
    }
    Ok(symbols.uid(kind, id))
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
    Some(match name {
        "datetime" => RestrictedExpression::new_datetime(argument),
        "decimal" => RestrictedExpression::new_decimal(argument),
        "duration" => RestrictedExpression::new_duration(argument),
        "ipaddr" => RestrictedExpression::new_ip(argument),
        _ => return None,
    })
}

fn describe(value: &ValueType, symbols: &Symbols<'_>) -> String {
    match value {
        ValueType::Bool => "a boolean".to_owned(),
        ValueType::Entity(kind, _) => {
            format!("an entity of type `{}`", symbols.type_text(*kind))
        }
        ValueType::Extension(name) => format!("of type `{name}`"),
        ValueType::Long => "a whole number".to_owned(),
        ValueType::Record(_) => "an object".to_owned(),
        ValueType::Set(_) => "an array".to_owned(),
        ValueType::String => "a string".to_owned(),
        ValueType::Unknown => "of a type that JSON can give".to_owned(),
    }
}
