//! One statement: a policy without slots, with what is needed to tell which claims it is part of.

use std::{collections::HashSet, sync::Arc};

use cedar_policy::{
    ActionConstraint, Effect, EntityTypeName, EntityUid, Policy, PolicyId, PrincipalConstraint,
    RequestEnv, ResourceConstraint,
};
use hashbrown::HashMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::authz::{PolicyInfo, text};

use super::Key;

/// A policy of the set, of the spec or of the invariants, as a solver can take it.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) id: String,
    pub(super) policy: Policy,
    /// Of what it says: neither its id, its annotations nor its layout matter.
    pub(super) digest: Key,
    pub(super) info: PolicyInfo,
    scope: Scope,
}

/// For which shapes of requests a statement can match at all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scope {
    principal: Option<EntityTypeName>,
    /// With groups resolved; all if none.
    actions: Option<HashSet<EntityUid>>,
    resource: Option<EntityTypeName>,
}

/// The two sides of a claim.
pub(super) type Sides = (Vec<Arc<Statement>>, Vec<Arc<Statement>>);

/// What statements of the spec and invariants are marked with.
const TITLES: [&str; 6] = ["scope", "guard", "role", "assume", "data", "invariant"];

/// The groups each action is in.
pub(super) type Groups = HashMap<EntityUid, hashbrown::HashSet<EntityUid>>;

impl Statement {
    /// A statement of a policy, linked or not. `kind` is told with its id.
    ///
    /// # Errors
    /// A link that cannot be written out; none is known.
    pub(super) fn new(
        kind: &str,
        policy: &Policy,
        info: &PolicyInfo,
        groups: &Groups,
    ) -> Result<Self, String> {
        let id = format!("{kind}{}", info.id);
        let json = policy.to_json().map_err(|error| text::chain(&error))?;
        let policy = match policy.template_id() {
            None => policy.new_id(PolicyId::new(&id)),
            Some(_) => parsed(&id, &json)?,
        };
        Ok(Self {
            id,
            digest: said(json),
            info: info.clone(),
            scope: Scope::of(&policy, groups),
            policy,
        })
    }

    /// A permit of every question.
    ///
    /// # Errors
    /// It cannot be parsed; it can.
    pub(super) fn everything() -> Result<Self, String> {
        let policy = Policy::parse(None, "permit (principal, action, resource);");
        let policy = policy.map_err(|error| text::chain(&error))?;
        let info = PolicyInfo {
            id: "everything".to_owned(),
            effect: "permit",
            file: String::new(),
            line: 1,
            annotations: Vec::new(),
        };
        Self::new("all ", &policy, &info, &Groups::new())
    }

    /// The same as a `permit`, whatever it is: what it matches is allowed.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn as_permit(&self) -> Result<Self, String> {
        let mut json = self.policy.to_json().map_err(|error| text::chain(&error))?;
        if let Some(effect) = json.get_mut("effect") {
            *effect = "permit".into();
        }
        let id = format!("permit of {}", self.id);
        Ok(Self {
            policy: parsed(&id, &json)?,
            digest: said(json.clone()),
            info: self.info.clone(),
            scope: self.scope.clone(),
            id,
        })
    }

    /// The same, where actions are in other groups.
    pub(super) fn under(&self, groups: &Groups) -> Self {
        Self {
            id: self.id.clone(),
            policy: self.policy.clone(),
            digest: self.digest,
            info: self.info.clone(),
            scope: Scope::of(&self.policy, groups),
        }
    }

    /// Two sets that say that this `forbid` does not fail where others allow; nothing if it has no
    /// conditions. A policy fails if its scope matches, but neither itself nor its opposite does.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn fails_within(&self, others: &[Arc<Self>]) -> Result<Option<Sides>, String> {
        let json = self.policy.to_json().map_err(|error| text::chain(&error))?;
        let conditions = json.get("conditions").and_then(Value::as_array);
        let both = |left: Value, right| json!({"&&": {"left": left, "right": right}});
        let conditions = conditions.into_iter().flatten().filter_map(|it| {
            let body = it.get("body")?.clone();
            let holds = it.get("kind").and_then(Value::as_str) == Some("when");
            Some(if holds {
                body
            } else {
                json!({"!": {"arg": body}})
            })
        });
        let Some(all) = conditions.reduce(both) else {
            return Ok(None);
        };
        let with = |kind: &str, conditions: Value| {
            let mut json = json.clone();
            if let Some(object) = json.as_object_mut() {
                object.insert("conditions".to_owned(), conditions);
            }
            let id = format!("{kind} {}", self.id);
            Ok::<_, String>(Arc::new(Self {
                policy: parsed(&id, &json)?,
                digest: said(json.clone()),
                info: self.info.clone(),
                scope: self.scope.clone(),
                id,
            }))
        };
        let itself = with("itself", json!([{"kind": "when", "body": all}]))?;
        let opposite = with("not", json!([{"kind": "unless", "body": all}]))?;
        let scope = with("scope", json!([]))?;
        let told = [others, &[itself, opposite]].concat();
        Ok(Some((told.clone(), [told, vec![scope]].concat())))
    }

    /// What a statement of the spec or an invariant is called; nothing for a policy.
    pub(super) fn title(&self) -> Option<String> {
        if self.id == self.info.id {
            return None;
        }
        let mut titles = TITLES.into_iter();
        titles.find_map(|key| {
            let value = self.info.annotation(key)?;
            Some(format!("@{key}(\"{value}\")"))
        })
    }

    pub(super) fn forbids(&self) -> bool {
        self.policy.effect() == Effect::Forbid
    }

    /// Whether its scope leaves requests of this shape in.
    pub(super) fn may_match(&self, env: &RequestEnv) -> bool {
        let is = |wanted: &Option<EntityTypeName>, kind: &EntityTypeName| {
            wanted.as_ref().is_none_or(|wanted| wanted == kind)
        };
        let actions = self.scope.actions.as_ref();
        is(&self.scope.principal, env.principal())
            && is(&self.scope.resource, env.resource())
            && actions.is_none_or(|actions| actions.contains(env.action()))
    }
}

impl Scope {
    fn of(policy: &Policy, groups: &Groups) -> Self {
        Self {
            principal: match policy.principal_constraint() {
                PrincipalConstraint::Eq(uid) => Some(uid.type_name().clone()),
                PrincipalConstraint::Is(kind) | PrincipalConstraint::IsIn(kind, _) => Some(kind),
                PrincipalConstraint::Any | PrincipalConstraint::In(_) => None,
            },
            actions: match policy.action_constraint() {
                ActionConstraint::Any => None,
                ActionConstraint::Eq(action) => Some(HashSet::from([action])),
                ActionConstraint::In(listed) => Some(below(&listed, groups)),
            },
            resource: match policy.resource_constraint() {
                ResourceConstraint::Eq(uid) => Some(uid.type_name().clone()),
                ResourceConstraint::Is(kind) | ResourceConstraint::IsIn(kind, _) => Some(kind),
                ResourceConstraint::Any | ResourceConstraint::In(_) => None,
            },
        }
    }
}

/// The actions that are one of these or in one of these.
fn below(listed: &[EntityUid], groups: &Groups) -> HashSet<EntityUid> {
    let is_below =
        |above: &hashbrown::HashSet<EntityUid>| listed.iter().any(|it| above.contains(it));
    let below = groups.iter().filter(|(_, above)| is_below(above));
    below
        .map(|(action, _)| action)
        .chain(listed)
        .cloned()
        .collect()
}

/// A digest of what decides.
fn said(mut json: Value) -> Key {
    if let Some(object) = json.as_object_mut() {
        object.remove("annotations");
    }
    Sha256::digest(json.to_string()).into()
}

fn parsed(id: &str, json: &Value) -> Result<Policy, String> {
    Policy::from_json(Some(PolicyId::new(id)), json.clone()).map_err(|error| text::chain(&error))
}
