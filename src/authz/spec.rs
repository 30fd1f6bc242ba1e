//! What rows, columns, roles and scope words mean: definitions, never which cell has which word.

use std::fmt;

use cedar_policy::{Context, EntityUid, Policy, PolicySet};

use super::{
    Finding, Json, Kind, Rejection, SourceFile, Sources,
    coerce::{self, Sink},
    finding,
    index::Index,
    notes::Path,
    policies::Policies,
    schema::{SchemaModel, Shape},
    stored::StoredEntities,
    table::{self, Section},
    text, uids,
};

/// How deep a context may nest.
const MAX_DEPTH: usize = 16;

/// The parsed definitions.
pub(super) struct Spec {
    pub(super) roles: Vec<Role>,
    pub(super) rows: Vec<Row>,
    /// In reading order, which is the order of precedence.
    pub(super) words: Vec<Word>,
    /// What every word presupposes: asked once for each situation, not with each word.
    pub(super) guards: Index,
    /// Every entity of a row's type is one of its situations.
    pub(super) world: StoredEntities,
}

/// A column and who stands in it.
pub(super) struct Role {
    pub(super) name: String,
    pub(super) principals: Vec<EntityUid>,
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
    pub(super) action: EntityUid,
    pub(super) action_name: String,
    /// Widest first.
    pub(super) resources: Vec<String>,
    pub(super) contexts: Vec<Context>,
    /// The type to name for a role that is permitted nothing; the widest if it is not listed.
    pub(super) untested: Vec<(String, String)>,
}

/// A scope word: what it permits where no guard forbids.
pub(super) struct Word {
    pub(super) name: String,
    pub(super) index: Index,
}

impl Spec {
    /// Parses `*.cedar` (scope words and guards), `*.json` (the world) and `*.toml` (the table).
    pub(super) fn parse(files: &[SourceFile], schema: &SchemaModel) -> Result<Self, Rejection> {
        let of_kind = |ending: &str| -> Vec<SourceFile> {
            let matching = files.iter().filter(|file| file.name.ends_with(ending));
            matching.cloned().collect()
        };
        let mut findings = Vec::new();
        let sources = Sources {
            policies: of_kind(".cedar"),
            ..Sources::default()
        };
        let definitions = Policies::parse(&sources, &mut findings);
        definitions.validate(&sources, schema, None, &mut findings);
        let words = words(&definitions, schema, &mut findings);
        let guards = annotated(&definitions, schema, |policy| {
            policy.annotation("guard").is_some()
        });
        let guards = guards.unwrap_or_else(|finding| {
            findings.push(finding);
            Index::default()
        });
        let worlds = of_kind(".json");
        let (world, _) = StoredEntities::parse(&worlds, Some(schema), &mut findings);
        let mut spec = Self {
            roles: Vec::new(),
            rows: Vec::new(),
            words,
            guards,
            world,
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
        findings.extend(root.only(&["role", "row"]).err());
        let roles = root.sections("role").map_err(|finding| vec![finding])?;
        let roles = roles.iter().map(role);
        self.roles.extend(finding::sifted(roles, &mut findings));
        let rows = root.sections("row").map_err(|finding| vec![finding])?;
        let rows = rows.iter().map(|section| row(section, schema));
        self.rows.extend(finding::sifted(rows, &mut findings));
        if findings.is_empty() {
            Ok(())
        } else {
            Err(findings)
        }
    }
}

/// The words in the order of their first permit.
fn words(definitions: &Policies, schema: &SchemaModel, findings: &mut Vec<Finding>) -> Vec<Word> {
    let annotation = |info: &super::PolicyInfo, key: &str| {
        let found = info.annotations.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone())
    };
    let mut names: Vec<String> = Vec::new();
    for info in &definitions.infos {
        if finding::is_enough(findings) {
            return Vec::new();
        }
        match (annotation(info, "scope"), annotation(info, "guard")) {
            (Some(word), None) if !names.contains(&word) => names.push(word),
            (None, Some(_)) if info.effect != "forbid" => {
                let message = format!("`{}` is a guard that forbids nothing", info.id);
                findings.push(Finding::error(Kind::Validate, &info.file, message));
            }
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) | (Some(_), Some(_)) => {
                let message = format!("`{}` is neither `@scope` nor `@guard`", info.id);
                findings.push(Finding::error(Kind::Validate, &info.file, message));
            }
        }
    }
    let mut words = Vec::new();
    for name in names {
        let belongs = |policy: &Policy| policy.annotation("scope") == Some(&name);
        match annotated(definitions, schema, belongs) {
            Ok(index) => words.push(Word { name, index }),
            Err(finding) => findings.push(finding),
        }
    }
    words
}

/// The definitions of one kind, ready to be asked.
fn annotated(
    definitions: &Policies,
    schema: &SchemaModel,
    belongs: impl Fn(&Policy) -> bool,
) -> Result<Index, Finding> {
    let policies = definitions.set.policies();
    let policies = policies.filter(|policy| belongs(policy)).cloned();
    PolicySet::from_policies(policies)
        .map_err(|error| text::chain(&error))
        .and_then(|set| Index::new(&set, Some(schema)))
        .map_err(|message| Finding::error(Kind::Validate, String::new(), message))
}

fn role(section: &Section<'_>) -> Result<Role, Finding> {
    section.only(&["name", "principals"])?;
    let uid =
        |text: &str| uids::from_cedar(text).map_err(|why| section.finding_about("principals", why));
    let principals = section.strings("principals")?.into_iter().map(uid);
    Ok(Role {
        name: section.string("name")?.to_owned(),
        principals: principals.collect::<Result<_, _>>()?,
    })
}

fn row(section: &Section<'_>, schema: &SchemaModel) -> Result<Row, Finding> {
    section.only(&["id", "section", "label", "ask"])?;
    let asks = section.sections("ask")?;
    let asks = asks.iter().map(|section| ask(section, schema));
    Ok(Row {
        id: section.string("id")?.to_owned(),
        section: section.string("section")?.to_owned(),
        label: section.string("label")?.to_owned(),
        asks: asks.collect::<Result<_, _>>()?,
    })
}

fn ask(section: &Section<'_>, schema: &SchemaModel) -> Result<Ask, Finding> {
    section.only(&["crud", "action", "resources", "contexts", "untested"])?;
    let action_name = section.string("action")?;
    let action = schema.action(action_name).cloned().ok_or_else(|| {
        let message = format!("the schema declares no action `{action_name}`");
        section.finding_about("action", message)
    })?;
    let resources = section.strings("resources")?;
    let unknown = resources
        .iter()
        .find(|name| schema.entity_type(name).is_none());
    if let Some(unknown) = unknown {
        let message = format!("the schema declares no entity type `{unknown}`");
        return Err(section.finding_about("resources", message));
    }
    let none = Shape::default();
    let shape = schema.context(&action).unwrap_or(&none);
    let mut contexts = Vec::new();
    for text in section.strings("contexts")? {
        let context = context(text, shape).map_err(|why| section.finding_about("contexts", why))?;
        contexts.push(context);
    }
    if contexts.is_empty() {
        contexts.push(Context::empty());
    }
    let untested = section.pairs("untested")?.into_iter();
    Ok(Ask {
        crud: section
            .optional_string("crud")?
            .unwrap_or_default()
            .to_owned(),
        action,
        action_name: action_name.to_owned(),
        resources: resources.into_iter().map(str::to_owned).collect(),
        contexts,
        untested: untested
            .map(|(role, resource_type)| (role.to_owned(), resource_type.to_owned()))
            .collect(),
    })
}

fn context(text: &str, shape: &Shape) -> Result<Context, String> {
    let json = Json::parse(text.as_bytes(), MAX_DEPTH).map_err(|error| error.to_string())?;
    let object = json.as_object().ok_or("a context is a JSON object")?;
    let mut notes = Strict(None);
    let mut pairs = Vec::new();
    for (key, json) in object.iter() {
        let attribute = shape
            .attribute(key)
            .ok_or_else(|| format!("the action declares no context key `{key}`"))?;
        let value = coerce::declared(json, &attribute.value, Path::Part(key), &mut notes);
        pairs.extend(value.map(|value| (key.to_owned(), value)));
    }
    if let Some(note) = notes.0 {
        return Err(note);
    }
    Context::from_pairs(pairs).map_err(|error| text::chain(&error))
}

/// In a definition nothing may be left out, so that every note is an error.
struct Strict(Option<String>);

impl<'a> Sink<'a> for Strict {
    fn entity(&mut self, uid: EntityUid, _properties: Option<&'a super::Object<'a>>) -> EntityUid {
        uid
    }

    fn note(&mut self, note: fmt::Arguments<'_>) {
        self.0.get_or_insert_with(|| note.to_string());
    }
}
