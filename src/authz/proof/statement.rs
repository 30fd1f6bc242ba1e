//! One statement: a policy without slots, under an id that no other statement has.

use std::collections::HashSet;

use cedar_policy::{
    ActionConstraint, Effect, EntityTypeName, EntityUid, Policy, PolicyId, PrincipalConstraint,
    RequestEnv, ResourceConstraint,
};
use hashbrown::HashMap;
use sha2::{Digest, Sha256};

use crate::authz::{PolicyInfo, text};

use super::Key;

/// A policy of the set, of the spec or of the invariants, as a solver can take it.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) id: String,
    pub(super) policy: Policy,
    /// Of what it says, not of its id.
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

/// The groups each action is in.
pub(super) type Groups = HashMap<EntityUid, hashbrown::HashSet<EntityUid>>;

impl Statement {
    /// A statement of a policy, linked or not. `kind` keeps ids apart.
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
        let (policy, said) = match policy.to_cedar() {
            Some(text) => (policy.new_id(PolicyId::new(&id)), text),
            None => {
                let json = policy.to_json().map_err(|error| text::chain(&error))?;
                (parsed(&id, &json)?, json.to_string())
            }
        };
        Ok(Self {
            id,
            digest: Sha256::digest(said).into(),
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
            digest: Sha256::digest(json.to_string()).into(),
            info: self.info.clone(),
            scope: self.scope.clone(),
            id,
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

fn parsed(id: &str, json: &serde_json::Value) -> Result<Policy, String> {
    Policy::from_json(Some(PolicyId::new(id)), json.clone()).map_err(|error| text::chain(&error))
}
