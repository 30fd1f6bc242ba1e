//! From our values and entities to Cedar's, for the questions that Cedar has to answer.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use cedar_policy::{Entities, Request};
use cedar_policy_core::{
    ast::{self, EntityUIDEntry, Literal, PartialValue, ValueKind},
    entities::{NoEntitiesSchema, TCComputation},
    extensions::Extensions,
};
use smol_str::SmolStr;

use crate::authz::{
    symbols::{Name, Symbols, Uid},
    text,
    value::{Entity, Fields, Uids, Value},
};

/// A number that stands for nothing: a mistake of ours, which is told as an error.
fn unknown() -> String {
    "an entity could not be told to Cedar".to_owned()
}

fn uid(uid: Uid, symbols: &Symbols<'_>) -> Result<ast::EntityUID, String> {
    let public = symbols.public(uid).ok_or_else(unknown)?;
    Ok(AsRef::<ast::EntityUID>::as_ref(&public).clone())
}

fn value(from: &Value, symbols: &Symbols<'_>) -> Result<ast::Value, String> {
    let kind = match from {
        Value::Bool(value) => ValueKind::Lit(Literal::Bool(*value)),
        Value::Long(value) => ValueKind::Lit(Literal::Long(*value)),
        Value::String(value) => ValueKind::Lit(Literal::String(value.clone())),
        Value::Entity(named) => ValueKind::Lit(Literal::EntityUID(Arc::new(uid(*named, symbols)?))),
        Value::Extension(value) => return Ok(value.cedar().clone()),
        Value::Set(elements) => {
            let elements = elements.iter().map(|it| value(it, symbols));
            return Ok(ast::Value::set(
                elements.collect::<Result<Vec<_>, _>>()?,
                None,
            ));
        }
        Value::Record(fields) => ValueKind::Record(Arc::new(record(fields, symbols)?)),
    };
    Ok(ast::Value::new(kind, None))
}

fn record(fields: &Fields, symbols: &Symbols<'_>) -> Result<BTreeMap<SmolStr, ast::Value>, String> {
    let fields = fields.iter();
    fields
        .map(|(name, it)| Ok((symbols.text(name), value(it, symbols)?)))
        .collect()
}

/// An entity with these ancestors. Of attributes and tags that are not wanted nobody asks more than
/// their names.
pub(in crate::authz) fn entity(
    own: Uid,
    entity: &Entity,
    ancestors: &Uids,
    wanted: impl Fn(Name) -> bool,
    symbols: &Symbols<'_>,
) -> Result<ast::Entity, String> {
    let mut told = orphan(own, entity, wanted, symbols)?;
    for parent in entity.parents.iter() {
        told.add_parent(uid(parent, symbols)?);
    }
    for above in ancestors.iter() {
        told.add_indirect_ancestor(uid(above, symbols)?);
    }
    Ok(told)
}

/// [`entity`], above which nobody looks.
pub(in crate::authz) fn orphan(
    own: Uid,
    entity: &Entity,
    wanted: impl Fn(Name) -> bool,
    symbols: &Symbols<'_>,
) -> Result<ast::Entity, String> {
    let field = |(name, it): (Name, &Value)| {
        let told = match wanted(name) {
            true => value(it, symbols)?,
            false => ast::Value::from(false),
        };
        Ok((symbols.text(name), PartialValue::Value(told)))
    };
    let fields = |fields: &Fields| {
        let fields = fields.iter().map(field);
        fields.collect::<Result<Vec<_>, String>>()
    };
    Ok(ast::Entity::new_with_attr_partial_value(
        uid(own, symbols)?,
        fields(&entity.attributes)?,
        HashSet::new(),
        HashSet::new(),
        fields(&entity.tags)?,
    ))
}

/// A request.
pub(in crate::authz) fn request(
    [principal, action, resource]: [Uid; 3],
    context: &Value,
    symbols: &Symbols<'_>,
) -> Result<Request, String> {
    let entry = |of| Ok::<_, String>(EntityUIDEntry::known(uid(of, symbols)?, None));
    let context = context.as_record().map(|fields| record(fields, symbols));
    Ok(Request::from(ast::Request::new_unchecked(
        entry(principal)?,
        entry(action)?,
        entry(resource)?,
        Some(ast::Context::Value(Arc::new(
            context.transpose()?.unwrap_or_default(),
        ))),
    )))
}

/// A view for Cedar. The entities must be closed and each uid must come once.
pub(in crate::authz) fn view(
    entities: impl IntoIterator<Item = ast::Entity>,
) -> Result<Entities, String> {
    cedar_policy_core::entities::Entities::new()
        .add_entities(
            entities.into_iter().map(Arc::new),
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        )
        .map(Entities::from)
        .map_err(|error| text::chain(&error))
}
