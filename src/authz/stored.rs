//! The entities a snapshot holds: read, given their parents, closed, and checked against the schema.

use std::collections::HashMap;

use serde_json::{error::Category, value::RawValue};

use super::{
    Finding, Json, Kind, SourceFile, engine, finding, hierarchy,
    numbered::Numbered,
    schema::{self, SchemaModel},
    symbols::{Symbols, TypeId, Uid},
    text,
    value::{Entity, Uids},
};

mod plain;

/// How deep one stored entity may nest.
const MAX_DEPTH: usize = 64;

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

/// Where each entity was written.
#[derive(Debug, Default)]
pub(super) struct Places<'f>(HashMap<Uid, (&'f SourceFile, usize)>);

impl Places<'_> {
    /// A finding at an entity.
    pub(super) fn finding(&self, uid: Uid, message: impl Into<String>) -> Finding {
        match self.0.get(&uid) {
            None => Finding::error(Kind::Entities, String::new(), message),
            Some((file, offset)) => {
                let text = text::utf8(file).unwrap_or_default();
                Finding::error(Kind::Entities, &file.name, message).at(text, *offset, 1)
            }
        }
    }
}

/// Files while they are read as one data set.
struct Reading<'f, 'r, 'b> {
    schema: Option<&'r SchemaModel>,
    symbols: &'r mut Symbols<'b>,
    entities: Numbered,
    places: Places<'f>,
    /// What does not fit the schema, as Cedar says.
    unfit: Vec<(Uid, String)>,
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
        let mut reading = Reading {
            schema,
            entities: Numbered::new(symbols),
            symbols,
            places: Places::default(),
            unfit: Vec::new(),
        };
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

impl<'f> Reading<'f, '_, '_> {
    /// Reads a file, each entity by itself so that every broken one is a finding.
    fn read(&mut self, file: &'f SourceFile, findings: &mut Vec<Finding>) {
        let (text, raw) = match split(file) {
            Ok(split) => split,
            Err(found) => return findings.extend(found),
        };
        let mut refused = Vec::new();
        let mut twice = Vec::new();
        for raw in raw {
            match self.entity(raw) {
                Ok((uid, entity)) => {
                    let offset = text::offset_in(text, raw.get());
                    match self.entities.get(uid) {
                        None => {
                            self.places.0.insert(uid, (file, offset));
                            self.entities.insert(uid, entity);
                        }
                        Some(first) if first.is_told_as(&entity) => {}
                        Some(_) => twice.push((uid, offset)),
                    }
                }
                Err((kind, message)) => refused.push((kind, message, raw.get())),
            }
        }
        if !refused.is_empty() {
            return findings.extend(finding::told(refused, |(kind, message, raw)| {
                let finding = Finding::error(kind, &file.name, message);
                finding.at(text, text::offset_in(text, raw), raw.len())
            }));
        }
        findings.extend(finding::told(twice, |(uid, offset)| {
            let message = format!("`{}` is given twice, differently", self.symbols.show(uid));
            let finding = Finding::error(Kind::Entities, &file.name, message);
            let first = self.places.0.get(&uid).map_or("", |(file, _)| &file.name);
            let help = format!("it stands in `{first}`, too");
            finding.at(text, offset, 1).help(help)
        }));
    }

    /// Reads one entity, with the parents it states.
    fn entity(&mut self, raw: &RawValue) -> Result<(Uid, Entity), (Kind, String)> {
        let json = Json::parse(raw.get().as_bytes(), MAX_DEPTH)
            .map_err(|error| (Kind::Parse, error.message))?;
        if let Some(read) = plain::read(&json, self.schema, self.symbols) {
            return Ok(read);
        }
        let cedar = self.schema.map(|schema| &schema.cedar);
        let parsed = engine::parse_entity(json.to_value(), cedar)
            .map_err(|why| (Kind::Entities, json.no_long().map_or(why, str::to_owned)))?;
        // An action must have all the ancestors that the schema gives it: once it is closed.
        let conforms = match cedar {
            Some(cedar) if !parsed.uid().is_action() => engine::conforms(&parsed, cedar),
            Some(_) | None => Ok(()),
        };
        let (uid, entity) =
            engine::known_entity(parsed, self.symbols).map_err(|why| (Kind::Entities, why))?;
        self.unfit.extend(conforms.err().map(|why| (uid, why)));
        Ok((uid, entity))
    }

    /// Gives every entity the parents its attributes name.
    fn adopt(&mut self, findings: &mut Vec<Finding>) {
        let Some(schema) = self.schema else { return };
        let computed = |(uid, entity): (Uid, &Entity)| {
            let entity_type = schema.entity_type(self.symbols.kind(uid))?;
            let computes = !entity_type.parents.is_empty();
            let lookup = |uid| self.entities.get(uid);
            computes.then(|| {
                let parents = hierarchy::computed_parents(entity, entity_type, &lookup);
                (uid, entity_type, parents)
            })
        };
        let computed: Vec<_> = self.entities.iter().filter_map(computed).collect();
        let mut broken = Vec::new();
        for (uid, entity_type, parents) in computed {
            let Some(entity) = self.entities.get_mut(uid) else {
                continue;
            };
            let entity = (uid, entity);
            let adopted = hierarchy::adopt_stored(entity, &parents, entity_type, self.symbols);
            broken.extend(adopted.err().map(|message| (uid, message)));
        }
        self.tell(broken, findings);
    }

    /// Says what does not fit the schema.
    fn check(&mut self, findings: &mut Vec<Finding>) {
        let Some(schema) = self.schema else { return };
        // What each entity states was checked when it was read. What is computed is seldom wrong: whoever
        // is suspected is put to Cedar once more, whole.
        let suspect = |(uid, entity): &(Uid, &Entity)| {
            let entity_type = schema.entity_type(self.symbols.kind(*uid));
            entity_type.is_none_or(|entity_type| {
                let fits = |above| entity_type.above.contains(&self.symbols.kind(above));
                !entity.parents.iter().all(fits)
            })
        };
        let unfit = |(uid, entity): (Uid, &Entity)| {
            let whole = engine::cedar_entity(uid, entity, &entity.ancestors, self.symbols);
            let conforms = whole.and_then(|whole| engine::conforms(&whole, &schema.cedar));
            Some((uid, conforms.err()?))
        };
        let suspects = self.entities.iter().filter(suspect);
        let mut broken: Vec<(Uid, String)> = suspects.filter_map(unfit).collect();
        broken.append(&mut self.unfit);
        self.tell(broken, findings);
    }

    /// Says what is wrong with entities, sorted by uid, each once.
    fn tell(&self, mut broken: Vec<(Uid, String)>, findings: &mut Vec<Finding>) {
        broken.sort_by(|a, b| self.symbols.order(a.0, b.0));
        broken.dedup_by_key(|(uid, _)| *uid);
        findings.extend(finding::told(broken, |(uid, message)| {
            self.places.finding(uid, message)
        }));
    }
}

/// The entities of a file, unread.
fn split(file: &SourceFile) -> Result<(&str, Vec<&RawValue>), Vec<Finding>> {
    let text = text::utf8(file)?;
    let raw: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        // Well-formed but no list: the parser's words would quote what stands there instead.
        let message = match error.classify() {
            Category::Data => "not an array of entities".to_owned(),
            Category::Eof | Category::Io | Category::Syntax => error.to_string(),
        };
        vec![
            Finding::error(Kind::Parse, &file.name, message)
                .at_line(text, error.line(), error.column())
                .help("an entities file is a JSON array of {\"uid\", \"attrs\", \"parents\"}"),
        ]
    })?;
    Ok((text, raw))
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
