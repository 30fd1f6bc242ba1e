//! The one place that reaches below `cedar-policy`'s public API, into `cedar-policy-core`.
//!
//! Why: the public `Entities` takes kilobytes for each entity, copies itself for every change and
//! recomputes its closure; and what a policy's condition is made of cannot be seen from outside.
//! Here texts become our own values, entities and conditions, and go back to Cedar, a few at a time,
//! for what we are not sure of. Both crates are pinned to the same version; nothing below promises
//! to stay as it is.

use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Entities, EntityTypeName, EntityUid, Policy, Request, Schema,
};
use cedar_policy_core::{
    ast, authorizer,
    entities::{
        EntityJsonParser, EntityTypeDescription, Schema as EntitySchema, TCComputation,
        conformance::EntitySchemaConformanceChecker,
    },
    evaluator::{Evaluator, binary_relation},
    extensions::Extensions,
    validator::{
        CoreSchema, ValidatorEntityType, ValidatorSchema,
        types::{Attributes, EntityKind, Type},
    },
};
use hashbrown::{HashMap, HashSet};

use super::{
    schema::{Attribute, Shape, ValueType},
    symbols::Symbols,
    text,
    value::Value,
};

mod export;
mod import;
mod lower;
mod sight;

pub(super) use export::{entity as cedar_entity, orphan as cedar_orphan, request, view};
pub(super) use import::{
    context as known_context, entity as known_entity, evaluated as value_of, uid as known_uid,
};
pub(super) use lower::condition;
pub(super) use sight::sight;

/// An entity as Cedar keeps it.
pub(super) type CedarEntity = ast::Entity;

/// A value of one of Cedar's extension types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ExtensionValue(Arc<ast::Value>);

/// The pattern of a `like`.
#[derive(Debug)]
pub(super) struct Pattern(ast::Pattern);

/// A function of one of Cedar's extensions.
#[derive(Debug)]
pub(super) struct Function(ast::Name);

impl ExtensionValue {
    fn new(value: &ast::Value) -> Self {
        Self(Arc::new(value.clone()))
    }

    fn cedar(&self) -> &ast::Value {
        &self.0
    }

    /// Whether it is less than another, or equal if that will do; `None` where Cedar knows no order.
    pub(super) fn is_less(&self, other: &Self, or_equal: bool) -> Option<bool> {
        let operator = match or_equal {
            true => ast::BinaryOp::LessEq,
            false => ast::BinaryOp::Less,
        };
        let extensions = Extensions::all_available();
        let less = binary_relation(operator, &self.0, &other.0, extensions).ok()?;
        match less.value {
            ast::ValueKind::Lit(ast::Literal::Bool(less)) => Some(less),
            ast::ValueKind::ExtensionValue(_)
            | ast::ValueKind::Lit(_)
            | ast::ValueKind::Record(_)
            | ast::ValueKind::Set(_) => None,
        }
    }
}

impl Pattern {
    /// Whether it matches the whole text.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.wildcard_match(text)
    }
}

impl Function {
    /// What Cedar makes of the arguments; `None` if that is an error, or they are of no type that
    /// its functions take.
    pub(super) fn call(&self, arguments: &[Value]) -> Option<Value> {
        let argument = |value: &Value| match value {
            Value::Extension(value) => Some(value.cedar().clone()),
            Value::Long(value) => Some((*value).into()),
            Value::String(value) => Some(value.clone().into()),
            Value::Bool(_) | Value::Entity(_) | Value::Record(_) | Value::Set(_) => None,
        };
        let arguments: Vec<ast::Value> = arguments.iter().map(argument).collect::<Option<_>>()?;
        let function = Extensions::all_available().func(&self.0).ok()?;
        match function.call(&arguments).ok()? {
            ast::PartialValue::Value(value) => match &value.value {
                ast::ValueKind::ExtensionValue(_) => {
                    Some(Value::Extension(ExtensionValue::new(&value)))
                }
                ast::ValueKind::Lit(ast::Literal::Bool(value)) => Some(Value::Bool(*value)),
                ast::ValueKind::Lit(ast::Literal::Long(value)) => Some(Value::Long(*value)),
                ast::ValueKind::Lit(_) | ast::ValueKind::Record(_) | ast::ValueKind::Set(_) => None,
            },
            ast::PartialValue::Residual(_) => None,
        }
    }
}

/// Reads one entity of Cedar's JSON format. With a schema its attributes are read by their types;
/// [`conforms`] checks the rest once parents and ancestors are known.
pub(super) fn parse_entity(
    json: serde_json::Value,
    schema: Option<&Schema>,
) -> Result<CedarEntity, String> {
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
pub(super) fn conforms(entity: &CedarEntity, schema: &Schema) -> Result<(), String> {
    let core = CoreSchema::new(schema.as_ref());
    EntitySchemaConformanceChecker::new(&core, Extensions::all_available())
        .validate_entity(entity)
        .map_err(|error| text::chain(&error))
}

/// The groups that each action of a schema is in, directly or not.
pub(super) fn action_groups(schema: &Schema) -> HashMap<EntityUid, HashSet<EntityUid>> {
    let groups = |action: Arc<CedarEntity>| {
        let groups = action.ancestors().cloned().map(EntityUid::from);
        (action.uid().clone().into(), groups.collect())
    };
    action_entities(schema).into_iter().map(groups).collect()
}

/// The action entities a schema declares, closed.
pub(super) fn action_entities(schema: &Schema) -> Vec<Arc<CedarEntity>> {
    CoreSchema::new(schema.as_ref()).action_entities().collect()
}

/// Cedar's word on policies we are unsure of: whether each holds, or the error that a response
/// would show.
pub(super) fn evaluated<'p>(
    policies: impl Iterator<Item = &'p Policy>,
    request: &Request,
    entities: &Entities,
) -> Vec<Result<bool, String>> {
    let request: &ast::Request = request.as_ref();
    let evaluator = Evaluator::new(
        request.clone(),
        entities.as_ref(),
        Extensions::all_available(),
    );
    let evaluated = policies.map(|policy| {
        let evaluated = evaluator.evaluate(policy.as_ref());
        evaluated.map_err(|error| {
            let id = AsRef::<ast::Policy>::as_ref(policy).id().clone();
            let error = authorizer::AuthorizationError::PolicyEvaluationError { id, error };
            AuthorizationError::from(error).to_string()
        })
    });
    evaluated.collect()
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
pub(super) fn shape(
    schema: &Schema,
    name: &EntityTypeName,
    symbols: &mut Symbols<'_>,
) -> Option<Shape> {
    let schema: &ValidatorSchema = schema.as_ref();
    let declared = schema.get_entity_type(name.as_ref())?;
    let has_parents = || {
        schema
            .ancestors(name.as_ref())
            .is_some_and(|mut above| above.next().is_some())
    };
    Some(Shape {
        attributes: attributes(schema, declared.attributes(), symbols),
        has_more: ValidatorEntityType::tag_type(declared).is_some() || has_parents(),
    })
}

/// What the context of an action may hold; `None` if the schema does not say.
pub(super) fn context_shape(
    schema: &Schema,
    action: &EntityUid,
    symbols: &mut Symbols<'_>,
) -> Option<Shape> {
    let schema: &ValidatorSchema = schema.as_ref();
    match schema.context_type(action.as_ref())? {
        Type::Record { attrs, .. } => Some(Shape {
            attributes: attributes(schema, attrs, symbols),
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

fn attributes(
    schema: &ValidatorSchema,
    declared: &Attributes,
    symbols: &mut Symbols<'_>,
) -> Vec<Attribute> {
    declared
        .iter()
        .map(|(name, attribute)| Attribute {
            name: symbols.name(name),
            text: name.to_string(),
            value: value_type(schema, &attribute.attr_type, symbols),
            required: attribute.is_required(),
        })
        .collect()
}

fn value_type(schema: &ValidatorSchema, declared: &Type, symbols: &mut Symbols<'_>) -> ValueType {
    match declared {
        Type::Bool(_) => ValueType::Bool,
        Type::Long => ValueType::Long,
        Type::String => ValueType::String,
        Type::Entity(EntityKind::Entity(names)) => match names.get_single_entity() {
            Some(name) => {
                let kind = symbols.type_of_name(&name.clone().into());
                ValueType::Entity(kind, choices(schema, name))
            }
            None => ValueType::Unknown,
        },
        Type::Set {
            element_type: Some(element),
        } => ValueType::Set(Box::new(value_type(schema, element, symbols))),
        Type::Record { attrs, .. } => ValueType::Record(attributes(schema, attrs, symbols)),
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
    type ActionEntityIterator = std::iter::Empty<Arc<CedarEntity>>;
    type EntityTypeDescription = cedar_policy_core::validator::EntityTypeDescription;

    fn entity_type(&self, name: &ast::EntityType) -> Option<Self::EntityTypeDescription> {
        self.0.entity_type(name)
    }

    fn action(&self, action: &ast::EntityUID) -> Option<Arc<CedarEntity>> {
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
