//! The one place that reaches below `cedar-policy`'s public API, into `cedar-policy-core`.
//!
//! Why: the public `Entities` copies itself for every change and recomputes its closure, so that a
//! question which brings three entities along would cost as much as the store is large. Here an
//! entity is shared by `Arc`, and a question gets a small `Entities` of its own. Both crates are
//! pinned to the same version; nothing below promises to stay as it is.

use std::{collections::HashSet, sync::Arc};

use cedar_policy::{Entities, EntityUid, Policy, Request, RestrictedExpression, Schema};
use cedar_policy_core::{
    ast,
    entities::{
        EntityJsonParser, EntityTypeDescription, NoEntitiesSchema, Schema as EntitySchema,
        TCComputation, conformance::EntitySchemaConformanceChecker,
    },
    evaluator::Evaluator,
    extensions::Extensions,
    validator::{
        CoreSchema, ValidatorEntityType, ValidatorSchema,
        types::{Attributes, EntityKind, Type},
    },
};

use super::{
    schema::{Attribute, Shape, ValueType},
    text,
};

mod sight;

pub(super) use sight::sight;

/// An entity with direct parents and, once closed, all ancestors.
pub(super) type Entity = ast::Entity;

/// A uid as the core keeps it.
pub(super) type Uid = ast::EntityUID;

/// The id of a uid, unescaped.
pub(super) fn id(uid: &Uid) -> &str {
    uid.eid().as_ref()
}

/// The core's form of a public uid.
pub(super) fn uid(public: &EntityUid) -> &Uid {
    public.as_ref()
}

/// The public form of a uid.
pub(super) fn public_uid(uid: &Uid) -> EntityUid {
    EntityUid::from(uid.clone())
}

/// Reads one entity of Cedar's JSON format. With a schema its attributes are read by their types;
/// [`conforms`] checks the rest once parents and ancestors are known.
pub(super) fn parse_entity(
    json: serde_json::Value,
    schema: Option<&Schema>,
) -> Result<Entity, String> {
    let core = schema.map(|schema| WithoutActions(CoreSchema::new(schema.as_ref())));
    EntityJsonParser::new(
        core.as_ref(),
        Extensions::all_available(),
        TCComputation::AssumeAlreadyComputed,
    )
    .iter_from_json_value(serde_json::Value::Array(vec![json]))
    .map_err(|error| text::chain(&error))?
    .next()
    .ok_or_else(|| "no entity".to_owned())
}

/// Checks an entity, with all its ancestors, against the schema.
pub(super) fn conforms(entity: &Entity, schema: &Schema) -> Result<(), String> {
    let core = CoreSchema::new(schema.as_ref());
    EntitySchemaConformanceChecker::new(&core, Extensions::all_available())
        .validate_entity(entity)
        .map_err(|error| text::chain(&error))
}

/// Makes an entity of attributes laid over those of `base`; parents and tags are the base's.
pub(super) fn overlay(
    uid: &EntityUid,
    attributes: Vec<(String, RestrictedExpression)>,
    base: Option<&Entity>,
) -> Result<Entity, String> {
    let over = cedar_policy::Entity::new(
        uid.clone(),
        attributes.into_iter().collect(),
        HashSet::new(),
    )
    .map_err(|error| text::chain(&error))?;
    let over: &Entity = over.as_ref();
    let Some(base) = base else {
        return Ok(over.clone());
    };
    let attributes = base.attrs().chain(over.attrs());
    let pair = |(key, value): (&_, &_)| (Clone::clone(key), Clone::clone(value));
    Ok(Entity::new_with_attr_partial_value(
        base.uid().clone(),
        attributes.map(pair),
        HashSet::new(),
        base.parents().cloned().collect(),
        base.tags().map(pair),
    ))
}

/// The entity with these ancestors; those that are not its stated parents become indirect.
///
/// A stated parent that is not among them is gone: it was computed from attributes that the
/// question sees differently.
pub(super) fn with_ancestors(entity: &Entity, ancestors: HashSet<Uid>) -> Entity {
    let mut closed = entity.clone();
    closed.remove_all_indirect_ancestors();
    let gone: Vec<Uid> = entity
        .parents()
        .filter(|parent| !ancestors.contains(*parent))
        .cloned()
        .collect();
    for parent in &gone {
        closed.remove_parent(parent);
    }
    for ancestor in ancestors {
        closed.add_indirect_ancestor(ancestor);
    }
    closed
}

/// Whether two entities have the same uid, attributes, tags and stated parents.
pub(super) fn is_same(a: &Entity, b: &Entity) -> bool {
    let parents = |entity: &Entity| entity.parents().cloned().collect::<HashSet<_>>();
    a.uid() == b.uid()
        && a.attrs().eq(b.attrs())
        && a.tags().eq(b.tags())
        && parents(a) == parents(b)
}

/// The entity an attribute names, if it names one.
pub(super) fn named<'e>(entity: &'e Entity, attribute: &str) -> Option<&'e Uid> {
    match entity.get(attribute)? {
        ast::PartialValue::Value(ast::Value {
            value: ast::ValueKind::Lit(ast::Literal::EntityUID(uid)),
            ..
        }) => Some(uid),
        ast::PartialValue::Value(_) | ast::PartialValue::Residual(_) => None,
    }
}

/// The whole number an attribute holds, if it holds one.
pub(super) fn number(entity: &Entity, attribute: &str) -> Option<i64> {
    match entity.get(attribute)? {
        ast::PartialValue::Value(ast::Value {
            value: ast::ValueKind::Lit(ast::Literal::Long(number)),
            ..
        }) => Some(*number),
        ast::PartialValue::Value(_) | ast::PartialValue::Residual(_) => None,
    }
}

/// The string an attribute holds, if it holds one.
pub(super) fn string<'e>(entity: &'e Entity, attribute: &str) -> Option<&'e str> {
    match entity.get(attribute)? {
        ast::PartialValue::Value(ast::Value {
            value: ast::ValueKind::Lit(ast::Literal::String(string)),
            ..
        }) => Some(string),
        ast::PartialValue::Value(_) | ast::PartialValue::Residual(_) => None,
    }
}

/// Every uid in the attributes and tags: what a policy can go on to from this entity.
pub(super) fn mentioned(entity: &Entity) -> HashSet<Uid> {
    let values = entity.attrs().chain(entity.tags());
    values
        .filter_map(|(_, value)| match value {
            ast::PartialValue::Value(value) => Some(value.all_literal_uids()),
            ast::PartialValue::Residual(_) => None,
        })
        .flatten()
        .collect()
}

/// Every uid in a context.
pub(super) fn mentioned_in_context(context: &cedar_policy::Context) -> HashSet<Uid> {
    match context.as_ref() {
        ast::Context::Value(values) => values
            .values()
            .flat_map(ast::Value::all_literal_uids)
            .collect(),
        ast::Context::RestrictedResidual(_) => HashSet::new(),
    }
}

/// The action entities a schema declares, closed.
pub(super) fn action_entities(schema: &Schema) -> Vec<Arc<Entity>> {
    CoreSchema::new(schema.as_ref()).action_entities().collect()
}

/// A view for the evaluator. The entities must be closed and each uid must come once.
pub(super) fn view(entities: impl IntoIterator<Item = Arc<Entity>>) -> Result<Entities, String> {
    cedar_policy_core::entities::Entities::new()
        .add_entities(
            entities,
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        )
        .map(Entities::from)
        .map_err(|error| text::chain(&error))
}

/// Cedar's decision alone, without reasons: whether a permit holds and no forbid does. A policy
/// that errs holds not.
pub(super) fn allows(
    permits: &[Policy],
    forbids: &[Policy],
    request: &Request,
    entities: &Entities,
) -> bool {
    let request: &ast::Request = request.as_ref();
    let evaluator = Evaluator::new(
        request.clone(),
        entities.as_ref(),
        Extensions::all_available(),
    );
    let holds = |policy: &Policy| evaluator.evaluate(policy.as_ref()).is_ok_and(|it| it);
    permits.iter().any(holds) && !forbids.iter().any(holds)
}

/// Byte range of a policy in the text it was parsed from.
pub(super) fn policy_span(policy: &Policy) -> Option<(usize, usize)> {
    let policy: &ast::Policy = policy.as_ref();
    policy.loc().map(|loc| (loc.start(), loc.end()))
}

/// Byte range of a template in the text it was parsed from.
pub(super) fn template_span(template: &cedar_policy::Template) -> Option<(usize, usize)> {
    let template: &ast::Template = template.as_ref();
    template.loc().map(|loc| (loc.start(), loc.end()))
}

/// What an entity type may hold.
pub(super) fn shape(schema: &Schema, name: &cedar_policy::EntityTypeName) -> Option<Shape> {
    let schema: &ValidatorSchema = schema.as_ref();
    let declared = schema.get_entity_type(name.as_ref())?;
    let has_parents = || {
        schema
            .ancestors(name.as_ref())
            .is_some_and(|mut above| above.next().is_some())
    };
    Some(Shape {
        attributes: attributes(schema, declared.attributes()),
        has_more: ValidatorEntityType::tag_type(declared).is_some() || has_parents(),
    })
}

/// What the context of an action may hold; `None` if the schema does not say.
pub(super) fn context_shape(schema: &Schema, action: &EntityUid) -> Option<Shape> {
    let schema: &ValidatorSchema = schema.as_ref();
    match schema.context_type(action.as_ref())? {
        Type::Record { attrs, .. } => Some(Shape {
            attributes: attributes(schema, attrs),
            has_more: false,
        }),
        Type::Never
        | Type::Bool(_)
        | Type::Long
        | Type::String
        | Type::Entity(_)
        | Type::Set { .. }
        | Type::ExtensionType { .. } => None,
    }
}

fn attributes(schema: &ValidatorSchema, declared: &Attributes) -> Vec<Attribute> {
    declared
        .iter()
        .map(|(name, attribute)| Attribute {
            name: name.to_string(),
            value: value_type(schema, &attribute.attr_type),
            required: attribute.is_required(),
        })
        .collect()
}

fn value_type(schema: &ValidatorSchema, declared: &Type) -> ValueType {
    match declared {
        Type::Bool(_) => ValueType::Bool,
        Type::Long => ValueType::Long,
        Type::String => ValueType::String,
        Type::Entity(EntityKind::Entity(names)) => match names.get_single_entity() {
            Some(name) => ValueType::Entity(name.clone().into(), choices(schema, name)),
            None => ValueType::Unknown,
        },
        Type::Set {
            element_type: Some(element),
        } => ValueType::Set(Box::new(value_type(schema, element))),
        Type::Record { attrs, .. } => ValueType::Record(attributes(schema, attrs)),
        Type::ExtensionType { name } => ValueType::Extension(name.to_string()),
        Type::Entity(EntityKind::AnyEntity) | Type::Never | Type::Set { element_type: None } => {
            ValueType::Unknown
        }
    }
}

/// The ids of an enumerated type; none for any other.
pub(super) fn choices(schema: &ValidatorSchema, name: &ast::EntityType) -> Vec<String> {
    let described = CoreSchema::new(schema).entity_type(name);
    let ids = described
        .as_ref()
        .and_then(EntityTypeDescription::enum_entity_eids);
    let ids = ids.into_iter().flatten();
    ids.map(|id| AsRef::<str>::as_ref(id).to_owned()).collect()
}

/// The text a Cedar string literal stands for, the quotes left out; `None` if an escape is wrong.
pub(super) fn unescape(literal: &str) -> Option<String> {
    let text = cedar_policy_core::parser::unescape::to_unescaped_string(literal).ok()?;
    Some(text.to_string())
}

/// A schema that hands out no action entities, so that reading one entity does not copy them all.
struct WithoutActions<'s>(CoreSchema<'s>);

impl EntitySchema for WithoutActions<'_> {
    type ActionEntityIterator = std::iter::Empty<Arc<Entity>>;
    type EntityTypeDescription = cedar_policy_core::validator::EntityTypeDescription;

    fn entity_type(&self, name: &ast::EntityType) -> Option<Self::EntityTypeDescription> {
        self.0.entity_type(name)
    }

    fn action(&self, action: &Uid) -> Option<Arc<Entity>> {
        self.0.action(action)
    }

    fn entity_types_with_basename<'a>(
        &'a self,
        basename: &'a ast::UnreservedId,
    ) -> Box<dyn Iterator<Item = ast::EntityType> + 'a> {
        self.0.entity_types_with_basename(basename)
    }

    fn action_entities(&self) -> Self::ActionEntityIterator {
        std::iter::empty()
    }
}
