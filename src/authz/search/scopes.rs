//! Candidates that no `permit` lets in by its scope.

use std::collections::HashSet;

use cedar_policy::{
    Effect, EntityTypeName, EntityUid, Policy, PrincipalConstraint, Request, ResourceConstraint,
};

use crate::authz::{
    Snapshot,
    engine::{self, Entity, Uid},
};

use super::Open;

/// Candidates that the scopes of permits let in, of those permits that let in what is known.
///
/// Exact whatever the data are: who is in none of them is permitted by nothing.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    everyone: bool,
    /// Candidates that are named.
    named: HashSet<Uid>,
    /// These, and whoever is in one of them.
    groups: HashSet<Uid>,
}

/// One side of a policy's scope.
enum Scope {
    Any,
    Equal(EntityUid),
    In(EntityUid),
    Is(EntityTypeName),
    IsIn(EntityTypeName, EntityUid),
}

impl Scopes {
    /// `None` if the request lacks a side, which none does that was read.
    pub(super) fn of(snapshot: &Snapshot, open: Open, request: &Request) -> Option<Self> {
        let known = engine::uid(open.known(request)?);
        let kind = open.sought(request)?.type_name();
        let stored = snapshot.stored();
        let entity = stored.get(known).or_else(|| stored.action(known));
        let entity = entity.map(AsRef::as_ref);
        let policies = snapshot
            .index
            .sets(request.action())
            .flat_map(|set| set.policies());
        let mut scopes = Self::default();
        for permit in policies.filter(|policy| policy.effect() == Effect::Permit) {
            let (principal, resource) = (Scope::of_principal(permit), Scope::of_resource(permit));
            let (of_known, of_sought) = match open {
                Open::Principal => (resource, principal),
                Open::Resource => (principal, resource),
            };
            if of_known.lets_in(known, entity) {
                scopes.add(of_sought, kind);
            }
        }
        Some(scopes)
    }

    /// Adds what a scope lets in of candidates of a type.
    fn add(&mut self, scope: Scope, kind: &EntityTypeName) {
        let own = |uid: EntityUid| engine::uid(&uid).clone();
        match scope {
            Scope::Any => self.everyone = true,
            Scope::Equal(uid) => drop(self.named.insert(own(uid))),
            Scope::In(group) => drop(self.groups.insert(own(group))),
            Scope::Is(name) => self.everyone |= name == *kind,
            Scope::IsIn(name, group) if name == *kind => drop(self.groups.insert(own(group))),
            Scope::IsIn(..) => {}
        }
    }

    /// Whether nobody is let in.
    pub(super) fn are_empty(&self) -> bool {
        !self.everyone && self.named.is_empty() && self.groups.is_empty()
    }

    pub(super) fn let_in(&self, candidate: &Entity) -> bool {
        let is_group = |uid: &Uid| self.groups.contains(uid);
        self.everyone
            || self.named.contains(candidate.uid())
            || is_group(candidate.uid())
            || !self.groups.is_empty() && candidate.ancestors().any(is_group)
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
