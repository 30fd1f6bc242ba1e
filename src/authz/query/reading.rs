//! Reading a question that trusts nothing: what does not fit is left out and noted.

use cedar_policy::{Context, EntityUid, Request, RestrictedExpression};

use crate::authz::{
    Json, Object, Snapshot, coerce,
    engine::{self, Uid},
    hierarchy,
    inline::{Inline, MAX_ENTITIES},
    schema::{self, Shape},
    slice::Given,
    uids,
};

use super::{Evaluation, Query, RawEntity, RawQuery};

/// The context key that carries `action.properties`; a caller's own key of that name is ignored.
const ACTION_PROPERTIES: &str = "action_properties";

/// A question while it is read.
pub(super) struct Reading<'s, 'a> {
    snapshot: &'s Snapshot,
    inline: Inline,
    /// Properties still to be read, with the entity they are for.
    pending: Vec<(EntityUid, &'a Object<'a>)>,
    pub(super) diagnostics: Vec<String>,
}

impl<'s, 'a> Reading<'s, 'a> {
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            inline: Inline::default(),
            pending: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    pub(super) fn scope_entity(&mut self, what: &str, raw: &RawEntity<'a>) -> Option<EntityUid> {
        match uids::from_parts(raw.type_name, raw.id) {
            Ok(uid) => Some(coerce::Sink::entity(self, uid, raw.properties)),
            Err(why) => {
                self.diagnostics.push(format!("`{what}`: {why}: denied"));
                None
            }
        }
    }

    /// The context; `None`, with a diagnostic, if a declared key is missing or of the wrong type.
    pub(super) fn context(&mut self, action: &EntityUid, raw: &RawQuery<'a>) -> Option<Context> {
        let entries = raw.context.into_iter().flat_map(Object::iter);
        let own: Vec<(&str, &'a Json<'a>)> = entries
            .filter(|(key, value)| *key != ACTION_PROPERTIES && !matches!(value, Json::Null))
            .collect();
        let pairs = match self.snapshot.schema() {
            None => self.free_context(&own, raw),
            Some(schema) => {
                let empty = Shape::default();
                let shape = schema.context(action).unwrap_or(&empty);
                self.declared_context(&own, raw, shape)?
            }
        };
        Context::from_pairs(pairs)
            .map_err(|error| self.diagnostics.push(engine::chain(&error)))
            .ok()
    }

    fn free_context(
        &mut self,
        own: &[(&str, &'a Json<'a>)],
        raw: &RawQuery<'a>,
    ) -> Vec<(String, RestrictedExpression)> {
        let mut pairs = Vec::new();
        for (key, value) in own {
            let value = coerce::literal(value, &format!("context.{key}"), self);
            pairs.extend(value.map(|value| ((*key).to_owned(), value)));
        }
        if let Some(properties) = raw.action.properties {
            let mut fields = Vec::new();
            for (key, value) in properties.iter() {
                let value = coerce::literal(value, &format!("action.properties.{key}"), self);
                fields.extend(value.map(|value| (key.to_owned(), value)));
            }
            let record = RestrictedExpression::new_record(fields).ok();
            pairs.extend(record.map(|record| (ACTION_PROPERTIES.to_owned(), record)));
        }
        pairs
    }

    fn declared_context(
        &mut self,
        own: &[(&str, &'a Json<'a>)],
        raw: &RawQuery<'a>,
        shape: &Shape,
    ) -> Option<Vec<(String, RestrictedExpression)>> {
        let mut pairs = Vec::new();
        for (key, json) in own {
            let path = format!("context.{key}");
            let Some(attribute) = shape.attribute(key) else {
                self.diagnostics
                    .push(format!("`{path}` is not declared: left out"));
                continue;
            };
            let value = coerce::declared(json, &attribute.value, &path, self);
            pairs.push(((*key).to_owned(), self.or_deny(&path, value)?));
        }
        match (raw.action.properties, shape.attribute(ACTION_PROPERTIES)) {
            (Some(properties), Some(attribute)) => {
                let path = "action.properties";
                let value = coerce::declared_object(properties, &attribute.value, path, self);
                pairs.push((ACTION_PROPERTIES.to_owned(), self.or_deny(path, value)?));
            }
            (Some(_), None) => {
                let note = "`action.properties` is not declared for this action: left out";
                self.diagnostics.push(note.to_owned());
            }
            (None, _) => {}
        }
        let is_missing = |name: &str| pairs.iter().all(|(key, _)| key != name);
        let mut required = shape
            .attributes
            .iter()
            .filter(|attribute| attribute.required);
        if let Some(missing) = required.find(|attribute| is_missing(&attribute.name)) {
            let note = format!("`context.{}` is required: denied", missing.name);
            self.diagnostics.push(note);
            return None;
        }
        Some(pairs)
    }

    /// A declared context key of the wrong type makes the decision, whatever the policies say.
    fn or_deny<T>(&mut self, path: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.diagnostics
                .push(format!("`{path}` is of the wrong type: denied"));
        }
        value
    }

    /// Reads the properties of all entities named so far, and of those they name in turn.
    pub(super) fn properties(&mut self) -> Result<(), String> {
        let mut next = 0;
        while let Some((uid, properties)) = self.pending.get(next).cloned() {
            next += 1;
            if self.inline.len() >= MAX_ENTITIES {
                return Err(format!(
                    "more than {MAX_ENTITIES} entities with properties: denied"
                ));
            }
            if schema::is_held(self.snapshot.schema(), engine::uid(&uid)) {
                let note =
                    format!("properties of `{uid}` are ignored: only the store speaks for it");
                self.diagnostics.push(note);
                continue;
            }
            let attributes = self.attributes(&uid, properties);
            let base = self
                .inline
                .lookup(self.snapshot.stored(), engine::uid(&uid));
            match engine::overlay(&uid, attributes, base) {
                Ok(entity) => self.inline.insert(entity),
                Err(why) => self.diagnostics.push(why),
            }
        }
        self.adopt();
        Ok(())
    }

    fn attributes(
        &mut self,
        uid: &EntityUid,
        properties: &'a Object<'a>,
    ) -> Vec<(String, RestrictedExpression)> {
        let snapshot = self.snapshot;
        let declared = snapshot.schema().map(|schema| schema.type_of(uid));
        let mut attributes = Vec::new();
        for (key, json) in properties
            .iter()
            .filter(|(_, json)| !matches!(json, Json::Null))
        {
            let path = format!("{uid}.{key}");
            let value = match declared {
                None => coerce::literal(json, &path, self),
                Some(entity_type) => {
                    match entity_type.and_then(|entity_type| entity_type.shape.attribute(key)) {
                        Some(attribute) => coerce::declared(json, &attribute.value, &path, self),
                        None => {
                            self.diagnostics
                                .push(format!("`{path}` is not declared: left out"));
                            None
                        }
                    }
                }
            };
            attributes.extend(value.map(|value| (key.to_owned(), value)));
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
        for entity in self.inline.iter() {
            let Some(entity_type) = schema.core_type_of(entity.uid()) else {
                continue;
            };
            if entity_type.parents.is_empty() {
                continue;
            }
            let lookup = |uid: &Uid| self.inline.lookup(stored, uid);
            let parents = hierarchy::computed_parents(entity, entity_type, &lookup);
            let mut entity = entity.clone();
            hierarchy::replace_parents(&mut entity, &parents, entity_type);
            adopted.push(entity);
        }
        for entity in adopted {
            self.inline.insert(entity);
        }
    }

    pub(super) fn finish(
        mut self,
        request: Request,
        mentioned: impl IntoIterator<Item = Uid>,
    ) -> Query {
        let scope = [request.principal(), request.resource()];
        let scope = scope
            .into_iter()
            .flatten()
            .map(|uid| engine::uid(uid).clone());
        let roots: Vec<Uid> = scope.chain(mentioned).collect();
        let snapshot = self.snapshot;
        let action = request.action().cloned();
        let given = Given::new(std::mem::take(&mut self.inline), snapshot.stored());
        let sees = given.and_then(|given| snapshot.sees(&given, action.as_ref(), roots));
        let evaluation = match sees {
            Ok(entities) => Some(Evaluation { request, entities }),
            Err(why) => {
                self.diagnostics.push(why);
                None
            }
        };
        match action {
            Some(action) => Query::new(snapshot, &action, evaluation, self.diagnostics),
            None => Query::denied(self.diagnostics),
        }
    }
}

impl<'a> coerce::Sink<'a> for Reading<'_, 'a> {
    fn entity(&mut self, uid: EntityUid, properties: Option<&'a Object<'a>>) -> EntityUid {
        let uid = self.snapshot.resolve_alias(uid);
        if let Some(properties) = properties {
            self.pending.push((uid.clone(), properties));
        }
        uid
    }

    fn note(&mut self, message: String) {
        self.diagnostics.push(message);
    }
}
