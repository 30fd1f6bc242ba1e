//! A question with all the data it is about, as `palisade decide` takes it, while it is made smaller
//! and readable.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Entities, Request};
use serde_json::{Map, Value, json};

use crate::authz::{schema::SchemaModel, symbols::Symbols, text};

/// Type and id.
pub(super) type Name = (String, String);

/// A question and its entities.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub(super) principal: Name,
    action: Name,
    pub(super) resource: Name,
    pub(super) context: Map<String, Value>,
    pub(super) entities: BTreeMap<Name, Entity>,
}

/// What is known of an entity; parents that the schema computes from attributes are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entity {
    pub(super) attributes: Map<String, Value>,
    pub(super) parents: BTreeSet<Name>,
    pub(super) tags: Map<String, Value>,
}

impl Question {
    /// The question a solver found. Nothing if a part of it is not known.
    pub(super) fn of(
        request: &Request,
        entities: &Entities,
        schema: &SchemaModel,
        symbols: &Symbols<'_>,
    ) -> Result<Self, String> {
        let uid = |uid: Option<&cedar_policy::EntityUid>| {
            let uid = uid.ok_or("the question has an open end")?;
            Ok::<Name, String>((uid.type_name().to_string(), uid.id().unescaped().to_owned()))
        };
        let context = request.context().map(|it| it.clone().to_json_value());
        let context = context.transpose().map_err(|error| text::chain(&error))?;
        let listed = entities.to_json_value().map_err(|e| text::chain(&e))?;
        let listed = listed.as_array().into_iter().flatten();
        let known = listed.filter_map(|json| Entity::read(json, schema, symbols));
        Ok(Self {
            principal: uid(request.principal())?,
            action: uid(request.action())?,
            resource: uid(request.resource())?,
            context: match context {
                Some(Value::Object(context)) => context,
                _ => Map::new(),
            },
            entities: known.collect(),
        })
    }

    /// As `palisade decide` takes it.
    pub(super) fn to_json(&self) -> Value {
        let entities: Vec<Value> = self.entities_json();
        json!({
            "principal": shown(&self.principal),
            "action": shown(&self.action),
            "resource": shown(&self.resource),
            "context": self.context,
            "entities": entities,
        })
    }

    /// The entities in Cedar's JSON form.
    pub(super) fn entities_json(&self) -> Vec<Value> {
        let named = |(kind, id): &Name| json!({"type": kind, "id": id});
        let entities = self.entities.iter();
        let entities = entities.map(|(name, entity)| {
            let parents: Vec<Value> = entity.parents.iter().map(named).collect();
            let mut json =
                json!({"uid": named(name), "attrs": entity.attributes, "parents": parents});
            if let (Some(object), false) = (json.as_object_mut(), entity.tags.is_empty()) {
                object.insert("tags".to_owned(), entity.tags.clone().into());
            }
            json
        });
        entities.collect()
    }

    /// What it asks, in a line.
    pub(super) fn summary(&self) -> String {
        let (_, action) = &self.action;
        let (principal, resource) = (shown(&self.principal), shown(&self.resource));
        format!("{principal} {action} {resource}")
    }

    /// The same with another name for an entity, which two may share afterwards.
    pub(super) fn renamed(&self, from: &Name, to: &Name) -> Self {
        let name = |name: &Name| {
            if name == from {
                to.clone()
            } else {
                name.clone()
            }
        };
        let record = |map: &Map<String, Value>| {
            let renamed = map.iter();
            let renamed = renamed.map(|(key, value)| (key.clone(), renamed_in(value, from, to)));
            renamed.collect::<Map<_, _>>()
        };
        let mut entities = BTreeMap::new();
        for (known, entity) in &self.entities {
            let entity = Entity {
                attributes: record(&entity.attributes),
                parents: entity.parents.iter().map(name).collect(),
                tags: record(&entity.tags),
            };
            // Of two that become one, the one that had the name stays.
            if known == from {
                entities.entry(to.clone()).or_insert(entity);
            } else {
                entities.insert(known.clone(), entity);
            }
        }
        Self {
            principal: name(&self.principal),
            action: self.action.clone(),
            resource: name(&self.resource),
            context: record(&self.context),
            entities,
        }
    }
}

impl Entity {
    /// Reads Cedar's JSON; nothing for an action or a value of an enumerated type.
    fn read(json: &Value, schema: &SchemaModel, symbols: &Symbols<'_>) -> Option<(Name, Self)> {
        let name = read_name(json.get("uid")?)?;
        let declared = schema.entity_type(schema.type_named(&name.0)?)?;
        if !declared.choices.is_empty() {
            return None;
        }
        let parents = json.get("parents").and_then(Value::as_array);
        let parents = parents.into_iter().flatten().filter_map(read_name);
        let computed = |(kind, _): &Name| {
            let kind = symbols.find_type(kind);
            kind.is_some_and(|kind| declared.parent_kinds.contains(&kind))
        };
        let record = |key: &str| {
            let record = json.get(key).and_then(Value::as_object);
            record.cloned().unwrap_or_default()
        };
        let entity = Self {
            attributes: record("attrs"),
            parents: parents.filter(|it| !computed(it)).collect(),
            tags: record("tags"),
        };
        Some((name, entity))
    }
}

/// `{"type", "id"}`, or the same below `__entity`.
fn read_name(json: &Value) -> Option<Name> {
    let json = json.get("__entity").unwrap_or(json);
    let part = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
    Some((part("type")?, part("id")?))
}

fn renamed_in(value: &Value, from: &Name, to: &Name) -> Value {
    match value {
        Value::Object(object) => match object.get("__entity").and_then(read_name) {
            Some(name) if name == *from => {
                json!({"__entity": {"type": to.0, "id": to.1}})
            }
            Some(_) => value.clone(),
            None => {
                let inner = object.iter();
                let inner = inner.map(|(key, it)| (key.clone(), renamed_in(it, from, to)));
                Value::Object(inner.collect())
            }
        },
        Value::Array(items) => {
            let mut renamed: Vec<Value> = Vec::new();
            for item in items.iter().map(|it| renamed_in(it, from, to)) {
                if !renamed.contains(&item) {
                    renamed.push(item);
                }
            }
            Value::Array(renamed)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// `Type::"id"`, with the escapes that JSON and Cedar have in common.
fn shown((kind, id): &Name) -> String {
    format!("{kind}::{}", Value::from(id.as_str()))
}
