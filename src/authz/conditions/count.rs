//! How many entities of one type belong to each entity of another.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::authz::{
    Finding,
    engine::{self, Entity, Uid},
    schema::SchemaModel,
    stored::StoredEntities,
    table::Section,
};

use super::{
    Named, known_type,
    rule::{Expression, follow},
};

/// How many entities of one type belong to each entity of another.
#[derive(Debug)]
pub(super) struct Count {
    pub(super) named: Named,
    of: String,
    pub(super) owner_type: String,
    belongs: Belongs,
    condition: Option<Expression>,
    expected: Expected,
}

#[derive(Debug)]
enum Belongs {
    /// Every entity of the type counts with every owner.
    All,
    /// The counted entity names its owner.
    By(Vec<String>),
    /// The owner names a group, and the counted entity is in it.
    In(Vec<String>),
}

#[derive(Debug)]
enum Expected {
    AtMost(i64),
    Attribute(String),
    Exactly(i64),
}

impl Count {
    pub(super) fn parse(
        section: &Section<'_>,
        schema: Option<&SchemaModel>,
    ) -> Result<Self, Finding> {
        section.only(&[
            "name", "source", "of", "for", "by", "in", "where", "equals", "at_most",
        ])?;
        let path = |text: &str| text.split('.').map(str::to_owned).collect();
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
            (None, None) => Expected::Attribute(section.string("equals")?.to_owned()),
            (Some(_), Some(_)) => {
                return Err(section.finding("give either `equals` or `at_most`"));
            }
        };
        let condition = match section.optional_string("where")? {
            Some(_) => Some(Expression::parse(section, "where")?),
            None => None,
        };
        Ok(Self {
            named: Named::parse(section)?,
            of: known_type(section, "of", schema)?,
            owner_type: known_type(section, "for", schema)?,
            belongs,
            condition,
            expected,
        })
    }

    /// How many belong to each owner, and where `where` could not be evaluated.
    pub(super) fn counted(
        &self,
        stored: &StoredEntities,
        failed: &mut Vec<(Uid, String)>,
    ) -> HashMap<Uid, i64> {
        let mut counted: HashMap<Uid, i64> = HashMap::new();
        let mut counts = |candidate: &Entity, owner: &Uid| {
            let Some(expression) = &self.condition else {
                return true;
            };
            expression
                .holds(candidate.uid(), owner, stored)
                .unwrap_or_else(|why| {
                    failed.push((candidate.uid().clone(), why));
                    false
                })
        };
        match &self.belongs {
            Belongs::All => {
                for owner in stored.of_type(&self.owner_type) {
                    let candidates = stored.of_type(&self.of).iter();
                    let found = candidates.filter(|it| counts(it, owner.uid())).count();
                    let found = i64::try_from(found).unwrap_or(i64::MAX);
                    counted.insert(owner.uid().clone(), found);
                }
            }
            Belongs::By(path) => {
                for candidate in stored.of_type(&self.of) {
                    let Some(owner) = follow(candidate, path, stored) else {
                        continue;
                    };
                    if counts(candidate, owner) {
                        *counted.entry(owner.clone()).or_default() += 1;
                    }
                }
            }
            Belongs::In(path) => {
                let members = members_by_group(stored.of_type(&self.of));
                for owner in stored.of_type(&self.owner_type) {
                    let group = follow(owner, path, stored);
                    let members = group.and_then(|group| members.get(group));
                    let found = members
                        .into_iter()
                        .flatten()
                        .filter(|member| counts(member, owner.uid()));
                    let found = i64::try_from(found.count()).unwrap_or(i64::MAX);
                    counted.insert(owner.uid().clone(), found);
                }
            }
        }
        counted
    }

    pub(super) fn broken_by(&self, owner: &Entity, found: i64) -> Option<String> {
        let (expected, words) = match &self.expected {
            Expected::AtMost(most) => (found.min(*most), format!("at most {most}")),
            Expected::Attribute(name) => {
                let number = engine::number(owner, name);
                (
                    number.unwrap_or(-1),
                    format!("`{name}`, which is {}", number.unwrap_or(-1)),
                )
            }
            Expected::Exactly(number) => (*number, number.to_string()),
        };
        let condition = self.condition.as_ref();
        let such = condition.map_or(String::new(), |c| format!(" with `{}`", c.text));
        (found != expected).then(|| format!("{found} `{}`{such}, not {words}", self.of))
    }
}

fn members_by_group(members: &[Arc<Entity>]) -> HashMap<&Uid, Vec<&Entity>> {
    let mut groups: HashMap<&Uid, Vec<&Entity>> = HashMap::new();
    for member in members {
        for group in member.ancestors().collect::<HashSet<_>>() {
            groups.entry(group).or_default().push(member.as_ref());
        }
    }
    groups
}
