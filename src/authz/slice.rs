//! The entities one question can reach: what it brought along, beside what is stored.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use cedar_policy::Entities;

use super::{
    Snapshot,
    engine::{self, Entity, Uid},
    inline::{Above, Hierarchy, Inline},
    schema::{self, SchemaModel},
};

/// Entities that came with a question, closed.
#[derive(Debug, Default)]
pub(super) struct Given {
    inline: Inline,
    above: Above,
    /// Each entity of `inline` with its ancestors, once somebody needs them: the queries of a
    /// batch share them.
    closed: HashMap<Uid, OnceLock<Arc<Entity>>>,
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
            Self::Store => schema::is_held_and_read(schema, uid),
        }
    }
}

impl Given {
    /// Closes the entities of a question.
    ///
    /// # Errors
    /// A cycle, or parents too deep.
    pub(super) fn new(inline: Inline, snapshot: &Snapshot) -> Result<Self, String> {
        let above = Above::of(&Hierarchy {
            inline: &inline,
            stored: snapshot.stored(),
            schema: snapshot.schema(),
        })?;
        let closed = inline
            .iter()
            .map(|entity| (entity.uid().clone(), OnceLock::new()));
        Ok(Self {
            closed: closed.collect(),
            above,
            inline,
        })
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
        snapshot: &Snapshot,
        roots: impl IntoIterator<Item = Uid>,
        literals: impl IntoIterator<Item = Uid>,
    ) -> Result<Slice, String> {
        let stored = snapshot.stored();
        let mut seen: HashSet<Uid> = HashSet::new();
        let mut reached: Vec<Arc<Entity>> = Vec::new();
        let mut missing: Option<Uid> = None;
        // The question comes off the stack first: what it reaches is its own, whatever the
        // policies name besides.
        let from_policies = literals.into_iter().map(|uid| (uid, NamedBy::Policy));
        let from_question = roots.into_iter().map(|uid| (uid, NamedBy::Question));
        let mut queue: Vec<(Uid, NamedBy)> = from_policies.chain(from_question).collect();
        while let Some((uid, named_by)) = queue.pop() {
            if self.inline.lookup(stored, &uid).is_none() {
                if named_by.counts_as_missing(snapshot.schema(), &uid) {
                    missing = missing.max(Some(uid));
                }
                continue;
            }
            if !seen.insert(uid.clone()) {
                continue;
            }
            let entity = self.seen(snapshot, &uid);
            let next = match named_by {
                NamedBy::Policy => NamedBy::Policy,
                NamedBy::Question | NamedBy::Store => match self.inline.get(&uid) {
                    Some(_) => NamedBy::Question,
                    None => NamedBy::Store,
                },
            };
            if let Some(entity) = entity {
                let mentioned = engine::mentioned(&entity).into_iter();
                queue.extend(mentioned.map(|uid| (uid, next)));
                reached.push(entity);
            }
        }
        Ok(Slice {
            entities: engine::view(reached)?,
            missing,
        })
    }

    /// An entity with all its ancestors, as the question sees it.
    pub(super) fn seen(&self, snapshot: &Snapshot, uid: &Uid) -> Option<Arc<Entity>> {
        if let (Some(entity), Some(closed)) = (self.inline.get(uid), self.closed.get(uid)) {
            let close = || {
                self.close(snapshot, entity)
                    .unwrap_or_else(|| Arc::new(entity.clone()))
            };
            return Some(Arc::clone(closed.get_or_init(close)));
        }
        let entity = self.inline.kept(snapshot.stored(), uid)?;
        Some(
            self.close(snapshot, entity)
                .unwrap_or_else(|| Arc::clone(entity)),
        )
    }

    /// The entity with the ancestors the question gives it; `None` if they are those it has.
    fn close(&self, snapshot: &Snapshot, entity: &Entity) -> Option<Arc<Entity>> {
        let hierarchy = Hierarchy {
            inline: &self.inline,
            stored: snapshot.stored(),
            schema: snapshot.schema(),
        };
        let ancestors = self.above.ancestors(entity.uid(), &hierarchy)?;
        Some(Arc::new(engine::with_ancestors(entity, ancestors)))
    }
}
