//! The entities one question sees: what it brought along, beside what is stored.

use std::{cell::RefCell, ops::Deref, rc::Rc};

use cedar_policy::Entities;
use hashbrown::{HashMap, HashSet};

use super::{
    engine::{self, CedarEntity},
    inline::{Above, Hierarchy, Inline},
    schema::SchemaModel,
    stored::StoredEntities,
    symbols::{Name, Symbols, TypeId, Uid},
    value::{Entity, Uids, Value},
};

mod walk;

/// Entities that came with a question, closed: the queries of a batch share them.
#[derive(Debug, Default)]
pub(super) struct Given {
    inline: Inline,
    above: Above,
}

impl Given {
    /// Closes the entities of a question.
    ///
    /// # Errors
    /// A cycle, or parents too deep.
    pub(super) fn new(
        mut inline: Inline,
        stored: &StoredEntities,
        schema: Option<&SchemaModel>,
        symbols: &Symbols<'_>,
    ) -> Result<Self, String> {
        if inline.is_nothing() {
            return Ok(Self::default());
        }
        let hierarchy = Hierarchy {
            inline: &inline,
            stored,
            schema,
            symbols,
        };
        let above = Above::of(&hierarchy)?;
        let closed = |(uid, _)| Some((uid, above.ancestors(uid, &hierarchy)?));
        let closed: Vec<(Uid, Uids)> = inline.iter().filter_map(closed).collect();
        for (uid, ancestors) in closed {
            if let Some(entity) = inline.get_mut(uid) {
                entity.ancestors = ancestors;
            }
        }
        Ok(Self { inline, above })
    }

    /// Whether the store alone answers.
    pub(super) fn is_nothing(&self) -> bool {
        self.inline.is_nothing()
    }

    /// The entity that came along under this uid.
    pub(super) fn get(&self, uid: Uid) -> Option<&Entity> {
        self.inline.get(uid)
    }
}

/// What one question sees.
#[derive(Debug)]
pub(super) struct World<'w> {
    pub(super) symbols: &'w Symbols<'w>,
    stored: &'w StoredEntities,
    schema: Option<&'w SchemaModel>,
    given: Option<&'w Given>,
    /// What is above stored entities that something which came along stands above; `None` for those
    /// that are as they are stored.
    lifted: RefCell<HashMap<Uid, Option<Rc<Uids>>>>,
    /// Where it is noted what is looked at, while that is wanted.
    noted: RefCell<Option<HashMap<Uid, Looked>>>,
}

/// What somebody looks at in an entity.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Attributes and tags.
    names: HashSet<Name>,
    ancestors: bool,
    whole: bool,
}

impl Looked {
    /// At everything.
    pub(super) fn whole() -> Self {
        Self {
            whole: true,
            ..Self::default()
        }
    }
}

/// What is above an entity.
pub(super) enum Ancestors<'w> {
    Known(&'w Uids),
    Lifted(Rc<Uids>),
    None(Uids),
}

impl Deref for Ancestors<'_> {
    type Target = Uids;

    fn deref(&self) -> &Uids {
        match self {
            Self::Known(uids) => uids,
            Self::Lifted(uids) => uids,
            Self::None(none) => none,
        }
    }
}

impl<'w> World<'w> {
    /// What is stored, and what came along.
    pub(super) fn new(
        symbols: &'w Symbols<'w>,
        stored: &'w StoredEntities,
        schema: Option<&'w SchemaModel>,
        given: &'w Given,
    ) -> Self {
        Self {
            given: (!given.is_nothing()).then_some(given),
            ..Self::stored(symbols, stored, schema)
        }
    }

    /// What is stored.
    pub(super) fn stored(
        symbols: &'w Symbols<'w>,
        stored: &'w StoredEntities,
        schema: Option<&'w SchemaModel>,
    ) -> Self {
        Self {
            symbols,
            stored,
            schema,
            given: None,
            lifted: RefCell::default(),
            noted: RefCell::default(),
        }
    }

    /// The type of an entity, existing or not.
    pub(super) fn kind(&self, uid: Uid) -> TypeId {
        self.symbols.kind(uid)
    }

    /// The entity, but for its ancestors: those are for [`Self::is_in`] to say.
    pub(super) fn entity(&self, uid: Uid) -> Option<&'w Entity> {
        match self.given {
            None => self.stored.kept(uid),
            Some(given) => given.inline.lookup(self.stored, uid),
        }
    }

    /// An attribute of an entity, if there is the entity and has it.
    pub(super) fn attribute(&self, uid: Uid, name: Name) -> Option<&'w Value> {
        self.note(uid, |looked| looked.names.extend([name]));
        self.entity(uid)?.attributes.get(name)
    }

    /// A tag of an entity, if there is the entity and has it; no name is one that nothing has.
    pub(super) fn tag(&self, uid: Uid, name: Option<Name>) -> Option<&'w Value> {
        self.note(uid, |looked| looked.names.extend(name));
        self.entity(uid)?.tags.get(name?)
    }

    /// What somebody looks at, entity by entity.
    pub(super) fn looked_at(&self, look: impl FnOnce()) -> HashMap<Uid, Looked> {
        self.noted.replace(Some(HashMap::new()));
        look();
        self.noted.take().unwrap_or_default()
    }

    fn note(&self, uid: Uid, look: impl FnOnce(&mut Looked)) {
        if let Some(noted) = &mut *self.noted.borrow_mut() {
            look(noted.entry(uid).or_default());
        }
    }

    /// Whether an entity is a group, or below it.
    pub(super) fn is_in(&self, uid: Uid, group: Uid) -> bool {
        uid == group || self.ancestors(uid).contains(group)
    }

    /// What is above an entity.
    pub(super) fn ancestors(&self, uid: Uid) -> Ancestors<'w> {
        self.note(uid, |looked| looked.ancestors = true);
        let Some(entity) = self.entity(uid) else {
            return Ancestors::None(Uids::default());
        };
        let Some(given) = self.given.filter(|given| given.get(uid).is_none()) else {
            return Ancestors::Known(&entity.ancestors);
        };
        let lift = || {
            let hierarchy = self.hierarchy(given);
            let affected = hierarchy.is_affected(uid, entity);
            let lifted = affected.then(|| given.above.ancestors(uid, &hierarchy));
            lifted.flatten().map(Rc::new)
        };
        let mut lifted = self.lifted.borrow_mut();
        match lifted.entry(uid).or_insert_with(lift) {
            Some(lifted) => Ancestors::Lifted(Rc::clone(lifted)),
            None => Ancestors::Known(&entity.ancestors),
        }
    }

    /// An entity, for Cedar, that looks at no more of it.
    ///
    /// # Errors
    /// What Cedar does not take; none is known.
    pub(super) fn cedar_entity(
        &self,
        uid: Uid,
        looked: &Looked,
    ) -> Option<Result<CedarEntity, String>> {
        let entity = self.entity(uid)?;
        let wanted = |name| looked.whole || looked.names.contains(&name);
        let told = if looked.whole || looked.ancestors {
            engine::cedar_entity(uid, entity, &self.ancestors(uid), wanted, self.symbols)
        } else {
            engine::cedar_orphan(uid, entity, wanted, self.symbols)
        };
        Some(told)
    }

    /// These entities, for Cedar.
    ///
    /// # Errors
    /// What Cedar does not take; none is known.
    pub(super) fn cedar(
        &self,
        looked: impl IntoIterator<Item = (Uid, Looked)>,
    ) -> Result<Entities, String> {
        let entities = looked.into_iter();
        let entities = entities.filter_map(|(uid, looked)| self.cedar_entity(uid, &looked));
        engine::view(entities.collect::<Result<Vec<_>, _>>()?)
    }

    fn hierarchy(&self, given: &'w Given) -> Hierarchy<'w> {
        Hierarchy {
            inline: &given.inline,
            stored: self.stored,
            schema: self.schema,
            symbols: self.symbols,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Written, json};

    use super::*;
    use crate::authz::{Snapshot, SourceFile, Sources, rule::Rule};

    fn file(name: &str, text: &str) -> SourceFile {
        SourceFile {
            name: name.to_owned(),
            bytes: text.as_bytes().to_vec(),
        }
    }

    fn user(n: usize) -> Written {
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
        seen_with(&[], snapshot, roots)
    }

    fn seen_with(inline: &[Written], snapshot: &Snapshot, roots: &[&str]) -> Vec<String> {
        let mut symbols = Symbols::above(&snapshot.symbols);
        let mut given = Inline::default();
        for entity in inline {
            let entity = engine::parse_entity(entity.clone(), None).unwrap();
            let (uid, entity) = engine::known_entity(entity, &mut symbols).unwrap();
            given.insert(uid, entity);
        }
        let roots: Vec<Uid> = roots
            .iter()
            .map(|text| symbols.uid_of(&text.parse().unwrap()))
            .collect();
        let nothing = symbols.read_uid("Action", "a").unwrap();
        let given = Given::new(given, &snapshot.stored, None, &symbols).unwrap();
        let world = World::new(&symbols, &snapshot.stored, None, &given);
        let (literals, sight) = (
            snapshot.index.rules(nothing).flat_map(Rule::literals),
            snapshot.index.sight(nothing),
        );
        let seen = world.reach(roots, literals, sight).entities;
        let mut ids: Vec<String> = seen.iter().map(|uid| symbols.id(*uid).to_owned()).collect();
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
        let seen = seen_with(&[user(0)], &chain(&policy), &["User::\"u0\""]);
        assert_eq!(seen, ["u0", "u1"]);
    }
}
