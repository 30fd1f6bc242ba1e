//! The two kinds of rule a condition is made of: a Cedar expression and the shape of an id.

use std::str::FromStr;

use cedar_policy::{Authorizer, Context, Decision, PolicySet, Request};

use crate::authz::{
    Finding,
    engine::{self, Entity, Uid},
    nesting::{self, Syntax},
    stored::StoredEntities,
    table::Section,
    text,
};

/// A Cedar expression, as the condition of a policy of its own.
#[derive(Debug)]
pub(super) struct Expression {
    policy: Box<PolicySet>,
    pub(super) text: String,
}

/// A pattern for ids: text, `{attribute.path}` and `*`.
#[derive(Debug)]
pub(super) struct IdPattern(Vec<IdPart>);

#[derive(Debug)]
enum IdPart {
    Any,
    Attribute(Vec<String>),
    Text(String),
}

impl Expression {
    pub(super) fn parse(section: &Section<'_>, key: &str) -> Result<Self, Finding> {
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
            policy: Box::new(policy),
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }

    pub(super) fn holds(
        &self,
        principal: &Uid,
        resource: &Uid,
        stored: &StoredEntities,
    ) -> Result<bool, String> {
        let resource = engine::public_uid(resource);
        let request = Request::new(
            engine::public_uid(principal),
            resource.clone(),
            resource,
            Context::empty(),
            None,
        )
        .map_err(|error| text::chain(&error))?;
        let response = Authorizer::new().is_authorized(&request, &self.policy, stored.view());
        match response.diagnostics().errors().next() {
            Some(error) => Err(text::chain(error)),
            None => Ok(response.decision() == Decision::Allow),
        }
    }
}

impl IdPattern {
    pub(super) fn parse(pattern: &str) -> Self {
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
                    let path = path.split('.').map(str::to_owned).collect();
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

    pub(super) fn broken_by(&self, entity: &Entity, stored: &StoredEntities) -> Option<String> {
        let text = |part: &IdPart| match part {
            IdPart::Any => None,
            IdPart::Attribute(path) => {
                Some(attribute_text(entity, path, stored).unwrap_or_default())
            }
            IdPart::Text(text) => Some(text.clone()),
        };
        let parts: Vec<Option<String>> = self.0.iter().map(text).collect();
        let id: &str = entity.uid().eid().as_ref();
        if matches(id, &parts) {
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
fn attribute_text(entity: &Entity, path: &[String], stored: &StoredEntities) -> Option<String> {
    let (last, steps) = path.split_last()?;
    let mut current = entity;
    for step in steps {
        current = stored.get(engine::named(current, step)?)?;
    }
    let named = engine::named(current, last).map(|uid| uid.eid().as_ref());
    named
        .or_else(|| engine::string(current, last))
        .map(str::to_owned)
}

/// The entity at an attribute path.
pub(super) fn follow<'e>(
    entity: &'e Entity,
    path: &[String],
    stored: &'e StoredEntities,
) -> Option<&'e Uid> {
    let (last, steps) = path.split_last()?;
    let mut current = entity;
    for step in steps {
        current = stored.get(engine::named(current, step)?)?;
    }
    engine::named(current, last)
}
