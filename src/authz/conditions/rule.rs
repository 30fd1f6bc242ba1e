//! The two kinds of rule a condition is made of: a Cedar expression and the shape of an id.

use std::str::FromStr;

use cedar_policy::PolicySet;

use crate::authz::{
    Finding,
    expr::Scene,
    index::Index,
    nesting::{self, Syntax},
    symbols::{Name, Symbols, Uid},
    table::Section,
    text,
    value::{Fields, Value},
    world::World,
};

/// A Cedar expression, as the condition of a policy of its own.
#[derive(Debug)]
pub(super) struct Expression {
    index: Index,
    pub(super) text: String,
}

/// A pattern for ids: text, `{attribute.path}` and `*`.
#[derive(Debug)]
pub(super) struct IdPattern(Vec<IdPart>);

#[derive(Debug)]
enum IdPart {
    Any,
    Attribute(Vec<Name>),
    Text(String),
}

impl Expression {
    pub(super) fn parse(
        section: &Section<'_>,
        key: &str,
        symbols: &mut Symbols<'_>,
    ) -> Result<Self, Finding> {
        let text = section.string(key)?;
        let wrong = |why: String| {
            let message = format!("`{key}` is not a Cedar expression: {why}");
            section.finding_about(key, message)
        };
        if let Some((_, why)) = nesting::excess(text, Syntax::Policy) {
            return Err(wrong(why));
        }
        // The line break ends a comment that the expression may end with.
        let policy = format!("permit (principal, action, resource) when {{ {text}\n}};");
        let policy = PolicySet::from_str(&policy).map_err(|e| wrong(text::chain(&e)))?;
        if policy.num_of_policies() != 1 || policy.num_of_templates() != 0 {
            return Err(wrong("it ends the condition it stands in".to_owned()));
        }
        Ok(Self {
            index: Index::new(policy.policies(), None, symbols),
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }

    pub(super) fn holds(
        &self,
        principal: Uid,
        resource: Uid,
        world: &World<'_>,
    ) -> Result<bool, String> {
        let verdict = self.index.ask(&Scene {
            principal,
            action: resource,
            resource,
            context: &Value::Record(Fields::default()),
            world,
        });
        match verdict.errors.first() {
            Some((_, message)) => Err(message.clone()),
            None => Ok(verdict.allows()),
        }
    }
}

impl IdPattern {
    pub(super) fn parse(pattern: &str, symbols: &mut Symbols<'_>) -> Self {
        let mut parts = Vec::new();
        let mut rest = pattern;
        while let Some(at) = rest.find(['{', '*']) {
            let (text, special) = rest.split_at(at);
            parts.push(IdPart::Text(text.to_owned()));
            let closed = special
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'));
            match closed {
                Some((path, after)) => {
                    let path = path.split('.').map(|step| symbols.name(step)).collect();
                    parts.push(IdPart::Attribute(path));
                    rest = after;
                }
                None => {
                    parts.push(IdPart::Any);
                    rest = special.get(1..).unwrap_or_default();
                }
            }
        }
        parts.push(IdPart::Text(rest.to_owned()));
        Self(parts)
    }

    pub(super) fn broken_by(&self, uid: Uid, world: &World<'_>) -> Option<String> {
        let text = |part: &IdPart| match part {
            IdPart::Any => None,
            IdPart::Attribute(path) => Some(attribute_text(uid, path, world).unwrap_or_default()),
            IdPart::Text(text) => Some(text.clone()),
        };
        let parts: Vec<Option<String>> = self.0.iter().map(text).collect();
        if matches(world.symbols.id(uid), &parts) {
            return None;
        }
        let words = parts.iter().map(|part| part.as_deref().unwrap_or("*"));
        Some(format!("the id is not `{}`", words.collect::<String>()))
    }
}

/// Whether an id is made of these parts, in this order; `None` is any text.
fn matches(id: &str, parts: &[Option<String>]) -> bool {
    match parts.split_first() {
        None => id.is_empty(),
        Some((Some(text), rest)) => id
            .strip_prefix(text.as_str())
            .is_some_and(|id| matches(id, rest)),
        Some((None, rest)) => {
            let starts = id.char_indices().map(|(at, _)| at).chain([id.len()]);
            let mut tails = starts.filter_map(|at| id.get(at..));
            tails.any(|tail| matches(tail, rest))
        }
    }
}

/// The string at an attribute path, or the id of the entity there.
fn attribute_text(uid: Uid, path: &[Name], world: &World<'_>) -> Option<String> {
    let value = at(uid, path, world)?;
    let id = value.as_entity().map(|named| world.symbols.id(named));
    id.or_else(|| value.as_str()).map(str::to_owned)
}

/// The entity at an attribute path.
pub(super) fn follow(uid: Uid, path: &[Name], world: &World<'_>) -> Option<Uid> {
    at(uid, path, world)?.as_entity()
}

/// What stands at an attribute path.
fn at<'w>(uid: Uid, path: &[Name], world: &World<'w>) -> Option<&'w Value> {
    let (last, steps) = path.split_last()?;
    let mut current = uid;
    for step in steps {
        current = world.entity(current)?.named(*step)?;
    }
    world.entity(current)?.attributes.get(*last)
}
