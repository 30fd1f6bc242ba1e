//! Candidates that no `permit` lets in by its scope.

use cedar_policy::{
    Effect, EntityTypeName, EntityUid, Policy, PrincipalConstraint, Request, ResourceConstraint,
};

use crate::authz::{
    Snapshot,
    engine::{self, Entity, Uid},
};

use super::Open;

/// What the scopes of those permits say about candidates that do let in what is known.
///
/// Exact whatever the data are: who is in none of them is permitted by nothing.
#[derive(Debug)]
pub(super) struct Scopes(Vec<Scope>);

/// One side of a policy's scope.
#[derive(Debug)]
enum Scope {
    Any,
    Equal(EntityUid),
    In(EntityUid),
    Is(EntityTypeName),
    IsIn(EntityTypeName, EntityUid),
}

impl Scopes {
    pub(super) fn of(snapshot: &Snapshot, open: Open, request: &Request) -> Self {
        let index = &snapshot.index;
        let policies = index.sets(request.action()).flat_map(|set| set.policies());
        let permits = policies.filter(|policy| policy.effect() == Effect::Permit);
        let sides = permits.filter_map(|permit| {
            let (principal, resource) = (Scope::of_principal(permit), Scope::of_resource(permit));
            let (known, sought) = match open {
                Open::Principal => (resource, principal),
                Open::Resource => (principal, resource),
            };
            let uid = engine::uid(open.known(request)?);
            let stored = snapshot.stored();
            let entity = stored.get(uid).or_else(|| stored.action(uid));
            let entity = entity.map(AsRef::as_ref);
            known.lets_in(uid, entity).then_some(sought)
        });
        Self(sides.collect())
    }

    /// Whether nobody is let in.
    pub(super) fn are_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn let_in(&self, candidate: &Entity) -> bool {
        let mut scopes = self.0.iter();
        scopes.any(|scope| scope.lets_in(candidate.uid(), Some(candidate)))
    }
}

impl Scope {
    fn of_principal(policy: &Policy) -> Self {
        match policy.principal_constraint() {
            PrincipalConstraint::Any => Self::Any,
            PrincipalConstraint::Eq(uid) => Self::Equal(uid),
            PrincipalConstraint::In(uid) => Self::In(uid),
            PrincipalConstraint::Is(name) => Self::Is(name),
            PrincipalConstraint::IsIn(name, uid) => Self::IsIn(name, uid),
        }
    }

    fn of_resource(policy: &Policy) -> Self {
        match policy.resource_constraint() {
            ResourceConstraint::Any => Self::Any,
            ResourceConstraint::Eq(uid) => Self::Equal(uid),
            ResourceConstraint::In(uid) => Self::In(uid),
            ResourceConstraint::Is(name) => Self::Is(name),
            ResourceConstraint::IsIn(name, uid) => Self::IsIn(name, uid),
        }
    }

    /// What Cedar says of the scope; `entity` is `None` if nothing is stored under the uid.
    fn lets_in(&self, uid: &Uid, entity: Option<&Entity>) -> bool {
        let is = |name: &EntityTypeName| uid.entity_type() == name.as_ref();
        let is_in = |group: &EntityUid| {
            let group = engine::uid(group);
            uid == group || entity.is_some_and(|entity| entity.is_descendant_of(group))
        };
        match self {
            Self::Any => true,
            Self::Equal(other) => uid == engine::uid(other),
            Self::In(group) => is_in(group),
            Self::Is(name) => is(name),
            Self::IsIn(name, group) => is(name) && is_in(group),
        }
    }
}
