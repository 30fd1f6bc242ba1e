//! Candidates that no `permit` lets in by its scope.

use hashbrown::HashSet;

use crate::authz::{
    Snapshot,
    query::Asked,
    rule::Scope,
    symbols::{TypeId, Uid},
    world::World,
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

impl Scopes {
    /// What the permits of a snapshot let in, in a world.
    pub(super) fn of(snapshot: &Snapshot, open: Open, asked: &Asked, world: &World<'_>) -> Self {
        let known = open.known(asked);
        let kind = world.kind(open.sought(asked));
        let mut scopes = Self::default();
        let rules = snapshot.index.rules(asked.action);
        for permit in rules.filter(|rule| !rule.forbids()) {
            let (of_known, of_sought) = match open {
                Open::Principal => (permit.resource, permit.principal),
                Open::Resource => (permit.principal, permit.resource),
            };
            if of_known.lets_in(known, world) {
                scopes.add(of_sought, kind);
            }
        }
        scopes
    }

    /// Adds what a scope lets in of candidates of a type.
    fn add(&mut self, scope: Scope, kind: TypeId) {
        match scope {
            Scope::Any => self.everyone = true,
            Scope::Equal(uid) => drop(self.named.insert(uid)),
            Scope::In(group) => drop(self.groups.insert(group)),
            Scope::Is(named) => self.everyone |= named == kind,
            Scope::IsIn(named, group) if named == kind => drop(self.groups.insert(group)),
            Scope::IsIn(..) => {}
        }
    }

    /// Whether nobody is let in.
    pub(super) fn are_empty(&self) -> bool {
        !self.everyone && self.named.is_empty() && self.groups.is_empty()
    }

    pub(super) fn let_in(&self, candidate: Uid, world: &World<'_>) -> bool {
        let is_group = |uid: &Uid| self.groups.contains(uid);
        self.everyone
            || self.named.contains(&candidate)
            || is_group(&candidate)
            || !self.groups.is_empty()
                && world
                    .ancestors(candidate)
                    .iter()
                    .any(|above| is_group(&above))
    }
}
