//! Data conditions: what stored entities must meet beyond the schema (`conditions.toml`).

use super::{
    Finding, Kind, SourceFile, finding,
    schema::SchemaModel,
    stored::{Places, StoredEntities},
    symbols::{Symbols, TypeId, Uid},
    table::{self, Section},
    world::World,
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
    pub(super) aliases: Vec<Uid>,
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
    entity_type: TypeId,
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
        symbols: &mut Symbols<'_>,
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
        let each = each.iter().map(|it| Each::parse(it, schema, symbols));
        conditions.each = finding::sifted(each, &mut findings);
        let count = count.iter().map(|it| Count::parse(it, schema, symbols));
        conditions.count = finding::sifted(count, &mut findings);
        let aliases = alias.iter().map(|it| alias_of(it, schema, symbols));
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
        symbols: &Symbols<'_>,
        schema: Option<&SchemaModel>,
        findings: &mut Vec<Finding>,
    ) {
        let world = World::stored(symbols, stored, schema);
        let tell = |(uid, why)| places.finding(uid, format!("`{}`: {why}", symbols.show(uid)));
        for each in &self.each {
            if finding::is_enough(findings) {
                return;
            }
            let of_type = stored.of_type(each.entity_type).iter();
            let broken = of_type.filter_map(|uid| Some((*uid, each.broken_by(*uid, &world)?)));
            report(broken, &each.named, tell, findings);
        }
        for count in &self.count {
            if finding::is_enough(findings) {
                return;
            }
            let mut failed = Vec::new();
            let counted = count.counted(stored, &world, &mut failed);
            report(failed.into_iter(), &count.named, tell, findings);
            let owners = stored.of_type(count.owner_type).iter();
            let broken = owners.filter_map(|owner| {
                let found = counted.get(owner).copied().unwrap_or(0);
                Some((*owner, count.broken_by(*owner, found, &world)?))
            });
            report(broken, &count.named, tell, findings);
        }
        for alias in &self.aliases {
            if finding::is_enough(findings) {
                return;
            }
            if stored.get(*alias).is_some() {
                let message = format!(
                    "`{}` is an alias and cannot be stored",
                    symbols.show(*alias)
                );
                findings.push(places.finding(*alias, message));
            }
        }
    }
}

fn report(
    broken: impl Iterator<Item = (Uid, String)>,
    named: &Named,
    tell: impl Fn((Uid, String)) -> Finding,
    findings: &mut Vec<Finding>,
) {
    let mut more = 0;
    for (index, broken) in broken.enumerate() {
        if index >= MAX_REPORTED {
            more += 1;
            continue;
        }
        let help = format!("the condition is `{}` ({})", named.name, named.source);
        findings.push(tell(broken).help(help));
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
    fn parse(
        section: &Section<'_>,
        schema: Option<&SchemaModel>,
        symbols: &mut Symbols<'_>,
    ) -> Result<Self, Finding> {
        section.only(&["type", "name", "source", "holds", "id"])?;
        let rule = match (
            section.optional_string("holds")?,
            section.optional_string("id")?,
        ) {
            (Some(_), None) => Rule::Holds(Expression::parse(section, "holds", symbols)?),
            (None, Some(pattern)) => Rule::Id(IdPattern::parse(pattern, symbols)),
            _ => return Err(section.finding("give either `holds` or `id`")),
        };
        Ok(Self {
            named: Named::parse(section)?,
            entity_type: known_type(section, "type", schema, symbols)?,
            rule,
        })
    }

    fn broken_by(&self, uid: Uid, world: &World<'_>) -> Option<String> {
        match &self.rule {
            Rule::Holds(expression) => match expression.holds(uid, uid, world) {
                Ok(true) => None,
                Ok(false) => Some(format!("`{}` does not hold", expression.text)),
                Err(why) => Some(why),
            },
            Rule::Id(pattern) => pattern.broken_by(uid, world),
        }
    }
}

fn alias_of(
    section: &Section<'_>,
    schema: Option<&SchemaModel>,
    symbols: &mut Symbols<'_>,
) -> Result<Uid, Finding> {
    section.only(&["type", "id", "source"])?;
    let kind = known_type(section, "type", schema, symbols)?;
    Ok(symbols.uid(kind, section.string("id")?))
}

fn known_type(
    section: &Section<'_>,
    key: &str,
    schema: Option<&SchemaModel>,
    symbols: &mut Symbols<'_>,
) -> Result<TypeId, Finding> {
    let name = section.string(key)?;
    match schema {
        Some(schema) => schema.type_named(name).ok_or_else(|| {
            let message = format!("the schema declares no entity type `{name}`");
            section.finding_about(key, message)
        }),
        None => {
            let known = symbols.read_type(name);
            known.map_err(|why| section.finding_about(key, why))
        }
    }
}
