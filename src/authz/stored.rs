//! The entities a snapshot holds: read, given their parents, closed, and checked against the schema.

use hashbrown::HashMap;

use super::{
    Finding, SourceFile, engine, finding, hierarchy,
    numbered::Numbered,
    schema::{self, SchemaModel},
    symbols::{Symbols, TypeId, Uid},
    value::{Entity, Uids},
};

mod plain;
mod reading;

pub(super) use reading::Places;
use reading::Reading;

/// Stored entities and the action entities of the schema.
#[derive(Debug)]
pub(super) struct StoredEntities {
    entities: Numbered,
    /// Sorted by id.
    by_type: HashMap<TypeId, Vec<Uid>>,
    actions: HashMap<Uid, Entity>,
    /// Stored entities from which a policy could reach one that should be stored and is not, with
    /// the missing one.
    dangling: HashMap<Uid, Uid>,
}

impl StoredEntities {
    /// None, but for the actions of a schema.
    pub(super) fn none(schema: Option<&SchemaModel>, symbols: &mut Symbols<'_>) -> Self {
        Self::of(Numbered::new(symbols), schema, symbols)
    }

    /// Reads all files as one data set; all findings at once. The places are for whoever has more
    /// to say about an entity.
    pub(super) fn parse<'f>(
        files: &'f [SourceFile],
        schema: Option<&SchemaModel>,
        symbols: &mut Symbols<'_>,
        findings: &mut Vec<Finding>,
    ) -> (Self, Places<'f>) {
        Self::parse_within(hierarchy::MAX_ANCESTORS, files, schema, symbols, findings)
    }

    /// [`Self::parse`], with so many ancestors in all.
    pub(super) fn parse_within<'f>(
        max_ancestors: usize,
        files: &'f [SourceFile],
        schema: Option<&SchemaModel>,
        symbols: &mut Symbols<'_>,
        findings: &mut Vec<Finding>,
    ) -> (Self, Places<'f>) {
        let before = findings.len();
        let mut reading = Reading::new(schema, symbols);
        for file in files {
            if finding::is_enough(findings) {
                break;
            }
            reading.read(file, findings);
        }
        if findings.len() > before {
            let places = reading.places;
            return (Self::none(schema, reading.symbols), places);
        }
        reading.adopt(findings);
        if let Err((uid, message)) =
            hierarchy::close(&mut reading.entities, max_ancestors, reading.symbols)
        {
            findings.push(reading.places.finding(uid, message));
            let places = reading.places;
            return (Self::none(schema, reading.symbols), places);
        }
        reading.check(findings);
        let stored = Self::of(reading.entities, schema, reading.symbols);
        (stored, reading.places)
    }

    fn of(mut entities: Numbered, schema: Option<&SchemaModel>, symbols: &mut Symbols<'_>) -> Self {
        entities.shrink();
        let mut actions = HashMap::new();
        for action in schema
            .map(|it| engine::action_entities(&it.cedar))
            .into_iter()
            .flatten()
        {
            let ancestors = action.ancestors().map(|it| engine::known_uid(it, symbols));
            let ancestors: Uids = ancestors.collect();
            // Those that a schema declares have no attributes, and whatever has none is known.
            if let Ok((uid, entity)) = engine::known_entity(action.as_ref().clone(), symbols) {
                actions.insert(
                    uid,
                    Entity {
                        ancestors,
                        ..entity
                    },
                );
            }
        }
        let mut by_type: HashMap<TypeId, Vec<Uid>> = HashMap::new();
        for (uid, _) in entities.iter() {
            by_type.entry(symbols.kind(uid)).or_default().push(uid);
        }
        for of_type in by_type.values_mut() {
            of_type.sort_by(|a, b| symbols.id(*a).cmp(symbols.id(*b)));
            of_type.shrink_to_fit();
        }
        let dangling = dangling(&entities, schema, symbols);
        Self {
            entities,
            by_type,
            actions,
            dangling,
        }
    }

    /// The stored entity.
    pub(super) fn get(&self, uid: Uid) -> Option<&Entity> {
        self.entities.get(uid)
    }

    /// The action entity, as the schema declares it.
    pub(super) fn action(&self, uid: Uid) -> Option<&Entity> {
        self.actions.get(&uid)
    }

    /// The stored entity, or the action.
    pub(super) fn kept(&self, uid: Uid) -> Option<&Entity> {
        self.get(uid).or_else(|| self.action(uid))
    }

    /// The stored entities of a type, sorted by id.
    pub(super) fn of_type(&self, kind: TypeId) -> &[Uid] {
        self.by_type.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// What is missing behind a stored entity, if something is.
    pub(super) fn missing_behind(&self, uid: Uid) -> Option<Uid> {
        self.dangling.get(&uid).copied()
    }

    /// How many are stored, action entities not counted.
    pub(super) fn len(&self) -> usize {
        self.entities.len()
    }
}

/// For each stored entity behind which an entity of a held type is missing: the missing one.
fn dangling(
    entities: &Numbered,
    schema: Option<&SchemaModel>,
    symbols: &Symbols<'_>,
) -> HashMap<Uid, Uid> {
    let is_missing = |uid: Uid| {
        entities.get(uid).is_none() && schema::is_held_and_read(schema, symbols.kind(uid))
    };
    let mut dangling: HashMap<Uid, Uid> = HashMap::new();
    let mut queue: Vec<Uid> = Vec::new();
    for (uid, entity) in entities.iter() {
        entity.mentions(&mut |mentioned| {
            if is_missing(mentioned) {
                dangling.insert(uid, mentioned);
                queue.push(uid);
            }
        });
    }
    if queue.is_empty() {
        return dangling;
    }
    let mut named_by: HashMap<Uid, Vec<Uid>> = HashMap::new();
    for (uid, entity) in entities.iter() {
        entity.mentions(&mut |mentioned| named_by.entry(mentioned).or_default().push(uid));
    }
    while let Some(uid) = queue.pop() {
        let Some(missing) = dangling.get(&uid).copied() else {
            continue;
        };
        for namer in named_by.get(&uid).into_iter().flatten() {
            if !dangling.contains_key(namer) {
                dangling.insert(*namer, missing);
                queue.push(*namer);
            }
        }
    }
    dangling
}
