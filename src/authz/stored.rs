//! The entities a snapshot holds: read, given their parents, closed, and checked against the schema.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use cedar_policy::Entities;
use serde_json::{error::Category, value::RawValue};

use super::{
    Finding, Json, Kind, SourceFile,
    engine::{self, Entity, Uid},
    finding, hierarchy,
    schema::{self, SchemaModel},
    text,
};

/// How deep one stored entity may nest.
const MAX_DEPTH: usize = 64;

/// Stored entities and the action entities of the schema.
#[derive(Debug, Default)]
pub(super) struct StoredEntities {
    by_uid: HashMap<Uid, Arc<Entity>>,
    by_type: HashMap<String, Vec<Arc<Entity>>>,
    actions: HashMap<Uid, Arc<Entity>>,
    /// Everything, for questions that bring nothing along.
    view: Entities,
    /// Stored entities from which a policy could reach one that should be stored and is not, with
    /// the missing one.
    dangling: HashMap<Uid, Uid>,
}

/// Where each entity was written.
#[derive(Debug, Default)]
pub(super) struct Places<'f>(HashMap<Uid, (&'f SourceFile, usize)>);

impl Places<'_> {
    /// A finding at an entity.
    pub(super) fn finding(&self, uid: &Uid, message: impl Into<String>) -> Finding {
        match self.0.get(uid) {
            None => Finding::error(Kind::Entities, String::new(), message),
            Some((file, offset)) => {
                let text = text::utf8(file).unwrap_or_default();
                Finding::error(Kind::Entities, &file.name, message).at(text, *offset, 1)
            }
        }
    }
}

/// One entity of a file, before anything is computed.
struct Entry<'f> {
    entity: Entity,
    file: &'f SourceFile,
    /// Where it starts in the text of the file.
    offset: usize,
}

impl StoredEntities {
    /// Reads all files as one data set; all findings at once. The places are for whoever has more
    /// to say about an entity.
    pub(super) fn parse<'f>(
        files: &'f [SourceFile],
        schema: Option<&SchemaModel>,
        findings: &mut Vec<Finding>,
    ) -> (Self, Places<'f>) {
        Self::parse_within(hierarchy::MAX_ANCESTORS, files, schema, findings)
    }

    /// [`Self::parse`], with so many ancestors in all.
    pub(super) fn parse_within<'f>(
        max_ancestors: usize,
        files: &'f [SourceFile],
        schema: Option<&SchemaModel>,
        findings: &mut Vec<Finding>,
    ) -> (Self, Places<'f>) {
        let before = findings.len();
        let mut entries: HashMap<Uid, Entry<'f>> = HashMap::new();
        for file in files {
            if finding::is_enough(findings) {
                break;
            }
            match read(file, schema) {
                Ok(read) => insert_all(&mut entries, read, findings),
                Err(found) => findings.extend(found),
            }
        }
        let mut places = Places::default();
        let mut entities: HashMap<Uid, Entity> = HashMap::with_capacity(entries.len());
        for (uid, entry) in entries {
            places.0.insert(uid.clone(), (entry.file, entry.offset));
            entities.insert(uid, entry.entity);
        }
        if findings.len() > before {
            return (Self::default(), places);
        }
        if let Some(schema) = schema {
            let broken = adopt_all(&mut entities, schema);
            findings.extend(finding::told(broken, |(uid, message)| {
                places.finding(&uid, message)
            }));
        }
        if let Err((uid, message)) = hierarchy::close(&mut entities, max_ancestors) {
            findings.push(places.finding(&uid, message));
            return (Self::default(), places);
        }
        if let Some(schema) = schema {
            let broken =
                |(uid, entity)| Some((uid, engine::conforms(entity, &schema.cedar).err()?));
            let mut broken: Vec<(&Uid, String)> = entities.iter().filter_map(broken).collect();
            broken.sort();
            findings.extend(finding::told(broken, |(uid, message)| {
                places.finding(uid, message)
            }));
        }
        let stored = Self::of(entities, schema).unwrap_or_else(|message| {
            findings.push(Finding::error(Kind::Entities, String::new(), message));
            Self::default()
        });
        (stored, places)
    }

    fn of(entities: HashMap<Uid, Entity>, schema: Option<&SchemaModel>) -> Result<Self, String> {
        let by_uid: HashMap<Uid, Arc<Entity>> = entities
            .into_iter()
            .map(|(uid, entity)| (uid, Arc::new(entity)))
            .collect();
        let actions: HashMap<Uid, Arc<Entity>> = schema
            .map(|schema| engine::action_entities(&schema.cedar))
            .into_iter()
            .flatten()
            .map(|action| (action.uid().clone(), action))
            .collect();
        let mut by_type: HashMap<String, Vec<Arc<Entity>>> = HashMap::new();
        for entity in by_uid.values() {
            let of_type = by_type
                .entry(entity.uid().entity_type().to_string())
                .or_default();
            of_type.push(Arc::clone(entity));
        }
        for of_type in by_type.values_mut() {
            of_type.sort_by(|a, b| a.uid().cmp(b.uid()));
        }
        let stored = by_uid
            .values()
            .filter(|entity| !actions.contains_key(entity.uid()));
        let all = stored.chain(actions.values()).map(Arc::clone);
        let view = engine::view(all)?;
        let dangling = dangling(&by_uid, schema);
        Ok(Self {
            by_uid,
            by_type,
            actions,
            view,
            dangling,
        })
    }

    /// The stored entity.
    pub(super) fn get(&self, uid: &Uid) -> Option<&Arc<Entity>> {
        self.by_uid.get(uid)
    }

    /// The action entity, as the schema declares it.
    pub(super) fn action(&self, uid: &Uid) -> Option<&Arc<Entity>> {
        self.actions.get(uid)
    }

    /// The stored entities of a type, sorted by uid.
    pub(super) fn of_type(&self, name: &str) -> &[Arc<Entity>] {
        self.by_type.get(name).map_or(&[], Vec::as_slice)
    }

    /// Everything, for questions that bring nothing along.
    pub(super) fn view(&self) -> &Entities {
        &self.view
    }

    /// What is missing behind a stored entity, if something is.
    pub(super) fn missing_behind(&self, uid: &Uid) -> Option<&Uid> {
        self.dangling.get(uid)
    }

    /// How many are stored, action entities not counted.
    pub(super) fn len(&self) -> usize {
        self.by_uid.len()
    }
}

/// The entities of a file, each read by itself so that every broken one is a finding.
fn read<'f>(
    file: &'f SourceFile,
    schema: Option<&SchemaModel>,
) -> Result<Vec<Entry<'f>>, Vec<Finding>> {
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
    let mut entries = Vec::with_capacity(raw.len());
    let mut refused = Vec::new();
    for raw in raw {
        let parsed = Json::parse(raw.get().as_bytes(), MAX_DEPTH)
            .map_err(|error| (Kind::Parse, error.message))
            .and_then(|json| {
                engine::parse_entity(json.to_value(), schema.map(|schema| &schema.cedar))
                    .map_err(|why| (Kind::Entities, json.no_long().map_or(why, str::to_owned)))
            });
        match parsed {
            Ok(entity) => entries.push(Entry {
                entity,
                file,
                offset: text::offset_in(text, raw.get()),
            }),
            Err((kind, message)) => refused.push((kind, message, raw.get())),
        }
    }
    if refused.is_empty() {
        return Ok(entries);
    }
    Err(finding::told(refused, |(kind, message, raw)| {
        let finding = Finding::error(kind, &file.name, message);
        finding.at(text, text::offset_in(text, raw), raw.len())
    }))
}

fn insert_all<'f>(
    entries: &mut HashMap<Uid, Entry<'f>>,
    read: Vec<Entry<'f>>,
    findings: &mut Vec<Finding>,
) {
    let mut twice = Vec::new();
    for entry in read {
        let uid = entry.entity.uid().clone();
        match entries.get(&uid) {
            Some(first) if !first.entity.deep_eq(&entry.entity) => {
                twice.push((uid, first.file, entry));
            }
            Some(_) => {}
            None => {
                entries.insert(uid, entry);
            }
        }
    }
    findings.extend(finding::told(twice, |(uid, first, entry)| {
        let text = text::utf8(entry.file).unwrap_or_default();
        let message = format!("`{uid}` is given twice, differently");
        let finding = Finding::error(Kind::Entities, &entry.file.name, message);
        let help = format!("it stands in `{}`, too", first.name);
        finding.at(text, entry.offset, 1).help(help)
    }));
}

/// Gives every entity the parents its attributes name; what went wrong, sorted by uid.
fn adopt_all(entities: &mut HashMap<Uid, Entity>, schema: &SchemaModel) -> Vec<(Uid, String)> {
    let mut computed: Vec<(Uid, HashSet<Uid>)> = entities
        .iter()
        .filter_map(|(uid, entity)| {
            let entity_type = schema.core_type_of(uid)?;
            let parents =
                hierarchy::computed_parents(entity, entity_type, &|uid| entities.get(uid));
            (!entity_type.parents.is_empty()).then(|| (uid.clone(), parents))
        })
        .collect();
    computed.sort_by(|a, b| a.0.cmp(&b.0));
    let mut broken = Vec::new();
    for (uid, parents) in computed {
        let entity_type = schema.core_type_of(&uid);
        if let (Some(entity), Some(entity_type)) = (entities.get_mut(&uid), entity_type)
            && let Err(message) = hierarchy::adopt_stored(entity, &parents, entity_type)
        {
            broken.push((uid, message));
        }
    }
    broken
}

/// For each stored entity behind which an entity of a held type is missing: the missing one.
fn dangling(by_uid: &HashMap<Uid, Arc<Entity>>, schema: Option<&SchemaModel>) -> HashMap<Uid, Uid> {
    let is_missing = |uid: &Uid| schema::is_held_and_read(schema, uid) && !by_uid.contains_key(uid);
    let mut dangling: HashMap<Uid, Uid> = HashMap::new();
    let mut named_by: HashMap<Uid, Vec<&Uid>> = HashMap::new();
    let mut queue: Vec<&Uid> = Vec::new();
    for (uid, entity) in by_uid {
        for mentioned in engine::mentioned(entity) {
            if is_missing(&mentioned) {
                dangling.insert(uid.clone(), mentioned.clone());
                queue.push(uid);
            }
            named_by.entry(mentioned).or_default().push(uid);
        }
    }
    while let Some(uid) = queue.pop() {
        let Some(missing) = dangling.get(uid).cloned() else {
            continue;
        };
        for namer in named_by.get(uid).into_iter().flatten() {
            if !dangling.contains_key(*namer) {
                dangling.insert((*namer).clone(), missing.clone());
                queue.push(namer);
            }
        }
    }
    dangling
}
