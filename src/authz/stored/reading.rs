//! The files of a data set, read entity by entity, given their parents, and checked.

use std::collections::HashMap;

use serde_json::{error::Category, value::RawValue};

use crate::authz::{
    Finding, Json, Kind, SourceFile, engine, finding, hierarchy,
    numbered::Numbered,
    schema::SchemaModel,
    symbols::{Symbols, Uid},
    text,
    value::Entity,
};

use super::plain;

/// How deep one stored entity may nest.
const MAX_DEPTH: usize = 64;

/// Where each entity was written.
#[derive(Debug, Default)]
pub(in crate::authz) struct Places<'f>(HashMap<Uid, (&'f SourceFile, usize)>);

impl Places<'_> {
    /// A finding at an entity.
    pub(in crate::authz) fn finding(&self, uid: Uid, message: impl Into<String>) -> Finding {
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
pub(super) struct Reading<'f, 'r, 'b> {
    pub(super) schema: Option<&'r SchemaModel>,
    pub(super) symbols: &'r mut Symbols<'b>,
    pub(super) entities: Numbered,
    pub(super) places: Places<'f>,
    /// What does not fit the schema, as Cedar says.
    unfit: Vec<(Uid, String)>,
}

impl<'f, 'r, 'b> Reading<'f, 'r, 'b> {
    /// Nothing read yet.
    pub(super) fn new(schema: Option<&'r SchemaModel>, symbols: &'r mut Symbols<'b>) -> Self {
        Self {
            schema,
            entities: Numbered::new(symbols),
            symbols,
            places: Places::default(),
            unfit: Vec::new(),
        }
    }

    /// Reads a file, each entity by itself so that every broken one is a finding.
    pub(super) fn read(&mut self, file: &'f SourceFile, findings: &mut Vec<Finding>) {
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
    pub(super) fn adopt(&mut self, findings: &mut Vec<Finding>) {
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
    pub(super) fn check(&mut self, findings: &mut Vec<Finding>) {
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
            let whole =
                engine::cedar_entity(uid, entity, &entity.ancestors, |_| true, self.symbols);
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
