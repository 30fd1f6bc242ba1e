//! What rows, columns, roles and scope words mean: definitions, never which cell has which word.

use std::fmt;

use super::{
    Finding, Json, Kind, PolicyInfo, Rejection, Snapshot, SourceFile, Sources,
    coerce::{self, Sink},
    finding,
    index::Index,
    notes::Path,
    policies::Policies,
    schema::{SchemaModel, Shape},
    stored::StoredEntities,
    symbols::{Symbols, TypeId, Uid},
    table::{self, Section},
    uids,
    value::{Fields, Value},
};

mod rulings;

pub(super) use rulings::Rulings;

/// What a statement of a spec can be, and its effect.
const KINDS: [(&str, &str); 5] = [
    ("scope", "permit"),
    ("guard", "forbid"),
    ("role", "forbid"),
    ("assume", "forbid"),
    ("data", "forbid"),
];

/// How deep a context may nest.
const MAX_DEPTH: usize = 16;

/// The parsed definitions.
pub(super) struct Spec<'s> {
    /// What is not the snapshot's is numbered on top of it.
    pub(super) symbols: Symbols<'s>,
    pub(super) roles: Vec<Role>,
    pub(super) rows: Vec<Row>,
    /// In reading order, which is the order of precedence.
    pub(super) words: Vec<Word>,
    /// What every word presupposes: asked once for each situation, not with each word.
    pub(super) guards: Index,
    /// Every entity of a row's type is one of its situations.
    pub(super) world: StoredEntities,
    /// What policies and tables name.
    pub(super) rulings: Rulings,
}

/// A column and who stands in it.
pub(super) struct Role {
    pub(super) name: String,
    pub(super) principals: Vec<Uid>,
}

/// A printed row.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) section: String,
    pub(super) label: String,
    pub(super) asks: Vec<Ask>,
}

/// What a row asks.
pub(super) struct Ask {
    pub(super) crud: String,
    pub(super) action: Uid,
    pub(super) action_name: String,
    /// Widest first.
    pub(super) resources: Vec<TypeId>,
    /// Records, each with the JSON it was read from.
    pub(super) contexts: Vec<(Value, String)>,
    /// The type to name for a role that is permitted nothing; the widest if it is not listed.
    pub(super) untested: Vec<(String, String)>,
}

/// A scope word: what it permits where no guard forbids.
pub(super) struct Word {
    pub(super) name: String,
    pub(super) index: Index,
    /// Its policies in reading order.
    pub(super) infos: Vec<PolicyInfo>,
}

impl<'s> Spec<'s> {
    /// Parses `*.cedar` (scope words and guards), `*.json` (the world) and `*.toml` (the table).
    pub(super) fn parse(snapshot: &'s Snapshot, schema: &SchemaModel) -> Result<Self, Rejection> {
        let files = &snapshot.spec;
        let mut symbols = Symbols::above(&snapshot.symbols);
        let mut findings = Vec::new();
        let definitions = definitions(files, schema, &mut findings);
        let of_kind = |ending: &str| -> Vec<SourceFile> {
            let matching = files.iter().filter(|file| file.name.ends_with(ending));
            matching.cloned().collect()
        };
        let words = words(&definitions, schema, &mut symbols);
        let guards = definitions.that(|info| info.annotation("guard").is_some());
        let guards = Index::new(guards, Some(schema), &mut symbols);
        let worlds = of_kind(".json");
        let (world, _) = StoredEntities::parse(&worlds, Some(schema), &mut symbols, &mut findings);
        let mut spec = Self {
            symbols,
            roles: Vec::new(),
            rows: Vec::new(),
            words,
            guards,
            world,
            rulings: Rulings::default(),
        };
        for file in of_kind(".toml") {
            if finding::is_enough(&findings) {
                break;
            }
            if let Err(found) = spec.read_table(&file, schema) {
                findings.extend(found);
            }
        }
        match Rejection::of(findings) {
            Some(rejection) => Err(rejection),
            None => Ok(spec),
        }
    }

    fn read_table(&mut self, file: &SourceFile, schema: &SchemaModel) -> Result<(), Vec<Finding>> {
        let document = table::parse(file)?;
        let root = Section::root(file, &document);
        let mut findings = Vec::new();
        findings.extend(root.only(&["role", "row", "ruling"]).err());
        findings.extend(
            rulings::read(&root, &mut self.rulings)
                .err()
                .into_iter()
                .flatten(),
        );
        let roles = root.sections("role").map_err(|finding| vec![finding])?;
        let roles = roles.iter().map(|section| role(section, &mut self.symbols));
        self.roles.extend(finding::sifted(roles, &mut findings));
        let rows = root.sections("row").map_err(|finding| vec![finding])?;
        let rows = rows
            .iter()
            .map(|section| row(section, schema, &mut self.symbols));
        self.rows.extend(finding::sifted(rows, &mut findings));
        if findings.is_empty() {
            Ok(())
        } else {
            Err(findings)
        }
    }
}

/// The statements of a spec, each of one kind.
pub(super) fn definitions(
    files: &[SourceFile],
    schema: &SchemaModel,
    findings: &mut Vec<Finding>,
) -> Policies {
    let cedar = files.iter().filter(|file| file.name.ends_with(".cedar"));
    let sources = Sources {
        policies: cedar.cloned().collect(),
        ..Sources::default()
    };
    let definitions = Policies::parse(&sources, findings);
    definitions.validate(&sources, schema, None, findings);
    for info in &definitions.infos {
        if finding::is_enough(findings) {
            break;
        }
        let mut kinds = KINDS.iter();
        let of = kinds
            .by_ref()
            .find(|(kind, _)| info.annotation(kind).is_some());
        let another = kinds.any(|(kind, _)| info.annotation(kind).is_some());
        let message = match of {
            Some((_, effect)) if !another && *effect == info.effect => continue,
            Some((kind, effect)) if !another => {
                format!("`{}` is `@{kind}`, which must be a `{effect}`", info.id)
            }
            _ => format!(
                "`{}` is not one of `@scope`, `@guard`, `@role`, `@assume`, `@data`",
                info.id
            ),
        };
        findings.push(Finding::error(Kind::Validate, &info.file, message));
    }
    definitions
}

/// The words in the order of their first permit.
fn words(definitions: &Policies, schema: &SchemaModel, symbols: &mut Symbols<'_>) -> Vec<Word> {
    let mut names: Vec<&str> = Vec::new();
    let scopes = definitions.infos.iter();
    for word in scopes.filter_map(|info| info.annotation("scope")) {
        if !names.contains(&word) {
            names.push(word);
        }
    }
    let word = |name: &str| {
        let is_of = |info: &PolicyInfo| info.annotation("scope") == Some(name);
        let infos = definitions.infos.iter().filter(|info| is_of(info));
        Word {
            index: Index::new(definitions.that(is_of), Some(schema), symbols),
            infos: infos.cloned().collect(),
            name: name.to_owned(),
        }
    };
    names.into_iter().map(word).collect()
}

fn role(section: &Section<'_>, symbols: &mut Symbols<'_>) -> Result<Role, Finding> {
    section.only(&["name", "principals"])?;
    let uid = |text: &str| match uids::from_cedar(text) {
        Ok(uid) => Ok(symbols.uid_of(&uid)),
        Err(why) => Err(section.finding_about("principals", why)),
    };
    let principals = section.strings("principals")?.into_iter().map(uid);
    Ok(Role {
        name: section.string("name")?.to_owned(),
        principals: principals.collect::<Result<_, _>>()?,
    })
}

fn row(
    section: &Section<'_>,
    schema: &SchemaModel,
    symbols: &mut Symbols<'_>,
) -> Result<Row, Finding> {
    section.only(&["id", "section", "label", "ask"])?;
    let asks = section.sections("ask")?;
    let asks = asks.iter().map(|section| ask(section, schema, symbols));
    Ok(Row {
        id: section.string("id")?.to_owned(),
        section: section.string("section")?.to_owned(),
        label: section.string("label")?.to_owned(),
        asks: asks.collect::<Result<_, _>>()?,
    })
}

fn ask(
    section: &Section<'_>,
    schema: &SchemaModel,
    symbols: &mut Symbols<'_>,
) -> Result<Ask, Finding> {
    section.only(&["crud", "action", "resources", "contexts", "untested"])?;
    let action_name = section.string("action")?;
    let action = schema.action(action_name).ok_or_else(|| {
        let message = format!("the schema declares no action `{action_name}`");
        section.finding_about("action", message)
    })?;
    let kind = |name: &str| {
        schema.type_named(name).ok_or_else(|| {
            let message = format!("the schema declares no entity type `{name}`");
            section.finding_about("resources", message)
        })
    };
    let resources = section.strings("resources")?.into_iter().map(kind);
    let resources = resources.collect::<Result<_, _>>()?;
    let none = Shape::default();
    let shape = schema.context(action).unwrap_or(&none);
    let mut contexts = Vec::new();
    for text in section.strings("contexts")? {
        let context = context(text, shape, symbols);
        let context = context.map_err(|why| section.finding_about("contexts", why))?;
        contexts.push((context, text.to_owned()));
    }
    if contexts.is_empty() {
        contexts.push((Value::Record(Fields::default()), "{}".to_owned()));
    }
    let untested = section.pairs("untested")?.into_iter();
    Ok(Ask {
        crud: section
            .optional_string("crud")?
            .unwrap_or_default()
            .to_owned(),
        action,
        action_name: action_name.to_owned(),
        resources,
        contexts,
        untested: untested
            .map(|(role, resource_type)| (role.to_owned(), resource_type.to_owned()))
            .collect(),
    })
}

fn context(text: &str, shape: &Shape, symbols: &mut Symbols<'_>) -> Result<Value, String> {
    let json = Json::parse(text.as_bytes(), MAX_DEPTH).map_err(|error| error.to_string())?;
    let object = json.as_object().ok_or("a context is a JSON object")?;
    let mut notes = Strict {
        symbols,
        first: None,
    };
    let mut pairs = Vec::new();
    for (key, json) in object.iter() {
        let attribute = shape
            .attribute(key)
            .ok_or_else(|| format!("the action declares no context key `{key}`"))?;
        let value = coerce::declared(json, &attribute.value, Path::Part(key), &mut notes);
        pairs.extend(value.map(|value| (attribute.name, value)));
    }
    match notes.first {
        Some(note) => Err(note),
        None => Ok(Value::Record(Fields::of(pairs))),
    }
}

/// In a definition nothing may be left out, so that every note is an error.
struct Strict<'m, 's> {
    symbols: &'m mut Symbols<'s>,
    first: Option<String>,
}

impl<'s, 'a> Sink<'s, 'a> for Strict<'_, 's> {
    fn symbols(&mut self) -> &mut Symbols<'s> {
        self.symbols
    }

    fn entity(&mut self, uid: Uid, _properties: Option<&'a super::Object<'a>>) -> Uid {
        uid
    }

    fn note(&mut self, path: Path<'_>, what: fmt::Arguments<'_>) {
        if self.first.is_none() {
            self.first = Some(format!("`{}` {what}", path.shown(self.symbols)));
        }
    }
}
