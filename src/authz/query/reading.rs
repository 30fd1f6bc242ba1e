//! Reading a question that trusts nothing: what does not fit is left out and noted.

use std::fmt;

use crate::authz::{
    Json, Object, Snapshot, coerce, hierarchy,
    inline::{Inline, MAX_ENTITIES},
    notes::{self, Diagnostics, Notes, Path},
    schema::{self, Shape},
    steps::step,
    symbols::{Name, Symbols, Uid},
    value::{Entity, Fields, Value},
    world::Given,
};

use super::{Asked, Evaluation, Query, RawEntity, RawQuery, Seen};

/// The context key that carries `action.properties`; a caller's own key of that name is ignored.
const ACTION_PROPERTIES: &str = "action_properties";

const CONTEXT: Path<'_> = Path::Part("context");
const PROPERTIES: Path<'_> = Path::Part("action.properties");

/// A question while it is read.
pub(in crate::authz) struct Reading<'s, 'a> {
    snapshot: &'s Snapshot,
    symbols: Symbols<'s>,
    inline: Inline,
    /// Properties still to be read, with the entity they are for.
    pending: Vec<(Uid, &'a Object<'a>)>,
    notes: Notes,
}

impl<'s, 'a> Reading<'s, 'a> {
    pub(in crate::authz) fn new(snapshot: &'s Snapshot, diagnostics: Diagnostics) -> Self {
        Self {
            notes: Notes::new(diagnostics),
            ..Self::above(snapshot, &snapshot.symbols)
        }
    }

    /// A question whose uids and names may be known in a layer on top of the snapshot's.
    pub(in crate::authz) fn above(snapshot: &'s Snapshot, symbols: &'s Symbols<'s>) -> Self {
        Self {
            snapshot,
            symbols: Symbols::above(symbols),
            inline: Inline::default(),
            pending: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// Reads the whole question: what the policies are to be asked.
    ///
    /// # Errors
    /// It is denied whatever the policies say, as the notes tell; the action, if it got that far.
    pub(in crate::authz) fn read(&mut self, raw: &RawQuery<'a>) -> Result<Asked, Option<Uid>> {
        let principal = self.scope_entity("subject", &raw.principal);
        let resource = self.scope_entity("resource", &raw.resource);
        let action = self
            .snapshot
            .action_named(raw.action.name, &mut self.symbols);
        let (Some(principal), Some(resource), Some(action)) = (principal, resource, action) else {
            return Err(None);
        };
        let kinds = [principal, resource].map(|uid| self.symbols.kind(uid));
        let schema = self.snapshot.schema();
        if schema.and_then(|schema| schema.applies(action, kinds[0], kinds[1])) == Some(false) {
            let [principal, resource] = kinds.map(|kind| self.symbols.type_text(kind));
            self.notes.denied(format!(
                "`{}` does not apply to a `{principal}` and a `{resource}`: denied",
                self.symbols.show(action),
            ));
            return Err(Some(action));
        }
        let context = self.context(action, raw);
        let (Some(context), true) = (context, self.properties()) else {
            return Err(Some(action));
        };
        Ok(Asked {
            principal,
            action,
            resource,
            context: Value::Record(Fields::of(context)),
        })
    }

    /// What came along with the question, what it was numbered with, and what was odd about it.
    pub(in crate::authz) fn into_parts(self) -> (Inline, Symbols<'s>, Vec<String>) {
        (self.inline, self.symbols, self.notes.into_lines())
    }

    fn scope_entity(&mut self, what: &str, raw: &RawEntity<'a>) -> Option<Uid> {
        match self.symbols.read_uid(raw.type_name, raw.id) {
            Ok(uid) => Some(coerce::Sink::entity(self, uid, raw.properties)),
            Err(why) => {
                self.notes.denied(format!("`{what}`: {why}: denied"));
                None
            }
        }
    }

    /// The context; `None`, with a diagnostic, if a declared key is missing or of the wrong type.
    fn context(&mut self, action: Uid, raw: &RawQuery<'a>) -> Option<Vec<(Name, Value)>> {
        let entries = raw.context.into_iter().flat_map(Object::iter);
        let own = entries
            .filter(|(key, value)| *key != ACTION_PROPERTIES && !matches!(value, Json::Null));
        match self.snapshot.schema() {
            None => Some(self.free_context(own, raw)),
            Some(schema) => {
                let empty = Shape::default();
                let shape = schema.context(action).unwrap_or(&empty);
                self.declared_context(own, raw, shape)
            }
        }
    }

    fn free_context(
        &mut self,
        own: impl Iterator<Item = (&'a str, &'a Json<'a>)>,
        raw: &RawQuery<'a>,
    ) -> Vec<(Name, Value)> {
        let mut pairs = Vec::new();
        for (key, value) in own {
            let value = coerce::literal(value, Path::Key(&CONTEXT, key), self);
            pairs.extend(value.map(|value| (self.symbols.name(key), value)));
        }
        if let Some(properties) = raw.action.properties {
            let mut fields = Vec::new();
            for (key, value) in properties.iter() {
                let value = coerce::literal(value, Path::Key(&PROPERTIES, key), self);
                fields.extend(value.map(|value| (self.symbols.name(key), value)));
            }
            let name = self.symbols.name(ACTION_PROPERTIES);
            pairs.push((name, Value::Record(Fields::of(fields))));
        }
        pairs
    }

    fn declared_context(
        &mut self,
        own: impl Iterator<Item = (&'a str, &'a Json<'a>)>,
        raw: &RawQuery<'a>,
        shape: &Shape,
    ) -> Option<Vec<(Name, Value)>> {
        let mut pairs = Vec::new();
        for (key, json) in own {
            step();
            let path = Path::Key(&CONTEXT, key);
            let Some(attribute) = shape.attribute(key) else {
                self.undeclared(path);
                continue;
            };
            let value = coerce::declared(json, &attribute.value, path, self);
            pairs.push((attribute.name, self.or_deny(path, value)?));
        }
        match (raw.action.properties, shape.attribute(ACTION_PROPERTIES)) {
            (Some(properties), Some(attribute)) => {
                let value = coerce::declared_object(properties, &attribute.value, PROPERTIES, self);
                pairs.push((attribute.name, self.or_deny(PROPERTIES, value)?));
            }
            (Some(_), None) => self.undeclared(PROPERTIES),
            (None, _) => {}
        }
        let is_missing = |name: Name| pairs.iter().all(|(key, _)| *key != name);
        let mut required = shape
            .attributes
            .iter()
            .filter(|attribute| attribute.required);
        if let Some(missing) = required.find(|attribute| is_missing(attribute.name)) {
            self.notes
                .denied(format!("`context.{}` is required: denied", missing.text));
            return None;
        }
        Some(pairs)
    }

    /// A declared context key of the wrong type makes the decision, whatever the policies say.
    fn or_deny<T>(&mut self, path: Path<'_>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let path = path.shown(&self.symbols);
            self.notes
                .denied(format!("`{path}` is of the wrong type: denied"));
        }
        value
    }

    fn undeclared(&mut self, path: Path<'_>) {
        coerce::Sink::note(self, path, format_args!("is not declared: left out"));
    }

    /// Reads the properties of all entities named so far, and of those they name in turn.
    /// Returns whether the question can still be asked.
    fn properties(&mut self) -> bool {
        let mut next = 0;
        while let Some((uid, properties)) = self.pending.get(next).copied() {
            next += 1;
            if next > MAX_ENTITIES {
                let reason = format!("more than {MAX_ENTITIES} entities with properties: denied");
                self.notes.denied(reason);
                return false;
            }
            if schema::is_held(self.snapshot.schema(), self.symbols.kind(uid)) {
                self.notes.left_out(format_args!(
                    "properties of `{}` are ignored: only the store speaks for it",
                    notes::entity(uid, &self.symbols)
                ));
                continue;
            }
            if self.inline.get(uid).is_some() {
                self.notes.left_out(format_args!(
                    "`{}` is described more than once: the first description counts",
                    notes::entity(uid, &self.symbols)
                ));
                continue;
            }
            let mut attributes = self.attributes(uid, properties);
            let base = self.inline.kept(self.snapshot.stored(), uid);
            let entity = match base {
                None => Entity::default(),
                Some(base) => {
                    // What the question says comes first, and counts.
                    let stored = base.attributes.iter();
                    attributes.extend(stored.map(|(name, value)| (name, value.clone())));
                    Entity {
                        tags: base.tags.clone(),
                        parents: base.parents.clone(),
                        ..Entity::default()
                    }
                }
            };
            let entity = Entity {
                attributes: Fields::of(attributes),
                ..entity
            };
            self.inline.insert(uid, entity);
        }
        self.adopt();
        true
    }

    fn attributes(&mut self, uid: Uid, properties: &'a Object<'a>) -> Vec<(Name, Value)> {
        let snapshot = self.snapshot;
        let kind = self.symbols.kind(uid);
        let declared = snapshot.schema().map(|schema| schema.entity_type(kind));
        let mut attributes = Vec::new();
        for (key, json) in properties
            .iter()
            .filter(|(_, json)| !matches!(json, Json::Null))
        {
            step();
            let path = Path::Attribute(uid, key);
            let Some(entity_type) = declared else {
                let value = coerce::literal(json, path, self);
                attributes.extend(value.map(|value| (self.symbols.name(key), value)));
                continue;
            };
            match entity_type.and_then(|entity_type| entity_type.shape.attribute(key)) {
                Some(attribute) => {
                    let value = coerce::declared(json, &attribute.value, path, self);
                    attributes.extend(value.map(|value| (attribute.name, value)));
                }
                None => self.undeclared(path),
            }
        }
        attributes
    }

    /// Gives the entities that came along the parents their attributes name.
    fn adopt(&mut self) {
        let Some(schema) = self.snapshot.schema() else {
            return;
        };
        let stored = self.snapshot.stored();
        let mut adopted = Vec::new();
        for (uid, entity) in self.inline.iter() {
            let entity_type = schema.entity_type(self.symbols.kind(uid));
            let Some(entity_type) = entity_type.filter(|it| !it.parents.is_empty()) else {
                continue;
            };
            let lookup = |uid| self.inline.lookup(stored, uid);
            let parents = hierarchy::computed_parents(entity, entity_type, &lookup);
            adopted.push((uid, entity_type, parents));
        }
        for (uid, entity_type, parents) in adopted {
            if let Some(entity) = self.inline.get_mut(uid) {
                hierarchy::replace_parents(entity, &parents, entity_type, &self.symbols);
            }
        }
    }

    /// The query, with what it sees of the store and of what came along.
    pub(in crate::authz) fn finish(mut self, asked: Asked) -> Query<'s> {
        let snapshot = self.snapshot;
        let action = asked.action;
        let inline = std::mem::take(&mut self.inline);
        let symbols = &self.symbols;
        let given = Given::new(inline, snapshot.stored(), snapshot.schema(), symbols);
        let whole = given.and_then(|given| match snapshot.missing(&asked, &given, symbols) {
            Some(missing) => Err(super::not_stored(missing, symbols)),
            None => Ok(given),
        });
        let evaluation = match whole {
            Err(why) => {
                self.notes.denied(why);
                None
            }
            Ok(given) => Some(Evaluation {
                asked,
                symbols: self.symbols,
                given: Seen::Own(given),
            }),
        };
        Query::new(snapshot, Some(action), evaluation, self.notes.into_lines())
    }

    /// The question is denied before evaluation, as the notes say.
    pub(in crate::authz) fn denied(self, action: Option<Uid>) -> Query<'s> {
        Query::new(self.snapshot, action, None, self.notes.into_lines())
    }
}

impl<'s, 'a> coerce::Sink<'s, 'a> for Reading<'s, 'a> {
    fn symbols(&mut self) -> &mut Symbols<'s> {
        &mut self.symbols
    }

    fn entity(&mut self, uid: Uid, properties: Option<&'a Object<'a>>) -> Uid {
        let uid = self.snapshot.resolve_alias(uid);
        if let Some(properties) = properties {
            self.pending.push((uid, properties));
        }
        uid
    }

    fn note(&mut self, path: Path<'_>, what: fmt::Arguments<'_>) {
        let path = path.shown(&self.symbols);
        self.notes.left_out(format_args!("`{path}` {what}"));
    }
}
