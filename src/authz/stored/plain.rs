//! Entities as nearly all are written, read without a detour through Cedar's own reader.
//!
//! What is read here, Cedar reads the same and finds to fit the schema. Whatever is written in another
//! way, or is wrong, is left to Cedar: it takes it, or says what is the matter.

use smol_str::SmolStr;

use crate::authz::{
    Json, Object,
    schema::{Attribute, SchemaModel, ValueType},
    symbols::{Name, Symbols, TypeId, Uid},
    value::{Elements, Entity, Fields, Uids, Value},
};

/// Keys that make an object something else than a record.
const ESCAPES: [&str; 3] = ["__entity", "__expr", "__extn"];

/// The entity, with the parents it states; `None` if that is for Cedar to say.
pub(super) fn read(
    json: &Json<'_>,
    schema: Option<&SchemaModel>,
    symbols: &mut Symbols<'_>,
) -> Option<(Uid, Entity)> {
    let object = json.as_object()?;
    let known = |key: &str| matches!(key, "attrs" | "parents" | "uid");
    if !object.iter().all(|(key, _)| known(key)) {
        return None;
    }
    let mut reader = Reader { schema, symbols };
    let uid = reader.uid(object.get("uid")?)?;
    // Of actions more is asked.
    let kind = reader.symbols.type_text(reader.symbols.kind(uid));
    if kind.rsplit("::").next() == Some("Action") {
        return None;
    }
    let stated = object.get("attrs")?.as_object()?;
    let declared = match schema {
        Some(schema) => Some(schema.entity_type(reader.symbols.kind(uid))?),
        None => None,
    };
    let attributes = match declared {
        Some(declared) => reader.declared(stated, &declared.shape.attributes)?,
        None => reader.record(stated)?,
    };
    let parents = object.get("parents")?.as_array()?.iter();
    let parents: Uids = parents
        .map(|parent| reader.uid(parent))
        .collect::<Option<_>>()?;
    let fits = |parent| declared.is_none_or(|it| it.above.contains(&reader.symbols.kind(parent)));
    if !parents.iter().all(fits) {
        return None;
    }
    let entity = Entity {
        attributes,
        parents,
        ..Entity::default()
    };
    Some((uid, entity))
}

struct Reader<'r, 's> {
    schema: Option<&'r SchemaModel>,
    symbols: &'r mut Symbols<'s>,
}

impl Reader<'_, '_> {
    /// A uid, bare or in `__entity`, of a type that is known already.
    fn uid(&mut self, json: &Json<'_>) -> Option<Uid> {
        let object = json.as_object()?;
        let object = match object.get("__entity") {
            Some(inner) if object.len() == 1 => inner.as_object()?,
            Some(_) => return None,
            None => object,
        };
        if object.len() != 2 {
            return None;
        }
        let part = |key| object.get(key).and_then(Json::as_str);
        let kind = self.symbols.find_type(part("type")?)?;
        self.chosen(kind, part("id")?)
    }

    /// The entity with this id, if its type has it.
    fn chosen(&mut self, kind: TypeId, id: &str) -> Option<Uid> {
        if let Some(schema) = self.schema {
            let choices = &schema.entity_type(kind)?.choices;
            if !choices.is_empty() && choices.iter().all(|choice| choice != id) {
                return None;
            }
        }
        Some(self.symbols.uid(kind, id))
    }

    /// What a type or a record declares: all that is required, and nothing else.
    fn declared(&mut self, stated: &Object<'_>, declared: &[Attribute]) -> Option<Fields> {
        let mut fields = Vec::with_capacity(stated.len());
        let mut required = 0;
        for (key, json) in stated.iter() {
            let attribute = declared.iter().find(|attribute| attribute.text == key)?;
            fields.push((attribute.name, self.of_type(json, &attribute.value)?));
            required += usize::from(attribute.required);
        }
        let all = declared.iter().filter(|attribute| attribute.required);
        (required == all.count()).then(|| Fields::of(fields))
    }

    fn of_type(&mut self, json: &Json<'_>, expected: &ValueType) -> Option<Value> {
        match (expected, json) {
            (ValueType::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
            (ValueType::Long, Json::Int(value)) => Some(Value::Long(*value)),
            (ValueType::String, Json::String(value)) => Some(Value::String(SmolStr::new(value))),
            (ValueType::Entity(kind, _), Json::Object(_)) => {
                let uid = self.uid(json)?;
                (self.symbols.kind(uid) == *kind).then_some(Value::Entity(uid))
            }
            (ValueType::Set(element), Json::Array(items)) => {
                let items = items.iter().map(|item| self.of_type(item, element));
                Some(Value::Set(Elements::of(items.collect::<Option<_>>()?)))
            }
            (ValueType::Record(attributes), Json::Object(object)) => {
                self.declared(object, attributes).map(Value::Record)
            }
            _ => None,
        }
    }

    /// A record as it stands.
    fn record(&mut self, stated: &Object<'_>) -> Option<Fields> {
        let fields = stated
            .iter()
            .map(|(key, json)| Some((self.name(key), self.value(json)?)));
        fields.collect::<Option<_>>().map(Fields::of)
    }

    fn name(&mut self, key: &str) -> Name {
        self.symbols.name(key)
    }

    /// A value as it stands.
    fn value(&mut self, json: &Json<'_>) -> Option<Value> {
        match json {
            Json::Bool(value) => Some(Value::Bool(*value)),
            Json::Int(value) => Some(Value::Long(*value)),
            Json::String(value) => Some(Value::String(SmolStr::new(value))),
            Json::Array(items) => {
                let items = items.iter().map(|item| self.value(item));
                Some(Value::Set(Elements::of(items.collect::<Option<_>>()?)))
            }
            Json::Object(object) if object.get("__entity").is_some() => {
                self.uid(json).map(Value::Entity)
            }
            Json::Object(object) if ESCAPES.iter().all(|key| object.get(key).is_none()) => {
                self.record(object).map(Value::Record)
            }
            Json::Float(_) | Json::Null | Json::Object(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
