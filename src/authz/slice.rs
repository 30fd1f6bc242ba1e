//! The entities one question can reach: what it brought along, beside what is stored.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use cedar_policy::Entities;

use super::{
    engine::{self, Entity, Uid},
    schema::{self, SchemaModel},
    stored::StoredEntities,
};

/// How many levels of parents a question may bring along.
pub(super) const MAX_PARENT_DEPTH: usize = 64;

/// Entities that came with a question, each with its direct parents.
#[derive(Debug, Default)]
pub(super) struct Inline {
    by_uid: HashMap<Uid, Entity>,
    /// They stand in the store's place instead of beside it.
    replaces: bool,
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

impl Inline {
    pub(super) fn new(replaces: bool) -> Self {
        Self {
            by_uid: HashMap::new(),
            replaces,
        }
    }

    /// Whether they stand in the store's place.
    pub(super) fn replaces(&self) -> bool {
        self.replaces
    }

    /// Whether the store alone answers.
    pub(super) fn is_nothing(&self) -> bool {
        self.by_uid.is_empty() && !self.replaces
    }

    pub(super) fn get(&self, uid: &Uid) -> Option<&Entity> {
        self.by_uid.get(uid)
    }

    pub(super) fn insert(&mut self, entity: Entity) {
        self.by_uid.insert(entity.uid().clone(), entity);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entity> {
        self.by_uid.values()
    }

    /// The entity as the question sees it.
    pub(super) fn lookup<'a>(
        &'a self,
        stored: &'a StoredEntities,
        uid: &Uid,
    ) -> Option<&'a Entity> {
        self.by_uid.get(uid).or_else(|| self.stored(stored, uid))
    }

    fn stored<'a>(&self, stored: &'a StoredEntities, uid: &Uid) -> Option<&'a Entity> {
        let entity = if self.replaces { None } else { stored.get(uid) };
        entity.or_else(|| stored.action(uid)).map(Arc::as_ref)
    }

    /// Everything above an entity.
    ///
    /// # Errors
    /// It is its own ancestor, or its parents are more than [`MAX_PARENT_DEPTH`] levels deep.
    pub(super) fn ancestors(
        &self,
        stored: &StoredEntities,
        entity: &Entity,
    ) -> Result<HashSet<Uid>, String> {
        let mut above: HashSet<Uid> = HashSet::new();
        let mut level: Vec<Uid> = entity.parents().cloned().collect();
        let mut depth = 0;
        while !level.is_empty() {
            depth += 1;
            if depth > MAX_PARENT_DEPTH {
                return Err(format!(
                    "the parents of `{}` are more than {MAX_PARENT_DEPTH} levels deep",
                    entity.uid()
                ));
            }
            let mut next = Vec::new();
            for uid in level {
                if &uid == entity.uid() {
                    return Err(format!("`{uid}` is its own ancestor"));
                }
                if !above.insert(uid.clone()) {
                    continue;
                }
                match self.by_uid.get(&uid) {
                    Some(inline) => next.extend(inline.parents().cloned()),
                    // Closed, but a parent that nobody stored may have come with the question.
                    None => next.extend(
                        self.stored(stored, &uid)
                            .into_iter()
                            .flat_map(Entity::ancestors)
                            .cloned(),
                    ),
                }
            }
            level = next;
        }
        Ok(above)
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
            let inline = self.by_uid.get(&uid);
            let kept = if inline.is_some() {
                None
            } else {
                self.shared(stored, &uid)
            };
            if inline.is_none() && kept.is_none() && named_by.counts_as_missing(schema, &uid) {
                missing = missing.max(Some(uid.clone()));
            }
            if !seen.insert(uid) {
                continue;
            }
            if let Some(inline) = inline {
                let mentioned = engine::mentioned(inline).into_iter();
                queue.extend(mentioned.map(|uid| (uid, NamedBy::Question)));
                reached.push(Arc::new(self.closed(stored, inline)?));
            } else if let Some(kept) = kept {
                let mentioned = engine::mentioned(&kept).into_iter();
                queue.extend(mentioned.map(|uid| (uid, NamedBy::Store)));
                reached.push(kept);
            }
        }
        Ok(Slice {
            entities: engine::view(reached)?,
            missing,
        })
    }

    /// A stored entity, as the question sees it.
    fn shared(&self, stored: &StoredEntities, uid: &Uid) -> Option<Arc<Entity>> {
        let kept = if self.replaces { None } else { stored.get(uid) };
        let entity = kept.or_else(|| stored.action(uid))?;
        let grows = |above: &Uid| self.by_uid.contains_key(above) && stored.get(above).is_none();
        if entity.ancestors().any(grows) {
            return self.closed(stored, entity).ok().map(Arc::new);
        }
        Some(Arc::clone(entity))
    }

    /// An entity with all its ancestors.
    pub(super) fn closed(
        &self,
        stored: &StoredEntities,
        entity: &Entity,
    ) -> Result<Entity, String> {
        let mut closed = entity.clone();
        closed.remove_all_indirect_ancestors();
        for ancestor in self.ancestors(stored, entity)? {
            closed.add_indirect_ancestor(ancestor);
        }
        Ok(closed)
    }
}
