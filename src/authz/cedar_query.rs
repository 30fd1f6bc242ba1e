//! The Cedar-shaped question: exactly Cedar, nothing dropped, nothing coerced.

use cedar_policy::{Context, EntityUid, Request};

use super::{
    Json, Query, Snapshot, engine, hierarchy,
    inline::{Inline, MAX_ENTITIES},
    query::{Asked, Evaluation, Seen, not_stored},
    schema,
    symbols::{Symbols, Uid},
    text, uids,
    world::{Given, Looked, World},
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
pub struct CedarEntities<'s> {
    symbols: Symbols<'s>,
    given: Given,
}

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

impl<'s> CedarEntities<'s> {
    /// Parses and checks `entities` (in the store's place) and `additional_entities` (beside it).
    pub(super) fn parse(
        snapshot: &'s Snapshot,
        replace: Option<&Json<'_>>,
        add: Option<&Json<'_>>,
    ) -> Result<Self, BadQuery> {
        let given = |json: Option<&Json<'_>>| json.is_some_and(|json| !matches!(json, Json::Null));
        let mut symbols = Symbols::above(&snapshot.symbols);
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
                insert(snapshot, &mut symbols, &mut inline, item)
                    .map_err(|why| BadQuery::Entities(format!("`{key}[{index}]`: {why}")))?;
            }
        }
        let given = checked(snapshot, &symbols, &inline).map_err(BadQuery::Entities)?;
        Ok(Self { symbols, given })
    }
}

impl CedarQuery<'_> {
    /// Principal, action and resource in Cedar's syntax; what is no uid is what it was written as.
    pub fn uids(&self) -> [String; 3] {
        [self.principal, self.action, self.resource].map(uids::text)
    }

    /// Parses and checks the question.
    pub(super) fn parse<'q>(
        &self,
        snapshot: &'q Snapshot,
        entities: &'q CedarEntities<'_>,
    ) -> Result<Query<'q>, BadQuery> {
        let mut symbols = Symbols::above(&entities.symbols);
        let asked = self.asked(snapshot, &mut symbols, |uid| snapshot.resolve_alias(uid))?;
        let action = Some(asked.action);
        if let Some(missing) = snapshot.missing(&asked, &entities.given, &symbols) {
            let why = not_stored(missing, &symbols);
            return Ok(Query::new(snapshot, action, None, vec![why]));
        }
        let evaluation = Evaluation {
            asked,
            symbols,
            given: Seen::Shared(&entities.given),
        };
        Ok(Query::new(snapshot, action, Some(evaluation), Vec::new()))
    }

    /// What is asked. `resolve` says what a uid stands for.
    pub(super) fn asked(
        &self,
        snapshot: &Snapshot,
        symbols: &mut Symbols<'_>,
        resolve: impl Fn(Uid) -> Uid,
    ) -> Result<Asked, BadQuery> {
        let uid = |key: &str, json: &Json<'_>| {
            uids::parse(json).map_err(|why| BadQuery::Request(format!("`{key}`: {why}")))
        };
        let principal = uid("principal", self.principal)?;
        let action = uid("action", self.action)?;
        let resource = uid("resource", self.resource)?;
        let resolved = [&principal, &action, &resource].map(|uid| resolve(symbols.uid_of(uid)));
        let public = |uid: Uid, named: EntityUid| symbols.public(uid).unwrap_or(named);
        let schema = snapshot.schema().map(|schema| &schema.cedar);
        let [principal, action, resource] = [
            public(resolved[0], principal),
            public(resolved[1], action),
            public(resolved[2], resource),
        ];
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
        let known = engine::known_context(&context, symbols);
        let known = known.ok_or_else(|| {
            BadQuery::Request("`context`: its values are not all known".to_owned())
        })?;
        Request::new(principal, action, resource, context, schema)
            .map_err(|error| BadQuery::Request(text::chain(&error)))?;
        let [principal, action, resource] = resolved;
        Ok(Asked {
            principal,
            action,
            resource,
            context: known,
        })
    }
}

fn insert(
    snapshot: &Snapshot,
    symbols: &mut Symbols<'_>,
    inline: &mut Inline,
    json: &Json<'_>,
) -> Result<(), String> {
    let cedar = snapshot.schema().map(|schema| &schema.cedar);
    let entity = engine::parse_entity(json.to_value(), cedar)
        .map_err(|why| json.no_long().map_or(why, str::to_owned))?;
    let (uid, entity) = engine::known_entity(entity, symbols)?;
    if schema::is_held(snapshot.schema(), symbols.kind(uid)) {
        return Err(format!("only the store speaks for `{}`", symbols.show(uid)));
    }
    match inline.get(uid) {
        Some(first) if !first.is_told_as(&entity) => Err(format!(
            "`{}` is given twice, differently",
            symbols.show(uid)
        )),
        _ => {
            inline.insert(uid, entity);
            Ok(())
        }
    }
}

/// The entities with the parents their attributes name, closed, checked against schema and store.
fn checked(snapshot: &Snapshot, symbols: &Symbols<'_>, inline: &Inline) -> Result<Given, String> {
    let (stored, schema) = (snapshot.stored(), snapshot.schema());
    let replaces = inline.replaces();
    let mut adopted = Inline::new(replaces);
    for (uid, entity) in inline.iter() {
        let mut with_parents = entity.clone();
        let entity_type = schema.and_then(|schema| schema.entity_type(symbols.kind(uid)));
        if let Some(entity_type) = entity_type {
            let lookup = |uid| inline.lookup(stored, uid);
            let parents = hierarchy::computed_parents(entity, entity_type, &lookup);
            let entity = (uid, &mut with_parents);
            hierarchy::adopt_inline(entity, &parents, entity_type, symbols)?;
        }
        adopted.insert(uid, with_parents);
    }
    let given = Given::new(adopted, stored, schema, symbols)?;
    let world = World::new(symbols, stored, schema, &given);
    for (uid, _) in inline.iter() {
        let Some(entity) = given.get(uid) else {
            continue;
        };
        if let Some(schema) = schema {
            // An action must have the ancestors the schema gives it; of others the direct parents
            // are checked, as Cedar does.
            let direct = engine::cedar_entity(uid, entity, &entity.parents, |_| true, symbols)?;
            let whole = direct
                .uid()
                .is_action()
                .then(|| world.cedar_entity(uid, &Looked::whole()));
            let told = whole.flatten().unwrap_or(Ok(direct))?;
            engine::conforms(&told, &schema.cedar)?;
        }
        let kept = stored.get(uid).filter(|_| !replaces);
        if kept.is_some_and(|kept| !kept.is_told_as(entity)) {
            return Err(format!(
                "`{}` is stored with other content",
                symbols.show(uid)
            ));
        }
    }
    Ok(given)
}
