//! From Cedar's values and entities to ours.

use std::collections::{BTreeMap, HashSet};

use cedar_policy_core::ast::{self, Literal, PartialValue, ValueKind};
use smol_str::SmolStr;

use crate::authz::{
    symbols::{Symbols, Uid},
    value::{Elements, Entity, Fields, Value},
};

use super::ExtensionValue;

/// A uid.
pub(in crate::authz) fn uid(uid: &ast::EntityUID, symbols: &mut Symbols<'_>) -> Uid {
    let kind = symbols.type_of_name(&uid.entity_type().clone().into());
    symbols.uid(kind, uid.eid().as_ref())
}

pub(super) fn literal(literal: &Literal, symbols: &mut Symbols<'_>) -> Value {
    match literal {
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Long(value) => Value::Long(*value),
        Literal::String(value) => Value::String(value.clone()),
        Literal::EntityUID(named) => Value::Entity(uid(named, symbols)),
    }
}

fn value(from: &ast::Value, symbols: &mut Symbols<'_>) -> Value {
    match &from.value {
        ValueKind::Lit(known) => literal(known, symbols),
        ValueKind::Set(set) => {
            let elements = set.authoritative.iter().map(|it| value(it, symbols));
            Value::Set(Elements::of(elements.collect()))
        }
        ValueKind::Record(record) => Value::Record(record_of(record, symbols)),
        ValueKind::ExtensionValue(_) => Value::Extension(ExtensionValue::new(from)),
    }
}

fn record_of(record: &BTreeMap<SmolStr, ast::Value>, symbols: &mut Symbols<'_>) -> Fields {
    let fields = record
        .iter()
        .map(|(name, it)| (symbols.name(name), value(it, symbols)));
    Fields::of(fields.collect())
}

/// The value of a public expression; `None` if it is not what its constructor takes.
pub(in crate::authz) fn evaluated(
    expression: cedar_policy::RestrictedExpression,
    symbols: &mut Symbols<'_>,
) -> Option<Value> {
    let context = cedar_policy::Context::from_pairs([(String::new(), expression)]).ok()?;
    match context.as_ref() {
        ast::Context::Value(values) => values.values().next().map(|it| value(it, symbols)),
        ast::Context::RestrictedResidual(_) => None,
    }
}

/// A context.
pub(in crate::authz) fn context(
    context: &cedar_policy::Context,
    symbols: &mut Symbols<'_>,
) -> Option<Value> {
    match context.as_ref() {
        ast::Context::Value(values) => Some(Value::Record(record_of(values, symbols))),
        ast::Context::RestrictedResidual(_) => None,
    }
}

/// An entity, with the parents it states; not closed.
///
/// # Errors
/// A value in it is not known, which no text that Cedar reads can say.
pub(in crate::authz) fn entity(
    from: ast::Entity,
    symbols: &mut Symbols<'_>,
) -> Result<(Uid, Entity), String> {
    let (own, attributes, _, parents, tags) = from.into_inner();
    let mut fields = |from: BTreeMap<SmolStr, PartialValue>| {
        let fields = from.into_iter().map(|(name, it)| match it {
            PartialValue::Value(it) => Ok((symbols.name(&name), value(&it, symbols))),
            PartialValue::Residual(_) => Err(format!("the value of `{name}` is not known")),
        });
        fields.collect::<Result<_, _>>().map(Fields::of)
    };
    let (attributes, tags) = (fields(attributes)?, fields(tags)?);
    let uid_of = |it: &ast::EntityUID| uid(it, symbols);
    let entity = Entity {
        attributes,
        tags,
        parents: uids(&parents, uid_of),
        ..Entity::default()
    };
    Ok((uid(&own, symbols), entity))
}

fn uids(
    from: &HashSet<ast::EntityUID>,
    uid: impl FnMut(&ast::EntityUID) -> Uid,
) -> crate::authz::value::Uids {
    from.iter().map(uid).collect()
}
