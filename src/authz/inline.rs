//! Entities that come with a question, and everything above them.

use std::collections::{HashMap, HashSet};

use super::{
    engine::{Entity, Uid},
    stored::StoredEntities,
};

/// How many levels of parents a question may bring along.
const MAX_PARENT_DEPTH: usize = 64;

/// How many entities a question may bring along.
pub(super) const MAX_ENTITIES: usize = 1_000;

/// Entities that came with a question, each with its direct parents.
#[derive(Debug, Default)]
pub(super) struct Inline {
    by_uid: HashMap<Uid, Entity>,
    /// They stand in the store's place instead of beside it.
    replaces: bool,
}

impl Inline {
    pub(super) fn new(replaces: bool) -> Self {
        Self {
            by_uid: HashMap::new(),
            replaces,
        }
    }

    /// Whether the store alone answers.
    pub(super) fn is_nothing(&self) -> bool {
        self.by_uid.is_empty() && !self.replaces
    }

    /// Whether they stand in the store's place.
    pub(super) fn replaces(&self) -> bool {
        self.replaces
    }

    pub(super) fn get(&self, uid: &Uid) -> Option<&Entity> {
        self.by_uid.get(uid)
    }

    /// Takes an entity, in place of one with the same uid.
    pub(super) fn insert(&mut self, entity: Entity) {
        self.by_uid.insert(entity.uid().clone(), entity);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entity> {
        self.by_uid.values()
    }

    pub(super) fn len(&self) -> usize {
        self.by_uid.len()
    }

    /// The entity as the question sees it.
    pub(super) fn lookup<'a>(
        &'a self,
        stored: &'a StoredEntities,
        uid: &Uid,
    ) -> Option<&'a Entity> {
        self.by_uid.get(uid).or_else(|| self.kept(stored, uid))
    }

    /// The stored entity that the question sees under this uid, if it brought no other.
    pub(super) fn kept<'a>(&self, stored: &'a StoredEntities, uid: &Uid) -> Option<&'a Entity> {
        let entity = if self.replaces { None } else { stored.get(uid) };
        entity.or_else(|| stored.action(uid)).map(AsRef::as_ref)
    }
}

/// What is above each entity that came with a question.
///
/// A set of ancestors is a row of bits, so that joining those of many parents costs little: a
/// caller may send a thousand entities with a hundred parents each.
#[derive(Debug, Default)]
pub(super) struct Above {
    number: HashMap<Uid, usize>,
    uids: Vec<Uid>,
    /// For an entity that came along, or a stored one that grows: everything above it that has a
    /// number. By number.
    rows: HashMap<usize, Vec<u64>>,
}

impl Above {
    /// Closes the parents of `inline`.
    ///
    /// # Errors
    /// An entity is its own ancestor, or the parents are more than [`MAX_PARENT_DEPTH`] levels deep.
    pub(super) fn of(inline: &Inline, stored: &StoredEntities) -> Result<Self, String> {
        let mut above = Self::default();
        let edges = Edges {
            inline,
            stored,
            grows: inline
                .by_uid
                .keys()
                .any(|uid| stored.is_dangling_parent(uid)),
        };
        for entity in inline.iter() {
            above.numbered(entity.uid());
            for parent in entity.parents() {
                above.numbered(parent);
            }
        }
        let mut depths: HashMap<usize, usize> = HashMap::new();
        for start in inline.by_uid.keys() {
            above.visit(start, &edges, &mut depths)?;
        }
        Ok(above)
    }

    /// Everything above an entity of the question, those above stored ones included.
    pub(super) fn ancestors(
        &self,
        uid: &Uid,
        inline: &Inline,
        stored: &StoredEntities,
    ) -> HashSet<Uid> {
        let mut all = HashSet::new();
        for ancestor in self.numbered_above(uid) {
            if inline.get(ancestor).is_none() {
                let kept = inline.kept(stored, ancestor).into_iter();
                all.extend(kept.flat_map(Entity::ancestors).cloned());
            }
            all.insert(ancestor.clone());
        }
        all
    }

    fn numbered(&mut self, uid: &Uid) -> usize {
        if let Some(number) = self.number.get(uid) {
            return *number;
        }
        let number = self.uids.len();
        self.number.insert(uid.clone(), number);
        self.uids.push(uid.clone());
        number
    }

    fn numbered_above(&self, uid: &Uid) -> impl Iterator<Item = &Uid> {
        let row = self
            .number
            .get(uid)
            .and_then(|number| self.rows.get(number));
        let words = row.into_iter().flatten().enumerate();
        words
            .flat_map(|(word, bits)| {
                let set = (0..64).filter(move |bit| bits >> bit & 1 == 1);
                set.map(move |bit| word * 64 + bit)
            })
            .filter_map(|number| self.uids.get(number))
    }

    /// Closes one entity after everything above it, without recursion.
    fn visit(
        &mut self,
        start: &Uid,
        edges: &Edges<'_>,
        depths: &mut HashMap<usize, usize>,
    ) -> Result<(), String> {
        let mut open: HashSet<usize> = HashSet::new();
        let mut stack = vec![start.clone()];
        while let Some(uid) = stack.last().cloned() {
            let number = self.numbered(&uid);
            if depths.contains_key(&number) {
                stack.pop();
                continue;
            }
            let parents = edges.of(&uid);
            if open.insert(number) {
                for parent in &parents {
                    let parent_number = self.numbered(parent);
                    if open.contains(&parent_number) {
                        return Err(format!("`{parent}` is its own ancestor"));
                    }
                    if !depths.contains_key(&parent_number) {
                        stack.push(parent.clone());
                    }
                }
                continue;
            }
            open.remove(&number);
            stack.pop();
            let depth = self.join(number, &parents, depths);
            if depth > MAX_PARENT_DEPTH {
                return Err(format!(
                    "the parents of `{uid}` are more than {MAX_PARENT_DEPTH} levels deep"
                ));
            }
        }
        Ok(())
    }

    /// Sets the row of an entity whose parents all have theirs; how many levels are above it.
    fn join(
        &mut self,
        number: usize,
        parents: &[Uid],
        depths: &mut HashMap<usize, usize>,
    ) -> usize {
        let mut row = vec![0_u64; self.uids.len().div_ceil(64)];
        let mut depth = 0;
        for parent in parents {
            let parent = self.numbered(parent);
            if let Some(word) = row.get_mut(parent / 64) {
                *word |= 1 << (parent % 64);
            }
            let above = self.rows.get(&parent).into_iter().flatten();
            for (word, bits) in row.iter_mut().zip(above) {
                *word |= bits;
            }
            depth = depth.max(1 + depths.get(&parent).copied().unwrap_or(0));
        }
        self.rows.insert(number, row);
        depths.insert(number, depth);
        depth
    }
}

/// The graph that is closed: from an entity to its parents.
struct Edges<'a> {
    inline: &'a Inline,
    stored: &'a StoredEntities,
    /// A stored entity's parent that nobody stored came with the question.
    grows: bool,
}

impl Edges<'_> {
    fn of(&self, uid: &Uid) -> Vec<Uid> {
        match self.inline.get(uid) {
            Some(entity) => entity.parents().cloned().collect(),
            None if self.grows => self.inline.grown_parents(self.stored, uid),
            None => Vec::new(),
        }
    }
}

impl Inline {
    /// Ancestors of a stored entity that nobody stored, but that came with the question.
    pub(super) fn grown_parents(&self, stored: &StoredEntities, uid: &Uid) -> Vec<Uid> {
        let kept = self.kept(stored, uid).into_iter();
        kept.flat_map(Entity::ancestors)
            .filter(|above| stored.is_dangling_parent(above) && self.by_uid.contains_key(*above))
            .cloned()
            .collect()
    }
}
