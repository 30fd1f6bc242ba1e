//! Data conditions: what stored entities must meet beyond the schema (`conditions.toml`).

use cedar_policy::EntityUid;

use super::{
    Finding, Kind, SourceFile,
    engine::{self, Entity, Uid},
    finding,
    schema::SchemaModel,
    stored::{Places, StoredEntities},
    table::{self, Section},
    uids,
};

mod count;
mod rule;

use count::Count;
use rule::{Expression, IdPattern};

/// How many entities one condition may report; the rest is counted.
const MAX_REPORTED: usize = 20;

/// The conditions of a file.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    each: Vec<Each>,
    count: Vec<Count>,
    pub(super) aliases: Vec<EntityUid>,
}

/// What a person reads when a condition is broken.
#[derive(Debug)]
struct Named {
    name: String,
    source: String,
}

/// Something that holds for every entity of a type.
#[derive(Debug)]
struct Each {
    named: Named,
    entity_type: String,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    /// A Cedar expression over `resource`.
    Holds(Expression),
    /// The shape of the id.
    Id(IdPattern),
}

impl Conditions {
    /// Parses a conditions file.
    pub(super) fn parse(
        file: &SourceFile,
        schema: Option<&SchemaModel>,
    ) -> Result<Self, Vec<Finding>> {
        let document = table::parse(file)?;
        let root = Section::root(file, &document);
        let mut conditions = Self::default();
        let mut findings = Vec::new();
        let mut sections = |key: &str| {
            root.sections(key).unwrap_or_else(|finding| {
                findings.push(finding);
                Vec::new()
            })
        };
        let (each, count, alias) = (sections("each"), sections("count"), sections("alias"));
        findings.extend(root.only(&["each", "count", "alias"]).err());
        let each = each.iter().map(|it| Each::parse(it, schema));
        conditions.each = finding::sifted(each, &mut findings);
        let count = count.iter().map(|it| Count::parse(it, schema));
        conditions.count = finding::sifted(count, &mut findings);
        let aliases = alias.iter().map(|it| alias_of(it, schema));
        conditions.aliases = finding::sifted(aliases, &mut findings);
        if findings.is_empty() {
            Ok(conditions)
        } else {
            Err(findings)
        }
    }

    /// Checks stored entities; everything broken is a finding at the entity, until there are enough.
    pub(super) fn check(
        &self,
        stored: &StoredEntities,
        places: &Places<'_>,
        findings: &mut Vec<Finding>,
    ) {
        for each in &self.each {
            if finding::is_enough(findings) {
                return;
            }
            let broken = stored
                .of_type(&each.entity_type)
                .iter()
                .filter_map(|entity| {
                    let why = each.broken_by(entity, stored)?;
                    Some((entity.uid(), why))
                });
            report(broken, &each.named, places, findings);
        }
        for count in &self.count {
            if finding::is_enough(findings) {
                return;
            }
            let mut failed = Vec::new();
            let counted = count.counted(stored, &mut failed);
            report(
                failed.iter().map(|(uid, why)| (uid, why.clone())),
                &count.named,
                places,
                findings,
            );
            let broken = stored
                .of_type(&count.owner_type)
                .iter()
                .filter_map(|owner| {
                    let found = counted.get(owner.uid()).copied().unwrap_or(0);
                    Some((owner.uid(), count.broken_by(owner, found)?))
                });
            report(broken, &count.named, places, findings);
        }
        for alias in &self.aliases {
            if finding::is_enough(findings) {
                return;
            }
            if stored.get(engine::uid(alias)).is_some() {
                let message = format!("`{alias}` is an alias and cannot be stored");
                findings.push(places.finding(engine::uid(alias), message));
            }
        }
    }
}

fn report<'e>(
    broken: impl Iterator<Item = (&'e Uid, String)>,
    named: &Named,
    places: &Places<'_>,
    findings: &mut Vec<Finding>,
) {
    let mut more = 0;
    for (index, (uid, why)) in broken.enumerate() {
        if index >= MAX_REPORTED {
            more += 1;
            continue;
        }
        let help = format!("the condition is `{}` ({})", named.name, named.source);
        findings.push(places.finding(uid, format!("`{uid}`: {why}")).help(help));
    }
    if more > 0 {
        let message = format!("{more} more entities break `{}`", named.name);
        findings.push(Finding::error(Kind::Entities, String::new(), message));
    }
}

impl Named {
    fn parse(section: &Section<'_>) -> Result<Self, Finding> {
        Ok(Self {
            name: section.string("name")?.to_owned(),
            source: section.string("source")?.to_owned(),
        })
    }
}

impl Each {
    fn parse(section: &Section<'_>, schema: Option<&SchemaModel>) -> Result<Self, Finding> {
        section.only(&["type", "name", "source", "holds", "id"])?;
        let rule = match (
            section.optional_string("holds")?,
            section.optional_string("id")?,
        ) {
            (Some(_), None) => Rule::Holds(Expression::parse(section, "holds")?),
            (None, Some(pattern)) => Rule::Id(IdPattern::parse(pattern)),
            _ => return Err(section.finding("give either `holds` or `id`")),
        };
        Ok(Self {
            named: Named::parse(section)?,
            entity_type: known_type(section, "type", schema)?,
            rule,
        })
    }

    fn broken_by(&self, entity: &Entity, stored: &StoredEntities) -> Option<String> {
        match &self.rule {
            Rule::Holds(expression) => match expression.holds(entity.uid(), entity.uid(), stored) {
                Ok(true) => None,
                Ok(false) => Some(format!("`{}` does not hold", expression.text)),
                Err(why) => Some(why),
            },
            Rule::Id(pattern) => pattern.broken_by(entity, stored),
        }
    }
}

fn alias_of(section: &Section<'_>, schema: Option<&SchemaModel>) -> Result<EntityUid, Finding> {
    section.only(&["type", "id", "source"])?;
    let name = known_type(section, "type", schema)?;
    uids::from_parts(&name, section.string("id")?).map_err(|why| section.finding(why))
}

fn known_type(
    section: &Section<'_>,
    key: &str,
    schema: Option<&SchemaModel>,
) -> Result<String, Finding> {
    let name = section.string(key)?;
    match schema {
        Some(schema) if schema.entity_type(name).is_none() => {
            let message = format!("the schema declares no entity type `{name}`");
            Err(section.finding_about(key, message))
        }
        _ => Ok(name.to_owned()),
    }
}
