//! Reading a question that trusts nothing: what does not fit is left out and noted.

use std::{collections::HashSet, fmt};

use cedar_policy::{Context, EntityUid, Request, RestrictedExpression};

use crate::authz::{
    Json, Object, Snapshot, coerce,
    engine::{self, Uid},
    hierarchy,
    inline::{Inline, MAX_ENTITIES},
    notes::{Notes, Path},
    schema::{self, Shape},
    slice::Given,
    text, uids,
};

use super::{Evaluation, Query, RawEntity, RawQuery};

/// The context key that carries `action.properties`; a caller's own key of that name is ignored.
const ACTION_PROPERTIES: &str = "action_properties";

const CONTEXT: Path<'_> = Path::Part("context");
const PROPERTIES: Path<'_> = Path::Part("action.properties");

/// A question while it is read.
pub(in crate::authz) struct Reading<'s, 'a> {
    snapshot: &'s Snapshot,
    inline: Inline,
    /// Properties still to be read, with the entity they are for.
    pending: Vec<(EntityUid, &'a Object<'a>)>,
    notes: Notes,
}

impl<'s, 'a> Reading<'s, 'a> {
    pub(in crate::authz) fn new(snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            inline: Inline::default(),
            pending: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// Reads the whole question: what the policies are to be asked, and the entities its context
    /// names.
    ///
    /// # Errors
    /// It is denied whatever the policies say, as the notes tell; the action, if it got that far.
    pub(in crate::authz) fn read(
        &mut self,
        raw: &RawQuery<'a>,
    ) -> Result<(Request, HashSet<Uid>), Option<EntityUid>> {
        let principal = self.scope_entity("subject", &raw.principal);
        let resource = self.scope_entity("resource", &raw.resource);
        let action = self.snapshot.action_named(raw.action.name);
        let (Some(principal), Some(resource), Some(action)) = (principal, resource, action) else {
            return Err(None);
        };
        let schema = self.snapshot.schema();
        if schema.and_then(|schema| schema.applies(&action, &principal, &resource)) == Some(false) {
            self.notes.denied(format!(
                "`{action}` does not apply to a `{}` and a `{}`: denied",
                principal.type_name(),
                resource.type_name()
            ));
            return Err(Some(action));
        }
        let context = self.context(&action, raw);
        let (Some(context), true) = (context, self.properties()) else {
            return Err(Some(action));
        };
        let mentioned = engine::mentioned_in_context(&context);
        match Request::new(principal, action.clone(), resource, context, None) {
            Ok(request) => Ok((request, mentioned)),
            Err(error) => {
                self.notes.denied(text::chain(&error));
                Err(Some(action))
            }
        }
    }

    /// What came along with the question, and what was odd about it.
    pub(in crate::authz) fn into_parts(self) -> (Inline, Vec<String>) {
        (self.inline, self.notes.into_lines())
    }

    fn scope_entity(&mut self, what: &str, raw: &RawEntity<'a>) -> Option<EntityUid> {
        match uids::from_parts(raw.type_name, raw.id) {
            Ok(uid) => Some(coerce::Sink::entity(self, uid, raw.properties)),
            Err(why) => {
                self.notes.denied(format!("`{what}`: {why}: denied"));
                None
            }
        }
    }

    /// The context; `None`, with a diagnostic, if a declared key is missing or of the wrong type.
    fn context(&mut self, action: &EntityUid, raw: &RawQuery<'a>) -> Option<Context> {
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
            .map_err(|error| self.notes.denied(text::chain(&error)))
            .ok()
    }

    fn free_context(
        &mut self,
        own: &[(&str, &'a Json<'a>)],
        raw: &RawQuery<'a>,
    ) -> Vec<(String, RestrictedExpression)> {
        let mut pairs = Vec::new();
        for (key, value) in own {
            let value = coerce::literal(value, Path::Key(&CONTEXT, key), self);
            pairs.extend(value.map(|value| ((*key).to_owned(), value)));
        }
        if let Some(properties) = raw.action.properties {
            let mut fields = Vec::new();
            for (key, value) in properties.iter() {
                let value = coerce::literal(value, Path::Key(&PROPERTIES, key), self);
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
            let path = Path::Key(&CONTEXT, key);
            let Some(attribute) = shape.attribute(key) else {
                self.undeclared(path);
                continue;
            };
            let value = coerce::declared(json, &attribute.value, path, self);
            pairs.push(((*key).to_owned(), self.or_deny(path, value)?));
        }
        match (raw.action.properties, shape.attribute(ACTION_PROPERTIES)) {
            (Some(properties), Some(attribute)) => {
                let value = coerce::declared_object(properties, &attribute.value, PROPERTIES, self);
                pairs.push((
                    ACTION_PROPERTIES.to_owned(),
                    self.or_deny(PROPERTIES, value)?,
                ));
            }
            (Some(_), None) => self.undeclared(PROPERTIES),
            (None, _) => {}
        }
        let is_missing = |name: &str| pairs.iter().all(|(key, _)| key != name);
        let mut required = shape
            .attributes
            .iter()
            .filter(|attribute| attribute.required);
        if let Some(missing) = required.find(|attribute| is_missing(&attribute.name)) {
            self.notes
                .denied(format!("`context.{}` is required: denied", missing.name));
            return None;
        }
        Some(pairs)
    }

    /// A declared context key of the wrong type makes the decision, whatever the policies say.
    fn or_deny<T>(&mut self, path: Path<'_>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.notes
                .denied(format!("`{path}` is of the wrong type: denied"));
        }
        value
    }

    fn undeclared(&mut self, path: Path<'_>) {
        self.notes
            .left_out(format_args!("`{path}` is not declared: left out"));
    }

    /// Reads the properties of all entities named so far, and of those they name in turn.
    /// Returns whether the question can still be asked.
    fn properties(&mut self) -> bool {
        let mut next = 0;
        while let Some((uid, properties)) = self.pending.get(next).cloned() {
            next += 1;
            if next > MAX_ENTITIES {
                let reason = format!("more than {MAX_ENTITIES} entities with properties: denied");
                self.notes.denied(reason);
                return false;
            }
            if schema::is_held(self.snapshot.schema(), engine::uid(&uid)) {
                self.notes.left_out(format_args!(
                    "properties of {} are ignored: only the store speaks for it",
                    Path::Entity(&uid)
                ));
                continue;
            }
            if self.inline.get(engine::uid(&uid)).is_some() {
                self.notes.left_out(format_args!(
                    "{} is described more than once: the first description counts",
                    Path::Entity(&uid)
                ));
                continue;
            }
            let attributes = self.attributes(&uid, properties);
            let stored = self.snapshot.stored();
            let base = self.inline.kept(stored, engine::uid(&uid));
            match engine::overlay(&uid, attributes, base.map(AsRef::as_ref)) {
                Ok(entity) => self.inline.insert(entity),
                Err(why) => self.notes.left_out(format_args!("{why}")),
            }
        }
        self.adopt();
        true
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
            let path = Path::Attribute(uid, key);
            let value = match declared {
                None => coerce::literal(json, path, self),
                Some(entity_type) => {
                    match entity_type.and_then(|entity_type| entity_type.shape.attribute(key)) {
                        Some(attribute) => coerce::declared(json, &attribute.value, path, self),
                        None => {
                            self.undeclared(path);
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

    /// The query, with what it sees of the store and of what came along.
    pub(in crate::authz) fn finish(
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
        let given = Given::new(std::mem::take(&mut self.inline), snapshot);
        let sees = given.and_then(|given| snapshot.sees(&given, action.as_ref(), roots));
        let evaluation = match sees {
            Ok(entities) => Some(Evaluation { request, entities }),
            Err(why) => {
                self.notes.denied(why);
                None
            }
        };
        Query::new(
            snapshot,
            action.as_ref(),
            evaluation,
            self.notes.into_lines(),
        )
    }

    /// The question is denied before evaluation, as the notes say.
    pub(super) fn denied(self, action: Option<&EntityUid>) -> Query {
        Query::new(self.snapshot, action, None, self.notes.into_lines())
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

    fn note(&mut self, note: fmt::Arguments<'_>) {
        self.notes.left_out(note);
    }
}
