//! The entities one question can reach: what it brought along, beside what is stored.

use std::{
    collections::{HashMap, VecDeque},
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

/// The way to everything within sight.
struct Walk<'a> {
    given: &'a Given,
    snapshot: &'a Snapshot,
    sight: usize,
    /// How many steps off each entity is that was reached.
    nearest: HashMap<Uid, usize>,
    reached: Vec<Arc<Entity>>,
    missing: Option<Uid>,
}

impl Walk<'_> {
    /// Goes on from these, the nearest first.
    fn from(&mut self, starts: impl IntoIterator<Item = Uid>, named_by: NamedBy) {
        let starts = starts.into_iter().map(|uid| (uid, named_by, 0));
        let mut queue: VecDeque<(Uid, NamedBy, usize)> = starts.collect();
        while let Some((uid, named_by, steps)) = queue.pop_front() {
            let next = self.visit(&uid, named_by, steps);
            queue.extend(next.into_iter().flat_map(|(entity, named_by)| {
                let mentioned = engine::mentioned(&entity).into_iter();
                mentioned.map(move |uid| (uid, named_by, steps + 1))
            }));
        }
    }

    /// Takes an entity; the entity whose mentions come next, if they do.
    fn visit(
        &mut self,
        uid: &Uid,
        named_by: NamedBy,
        steps: usize,
    ) -> Option<(Arc<Entity>, NamedBy)> {
        let stored = self.snapshot.stored();
        let inline = &self.given.inline;
        if inline.lookup(stored, uid).is_none() {
            if named_by.counts_as_missing(self.snapshot.schema(), uid) {
                self.missing = self.missing.take().max(Some(uid.clone()));
            }
            return None;
        }
        let before = self.nearest.get(uid).copied();
        if before.is_some_and(|before| before <= steps) {
            return None;
        }
        self.nearest.insert(uid.clone(), steps);
        let entity = self.given.seen(self.snapshot, uid)?;
        // Beyond the sight of the policies nothing is seen, only missed.
        if steps < self.sight && before.is_none_or(|before| before >= self.sight) {
            self.reached.push(Arc::clone(&entity));
        }
        let came_along = inline.get(uid).is_some();
        if steps + 1 < self.sight || came_along {
            let next = match named_by {
                NamedBy::Policy => NamedBy::Policy,
                NamedBy::Question | NamedBy::Store if came_along => NamedBy::Question,
                NamedBy::Question | NamedBy::Store => NamedBy::Store,
            };
            return Some((entity, next));
        }
        // What is missing further off is known of what is stored.
        if !matches!(named_by, NamedBy::Policy)
            && let Some(missing) = stored.missing_behind(uid)
        {
            self.missing = self.missing.take().max(Some(missing.clone()));
        }
        None
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

    /// Collects what policies that look through `sight` entities in a row can reach from `roots`
    /// and from their own texts, through attributes and tags.
    ///
    /// Exact for every such policy: a policy gets at an entity only through the request, its own
    /// text and the attributes and tags of entities it got at before; `in` asks the left one alone.
    pub(super) fn slice(
        &self,
        snapshot: &Snapshot,
        roots: impl IntoIterator<Item = Uid>,
        literals: impl IntoIterator<Item = Uid>,
        sight: usize,
    ) -> Result<Slice, String> {
        let mut walk = Walk {
            given: self,
            snapshot,
            // What the question itself names is always seen.
            sight: sight.max(1),
            nearest: HashMap::new(),
            reached: Vec::new(),
            missing: None,
        };
        // The question comes first: what it reaches is its own, whatever the policies name besides.
        walk.from(roots, NamedBy::Question);
        walk.from(literals, NamedBy::Policy);
        Ok(Slice {
            entities: engine::view(walk.reached)?,
            missing: walk.missing,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::authz::{SourceFile, Sources};

    fn file(name: &str, text: &str) -> SourceFile {
        SourceFile {
            name: name.to_owned(),
            bytes: text.as_bytes().to_vec(),
        }
    }

    fn user(n: usize) -> serde_json::Value {
        let boss = json!({ "__entity": { "type": "User", "id": format!("u{}", n + 1) } });
        json!({ "uid": { "type": "User", "id": format!("u{n}") },
            "attrs": { "level": n, "boss": boss }, "parents": [] })
    }

    /// A hundred users, each the boss of the one before.
    fn chain(policy: &str) -> Snapshot {
        let users: Vec<_> = (0..100).map(user).collect();
        let sources = Sources {
            policies: vec![file("p.cedar", policy)],
            entities: vec![file("e.json", &json!(users).to_string())],
            ..Sources::default()
        };
        Snapshot::compile(&sources).unwrap()
    }

    fn seen(snapshot: &Snapshot, roots: &[&str]) -> Vec<String> {
        seen_with(Inline::default(), snapshot, roots)
    }

    fn seen_with(inline: Inline, snapshot: &Snapshot, roots: &[&str]) -> Vec<String> {
        let uid = |text: &&str| engine::uid(&text.parse().unwrap()).clone();
        let literals = snapshot.index.literals(None).cloned();
        let given = Given::new(inline, snapshot).unwrap();
        let roots = roots.iter().map(uid);
        let slice = given.slice(snapshot, roots, literals, snapshot.index.sight(None));
        let entities = slice.unwrap().entities;
        let ids = entities
            .iter()
            .map(|it| it.uid().id().unescaped().to_owned());
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        ids
    }

    #[test]
    fn no_more_is_seen_than_policies_can_look_at() {
        let of = |condition: &str| {
            let policy = format!("permit (principal, action, resource) when {{ {condition} }};");
            chain(&policy)
        };
        let root = "User::\"u0\"";
        assert_eq!(seen(&of("principal == resource"), &[root]), ["u0"]);
        assert_eq!(seen(&of("principal.level > 3"), &[root]), ["u0"]);
        let two = of("principal.boss.level > 3");
        assert_eq!(seen(&two, &[root]), ["u0", "u1"]);
        assert_eq!(
            seen(&two, &[root, "User::\"u50\""]),
            ["u0", "u1", "u50", "u51"]
        );
        let named = of("principal.boss.level > 3 && User::\"u2\".boss.level > 3");
        assert_eq!(seen(&named, &[root]), ["u0", "u1", "u2", "u3"]);
    }

    #[test]
    fn what_is_far_from_one_start_may_be_near_to_another() {
        let condition = "principal.level > 3 && User::\"u1\".level > 3";
        let policy = format!("permit (principal, action, resource) when {{ {condition} }};");
        let mut inline = Inline::default();
        inline.insert(engine::parse_entity(user(0), None).unwrap());
        let seen = seen_with(inline, &chain(&policy), &["User::\"u0\""]);
        assert_eq!(seen, ["u0", "u1"]);
    }
}
