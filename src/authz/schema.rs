//! The schema as the rest of the core asks it: types, shapes, what only the store speaks for.

use std::collections::{HashMap, HashSet};

use cedar_policy::{EntityTypeName, EntityUid, Schema, SchemaFragment};
use miette::Diagnostic;

use super::{
    Finding, Kind, SourceFile,
    engine::{self, Uid},
    nesting::{self, Syntax},
    text,
};

mod annotations;
mod size;

use annotations::Annotated;

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    Bool,
    /// Of this type; if it is enumerated, with one of these ids.
    Entity(EntityTypeName, Vec<String>),
    /// `decimal`, `ipaddr`, `datetime` or `duration`.
    Extension(String),
    Long,
    Record(Vec<Attribute>),
    Set(Box<Self>),
    String,
    /// A type no JSON value can be read as.
    Unknown,
}

/// One declared attribute or context key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) value: ValueType,
    pub(super) required: bool,
}

/// The declared attributes of a type or keys of a context.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) attributes: Vec<Attribute>,
    /// Entities of the type may have tags or parents, too.
    pub(super) has_more: bool,
}

impl Shape {
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
    }
}

/// One entity type.
#[derive(Debug)]
pub(super) struct EntityType {
    pub(super) shape: Shape,
    /// The ids there are, if the type is enumerated.
    pub(super) choices: Vec<String>,
    /// `@held("stored")`: only the store speaks for it.
    pub(super) held: bool,
    /// `@parent("…")`: attribute paths whose values are parents.
    pub(super) parents: Vec<Vec<String>>,
    /// The types those paths end at, and the types that those may be in.
    pub(super) parent_kinds: HashSet<EntityTypeName>,
}

impl EntityType {
    /// Whether a parent of this uid's type is for the `@parent` paths to say.
    pub(super) fn computes(&self, parent: &Uid) -> bool {
        let mut kinds = self.parent_kinds.iter();
        kinds.any(|name| name.as_ref() == parent.entity_type())
    }
}

/// One action.
#[derive(Debug)]
struct Action {
    context: Shape,
    principals: HashSet<EntityTypeName>,
    resources: HashSet<EntityTypeName>,
}

/// A schema and the tables made of it.
#[derive(Debug)]
pub(super) struct SchemaModel {
    pub(super) cedar: Schema,
    pub(super) json: String,
    types: HashMap<String, EntityType>,
    actions: HashMap<EntityUid, Action>,
    /// By the id alone, where one declared action has it.
    by_id: HashMap<String, EntityUid>,
    /// Some `@parent` path goes through another entity.
    has_parents_of_others: bool,
}

impl Action {
    fn of(schema: &Schema, action: &EntityUid) -> Option<Self> {
        let names = |names: Option<Vec<&EntityTypeName>>| {
            names.into_iter().flatten().cloned().collect::<HashSet<_>>()
        };
        Some(Self {
            context: engine::context_shape(schema, action)?,
            principals: names(schema.principals_for_action(action).map(Iterator::collect)),
            resources: names(schema.resources_for_action(action).map(Iterator::collect)),
        })
    }
}

impl SchemaModel {
    /// Parses a schema text and its annotations.
    pub(super) fn parse(file: &SourceFile) -> Result<Self, Vec<Finding>> {
        let text = text::utf8(file)?;
        nesting::check(file, text, Syntax::Schema)?;
        let fragment = if file.name.ends_with(".json") {
            SchemaFragment::from_json_str(text)
                .map_err(|error| vec![text::diagnostic(Kind::Parse, file, text, &error)])?
        } else {
            SchemaFragment::from_cedarschema_str(text)
                .map(|(fragment, _warnings)| fragment)
                .map_err(|error| vec![text::diagnostic(Kind::Parse, file, text, &error)])?
        };
        let broken =
            |error: &dyn Diagnostic| vec![text::diagnostic(Kind::Validate, file, text, error)];
        let parsed = fragment.clone().to_json_value().map_err(|e| broken(&e))?;
        size::check(file, text, &parsed)?;
        let cedar = Schema::from_schema_fragments([fragment.clone()]).map_err(|e| broken(&e))?;
        if !cedar.is_complete() {
            let finding = Finding::error(
                Kind::Validate,
                &file.name,
                "the schema names `external` types or actions that nothing declares",
            );
            return Err(vec![finding.help("declare them in this schema")]);
        }
        let json = fragment.to_json_string().map_err(|error| broken(&error))?;
        let mut model = Self {
            actions: cedar
                .actions()
                .filter_map(|action| Some((action.clone(), Action::of(&cedar, action)?)))
                .collect(),
            by_id: actions_by_id(&cedar),
            has_parents_of_others: false,
            cedar,
            json,
            types: HashMap::new(),
        };
        let annotated = Annotated::read(&parsed);
        for name in model.cedar.entity_types() {
            model.types.insert(
                name.to_string(),
                EntityType {
                    shape: engine::shape(&model.cedar, name).unwrap_or_default(),
                    choices: engine::choices(model.cedar.as_ref(), name.as_ref()),
                    held: false,
                    parents: Vec::new(),
                    parent_kinds: HashSet::new(),
                },
            );
        }
        let findings = model.annotate(&annotated, file, text);
        if findings.is_empty() {
            Ok(model)
        } else {
            Err(findings)
        }
    }

    /// The declared type of that name.
    pub(super) fn entity_type(&self, name: &str) -> Option<&EntityType> {
        self.types.get(name)
    }

    /// The declared type of an entity.
    pub(super) fn type_of(&self, uid: &EntityUid) -> Option<&EntityType> {
        self.core_type_of(engine::uid(uid))
    }

    /// [`Self::type_of`] for the core's uids.
    pub(super) fn core_type_of(&self, uid: &Uid) -> Option<&EntityType> {
        // INVARIANT: the text of a type's name is unique, so it can be the key.
        self.types.get(&uid.entity_type().to_string())
    }

    /// The context an action takes; `None` for an undeclared action.
    pub(super) fn context(&self, action: &EntityUid) -> Option<&Shape> {
        self.actions.get(action).map(|action| &action.context)
    }

    /// Whether a declared action applies to these two types. Policies were not validated for
    /// others. `None` where the schema does not know the action or one of the types.
    pub(super) fn applies(
        &self,
        action: &EntityUid,
        principal: &EntityUid,
        resource: &EntityUid,
    ) -> Option<bool> {
        let action = self.actions.get(action)?;
        self.type_of(principal)?;
        self.type_of(resource)?;
        Some(
            action.principals.contains(principal.type_name())
                && action.resources.contains(resource.type_name()),
        )
    }

    /// Whether a parent of one entity may depend on the attributes of another.
    pub(super) fn has_parents_of_others(&self) -> bool {
        self.has_parents_of_others
    }

    /// The declared action with this id.
    pub(super) fn action(&self, id: &str) -> Option<&EntityUid> {
        self.by_id.get(id)
    }

    /// The ids by which declared actions are named.
    pub(super) fn action_ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// The entity type an attribute path of a type ends at.
    pub(super) fn path_end(&self, name: &str, path: &[String]) -> Result<EntityTypeName, String> {
        let mut current = name.to_owned();
        let mut end = None;
        for step in path {
            let attribute = self
                .types
                .get(&current)
                .and_then(|entity_type| entity_type.shape.attribute(step))
                .ok_or_else(|| format!("`{current}` has no attribute `{step}`"))?;
            let ValueType::Entity(next, _) = &attribute.value else {
                return Err(format!(
                    "attribute `{step}` of `{current}` is not an entity"
                ));
            };
            current = next.to_string();
            end = Some(next.clone());
        }
        end.ok_or_else(|| format!("an empty attribute path on `{name}`"))
    }
}

/// Whether only the store speaks for this entity.
pub(super) fn is_held(schema: Option<&SchemaModel>, uid: &Uid) -> bool {
    let entity_type = schema.and_then(|schema| schema.core_type_of(uid));
    entity_type.is_some_and(|entity_type| entity_type.held)
}

/// [`is_held`], and a policy could learn something from the entity. The absence of one without
/// attributes, tags and parents cannot change what a policy says.
pub(super) fn is_held_and_read(schema: Option<&SchemaModel>, uid: &Uid) -> bool {
    let entity_type = schema.and_then(|schema| schema.core_type_of(uid));
    entity_type.is_some_and(|entity_type| {
        let shape = &entity_type.shape;
        entity_type.held && (shape.has_more || !shape.attributes.is_empty())
    })
}

fn actions_by_id(schema: &Schema) -> HashMap<String, EntityUid> {
    let mut by_id: HashMap<String, Option<EntityUid>> = HashMap::new();
    for action in schema.actions() {
        let id = action.id().unescaped().to_owned();
        let plain = action.type_name().namespace_components().next().is_none();
        by_id
            .entry(id)
            .and_modify(|other| {
                // An action without a namespace is the one that is meant; two with are neither.
                let other_plain = other
                    .as_ref()
                    .is_some_and(|other| other.type_name().namespace_components().next().is_none());
                if plain {
                    *other = Some(action.clone());
                } else if !other_plain {
                    *other = None;
                }
            })
            .or_insert_with(|| Some(action.clone()));
    }
    by_id
        .into_iter()
        .filter_map(|(id, action)| Some((id, action?)))
        .collect()
}
