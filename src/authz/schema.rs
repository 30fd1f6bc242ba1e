//! The schema as the rest of the core asks it: types, shapes, what only the store speaks for.

use hashbrown::{HashMap, HashSet};

use cedar_policy::{EntityTypeName, EntityUid, Schema, SchemaFragment};
use miette::Diagnostic;

use super::{
    Finding, Kind, SourceFile, engine,
    nesting::{self, Syntax},
    symbols::{Name, Symbols, TypeId, Uid},
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
    Entity(TypeId, Vec<String>),
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
    pub(super) name: Name,
    pub(super) text: String,
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
    pub(super) fn attribute(&self, text: &str) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.text == text)
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
    pub(super) parents: Vec<Vec<Name>>,
    /// The types those paths end at, and the types that those may be in.
    pub(super) parent_kinds: HashSet<TypeId>,
    /// The types whose entities may be above one of this type.
    pub(super) above: HashSet<TypeId>,
}

/// One action.
#[derive(Debug)]
struct Action {
    /// What metrics call it: the id, or the whole uid where it is in a namespace.
    label: String,
    context: Shape,
    principals: HashSet<TypeId>,
    resources: HashSet<TypeId>,
}

/// A schema and the tables made of it.
#[derive(Debug)]
pub(super) struct SchemaModel {
    pub(super) cedar: Schema,
    pub(super) json: String,
    /// By the number of the type; none for types that other things are of.
    types: Vec<Option<EntityType>>,
    names: HashMap<String, TypeId>,
    actions: HashMap<Uid, Action>,
    /// By the id alone, where one declared action has it.
    by_id: HashMap<String, Uid>,
    /// Some `@parent` path goes through another entity.
    has_parents_of_others: bool,
}

impl Action {
    fn of(schema: &Schema, action: &EntityUid, symbols: &mut Symbols<'_>) -> Option<Self> {
        let context = engine::context_shape(schema, action, symbols)?;
        let mut kinds = |names: Option<Vec<&EntityTypeName>>| {
            let names = names.into_iter().flatten();
            names.map(|name| symbols.type_of_name(name)).collect()
        };
        Some(Self {
            label: label(action),
            context,
            principals: kinds(schema.principals_for_action(action).map(Iterator::collect)),
            resources: kinds(schema.resources_for_action(action).map(Iterator::collect)),
        })
    }
}

impl SchemaModel {
    /// Parses a schema text and its annotations.
    pub(super) fn parse(
        file: &SourceFile,
        symbols: &mut Symbols<'_>,
    ) -> Result<Self, Vec<Finding>> {
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
        let mut actions = HashMap::new();
        // In order, so that the same sources always give the same numbers.
        let mut declared: Vec<&EntityUid> = cedar.actions().collect();
        declared.sort_unstable();
        for action in declared {
            if let Some(known) = Action::of(&cedar, action, symbols) {
                actions.insert(symbols.uid_of(action), known);
            }
        }
        let mut model = Self {
            actions,
            by_id: actions_by_id(&cedar, symbols),
            has_parents_of_others: false,
            json,
            types: Vec::new(),
            names: HashMap::new(),
            cedar,
        };
        model.take_types(symbols);
        let annotated = Annotated::read(&parsed);
        let findings = model.annotate(&annotated, file, text, symbols);
        if findings.is_empty() {
            Ok(model)
        } else {
            Err(findings)
        }
    }

    fn take_types(&mut self, symbols: &mut Symbols<'_>) {
        let cedar = &self.cedar;
        let mut names: Vec<&EntityTypeName> = cedar.entity_types().collect();
        names.sort_unstable();
        for name in names {
            let kind = symbols.type_of_name(name);
            let above = cedar.ancestors(name).into_iter().flatten();
            let declared = EntityType {
                shape: engine::shape(cedar, name, symbols).unwrap_or_default(),
                choices: engine::choices(cedar.as_ref(), name.as_ref()),
                held: false,
                parents: Vec::new(),
                parent_kinds: HashSet::new(),
                above: above.map(|name| symbols.type_of_name(name)).collect(),
            };
            self.names.insert(name.to_string(), kind);
            if self.types.len() <= kind.place() {
                self.types.resize_with(kind.place() + 1, || None);
            }
            if let Some(place) = self.types.get_mut(kind.place()) {
                *place = Some(declared);
            }
        }
    }

    /// The declared type of that name.
    pub(super) fn type_named(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }

    /// What is declared of a type.
    pub(super) fn entity_type(&self, kind: TypeId) -> Option<&EntityType> {
        self.types.get(kind.place())?.as_ref()
    }

    /// The context an action takes; `None` for an undeclared action.
    pub(super) fn context(&self, action: Uid) -> Option<&Shape> {
        self.actions.get(&action).map(|action| &action.context)
    }

    /// What metrics call an action; `None` for an undeclared one.
    pub(super) fn label(&self, action: Uid) -> Option<&str> {
        self.actions
            .get(&action)
            .map(|action| action.label.as_str())
    }

    /// What metrics call the declared actions, sorted.
    pub(super) fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = self.cedar.actions().map(label).collect();
        labels.sort();
        labels
    }

    /// Whether a declared action applies to these two types. Policies were not validated for
    /// others. `None` where the schema does not know the action or one of the types.
    pub(super) fn applies(&self, action: Uid, principal: TypeId, resource: TypeId) -> Option<bool> {
        let action = self.actions.get(&action)?;
        self.entity_type(principal)?;
        self.entity_type(resource)?;
        Some(action.principals.contains(&principal) && action.resources.contains(&resource))
    }

    /// Whether it declares an action, both types, and that the one applies to the others.
    ///
    /// # Errors
    /// What it does not declare.
    pub(super) fn knows(
        &self,
        principal: &str,
        action: &str,
        resource: &str,
    ) -> Result<(), String> {
        let kind = |name: &str| {
            let known = self.type_named(name);
            known.ok_or_else(|| format!("the schema has no type `{name}`"))
        };
        let uid = self.action(action);
        let uid = uid.ok_or_else(|| format!("the schema has no action `{action}`"))?;
        match self.applies(uid, kind(principal)?, kind(resource)?) {
            Some(false) => Err(format!(
                "`{action}` does not apply to a `{principal}` and a `{resource}`"
            )),
            Some(true) | None => Ok(()),
        }
    }

    /// Whether a parent of one entity may depend on the attributes of another.
    pub(super) fn has_parents_of_others(&self) -> bool {
        self.has_parents_of_others
    }

    /// The declared action with this id.
    pub(super) fn action(&self, id: &str) -> Option<Uid> {
        self.by_id.get(id).copied()
    }

    /// The ids by which declared actions are named.
    pub(super) fn action_ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// The entity type an attribute path of a type ends at.
    pub(super) fn path_end(
        &self,
        kind: TypeId,
        path: &[String],
        symbols: &Symbols<'_>,
    ) -> Result<TypeId, String> {
        let mut current = kind;
        for step in path {
            let of = symbols.type_text(current);
            let attribute = self
                .entity_type(current)
                .and_then(|entity_type| entity_type.shape.attribute(step))
                .ok_or_else(|| format!("`{of}` has no attribute `{step}`"))?;
            let ValueType::Entity(next, _) = attribute.value else {
                return Err(format!("attribute `{step}` of `{of}` is not an entity"));
            };
            current = next;
        }
        Ok(current)
    }
}

/// Whether only the store speaks for entities of this type.
pub(super) fn is_held(schema: Option<&SchemaModel>, kind: TypeId) -> bool {
    let entity_type = schema.and_then(|schema| schema.entity_type(kind));
    entity_type.is_some_and(|entity_type| entity_type.held)
}

/// [`is_held`], and a policy could learn something from the entity. The absence of one without
/// attributes, tags and parents cannot change what a policy says.
pub(super) fn is_held_and_read(schema: Option<&SchemaModel>, kind: TypeId) -> bool {
    let entity_type = schema.and_then(|schema| schema.entity_type(kind));
    entity_type.is_some_and(|entity_type| {
        let shape = &entity_type.shape;
        entity_type.held && (shape.has_more || !shape.attributes.is_empty())
    })
}

/// The label of an action: its id, or the whole uid where it is in a namespace.
pub(super) fn label(action: &EntityUid) -> String {
    match action.type_name().namespace_components().next() {
        None => action.id().unescaped().to_owned(),
        Some(_) => action.to_string(),
    }
}

fn actions_by_id(schema: &Schema, symbols: &mut Symbols<'_>) -> HashMap<String, Uid> {
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
        .filter_map(|(id, action)| Some((id, symbols.uid_of(&action?))))
        .collect()
}
