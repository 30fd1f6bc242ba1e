//! How many entities of one type belong to each entity of another.

use std::collections::HashMap;

use crate::authz::{
    Finding,
    schema::SchemaModel,
    stored::StoredEntities,
    symbols::{Name, Symbols, TypeId, Uid},
    table::Section,
    value::Value,
    world::World,
};

use super::{
    Named, known_type,
    rule::{Expression, follow},
};

/// How many entities of one type belong to each entity of another.
#[derive(Debug)]
pub(super) struct Count {
    pub(super) named: Named,
    of: TypeId,
    pub(super) owner_type: TypeId,
    belongs: Belongs,
    condition: Option<Expression>,
    expected: Expected,
}

#[derive(Debug)]
enum Belongs {
    /// Every entity of the type counts with every owner.
    All,
    /// The counted entity names its owner.
    By(Vec<Name>),
    /// The owner names a group, and the counted entity is in it.
    In(Vec<Name>),
}

#[derive(Debug)]
enum Expected {
    AtMost(i64),
    Attribute(Name, String),
    Exactly(i64),
}

impl Count {
    pub(super) fn parse(
        section: &Section<'_>,
        schema: Option<&SchemaModel>,
        symbols: &mut Symbols<'_>,
    ) -> Result<Self, Finding> {
        section.only(&[
            "name", "source", "of", "for", "by", "in", "where", "equals", "at_most",
        ])?;
        let mut path = |text: &str| text.split('.').map(|step| symbols.name(step)).collect();
        let belongs = match (
            section.optional_string("by")?,
            section.optional_string("in")?,
        ) {
            (Some(by), None) => Belongs::By(path(by)),
            (None, Some(group)) => Belongs::In(path(group)),
            (None, None) => Belongs::All,
            (Some(_), Some(_)) => return Err(section.finding("give `by` or `in`, not both")),
        };
        let expected = match (section.number("equals"), section.number("at_most")) {
            (Some(number), None) => Expected::Exactly(number),
            (None, Some(number)) => Expected::AtMost(number),
            (None, None) => {
                let name = section.string("equals")?;
                Expected::Attribute(symbols.name(name), name.to_owned())
            }
            (Some(_), Some(_)) => {
                return Err(section.finding("give either `equals` or `at_most`"));
            }
        };
        let condition = match section.optional_string("where")? {
            Some(_) => Some(Expression::parse(section, "where", symbols)?),
            None => None,
        };
        Ok(Self {
            named: Named::parse(section)?,
            of: known_type(section, "of", schema, symbols)?,
            owner_type: known_type(section, "for", schema, symbols)?,
            belongs,
            condition,
            expected,
        })
    }

    /// How many belong to each owner, and where `where` could not be evaluated.
    pub(super) fn counted(
        &self,
        stored: &StoredEntities,
        world: &World<'_>,
        failed: &mut Vec<(Uid, String)>,
    ) -> HashMap<Uid, i64> {
        let mut counted: HashMap<Uid, i64> = HashMap::new();
        let mut counts = |candidate: Uid, owner: Uid| {
            let Some(expression) = &self.condition else {
                return true;
            };
            expression
                .holds(candidate, owner, world)
                .unwrap_or_else(|why| {
                    failed.push((candidate, why));
                    false
                })
        };
        let candidates = stored.of_type(self.of).iter().copied();
        let owners = stored.of_type(self.owner_type).iter().copied();
        match &self.belongs {
            Belongs::All => {
                for owner in owners {
                    let found = candidates.clone().filter(|it| counts(*it, owner)).count();
                    let found = i64::try_from(found).unwrap_or(i64::MAX);
                    counted.insert(owner, found);
                }
            }
            Belongs::By(path) => {
                for candidate in candidates {
                    let Some(owner) = follow(candidate, path, world) else {
                        continue;
                    };
                    if counts(candidate, owner) {
                        *counted.entry(owner).or_default() += 1;
                    }
                }
            }
            Belongs::In(path) => {
                let members = members_by_group(candidates, world);
                for owner in owners {
                    let group = follow(owner, path, world);
                    let members = group.and_then(|group| members.get(&group));
                    let members = members.into_iter().flatten();
                    let found = members.filter(|member| counts(**member, owner));
                    let found = i64::try_from(found.count()).unwrap_or(i64::MAX);
                    counted.insert(owner, found);
                }
            }
        }
        counted
    }

    pub(super) fn broken_by(&self, owner: Uid, found: i64, world: &World<'_>) -> Option<String> {
        let (expected, words) = match &self.expected {
            Expected::AtMost(most) => (found.min(*most), format!("at most {most}")),
            Expected::Attribute(name, text) => {
                let value = world.entity(owner)?.attributes.get(*name);
                let number = value.and_then(Value::as_long).unwrap_or(-1);
                (number, format!("`{text}`, which is {number}"))
            }
            Expected::Exactly(number) => (*number, number.to_string()),
        };
        let condition = self.condition.as_ref();
        let such = condition.map_or(String::new(), |c| format!(" with `{}`", c.text));
        let of = world.symbols.type_text(self.of);
        (found != expected).then(|| format!("{found} `{of}`{such}, not {words}"))
    }
}

fn members_by_group(
    members: impl Iterator<Item = Uid>,
    world: &World<'_>,
) -> HashMap<Uid, Vec<Uid>> {
    let mut groups: HashMap<Uid, Vec<Uid>> = HashMap::new();
    for member in members {
        for group in world.ancestors(member).iter() {
            groups.entry(group).or_default().push(member);
        }
    }
    groups
}
