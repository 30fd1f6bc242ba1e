//! How far policies can get from the entities that a question names.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::authz::{schema, symbols::Uid};

use super::World;

/// What can be reached in a world.
pub(in crate::authz) struct Reach {
    /// Entities that policies can look into.
    pub(in crate::authz) entities: Vec<Uid>,
    /// An entity that the question reaches, that only the store may speak for, and that is not stored.
    pub(in crate::authz) missing: Option<Uid>,
}

/// Who led us to an entity.
#[derive(Clone, Copy)]
enum NamedBy {
    Policy,
    Question,
    Store,
}

/// The way to everything within sight.
struct Walk<'a, 'w> {
    world: &'a World<'w>,
    sight: usize,
    /// How many steps off each entity is that was reached.
    nearest: HashMap<Uid, usize>,
    reach: Reach,
}

impl World<'_> {
    /// Collects what policies that look through `sight` entities in a row can reach from `roots`
    /// and from their own texts, through attributes and tags.
    ///
    /// Exact for every such policy: a policy gets at an entity only through the request, its own
    /// text and the attributes and tags of entities it got at before; `in` asks the left one alone.
    pub(in crate::authz) fn reach(
        &self,
        roots: impl IntoIterator<Item = Uid>,
        literals: impl IntoIterator<Item = Uid>,
        sight: usize,
    ) -> Reach {
        let mut walk = Walk {
            world: self,
            // What the question itself names is always seen.
            sight: sight.max(1),
            nearest: HashMap::new(),
            reach: Reach {
                entities: Vec::new(),
                missing: None,
            },
        };
        // The question comes first: what it reaches is its own, whatever the policies name besides.
        walk.from(roots, NamedBy::Question);
        walk.from(literals, NamedBy::Policy);
        walk.reach
    }

    /// Whether the absence of an entity, so named, must deny.
    fn counts_as_missing(&self, named_by: NamedBy, uid: Uid) -> bool {
        match named_by {
            NamedBy::Policy => false,
            NamedBy::Question => schema::is_held(self.schema, self.kind(uid)),
            NamedBy::Store => schema::is_held_and_read(self.schema, self.kind(uid)),
        }
    }
}

impl Walk<'_, '_> {
    /// Goes on from these, the nearest first.
    fn from(&mut self, starts: impl IntoIterator<Item = Uid>, named_by: NamedBy) {
        let starts = starts.into_iter().map(|uid| (uid, named_by, 0));
        let mut queue: VecDeque<(Uid, NamedBy, usize)> = starts.collect();
        while let Some((uid, named_by, steps)) = queue.pop_front() {
            let Some(next_by) = self.visit(uid, named_by, steps) else {
                continue;
            };
            if let Some(entity) = self.world.entity(uid) {
                entity.mentions(&mut |uid| queue.push_back((uid, next_by, steps + 1)));
            }
        }
    }

    /// Takes an entity; who leads on from it, if what it mentions comes next.
    fn visit(&mut self, uid: Uid, named_by: NamedBy, steps: usize) -> Option<NamedBy> {
        let world = self.world;
        if world.entity(uid).is_none() {
            if world.counts_as_missing(named_by, uid) {
                self.miss(uid);
            }
            return None;
        }
        let before = self.nearest.get(&uid).copied();
        if before.is_some_and(|before| before <= steps) {
            return None;
        }
        self.nearest.insert(uid, steps);
        // Beyond the sight of the policies nothing is seen, only missed.
        if steps < self.sight && before.is_none_or(|before| before >= self.sight) {
            self.reach.entities.push(uid);
        }
        let came_along = world.given.is_some_and(|given| given.get(uid).is_some());
        if steps + 1 < self.sight || came_along {
            return Some(match named_by {
                NamedBy::Policy => NamedBy::Policy,
                NamedBy::Question | NamedBy::Store if came_along => NamedBy::Question,
                NamedBy::Question | NamedBy::Store => NamedBy::Store,
            });
        }
        // What is missing further off is known of what is stored.
        if !matches!(named_by, NamedBy::Policy)
            && let Some(missing) = world.stored.missing_behind(uid)
        {
            self.miss(missing);
        }
        None
    }

    /// Of several the last is told, whichever way it was found.
    fn miss(&mut self, uid: Uid) {
        let order = |last: &Uid| self.world.symbols.order(*last, uid).is_lt();
        if self.reach.missing.as_ref().is_none_or(order) {
            self.reach.missing = Some(uid);
        }
    }
}
