//! The entities one question can reach: what it brought along, beside what is stored.

use std::{collections::HashSet, sync::Arc};

use cedar_policy::Entities;

use super::{
    engine::{self, Entity, Uid},
    inline::{Above, Inline},
    schema::{self, SchemaModel},
    stored::StoredEntities,
};

/// Entities that came with a question, closed.
#[derive(Debug, Default)]
pub(super) struct Given {
    inline: Inline,
    above: Above,
}

/// What a question sees.
pub(super) struct Slice {
    pub(super) entities: Entities,
    /// An entity that the question reaches, that only the store may speak for, and that is not stored.
    pub(super) missing: Option<Uid>,
}

/// Who led us to an entity.
#[derive(Clone, Copy)]
enum NamedBy {
    Policy,
    Question,
    Store,
}

impl NamedBy {
    /// Whether the absence of an entity, so named, must deny.
    fn counts_as_missing(self, schema: Option<&SchemaModel>, uid: &Uid) -> bool {
        match self {
            Self::Policy => false,
            Self::Question => schema::is_held(schema, uid),
            Self::Store => schema::is_held_with_attributes(schema, uid),
        }
    }
}

impl Given {
    /// Closes the entities of a question.
    ///
    /// # Errors
    /// A cycle, or parents too deep.
    pub(super) fn new(inline: Inline, stored: &StoredEntities) -> Result<Self, String> {
        let above = Above::of(&inline, stored)?;
        Ok(Self { inline, above })
    }

    /// Whether the store alone answers.
    pub(super) fn is_nothing(&self) -> bool {
        self.inline.is_nothing()
    }

    /// Collects what can be reached from `roots` through attributes and tags.
    ///
    /// Exact for every policy: a policy gets at an entity only through the request, its own text
    /// and the attributes and tags of entities it got at before; `in` asks the left one alone.
    pub(super) fn slice(
        &self,
        stored: &StoredEntities,
        schema: Option<&SchemaModel>,
        roots: impl IntoIterator<Item = Uid>,
        literals: &[Uid],
    ) -> Result<Slice, String> {
        let mut seen: HashSet<Uid> = HashSet::new();
        let mut reached: Vec<Arc<Entity>> = Vec::new();
        let mut missing: Option<Uid> = None;
        let from_policies = literals.iter().map(|uid| (uid.clone(), NamedBy::Policy));
        let from_question = roots.into_iter().map(|uid| (uid, NamedBy::Question));
        let mut queue: Vec<(Uid, NamedBy)> = from_policies.chain(from_question).collect();
        while let Some((uid, named_by)) = queue.pop() {
            if self.inline.lookup(stored, &uid).is_none() {
                if named_by.counts_as_missing(schema, &uid) {
                    missing = missing.max(Some(uid));
                }
                continue;
            }
            if !seen.insert(uid.clone()) {
                continue;
            }
            let (entity, next) = match self.inline.get(&uid) {
                Some(inline) => (self.closed(stored, inline), NamedBy::Question),
                None => match self.shared(stored, &uid) {
                    Some(kept) => (kept, NamedBy::Store),
                    None => continue,
                },
            };
            let mentioned = engine::mentioned(&entity).into_iter();
            queue.extend(mentioned.map(|uid| (uid, next)));
            reached.push(entity);
        }
        Ok(Slice {
            entities: engine::view(reached)?,
            missing,
        })
    }

    /// An entity that came along, with all its ancestors.
    pub(super) fn closed(&self, stored: &StoredEntities, entity: &Entity) -> Arc<Entity> {
        let mut closed = entity.clone();
        closed.remove_all_indirect_ancestors();
        for ancestor in self.above.ancestors(entity.uid(), &self.inline, stored) {
            closed.add_indirect_ancestor(ancestor);
        }
        Arc::new(closed)
    }

    /// A stored entity, as the question sees it.
    fn shared(&self, stored: &StoredEntities, uid: &Uid) -> Option<Arc<Entity>> {
        let kept = if self.inline.replaces() {
            None
        } else {
            stored.get(uid)
        };
        let entity = kept.or_else(|| stored.action(uid))?;
        let grown = self.inline.grown_parents(stored, uid);
        if grown.is_empty() {
            return Some(Arc::clone(entity));
        }
        let mut entity = Entity::clone(entity);
        for parent in grown {
            for ancestor in self.above.ancestors(&parent, &self.inline, stored) {
                entity.add_indirect_ancestor(ancestor);
            }
        }
        Some(Arc::new(entity))
    }
}
