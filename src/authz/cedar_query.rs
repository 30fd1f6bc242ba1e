//! The Cedar-shaped question: exactly Cedar, nothing dropped, nothing coerced.

use cedar_policy::{Context, EntityUid, Request};

use super::{
    Json, Query, Snapshot,
    engine::{self, Entity, Uid},
    hierarchy,
    inline::{Inline, MAX_ENTITIES},
    query::Evaluation,
    schema,
    slice::Given,
    text, uids,
};

/// A Cedar-shaped question: entity uids in Cedar's syntax.
#[derive(Clone, Copy, Debug)]
pub struct CedarQuery<'a> {
    /// `Type::"id"`, or Cedar's JSON form of an entity uid.
    pub principal: &'a Json<'a>,
    /// As `principal`.
    pub action: &'a Json<'a>,
    /// As `principal`.
    pub resource: &'a Json<'a>,
    /// A JSON object; absent is empty.
    pub context: Option<&'a Json<'a>>,
}

/// Entities that came with a Cedar-shaped call, parsed and checked once for all its queries.
#[derive(Debug)]
pub struct CedarEntities(Given);

/// Why a Cedar-shaped question cannot be asked. The message says where and what.
#[derive(Debug, thiserror::Error)]
pub enum BadQuery {
    /// The `entities` or `additional_entities` are not what Cedar or the schema takes.
    #[error("{0}")]
    Entities(String),
    /// The principal, action, resource or context is not what Cedar or the schema takes.
    #[error("{0}")]
    Request(String),
}

impl CedarEntities {
    /// Parses and checks `entities` (in the store's place) and `additional_entities` (beside it).
    pub(super) fn parse(
        snapshot: &Snapshot,
        replace: Option<&Json<'_>>,
        add: Option<&Json<'_>>,
    ) -> Result<Self, BadQuery> {
        let given = |json: Option<&Json<'_>>| json.is_some_and(|json| !matches!(json, Json::Null));
        let mut inline = Inline::new(given(replace));
        let mut count = 0;
        for (key, json) in [("entities", replace), ("additional_entities", add)] {
            let Some(json) = json.filter(|json| !matches!(json, Json::Null)) else {
                continue;
            };
            let items = json.as_array().ok_or_else(|| {
                BadQuery::Entities(format!("`{key}` must be an array, found {}", json.kind()))
            })?;
            count += items.len();
            if count > MAX_ENTITIES {
                let message = format!("more than {MAX_ENTITIES} entities in one call");
                return Err(BadQuery::Entities(message));
            }
            for (index, item) in items.iter().enumerate() {
                insert(snapshot, &mut inline, item)
                    .map_err(|why| BadQuery::Entities(format!("`{key}[{index}]`: {why}")))?;
            }
        }
        let given = checked(snapshot, &inline).map_err(BadQuery::Entities)?;
        Ok(Self(given))
    }
}

impl CedarQuery<'_> {
    /// Parses and checks the question.
    pub(super) fn parse(
        &self,
        snapshot: &Snapshot,
        entities: &CedarEntities,
    ) -> Result<Query, BadQuery> {
        let (request, roots) = self.request(snapshot, |uid| snapshot.resolve_alias(uid))?;
        Ok(ask(snapshot, &entities.0, roots, request))
    }

    /// The request, and the entities it begins with. `resolve` says what a uid stands for.
    pub(super) fn request(
        &self,
        snapshot: &Snapshot,
        resolve: impl Fn(EntityUid) -> EntityUid,
    ) -> Result<(Request, Vec<Uid>), BadQuery> {
        let uid = |key: &str, json: &Json<'_>| {
            uids::parse(json)
                .map(&resolve)
                .map_err(|why| BadQuery::Request(format!("`{key}`: {why}")))
        };
        let principal = uid("principal", self.principal)?;
        let action = uid("action", self.action)?;
        let resource = uid("resource", self.resource)?;
        let schema = snapshot.schema().map(|schema| &schema.cedar);
        let context = match self.context {
            None | Some(Json::Null) => Context::empty(),
            Some(json) => {
                let schema = schema.map(|schema| (schema, &action));
                Context::from_json_value(json.to_value(), schema).map_err(|error| {
                    let why = json.no_long().map(str::to_owned);
                    let why = why.unwrap_or_else(|| text::chain(&error));
                    BadQuery::Request(format!("`context`: {why}"))
                })?
            }
        };
        let mentioned = engine::mentioned_in_context(&context);
        let roots: Vec<Uid> = [&principal, &resource]
            .into_iter()
            .map(|uid| engine::uid(uid).clone())
            .chain(mentioned)
            .collect();
        let request = Request::new(principal, action, resource, context, schema)
            .map_err(|error| BadQuery::Request(text::chain(&error)))?;
        Ok((request, roots))
    }
}

fn ask(snapshot: &Snapshot, given: &Given, roots: Vec<Uid>, request: Request) -> Query {
    let action = request.action().cloned();
    match snapshot.sees(given, action.as_ref(), roots) {
        Ok(entities) => Query::new(
            snapshot,
            action.as_ref(),
            Some(Evaluation { request, entities }),
            Vec::new(),
        ),
        Err(why) => Query::new(snapshot, action.as_ref(), None, vec![why]),
    }
}

fn insert(snapshot: &Snapshot, inline: &mut Inline, json: &Json<'_>) -> Result<(), String> {
    let cedar = snapshot.schema().map(|schema| &schema.cedar);
    let entity = engine::parse_entity(json.to_value(), cedar)
        .map_err(|why| json.no_long().map_or(why, str::to_owned))?;
    let uid = entity.uid();
    if schema::is_held(snapshot.schema(), uid) {
        return Err(format!("only the store speaks for `{uid}`"));
    }
    match inline.get(uid) {
        Some(first) if !first.deep_eq(&entity) => {
            Err(format!("`{uid}` is given twice, differently"))
        }
        _ => {
            inline.insert(entity);
            Ok(())
        }
    }
}

/// The entities with the parents their attributes name, closed, checked against schema and store.
fn checked(snapshot: &Snapshot, inline: &Inline) -> Result<Given, String> {
    let stored = snapshot.stored();
    let mut adopted = Inline::new(inline.replaces());
    for entity in inline.iter() {
        let mut with_parents = entity.clone();
        let schema = snapshot.schema();
        if let Some(entity_type) = schema.and_then(|schema| schema.core_type_of(entity.uid())) {
            let lookup = |uid: &Uid| inline.lookup(stored, uid);
            let parents = hierarchy::computed_parents(entity, entity_type, &lookup);
            hierarchy::adopt_inline(&mut with_parents, &parents, entity_type)?;
        }
        adopted.insert(with_parents);
    }
    let entities: Vec<Entity> = adopted.iter().cloned().collect();
    let given = Given::new(adopted, snapshot)?;
    for entity in &entities {
        if let Some(schema) = snapshot.schema() {
            // An action must have the ancestors the schema gives it; of others the direct parents
            // are checked, as Cedar does.
            let closed = given.seen(snapshot, entity.uid());
            let whole = closed.as_deref().filter(|closed| closed.uid().is_action());
            engine::conforms(whole.unwrap_or(entity), &schema.cedar)?;
        }
        let kept = stored.get(entity.uid()).filter(|_| !inline.replaces());
        if kept.is_some_and(|kept| !engine::is_same(kept, entity)) {
            return Err(format!("`{}` is stored with other content", entity.uid()));
        }
    }
    Ok(given)
}
